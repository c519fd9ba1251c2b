"""The samples whose decisions nearby offsets can change, and the two best classes of each of them."""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import (
    block_samples,
    bring,
    bring_like,
    count_codes,
    device,
    flat,
    is_on_device,
    largest_magnitude,
    namespace,
    only,
    opens_group,
    places_in_order,
    put,
    replaced,
    segment_maximum,
    shifted_blocks,
    small_codes,
    to_numpy,
    transposed,
)
from skimbalance._core.typing import Array
from skimbalance.solvers._base import Problem, stored, without
from skimbalance.solvers._line_search import Bounds, Margins, SortedSweeps

__all__ = [
    "AllPairs",
    "Move",
    "NearPairs",
    "Neighbourhood",
    "PairsOnHost",
    "around",
    "is_searched_near",
    "mean_margin",
    "pairs_on_host",
    "top_two",
]

_Classes = npt.NDArray[np.int64]
_Offsets = npt.NDArray[Any]


def top_two(scores: Array) -> tuple[Array, Array, Array, Array]:
    """Return the best class of each sample, its score, the second class, and its score; lower classes win ties."""
    xp = namespace(scores)
    first = xp.argmax(scores, axis=1)
    rest = without(scores, first)
    return first, xp.max(scores, axis=1), xp.argmax(rest, axis=1), xp.max(rest, axis=1)


def mean_margin(problem: Problem, scores: Array) -> float:
    """Return the weighted mean of the margins between the two best classes of a sample."""
    _, first, _, second = top_two(scores)
    weights = None if problem.truth.weights is None else to_numpy(problem.truth.weights)
    return float(np.average(to_numpy(first - second), weights=weights))


_NO_CLASS = -float(1 << 24)
"""The opposite of a number that no class has; up to it, whole numbers are exact in single precision."""


