"""From probabilities, log-probabilities or logits to log-scores."""

from skimbalance._core.array_api import device, namespace, smallest_normal
from skimbalance._core.typing import Array, Kind

__all__ = ["KINDS", "as_proba", "log_scores"]

KINDS = ("proba", "log_proba", "logits")


def log_scores(scores: Array, *, kind: Kind) -> Array:
    """Return (n, K) log-scores: logarithms of probabilities up to a constant in each sample.

    A probability of zero counts as the smallest normal number of its dtype, so that its class comes last but can
    still be reached by an offset. Logits are log-scores as they stand.

    Binary probabilities are those of the second class, and what they lack to one: log-scores then rise with what is
    compared with the threshold, however far a sample of two is from a sum of one. Where the probability has rounded to
    one, that of the first class shows how near to one it was.
    """
    if scores.ndim == 1 or (scores.shape[1] == 2 and kind != "logits"):
        return _two_columns(scores, kind=kind)
    xp = namespace(scores)
    if kind == "proba":
        return xp.log(xp.clip(scores, smallest_normal(scores), None))
    return _lift(scores) if kind == "log_proba" else scores


def as_proba(scores: Array, *, kind: Kind) -> Array:
    """Return the probabilities (n,) of the second of two classes."""
    own = scores if scores.ndim == 1 else scores[:, 1]
    return namespace(scores).exp(own) if kind == "log_proba" else own


def _lift(log_proba: Array) -> Array:
    """Replace the logarithms of zero and of what is next to it."""
    xp = namespace(log_proba)
    floor = xp.log(xp.asarray(smallest_normal(log_proba), dtype=log_proba.dtype, device=device(log_proba)))
    return xp.maximum(log_proba, floor)


def _two_columns(scores: Array, *, kind: Kind) -> Array:
    xp = namespace(scores)
    own = scores if scores.ndim == 1 else scores[:, 1]
    if kind == "logits":
        return xp.stack([xp.zeros_like(own), own]).T  # each column contiguous in memory
    tiny = smallest_normal(scores)
    rest = 1 - own if kind == "proba" else -xp.expm1(xp.clip(own, None, 0.0))
    if scores.ndim == 2 and bool(xp.any(rest <= 0)):
        other = scores[:, 0] if kind == "proba" else xp.exp(scores[:, 0])
        rest = xp.where(rest <= 0, xp.clip(other, None, float(xp.finfo(scores.dtype).eps) / 2), rest)
    present = xp.log(xp.clip(own, tiny, None)) if kind == "proba" else _lift(own)
    return xp.stack([xp.log(xp.clip(rest, tiny, None)), present]).T
