# Short names for the commands of CONTRIBUTING.md. `make dev` comes first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help dev quick check docs ci clean

help:
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

dev: ## create .venv with the dependencies of tests, linters and documentation
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -r requirements/torch.txt
	$(BIN)/pip install -q -r requirements/docs.txt -r requirements/lint.txt
	$(BIN)/pip install -q --no-deps -e .

quick: ## run the quick tests and stop at the first failure
	$(BIN)/pytest -q -x -n 2 --dist worksteal

check: ## run linters, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: ## build the documentation into docs/_build/html
	$(BIN)/sphinx-build -q -W --keep-going docs docs/_build/html

ci: ## run everything from scratch, as continuous integration does
	.ci/run

clean: ## remove build results and caches of tools
	rm -rf build dist *.egg-info docs/_build docs/_generated docs/gallery docs/reference .coverage* .*_cache
