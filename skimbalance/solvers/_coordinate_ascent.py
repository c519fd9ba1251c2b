"""Coordinate ascent: the line search for one class after the other, until no class improves the objective.

A move is kept only if its decisions are better, so the ascent is monotone and ends. With many classes, batches of them
are searched at once and moved together if that is better. With many scores, the ascent stops at a small gain.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring_like, namespace, smallest_normal, to_numpy
from skimbalance._core.decision import centred
from skimbalance._core.typing import Array, Progress
from skimbalance.metrics.base import Metric
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import Counts
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers._base import Problem, Solution, fit_present_classes, improves
from skimbalance.solvers._compiled import (
    compiled,
    compiled_near,
    is_compilable,
    is_dense,
    objective_value,
    wide_columns,
)
from skimbalance.solvers._line_search import Bounds, best_cuts, sweep_objective
from skimbalance.solvers._near import PairsOnHost, is_searched_near, pairs_on_host
from skimbalance.solvers._neighbourhood import around, mean_margin
from skimbalance.solvers.binary import solve_binary

__all__ = [
    "ascend",
    "demanding",
    "fewer",
    "is_searched_nearby",
    "local_optimum",
    "optimum_of_fewer",
    "prior_offsets",
    "reachable",
    "solve",
]

_Classes = npt.NDArray[np.int64]

_MAX_SWEEPS = 1000
"""A limit that only rounding errors could reach."""

_PARTS = 16
"""Many classes are searched in about so many batches: the classes of a batch rarely compete for a sample."""

_CELLS_AT_ONCE = 1 << 17
_PADDED = 1.5
"""The sweeps of a batch have at most so many steps in total, the longest at most 1.5 times those of the shortest."""

_PARTS_ON_DEVICE, _CELLS_ON_DEVICE = 4, 1 << 21
"""On a device, where a batch takes as long as its operations take to start, batches are larger. Fewer than four would
gain less in each sweep: classes compete for samples."""

_CELLS_TO_THE_END = 1 << 19
_LEAST_GAIN_OF_CLASS = 2e-5
_LEAST_GAIN = 2e-2
_OF_FEW = 0.15
"""With more scores the ascent stops when a sweep over all K classes improves the objective by less than min(K * 2e-5,
2%). It also stops when a sweep over the classes that moved last gains less than 15% of that."""

_OF_NEAR = 0.05
"""Over near pairs, where sweeps are quick, an exact search stops at this proportion of these gains."""

_CELLS_OF_DENSE, _PER_CLASS_NEARBY = 1_000_000, 300
"""With more scores, and more samples of the mean class, an ascent from a point near the optimum is over near pairs."""

_CELLS_NEARBY = 50_000
_REACH = 0.5
"""With more scores, an ascent from a point near the optimum moves each offset by at most a half in a line search."""

_HELD_BACK = 0.05
"""An ascent over near pairs continues if a greater proportion of the offsets is at bounds, whatever it gains."""

_FEW = 0.25
"""If at most this proportion of the classes moved in a sweep, all classes are tried again."""

_TAUS = (0.25, 0.5, 0.75, 1.25, 1.5)
"""Multiples of `-log prior`. The best of them is a start, in addition to zero and one."""

_WIDE_TAUS = (-1.0, -0.5, 2.0, 3.0)
"""Further multiples to start from where there are constraints: these may need more extreme offsets than a metric."""

_CELLS_FOR_ALL_STARTS = 1_000_000
"""With up to so many scores there is an ascent from every start, with more from the best start only."""

_CELLS_FOR_CHOICE = 1_000_000
"""The best start is chosen on a subsample of about so many scores. One of no more is on the host, where few scores are
searched fastest."""

_CELLS_OF_SUBSAMPLES = (200_000, 1_000_000, 10_000_000, 100_000_000)
_PER_CLASS_OF_SUBSAMPLE = 10
"""An ascent over many scores starts at the optimum of a subsample of about so many. The ascent for that starts at the
optimum of a smaller one. A subsample has at least ten samples of the mean class."""

_CELLS_PER_RESTART = 20_000
_MAX_RESTARTS = 48
_LENGTHS = (1.0, 2.0, 4.0)
"""Small problems get at most so many random restarts, at these distances in turn."""

_BEYOND = 1e3
"""A bound that no metric satisfies. Violating it by the least is to go as far as possible."""


def ascend(
    problem: Problem, start: Array, *, least_gain: float = 0.0, within: Bounds | None = None, nearby: bool = False
) -> Solution:
    """Return the solution that an ascent from `start` reaches; see `local_optimum`."""
    if problem.n_classes == 2:
        return solve_binary(problem, start)
    offsets, n_iter = local_optimum(problem, start, least_gain=least_gain, within=within, nearby=nearby)
    return problem.solved(centred(offsets), n_iter=n_iter)


def local_optimum(
    problem: Problem, start: Array, *, least_gain: float = 0.0, within: Bounds | None = None, nearby: bool = False
) -> tuple[Array, int]:
    """Return the offsets of an ascent from `start`, with offsets `within` bounds, and the number of sweeps.

    It ends where no offset alone improves the objective by enough. `least_gain` is a proportion of the objective value.
    A class that gains less than its part of it stays. The ascent ends after a sweep over all classes that gains less in
    total. With many scores the proportion is larger. `nearby` permits to search only the neighbourhood of each offset.
    The offsets do not sum to zero. An ascent with the same scores that starts there takes over the decisions.
    """
    if problem.n_classes == 2:
        return solve_binary(problem, start).offsets, 1
    ascent, of_few = _ascent_of(problem, start, within, nearby=nearby), 0.0
    if problem.n_scores > _CELLS_TO_THE_END:
        share = _OF_NEAR if least_gain == 0 and isinstance(ascent, _NearAscent) else 1.0
        least_gain = max(least_gain, share * min(_LEAST_GAIN, _LEAST_GAIN_OF_CLASS * problem.n_classes))
        of_few = _OF_FEW * least_gain
    n_iter = ascent.run(least_gain=least_gain, of_few=of_few)
    return ascent.offsets, n_iter


def _ascent_of(problem: Problem, start: Array, within: Bounds | None, *, nearby: bool) -> "_Sweeps":
    """Return the ascent over near pairs or over all, whichever is faster, by compiled code if possible."""
    nearby = nearby and is_searched_nearby(problem) and not problem.requirements
    if _is_sparse(problem, nearby=nearby) and is_compilable(problem):
        ascent = _NearAscent(problem, start, within, nearby=nearby)
        if ascent.pairs is not None:
            return ascent
    if (kernel := compiled(problem)) is None:
        return _Ascent(problem, start, within)
    return _DenseAscent(kernel, problem, start, within, reach=_REACH if nearby else math.inf)


def _is_sparse(problem: Problem, *, nearby: bool) -> bool:
    """Return whether an ascent over near pairs is faster, if they are few."""
    if not is_dense(problem):
        return is_searched_near(problem)
    n_samples = problem.scores.shape[0]
    return nearby and problem.n_scores > _CELLS_OF_DENSE and n_samples > _PER_CLASS_NEARBY * problem.n_classes


def optimum_of_fewer(problem: Problem, start: Array, *, least_gain: float = 0.0) -> tuple[Array, bool]:
    """Return the optimum of the largest of several subsamples, and whether there is any; it is `start` otherwise."""
    few, is_found = problem, False
    for n_scores in _CELLS_OF_SUBSAMPLES:
        if n_scores < _PER_CLASS_OF_SUBSAMPLE * problem.n_classes**2:
            continue
        few = fewer(problem, n_scores=n_scores)
        if few is problem:
            break
        start, _ = local_optimum(few, start, least_gain=least_gain, nearby=is_found)
        is_found = True
    return start, is_found


def is_searched_nearby(problem: Problem) -> bool:
    """Return whether a problem has so many scores that an ascent from a point near the optimum searches there only."""
    return problem.n_scores > _CELLS_NEARBY


class _Sweeps(ABC):
    """An ascent, whatever computes a sweep over classes."""

    problem: Problem
    objective_value: float

    @property
    @abstractmethod
    def offsets(self) -> Array:
        """The offsets (K,)."""

    @abstractmethod
    def recount(self) -> None:
        """Count again, without the rounding errors of the updates."""

    @abstractmethod
    def sweep(self, classes: _Classes, *, least: float) -> _Classes:
        """Move `classes` to their best offsets; return those that moved for an expected gain above `least`."""

    def renew(self) -> None:
        """Prepare for another sweep over all classes."""

    @property
    def is_held_back(self) -> bool:
        """Whether many offsets are at bounds, which `renew` moves."""
        return False

    @property
    def scale(self) -> float:
        """The reference of relative gains: the objective value, but zero while a constraint is violated."""
        missed = self.objective_value < self.problem.metric.worst_objective_value(self.problem.n_classes)
        return 0.0 if missed else abs(self.objective_value)

    def run(self, *, least_gain: float, of_few: float) -> int:
        """Sweep over the classes until none gains enough; return the number of sweeps."""
        least = least_gain / self.problem.n_classes
        everyone = self.problem.class_order
        active, sweeps, last = everyone, 0, -float("inf")
        while sweeps < _MAX_SWEEPS:
            sweeps, before = sweeps + 1, self.objective_value
            active = self.sweep(active, least=least)
            if active.size:
                self.recount()
            # By more than the rounding of sums:
            gains = not improves(before + of_few * self.scale, self.objective_value)
            if gains and active.size > _FEW * everyone.size:
                continue
            # Classes that did not move wait until the others are at their best offsets; then all are tried again.
            gains = gains and improves(self.objective_value, last + least_gain * self.scale)
            if not gains and not self.is_held_back:
                break
            self.renew()
            active, last = everyone, self.objective_value
        return sweeps


class _CompiledAscent(_Sweeps):
    """An ascent in compiled code."""

    kernel: Any

    @property
    def objective_value(self) -> float:  # type: ignore[override]
        """The objective value of the decisions."""
        return float(self.kernel.objective_value)

    @property
    def offsets(self) -> Array:
        """The offsets (K,)."""
        return bring_like(self.kernel.offsets, self.problem.scores)

    def recount(self) -> None:
        """Count again, without the rounding errors of the updates."""
        self.kernel.recount()

    def sweep(self, classes: _Classes, *, least: float) -> _Classes:
        """Move `classes` to their best offsets; return those that moved for an expected gain above `least`."""
        moved: _Classes = self.kernel.sweep(classes, least * self.scale)
        return moved


class _DenseAscent(_CompiledAscent):
    """An ascent in compiled code over all pairs of a class and a sample."""

    def __init__(self, kernel: Any, problem: Problem, start: Array, within: Bounds | None, *, reach: float) -> None:
        self.problem, self.kernel = problem, kernel
        low, high = (-np.inf, np.inf) if within is None else (within.low, within.high)
        offsets = np.asarray(start, dtype=np.float64)
        best = next((best for at, best in problem.known.get("best", ()) if np.array_equal(at, offsets)), None)
        kernel.start(wide_columns(problem), offsets, low, high, reach, best)
        self._start = offsets, kernel.best if best is None else best

    def run(self, *, least_gain: float, of_few: float) -> int:
        """Sweep over the classes until none gains enough; return the number of sweeps.

        The best classes of each sample at the start and at the end are kept, for ascents that start there.
        """
        n_iter = super().run(least_gain=least_gain, of_few=of_few)
        self.problem.known["best"] = self._start, (self.kernel.offsets, self.kernel.best)
        return n_iter


class _NearAscent(_CompiledAscent):
    """An ascent in compiled code over near pairs; `pairs` are None if there are too many for that.

    Ascents of the same scores near the optimum share pairs, if these are around their starts.
    """

    def __init__(self, problem: Problem, start: Array, within: Bounds | None, *, nearby: bool) -> None:
        self.problem, self.within, self.nearby = problem, within, nearby
        self.has_other_pairs = True
        start = bring_like(start, problem.scores)
        offsets = to_numpy(start).astype(np.float64)
        self.pairs: PairsOnHost | None = problem.known.get("pairs") if nearby else None
        if self.pairs is None or self.pairs.strained_by(offsets).any():
            problem.known.pop("pairs", None)  # keeps one in memory, not two
            self.pairs = None
            self.pairs = pairs_on_host(problem, start, nearby=nearby)
            if nearby:
                problem.known["pairs"] = self.pairs
        if self.pairs is not None:
            self._begin(self.pairs, offsets)

    def _begin(self, pairs: PairsOnHost, offsets: npt.NDArray[np.float64]) -> None:
        """Set the pairs, the offsets and the decisions."""
        self.pairs = pairs
        low, high = pairs.bounds.low, pairs.bounds.high
        if self.within is not None:
            low, high = np.maximum(low, self.within.low), np.minimum(high, self.within.high)
        self.kernel = compiled_near(self.problem, pairs)
        self.kernel.start(pairs.scores, offsets, low, high)

    @property
    def is_held_back(self) -> bool:
        """Whether many offsets are at bounds, which `renew` moves."""
        assert self.pairs is not None
        return self.has_other_pairs and bool(np.mean(self.pairs.strained_by(self.kernel.offsets)) > _HELD_BACK)

    def renew(self) -> None:
        """Find the near pairs again where an offset is at its bound, or nearly so."""
        assert self.pairs is not None
        offsets = self.kernel.offsets
        if self.has_other_pairs and self.pairs.strained_by(offsets).any():
            found = pairs_on_host(self.problem, self.offsets, nearby=self.nearby)
            self.has_other_pairs = found is not None
            if found is not None:
                self._begin(found, offsets)


class _Ascent(_Sweeps):
    """An ascent by array operations: its neighbourhood, and the counts of the decisions."""

    def __init__(self, problem: Problem, start: Array, within: Bounds | None) -> None:
        self.problem = problem
        self.within = within
        self.place = around(problem, start)
        self._set(self._counted())

    @property
    def offsets(self) -> Array:
        """The offsets (K,)."""
        return self.place.offsets

    def recount(self) -> None:
        """Count again, without the rounding errors of the updates."""
        if not self.problem.is_on_device:  # there each move counts all decisions
            self._set(self._counted())

    def _set(self, counts: Counts) -> None:
        self.counts, self.objective_value = counts, self.problem.objective_value_of(counts)

    def _counted(self) -> Counts:
        """Return the counts of the decisions, on the host unless they are many."""
        counts = self.problem.count(self.place.first)
        return counts if self.problem.needs_confusion else counts.on_host()

    def renew(self) -> None:
        """Find the neighbourhood again where an offset is near its bound."""
        if self.place.is_strained:
            offsets = self.place.offsets
            del self.place  # keeps one in memory, not two
            self.place = around(self.problem, offsets)

    def sweep(self, classes: _Classes, *, least: float) -> _Classes:
        """Move `classes` to their best offsets, in batches."""
        moved = [self.step(batch, least=least * self.scale) for batch in self._batches(classes)]
        return np.concatenate([classes[:0], *moved])

    def _batches(self, classes: _Classes) -> Iterator[_Classes]:
        """Divide `classes` into batches whose sweeps have similar lengths."""
        parts, padded, cells = _PARTS, _PADDED, _CELLS_AT_ONCE
        if self.problem.is_on_device:
            parts, padded, cells = _PARTS_ON_DEVICE, math.inf, _CELLS_ON_DEVICE
        most, begin = max(1, self.problem.n_classes // parts), 0
        classes = classes[self.place.lengths[classes] > 0]
        classes = classes[np.argsort(self.place.lengths[classes], kind="stable")]
        lengths = self.place.lengths[classes]
        while begin < classes.size:
            end = min(begin + most, classes.size)
            while end > begin + 1 and (
                lengths[end - 1] > padded * lengths[begin] or (end - begin) * lengths[end - 1] > cells
            ):
                end -= 1
            yield classes[begin:end]
            begin = end

    def bounds(self, classes: _Classes) -> Bounds | None:
        """Return the bounds of the offsets of `classes`, None if there are none."""
        every = [bounds for bounds in (self.place.bounds, self.within) if bounds is not None]
        if not every:
            return None
        low = np.max([bounds.low[classes] for bounds in every], axis=0)
        return Bounds(low, np.min([bounds.high[classes] for bounds in every], axis=0))

    def step(self, classes: _Classes, *, least: float) -> _Classes:
        """Move `classes` to their best offsets; return those that moved for an expected gain above `least`."""
        sorted_sweeps = self.place.sorted_sweeps(classes)
        objective_values = sweep_objective(sorted_sweeps, self.problem, self.counts)
        start = self.place.offsets_on_host[classes].astype(np.float64)
        bounds = self.bounds(classes)
        cuts = best_cuts(
            sorted_sweeps.margins, objective_values, start=start, above=self.objective_value, bounds=bounds
        )
        gains = cuts.objective_values - self.objective_value
        order = np.argsort(-gains, kind="stable")
        order = order[gains[order] > least]
        while order.size and not self._moved(classes[cuts.sorted_sweeps[order]], cuts.offsets[order]):
            order = order[: order.size // 2]  # a gain lost to rounding or to another class
        return classes[cuts.sorted_sweeps[order]]

    def _moved(self, classes: _Classes, offsets: npt.NDArray[np.float64]) -> bool:
        """Move `classes` if that is better."""
        truth, confusion = self.problem.truth, self.problem.needs_confusion
        move = self.place.move(classes, offsets)
        if move.touched is None:
            counts = self._counted()
        else:
            samples, *decisions = move.changed()
            out, into = (truth.count(each, samples=samples, confusion=confusion) for each in decisions)
            counts = truth.recount(self.counts, out=out, into=into)
        objective_value = self.problem.objective_value_of(counts)
        if not improves(objective_value, self.objective_value):
            self.place.undo(move)
            return False
        self.counts, self.objective_value = counts, objective_value
        return True


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
            progress(f"{problem.metric.name} from {name}: {found.n_iter} sweeps, {problem.shown(found.counts)}")
        if best is None or improves(found.objective_value, best.objective_value):
            best = found
        if until_satisfied and problem.missed(best.counts) == 0:
            break
    assert best is not None
    return best


def _starts(problem: Problem) -> dict[str, Array]:
    """Return the points to start from, by name."""
    support = problem.truth.support
    none = bring_like(support * 0, problem.scores)
    if problem.n_classes == 2:  # one line search finds the optimum from anywhere
        return {"zero": none}

    def multiples(*taus: float) -> dict[str, Array]:
        return {f"-{tau:g} log prior": bring_like(prior_offsets(support, tau=tau), problem.scores) for tau in taus}

    n_cells, few = problem.n_scores, fewer(problem)
    at_prior = multiples(1.0)
    (prior,) = at_prior.values()
    starts = {"zero": none, **at_prior, **_best(few, multiples(*_TAUS))}
    if (tie_breaker := problem.metric.tie_breaker) is not None:
        starts[f"the best {tie_breaker.name}"] = ascend(replace(problem, metric=tie_breaker), prior).offsets
    for number, required in enumerate(problem.requirements, start=1):
        starts[f"constraint {number}"] = ascend(replace(problem, requirements=(required,)), prior).offsets
    if problem.requirements:
        starts |= multiples(*_WIDE_TAUS)
    return starts if n_cells <= _CELLS_FOR_ALL_STARTS else _best(few, starts)


def fewer(problem: Problem, *, n_scores: int = _CELLS_FOR_CHOICE) -> Problem:
    """Return the problem of a subsample of about `n_scores`, or the problem itself if it has not twice as many."""
    step = problem.n_scores // n_scores
    if step <= 1:
        return problem
    samples, truth = problem.truth.thinned(step)
    scores = namespace(samples).take(problem.scores, samples, axis=0)
    if problem.is_on_device and n_scores <= _CELLS_FOR_CHOICE:
        scores, truth = to_numpy(scores), truth.on_host()
    return replace(problem, scores=scores, truth=truth, groups=None)


def _best(problem: Problem, starts: dict[str, Array]) -> dict[str, Array]:
    """Return the start with the best objective value, the first of equals."""
    chosen, best = next(iter(starts)), -float("inf")
    for name, offsets in starts.items():
        value = objective_value(problem, offsets)
        if improves(value, best):
            chosen, best = name, value
    return {chosen: starts[chosen]}


def _restarts(problem: Problem, *, seed: int) -> Iterator[tuple[str, Array]]:
    """Yield random displacements by name, on the scale of the margins between the two best classes of a sample."""
    count = min(_MAX_RESTARTS, _CELLS_PER_RESTART // problem.n_scores)
    if count == 0 or problem.n_classes == 2:
        return
    lengths = mean_margin(problem, problem.scores) * np.resize(_LENGTHS, (count, 1))
    points = lengths * np.random.default_rng(seed).normal(size=(count, problem.n_classes))
    # A class has the same displacement wherever its column is.
    points = points[:, np.argsort(problem.class_order)]
    for number, point in enumerate(points, start=1):
        yield f"restart {number}", bring_like(point, problem.scores)
