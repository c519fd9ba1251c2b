"""Many binary samples merged into few: neighbours in the order of their margins."""

from dataclasses import replace
from functools import partial
from typing import NamedTuple, cast

import numpy as np

from skimbalance._core.array_api import (
    argsort_flagged,
    count_codes,
    cumulative_sum,
    device,
    namespace,
    sort_flagged,
    to_numpy,
)
from skimbalance._core.typing import Array
from skimbalance.estimation._draws import independent_counts
from skimbalance.metrics.counts import HardTruth, Truth
from skimbalance.solvers import Problem, stored

__all__ = ["MergedProblem", "condensed", "order_to_condense"]

_UNMERGED, _BLOCKS = 4096, 1021
"""Of more than 4,096 binary samples neighbours are merged. A block holds at most this fraction of the samples of either
class. Since the number is prime, blocks of whole samples are the same from both ends."""


class MergedProblem(NamedTuple):
    """A problem of merged samples, and how many samples each of them stands for: `sizes` (n,), None for one."""

    problem: Problem
    sizes: Array | None

    @property
    def truth(self) -> HardTruth:
        """The labels."""
        return cast(HardTruth, self.problem.truth)

    @property
    def n_samples(self) -> float:
        """The number of samples that the merged ones stand for; those of one group and class count once.

        Whole weights sum to it: they count repeated samples. Others give the weight of samples, and not their number.
        """
        groups, weights = self.problem.groups, self.truth.weights
        if groups is not None:
            codes = to_numpy(self.truth.codes).astype(np.int64)
            return float(independent_counts(codes, groups, n_classes=self.problem.n_classes).sum())
        if weights is not None and bool(namespace(weights).all(weights == namespace(weights).round(weights))):
            return float(namespace(weights).sum(weights))
        if self.sizes is None:
            return float(self.problem.scores.shape[0])
        return float(namespace(self.sizes).sum(self.sizes))


def condensed(problem: Problem) -> MergedProblem:
    """Return a large binary problem with its samples merged into few, and others as they are.

    Samples in groups stay as they are: merged samples cannot be drawn group by group. Costs of samples are averaged.
    """
    if not _is_merged(problem):
        return MergedProblem(problem, None)  # not stored: a cycle of references would keep the scores in memory
    return stored(problem.own, "condensed", partial(_condensed, problem))


def order_to_condense(problem: Problem, *, fewest: int) -> Array | None:
    """Return an order of the samples in which `condensed` sorts no part of them; None if they are in it.

    It is None as well if the parts, of which the smallest has the `fewest` samples, are not all merged.
    """
    if not _is_merged(problem) or fewest <= _UNMERGED:
        return None
    return argsort_flagged(problem.scores[:, 1] - problem.scores[:, 0], cast(HardTruth, problem.truth).codes == 1)


def _is_merged(problem: Problem) -> bool:
    return problem.n_classes == 2 and problem.scores.shape[0] > _UNMERGED and problem.groups is None


def _condensed(problem: Problem) -> MergedProblem:
    """Return a problem of its samples merged into few."""
    xp = namespace(problem.scores)
    margins = problem.scores[:, 1] - problem.scores[:, 0]
    truth = cast(HardTruth, problem.truth)
    if truth.weights is None and truth.cost_matrix is None:
        margins, owned = sort_flagged(margins, truth.codes == 1)
        codes, weights, costs = xp.astype(owned, xp.int8), None, None
    else:
        if (order := argsort_flagged(margins, truth.codes == 1)) is not None:
            margins, truth = margins[order], cast(HardTruth, truth.take(order))
        codes, weights, costs = truth.codes, truth.weights, truth.cost_matrix
    blocks = _blocks(codes, weights, truth.support)
    n_blocks = 2 * _BLOCKS + 1
    cells = 2 * blocks + codes
    counts = count_codes(cells, None, 2 * n_blocks)
    kept = xp.nonzero(counts > 0)[0]
    if problem.class_order[0] == 0:  # bootstraps follow an order that does not depend on that of the columns
        kept = xp.flip(kept)
    totals = count_codes(blocks, xp.astype(margins, xp.float64, copy=False), n_blocks)
    middle = xp.astype(totals[kept // 2] / (counts[::2] + counts[1::2])[kept // 2], margins.dtype)
    mass = sizes = counts[kept]
    if weights is not None:
        mass = count_codes(cells, weights, 2 * n_blocks)[kept]
        squares = count_codes(cells, weights * weights, 2 * n_blocks)[kept]
        # Squares of tiny weights vanish: such samples then count as alike.
        sizes = xp.where(squares > 0, mass * mass / xp.where(squares > 0, squares, squares + 1), sizes)
    if costs is not None:
        weighted = costs if weights is None else costs * weights[:, None, None]
        sums = [count_codes(cells, weighted[:, c, k], 2 * n_blocks)[kept] / mass for c in (0, 1) for k in (0, 1)]
        costs = xp.reshape(xp.stack(sums, axis=1), (kept.shape[0], 2, 2))
    few = Truth.from_codes(kept % 2, n_classes=2, weights=mass, cost_matrix=costs)
    return MergedProblem(replace(problem, scores=xp.stack([0 * middle, middle], axis=1), truth=few), sizes)


def _blocks(codes: Array, weights: Array | None, support: Array) -> Array:
    """Return the block of each sorted sample: each class (0 and 1) begins a new one after an equal part of its own.

    Half of a sample is before its middle, so that the order of the classes does not matter.
    """
    xp, here, starts = namespace(codes), device(codes), []
    for label, part in enumerate(_BLOCKS * (1 - 1e-9) / support):
        own = xp.nonzero(codes == label)[0]
        levels = xp.arange(1, _BLOCKS, dtype=xp.float64, device=here) / part
        if weights is None:
            middle = xp.ceil(levels) - 0.5
            place = xp.astype(middle, xp.int64)
        else:
            ends = cumulative_sum(weights[own])
            place = xp.searchsorted(ends, levels)
            middle = (ends - weights[own] / 2)[place]
        # The sample whose weight contains the level: the block begins with it, or after it.
        starts.append(own[place] + xp.astype(middle < levels, xp.int64))
    ordered = xp.sort(xp.concat(starts))
    lengths = xp.diff(ordered, prepend=0 * ordered[:1], append=0 * ordered[:1] + codes.shape[0])
    return xp.repeat(xp.arange(lengths.shape[0], device=here), lengths)
