"""The line of two classes whose rows lie in chunks: sorted where they are, counted at marks, and drawn together.

Between two marks nothing is known of the rows but how many there are, what they weigh, and the first and the last gap.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from skimbalance.solvers import Gaps, Line
from skimbalance.tuner.chunks._chunks import Block, Chunks, Floats

__all__ = ["Intervals", "Marks", "Rows", "SizeOf", "condensed", "gathered", "line_up", "marked", "spread"]

_Vector = npt.NDArray[Any]
_Places = npt.NDArray[np.int64]

_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, eq=False)
class Rows:
    """Gaps (n,) in ascending order, what the mover wins by each row, and what the row weighs, None for ones."""

    gaps: _Vector
    won: _Vector
    weights: Floats | None
    place: float = 0.0

    @property
    def mass(self) -> Floats:
        """The weight of each row."""
        return np.ones(len(self.gaps)) if self.weights is None else self.weights

    def joined(self, other: Self) -> "Rows":
        """Return these rows and `other`, in no order."""
        weights = None if self.weights is None else np.concatenate([self.mass, other.mass])
        return Rows(np.concatenate([self.gaps, other.gaps]), np.concatenate([self.won, other.won]), weights)


def line_up(block: Block, *, mover: int) -> Rows:
    """Return the rows of a block that weigh something in the order in which the mover takes them."""
    gaps = block.scores[:, 1 - mover] - block.scores[:, mover]
    won = block.codes == mover
    if block.weights is None:
        order = np.argsort(gaps)
        return Rows(gaps[order], won[order], None, block.place)
    order = np.argsort(gaps)
    order = order[block.weights[order] > 0]
    weights = block.weights[order]
    return Rows(gaps[order], np.where(won[order], weights, 0.0), weights, block.place)


@dataclass(frozen=True, eq=False)
class Intervals:
    """Between which gaps, `low` and `high` themselves left out, the rows are asked for; ascending."""

    low: _Vector
    high: _Vector

    def within(self, gaps: _Vector) -> tuple[_Places, _Places]:
        """Return where each begins and ends among sorted `gaps`."""
        return np.searchsorted(gaps, self.low, side="right"), np.searchsorted(gaps, self.high, side="left")


def _places(rows: Rows, intervals: Intervals, step: int) -> _Places:
    """Return every so manieth row within the intervals."""
    starts, stops = intervals.within(rows.gaps)
    ends = np.cumsum(stops - starts)
    begin = int(step * (rows.place * 1e6 * _GOLDEN % 1.0))  # somewhere else in each chunk: few rows count too
    at = np.arange(begin, ends[-1], step)
    of = np.searchsorted(ends, at, side="right")
    places: _Places = stops[of] - ends[of] + at
    return places


def spread(chunks: Chunks[Rows], intervals: Intervals, *, step: int) -> _Vector:
    """Return one in `step` of the gaps within the intervals, sorted and distinct; at least one, if there are any."""
    while True:
        found = np.unique(chunks.total(partial(_spread, intervals=intervals, step=step), _concat))
        if len(found) or step == 1:
            return found
        step = -(-step // 16)


def _spread(rows: Rows, *, intervals: Intervals, step: int) -> _Vector:
    return rows.gaps[_places(rows, intervals, step)]


def _concat(one: _Vector, other: _Vector) -> _Vector:
    return np.concatenate([one, other])


def gathered(chunks: Chunks[Rows], intervals: Intervals) -> Rows:
    """Return all rows within the intervals."""
    return chunks.total(partial(_gathered, intervals=intervals), Rows.joined)


def _gathered(rows: Rows, *, intervals: Intervals) -> Rows:
    places = _places(rows, intervals, 1)
    weights = None if rows.weights is None else rows.weights[places]
    return Rows(rows.gaps[places], rows.won[places], weights)


@dataclass(frozen=True, eq=False)
class Marks:
    """What lies at or below some gaps, ascending: rows, what the mover wins by them, and what they weigh.

    `at` (m,) are the gaps; each sum is (2, m), without the rows of that gap and with them. `before` and `after` are the
    nearest other gaps.
    """

    at: _Vector
    rows: Floats
    won: Floats
    mass: Floats
    before: _Vector
    after: _Vector

    def joined(self, other: Self) -> "Marks":
        """Return the sums over these rows and others, at the same gaps."""
        return Marks(
            self.at,
            self.rows + other.rows,
            self.won + other.won,
            self.mass + other.mass,
            np.maximum(self.before, other.before),
            np.minimum(self.after, other.after),
        )

    def merged(self, other: Self) -> "Marks":
        """Return the marks of both, each of the same rows."""
        order = np.argsort(np.concatenate([self.at, other.at]), kind="stable")
        pairs = ((getattr(self, each.name), getattr(other, each.name)) for each in fields(self))
        return Marks(*(np.concatenate(pair, axis=-1)[..., order] for pair in pairs))

    def between(self, sums: Floats) -> Floats:
        """Return what lies between each mark and the next, (m - 1,)."""
        return sums[0, 1:] - sums[1, :-1]

    def intervals(self, which: npt.NDArray[np.bool_]) -> Intervals:
        """Return some of the intervals between marks."""
        return Intervals(self.at[:-1][which], self.at[1:][which])


def marked(chunks: Chunks[Rows], at: _Vector) -> Marks:
    """Return the sums over all rows at the gaps `at`."""
    return chunks.total(partial(_marked, at=at), Marks.joined)


def _marked(rows: Rows, *, at: _Vector) -> Marks:
    sides = np.stack([np.searchsorted(rows.gaps, at, side=side) for side in ("left", "right")])
    won, mass = (np.concatenate([[0.0], np.cumsum(each, dtype=np.float64)])[sides] for each in (rows.won, rows.mass))
    fenced = np.concatenate([[-np.inf], rows.gaps, [np.inf]]).astype(rows.gaps.dtype)
    return Marks(at, sides.astype(np.float64), won, mass, fenced[sides[0]], fenced[sides[1] + 1])


def condensed(
    marks: Marks, rows: Rows, *, pruned: npt.NDArray[np.bool_], largest: float, size: "SizeOf"
) -> tuple[Line, npt.NDArray[np.bool_]]:
    """Return the line over the marks, all `rows`, and the first and last gap of each `pruned` interval.

    And where along it (n + 1,) a cut is one of all rows: not within those intervals, of which only the ends are there.
    """
    finite, none = np.isfinite(marks.at), np.zeros(int(np.count_nonzero(pruned)))
    gaps = [marks.at[finite], rows.gaps, marks.after[:-1][pruned], marks.before[1:][pruned]]
    wins = [(marks.won[1] - marks.won[0])[finite], rows.won, marks.between(marks.won)[pruned], none]
    masses = [(marks.mass[1] - marks.mass[0])[finite], rows.mass, marks.between(marks.mass)[pruned], none]
    opens = [np.zeros(len(gaps[0]) + len(gaps[1])), none + 1, none]
    order = np.argsort(np.concatenate(gaps), kind="stable")
    ordered = np.concatenate(gaps)[order]
    hits, predicted = (
        np.concatenate([[0.0], np.cumsum(np.concatenate(parts).astype(np.float64)[order])]) for parts in (wins, masses)
    )
    real = np.concatenate([[True], np.concatenate(opens)[order] == 0])
    return Line(Gaps(ordered[None, :], largest, lambda places: size(ordered[places])), hits, predicted), real


SizeOf = Callable[[_Vector], _Vector]
"""How large the two scores are together whose difference is a gap."""
