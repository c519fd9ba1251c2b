"""The metric as a function of one offset, all others fixed, for many classes at once.

Class k wins a sample once its offset exceeds the margin of the sample. In the order of their margins, the samples move
one by one from their runner-up class to class k. Cumulative sums give the metric after every step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import (
    bring,
    count_codes,
    cumulative_minimum,
    cumulative_sum,
    device,
    flat,
    namespace,
    opens_group,
    put,
    smallest_normal,
    to_numpy,
)
from skimbalance._core.typing import Array
from skimbalance.metrics.base import LinearMetric, Metric, PooledMetric
from skimbalance.metrics.counts import Counts, Truth
from skimbalance.solvers._base import Problem, improves

__all__ = ["Bounds", "Cuts", "Margins", "SortedSweeps", "best_cuts", "cuts_apart", "sweep_objective"]

_Vector = npt.NDArray[np.float64]

_MARGIN = 1.0
"""An offset keeps this distance from the nearest margin if it can: a factor e in the odds."""


@dataclass(frozen=True)
class Margins:
    """The sorted margins (b, m) of b classes; the largest finite number fills up shorter rows.

    A margin is the difference of two numbers, whose magnitudes sum to its size. `sizes(places)` returns the sizes for
    places in the flattened `values`; `largest` is an upper bound of all sizes.
    """

    values: Array
    largest: float
    sizes: Callable[[Array], Array]


@dataclass(frozen=True)
class Bounds:
    """The lower and the upper bound (b,) of the offset of each class."""

    low: _Vector
    high: _Vector


@dataclass(frozen=True)
class Cuts:
    """Offsets, their objective values, and the sorted sweeps that they belong to."""

    sorted_sweeps: npt.NDArray[np.int64]
    offsets: _Vector
    objective_values: _Vector


def cuts_apart(margins: Margins, bounds: Bounds | None = None) -> Array:
    """Return whether a cut before each margin and after the last (b, m + 1) separates them and is within bounds."""
    return _apart(margins, _edges(margins, bounds))


def _edges(margins: Margins, bounds: Bounds | None) -> Array:
    """Return the ends (b, m + 2) of the intervals between margins."""
    xp = namespace(margins.values)
    ends = xp.zeros_like(margins.values[:, :1])
    most = float(xp.finfo(margins.values.dtype).max)
    if bounds is None:
        return xp.concat([ends - float("inf"), margins.values, ends + most], axis=1)
    low, high = (bring(x[:, None], to=ends, dtype=ends.dtype) for x in (bounds.low, np.minimum(bounds.high, most)))
    return xp.concat([low, xp.clip(margins.values, low, high), high], axis=1)


def _apart(margins: Margins, edges: Array) -> Array:
    xp = namespace(edges)
    steps = edges[:, 1:] - edges[:, :-1]
    rounding = 8 * float(xp.finfo(edges.dtype).eps)
    apart = steps > rounding * margins.largest
    unsure = xp.nonzero(flat(apart != (steps > 0)))[0]
    if unsure.shape[0]:  # a size is at least the margin
        margin = xp.abs(flat(edges)[unsure + unsure // steps.shape[1]])
        unsure = unsure[flat(steps)[unsure] > rounding * xp.clip(margin, smallest_normal(margin), None)]
    if not unsure.shape[0]:
        return apart
    last = int(margins.values.shape[1]) - 1
    row, place = unsure // steps.shape[1], unsure % steps.shape[1]
    below, above = (margins.sizes(row * (last + 1) + xp.clip(place - side, 0, last)) for side in (1, 0))
    enough = flat(steps)[unsure] > rounding * xp.maximum(below, above)
    return xp.reshape(put(flat(apart), unsure, enough), apart.shape)


def best_cuts(
    margins: Margins, objective_values: Array, *, start: _Vector, above: float, bounds: Bounds | None = None
) -> Cuts:
    """Return the offsets with the best of `objective_values` (b, m + 1), for sweeps where these improve on `above`.

    An offset is the middle of the widest interval of the best plateau; of several such plateaus, of that nearest to
    `start`. Margins that differ by rounding only are not cut apart, and offsets are within `bounds`.
    """
    edges = _edges(margins, bounds)
    xp = namespace(edges)
    apart = _apart(margins, edges)
    allowed = xp.where(
        apart, objective_values, xp.asarray(-xp.inf, dtype=objective_values.dtype, device=device(objective_values))
    )
    highest = xp.max(allowed, axis=1)
    best = to_numpy(highest)
    better = np.asarray([improves(objective_value, above) for objective_value in best])
    sorted_sweeps = np.flatnonzero(better)
    if not sorted_sweeps.size:
        return Cuts(sorted_sweeps, np.empty(0), np.empty(0))
    bar = np.where(better, best - 1e-12 * np.abs(best), np.inf)
    sorted_sweep, place = xp.nonzero(allowed >= bring(bar[:, None], to=allowed, dtype=allowed.dtype))
    at = sorted_sweep * apart.shape[1] + place
    number = cumulative_sum(flat(apart))[at] if at.shape[0] > best.size else place
    left = sorted_sweep * edges.shape[1] + place
    lows, highs = (flat(edges)[left + side] for side in (0, 1))
    offsets = _settle(
        *(to_numpy(x).astype(np.float64) for x in (lows, highs, sorted_sweep, number)),
        start=start,
        ends=(to_numpy(edges[:, 0]), to_numpy(edges[:, -1])),
    )
    return Cuts(sorted_sweeps, offsets, best[sorted_sweeps])


def _settle(
    lows: _Vector,
    highs: _Vector,
    sorted_sweep: _Vector,
    number: _Vector,
    *,
    start: _Vector,
    ends: tuple[_Vector, _Vector],
) -> _Vector:
    """Choose a point in one of the best intervals of each `sorted_sweep`, in ascending order.

    Intervals whose `number` differs by one are one plateau.
    """
    of = sorted_sweep.astype(np.int64)
    plateau = np.cumsum((np.diff(number, prepend=number[0]) > 1) | (np.diff(of, prepend=0) > 0))
    half = np.minimum((highs - lows) / 2, _MARGIN)
    outer = (lows <= ends[0][of]) | (highs >= ends[1][of])  # unbounded on one side: the last choice
    points = np.clip(start[of], lows + half, highs - half)
    distance = np.abs(points - start[of])
    order = np.lexsort((distance, np.where(outer, 0.0, -half), plateau))
    widest = order[np.unique(plateau[order], return_index=True)[1]]
    nearest = widest[np.lexsort((distance[widest], of[widest]))]
    return points[nearest[np.unique(of[nearest], return_index=True)[1]]]


@dataclass(frozen=True)
class SortedSweeps:
    """For each of `classes` (b,) the samples (b, m) in the order in which the class wins them.

    `runner_ups` are the classes that win the samples otherwise, `held` are booleans of the samples that the class wins
    at present. Any samples may fill up shorter sweeps: what comes after the last margin is ignored.
    """

    classes: Array
    margins: Margins
    samples: Array
    runner_ups: Array
    held: Array


def sweep_objective(sorted_sweeps: SortedSweeps, problem: Problem, now: Counts) -> Array:
    """Return the objective value (b, m + 1) before the first step of each sweep and after each, from counts `now`."""
    n_classes, along = problem.n_classes, _Along(sorted_sweeps, problem.truth, now)
    objective_values = problem.metric.refine(_trace(along, problem, problem.metric), n_classes)
    if not problem.requirements:
        return objective_values
    missed = (
        required.violation(required.metric.pool(_trace(along, problem, required.metric), n_classes))
        for required in problem.requirements
    )
    return problem.constrained(objective_values, sum(missed))


@dataclass(frozen=True)
class _Along:
    """The counts along sorted sweeps."""

    sorted_sweeps: SortedSweeps
    truth: Truth
    now: Counts

    @cached_property
    def won(self) -> Array:
        """The weight of each sample in the class that wins it."""
        return self.truth.mass_at(self.sorted_sweeps.classes[:, None], self.sorted_sweeps.samples)

    @cached_property
    def lost(self) -> Array:
        """The weight of each sample in the runner-up class that loses it."""
        return self.truth.mass_at(self.sorted_sweeps.runner_ups, self.sorted_sweeps.samples)

    @cached_property
    def weight(self) -> Array | None:
        """The weight of each sample, None for ones."""
        return self.truth.weight(self.sorted_sweeps.samples)

    @cached_property
    def own(self) -> tuple[Array, Array]:
        """The true positives and the predicted samples (b, m + 1) of the class of each sweep."""
        if self.weight is None:
            xp, n_steps = namespace(self.won), self.sorted_sweeps.samples.shape[1]
            taken = xp.arange(n_steps + 1, dtype=xp.float64, device=device(self.won))
        else:
            taken = _from_zero(cumulative_sum(self.weight))
        hits = self._since(self.now.hits, _from_zero(cumulative_sum(self.won)), self.won)
        return hits, self._since(self.now.predicted, taken, self.weight)

    @cached_property
    def departures(self) -> "_Departures":
        """The counts of the runner-up classes."""
        return _departures(self)

    def _since(self, now: Array, running: Array, masses: Array | None) -> Array:
        """Start a cumulative sum from the counts of the class without the samples that it wins at present."""
        return running + self.truth.cleared(now[self.sorted_sweeps.classes] - self.held_total(masses))[:, None]

    def held_total(self, masses: Array | None) -> Array:
        """Sum `masses` (b, m), ones where None, over the samples that each class wins at present."""
        held = self.sorted_sweeps.held
        masses = held if masses is None else _only(masses, held)
        xp = namespace(held)
        return xp.sum(xp.astype(masses, xp.float64, copy=False), axis=1)


def _trace(along: _Along, problem: Problem, metric: Metric) -> tuple[Array, ...]:
    """Return the pooled terms of a metric, (b, m + 1) each."""
    return _TRACES[metric.decomposition](along, problem, metric)


def _trace_linear(along: _Along, problem: Problem, metric: Metric) -> tuple[Array, ...]:
    sorted_sweeps, utilities = along.sorted_sweeps, problem.utilities(cast("LinearMetric", metric))
    xp = namespace(along.won)
    classes = sorted_sweeps.classes[:, None]
    if utilities.ndim == 1:
        gained = utilities[classes] * xp.astype(along.won, xp.float64)
        gained = gained - utilities[sorted_sweeps.runner_ups] * xp.astype(along.lost, xp.float64)
    else:
        taken, left = (
            problem.truth.reward(utilities, k, sorted_sweeps.samples) for k in (classes, sorted_sweeps.runner_ups)
        )
        gained = taken - left
    begin = metric.value(along.now) - along.held_total(gained)
    return (begin[:, None] + _from_zero(cumulative_sum(gained)),)


def _trace_sum(along: _Along, problem: Problem, metric: Metric) -> tuple[Array, ...]:
    truth, pooled = problem.truth, cast("PooledMetric", metric)
    xp = namespace(along.won)
    chosen, classes = pooled.chosen(truth.support), along.sorted_sweeps.classes
    now = pooled.terms(along.now.hits, along.now.predicted, truth.support, chosen)
    own = pooled.terms(*along.own, truth.support[classes][:, None], chosen[classes][:, None])
    departures = along.departures
    begin, after = departures.terms(pooled, truth, chosen)
    sums = []
    for mine, all_now, base, left in zip(own, now, begin, after, strict=True):
        back = count_codes(departures.sorted_sweeps, base - all_now[departures.classes], classes.shape[0])
        steady = xp.sum(all_now) - all_now[classes] + back
        sums.append(mine + steady[:, None] + _from_zero(cumulative_sum(departures.steps(base, left))))
    return tuple(sums)


def _trace_minimum(along: _Along, problem: Problem, metric: Metric) -> tuple[Array, ...]:
    truth, pooled = problem.truth, cast("PooledMetric", metric)
    xp = namespace(along.won)
    chosen, classes = pooled.chosen(truth.support), along.sorted_sweeps.classes
    (now,) = pooled.terms(along.now.hits, along.now.predicted, truth.support, chosen)
    (own,) = pooled.terms(*along.own, truth.support[classes][:, None], chosen[classes][:, None])
    departures = along.departures
    (base,), (after,) = departures.terms(pooled, truth, chosen)
    shape = (classes.shape[0], now.shape[0])
    everyone = xp.reshape(xp.broadcast_to(now, shape) + 0, (-1,))
    everyone = xp.reshape(put(everyone, departures.sorted_sweeps * now.shape[0] + departures.classes, base), shape)
    mine = classes[:, None] == xp.arange(now.shape[0], device=device(classes))[None, :]
    worst = xp.min(xp.where(mine, xp.asarray(xp.inf, dtype=now.dtype, device=device(now)), everyone), axis=1)
    falling = cumulative_minimum(xp.concat([worst[:, None], departures.in_sweeps(after)], axis=1))
    return (xp.minimum(own, falling),)


_TRACES = {"linear": _trace_linear, "sum": _trace_sum, "minimum": _trace_minimum}


@dataclass(frozen=True)
class _Departures:
    """The counts of each sample's runner-up class right after the sample has left it.

    Samples are sorted into groups by sweep and runner-up class. `places` (e,) map this order to the flattened sweeps,
    `groups` (e,) number the groups. Of each group there are its first sample, its sweep and class, and the counts of
    the class before any of its samples leaves.
    """

    shape: tuple[int, int]
    places: Array
    groups: Array
    starts: Array
    sorted_sweeps: Array
    classes: Array
    base: tuple[Array, Array]
    left: tuple[Array, Array]

    def terms(self, metric: PooledMetric, truth: Truth, chosen: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Return the terms of each group's class before its first sample leaves, and those after each sample."""
        support, chosen = truth.support[self.classes], chosen[self.classes]
        begin = metric.terms(*self.base, support, chosen)
        of_each = chosen[:1] if metric.label is None else chosen[self.groups]
        return begin, metric.terms(*self.left, support[self.groups], of_each)

    def steps(self, base: Array, after: Array) -> Array:
        """Return by how much each departure changes a term, (b, m) in the order of the sweeps."""
        previous = put(namespace(after).concat([after[:1], after[:-1]]), self.starts, base)
        return self.in_sweeps(after - previous)

    def in_sweeps(self, values: Array) -> Array:
        """Return `values` in the order of the sweeps."""
        xp = namespace(values)
        return xp.reshape(put(xp.empty_like(values), self.places, values), self.shape)


