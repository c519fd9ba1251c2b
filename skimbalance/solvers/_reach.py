"""How far offsets can drive a metric."""

from dataclasses import replace
from functools import partial

from skimbalance.metrics.base import Metric
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import Counts
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers._absent import fit_present_classes
from skimbalance.solvers._base import Problem
from skimbalance.solvers._multi_start import solve

__all__ = ["demanding", "reachable"]

_BEYOND = 1e3
"""A bound that no metric meets, so that to miss it by the least is to go as far as can be."""


def demanding(problem: Problem, *requirements: BoundConstraint) -> Problem:
    """Return the problem in which requirements alone matter: what is optimised besides is as cheap as can be."""
    return replace(problem, metric=METRICS["accuracy"], requirements=requirements)


def reachable(problem: Problem, metric: Metric, *, known: Counts | None = None) -> tuple[float, float]:
    """Return the least and the greatest value of a metric, of `known` decisions and those that a search finds.

    The search makes no random restarts.
    """
    far = (BoundConstraint(metric, high=-_BEYOND), BoundConstraint(metric, low=_BEYOND))
    fit = partial(solve, restarts=False)
    found = [fit_present_classes(demanding(problem, bound), fit).counts for bound in far]
    values = [metric.value(counts) for counts in (*found, known) if counts is not None]
    return min(values), max(values)
