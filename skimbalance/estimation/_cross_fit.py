"""How good offsets will be on samples not seen, and how much of them to believe.

Offsets are fitted on all folds but one and judged on that one, for each fold in turn: no sample is judged by offsets it
helped to fit.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from skimbalance._core.array_api import bring, namespace, to_numpy
from skimbalance._core.decision import decide
from skimbalance._core.typing import Progress, Run
from skimbalance.estimation._groups import deal_groups, independent_counts
from skimbalance.estimation._redraw import Codes, Floats, posterior_predictive
from skimbalance.metrics.counts import Counts, HardTruth, Truth
from skimbalance.solvers import Fit, Problem, fit_present_classes

__all__ = [
    "CrossFit",
    "cross_fit",
    "factor_for_gain",
    "folds_along",
    "folds_of",
    "jackknife_error",
    "shrinkage_factor_for",
    "widened",
    "width_of",
]

_FOLDS = 5
_FEW_FOLDS = 3
_ROWS_FOR_ALL_FOLDS = 50_000
_CELLS_FOR_ALL_FOLDS = 1_000_000
"""Beyond so many samples or scores few folds tell as much as more do of few samples."""

_WIDTH = np.sqrt(2.0)
"""By how much intervals are wider than new samples alone make them: model and offsets vary about as much again, which a
redraw of judged samples does not see (Bates, Hastie and Tibshirani 2021). Measured in `benchmarks/leaderboard/run.py`."""

_GROUP_WIDTH = 1.2
"""The same where samples are in groups, of which a redraw varies more, and the model adds less. Measured in
`benchmarks/studies/groups.py`."""


_PARTS = (1.0, 0.75, 0.5, 0.25)
"""Of a share of the offsets that loses too much, the largest of these parts that does not is kept."""


def cross_fit(problem: Problem, fit: Fit, *, seed: int, run: Run, progress: Progress | None = None) -> "CrossFit":
    """Fit the samples outside each fold; a class that they lack is left as `fit_present_classes` leaves it."""
    codes = to_numpy(cast(HardTruth, problem.truth).codes).astype(np.int64)
    fold_of = folds_along(problem, seed=seed)
    n_folds = int(fold_of.max()) + 1
    offsets = run(partial(_fit_outside, problem, fit, fold_of != fold) for fold in range(n_folds))
    if progress is not None:
        progress(f"{problem.metric.name}: fitted without each of {n_folds} folds of the rows")
    weights = None if problem.truth.weights is None else to_numpy(problem.truth.weights).astype(np.float64)
    return CrossFit(problem, codes, weights, fold_of, np.stack(offsets), seed)


def folds_along(problem: Problem, *, seed: int) -> Codes:
    """Return the fold of each sample of a problem, which does not depend on the order of its classes."""
    codes = to_numpy(problem.truth.likeliest).astype(np.int64)
    rank = np.argsort(problem.class_order)
    return folds_of(rank[codes], problem.groups, n_classes=problem.n_classes, seed=seed)


def folds_of(codes: Codes, groups: Codes | None = None, *, n_classes: int, seed: int, at_most: int = _FOLDS) -> Codes:
    """Return the fold of each sample, every class spread evenly over the folds, and every group whole."""
    few = codes.size > _ROWS_FOR_ALL_FOLDS or codes.size * n_classes > _CELLS_FOR_ALL_FOLDS
    n_independent = codes.size if groups is None else len(np.unique(groups))
    n_folds = min(_FEW_FOLDS if few else _FOLDS, at_most, n_independent)
    if groups is not None:
        return deal_groups(codes, groups, n_folds=n_folds, seed=seed)
    shuffled = np.random.default_rng(seed).permutation(codes.size)
    order = shuffled[np.argsort(codes[shuffled], kind="stable")]
    fold_of = np.empty(codes.size, dtype=np.int64)
    fold_of[order] = np.arange(codes.size) % n_folds
    return fold_of


def _fit_outside(problem: Problem, fit: Fit, outside: npt.NDArray[np.bool_]) -> Floats:
    samples = bring(np.flatnonzero(outside), to=problem.scores, dtype=namespace(problem.scores).int64)
    return to_numpy(fit_present_classes(problem, fit, samples=samples).offsets).astype(np.float64)


def jackknife_error(offsets: Floats, *, level: float) -> Floats:
    """Return half the width (K,) of an interval for offsets (folds, K): the jackknife over folds, by Student's t."""
    n_folds = len(offsets)
    variance = (n_folds - 1) ** 2 / n_folds * offsets.var(axis=0, ddof=1)
    width: Floats = student.ppf((1 + level) / 2, n_folds - 1) * np.sqrt(variance)
    return width


def factor_for_gain(gain: float, posterior_predictive: Iterable[float]) -> float:
    """Return how much to believe of offsets, by their `gain` over none and what it is where the samples are redrawn.

    All of a gain, none of a loss of one standard error or more, and a part in between.
    """
    if gain >= 0:
        return 1.0
    error = float(np.std(list(posterior_predictive)))
    return max(0.0, 1 + gain / error) if error > 0 else 0.0


