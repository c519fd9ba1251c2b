"""The value that a search has reached after a time, beside those of the baselines on the same scores.

``python -m benchmarks.speed.anytime --csv benchmarks/results/anytime.csv``: minutes on one core. Times are multiples of
one argmax per sample.
"""

import gc
import re
import statistics
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from io import TextIOBase
from time import process_time
from typing import Any
from unittest.mock import patch

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import baselines
from benchmarks.script import markdown, options, write_csv
from benchmarks.speed.tuners import OURS, REFERENCE, Data, drawn
from benchmarks.speed.workload import timed
from skimbalance import OffsetTuner
from skimbalance.solvers._coordinate_ascent import _Ascent, _CompiledAscent

OBJECTIVES = ("f1_macro", "geometric_mean", "matthews_corrcoef")
SIZE = (10_000, 10)

_ROUNDING = 5e-7
"""Our progress has six digits of the value."""

Note = Callable[[str, float], None]
"""A function of the name of a point and the value there."""


class _Lines(TextIOBase):
    """A file that notes the values of the metric in the lines of progress."""

    def __init__(self, note: Note) -> None:
        self.note = note

    def write(self, text: str) -> int:
        """Note a value."""
        for name, value in re.findall(r" from (.*): .* \w+=(\S+)", text):
            self.note(f"from {name}", float(value) - _ROUNDING)
        return len(text)


@contextmanager
def each_sweep(objective: str, note: Note) -> Iterator[None]:
    """Note the objective value after each sweep over the classes."""

    def noting(count: Callable[[Any], None]) -> Callable[[Any], None]:
        def recount(ascent: Any) -> None:
            count(ascent)
            if ascent.problem.metric.name == objective:  # other metrics find starts
                note("sweep", ascent.objective_value)

        return recount

    with ExitStack() as patches:
        for kind in (_Ascent, _CompiledAscent):
            patches.enter_context(patch.object(kind, "recount", noting(kind.recount)))
        yield


def ours(data: Data, objective: str, note: Note) -> Any:
    """Fit the in-sample optimum; note the value after each sweep and each start."""
    tuner = OffsetTuner(objective, kind="logits", estimate="empirical", confidence_level=None, verbose=1)
    with redirect_stdout(_Lines(note)), each_sweep(objective, note):
        tuner.fit(data.scores, data.y)
    return lambda: tuner.predict(data.scores)


def theirs(baseline: baselines.Baseline, data: Data, objective: str, _: Note) -> Any:
    """Fit a baseline, of which only the end is noted."""
    fitted = baseline.fit(data.proba, data.y, objective=objective)
    return lambda: fitted.decide(data.proba)


def evolution(cap_s: float, data: Data, objective: str, note: Note) -> Any:
    """Fit by differential evolution; note each generation."""
    watch = partial(note, "generation")
    return theirs(baselines.ScipyDifferentialEvolution(cap_s, watch), data, objective, note)


@dataclass
class Curve:
    """The points of one contender: a name, the passes of each round until there, and the best value so far."""

    name: str
    version: str
    fit: Callable[[Data, str, Note], Any]
    points: list[tuple[str, list[float], float]] = field(default_factory=list)

    def measure(self, data: Data, objective: str, *, floor_s: float) -> None:
        """Run once more. The points are those of the first run, as far as the run comes."""
        found: list[tuple[str, float, float]] = []

        def note(name: str, value: float) -> None:
            if not found or value > found[-1][2]:
                found.append((name, process_time() - begin, value))

        gc.collect()
        begin = process_time()
        decide = self.fit(data, objective, note)
        end = process_time() - begin
        found.append(("end", end, data.value(objective, np.asarray(decide()))))
        if not self.points:
            self.points = [(name, [], value) for name, _, value in found]
        for point in self.points:
            times = [seconds for name, seconds, value in found if (name, value) == (point[0], point[2])]
            times = times or [end] * (point[0] == "end")  # a search with a time limit ends elsewhere
            point[1].extend(seconds / floor_s for seconds in times[:1])

    @property
    def end(self) -> tuple[float, float]:
        """The passes until the end, and the value there."""
        _, passes, value = self.points[-1]
        return statistics.median(passes), value

    def value_at(self, passes: float) -> float:
        """Return the best value so far, NaN before the first point."""
        before = [value for _, times, value in self.points if statistics.median(times) <= passes]
        return max(before, default=float("nan"))

    def passes_to(self, value: float) -> float:
        """Return the passes until a value, NaN if it is not reached."""
        times = [statistics.median(times) for _, times, each in self.points if each >= value - _ROUNDING]
        return min(times, default=float("nan"))


