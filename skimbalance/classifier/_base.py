"""Base class of offset classifiers, and their checks of targets and fit parameters."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Tags, assert_all_finite, column_or_1d, get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skimbalance._core.array_api import on_host, to_numpy
from skimbalance._core.decision_rule import DecisionRule, rule_of
from skimbalance._core.sklearn import HasMethods, take_rows
from skimbalance._core.typing import Array, ArrayLike, Kind
from skimbalance._core.validation import abridged, check_present, check_sample_weight
from skimbalance.classifier.response import Response, ask, respond, respond_labels
from skimbalance.exceptions import SkimbalanceWarning, warn_user
from skimbalance.nn import ends_in_net, targets_for

__all__ = [
    "OffsetClassifier",
    "check_targets",
    "classes_by_columns",
    "classes_for",
    "fit_parameters",
    "fitted",
    "require_known",
    "response_of",
]


class OffsetClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Base class: decisions by the decision rule on the scores of `estimator_`."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [HasMethods(["fit", "predict_proba"]), HasMethods(["fit", "decision_function"])],
    }
    __metadata_request__fit: ClassVar[dict[str, Any]] = {"sample_weight": True}
    _takes_several: ClassVar[bool] = False
    response_method: str = "auto"
    tuner_: Any
    offsets_: Array

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Predict the class with the highest shifted score, or each label whose shifted log-odds are positive.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples, as the wrapped classifier takes them.

        Returns
        -------
        ndarray of shape (n_samples,), or (n_samples, K) for multilabel targets
            Labels, or the indicator of the predicted labels.
        """
        rule, scores = self._rule_and_scores(X)
        labels: npt.NDArray[Any] = rule.to_labels(to_numpy(rule.decide(scores)), self.classes_)
        return labels

    def decision_function(self, X: Any) -> Array:
        """Return the shifted log-scores.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples, as the wrapped classifier takes them.

        Returns
        -------
        ndarray of shape (n_samples, K), or (n_samples,) in the binary case
            - Binary: the difference of the two shifted log-scores, positive where ``classes_[1]`` is predicted. It is
              never zero: at a tie it is the smallest positive difference beyond rounding.
            - Multiclass: the shifted log-scores. Their argmax is predicted.
            - Multilabel: the shifted log-odds, positive for the predicted labels.
        """
        rule, scores = self._rule_and_scores(X)
        return rule.margins(scores)

    def predict_proba(self, X: Any) -> Array:
        """Return the softmax of the shifted log-scores: proportional to the probability times ``exp(offsets_)``.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples, as the wrapped classifier takes them.

        Returns
        -------
        ndarray of shape (n_samples, K)
            Probabilities. Their argmax is the prediction, except where the largest two differ by rounding only. For
            multilabel targets each is the probability of a label, above one half where the label is predicted.
        """
        rule, scores = self._rule_and_scores(X)
        return rule.proba(scores)

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
        rule, scores = self._rule_and_scores(X)
        return rule.log_proba(scores)

    def _rule_and_scores(self, X: Any) -> tuple[DecisionRule, Array]:
        """Return the decision rule, and the checked scores of the wrapped classifier."""
        check_is_fitted(self)
        response = response_of(self, X)
        rule = self._rule(response.kind)
        return rule, rule.check(response.scores, response.classes)

    def _rule(self, kind: Kind) -> DecisionRule:
        """Return the decision rule for scores of this kind."""
        return rule_of(self, kind=kind)

    def _adopt(self, estimator: Any, classes: npt.NDArray[Any], *, multilabel: bool = False) -> None:
        """Store the fitted `estimator`, its classes and the names of its features."""
        self.estimator_ = estimator
        self.multilabel_ = multilabel
        self.classes_ = np.arange(len(classes)) if multilabel else classes
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
        tags.no_validation = inner.no_validation
        if inner.classifier_tags is not None:
            tags.classifier_tags.multi_class = inner.classifier_tags.multi_class
            tags.classifier_tags.poor_score = inner.classifier_tags.poor_score
            tags.classifier_tags.multi_label = self._takes_several and inner.classifier_tags.multi_label
            tags.target_tags.multi_output = tags.classifier_tags.multi_label
        return tags


