"""Sorted sweeps of one label: the sums at each cut, and the permitted cuts."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from skimbalance.metrics.overlap import Overlap
from skimbalance.solvers import Problem
from skimbalance.solvers._line_search import Margins, best_cuts, cuts_apart
from skimbalance.solvers.binary import Line, line_of, margins_of, trace_along
from skimbalance.tuner.labels._labels import Floats

__all__ = ["RatioSweep", "SampleSweep", "SortedSweep", "ratio_sweep", "sample_sweep"]

_Places = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SortedSweep:
    """The sorted margins of a label, and before which (n + 1,) or after the last it may be cut."""

    margins: Margins
    permitted: npt.NDArray[np.bool_]

    def offset_where(self, objective_values: Floats, *, start: float = 0.0) -> float:
        """Return the offset of the best of `objective_values` (n + 1,); of equals that nearest to `start`."""
        allowed = np.where(self.permitted, objective_values, -np.inf)
        cuts = best_cuts(self.margins, allowed[None, :], start=np.array([start]), above=-np.inf)
        return float(cuts.offsets[0])

    def permits(self, offset: float) -> bool:
        """Return whether an offset is where the label may be cut."""
        return bool(self.permitted[np.searchsorted(self.margins.values[0], offset)])

    def nearest(self, offset: float) -> float:
        """Return the offset, or the one the fewest samples away that is permitted."""
        if self.permits(offset):
            return offset
        place = np.searchsorted(self.margins.values[0], offset)
        return self.offset_where(-np.abs(np.arange(self.permitted.size) - float(place)), start=offset)


@dataclass(frozen=True, eq=False)
class RatioSweep(SortedSweep):
    """A sorted sweep with numerator and denominator (n + 1,) of a ratio, and both where the label may be cut."""

    numerator: Floats
    denominator: Floats
    places: _Places = field(init=False)
    parts: tuple[Floats, Floats] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", np.flatnonzero(self.permitted))
        object.__setattr__(self, "parts", (self.numerator[self.places], self.denominator[self.places]))


@dataclass(frozen=True, eq=False)
class SampleSweep(SortedSweep):
    """A sorted sweep with its samples, in the order of their margins."""

    samples: _Places


def ratio_sweep(problem: Problem, ratio: Overlap) -> RatioSweep:
    """Return the sorted sweep of a binary problem, whose labels may be soft."""
    line = line_of(problem)
    parts = ratio.fraction(line.hits, line.predicted, problem.truth.support[1])
    numerator, denominator = (np.broadcast_to(part, line.predicted.shape) for part in parts)
    return RatioSweep(line.margins, _permitted(problem, line), numerator, denominator)


def sample_sweep(problem: Problem) -> SampleSweep:
    """Return the sorted sweep of a binary problem over its samples."""
    samples, truth = problem.sorted_margins[0], problem.truth
    weights = truth.weight(samples)
    sums = truth.mass(1, samples), np.ones(len(samples)) if weights is None else weights
    line = Line(margins_of(problem), *(np.concatenate([[0.0], np.cumsum(part)]) for part in sums))
    return SampleSweep(line.margins, _permitted(problem, line), samples)


def _permitted(problem: Problem, line: Line) -> npt.NDArray[np.bool_]:
    """Return where a cut is possible, and misses the requirements by no more than it must."""
    apart: npt.NDArray[np.bool_] = cuts_apart(line.margins)[0]
    if not problem.requirements:
        return apart
    each = [r.violation(r.metric.pool(trace_along(problem, r.metric, line), 2)) for r in problem.requirements]
    missed = np.sum(each, axis=0)
    permitted: npt.NDArray[np.bool_] = apart & (missed <= missed[apart].min())
    return permitted
