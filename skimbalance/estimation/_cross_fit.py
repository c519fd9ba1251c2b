"""Cross-fitting: how well offsets do on unseen data, and how much of them to keep.

Offsets are fitted on all folds but one and decide that one, the validation fold, for each fold in turn. No sample is
decided by offsets that it helped to fit. Draws from the posterior predictive distribution of the decisions give their
standard errors and prediction intervals.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.stats import t as student

from skimbalance._core.array_api import bring, namespace, small_codes, to_numpy
from skimbalance._core.decision import decide
from skimbalance.estimation._draws import Codes, Floats, independent_counts, posterior_predictive
from skimbalance.estimation.spec import FitSpec
from skimbalance.metrics.counts import Counts, HardTruth, Truth
from skimbalance.solvers import Fit, Problem, Solution, fit_present_classes, stored

__all__ = [
    "ClassCrossFit",
    "CrossFit",
    "cross_fit",
    "fit_folds",
    "folds_along",
    "folds_of",
    "jackknife_error",
    "prediction_interval",
    "width_of",
]

_Fitted = TypeVar("_Fitted")

_FOLDS = 5
_FEW_FOLDS = 3
_SAMPLES_FOR_ALL_FOLDS = 50_000
_CELLS_FOR_ALL_FOLDS = 1_000_000
"""Five folds; three beyond 50,000 samples or a million scores."""

_WIDTH = np.sqrt(2.0)
"""Intervals are wider by this factor than unseen samples alone make them. The model and the offsets vary about as much
again, which draws of judged samples do not show (Bates, Hastie and Tibshirani 2021). Measured in
`benchmarks/leaderboard`."""

_GROUP_WIDTH = 1.2
"""The factor for grouped samples: draws of groups vary more, and the model adds less. Measured in
`benchmarks/studies/groups.py`."""

_ROUNDING = 1 << 10
"""Gains are multiples of so many units in the last place: sums in another order differ by less."""

_FEW_DRAWS, _CERTAIN = 20, 6.0
"""If the mean gain of so many draws, or of more, is so many standard deviations, all draws gain."""

_PARTS = (1.0, 0.75, 0.5, 0.25)
"""If offsets that are shrunk by the factor still lose one standard error, the largest of these parts that does not is
taken."""


def folds_along(problem: Problem, *, seed: int) -> Codes:
    """Return the fold of each sample of a problem, which does not depend on the order of its classes."""
    codes = to_numpy(problem.truth.likeliest).astype(np.int64)
    place = np.argsort(problem.class_order)
    return folds_of(place[codes], problem.groups, n_classes=problem.n_classes, seed=seed)


def folds_of(codes: Codes, groups: Codes | None = None, *, n_classes: int, seed: int, at_most: int = _FOLDS) -> Codes:
    """Return the fold of each sample: folds are stratified by class, and no group is split."""
    few = codes.size > _SAMPLES_FOR_ALL_FOLDS or codes.size * n_classes > _CELLS_FOR_ALL_FOLDS
    n_independent = codes.size if groups is None else len(np.unique(groups))
    n_folds = min(_FEW_FOLDS if few else _FOLDS, at_most, n_independent)
    if groups is not None:
        return _deal_groups(codes, groups, n_folds=n_folds, seed=seed)
    shuffled = np.random.default_rng(seed).permutation(codes.size)
    order = shuffled[np.argsort(small_codes(codes, n_classes)[shuffled], kind="stable")]
    fold_of = np.empty(codes.size, dtype=np.int8)  # of many samples, small numbers are stored in random order sooner
    fold_of[order] = np.tile(np.arange(n_folds, dtype=np.int8), 1 + codes.size // n_folds)[: codes.size]
    return fold_of.astype(np.int64)


def fit_folds(
    fold_of: Codes, fit_outside: Callable[[npt.NDArray[np.bool_]], _Fitted], *, spec: FitSpec
) -> list[_Fitted]:
    """Call `fit_outside` for each fold, with a mask (n,) of the samples outside it."""
    n_folds = int(fold_of.max()) + 1
    jobs = (partial(fit_outside, fold_of != fold) for fold in range(n_folds))
    return spec.run_steps(jobs, name="fold", total=n_folds)


def jackknife_error(offsets: Floats, *, level: float) -> Floats:
    """Return half the width (K,) of an interval for offsets (folds, K): the jackknife over folds, by Student's t."""
    n_folds = len(offsets)
    variance = (n_folds - 1) ** 2 / n_folds * offsets.var(axis=0, ddof=1)
    width: Floats = student.ppf((1 + level) / 2, n_folds - 1) * np.sqrt(variance)
    return width


