"""Several classes: what a single offset gains by going far, over samples that are nowhere together.

For every class the samples lie in groups between marks, by margin. What a group holds of each runner-up class's samples
tells what the metric is with the offset at any mark: one pass over all samples for all classes.
"""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from skimbalance._core.decision import decide
from skimbalance.metrics.counts import Counts, HardTruth
from skimbalance.solvers import Margins, Problem, SortedSweeps, improves, sweep_objective
from skimbalance.tuner.chunks._chunks import Block, Chunks, Floats, as_counts

__all__ = ["Far", "candidates_for", "far_move"]

_Codes = npt.NDArray[np.int64]

_OWN, _RIVALS, _OTHERS = range(3)


class Far(NamedTuple):
    """An offset of one class that is better than the present one, and what it promises to gain."""

    label: int
    offset: float
    gain: float


def candidates_for(sample: Block, offsets: Floats, *, at_most: int) -> Floats:
    """Return for each class margins (K, m) that part the samples of a sample evenly, and the offset itself.

    They lie a little above these margins, so that it is plain on which side of them samples with the same margin are.
    """
    columns = sample.scores.astype(np.float64)
    first, best, _, second = _leaders(columns + offsets)
    shares = np.linspace(0, 1, at_most)[1:]
    above = 64 * float(np.finfo(sample.scores.dtype).eps)
    candidates = []
    for k, offset in enumerate(offsets):
        margins = np.where(first == k, second, best) - columns[:, k]
        between = np.quantile(margins, shares, method="lower")
        between = between + above * np.maximum(np.abs(margins).max(), np.abs(columns).max())
        candidates.append(np.sort(np.append(between, offset)))
    return np.stack(candidates)


def far_move(chunks: Chunks[Block], problem: Problem, offsets: Floats, candidates: Floats) -> Far | None:
    """Return the move of one class to one of its `candidates` that promises most, None where none is better than to
    stay.
    """
    confused = problem.needs_confusion
    part = partial(_groups, offsets=offsets, candidates=candidates, confused=confused)
    groups, confusion = chunks.total(part, _added)
    now = as_counts(confusion)
    here = problem.objective_value_of(now)
    best, found = here, None
    for k, table in enumerate(groups):
        held = int(np.searchsorted(candidates[k], offsets[k]))
        objective_values = _objective_values(k, table, problem, now, held=held, confused=confused)
        place = int(np.argmax(objective_values))
        if improves(objective_values[place], best):
            best = float(objective_values[place])
            found = Far(k, float(candidates[k, place]), best - here)
    return found


def _leaders(shifted: Floats) -> tuple[_Codes, Floats, _Codes, Floats]:
    every = np.arange(len(shifted))
    first = np.argmax(shifted, axis=1)
    best = shifted[every, first]
    rest = shifted.copy()
    rest[every, first] = -np.inf
    second = np.argmax(rest, axis=1)
    return first, best, second, rest[every, second]


def _groups(block: Block, *, offsets: Floats, candidates: Floats, confused: bool) -> tuple[Floats, Floats]:
    """Return what the samples of each class's groups weigh (K, m + 1, K, 3 or K), by runner-up class and whose they
    are.

    And the confusion matrix.
    """
    columns, size = block.scores, len(offsets)
    first, best, second, next_best = _leaders(columns + offsets.astype(columns.dtype))
    first = np.asarray(decide(columns, offsets))
    kinds = size if confused else 3
    groups = np.empty((size, (candidates.shape[1] + 1) * size * kinds))
    for k in range(size):
        held = first == k
        runner_up = np.where(held, second, first)
        here = int(np.searchsorted(candidates[k], offsets[k]))
        group = np.searchsorted(candidates[k], np.where(held, next_best, best) - columns[:, k])
        group = np.where(held, np.minimum(group, here), np.maximum(group, here + 1))
        whose = np.where(block.codes == k, _OWN, np.where(block.codes == runner_up, _RIVALS, _OTHERS))
        cells = (group * size + runner_up) * kinds + (block.codes if confused else whose)
        groups[k] = np.bincount(cells, block.weights, minlength=groups.shape[1])
    table = np.bincount(block.codes * size + first, block.weights, minlength=size * size).astype(np.float64)
    return groups.reshape(size, -1, size, kinds), table.reshape(size, size)


def _added(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    return one[0] + other[0], one[1] + other[1]


def _objective_values(k: int, table: Floats, problem: Problem, now: Counts, *, held: int, confused: bool) -> Floats:
    """Return the rank (m,) with the offset of class k at each of its marks, where it is at the one numbered `held`."""
    group, runner_up, whose = np.nonzero(table)
    size = problem.n_classes
    codes = whose if confused else _codes(k, runner_up, whose, size)
    truth = HardTruth(table[group, runner_up, whose], now.support, codes)
    samples = np.arange(len(codes))[None, :]
    margins = Margins(group[None, :].astype(np.float64), 0.0, np.zeros_like)
    sorted_sweeps = SortedSweeps(np.asarray([k]), margins, samples, runner_up[None, :], (group <= held)[None, :])
    objective_values = np.asarray(sweep_objective(sorted_sweeps, replace(problem, truth=truth), now))[0]
    after: Floats = objective_values[np.searchsorted(group, np.arange(table.shape[0] - 1), side="right")]
    return after


def _codes(k: int, runner_up: _Codes, whose: _Codes, size: int) -> _Codes:
    """Return the class of samples that are class k's own, the runner-up class's, or those of any third."""
    third = np.asarray([next(c for c in range(size) if c not in {k, j}) for j in range(size)])
    codes: _Codes = np.choose(whose, [np.full_like(runner_up, k), runner_up, third[runner_up]])
    return codes
