"""What every rival offers the benchmarks: fitted on probabilities and labels, it says how to decide."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Decide", "Fitted", "Rival", "two_columns", "value_of"]

Proba = npt.NDArray[np.floating]
"""(n, K), or (n,) for two classes: the probability of class 1."""

Codes = npt.NDArray[np.int64]
"""(n,) classes, 0 to K - 1."""

Decide = Callable[[Proba], Codes]


class Fitted(NamedTuple):
    """How to decide from probabilities, and what a reader of the table should know about the fit."""

    decide: Decide
    note: str = ""


class Rival(ABC):
    """One way of another library to tune decisions; the library is imported by `fit`, not before."""

    name: ClassVar[str]
    distribution: ClassVar[str]

    def version(self) -> str | None:
        """Return the installed version of the library, None where there is none."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return None

    def refusal(self, proba: Proba) -> str | None:
        """Return why `fit` is not even tried on such a problem, None where it is."""
        return None

    @abstractmethod
    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune on these rows for `objective`, which is ``"f1"`` (of class 1) or ``"f1_macro"``."""


def two_columns(proba: Proba) -> Proba:
    """Return the probabilities as (n, K)."""
    return np.column_stack([1 - proba, proba]) if proba.ndim == 1 else proba


def value_of(objective: str, y: Codes, decisions: Codes, *, n_classes: int) -> float:
    """Return F1 of class 1 or macro-F1, by counting: as fast as a rival's objective function can be."""
    hits = np.bincount(y[y == decisions], minlength=n_classes)
    f1 = 2 * hits / (np.bincount(y, minlength=n_classes) + np.bincount(decisions, minlength=n_classes))
    return float(f1[1] if objective == "f1" else f1.mean())
