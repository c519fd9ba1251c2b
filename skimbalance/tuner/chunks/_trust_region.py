"""Several classes: exact ascents among offsets near those at hand, over samples that are nowhere together.

As long as no offset moves by more than a radius, a sample whose best two classes lie more than twice that apart is
decided as it is. All such samples together are a table of counts; the others are few enough to be looked at one by one.
An ascent over both is one over all samples, and where it comes to the border another begins there.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skimbalance._core.decision import decide
from skimbalance._core.typing import Progress
from skimbalance.metrics.counts import Truth
from skimbalance.solvers import Bounds, Problem, Solution, ascend, improves
from skimbalance.tuner.chunks._chunks import Block, Chunks, Floats
from skimbalance.tuner.chunks._far import candidates_for, far_move

__all__ = ["Limits", "ascended"]

_Vector = npt.NDArray[Any]

_LEAST_GAIN = 1e-9
"""A leap that gains less is rounding."""

_FEWEST_MARKS = 16
"""Of so many classes that there were fewer, none are set: moves are small ones alone."""


class Limits(NamedTuple):
    """How many scores are looked at one by one, how many sums are told at how many marks of a class, and how often."""

    cells: int = 1 << 22
    sums: int = 1 << 21
    candidates: int = 1024
    rounds: int = 20


_LIMITS = Limits()


@dataclass(frozen=True, eq=False)
class _Rows:
    """The samples that are near to another class, and a table (K, K) of what all others weigh, by truth and decision.

    `largest` is the largest magnitude of a leader.
    """

    scores: _Vector
    codes: npt.NDArray[np.int64]
    mass: Floats
    settled: Floats
    largest: float

    def joined(self, other: "_Rows") -> "_Rows":
        """Return these samples, then the others."""
        return _Rows(
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.codes, other.codes]),
            np.concatenate([self.mass, other.mass]),
            self.settled + other.settled,
            max(self.largest, other.largest),
        )

    def border(self, margin: float) -> float:
        """Return how far each offset may move, where all samples that lead by less than `margin` are near."""
        rounding = 64 * float(np.finfo(self.scores.dtype).eps) * self.largest
        return max(0.0, 0.499 * margin - rounding)

    def problem(self, about: Problem, offsets: Floats, margin: float) -> Problem:
        """Return the problem of all samples, as long as no offset moves beyond the border."""
        truth, winner = np.nonzero(self.settled > 0)
        far = np.tile(-offsets, (len(truth), 1))
        far[np.arange(len(truth)), winner] += 2 * margin + 1
        codes = np.concatenate([self.codes, truth])
        mass = np.concatenate([self.mass, self.settled[truth, winner]])
        scores = np.concatenate([self.scores, far.astype(self.scores.dtype)])
        known = Truth.from_codes(codes, n_classes=len(offsets), weights=mass)
        return replace(about, scores=scores, truth=known)


def ascended(
    chunks: Chunks[Block],
    problem: Problem,
    start: Floats,
    *,
    sample: Block,
    sizes: Floats,
    progress: Progress,
    limits: Limits = _LIMITS,
) -> Floats:
    """Return offsets (K,) from which no class gains on all samples, by moving a little or to one of some marks.

    The `problem` has no samples, but what those of each class weigh, which is not zero; `sizes` (K,) is how many there
    are. A `sample` tells how far the neighbourhood may reach, and where marks are set.
    """
    margin = _reach(sample, start, sizes=sizes, samples=limits.cells // len(start))
    ascent = partial(_ascended_nearby, chunks, problem, margin=margin, progress=progress, limits=limits)
    best = ascent(start)
    n_candidates = _candidates_of_each(problem, limits)
    for number in range(1, limits.rounds + 1):
        if np.isinf(margin) or n_candidates < _FEWEST_MARKS:
            break
        restart = far_move(chunks, problem, best.offsets, candidates_for(sample, best.offsets, at_most=n_candidates))
        if restart is None or restart.gain < _LEAST_GAIN:
            break
        progress(f"{problem.metric.name}, leap {number}: {restart.gain:.2g} to be gained")
        offsets = best.offsets.copy()
        offsets[restart.label] = restart.offset
        reached = ascent(offsets)
        if not improves(reached.objective_value, best.objective_value):
            break
        best = reached
    return best.offsets


def _candidates_of_each(problem: Problem, limits: Limits) -> int:
    """Return how many marks there may be of each class: at each there are sums by runner-up class, and by whose samples
    they are.
    """
    size = problem.n_classes
    kinds = size if problem.needs_confusion else 3
    return min(limits.candidates, limits.sums // (kinds * size * size))


class _Reached(NamedTuple):
    """Offsets, and the rank of the decisions that they make of all samples."""

    offsets: Floats
    objective_value: float


def _ascended_nearby(
    chunks: Chunks[Block], problem: Problem, offsets: Floats, *, margin: float, progress: Progress, limits: Limits
) -> _Reached:
    """Ascend from one neighbourhood to the next, until the best offsets are well within."""
    best = _Reached(offsets, -np.inf)
    for number in range(1, limits.rounds + 1):
        near = chunks.total(partial(_near, offsets=best.offsets, margin=margin), _Rows.joined)
        solution = _ascended(near, problem, best.offsets, margin)
        progress(
            f"{problem.metric.name}, ascent {number}: {len(near.codes):,} rows looked at, rank "
            f"{solution.objective_value:.6g}"
        )
        if not improves(solution.objective_value, best.objective_value):
            break
        moved = np.asarray(solution.offsets, dtype=np.float64) - best.offsets
        best = _Reached(best.offsets + moved, solution.objective_value)
        if np.ptp(moved) < margin / 4:  # far from the border, wherever the centre has gone
            break
    return best


def _ascended(near: _Rows, problem: Problem, offsets: Floats, margin: float) -> Solution:
    if np.isinf(margin):
        return ascend(near.problem(problem, offsets, 0.0), offsets)
    border, nearby = near.border(margin), near.problem(problem, offsets, margin)
    if border == 0:  # so many samples tie that none of them can be looked at
        return nearby.solved(offsets, n_iter=0)
    return ascend(nearby, offsets, within=Bounds(offsets - border, offsets + border))


def _reach(sample: Block, offsets: Floats, *, sizes: Floats, samples: int) -> float:
    """Return by how much the best class leads in the samples that it leads by least, so many of all."""
    if sizes.sum() <= samples:
        return np.inf
    shifted = np.sort(sample.scores + offsets, axis=1)
    margins = shifted[:, -1] - shifted[:, -2]
    stands_for = (sizes / np.maximum(np.bincount(sample.codes, minlength=len(sizes)), 1))[sample.codes]
    order = np.argsort(margins)
    place = np.searchsorted(np.cumsum(stands_for[order]), samples)
    return float(margins[order[min(int(place), len(order) - 1)]])


def _near(block: Block, *, offsets: Floats, margin: float) -> _Rows:
    """Return the samples in which the best class leads by less than `margin`, and what the others add up to."""
    columns, size = block.scores, len(offsets)
    decisions = np.asarray(decide(columns, offsets))
    shifted = columns + offsets.astype(columns.dtype)
    best_two = np.partition(shifted, size - 2, axis=1)[:, -2:]
    near = best_two[:, 1] - best_two[:, 0] < margin
    cells = (block.codes * size + decisions)[~near]
    weights = None if block.weights is None else block.weights[~near]
    settled = np.bincount(cells, weights, minlength=size * size).reshape(size, size).astype(np.float64)
    largest = float(np.abs(best_two).max(initial=0.0))
    return _Rows(columns[near], block.codes[near], block.mass[near], settled, largest)
