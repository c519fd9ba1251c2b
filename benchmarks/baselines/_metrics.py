"""The five metrics of the leaderboard, from class counts: a fast objective function for the baselines."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

__all__ = ["OBJECTIVES", "value_of", "value_of_counts"]

Vector = npt.NDArray[np.float64]

_ROUNDING = 1e-12


def _f1_each(hits: Vector, support: Vector, predicted: Vector) -> Vector:
    """Return the F1 of each class that has samples or is predicted."""
    total = support + predicted
    return 2 * hits[total > 0] / total[total > 0]


def _f1(hits: Vector, support: Vector, predicted: Vector) -> float:
    total = support[1] + predicted[1]
    return 2 * hits[1] / total if total > 0 else 0.0


def _f1_macro(hits: Vector, support: Vector, predicted: Vector) -> float:
    return _f1_each(hits, support, predicted).mean()


def _recalls(hits: Vector, support: Vector) -> Vector:
    return hits[support > 0] / support[support > 0]


def _geometric_mean(hits: Vector, support: Vector, _: Vector) -> float:
    recalls = _recalls(hits, support)
    return np.exp(np.log(recalls).mean()) if recalls.all() else 0.0


def _balanced_accuracy(hits: Vector, support: Vector, _: Vector) -> float:
    return _recalls(hits, support).mean()


def _matthews_corrcoef(hits: Vector, support: Vector, predicted: Vector) -> float:
    """Return Gorodkin's R_K; zero if all samples have one class, or are predicted as one."""
    shares, support, predicted = hits / support.sum(), support / support.sum(), predicted / support.sum()
    spread, spread_predicted = 1 - support @ support, 1 - predicted @ predicted
    if min(spread, spread_predicted) < _ROUNDING:
        return 0.0
    return (shares.sum() - support @ predicted) / np.sqrt(spread * spread_predicted)


_BY_COUNTS: dict[str, Callable[[Vector, Vector, Vector], float]] = {
    "f1": _f1,
    "f1_macro": _f1_macro,
    "geometric_mean": _geometric_mean,
    "balanced_accuracy": _balanced_accuracy,
    "matthews_corrcoef": _matthews_corrcoef,
}

OBJECTIVES = tuple(_BY_COUNTS)
"""`f1` is that of class 1; `geometric_mean` is that of the recalls."""


def value_of(
    objective: str,
    y: npt.NDArray[np.int64],
    decisions: npt.NDArray[np.int64],
    *,
    n_classes: int,
    weight: Vector | None = None,
) -> float:
    """Return the metric of weighted samples; averages skip the same classes as scikit-learn."""
    hit = y == decisions
    hits = np.bincount(y[hit], weights=None if weight is None else weight[hit], minlength=n_classes)
    support = np.bincount(y, weights=weight, minlength=n_classes)
    predicted = np.bincount(decisions, weights=weight, minlength=n_classes)
    return value_of_counts(objective, hits, support, predicted)


def value_of_counts(objective: str, hits: Vector, support: Vector, predicted: Vector) -> float:
    """Return the metric of counts or expected counts: hits, samples and predictions of each class."""
    return float(_BY_COUNTS[objective](hits, support, predicted))