def width_of(groups: Codes | None) -> float:
    """Return the factor by which intervals are wider than draws of the samples, or of their groups, make them."""
    return float(_WIDTH) if groups is None else _GROUP_WIDTH


def prediction_interval(
    score: float, drawn: list[float], *, tail: float, bounds: tuple[float, float], groups: Codes | None
) -> tuple[float, float]:
    """Return the interval about `score` from draws of the posterior predictive distribution, within `bounds`.

    Draws for which the metric is not finite are left out. Without any other draw the interval is `bounds`.
    """
    drawn = [value for value in drawn if math.isfinite(value)]
    if not drawn or not math.isfinite(score):
        return bounds
    low, middle, high = np.quantile(drawn, [tail, 0.5, 1 - tail])
    width = width_of(groups)
    return float(max(bounds[0], score - width * (middle - low))), float(min(bounds[1], score + width * (high - middle)))


def _factors(gain: Any, expected: Any, error: float) -> Floats:
    """Return the shrinkage factor of offsets by their gain over none, their expected gain, and its standard error.

    Offsets that gain are kept. If they lose, let z be the expected gain in standard errors. The factor is one for
    z >= 0, 1 + z for a loss of less than one, and zero below.
    """
    factors: Floats = np.where(gain >= 0, 1.0, np.clip(1 + expected / error, 0, 1))
    return factors


class CrossFit(ABC):
    """Offsets (folds, K) fitted without each fold, and the decisions that they make in the validation folds."""

    offsets: Floats

    @abstractmethod
    def decisions(self, factor: float = 1.0) -> npt.NDArray[Any]:
        """Return the decision about each sample by the offsets fitted without its fold, and shrunk by `factor`."""

    @abstractmethod
    def merit(self, decisions: npt.NDArray[Any]) -> float:
        """Return the objective value of `decisions`, of which more is better."""

    @abstractmethod
    def redrawn_merits(self, *decisions: npt.NDArray[Any]) -> Iterator[tuple[float, ...]]:
        """Yield the objective value of each of `decisions` under Bayesian bootstraps of the samples."""

    def expected_gain(self, before: npt.NDArray[Any], after: npt.NDArray[Any]) -> float:
        """Return the gain in the objective value of the decisions `after` over those `before`."""
        return self.merit(after) - self.merit(before)

    def shrinkage_factor(self) -> float:
        """Return the factor for the offsets, from zero to one.

        It follows `_factors`. If the shrunk offsets lose a standard error themselves, it is reduced.
        """
        none = self.decisions(0.0)

        def factor_for(factor: float) -> float:
            scaled = self.decisions(factor)
            gain = self.merit(scaled) - self.merit(none)
            if gain >= 0 or (expected := self.expected_gain(none, scaled)) >= 0:
                return 1.0
            error = float(np.std([after - before for before, after in self.redrawn_merits(none, scaled)]))
            return float(_factors(gain, expected, error)) if error > 0 else 0.0

        factor = factor_for(1.0)
        if factor == 1:
            return 1.0
        return next((part * factor for part in _PARTS if factor_for(part * factor) > 0), 0.0)


