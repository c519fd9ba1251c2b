"""Two classes: one offset, one walk over all rows, and the global optimum."""

from dataclasses import dataclass
from typing import cast

import numpy as np

from skimbalance._core.array_api import cumulative_sum, device, largest_magnitude, namespace, sort_flagged
from skimbalance._core.decision import centred
from skimbalance._core.typing import Array
from skimbalance.metrics.base import LinearMetric, Metric, PooledMetric
from skimbalance.solvers._base import Problem, Solution, improves
from skimbalance.solvers.cuts import Gaps, best_cuts

__all__ = ["Line", "gaps_of", "line_of", "ranks_on", "solve_two_classes", "trace_along"]


_ORDERED_ROWS = 100_000
"""Beyond so many rows in double precision, two gaps nearer than the rounding of the largest scores count as one: which
rows they are of, and how large their own scores, only another sort would tell."""


@dataclass(frozen=True)
class Line:
    """The gaps of all rows, sorted, and what the mover (n + 1,) has before the first row and after each."""

    gaps: Gaps
    hits: Array
    predicted: Array


def solve_two_classes(problem: Problem, start: Array) -> Solution:
    """Return the global optimum for two classes."""
    k, line = problem.mover, line_of(problem)
    ranks = ranks_on(problem, line)
    ordered = line.gaps.values[0, :]
    xp = namespace(ordered)
    begin = float(start[k]) - float(start[1 - k])
    cuts = best_cuts(line.gaps, ranks[None, :], start=np.asarray([begin]), above=-float("inf"))
    pair = [0.0, cuts.offsets[0]] if k == 1 else [cuts.offsets[0], 0.0]
    solution = problem.solved(centred(xp.asarray(pair, dtype=ordered.dtype, device=device(ordered))), n_iter=1)
    here = xp.asarray([begin], dtype=ordered.dtype, device=device(ordered))
    beside = (int(xp.searchsorted(ordered, here, side=side)[0]) for side in ("left", "right"))
    if improves(max(cuts.ranks[0], *(float(ranks[place]) for place in beside)), solution.rank):
        # Where a cut was too fine for the arithmetic, the start may be better.
        return max(solution, problem.solved(start, n_iter=1), key=lambda s: s.rank)
    return solution


def gaps_of(problem: Problem, ordered: Array | None = None) -> Gaps:
    """Return the gaps (1, n) of the mover."""
    xp, scores = namespace(problem.scores), problem.scores
    largest = 2 * largest_magnitude(scores)
    rows_unknown = ordered is not None
    ordered = problem.lineup[1] if ordered is None else ordered
    too_dear = rows_unknown and ordered.shape[0] > _ORDERED_ROWS and xp.finfo(ordered.dtype).bits > 32

    def sizes(places: Array) -> Array:
        if too_dear:
            return xp.zeros_like(ordered[places]) + largest
        # Of rows whose gaps are next to equal any will do.
        return xp.sum(xp.abs(xp.take(scores, problem.lineup[0][places], axis=0)), axis=1)

    return Gaps(ordered[None, :], largest, sizes)


def line_of(problem: Problem) -> Line:
    """Sort the gaps of all rows, and sum up what the mover wins."""
    truth, k = problem.truth, problem.mover
    xp = namespace(problem.scores)
    zero = xp.zeros(1, dtype=xp.float64, device=device(problem.scores))
    if truth.is_counted:  # the order of the rows themselves is not needed
        ordered, won = sort_flagged(problem.gaps, truth.mass(k, None))
        predicted = xp.arange(ordered.shape[0] + 1, dtype=xp.float64, device=device(ordered))
    else:
        rows, ordered = problem.lineup
        won, weight = truth.mass(k, rows), truth.weight(rows)
        weight = xp.ones_like(ordered) if weight is None else weight
        predicted = xp.concat([zero, cumulative_sum(weight)])
    return Line(gaps_of(problem, ordered), xp.concat([zero, cumulative_sum(won)]), predicted)


def ranks_on(problem: Problem, line: Line) -> Array:
    """Return the rank (n + 1,) before the first row and after each."""
    ranks = problem.metric.refine(trace_along(problem, problem.metric, line), 2)
    if not problem.requirements:
        return ranks
    missed = (r.violation(r.metric.pool(trace_along(problem, r.metric, line), 2)) for r in problem.requirements)
    return problem.constrained(ranks, sum(missed))


def trace_along(problem: Problem, metric: Metric, line: Line) -> tuple[Array, ...]:
    """Return the pooled terms of a metric (n + 1,) each."""
    truth, k, hits, predicted = problem.truth, problem.mover, line.hits, line.predicted
    xp, support, rest = namespace(hits), truth.support, 1 - k
    if isinstance(metric, LinearMetric):
        worth, wrong = metric.utilities(support), predicted - hits
        if worth.ndim == 1:
            return (worth[k] * hits + worth[rest] * (support[rest] - wrong),)
        right = worth[k, k] * hits + worth[rest, rest] * (support[rest] - wrong)
        return (right + worth[k, rest] * (support[k] - hits) + worth[rest, k] * wrong,)
    pooled = cast("PooledMetric", metric)
    chosen = pooled.chosen(support)
    mine = pooled.terms(hits, predicted, support[k], chosen[k])
    if metric.label == k:  # it asks no more of the other class than its support
        hits, predicted = hits[:1], predicted[:1]
    left = (truth.cleared(support[rest] - (predicted - hits)), truth.cleared(xp.sum(support) - predicted))
    others = pooled.terms(*left, support[rest], chosen[rest])
    pool = xp.minimum if metric.trait == "minimum" else xp.add
    return tuple(pool(*pair) for pair in zip(mine, others, strict=True))
