"""Many samples of two classes, merged into few that weigh more.

With two classes only the difference of the scores matters. Neighbours in its order are merged, class by class, into
blocks that hold a small share of either class: what a cut achieves is kept to within that share.
"""

from dataclasses import replace
from typing import NamedTuple, cast

import numpy as np

from skimbalance._core.array_api import count_codes, cumulative_sum, namespace, sort_flagged, to_numpy
from skimbalance._core.typing import Array
from skimbalance.estimation._groups import independent_counts
from skimbalance.metrics.counts import HardTruth, Truth
from skimbalance.solvers import Problem

__all__ = ["Sample", "condensed"]

_BLOCKS = 4096
"""A block holds at most this fraction of the samples of either class."""


class Sample(NamedTuple):
    """A problem with labels, and how many samples each of its samples stands for: `sizes` (n,), None for one."""

    problem: Problem
    sizes: Array | None

    @property
    def truth(self) -> HardTruth:
        """The labels."""
        return cast(HardTruth, self.problem.truth)

    @property
    def n_samples(self) -> float:
        """The number of samples that these stand for; those of one group and class count once.

        Whole weights sum to it: they count repeated samples. Others say how much samples count, and not how many they
        are.
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


def condensed(problem: Problem) -> Sample:
    """Return a sample of few samples that stands for all samples of a large problem of two classes; others as they are.

    Samples in groups stay as they are: merged samples cannot be drawn group by group.
    """
    if problem.n_classes > 2 or problem.scores.shape[0] <= 4 * _BLOCKS or problem.groups is not None:
        return Sample(problem, None)
    xp = namespace(problem.scores)
    margins = problem.scores[:, 1] - problem.scores[:, 0]
    truth = cast(HardTruth, problem.truth)
    if truth.weights is None:
        margins, owned = sort_flagged(margins, truth.codes == 1)
        codes, weights = xp.astype(owned, xp.int64), None
    else:
        order = xp.argsort(margins, stable=False)
        margins, codes, weights = margins[order], xp.astype(truth.codes[order], xp.int64), truth.weights[order]
    blocks = sum(_share(codes, weights, c, truth.support[c]) for c in (0, 1))
    n_blocks = 2 * _BLOCKS + 1
    cells = 2 * blocks + codes
    counts = count_codes(cells, None, 2 * n_blocks)
    kept = xp.nonzero(counts > 0)[0]
    middle = count_codes(blocks, xp.astype(margins, xp.float64), n_blocks)[kept // 2]
    middle = xp.astype(middle / count_codes(blocks, None, n_blocks)[kept // 2], margins.dtype)
    mass = sizes = counts[kept]
    if weights is not None:
        mass = count_codes(cells, weights, 2 * n_blocks)[kept]
        squares = count_codes(cells, weights * weights, 2 * n_blocks)[kept]
        # Squares of tiny weights vanish: such samples then count as alike.
        sizes = xp.where(squares > 0, mass * mass / xp.where(squares > 0, squares, squares + 1), sizes)
    few = Truth.from_codes(kept % 2, n_classes=2, weights=mass)
    return Sample(replace(problem, scores=xp.stack([0 * middle, middle], axis=1), truth=few), sizes)


def _share(codes: Array, weights: Array | None, label: int, total: Array) -> Array:
    """Return in which of equal parts of class `label` the walk along sorted samples stands, from zero."""
    xp = namespace(codes)
    owned = codes == label
    running = cumulative_sum(owned if weights is None else xp.where(owned, weights, 0 * weights))
    return xp.astype(xp.floor(running * (_BLOCKS / total) * (1 - 1e-9)), xp.int64)
