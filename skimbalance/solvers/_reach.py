"""How far offsets can drive a metric."""

from dataclasses import replace
from functools import partial

from skimbalance.decision import decide
from skimbalance.goals import Requirement
from skimbalance.metrics._base import Metric
from skimbalance.solvers._absent import among_present
from skimbalance.solvers._base import Problem
from skimbalance.solvers._multi_start import solve

__all__ = ["reachable"]

_BEYOND = 1e3
"""A bound that no metric meets, so that to miss it by the least is to go as far as can be."""


def reachable(problem: Problem, metric: Metric, *, seed: int = 0) -> tuple[float, float]:
    """Return the least and the greatest value of a metric that the search finds offsets for.

    A metric of a class without rows has one value alone, since no offsets are tuned for that class.
    """
    if metric.label is not None and float(problem.truth.support[metric.label]) == 0:
        without = metric.value(problem.count(decide(problem.scores, 0 * problem.scores[0, :])))
        return without, without
    far = (Requirement(metric, high=-_BEYOND), Requirement(metric, low=_BEYOND))
    fit = partial(solve, seed=seed)
    found = (among_present(replace(problem, metric=metric, requirements=(bound,)), fit) for bound in far)
    low, high = (metric.value(solution.counts) for solution in found)
    return low, high
