"""How long a fit takes, beside the rivals and beside the floor, on the same arrays in the same run.

``python benchmarks/speed.py`` prints a table for each workload; see README.md beside this file.
"""
# ruff: noqa: E402 - the number of threads is read as the numeric libraries are loaded

import os

for _library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import csv
import gc
import math
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import numpy.typing as npt
import rivals
from sklearn.metrics import f1_score
from threadpoolctl import threadpool_limits

import skimbalance
from skimbalance import OffsetTuner
from skimbalance.decision import decide, softmax
from skimbalance.metrics._counts import Truth
from skimbalance.metrics._registry import get_metric
from skimbalance.scores import log_scores
from skimbalance.solvers import Problem, solve

LEAST_SECONDS = 0.02
"""A measurement shorter than that is the mean of as many calls as it takes."""

LONG_SECONDS = 1.0
"""A fit that takes longer than that is not rehearsed before it is timed."""

REFERENCE = "OffsetTuner.fit"

Vector = npt.NDArray[Any]


@dataclass(frozen=True)
class Workload:
    """Logits (n, K), or (n,) for two classes, their labels, and the NumPy call that is the yardstick."""

    name: str
    objective: str
    scores: Vector
    y: Vector
    floor_name: str
    floor: Callable[[Vector], Vector]

    @property
    def n_classes(self) -> int:
        """The number of classes, K."""
        return 2 if self.scores.ndim == 1 else self.scores.shape[1]

    @cached_property
    def proba(self) -> Vector:
        """The probabilities that the logits stand for, in the same shape."""
        return 1 / (1 + np.exp(-self.scores)) if self.scores.ndim == 1 else softmax(self.scores)

    @cached_property
    def problem(self) -> tuple[Vector, Truth, Any]:
        """What the bare solver is given."""
        truth = Truth.from_codes(self.y, n_classes=self.n_classes)
        return log_scores(self.scores, kind="logits"), truth, get_metric(self.objective).bind(1)

    def value(self, decisions: Vector) -> float:
        """Return what decisions achieve, by scikit-learn."""
        average = "binary" if self.objective == "f1" else "macro"
        return float(f1_score(self.y, decisions, average=average, zero_division=0))

    def untuned(self) -> float:
        """Return what the argmax of the scores achieves."""
        return self.value(self.scores > 0 if self.scores.ndim == 1 else self.scores.argmax(1))


def binary(name: str, *, n_rows: int) -> Workload:
    """Draw calibrated logits whose labels are about 5% positive."""
    rng = np.random.default_rng(20)
    scores = rng.normal(-4.5, 2.0, n_rows)
    y = (rng.random(n_rows) < 1 / (1 + np.exp(-scores))).astype(np.int64)
    return Workload(name, "f1", scores, y, "np.argsort(scores)", np.argsort)


def long_tailed(name: str, *, n_rows: int, n_classes: int) -> Workload:
    """Draw labels of prior 1 / rank, and as scores noise, the log prior, and 3 for the true class."""
    rng = np.random.default_rng(21)
    prior = 1 / np.arange(1, n_classes + 1)
    prior /= prior.sum()
    y = rng.choice(n_classes, n_rows, p=prior)
    y[:n_classes] = np.arange(n_classes)
    scores = rng.standard_normal((n_rows, n_classes)) + np.log(prior)
    scores[np.arange(n_rows), y] += 3
    return Workload(name, "f1_macro", scores, y, "scores.argmax(1)", lambda s: s.argmax(1))


WORKLOADS: dict[str, tuple[Callable[..., Workload], dict[str, int], dict[str, int]]] = {
    "binary_f1": (binary, {"n_rows": 1_000_000}, {"n_rows": 50_000}),
    "macro_f1_5": (long_tailed, {"n_rows": 2_500, "n_classes": 5}, {"n_rows": 1_000, "n_classes": 5}),
    "macro_f1_50": (long_tailed, {"n_rows": 10_000, "n_classes": 50}, {"n_rows": 2_000, "n_classes": 20}),
    "macro_f1_1000": (long_tailed, {"n_rows": 50_000, "n_classes": 1_000}, {"n_rows": 4_000, "n_classes": 100}),
}
"""How each is drawn, in full and with ``--quick``."""


