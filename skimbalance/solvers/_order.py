"""An order of classes and samples that depends on their values only, not on the order of the input.

Random draws and ties use it, so that the same data give the same result.
"""

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, device, namespace, to_numpy
from skimbalance._core.typing import Array
from skimbalance.metrics.counts import Truth

__all__ = ["is_ordered", "order_classes", "order_samples"]

_SCORES, _BINARY_SCORES = 10_000_000, 50_000
"""Up to so many scores the order of samples, and of classes of equal support, does not influence the result. A larger
binary problem takes longer to sort than to fit, and the order has little influence on it."""

_DIGITS = 9
"""Margins are rounded to so many decimals, so that a constant added to a sample does not change the order."""

_Places = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]


def is_ordered(scores: Array) -> bool:
    """Whether scores (n, K) are few enough to sort."""
    n_samples, n_columns = scores.shape
    return bool(n_samples * n_columns <= (_BINARY_SCORES if n_columns == 2 else _SCORES))


def order_classes(scores: Array, truth: Truth) -> _Places:
    """Return the classes (K,) by increasing support, and of equal support by their lowest margins."""
    keys = [to_numpy(truth.support)]
    n_classes = len(keys[0])
    if is_ordered(scores) and len(np.unique(keys[0])) < n_classes:
        codes, margins = to_numpy(truth.likeliest), _own_margins(scores, truth)
        least, most = np.full((2, n_classes), np.inf)
        np.minimum.at(least, codes, margins)
        np.minimum.at(most, codes, -margins)
        keys = [most, least, *keys]
    order: _Places = np.lexsort(keys)
    return order


def order_samples(scores: Array, truth: Truth, classes: _Places) -> _Places:
    """Return the samples (n,) by class and margin, and of equal ones by all margins and the weight.

    `classes` is the order of the classes.
    """
    rank, margins = np.argsort(classes)[to_numpy(truth.likeliest)], _own_margins(scores, truth)
    order: _Places = np.lexsort((margins, rank))
    alike = (np.diff(rank[order]) == 0) & (np.diff(margins[order]) == 0)
    tied = np.flatnonzero(np.append(alike, False) | np.append(False, alike))
    if tied.size == 0:
        return order
    samples = order[tied]
    rows = namespace(scores).take(scores, bring(samples, to=scores), axis=0)
    columns = to_numpy(rows)[:, classes].astype(np.float64)
    columns -= columns.max(axis=1, keepdims=True)
    weights = [] if truth.weights is None else [to_numpy(truth.weights)[samples]]
    keys = [*weights, *columns.T, *np.round(columns, _DIGITS).T, margins[samples], rank[samples]]
    order[tied] = samples[np.lexsort(keys)]
    return order


def _own_margins(scores: Array, truth: Truth) -> _Floats:
    """Return the score of the true class minus the best other score of each sample, (n,), rounded."""
    xp = namespace(scores)
    codes = truth.likeliest[:, None]
    every = xp.arange(scores.shape[1], device=device(scores))[None, :]
    lowest = xp.asarray(-xp.inf, dtype=scores.dtype, device=device(scores))
    own = xp.take_along_axis(scores, codes, axis=1)[:, 0]
    margins = to_numpy(own - xp.max(xp.where(every == codes, lowest, scores), axis=1))
    wide: _Floats = np.asarray(margins, dtype=np.float64)
    return wide.round(_DIGITS)
