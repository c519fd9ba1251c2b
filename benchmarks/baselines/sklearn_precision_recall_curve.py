"""The maximum of F1 on scikit-learn's precision_recall_curve: the usual recipe for binary F1."""

import numpy as np

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba

__all__ = ["SklearnPrecisionRecallCurve"]


class SklearnPrecisionRecallCurve(Baseline):
    """The threshold with the highest F1 on the curve."""

    name = "sklearn precision_recall_curve"
    distribution = "scikit-learn"

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Return why multiclass problems and other metrics are not tried."""
        if proba.ndim == 2:
            return "binary only"
        return None if objective == "f1" else "f1 of class 1 only"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune the threshold for the F1 of class 1."""
        from sklearn.metrics import precision_recall_curve

        precision, recall, thresholds = precision_recall_curve(y, proba)
        f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
        threshold = thresholds[f1[:-1].argmax()]
        return Fitted(lambda new: (new >= threshold).astype(np.int64))
