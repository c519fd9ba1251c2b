"""Offsets for which the mean predicted distribution is a target: a convex problem, for any number of classes.

With `A(b) = mean_i logsumexp(s_i + b)` the state `P(b)` is the gradient of `A`: it is `r` where `A(b) - r.b` is least.
The step `b += log r - log P` always descends: it is Sinkhorn's step for an optimal transport at a temperature. It is
fast where the scores are small relative to the temperature. A few of these steps at each of several temperatures, from
the spread of the scores down to one, give a start for Newton steps. With saturated networks the state is nearly a step
function, on which Newton steps are far too long. A search for the root of the slope shortens them. No step uses the
value of `A`, whose rounding would limit the precision to half the digits.

Regulating the state by its gradient is the proposal of *Regulating Imbalanced Deep Models with User-Specified Metrics*,
submission 4525 to ICLR 2024.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse.linalg import LinearOperator, cg

from skimbalance._core.array_api import block_columns, to_numpy, transposed
from skimbalance._core.decision import centred
from skimbalance._core.typing import Array, ArrayLike
from skimbalance._core.validation import check_distribution

__all__ = ["StateSolution", "solve_state"]

_Vector = npt.NDArray[np.float64]

_TOLERANCE = 1e-8
"""The search has converged if no class differs more from the target."""

_AIM, _RELATIVE_AIM = 1e-9, 1e-6
"""The precision of the search, absolute and relative: at 1e-8 the offset of a class of target 1e-6 is imprecise."""

_STEPS = 60
"""The limit of Newton steps; of 20,000 random problems of up to ten classes one took twenty."""

_SWEEPS = 5
"""Sinkhorn steps at a time."""

_START_CELLS = 1 << 21
"""Scores that the start is computed from; a subsample where there are more."""

_DENSE = 100
"""With more classes Newton steps come from conjugate gradients: fast, but imprecise for the smallest slopes."""

_RIDGE = 1e-13
"""A Hessian is regularised by this proportion of its diagonal, as rounding may make it singular."""

_SLOPE_LEFT = 0.3
"""The proportion of the slope along a step that may remain at its end."""

_CUT = 0.7
"""A step cut to less than this proportion has hit a sharp rise."""

_CG_PRECISION, _CG_PRODUCTS = 1e-3, 300
_TRIALS = 60
_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class StateSolution:
    """Centred offsets (K,), the state (K,) they give, whether that is the target to 1e-8, and the number of steps.

    `n_gradients` counts states, `n_hessians` Newton steps. With many classes each Newton step takes some products of
    the Hessian with a vector, `n_products` in total.
    """

    offsets: _Vector
    state: _Vector
    converged: bool
    n_gradients: int
    n_hessians: int
    n_products: int


def solve_state(scores: Array, target: ArrayLike, *, weights: Array | None = None) -> StateSolution:
    """Find offsets for which the mean over the samples of `softmax(scores + offsets)`, weighted, is `target`.

    `scores` (n, K) are finite log-scores of any array library. They are converted to float64 on the host; the results
    are NumPy arrays. `target` (K,) is a distribution without zeros, `weights` (n,) are None for ones. If the scores are
    too large for the precision, `converged` is False and the offsets are the nearest that were found.
    """
    goal = check_distribution("target", target, n_classes=int(scores.shape[1]))
    wide = to_numpy(scores).astype(np.float64)
    mass = np.ones(len(wide)) if weights is None else to_numpy(weights).astype(np.float64)
    if not np.all(mass > 0):
        wide, mass = wide[mass > 0], mass[mass > 0]
    columns = transposed(wide)
    columns -= np.max(columns, axis=0)
    samples = _Samples(columns, mass)
    offsets = centred(_descended(samples, goal, _started(samples, goal)))
    state = samples.state(offsets)
    converged = bool(np.max(np.abs(state - goal)) <= _TOLERANCE)
    return StateSolution(offsets, state, converged, samples.n_gradients, samples.n_hessians, samples.n_products)


class _Samples:
    """Scores (K, n) with maximum zero in each sample, weights that sum to one, and counts of evaluations."""

    def __init__(self, columns: _Vector, weights: _Vector) -> None:
        self.columns = columns
        self.weights = weights / np.sum(weights)
        self.blocks = block_columns(columns)
        self.n_gradients = self.n_hessians = self.n_products = 0

    @property
    def spread(self) -> float:
        """The mean distance of the worst score of a sample to the best."""
        return -float(np.min(self.columns, axis=0) @ self.weights)

    def shares(self, offsets: _Vector, temperature: float = 1.0) -> Iterator[tuple[_Vector, _Vector]]:
        """Yield the probabilities (K, m) and the weights of the samples, block by block."""
        for samples in self.blocks:
            raised = self.columns[:, samples] + offsets[:, None]
            raised -= np.max(raised, axis=0)
            raised /= temperature
            np.exp(raised, out=raised)
            raised /= np.sum(raised, axis=0)
            yield raised, self.weights[samples]

    def state(self, offsets: _Vector, temperature: float = 1.0) -> _Vector:
        """Return the mean probabilities (K,)."""
        self.n_gradients += 1
        total = np.zeros(len(offsets))
        for proba, mass in self.shares(offsets, temperature):
            total += proba @ mass
        return total

    def newton_step(self, offsets: _Vector, state: _Vector, lack: _Vector) -> _Vector:
        """Return `hessian^-1 lack`."""
        self.n_hessians += 1
        solve = self._solve_dense if len(offsets) <= _DENSE else self._solve_by_products
        return solve(offsets, state, lack)

    def _solve_dense(self, offsets: _Vector, state: _Vector, lack: _Vector) -> _Vector:
        """Solve by Cholesky's factors, the most frequent class held, each class in its own unit."""
        hessian = np.zeros((len(offsets), len(offsets)))
        for proba, mass in self.shares(offsets):
            hessian -= (proba * mass) @ proba.T
        # The diagonal is the sum of the other entries: P minus squares would lose digits where the state is flat.
        np.fill_diagonal(hessian, 0)
        diagonal = -np.sum(hessian, axis=1)
        free = np.arange(len(offsets)) != np.argmax(state)
        unit = 1 / np.sqrt(np.maximum(diagonal[free], _TINY))
        scaled = hessian[np.ix_(free, free)] * unit[:, None] * unit
        np.fill_diagonal(scaled, 1 + _RIDGE)
        step = np.zeros(len(offsets))
        step[free] = unit * cho_solve(cho_factor(scaled), unit * lack[free])
        return step

    def _solve_by_products(self, offsets: _Vector, state: _Vector, lack: _Vector) -> _Vector:
        """Solve by conjugate gradients, each class in its own unit; any iterate is a descent."""
        blocks = list(self.shares(offsets))
        diagonal = np.sum([(proba * (1 - proba)) @ mass for proba, mass in blocks], axis=0)
        unit: _Vector = 1 / np.sqrt(np.maximum(diagonal, _RIDGE * state + _TINY))

        def product(vector: _Vector) -> _Vector:
            self.n_products += 1
            scaled = unit * vector.ravel()
            pulled: _Vector = state * scaled
            for proba, mass in blocks:
                pulled -= proba @ (mass * (scaled @ proba))
            return unit * pulled

        operator = LinearOperator((len(offsets), len(offsets)), matvec=product, dtype=np.float64)
        solution: _Vector = unit * cg(operator, unit * lack, rtol=_CG_PRECISION, maxiter=_CG_PRODUCTS)[0]
        return solution


