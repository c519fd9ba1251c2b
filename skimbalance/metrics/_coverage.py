"""The proportion of samples that are decided."""

from dataclasses import dataclass
from typing import ClassVar

from skimbalance._core.array_api import namespace
from skimbalance._core.typing import Array
from skimbalance.metrics.base import PooledMetric, safe_ratio

__all__ = ["Coverage"]


@dataclass(frozen=True, kw_only=True)
class Coverage(PooledMetric):
    """The proportion of samples whose decision is not rejected; one where there is no `reject_label`."""

    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    name: ClassVar[str] = "coverage"
    has_outcomes: ClassVar[bool] = True

    def terms(self, hits: Array, predicted: Array, support: Array, chosen: Array) -> tuple[Array, ...]:
        """Return predicted samples and all samples."""
        return predicted, support + 0 * hits

    def pool(self, pooled: tuple[Array, ...], n_classes: int) -> Array:
        """Return the ratio of the two sums."""
        return safe_ratio(*pooled)

    def outcomes(self, truth: Array, decisions: Array) -> tuple[Array, Array]:
        """Return all samples, and those that are decided: rejected ones have a negative code."""
        decided = decisions >= 0
        return namespace(truth).ones_like(decided), decided
