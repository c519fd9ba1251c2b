"""scikit-learn's TunedThresholdClassifierCV over scores that are there already."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from rivals._base import Codes, Fitted, Proba, Rival, two_columns
from rivals._metrics import value_of

__all__ = ["SklearnTunedThreshold", "StoredScores"]


class StoredScores(ClassifierMixin, BaseEstimator):
    """A classifier whose one feature is the probability of class 1."""

    def fit(self, X: Any, y: Any) -> Self:
        """Know the classes."""
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: Any) -> Proba:
        """Return the feature, and what is left to one."""
        return two_columns(X[:, 0])


class SklearnTunedThreshold(Rival):
    """A grid of 100 thresholds, its default, with `cv="prefit"`: nothing is fitted but the threshold."""

    name = "sklearn TunedThresholdClassifierCV"
    distribution = "scikit-learn"

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Keep away from more than two classes."""
        return None if proba.ndim == 1 else "two classes only"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune the threshold; the names of objectives are scikit-learn's own."""
        from sklearn.model_selection import TunedThresholdClassifierCV

        model = StoredScores().fit(None, None)
        scoring = _geometric_mean_scorer() if objective == "geometric_mean" else objective
        tuned = TunedThresholdClassifierCV(model, scoring=scoring, cv="prefit", refit=False).fit(proba[:, None], y)
        return Fitted(lambda new: tuned.predict(new[:, None]))


def _geometric_mean_scorer() -> Any:
    """Return a scorer for the one objective that scikit-learn has none for."""
    from sklearn.metrics import make_scorer

    return make_scorer(lambda y, decisions: value_of("geometric_mean", y, decisions, n_classes=2))
