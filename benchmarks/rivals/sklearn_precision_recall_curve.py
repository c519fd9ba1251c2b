"""scikit-learn's precision_recall_curve and an argmax: the recipe that most code for binary F1 follows."""

import numpy as np

from rivals._base import Codes, Fitted, Proba, Rival

__all__ = ["SklearnPrecisionRecallCurve"]


class SklearnPrecisionRecallCurve(Rival):
    """The threshold on the curve where F1 is highest."""

    name = "sklearn precision_recall_curve"
    distribution = "scikit-learn"

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Keep away from more than two classes, and from all but F1."""
        if proba.ndim == 2:
            return "two classes only"
        return None if objective == "f1" else "f1 of class 1 only"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune the threshold for the F1 of class 1."""
        from sklearn.metrics import precision_recall_curve

        precision, recall, thresholds = precision_recall_curve(y, proba)
        f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
        threshold = thresholds[f1[:-1].argmax()]
        return Fitted(lambda new: (new >= threshold).astype(np.int64))
