"""Classifiers for libraries that take a classifier: their features are its scores."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from benchmarks.baselines._base import Codes, Proba, two_columns

__all__ = ["StoredDecisions", "StoredScores"]


class _Stored(ClassifierMixin, BaseEstimator):
    """A classifier that is fitted for `n_classes` classes without data."""

    def __init__(self, n_classes: int = 2):
        self.n_classes = n_classes

    def fit(self, X: Any, y: Any) -> Self:
        """Set the classes."""
        self.classes_ = np.arange(self.n_classes)
        return self


class StoredScores(_Stored):
    """Its features are the probabilities of all classes, or that of class 1."""

    def predict_proba(self, X: Any) -> Proba:
        """Return the probabilities (n, K)."""
        return two_columns(X[:, 0]) if X.shape[1] == 1 else X

    def predict(self, X: Any) -> Codes:
        """Return the classes with the highest probabilities."""
        return self.predict_proba(X).argmax(1)


class StoredDecisions(_Stored):
    """Its features are the values of the decision function."""

    def decision_function(self, X: Any) -> Proba:
        """Return them, (n, K) or (n,)."""
        return X[:, 0] if X.shape[1] == 1 else X

    def predict(self, X: Any) -> Codes:
        """Return the classes with the highest values."""
        values = self.decision_function(X)
        return (values > 0).astype(np.int64) if values.ndim == 1 else values.argmax(1)
