"""Coordinate ascent from several starts, as many as the size of the problem affords."""

from dataclasses import replace

import numpy as np

from skimbalance._core.array_api import bring, namespace, to_numpy
from skimbalance._core.typing import Array, Progress
from skimbalance.solvers._base import Problem, Solution, improves
from skimbalance.solvers._coordinate_ascent import ascend
from skimbalance.solvers._pairs import top_two
from skimbalance.solvers._prior import prior_offsets

__all__ = ["solve"]

_TAUS = (0.25, 0.5, 0.75, 1.25, 1.5)
"""Multiples of `-log prior`, the best of which is a start, beside none and one."""

_WIDE_TAUS = (-1.0, -0.5, 2.0, 3.0)
"""Further multiples to start from where something is required that no metric is best at."""

_CELLS_FOR_ALL_STARTS = 1_000_000
"""Up to so many scores the ascent climbs from every start, beyond from the best of them only."""

_CELLS_FOR_CHOICE = 1_000_000
"""About so many scores, of some samples of each class, suffice to choose where to start from."""

_CELLS_PER_LEAP = 20_000
_MAX_LEAPS = 48
_LENGTHS = (1.0, 2.0, 4.0)
"""Small problems are climbed again from random points near and far, at most so often."""


def solve(
    problem: Problem,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    restarts: bool = True,
    until_satisfied: bool = False,
) -> Solution:
    """Return the best offsets that coordinate ascent reaches; never worse than zero, `-log prior` or the best tau.

    Of many scores a sample of the samples tells which of these is the best. `restarts` allows random restarts, which
    small problems get. With `until_satisfied` the search ends at the first offsets that meet the requirements.
    """
    best: Solution | None = None
    ascents = [(name, start, False) for name, start in _starts(problem).items()]
    if restarts:
        ascents += [
            (f"leap {number}", restart, True)
            for number, restart in enumerate(_restart_points(problem, seed=seed), start=1)
        ]
    for name, start, from_best in ascents:
        begin = best.offsets + start if from_best and best is not None else start
        best = _better(best, ascend(problem, begin), problem, name=name, progress=progress)
        if until_satisfied and problem.missed(best.counts) == 0:
            break
    assert best is not None
    return best


def _better(
    best: Solution | None, solution: Solution, problem: Problem, *, name: str, progress: Progress | None
) -> Solution:
    if progress is not None:
        progress(f"{problem.metric.name} from {name}: {solution.n_iter} sweeps, rank {solution.objective_value:.6g}")
    return solution if best is None or improves(solution.objective_value, best.objective_value) else best


def _starts(problem: Problem) -> dict[str, Array]:
    """Return where to climb from, by name."""
    none = bring(problem.truth.support * 0, to=problem.scores, dtype=problem.scores.dtype)
    if problem.n_classes == 2:  # one line search finds the optimum from anywhere
        return {"zero": none}
    starts = {"zero": none, **_multiples(problem, (1.0,)), **_best_multiple(problem), **_tie_breaker(problem)}
    starts |= _feasible(problem)
    if _cells(problem) <= _CELLS_FOR_ALL_STARTS:
        return starts
    return _best(_sample(problem), starts)


def _sample(problem: Problem) -> Problem:
    """Return the problem of fewer samples, where there are many: enough to choose a start."""
    step = _cells(problem) // _CELLS_FOR_CHOICE
    if step < 2:
        return problem
    samples, truth = problem.truth.thinned(step)
    return replace(problem, scores=namespace(samples).take(problem.scores, samples, axis=0), truth=truth, groups=None)


def _tie_breaker(problem: Problem) -> dict[str, Array]:
    """Return where an ascent by the metric's companion ends, where it has one."""
    tie_breaker = problem.metric.tie_breaker
    if tie_breaker is None:
        return {}
    start = bring(prior_offsets(problem.truth.support), to=problem.scores, dtype=problem.scores.dtype)
    return {f"the best {tie_breaker.name}": ascend(replace(problem, metric=tie_breaker), start).offsets}


def _feasible(problem: Problem) -> dict[str, Array]:
    """Return where ascents by each requirement alone end."""
    if not problem.requirements:
        return {}
    start = bring(prior_offsets(problem.truth.support), to=problem.scores, dtype=problem.scores.dtype)
    return {
        f"requirement {number}": ascend(replace(problem, requirements=(required,)), start).offsets
        for number, required in enumerate(problem.requirements, start=1)
    } | _multiples(problem, _WIDE_TAUS)


def _best_multiple(problem: Problem) -> dict[str, Array]:
    """Return the best multiple of `-log prior`, chosen on a sample of the samples where there are many."""
    return _best(_sample(problem), _multiples(problem, _TAUS))


def _best(problem: Problem, starts: dict[str, Array]) -> dict[str, Array]:
    """Return the start with the best rank, the first of equals."""
    chosen, best = next(iter(starts)), -float("inf")
    for name, offsets in starts.items():
        objective_value = problem.objective_value(offsets)
        if improves(objective_value, best):
            chosen, best = name, objective_value
    return {chosen: starts[chosen]}


def _multiples(problem: Problem, taus: tuple[float, ...]) -> dict[str, Array]:
    support = problem.truth.support
    return {
        f"-{tau:g} log prior": bring(prior_offsets(support, tau=tau), to=problem.scores, dtype=problem.scores.dtype)
        for tau in taus
    }


def _cells(problem: Problem) -> int:
    return int(problem.scores.shape[0]) * problem.n_classes


def _restart_points(problem: Problem, *, seed: int) -> list[Array]:
    """Return random displacements, on the scale of the margins by which samples are decided."""
    count = min(_MAX_LEAPS, _CELLS_PER_LEAP // _cells(problem))
    if count == 0 or problem.n_classes == 2:
        return []
    _, first, _, second = top_two(problem.scores)
    weights = problem.truth.weights
    margin = np.average(to_numpy(first - second), weights=None if weights is None else to_numpy(weights))
    lengths = float(margin) * np.resize(_LENGTHS, (count, 1))
    restart_points = lengths * np.random.default_rng(seed).normal(size=(count, problem.n_classes))
    # The same class leaps alike wherever its column stands.
    restart_points = restart_points[:, np.argsort(problem.class_order)]
    return [bring(restart, to=problem.scores, dtype=problem.scores.dtype) for restart in restart_points]
