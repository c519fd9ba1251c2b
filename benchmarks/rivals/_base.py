"""What every rival offers the benchmarks: fitted on probabilities and labels, it says how to decide."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Codes", "Decide", "Fitted", "Proba", "Promise", "Rival", "log_columns", "two_columns"]

Proba = npt.NDArray[np.floating]
"""(n, K), or (n,) for two classes: the probability of class 1."""

Codes = npt.NDArray[np.int64]
"""(n,) classes, 0 to K - 1."""

Decide = Callable[[Proba], Codes]


class Promise(NamedTuple):
    """What a method says it will score on new rows: an estimate and an interval."""

    score: float
    low: float
    high: float


class Fitted(NamedTuple):
    """How to decide from probabilities, what a reader of the table should know about the fit, what it promises."""

    decide: Decide
    note: str = ""
    promise: Promise | None = None


class Rival(ABC):
    """One way to tune decisions; the library it comes from is imported by `fit`, not before."""

    name: ClassVar[str]
    distribution: ClassVar[str]

    def version(self) -> str | None:
        """Return the installed version of the library, None where there is none."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return None

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Return why `fit` is not even tried on such a problem, None where it is."""
        return None

    @abstractmethod
    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune on these rows for `objective`, one of `OBJECTIVES` that `refusal` has nothing against."""


def two_columns(proba: Proba) -> Proba:
    """Return the probabilities as (n, K)."""
    return np.column_stack([1 - proba, proba]) if proba.ndim == 1 else proba


def log_columns(proba: Proba) -> Proba:
    """Return their logarithms as (n, K), zeros lifted to the smallest normal number."""
    return np.log(two_columns(proba).clip(np.finfo(proba.dtype).tiny))
