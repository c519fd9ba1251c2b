"""What several labels a row are: an indicator, log-odds, and decisions."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from skimbalance._array_api import to_numpy
from skimbalance._typing import ArrayLike, Kind
from skimbalance.scores import log_scores

__all__ = ["Floats", "Indicator", "check_indicator", "decide_labels", "label_log_odds", "label_proba", "side_columns"]

Floats = npt.NDArray[np.float64]
Indicator = npt.NDArray[np.bool_]


def check_indicator(y: ArrayLike) -> Indicator:
    """Return the indicator (n, L) as booleans: of zeros and ones, dense or a sparse matrix of SciPy."""
    dense = y.toarray() if hasattr(y, "toarray") else to_numpy(y)
    given: npt.NDArray[np.generic] = np.asarray(dense)
    if given.ndim != 2 or 0 in given.shape:
        raise ValueError(f"y must be an indicator (n, L) with rows and labels; got shape {given.shape}")
    if given.dtype.kind not in "biuf" or not ((given == 0) | (given == 1)).all():
        raise ValueError("y must hold zeros and ones alone, one for each label that a row carries; got other values")
    indicator: Indicator = given.astype(bool)
    return indicator


def side_columns(pairs: Sequence[ArrayLike]) -> npt.NDArray[np.generic]:
    """Return (n, L) of a list of L arrays (n, 2), as `predict_proba` of some multilabel classifiers returns it."""
    for number, pair in enumerate(pairs):
        if np.ndim(pair) != 2 or np.shape(pair)[1] != 2:
            raise ValueError(
                f"a list of scores must hold an array (n, 2) for each label, for absent and present; entry {number} "
                f"has shape {np.shape(pair)}. A label that all rows or none carried in training has one column"
            )
    columns: npt.NDArray[np.generic] = np.stack([to_numpy(pair)[:, 1] for pair in pairs], axis=1)
    return columns


def label_log_odds(scores: ArrayLike, *, kind: Kind) -> Floats:
    """Return log-odds (n, L), in double precision, of scores (n, L) that are of labels being present."""
    host = to_numpy(scores)
    if kind == "logits":
        return np.asarray(host, dtype=np.float64)
    pairs = (log_scores(column.astype(np.float64), kind=kind) for column in host.T)
    odds: Floats = np.stack([pair[:, 1] - pair[:, 0] for pair in pairs], axis=1)
    return odds


def decide_labels(log_odds: Floats, offsets: Floats) -> Indicator:
    """Return which labels (n, L) are predicted: those whose log-odds and offset sum to more than zero."""
    decided: Indicator = log_odds + offsets > 0
    return decided


def label_proba(log_odds: Floats, offsets: Floats) -> Floats:
    """Return the logistic function (n, L) of log-odds and offsets: above one half is what is predicted."""
    with np.errstate(over="ignore"):
        proba: Floats = 1 / (1 + np.exp(-(log_odds + offsets)))
    return proba