class AllPairs:
    """All pairs of a sample and a class; the same methods as those of `NearPairs`."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.lengths: _Classes = np.full(problem.n_classes, problem.scores.shape[0])
        self.largest = largest_magnitude(problem.scores)

    def of(self, classes: _Classes) -> tuple[Array, Array, Array, Array | None]:
        """Return `classes` (b,), all samples (b, n), their scores, and None, as all places are filled."""
        scores, xp = self.problem.scores, namespace(self.problem.scores)
        codes = bring(classes, to=scores, dtype=xp.int64)
        samples = xp.arange(scores.shape[0], dtype=xp.int64, device=device(scores))
        return codes, samples[None, :] + 0 * codes[:, None], xp.take(self.problem.columns, codes, axis=0), None

    def top_two(self, samples: Array, offsets: Array) -> tuple[Array, ...]:
        """Return the two best classes of `samples` and their shifted scores."""
        return top_two(namespace(samples).take(self.problem.scores, samples, axis=0) + offsets)

    def all_top_two(self, offsets: Array, _leaders: tuple[Array, ...]) -> tuple[Array, ...]:
        """Return the two best classes of all samples and their shifted scores; every sample has pairs."""
        parts = [top_two(block) for _, block in shifted_blocks(self.problem.scores, offsets)]
        return tuple(namespace(offsets).concat(column) for column in zip(*parts, strict=True))


class NearPairs:
    """Pairs of a sample and a class that may be its best; a sample has none or several.

    They are given in the order of the samples, `counts` (n,) of each, and stored again in the order of the classes.
    `lengths` are the numbers of pairs of the classes (K,), and `largest` is the largest magnitude of a score.
    """

    def __init__(self, counts: Array, classes: Array, scores: Array, *, n_classes: int) -> None:
        xp = namespace(scores)
        lengths = xp.astype(count_codes(classes, None, n_classes), xp.int64)
        order = xp.argsort(small_codes(classes, n_classes), stable=True)
        self.lengths: _Classes = to_numpy(lengths)
        self.largest = largest_magnitude(scores) if scores.shape[0] else 0.0
        self._classes, self._scores, self._starts = classes, scores, _starts(counts)
        self._ends_of_class = np.cumsum(self.lengths)
        samples = xp.repeat(xp.arange(counts.shape[0], device=device(counts)), counts)
        self._samples_of_class, self._scores_of_class = samples[order], scores[order]

    def of(self, classes: _Classes) -> tuple[Array, Array, Array, Array | None]:
        """Return `classes` (b,), the samples (b, m) of their pairs, their scores, and which places are filled."""
        xp, lengths, ends = namespace(self._scores), self.lengths[classes], self._ends_of_class[classes]
        table = bring(np.stack([classes, ends - lengths, ends]), to=self._scores, dtype=xp.int64)
        steps = xp.arange(int(lengths.max()), dtype=xp.int64, device=device(self._scores))
        places = table[1, :][:, None] + steps[None, :]
        filled = places < table[2, :][:, None] if lengths.min() < lengths.max() else None
        if filled is not None:
            places = xp.clip(places, None, self._samples_of_class.shape[0] - 1)
        return table[0, :], self._samples_of_class[places], self._scores_of_class[places], filled

    def top_two(self, samples: Array, offsets: Array) -> tuple[Array, ...]:
        """Return the two best classes of `samples` and their shifted scores."""
        xp = namespace(samples)
        lengths = self._starts[samples + 1] - self._starts[samples]
        starts = xp.cumulative_sum(lengths) - lengths
        segments = xp.repeat(xp.arange(samples.shape[0], device=device(samples)), lengths)
        places = (self._starts[samples] - starts)[segments] + xp.arange(segments.shape[0], device=device(samples))
        classes = self._classes[places]
        values = self._scores[places] + offsets[classes]
        leaders: tuple[Array, ...] = ()
        for _ in range(2):
            best = segment_maximum(values, starts)
            ties = xp.nonzero(values == best[segments])[0]
            if ties.shape[0] > samples.shape[0]:
                ties = ties[opens_group(segments[ties])]
            leaders += (classes[ties], best)
            values = put(values, ties, best * 0 - float("inf"))
        return leaders

    def all_top_two(self, offsets: Array, leaders: tuple[Array, ...]) -> tuple[Array, ...]:
        """Return the two best classes of all samples and their shifted scores, `leaders` of samples without pairs.

        On a device there is no operation whose result has a size that the host must wait for.
        """
        if not is_on_device(offsets):
            samples = np.flatnonzero(np.diff(self._starts))
            return tuple(put(x, samples, new) for x, new in zip(leaders, self.top_two(samples, offsets), strict=True))
        segments, starts, lengths, falling, has_pairs = self._segments
        xp, values = namespace(offsets), self._scores + offsets[self._classes]
        found: list[Array] = []
        while True:
            best = segment_maximum(values, starts, lengths=lengths)
            ties = only(falling, values == best[segments], otherwise=_NO_CLASS)
            lowest = segment_maximum(ties, starts, lengths=lengths)
            found += [xp.astype(-lowest, xp.int64), best]
            if len(found) == len(leaders):  # what was found for samples without pairs has no meaning
                return tuple(xp.where(has_pairs, new, old) for new, old in zip(found, leaders, strict=True))
            values = only(values, falling != lowest[segments], otherwise=-float("inf"))

    @cached_property
    def _segments(self) -> tuple[Array, ...]:
        """The sample of each pair, where the pairs of each sample start, and how many these are.

        The last are the classes of the pairs with the opposite sign, in single precision, and which samples have pairs.
        """
        xp, lengths = namespace(self._starts), self._starts[1:] - self._starts[:-1]
        segments = xp.repeat(xp.arange(lengths.shape[0], device=device(lengths)), lengths)
        return segments, self._starts[:-1], lengths, xp.astype(-self._classes, xp.float32), lengths > 0


def _starts(lengths: Array) -> Array:
    """Return where each segment starts, and where the last ends."""
    xp = namespace(lengths)
    return xp.concat([xp.zeros_like(lengths[:1]), xp.cumulative_sum(lengths)])


_EVERYWHERE_SAMPLES = 4096
_EVERYWHERE_CELLS = 1 << 20
"""Up to so many samples and scores a sweep covers all samples, beyond only those with small margins."""

_LEAST_SAMPLES = 256
_PER_OWN_SAMPLE = 4
"""A sweep over near samples covers at least so many samples, and so many times the support of its class."""

_CLASSES_PER_SAMPLE = 16
"""At most so many classes are near in the mean sample, apart from ties and from sweeps of majority classes."""

_MOST_PER_SAMPLE = 64
_MOST_OF_CLASSES = 1 / 8
"""Ties may make more classes than that, and than that proportion of all, near in the mean sample. Then all classes
count as near, and no pairs are stored."""

_LEAST_REACH = 1.0
"""An offset can rise at least so far, a factor e in the odds, unless that makes too many classes near."""

_FARTHER = 8
"""For samples of its own class, the quantile of near samples is so many times larger."""

_SAMPLE = 1024
"""Samples from which the reach of a class is estimated."""

_ERRORS, _MOST_WIDTH = 8.0, 0.5
"""The optimum of a subsample is nearby: a class of n samples moves by at most `8 / sqrt(n)`, and at most by a half,
until pairs are found again. With a tenth of the samples in the subsample these are two to three standard errors."""

_ROOM = 0.1
"""Pairs are found again for offsets that have less than this share of their way to a bound left."""

_SCALES = (1.0, 0.5, 0.25)
_MOST_NEARBY = 1 / 2
_PAIRS = 1_000_000
"""These are multiplied by the greatest of the scales by which there are at most so many pairs, and in the mean sample at
most this share of the classes."""

_FEWER = 128
"""Samples from which the reach of all classes is estimated."""


class Move(NamedTuple):
    """What it takes to undo a move: the samples that it touches, all if None, and their old and new classes."""

    touched: Array | None
    before: Array
    after: Array
    old_offsets: _Offsets
    old_leaders: tuple[Array, ...]

    def changed(self) -> tuple[Array, Array, Array]:
        """Return the samples whose decision the move changes, and their classes before and after."""
        where = namespace(self.before).nonzero(self.before != self.after)[0]
        return (where if self.touched is None else self.touched[where]), self.before[where], self.after[where]


class Neighbourhood:
    """The two best classes of each sample, updated as offsets move within bounds.

    `leaders` are the best class of each sample, its shifted score, the second class, and its shifted score. `bounds`
    are those of the offsets (K,), None if there are none. `lengths` (K,) are the numbers of samples in the sweeps.
    Within the bounds, only classes among the pairs of a sample can be its best. So `first` equals
    `decide(scores, offsets)`, ties and rounding included: both compare the same sums.
    """

    def __init__(
        self, pairs: AllPairs | NearPairs, offsets: Array, leaders: tuple[Array, ...], bounds: Bounds | None
    ) -> None:
        self._pairs = pairs
        self.bounds = bounds
        self.leaders = leaders
        self.offsets_on_host: _Offsets = to_numpy(offsets)
        self._middle = self.offsets_on_host.astype(np.float64)
        self.lengths = pairs.lengths

    @property
    def offsets(self) -> Array:
        """The offsets (K,)."""
        return bring_like(self.offsets_on_host, self.leaders[1])

    @property
    def first(self) -> Array:
        """The best class of each sample (n,)."""
        return self.leaders[0]

    @property
    def is_strained(self) -> bool:
        """Whether some offset has moved more than half of the way to a bound."""
        if self.bounds is None:
            return False
        return bool(_strained(self.offsets_on_host, self._middle, self.bounds, room=0.5).any())

    def sorted_sweeps(self, classes: _Classes) -> SortedSweeps:
        """Return the samples in the order in which `classes` win them; each class has at least one."""
        xp = namespace(self.first)
        first, first_value, second, second_value = self.leaders
        codes, samples, mine, filled = self._pairs.of(classes)
        runner_ups, values = first[samples], first_value[samples]
        held = runner_ups == codes[:, None]
        if filled is not None:
            held = held & filled
        runner_ups, values = replaced(held, samples, (runner_ups, second), (values, second_value))
        margins = values - mine
        if filled is not None:
            margins = only(margins, filled, otherwise=float(xp.finfo(margins.dtype).max))
        at = places_in_order(margins)
        values, mine = flat(values), flat(mine)

        def sizes(places: Any) -> Array:
            return xp.abs(values[at[places]]) + xp.abs(mine[at[places]])

        margins, samples, runner_ups, held = (
            xp.reshape(flat(x)[at], samples.shape) for x in (margins, samples, runner_ups, held)
        )
        largest = 2 * self._pairs.largest + float(np.max(np.abs(self.offsets_on_host)))
        return SortedSweeps(codes, Margins(margins, largest, sizes), samples, runner_ups, held)

    def move(self, classes: _Classes, offsets: npt.NDArray[np.float64]) -> Move:
        """Set the offsets of `classes`, and return what this changes."""
        old_offsets, self.offsets_on_host = self.offsets_on_host, self.offsets_on_host.copy()
        self.offsets_on_host[classes] = offsets
        if is_on_device(self.first):
            old = self.leaders
            self.leaders = self._pairs.all_top_two(self.offsets, old)
            return Move(None, old[0], self.first, old_offsets, old)
        return self._move_touched(classes, old_offsets)

    def _move_touched(self, classes: _Classes, old_offsets: _Offsets) -> Move:
        """Find anew the two best classes of the samples that have one of `classes` among them, or may have it."""
        xp, offsets = namespace(self.first), self.offsets
        first, _, second, second_value = self.leaders
        codes, samples, mine, filled = self._pairs.of(classes)
        positive = codes[:, None]
        touched = mine + offsets[codes][:, None] >= second_value[samples]
        touched = touched | (first[samples] == positive) | (second[samples] == positive)
        if filled is not None:
            touched = touched & filled
        samples = flat(samples)[xp.nonzero(flat(touched))[0]]
        if len(classes) > 1:
            samples = xp.unique_values(samples)
        old = tuple(x[samples] for x in self.leaders)
        if samples.shape[0]:
            self.write(samples, self._pairs.top_two(samples, offsets))
        return Move(samples, old[0], self.first[samples], old_offsets, old)

    def undo(self, move: Move) -> None:
        """Undo the last move."""
        self.offsets_on_host = move.old_offsets
        if move.touched is None:
            self.leaders = move.old_leaders
        else:
            self.write(move.touched, move.old_leaders)

    def write(self, samples: Array, leaders: tuple[Array, ...]) -> None:
        """Set the two best classes of `samples` and their shifted scores."""
        self.leaders = tuple(put(x, samples, new) for x, new in zip(self.leaders, leaders, strict=True))


def is_searched_near(problem: Problem) -> bool:
    """Return whether a problem is so large that a sweep covers only samples with small margins."""
    return problem.scores.shape[0] > _EVERYWHERE_SAMPLES or problem.n_scores > _EVERYWHERE_CELLS


def around(problem: Problem, offsets: Array) -> Neighbourhood:
    """Return the neighbourhood of `offsets`, without bounds if the problem is small.

    In a large problem the pairs are those whose margin is at most the reach of the class.
    """
    scores, xp = problem.scores, namespace(problem.scores)
    offsets = xp.asarray(bring_like(offsets, scores), copy=True)
    reach = _reach(problem, offsets) if is_searched_near(problem) else None
    if reach is None or _pairs_per_sample(_margins_of_some(scores, offsets), *reach) > max(
        _MOST_PER_SAMPLE, _MOST_OF_CLASSES * problem.n_classes
    ):
        every = AllPairs(problem)
        return Neighbourhood(every, offsets, every.all_top_two(offsets, ()), None)
    first, value, counts, *near = _within_reach(scores, offsets, *reach)
    pairs = NearPairs(counts, *near, n_classes=problem.n_classes)
    bounds = _bounds(offsets, *reach, largest=largest_magnitude(value))
    leaders = first, value, first * 0, value * 0 - float("inf")
    if pairs.lengths.any():
        leaders = pairs.all_top_two(offsets, leaders)
    return Neighbourhood(pairs, offsets, leaders, bounds)


@dataclass(frozen=True)
class PairsOnHost:
    """The near pairs of a problem, in host memory for compiled code; `middle` are the offsets that they are near to.

    `layout` is the argument `near` of the compiled ascent, and `scores` (m,) are those of the pairs; `largest` is the
    largest magnitude of a score. The rest is where the scores of the problem are: `classes` (m,) and `samples_of` (m,)
    of the pairs, the `samples` that have pairs, the `others`, and the classes of these, which are `settled`: no
    offsets within the `bounds` change them.
    """

    layout: tuple[npt.NDArray[Any], ...]
    scores: npt.NDArray[np.float64]
    largest: float
    classes: Array
    samples_of: Array
    samples: Array
    others: Array
    settled: Array
    middle: _Offsets
    bounds: Bounds

    def strained_by(self, offsets: _Offsets) -> npt.NDArray[np.bool_]:
        """Return whether each of the offsets (K,) is at a bound, or nearly so."""
        return _strained(offsets, self.middle, self.bounds, room=_ROOM)


def pairs_on_host(problem: Problem, offsets: Array, *, nearby: bool) -> PairsOnHost | None:
    """Return the near pairs of a problem; None if they are many.

    If the optimum is `nearby`, the reach is the same for all classes, and the smaller the more samples there are.
    """
    scores, xp = problem.scores, namespace(problem.scores)
    offsets, n_classes = bring_like(offsets, scores), problem.n_classes
    margins, most = _margins_of_some(scores, offsets), _PAIRS / scores.shape[0]
    if nearby:
        most, width = min(_MOST_NEARBY * n_classes, most), _width(problem)
        tried = [(scale * width, scale * width) for scale in _SCALES]
    else:
        tried, most = [_reach(problem, offsets)], most if problem.is_on_device else float("inf")
    reach = next((reach for reach in tried if _pairs_per_sample(margins, *reach) <= most), None)
    if reach is None:  # of more pairs the operations of a device are faster
        return None
    first, value, counts, classes, pair_scores = _within_reach(scores, offsets, *reach)
    is_settled = counts == 0
    samples, others = xp.nonzero(~is_settled)[0], xp.nonzero(is_settled)[0]
    if not samples.shape[0]:
        return None
    order = xp.argsort(small_codes(classes, n_classes), stable=True)
    sizes, samples_of = counts[samples], xp.repeat(xp.arange(samples.shape[0], device=device(counts)), counts[samples])
    entry_class, number, sizes = (to_numpy(x) for x in (classes, order, sizes))
    class_begin = _begins(np.bincount(entry_class, minlength=n_classes))
    entry_pair = np.empty(number.size, dtype=np.intc)
    entry_pair[number] = np.arange(number.size, dtype=np.intc)
    sample_of, samples_of = to_numpy(samples_of[order]).astype(np.intc), samples[samples_of[order]]
    return PairsOnHost(
        (class_begin, sample_of, _begins(sizes), entry_class.astype(np.intc), entry_pair),
        to_numpy(pair_scores[order]).astype(np.float64),
        stored(problem.known, "largest", partial(largest_magnitude, scores)),
        classes[order],
        samples_of,
        samples,
        others,
        first[others],
        to_numpy(offsets).astype(np.float64),
        _bounds(offsets, *reach, largest=largest_magnitude(value)),
    )


def _begins(sizes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the number of the first element of each group, and of none."""
    begins: npt.NDArray[np.int64] = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return begins


