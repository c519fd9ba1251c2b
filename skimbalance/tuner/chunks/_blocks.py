"""Sums over samples that are stored in chunks, and random samples of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import count_codes
from skimbalance._core.decision import decide
from skimbalance.estimation import sampling_rates
from skimbalance.metrics.counts import Counts

__all__ = [
    "Block",
    "Chunks",
    "Floats",
    "class_totals",
    "confusion_matrices",
    "counts_of",
    "draw_by_class",
    "draw_uniformly",
]

Floats = npt.NDArray[np.float64]

_Chunk_co = TypeVar("_Chunk_co", covariant=True)
_Result = TypeVar("_Result")


class Chunks(Protocol[_Chunk_co]):
    """Values of one type, each stored on some machine; functions are sent there and return small results."""

    def map_reduce(self, function: Callable[[Any], _Result], combine: Callable[[_Result, _Result], _Result]) -> _Result:
        """Return the results of `function` for all chunks, combined pairwise in the order of the chunks."""

    def map(self, function: Callable[[Any], _Result]) -> "Chunks[_Result]":
        """Compute `function` of each chunk, and store the results where the chunks are."""


@dataclass(frozen=True, eq=False)
class Block:
    """Scores (n, K), class codes (n,) and weights or None of some samples.

    `place` is the position of the block among all samples, from 0 to 1.
    """

    scores: npt.NDArray[Any]
    codes: npt.NDArray[np.int64]
    weights: Floats | None
    place: float

    @property
    def weights_or_ones(self) -> Floats:
        """The weight of each sample."""
        return np.ones(len(self.codes)) if self.weights is None else self.weights

    def take(self, samples: npt.NDArray[Any]) -> "Block":
        """Return some of the samples."""
        weights = None if self.weights is None else self.weights[samples]
        return Block(self.scores[samples], self.codes[samples], weights, self.place)

    def concat(self, other: Self) -> "Block":
        """Return these samples, then the others."""
        weights = None if self.weights is None else np.concatenate([self.weights_or_ones, other.weights_or_ones])
        scores = np.concatenate([self.scores, other.scores])
        return Block(scores, np.concatenate([self.codes, other.codes]), weights, self.place)


def class_totals(block: Block, *, n_classes: int) -> Floats:
    """Return for each class its number of samples, how many of these have a positive weight, and its weight, (3, K)."""
    parts = (None, (block.weights_or_ones > 0).astype(np.float64), block.weights)
    return np.stack([np.asarray(count_codes(block.codes, weights, n_classes)) for weights in parts])


def confusion_matrices(
    block: Block, *, offsets: tuple[npt.NDArray[Any], ...], decide: Callable[..., Any] = decide
) -> Floats:
    """Return the weighted confusion matrices (m, K, K) of the decisions with each of m `offsets`."""
    size = len(offsets[0])
    cells = (block.codes * size + np.asarray(decide(block.scores, each)) for each in offsets)
    return np.stack([np.asarray(count_codes(each, block.weights, size * size)).reshape(size, size) for each in cells])


def counts_of(confusion: Floats) -> Counts:
    """Return the counts of a confusion matrix (K, K)."""
    return Counts(np.diagonal(confusion).copy(), confusion.sum(axis=0), confusion.sum(axis=1), confusion)


def draw_by_class(chunks: Chunks[Block], *, class_sizes: Floats, class_weights: Floats, limit: int, seed: int) -> Block:
    """Draw about `limit` samples of positive weight, among them all samples of minority classes.

    `class_sizes` (K,) are the numbers of samples of positive weight. Within the other classes the probability of being
    drawn is proportional to the weight. The samples are weighted so that the weight of each class is that of all.
    """
    rates = sampling_rates(class_sizes, limit=limit)
    part = (class_sizes > 0) & (rates < 1)
    rates = np.divide(rates * class_sizes, class_weights, out=np.full(len(class_sizes), np.inf), where=part)
    sample = chunks.map_reduce(partial(_draw_by_weight, rates=rates, seed=seed), Block.concat)
    weights = np.bincount(sample.codes, sample.weights, minlength=len(class_sizes))
    factors = np.divide(class_weights, weights, out=np.ones(len(class_sizes)), where=weights > 0)
    return replace(sample, weights=sample.weights_or_ones * factors[sample.codes])


def _draw_by_weight(block: Block, *, rates: Floats, seed: int) -> Block:
    weights = block.weights_or_ones
    probability = np.multiply(rates[block.codes], weights, out=np.zeros(len(weights)), where=weights > 0)
    probability = np.minimum(probability, 1.0)
    drawn = np.flatnonzero(_uniform(block, seed) < probability)
    return replace(block.take(drawn), weights=weights[drawn] / probability[drawn])


def draw_uniformly(chunks: Chunks[Block], *, rate: float, seed: int) -> Block:
    """Draw each sample with the same probability `rate`; with a rate of at least one return all in their order."""
    return chunks.map_reduce(partial(_draw, rate=rate, seed=seed), Block.concat)


def _draw(block: Block, *, rate: float, seed: int) -> Block:
    return block.take(np.flatnonzero(_uniform(block, seed) < rate))


def _uniform(block: Block, seed: int) -> Floats:
    return np.random.default_rng([seed, int(block.place * 2**32)]).random(len(block.codes))
