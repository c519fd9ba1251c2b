"""Binary problems: one offset, one sorted sweep, and the global optimum.

Of many samples, only those near the optimum are sorted. Counts in intervals of the margins give the objective between
the intervals, and an upper bound of it within each.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import (
    bring_like,
    cumulative_sum,
    device,
    largest_magnitude,
    namespace,
    sort_flagged,
    to_numpy,
)
from skimbalance._core.decision import centred
from skimbalance._core.typing import Array
from skimbalance.metrics.base import LinearMetric, Metric, PooledMetric
from skimbalance.solvers._base import Problem, Solution, improves
from skimbalance.solvers._line_search import Bounds, Cuts, Margins, best_cuts

__all__ = [
    "Line",
    "bounds_within",
    "line_of",
    "margins_of",
    "objective_values_on",
    "solve_binary",
    "trace_along",
    "upper_bound",
]

_ORDERED_SAMPLES = 100_000
"""With more samples in double precision, margins count as equal if they differ by the rounding of the largest scores.
The rounding of their own scores would take another sort."""

_SAMPLES_TO_SORT = 20_000
"""All samples are sorted if there are no more."""

_INTERVALS = 4096
_TAIL = 0.01
"""The intervals are between the quantiles of the margins at 1% and at 99%, which a subsample shows. The outermost also
contain what is beyond."""

_SLACK = 1e-9
"""An interval is left out if its upper bound is lower by more than rounding."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """Sorted margins (n,), and the counts (n + 1,) of the positive class before the first sample and after each."""

    margins: Margins
    hits: Array
    predicted: Array

    @classmethod
    def of_counts(cls, hits: _Floats, predicted: _Floats) -> Self:
        """Return a line without margins."""
        return cls(Margins(hits[None, :0], 0.0, np.zeros_like), hits, predicted)


def solve_binary(problem: Problem, start: Array) -> Solution:
    """Return the global optimum of a binary problem."""
    k, start = problem.positive, problem.within_limits(start)
    begin = np.asarray([float(start[k]) - float(start[1 - k])])
    line, objective_values, cuts = _swept(problem, begin)
    ordered = line.margins.values[0, :]
    if not cuts.offsets.size:  # the limits are closer than the rounding of the scores
        return problem.solved(start, n_iter=1)
    pair = np.asarray([0.0, cuts.offsets[0]] if k == 1 else [cuts.offsets[0], 0.0])
    solution = problem.solved(centred(bring_like(pair, ordered)), n_iter=1)
    xp, here = namespace(ordered), bring_like(begin, ordered)
    beside = [float(objective_values[int(xp.searchsorted(ordered, here, side=side)[0])]) for side in ("left", "right")]
    if improves(max(cuts.objective_values[0], *beside), solution.objective_value):
        # If rounding made the cut ineffective, the start may be better.
        return max(solution, problem.solved(start, n_iter=1), key=lambda s: s.objective_value)
    return solution


def _swept(problem: Problem, begin: _Floats) -> tuple[Line, Array, Cuts]:
    """Return sorted samples, their objective values (n + 1,), and the best cut: the one nearest to `begin` of equals.

    The samples are those near the optimum where these are few, and all if rounding separates no samples at the optimum.
    """
    best = partial(best_cuts, start=begin, above=-float("inf"), bounds=bounds_within(problem))
    if (near := _near_optimum(problem)) is not None:
        line, objective_values, least = near
        cuts = best(line.margins, objective_values[None, :])
        if cuts.offsets.size and cuts.objective_values[0] >= least:
            return line, objective_values, cuts
    line = line_of(problem)
    objective_values = objective_values_on(problem, line)
    return line, objective_values, best(line.margins, objective_values[None, :])


def _near_optimum(problem: Problem) -> tuple[Line, Array, float] | None:
    """Return the samples of the intervals that may contain the optimum, and of those beside.

    With them come their objective values, and the least that the highest of these should be. None if all samples are to
    be sorted: they are few, or most are near the optimum, or the counts do not give the bounds.
    """
    metrics = problem.metric, *(required.metric for required in problem.requirements)
    n_samples, truth = int(problem.scores.shape[0]), problem.truth
    if n_samples <= _SAMPLES_TO_SORT or problem.limits is not None or type(problem.scores) is not np.ndarray:
        return None
    if not all(each.is_of_package and each.is_extreme_at_corners and not each.needs_cost_matrix for each in metrics):
        return None
    place = _interval_of(problem.margins)
    if place is None:
        return None
    sizes = np.bincount(place, minlength=_INTERVALS)
    hits = _sums_before(np.bincount(place, truth.mass(problem.positive, None), minlength=_INTERVALS))
    predicted = _sums_before(sizes if truth.weights is None else np.bincount(place, truth.weights, _INTERVALS))
    best = float(np.max(objective_values_on(problem, Line.of_counts(hits, predicted))))
    bar = best - _SLACK * max(1.0, abs(best))
    others, filled = predicted - hits, np.flatnonzero(sizes)
    is_open = (upper_bound(problem, (hits[:-1], hits[1:]), (others[:-1], others[1:])) >= bar)[filled]
    beside = np.append(is_open[1:], False) | np.append(False, is_open[:-1])
    kept = np.flatnonzero(is_open | beside)
    intervals, is_kept = filled[kept], np.zeros(_INTERVALS, dtype=bool)
    is_kept[intervals] = True
    if not 0 < sizes[intervals].sum() <= n_samples / 2:
        return None
    line = line_of(replace(problem, groups=None).take(np.flatnonzero(is_kept[place])))

    def with_left_out(counts: _Floats, sums: _Floats) -> _Floats:
        """Add to the counts what the samples count that are left out before each interval."""
        left_out = _sums_before(np.where(is_kept, 0.0, np.diff(sums)))[intervals]
        return counts + np.append(left_out[:1], np.repeat(left_out, sizes[intervals]))

    line = replace(line, hits=with_left_out(line.hits, hits), predicted=with_left_out(line.predicted, predicted))
    objective_values = objective_values_on(problem, line)
    has_gap = np.diff(kept, prepend=-1, append=filled.size) > 1  # no threshold is where samples are left out
    objective_values[_sums_before(sizes[intervals]).astype(np.int64)[has_gap]] = -float("inf")
    return line, objective_values, bar


def _interval_of(margins: _Floats) -> npt.NDArray[np.int64] | None:
    """Return the interval of each margin (n,); None if most margins are equal, or their range overflows."""
    few = np.sort(margins[:: 1 + margins.size // _INTERVALS])
    low, high = (float(few[int(share * (few.size - 1))]) for share in (_TAIL, 1 - _TAIL))
    scale = (_INTERVALS - 2) / (high - low) if high > low else 0.0
    if not 0 < scale < float("inf"):
        return None
    number: npt.NDArray[np.int64] = np.clip((margins - low) * scale + 1, 0, _INTERVALS - 1).astype(np.int64)
    return number


def _sums_before(sums: npt.NDArray[Any]) -> _Floats:
    """Return the sums before each interval, and the total."""
    before: _Floats = np.concatenate([[0.0], np.cumsum(sums)])
    return before


def upper_bound(problem: Problem, hits: tuple[_Floats, _Floats], others: tuple[_Floats, _Floats]) -> _Floats:
    """Return an upper bound (m,) of the objective value for all counts of the positive class between two.

    `hits` are the lowest and the highest weights (m,) of its true positives, `others` those of its false positives.
    """
    assert all(m.is_extreme_at_corners for m in (problem.metric, *(r.metric for r in problem.requirements)))
    corners = [Line.of_counts(h, h + f) for h in hits for f in others]
    metric = problem.metric
    if metric.direction != "zero":
        values = [to_numpy(metric.refine(trace_along(problem, metric, line), 2)) for line in corners]
        bound: _Floats = np.max(values, axis=0)
    else:
        least, most = _range(problem, metric, corners)
        bound = np.where((least <= 0) & (most >= 0), 0.0, -np.minimum(np.abs(least), np.abs(most)))
    if not problem.requirements:
        return bound
    violation = np.zeros_like(bound)
    for required in problem.requirements:
        least, most = _range(problem, required.metric, corners)
        nearest = np.minimum(np.maximum(least, required.low), most)
        violation += to_numpy(required.violation(nearest))
    constrained: _Floats = to_numpy(problem.constrained(bound, violation))
    return constrained


def _range(problem: Problem, metric: Metric, corners: list[Line]) -> tuple[_Floats, _Floats]:
    """Return the lowest and the highest value of a metric at the corners."""
    values = [metric.pool(trace_along(problem, metric, line), 2) for line in corners]
    stacked = np.stack([np.broadcast_to(to_numpy(each), corners[0].hits.shape) for each in values])
    return stacked.min(axis=0), stacked.max(axis=0)


def bounds_within(problem: Problem) -> Bounds | None:
    """Return the limits of a problem as bounds of the offset of the positive class, None without limits."""
    if problem.limits is None:
        return None
    low, high = problem.limits if problem.positive == 0 else (-problem.limits[1], -problem.limits[0])
    return Bounds(np.array([low]), np.array([high]))


def margins_of(problem: Problem, ordered: Array | None = None) -> Margins:
    """Return the margins (1, n) of the positive class."""
    xp, scores = namespace(problem.scores), problem.scores
    largest = 2 * largest_magnitude(scores)
    if ordered is None:
        ordered, is_costly = problem.sorted_margins[1], False
    else:
        is_costly = ordered.shape[0] > _ORDERED_SAMPLES and xp.finfo(ordered.dtype).bits > 32

    def sizes(places: Array) -> Array:
        if is_costly:
            return xp.zeros_like(ordered[places]) + largest
        # Of samples with nearly equal margins any is good enough.
        return xp.sum(xp.abs(xp.take(scores, problem.sorted_margins[0][places], axis=0)), axis=1)

    return Margins(ordered[None, :], largest, sizes)


def line_of(problem: Problem) -> Line:
    """Sort the margins of all samples, and accumulate the counts of the positive class."""
    truth, k = problem.truth, problem.positive
    xp = namespace(problem.scores)
    zero = xp.zeros(1, dtype=xp.float64, device=device(problem.scores))
    if truth.is_counted:  # the order of the samples themselves is not needed
        ordered, won = sort_flagged(problem.margins, truth.mass(k, None))
        predicted = xp.arange(ordered.shape[0] + 1, dtype=xp.float64, device=device(ordered))
    else:
        samples, ordered = problem.sorted_margins
        won, weight = truth.mass(k, samples), truth.weight(samples)
        weight = xp.ones_like(ordered) if weight is None else weight
        predicted = xp.concat([zero, cumulative_sum(weight)])
    return Line(margins_of(problem, ordered), xp.concat([zero, cumulative_sum(won)]), predicted)


def objective_values_on(problem: Problem, line: Line) -> Array:
    """Return the objective value (n + 1,) before the first sample and after each."""
    return problem.objective_values(lambda metric: trace_along(problem, metric, line))


def trace_along(problem: Problem, metric: Metric, line: Line) -> tuple[Array, ...]:
    """Return the pooled terms of a metric (n + 1,) each."""
    truth, k, hits, predicted = problem.truth, problem.positive, line.hits, line.predicted
    xp, support, rest = namespace(hits), truth.support, 1 - k
    if metric.needs_cost_matrix:
        samples, linear = problem.sorted_margins[0], cast("LinearMetric", metric)
        right, wrong = (problem.reward(linear, 0 * samples + c, samples) for c in (k, rest))
        return (xp.sum(wrong) + xp.concat([0 * right[:1], cumulative_sum(right - wrong)]),)
    if isinstance(metric, LinearMetric):
        worth, wrong = metric.utilities(support), predicted - hits
        if worth.ndim == 1:
            return (worth[k] * hits + worth[rest] * (support[rest] - wrong),)
        right = worth[k, k] * hits + worth[rest, rest] * (support[rest] - wrong)
        return (right + worth[k, rest] * (support[k] - hits) + worth[rest, k] * wrong,)
    pooled = cast("PooledMetric", metric)
    chosen = pooled.chosen(support)
    mine = pooled.terms(hits, predicted, support[k], chosen[k])
    if metric.label == k and pooled.ignores_other_classes:
        hits, predicted = hits[:1], predicted[:1]
    left = (truth.cleared(support[rest] - (predicted - hits)), truth.cleared(xp.sum(support) - predicted))
    others = pooled.terms(*left, support[rest], chosen[rest])
    pool = xp.minimum if metric.decomposition == "minimum" else xp.add
    return tuple(pool(*pair) for pair in zip(mine, others, strict=True))
