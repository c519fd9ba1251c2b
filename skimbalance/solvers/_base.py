"""What is to be solved, and what a solver returns."""

from dataclasses import dataclass
from functools import cached_property
from typing import cast

from skimbalance._array_api import transposed
from skimbalance._typing import Array
from skimbalance.decision import decide
from skimbalance.metrics._base import LinearMetric, Metric
from skimbalance.metrics._counts import Counts, Truth

__all__ = ["Problem", "Solution", "improves"]


@dataclass(frozen=True)
class Problem:
    """Find offsets for which `argmax(scores + offsets)` does best by `metric`; every class has support."""

    scores: Array
    truth: Truth
    metric: Metric

    @property
    def n_classes(self) -> int:
        """The number of classes, K."""
        return int(self.scores.shape[1])

    @cached_property
    def columns(self) -> Array:
        """The scores once more, (K, n): a line search reads one class at a time."""
        return transposed(self.scores)

    @cached_property
    def utilities(self) -> Array:
        """The worth of a row of class c predicted as k, where the metric is linear."""
        return cast("LinearMetric", self.metric).utilities(self.truth.support)

    def count(self, decisions: Array) -> Counts:
        """Count what `decisions` achieve."""
        return self.truth.count(decisions, confusion=self.metric.needs_confusion)

    def rank(self, offsets: Array) -> float:
        """Return what a solver maximises, for the decisions that `offsets` make."""
        return self.metric.rank(self.count(decide(self.scores, offsets)))

    def solved(self, offsets: Array, *, n_iter: int) -> "Solution":
        """Return the solution that `offsets` are, with what their decisions achieve."""
        counts = self.count(decide(self.scores, offsets))
        return Solution(offsets, counts, self.metric.rank(counts), n_iter)


@dataclass(frozen=True)
class Solution:
    """Offsets (K,), what their decisions achieve, and how many sweeps over the classes it took."""

    offsets: Array
    counts: Counts
    rank: float
    n_iter: int


def improves(rank: float, on: float) -> bool:
    """Tell whether `rank` is better than `on` by more than rounding."""
    return rank > on if on == -float("inf") else rank > on + 1e-12 * abs(on)
