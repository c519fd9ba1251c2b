"""Samples in chunks of Dask: read and checked where they are, counted, and drawn from."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.columns import column_order
from skimbalance._core.labels import check_codes, check_label_vector, check_labels, check_per_class
from skimbalance._core.scores import log_scores
from skimbalance._core.typing import ArrayLike, Kind
from skimbalance._core.validation import check_scores, check_weights, rescaled
from skimbalance.estimation import FitSpec
from skimbalance.tuner._dask import chunks_of, n_columns
from skimbalance.tuner.chunks import Block, Chunks, Floats, drawn, drawn_evenly, gathered_samples, weigh_classes
from skimbalance.tuner.objective import bounds_of, deployed_factors, positive_label, resolve_metric

__all__ = ["Reading", "Rows", "counted", "in_logs", "sample_of"]

_SAMPLE_CELLS = 2_000_000
"""So many scores are drawn; where there are no more, the fit is the one in memory."""


@dataclass(frozen=True, eq=False)
class Rows:
    """All samples, and of each class the label, how many samples it has, how many of them weigh something, and how
    much.

    `largest` is the largest magnitude of a log-score.
    """

    chunks: Chunks[Block]
    labels: npt.NDArray[Any]
    sizes: Floats
    weighing: Floats
    masses: Floats
    largest: float
    weighted: bool

    @property
    def count(self) -> int:
        """The number of samples."""
        return int(self.sizes.sum())

    @property
    def limit(self) -> int:
        """How many samples are drawn."""
        return _SAMPLE_CELLS // len(self.labels)


def sample_of(samples: Rows, *, seed: int, weighing: bool) -> Block:
    """Return all samples where they are few, or a sample; for a metric that takes no weights one of samples as they
    are.
    """
    if samples.count <= samples.limit:
        return gathered_samples(samples.chunks)
    if not weighing:
        return drawn_evenly(samples.chunks, share=samples.limit / samples.count, seed=seed)
    return drawn(samples.chunks, samples=samples.weighing, masses=samples.masses, limit=samples.limit, seed=seed)


def counted(
    goal: FitSpec, scores: Any, y: ArrayLike, *, classes: ArrayLike | None, sample_weight: ArrayLike | None
) -> Rows:
    """Check all samples, and count those of each class."""
    n_classes = n_columns(scores)
    given = chunks_of(scores, y, sample_weight)
    _, labels = check_labels(given.labels.total(_distinct, np.union1d), classes=classes, n_classes=n_classes)
    order = column_order(scores, labels)
    positive = positive_label(goal.objective, labels, goal.pos_label)
    resolve_metric(goal.objective, labels, positive)  # a wrong goal fails before the scores are read
    bounds_of(goal.constraints, labels, positive)
    heaviest = 1.0 if given.weights is None else given.weights.total(_heaviest, max)
    if heaviest == 0:
        raise ValueError("sample_weight must be positive somewhere; got zeros only")
    read = partial(_read, kind=goal.kind, labels=labels, order=order, heaviest=heaviest)
    sums, largest = given.samples.total(partial(_weighed, read=read, kind=goal.kind), _more)
    sizes, weighing, masses = sums
    if goal.class_prior is not None:
        factors = deployed_factors(masses, check_per_class("class_prior", goal.class_prior, labels))
        read, masses, weighing = partial(read, factors=factors), masses * factors, weighing * (factors > 0)
    weighted = sample_weight is not None or goal.class_prior is not None
    return Rows(Reading(given.samples, read), labels, sizes, weighing, masses, largest, weighted)


@dataclass(frozen=True)
class Reading:
    """Chunks that are read and checked anew each time they are asked."""

    given: Chunks[Any]
    read: Callable[[Any], Block]

    def total(self, part: Callable[[Block], Any], join: Callable[[Any, Any], Any]) -> Any:
        return self.given.total(partial(_after, read=self.read, part=part), join)

    def kept(self, part: Callable[[Block], Any]) -> Chunks[Any]:
        return self.given.kept(partial(_after, read=self.read, part=part))


def _after(chunk: Any, *, read: Callable[[Any], Block], part: Callable[[Block], Any]) -> Any:
    return part(read(chunk))


def _distinct(y: ArrayLike) -> npt.NDArray[Any]:
    distinct: npt.NDArray[Any] = np.unique(check_label_vector("y", y))
    return distinct


def _heaviest(weights: ArrayLike) -> float:
    host = to_numpy(weights)
    return float(check_weights(host, n_samples=len(host)).max())


def _read(
    chunk: Any,
    *,
    kind: Kind,
    labels: npt.NDArray[Any],
    order: list[int] | None,
    heaviest: float,
    factors: Floats | None = None,
) -> Block:
    scores, y, sample_weight, place = chunk
    codes = check_codes("y", y, labels=labels)
    weights = None
    if sample_weight is not None:
        weights = rescaled(check_weights(sample_weight, n_samples=len(codes)), largest=heaviest)
    if factors is not None:
        weights = factors[codes] if weights is None else weights * factors[codes]
    columns = to_numpy(check_scores(scores, kind=kind))
    return Block(columns if order is None else columns[:, order], codes, weights, place)


def _weighed(chunk: Any, *, read: Callable[[Any], Block], kind: Kind) -> tuple[Floats, float]:
    block = in_logs(read(chunk), kind=kind)
    return weigh_classes(block, n_classes=block.scores.shape[1]), float(np.abs(block.scores).max())


def _more(one: tuple[Floats, float], other: tuple[Floats, float]) -> tuple[Floats, float]:
    return one[0] + other[0], max(one[1], other[1])


def in_logs(block: Block, *, kind: Kind, kept: tuple[int, ...] | None = None) -> Block:
    """Return the log-scores of a block, those of the classes `kept` where there are others."""
    columns = log_scores(block.scores, kind=kind)
    if kept is None or len(kept) == columns.shape[1]:
        return replace(block, scores=columns)
    # Samples of other classes weigh nothing, so that any class will do for them.
    places = np.minimum(np.searchsorted(kept, block.codes), len(kept) - 1)
    return replace(block, scores=columns[:, list(kept)], codes=places)
