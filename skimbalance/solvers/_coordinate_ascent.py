"""Coordinate ascent: the line search for one class after the other, until no class improves the objective.

A move is kept only if its decisions are better, so the ascent is monotone and ends. With many classes, batches of them
are searched at once and moved together if that is better. With many scores, the ascent stops at a small gain.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision import centred
from skimbalance._core.typing import Array
from skimbalance.metrics.counts import Counts
from skimbalance.solvers._base import Problem, Solution, improves
from skimbalance.solvers._line_search import sweep_objective
from skimbalance.solvers._neighbourhood import Change, around
from skimbalance.solvers.binary import solve_binary
from skimbalance.solvers.cuts import Bounds, best_cuts

__all__ = ["ascend"]

_Classes = npt.NDArray[np.int64]

_MAX_SWEEPS = 1000
"""A limit that only rounding errors could reach."""

_PARTS = 16
"""Many classes are searched in about so many batches: the classes of a batch rarely compete for a sample."""

_CELLS_AT_ONCE = 1 << 17
"""The sweeps of a batch have at most so many steps in total."""

_CELLS_TO_THE_END = 1 << 19
_LEAST_GAIN_OF_CLASS = 2e-5
_LEAST_GAIN = 2e-2
_OF_FEW = 0.15
"""With more scores the ascent stops when a sweep over all K classes improves the objective by less than min(K * 2e-5,
2%), and when a sweep over the classes that moved last gains less than 15% of that."""

_FEW = 0.25
"""If at most this proportion of the classes moved in a sweep, all classes are tried again."""


def ascend(problem: Problem, start: Array, *, least_gain: float = 0.0, within: Bounds | None = None) -> Solution:
    """Ascend from `start`, with offsets `within` bounds, until no offset alone improves the objective by enough.

    `least_gain` is a proportion of the objective value. A class that gains less than its part of it stays, and the
    ascent ends after a sweep over all classes that gains less in total. With many scores the proportion is larger.
    """
    if problem.n_classes == 2:
        return solve_binary(problem, start)
    ascent, of_few = _Ascent(problem, start, within), 0.0
    if problem.scores.shape[0] * problem.n_classes > _CELLS_TO_THE_END:
        least_gain = max(least_gain, min(_LEAST_GAIN, _LEAST_GAIN_OF_CLASS * problem.n_classes))
        of_few = _OF_FEW * least_gain
    sweeps = ascent.run(least_gain=least_gain, of_few=of_few)
    return problem.solved(centred(ascent.place.offsets), n_iter=sweeps)


class _Ascent:
    """The state of an ascent: its neighbourhood, and the counts of the decisions."""

    def __init__(self, problem: Problem, start: Array, within: Bounds | None) -> None:
        self.problem = problem
        self.within = within
        self.place = around(problem, start)
        self.recount()

    def recount(self) -> None:
        """Count again, without the rounding errors of the updates."""
        self.counts = self.problem.count(self.place.first)
        self.objective_value = self.problem.objective_value_of(self.counts)

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
            moved = [self.step(classes, least=least * self.scale) for classes in self._batches(active)]
            active = np.concatenate([active[:0], *moved])
            self.recount()
            if self.objective_value < before + of_few * self.scale:
                break
            if active.size > _FEW * everyone.size:
                continue
            # Classes that did not move wait until the others are at their best offsets; then all are tried again.
            if self.objective_value <= last + least_gain * self.scale:
                break
            if self.place.is_strained:
                offsets = self.place.offsets
                del self.place  # keeps one in memory, not two
                self.place = around(self.problem, offsets)
            active, last = everyone, self.objective_value
        return sweeps

    def _batches(self, classes: _Classes) -> Iterator[_Classes]:
        """Divide `classes` into batches whose sweeps have similar lengths."""
        most, begin = max(1, self.problem.n_classes // _PARTS), 0
        classes = classes[self.place.lengths[classes] > 0]
        classes = classes[np.argsort(self.place.lengths[classes], kind="stable")]
        lengths = self.place.lengths[classes]
        while begin < classes.size:
            end = min(begin + most, classes.size)
            while end > begin + 1 and (
                lengths[end - 1] > 1.5 * lengths[begin] or (end - begin) * lengths[end - 1] > _CELLS_AT_ONCE
            ):
                end -= 1
            yield classes[begin:end]
            begin = end

    def bounds(self, classes: _Classes) -> Bounds | None:
        """Return the bounds of the offsets of `classes`, None if there are none."""
        near = self.place.bounds(classes)
        if self.within is None:
            return near
        low, high = self.within.low[classes], self.within.high[classes]
        return Bounds(low, high) if near is None else Bounds(np.maximum(low, near.low), np.minimum(high, near.high))

    def step(self, classes: _Classes, *, least: float) -> _Classes:
        """Move `classes` to their best offsets; return those that moved for an expected gain above `least`."""
        sorted_sweeps = self.place.sorted_sweeps(classes)
        objective_values = sweep_objective(sorted_sweeps, self.problem, self.counts)
        start = to_numpy(self.place.offsets)[classes].astype(np.float64)
        cuts = best_cuts(
            sorted_sweeps.margins,
            objective_values,
            start=start,
            above=self.objective_value,
            bounds=self.bounds(classes),
        )
        gains = cuts.objective_values - self.objective_value
        order = np.argsort(-gains, kind="stable")
        order = order[gains[order] > least]
        while order.size and not self._moved(classes[cuts.sorted_sweeps[order]], cuts.offsets[order]):
            order = order[: order.size // 2]  # a gain lost to rounding or to another class
        return classes[cuts.sorted_sweeps[order]]

    def _moved(self, classes: _Classes, offsets: npt.NDArray[np.float64]) -> bool:
        """Move `classes` if that is better."""
        move = self.place.move(classes, offsets)
        counts = self._recounted(move.change)
        objective_value = self.problem.objective_value_of(counts)
        if not improves(objective_value, self.objective_value):
            self.place.undo(move)
            return False
        self.counts, self.objective_value = counts, objective_value
        return True

    def _recounted(self, change: Change) -> Counts:
        """Return the counts after `change`."""
        truth, confusion = self.problem.truth, self.problem.needs_confusion
        return truth.recount(
            self.counts,
            out=truth.count(change.before, samples=change.samples, confusion=confusion),
            into=truth.count(change.after, samples=change.samples, confusion=confusion),
        )