@dataclass(frozen=True, eq=False)
class ClassCrossFit(CrossFit):
    """Cross-fitted offsets (folds, K) of a binary or multiclass problem.

    `codes`, `weights` and `cost_matrix` are on the host. `half_soft` returns the problem with the means of the labels
    and of their calibrated probabilities in place of labels.
    """

    problem: Problem
    codes: Codes
    weights: Floats | None
    fold_of: Codes
    offsets: Floats
    seed: int
    half_soft: Callable[[], Problem] | None = None
    cost_matrix: Floats | None = None

    @cached_property
    def _decided(self) -> dict[float, Codes]:
        return {}

    def decisions(self, factor: float = 1.0) -> Codes:
        """Return the class code (n,) that is decided for each sample; it is kept."""
        return stored(self._decided, factor, partial(self._decide, factor))

    def _decide(self, factor: float) -> Codes:
        scores = self.problem.scores
        shrunk = factor * self.offsets
        if not shrunk.any():
            return to_numpy(decide(scores, shrunk[0]))
        xp = namespace(scores)
        decided = np.empty(self.codes.size, dtype=np.int64)
        for fold, offsets in enumerate(shrunk):
            if self.problem.n_classes == 2:  # cheaper than a copy of the samples of the fold
                np.copyto(decided, to_numpy(decide(scores, offsets)), where=self.fold_of == fold)
                continue
            samples = np.flatnonzero(self.fold_of == fold)
            validation = xp.take(scores, bring(samples, to=scores, dtype=xp.int64), axis=0)
            decided[samples] = to_numpy(decide(validation, offsets))
        return decided

    @cached_property
    def _truth(self) -> Truth:
        """The truth of the problem, on the host."""
        n_classes = self.problem.n_classes
        return Truth.from_codes(self.codes, n_classes=n_classes, weights=self.weights, cost_matrix=self.cost_matrix)

    def count(self, decisions: Codes) -> Counts:
        """Count what `decisions` achieve, on the host."""
        return self._truth.count(decisions, confusion=self.problem.needs_confusion)

    def merit(self, decisions: Codes) -> float:
        """Return the objective value of `decisions`."""
        return self.problem.metric.objective_value(self.count(decisions))

    def expected_gain(self, before: Codes, after: Codes) -> float:
        """Return the gain in the objective value, twice that of half-soft labels if there are some.

        This is the sum of the gain for the labels and of that for their calibrated probabilities. The gain for few
        labels is mostly noise.
        """
        if self.half_soft is None:
            return super().expected_gain(before, after)
        problem = self.half_soft()
        decisions = (bring(each, to=problem.scores) for each in (before, after))
        counts = (problem.truth.count(each, confusion=problem.needs_confusion) for each in decisions)
        lower, higher = map(problem.metric.objective_value, counts)
        unit = _ROUNDING * math.ulp(max(abs(lower), abs(higher)))
        return 2 * unit * round((higher - lower) / unit)

    def redrawn_merits(self, *decisions: Codes) -> Iterator[tuple[float, ...]]:
        """Yield the objective value of each of `decisions` under Bayesian bootstraps of the samples."""
        for drawn in self._redrawn(*decisions):
            yield from zip(*(self.problem.metric.values(each, objective=True) for each in drawn), strict=True)

    def optimism(self) -> float:
        """Return by how much the score of the decisions is too high, since it determines the shrinkage factor.

        It is the covariance of the factor and the gain over draws of the samples (Efron, 2004). Since these vary more
        than the samples, it is about three quarters of the excess where the gain is small.
        """
        none, scaled = self.decisions(0.0), self.decisions()
        if np.array_equal(none, scaled):
            return 0.0
        metric, gains = self.problem.metric, np.empty(0)
        for lower, higher in self._redrawn(none, scaled, first=_FEW_DRAWS):
            gains = np.append(gains, metric.values(higher, objective=True) - metric.values(lower, objective=True))
            if len(gains) >= _FEW_DRAWS and gains.mean() > _CERTAIN * gains.std():
                return 0.0  # all draws will gain
        error = gains.std()
        if not error > 0 or (gains >= 0).all():  # the factor is the same in all draws, or the metric is not defined
            return 0.0
        implied = self.expected_gain(none, scaled) - self.merit(scaled) + self.merit(none)
        factors = _factors(gains, gains + implied, error)
        # Drawn again: a function of a user is not called for both values where the gain is clear.
        pairs = self._redrawn(none, scaled)
        return float(np.cov(factors, np.concatenate([metric.values(y) - metric.values(x) for x, y in pairs]))[0, 1])

    def score(
        self, decisions: Codes, *, level: float | None, optimism: float = 0.0
    ) -> tuple[float, tuple[float, float] | None]:
        """Return the score expected on unseen data, and its prediction interval for as many unseen samples.

        If a class without true positives makes the metric zero, half a sample of it counts as a true positive. On few
        samples the metric would otherwise be zero whatever the true recall is. `optimism` is subtracted.
        """
        metric, counts = self.problem.metric, self.count(decisions)
        if metric.zero_if_class_missed:
            n_samples = independent_counts(self.codes, self.problem.groups, n_classes=self.problem.n_classes)
            missed = (counts.hits == 0) & (n_samples > 0)
            half = np.where(missed, counts.support / np.maximum(2 * n_samples, 1), 0.0)
            counts = Counts(counts.hits + half, counts.predicted, counts.support)
        score = float(np.clip(metric.value(counts) - optimism, *metric.bounds))
        if level is None:
            return score, None
        tail = (1 - level) / 2
        drawn = np.concatenate([metric.values(each) for (each,) in self._redrawn(decisions, anew=True, tail=tail)])
        return score, prediction_interval(
            score, drawn.tolist(), tail=tail, bounds=metric.bounds, groups=self.problem.groups
        )

    def _redrawn(self, *decisions: Codes, **how: Any) -> Iterator[list[Counts]]:
        """Yield draws of the counts of each of `decisions`; see `posterior_predictive`."""
        return posterior_predictive(
            self.codes,
            self.weights,
            decisions,
            groups=self.problem.groups,
            class_order=self.problem.class_order,
            confusion=self.problem.needs_confusion,
            seed=self.seed,
            costs=None if self.cost_matrix is None else self._truth.costs,
            **how,
        )


