"""The imbalance of decisions, as one signed number."""

import math
from dataclasses import dataclass
from typing import ClassVar

from skimbalance._core.array_api import namespace, only
from skimbalance._core.typing import Array
from skimbalance.metrics._recall import BalancedAccuracy
from skimbalance.metrics.base import Direction, LinearMetric

__all__ = ["ImbalanceDegree", "prevalence", "require_imbalance"]

_EQUAL = 1e-12
"""Log priors that differ by no more are equal."""


@dataclass(frozen=True, kw_only=True)
class ImbalanceDegree(LinearMetric):
    """The net flow of decisions towards the majority classes; best at zero.

    `sum_k (q_k - 1/K) log pi_k / (max_k log pi_k - mean_k log pi_k)`, with `pi` the class prior and `q` the mean
    over classes of how the samples of each are predicted.
    """

    direction: ClassVar[Direction] = "zero"
    needs_confusion: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (-math.inf, 1.0)  # no less than 1 - K for K classes
    name: ClassVar[str] = "imbalance_degree"

    def check_support(self, support: Array) -> None:
        """Raise if all classes are equally frequent."""
        require_imbalance(support)

    def utilities(self, support: Array) -> Array:
        """Return `(log pi_k - mean log pi) / ((max log pi - mean log pi) K support_c)`; zero where undefined."""
        each, worth = BalancedAccuracy().utilities(support), prevalence(support)
        span = float(namespace(support).max(worth))
        return each[:, None] * worth[None, :] / (span if span > _EQUAL else math.inf)


def require_imbalance(support: Array) -> None:
    """Raise if all classes are equally frequent."""
    if float(namespace(support).max(prevalence(support))) <= _EQUAL:
        raise ValueError("imbalance_degree is undefined where all classes are equally frequent")


def prevalence(support: Array) -> Array:
    """Return the log prior of each class that has samples, above the mean of all; zero for the others."""
    xp, occurring = namespace(support), support > 0
    log_prior = xp.log(only(support, occurring, otherwise=1.0))
    mean = xp.sum(log_prior) / xp.sum(xp.astype(occurring, xp.float64))
    return only(log_prior - mean, occurring)
