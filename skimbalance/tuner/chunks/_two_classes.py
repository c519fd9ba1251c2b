"""Two classes: the global optimum over samples that are nowhere together.

Marks at some thousand margins tell what the metric is there. Between two of them the mover wins so many samples that
are its own and so many others, in an order that is unknown; no metric of two classes is better in between than at the
best of the four corners of what that leaves open, or worse than at the worst. Where that is not enough for an optimum
nothing else needs to be known. Elsewhere more marks are set, until so few samples are left that they can be looked at
one by one.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.typing import Progress
from skimbalance.metrics.base import Metric
from skimbalance.solvers import Cuts, Line, Margins, Problem, best_cuts, objective_values_on, trace_along
from skimbalance.tuner.chunks._chunks import Block, Chunks, Floats
from skimbalance.tuner.chunks._line import Marks, Rows, SizeOf, condensed, gathered, line_up, spread, with_candidates

__all__ = ["Budget", "best_threshold"]

_ROUNDING = 1e-12

_TRIES = 4
"""So often margins that are too near to be cut apart are looked behind."""


@dataclass(frozen=True)
class Budget:
    """How many margins are marked at a time, and how many samples are looked at one by one."""

    candidates: int = 1 << 16
    samples: int = 1_000_000


_BUDGET = Budget()


def best_threshold(
    chunks: Chunks[Block],
    problem: Problem,
    *,
    largest: float,
    size: SizeOf,
    progress: Progress,
    budget: Budget = _BUDGET,
) -> Floats:
    """Return offsets (2,) that are best on all samples; `problem` has no samples, but what they weigh.

    `largest` is the largest magnitude of a log-score.
    """
    samples = chunks.kept(partial(line_up, positive=problem.positive))
    candidates = with_candidates(samples, np.asarray([-np.inf, np.inf], dtype=problem.scores.dtype))
    bar, tries = np.inf, 0
    while True:
        known = min(bar, _best_candidate(problem, candidates))
        undecided = _undecided(problem, candidates, known=known, at_most=budget.samples)
        n_samples = int(candidates.between(candidates.samples)[undecided].sum())
        progress(f"{problem.metric.name}: {len(candidates.at) - 2:,} gaps marked, {n_samples:,} rows undecided")
        if n_samples > budget.samples:
            step = -(-n_samples // budget.candidates)
            candidates = candidates.merged(
                with_candidates(samples, spread(samples, candidates.intervals(undecided), step=step))
            )
            continue
        cuts = _cuts(samples, problem, candidates, undecided, largest=largest, size=size)
        bar, tries = min(bar, float(cuts.objective_values[0])), tries + 1
        if cuts.objective_values[0] >= known - _ROUNDING * abs(known) or tries == _TRIES:
            shift = cuts.offsets[0] * (problem.positive - 0.5)
            return np.asarray([-shift, shift])
        # At the best mark no cut is possible: its margin is too near to the next one.


def _cuts(
    samples: Chunks[Rows],
    problem: Problem,
    candidates: Marks,
    undecided: npt.NDArray[np.bool_],
    *,
    largest: float,
    size: SizeOf,
) -> Cuts:
    """Return the best cut, where the samples of undecided intervals are looked at one by one."""
    some = gathered(samples, candidates.intervals(undecided)) if undecided.any() else _nothing(candidates)
    pruned = ~undecided & (candidates.between(candidates.samples) > 0)
    line, real = condensed(candidates, some, pruned=pruned, largest=2 * largest, size=size)
    objective_values = np.where(real, np.asarray(objective_values_on(problem, line)), -np.inf)
    return best_cuts(line.margins, objective_values[None, :], start=np.zeros(1), above=-np.inf)


def _nothing(candidates: Marks) -> Rows:
    return Rows(candidates.at[:0], np.zeros(0), np.zeros(0))


def _line(margins: npt.NDArray[Any], hits: Floats, others: Floats) -> Line:
    return Line(Margins(margins[None, :], 0.0, np.zeros_like), hits, hits + others)


def _best_candidate(problem: Problem, candidates: Marks) -> float:
    """Return the best rank just before or after a mark."""
    lines = (_line(candidates.at, won, mass - won) for won, mass in zip(candidates.won, candidates.mass, strict=True))
    return float(max(np.max(np.asarray(objective_values_on(problem, line))) for line in lines))


def _undecided(problem: Problem, candidates: Marks, *, known: float, at_most: int) -> npt.NDArray[np.bool_]:
    """Tell between which marks a cut may be better than `known`, or as good if that are `at_most` so many samples."""
    samples, highest = candidates.between(candidates.samples), _highest(problem, candidates)
    slack = 0.0 if np.isinf(known) else _ROUNDING * abs(known)
    as_good = (samples > 0) & (highest >= known - slack)
    return as_good if samples[as_good].sum() <= at_most else as_good & (highest > known + slack)


def _highest(problem: Problem, candidates: Marks) -> Floats:
    """Return what no rank between two marks exceeds."""
    (_, hits), (_, mass) = candidates.won, candidates.mass
    others = mass - hits
    low, high = (hits[:-1], others[:-1]), (candidates.won[0, 1:], candidates.mass[0, 1:] - candidates.won[0, 1:])
    assert all(m.is_extreme_at_corners for m in (problem.metric, *(r.metric for r in problem.requirements)))
    corners = [_line(candidates.at[1:], won, lost) for won in (low[0], high[0]) for lost in (low[1], high[1])]
    objective_values = _merit_within(problem, corners)
    if not problem.requirements:
        return objective_values
    missed = np.zeros_like(objective_values)
    for required in problem.requirements:
        least, most = _span(problem, required.metric, corners)
        nearest = np.minimum(np.maximum(least, required.low), most)
        missed += np.asarray(required.violation(nearest))
    constrained: Floats = np.asarray(problem.constrained(objective_values, missed))
    return constrained


def _merit_within(problem: Problem, corners: list[Line]) -> Floats:
    metric = problem.metric
    if metric.direction != "zero":
        objective_values = [metric.refine(trace_along(problem, metric, line), 2) for line in corners]
        return np.asarray(np.max([np.asarray(each) for each in objective_values], axis=0))
    least, most = _span(problem, metric, corners)
    merit: Floats = np.where((least <= 0) & (most >= 0), 0.0, -np.minimum(np.abs(least), np.abs(most)))
    return merit


def _span(problem: Problem, metric: Metric, corners: list[Line]) -> tuple[Floats, Floats]:
    """Return the least and the greatest value that a metric takes at the corners."""
    values = [metric.pool(trace_along(problem, metric, line), 2) for line in corners]
    stacked = np.stack([np.broadcast_to(np.asarray(each), corners[0].hits.shape) for each in values])
    return stacked.min(axis=0), stacked.max(axis=0)
