"""The share of the samples that are predicted as one class."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from skimbalance._core.typing import Array
from skimbalance.metrics.base import Direction, Form, PooledMetric, Proportion, safe_ratio

__all__ = ["PredictedShare"]


@dataclass(frozen=True, kw_only=True)
class PredictedShare(PooledMetric):
    """The share of the samples that are predicted as the positive class; less is better, as each costs a review."""

    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    is_extreme_at_corners: ClassVar[bool] = True
    ignores_other_classes: ClassVar[bool] = True
    ignores_truth: ClassVar[bool] = True
    direction: ClassVar[Direction] = "minimize"
    name: ClassVar[str] = "predicted_share"
    is_binary: ClassVar[bool] = True
    proportion: ClassVar[Proportion] = "predicted_share"

    def form(self, support: npt.NDArray[np.float64]) -> Form:
        """Return the form for compiled code."""
        return Form(
            "ratio_of_sums",
            rises=(True, True),
            numerator=self.chosen(support)[:, None] * np.eye(3)[1],
            denominator=support[:, None] * np.eye(3)[2],
        )

    def terms(self, hits: Array, predicted: Array, support: Array, chosen: Array) -> tuple[Array, ...]:
        """Return the predicted samples of the class, and the samples of each class."""
        return chosen * predicted, support + 0 * hits

    def pool(self, pooled: tuple[Array, ...], n_classes: int) -> Array:
        """Return the ratio of the two sums."""
        return safe_ratio(*pooled)
