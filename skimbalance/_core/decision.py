"""Decisions from scores and offsets, their ties, and conversions between offsets and thresholds.

Binary: `classes_[1]` is predicted where its score is at least the threshold. A tie goes to it, as scikit-learn's
`FixedThresholdClassifier` and `metric_at_thresholds` have it. Multilabel: a label is predicted where its score is at
least its threshold. Multiclass: the argmax of log-scores plus offsets is predicted, of equal ones the first column.

`decide` applies the rule to log-scores, `decide_scores` to scores as users pass them. In the binary case it compares
the probability itself with the threshold: no rounding of a logarithm comes between `threshold_` and `predict`.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from skimbalance._core.array_api import bring, bring_like, device, namespace, shifted_blocks, smallest_normal, to_numpy
from skimbalance._core.typing import Array, ArrayLike, Kind

__all__ = [
    "KINDS",
    "as_proba",
    "centred",
    "decide",
    "decide_scores",
    "log_logistic",
    "log_scores",
    "log_softmax",
    "offsets_of",
    "shifted",
    "softmax",
    "threshold_of",
]

KINDS = ("proba", "log_proba", "logits")


def log_scores(scores: Array, *, kind: Kind) -> Array:
    """Return (n, K) log-scores: logarithms of probabilities up to a constant in each sample.

    A probability of zero counts as the smallest normal number of its dtype. Its class comes last, but an offset can
    still select it. Logits are log-scores as they stand.

    Binary probabilities are those of the second class, and the rest to one. So log-scores increase with the number that
    is compared with the threshold, even where the two probabilities of a sample do not sum to one. Where the
    probability was rounded to one, that of the first class shows how near to one it was.
    """
    if scores.ndim == 1 or (scores.shape[1] == 2 and kind != "logits"):
        return _two_columns(scores, kind=kind)
    return scores if kind == "logits" else _logarithms(scores, kind=kind)


def as_proba(scores: Array, *, kind: Kind) -> Array:
    """Return the probabilities (n,) of the second of two classes."""
    own = scores if scores.ndim == 1 else scores[:, 1]
    return namespace(scores).exp(own) if kind == "log_proba" else own


def _logarithms(proba: Array, *, kind: Kind) -> Array:
    """Return finite logarithms of probabilities, or of what is given as their logarithms."""
    xp, tiny = namespace(proba), smallest_normal(proba)
    if kind == "proba":
        return xp.log(xp.clip(proba, tiny, None))
    return xp.maximum(proba, xp.log(xp.asarray(tiny, dtype=proba.dtype, device=device(proba))))


def _two_columns(scores: Array, *, kind: Kind) -> Array:
    xp = namespace(scores)
    own = scores if scores.ndim == 1 else scores[:, 1]
    if kind == "logits":
        return xp.stack([xp.zeros_like(own), own]).T  # each column contiguous in memory
    rest = 1 - own if kind == "proba" else -xp.expm1(xp.clip(own, None, 0.0))
    if scores.ndim == 2 and bool(xp.any(rest <= 0)):
        other = scores[:, 0] if kind == "proba" else xp.exp(scores[:, 0])
        rest = xp.where(rest <= 0, xp.clip(other, None, float(xp.finfo(scores.dtype).eps) / 2), rest)
    return xp.stack([_logarithms(rest, kind="proba"), _logarithms(own, kind=kind)]).T


def shifted(scores: Array, offsets: ArrayLike, *, decisions: Array | None = None) -> Array:
    """Return `scores + offsets`, (n, K), in the dtype of the scores.

    With binary `decisions` (n,) the column of the predicted class is the greater one, also where the two columns differ
    by no more than rounding.
    """
    columns = scores + bring_like(offsets, scores)
    if decisions is None or columns.shape[1] > 2:
        return columns
    xp = namespace(columns)
    first, second = columns[:, 0], columns[:, 1]
    step = 4 * float(xp.finfo(columns.dtype).eps) * xp.clip(xp.abs(first), 1.0, None)
    second = xp.where(decisions == 1, xp.maximum(second, first + step), xp.minimum(second, first - step))
    return xp.stack([first, second]).T


def decide(scores: Array, offsets: ArrayLike) -> Array:
    """Return the code of the class that log-scores (n, K) and offsets (K,) predict for each sample."""
    xp = namespace(scores)
    if scores.shape[1] == 2:
        offsets = bring(offsets, to=scores)
        cut = xp.astype(offsets[0] - offsets[1], scores.dtype)
        return xp.astype(scores[:, 1] - scores[:, 0] >= cut, xp.int64)
    offsets = bring_like(offsets, scores)
    return xp.concat([xp.argmax(block, axis=1) for _, block in shifted_blocks(scores, offsets)])


def decide_scores(scores: Array, offsets: ArrayLike, *, kind: Kind, threshold: float | None = None) -> Array:
    """Return the code of the class that scores of any kind, (n, K) or binary (n,), and offsets predict for each sample.

    Binary probabilities are compared with the `threshold`; None means `threshold_of` the offsets. Where it was rounded
    to one, the probability of the other class separates probabilities of one.
    """
    binary = scores.ndim == 1 or scores.shape[1] == 2
    if kind == "logits" or not binary:
        return decide(log_scores(scores, kind=kind), offsets)
    threshold = threshold_of(offsets, kind=kind) if threshold is None else threshold
    xp = namespace(scores)
    decided = as_proba(scores, kind=kind) >= threshold
    is_finer = scores.ndim == 2 or kind == "log_proba"
    if is_finer and float(xp.asarray(threshold, dtype=scores.dtype)) == 1:
        decided = decided & (decide(log_scores(scores, kind=kind), offsets) == 1)
    return xp.astype(decided, xp.int64)


def centred(offsets: Array) -> Array:
    """Return offsets that sum to zero and decide alike: only differences of offsets matter."""
    xp = namespace(offsets)
    wide = xp.astype(offsets, xp.float64)
    return xp.astype(wide - xp.mean(wide), offsets.dtype)


def threshold_of(offsets: ArrayLike, *, kind: Kind = "proba", dtype: npt.DTypeLike | None = None) -> float:
    """Return the probability of the second of two classes from which on it is predicted.

    It is the smallest number of the `dtype`, by default that of the offsets, whose log-odds reach the difference of the
    offsets. It is zero where a probability of zero is enough, and infinite where one is not. For logits it is
    the logistic function of the log-odds from which on the class is predicted.
    """
    own: Any = to_numpy(offsets).dtype.type
    number: Any = own if dtype is None else np.dtype(dtype).type
    cut = float(offsets[0]) - float(offsets[1])
    if kind == "logits":
        return float(expit(number(cut)))
    reach = -float(np.log(np.finfo(own).smallest_normal))  # a probability of zero counts as the smallest normal number
    if abs(cut) >= reach:
        return 0.0 if cut < 0 else 1.0 if cut == reach else math.inf
    less = math.exp(-abs(cut))
    less /= 1 + less
    threshold = number(1 - less if cut > 0 else less)
    too_low = 1 - float(threshold) > less if cut > 0 else float(threshold) < less
    return float(np.nextafter(threshold, number(2)) if too_low else threshold)


def offsets_of(threshold: float) -> npt.NDArray[np.float64]:
    """Return the offsets (2,) whose threshold is, but for rounding, the given probability; finite at zero and one."""
    limits = np.finfo(np.float64)
    proba = min(max(threshold, float(limits.smallest_normal)), 1 - float(limits.epsneg))
    cut = math.log(proba) - math.log1p(-proba)
    return np.array([cut / 2, -cut / 2])


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
