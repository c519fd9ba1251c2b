"""Folds of a tuned classifier: models, and their scores of validation samples."""

from collections.abc import Mapping
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold, train_test_split

from skimbalance._core.sklearn import take_params, take_rows
from skimbalance.classifier.response import Response, pooled

__all__ = [
    "Fold",
    "Split",
    "counted_once",
    "fit_fold",
    "is_frozen",
    "judged_samples",
    "known_scores",
    "notes_on_samples",
    "samples_with_evidence",
    "systematic_splits",
]

Split = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


class Fold(NamedTuple):
    """A fitted classifier, and its response on validation samples."""

    estimator: Any
    response: Response
    samples: npt.NDArray[np.intp]


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
    """Fit on the training samples of `split`, and score the validation samples."""
    train, test = split
    begin = perf_counter()
    targets.fit(estimator, take_rows(X, train), train, **take_params(X, fit_params, train))
    learnt = None if is_frozen(estimator) else train
    response = targets.respond(estimator, take_rows(X, test), response_method=response_method, trained_on=learnt)
    if announce is not None:
        print(
            f"{announce}: fitted on {len(train)} samples, scored {len(test)}, {perf_counter() - begin:.1f} s",
            flush=True,
        )
    return Fold(estimator, response, np.asarray(test))


def is_frozen(estimator: Any) -> bool:
    """Return whether the classifier, or the last step of a pipeline, is frozen."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    return isinstance(last, FrozenEstimator)


def systematic_splits(strata: npt.NDArray[np.int64], cv: float | None, *, seed: Any) -> list[Split]:
    """Split samples into `cv` folds (None: five), or hold out a proportion; each stratum is spread evenly.

    Samples are sorted by stratum, and fold i gets every `cv`-th of them. A stratum may have a single sample. Within a
    stratum the samples of a fold are consecutive, as in `StratifiedKFold`.
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


def judged_samples(
    folds: list[Fold],
    labels: npt.NDArray[Any],
    weights: npt.NDArray[np.float64] | None,
    classes: npt.NDArray[Any],
) -> dict[str, Any]:
    """Return the scored samples, without those of a class that the model of their fold had not seen."""
    seen = np.array([np.isin(classes, fold.response.classes[fold.response.known_columns()]) for fold in folds])
    places = {label: column for column, label in enumerate(classes.tolist())}
    own = [[places[label] for label in labels[fold.samples].tolist()] for fold in folds]
    judged = [known[codes] for known, codes in zip(seen, own, strict=True)]
    kept = np.concatenate(judged)
    samples = np.concatenate([fold.samples for fold in folds])[kept]
    sizes = [int(mask.sum()) for mask in judged]
    return {
        "scores": pooled([fold.response for fold in folds], classes)[kept],
        "y": labels[samples],
        "sample_weight": None if weights is None else weights[samples],
        "rows": samples,
        "fold": np.repeat(np.arange(len(folds)), sizes),
        "known": known_scores(seen, sizes),
    }


def known_scores(seen: npt.NDArray[np.bool_], sizes: list[int]) -> npt.NDArray[np.bool_]:
    """Return which scores (n, K) are of columns that the model of each fold, of such a size, has `seen` (folds, K)."""
    if seen.all():
        return np.broadcast_to(np.True_, (sum(sizes), seen.shape[1]))
    return np.repeat(seen, sizes, axis=0)


def samples_with_evidence(judged: Mapping[str, Any], classes: npt.NDArray[Any], *, every: bool) -> dict[str, Any]:
    """Return the samples whose model had seen all tuned classes: those with judged samples, or `every` class.

    A model cannot predict a class that it has not seen, so its samples would add no false positives of the class. If
    no model had seen all of these classes, the classes with the fewest samples are dropped.
    """
    known, weights = judged["known"], judged["sample_weight"]
    if known is None or known.all():
        return dict(judged)
    labels = judged["y"] if weights is None else judged["y"][weights > 0]
    support = np.array([np.count_nonzero(labels == label) for label in classes])
    wanted = np.argsort(-support, kind="stable")[: len(classes) if every else np.count_nonzero(support)]
    kept = known[:, wanted].all(axis=1)
    while not (every or kept.any()) and len(wanted) > 2:
        wanted = wanted[:-1]
        kept = known[:, wanted].all(axis=1)
    if len(np.unique(judged["y"][kept if weights is None else kept & (weights > 0)])) < 2:
        raise ValueError(
            "cv must leave samples of at least two classes whose models had seen "
            f"{'every class, as an ImbalanceState needs it' if every else 'both'}. Use folds that spread the samples "
            "of each class, such as StratifiedKFold, or fewer of them"
        )
    return {name: part if part is None else part[kept] for name, part in judged.items()}


def counted_once(judged: Mapping[str, Any], *, weighing: bool) -> dict[str, Any]:
    """Return the arguments of the tuner's fit, so that a sample with several scores counts once.

    The scores of a sample share its weight and are one group. Without `weighing` only its first score is used.
    """
    chosen = {name: judged[name] for name in ("scores", "y", "sample_weight", "groups", "known")}
    samples, weights = judged["rows"], judged["sample_weight"]
    n_scores = np.bincount(samples)[samples]
    if (n_scores == 1).all():
        return chosen
    if not weighing:
        first = np.sort(np.unique(samples, return_index=True)[1])
        return {name: None if values is None else take_rows(values, first) for name, values in chosen.items()}
    chosen["sample_weight"] = (1.0 if weights is None else weights) / n_scores
    chosen["groups"] = samples if judged["groups"] is None else judged["groups"]
    return chosen


def notes_on_samples(*, n_scored: int, samples: npt.NDArray[np.intp]) -> list[str]:
    """Return notes on samples that were left out, and on samples with several scores."""
    notes, n_distinct = [], len(np.unique(samples))
    if n_scored > len(samples):
        n_left = n_scored - len(samples)
        notes.append(
            f"{n_left:,} samples were left out: their fold's model had not seen their class, or a tuned class."
        )
    if n_distinct < len(samples):
        notes.append(
            f"The splits overlap: {n_distinct:,} samples have {len(samples):,} scores. Each sample counts once."
        )
    return notes