def cross_fit(
    problem: Problem, fit: Fit, spec: FitSpec, fold_of: Codes, *, half_soft: Callable[[], Problem] | None = None
) -> ClassCrossFit:
    """Fit the samples outside each fold; a class that they lack is left as `fit_present_classes` leaves it."""

    def fit_outside(outside: npt.NDArray[np.bool_]) -> Solution:
        samples = bring(np.flatnonzero(outside), to=problem.scores, dtype=namespace(problem.scores).int64)
        return fit_present_classes(problem, fit, samples=samples)

    solutions = fit_folds(fold_of, fit_outside, spec=spec)
    offsets = np.stack([to_numpy(each.offsets) for each in solutions]).astype(np.float64)
    codes = to_numpy(cast(HardTruth, problem.truth).codes).astype(np.int64)
    weights = None if problem.truth.weights is None else to_numpy(problem.truth.weights).astype(np.float64)
    costs = None if problem.truth.cost_matrix is None else to_numpy(problem.truth.cost_matrix)
    return ClassCrossFit(problem, codes, weights, fold_of, offsets, spec.seed, half_soft, costs)


def _deal_groups(codes: Codes, groups: Codes, *, n_folds: int, seed: int) -> Codes:
    """Return the fold of each sample: every group is whole, and classes are spread as evenly as that allows.

    Of groups that hold the same number of samples of each class every fold takes equally many. The others follow one by
    one, as in scikit-learn's `StratifiedGroupKFold`.
    """
    present, codes = np.unique(codes, return_inverse=True)
    distinct, groups = np.unique(groups, return_inverse=True)
    n_classes, n_groups, rng = len(present), len(distinct), np.random.default_rng(seed)
    # Sums of random integers, which may overflow, differ between groups of different content.
    content = np.zeros(n_groups, dtype=np.uint64)
    np.add.at(content, groups, rng.integers(1 << 64, size=n_classes, dtype=np.uint64)[codes])
    shuffled = rng.permutation(n_groups)
    order = shuffled[np.argsort(content[shuffled], kind="stable")]
    _, first, alike = np.unique(content[order], return_index=True, return_counts=True)
    turn = np.arange(n_groups) - np.repeat(first, alike)
    fold_of_group = np.empty(n_groups, dtype=np.int64)
    fold_of_group[order] = turn % n_folds
    left = np.zeros(n_groups, dtype=np.bool_)
    left[order] = turn >= np.repeat(alike - alike % n_folds, alike)
    if left.any():
        held = csr_array((np.ones(len(codes)), (groups, codes)), shape=(n_groups, n_classes))
        rest = shuffled[left[shuffled]]
        fold_of_group[rest] = _one_by_one(held[rest], np.bincount(codes), n_folds=n_folds)
    fold_of: Codes = fold_of_group[groups]
    return fold_of


def _one_by_one(held: Any, n_samples: Codes, *, n_folds: int) -> Codes:
    """Return the fold of each group of `held` (groups, classes), those first that hold the largest part of a class.

    A group goes to the fold where it adds the least to the sum of squared proportions, over classes and folds. Of
    equal folds the one with the fewest samples gets it.
    """
    scale = 1 / n_samples.astype(np.float64) ** 2
    size = held.power(2) @ scale
    fold_of = np.empty(held.shape[0], dtype=np.int64)
    in_fold, totals = np.zeros((n_folds, len(n_samples))), np.zeros(n_folds)
    for group in np.argsort(-size, kind="stable").tolist():
        part = slice(*held.indptr[group : group + 2])
        classes, counts = held.indices[part], held.data[part]
        added = in_fold[:, classes] @ (counts * scale[classes])
        fold = int(np.lexsort((totals, added))[0])
        in_fold[fold, classes] += counts
        totals[fold] += counts.sum()
        fold_of[group] = fold
    return fold_of
