"""Two classes: one offset, one walk over all rows, and the global optimum."""

from typing import cast

import numpy as np

from skimbalance._array_api import cumulative_sum, device, namespace
from skimbalance._typing import Array
from skimbalance.decision import centred
from skimbalance.metrics._base import LinearMetric, Metric, PooledMetric
from skimbalance.solvers._base import Problem, Solution, improves
from skimbalance.solvers._cuts import Gaps, best_cuts

__all__ = ["gaps_of", "solve_two_classes"]


def solve_two_classes(problem: Problem, start: Array) -> Solution:
    """Return the global optimum for two classes."""
    xp = namespace(problem.scores)
    k, _, ordered = problem.lineup
    ranks = _ranks_along(problem)
    begin = float(start[k]) - float(start[1 - k])
    cuts = best_cuts(gaps_of(problem), ranks[None, :], start=np.asarray([begin]), above=-float("inf"))
    pair = [0.0, cuts.offsets[0]] if k == 1 else [cuts.offsets[0], 0.0]
    solution = problem.solved(centred(xp.asarray(pair, dtype=ordered.dtype, device=device(ordered))), n_iter=1)
    here = xp.asarray([begin], dtype=ordered.dtype, device=device(ordered))
    beside = (int(xp.searchsorted(ordered, here, side=side)[0]) for side in ("left", "right"))
    if improves(max(cuts.ranks[0], *(float(ranks[place]) for place in beside)), solution.rank):
        # Where a cut was too fine for the arithmetic, the start may be better.
        return max(solution, problem.solved(start, n_iter=1), key=lambda s: s.rank)
    return solution


def gaps_of(problem: Problem) -> Gaps:
    """Return the gaps (1, n) of the class that moves."""
    xp, scores = namespace(problem.scores), problem.scores
    _, rows, ordered = problem.lineup

    def sizes(places: Array) -> Array:
        return xp.sum(xp.abs(xp.take(scores, rows[places], axis=0)), axis=1)

    return Gaps(ordered[None, :], 2 * float(xp.max(xp.abs(scores))), sizes)


def _ranks_along(problem: Problem) -> Array:
    """Return the rank (n + 1,) before the first row and after each."""
    truth, (k, rows, _) = problem.truth, problem.lineup
    xp = namespace(problem.scores)
    zero = xp.zeros(1, dtype=xp.float64, device=device(rows))
    hits = xp.concat([zero, cumulative_sum(truth.mass(k, rows))])
    weight = truth.weight(rows)
    if weight is None:
        predicted = xp.arange(rows.shape[0] + 1, dtype=xp.float64, device=device(rows))
    else:
        predicted = xp.concat([zero, cumulative_sum(weight)])

    def trace(metric: Metric) -> tuple[Array, ...]:
        return _trace(problem, metric, hits, predicted)

    ranks = problem.metric.refine(trace(problem.metric), 2)
    if not problem.requirements:
        return ranks
    missed = (r.violation(r.metric.pool(trace(r.metric), 2)) for r in problem.requirements)
    return problem.constrained(ranks, sum(missed))


def _trace(problem: Problem, metric: Metric, hits: Array, predicted: Array) -> tuple[Array, ...]:
    """Return the pooled terms of a metric (n + 1,) each, where the class that moves has `hits` and `predicted`."""
    truth, k = problem.truth, problem.lineup[0]
    xp, support, rest = namespace(hits), truth.support, 1 - k
    wrong = predicted - hits
    if isinstance(metric, LinearMetric):
        worth = metric.utilities(support)
        if worth.ndim == 1:
            return (worth[k] * hits + worth[rest] * (support[rest] - wrong),)
        right = worth[k, k] * hits + worth[rest, rest] * (support[rest] - wrong)
        return (right + worth[k, rest] * (support[k] - hits) + worth[rest, k] * wrong,)
    pooled = cast("PooledMetric", metric)
    chosen = pooled.chosen(support)
    left = (truth.cleared(support[rest] - wrong), truth.cleared(xp.sum(support) - predicted))
    if metric.label == k:  # it asks no more of the other class than its support
        left = (left[0][:1], left[1][:1])
    mine = pooled.terms(hits, predicted, support[k], chosen[k])
    others = pooled.terms(*left, support[rest], chosen[rest])
    pool = xp.minimum if metric.trait == "minimum" else xp.add
    return tuple(pool(*pair) for pair in zip(mine, others, strict=True))
