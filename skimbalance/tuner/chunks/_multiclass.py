"""Multiclass coordinate ascent over samples in chunks.

As long as no offset changes by more than r, a sample whose best two classes lie more than 2r apart keeps its decision.
Such samples are summed in a table of counts; the others are gathered. The ascent over both is one over all samples,
and where it ends at the bounds another begins there. Then one pass counts what each class alone gains at candidate
offsets far away. The ascent restarts from the best of them, until there is no gain.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from skimbalance._core.decision import decide
from skimbalance._core.typing import Progress
from skimbalance.metrics.counts import Counts, HardTruth, Truth
from skimbalance.solvers import (
    Bounds,
    Margins,
    Problem,
    SortedSweeps,
    ascend,
    improves,
    sweep_objective,
)
from skimbalance.tuner.chunks._samples import Block, Chunks, Floats, confusion_matrix, counts_of

__all__ = [
    "Limits",
    "NearSamples",
    "Restart",
    "best_restart",
    "candidates_per_class",
    "coordinate_ascent",
    "near_samples",
    "restart_candidates",
]

_Codes = npt.NDArray[np.int64]

_LEAST_GAIN = 1e-9
"""A restart that gains less is rounding."""

_FEWEST_CANDIDATES = 16
"""With so many classes that there would be fewer candidates of each, there are no restarts."""

_OWN, _RUNNER_UP, _OTHER = range(3)
"""The class of a sample, seen from one class: this one, the runner-up class, or another."""


class Limits(NamedTuple):
    """The most scores that are gathered, sums that are counted, candidates of each class, and rounds."""

    cells: int = 1 << 22
    sums: int = 1 << 21
    candidates: int = 1024
    rounds: int = 20


_LIMITS = Limits()


def coordinate_ascent(
    chunks: Chunks[Block],
    problem: Problem,
    start: Floats,
    *,
    sample: Block,
    sizes: Floats,
    progress: Progress,
    limits: Limits = _LIMITS,
) -> Floats:
    """Return offsets (K,) from which no class gains on all samples, by a small change or at one of some candidates.

    The `problem` has positive class weights but no samples, and `sizes` (K,) are the numbers of samples. A `sample`
    defines the candidates, and how small a change is.
    """
    margin = _margin_limit(sample, start, sizes=sizes, n_samples=limits.cells // len(start))
    ascent = partial(_ascent_nearby, chunks, problem, margin=margin, progress=progress, limits=limits)
    best, value = ascent(start)
    n_candidates = candidates_per_class(problem, limits)
    if np.isinf(margin) or n_candidates < _FEWEST_CANDIDATES:
        return best
    for number in range(1, limits.rounds + 1):
        restart = best_restart(chunks, problem, best, restart_candidates(sample, best, at_most=n_candidates))
        if restart is None or restart.gain < _LEAST_GAIN:
            break
        progress(f"{problem.metric.name}, restart {number} from a better offset of one class")
        offsets = best.copy()
        offsets[restart.label] = restart.offset
        offsets, reached = ascent(offsets)
        if not improves(reached, value):
            break
        best, value = offsets, reached
    return best


def _margin_limit(sample: Block, offsets: Floats, *, sizes: Floats, n_samples: int) -> float:
    """Return the margin between the best two classes below which there are about `n_samples` of all samples."""
    if sizes.sum() <= n_samples:
        return np.inf
    _, best, _, next_best = _best_two(sample.scores + offsets)
    margins = best - next_best
    represented = (sizes / np.maximum(np.bincount(sample.codes, minlength=len(sizes)), 1))[sample.codes]
    order = np.argsort(margins)
    place = np.searchsorted(np.cumsum(represented[order]), n_samples)
    return float(margins[order[min(int(place), len(order) - 1)]])


def candidates_per_class(problem: Problem, limits: Limits) -> int:
    """Return how many candidates each class may have, given that sums are counted per candidate and runner-up."""
    size = problem.n_classes
    kinds = size if problem.needs_confusion else 3
    return min(limits.candidates, limits.sums // (kinds * size * size))


def _ascent_nearby(
    chunks: Chunks[Block], problem: Problem, offsets: Floats, *, margin: float, progress: Progress, limits: Limits
) -> tuple[Floats, float]:
    """Return offsets and objective value of an ascent that moves its neighbourhood until it ends well within it."""
    value = -np.inf
    for number in range(1, limits.rounds + 1):
        near = chunks.map_reduce(partial(near_samples, offsets=offsets, margin=margin), NearSamples.concat)
        nearby, radius = near.problem(problem, offsets, 0.0 if np.isinf(margin) else margin), near.radius(margin)
        if np.isinf(margin):
            solution = ascend(nearby, offsets)
        elif radius == 0:  # so many samples tie that none can be gathered
            solution = nearby.solved(offsets, n_iter=0)
        else:
            solution = ascend(nearby, offsets, within=Bounds(offsets - radius, offsets + radius))
        progress(
            f"{problem.metric.name}, ascent {number}: {len(near.block.codes):,} samples near a decision boundary, "
            f"{nearby.shown(solution.counts)}"
        )
        if not improves(solution.objective_value, value):
            break
        moved = np.asarray(solution.offsets, dtype=np.float64) - offsets
        offsets, value = offsets + moved, solution.objective_value
        if np.ptp(moved) < margin / 4:  # a shift of all offsets together changes no decision
            break
    return offsets, value


@dataclass(frozen=True, eq=False)
class NearSamples:
    """The samples near a decision boundary, and the weights (K, K) of all others by class and decision.

    `largest` is the largest absolute score of the best two classes.
    """

    block: Block
    settled: Floats
    largest: float

    def concat(self, other: "NearSamples") -> "NearSamples":
        """Return these samples, then the others."""
        largest = max(self.largest, other.largest)
        return NearSamples(self.block.concat(other.block), self.settled + other.settled, largest)

    def radius(self, margin: float) -> float:
        """Return how far each offset may move, if all samples with a smaller margin are near."""
        rounding = 64 * float(np.finfo(self.block.scores.dtype).eps) * self.largest
        return max(0.0, 0.499 * margin - rounding)

    def problem(self, about: Problem, offsets: Floats, margin: float) -> Problem:
        """Return the problem of all samples, which holds as long as no offset moves further than the radius."""
        truth, decided = np.nonzero(self.settled > 0)
        far = np.tile(-offsets, (len(truth), 1))
        far[np.arange(len(truth)), decided] += 2 * margin + 1
        scores = np.concatenate([self.block.scores, far.astype(self.block.scores.dtype)])
        codes = np.concatenate([self.block.codes, truth])
        weights = np.concatenate([self.block.weights_or_ones, self.settled[truth, decided]])
        return replace(about, scores=scores, truth=Truth.from_codes(codes, n_classes=len(offsets), weights=weights))


def near_samples(block: Block, *, offsets: Floats, margin: float) -> NearSamples:
    """Return the samples whose best two classes differ by less than `margin`, and the sums of the others."""
    columns, size = block.scores, len(offsets)
    decisions = np.asarray(decide(columns, offsets))
    shifted = columns + offsets.astype(columns.dtype)
    best_two = np.partition(shifted, size - 2, axis=1)[:, -2:]
    near = best_two[:, 1] - best_two[:, 0] < margin
    weights = None if block.weights is None else block.weights[~near]
    settled = confusion_matrix(block.codes[~near], decisions[~near], weights, n_classes=size)
    return NearSamples(block.take(near), settled, float(np.abs(best_two).max(initial=0.0)))


class Restart(NamedTuple):
    """A better offset of one class, and how much it improves the objective value."""

    label: int
    offset: float
    gain: float


def restart_candidates(sample: Block, offsets: Floats, *, at_most: int) -> Floats:
    """Return candidate offsets (K, m) of each class: quantiles of the margins of a sample, and the present offset.

    They lie slightly above the margins, so that rounding does not change on which side a sample with this margin is.
    """
    columns = sample.scores.astype(np.float64)
    first, best, _, second = _best_two(columns + offsets)
    levels = np.linspace(0, 1, at_most)[1:]
    above = 64 * float(np.finfo(sample.scores.dtype).eps)
    candidates = []
    for k, offset in enumerate(offsets):
        margins = np.where(first == k, second, best) - columns[:, k]
        quantiles = np.quantile(margins, levels, method="lower")
        quantiles = quantiles + above * np.maximum(np.abs(margins).max(), np.abs(columns).max())
        candidates.append(np.sort(np.append(quantiles, offset)))
    return np.stack(candidates)


def best_restart(chunks: Chunks[Block], problem: Problem, offsets: Floats, candidates: Floats) -> Restart | None:
    """Return the best change of one offset to one of its `candidates`, None if none is better than no change."""
    part = partial(_grouped_sums, offsets=offsets, candidates=candidates, confused=problem.needs_confusion)
    groups, confusion = chunks.map_reduce(part, lambda one, other: (one[0] + other[0], one[1] + other[1]))
    now = counts_of(confusion)
    here = problem.objective_value_of(now)
    best, found = here, None
    for k, table in enumerate(groups):
        held = int(np.searchsorted(candidates[k], offsets[k]))
        values = _objective_values(k, table, problem, now, held=held)
        place = int(np.argmax(values))
        if improves(values[place], best):
            best = float(values[place])
            found = Restart(k, float(candidates[k, place]), best - here)
    return found


def _best_two(shifted: Floats) -> tuple[_Codes, Floats, _Codes, Floats]:
    """Return the best class and its score, the second best class and its score, each (n,)."""
    every = np.arange(len(shifted))
    first = np.argmax(shifted, axis=1)
    best = shifted[every, first]
    rest = shifted.copy()
    rest[every, first] = -np.inf
    second = np.argmax(rest, axis=1)
    return first, best, second, rest[every, second]


def _grouped_sums(block: Block, *, offsets: Floats, candidates: Floats, confused: bool) -> tuple[Floats, Floats]:
    """Return the weights of samples between the candidates of each class, and the confusion matrix (K, K).

    The weights (K, m + 1, K, 3 or K) are by runner-up class, and by class of the sample.
    """
    columns, size = block.scores, len(offsets)
    first, best, second, next_best = _best_two(columns + offsets.astype(columns.dtype))
    first = np.asarray(decide(columns, offsets))
    kinds = size if confused else 3
    groups = np.empty((size, (candidates.shape[1] + 1) * size * kinds))
    for k in range(size):
        held = first == k
        runner_up = np.where(held, second, first)
        here = int(np.searchsorted(candidates[k], offsets[k]))
        group = np.searchsorted(candidates[k], np.where(held, next_best, best) - columns[:, k])
        group = np.where(held, np.minimum(group, here), np.maximum(group, here + 1))
        kind = np.where(block.codes == k, _OWN, np.where(block.codes == runner_up, _RUNNER_UP, _OTHER))
        cells = (group * size + runner_up) * kinds + (block.codes if confused else kind)
        groups[k] = np.bincount(cells, block.weights, minlength=groups.shape[1])
    return groups.reshape(size, -1, size, kinds), confusion_matrix(block.codes, first, block.weights, n_classes=size)


def _objective_values(k: int, table: Floats, problem: Problem, now: Counts, *, held: int) -> Floats:
    """Return the objective value (m,) at each candidate of class k, whose present offset is the one numbered `held`."""
    group, runner_up, kind = np.nonzero(table)
    codes = kind
    if not problem.needs_confusion:  # any third class represents those that are neither class k nor the runner-up
        every = range(problem.n_classes)
        third = np.asarray([next(c for c in every if c not in {k, j}) for j in every])
        codes = np.choose(kind, [np.full_like(runner_up, k), runner_up, third[runner_up]])
    truth = HardTruth(table[group, runner_up, kind], now.support, codes)
    margins = Margins(group[None, :].astype(np.float64), 0.0, np.zeros_like)
    samples = np.arange(len(codes))[None, :]
    sweeps = SortedSweeps(np.asarray([k]), margins, samples, runner_up[None, :], (group <= held)[None, :])
    values = np.asarray(sweep_objective(sweeps, replace(problem, truth=truth), now))[0]
    after: Floats = values[np.searchsorted(group, np.arange(table.shape[0] - 1), side="right")]
    return after
