"""Functions of the recalls: balanced accuracy, one recall, geometric mean, worst recall, false positive rate."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import device, namespace, only
from skimbalance._core.typing import Array
from skimbalance.metrics.base import (
    Decomposition,
    Direction,
    Form,
    LinearMetric,
    Metric,
    PooledMetric,
    Proportion,
    safe_ratio,
)
from skimbalance.metrics.counts import Counts

__all__ = ["BalancedAccuracy", "ClassRecall", "FalsePositiveRate", "GeometricMean", "WorstRecall"]


@dataclass(frozen=True, kw_only=True)
class BalancedAccuracy(LinearMetric):
    """The mean recall of the classes that have samples."""

    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    name: ClassVar[str] = "balanced_accuracy"

    def utilities(self, support: Array) -> Array:
        """Return `1 / (K support_k)`."""
        xp = namespace(support)
        occurring = xp.astype(support > 0, xp.float64)
        return safe_ratio(occurring, support) / xp.sum(occurring)


@dataclass(frozen=True, kw_only=True)
class ClassRecall(LinearMetric):
    """The recall of one class; zero where it has no samples."""

    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    name: ClassVar[str] = "recall"
    is_binary: ClassVar[bool] = True
    has_outcomes: ClassVar[bool] = True
    proportion: ClassVar[Proportion] = "recall"

    def utilities(self, support: Array) -> Array:
        """Return `1 / support_k` for the class, zero for the others."""
        xp = namespace(support)
        mine = xp.arange(support.shape[0], device=device(support)) == self.label
        return safe_ratio(xp.astype(mine & (support > 0), xp.float64), support)

    def outcomes(self, truth: Array, decisions: Array) -> tuple[Array, Array]:
        """Return the samples of the class, and those predicted as it."""
        return truth == self.label, decisions == self.label


@dataclass(frozen=True, kw_only=True)
class GeometricMean(PooledMetric):
    """The geometric mean of the recalls of the classes that have samples."""

    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    is_extreme_at_corners: ClassVar[bool] = True
    zero_if_class_missed: ClassVar[bool] = True
    name: ClassVar[str] = "geometric_mean"

    def counted(self, counts: Counts) -> Array:
        """Return the classes that have samples."""
        return counts.support > 0

    def form(self, support: npt.NDArray[np.float64]) -> Form:
        """Return the form for compiled code."""
        return Form("geometric_mean")

    def terms(self, hits: Array, predicted: Array, support: Array, chosen: Array) -> tuple[Array, ...]:
        """Return the log of a positive recall, and one for a recall of zero."""
        xp = namespace(hits)
        return xp.log(only(hits / support, hits > 0, otherwise=1.0)), xp.astype(hits <= 0, xp.float64)

    def pool(self, pooled: tuple[Array, ...], n_classes: int) -> Array:
        """Return zero if some class has no true positive, otherwise the exponential of the mean log."""
        log_sum, missed = pooled
        return only(namespace(log_sum).exp(log_sum / n_classes), missed <= 0.5)

    def refine(self, pooled: tuple[Array, ...], n_classes: int) -> Array:
        """Order zeros by the number of classes without true positives, then by the recalls of the others."""
        log_sum, missed = pooled
        return namespace(log_sum).exp(log_sum / n_classes) - missed


@dataclass(frozen=True, kw_only=True)
class WorstRecall(PooledMetric):
    """The lowest recall of the classes that have samples."""

    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    is_extreme_at_corners: ClassVar[bool] = True
    decomposition: ClassVar[Decomposition] = "minimum"
    name: ClassVar[str] = "worst_recall"
    proportion: ClassVar[Proportion] = "worst_recall"

    @property
    def tie_breaker(self) -> Metric:
        """The geometric mean, which every class can improve; only the worst class improves the worst recall."""
        return GeometricMean()

    def counted(self, counts: Counts) -> Array:
        """Return the classes that have samples."""
        return counts.support > 0

    def form(self, support: npt.NDArray[np.float64]) -> Form:
        """Return the form for compiled code."""
        return Form("worst_recall")

    def terms(self, hits: Array, predicted: Array, support: Array, chosen: Array) -> tuple[Array, ...]:
        """Return the recall."""
        return (hits / support,)


@dataclass(frozen=True, kw_only=True)
class FalsePositiveRate(PooledMetric):
    """The share of the samples of other classes that are predicted as the positive one; less is better."""

    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    is_extreme_at_corners: ClassVar[bool] = True
    ignores_other_classes: ClassVar[bool] = True
    direction: ClassVar[Direction] = "minimize"
    name: ClassVar[str] = "false_positive_rate"
    is_binary: ClassVar[bool] = True
    has_outcomes: ClassVar[bool] = True
    proportion: ClassVar[Proportion] = "false_positive_rate"

    def form(self, support: npt.NDArray[np.float64]) -> Form:
        """Return the form for compiled code."""
        mine = self.chosen(support)
        return Form(
            "ratio_of_sums",
            rises=(False, True),
            numerator=mine[:, None] * np.array([-1.0, 1.0, 0.0]),
            denominator=((1 - mine) * support)[:, None] * np.eye(3)[2],
        )

    def terms(self, hits: Array, predicted: Array, support: Array, chosen: Array) -> tuple[Array, ...]:
        """Return the false positives, and the samples that could be."""
        return chosen * (predicted - hits), (1 - chosen) * support + 0 * hits

    def pool(self, pooled: tuple[Array, ...], n_classes: int) -> Array:
        """Return the ratio of the two sums."""
        return safe_ratio(*pooled)

    def outcomes(self, truth: Array, decisions: Array) -> tuple[Array, Array]:
        """Return the samples of other classes, and those predicted as the positive one."""
        return truth != self.label, decisions == self.label
