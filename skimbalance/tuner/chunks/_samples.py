"""Read and check samples in chunks of a Dask array, count them, and draw from them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision import log_scores
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
from skimbalance.estimation import FitSpec
from skimbalance.tuner.checks import bounds_of, deployed_factors, positive_label, resolve_metric
from skimbalance.tuner.chunks._blocks import Block, Chunks, Floats, class_totals, draw_by_class, draw_uniformly
from skimbalance.tuner.chunks._dask import chunks_of, n_columns

__all__ = ["ChunkedSamples", "LazyMap", "log_block", "read_samples"]

_SAMPLE_CELLS = 2_000_000
"""The most scores that are drawn. If there are no more, the fit is the one in memory."""


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
    n_classes = n_columns(scores)
    given = chunks_of(scores, y, sample_weight)
    _, labels = check_labels(given.labels.map_reduce(_distinct, np.union1d), classes=classes, n_classes=n_classes)
    order = column_order(scores, labels)
    positive = positive_label(spec.objective, labels, spec.pos_label)
    resolve_metric(spec.objective, labels, positive)  # an invalid objective fails before the scores are read
    bounds_of(spec.constraints, labels, positive)
    largest_weight = 1.0 if given.weights is None else given.weights.map_reduce(_largest_weight, max)
    if largest_weight == 0:
        raise ValueError("sample_weight must be positive somewhere; got zeros only")
    read = partial(_read, kind=spec.kind, labels=labels, order=order, largest_weight=largest_weight)
    totals, largest = given.samples.map_reduce(partial(_totals, read=read, kind=spec.kind), _combined_totals)
    class_sizes, class_weights = totals[1:]
    if spec.class_prior is not None:
        factors = deployed_factors(class_weights, check_per_class("class_prior", spec.class_prior, labels))
        read, class_weights, class_sizes = (
            partial(read, factors=factors),
            class_weights * factors,
            class_sizes * (factors > 0),
        )
    return ChunkedSamples(
        chunks=LazyMap(given.samples, read),
        labels=labels,
        n_samples=int(totals[0].sum()),
        class_sizes=class_sizes,
        class_weights=class_weights,
        largest=largest,
        weighted=sample_weight is not None or spec.class_prior is not None,
    )


@dataclass(frozen=True)
class LazyMap:
    """Chunks to which a function is applied anew in each pass."""

    chunks: Chunks[Any]
    function: Callable[[Any], Block]

    def map_reduce(self, function: Callable[[Block], Any], combine: Callable[[Any, Any], Any]) -> Any:
        return self.chunks.map_reduce(partial(_composed, inner=self.function, outer=function), combine)

    def map(self, function: Callable[[Block], Any]) -> Chunks[Any]:
        return self.chunks.map(partial(_composed, inner=self.function, outer=function))


def _composed(chunk: Any, *, inner: Callable[[Any], Block], outer: Callable[[Block], Any]) -> Any:
    return outer(inner(chunk))


def _distinct(y: ArrayLike) -> npt.NDArray[Any]:
    distinct: npt.NDArray[Any] = np.unique(check_label_vector("y", y))
    return distinct


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


def _totals(chunk: Any, *, read: Callable[[Any], Block], kind: Kind) -> tuple[Floats, float]:
    block = log_block(read(chunk), kind=kind)
    return class_totals(block, n_classes=block.scores.shape[1]), float(np.abs(block.scores).max())


def _combined_totals(one: tuple[Floats, float], other: tuple[Floats, float]) -> tuple[Floats, float]:
    return one[0] + other[0], max(one[1], other[1])


def log_block(block: Block, *, kind: Kind, classes: tuple[int, ...] | None = None) -> Block:
    """Return the log-scores of a block, of some `classes` only if given."""
    columns = log_scores(block.scores, kind=kind)
    if classes is None or len(classes) == columns.shape[1]:
        return replace(block, scores=columns)
    # Samples of other classes have no weight, so that they may get any code.
    codes = np.minimum(np.searchsorted(classes, block.codes), len(classes) - 1)
    return replace(block, scores=columns[:, list(classes)], codes=codes)
