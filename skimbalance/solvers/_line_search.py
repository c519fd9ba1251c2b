"""The best offset of one class, all others fixed, over every distinct cut.

Class k takes a row as soon as its offset exceeds the row's gap. Sorted by gap, the rows join class k one by one,
and each leaves the rival that held it; running sums give the metric after every step.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from skimbalance._array_api import (
    count_codes,
    cumulative_minimum,
    cumulative_sum,
    device,
    group_order,
    namespace,
    put,
    small_codes,
    to_numpy,
)
from skimbalance._typing import Array
from skimbalance.metrics._base import LinearMetric, Metric, PooledMetric
from skimbalance.metrics._counts import Counts, Truth
from skimbalance.solvers._base import Problem, improves

__all__ = ["Cut", "Walk", "best_cut", "cuts_apart", "ranks_along"]

_Vector = npt.NDArray[np.float64]

_MARGIN = 1.0
"""Where there is room, an offset keeps this far from the nearest gap, and no further: a factor e in the odds."""


@dataclass(frozen=True)
class Walk:
    """Rows in the order in which class `k` takes them, and what stands before it takes the first.

    `gaps` (m,) are sorted; `sizes[order[j]]` is the magnitude of the numbers that `gaps[j]` is the difference of.
    `rivals` (m,) hold the rows without `k`, None where there are two classes only. `base` counts the decisions in
    which all of `rows` are the rivals'.
    """

    k: int
    rows: Array
    gaps: Array
    sizes: Array
    order: Array
    rivals: Array | None
    base: Counts

    def rivals_array(self) -> Array:
        """Return the rival of each row, two classes or more."""
        if self.rivals is not None:
            return self.rivals
        return namespace(self.rows).zeros_like(self.rows) + (1 - self.k)


@dataclass(frozen=True)
class Cut:
    """An offset, and the rank that the walk promises for it."""

    offset: float
    rank: float


def ranks_along(walk: Walk, problem: Problem) -> Array:
    """Return the rank (m + 1,) before the first row of the walk and after each."""
    n_classes = problem.n_classes
    ranks = problem.metric.refine(_trace(walk, problem, problem.metric), n_classes)
    if not problem.requirements:
        return ranks
    missed = (
        required.violation(required.metric.pool(_trace(walk, problem, required.metric), n_classes))
        for required in problem.requirements
    )
    return problem.constrained(ranks, sum(missed))


def _trace(walk: Walk, problem: Problem, metric: Metric) -> tuple[Array, ...]:
    """Return the pooled terms of a metric (m + 1,) each."""
    return _TRACES[metric.trait](walk, problem, metric)


def _trace_linear(walk: Walk, problem: Problem, metric: Metric) -> tuple[Array, ...]:
    xp = namespace(walk.gaps)
    truth, utilities = problem.truth, problem.utilities(cast("LinearMetric", metric))
    rivals = walk.rivals_array()
    if utilities.ndim == 1:
        gained = utilities[walk.k] * xp.astype(truth.mass(walk.k, walk.rows), xp.float64)
        lost = utilities[rivals] * xp.astype(truth.mass_at(rivals, walk.rows), xp.float64)
    else:
        gained = truth.reward(utilities, xp.zeros_like(walk.rows) + walk.k, walk.rows)
        lost = truth.reward(utilities, rivals, walk.rows)
    return (metric.value(walk.base) + _from_zero(cumulative_sum(gained - lost)),)


def _trace_sum(walk: Walk, problem: Problem, metric: Metric) -> tuple[Array, ...]:
    truth, pooled = problem.truth, cast("PooledMetric", metric)
    xp = namespace(walk.gaps)
    chosen = pooled.chosen(truth.support)
    before = pooled.terms(walk.base.hits, walk.base.predicted, truth.support, chosen)
    own = pooled.terms(*_own_counts(walk, truth), truth.support[walk.k], chosen[walk.k])
    steady = [xp.sum(term) - term[walk.k] for term in before]
    if pooled.label == walk.k:  # no other class matters to the metric
        return tuple(mine + rest for mine, rest in zip(own, steady, strict=True))
    departures = _departures(walk, truth)
    sums = []
    for mine, rest, start, end in zip(own, steady, before, departures.terms(pooled, truth, chosen), strict=True):
        sums.append(mine + rest + _from_zero(cumulative_sum(departures.steps(start, end))))
    return tuple(sums)


def _trace_minimum(walk: Walk, problem: Problem, metric: Metric) -> tuple[Array, ...]:
    truth, pooled = problem.truth, cast("PooledMetric", metric)
    xp = namespace(walk.gaps)
    chosen = pooled.chosen(truth.support)
    (before,) = pooled.terms(walk.base.hits, walk.base.predicted, truth.support, chosen)
    (own,) = pooled.terms(*_own_counts(walk, truth), truth.support[walk.k], chosen[walk.k])
    departures = _departures(walk, truth)
    (after,) = departures.terms(pooled, truth, chosen)
    others = xp.concat([before[: walk.k], before[walk.k + 1 :]])
    worst = cumulative_minimum(xp.concat([xp.min(others, keepdims=True), departures.in_walk(after)]))
    return (xp.minimum(own, worst),)


_TRACES = {"linear": _trace_linear, "sum": _trace_sum, "minimum": _trace_minimum}


def _own_counts(walk: Walk, truth: Truth) -> tuple[Array, Array]:
    """Return the hits and the predicted rows of class k along the walk."""
    hits = walk.base.hits[walk.k] + _from_zero(cumulative_sum(truth.mass(walk.k, walk.rows)))
    return hits, walk.base.predicted[walk.k] + _from_zero(_running_weight(walk, truth))


def _running_weight(walk: Walk, truth: Truth) -> Array:
    xp = namespace(walk.gaps)
    weight = truth.weight(walk.rows)
    if weight is not None:
        return cumulative_sum(weight)
    return xp.arange(1, walk.rows.shape[0] + 1, dtype=xp.float64, device=device(walk.rows))


@dataclass(frozen=True)
class _Departures:
    """The counts of each row's rival right after the row has left it, rows gathered by rival.

    `order` leads from the walk to this gathered order, `opens` marks the first row of each rival.
    """

    order: Array | None
    classes: Array
    opens: Array
    hits: Array
    predicted: Array

    def terms(self, metric: PooledMetric, truth: Truth, chosen: Array) -> tuple[Array, ...]:
        """Return the terms of each row's rival right after the row has left it."""
        return metric.terms(self.hits, self.predicted, truth.support[self.classes], chosen[self.classes])

    def steps(self, start: Array, after: Array) -> Array:
        """Return by how much each departure changes a term, in the order of the walk."""
        xp = namespace(after)
        previous = xp.where(self.opens, start[self.classes], xp.concat([after[:1], after[:-1]]))
        return self.in_walk(after - previous)

    def in_walk(self, values: Array) -> Array:
        """Return `values` in the order of the walk."""
        if self.order is None:
            return values
        return put(namespace(values).empty_like(values), self.order, values)


