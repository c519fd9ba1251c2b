"""The array operations of a default fit by size of the arrays, and the time and the operations of each part.

``python -m benchmarks.speed.calls --csv benchmarks/results/calls.csv``: a minute on one core. Times are of a run
without counting.
"""

import importlib
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from time import process_time
from types import ModuleType
from typing import Any

from threadpoolctl import threadpool_limits

import skimbalance
from benchmarks.script import markdown, options, write_csv
from benchmarks.speed.counting import counting_package
from benchmarks.speed.tuners import drawn

SIZES = ((2_500, 5), (10_000, 10), (10_000, 50))
REPEATS = 5

PARTS = {
    "calibration": ("_calibration.Calibration.of", "_calibration.Calibration.shares", "_estimate.calibrated_shares"),
    "plug-in ascent": ("_estimate._optimum",),
    "bootstraps": ("_estimate.local_optimum", "_estimate._reweighted"),
    "draws: shrinkage factor": (
        "_cross_fit.CrossFit.shrinkage_factor",
        "_cross_fit.ClassCrossFit.optimism",
    ),
    "draws: score": ("_cross_fit.ClassCrossFit.score",),
    "folds": ("_estimate.cross_fit",),
}
"""Functions of `skimbalance.estimation` by part. What is left of the folds, and of the fit, is "other"."""

BINS = (100, 1_000, 10_000, 100_000)
"""The largest sizes of arrays, in elements, of all columns but the last."""


class Parts:
    """The part of the fit that runs at present, and the seconds of each."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.seconds: Counter[str] = Counter()
        self._since = process_time()

    @property
    def name(self) -> str:
        """The outermost part within the folds, or within the fit."""
        inner = [part for part in self.open if part != "folds"]
        return ("folds: " if "folds" in self.open else "") + (inner[0] if inner else "other")

    def _book(self) -> None:
        now = process_time()
        self.seconds[self.name] += now - self._since
        self._since = now

    def wrapped(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        """Return the function, which opens a part while it runs."""

        @wraps(function)
        def run(*arguments: Any, **named: Any) -> Any:
            self._book()
            self.open.append(part)
            try:
                return function(*arguments, **named)
            finally:
                self._book()
                self.open.pop()

        return run

    @contextmanager
    def watched(self, package: ModuleType) -> Iterator[None]:
        """Open the parts of a package while its functions run."""
        changed = []
        for part, paths in PARTS.items():
            for path in paths:
                module, *names, last = path.split(".")
                owner = importlib.import_module(f"{package.__name__}.estimation.{module}")
                for name in names:
                    owner = getattr(owner, name)
                old = vars(owner)[last]
                is_class = isinstance(old, classmethod)
                new = self.wrapped(old.__func__ if is_class else old, part)
                setattr(owner, last, classmethod(new) if is_class else new)
                changed.append((owner, last, old))
        self._since = process_time()
        try:
            yield
            self._book()
        finally:
            for owner, name, old in changed:
                setattr(owner, name, old)


def times(scores: Any, y: Any) -> Counter[str]:
    """Return the median seconds of each part."""
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(REPEATS + 1):
        parts = Parts()
        with parts.watched(skimbalance):
            skimbalance.OffsetTuner("f1_macro", kind="logits").fit(scores, y)
        for name, seconds in parts.seconds.items() if number else ():
            found[name].append(seconds)
    return Counter({name: statistics.median(each) for name, each in found.items()})


def operations(scores: Any, y: Any) -> tuple[dict[str, Counter[int]], Counter[str]]:
    """Return the operations of each part by column of sizes, and those of the fit by name."""
    parts, sizes, names = Parts(), defaultdict[str, Counter[int]](Counter), Counter[str]()
    is_fitting = False

    def record(name: str, size: int) -> None:
        if is_fitting:
            sizes[parts.name][sum(size > most for most in BINS)] += 1
            names[name] += 1

    with counting_package(record) as package, parts.watched(package):
        tuner = package.OffsetTuner("f1_macro", kind="logits")
        is_fitting = True
        tuner.fit(scores, y)
    return sizes, names


def rows_of(n_samples: int, n_classes: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each part, the last one for the fit."""
    data = drawn(n_samples, n_classes)
    seconds, (sizes, names) = times(data.scores, data.y), operations(data.scores, data.y)
    total = sum(seconds.values())
    columns = [*(f"up_to_{most}" for most in BINS), "larger"]
    parts = [(name, seconds[name], sizes[name]) for name in sorted(seconds, key=lambda name: -seconds[name])]
    parts.append(("the fit", total, sum(sizes.values(), Counter[int]())))
    for name, time, counts in parts:
        yield {
            "n_samples": n_samples,
            "n_classes": n_classes,
            "part": name,
            "seconds": f"{time:.4g}",
            "share": f"{time / total:.3f}",
            "operations": counts.total(),
            **{column: counts[place] for place, column in enumerate(columns)},
            "microseconds_each": f"{1e6 * time / counts.total():.3g}" if counts else "",
        }
    print("most frequent:", ", ".join(f"{name} {count:,}" for name, count in names.most_common(12)))


def main() -> None:
    """Count at each size."""
    asked = options(__doc__, writes="the parts").parse_args()
    rows = []
    with threadpool_limits(1):
        for size in SIZES:
            found = list(rows_of(*size))
            print(markdown(list(found[0])[2:], [list(row.values())[2:] for row in found]), flush=True)
            rows += found
            if asked.csv:
                write_csv(asked.csv, rows)


if __name__ == "__main__":
    main()
