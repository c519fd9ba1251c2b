"""The two best classes of each row under moving offsets, and from them the gaps at which a class takes a row."""

from typing import NamedTuple

from skimbalance._array_api import block_rows, bring, device, namespace, put
from skimbalance._typing import Array

__all__ = ["Change", "Leaders", "top_two"]


class Change(NamedTuple):
    """Rows whose decision changed, and their classes before and after."""

    rows: Array
    before: Array
    after: Array


def top_two(scores: Array) -> tuple[Array, Array, Array, Array]:
    """Return the best class of each row, its score, the second class, and its score; lower classes win ties."""
    xp = namespace(scores)
    first = xp.argmax(scores, axis=1)
    first_value = xp.max(scores, axis=1)
    every = xp.arange(scores.shape[1], device=device(scores))[None, :]
    lowest = xp.asarray(-xp.inf, dtype=scores.dtype, device=device(scores))
    rest = xp.where(every == first[:, None], lowest, scores)
    return first, first_value, xp.argmax(rest, axis=1), xp.max(rest, axis=1)


class Leaders:
    """The best and the second class of each row, and their shifted scores, kept up to date as offsets move.

    `first` equals `decide(scores, offsets)` at any time, ties and rounding included: both compare the same sums.
    """

    def __init__(self, scores: Array, columns: Array, offsets: Array) -> None:
        xp = namespace(scores)
        self._xp = xp
        self._scores = scores
        self._columns = columns
        self.offsets = xp.asarray(bring(offsets, to=scores, dtype=scores.dtype), copy=True)
        parts = [top_two(scores[rows, :] + self.offsets) for rows in block_rows(scores)]
        self.first, self.first_value, self.second, self.second_value = (
            xp.concat(column) for column in zip(*parts, strict=True)
        )

    def challenges(self, k: int) -> Array:
        """Return how much class `k`, offset aside, lacks to win each row; `offsets[k]` where it leads already."""
        return self.first_value - self._columns[k, :]

    def rivals(self, k: int, rows: Array) -> tuple[Array, Array, Array]:
        """Return which class holds each of `rows` without class `k`, the gap at which `k` takes it, and its size."""
        xp = self._xp
        first = self.first[rows]
        held = first == k
        rival = xp.where(held, self.second[rows], first)
        value = xp.where(held, self.second_value[rows], self.first_value[rows])
        mine = self._columns[k, :][rows]
        return rival, value - mine, xp.abs(value) + xp.abs(mine)

    def move(self, k: int, offset: float) -> Change:
        """Give class `k` another offset."""
        raised = offset > float(self.offsets[k])
        self.offsets[k] = offset
        return self._raise(k) if raised else self._lower(k)

    def _raise(self, k: int) -> Change:
        """Let class `k` climb past the leaders of some rows; whoever it passes comes right behind."""
        xp = self._xp
        value = self._columns[k, :] + self.offsets[k]
        rows = xp.nonzero(value >= self.second_value)[0]
        value, first, second = (x[rows] for x in (value, self.first, self.second))
        first_value, second_value = self.first_value[rows], self.second_value[rows]
        wins = (value > first_value) | ((value == first_value) & (k <= first))
        was_first = first == k
        mine = xp.zeros_like(first) + k
        # Where k led already only its score moves; else the old leader, if passed, is the new second.
        passed = wins & ~was_first
        places = ~wins & ((value > second_value) | (k <= second))
        self._write(
            rows,
            xp.where(wins, mine, first),
            xp.where(wins, value, first_value),
            xp.where(passed, first, xp.where(places, mine, second)),
            xp.where(passed, first_value, xp.where(places, value, second_value)),
        )
        return _changed(rows, first, xp.where(wins, mine, first))

    def _lower(self, k: int) -> Change:
        """Let class `k` fall; where it was among the two best, a third may now be better."""
        xp = self._xp
        rows = xp.nonzero((self.first == k) | (self.second == k))[0]
        before = self.first[rows]
        leaders = top_two(xp.take(self._scores, rows, axis=0) + self.offsets)
        self._write(rows, *leaders)
        return _changed(rows, before, leaders[0])

    def _write(self, rows: Array, first: Array, first_value: Array, second: Array, second_value: Array) -> None:
        self.first = put(self.first, rows, first)
        self.first_value = put(self.first_value, rows, first_value)
        self.second = put(self.second, rows, second)
        self.second_value = put(self.second_value, rows, second_value)


def _changed(rows: Array, before: Array, after: Array) -> Change:
    xp = namespace(rows)
    where = xp.nonzero(before != after)[0]
    return Change(rows[where], before[where], after[where])
