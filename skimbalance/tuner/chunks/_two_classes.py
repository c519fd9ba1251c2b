"""Two classes: the global optimum over rows that are nowhere together.

Marks at some thousand gaps tell what the metric is there. Between two of them the mover wins so many rows that are its
own and so many others, in an order that is unknown; no metric of two classes is better in between than at the best of
the four corners of what that leaves open, or worse than at the worst. Where that is not enough for an optimum nothing
else needs to be known. Elsewhere more marks are set, until so few rows are left that they can be looked at one by one.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.typing import Progress
from skimbalance.metrics.base import Metric
from skimbalance.solvers import Cuts, Gaps, Line, Problem, best_cuts, ranks_on, trace_along
from skimbalance.tuner.chunks._chunks import Block, Chunks, Floats
from skimbalance.tuner.chunks._line import Marks, Rows, SizeOf, condensed, gathered, line_up, marked, spread

__all__ = ["Budget", "best_threshold"]

_ROUNDING = 1e-12

_TRIES = 4
"""So often gaps that are too near to be cut apart are looked behind."""


@dataclass(frozen=True)
class Budget:
    """How many gaps are marked at a time, and how many rows are looked at one by one."""

    marks: int = 1 << 16
    rows: int = 1_000_000


_BUDGET = Budget()


def best_threshold(
    chunks: Chunks[Block],
    problem: Problem,
    *,
    largest: float,
    size: SizeOf,
    report: Progress,
    budget: Budget = _BUDGET,
) -> Floats:
    """Return offsets (2,) that are best on all rows; `problem` has no rows, but what they weigh.

    `largest` is the largest magnitude of a log-score.
    """
    rows = chunks.kept(partial(line_up, mover=problem.mover))
    marks = marked(rows, np.asarray([-np.inf, np.inf], dtype=problem.scores.dtype))
    bar, tries = np.inf, 0
    while True:
        known = min(bar, _best_mark(problem, marks))
        undecided = _undecided(problem, marks, known=known, at_most=budget.rows)
        n_rows = int(marks.between(marks.rows)[undecided].sum())
        report(f"{problem.metric.name}: {len(marks.at) - 2:,} gaps marked, {n_rows:,} rows undecided")
        if n_rows > budget.rows:
            step = -(-n_rows // budget.marks)
            marks = marks.merged(marked(rows, spread(rows, marks.intervals(undecided), step=step)))
            continue
        cuts = _cuts(rows, problem, marks, undecided, largest=largest, size=size)
        bar, tries = min(bar, float(cuts.ranks[0])), tries + 1
        if cuts.ranks[0] >= known - _ROUNDING * abs(known) or tries == _TRIES:
            shift = cuts.offsets[0] * (problem.mover - 0.5)
            return np.asarray([-shift, shift])
        # At the best mark no cut is possible: its gap is too near to the next one.


def _cuts(
    rows: Chunks[Rows],
    problem: Problem,
    marks: Marks,
    undecided: npt.NDArray[np.bool_],
    *,
    largest: float,
    size: SizeOf,
) -> Cuts:
    """Return the best cut, where the rows of undecided intervals are looked at one by one."""
    some = gathered(rows, marks.intervals(undecided)) if undecided.any() else _nothing(marks)
    pruned = ~undecided & (marks.between(marks.rows) > 0)
    line, real = condensed(marks, some, pruned=pruned, largest=2 * largest, size=size)
    ranks = np.where(real, np.asarray(ranks_on(problem, line)), -np.inf)
    return best_cuts(line.gaps, ranks[None, :], start=np.zeros(1), above=-np.inf)


def _nothing(marks: Marks) -> Rows:
    return Rows(marks.at[:0], np.zeros(0), np.zeros(0))


def _line(gaps: npt.NDArray[Any], hits: Floats, others: Floats) -> Line:
    return Line(Gaps(gaps[None, :], 0.0, np.zeros_like), hits, hits + others)


def _best_mark(problem: Problem, marks: Marks) -> float:
    """Return the best rank just before or after a mark."""
    lines = (_line(marks.at, won, mass - won) for won, mass in zip(marks.won, marks.mass, strict=True))
    return float(max(np.max(np.asarray(ranks_on(problem, line))) for line in lines))


def _undecided(problem: Problem, marks: Marks, *, known: float, at_most: int) -> npt.NDArray[np.bool_]:
    """Tell between which marks a cut may be better than `known`, or as good if that are `at_most` so many rows."""
    rows, highest = marks.between(marks.rows), _highest(problem, marks)
    slack = 0.0 if np.isinf(known) else _ROUNDING * abs(known)
    as_good = (rows > 0) & (highest >= known - slack)
    return as_good if rows[as_good].sum() <= at_most else as_good & (highest > known + slack)


def _highest(problem: Problem, marks: Marks) -> Floats:
    """Return what no rank between two marks exceeds."""
    (_, hits), (_, mass) = marks.won, marks.mass
    others = mass - hits
    low, high = (hits[:-1], others[:-1]), (marks.won[0, 1:], marks.mass[0, 1:] - marks.won[0, 1:])
    corners = [_line(marks.at[1:], won, lost) for won in (low[0], high[0]) for lost in (low[1], high[1])]
    ranks = _merit_within(problem, corners)
    if not problem.requirements:
        return ranks
    missed = np.zeros_like(ranks)
    for required in problem.requirements:
        least, most = _span(problem, required.metric, corners)
        nearest = np.minimum(np.maximum(least, required.low), most)
        missed += np.asarray(required.violation(nearest))
    constrained: Floats = np.asarray(problem.constrained(ranks, missed))
    return constrained


def _merit_within(problem: Problem, corners: list[Line]) -> Floats:
    metric = problem.metric
    if metric.direction != "zero":
        ranks = [metric.refine(trace_along(problem, metric, line), 2) for line in corners]
        return np.asarray(np.max([np.asarray(each) for each in ranks], axis=0))
    least, most = _span(problem, metric, corners)
    merit: Floats = np.where((least <= 0) & (most >= 0), 0.0, -np.minimum(np.abs(least), np.abs(most)))
    return merit


def _span(problem: Problem, metric: Metric, corners: list[Line]) -> tuple[Floats, Floats]:
    """Return the least and the greatest value that a metric takes at the corners."""
    values = [metric.pool(trace_along(problem, metric, line), 2) for line in corners]
    stacked = np.stack([np.broadcast_to(np.asarray(each), corners[0].hits.shape) for each in values])
    return stacked.min(axis=0), stacked.max(axis=0)
