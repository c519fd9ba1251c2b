"""A metric between two bounds, as a solver sees a constraint."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from skimbalance._core.array_api import namespace
from skimbalance._core.typing import Array
from skimbalance.metrics.base import Metric
from skimbalance.metrics.counts import Counts

__all__ = ["BoundConstraint"]

_ROUNDING = 1e-12
"""A bound missed by no more is met."""


@dataclass(frozen=True)
class BoundConstraint:
    """A metric between two bounds, as a solver sees it."""

    metric: Metric
    low: float = -math.inf
    high: float = math.inf

    @property
    def is_impossible(self) -> bool:
        """Whether the bounds leave out every value that the metric can take."""
        least, most = self.metric.bounds
        return self.low > most + _ROUNDING or self.high < least - _ROUNDING

    def violation(self, value: Array) -> Array:
        """Return by how much a value of the metric misses the bounds, zero where it does not."""
        xp = namespace(value)
        missed = xp.maximum(self.low - value, value - self.high)
        return xp.where(missed > _ROUNDING, missed, xp.zeros_like(missed))

    def missed(self, counts: Counts) -> float:
        """Return by how much the decisions that `counts` counts miss the bounds."""
        value = self.metric.value(counts)
        missed = max(self.low - value, value - self.high)
        return missed if missed > _ROUNDING else 0.0

    def tightened(self, below: float, above: float) -> "BoundConstraint":
        """Return the requirement with so much to spare at either bound, as far as these leave room."""
        room = self.high - self.low
        share = min(1.0, room / (below + above)) if below + above > 0 else 1.0
        # Plain floats: an array on another device does not combine with a number of NumPy's.
        return replace(self, low=float(self.low + share * below), high=float(self.high - share * above))

    def restricted(self, kept: Sequence[int]) -> "BoundConstraint":
        """Return the requirement for the classes `kept` alone, by their codes."""
        return replace(self, metric=self.metric.restricted(kept))
