"""scikit-learn's TunedThresholdClassifierCV on stored scores."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba, two_columns
from benchmarks.baselines._metrics import value_of

__all__ = ["SklearnTunedThreshold", "StoredScores"]


class StoredScores(ClassifierMixin, BaseEstimator):
    """A classifier whose one feature is the probability of class 1."""

    def fit(self, X: Any, y: Any) -> Self:
        """Set the classes."""
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: Any) -> Proba:
        """Return one minus the feature, and the feature."""
        return two_columns(X[:, 0])


class SklearnTunedThreshold(Baseline):
    """Its default grid of 100 thresholds, with `cv="prefit"`: only the threshold is fitted."""

    name = "sklearn TunedThresholdClassifierCV"
    distribution = "scikit-learn"

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Return why multiclass problems are not tried."""
        return None if proba.ndim == 1 else "binary only"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune the threshold; scikit-learn uses the same names of objectives."""
        from sklearn.model_selection import TunedThresholdClassifierCV

        model = StoredScores().fit(None, None)
        scoring = _geometric_mean_scorer() if objective == "geometric_mean" else objective
        tuned = TunedThresholdClassifierCV(model, scoring=scoring, cv="prefit", refit=False).fit(proba[:, None], y)
        return Fitted(lambda new: tuned.predict(new[:, None]))


def _geometric_mean_scorer() -> Any:
    """Return a scorer for the objective that scikit-learn does not name."""
    from sklearn.metrics import make_scorer

    return make_scorer(lambda y, decisions: value_of("geometric_mean", y, decisions, n_classes=2))
