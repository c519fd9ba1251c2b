"""Scores that fitted classifiers return: a probability or margin for each class, or for each label."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.frozen import FrozenEstimator
from sklearn.multiclass import OneVsRestClassifier

from skimbalance._core.array_api import as_array, to_numpy
from skimbalance._core.decision import as_proba, log_scores
from skimbalance._core.sklearn import is_constant
from skimbalance._core.typing import Array, ArrayLike, Kind
from skimbalance._core.validation import abridged_list, by_label, check_codes, check_response, count_samples
from skimbalance.nn import ends_in_net, net_logits, net_within
from skimbalance.tuner.labels import Indicator

__all__ = [
    "RESPONSE_METHODS",
    "Response",
    "ask",
    "is_frozen",
    "kind_of",
    "pooled",
    "proba_of_second",
    "respond",
    "respond_labels",
    "sure_of",
]

RESPONSE_METHODS = ("auto", "predict_proba", "decision_function")

_BELOW = 36.0
"""Classes that a model has not seen get its lowest logit minus this: a probability of about 2e-16."""


class Response(NamedTuple):
    """Scores (n, K), or binary (n,), their kind, and the class of each column.

    `seen` (K,) is False for classes and labels that the model cannot have learnt. None stands for all True.
    """

    scores: Array
    kind: Kind
    classes: npt.NDArray[Any]
    seen: npt.NDArray[np.bool_] | None = None

    def known_columns(self) -> npt.NDArray[np.bool_]:
        """Return `seen`, as an array."""
        return np.ones(len(self.classes), dtype=bool) if self.seen is None else self.seen


def _method_of(estimator: Any, response_method: str) -> str:
    """Return the name of the method to call; `"auto"` prefers `predict_proba`."""
    candidates = RESPONSE_METHODS[1:] if response_method == "auto" else (response_method,)
    for method in candidates:
        if hasattr(estimator, method):
            return method
    raise ValueError(
        f"estimator {type(estimator).__name__} has no method {' or '.join(candidates)}: there are no scores to offset"
    )


def is_frozen(estimator: Any) -> bool:
    """Return whether the classifier, or the last step of a pipeline, is frozen."""
    return isinstance(_last_step(estimator), FrozenEstimator)


def _last_step(estimator: Any) -> Any:
    """Return the last step of a pipeline, or the estimator itself."""
    return estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator


def proba_of_second(scores: Array, *, kind: Kind) -> Array:
    """Return the binary probability (n,) that thresholds are compared with; of logits the logistic function."""
    if kind != "logits":
        return as_proba(scores, kind=kind)
    columns = to_numpy(log_scores(scores, kind=kind))
    return expit(columns[:, 1] - columns[:, 0])


def kind_of(estimator: Any) -> Kind:
    """Return the kind of scores of a classifier with `response_method="auto"`."""
    return "logits" if ends_in_net(estimator) or _method_of(estimator, "auto") != "predict_proba" else "proba"


def respond(
    estimator: Any, X: Any, *, response_method: str = "auto", classes: npt.NDArray[Any] | None = None
) -> Response:
    """Return the scores of `X` by a fitted classifier; `classes` replaces its `classes_`."""
    outcome, kind, name = ask(estimator, X, response_method)
    scores = as_array(outcome, name=name)
    classes = to_numpy(estimator.classes_) if classes is None else classes
    n_classes, n_samples = len(classes), count_samples(X)
    got = tuple(scores.shape)
    if scores.ndim == 2 and scores.shape[1] == 1 and n_classes == 2:
        scores = scores[:, 0]
    one_column = scores.ndim == 1 and n_classes == 2
    # Of a support vector machine that returns decision values of pairs of classes.
    compares_pairs = getattr(_last_step(estimator), "decision_function_shape", None) == "ovo"
    margins_of_pairs = kind == "logits" and n_classes > 2 and compares_pairs
    fits = (one_column or scores.shape[1:] == (n_classes,)) and n_samples in (None, scores.shape[0])
    if margins_of_pairs or not fits:
        n = "n" if n_samples is None else n_samples
        expected = f"shape ({n}, {n_classes})" + (f" or ({n},)" if n_classes == 2 else "")
        raise ValueError(
            f"{name} must return a score for each of {n_classes} classes and each sample of X, {expected}; got "
            f"{'margins of pairs of classes, ' if margins_of_pairs else ''}shape {got}"
        )
    scores = by_label(scores, outcome, classes, name=name)
    check_response(scores, kind=kind, source=name)
    return Response(scores, kind, classes)


def ask(estimator: Any, X: Any, response_method: str) -> tuple[Any, Kind, str]:
    """Return scores, of a net its logits unless a method is named, their kind, and a name of them for errors."""
    within = net_within(estimator, X) if response_method == "auto" else None
    if within is not None:
        method, outcome = "net_logits", to_numpy(net_logits(*within))
    else:
        method = _method_of(estimator, response_method)
        try:
            outcome = getattr(estimator, method)(X)
        except AttributeError:  # one-vs-rest offers probabilities when the model of its first label does
            if response_method != "auto" or method != "predict_proba" or not hasattr(estimator, "decision_function"):
                raise
            method, outcome = "decision_function", estimator.decision_function(X)
    kind: Kind = "proba" if method == "predict_proba" else "logits"
    return outcome, kind, f"{method} of estimator {type(estimator).__name__}"


def respond_labels(estimator: Any, X: Any, *, response_method: str = "auto", classes: npt.NDArray[Any]) -> Response:
    """Return the scores (n, L) of `X` by a fitted multilabel classifier, for the labels `classes`.

    Of a list of arrays (n, 2), the format of forests and `MultiOutputClassifier`, it takes the second columns.
    """
    outcome, kind, name = ask(estimator, X, response_method)
    n_samples = count_samples(X)
    if isinstance(outcome, list | tuple):
        seen: npt.NDArray[np.bool_] | None = np.array([np.shape(pair)[1:] == (2,) for pair in outcome])
        scores = _of_list(outcome, known=getattr(estimator, "classes_", None), name=name)
    else:
        last = _last_step(estimator)  # one-vs-rest has a model for each label
        models = last.estimators_ if isinstance(last, OneVsRestClassifier) else []
        seen = np.array([not is_constant(model) for model in models]) if models else None
        scores = by_label(as_array(outcome, name=name), outcome, classes, name=name)
    if scores.ndim != 2 or scores.shape[1] != len(classes) or n_samples not in (None, scores.shape[0]):
        n = "n" if n_samples is None else n_samples
        raise ValueError(
            f"{name} must return a score for each of {len(classes)} labels and each sample of X, ({n}, {len(classes)}) "
            f"or a list of as many arrays ({n}, 2); got shape {tuple(scores.shape)}"
        )
    check_response(scores, kind=kind, source=name, several=True)
    return Response(scores, kind, classes, seen)


def _of_list(pairs: Sequence[ArrayLike], *, known: Any, name: str) -> npt.NDArray[Any]:
    """Return the probabilities (n, L) of labels being there, of a list of arrays (n, 2)."""
    classes = known if isinstance(known, list) and len(known) == len(pairs) else [None] * len(pairs)
    arrays = [by_label(to_numpy(pair, name=name), pair, np.arange(2), name=name) for pair in pairs]
    shapes = [array.shape for array in arrays]
    fit = (s[1:] == (2,) or (s[1:] == (1,) and own is not None) for s, own in zip(shapes, classes, strict=True))
    if len({shape[:1] for shape in shapes}) != 1 or not all(fit):
        raise ValueError(
            f"the list that {name} returns must hold an array (n, 2) for each label, for absent and "
            f"present; got shapes {abridged_list(shapes)}"
        )
    columns = [  # a model that was trained on one value only has a single column, of ones
        array[:, 1] if array.shape[1] == 2 else np.full(len(array), float(to_numpy(own)[0]), dtype=array.dtype)
        for array, own in zip(arrays, classes, strict=True)
    ]
    return np.stack(columns, axis=1)


def sure_of(response: Response, *, known: Indicator) -> Response:
    """Return the response with certain scores for labels that all or none of the training samples `known` (n, L) have.

    Classifiers treat such labels in different ways. `seen` excludes their scores from all fits.
    """
    scores = to_numpy(response.scores).copy()
    largest = 1.0 if response.kind == "proba" else float(np.abs(scores).max()) + _BELOW
    scores[:, known.all(axis=0)] = largest
    scores[:, ~known.any(axis=0)] = 0.0 if response.kind == "proba" else -largest
    both: npt.NDArray[np.bool_] = known.any(axis=0) > known.all(axis=0)
    return response._replace(scores=scores, seen=both)


def pooled(responses: list[Response], classes: npt.NDArray[Any]) -> npt.NDArray[np.floating[Any]]:
    """Stack the scores of models with different classes, with a column for each of `classes`."""
    if all(np.array_equal(response.classes, classes) for response in responses):
        return np.concatenate([to_numpy(response.scores) for response in responses])
    return np.concatenate([_spread(response, classes) for response in responses])


def _spread(response: Response, classes: npt.NDArray[Any]) -> npt.NDArray[np.floating[Any]]:
    """Return scores (n, K) for all `classes`; classes that the model has not seen get the lowest scores."""
    scores = to_numpy(response.scores)
    if scores.ndim == 1:
        other = 1 - scores if response.kind == "proba" else np.zeros_like(scores)
        scores = np.stack([other, scores], axis=1)
    fill = 0.0 if response.kind == "proba" else float(scores.min()) - _BELOW
    full = np.full((len(scores), len(classes)), fill, dtype=scores.dtype)
    full[:, check_codes("classes", response.classes, labels=classes)] = scores
    return full
