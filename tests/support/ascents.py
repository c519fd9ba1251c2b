"""Fewer ascents than the solver makes: a small problem has 48 random restarts."""

import pytest

from skimbalance.solvers import Problem, Solution, _coordinate_ascent, solve


def ascended(problem: Problem, *, again: int) -> Solution:
    """Solve a problem with at most so many random restarts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_coordinate_ascent, "_MAX_RESTARTS", min(again, _coordinate_ascent._MAX_RESTARTS))
        return solve(problem)


def solved_up_to(best: float, problem: Problem) -> Solution:
    """Solve a problem, without the last ascents if the first have reached `best`: more are never worse."""
    solution = ascended(problem, again=4)
    return solution if solution.objective_value >= best - 1e-9 else solve(problem)
