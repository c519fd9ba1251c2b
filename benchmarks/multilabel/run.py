"""Multilabel problems: macro-F1 and micro-F1 on unseen data, by every method that supports them.

``python -m benchmarks.multilabel.run --data FOLDER --csv benchmarks/results/multilabel.csv``: half an hour on one
core. With ``--openml`` also on scene and emotions, which scikit-learn downloads.
"""

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
from benchmarks.script import options, report


def run(problem: Problem) -> list[Line]:
    """Fit every method for each average, and evaluate it on the test samples."""
    warnings.simplefilter("ignore")
    lines = []
    for average in problem.averages:
        for method, fit in problem.methods.items():
            begin = process_time()
            decide = fit(problem.X, problem.y, average)
            seconds = process_time() - begin
            decided = np.asarray(decide(problem.X_test)).astype(bool)
            counts = counted(problem.y_test, decided, problem.neighbours)
            lines.append(Line(problem.data, average, method, counts, seconds))
    return lines


def problems(folder: Path, *, downloads: bool, seeds: int) -> Iterator[Problem]:
    """Yield the available problems."""
    yield from chest_xray(folder)
    if find_spec("river"):
        yield from splits("yeast", yeast, seeds)
    else:
        print("yeast is skipped: river, which contains it, is not installed", file=sys.stderr)
    for name in OPENML if downloads else ():
        yield from splits(name, partial(openml, name), seeds)


def main() -> None:
    """Run all problems, print and write the table."""
    parser = options(__doc__, data="the data sets", seeds=10, jobs=1, writes="the table")
    parser.add_argument("--openml", action="store_true", help=f"also download {' and '.join(OPENML)}")
    asked = parser.parse_args()
    todo = problems(asked.data, downloads=asked.openml, seeds=asked.seeds)
    found = Parallel(asked.jobs, verbose=5)(delayed(run)(problem) for problem in todo)
    report(summary(line for group in found for line in group), asked.csv)


if __name__ == "__main__":
    main()
