"""The line of two classes whose samples lie in chunks: sorted where they are, counted at marks, and drawn together.

Between two marks nothing is known of the samples but how many there are, what they weigh, and the first and the last
margin.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from skimbalance.solvers import Line, Margins
from skimbalance.tuner.chunks._chunks import Block, Chunks, Floats

__all__ = ["Intervals", "Marks", "Rows", "SizeOf", "condensed", "gathered", "line_up", "spread", "with_candidates"]

_Vector = npt.NDArray[Any]
_Places = npt.NDArray[np.int64]

_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, eq=False)
class Rows:
    """Gaps (n,) in ascending order, what the mover wins by each sample, and what the sample weighs, None for ones."""

    margins: _Vector
    won: _Vector
    weights: Floats | None
    place: float = 0.0

    @property
    def mass(self) -> Floats:
        """The weight of each sample."""
        return np.ones(len(self.margins)) if self.weights is None else self.weights

    def joined(self, other: Self) -> "Rows":
        """Return these samples and `other`, in no order."""
        weights = None if self.weights is None else np.concatenate([self.mass, other.mass])
        return Rows(np.concatenate([self.margins, other.margins]), np.concatenate([self.won, other.won]), weights)


def line_up(block: Block, *, positive: int) -> Rows:
    """Return the samples of a block that weigh something in the order in which the mover takes them."""
    margins = block.scores[:, 1 - positive] - block.scores[:, positive]
    won = block.codes == positive
    if block.weights is None:
        order = np.argsort(margins)
        return Rows(margins[order], won[order], None, block.place)
    order = np.argsort(margins)
    order = order[block.weights[order] > 0]
    weights = block.weights[order]
    return Rows(margins[order], np.where(won[order], weights, 0.0), weights, block.place)


@dataclass(frozen=True, eq=False)
class Intervals:
    """Between which margins, `low` and `high` themselves left out, the samples are asked for; ascending."""

    low: _Vector
    high: _Vector

    def within(self, margins: _Vector) -> tuple[_Places, _Places]:
        """Return where each begins and ends among sorted `margins`."""
        return np.searchsorted(margins, self.low, side="right"), np.searchsorted(margins, self.high, side="left")


def _places(samples: Rows, intervals: Intervals, step: int) -> _Places:
    """Return every so manieth sample within the intervals."""
    starts, stops = intervals.within(samples.margins)
    ends = np.cumsum(stops - starts)
    begin = int(step * (samples.place * 1e6 * _GOLDEN % 1.0))  # somewhere else in each chunk: few samples count too
    at = np.arange(begin, ends[-1], step)
    of = np.searchsorted(ends, at, side="right")
    places: _Places = stops[of] - ends[of] + at
    return places


def spread(chunks: Chunks[Rows], intervals: Intervals, *, step: int) -> _Vector:
    """Return one in `step` of the margins within the intervals, sorted and distinct; at least one, if there are any."""
    while True:
        found = np.unique(chunks.total(partial(_spread, intervals=intervals, step=step), _concat))
        if len(found) or step == 1:
            return found
        step = -(-step // 16)


def _spread(samples: Rows, *, intervals: Intervals, step: int) -> _Vector:
    return samples.margins[_places(samples, intervals, step)]


def _concat(one: _Vector, other: _Vector) -> _Vector:
    return np.concatenate([one, other])


def gathered(chunks: Chunks[Rows], intervals: Intervals) -> Rows:
    """Return all samples within the intervals."""
    return chunks.total(partial(_gathered, intervals=intervals), Rows.joined)


def _gathered(samples: Rows, *, intervals: Intervals) -> Rows:
    places = _places(samples, intervals, 1)
    weights = None if samples.weights is None else samples.weights[places]
    return Rows(samples.margins[places], samples.won[places], weights)


@dataclass(frozen=True, eq=False)
class Marks:
    """What lies at or below some margins, ascending: samples, what the mover wins by them, and what they weigh.

    `at` (m,) are the margins; each sum is (2, m), without the samples of that margin and with them. `before` and
    `after` are the nearest other margins.
    """

    at: _Vector
    samples: Floats
    won: Floats
    mass: Floats
    before: _Vector
    after: _Vector

    def joined(self, other: Self) -> "Marks":
        """Return the sums over these samples and others, at the same margins."""
        return Marks(
            self.at,
            self.samples + other.samples,
            self.won + other.won,
            self.mass + other.mass,
            np.maximum(self.before, other.before),
            np.minimum(self.after, other.after),
        )

    def merged(self, other: Self) -> "Marks":
        """Return the marks of both, each of the same samples."""
        order = np.argsort(np.concatenate([self.at, other.at]), kind="stable")
        pairs = ((getattr(self, each.name), getattr(other, each.name)) for each in fields(self))
        return Marks(*(np.concatenate(pair, axis=-1)[..., order] for pair in pairs))

    def between(self, sums: Floats) -> Floats:
        """Return what lies between each mark and the next, (m - 1,)."""
        return sums[0, 1:] - sums[1, :-1]

    def intervals(self, which: npt.NDArray[np.bool_]) -> Intervals:
        """Return some of the intervals between marks."""
        return Intervals(self.at[:-1][which], self.at[1:][which])


def with_candidates(chunks: Chunks[Rows], at: _Vector) -> Marks:
    """Return the sums over all samples at the margins `at`."""
    return chunks.total(partial(_with_candidates, at=at), Marks.joined)


def _with_candidates(samples: Rows, *, at: _Vector) -> Marks:
    sides = np.stack([np.searchsorted(samples.margins, at, side=side) for side in ("left", "right")])
    won, mass = (
        np.concatenate([[0.0], np.cumsum(each, dtype=np.float64)])[sides] for each in (samples.won, samples.mass)
    )
    fenced = np.concatenate([[-np.inf], samples.margins, [np.inf]]).astype(samples.margins.dtype)
    return Marks(at, sides.astype(np.float64), won, mass, fenced[sides[0]], fenced[sides[1] + 1])


def condensed(
    candidates: Marks, samples: Rows, *, pruned: npt.NDArray[np.bool_], largest: float, size: "SizeOf"
) -> tuple[Line, npt.NDArray[np.bool_]]:
    """Return the line over the marks, all `samples`, and the first and last margin of each `pruned` interval.

    And where along it (n + 1,) a cut is one of all samples: not within those intervals, of which only the ends are
    there.
    """
    finite, none = np.isfinite(candidates.at), np.zeros(int(np.count_nonzero(pruned)))
    margins = [candidates.at[finite], samples.margins, candidates.after[:-1][pruned], candidates.before[1:][pruned]]
    wins = [
        (candidates.won[1] - candidates.won[0])[finite],
        samples.won,
        candidates.between(candidates.won)[pruned],
        none,
    ]
    masses = [
        (candidates.mass[1] - candidates.mass[0])[finite],
        samples.mass,
        candidates.between(candidates.mass)[pruned],
        none,
    ]
    opens = [np.zeros(len(margins[0]) + len(margins[1])), none + 1, none]
    order = np.argsort(np.concatenate(margins), kind="stable")
    ordered = np.concatenate(margins)[order]
    hits, predicted = (
        np.concatenate([[0.0], np.cumsum(np.concatenate(parts).astype(np.float64)[order])]) for parts in (wins, masses)
    )
    real = np.concatenate([[True], np.concatenate(opens)[order] == 0])
    return Line(Margins(ordered[None, :], largest, lambda places: size(ordered[places])), hits, predicted), real


SizeOf = Callable[[_Vector], _Vector]
"""How large the two scores are together whose difference is a margin."""