def all_rivals(cap_s: float) -> list[rivals.Rival]:
    """Return the rivals; those that would go on for long stop after `cap_s` seconds."""
    return [
        rivals.OptimalCutoffs(),
        rivals.OptimalCutoffsAscent(),
        rivals.SklearnTunedThreshold(),
        rivals.SklearnPrecisionRecallCurve(),
        rivals.XColumnsFrankWolfe(),
        rivals.XColumnsFrankWolfePrior(),
        rivals.ScipyDifferentialEvolution(cap_s),
        rivals.TuneThresholds(cap_s),
    ]


@dataclass
class Entry:
    """One line of a table: what is timed, and what came of it."""

    name: str
    version: str
    run: Callable[[Workload], rivals.Fitted | None]
    seconds: list[float] = field(default_factory=list)
    value: float | None = None
    note: str = ""
    over: bool = False

    def warm_up(self, workload: Workload) -> None:
        """Run once on a small problem, so that imports and compilers have done their work."""
        if not self.over:
            self._guarded(lambda: self.run(workload))

    def measure(self, workload: Workload, *, budget_s: float) -> None:
        """Time one fit; none is begun any more once all of them have taken `budget_s`."""
        if self.over or sum(self.seconds) > budget_s:
            return
        fitted = self._guarded(lambda: self._timed(workload))
        if fitted is not None and self.value is None:
            self.note = fitted.note
            self.value = self._guarded(lambda: workload.value(fitted.decide(workload)))

    def _timed(self, workload: Workload) -> rivals.Fitted | None:
        gc.collect()
        seconds, fitted = _time(self.run, workload, calls=1)
        if seconds < LONG_SECONDS:
            seconds, fitted = _time(self.run, workload, calls=math.ceil(LEAST_SECONDS / seconds))
        self.seconds.append(seconds)
        return fitted

    def _guarded(self, act: Callable[[], Any]) -> Any:
        """Return what `act` does; whatever a rival raises ends its part in the race and stands in the table."""
        try:
            return act()
        except Exception as error:
            self.over, self.note = True, f"failed: {type(error).__name__}: {error}"[:120]
            return None


def _time(run: Callable[[Workload], Any], workload: Workload, *, calls: int) -> tuple[float, Any]:
    start = process_time()
    for _ in range(calls):
        fitted = run(workload)
    return (process_time() - start) / calls, fitted


def _floor(workload: Workload) -> None:
    workload.floor(workload.scores)


def _tuner(workload: Workload) -> rivals.Fitted:
    return _tuned(workload, estimate="empirical", confidence_level=None)


def _default_tuner(workload: Workload) -> rivals.Fitted:
    return _tuned(workload)


def _tuned(workload: Workload, **options: Any) -> rivals.Fitted:
    tuner = OffsetTuner(workload.objective, kind="logits", **options)
    tuner.fit(workload.scores, workload.y)
    return rivals.Fitted(lambda on: tuner.predict(on.scores), f"sweeps: {tuner.n_iter_}")


def _solver(workload: Workload) -> rivals.Fitted:
    solution = solve(Problem(*workload.problem))
    return rivals.Fitted(lambda on: decide(on.problem[0], solution.offsets), f"sweeps: {solution.n_iter}")


def _rival(rival: rivals.Rival, workload: Workload) -> Entry:
    """Return the entry of a rival, over before it began if it is not installed or not made for this."""

    def run(on: Workload) -> rivals.Fitted:
        fitted = rival.fit(on.proba, on.y, objective=on.objective)
        return rivals.Fitted(lambda other: fitted.decide(other.proba), fitted.note)

    installed = rival.version()
    entry = Entry(rival.name, f"{rival.distribution} {installed or ''}".strip(), run)
    refusal = "not installed" if installed is None else rival.refusal(workload.proba, objective=workload.objective)
    if refusal is not None:
        entry.over, entry.note = True, refusal if installed is None else f"skipped: {refusal}"
    return entry


def entries(workload: Workload, *, cap_s: float) -> list[Entry]:
    """Return the floor, this package twice, and every rival."""
    ours = f"skimbalance {skimbalance.__version__}"
    return [
        Entry(f"floor: {workload.floor_name}", f"numpy {np.__version__}", _floor),
        Entry(REFERENCE, ours, _tuner),
        Entry("OffsetTuner.fit, the default", ours, _default_tuner),
        Entry("solve, bare", ours, _solver),
        *(_rival(rival, workload) for rival in all_rivals(cap_s)),
    ]


