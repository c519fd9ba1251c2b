"""Scorers for scikit-learn's `cross_validate` and searches, `scorer(estimator, X, y)`.

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

from typing import Any

from sklearn.metrics import make_scorer

from skimbalance._core.array_api import to_numpy
from skimbalance._core.typing import ArrayLike
from skimbalance.classifier.response import respond
from skimbalance.metrics import imbalance_degree_score, imbalance_state

__all__ = ["imbalance_degree_scorer", "imbalance_state_scorer"]


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
