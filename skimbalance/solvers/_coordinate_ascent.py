"""Coordinate ascent: the exact line search for one class after the other, until no class can gain.

Two classes need one line search, which is the global optimum. With more, each line search is exact and each move
is kept only if the decisions it makes are better, so the ascent is monotone and ends.
"""

from skimbalance._array_api import device, namespace, to_numpy
from skimbalance._typing import Array
from skimbalance.decision import centred
from skimbalance.metrics._counts import Counts
from skimbalance.solvers._base import Problem, Solution, improves
from skimbalance.solvers._breakpoints import Change, Leaders
from skimbalance.solvers._line_search import Walk, best_cut, ranks_along

__all__ = ["ascend", "solve_two_classes"]

_FULL_WALK = 4096
"""Up to so many rows every walk takes all of them; beyond, only those that are near enough to switch."""

_REACH = 512
"""A walk over near rows takes at least so many, and at least four times the support of its class."""

_MAX_SWEEPS = 1000
"""Never reached but where rounding makes gains out of nothing."""

_SAMPLE = 1024
"""Rows from which the reach of a walk is estimated."""

_LEAST_REACH = 0.1
"""How far above its present offset a class looks at the least."""

_MANY_CLASSES = 100
_LEAST_GAIN = 3e-3
"""With more classes than that, a sweep over all of them that gains less than this share of the rank is the last."""


def solve_two_classes(problem: Problem, start: Array) -> Solution:
    """Return the global optimum for two classes: one walk over all rows."""
    xp = namespace(problem.scores)
    k, rows, gaps, sizes = problem.lineup
    walk = Walk(k, rows, gaps, sizes, rows, None, problem.truth.count_constant(1 - k))
    ranks = ranks_along(walk, problem)
    begin = float(start[k]) - float(start[1 - k])
    cut = best_cut(walk, ranks, start=begin)
    assert cut is not None  # nothing was asked of it
    pair = [0.0, cut.offset] if k == 1 else [cut.offset, 0.0]
    solution = problem.solved(centred(xp.asarray(pair, dtype=gaps.dtype, device=device(gaps))), n_iter=1)
    here = xp.asarray([begin], dtype=gaps.dtype, device=device(gaps))
    beside = (int(xp.searchsorted(walk.gaps, here, side=side)[0]) for side in ("left", "right"))
    if improves(max(cut.rank, *(float(ranks[place]) for place in beside)), solution.rank):
        # Where a cut was too fine for the arithmetic, the start may be better.
        return max(solution, problem.solved(start, n_iter=1), key=lambda s: s.rank)
    return solution


def ascend(problem: Problem, start: Array, *, least_gain: float = 0.0) -> Solution:
    """Climb from `start` until no class can gain by its offset alone.

    A class whose gain is less than its part of `least_gain` of the rank, that of a sweep over all, rests like one that
    gains nothing, and the ascent ends after a sweep that gains less.
    """
    if problem.n_classes == 2:
        return solve_two_classes(problem, start)
    climb = _Climb(problem, start)
    everyone = [int(k) for k in to_numpy(namespace(start).argsort(problem.truth.support, stable=True))]
    least_gain = max(least_gain, _LEAST_GAIN if problem.n_classes > _MANY_CLASSES else 0.0)
    active, sweeps, last = everyone, 0, -float("inf")
    while active and sweeps < _MAX_SWEEPS:
        sweeps += 1
        active = [k for k in active if climb.step(k) > least_gain * abs(climb.rank) / problem.n_classes]
        climb.recount()
        if not active and climb.rank > last + least_gain * abs(climb.rank):
            # Whoever is at its best offset rests until the others are at theirs; then all are tried again.
            active, last = everyone, climb.rank
    return problem.solved(centred(climb.leaders.offsets), n_iter=sweeps)


class _Climb:
    """An ascent under way: the leaders of each row, and what the decisions achieve."""

    def __init__(self, problem: Problem, start: Array) -> None:
        self.problem = problem
        self.leaders = Leaders(problem.scores, problem.columns, start)
        self.limits: dict[int, float] = {}
        self.recount()

    def recount(self) -> None:
        """Count afresh, free of the rounding that updates pile up."""
        self.counts = self.problem.count(self.leaders.first)
        self.rank = self.problem.rank_of(self.counts)

    def step(self, k: int) -> float:
        """Move class `k` to its best offset; return what that gained."""
        before = float(self.leaders.offsets[k])
        walk = self._walk(k)
        ranks = ranks_along(walk, self.problem)
        cut = best_cut(walk, ranks, start=before, above=self.rank, limit=self.limits[k])
        if cut is None:
            return 0.0
        change = self.leaders.move(k, cut.offset)
        counts = self._recounted(change)
        rank = self.problem.rank_of(counts)
        if not improves(rank, self.rank):  # a cut too fine for the arithmetic
            self.leaders.move(k, before)
            return 0.0
        gain, self.counts, self.rank = rank - self.rank, counts, rank
        return gain

    def _walk(self, k: int) -> Walk:
        """Return the walk of class `k` over the rows that are near enough to switch."""
        xp = namespace(self.problem.scores)
        rows = self._near(k)
        rivals, gaps, sizes = self.leaders.rivals(k, rows)
        order = xp.argsort(gaps, stable=False)
        rows, gaps, rivals = (x[order] for x in (rows, gaps, rivals))
        holders = self.leaders.first[rows]
        held = xp.nonzero(holders == k)[0]
        change = Change(rows[held], holders[held], rivals[held])
        return Walk(k, rows, gaps, sizes, order, rivals, self._recounted(change))

    def _near(self, k: int) -> Array:
        """Return the rows that class `k` holds, and several times as many that it would take next."""
        xp = namespace(self.problem.scores)
        n_rows = self.problem.scores.shape[0]
        wanted = max(_REACH, 4 * int(max(self.counts.predicted[k], self.problem.truth.support[k])))
        if n_rows <= max(_FULL_WALK, 2 * wanted):
            self.limits[k] = float("inf")
            return xp.arange(n_rows, device=device(self.problem.scores))
        challenges = self.leaders.challenges(k)
        rows = xp.nonzero(challenges < self.limits.get(k, -float("inf")))[0]
        if not wanted / 2 <= rows.shape[0] <= 2 * wanted:
            sample = xp.sort(challenges[:: max(1, n_rows // _SAMPLE)])
            limit = float(sample[min(wanted * sample.shape[0] // n_rows, sample.shape[0] - 1)])
            self.limits[k] = max(limit, float(self.leaders.offsets[k]) + _LEAST_REACH)
            rows = xp.nonzero(challenges < self.limits[k])[0]
        return rows

    def _recounted(self, change: Change) -> Counts:
        """Return the counts after `change`."""
        truth, confusion = self.problem.truth, self.problem.needs_confusion
        return truth.recount(
            self.counts,
            out=truth.count(change.before, rows=change.rows, confusion=confusion),
            into=truth.count(change.after, rows=change.rows, confusion=confusion),
        )
