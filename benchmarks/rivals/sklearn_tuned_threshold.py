"""scikit-learn's TunedThresholdClassifierCV over scores that are there already."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from rivals._base import Codes, Fitted, Proba, Rival, two_columns

__all__ = ["SklearnTunedThreshold"]


class _StoredScores(ClassifierMixin, BaseEstimator):
    """A classifier whose one feature is the probability of class 1."""

    def fit(self, X: Any, y: Any) -> Self:
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: Any) -> Proba:
        return two_columns(X[:, 0])


class SklearnTunedThreshold(Rival):
    """A grid of 100 thresholds, its default, with ``cv="prefit"``: nothing is fitted but the threshold."""

    name = "sklearn TunedThresholdClassifierCV"
    distribution = "scikit-learn"

    def refusal(self, proba: Proba) -> str | None:
        """Keep away from more than two classes."""
        return None if proba.ndim == 1 else "two classes only"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune the threshold; the names of objectives are scikit-learn's own."""
        from sklearn.model_selection import TunedThresholdClassifierCV

        model = _StoredScores().fit(None, None)
        tuned = TunedThresholdClassifierCV(model, scoring=objective, cv="prefit", refit=False).fit(proba[:, None], y)
        return Fitted(lambda new: tuned.predict(new[:, None]))
