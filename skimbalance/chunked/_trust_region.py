"""Several classes: exact ascents among offsets near those at hand, over rows that are nowhere together.

As long as no offset moves by more than a radius, a row whose best two classes lie more than twice that apart is decided
as it is. All such rows together are a table of counts; the others are few enough to be looked at one by one. An ascent
over both is one over all rows, and where it comes to the border another begins there.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skimbalance._typing import Kind, Progress
from skimbalance.chunked._chunks import Block, Chunks, Floats
from skimbalance.decision import decide
from skimbalance.goals import Requirement
from skimbalance.metrics._base import Metric
from skimbalance.metrics._counts import Truth
from skimbalance.solvers import Bounds, Problem, Solution, ascend, improves

__all__ = ["Limits", "climbed"]

_Vector = npt.NDArray[Any]


class Limits(NamedTuple):
    """How many scores are looked at one by one, from how many rows that is told, and how often it begins anew."""

    cells: int = 1 << 22
    margins: int = 1 << 16
    rounds: int = 10


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows that are near to another class, and a table (K, K) of what all others weigh, by truth and decision."""

    scores: _Vector
    codes: npt.NDArray[np.int64]
    mass: Floats
    settled: Floats

    def joined(self, other: "_Rows") -> "_Rows":
        """Return these rows, then the others."""
        pairs = ((self.scores, other.scores), (self.codes, other.codes), (self.mass, other.mass))
        return _Rows(*(np.concatenate(pair) for pair in pairs), self.settled + other.settled)

    def problem(self, offsets: _Vector, metric: Metric, requirements: tuple[Requirement, ...], gap: float) -> Problem:
        """Return the problem of all rows, as long as no offset moves by more than half of `gap`."""
        truth, winner = np.nonzero(self.settled > 0)
        far = np.tile(-offsets, (len(truth), 1))
        far[np.arange(len(truth)), winner] += 2 * gap + 1
        codes = np.concatenate([self.codes, truth])
        mass = np.concatenate([self.mass, self.settled[truth, winner]])
        scores = np.concatenate([self.scores, far.astype(self.scores.dtype)])
        known = Truth.from_codes(codes, n_classes=len(offsets), weights=mass)
        return Problem(scores, known, metric, requirements)


def climbed(
    chunks: Chunks[Block],
    start: Floats,
    *,
    metric: Metric,
    requirements: tuple[Requirement, ...],
    n_rows: int,
    kind: Kind,
    report: Progress,
    limits: Limits = Limits(),
) -> Floats:
    """Return offsets (K,) from which no class gains on all rows by moving a little; every class has rows."""
    step = max(1, n_rows // limits.margins)
    margins = np.sort(chunks.total(partial(_margins, offsets=start, kind=kind, step=step), _concat))
    place = limits.cells // (len(start) * step)
    gap = float(margins[place]) if place < len(margins) else np.inf
    offsets, rank = start, -np.inf
    for number in range(1, limits.rounds + 1):
        near = chunks.total(partial(_near, offsets=offsets, kind=kind, gap=gap), _Rows.joined)
        solution = _ascended(near, offsets, metric, requirements, gap)
        report(f"{metric.name}, ascent {number} over all rows: {len(near.codes)} looked at, rank {solution.rank:.6g}")
        if not improves(solution.rank, rank):
            break
        moved, rank = np.asarray(solution.offsets, dtype=np.float64) - offsets, solution.rank
        offsets = offsets + moved
        if np.ptp(moved) < gap / 4:  # far from the border, wherever the centre has gone
            break
    return offsets


def _ascended(
    near: _Rows, offsets: Floats, metric: Metric, requirements: tuple[Requirement, ...], gap: float
) -> Solution:
    if np.isinf(gap):
        return ascend(near.problem(offsets, metric, requirements, 0.0), offsets)
    problem = near.problem(offsets, metric, requirements, gap)
    return ascend(problem, offsets, within=Bounds(offsets - gap / 2, offsets + gap / 2))


def _margins(block: Block, *, offsets: Floats, kind: Kind, step: int) -> _Vector:
    """Return by how much the best class leads in one of `step` rows."""
    shifted = np.sort(_thin(block, step).columns(kind) + offsets, axis=1)
    margins: _Vector = shifted[:, -1] - shifted[:, -2]
    return margins


def _thin(block: Block, step: int) -> Block:
    rows = slice(int(step * (block.place * 1e6 % 1.0)), None, step)
    return Block(block.scores[rows], block.codes[rows], None, block.place)


def _concat(one: _Vector, other: _Vector) -> _Vector:
    return np.concatenate([one, other])


def _near(block: Block, *, offsets: Floats, kind: Kind, gap: float) -> _Rows:
    """Return the rows in which the best class leads by no more than `gap`, and what the others add up to."""
    columns, size = block.columns(kind), len(offsets)
    decisions = np.asarray(decide(columns, offsets))
    shifted = columns + offsets.astype(columns.dtype)
    best_two = np.partition(shifted, size - 2, axis=1)[:, -2:]
    rounding = 64 * np.finfo(columns.dtype).eps * np.abs(best_two).max(initial=0.0)
    near = best_two[:, 1] - best_two[:, 0] <= gap + rounding
    cells = (block.codes * size + decisions)[~near]
    weights = None if block.weights is None else block.weights[~near]
    settled = np.bincount(cells, weights, minlength=size * size).reshape(size, size).astype(np.float64)
    return _Rows(columns[near], block.codes[near], block.mass[near], settled)