def _departures(walk: Walk, truth: Truth) -> _Departures:
    xp = namespace(walk.gaps)
    rivals = walk.rivals_array()
    order = None if walk.rivals is None else group_order(small_codes(rivals, truth.n_classes))
    rows = walk.rows if order is None else walk.rows[order]
    classes = rivals if order is None else rivals[order]
    opens = xp.concat([xp.ones_like(classes[:1]) > 0, classes[1:] != classes[:-1]])
    sizes = xp.astype(count_codes(rivals, None, truth.n_classes), xp.int64)
    starts = (xp.cumulative_sum(sizes) - sizes)[classes]
    left_hits = _within(cumulative_sum(truth.mass_at(classes, rows)), starts)
    weight = truth.weight(rows)
    if weight is None:
        position = xp.arange(1, rows.shape[0] + 1, device=device(rows))
        left = xp.astype(position - starts, xp.float64)
    else:
        left = _within(cumulative_sum(weight), starts)
    hits = truth.cleared(walk.base.hits[classes] - left_hits)
    return _Departures(order, classes, opens, hits, truth.cleared(walk.base.predicted[classes] - left))


def _within(running: Array, starts: Array) -> Array:
    """Turn a running sum over all groups into one that begins anew in each; `starts` is where the group begins."""
    return running - _from_zero(running)[starts]


