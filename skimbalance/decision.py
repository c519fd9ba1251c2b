"""The one argmax, its tie rule, and what offsets and thresholds have to do with each other."""

import math

import numpy as np

from skimbalance._array_api import bring, namespace, shifted_blocks, to_numpy
from skimbalance._typing import Array, ArrayLike

__all__ = ["centred", "decide", "log_logistic", "log_softmax", "shifted", "softmax", "threshold_of"]


def shifted(scores: Array, offsets: ArrayLike) -> Array:
    """Return `scores + offsets`, (n, K), in the dtype of the scores."""
    return scores + bring(offsets, to=scores, dtype=scores.dtype)


def decide(scores: Array, offsets: ArrayLike) -> Array:
    """Return `argmax_k(scores_k + offsets_k)` for each row, the first such k where several tie."""
    xp = namespace(scores)
    offsets = bring(offsets, to=scores, dtype=scores.dtype)
    if scores.shape[1] == 2:
        return xp.astype(scores[:, 1] + offsets[1] > scores[:, 0] + offsets[0], xp.int64)
    return xp.concat([xp.argmax(block, axis=1) for _, block in shifted_blocks(scores, offsets)])


def centred(offsets: Array) -> Array:
    """Return offsets that sum to zero and decide alike: only differences of offsets matter."""
    xp = namespace(offsets)
    wide = xp.astype(offsets, xp.float64)
    return xp.astype(wide - xp.mean(wide), offsets.dtype)


def threshold_of(offsets: ArrayLike) -> float:
    """Return the probability of the second of two classes above which it is predicted.

    It is minus infinity where even a probability of zero is enough, and below one as long as a probability of one
    is.
    """
    difference = float(offsets[1]) - float(offsets[0])
    dtype = to_numpy(offsets).dtype.type
    reach = -math.log(np.finfo(dtype).smallest_normal)
    if difference > reach:
        return -math.inf
    odds = math.exp(-abs(difference))
    threshold = (1 if difference < 0 else odds) / (1 + odds)
    return threshold if difference < -reach else min(threshold, float(np.nextafter(dtype(1), dtype(0))))


def log_softmax(scores: Array) -> Array:
    """Return the logarithms of the probabilities that log-scores stand for."""
    xp = namespace(scores)
    lowered = scores - xp.max(scores, axis=1, keepdims=True)
    return lowered - xp.log(xp.sum(xp.exp(lowered), axis=1, keepdims=True))


def softmax(scores: Array) -> Array:
    """Return the probabilities that log-scores stand for."""
    xp = namespace(scores)
    raised = xp.exp(scores - xp.max(scores, axis=1, keepdims=True))
    return raised / xp.sum(raised, axis=1, keepdims=True)


def log_logistic(log_odds: Array) -> Array:
    """Return the logarithms of the probabilities that log-odds stand for."""
    xp = namespace(log_odds)
    return -xp.log1p(xp.exp(-xp.abs(log_odds))) + xp.clip(log_odds, None, 0.0)
