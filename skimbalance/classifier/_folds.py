"""The folds of a tuned classifier: models fitted on some rows, and what they say of others."""

from collections.abc import Mapping
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold, train_test_split

from skimbalance._response import Response, pooled
from skimbalance._sklearn import take_params, take_rows

__all__ = ["Fold", "Split", "fit_fold", "judged_rows", "notes_on_rows", "systematic_splits"]

Split = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


class Fold(NamedTuple):
    """A classifier fitted on one part, and what it says of the rows of another."""

    estimator: Any
    response: Response
    rows: npt.NDArray[np.intp]


def fit_fold(
    estimator: Any,
    X: Any,
    targets: Any,
    *,
    split: Split,
    fit_params: Mapping[str, Any],
    response_method: str,
    announce: str | None,
) -> Fold:
    """Fit on the first rows of `split`, and score the others."""
    train, test = split
    begin = perf_counter()
    targets.fit(estimator, take_rows(X, train), train, **take_params(X, fit_params, train))
    response = targets.respond(estimator, take_rows(X, test), response_method=response_method, trained_on=train)
    if announce is not None:
        print(
            f"{announce}: fitted on {len(train)} rows, scored {len(test)}, {perf_counter() - begin:.1f} s", flush=True
        )
    return Fold(estimator, response, np.asarray(test))


def systematic_splits(strata: npt.NDArray[np.int64], cv: float | None, *, seed: Any) -> list[Split]:
    """Split rows into `cv` folds, five where None, or hold out such a share; each stratum is spread evenly.

    Strata may be of a single row: rows are put into the order of their strata, and every so manieth is taken. Folds
    take as many rows of each stratum as this gives them, one run after the other, so that neighbours stay together.
    """
    every = np.arange(len(strata))
    if isinstance(cv, float):
        train, test = train_test_split(every, test_size=cv, random_state=seed)
        order = np.concatenate([train, test])
        order = order[np.argsort(strata[order], kind="stable")]
        held_out = np.diff(np.arange(len(every) + 1) * len(test) // len(every)) > 0
        return [(np.sort(order[~held_out]), np.sort(order[held_out]))]
    n_folds = 5 if cv is None else int(cv)
    turns = every % max(n_folds, 1)
    order = np.argsort(strata, kind="stable")
    fold_of = np.empty_like(every)
    fold_of[order] = turns[np.lexsort((turns, strata[order]))]
    by_fold = np.argsort(fold_of, kind="stable")
    return [(np.sort(by_fold[train]), np.sort(by_fold[test])) for train, test in KFold(n_folds).split(every)]


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