def _strained(offsets: _Offsets, middle: _Offsets, bounds: Bounds, *, room: float) -> npt.NDArray[np.bool_]:
    """Return which offsets have less than this share of the way from the middle to a bound left."""
    left = np.minimum(offsets - bounds.low, bounds.high - offsets)
    strained: npt.NDArray[np.bool_] = left < room * np.minimum(middle - bounds.low, bounds.high - middle)
    return strained


def _within_reach(scores: Array, offsets: Array, rise: Array, fall: Array) -> tuple[Array, ...]:
    """Return the best class of each sample, its shifted score, and the number, codes and scores of the classes near it.

    A class is near if it may be the best where the offset of each class rises, or falls, by so much (K,). A sample to
    which no other class is near has none.
    """
    xp = namespace(scores)
    parts = []
    for samples, block in shifted_blocks(scores, offsets):
        first = xp.argmax(block, axis=1)
        value = block[xp.arange(first.shape[0], device=device(scores)), first]
        block += rise
        close = xp.nonzero(flat(block >= (value - fall[first])[:, None]))[0]
        row = close // scores.shape[1]
        counts = xp.astype(count_codes(row, None, first.shape[0]), xp.int64)
        several = xp.nonzero(counts[row] > 1)[0]
        row, close = row[several], close[several]
        parts.append(
            (first, value, only(counts, counts > 1), close - row * scores.shape[1], flat(scores[samples, :])[close])
        )
    return tuple(xp.concat(column) for column in zip(*parts, strict=True))


