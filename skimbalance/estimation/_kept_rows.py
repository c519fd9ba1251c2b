"""The samples of a fit, kept so that offsets can be fitted again for another class prior."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, namespace, small_codes, to_numpy
from skimbalance._core.typing import Array

__all__ = ["KeptRows", "sampling_rates", "thinned"]

_CELLS = 5_000_000
"""Up to so many scores are kept by reference, of more a sample is copied: 40 MB of float64."""

_BLOCK = 1 << 16
"""Samples at a time stay in cache: that is several times as fast."""


@dataclass(frozen=True, eq=False)
class KeptRows:
    """Scores as they were given, and for each sample the code of its class, its weight and its group.

    `weights` is None for ones, `groups` where all samples are independent. Of many scores it is a sample, in which each
    class weighs what it did.
    """

    scores: Array
    codes: npt.NDArray[Any]
    weights: Array | None
    groups: npt.NDArray[np.int64] | None = None

    @classmethod
    def of(
        cls,
        scores: Array,
        codes: npt.NDArray[np.int64],
        weights: Array | None,
        groups: npt.NDArray[np.int64] | None = None,
        *,
        n_classes: int,
    ) -> Self:
        """Keep these samples, or a sample of them."""
        limit = _CELLS // (1 if scores.ndim == 1 else n_classes)
        if len(codes) <= limit:
            return cls(scores, small_codes(codes, n_classes), weights, groups)
        samples, heavier = thinned(codes, weights, n_classes=n_classes, limit=limit)
        taken = namespace(scores).take(scores, bring(samples, to=scores), axis=0)
        mass = bring(heavier, to=taken, dtype=namespace(taken).float64)
        return cls(taken, small_codes(codes[samples], n_classes), mass, None if groups is None else groups[samples])


def sampling_rates(counts: npt.NDArray[Any], *, limit: int) -> npt.NDArray[np.float64]:
    """Return with which probability a sample of each class (K,) is drawn, for `limit` samples, or one and more for all.

    Half of them are divided evenly among the classes, half by class frequency: minority classes are kept whole.
    """
    rates: npt.NDArray[np.float64] = limit / (2 * len(counts) * np.maximum(counts, 1)) + limit / (2 * counts.sum())
    return rates


def thinned(
    codes: npt.NDArray[np.int64], weights: Array | None, *, n_classes: int, limit: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return about `limit` random samples, and weights under which each class weighs as much as before."""
    counts = np.bincount(codes, minlength=n_classes)
    rng, rates = np.random.default_rng(0), sampling_rates(counts, limit=limit).astype(np.float32)
    blocks = ((start, codes[start : start + _BLOCK]) for start in range(0, len(codes), _BLOCK))
    samples = np.concatenate(
        [start + np.flatnonzero(rng.random(len(block), np.float32) < rates[block]) for start, block in blocks]
    )
    own = codes[samples]
    host = None if weights is None else to_numpy(weights)
    mass = np.ones(len(samples)) if host is None else host[samples]
    before = counts if host is None else np.bincount(codes, host, minlength=n_classes)
    after = np.bincount(own, mass, minlength=n_classes)
    heavier = np.divide(before, after, out=np.ones(n_classes), where=after > 0)
    return samples, mass * heavier[own]