def race(name: str, *, quick: bool, repeats: int) -> tuple[Workload, list[Entry]]:
    """Time every entry of a workload, one after the other, `repeats` times over."""
    draw, full, small = WORKLOADS[name]
    sizes = small if quick else full
    workload = draw(name, **sizes)
    miniature = draw(name, **{**sizes, "n_rows": 300, **({"n_classes": 3} if "n_classes" in sizes else {})})
    _ = workload.proba, workload.problem
    lines = entries(workload, cap_s=2.0 if quick else 60.0)
    for entry in lines:
        _progress(name, f"warming up {entry.name}")
        entry.warm_up(miniature)
    for number in range(1, repeats + 1):
        for entry in lines:
            before = len(entry.seconds)
            entry.measure(workload, budget_s=1.0 if quick else 40.0)
            if len(entry.seconds) > before:
                _progress(name, f"round {number} of {repeats}, {entry.name}: {_seconds(entry.seconds[-1])}")
    return workload, lines


def _progress(name: str, message: str) -> None:
    print(f"[{name}] {message}", file=sys.stderr, flush=True)


def ratios(entry: Entry, to: Entry) -> list[float]:
    """Return how many times longer `entry` took than `to`, round by round."""
    return [mine / theirs for mine, theirs in zip(entry.seconds, to.seconds, strict=False)]


def _spread(values: Sequence[float], show: Callable[[float], str]) -> str:
    """Return the median of `values`, and the least and the largest if there are several."""
    if not values:
        return "-"
    middle = show(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({show(min(values))} - {show(max(values))})"


def _seconds(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e6:.3g} us"


def _ratio(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _cells(line: Entry, *, floor: Entry, ours: Entry) -> tuple[str, ...]:
    return (
        line.name,
        _seconds(statistics.median(line.seconds)) if line.seconds else "-",
        _spread(ratios(line, floor), _ratio),
        _spread(ratios(line, ours), _ratio),
        "-" if line.value is None else f"{line.value:.4f}",
        str(len(line.seconds)),
        line.note,
    )


def table(workload: Workload, lines: Sequence[Entry]) -> str:
    """Return the results as text, the ratios to the floor and to `OffsetTuner.fit` beside the seconds."""
    floor, ours = lines[0], next(line for line in lines if line.name == REFERENCE)
    head = ("", "seconds", "x floor", f"x {REFERENCE}", "value", "runs", "")
    rows = [head, *(_cells(line, floor=floor, ours=ours) for line in lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    body = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    shape = f"n = {len(workload.y):,}, K = {workload.n_classes:,}"
    return "\n".join([f"\n{workload.name}: {workload.objective}, {shape}, untuned {workload.untuned():.4f}", *body])


def records(workload: Workload, lines: Sequence[Entry]) -> Iterable[dict[str, Any]]:
    """Yield a line of the CSV for each entry: medians with their least and largest, and what ran where."""
    floor, ours = lines[0], next(line for line in lines if line.name == REFERENCE)
    untuned = workload.untuned()
    for line in lines:
        yield {
            "workload": workload.name,
            "objective": workload.objective,
            "n_rows": len(workload.y),
            "n_classes": workload.n_classes,
            "contender": line.name,
            "version": line.version,
            "runs": len(line.seconds),
            **_numbers("seconds", line.seconds),
            **_numbers("over_floor", ratios(line, floor)),
            **_numbers("over_tuner", ratios(line, ours)),
            "value": "" if line.value is None else f"{line.value:.6f}",
            "untuned": f"{untuned:.6f}",
            "note": line.note,
            "python": platform.python_version(),
            **{library: version(library) for library in ("numpy", "scipy", "scikit-learn")},
            "cpu": f"{platform.machine()}, one core",
        }


def _numbers(name: str, values: Sequence[float]) -> dict[str, str]:
    parts = {"": statistics.median, "_min": min, "_max": max}
    return {name + suffix: f"{part(values):.4g}" if values else "" for suffix, part in parts.items()}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small problems, few repeats: a check that all of it runs")
    parser.add_argument("--only", choices=WORKLOADS, action="append", help="run this workload; may be given repeatedly")
    parser.add_argument("--repeats", type=int, help="rounds (default 7, with --quick 3)")
    parser.add_argument("--csv", type=Path, metavar="PATH", help="write the results there")
    return parser.parse_args()


def main() -> None:
    """Run the workloads asked for."""
    asked = _arguments()
    rows: list[dict[str, Any]] = []
    with threadpool_limits(1):
        for name in asked.only or WORKLOADS:
            workload, lines = race(name, quick=asked.quick, repeats=asked.repeats or (3 if asked.quick else 7))
            print(table(workload, lines), flush=True)
            rows.extend(records(workload, lines))
    if asked.csv:
        with asked.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
