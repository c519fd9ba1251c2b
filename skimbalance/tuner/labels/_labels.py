"""Indicators, log-odds and decisions of multilabel targets."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import namespace, to_numpy
from skimbalance._core.decision import threshold_of
from skimbalance._core.scores import log_scores
from skimbalance._core.typing import Array, ArrayLike, Kind
from skimbalance._core.validation import (
    by_label,
    check_label_scores,
    check_lengths,
    check_present,
    check_scores,
    shown,
)

__all__ = [
    "Floats",
    "Indicator",
    "are_pairs",
    "check_indicator",
    "decide_label_scores",
    "decide_labels",
    "label_columns",
    "label_log_odds",
    "label_proba",
    "label_threshold",
    "moved_log_odds",
    "rarities",
    "side_columns",
]

Floats = npt.NDArray[np.float64]
Indicator = npt.NDArray[np.bool_]

_NUMBERS = (Real, np.bool_)


def check_indicator(y: ArrayLike) -> Indicator:
    """Return the indicator (n, L) as booleans: of zeros and ones, dense or a sparse matrix of SciPy."""
    dense = y.toarray() if hasattr(y, "toarray") else to_numpy(y, name="y")
    given: npt.NDArray[np.generic] = np.asarray(dense)
    if given.ndim != 2 or 0 in given.shape:
        raise ValueError(f"y must be an indicator (n, L) with samples and labels; got shape {given.shape}")
    check_present("y", given)
    if given.dtype.kind == "O":  # data frames with columns of several types, or with missing values
        odd = np.array([each for each in given.flat if not isinstance(each, _NUMBERS) or each not in {0, 1}], object)
    else:
        odd = given[(given != 0) & (given != 1)] if given.dtype.kind in "biuf" else given.reshape(-1)
    if odd.size:
        raise ValueError(
            f"y must hold zeros and ones alone where it is (n, L), a one for each label of a sample; got "
            f"{shown(odd[0])}. Several outputs of more than two classes are tuned one by one, each as (n,)"
        )
    indicator: Indicator = given.astype(bool)
    return indicator


def rarities(indicator: Indicator) -> npt.NDArray[np.int64]:
    """Return the support of the smallest label of each sample (n,), n where it has none; folds are stratified by it."""
    n_positive = np.count_nonzero(indicator, axis=0)
    rarest: npt.NDArray[np.int64] = np.where(indicator, n_positive, len(indicator)).min(axis=1)
    return rarest


def are_pairs(scores: ArrayLike) -> bool:
    """Tell whether scores are a list of arrays, one for each label, rather than one array."""
    several = isinstance(scores, list | tuple) and len(scores) > 0
    return several and all(len(getattr(each, "shape", ())) == 2 for each in scores)


def side_columns(pairs: Sequence[ArrayLike], *, kind: Kind = "proba") -> Array:
    """Return (n, L) of a list of L arrays (n, 2), as `predict_proba` of some multilabel classifiers returns it."""
    for number, pair in enumerate(pairs):
        if pair.shape[1] != 2:
            raise ValueError(
                f"a list of scores must hold an array (n, 2) for each label, for absent and present; entry {number} "
                f"has shape {tuple(pair.shape)}. A label that all samples or none carried in training has one column"
            )
    checked = [by_label(check_scores(pair, kind=kind), pair, np.arange(2)) for pair in pairs]
    check_lengths(**{f"entry {number} of scores": pair for number, pair in enumerate(checked)})
    columns = [pair[:, 1] - pair[:, 0] if kind == "logits" else pair[:, 1] for pair in checked]
    return namespace(columns[0]).stack(columns, axis=1)


def label_columns(scores: ArrayLike, *, kind: Kind, labels: npt.NDArray[Any]) -> Array:
    """Return checked scores (n, L), of which a list of L arrays (n, 2) may have been given."""
    columns = side_columns(scores, kind=kind) if are_pairs(scores) else scores
    return by_label(check_label_scores(columns, kind=kind, n_labels=len(labels)), scores, labels)


def label_log_odds(scores: ArrayLike, *, kind: Kind) -> Floats:
    """Return log-odds (n, L), in double precision, of scores (n, L) that are of labels being present."""
    host = to_numpy(scores)
    if kind == "logits":
        return np.asarray(host, dtype=np.float64)
    pairs = (log_scores(column.astype(np.float64), kind=kind) for column in host.T)
    odds: Floats = np.stack([pair[:, 1] - pair[:, 0] for pair in pairs], axis=1)
    return odds


def decide_labels(log_odds: Floats, offsets: Floats | float) -> Indicator:
    """Return which labels (n, L) are predicted: those whose log-odds and offset sum to at least zero."""
    decided: Indicator = log_odds + offsets >= 0
    return decided


def label_threshold(offset: float, *, kind: Kind, dtype: npt.DTypeLike) -> float:
    """Return the probability from which on a label is predicted: one of `dtype`, where these are what is compared."""
    return threshold_of(np.array([0.0, offset]), kind=kind, dtype=dtype if kind == "proba" else np.float64)


def decide_label_scores(scores: Array, offsets: Floats, thresholds: Floats, *, kind: Kind) -> Indicator:
    """Return which labels (n, L) scores of any kind predict: those whose probability is at least the threshold.

    Logits are log-odds, which are compared with the offsets. Where a threshold has rounded to one, logarithms of
    probabilities tell apart what is as near to one.
    """
    if kind == "logits":
        return decide_labels(label_log_odds(scores, kind=kind), offsets)
    host = np.asarray(to_numpy(scores), dtype=np.float64)
    decided: Indicator = (np.exp(host) if kind == "log_proba" else host) >= thresholds
    if kind == "log_proba" and (thresholds == 1).any():
        decided &= (thresholds < 1) | decide_labels(label_log_odds(scores, kind=kind), offsets)
    return decided


def moved_log_odds(scores: Array, offsets: Floats, thresholds: Floats, *, kind: Kind) -> Floats:
    """Return log-odds plus offsets (n, L) on the host: above zero, and not only by rounding, is what is predicted."""
    moved, decided = (
        label_log_odds(scores, kind=kind) + offsets,
        decide_label_scores(scores, offsets, thresholds, kind=kind),
    )
    step = 4 * float(namespace(scores).finfo(scores.dtype).eps)
    signed: Floats = np.where(decided, np.maximum(moved, step), np.minimum(moved, -step))
    return signed


def label_proba(log_odds: Floats, offsets: Floats | float = 0.0) -> Floats:
    """Return the logistic function (n, L) of log-odds and offsets: one half and above is what is predicted."""
    with np.errstate(over="ignore"):
        proba: Floats = 1 / (1 + np.exp(-(log_odds + offsets)))
    return proba