def _from_zero(running: Array) -> Array:
    xp = namespace(running)
    return xp.concat([xp.zeros_like(running[:1]), running])


def cuts_apart(walk: Walk, *, limit: float = float("inf")) -> Array:
    """Return before which rows of the walk (m + 1,), or after the last, a cut is possible: not between ties."""
    gaps = walk.gaps
    xp = namespace(gaps)
    rounding = 8 * float(xp.finfo(gaps.dtype).eps)
    edge = xp.ones_like(gaps[:1]) > 0
    steps = gaps[1:] - gaps[:-1]
    inner = steps > rounding * (xp.max(walk.sizes) if steps.shape[0] else 0.0)
    unsure = xp.nonzero(~inner & (steps > 0))[0]
    if unsure.shape[0]:  # rarely so many that the sizes of all rows are worth putting in order
        below, above = (walk.sizes[walk.order[unsure + side]] for side in (0, 1))
        inner = put(inner, unsure, steps[unsure] > rounding * xp.maximum(below, above))
    return xp.concat([edge, inner, limit - gaps[-1:] > rounding * walk.sizes[walk.order[-1:]]])


def best_cut(
    walk: Walk, ranks: Array, *, start: float, above: float = -float("inf"), limit: float = float("inf")
) -> Cut | None:
    """Return the offset with the best of `ranks`, None where it does not improve on `above`.

    Of the best plateau it is the middle of the widest part, and of several best plateaus that nearest to `start`. Gaps
    closer than rounding are not cut apart, and no offset above `limit` is considered.
    """
    gaps = walk.gaps
    xp = namespace(gaps)
    apart = cuts_apart(walk, limit=limit)
    best = float(xp.max(xp.where(apart, ranks, xp.full_like(ranks, -float("inf")))))
    if not improves(best, above):
        return None
    near = xp.nonzero(apart & (ranks >= best - 1e-12 * abs(best)))[0]
    place = xp.cumulative_sum(xp.astype(apart, xp.int64))[near] if near.shape[0] > 1 else near
    ends = xp.asarray([-float("inf"), limit], dtype=gaps.dtype, device=device(gaps))
    lows = xp.where(near > 0, gaps[xp.clip(near - 1, 0, None)], ends[:1])
    highs = xp.where(near < gaps.shape[0], gaps[xp.clip(near, None, gaps.shape[0] - 1)], ends[1:])
    return Cut(_settle(*(to_numpy(x).astype(np.float64) for x in (lows, highs, place)), start=start, limit=limit), best)


def _settle(lows: _Vector, highs: _Vector, place: _Vector, *, start: float, limit: float) -> float:
    """Choose a point in one of the best intervals; those whose `place` differs by one are one plateau."""
    plateau = np.cumsum(np.diff(place, prepend=place[0]) > 1)
    half = np.minimum((highs - lows) / 2, _MARGIN)
    outer = np.isinf(lows) | (highs >= limit)  # half known: taken only where nothing else is as good
    points = np.clip(start, lows + half, highs - half)
    distance = np.abs(points - start)
    order = np.lexsort((distance, np.where(outer, 0.0, -half), plateau))
    widest = order[np.unique(plateau[order], return_index=True)[1]]
    return float(points[widest[np.argmin(distance[widest])]])
