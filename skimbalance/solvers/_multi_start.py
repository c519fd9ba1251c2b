"""Coordinate ascent from several starts, as many as the size of the problem permits, and what it can achieve."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain

import numpy as np

from skimbalance._core.array_api import bring, namespace, smallest_normal, to_numpy
from skimbalance._core.decision import centred
from skimbalance._core.typing import Array, Progress
from skimbalance.metrics.base import Metric
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import Counts
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers._absent import fit_present_classes
from skimbalance.solvers._base import Problem, Solution, improves
from skimbalance.solvers._coordinate_ascent import ascend
from skimbalance.solvers._pairs import top_two

__all__ = ["demanding", "prior_offsets", "reachable", "solve"]

_TAUS = (0.25, 0.5, 0.75, 1.25, 1.5)
"""Multiples of `-log prior`. The best of them is a start, in addition to zero and one."""

_WIDE_TAUS = (-1.0, -0.5, 2.0, 3.0)
"""Further multiples to start from where there are constraints: these may need more extreme offsets than a metric."""

_CELLS_FOR_ALL_STARTS = 1_000_000
"""With up to so many scores there is an ascent from every start, with more from the best start only."""

_CELLS_FOR_CHOICE = 1_000_000
"""The best start is chosen on a subsample of about so many scores."""

_CELLS_PER_RESTART = 20_000
_MAX_RESTARTS = 48
_LENGTHS = (1.0, 2.0, 4.0)
"""Small problems get at most so many random restarts, at these distances in turn."""

_BEYOND = 1e3
"""A bound that no metric satisfies. Violating it by the least is to go as far as possible."""


def prior_offsets(support: Array, *, tau: float = 1.0) -> Array:
    """Return the centred offsets `-tau log prior`, which adjust a calibrated model to equal priors at `tau = 1`."""
    xp = namespace(support)
    return centred(-tau * xp.log(xp.clip(support, smallest_normal(support), None)))  # soft support may underflow


def demanding(problem: Problem, *requirements: BoundConstraint) -> Problem:
    """Return the problem of satisfying the constraints, whose objective is the cheapest one."""
    return replace(problem, metric=METRICS["accuracy"], requirements=requirements)


def reachable(problem: Problem, metric: Metric, *, known: Counts | None = None) -> tuple[float, float]:
    """Return the lowest and the highest value of a metric, among `known` decisions and those that a search finds.

    The search makes no random restarts.
    """
    far = (BoundConstraint(metric, high=-_BEYOND), BoundConstraint(metric, low=_BEYOND))
    fit = partial(solve, restarts=False)
    found = [fit_present_classes(demanding(problem, bound), fit).counts for bound in far]
    values = [metric.value(counts) for counts in (*found, known) if counts is not None]
    return min(values), max(values)


def solve(
    problem: Problem,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    restarts: bool = True,
    until_satisfied: bool = False,
) -> Solution:
    """Return the best offsets that coordinate ascent finds; never worse than zero, `-log prior` or the best tau.

    With many scores, a subsample decides which of these is the best. `restarts` permits random restarts, which small
    problems get. With `until_satisfied` the search ends at the first offsets that satisfy the constraints.
    """
    best: Solution | None = None
    starts = _starts(problem)
    for name, start in chain(starts.items(), _restarts(problem, seed=seed) if restarts else ()):
        found = ascend(problem, start if best is None or name in starts else best.offsets + start)
        if progress is not None:
            progress(f"{problem.metric.name} from {name}: {found.n_iter} sweeps, objective {found.objective_value:.6g}")
        if best is None or improves(found.objective_value, best.objective_value):
            best = found
        if until_satisfied and problem.missed(best.counts) == 0:
            break
    assert best is not None
    return best


def _starts(problem: Problem) -> dict[str, Array]:
    """Return the points to start from, by name."""
    none = bring(problem.truth.support * 0, to=problem.scores, dtype=problem.scores.dtype)
    if problem.n_classes == 2:  # one line search finds the optimum from anywhere
        return {"zero": none}
    n_cells = int(problem.scores.shape[0]) * problem.n_classes
    few, step = problem, n_cells // _CELLS_FOR_CHOICE
    if step > 1:
        samples, truth = problem.truth.thinned(step)
        scores = namespace(samples).take(problem.scores, samples, axis=0)
        few = replace(problem, scores=scores, truth=truth, groups=None)
    at_prior = _multiples(problem, (1.0,))
    (prior,) = at_prior.values()
    starts = {"zero": none, **at_prior, **_best(few, _multiples(problem, _TAUS))}
    tie_breaker = problem.metric.tie_breaker
    if tie_breaker is not None:
        starts[f"the best {tie_breaker.name}"] = ascend(replace(problem, metric=tie_breaker), prior).offsets
    for number, required in enumerate(problem.requirements, start=1):
        starts[f"constraint {number}"] = ascend(replace(problem, requirements=(required,)), prior).offsets
    if problem.requirements:
        starts |= _multiples(problem, _WIDE_TAUS)
    return starts if n_cells <= _CELLS_FOR_ALL_STARTS else _best(few, starts)


def _multiples(problem: Problem, taus: tuple[float, ...]) -> dict[str, Array]:
    """Return multiples of `-log prior`."""
    support = problem.truth.support
    return {
        f"-{tau:g} log prior": bring(prior_offsets(support, tau=tau), to=problem.scores, dtype=problem.scores.dtype)
        for tau in taus
    }


def _best(problem: Problem, starts: dict[str, Array]) -> dict[str, Array]:
    """Return the start with the best objective value, the first of equals."""
    chosen, best = next(iter(starts)), -float("inf")
    for name, offsets in starts.items():
        objective_value = problem.objective_value(offsets)
        if improves(objective_value, best):
            chosen, best = name, objective_value
    return {chosen: starts[chosen]}


def _restarts(problem: Problem, *, seed: int) -> Iterator[tuple[str, Array]]:
    """Yield random displacements by name, on the scale of the margins between the two best classes of a sample."""
    count = min(_MAX_RESTARTS, _CELLS_PER_RESTART // (int(problem.scores.shape[0]) * problem.n_classes))
    if count == 0 or problem.n_classes == 2:
        return
    _, first, _, second = top_two(problem.scores)
    weights = problem.truth.weights
    margin = np.average(to_numpy(first - second), weights=None if weights is None else to_numpy(weights))
    lengths = float(margin) * np.resize(_LENGTHS, (count, 1))
    points = lengths * np.random.default_rng(seed).normal(size=(count, problem.n_classes))
    # A class has the same displacement wherever its column is.
    points = points[:, np.argsort(problem.class_order)]
    for number, point in enumerate(points, start=1):
        yield f"restart {number}", bring(point, to=problem.scores, dtype=problem.scores.dtype)
