"""Bias Adjustment as published: search the imbalance state whose offsets are best by the metric, coarse to fine.

For two classes the state is one number, the share of the rarer class: 0.1 to 0.9, then nine hundredths to either side
of the best, then nine thousandths; 45 states, or the 47 of the paper where the middle of each finer grid is counted
anew. Each is reached as the convex problem it is, and its decisions are scored on the samples.

The paper stops at two classes. For more this project goes, in the same steps of t, along the path `r_t ~ prior^(1-t)`
from the prior at 0 through uniform at 1 to the prior turned round at 2; then once over the classes, the rarest first,
the odds of each share multiplied by up to three either way while the others keep their proportions. What that costs
grows with the classes, so the grids of this last part get coarser: nine steps to either side and as many levels as
the path has for three classes, at most two steps and one level beyond ten, and no such part beyond a hundred.

*Regulating Imbalanced Deep Models with User-Specified Metrics*, submission 4525 to ICLR 2024, section 3.2.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, to_numpy
from skimbalance._core.typing import Array, Progress
from skimbalance.solvers._base import Problem, Solution, improves
from skimbalance.solvers._state import solve_state

__all__ = ["adjust_biases", "path_state"]

_Vector = npt.NDArray[np.float64]

_STEPS = 9
"""Steps to either side of the best in a finer grid: each level is ten times as fine as the one before."""

_SHARES = np.arange(1, 10) / 10
_TIMES = np.arange(21) / 10
_DECADES = 0.5
"""The odds of a share are multiplied by less than ten to this power, either way."""

_STEPS_OF_ALL_CLASSES = 27
_FINE_CLASSES = 10
_COORDINATE_CLASSES = 100
"""Over more classes than these the grids of single shares have one level; there are none."""


def adjust_biases(problem: Problem, *, precision: int = 3, progress: Progress | None = None) -> Solution:
    """Return the offsets of the best state to so many digits, or none where that does no better.

    `n_iter` of the solution is the number of states tried. Of equal states the first is taken.
    """
    search = _Search(problem)
    if problem.n_classes == 2:
        best = _refined(search.value_of_share, _SHARES, levels=precision, steps=_STEPS)
        found = f"the rarer class's share {best:g}"
    else:
        best = _refined(search.value_of_time, _TIMES, levels=precision, steps=_STEPS)
        search.adjust_shares(levels=precision)
        found = f"the state at {best:g} of the path, with single shares adjusted"
    if progress is not None:
        progress(f"{problem.metric.name}: {found}, of {search.n_states} states; objective {search.objective_value:.6g}")
    return problem.solved(search.offsets, n_iter=search.n_states)


_LARGEST_EXPONENT = 690.0
"""No share overflows, and none vanishes: no offsets would reach it."""


def path_state(prior: _Vector, time: float) -> _Vector:
    """Return `prior^(1 - time)`, scaled to sum to one."""
    exponents = (1 - time) * (np.log(prior) - np.max(np.log(prior)))
    raised = np.exp(np.clip(exponents, -_LARGEST_EXPONENT, _LARGEST_EXPONENT))
    state: _Vector = raised / np.sum(raised)
    return state


class _Search:
    """The best of the states tried so far, from no offsets on."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        support = to_numpy(problem.truth.support).astype(np.float64)
        self.prior: _Vector = support / support.sum()
        self.host = to_numpy(problem.scores).astype(np.float64)
        self.weights = None if problem.truth.weights is None else to_numpy(problem.truth.weights)
        self.offsets: Array = bring(0 * support, to=problem.scores, dtype=problem.scores.dtype)
        self.objective_value = problem.objective_value(self.offsets)
        self.state: _Vector | None = None
        self.n_states = 0

    def objective_value_of(self, state: _Vector) -> float:
        """Reach a state, score its decisions, and keep its offsets where they are the best."""
        found = solve_state(self.host, state, weights=self.weights)
        offsets = bring(found.offsets, to=self.problem.scores, dtype=self.problem.scores.dtype)
        objective_value = self.problem.objective_value(offsets)
        self.n_states += 1
        if improves(objective_value, self.objective_value):
            self.objective_value, self.offsets, self.state = objective_value, offsets, state
        return objective_value

    def value_of_share(self, share: float) -> float:
        """Reach the state in which the rarer of two classes has this share."""
        rarer = int(np.argmin(self.prior))
        return self.objective_value_of(np.where(np.arange(2) == rarer, share, 1 - share))

    def value_of_time(self, time: float) -> float:
        """Reach the state at this time of the path."""
        return self.objective_value_of(path_state(self.prior, time))

    def adjust_shares(self, *, levels: int) -> None:
        """Try other shares of each class, from the best state; from the prior where none has been better."""
        n_classes = len(self.prior)
        if n_classes > _COORDINATE_CLASSES:
            return
        steps = max(1, _STEPS_OF_ALL_CLASSES // n_classes)
        grid: _Vector = _DECADES / (steps + 1) * np.arange(-steps, steps + 1).astype(np.float64)
        for k in np.argsort(self.prior, kind="stable"):
            base = self.prior if self.state is None else self.state

            def objective_value(decades: float, base: _Vector = base, k: int = int(k)) -> float:
                scaled: _Vector = np.where(np.arange(n_classes) == k, 10**decades * base, base)
                return self.objective_value_of(scaled / np.sum(scaled))

            known = {steps: self.objective_value if self.state is not None else -np.inf}
            _refined(
                objective_value, grid, levels=levels if n_classes <= _FINE_CLASSES else 1, steps=steps, known=known
            )


def _refined(
    objective_value: Callable[[float], float],
    grid: _Vector,
    *,
    levels: int,
    steps: int,
    known: dict[int, float] | None = None,
) -> float:
    """Return the best point of a grid and of finer grids around it; `known` holds objective values by place."""
    known = known or {}
    objective_values = [
        known[place] if place in known else objective_value(float(point)) for place, point in enumerate(grid)
    ]
    best, highest, step = float(grid[int(np.argmax(objective_values))]), max(objective_values), float(grid[1] - grid[0])
    for _ in range(levels - 1):
        step /= steps + 1
        nearby = [best + step * j for j in range(-steps, steps + 1) if j != 0]
        objective_values = [objective_value(point) for point in nearby]
        if improves(max(objective_values), highest):
            best, highest = nearby[int(np.argmax(objective_values))], max(objective_values)
    return best
