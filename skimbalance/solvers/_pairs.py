"""Pairs of a sample and a class that may be its best: all pairs, or those with a small margin."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import (
    count_codes,
    device,
    group_order,
    largest_magnitude,
    namespace,
    opens_group,
    put,
    segment_maximum,
    small_codes,
    to_numpy,
)
from skimbalance._core.typing import Array
from skimbalance.solvers._base import Problem

__all__ = ["AllPairs", "NearPairs", "Pairs", "top_two"]


def top_two(scores: Array) -> tuple[Array, Array, Array, Array]:
    """Return the best class of each sample, its score, the second class, and its score; lower classes win ties."""
    xp = namespace(scores)
    first = xp.argmax(scores, axis=1)
    first_value = xp.max(scores, axis=1)
    every = xp.arange(scores.shape[1], device=device(scores))[None, :]
    lowest = xp.asarray(-xp.inf, dtype=scores.dtype, device=device(scores))
    rest = xp.where(every == first[:, None], lowest, scores)
    return first, first_value, xp.argmax(rest, axis=1), xp.max(rest, axis=1)


class Pairs(Protocol):
    """Pairs of a sample and a class that may be its best."""

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """The number of pairs of each class (K,)."""

    @property
    def largest(self) -> float:
        """The largest magnitude of a score."""

    def of(self, classes: Array, most: int) -> tuple[Array, Array, Array | None]:
        """Return the samples (b, most) of the pairs of `classes`, their scores, and which places are filled."""

    def top_two(self, samples: Array, offsets: Array) -> tuple[Array, ...]:
        """Return the two best classes of `samples` and their shifted scores."""


@dataclass(frozen=True)
class AllPairs:
    """All pairs of a class and a sample."""

    problem: Problem

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """The number of pairs of each class (K,)."""
        return np.full(self.problem.n_classes, self.problem.scores.shape[0])

    @cached_property
    def largest(self) -> float:
        """The largest magnitude of a score."""
        return largest_magnitude(self.problem.scores)

    def of(self, classes: Array, most: int) -> tuple[Array, Array, Array | None]:
        """Return the samples (b, most) of the pairs of `classes`, their scores, and which places are filled."""
        xp = namespace(classes)
        samples = xp.arange(most, dtype=xp.int64, device=device(classes))
        return samples[None, :] + 0 * classes[:, None], xp.take(self.problem.columns, classes, axis=0), None

    def top_two(self, samples: Array, offsets: Array) -> tuple[Array, ...]:
        """Return the two best classes of `samples` and their shifted scores."""
        return top_two(namespace(samples).take(self.problem.scores, samples, axis=0) + offsets)


@dataclass(frozen=True)
class NearPairs:
    """Pairs in the order of the samples, and again in the order of the classes; a sample has none or several."""

    classes: Array
    scores: Array
    starts: Array
    rows_of_class: Array
    scores_of_class: Array
    starts_of_class: Array
    lengths: npt.NDArray[np.int64]
    largest: float

    @classmethod
    def of_rows(cls, counts: Array, classes: Array, scores: Array, *, n_classes: int) -> "NearPairs":
        """Take pairs in the order of the samples, `counts` (n,) of each."""
        xp = namespace(scores)
        order = group_order(small_codes(classes, n_classes))
        lengths = xp.astype(count_codes(classes, None, n_classes), xp.int64)
        return cls(
            classes,
            scores,
            _starts(counts),
            xp.repeat(xp.arange(counts.shape[0], device=device(counts)), counts)[order],
            scores[order],
            _starts(lengths),
            to_numpy(lengths),
            largest_magnitude(scores) if scores.shape[0] else 0.0,
        )

    @property
    def contested(self) -> Array:
        """The samples that have pairs."""
        return namespace(self.starts).nonzero(self.starts[1:] > self.starts[:-1])[0]

    def of(self, classes: Array, most: int) -> tuple[Array, Array, Array | None]:
        """Return the samples (b, most) of the pairs of `classes`, their scores, and which places are filled."""
        xp = namespace(classes)
        starts, ends = (self.starts_of_class[classes + side][:, None] for side in (0, 1))
        places = starts + xp.arange(most, dtype=xp.int64, device=device(classes))[None, :]
        filled = places < ends
        places = xp.clip(places, None, self.rows_of_class.shape[0] - 1)
        return self.rows_of_class[places], self.scores_of_class[places], filled

    def top_two(self, samples: Array, offsets: Array) -> tuple[Array, ...]:
        """Return the two best classes of `samples` and their shifted scores."""
        xp = namespace(samples)
        lengths = self.starts[samples + 1] - self.starts[samples]
        starts = xp.cumulative_sum(lengths) - lengths
        segments = xp.repeat(xp.arange(samples.shape[0], device=device(samples)), lengths)
        places = (self.starts[samples] - starts)[segments] + xp.arange(segments.shape[0], device=device(samples))
        classes = self.classes[places]
        values = self.scores[places] + offsets[classes]
        leaders: tuple[Array, ...] = ()
        for _ in range(2):
            best = segment_maximum(values, starts)
            ties = xp.nonzero(values == best[segments])[0]
            if ties.shape[0] > samples.shape[0]:
                ties = ties[opens_group(segments[ties])]
            leaders += (classes[ties], best)
            values = put(values, ties, best * 0 - float("inf"))
        return leaders


def _starts(lengths: Array) -> Array:
    """Return where each segment starts, and where the last ends."""
    xp = namespace(lengths)
    return xp.concat([xp.zeros_like(lengths[:1]), xp.cumulative_sum(lengths)])
