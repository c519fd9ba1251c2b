"""Binary problems: one offset, one sorted sweep over all samples, and the global optimum."""

from dataclasses import dataclass
from typing import cast

import numpy as np

from skimbalance._core.array_api import bring_like, cumulative_sum, device, largest_magnitude, namespace, sort_flagged
from skimbalance._core.decision import centred
from skimbalance._core.typing import Array
from skimbalance.metrics.base import LinearMetric, Metric, PooledMetric
from skimbalance.solvers._base import Problem, Solution, improves
from skimbalance.solvers._line_search import Bounds, Margins, best_cuts

__all__ = ["Line", "bounds_within", "line_of", "margins_of", "objective_values_on", "solve_binary", "trace_along"]

_ORDERED_SAMPLES = 100_000
"""With more samples in double precision, margins count as equal if they differ by the rounding of the largest scores.
The rounding of their own scores would take another sort."""


@dataclass(frozen=True)
class Line:
    """The sorted margins of all samples, and the counts (n + 1,) of the positive class after each."""

    margins: Margins
    hits: Array
    predicted: Array


def solve_binary(problem: Problem, start: Array) -> Solution:
    """Return the global optimum of a binary problem."""
    k, line = problem.positive, line_of(problem)
    objective_values, ordered = objective_values_on(problem, line), line.margins.values[0, :]
    start = problem.within_limits(start)
    begin = np.asarray([float(start[k]) - float(start[1 - k])])
    cuts = best_cuts(
        line.margins, objective_values[None, :], start=begin, above=-float("inf"), bounds=bounds_within(problem)
    )
    if not cuts.offsets.size:  # the limits are closer than the rounding of the scores
        return problem.solved(start, n_iter=1)
    pair = np.asarray([0.0, cuts.offsets[0]] if k == 1 else [cuts.offsets[0], 0.0])
    solution = problem.solved(centred(bring_like(pair, ordered)), n_iter=1)
    xp, here = namespace(ordered), bring_like(begin, ordered)
    beside = [float(objective_values[int(xp.searchsorted(ordered, here, side=side)[0])]) for side in ("left", "right")]
    if improves(max(cuts.objective_values[0], *beside), solution.objective_value):
        # If rounding made the cut ineffective, the start may be better.
        return max(solution, problem.solved(start, n_iter=1), key=lambda s: s.objective_value)
    return solution


def bounds_within(problem: Problem) -> Bounds | None:
    """Return the limits of a problem as bounds of the offset of the positive class, None without limits."""
    if problem.limits is None:
        return None
    low, high = problem.limits if problem.positive == 0 else (-problem.limits[1], -problem.limits[0])
    return Bounds(np.array([low]), np.array([high]))


def margins_of(problem: Problem, ordered: Array | None = None) -> Margins:
    """Return the margins (1, n) of the positive class."""
    xp, scores = namespace(problem.scores), problem.scores
    largest = 2 * largest_magnitude(scores)
    if ordered is None:
        ordered, is_costly = problem.sorted_margins[1], False
    else:
        is_costly = ordered.shape[0] > _ORDERED_SAMPLES and xp.finfo(ordered.dtype).bits > 32

    def sizes(places: Array) -> Array:
        if is_costly:
            return xp.zeros_like(ordered[places]) + largest
        # Of samples with nearly equal margins any is good enough.
        return xp.sum(xp.abs(xp.take(scores, problem.sorted_margins[0][places], axis=0)), axis=1)

    return Margins(ordered[None, :], largest, sizes)


def line_of(problem: Problem) -> Line:
    """Sort the margins of all samples, and accumulate the counts of the positive class."""
    truth, k = problem.truth, problem.positive
    xp = namespace(problem.scores)
    zero = xp.zeros(1, dtype=xp.float64, device=device(problem.scores))
    if truth.is_counted:  # the order of the samples themselves is not needed
        ordered, won = sort_flagged(problem.margins, truth.mass(k, None))
        predicted = xp.arange(ordered.shape[0] + 1, dtype=xp.float64, device=device(ordered))
    else:
        samples, ordered = problem.sorted_margins
        won, weight = truth.mass(k, samples), truth.weight(samples)
        weight = xp.ones_like(ordered) if weight is None else weight
        predicted = xp.concat([zero, cumulative_sum(weight)])
    return Line(margins_of(problem, ordered), xp.concat([zero, cumulative_sum(won)]), predicted)


def objective_values_on(problem: Problem, line: Line) -> Array:
    """Return the objective value (n + 1,) before the first sample and after each."""
    return problem.objective_values(lambda metric: trace_along(problem, metric, line))


def trace_along(problem: Problem, metric: Metric, line: Line) -> tuple[Array, ...]:
    """Return the pooled terms of a metric (n + 1,) each."""
    truth, k, hits, predicted = problem.truth, problem.positive, line.hits, line.predicted
    xp, support, rest = namespace(hits), truth.support, 1 - k
    if metric.needs_cost_matrix:
        samples, linear = problem.sorted_margins[0], cast("LinearMetric", metric)
        right, wrong = (problem.reward(linear, 0 * samples + c, samples) for c in (k, rest))
        return (xp.sum(wrong) + xp.concat([0 * right[:1], cumulative_sum(right - wrong)]),)
    if isinstance(metric, LinearMetric):
        worth, wrong = metric.utilities(support), predicted - hits
        if worth.ndim == 1:
            return (worth[k] * hits + worth[rest] * (support[rest] - wrong),)
        right = worth[k, k] * hits + worth[rest, rest] * (support[rest] - wrong)
        return (right + worth[k, rest] * (support[k] - hits) + worth[rest, k] * wrong,)
    pooled = cast("PooledMetric", metric)
    chosen = pooled.chosen(support)
    mine = pooled.terms(hits, predicted, support[k], chosen[k])
    if metric.label == k and pooled.ignores_other_classes:
        hits, predicted = hits[:1], predicted[:1]
    left = (truth.cleared(support[rest] - (predicted - hits)), truth.cleared(xp.sum(support) - predicted))
    others = pooled.terms(*left, support[rest], chosen[rest])
    pool = xp.minimum if metric.decomposition == "minimum" else xp.add
    return tuple(pool(*pair) for pair in zip(mine, others, strict=True))
