"""What all offset classifiers share: decisions by the shifted scores of another classifier."""

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import Tags, assert_all_finite, column_or_1d, get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from skimbalance._array_api import to_numpy
from skimbalance._response import respond
from skimbalance._sklearn import (
    HasMethods,
)
from skimbalance._typing import Array, ArrayLike
from skimbalance._validation import check_scores
from skimbalance.decision import decide, log_softmax, shifted, softmax
from skimbalance.scores import log_scores

__all__ = ["OffsetClassifier", "check_targets"]


class OffsetClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """What both classifiers share: `argmax(log-scores of estimator_ + offsets_)`, and all that agrees with it."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [HasMethods(["fit", "predict_proba"]), HasMethods(["fit", "decision_function"])],
    }
    response_method: str = "auto"

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Predict the class whose shifted score is highest.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples, as the wrapped classifier takes them.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        codes = to_numpy(decide(self._columns(X), self.offsets_))
        labels: npt.NDArray[Any] = self.classes_[codes]
        return labels

    def decision_function(self, X: Any) -> Array:
        """Return the shifted log-scores, or for two classes their difference.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples, as the wrapped classifier takes them.

        Returns
        -------
        ndarray of shape (n_samples, K), or (n_samples,) for two classes
            The prediction is the argmax, or for two classes ``classes_[1]`` where it is positive.
        """
        columns = shifted(self._columns(X), self.offsets_)
        return columns if columns.shape[1] > 2 else columns[:, 1] - columns[:, 0]

    def predict_proba(self, X: Any) -> Array:
        """Return the softmax of the shifted log-scores: proportional to the probability times ``exp(offsets_)``.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples, as the wrapped classifier takes them.

        Returns
        -------
        ndarray of shape (n_samples, K)
            Probabilities whose argmax is the prediction.
        """
        return softmax(shifted(self._columns(X), self.offsets_))

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of :meth:`predict_proba`.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples, as the wrapped classifier takes them.

        Returns
        -------
        ndarray of shape (n_samples, K)
            Log-probabilities.
        """
        return log_softmax(shifted(self._columns(X), self.offsets_))

    def _columns(self, X: Any) -> Array:
        check_is_fitted(self)
        scores, kind = respond(self.estimator_, X, response_method=self.response_method)
        return log_scores(check_scores(scores, kind=kind, n_classes=len(self.classes_)), kind=kind)

    def _adopt(self, estimator: Any) -> None:
        """Take over the fitted `estimator` and what it knows of its input."""
        self.estimator_ = estimator
        self.classes_ = to_numpy(estimator.classes_)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(estimator, name):
                setattr(self, name, getattr(estimator, name))

    def __sklearn_tags__(self) -> Tags:
        """Take the tags of the wrapped classifier."""
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags.sparse = inner.input_tags.sparse
        tags.input_tags.pairwise = inner.input_tags.pairwise
        tags.input_tags.positive_only = inner.input_tags.positive_only
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        if inner.classifier_tags is not None:
            tags.classifier_tags.multi_class = inner.classifier_tags.multi_class
        return tags


def check_targets(y: ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the labels as a vector, and the sorted distinct ones, at least two."""
    if (numbers := np.asarray(y)).dtype.kind == "f":
        assert_all_finite(numbers, input_name="y")
    check_classification_targets(y)
    labels = column_or_1d(y, warn=True)
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(f"y must hold at least two classes; got one class, {classes.tolist()!r}")
    return labels, classes
