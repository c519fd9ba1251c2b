"""optimal-classification-cutoffs: sort and scan for binary problems, two methods for multiclass ones."""

from collections.abc import Callable

import numpy as np

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba

__all__ = ["OptimalCutoffs", "OptimalCutoffsAscent"]

_MOST_CELLS = 5e9
"""A sweep of its coordinate ascent makes three times n K^2 comparisons; with more, it takes minutes."""


class OptimalCutoffs(Baseline):
    """`get_optimal_threshold` with its defaults: for multiclass problems, each class against the rest.

    It offers F1. For binary problems it accepts any function of the four counts, which it calls for every threshold.
    For multiclass problems it averages metrics of one class against the rest; of our objectives only macro-F1 is one.
    """

    name = "optimal_cutoffs, auto"
    distribution = "optimal-classification-cutoffs"
    method = "auto"

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Return why multiclass metrics that are no average over the classes are not tried."""
        if proba.ndim == 1 or objective == "f1_macro":
            return None
        return "for multiclass problems macro-F1 only"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune thresholds; its `"f1"` is binary or macro by the shape of the probabilities."""
        from optimal_cutoffs import get_optimal_threshold, register_metric

        metric = "f1"
        if proba.ndim == 1 and objective != "f1":
            metric = f"benchmark_{objective}"
            register_metric(metric, _OF_COUNTS[objective])
        result = get_optimal_threshold(y, proba, metric=metric, method=self.method)
        return Fitted(lambda new: np.asarray(result.predict(new)))


class OptimalCutoffsAscent(OptimalCutoffs):
    """Its coordinate ascent for macro-F1, for multiclass problems."""

    name = "optimal_cutoffs, coord_ascent"
    method = "coord_ascent"

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Return why binary problems, where it equals `auto`, and problems with slow sweeps are not tried."""
        if proba.ndim == 1:
            return "same as auto for binary problems"
        if objective != "f1_macro":
            return "macro-F1 only"
        cells = proba.shape[0] * proba.shape[1] ** 2
        return f"too slow: one sweep makes 3 x {cells:.0e} comparisons" if cells > _MOST_CELLS else None


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0


def _f1_macro(tp: float, tn: float, fp: float, fn: float) -> float:
    return (_ratio(2 * tp, 2 * tp + fp + fn) + _ratio(2 * tn, 2 * tn + fp + fn)) / 2


def _geometric_mean(tp: float, tn: float, fp: float, fn: float) -> float:
    return (_ratio(tp, tp + fn) * _ratio(tn, tn + fp)) ** 0.5


def _balanced_accuracy(tp: float, tn: float, fp: float, fn: float) -> float:
    return (_ratio(tp, tp + fn) + _ratio(tn, tn + fp)) / 2


def _matthews_corrcoef(tp: float, tn: float, fp: float, fn: float) -> float:
    return _ratio(tp * tn - fp * fn, ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)) ** 0.5)


_OF_COUNTS: dict[str, Callable[[float, float, float, float], float]] = {
    "f1_macro": _f1_macro,
    "geometric_mean": _geometric_mean,
    "balanced_accuracy": _balanced_accuracy,
    "matthews_corrcoef": _matthews_corrcoef,
}
