"""The leaderboard's page is that of its results, and scripts import what the package has."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("results", "name", "options"),
    [("leaderboard.csv", "leaderboard", []), ("unseen.csv", "leaderboard_unseen", ["--unseen"])],
)
def test_leaderboard_pages_are_made_from_the_csv_file(tmp_path, results, name, options):
    page = tmp_path / f"{name}.md"
    command = [sys.executable, "-m", "benchmarks.leaderboard.run", "--from-csv", f"benchmarks/results/{results}"]
    subprocess.run([*command, *options, "--table", str(page)], cwd=ROOT, check=True, capture_output=True)
    varying = ("Made by", "Versions:")
    for file in (f"{name}.md", f"{name}_families.md"):
        made, kept = ((folder / file).read_text(encoding="utf-8").splitlines() for folder in (tmp_path, ROOT / "docs"))
        assert [x for x in made if not x.startswith(varying)] == [x for x in kept if not x.startswith(varying)]


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").rglob("*.py")), ids=lambda path: path.stem)
def test_scripts_import_names_that_the_package_has(path):
    """Many scripts take minutes, and need libraries that tests do not install: their imports are read, not run."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "skimbalance":
            if node.module in {"skimbalance.callbacks", "skimbalance.plotting"}:
                pytest.importorskip({"callbacks": "skorch", "plotting": "matplotlib"}[node.module.split(".")[1]])
            module = importlib.import_module(node.module)
            missing = [name.name for name in node.names if not hasattr(module, name.name)]
            assert not missing
