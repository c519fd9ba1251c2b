"""Base class of offset classifiers."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Tags, get_tags
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skimbalance._core.array_api import on_host, to_numpy
from skimbalance._core.decision_rule import DecisionRule, rule_of
from skimbalance._core.sklearn import HasMethods, routing_enabled
from skimbalance._core.typing import Array, ArrayLike, Kind
from skimbalance.classifier.response import Response, respond, respond_labels
from skimbalance.exceptions import SkimbalanceWarning, warn_user

__all__ = ["OffsetClassifier", "response_of"]


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
        labels: npt.NDArray[Any] = to_numpy(rule.predict(scores, self.classes_))
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

    def _route(
        self, params: Mapping[str, Any], sample_weight: ArrayLike | None, *, weighs: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the parameters for the `fit` of `estimator`, and those for the `split` of a splitter.

        Without metadata routing, warn if `fit` takes no weights, which then only affect what `weighs` names.
        """
        if routing_enabled():
            given = params if sample_weight is None else {**params, "sample_weight": on_host(sample_weight)}
            routed = process_routing(self, "fit", **given)
            return dict(routed.estimator.fit), dict(routed.get("splitter", {}).get("split", {}))
        if sample_weight is None or isinstance(self.estimator, FrozenEstimator):
            return dict(params), {}
        if has_fit_parameter(self.estimator, "sample_weight"):
            return {**params, "sample_weight": on_host(sample_weight)}, {}
        warn_user(
            f"{type(self.estimator).__name__}.fit takes no sample_weight: the weights reach {weighs} alone. Enable "
            "metadata routing, or pass the weights by the name of the step that takes them",
            SkimbalanceWarning,
        )
        return dict(params), {}

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
        for name in ("sparse", "pairwise", "positive_only", "allow_nan"):
            setattr(tags.input_tags, name, getattr(inner.input_tags, name))
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
