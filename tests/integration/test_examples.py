"""Every example runs."""

import ast
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
GALLERY = sorted(EXAMPLES.glob("plot_*.py"))
NEEDS = {"plot_lightgbm_pipeline": ["lightgbm"], "plot_train_a_net": ["torch", "skorch"]}
ELSEWHERE = os.environ.get("SKIMBALANCE_GALLERY_RUNS") == "docs"

in_the_gallery = pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)


def run(path, *, cwd):
    """Run a copy of a script as a user does who has downloaded it alone, in an empty folder and without a screen."""
    for needed in ["matplotlib", *NEEDS.get(path.stem, ())]:
        pytest.importorskip(needed)
    return subprocess.run(
        [sys.executable, shutil.copy(path, cwd)],
        cwd=cwd,
        env={**os.environ, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_before_and_after_prints_and_saves_a_figure(tmp_path):
    done = run(EXAMPLES / "before_and_after.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") >= 3
    assert (tmp_path / "before_and_after.png").stat().st_size > 0


packages = cache(packages_distributions)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_it_imports_nothing_but_installed_packages(path):
    imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)]
    roots = {
        name.split(".")[0]
        for node in imports
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    needed = {"skimbalance", "matplotlib", *NEEDS.get(path.stem, ())}
    installed = needed.union(sys.stdlib_module_names, packages())
    assert roots <= installed


def test_the_gallery_has_a_header_and_nine_examples_or_more():
    assert (EXAMPLES / "README.rst").read_text().splitlines()[1].strip("=") == ""
    assert len(GALLERY) >= 9


@in_the_gallery
def test_it_begins_with_a_title_and_ends_in_a_figure(path):
    tree = ast.parse(path.read_text())
    title, line, blank, *text = ast.get_docstring(tree).splitlines()
    assert line == "=" * len(title)
    assert blank == ""
    assert text
    assert ast.unparse(tree.body[-1]) == "plt.show()"


@in_the_gallery
def test_it_speaks_between_its_cells(path):
    cells = re.split(r"^# %%$", path.read_text(), flags=re.MULTILINE)[1:]
    assert len(cells) >= 2
    assert all(re.match(r"\n# \S", cell) for cell in cells)


@pytest.mark.skipif(ELSEWHERE, reason="SKIMBALANCE_GALLERY_RUNS=docs: the build of the documentation runs the gallery")
@pytest.mark.exhaustive
@in_the_gallery
def test_it_runs_and_prints_something(path, tmp_path):
    done = run(path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") >= 2
