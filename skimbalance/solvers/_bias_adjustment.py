"""Bias Adjustment as published: a grid search, coarse to fine, for the imbalance state with the best metric.

In the binary case the state is one number, the proportion of the minority class. The grid is 0.1 to 0.9, then nine
hundredths on both sides of the best, then nine thousandths. These are 45 states; the paper's 47 count the middle of
each finer grid again. Each state is found by a convex problem, and its decisions are scored on the samples.

The paper treats binary problems only. For more classes, this project searches t with the same steps along the path
`r_t ~ prior^(1-t)`: the prior at 0, uniform at 1, the inverse prior at 2. Then it varies each class once, the rarest
first. The odds of its proportion are multiplied or divided by up to three, and the others scaled accordingly. The
cost grows with the number of classes, so these grids are coarser with more classes. With three classes there are nine
steps on both sides and as many levels as for the path. Beyond ten classes there are at most two steps and one level,
and beyond a hundred none.

*Regulating Imbalanced Deep Models with User-Specified Metrics*, submission 4525 to ICLR 2024, section 3.2.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring_like, to_numpy
from skimbalance._core.typing import Array, Progress
from skimbalance.solvers._base import Problem, Solution, improves
from skimbalance.solvers._state import solve_state

__all__ = ["adjust_biases", "path_state"]

_Vector = npt.NDArray[np.float64]

_STEPS = 9
"""Steps on both sides of the best in a finer grid: each level is ten times finer."""

_SHARES = np.arange(1, 10) / 10
_TIMES = np.arange(21) / 10
_DECADES = 0.5
"""The odds of a proportion are multiplied or divided by less than ten to this power."""

_STEPS_OF_ALL_CLASSES = 27
_FINE_CLASSES = 10
_COORDINATE_CLASSES = 100
"""With more classes than these the grids of single classes have one level; there are no such grids."""

_LARGEST_EXPONENT = 690.0
"""No proportion overflows or becomes zero, which no offsets could give."""


def adjust_biases(problem: Problem, *, precision: int = 3, progress: Progress | None = None, **_: object) -> Solution:
    """Return the offsets of the best state to `precision` digits, or zero if that is not better.

    `n_iter` of the solution is the number of states tried. Of equal states the first is chosen. Other arguments of
    solvers, for random numbers and restarts, have no effect.
    """
    search = _Search(problem)
    if problem.n_classes == 2:
        is_minority = np.arange(2) == np.argmin(search.prior)
        best = _refined(
            lambda share: search.objective_value_of(np.where(is_minority, share, 1 - share)),
            _SHARES,
            levels=precision,
            steps=_STEPS,
        )
        found = f"the proportion of the minority class {best:g}"
    else:
        best = _refined(
            lambda time: search.objective_value_of(path_state(search.prior, time)),
            _TIMES,
            levels=precision,
            steps=_STEPS,
        )
        search.adjust_shares(levels=precision)
        found = f"the state at {best:g} of the path, with single shares adjusted"
    solution = problem.solved(search.offsets, n_iter=search.n_states)
    if progress is not None:
        progress(f"{problem.metric.name}: {found}, of {search.n_states} states; {problem.shown(solution.counts)}")
    return solution


def path_state(prior: _Vector, time: float) -> _Vector:
    """Return `prior^(1 - time)`, scaled to sum to one."""
    exponents = (1 - time) * (np.log(prior) - np.max(np.log(prior)))
    raised = np.exp(np.clip(exponents, -_LARGEST_EXPONENT, _LARGEST_EXPONENT))
    state: _Vector = raised / np.sum(raised)
    return state


class _Search:
    """The best of the states tried so far, starting from zero offsets."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        support = to_numpy(problem.truth.support).astype(np.float64)
        self.prior: _Vector = support / support.sum()
        self.host = to_numpy(problem.scores).astype(np.float64)
        self.weights = None if problem.truth.weights is None else to_numpy(problem.truth.weights)
        self.offsets: Array = bring_like(0 * support, problem.scores)
        self.objective_value = problem.objective_value(self.offsets)
        self.state: _Vector | None = None
        self.n_states = 0

    def objective_value_of(self, state: _Vector) -> float:
        """Find the offsets of a state, score their decisions, and keep them if they are the best."""
        found = solve_state(self.host, state, weights=self.weights)
        offsets = bring_like(found.offsets, self.problem.scores)
        objective_value = self.problem.objective_value(offsets)
        self.n_states += 1
        if improves(objective_value, self.objective_value):
            self.objective_value, self.offsets, self.state = objective_value, offsets, state
        return objective_value

    def adjust_shares(self, *, levels: int) -> None:
        """Vary the proportion of each class, from the best state, or from the prior if none is better."""
        n_classes = len(self.prior)
        if n_classes > _COORDINATE_CLASSES:
            return
        steps = max(1, _STEPS_OF_ALL_CLASSES // n_classes)
        levels = levels if n_classes <= _FINE_CLASSES else 1
        grid: _Vector = _DECADES / (steps + 1) * np.arange(-steps, steps + 1).astype(np.float64)
        for k in np.argsort(self.prior, kind="stable"):
            base, known = (self.prior, -np.inf) if self.state is None else (self.state, self.objective_value)

            def objective_value(decades: float, base: _Vector = base, known: float = known, k: int = int(k)) -> float:
                if decades == 0:
                    return known
                scaled: _Vector = np.where(np.arange(n_classes) == k, 10**decades * base, base)
                return self.objective_value_of(scaled / np.sum(scaled))

            _refined(objective_value, grid, levels=levels, steps=steps)


def _refined(objective_value: Callable[[float], float], grid: _Vector, *, levels: int, steps: int) -> float:
    """Return the best point of a grid and of finer grids around it."""
    objective_values = [objective_value(float(point)) for point in grid]
    best, highest, step = float(grid[int(np.argmax(objective_values))]), max(objective_values), float(grid[1] - grid[0])
    for _ in range(levels - 1):
        step /= steps + 1
        nearby = [best + step * j for j in range(-steps, steps + 1) if j != 0]
        objective_values = [objective_value(point) for point in nearby]
        if improves(max(objective_values), highest):
            best, highest = nearby[int(np.argmax(objective_values))], max(objective_values)
    return best
