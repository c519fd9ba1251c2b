"""What a user asks for besides the objective, as frozen values."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from skimbalance._array_api import namespace
from skimbalance._typing import Array, Label
from skimbalance.metrics._base import Metric
from skimbalance.metrics._counts import Counts

__all__ = ["AtLeast", "AtMost", "Constraint", "Near", "Requirement"]

_ROUNDING = 1e-12
"""A bound missed by no more is met."""


@dataclass(frozen=True)
class Requirement:
    """A metric between two bounds, as a solver sees it."""

    metric: Metric
    low: float = -math.inf
    high: float = math.inf

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

    def tightened(self, below: float, above: float) -> "Requirement":
        """Return the requirement with so much to spare at either bound, as far as these leave room."""
        room = self.high - self.low
        share = min(1.0, room / (below + above)) if below + above > 0 else 1.0
        return replace(self, low=self.low + share * below, high=self.high - share * above)

    def restricted(self, kept: Sequence[int]) -> "Requirement":
        """Return the requirement for the classes `kept` alone, by their codes."""
        return replace(self, metric=self.metric.restricted(kept))


@dataclass(frozen=True)
class Constraint(ABC):
    """A bound on a metric of the decisions.

    Parameters
    ----------
    metric : str or metric
        A name from :func:`skimbalance.metrics.get_metric_names`, or a metric object.
    value : float
        The bound.
    label : label, default=None
        Takes ``"recall"``, ``"precision"`` or another metric of one class for this class, whatever `pos_label` is
        and however many classes there are.
    confidence : float in (0, 1), default=None
        With which probability the bound is to hold on as many new rows. None asks for it in expectation, so that it
        holds about every other time.
    """

    metric: str | Metric
    value: float
    label: Label = None
    confidence: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.metric, str | Metric):
            raise TypeError(f"metric must be a name or a metric; got {self.metric!r}")
        if not _is_number(self.value):
            raise ValueError(f"value must be a finite number; got {self.value!r}")
        if self.confidence is not None and not (_is_number(self.confidence) and 0 < self.confidence < 1):
            raise ValueError(f"confidence must lie between 0 and 1; got {self.confidence!r}")

    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """Return the least and the greatest value allowed."""

    def __str__(self) -> str:
        low, high = self.bounds()
        name = self.metric if isinstance(self.metric, str) else self.metric.name
        of = "" if self.label is None else f" of {self.label!r}"
        if math.isinf(high):
            return f"{name}{of} at least {self.value:g}"
        return f"{name}{of} at most {self.value:g}" if math.isinf(low) else f"{name}{of} from {low:g} to {high:g}"


@dataclass(frozen=True)
class AtLeast(Constraint):
    """The metric is to be `value` or more: a floor.

    See `Constraint`.
    """

    def bounds(self) -> tuple[float, float]:
        """Return `value` and infinity."""
        return self.value, math.inf


@dataclass(frozen=True)
class AtMost(Constraint):
    """The metric is to be `value` or less: a ceiling."""

    def bounds(self) -> tuple[float, float]:
        """Return minus infinity and `value`."""
        return -math.inf, self.value


@dataclass(frozen=True)
class Near(Constraint):
    """The metric is to be within `tol` of `value`."""

    tol: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (_is_number(self.tol) and self.tol >= 0):
            raise ValueError(f"tol must not be negative; got {self.tol!r}")

    def bounds(self) -> tuple[float, float]:
        """Return `value - tol` and `value + tol`."""
        return self.value - self.tol, self.value + self.tol


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except TypeError:
        return False
