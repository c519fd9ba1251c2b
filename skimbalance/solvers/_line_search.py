"""The metric as a function of one offset, all others fixed, for many classes at once.

Class k wins a sample once its offset exceeds the margin of the sample. In the order of their margins, the samples move
one by one from their runner-up class to class k. Cumulative sums give the metric after every step.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import (
    bring,
    bring_like,
    count_codes,
    count_where,
    cumulative_minimum,
    cumulative_sum,
    device,
    flat,
    group_numbers,
    grouped,
    is_on_device,
    namespace,
    only,
    opens_group,
    put,
    row_sums,
    smallest_normal,
    sums_from_zero,
    to_numpy,
    to_numpy_at_once,
)
from skimbalance._core.typing import Array
from skimbalance.metrics.base import LinearMetric, Metric, PooledMetric
from skimbalance.metrics.counts import Counts
from skimbalance.solvers._base import Problem, barely_above

__all__ = ["Bounds", "Cuts", "Margins", "SortedSweeps", "best_cuts", "cuts_apart", "edges_of", "sweep_objective"]

_Vector = npt.NDArray[np.float64]

_MARGIN = 1.0
"""An offset keeps this distance from the nearest margin if it can: a factor e in the odds."""


@dataclass(frozen=True)
class Margins:
    """The sorted margins (b, m) of b classes; the largest finite number fills up shorter rows.

    A margin is the difference of two numbers, whose magnitudes sum to its size. `sizes(places)` returns the sizes for
    places in the flattened `values`, or for a slice of them; `largest` is an upper bound of all sizes.
    """

    values: Array
    largest: float
    sizes: Callable[[Any], Array]


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


def edges_of(margins: Margins, bounds: Bounds | None) -> Array:
    """Return the ends (b, m + 2) of the intervals between margins."""
    xp = namespace(margins.values)
    most = float(xp.finfo(margins.values.dtype).max)
    if bounds is None:
        ends = xp.zeros_like(margins.values[:, :1])
        return xp.concat([ends - float("inf"), margins.values, ends + most], axis=1)
    both = bring_like(np.stack([bounds.low, np.minimum(bounds.high, most)]), margins.values)
    low, high = both[0, :][:, None], both[1, :][:, None]
    return xp.concat([low, xp.clip(margins.values, low, high), high], axis=1)


def cuts_apart(margins: Margins, edges: Array | None = None) -> Array:
    """Return whether a cut before each margin and after the last (b, m + 1) separates the `edges` of its interval."""
    edges = edges_of(margins, None) if edges is None else edges
    xp = namespace(edges)
    steps = edges[:, 1:] - edges[:, :-1]
    rounding = 8 * float(xp.finfo(edges.dtype).eps)
    if is_on_device(edges):  # few operations, and none whose result has a size that the host must wait for
        sizes = xp.reshape(margins.sizes(slice(None)), margins.values.shape)
        below, above = xp.concat([sizes[:, :1], sizes], axis=1), xp.concat([sizes, sizes[:, -1:]], axis=1)
        return steps > rounding * xp.maximum(below, above)
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
    edges = edges_of(margins, bounds)
    xp, apart = namespace(edges), cuts_apart(margins, edges)
    allowed = only(objective_values, apart, otherwise=-float("inf"))
    best = xp.max(allowed, axis=1)
    better = best > barely_above(above)
    bar = only(best - 1e-12 * xp.abs(best), better, otherwise=float("inf"))
    some = is_on_device(best) or better.any()  # a device is not asked twice
    sorted_sweep, place = xp.nonzero(allowed >= bar[:, None]) if some else (better[:0], better[:0])
    if not sorted_sweep.shape[0]:
        return Cuts(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))
    number = place
    if place.shape[0] > best.shape[0]:
        number = cumulative_sum(flat(apart))[sorted_sweep * apart.shape[1] + place]
    lows, highs = edges[sorted_sweep, place], edges[sorted_sweep, place + 1]
    rows, number, lows, highs, values, first, last = to_numpy_at_once(
        sorted_sweep, number, lows, highs, best, edges[:, 0], edges[:, -1]
    )
    of = rows.astype(np.int64)
    sorted_sweeps: npt.NDArray[np.int64] = of[np.diff(of, prepend=-1) > 0]
    # Intervals whose numbers differ by one are one plateau.
    plateau = np.cumsum((np.diff(number, prepend=number[0]) > 1) | (np.diff(of, prepend=0) > 0))
    half = np.minimum((highs - lows) / 2, _MARGIN)
    outer = (lows <= first[of]) | (highs >= last[of])  # unbounded on one side: the last choice
    points = np.clip(start[of], lows + half, highs - half)
    distance = np.abs(points - start[of])
    order = np.lexsort((distance, np.where(outer, 0.0, -half), plateau))
    widest = order[np.unique(plateau[order], return_index=True)[1]]
    nearest = widest[np.lexsort((distance[widest], of[widest]))]
    offsets = points[nearest[np.unique(of[nearest], return_index=True)[1]]]
    return Cuts(sorted_sweeps, offsets, values[sorted_sweeps])


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
    along = _Along(sorted_sweeps, problem, now)

    def trace(metric: Metric) -> tuple[Array, ...]:
        return along.linear(metric) if isinstance(metric, LinearMetric) else along.pooled(cast("PooledMetric", metric))

    return problem.objective_values(trace)


class _Along:
    """The counts along sorted sweeps, and the pooled terms of metrics, (b, m + 1) each."""

    def __init__(self, sorted_sweeps: SortedSweeps, problem: Problem, now: Counts) -> None:
        self.sorted_sweeps = sorted_sweeps
        self.problem = problem
        self.truth = problem.truth
        self.counts = now
        self.weight: Array | None = self.truth.weight(sorted_sweeps.samples)

    @cached_property
    def now(self) -> tuple[Array, Array]:
        """The true positives and the predicted samples (K,) of the classes, where the samples are."""
        both, samples = (self.counts.hits, self.counts.predicted), self.sorted_sweeps.samples
        if type(samples) is np.ndarray:
            return both
        moved = bring(np.stack([to_numpy(x) for x in both]), to=samples)
        return moved[0, :], moved[1, :]

    @cached_property
    def won(self) -> Array:
        """The weight of each sample in the class that wins it."""
        return self.truth.mass_at(self.sorted_sweeps.classes[:, None], self.sorted_sweeps.samples)

    @cached_property
    def lost(self) -> Array:
        """The weight of each sample in the runner-up class that loses it."""
        return self.truth.mass_at(self.sorted_sweeps.runner_ups, self.sorted_sweeps.samples)

    @cached_property
    def own(self) -> tuple[Array, Array]:
        """The true positives and the predicted samples (b, m + 1) of the class of each sweep."""
        if self.weight is None:
            xp, n_steps = namespace(self.won), self.sorted_sweeps.samples.shape[1]
            taken = xp.arange(n_steps + 1, dtype=xp.float64, device=device(self.won))
        else:
            taken = sums_from_zero(self.weight)
        hits, predicted = self.now
        return self._since(hits, sums_from_zero(self.won), self.won), self._since(predicted, taken, self.weight)

    def _since(self, now: Array, running: Array, masses: Array | None) -> Array:
        """Start a cumulative sum from the counts of the class without the samples that it wins at present."""
        return running + self.truth.cleared(now[self.sorted_sweeps.classes] - self._held_total(masses))[:, None]

    def _held_total(self, masses: Array | None) -> Array:
        """Sum `masses` (b, m), ones where None, over the samples that each class wins at present."""
        held = self.sorted_sweeps.held
        if masses is not None:
            held = masses & held if masses.dtype == held.dtype else only(masses, held)
        return row_sums(held)

    @cached_property
    def departures(self) -> "_Departures":
        """The counts of the runner-up classes."""
        return _Departures(self)

    def linear(self, metric: LinearMetric) -> tuple[Array, ...]:
        """Return the value of a linear metric."""
        xp, samples, runner_ups = namespace(self.won), self.sorted_sweeps.samples, self.sorted_sweeps.runner_ups
        classes = self.sorted_sweeps.classes[:, None]
        if not metric.needs_cost_matrix and (utilities := self.problem.utilities(metric)).ndim == 1:
            gained = utilities[classes] * xp.astype(self.won, xp.float64)
            gained = gained - utilities[runner_ups] * xp.astype(self.lost, xp.float64)
        else:
            won, lost = (self.problem.reward(metric, each, samples) for each in (classes, runner_ups))
            gained = won - lost
        begin = metric.value(self.counts) - self._held_total(gained)
        return (begin[:, None] + sums_from_zero(gained),)

    def pooled(self, metric: PooledMetric) -> tuple[Array, ...]:
        """Return the sums over the classes, or for the decomposition "minimum" the lowest term."""
        departures, classes = self.departures, self.sorted_sweeps.classes
        counts = (self.now, self.own, departures.base, departures.left)

        def of_each(numbers: Array) -> list[Array]:
            before = numbers[departures.classes]
            return [numbers, numbers[classes][:, None], before, before[departures.groups]]

        support, chosen = self.truth.support, metric.chosen(self.truth.support)
        parts = [(*each, support) for each, support in zip(counts, of_each(support), strict=True)]
        if metric.label is None:
            terms = _each(partial(metric.terms, chosen=chosen[:1]), parts)
        else:
            terms = _each(metric.terms, [(*each, own) for each, own in zip(parts, of_each(chosen), strict=True)])
        combined = self._lowest if metric.decomposition == "minimum" else self._sum
        return tuple(combined(*each) for each in zip(*terms, strict=True))

    def _sum(self, now: Array, own: Array, begin: Array, after: Array) -> Array:
        xp, departures, classes = namespace(now), self.departures, self.sorted_sweeps.classes
        back = count_codes(departures.sorted_sweeps, begin - now[departures.classes], classes.shape[0])
        steady = xp.sum(now) - now[classes] + back
        previous = put(xp.concat([after[:1], after[:-1]]), departures.starts, begin)
        return own + steady[:, None] + sums_from_zero(departures.in_sweeps(after - previous))

    def _lowest(self, now: Array, own: Array, begin: Array, after: Array) -> Array:
        xp, departures, classes = namespace(now), self.departures, self.sorted_sweeps.classes
        shape = (classes.shape[0], now.shape[0])
        everyone = xp.reshape(xp.broadcast_to(now, shape) + 0, (-1,))
        everyone = put(everyone, departures.sorted_sweeps * now.shape[0] + departures.classes, begin)
        other = xp.arange(now.shape[0], device=device(classes))[None, :] != classes[:, None]
        worst = xp.min(only(xp.reshape(everyone, shape), other, otherwise=float("inf")), axis=1)
        falling = cumulative_minimum(xp.concat([worst[:, None], departures.in_sweeps(after)], axis=1))
        return xp.minimum(own, falling)


class _Departures:
    """The counts of each sample's runner-up class right after the sample has left it.

    Samples are sorted into groups by sweep and runner-up class. `places` (e,) map this order to the flattened sweeps,
    `groups` (e,) number the groups. For each group, `starts` is its first sample, `sorted_sweeps` its sweep, and
    `classes` its class. `base` are the counts of that class before any of its samples leaves.
    """

    def __init__(self, along: _Along) -> None:
        runner_ups, held, n_classes = along.sorted_sweeps.runner_ups, along.sorted_sweeps.held, along.truth.n_classes
        xp = namespace(runner_ups)
        self.truth = along.truth
        self.shape = runner_ups.shape
        if self.shape[0] > 1:
            first = xp.arange(0, self.shape[0] * n_classes, n_classes, dtype=xp.int64, device=device(runner_ups))
            runner_ups = runner_ups + first[:, None]
        codes, self.places = grouped(runner_ups)
        opens = opens_group(codes)
        self.starts = xp.nonzero(opens)[0]
        self.groups = group_numbers(opens)
        codes = codes[self.starts]
        self.sorted_sweeps, self.classes = codes // n_classes, codes % n_classes
        masses = [None if x is None else flat(x)[self.places] for x in (along.lost, along.weight)]
        returned = count_where(flat(held)[self.places], self.groups, masses, self.starts.shape[0])
        hits, predicted = (now[self.classes] + back for now, back in zip(along.now, returned, strict=True))
        self.base = hits, predicted
        self.left = self._left(hits, masses[0]), self._left(predicted, masses[1])

    def _left(self, base: Array, masses: Array | None) -> Array:
        """Return the count after each departure, from the first count of each group."""
        if masses is None:
            xp = namespace(base)
            gone = xp.arange(1, self.places.shape[0] + 1, dtype=xp.float64, device=device(base))
            before = xp.astype(self.starts, xp.float64)
        else:
            running = sums_from_zero(masses)
            gone, before = running[1:], running[self.starts]
        return self.truth.cleared((base + before)[self.groups] - gone)

    def in_sweeps(self, values: Array) -> Array:
        """Return `values` in the order of the sweeps."""
        xp = namespace(values)
        return xp.reshape(put(xp.empty_like(values), self.places, values), self.shape)


def _each(function: Callable[..., tuple[Array, ...]], parts: list[tuple[Array, ...]]) -> list[tuple[Array, ...]]:
    """Return a function of single elements for each of several tuples of arrays, of the shape of the first.

    On a device it is one call for all of them.
    """
    if not is_on_device(parts[0][0]):
        return [function(*part) for part in parts]
    xp, shapes = namespace(parts[0][0]), [part[0].shape for part in parts]
    columns = (
        xp.concat([flat(xp.broadcast_to(x, shape)) for x, shape in zip(column, shapes, strict=True)])
        for column in zip(*parts, strict=True)
    )
    results, ends = function(*columns), np.cumsum([math.prod(shape) for shape in shapes]).tolist()
    places = [slice(begin, end) for begin, end in zip([0, *ends[:-1]], ends, strict=True)]
    return [
        tuple(xp.reshape(result[place], shape) for result in results)
        for place, shape in zip(places, shapes, strict=True)
    ]