_PLACE_BITS = 32
"""Bits of a sorted key that hold the place; those above hold sweep and runner-up class."""


def _departures(along: _Along) -> _Departures:
    sorted_sweeps, truth, now = along.sorted_sweeps, along.truth, along.now
    xp = namespace(sorted_sweeps.samples)
    n_sweeps, n_steps = sorted_sweeps.samples.shape
    every = {"dtype": xp.int64, "device": device(sorted_sweeps.samples)}
    number = xp.arange(n_sweeps, **every)[:, None]
    places = xp.reshape(xp.arange(n_sweeps * n_steps, **every), (n_sweeps, n_steps))
    keys = ((number * truth.n_classes + sorted_sweeps.runner_ups) << _PLACE_BITS) + places
    keys = flat(xp.sort(keys, axis=1))
    codes, places = keys >> _PLACE_BITS, keys & ((1 << _PLACE_BITS) - 1)
    opens = opens_group(codes)
    starts = xp.nonzero(opens)[0]
    groups = xp.cumulative_sum(xp.astype(opens, xp.int64)) - 1
    of_sweep, classes = codes[starts] // truth.n_classes, codes[starts] % truth.n_classes
    held = xp.nonzero(flat(sorted_sweeps.held)[places])[0]

    def counted(now: Array, masses: Array | None) -> tuple[Array, Array]:
        """Return the first count of each group, and the count after each departure."""
        masses = None if masses is None else flat(masses)[places]
        base = now[classes] + count_codes(groups[held], None if masses is None else masses[held], starts.shape[0])
        if masses is None:
            gone = xp.arange(1, places.shape[0] + 1, dtype=xp.float64, device=device(places))
            before = xp.astype(starts, xp.float64)
        else:
            gone = cumulative_sum(masses)
            before = gone[starts] - xp.astype(masses[starts], xp.float64)
        return base, truth.cleared((base + before)[groups] - gone)

    hits, predicted = counted(now.hits, along.lost), counted(now.predicted, along.weight)
    return _Departures(
        (n_sweeps, n_steps),
        places,
        groups,
        starts,
        of_sweep,
        classes,
        (hits[0], predicted[0]),
        (hits[1], predicted[1]),
    )


def _only(masses: Array, where: Array) -> Array:
    """Return `masses`, zero except `where`."""
    if masses.dtype == where.dtype:
        return masses & where
    xp = namespace(masses)
    return xp.where(where, masses, xp.zeros_like(masses))


def _from_zero(running: Array) -> Array:
    """Put a zero before each running sum."""
    xp = namespace(running)
    return xp.concat([xp.zeros_like(running[..., :1]), running], axis=-1)
