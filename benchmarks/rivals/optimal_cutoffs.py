"""optimal-classification-cutoffs: sort and scan for two classes, two methods for more."""

from collections.abc import Callable

import numpy as np

from rivals._base import Codes, Fitted, Proba, Rival

__all__ = ["OptimalCutoffs", "OptimalCutoffsAscent"]

_MOST_CELLS = 5e9
"""A sweep of the coordinate ascent recomputes every rival class: n K^2 comparisons, thrice."""


class OptimalCutoffs(Rival):
    """`get_optimal_threshold` as it comes: for more than two classes, each class against the rest.

    It knows F1. For two classes its registry takes any function of the four counts, which the scan then calls for
    every threshold. For more, its averages are of metrics of one class against the rest; F1 alone among ours is one.
    """

    name = "optimal_cutoffs, auto"
    distribution = "optimal-classification-cutoffs"
    method = "auto"

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Keep away from metrics that couple the classes, where there are several."""
        if proba.ndim == 1 or objective == "f1_macro":
            return None
        return "averages one-against-rest metrics over several classes; of the objectives macro-F1 alone is such"

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
    """Its coordinate ascent over macro-F1, for more than two classes."""

    name = "optimal_cutoffs, coord_ascent"
    method = "coord_ascent"

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Keep away from two classes, where it is `auto`, and from problems whose sweeps take minutes."""
        if proba.ndim == 1:
            return "same as auto for two classes"
        if objective != "f1_macro":
            return "macro-F1 only"
        cells = proba.shape[0] * proba.shape[1] ** 2
        return f"hopeless: one sweep makes 3 x {cells:.0e} comparisons" if cells > _MOST_CELLS else None


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
