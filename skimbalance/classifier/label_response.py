"""What a fitted classifier of several labels says of samples: a probability or a margin for each label."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.multiclass import OneVsRestClassifier

from skimbalance._core.array_api import as_array, to_numpy
from skimbalance._core.sklearn import is_constant
from skimbalance._core.typing import ArrayLike, Kind
from skimbalance._core.validation import abridged_list, by_label, check_response, count_samples
from skimbalance.classifier.response import BELOW, Response, ask
from skimbalance.tuner.labels import Indicator

__all__ = ["respond_labels", "sure_of"]


def respond_labels(estimator: Any, X: Any, *, response_method: str = "auto", labels: npt.NDArray[Any]) -> Response:
    """Ask a fitted classifier for scores (n, L) of `X`, of each of `labels` being there.

    Of a list of arrays (n, 2), as forests and `MultiOutputClassifier` return it, the second columns are taken.
    """
    method, outcome = ask(estimator, X, response_method)
    name, n_samples = f"{method} of estimator {type(estimator).__name__}", count_samples(X)
    if isinstance(outcome, list | tuple):
        seen: npt.NDArray[np.bool_] | None = np.array([np.shape(pair)[1:] == (2,) for pair in outcome])
        scores = _of_list(outcome, known=getattr(estimator, "classes_", None), name=name)
    else:
        seen = _seen_by_each(estimator)
        scores = by_label(as_array(outcome, name=name), outcome, labels, name=name)
    if scores.ndim != 2 or scores.shape[1] != len(labels) or n_samples not in (None, scores.shape[0]):
        n = "n" if n_samples is None else n_samples
        raise ValueError(
            f"{name} must return a score for each of {len(labels)} labels and each row of X, ({n}, {len(labels)}) or a "
            f"list of as many arrays ({n}, 2); got shape {tuple(scores.shape)}"
        )
    kind: Kind = "proba" if method == "predict_proba" else "logits"
    check_response(scores, kind=kind, source=f"{method} of estimator {type(estimator).__name__}", several=True)
    return Response(scores, kind, labels, seen)


def _of_list(pairs: Sequence[ArrayLike], *, known: Any, name: str) -> npt.NDArray[Any]:
    """Return the probabilities (n, L) of labels being there, of a list of arrays (n, 2)."""
    classes = known if isinstance(known, list) and len(known) == len(pairs) else [None] * len(pairs)
    arrays = [by_label(to_numpy(pair, name=name), pair, np.arange(2), name=name) for pair in pairs]
    shapes = [array.shape for array in arrays]
    alike = len({shape[:1] for shape in shapes}) == 1 and all(len(shape) == 2 for shape in shapes)
    one_value = [shape[1:] == (1,) and own is not None for shape, own in zip(shapes, classes, strict=True)]
    if not alike or not all(one or shape[1] == 2 for one, shape in zip(one_value, shapes, strict=True)):
        raise ValueError(
            f"the list that {name} returns must hold an array (n, 2) for each label, for absent and "
            f"present; got shapes {abridged_list(shapes)}"
        )
    return np.stack([_present(array, own) for array, own in zip(arrays, classes, strict=True)], axis=1)


def _present(pair: npt.NDArray[Any], classes: ArrayLike | None) -> npt.NDArray[Any]:
    """Return the probability (n,) of a label, of which a model that knows one value alone is sure."""
    if pair.shape[1] == 2 or classes is None:
        return pair[:, -1]
    return np.full(len(pair), float(to_numpy(classes)[0]), dtype=pair.dtype)


def _seen_by_each(estimator: Any) -> npt.NDArray[np.bool_] | None:
    """Return which labels one-vs-rest, perhaps at the end of a pipeline, has a model of; None for other classifiers."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    models = last.estimators_ if isinstance(last, OneVsRestClassifier) else []
    return np.array([not is_constant(model) for model in models]) if models else None


def sure_of(response: Response, *, known: Indicator) -> Response:
    """Return the response of a model trained on `known` (n, L), sure of labels that all of these samples carry, or
    none.

    Models treat such labels in as many ways as there are models, or leave them out. Their scores are no evidence:
    nothing is fitted on them.
    """
    scores = to_numpy(response.scores).copy()
    largest = 1.0 if response.kind == "proba" else float(np.abs(scores).max()) + BELOW
    scores[:, known.all(axis=0)] = largest
    scores[:, ~known.any(axis=0)] = 0.0 if response.kind == "proba" else -largest
    both: npt.NDArray[np.bool_] = known.any(axis=0) > known.all(axis=0)
    return response._replace(scores=scores, seen=both)
