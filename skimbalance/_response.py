"""What a fitted classifier says of rows: its probabilities or margins, a column for each class."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skimbalance._array_api import as_array, to_numpy
from skimbalance._typing import Array, Kind

__all__ = ["RESPONSE_METHODS", "Response", "pooled", "respond"]

RESPONSE_METHODS = ("auto", "predict_proba", "decision_function")

_BELOW = 36.0
"""How far below all its scores a class comes that a model has never seen: a probability of float64's precision."""


class Response(NamedTuple):
    """Scores (n, K), or (n,) for two classes, and of which kind they are."""

    scores: Array
    kind: Kind


def _method_of(estimator: Any, response_method: str) -> str:
    """Return the method to ask: probabilities where `"auto"` may choose, margins where there are none."""
    candidates = RESPONSE_METHODS[1:] if response_method == "auto" else (response_method,)
    for method in candidates:
        if hasattr(estimator, method):
            return method
    raise ValueError(
        f"estimator {type(estimator).__name__} has no method {' or '.join(candidates)}, so there are no scores to "
        "offset"
    )


def respond(estimator: Any, X: Any, *, response_method: str = "auto") -> Response:
    """Ask a fitted classifier for its scores of `X`."""
    method = _method_of(estimator, response_method)
    scores = as_array(getattr(estimator, method)(X))
    n_classes = len(estimator.classes_)
    if scores.ndim == 2 and scores.shape[1] == 1 and n_classes == 2:
        scores = scores[:, 0]
    if scores.shape[1:] not in (((n_classes,), ()) if n_classes == 2 else ((n_classes,),)):
        raise ValueError(
            f"{method} of estimator {type(estimator).__name__} must return one column for each of {n_classes} "
            f"classes; got shape {tuple(scores.shape)}"
        )
    return Response(scores, "proba" if method == "predict_proba" else "logits")


def pooled(responses: list[tuple[Response, npt.NDArray[Any]]], classes: npt.NDArray[Any]) -> Response:
    """Stack the responses of models, each with the classes it knows, over all `classes`."""
    kind = responses[0][0].kind
    if all(len(known) == len(classes) for _, known in responses):
        return Response(np.concatenate([to_numpy(response.scores) for response, _ in responses]), kind)
    return Response(np.concatenate([_spread(response, known, classes) for response, known in responses]), kind)


def _spread(response: Response, known: npt.NDArray[Any], classes: npt.NDArray[Any]) -> npt.NDArray[np.floating[Any]]:
    """Return (n, K) scores over all `classes`: zero, or far below, for those that the model has never seen."""
    scores = to_numpy(response.scores)
    if scores.ndim == 1:
        other = 1 - scores if response.kind == "proba" else np.zeros_like(scores)
        scores = np.stack([other, scores], axis=1)
    fill = 0.0 if response.kind == "proba" else float(scores.min()) - _BELOW
    full = np.full((len(scores), len(classes)), fill, dtype=scores.dtype)
    full[:, np.searchsorted(classes, known)] = scores
    return full
