"""The global binary optimum over samples in chunks.

The samples are sorted by margin in each chunk. At some thousand candidate thresholds, sums over all chunks give the
counts, and so the objective. Between two candidates the order of the samples is unknown, but the true positives and
false positives lie in a box. Every binary metric has its extremes over a box at the corners, which bounds the objective
between the candidates. Where the bound is below the best candidate, no samples are needed. Elsewhere candidates are
added until few enough samples are left to be gathered and sorted together.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from skimbalance._core.typing import Progress
from skimbalance.solvers import Cuts, Line, Margins, Problem, best_cuts, objective_values_on, upper_bound
from skimbalance.tuner.chunks._samples import Block, Chunks, Floats

__all__ = [
    "Budget",
    "CandidateSums",
    "Intervals",
    "MarginSize",
    "best_threshold",
    "between",
    "candidate_sums",
    "margins_within",
    "samples_within",
    "sort_by_margin",
    "upper_bounds",
]

_Vector = npt.NDArray[Any]

MarginSize = Callable[[_Vector], _Vector]
"""The sum of the magnitudes of the two scores whose difference is a margin."""

_ROUNDING = 1e-12

_GOLDEN = (5**0.5 - 1) / 2

_MOST_TRIES = 4
"""How often the best candidate may lie between margins that rounding does not let a threshold separate."""


@dataclass(frozen=True)
class Budget:
    """How many candidate thresholds are added at a time, and how many samples are gathered at most."""

    candidates: int = 1 << 16
    samples: int = 1_000_000


_BUDGET = Budget()


class Intervals(NamedTuple):
    """Open intervals of margins, in ascending order."""

    low: _Vector
    high: _Vector


def sort_by_margin(block: Block, *, positive: int) -> Block:
    """Sort the samples of positive weight by the offset at which each becomes positive.

    The scores of the result are these margins (n,), and its codes whether a sample is of the positive class.
    """
    margins = block.scores[:, 1 - positive] - block.scores[:, positive]
    order = np.argsort(margins)
    if block.weights is not None:
        order = order[block.weights[order] > 0]
    weights = None if block.weights is None else block.weights[order]
    return Block(margins[order], block.codes[order] == positive, weights, block.place)


def samples_within(block: Block, intervals: Intervals, *, step: int = 1) -> Block:
    """Return every `step`-th of the sorted samples within the intervals."""
    starts = np.searchsorted(block.scores, intervals.low, side="right")
    stops = np.searchsorted(block.scores, intervals.high, side="left")
    ends = np.cumsum(stops - starts)
    begin = int(step * (block.place * 1e6 * _GOLDEN % 1.0))  # differs by chunk, so that chunks of few samples count
    number = np.arange(begin, ends[-1] if len(ends) else 0, step)
    of = np.searchsorted(ends, number, side="right")
    return block.take(stops[of] - ends[of] + number)


@dataclass(frozen=True, eq=False)
class CandidateSums:
    """Number, true positives and weight of all samples up to some candidate thresholds, which are in ascending order.

    `at` (m,) are the thresholds; each sum is (2, m), without and with the samples whose margin is the threshold.
    `before` and `after` are the nearest other margins.
    """

    at: _Vector
    n_samples: Floats
    hits: Floats
    predicted: Floats
    before: _Vector
    after: _Vector

    def add(self, other: Self) -> "CandidateSums":
        """Return the sums over these samples and others, at the same thresholds."""
        return CandidateSums(
            self.at,
            self.n_samples + other.n_samples,
            self.hits + other.hits,
            self.predicted + other.predicted,
            np.maximum(self.before, other.before),
            np.minimum(self.after, other.after),
        )

    def merge(self, other: Self) -> "CandidateSums":
        """Return the sums of the same samples at the thresholds of both."""
        order = np.argsort(np.concatenate([self.at, other.at]), kind="stable")
        pairs = ((getattr(self, each.name), getattr(other, each.name)) for each in fields(self))
        return CandidateSums(*(np.concatenate(pair, axis=-1)[..., order] for pair in pairs))


def between(sums: Floats) -> Floats:
    """Return what lies between each threshold and the next, (m - 1,)."""
    return sums[0, 1:] - sums[1, :-1]


def best_threshold(
    chunks: Chunks[Block],
    problem: Problem,
    *,
    largest: float,
    size: MarginSize,
    progress: Progress,
    budget: Budget = _BUDGET,
) -> Floats:
    """Return the offsets (2,) that are best on all samples; the `problem` has class weights but no samples.

    `largest` is the largest absolute log-score.
    """
    samples = chunks.map(partial(sort_by_margin, positive=problem.positive))
    candidates = candidate_sums(samples, np.asarray([-np.inf, np.inf], dtype=problem.scores.dtype))
    limit, tries = np.inf, 0
    while True:
        best = min(limit, _best_at_candidates(problem, candidates))
        undecided = _undecided(problem, candidates, best=best, at_most=budget.samples)
        intervals = Intervals(candidates.at[:-1][undecided], candidates.at[1:][undecided])
        n_samples = int(between(candidates.n_samples)[undecided].sum())
        progress(
            f"{problem.metric.name}: {len(candidates.at) - 2:,} candidate thresholds, {n_samples:,} samples undecided"
        )
        if n_samples > budget.samples:
            margins = margins_within(samples, intervals, step=-(-n_samples // budget.candidates))
            candidates = candidates.merge(candidate_sums(samples, margins))
            continue
        gathered = samples.map_reduce(partial(samples_within, intervals=intervals), Block.concat)
        cuts = _best_cut(problem, candidates, gathered, undecided, largest=2 * largest, size=size)
        found, tries = float(cuts.objective_values[0]), tries + 1
        if found >= best - _ROUNDING * abs(best) or tries == _MOST_TRIES:
            shift = cuts.offsets[0] * (problem.positive - 0.5)
            return np.asarray([-shift, shift])
        limit = min(limit, found)  # rounding lets no threshold separate the margins at the best candidate


def margins_within(chunks: Chunks[Block], intervals: Intervals, *, step: int) -> _Vector:
    """Return one in `step` of the margins within the intervals, sorted and distinct; at least one if there are any."""
    found = np.unique(chunks.map_reduce(lambda block: samples_within(block, intervals, step=step).scores, np.append))
    return found if len(found) or step == 1 else margins_within(chunks, intervals, step=-(-step // 16))


def candidate_sums(chunks: Chunks[Block], at: _Vector) -> CandidateSums:
    """Return the sums over all samples at the thresholds `at`."""

    def sums(block: Block) -> CandidateSums:
        sides = np.stack([np.searchsorted(block.scores, at, side=side) for side in ("left", "right")])
        hits, predicted = (
            np.concatenate([[0.0], np.cumsum(each, dtype=np.float64)])[sides] for each in _hits_and_predicted(block)
        )
        padded = np.concatenate([[-np.inf], block.scores, [np.inf]]).astype(block.scores.dtype)
        return CandidateSums(at, sides.astype(np.float64), hits, predicted, padded[sides[0]], padded[sides[1] + 1])

    return chunks.map_reduce(sums, CandidateSums.add)


def _hits_and_predicted(block: Block) -> tuple[_Vector, Floats]:
    """Return by how much each sample increases the true positives and the predicted positives."""
    weights = block.weights_or_ones
    return (block.codes if block.weights is None else np.where(block.codes, weights, 0.0)), weights


def _best_cut(
    problem: Problem,
    candidates: CandidateSums,
    gathered: Block,
    undecided: npt.NDArray[np.bool_],
    *,
    largest: float,
    size: MarginSize,
) -> Cuts:
    """Return the best threshold, at a candidate or between two `gathered` samples of the undecided intervals.

    The other intervals are represented by their first and last margin, between which no threshold may lie.
    """
    pruned, finite = ~undecided & (between(candidates.n_samples) > 0), np.isfinite(candidates.at)
    nothing = np.zeros(int(np.count_nonzero(pruned)))

    def sums(total: Floats, of_gathered: _Vector) -> _Vector:
        steps = np.concatenate([(total[1] - total[0])[finite], of_gathered, between(total)[pruned], nothing])
        return np.concatenate([[0.0], np.cumsum(steps.astype(np.float64)[order])])

    margins = np.concatenate(
        [candidates.at[finite], gathered.scores, candidates.after[:-1][pruned], candidates.before[1:][pruned]]
    )
    order = np.argsort(margins, kind="stable")
    margins = margins[order]
    totals = (candidates.hits, candidates.predicted)
    hits, predicted = (sums(*each) for each in zip(totals, _hits_and_predicted(gathered), strict=True))
    line = Line(Margins(margins[None, :], largest, lambda places: size(margins[places])), hits, predicted)
    first = len(margins) - 2 * len(nothing) + np.arange(len(nothing))  # where the first margins of pruned intervals are
    allowed = np.concatenate([[True], ~np.isin(order, first)])
    objective_values = np.where(allowed, np.asarray(objective_values_on(problem, line)), -np.inf)
    return best_cuts(line.margins, objective_values[None, :], start=np.zeros(1), above=-np.inf)


def _best_at_candidates(problem: Problem, candidates: CandidateSums) -> float:
    """Return the best objective value with a threshold just below or above a candidate."""
    lines = map(Line.of_counts, candidates.hits, candidates.predicted)
    return float(max(np.max(np.asarray(objective_values_on(problem, line))) for line in lines))


def _undecided(problem: Problem, candidates: CandidateSums, *, best: float, at_most: int) -> npt.NDArray[np.bool_]:
    """Return which intervals between candidates may hold a threshold better than `best`.

    Those that may hold one as good are included if all have `at_most` so many samples.
    """
    n_samples, bound = between(candidates.n_samples), upper_bounds(problem, candidates)
    slack = 0.0 if np.isinf(best) else _ROUNDING * abs(best)
    as_good = (n_samples > 0) & (bound >= best - slack)
    return as_good if n_samples[as_good].sum() <= at_most else as_good & (bound > best + slack)


def upper_bounds(problem: Problem, candidates: CandidateSums) -> Floats:
    """Return an upper bound of the objective value between each candidate and the next, (m - 1,)."""
    low, high = candidates.hits[1, :-1], candidates.hits[0, 1:]
    others = (candidates.predicted[1, :-1] - low, candidates.predicted[0, 1:] - high)
    return upper_bound(problem, (low, high), others)
