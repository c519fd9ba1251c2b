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
"""About so many scores, of some rows of each class, suffice to choose where to start from."""

_CELLS_PER_LEAP = 20_000
_MAX_LEAPS = 48
_LENGTHS = (1.0, 2.0, 4.0)
"""Small problems are climbed again from random points near and far, at most so often."""


def solve(
    problem: Problem,
    *,
    seed: int = 0,
    report: Progress | None = None,
    restarts: bool = True,
    until_met: bool = False,
) -> Solution:
    """Return the best offsets that coordinate ascent reaches; never worse than zero, `-log prior` or the best tau.

    Of many scores a sample of the rows tells which of these is the best. `restarts` allows random restarts, which small
    problems get. With `until_met` the search ends at the first offsets that meet the requirements.
    """
    best: Solution | None = None
    climbs = [(name, start, False) for name, start in _starts(problem).items()]
    if restarts:
        climbs += [(f"leap {number}", leap, True) for number, leap in enumerate(_leaps(problem, seed=seed), start=1)]
    for name, start, from_best in climbs:
        begin = best.offsets + start if from_best and best is not None else start
        best = _better(best, ascend(problem, begin), problem, name=name, report=report)
        if until_met and problem.missed(best.counts) == 0:
            break
    assert best is not None
    return best


def _better(
    best: Solution | None, solution: Solution, problem: Problem, *, name: str, report: Progress | None
) -> Solution:
    if report is not None:
        report(f"{problem.metric.name} from {name}: {solution.n_iter} sweeps, rank {solution.rank:.6g}")
    return solution if best is None or improves(solution.rank, best.rank) else best


def _starts(problem: Problem) -> dict[str, Array]:
    """Return where to climb from, by name."""
    none = bring(problem.truth.support * 0, to=problem.scores, dtype=problem.scores.dtype)
    if problem.n_classes == 2:  # one line search finds the optimum from anywhere
        return {"zero": none}
    starts = {"zero": none, **_multiples(problem, (1.0,)), **_best_multiple(problem), **_companion(problem)}
    starts |= _feasible(problem)
    if _cells(problem) <= _CELLS_FOR_ALL_STARTS:
        return starts
    return _best(_sample(problem), starts)


def _sample(problem: Problem) -> Problem:
    """Return the problem of fewer rows, where there are many: enough to choose a start."""
    step = _cells(problem) // _CELLS_FOR_CHOICE
    if step < 2:
        return problem
    rows, truth = problem.truth.thinned(step)
    return replace(problem, scores=namespace(rows).take(problem.scores, rows, axis=0), truth=truth, groups=None)


def _companion(problem: Problem) -> dict[str, Array]:
    """Return where an ascent by the metric's companion ends, where it has one."""
    companion = problem.metric.companion
    if companion is None:
        return {}
    start = bring(prior_offsets(problem.truth.support), to=problem.scores, dtype=problem.scores.dtype)
    return {f"the best {companion.name}": ascend(replace(problem, metric=companion), start).offsets}


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
    """Return the best multiple of `-log prior`, chosen on a sample of the rows where there are many."""
    return _best(_sample(problem), _multiples(problem, _TAUS))


def _best(problem: Problem, starts: dict[str, Array]) -> dict[str, Array]:
    """Return the start with the best rank, the first of equals."""
    chosen, best = next(iter(starts)), -float("inf")
    for name, offsets in starts.items():
        rank = problem.rank(offsets)
        if improves(rank, best):
            chosen, best = name, rank
    return {chosen: starts[chosen]}


def _multiples(problem: Problem, taus: tuple[float, ...]) -> dict[str, Array]:
    support = problem.truth.support
    return {
        f"-{tau:g} log prior": bring(prior_offsets(support, tau=tau), to=problem.scores, dtype=problem.scores.dtype)
        for tau in taus
    }


def _cells(problem: Problem) -> int:
    return int(problem.scores.shape[0]) * problem.n_classes


def _leaps(problem: Problem, *, seed: int) -> list[Array]:
    """Return random displacements, on the scale of the margins by which rows are decided."""
    count = min(_MAX_LEAPS, _CELLS_PER_LEAP // _cells(problem))
    if count == 0 or problem.n_classes == 2:
        return []
    _, first, _, second = top_two(problem.scores)
    weights = problem.truth.weights
    margin = np.average(to_numpy(first - second), weights=None if weights is None else to_numpy(weights))
    lengths = float(margin) * np.resize(_LENGTHS, (count, 1))
    leaps = lengths * np.random.default_rng(seed).normal(size=(count, problem.n_classes))
    # The same class leaps alike wherever its column stands.
    leaps = leaps[:, np.argsort(problem.class_order)]
    return [bring(leap, to=problem.scores, dtype=problem.scores.dtype) for leap in leaps]
