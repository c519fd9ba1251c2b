"""What a fitted classifier of several labels says of rows: a probability or a margin for each label."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._array_api import as_array, to_numpy
from skimbalance._response import BELOW, Response, ask
from skimbalance._typing import ArrayLike, Kind
from skimbalance._validation import check_response
from skimbalance.multilabel import Indicator

__all__ = ["respond_labels", "sure_of"]


def respond_labels(estimator: Any, X: Any, *, response_method: str = "auto", labels: npt.NDArray[Any]) -> Response:
    """Ask a fitted classifier for scores (n, L) of `X`, of each of `labels` being there.

    Of a list of arrays (n, 2), as forests and `MultiOutputClassifier` return it, the second columns are taken.
    """
    method, outcome = ask(estimator, X, response_method)
    scores = _of_list(estimator, outcome) if isinstance(outcome, list | tuple) else as_array(outcome)
    if scores.ndim != 2 or scores.shape[1] != len(labels):
        raise ValueError(
            f"{method} of estimator {type(estimator).__name__} must return a score for each of {len(labels)} labels, "
            f"(n, {len(labels)}) or a list of as many arrays (n, 2); got shape {tuple(scores.shape)}"
        )
    kind: Kind = "proba" if method == "predict_proba" else "logits"
    check_response(scores, kind=kind, source=f"{method} of estimator {type(estimator).__name__}", several=True)
    return Response(scores, kind, labels)


def _of_list(estimator: Any, pairs: Sequence[ArrayLike]) -> npt.NDArray[Any]:
    """Return the probabilities (n, L) of labels being there."""
    known = getattr(estimator, "classes_", None)
    classes = known if isinstance(known, list) and len(known) == len(pairs) else [None] * len(pairs)
    return np.stack([_present(to_numpy(pair), own) for pair, own in zip(pairs, classes, strict=True)], axis=1)


def _present(pair: npt.NDArray[Any], classes: ArrayLike | None) -> npt.NDArray[Any]:
    """Return the probability (n,) of a label, of which a model that knows one value alone is sure."""
    if pair.ndim == 2 and pair.shape[1] == 2:
        return pair[:, 1]
    if pair.ndim == 2 and pair.shape[1] == 1 and classes is not None:
        return np.full(len(pair), float(to_numpy(classes)[0]), dtype=pair.dtype)
    raise ValueError(
        "a list of probabilities must hold an array (n, 2) for each label, for absent and present; got shape "
        f"{pair.shape}"
    )


def sure_of(response: Response, *, known: Indicator) -> Response:
    """Return the response of a model trained on `known` (n, L), sure of labels that all of these rows carry, or none.

    Models treat such labels in as many ways as there are models, or leave them out.
    """
    scores = to_numpy(response.scores).copy()
    largest = 1.0 if response.kind == "proba" else float(np.abs(scores).max()) + BELOW
    scores[:, known.all(axis=0)] = largest
    scores[:, ~known.any(axis=0)] = 0.0 if response.kind == "proba" else -largest
    return response._replace(scores=scores)
