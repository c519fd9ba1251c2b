"""The folds of a tuned classifier: models fitted on some rows, and what they say of others."""

from collections.abc import Mapping
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold, train_test_split

from skimbalance._response import Response, pooled
from skimbalance._sklearn import take_params, take_rows

__all__ = ["Fold", "Split", "counted_once", "fit_fold", "judged_rows", "notes_on_rows", "systematic_splits"]

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


def counted_once(judged: Mapping[str, Any], *, weighing: bool) -> dict[str, Any]:
    """Return what a tuner is to be fitted on, so that a row counts once that several models have scored.

    The scores of a row share its weight, and are of one group. Without `weighing` the first of them stands for all.
    """
    chosen = {name: judged[name] for name in ("scores", "y", "sample_weight", "groups")}
    rows, weights = judged["rows"], judged["sample_weight"]
    n_scores = np.bincount(rows)[rows]
    if (n_scores == 1).all():
        return chosen
    if not weighing:
        first = np.sort(np.unique(rows, return_index=True)[1])
        return {name: None if values is None else take_rows(values, first) for name, values in chosen.items()}
    chosen["sample_weight"] = (1.0 if weights is None else weights) / n_scores
    chosen["groups"] = rows if judged["groups"] is None else judged["groups"]
    return chosen


def notes_on_rows(*, n_scored: int, rows: npt.NDArray[np.intp]) -> list[str]:
    """Return what is to be said of scored `rows` that were not judged, or that several models have scored."""
    notes, n_distinct = [], len(np.unique(rows))
    if n_scored > len(rows):
        notes.append(f"{n_scored - len(rows)} rows were left out: the model of their fold had never seen their class.")
    if n_distinct < len(rows):
        notes.append(f"The splits overlap: {n_distinct:,} samples have {len(rows):,} scores. Each sample counts once.")
    return notes