def response_of(classifier: Any, X: Any) -> Response:
    """Return the scores of the model within a fitted classifier."""
    classes = getattr(classifier, "tuner_", classifier).classes_  # for multilabel targets the tuner has the names
    ask_for = respond_labels if classifier.multilabel_ else respond
    return ask_for(classifier.estimator_, X, response_method=classifier.response_method, classes=classes)


def check_targets(
    y: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.float64] | None]:
    """Return the labels, the sorted distinct labels and the weights; at least two classes must have positive weight."""
    y = on_host(y)
    values = to_numpy(y, name="y")
    if values.ndim > 0:  # scalars and None raise below
        check_present("y", values)
    if values.dtype.kind == "f":
        assert_all_finite(values, input_name="y")
    check_classification_targets(y)
    labels = column_or_1d(y, warn=True)
    weights: npt.NDArray[np.float64] | None = check_sample_weight(sample_weight, like=np.zeros(len(labels)))
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(f"y must hold at least two classes; got one class, {abridged(classes)}")
    if weights is not None and len(np.unique(labels[weights > 0])) < 2:
        raise ValueError("y must hold at least two classes of positive sample_weight; got one class")
    return labels, classes, weights


def classes_for(estimator: Any, present: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """Return the labels of the columns of an unfitted net, which is trained on column numbers; None for others."""
    return present if ends_in_net(estimator) else None


def fitted(estimator: Any, X: Any, labels: npt.NDArray[Any], classes: npt.NDArray[Any] | None, **params: Any) -> Any:
    """Fit `estimator` on labels, or on their positions in `classes` if given."""
    return estimator.fit(
        X, labels if classes is None else targets_for(estimator, classes.searchsorted(labels)), **params
    )


def fit_parameters(
    estimator: Any, params: Mapping[str, Any], sample_weight: ArrayLike | None, *, weighs: str
) -> dict[str, Any]:
    """Return the parameters for the `fit` of `estimator`; warn if it takes no weights. Metadata routing is off."""
    passed = dict(params)
    if sample_weight is None or isinstance(estimator, FrozenEstimator):
        return passed
    if has_fit_parameter(estimator, "sample_weight"):
        return {**passed, "sample_weight": on_host(sample_weight)}
    warn_user(
        f"{type(estimator).__name__}.fit takes no sample_weight: the weights reach {weighs} alone. Enable metadata "
        "routing, or pass the weights by the name of the step that takes them",
        SkimbalanceWarning,
    )
    return passed


def classes_by_columns(
    estimator: Any, X: Any, present: npt.NDArray[Any], *, response_method: str
) -> npt.NDArray[Any] | None:
    """Return the labels of the columns of a fitted net without `classes_`; None for other estimators.

    These are the labels `present` in `y` if there is one for each column, otherwise 0, ..., K - 1.
    """
    if not ends_in_net(estimator) or hasattr(estimator, "classes_"):
        return None
    outputs = ask(estimator, take_rows(X, [0]), response_method)[1]
    n_classes = 2 if outputs.ndim == 1 else max(2, outputs.shape[1])
    if len(present) == n_classes:
        return present
    if present.dtype.kind in "iuf" and np.isin(present, np.arange(n_classes)).all():
        return np.arange(n_classes, dtype=present.dtype)
    raise ValueError(
        f"y must hold a label for each of the {n_classes} outputs of a net without classes_, or the numbers of outputs "
        f"from 0 to {n_classes - 1}; got {abridged(present)}"
    )


def require_known(classes: npt.NDArray[Any], estimator: Any) -> npt.NDArray[Any]:
    """Return the `classes_` of the fitted `estimator`; raise if `y` has others."""
    known = to_numpy(estimator.classes_)
    names = set(known.tolist())
    unknown = classes[[label not in names for label in classes.tolist()]]
    if unknown.size:
        raise ValueError(
            f"y holds {abridged(unknown)}, which is not among the classes of the fitted estimator, {abridged(known)}"
        )
    return known
