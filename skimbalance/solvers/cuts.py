"""Cuts between margins: where an offset can be placed, and the choice among the best of these intervals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, cumulative_sum, device, flat, namespace, put, smallest_normal, to_numpy
from skimbalance._core.typing import Array
from skimbalance.solvers._base import improves

__all__ = ["Bounds", "Cuts", "Margins", "best_cuts", "cuts_apart"]

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
