"""From probabilities, log-probabilities or logits to log-scores."""

from skimbalance._array_api import device, namespace, smallest_normal
from skimbalance._typing import Array, Kind

__all__ = ["KINDS", "log_scores"]

KINDS = ("proba", "log_proba", "logits")


def log_scores(scores: Array, *, kind: Kind) -> Array:
    """Return (n, K) log-scores: logarithms of probabilities up to a constant in each row.

    A probability of zero counts as the smallest normal number of its dtype, so that its class comes last but can
    still be reached by an offset. Logits are log-scores as they stand.
    """
    if scores.ndim == 1:
        return _two_columns(scores, kind=kind)
    xp = namespace(scores)
    if kind == "proba":
        return xp.log(xp.clip(scores, smallest_normal(scores), None))
    return _lift(scores) if kind == "log_proba" else scores


def _lift(log_proba: Array) -> Array:
    """Replace the logarithms of zero and of what is next to it."""
    xp = namespace(log_proba)
    floor = xp.log(xp.asarray(smallest_normal(log_proba), dtype=log_proba.dtype, device=device(log_proba)))
    return xp.maximum(log_proba, floor)


def _two_columns(scores: Array, *, kind: Kind) -> Array:
    xp = namespace(scores)
    if kind == "logits":
        pair = [xp.zeros_like(scores), scores]
    elif kind == "proba":
        tiny = smallest_normal(scores)
        pair = [xp.log(xp.clip(1 - scores, tiny, None)), xp.log(xp.clip(scores, tiny, None))]
    else:
        pair = [_lift(xp.log(-xp.expm1(xp.minimum(scores, xp.zeros_like(scores))))), _lift(scores)]
    return xp.stack(pair).T  # each column contiguous in memory
