"""The samples whose decisions nearby offsets can change, and the two best classes of each of them."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import (
    block_samples,
    bring,
    count_codes,
    device,
    flat,
    group_order,
    largest_magnitude,
    namespace,
    opens_group,
    put,
    segment_maximum,
    shifted_blocks,
    small_codes,
    to_numpy,
    transposed,
)
from skimbalance._core.typing import Array
from skimbalance.solvers._base import Problem
from skimbalance.solvers._line_search import Bounds, Margins, SortedSweeps

__all__ = ["AllPairs", "Change", "NearPairs", "Neighbourhood", "Pairs", "around", "top_two"]


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


_EVERYWHERE_ROWS = 4096
_EVERYWHERE_CELLS = 1 << 20
"""Up to so many samples and scores a sweep covers all samples, beyond only those with small margins."""

_LEAST_ROWS = 256
_PER_OWN_ROW = 4
"""A sweep over near samples covers at least so many samples, and so many times the support of its class."""

_CLASSES_PER_ROW = 16
"""At most so many classes are near in the mean sample, apart from ties and from sweeps of majority classes."""

_MOST_PER_ROW = 64
_MOST_OF_CLASSES = 1 / 8
"""If ties make more classes than that, and than that proportion of all, near in the mean sample, then all classes count
as near, and no pairs are stored."""

_LEAST_REACH = 1.0
"""An offset can rise at least so far, a factor e in the odds, unless that makes too many classes near."""

_FARTHER = 8
"""For samples of its own class, the quantile of near samples is so many times larger."""

_SAMPLE = 1024
"""Samples from which the reach of a class is estimated."""

_FEWER = 128
"""Samples from which the reach of all classes is estimated."""


class Change(NamedTuple):
    """Samples whose decision changed, and their classes before and after."""

    samples: Array
    before: Array
    after: Array


class _Move(NamedTuple):
    """What a move changes, and what stood before it."""

    change: Change
    offsets: Array
    samples: Array
    leaders: tuple[Array, ...]


class Neighbourhood:
    """The two best classes of each sample, updated as offsets move within bounds.

    Within the bounds, only classes among the pairs of a sample can be its best. So `first` equals
    `decide(scores, offsets)`, ties and rounding included: both compare the same sums.
    """

    def __init__(self, pairs: Pairs, offsets: Array, leaders: tuple[Array, ...], bounds: Bounds | None) -> None:
        self._pairs = pairs
        self._bounds = bounds
        self.offsets = offsets
        self._middle = to_numpy(offsets).astype(np.float64)
        self.first, self.first_value, self.second, self.second_value = leaders

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """The number of samples in the sweep of each class (K,)."""
        return self._pairs.lengths

    @property
    def is_strained(self) -> bool:
        """Whether some offset has moved more than half of the way to a bound."""
        if self._bounds is None:
            return False
        here, low, high = to_numpy(self.offsets), self._bounds.low, self._bounds.high
        room = np.minimum(here - low, high - here)
        return bool(np.any(room < 0.5 * np.minimum(self._middle - low, high - self._middle)))

    def bounds(self, classes: npt.NDArray[np.int64]) -> Bounds | None:
        """Return the bounds of the offsets of `classes`, None if there are none."""
        if self._bounds is None:
            return None
        return Bounds(self._bounds.low[classes], self._bounds.high[classes])

    def sorted_sweeps(self, classes: npt.NDArray[np.int64]) -> SortedSweeps:
        """Return the samples in the order in which `classes` win them; each class has at least one."""
        xp = namespace(self.first)
        codes = bring(classes, to=self.first, dtype=xp.int64)
        samples, mine, filled = self._pairs.of(codes, int(self.lengths[classes].max()))
        runner_ups, values = self.first[samples], self.first_value[samples]
        held = runner_ups == codes[:, None]
        if filled is not None:
            held = held & filled
        places = xp.nonzero(flat(held))[0]
        of = flat(samples)[places]
        runner_ups = put(flat(runner_ups), places, self.second[of])
        values = put(flat(values), places, self.second_value[of])
        mine = flat(mine)
        margins = xp.reshape(values - mine, samples.shape)
        if filled is not None:
            margins = xp.where(
                filled, margins, xp.asarray(xp.finfo(margins.dtype).max, dtype=margins.dtype, device=device(margins))
            )
        order = xp.argsort(margins, axis=1, stable=False)
        begin = samples.shape[1] * xp.arange(samples.shape[0], dtype=xp.int64, device=device(samples))
        at = flat(order + begin[:, None])

        def sizes(places: Array) -> Array:
            return xp.abs(values[at[places]]) + xp.abs(mine[at[places]])

        margins, samples, runner_ups, held = (
            xp.reshape(flat(x)[at], order.shape) for x in (margins, samples, runner_ups, held)
        )
        largest = 2 * self._pairs.largest + float(xp.max(xp.abs(self.offsets)))
        return SortedSweeps(codes, Margins(margins, largest, sizes), samples, runner_ups, held)

    def move(self, classes: npt.NDArray[np.int64], offsets: npt.NDArray[np.float64]) -> _Move:
        """Set the offsets of `classes`, and return the decisions that this changes."""
        xp = namespace(self.first)
        codes = bring(classes, to=self.first, dtype=xp.int64)
        before = self.offsets
        self.offsets = put(xp.asarray(before, copy=True), codes, bring(offsets, to=before, dtype=before.dtype))
        samples, mine, filled = self._pairs.of(codes, int(self.lengths[classes].max()))
        positive = codes[:, None]
        touched = mine + self.offsets[codes][:, None] >= self.second_value[samples]
        touched = touched | (self.first[samples] == positive) | (self.second[samples] == positive)
        if filled is not None:
            touched = touched & filled
        samples = flat(samples)[xp.nonzero(flat(touched))[0]]
        if len(classes) > 1:
            samples = xp.unique_values(samples)
        old = tuple(x[samples] for x in (self.first, self.first_value, self.second, self.second_value))
        if samples.shape[0]:
            self._write(samples, self._pairs.top_two(samples, self.offsets))
        after = self.first[samples]
        where = xp.nonzero(old[0] != after)[0]
        return _Move(Change(samples[where], old[0][where], after[where]), before, samples, old)

    def undo(self, move: _Move) -> None:
        """Undo the last move."""
        self.offsets = move.offsets
        self._write(move.samples, move.leaders)

    def _write(self, samples: Array, leaders: tuple[Array, ...]) -> None:
        first, first_value, second, second_value = leaders
        self.first = put(self.first, samples, first)
        self.first_value = put(self.first_value, samples, first_value)
        self.second = put(self.second, samples, second)
        self.second_value = put(self.second_value, samples, second_value)


def around(problem: Problem, offsets: Array) -> Neighbourhood:
    """Return the neighbourhood of `offsets`, without bounds if the problem is small."""
    scores = problem.scores
    offsets = namespace(scores).asarray(bring(offsets, to=scores, dtype=scores.dtype), copy=True)
    n_samples, n_classes = scores.shape
    if n_samples <= _EVERYWHERE_ROWS and n_samples * n_classes <= _EVERYWHERE_CELLS:
        return _everywhere(problem, offsets)
    reach, pairs_per_row = _reach(problem, offsets)
    if pairs_per_row > max(_MOST_PER_ROW, _MOST_OF_CLASSES * n_classes):
        return _everywhere(problem, offsets)
    return _near(problem, offsets, reach)


def _everywhere(problem: Problem, offsets: Array) -> Neighbourhood:
    xp = namespace(problem.scores)
    parts = [top_two(block) for _, block in shifted_blocks(problem.scores, offsets)]
    leaders = tuple(xp.concat(column) for column in zip(*parts, strict=True))
    return Neighbourhood(AllPairs(problem), offsets, leaders, None)


def _near(problem: Problem, offsets: Array, reach: Array) -> Neighbourhood:
    """Find the pairs whose margin is at most the reach of the class, in one pass over the scores."""
    scores = problem.scores
    first, value, *pairs_of_rows = _within_reach(scores, offsets, reach)
    pairs = NearPairs.of_rows(*pairs_of_rows, n_classes=problem.n_classes)
    bounds = _bounds(offsets, reach, largest=largest_magnitude(value))
    found = Neighbourhood(pairs, offsets, (first, value, first * 0, value * 0 - float("inf")), bounds)
    contested = pairs.contested
    if contested.shape[0]:
        found._write(contested, pairs.top_two(contested, offsets))
    return found


def _within_reach(scores: Array, offsets: Array, reach: Array) -> tuple[Array, ...]:
    """Return the best class of each sample, its shifted score, and the number, codes and scores of the classes near it.

    A sample to which no other class is near has none.
    """
    xp = namespace(scores)
    parts = []
    for samples, block in shifted_blocks(scores, offsets):
        first = xp.argmax(block, axis=1)
        value = block[xp.arange(first.shape[0], device=device(scores)), first]
        block += reach
        close = xp.nonzero(flat(block >= value[:, None]))[0]
        row = close // scores.shape[1]
        counts = xp.astype(count_codes(row, None, first.shape[0]), xp.int64)
        several = xp.nonzero(counts[row] > 1)[0]
        row, close = row[several], close[several]
        counts = xp.where(counts > 1, counts, xp.zeros_like(counts))
        parts.append((first, value, counts, close - row * scores.shape[1], flat(scores[samples, :])[close]))
    return tuple(xp.concat(column) for column in zip(*parts, strict=True))


def _reach(problem: Problem, offsets: Array) -> tuple[Array, float]:
    """Return the reach (K,), the largest margin of a near class, and the number of near classes in the mean sample.

    Both are estimated on a subsample.
    """
    scores, support = problem.scores, problem.truth.support
    xp = namespace(scores)
    n_samples, n_classes = scores.shape
    sample = scores[:: max(1, n_samples // _SAMPLE), :] + offsets
    count = sample.shape[0]
    margins = xp.max(sample, axis=1, keepdims=True) - sample
    predicted = xp.mean(xp.astype(margins == 0, xp.float64), axis=0)
    share = _PER_OWN_ROW * xp.maximum(support / xp.sum(support), predicted)
    share = xp.clip(share, min(_LEAST_ROWS / n_samples, _CLASSES_PER_ROW / n_classes), None)
    ordered, begin = flat(xp.sort(transposed(margins), axis=1)), count * xp.arange(n_classes, device=device(scores))

    def quantile(share: Array) -> Array:
        return ordered[begin + xp.clip(xp.astype(share * count, xp.int64), None, count - 1)]

    each = xp.sort(margins[:: max(1, count // _FEWER), :], axis=1)[:, min(_CLASSES_PER_ROW, n_classes - 1)]
    few = each[each > 0]
    least = min(_LEAST_REACH, float(xp.mean(few))) if few.shape[0] else _LEAST_REACH
    own = xp.minimum(_nearest_own(problem, offsets) + least, quantile(_FARTHER * share))
    reach = xp.clip(xp.maximum(quantile(share), own), least, None)
    return reach, float(xp.sum(xp.astype(margins <= reach, xp.float64))) / count


def _nearest_own(problem: Problem, offsets: Array) -> Array:
    """Return the least margin (K,) among a few samples of each class, zero for a class without any."""
    samples, classes = problem.representatives
    xp = namespace(samples)
    parts = []
    for some in block_samples((samples.shape[0], problem.n_classes)):
        shifted = xp.take(problem.scores, samples[some], axis=0) + offsets
        own = shifted[xp.arange(shifted.shape[0], device=device(samples)), classes[some]]
        parts.append(xp.max(shifted, axis=1) - own)
    margins = xp.concat(parts)
    starts = xp.nonzero(opens_group(classes))[0]
    return put(offsets * 0, classes[starts], -segment_maximum(-margins, starts))


def _bounds(offsets: Array, reach: Array, *, largest: float) -> Bounds:
    """Return the bounds within which no class that is not near can become the best.

    Every offset may fall by half of the least reach, and rise by the rest of its own reach. The bounds leave room for
    the rounding of shifted scores of size `largest`.
    """
    middle, room = (to_numpy(x).astype(np.float64) for x in (offsets, reach))
    rounding = 8 * float(namespace(offsets).finfo(offsets.dtype).eps) * (largest + room.max() + np.abs(middle).max())
    fall = room.min() / 2
    return Bounds(middle - max(fall - rounding, 0.0), middle + np.maximum(room - fall - rounding, 0.0))
