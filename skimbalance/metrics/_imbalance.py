"""The imbalance of decisions, as one signed number."""

from dataclasses import dataclass
from typing import ClassVar

from skimbalance._array_api import namespace
from skimbalance._typing import Array
from skimbalance.metrics._base import Direction, LinearMetric, safe_ratio

__all__ = ["ImbalanceDegree"]


@dataclass(frozen=True, kw_only=True)
class ImbalanceDegree(LinearMetric):
    """The net flow of decisions towards the frequent classes; best at zero.

    `sum_k (q_k - 1/K) log pi_k / (max_k log pi_k - mean_k log pi_k)`, with `pi` the class prior and `q` the mean
    over classes of how the rows of each are predicted.
    """

    direction: ClassVar[Direction] = "zero"
    needs_confusion: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """The name that messages use."""
        return "imbalance_degree"

    def utilities(self, support: Array) -> Array:
        """Return `(log pi_k - mean log pi) / ((max log pi - mean log pi) K support_c)`."""
        xp = namespace(support)
        occurring = support > 0
        n_occurring = xp.sum(xp.astype(occurring, xp.float64))
        log_prior = xp.log(xp.where(occurring, support, xp.ones_like(support)))
        mean = xp.sum(xp.where(occurring, log_prior, 0 * log_prior)) / n_occurring
        worth = xp.where(occurring, log_prior - mean, 0 * log_prior)
        span = float(xp.max(worth))
        if span <= 1e-12:
            raise ValueError("imbalance_degree is undefined where all classes are equally frequent")
        each = safe_ratio(xp.astype(occurring, xp.float64), support) / n_occurring
        return each[:, None] * worth[None, :] / span
