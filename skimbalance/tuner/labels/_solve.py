r"""Searches for the offsets of labels that the metric ties together, on given samples.

A ratio of sums over labels is solved to its global optimum by a parametric search. For a ratio :math:`\lambda` the
difference :math:`\sum_l N_l(c_l) - \lambda D_l(c_l)` is a sum over labels, so that each label finds its best cut by
itself, and exactly. If the greatest difference is positive, its cuts have a greater ratio than :math:`\lambda`, which
they replace; if not, no cuts have. The ratios grow strictly, and each is that of one of finitely many choices of cuts:
the search ends, and at the global optimum. Dinkelbach, *On nonlinear fractional programming*, Management Science 13,
1967.

A mean over samples is solved by coordinate ascent, one label after the other, each by an exact line search over its
margins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from skimbalance._core.decision_rule import decide_labels
from skimbalance.metrics.overlap import Overlap
from skimbalance.solvers import Problem, improves
from skimbalance.solvers._line_search import Bounds, Margins, best_cuts, cuts_apart, edges_of
from skimbalance.solvers.binary import Line, bounds_within, line_of, margins_of, trace_along
from skimbalance.tuner.labels._metrics import SamplesMean
from skimbalance.tuner.labels._truth import Codes, Floats

__all__ = [
    "Ascent",
    "BestRatio",
    "MeanSearch",
    "RatioSweep",
    "SampleSweep",
    "SortedSweep",
    "best_ratio",
    "ratio_sweep",
    "sample_sweep",
]

_ROUNDING = 1e-12

_MOST_SWEEPS = 100


@dataclass(frozen=True, eq=False)
class SortedSweep:
    """The sorted margins of a label, before which (n + 1,) or after the last it may be cut, and within which bounds."""

    margins: Margins
    permitted: npt.NDArray[np.bool_]
    bounds: Bounds | None

    def offset_where(self, objective_values: Floats, *, start: float = 0.0) -> float:
        """Return the offset of the best of `objective_values` (n + 1,); of equals that nearest to `start`."""
        allowed = np.where(self.permitted, objective_values, -np.inf)
        cuts = best_cuts(self.margins, allowed[None, :], start=np.array([start]), above=-np.inf, bounds=self.bounds)
        return float(cuts.offsets[0])

    def nearest(self, offset: float) -> float:
        """Return the offset if it is a permitted cut, else the permitted one with the fewest samples between."""
        if self.bounds is not None:
            offset = float(np.clip(offset, self.bounds.low[0], self.bounds.high[0]))
        place = np.searchsorted(self.margins.values[0], offset)
        if self.permitted[place]:
            return offset
        return self.offset_where(-np.abs(np.arange(self.permitted.size) - float(place)), start=offset)


@dataclass(frozen=True, eq=False)
class RatioSweep(SortedSweep):
    """A sorted sweep with the numerator and the denominator (n + 1,) of a ratio."""

    numerator: Floats
    denominator: Floats

    @cached_property
    def places(self) -> Codes:
        """The permitted cuts."""
        return np.flatnonzero(self.permitted)

    @cached_property
    def parts(self) -> tuple[Floats, Floats]:
        """The numerator and the denominator at the permitted cuts."""
        return self.numerator[self.places], self.denominator[self.places]


@dataclass(frozen=True, eq=False)
class SampleSweep(SortedSweep):
    """A sorted sweep with its samples, in the order of their margins."""

    samples: Codes


def ratio_sweep(problem: Problem, ratio: Overlap) -> RatioSweep:
    """Return the sorted sweep of a binary problem, whose labels may be soft."""
    line = line_of(problem)
    parts = ratio.fraction(line.hits, line.predicted, problem.truth.support[1])
    numerator, denominator = (np.broadcast_to(part, line.predicted.shape) for part in parts)
    return RatioSweep(line.margins, _permitted(problem, line), bounds_within(problem), numerator, denominator)


def sample_sweep(problem: Problem) -> SampleSweep:
    """Return the sorted sweep of a binary problem over its samples."""
    samples, truth = problem.sorted_margins[0], problem.truth
    weights = truth.weight(samples)
    sums = truth.mass(1, samples), np.ones(len(samples)) if weights is None else weights
    line = Line(margins_of(problem), *(np.concatenate([[0.0], np.cumsum(part)]) for part in sums))
    return SampleSweep(line.margins, _permitted(problem, line), bounds_within(problem), samples)


def _permitted(problem: Problem, line: Line) -> npt.NDArray[np.bool_]:
    """Return where a cut is possible, and violates the requirements by no more than any cut must."""
    edges = edges_of(line.margins, bounds_within(problem))
    apart: npt.NDArray[np.bool_] = cuts_apart(line.margins, edges)[0]
    if not problem.requirements:
        return apart
    each = [r.violation(r.metric.pool(trace_along(problem, r.metric, line), 2)) for r in problem.requirements]
    missed = np.sum(each, axis=0)
    permitted: npt.NDArray[np.bool_] = apart & (missed <= missed[apart].min())
    return permitted


class BestRatio(NamedTuple):
    """The offset of each sorted sweep, their ratio, and the number of steps."""

    offsets: Floats
    ratio: float
    n_iter: int


def best_ratio(sorted_sweeps: Sequence[RatioSweep], *, fixed: tuple[float, float] = (0.0, 0.0)) -> BestRatio:
    """Return the offsets of the greatest ratio, of equal ones those nearest to zero.

    `fixed` are the numerator and the denominator of the labels without a sorted sweep.
    """
    best, n_iter, places = 0.0, 0, [0] * len(sorted_sweeps)
    while True:
        # Of cuts with equal differences each label takes the one with the fewest predicted.
        chosen = [int(np.argmax(sweep.parts[0] - best * sweep.parts[1])) for sweep in sorted_sweeps]
        n_iter += 1
        numerator, denominator = (
            fixed[part]
            + sum(float(sweep.parts[part][place]) for sweep, place in zip(sorted_sweeps, chosen, strict=True))
            for part in (0, 1)
        )
        ratio = numerator / denominator if denominator > 0 else 0.0
        if not improves(ratio, best):
            break
        best, places = ratio, chosen
    # Without a denominator, as precision has it, cuts with equal differences may have no ratio.
    exactly = best > 0 and any(sweep.parts[1].min() <= 0 for sweep in sorted_sweeps)
    offsets = []
    for sweep, place in zip(sorted_sweeps, places, strict=True):
        if exactly:
            at = sweep.places[place]
            equal = (sweep.numerator == sweep.numerator[at]) & (sweep.denominator == sweep.denominator[at])
        else:
            differences = sweep.numerator - best * sweep.denominator
            scale = float(sweep.numerator.max() + best * sweep.denominator.max())
            equal = differences >= float(differences[sweep.permitted].max()) - _ROUNDING * scale
        offsets.append(sweep.offset_where(equal.astype(np.float64)))
    return BestRatio(np.array(offsets), best, n_iter)


class Ascent(NamedTuple):
    """Offsets (L,), the value after each sweep, from the start on."""

    offsets: Floats
    values: tuple[float, ...]

    @property
    def value(self) -> float:
        """The final value."""
        return self.values[-1]

    @property
    def n_sweeps(self) -> int:
        """The number of sweeps over the labels."""
        return len(self.values) - 1


@dataclass(frozen=True, eq=False)
class MeanSearch:
    """Find offsets of the labels in `sorted_sweeps` for the best mean over samples.

    Sample i carries label l by `shares[i, l]`, from zero to one; labels without a sorted sweep keep an offset of zero.
    """

    metric: SamplesMean
    log_odds: Floats
    shares: Floats
    weights: Floats | None
    sorted_sweeps: dict[int, SampleSweep]

    def best(self, starts: Sequence[Floats]) -> Ascent:
        """Return the best of the ascents from `starts`, the first of equals."""
        ascents = [self.ascend(start) for start in starts]
        best = ascents[0]
        for ascent in ascents[1:]:
            if improves(ascent.value, best.value):
                best = ascent
        return best

    def ascend(self, start: Floats) -> Ascent:
        """Ascend until a sweep over the labels gains nothing.

        The line search gives the best offset of one label while the others stand. It is taken if the decisions, when
        counted, have a better mean.
        """
        offsets = np.zeros(self.shares.shape[1])
        for label, sweep in self.sorted_sweeps.items():
            offsets[label] = sweep.nearest(float(start[label]))
        decided, present = decide_labels(self.log_odds, offsets), self.shares.sum(axis=1)
        hits = np.einsum("nl,nl->n", self.shares, decided)
        predicted = np.count_nonzero(decided, axis=1).astype(np.float64)
        value = self._mean(hits, predicted, present)
        values = [value]
        for _ in range(_MOST_SWEEPS):
            for label, sweep in self.sorted_sweeps.items():
                own, mine = self.shares[:, label], decided[:, label]
                other_hits, other_predicted = hits - own * mine, predicted - mine
                without = self.metric.each(other_hits, other_predicted, present)
                gained = self.metric.each(other_hits + own, other_predicted + 1, present) - without
                if self.weights is not None:
                    gained = gained * self.weights
                objective_values = np.concatenate([[0.0], np.cumsum(gained[sweep.samples])])
                offset = sweep.offset_where(objective_values, start=float(offsets[label]))
                taken = self.log_odds[:, label] + offset >= 0
                new_hits, new_predicted = other_hits + own * taken, other_predicted + taken
                new_value = self._mean(new_hits, new_predicted, present)
                if improves(new_value, value):
                    offsets[label], decided[:, label] = offset, taken
                    hits, predicted, value = new_hits, new_predicted, new_value
            values.append(value)
            if not improves(values[-1], values[-2]):
                break
        return Ascent(offsets, tuple(values))

    def _mean(self, hits: Floats, predicted: Floats, present: Floats) -> float:
        return float(np.average(self.metric.each(hits, predicted, present), weights=self.weights))
