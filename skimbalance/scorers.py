"""Scorers for scikit-learn's `cross_validate` and searches, `scorer(estimator, X, y)`.

`objective_scorer` evaluates tuned classifiers by their own objective; without `scoring` a search uses the accuracy.
`make_tuned_scorer` evaluates other classifiers by their score after tuning.

`imbalance_degree_scorer` is minus the absolute imbalance degree of the predictions. Its maximum is zero, so that a
search prefers the degree nearest to zero. Use it together with a metric of quality: random decisions have a degree of
zero, too. If all classes of a fold are equally frequent, it is undefined, and NaN in a search.

>>> from sklearn.datasets import make_classification
>>> from sklearn.linear_model import LogisticRegression
>>> from sklearn.model_selection import GridSearchCV
>>> from skimbalance.scorers import imbalance_degree_scorer
>>> X, y = make_classification(1000, weights=[0.9], class_sep=0.5, random_state=0)
>>> grid = {"class_weight": [None, "balanced"]}
>>> GridSearchCV(LogisticRegression(), grid, scoring=imbalance_degree_scorer).fit(X, y).best_params_
{'class_weight': 'balanced'}
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import make_scorer
from sklearn.utils.validation import check_is_fitted

from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision_rule import rule_of
from skimbalance._core.typing import ArrayLike
from skimbalance._core.validation import (
    by_label,
    check_codes,
    check_lengths,
    check_per_class,
    check_sample_weight,
    is_multilabel,
    names_page,
)
from skimbalance.classifier._base import response_of
from skimbalance.classifier.response import respond
from skimbalance.goals import ImbalanceState
from skimbalance.metrics import imbalance_degree_score, imbalance_state
from skimbalance.metrics.counts import Truth
from skimbalance.tuner import OffsetTuner
from skimbalance.tuner.checks import Objective, deployed_weights, needs_cost_matrix, positive_label, resolve_metric
from skimbalance.tuner.labels import LabelTruth, check_indicator, get_multilabel_metric

__all__ = ["imbalance_degree_scorer", "imbalance_state_scorer", "make_tuned_scorer", "objective_scorer"]


def _nearness(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return minus the absolute imbalance degree."""
    return -abs(imbalance_degree_score(y_true, y_pred, sample_weight=sample_weight))


imbalance_degree_scorer = make_scorer(_nearness)


def imbalance_state_scorer(estimator: Any, X: Any, y: ArrayLike | None = None, /) -> dict[str, float]:  # noqa: ARG001
    """Score a fitted classifier by its imbalance state, the mean probability of each class.

    It returns several values, which `cross_validate` reports. None of them has a best value: a search needs another
    scorer for `refit`.

    Parameters
    ----------
    estimator : classifier
        Fitted, with `predict_proba`.
    X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
        Samples, as the classifier takes them.
    y : array-like of shape (n_samples,), optional
        Not used.

    Returns
    -------
    dict of str to float
        ``"state_<label>"``, for each of ``classes_``.

    Raises
    ------
    ValueError
        If the classifier has no probabilities.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_validate
    >>> from skimbalance.scorers import imbalance_state_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> result = cross_validate(LogisticRegression(max_iter=500), X, y, scoring=imbalance_state_scorer)
    >>> [name for name in result if "state" in name]
    ['test_state_0', 'test_state_1', 'test_state_2']
    """
    response = respond(estimator, X, response_method="predict_proba")
    state = to_numpy(imbalance_state(response.scores))
    return {f"state_{label}": float(share) for label, share in zip(response.classes.tolist(), state, strict=True)}


