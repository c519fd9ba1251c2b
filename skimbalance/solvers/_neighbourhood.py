"""The samples whose decisions nearby offsets can change, and the two best classes of each of them."""

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import (
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
)
from skimbalance._core.typing import Array
from skimbalance.solvers._base import Problem, without
from skimbalance.solvers._line_search import Bounds, Margins, SortedSweeps
from skimbalance.solvers._near import (
    bounds_of,
    is_searched_near,
    most_per_sample,
    strained,
    usual_reach,
    within_reach,
)

__all__ = ["AllPairs", "Move", "NearPairs", "Neighbourhood", "around", "mean_margin", "top_two"]

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
        return bool(strained(self.offsets_on_host, self._middle, self.bounds, room=0.5).any())

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


def around(problem: Problem, offsets: Array) -> Neighbourhood:
    """Return the neighbourhood of `offsets`, without bounds if the problem is small.

    In a large problem the pairs are those of near classes.
    """
    scores, xp = problem.scores, namespace(problem.scores)
    offsets = xp.asarray(bring_like(offsets, scores), copy=True)
    is_large = is_searched_near(problem)
    if is_large:
        reach, pairs_per_sample = usual_reach(problem, offsets)
        is_large = pairs_per_sample <= most_per_sample(problem.n_classes)
    if not is_large:
        every = AllPairs(problem)
        return Neighbourhood(every, offsets, every.all_top_two(offsets, ()), None)
    first, value, counts, *near = within_reach(scores, offsets, reach)
    pairs = NearPairs(counts, *near, n_classes=problem.n_classes)
    leaders = first, value, first * 0, value * 0 - float("inf")
    if pairs.lengths.any():
        leaders = pairs.all_top_two(offsets, leaders)
    return Neighbourhood(pairs, offsets, leaders, bounds_of(offsets, reach))
