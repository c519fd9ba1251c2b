"""Search by function values only: for black-box metrics, and as a check of the line search.

In the binary case, thresholds are evaluated along one sorted sweep over all samples, all of them if the budget permits.

For more classes, a SciPy optimiser gets half of the budget. It searches in quantiles. Each offset is relative to that
of the most frequent class, and [0, 1] maps to the quantiles of the margins between the two. All classes of samples
have equal total weight. So the scale of the scores has no influence, and minority classes are not skipped. The other
half of the budget evaluates thresholds of one class after the other, as optimisers are poor at step functions.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, differential_evolution, direct, minimize

from skimbalance._core.array_api import bring, bring_like, cumulative_sum, device, namespace, to_numpy
from skimbalance._core.decision import centred, decide
from skimbalance._core.typing import Array, Progress
from skimbalance.metrics.counts import Counts
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers._base import Problem, Solution, improves
from skimbalance.solvers._coordinate_ascent import ascend, prior_offsets, solve
from skimbalance.solvers._line_search import best_cuts, cuts_apart, edges_of
from skimbalance.solvers._neighbourhood import mean_margin
from skimbalance.solvers._search import Search
from skimbalance.solvers.binary import bounds_within, margins_of

__all__ = ["default_budget", "search"]

_Vector = npt.NDArray[np.float64]

_EVALUATIONS = 2000
_FEWEST = 100
_CELLS = 2_000_000_000
"""The default number of evaluations, lower for many scores."""

_GUIDES = ("balanced_accuracy", "f1_macro")
"""The search starts from the optima of these metrics."""

_KNOTS = 129
_ROOM = 1.0
"""The number of quantiles of the margins, and how far the search may exceed the extreme ones."""

_POPULATION = 15
_GENERATIONS = 20
_NEAR = 0.1
"""Differential evolution: as many points per dimension as SciPy's default, if the budget is enough for so many
generations. Half of the points are near the starts, with this standard deviation."""

_ALL_CUTS, _CUTS = 40, 24
"""Up to so many thresholds of a class are all tried; of more, so many."""

_LEVEL = 1e-6
"""Differential evolution ends when the objective values of all points differ by no more."""

_WORST = 1e100
"""A loss greater than that of any offsets."""

_REPORTS = 10


def default_budget(problem: Problem) -> int:
    """Return the default number of evaluations: 2,000, fewer beyond a million scores, at least 100."""
    cells = problem.n_scores
    return max(_FEWEST, min(_EVALUATIONS, _CELLS // cells))


def search(
    problem: Problem, how: Search, *, seed: int = 0, restarts: bool = True, progress: Progress | None = None
) -> Solution:
    """Return the best offsets found within the budget; `n_iter` is the number of evaluations.

    The search starts from zero, `-log prior` and the optima of `_GUIDES`, and is never worse than the best of these.
    With constraints, `restarts` permits random restarts in the searches for these optima.
    """
    budget = default_budget(problem) if how.budget is None else how.budget
    trials = _Trials(problem, budget, how, progress)
    starts = [problem.within_limits(start) for start in _starts(problem, seed=seed, restarts=restarts)]
    with suppress(_SpentError):
        if problem.n_classes == 2:
            _scan(trials, spare=len(starts))
        for start in starts:
            trials.objective_value(start)
        if problem.n_classes > 2:
            trials.limit = (trials.spent + trials.budget) // 2  # half of the remaining budget
            with suppress(_SpentError):
                _METHODS[how.method](trials, _Quantiles(problem), starts, seed)
            trials.limit = trials.budget
            _ascent(trials, seed=seed)
    trials.show_progress(last=True)
    return problem.solved(trials.best, n_iter=trials.spent)


def _starts(problem: Problem, *, seed: int, restarts: bool) -> list[Array]:
    support = problem.truth.support
    plain = [bring_like(x, problem.scores) for x in (support * 0, prior_offsets(support))]
    guided = [replace(problem, metric=METRICS[name]) for name in _GUIDES]
    if problem.requirements:
        return plain + [solve(guide, seed=seed, restarts=restarts).offsets for guide in guided]
    return plain + [ascend(guide, plain[1]).offsets for guide in guided]


class _SpentError(Exception):
    """The budget is spent, or the callback stopped the search."""


class _Trials:
    """The best of the offsets tried so far, and their number."""

    def __init__(self, problem: Problem, budget: int, how: Search, progress: Progress | None) -> None:
        self.problem, self.how, self.progress = problem, how, progress
        self.budget = self.limit = budget
        self.spent = 0
        self.best: Array = None
        self.best_objective_value = self.highest = -float("inf")
        self.highest_counts: Counts | None = None
        self.known: dict[bytes, float] = {}

    def objective_value(self, offsets: Array) -> float:
        """Return the objective value of `offsets`, which are kept if they are the best."""
        objective_value = self.objective_value_of(self.problem.count(decide(self.problem.scores, offsets)))
        self.keep(offsets, objective_value)
        return objective_value

    def keep(self, offsets: Array, objective_value: float) -> None:
        """Keep `offsets` of that objective value if they are the best."""
        if self.best is None or improves(objective_value, self.best_objective_value):
            self.best, self.best_objective_value = centred(offsets), objective_value

    def objective_value_of(self, counts: Counts) -> float:
        """Return the objective value of `counts`, from a cache if possible."""
        if self.spent >= self.limit:
            raise _SpentError
        self.spent += 1
        seen = (counts.hits, counts.predicted) if counts.confusion is None else (counts.confusion,)
        key = blake2b(b"".join(to_numpy(x).tobytes() for x in seen)).digest()
        if key not in self.known:
            self.known[key] = self.problem.objective_value_of(counts)
        objective_value = self.known[key]
        if self.highest_counts is None or objective_value > self.highest:
            self.highest, self.highest_counts = objective_value, counts
        self.show_progress()
        if self.how.callback is not None and self.how.callback(self.spent, self.highest):
            self.limit = self.budget = self.spent
        return objective_value

    def show_progress(self, *, last: bool = False) -> None:
        """Show progress at intervals and at the end."""
        if self.progress is None or self.highest_counts is None:
            return
        if last or self.spent % max(1, self.budget // _REPORTS) == 0:
            shown = self.problem.shown(self.highest_counts)
            name = self.problem.metric.name
            self.progress(f"{name} by {self.how.method}: {shown} after {self.spent} evaluations")


def _scan(trials: _Trials, *, spare: int) -> None:
    """Try binary thresholds along one sorted sweep, and leave `spare` evaluations."""
    problem, k, margins = trials.problem, trials.problem.positive, margins_of(trials.problem)
    bounds = bounds_within(problem)
    support: _Vector = to_numpy(problem.truth.support).astype(np.float64)
    samples, _ = problem.sorted_margins
    running = (to_numpy(cumulative_sum(problem.truth.mass(c, samples))) for c in (0, 1))
    taken = np.stack([np.concatenate([[0.0], x]) for x in running])  # (2, n + 1): what class k wins, by true class
    places = np.flatnonzero(to_numpy(cuts_apart(margins, edges_of(margins, bounds))))

    def objective_value_at(place: int) -> float:
        table = np.empty((2, 2))
        table[:, k] = np.minimum(taken[:, places[place]], support)
        table[:, 1 - k] = support - table[:, k]
        # Differences of sums that should be zero are so only up to rounding.
        table[table < 1e-12 * support.sum()] = 0.0
        return trials.objective_value_of(Counts(np.diagonal(table).copy(), table.sum(axis=0), support, table))

    objective_values = np.full(margins.values.shape[1] + 1, -np.inf)
    won = (taken / support[:, None]).sum(axis=0)  # the proportions of both classes
    objective_values[places] = _zoomed(won[places], trials.budget - spare, objective_value_at)
    values = bring(objective_values[None, :], to=margins.values)
    cuts = best_cuts(margins, values, start=np.zeros(1), above=-np.inf, bounds=bounds)
    for offset, objective_value in zip(cuts.offsets, cuts.objective_values, strict=True):
        trials.keep(bring_like(np.where(np.arange(2) == k, offset, 0.0), problem.scores), float(objective_value))


def _ascent(trials: _Trials, *, seed: int) -> None:
    """Try thresholds of one class after the other, from the best offsets so far, then from random points near them."""
    problem = trials.problem
    host = to_numpy(problem.scores)
    rarest_first = problem.class_order
    mass, rng = _balanced(problem), np.random.default_rng(seed)
    margin = mean_margin(problem, problem.scores + trials.best)
    offsets, length = to_numpy(trials.best), 1.0
    while True:
        objective_value, last = trials.objective_value(bring(offsets, to=problem.scores)), -np.inf
        while objective_value > last:
            last = objective_value
            for k in rarest_first:
                offsets, objective_value = _moved(trials, host, mass, offsets, objective_value, int(k))
        restart = rng.normal(scale=length * margin, size=len(offsets))[np.argsort(rarest_first)]
        offsets, length = to_numpy(trials.best) + restart.astype(host.dtype), 1.0 if length > 2 else 2 * length


def _moved(
    trials: _Trials, host: _Vector, mass: _Vector, offsets: _Vector, objective_value: float, k: int
) -> tuple[_Vector, float]:
    """Return the offsets with that of class `k` at the best threshold tried, and their objective value."""
    runner_ups = np.max(np.delete(host + offsets, k, axis=1), axis=1)
    order = np.argsort(runner_ups - host[:, k])
    margins = (runner_ups - host[:, k])[order]
    rounding = 8 * np.finfo(host.dtype).eps * (np.abs(runner_ups) + np.abs(host[:, k]))[order]
    places = np.flatnonzero(np.diff(margins, prepend=-np.inf, append=np.inf) > np.append(rounding, 0.0))
    lows, highs = np.append(-np.inf, margins)[places], np.append(margins, np.inf)[places]
    half = np.minimum((highs - lows) / 2, _ROOM)
    cuts = np.clip(offsets[k], lows + half, highs - half)

    def at(place: int) -> _Vector:
        return np.where(np.arange(len(offsets)) == k, cuts[place], offsets).astype(host.dtype)

    def objective_value_at(place: int) -> float:
        return trials.objective_value(bring(at(place), to=trials.problem.scores))

    won = np.append(0.0, np.cumsum(mass[order]))[places]
    objective_values = _zoomed(won, len(places) if len(places) <= _ALL_CUTS else _CUTS, objective_value_at)
    best = int(np.argmax(objective_values))
    if objective_values[best] > objective_value:
        return at(best), float(objective_values[best])
    return offsets, objective_value


def _zoomed(won: _Vector, budget: int, objective_value_at: Callable[[int], float]) -> _Vector:
    """Evaluate all places if the budget permits, else some evenly spread and more near the best; others are -inf.

    If the search ends early, the values so far are returned.
    """
    objective_values = np.full(len(won), -np.inf)
    low, high, left = 0, len(won) - 1, budget
    while left > 0:
        share = left if high - low < left else max(1, left // 2)
        places = _spread(won[low : high + 1], share) + low
        fresh = places[np.isneginf(objective_values[places])]
        if not fresh.size:
            break
        try:
            for place in fresh:
                objective_values[place] = objective_value_at(int(place))
        except _SpentError:
            break
        left -= len(fresh)
        tried = np.flatnonzero(np.isfinite(objective_values))
        best = int(np.argmax(objective_values[tried]))
        low, high = tried[max(best - 1, 0)], tried[min(best + 1, len(tried) - 1)]
    return objective_values


def _spread(won: _Vector, count: int) -> npt.NDArray[np.int64]:
    """Return about `count` places, evenly spread in `won`, the cumulative weight; all if there are no more."""
    if len(won) <= count:
        return np.arange(len(won))
    middle = np.linspace(won[0], won[-1], count + 2)[1:-1] if count > 1 else [np.median(won)]
    return np.unique(np.searchsorted(won, middle).clip(0, len(won) - 1))


class _Quantiles:
    """Offsets as quantiles, in [0, 1], of the margins to the class `fixed`; `knots` (K - 1, q) are the margins.

    The margins are those of all samples, with equal total weight for each class.
    """

    def __init__(self, problem: Problem) -> None:
        scores, mass = to_numpy(problem.scores).astype(np.float64), _balanced(problem)
        self.like = problem.scores
        self.fixed = int(np.argmax(to_numpy(problem.truth.support)))
        self.levels = np.linspace(0, 1, _KNOTS)
        self.knots = np.empty((problem.n_classes - 1, _KNOTS))
        for knots, column in zip(self.knots, np.delete(scores, self.fixed, axis=1).T, strict=True):
            margins = scores[:, self.fixed] - column
            order = np.argsort(margins)
            running = np.cumsum(mass[order])
            places = np.searchsorted(running / running[-1], self.levels[1:-1]).clip(0, len(margins) - 1)
            knots[0], knots[1:-1], knots[-1] = (
                margins[order[0]] - _ROOM,
                margins[order][places],
                margins[order[-1]] + _ROOM,
            )

    def offsets(self, point: _Vector) -> Array:
        """Return the offsets (K,) at a point (K - 1,)."""
        free = [float(np.interp(u, self.levels, margins)) for u, margins in zip(point, self.knots, strict=True)]
        return centred(bring_like(np.insert(free, self.fixed, 0.0), self.like))

    def point(self, offsets: Array) -> _Vector:
        """Return the point (K - 1,) of offsets (K,), or the nearest one."""
        host = to_numpy(offsets).astype(np.float64)
        free = np.delete(host - host[self.fixed], self.fixed)
        pairs = zip(free, self.knots, strict=True)
        return np.asarray([float(np.interp(x, margins, self.levels)) for x, margins in pairs])


def _balanced(problem: Problem) -> _Vector:
    """Return sample weights (n,) with equal total for each class."""
    truth, n_samples = problem.truth, problem.scores.shape[0]
    every = namespace(problem.scores).arange(n_samples, device=device(problem.scores))
    mass = np.zeros(n_samples)
    for c in range(problem.n_classes):
        mass += to_numpy(truth.mass(c, every)) / float(truth.support[c])
    return mass


def _evolve(trials: _Trials, space: _Quantiles, starts: list[Array], seed: int) -> None:
    """Differential evolution (Storn and Price, 1997)."""
    rng = np.random.default_rng(seed)
    size = len(space.knots)
    count = max(2 * len(starts), min(_POPULATION * size, trials.budget // _GENERATIONS))
    at = np.stack([space.point(start) for start in starts])
    near = at[rng.integers(len(at), size=count // 2)] + rng.normal(scale=_NEAR, size=(count // 2, size))
    far = rng.random((count - len(at) - len(near), size))
    everyone = np.concatenate([at, near, far]).clip(0, 1)
    bounds = [(0.0, 1.0)] * size
    _minimised(trials, space, differential_evolution, bounds=bounds, init=everyone, polish=False, tol=_LEVEL, seed=rng)


def _divide(trials: _Trials, space: _Quantiles, _starts: list[Array], _seed: int) -> None:
    """DIRECT (Jones, Perttunen and Stuckman, 1993), which takes no starts."""
    errors: list[ValueError] = []

    def loss(point: _Vector) -> float:
        try:  # exceptions cannot pass the routine of older SciPy
            return _WORST if errors else -trials.objective_value(space.offsets(point))
        except _SpentError:
            return _WORST
        except ValueError as error:
            errors.append(error)
            return _WORST

    size, left = len(space.knots), max(1, trials.limit - trials.spent)
    direct(loss, Bounds(np.zeros(size), np.ones(size)), maxfun=left, maxiter=trials.budget, vol_tol=0.0)
    if errors:
        raise errors[0]


def _powell(trials: _Trials, space: _Quantiles, starts: list[Array], seed: int) -> None:
    """Powell (1964), from the best start, then from the others, then from random points."""
    points = [space.point(start) for start in [trials.best, *starts]]
    rng = np.random.default_rng(seed)
    bounds = [(0.0, 1.0)] * len(space.knots)
    while True:
        point = points.pop(0) if points else rng.random(len(space.knots))
        _minimised(trials, space, minimize, point, method="Powell", bounds=bounds)


def _minimised(
    trials: _Trials, space: _Quantiles, optimiser: Callable[..., Any], *arguments: Any, **options: Any
) -> None:
    try:
        optimiser(lambda point: -trials.objective_value(space.offsets(point)), *arguments, **options)
    except RuntimeError as error:  # differential evolution hides what the objective raised
        if isinstance(error.__cause__, TypeError | ValueError):
            raise error.__cause__ from None
        raise


_METHODS: dict[str, Callable[[_Trials, _Quantiles, list[Array], int], None]] = {
    "differential_evolution": _evolve,
    "direct": _divide,
    "powell": _powell,
}
