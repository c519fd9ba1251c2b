"""The folds of a tuned classifier: models fitted on some rows, and what they say of others."""

from collections.abc import Mapping
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skimbalance._response import Response, pooled, respond
from skimbalance._sklearn import take_params, take_rows
from skimbalance.classifier._base import fitted

__all__ = ["Fold", "Split", "fit_fold", "judged_rows", "notes_on_rows"]

Split = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


class Fold(NamedTuple):
    """A classifier fitted on one part, and what it says of the rows of another."""

    estimator: Any
    response: Response
    rows: npt.NDArray[np.intp]


def fit_fold(
    estimator: Any,
    X: Any,
    y: npt.NDArray[Any],
    *,
    split: Split,
    fit_params: Mapping[str, Any],
    response_method: str,
    classes: npt.NDArray[Any] | None,
    announce: str | None,
) -> Fold:
    """Fit on the first rows of `split`, and score the others."""
    train, test = split
    begin = perf_counter()
    fitted(estimator, take_rows(X, train), y[train], classes, **take_params(X, fit_params, train))
    response = respond(estimator, take_rows(X, test), response_method=response_method, classes=classes)
    if announce is not None:
        print(
            f"{announce}: fitted on {len(train)} rows, scored {len(test)}, {perf_counter() - begin:.1f} s", flush=True
        )
    return Fold(estimator, response, np.asarray(test))


def judged_rows(
    folds: list[Fold],
    labels: npt.NDArray[Any],
    weights: npt.NDArray[np.float64] | None,
    classes: npt.NDArray[Any],
) -> dict[str, Any]:
    """Return the scored rows, but those of a class that the model of their fold had never seen."""
    seen = [np.isin(labels[fold.rows], fold.response.classes) for fold in folds]
    kept = np.concatenate(seen)
    rows = np.concatenate([fold.rows for fold in folds])[kept]
    return {
        "scores": pooled([fold.response for fold in folds], classes)[kept],
        "y": labels[rows],
        "sample_weight": None if weights is None else weights[rows],
        "rows": rows,
        "fold": np.repeat(np.arange(len(folds)), [int(mask.sum()) for mask in seen]),
    }


def notes_on_rows(*, n_scored: int, n_judged: int) -> list[str]:
    """Return what is to be said of rows that were scored but not judged."""
    if n_scored == n_judged:
        return []
    return [f"{n_scored - n_judged} rows were left out: the model of their fold had never seen their class."]
