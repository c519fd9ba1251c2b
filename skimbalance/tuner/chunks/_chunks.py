"""Samples that lie in chunks, wherever these are: what can be asked of them is a sum over all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import count_codes
from skimbalance._core.decision import decide
from skimbalance.metrics.counts import Counts

__all__ = ["Block", "Chunks", "Floats", "as_counts", "counts_of", "weigh_classes"]

Floats = npt.NDArray[np.float64]

_Chunk_co = TypeVar("_Chunk_co", covariant=True)
_Result = TypeVar("_Result")


class Chunks(Protocol[_Chunk_co]):
    """Values of one type, each where it is; functions of them travel there, and what they return is small."""

    def total(self, part: Callable[[Any], _Result], join: Callable[[_Result, _Result], _Result]) -> _Result:
        """Return what `part` returns for each chunk, joined two by two in the order of the chunks."""

    def kept(self, part: Callable[[Any], _Result]) -> "Chunks[_Result]":
        """Compute `part` of each chunk, and keep that in its place."""


@dataclass(frozen=True, eq=False)
class Block:
    """Some samples: log-scores (n, K), class codes (n,), weights or None, and their `place` among all, from 0 to 1."""

    scores: npt.NDArray[Any]
    codes: npt.NDArray[np.int64]
    weights: Floats | None
    place: float

    @property
    def mass(self) -> Floats:
        """The weight of each sample."""
        return np.ones(len(self.codes)) if self.weights is None else self.weights


def weigh_classes(block: Block, *, n_classes: int) -> Floats:
    """Return how many samples each class has, how many of them weigh something, and what they weigh, (3, K)."""
    parts = (None, (block.mass > 0).astype(np.float64), block.weights)
    return np.stack([np.asarray(count_codes(block.codes, weights, n_classes)) for weights in parts])


def counts_of(block: Block, *, offsets: tuple[npt.NDArray[Any], ...], decided: Callable[..., Any] = decide) -> Floats:
    """Return the weighted confusion matrix (m, K, K) of what is `decided` by each of m `offsets`."""
    size = len(offsets[0])
    cells = (block.codes * size + np.asarray(decided(block.scores, each)) for each in offsets)
    return np.stack([np.asarray(count_codes(each, block.weights, size * size)).reshape(size, size) for each in cells])


def as_counts(confusion: Floats) -> Counts:
    """Return the counts that a confusion matrix (K, K) holds."""
    return Counts(np.diagonal(confusion).copy(), confusion.sum(axis=0), confusion.sum(axis=1), confusion)
