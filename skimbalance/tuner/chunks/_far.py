"""Several classes: what a single offset gains by going far, over rows that are nowhere together.

For every class the rows lie in groups between marks, by gap. What a group holds of each rival's rows tells what the
metric is with the offset at any mark: one pass over all rows for all classes.
"""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from skimbalance._core.decision import decide
from skimbalance.metrics.counts import Counts, HardTruth
from skimbalance.solvers import Gaps, Problem, Walks, improves, ranks_along
from skimbalance.tuner.chunks._chunks import Block, Chunks, Floats, as_counts

__all__ = ["Far", "far_move", "marks_for"]

_Codes = npt.NDArray[np.int64]

_OWN, _RIVALS, _OTHERS = range(3)


class Far(NamedTuple):
    """An offset of one class that is better than the present one, and what it promises to gain."""

    label: int
    offset: float
    gain: float


def marks_for(sample: Block, offsets: Floats, *, at_most: int) -> Floats:
    """Return for each class gaps (K, m) that part the rows of a sample evenly, and the offset itself.

    They lie a little above these gaps, so that it is plain on which side of them rows with the same gap are.
    """
    columns = sample.scores.astype(np.float64)
    first, best, _, second = _leaders(columns + offsets)
    shares = np.linspace(0, 1, at_most)[1:]
    above = 64 * float(np.finfo(sample.scores.dtype).eps)
    marks = []
    for k, offset in enumerate(offsets):
        gaps = np.where(first == k, second, best) - columns[:, k]
        between = np.quantile(gaps, shares, method="lower")
        between = between + above * np.maximum(np.abs(gaps).max(), np.abs(columns).max())
        marks.append(np.sort(np.append(between, offset)))
    return np.stack(marks)


def far_move(chunks: Chunks[Block], problem: Problem, offsets: Floats, marks: Floats) -> Far | None:
    """Return the move of one class to one of its `marks` that promises most, None where none is better than to stay."""
    confused = problem.needs_confusion
    part = partial(_groups, offsets=offsets, marks=marks, confused=confused)
    groups, confusion = chunks.total(part, _added)
    now = as_counts(confusion)
    here = problem.rank_of(now)
    best, found = here, None
    for k, table in enumerate(groups):
        held = int(np.searchsorted(marks[k], offsets[k]))
        ranks = _ranks(k, table, problem, now, held=held, confused=confused)
        place = int(np.argmax(ranks))
        if improves(ranks[place], best):
            best = float(ranks[place])
            found = Far(k, float(marks[k, place]), best - here)
    return found


def _leaders(shifted: Floats) -> tuple[_Codes, Floats, _Codes, Floats]:
    every = np.arange(len(shifted))
    first = np.argmax(shifted, axis=1)
    best = shifted[every, first]
    rest = shifted.copy()
    rest[every, first] = -np.inf
    second = np.argmax(rest, axis=1)
    return first, best, second, rest[every, second]


def _groups(block: Block, *, offsets: Floats, marks: Floats, confused: bool) -> tuple[Floats, Floats]:
    """Return what the rows of each class's groups weigh (K, m + 1, K, 3 or K), by rival and whose they are.

    And the confusion matrix.
    """
    columns, size = block.scores, len(offsets)
    first, best, second, next_best = _leaders(columns + offsets.astype(columns.dtype))
    first = np.asarray(decide(columns, offsets))
    kinds = size if confused else 3
    groups = np.empty((size, (marks.shape[1] + 1) * size * kinds))
    for k in range(size):
        held = first == k
        rival = np.where(held, second, first)
        here = int(np.searchsorted(marks[k], offsets[k]))
        group = np.searchsorted(marks[k], np.where(held, next_best, best) - columns[:, k])
        group = np.where(held, np.minimum(group, here), np.maximum(group, here + 1))
        whose = np.where(block.codes == k, _OWN, np.where(block.codes == rival, _RIVALS, _OTHERS))
        cells = (group * size + rival) * kinds + (block.codes if confused else whose)
        groups[k] = np.bincount(cells, block.weights, minlength=groups.shape[1])
    table = np.bincount(block.codes * size + first, block.weights, minlength=size * size).astype(np.float64)
    return groups.reshape(size, -1, size, kinds), table.reshape(size, size)


def _added(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    return one[0] + other[0], one[1] + other[1]


def _ranks(k: int, table: Floats, problem: Problem, now: Counts, *, held: int, confused: bool) -> Floats:
    """Return the rank (m,) with the offset of class k at each of its marks, where it is at the one numbered `held`."""
    group, rival, whose = np.nonzero(table)
    size = problem.n_classes
    codes = whose if confused else _codes(k, rival, whose, size)
    truth = HardTruth(table[group, rival, whose], now.support, codes)
    rows = np.arange(len(codes))[None, :]
    gaps = Gaps(group[None, :].astype(np.float64), 0.0, np.zeros_like)
    walks = Walks(np.asarray([k]), gaps, rows, rival[None, :], (group <= held)[None, :])
    ranks = np.asarray(ranks_along(walks, replace(problem, truth=truth), now))[0]
    after: Floats = ranks[np.searchsorted(group, np.arange(table.shape[0] - 1), side="right")]
    return after


def _codes(k: int, rival: _Codes, whose: _Codes, size: int) -> _Codes:
    """Return the class of rows that are class k's own, the rival's, or those of any third."""
    third = np.asarray([next(c for c in range(size) if c not in {k, j}) for j in range(size)])
    codes: _Codes = np.choose(whose, [np.full_like(rival, k), rival, third[rival]])
    return codes
