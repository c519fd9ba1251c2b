"""A metric between two bounds, as a solver sees a constraint."""

import math
from dataclasses import dataclass, replace

from skimbalance._core.array_api import namespace, only
from skimbalance._core.typing import Array
from skimbalance.metrics.base import Metric
from skimbalance.metrics.counts import Counts

__all__ = ["BoundConstraint"]

_ROUNDING = 1e-12
"""A bound counts as satisfied if the violation is not greater."""


@dataclass(frozen=True)
class BoundConstraint:
    """A metric between two bounds, as a solver sees it."""

    metric: Metric
    low: float = -math.inf
    high: float = math.inf

    @property
    def is_impossible(self) -> bool:
        """Whether the bounds exclude every possible value of the metric."""
        least, most = self.metric.bounds
        return self.low > most + _ROUNDING or self.high < least - _ROUNDING

    @property
    def n_sides(self) -> int:
        """The number of bounds: two for both a lower and an upper one."""
        return int(math.isfinite(self.low)) + int(math.isfinite(self.high))

    def violation(self, value: Array) -> Array:
        """Return the violation of the bounds by values of the metric, zero if they are satisfied."""
        missed = namespace(value).maximum(self.low - value, value - self.high)
        return only(missed, missed > _ROUNDING)

    def missed(self, counts: Counts) -> float:
        """Return the violation of the bounds by `counts` of decisions."""
        value = self.metric.value(counts)
        missed = max(self.low - value, value - self.high)
        return missed if missed > _ROUNDING else 0.0

    def tightened(self, below: float, above: float) -> "BoundConstraint":
        """Return the constraint with bounds raised by `below` and lowered by `above`, less if these would cross."""
        room = self.high - self.low
        share = min(1.0, room / (below + above)) if below + above > 0 else 1.0
        # Plain floats: NumPy scalars do not combine with arrays on another device.
        return replace(self, low=float(self.low + share * below), high=float(self.high - share * above))