def curves(objective: str, proba: Any, *, cap_s: float) -> list[Curve]:
    """Return the contenders of which the library is installed; this package is the first."""
    methods = [
        baselines.OptimalCutoffs(),
        baselines.OptimalCutoffsAscent(),
        baselines.XColumnsFrankWolfe(),
        baselines.XColumnsFrankWolfePrior(),
        baselines.ScipyDifferentialEvolution(),
    ]
    found = [Curve(REFERENCE, OURS, ours)]
    for method in methods:
        version, name = method.version(), method.name
        refusal = "not installed" if version is None else method.refusal(proba, objective=objective)
        if refusal:
            print(f"{name}: {refusal}", file=sys.stderr)
            continue
        is_evolution = isinstance(method, baselines.ScipyDifferentialEvolution)
        fit = partial(evolution, cap_s) if is_evolution else partial(theirs, method)
        found.append(Curve(name, f"{method.distribution} {version}", fit))
    return found


def rows_of(objective: str, contenders: list[Curve]) -> Iterator[dict[str, Any]]:
    """Yield a row for each point; for the baselines with our value at that time, and our time to that value."""
    reference = contenders[0]
    for curve in contenders:
        for name, passes, value in curve.points:
            middle = statistics.median(passes)
            compared = curve is not reference
            yield {
                "objective": objective,
                "n_samples": SIZE[0],
                "n_classes": SIZE[1],
                "contender": curve.name,
                "version": curve.version,
                "point": name,
                "passes": f"{middle:.4g}",
                "passes_min": f"{min(passes):.4g}",
                "passes_max": f"{max(passes):.4g}",
                "value": f"{value:.6f}",
                "our_value_then": f"{reference.value_at(middle):.6f}" if compared else "",
                "our_passes_to_value": f"{reference.passes_to(value):.4g}" if compared else "",
            }


def summary(contenders: list[Curve]) -> str:
    """Return a table of the ends, and of the lowest difference of our value to that of a baseline at its points."""
    reference, rows = contenders[0], []
    for curve in contenders:
        passes, value = curve.end
        margins = [reference.value_at(statistics.median(times)) - each for _, times, each in curve.points]
        rows.append(
            (
                curve.name,
                f"{passes:,.0f}",
                f"{value:.4f}",
                f"{reference.value_at(passes):.4f}",
                f"{reference.passes_to(value):,.0f}",
                "before our first value" if np.isnan(margins).any() else f"{min(margins):.4f}",
            )
        )
    return markdown(["", "passes", "value", "our value then", "our passes to it", "lowest difference"], rows)


def main() -> None:
    """Measure all contenders in turn, for each objective."""
    parser = options(__doc__, writes="the points")
    parser.add_argument("--repeats", type=int, default=5, help="rounds (default %(default)s)")
    parser.add_argument(
        "--cap", type=float, default=5.0, help="seconds of differential evolution (default %(default)s)"
    )
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    data, small, rows = drawn(*SIZE), drawn(300, 3), []
    with threadpool_limits(1):
        for objective in OBJECTIVES:
            contenders = curves(objective, data.proba, cap_s=asked.cap)
            for curve in contenders:
                curve.fit(small, objective, lambda *_: None)
            for _ in range(asked.repeats):
                floor_s, _ = timed(lambda: data.scores.argmax(1))
                for curve in contenders:
                    curve.measure(data, objective, floor_s=floor_s)
            print(f"\n{objective}, n = {SIZE[0]:,}, K = {SIZE[1]}\n{summary(contenders)}", flush=True)
            rows += rows_of(objective, contenders)
            if asked.csv:
                write_csv(asked.csv, rows)


if __name__ == "__main__":
    main()
