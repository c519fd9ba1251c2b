"""Run the notebooks and scripts of the gallery as after a download: each alone, in an empty folder.

``python docs/run_downloads.py docs/gallery`` runs them with the Python that runs this file, in two processes. It needs
only what the examples need. Notebooks that need a package besides are skipped if it is missing. A script is run only if
its code differs from that of its notebook.
"""

import ast
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

OPTIONAL = ("lightgbm", "torch", "skorch")
LIMIT = 300
"""Seconds for one example."""


def code_of(notebook: Path) -> str:
    """Return the code of the cells of a notebook, without the magic commands of Jupyter."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    lines = [line for cell in cells if cell["cell_type"] == "code" for line in "".join(cell["source"]).splitlines()]
    return "\n".join(line for line in lines if not line.startswith("%"))


def missing(code: str) -> list[str]:
    """Return the optional packages that the code imports and that are not installed."""
    nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Import | ast.ImportFrom)]
    imported = {
        name.split(".")[0]
        for node in nodes
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    return [name for name in OPTIONAL if name in imported and find_spec(name) is None]


def same(one: str, other: str) -> bool:
    """Return whether two programs differ in comments and docstrings of the module alone."""
    bodies = [
        [ast.dump(node) for node in ast.parse(code).body if not isinstance(getattr(node, "value", None), ast.Constant)]
        for code in (one, other)
    ]
    return bodies[0] == bodies[1]


def run(name: str, code: str) -> bool:
    """Run the code in an empty folder, print the result, and return whether it ended well and printed something."""
    begin = perf_counter()
    with TemporaryDirectory() as folder:
        script = Path(folder) / f"{name}.py"
        script.write_text(code, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, script.name],
            cwd=folder,
            env={**os.environ, "MPLBACKEND": "agg"},
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
    good = done.returncode == 0 and bool(done.stdout)
    print(f"{name}: {'passed' if good else 'failed'}, {perf_counter() - begin:.0f} s", flush=True)
    if not good:
        print(done.stderr or "it printed nothing", flush=True)
    return good


def main() -> None:
    """Run the gallery; exit with 1 if an example fails, or if there is none."""
    notebooks = sorted(Path(sys.argv[1]).glob("*.ipynb"))
    programs = {}
    for notebook in notebooks:
        code, script = code_of(notebook), notebook.with_suffix(".py").read_text("utf-8")
        programs[notebook.stem] = code
        if not same(code, script):
            programs[f"{notebook.stem}_script"] = script
    needs = {name: missing(code) for name, code in programs.items()}
    for name in (name for name, packages in needs.items() if packages):
        print(f"{name}: skipped, needs {', '.join(needs[name])}")
        del programs[name]
    with ThreadPoolExecutor(2) as pool:
        passed = list(pool.map(run, programs, programs.values()))
    print(f"{sum(passed)} passed, {len(passed) - sum(passed)} failed")
    sys.exit(not passed or not all(passed))


if __name__ == "__main__":
    main()
