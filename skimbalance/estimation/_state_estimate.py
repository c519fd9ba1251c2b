"""Offsets for an imbalance state, and the distance from it to expect on unseen data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import block_samples, to_numpy
from skimbalance._core.decision import softmax
from skimbalance.estimation._cross_fit import fit_folds, folds_of, jackknife_error
from skimbalance.estimation._draws import Codes, Floats, independent_counts
from skimbalance.estimation.spec import CrossFitResult, FitSpec
from skimbalance.metrics.counts import HardTruth
from skimbalance.metrics.state import balanced_weights
from skimbalance.solvers import Problem, solve_state

__all__ = ["StateProblem"]

_LEAST_FOLDS = 2
_GROUPS = 1000
_DRAWS = 1000
"""The interval is from 1,000 draws of 1,000 random groups of samples."""


@dataclass(frozen=True)
class StateProblem:
    """Find offsets for which the mean of `softmax(scores + offsets)` is `target` (K,), all on the host.

    `dtype` is the one that the offsets will be kept in; samples of one of `groups` are not independent. Folds are dealt
    along `class_order` (K,).
    """

    scores: Floats
    codes: Codes
    weights: Floats | None
    target: Floats
    class_balanced: bool
    dtype: npt.DTypeLike = np.float64
    groups: Codes | None = None
    class_order: Codes | None = None

    @classmethod
    def of(cls, problem: Problem, target: Floats, *, class_balanced: bool) -> "StateProblem":
        """Copy samples of any array library to the host."""
        problem = problem.in_order()
        host, truth = to_numpy(problem.scores), problem.truth
        weights = None if truth.weights is None else to_numpy(truth.weights).astype(np.float64)
        codes = to_numpy(cast(HardTruth, truth).codes).astype(np.int64)
        return cls(
            host.astype(np.float64),
            codes,
            weights,
            target,
            class_balanced,
            host.dtype,
            problem.groups,
            problem.class_order,
        )

    def estimate(self, spec: FitSpec) -> CrossFitResult:
        """Fit the offsets and, unless no confidence level is given, estimate the distance of unseen data."""
        found = solve_state(self.scores, self.target, weights=self.mass)
        offsets, level = found.offsets.astype(self.dtype).astype(np.float64), spec.confidence_level
        result = CrossFitResult(offsets, found.n_hessians, achievable=found.converged)
        if level is None:
            return result
        each = fit_folds(self._folds(spec.seed), self._fit_outside, spec=spec)
        shifts, distances = zip(*each, strict=True)
        # A fold's state varies by 1/n_fold, its offsets by 1/(n - n_fold); that of n unseen samples varies less.
        score = np.sqrt(2 * (len(each) - 1)) / len(each) * float(np.mean(distances))
        error = jackknife_error(np.stack(shifts), level=level)
        interval = self._interval(offsets, level=level, seed=spec.seed)
        return replace(result, score=score, score_interval=interval, offsets_error=error)

    @property
    def mass(self) -> Floats:
        """What each sample counts for; it sums to one."""
        if self.class_balanced:
            return balanced_weights(self.codes, self.weights, n_classes=len(self.target))
        own = np.ones(len(self.codes)) if self.weights is None else self.weights
        mass: Floats = own / own.sum()
        return mass

    def distance(self, offsets: Floats) -> float:
        """Return the largest absolute difference between the state and the target."""
        mass, state = self.mass, np.zeros(len(self.target))
        for samples in block_samples(self.scores.shape):
            state += mass[samples] @ softmax(self.scores[samples] + offsets)
        return float(np.max(np.abs(state - self.target)))

    def _folds(self, seed: int) -> Codes:
        """Return the fold of each sample; how many are of each class is random where that matters."""
        n_classes = len(self.target)
        if not self.class_balanced:
            return folds_of(np.zeros_like(self.codes), self.groups, n_classes=n_classes, seed=seed)
        n_samples = independent_counts(self.codes, self.groups, n_classes=n_classes)
        least = int(n_samples[n_samples > 0].min())
        codes = self.codes if self.class_order is None else np.argsort(self.class_order)[self.codes]
        return folds_of(codes, self.groups, n_classes=n_classes, seed=seed, at_most=max(_LEAST_FOLDS, least))

    def _fit_outside(self, outside: npt.NDArray[np.bool_]) -> tuple[Floats, float]:
        """Return the offsets of the samples outside a fold, and the distance of the fold from the target with them."""
        rest = self._take(outside)
        offsets = solve_state(rest.scores, self.target, weights=rest.mass).offsets
        return offsets, self._take(~outside).distance(offsets)

    def _take(self, samples: npt.NDArray[np.bool_]) -> "StateProblem":
        weights = None if self.weights is None else self.weights[samples]
        groups = None if self.groups is None else self.groups[samples]
        return StateProblem(
            self.scores[samples], self.codes[samples], weights, self.target, self.class_balanced, groups=groups
        )

    def _interval(self, offsets: Floats, *, level: float, seed: int) -> tuple[float, float]:
        """Return quantiles of the distance where these samples and as many unseen ones are random."""
        rng = np.random.default_rng(seed)
        sums = self._deviations(offsets, rng)
        drawn = np.sqrt(2) * np.abs(rng.standard_normal((_DRAWS, len(sums))) @ sums).max(axis=1)
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def _deviations(self, offsets: Floats, rng: np.random.Generator) -> Floats:
        """Return by how much samples move the state off its mean, summed over random groups of samples (groups, K)."""
        mass = self.mass
        centres = self._centres(offsets, mass)
        if self.groups is not None:
            return self._group_deviations(self.groups, offsets, mass, centres, rng)
        shuffled = rng.permutation(len(self.codes))
        groups = min(_GROUPS, len(shuffled))
        sums = np.zeros((groups, len(self.target)))
        step = groups * max(1, block_samples(self.scores.shape)[0].stop // groups)
        for start in range(0, len(shuffled), step):
            samples = shuffled[start : start + step]
            moved = mass[samples, None] * (softmax(self.scores[samples] + offsets) - centres[self.codes[samples]])
            for first in range(0, len(samples), groups):
                part = moved[first : first + groups]
                sums[: len(part)] += part
        return sums

    def _group_deviations(
        self, groups: Codes, offsets: Floats, mass: Floats, centres: Floats, rng: np.random.Generator
    ) -> Floats:
        """Return the same where samples are in `groups`, none of which is taken apart."""
        _, number = np.unique(groups, return_inverse=True)
        n_groups = int(number.max()) + 1
        n_sums = min(_GROUPS, n_groups)
        place = rng.permutation(n_groups)[number] % n_sums
        sums = np.zeros((n_sums, len(self.target)))
        for samples in block_samples(self.scores.shape):
            moved = mass[samples, None] * (softmax(self.scores[samples] + offsets) - centres[self.codes[samples]])
            sums += _summed(moved, place[samples], n_sums)
        return sums

    def _centres(self, offsets: Floats, mass: Floats) -> Floats:
        """Return the mean (K, K) of the samples of each class where each counts alike, else that of all samples."""
        n_classes = len(self.target)
        if not self.class_balanced:
            return np.tile(self.target, (n_classes, 1))
        sums = np.zeros((n_classes, n_classes))
        for samples in block_samples(self.scores.shape):
            proba = softmax(self.scores[samples] + offsets) * mass[samples, None]
            sums += _summed(proba, self.codes[samples], n_classes)
        total = np.bincount(self.codes, mass, minlength=n_classes)
        return sums / np.where(total > 0, total, 1)[:, None]


def _summed(samples: Floats, codes: Sequence[int] | Codes, n_classes: int) -> Floats:
    """Return the sums of samples of each class."""
    sums: Floats = np.stack([np.bincount(codes, column, minlength=n_classes) for column in samples.T], axis=1)
    return sums