def _width(problem: Problem) -> Array:
    """Return by how much each offset may differ (K,) from the optimum of a subsample: some of its standard errors."""
    support = problem.truth.support
    xp, n_samples = namespace(support), problem.scores.shape[0]
    size = xp.clip(support * (n_samples / float(xp.sum(support))), 1.0, None)
    return bring_like(xp.clip(_ERRORS / xp.sqrt(size), None, _MOST_WIDTH), problem.scores)


def _reach(problem: Problem, offsets: Array) -> tuple[Array, Array]:
    """Return by how much each offset may rise, and by how much it may fall, (K,) each, from a subsample.

    Every offset may fall by half of the least reach, and rise by the rest of its own reach. The reach is the largest
    margin of a near class.
    """
    scores, support = problem.scores, problem.truth.support
    xp = namespace(scores)
    n_samples, n_classes = scores.shape
    margins = _margins_of_some(scores, offsets)
    count = margins.shape[0]
    predicted = xp.mean(xp.astype(margins == 0, xp.float64), axis=0)
    share = _PER_OWN_SAMPLE * xp.maximum(support / xp.sum(support), predicted)
    share = xp.clip(share, min(_LEAST_SAMPLES / n_samples, _CLASSES_PER_SAMPLE / n_classes), None)
    ordered, begin = flat(xp.sort(transposed(margins), axis=1)), count * xp.arange(n_classes, device=device(scores))

    def quantile(share: Array) -> Array:
        return ordered[begin + xp.clip(xp.astype(share * count, xp.int64), None, count - 1)]

    each = xp.sort(margins[:: max(1, count // _FEWER), :], axis=1)[:, min(_CLASSES_PER_SAMPLE, n_classes - 1)]
    few = each[each > 0]
    least = min(_LEAST_REACH, float(xp.mean(few))) if few.shape[0] else _LEAST_REACH
    own = xp.minimum(_nearest_own(problem, offsets) + least, quantile(_FARTHER * share))
    reach = xp.clip(xp.maximum(quantile(share), own), least, None)
    fall = reach * 0 + xp.min(reach) / 2
    return reach - fall, fall


def _pairs_per_sample(margins: Array, rise: Array, fall: Array) -> float:
    """Return the number of near classes in the mean sample of a subsample, none where only one is near."""
    xp = namespace(margins)
    near = xp.sum(xp.astype(margins <= rise + fall[xp.argmin(margins, axis=1)][:, None], xp.float64), axis=1)
    return float(xp.mean(only(near, near > 1)))


def _margins_of_some(scores: Array, offsets: Array) -> Array:
    """Return the margins of all classes in a subsample."""
    sample = scores[:: max(1, scores.shape[0] // _SAMPLE), :] + offsets
    return namespace(scores).max(sample, axis=1, keepdims=True) - sample


def _nearest_own(problem: Problem, offsets: Array) -> Array:
    """Return the least margin (K,) among a few samples of each class, zero for a class without any."""
    samples, classes = problem.representatives
    xp = namespace(samples)
    parts = []
    for some in block_samples((samples.shape[0], problem.n_classes), problem.scores):
        shifted = xp.take(problem.scores, samples[some], axis=0) + offsets
        own = shifted[xp.arange(shifted.shape[0], device=device(samples)), classes[some]]
        parts.append(xp.max(shifted, axis=1) - own)
    margins = xp.concat(parts)
    starts = xp.nonzero(opens_group(classes))[0]
    return put(offsets * 0, classes[starts], -segment_maximum(-margins, starts))


def _bounds(offsets: Array, rise: Array, fall: Array, *, largest: float) -> Bounds:
    """Return the bounds within which no class that is not near can become the best.

    They leave room for the rounding of shifted scores of size `largest`.
    """
    middle, up, down = (to_numpy(x).astype(np.float64) for x in (offsets, rise, fall))
    size = largest + up.max() + down.max() + np.abs(middle).max()
    rounding = 8 * float(namespace(offsets).finfo(offsets.dtype).eps) * size
    return Bounds(middle - np.maximum(down - rounding, 0.0), middle + np.maximum(up - rounding, 0.0))
