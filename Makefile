# Short names for what CONTRIBUTING.md explains. `make dev` comes first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help dev quick check docs clean

help:
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

dev: ## create .venv with everything that tests, linters and documentation need
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -r requirements/torch.txt
	$(BIN)/pip install -q -r requirements/docs.txt -r requirements/lint.txt
	$(BIN)/pip install -q --no-deps -e .

quick: ## run the tests that failed last, or all of them, and stop at the first failure
	$(BIN)/pytest -q -x --last-failed --last-failed-no-failures all -n 2 --dist worksteal

check: ## run linters, types, import contracts and doctests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q --doctest-modules skimbalance

docs: ## build the documentation into docs/_build/html
	$(BIN)/sphinx-build -q -W --keep-going docs docs/_build/html

clean: ## remove what builds and tools have left
	rm -rf build dist *.egg-info docs/_build docs/_generated docs/gallery docs/reference .coverage* .*_cache