def _swept(samples: _Samples, goal: _Vector, offsets: _Vector, *, temperature: float = 1.0) -> _Vector:
    """Return the offsets after some Sinkhorn steps: safe everywhere, but slow for classes that are often confused."""
    for _ in range(_SWEEPS):
        offsets = offsets + temperature * _sinkhorn_step(samples.state(offsets, temperature), goal)
    return offsets


def _sinkhorn_step(state: _Vector, goal: _Vector) -> _Vector:
    step: _Vector = np.log(goal) - np.log(np.maximum(state, _TINY))
    return step


def _started(samples: _Samples, goal: _Vector) -> _Vector:
    """Return offsets near the solution, from a smooth problem to the sharp one."""
    step = max(1, samples.columns.size // _START_CELLS)
    fewer = _Samples(samples.columns[:, ::step], samples.weights[::step])
    temperature = max(1.0, fewer.spread)
    offsets = _swept(fewer, goal, np.zeros(len(goal)), temperature=temperature)
    while temperature > 1:
        temperature = max(1.0, temperature / 2)
        offsets = _swept(fewer, goal, offsets, temperature=temperature)
    samples.n_gradients += fewer.n_gradients
    return offsets


def _descended(samples: _Samples, goal: _Vector, offsets: _Vector) -> _Vector:
    """Return offsets that give the goal, by Newton steps; the nearest found if these do not converge."""
    aim = np.minimum(_AIM, _RELATIVE_AIM * goal)
    best, least = offsets, np.inf
    for _ in range(_STEPS):
        state = samples.state(offsets)
        error = float(np.max(np.abs(goal - state) / aim))
        if error < least:
            best, least = offsets, error
        if error <= 1:
            break
        step = samples.newton_step(offsets, state, goal - state)
        if not step @ (goal - state) > 0:
            step = _sinkhorn_step(state, goal)
        length = _length(samples, goal, offsets, step, slope=float(step @ (goal - state)))
        offsets = offsets + length * step
        if length < _CUT:  # one length does not suit all classes
            offsets = _swept(samples, goal, offsets)
    return best


def _length(samples: _Samples, goal: _Vector, offsets: _Vector, step: _Vector, *, slope: float) -> float:
    """Return the proportion of `step` to take, after which little of the slope along it remains."""
    furthest = (4 * (float(np.ptp(offsets)) + samples.spread) - 2 * math.log(_TINY)) / float(np.max(np.abs(step)))
    low, low_slope, high, length = 0.0, slope, math.inf, min(1.0, furthest)
    for _ in range(_TRIALS):
        left = float(step @ (goal - samples.state(offsets + length * step)))
        if abs(left) <= _SLOPE_LEFT * slope or (left > 0 and length == furthest):
            break
        if left > 0:
            low, low_slope = length, left
        else:
            high, high_slope = length, left
        if math.isinf(high):
            length = min(2 * length, furthest)
        else:  # by the secant, within limits: from a flat start the secant is far too long
            share = low_slope / (low_slope - high_slope)
            length = low + (high - low) * min(max(share, 0.1), 0.9 if low else 0.5)
    return length