@names_page
def objective_scorer(estimator: Any, X: Any, y: ArrayLike, /, *, sample_weight: ArrayLike | None = None) -> float:
    """Score a fitted classifier with tuned offsets by its own objective; greater is better.

    It is for ``scoring=`` of searches over the parameters of the wrapped classifier. Objectives to be minimised have a
    minus sign. The `class_prior` of the classifier weights the samples. Constraints have no effect on the score, and
    rejected samples count as decided. In a search over `objective` itself the scores are of different metrics, and
    cannot be compared.

    Parameters
    ----------
    estimator : TunedOffsetClassifierCV
        Fitted.
    X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
        Samples, as the classifier takes them.
    y : array-like of shape (n_samples,), or indicator of shape (n_samples, K)
        Their labels.
    sample_weight : array-like of shape (n_samples,), optional
        Weight of each sample.

    Returns
    -------
    float
        The value of the objective, with a minus sign if less is better.

    Raises
    ------
    TypeError, ValueError
        If the estimator has no tuned offsets, or its objective is an imbalance state or needs costs of each sample.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skimbalance import TunedOffsetClassifierCV
    >>> from skimbalance.scorers import objective_scorer
    >>> X, y = make_classification(600, weights=[0.9], class_sep=0.5, random_state=0)
    >>> clf = TunedOffsetClassifierCV(LogisticRegression(), objective="geometric_mean")
    >>> search = GridSearchCV(clf, {"estimator__C": [0.01, 1.0]}, scoring=objective_scorer).fit(X, y)
    >>> bool(0.5 < search.best_score_ < 1)
    True
    """
    check_is_fitted(estimator)
    if not hasattr(estimator, "tuner_"):
        raise TypeError(
            f"objective_scorer needs a TunedOffsetClassifierCV; got {type(estimator).__name__}. For other classifiers "
            "use make_tuned_scorer(objective)"
        )
    objective, labels = estimator.objective, estimator.tuner_.classes_
    if isinstance(objective, ImbalanceState) or needs_cost_matrix(objective):
        raise ValueError(
            "objective_scorer needs an objective that is computed from labels and decisions; got "
            f"objective={objective!r}. Pass another scorer"
        )
    response = response_of(estimator, X)
    rule = rule_of(estimator.tuner_, kind=response.kind)
    scores = rule.check(response.scores, labels)
    decisions, weights = to_numpy(rule.decide(scores)), check_sample_weight(sample_weight, like=np.zeros(len(scores)))
    if estimator.multilabel_:
        indicator = by_label(check_indicator(y), y, labels, name="y")
        check_lengths(X=decisions, y=indicator)
        joint = get_multilabel_metric(objective, n_labels=len(labels))
        return float(joint.merit(joint.value(LabelTruth(indicator, weights), decisions.astype(bool))))
    codes = check_codes("y", y, labels=labels)
    check_lengths(X=decisions, y=codes)
    if estimator.class_prior is not None:
        weights = deployed_weights(codes, weights, check_per_class("class_prior", estimator.class_prior, labels))
    metric = resolve_metric(objective, labels, positive_label(objective, labels, estimator.pos_label))
    truth = Truth.from_codes(codes, n_classes=len(labels), weights=weights)
    value = metric.value(truth.count(decisions, confusion=metric.needs_confusion))
    return float(metric.merit(np.asarray(value)))


@dataclass(frozen=True)
class _TunedScorer:
    """A scorer that fits a tuner with these parameters on the scores of the samples that it gets."""

    objective: Objective
    parameters: dict[str, Any]

    @names_page
    def __call__(self, estimator: Any, X: Any, y: ArrayLike, /, *, sample_weight: ArrayLike | None = None) -> float:
        """Return the cross-fitted score of the tuned decisions, with a minus sign if less is better."""
        if is_multilabel(y):
            raise ValueError(
                "make_tuned_scorer is for binary and multiclass targets; y is a multilabel indicator. Use "
                "TunedOffsetClassifierCV with objective_scorer"
            )
        response = respond(estimator, X, response_method="auto")
        tuner = OffsetTuner(self.objective, kind=response.kind, **self.parameters)
        tuner.fit(response.scores, y, classes=response.classes, sample_weight=sample_weight)
        if isinstance(self.objective, ImbalanceState):
            return float(-tuner.score_)
        positive = positive_label(self.objective, tuner.classes_, tuner.pos_label)
        return float(resolve_metric(self.objective, tuner.classes_, positive).merit(np.asarray(tuner.score_)))


def make_tuned_scorer(objective: Objective = "balanced_accuracy", **parameters: Any) -> Any:
    """Make a scorer of the objective that a classifier attains with tuned offsets.

    The scorer fits an :class:`~skimbalance.OffsetTuner` on the scores of the samples it gets, and returns its
    cross-fitted `score_`. A search then ranks classifiers by their score after tuning, and tunes none in its folds.

    Parameters
    ----------
    objective : str, metric, ImbalanceState, scorer or function, default="balanced_accuracy"
        The metric to optimise; see :class:`~skimbalance.OffsetTuner`.
    **parameters : dict
        Further parameters of :class:`~skimbalance.OffsetTuner`, such as `pos_label` or `constraints`. The `kind` is
        that of the scores of the classifier.

    Returns
    -------
    callable
        A scorer ``scorer(estimator, X, y, *, sample_weight=None)``; greater is better.

    Raises
    ------
    TypeError
        If a parameter is none of :class:`~skimbalance.OffsetTuner`.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skimbalance.scorers import make_tuned_scorer
    >>> X, y = make_classification(600, weights=[0.9], class_sep=0.5, random_state=0)
    >>> search = GridSearchCV(LogisticRegression(), {"C": [0.01, 1.0]}, scoring=make_tuned_scorer("f1"))
    >>> bool(0.3 < search.fit(X, y).best_score_ < 1)
    True
    """
    if "kind" in parameters:
        raise TypeError(f"kind is that of the scores of the classifier; got kind={parameters['kind']!r}")
    OffsetTuner(objective, **parameters)  # wrong names fail here
    return _TunedScorer(objective, parameters)
