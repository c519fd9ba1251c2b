"""The interface of a method: it is fitted on probabilities and labels, and returns a function that decides."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Baseline", "Codes", "Decide", "Fitted", "Proba", "ScoreEstimate", "log_columns", "two_columns"]

Proba = npt.NDArray[np.floating]
"""(n, K), or (n,) for binary problems: the probability of class 1."""

Codes = npt.NDArray[np.int64]
"""(n,) classes, 0 to K - 1."""

Decide = Callable[[Proba], Codes]


class ScoreEstimate(NamedTuple):
    """A method's estimate of its score on unseen data, with an interval."""

    score: float
    low: float
    high: float


class Fitted(NamedTuple):
    """A function that decides from probabilities, a note for the table, and the estimated score."""

    decide: Decide
    note: str = ""
    estimate: ScoreEstimate | None = None


class Baseline(ABC):
    """One way to tune decisions; only `fit` imports its library."""

    name: ClassVar[str]
    distribution: ClassVar[str]

    def version(self) -> str | None:
        """Return the installed version of the library, None if it is not installed."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return None

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Return why `fit` is not tried on such a problem, None if it is."""
        return None

    @abstractmethod
    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune on these samples for one of `OBJECTIVES` for which `refusal` returns None."""


def two_columns(proba: Proba) -> Proba:
    """Return the probabilities as (n, K)."""
    return np.column_stack([1 - proba, proba]) if proba.ndim == 1 else proba


def log_columns(proba: Proba) -> Proba:
    """Return their logarithms as (n, K), zeros replaced by the smallest normal number."""
    return np.log(two_columns(proba).clip(np.finfo(proba.dtype).tiny))
