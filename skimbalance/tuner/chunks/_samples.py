"""Samples in chunks: read and checked, counted, and drawn from."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import count_codes, to_numpy
from skimbalance._core.decision import decide, log_scores
from skimbalance._core.typing import ArrayLike, Kind
from skimbalance._core.validation import (
    check_codes,
    check_label_vector,
    check_labels,
    check_per_class,
    check_scores,
    check_weights,
    column_order,
    rescaled,
)
from skimbalance.estimation import FitSpec, sampling_rates
from skimbalance.metrics.counts import Counts
from skimbalance.tuner.checks import bounds_of, deployed_factors, positive_label, resolve_metric
from skimbalance.tuner.chunks._dask import chunks_of, n_columns

__all__ = [
    "Block",
    "ChunkedSamples",
    "Chunks",
    "Floats",
    "LazyMap",
    "class_totals",
    "confusion_matrices",
    "confusion_matrix",
    "counts_of",
    "draw_by_class",
    "draw_uniformly",
    "log_block",
    "read_samples",
]

Floats = npt.NDArray[np.float64]
_Codes = npt.NDArray[np.int64]

_Chunk_co = TypeVar("_Chunk_co", covariant=True)
_Result = TypeVar("_Result")

_SAMPLE_CELLS = 2_000_000
"""The most scores that are drawn. If there are no more, the fit is the one in memory."""


class Chunks(Protocol[_Chunk_co]):
    """Values of one type, each stored on some machine; functions are sent there and return small results."""

    def map_reduce(self, function: Callable[[Any], _Result], combine: Callable[[_Result, _Result], _Result]) -> _Result:
        """Return the results of `function` for all chunks, combined pairwise in the order of the chunks."""

    def map(self, function: Callable[[Any], _Result]) -> "Chunks[_Result]":
        """Compute `function` of each chunk, and store the results where the chunks are."""


@dataclass(frozen=True)
class LazyMap:
    """Chunks to which a function is applied anew in each pass."""

    chunks: Chunks[Any]
    function: Callable[[Any], "Block"]

    def map_reduce(self, function: Callable[["Block"], Any], combine: Callable[[Any, Any], Any]) -> Any:
        return self.chunks.map_reduce(_composed(function, self.function), combine)

    def map(self, function: Callable[["Block"], Any]) -> Chunks[Any]:
        return self.chunks.map(_composed(function, self.function))


def _composed(outer: Callable[["Block"], Any], inner: Callable[[Any], "Block"]) -> Callable[[Any], Any]:
    return lambda chunk: outer(inner(chunk))


@dataclass(frozen=True, eq=False)
class Block:
    """Scores (n, K), class codes (n,) and weights or None of some samples.

    `place` is the position of the block among all samples, from 0 to 1.
    """

    scores: npt.NDArray[Any]
    codes: _Codes
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


def log_block(block: Block, *, kind: Kind, classes: tuple[int, ...] | None = None) -> Block:
    """Return the log-scores of a block, of some `classes` only if given."""
    columns = log_scores(block.scores, kind=kind)
    if classes is None or len(classes) == columns.shape[1]:
        return replace(block, scores=columns)
    # Samples of other classes have no weight, so that they may get any code.
    codes = np.minimum(np.searchsorted(classes, block.codes), len(classes) - 1)
    return replace(block, scores=columns[:, list(classes)], codes=codes)


@dataclass(frozen=True, eq=False)
class ChunkedSamples:
    """All samples in chunks, and for each class its label, its samples of positive weight, and its weight.

    `largest` is the largest absolute log-score.
    """

    chunks: Chunks[Block]
    labels: npt.NDArray[Any]
    n_samples: int
    class_sizes: Floats
    class_weights: Floats
    largest: float
    weighted: bool

    @property
    def are_few(self) -> bool:
        """Whether all samples are drawn."""
        return self.n_samples <= _SAMPLE_CELLS // len(self.labels)

    def draw(self, *, seed: int, weighted: bool) -> Block:
        """Return all samples if they are few, else a sample of them: uniform, or `weighted` and stratified by class."""
        limit = _SAMPLE_CELLS // len(self.labels)
        if self.are_few or not weighted:
            return draw_uniformly(self.chunks, rate=limit / self.n_samples, seed=seed)
        sizes, weights = self.class_sizes, self.class_weights
        return draw_by_class(self.chunks, class_sizes=sizes, class_weights=weights, limit=limit, seed=seed)


def read_samples(
    spec: FitSpec, scores: Any, y: ArrayLike, *, classes: ArrayLike | None, sample_weight: ArrayLike | None
) -> ChunkedSamples:
    """Check all samples, and count those of each class."""
    n_classes, kind = n_columns(scores), spec.kind
    samples, labels_of_samples, weights = chunks_of(scores, y, sample_weight)
    distinct = labels_of_samples.map_reduce(lambda each: np.unique(check_label_vector("y", each)), np.union1d)
    _, labels = check_labels(distinct, classes=classes, n_classes=n_classes)
    order = column_order(scores, labels)
    positive = positive_label(spec.objective, labels, spec.pos_label)
    resolve_metric(spec.objective, labels, positive)  # an invalid objective fails before the scores are read
    bounds_of(spec.constraints, labels, positive)
    largest_weight = 1.0 if weights is None else weights.map_reduce(_largest_weight, max)
    if largest_weight == 0:
        raise ValueError("sample_weight must be positive somewhere; got zeros only")
    read = partial(_read, kind=kind, labels=labels, order=order, largest_weight=largest_weight)

    def totals_of(chunk: Any) -> tuple[Floats, float]:
        block = log_block(read(chunk), kind=kind)
        return class_totals(block, n_classes=n_classes), float(np.abs(block.scores).max())

    totals, largest = samples.map_reduce(totals_of, lambda one, other: (one[0] + other[0], max(one[1], other[1])))
    n_samples, class_sizes, class_weights, factors = int(totals[0].sum()), totals[1], totals[2], None
    if spec.class_prior is not None:
        factors = deployed_factors(class_weights, check_per_class("class_prior", spec.class_prior, labels))
        class_weights, class_sizes = class_weights * factors, class_sizes * (factors > 0)
    return ChunkedSamples(
        chunks=LazyMap(samples, partial(read, factors=factors)),
        labels=labels,
        n_samples=n_samples,
        class_sizes=class_sizes,
        class_weights=class_weights,
        largest=largest,
        weighted=sample_weight is not None or spec.class_prior is not None,
    )


def _largest_weight(weights: ArrayLike) -> float:
    host = to_numpy(weights)
    return float(check_weights(host, n_samples=len(host)).max())


def _read(
    chunk: Any,
    *,
    kind: Kind,
    labels: npt.NDArray[Any],
    order: list[int] | None,
    largest_weight: float,
    factors: Floats | None = None,
) -> Block:
    scores, y, sample_weight, place = chunk
    codes = check_codes("y", y, labels=labels)
    weights = None
    if sample_weight is not None:
        weights = rescaled(check_weights(sample_weight, n_samples=len(codes)), largest=largest_weight)
    if factors is not None:
        weights = factors[codes] if weights is None else weights * factors[codes]
    columns = to_numpy(check_scores(scores, kind=kind))
    return Block(columns if order is None else columns[:, order], codes, weights, place)


def class_totals(block: Block, *, n_classes: int) -> Floats:
    """Return for each class its number of samples, how many of these have a positive weight, and its weight, (3, K)."""
    parts = (None, (block.weights_or_ones > 0).astype(np.float64), block.weights)
    return np.stack([np.asarray(count_codes(block.codes, weights, n_classes)) for weights in parts])


def confusion_matrices(
    block: Block, *, offsets: tuple[npt.NDArray[Any], ...], decide: Callable[..., Any] = decide
) -> Floats:
    """Return the weighted confusion matrices (m, K, K) of the decisions with each of m `offsets`."""
    size = len(offsets[0])
    decisions = (np.asarray(decide(block.scores, each)) for each in offsets)
    return np.stack([confusion_matrix(block.codes, each, block.weights, n_classes=size) for each in decisions])


def confusion_matrix(codes: _Codes, decisions: _Codes, weights: Floats | None, *, n_classes: int) -> Floats:
    """Return the weighted confusion matrix (K, K)."""
    counts = np.asarray(count_codes(codes * n_classes + decisions, weights, n_classes * n_classes))
    return counts.reshape(n_classes, n_classes)


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

    def drawn(block: Block) -> Block:
        weights = block.weights_or_ones
        probability = np.multiply(rates[block.codes], weights, out=np.zeros(len(weights)), where=weights > 0)
        probability = np.minimum(probability, 1.0)
        samples = np.flatnonzero(_uniform(block, seed) < probability)
        return replace(block.take(samples), weights=weights[samples] / probability[samples])

    sample = chunks.map_reduce(drawn, Block.concat)
    weights = np.bincount(sample.codes, sample.weights, minlength=len(class_sizes))
    factors = np.divide(class_weights, weights, out=np.ones(len(class_sizes)), where=weights > 0)
    return replace(sample, weights=sample.weights_or_ones * factors[sample.codes])


def draw_uniformly(chunks: Chunks[Block], *, rate: float, seed: int) -> Block:
    """Draw each sample with the same probability `rate`; with a rate of at least one return all in their order."""

    def drawn(block: Block) -> Block:
        return block.take(np.flatnonzero(_uniform(block, seed) < rate))

    return chunks.map_reduce(drawn, Block.concat)


def _uniform(block: Block, seed: int) -> Floats:
    return np.random.default_rng([seed, int(block.place * 2**32)]).random(len(block.codes))
