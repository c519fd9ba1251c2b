"""Metrics of agreement over all classes: accuracy, Matthews' correlation, Cohen's kappa."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import namespace
from skimbalance._core.typing import Array
from skimbalance.metrics.base import Form, LinearMetric, PooledMetric, safe_ratio

__all__ = ["Accuracy", "Agreement", "CohenKappa", "MatthewsCorrelation"]

_ROUNDING = 1e-14
"""Relative differences of squared totals below this are rounding errors: others are at least 2 / n."""


@dataclass(frozen=True, kw_only=True)
class Accuracy(LinearMetric):
    """The proportion of correct decisions."""

    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    name: ClassVar[str] = "accuracy"
    has_outcomes: ClassVar[bool] = True

    def utilities(self, support: Array) -> Array:
        """Return `1 / n`."""
        xp = namespace(support)
        return xp.ones_like(support) / xp.sum(support)

    def outcomes(self, truth: Array, decisions: Array) -> tuple[Array, Array]:
        """Return all samples, and the correct ones."""
        correct = truth == decisions
        return namespace(truth).ones_like(correct), correct


@dataclass(frozen=True, kw_only=True)
class Agreement(PooledMetric):
    """Functions of the number correct `c`, the chance agreement `sum_k p_k s_k`, and the squares of `p` and `s`."""

    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    is_extreme_at_corners: ClassVar[bool] = True

    def terms(self, hits: Array, predicted: Array, support: Array, chosen: Array) -> tuple[Array, ...]:
        """Return `c_k`, `p_k s_k`, `p_k^2`, `s_k^2` and `s_k`."""
        steady = 0 * hits
        return hits, predicted * support, predicted * predicted, support * support + steady, support + steady


@dataclass(frozen=True, kw_only=True)
class MatthewsCorrelation(Agreement):
    """`(c n - sum p s) / sqrt((n^2 - sum p^2)(n^2 - sum s^2))` with `c` of `n` samples correct; zero if undefined."""

    name: ClassVar[str] = "matthews_corrcoef"

    def form(self, support: npt.NDArray[np.float64]) -> Form:
        """Return the form for compiled code."""
        return Form("matthews")

    def pool(self, pooled: tuple[Array, ...], n_classes: int) -> Array:
        """Return the correlation."""
        hits, chance, predicted_squares, support_squares, total = pooled
        xp, square = namespace(hits), total * total
        first, second = square - predicted_squares, square - support_squares
        # With all samples in one class a spread is zero up to rounding.
        defined = xp.astype((first > _ROUNDING * square) & (second > _ROUNDING * square), total.dtype)
        scale = xp.sqrt(defined * first) * xp.sqrt(defined * second)
        return safe_ratio(defined * (hits * total - chance), scale)


@dataclass(frozen=True, kw_only=True)
class CohenKappa(Agreement):
    """`(c n - sum p s) / (n^2 - sum p s)` with `c` of `n` samples correct; zero if undefined."""

    name: ClassVar[str] = "cohen_kappa"

    def form(self, support: npt.NDArray[np.float64]) -> Form:
        """Return the form for compiled code."""
        return Form("kappa")

    def pool(self, pooled: tuple[Array, ...], n_classes: int) -> Array:
        """Return the kappa."""
        hits, chance, _, _, total = pooled
        square = total * total
        defined = namespace(hits).astype(square - chance > _ROUNDING * square, hits.dtype)
        return safe_ratio(defined * (hits * total - chance), defined * (square - chance))
