"""Several labels a row: macro-F1 and micro-F1 on test rows, by every method that knows them.

``python benchmarks/multilabel.py --data FOLDER --csv benchmarks/results/multilabel.csv``: half an hour
on one core. With ``--openml`` besides on scene and emotions, which scikit-learn downloads.
"""

import argparse
import csv
import sys
import warnings
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import process_time

import numpy as np
from joblib import Parallel, delayed
from benchmarks.multilabel.compare import Line, counted, summary
from benchmarks.multilabel.data import OPENML, Problem, chest_xray, openml, splits, yeast


def run(problem: Problem) -> list[Line]:
    """Fit every method for either average, and judge it on the test rows."""
    warnings.simplefilter("ignore")
    return [_judged(problem, method, average) for average in problem.averages for method in problem.methods]


def _judged(problem: Problem, method: str, average: str) -> Line:
    begin = process_time()
    decide = problem.methods[method](problem.X, problem.y, average)
    seconds = process_time() - begin
    decided = np.asarray(decide(problem.X_test)).astype(bool)
    return Line(problem.data, average, method, counted(problem.y_test, decided, problem.neighbours), seconds)


def problems(folder: Path, *, downloads: bool, seeds: int) -> Iterator[Problem]:
    """Yield all that were asked for, and that are there."""
    yield from chest_xray(folder)
    if find_spec("river"):
        yield from splits("yeast", yeast, seeds)
    else:
        print("yeast is left out: river, which ships it, is not installed", file=sys.stderr)
    for name in OPENML if downloads else ():
        yield from splits(name, partial(openml, name), seeds)


def main() -> None:
    """Run all, print the table, write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data sets")
    parser.add_argument("--openml", action="store_true", help=f"besides on {', '.join(OPENML)}, downloaded")
    parser.add_argument("--seeds", type=int, default=10, help="how many splits of each (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default %(default)s)")
    parser.add_argument("--csv", type=Path, metavar="PATH", help="write the table there")
    asked = parser.parse_args()
    todo = problems(asked.data, downloads=asked.openml, seeds=asked.seeds)
    found = Parallel(asked.jobs, verbose=5)(delayed(run)(problem) for problem in todo)
    lines = summary(line for group in found for line in group)
    for line in lines:
        print("  ".join(f"{key}: {value}" for key, value in line.items()))
    if asked.csv:
        with asked.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(lines[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(lines)


if __name__ == "__main__":
    main()