def shrinkage_factor_for(factor_for: Callable[[float], float]) -> float:
    """Return the share of the offsets to keep; `factor_for` returns `factor_for_gain` of the offsets times a factor.

    It is what is believed of all of them. If offsets scaled by it lose a standard error themselves, it is reduced.
    """
    share = factor_for(1.0)
    if share == 1:
        return 1.0
    return next((part * share for part in _PARTS if factor_for(part * share) > 0), 0.0)


def width_of(groups: Codes | None) -> float:
    """Return by how much intervals are wider than a redraw of the samples, or of their groups, makes them."""
    return float(_WIDTH) if groups is None else _GROUP_WIDTH


def widened(
    score: float,
    posterior_predictive: Sequence[float],
    *,
    tail: float,
    bounds: tuple[float, float],
    groups: Codes | None = None,
) -> tuple[float, float]:
    """Return an interval about `score` from what it is for redrawn samples, and within what the metric can be.

    Redrawn samples for which the metric is not finite are left out; without any others the interval is all that it can
    be.
    """
    posterior_predictive = [value for value in posterior_predictive if math.isfinite(value)]
    if not posterior_predictive or not math.isfinite(score):
        return bounds
    low, middle, high = np.quantile(posterior_predictive, [tail, 0.5, 1 - tail])
    least, most = bounds
    width = width_of(groups)
    below, above = score - width * (middle - low), score + width * (high - middle)
    return float(max(least, below)), float(min(most, above))


@dataclass(frozen=True)
class CrossFit:
    """Offsets (folds, K) fitted without each fold, and the samples of a problem by fold, on the host."""

    problem: Problem
    codes: Codes
    weights: Floats | None
    fold_of: Codes
    offsets: Floats
    seed: int

    def decisions(self, *, shrinkage_factor: float = 1.0) -> Codes:
        """Decide each sample by `shrinkage_factor` times the offsets fitted without its fold."""
        scores = self.problem.scores
        if shrinkage_factor == 0:  # no fold has a say
            return to_numpy(decide(scores, np.zeros(scores.shape[1])))
        xp = namespace(scores)
        decided = np.empty(self.codes.size, dtype=np.int64)
        for fold, offsets in enumerate(self.offsets):
            samples = np.flatnonzero(self.fold_of == fold)
            held_out = xp.take(scores, bring(samples, to=scores, dtype=xp.int64), axis=0)
            decided[samples] = to_numpy(decide(held_out, shrinkage_factor * offsets))
        return decided

    def shrinkage_factor(self) -> float:
        """Return the share of the offsets to keep, from zero to one.

        With z the gain over no offsets in units of its standard error, it is one for a gain, and falls to zero at a
        loss of one standard error. What is kept loses less than one standard error on held-out samples.
        """
        objective_value, none = self.problem.metric.objective_value, self.decisions(shrinkage_factor=0.0)

        def factor_for(shrinkage_factor: float) -> float:
            scaled = self.decisions(shrinkage_factor=shrinkage_factor)
            gain = objective_value(self.count(scaled)) - objective_value(self.count(none))
            redrawn = self._posterior_predictive(none, scaled)
            return factor_for_gain(
                gain, (objective_value(after) - objective_value(before) for before, after in redrawn)
            )

        return shrinkage_factor_for(factor_for)

    def score(self, decisions: Codes, *, level: float | None) -> tuple[float, tuple[float, float] | None]:
        """Return the score of held-out `decisions`, and within which bounds that of as many new samples should be."""
        metric = self.problem.metric
        counts = self.count(decisions)
        score = metric.value(self._with_half_hits(counts) if metric.zero_if_class_missed else counts)
        if level is None:
            return score, None
        tail = (1 - level) / 2
        drawn = [metric.value(counts) for (counts,) in self._posterior_predictive(decisions, anew=True, tail=tail)]
        return score, widened(score, drawn, tail=tail, bounds=metric.bounds, groups=self.problem.groups)

    def offsets_error(self, *, level: float) -> Floats:
        """Return half the width (K,) of an interval for the offsets."""
        return jackknife_error(self.offsets, level=level)

    def count(self, decisions: Codes) -> Counts:
        """Count what `decisions` achieve, on the host."""
        truth = Truth.from_codes(self.codes, n_classes=self.problem.n_classes, weights=self.weights)
        return truth.count(decisions, confusion=self.problem.needs_confusion)

    def _with_half_hits(self, counts: Counts) -> Counts:
        """Turn half a sample of each class without a hit into one: that no sample was hit does not say that none will
        be.
        """
        n_samples = independent_counts(self.codes, self.problem.groups, n_classes=self.problem.n_classes)
        missed = (counts.hits == 0) & (n_samples > 0)
        half = np.where(missed, counts.support / np.maximum(2 * n_samples, 1), 0.0)
        return Counts(counts.hits + half, counts.predicted, counts.support)

    def _posterior_predictive(
        self, *decisions: Codes, anew: bool = False, tail: float = 0.05
    ) -> Iterator[list[Counts]]:
        return posterior_predictive(
            self.codes,
            self.weights,
            decisions,
            groups=self.problem.groups,
            class_order=self.problem.class_order,
            confusion=self.problem.needs_confusion,
            seed=self.seed,
            anew=anew,
            tail=tail,
        )
