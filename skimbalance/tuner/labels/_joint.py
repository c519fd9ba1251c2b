"""Offsets of labels that the metric ties together: a ratio of sums over labels, or a mean over samples.

As in the binary case the robust estimate is the mean of two optima: that of calibrated soft labels, and the median over
Bayesian bootstraps of half-soft labels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import cast

import numpy as np

from skimbalance._core.typing import Run
from skimbalance.estimation import FitSpec
from skimbalance.estimation._calibration import MergedProblem, calibrated_shares, condensed
from skimbalance.estimation._estimate import bootstrap_weights
from skimbalance.metrics.counts import SoftTruth, Truth
from skimbalance.solvers import Problem
from skimbalance.tuner.labels._labels import Floats
from skimbalance.tuner.labels._metrics import MicroRatio, SamplesMean
from skimbalance.tuner.labels._micro import BestRatio, best_ratio
from skimbalance.tuner.labels._problem import MultilabelProblem
from skimbalance.tuner.labels._rows import Ascent, RowSearch
from skimbalance.tuner.labels._walks import ratio_sweep, sample_sweep

__all__ = ["fit_jointly"]

_CELLS_FOR_ALL_BOOTSTRAPS = 400_000
"""Beyond 400,000 scores fewer bootstraps are drawn: there is much to average over already."""


def fit_jointly(problem: MultilabelProblem, spec: FitSpec) -> tuple[Floats, int]:
    """Return the offsets (L,) of the estimate, and how many steps or sweeps they took.

    Labels that all samples carry, or none, keep an offset of zero.
    """
    if spec.estimate not in {"robust", "empirical", "plugin"}:
        raise ValueError(
            f"estimate={spec.estimate!r} does not support {problem.metric.name}, which ties labels together"
        )
    if not problem.tunable:
        return np.zeros(problem.n_labels), 0
    return _fit_mean(problem, spec) if problem.metric.decomposition == "rows" else _fit_ratio(problem, spec)


def _fit_ratio(problem: MultilabelProblem, spec: FitSpec) -> tuple[Floats, int]:
    """Return the offsets (L,), and the steps of the parametric search."""
    ratio, tunable = cast(MicroRatio, problem.metric).ratio, problem.tunable
    counts = problem.count(problem.decide(np.zeros(problem.n_labels)))
    left = np.setdiff1d(np.arange(problem.n_labels), tunable)
    kept = ratio.fraction(*(sums[left] for sums in (counts.hits, counts.predicted, counts.support)))
    fixed = float(kept[0].sum()), float(kept[1].sum())

    def solved(labels: Sequence[Problem]) -> BestRatio:
        return best_ratio([ratio_sweep(label, ratio) for label in labels], fixed=fixed)

    def with_zeros(offsets: Floats) -> Floats:
        every = np.zeros(problem.n_labels)
        every[tunable] = offsets
        return every

    hard = [problem.label(j) for j in tunable]
    if spec.estimate == "empirical":
        found = solved(hard)
        return with_zeros(found.offsets), found.n_iter
    soft = list(spec.run(partial(_SoftLabel.of, label) for label in hard))
    found = solved([label.calibrated for label in soft])
    if spec.estimate == "plugin":
        return with_zeros(found.offsets), found.n_iter
    # With one seed a sample has the same weight for all labels.
    bootstraps = zip(*(label.reweighted(count=spec.n_bootstraps, seed=spec.seed) for label in soft), strict=True)
    drawn = spec.run(partial(solved, labels) for labels in bootstraps)
    median = np.median([each.offsets for each in drawn], axis=0)
    return with_zeros((found.offsets + median) / 2), found.n_iter


@dataclass(frozen=True, eq=False)
class _SoftLabel:
    """One label, its samples merged where they are many: `calibrated`, and `mixed` half with the labels."""

    sample: MergedProblem
    calibrated: Problem
    mixed: Problem

    @classmethod
    def of(cls, problem: Problem) -> "_SoftLabel":
        """Calibrate a label."""
        sample = condensed(problem)
        shares = calibrated_shares(sample)
        mixed = (shares + (sample.truth.codes == np.arange(2)[:, None])) / 2
        soft = (Truth.from_shares(part, weights=sample.truth.weights) for part in (shares, mixed))
        return cls(sample, *map(sample.problem.with_truth, soft))

    def reweighted(self, *, count: int, seed: int) -> Iterator[Problem]:
        """Yield the half-soft label under random weights."""
        truth = cast(SoftTruth, self.mixed.truth)
        for weights in bootstrap_weights(self.sample, count=count, seed=seed):
            yield self.mixed.with_truth(truth.weighted(weights))


def _fit_mean(problem: MultilabelProblem, spec: FitSpec) -> tuple[Floats, int]:
    """Return the offsets (L,), and the sweeps of the ascent that won."""
    samples = _Samples(problem)
    hard = problem.present.astype(np.float64)
    if spec.estimate == "empirical":
        best = samples.search(hard).best(samples.starts(hard))
        return best.offsets, best.n_sweeps
    soft = samples.calibrated(spec.run)
    plug = samples.search(soft).best(samples.starts(soft))
    if spec.estimate == "plugin":
        return plug.offsets, plug.n_sweeps
    mixed, rng = samples.search((soft + hard) / 2), np.random.default_rng(spec.seed)
    count = max(2, min(spec.n_bootstraps, spec.n_bootstraps * _CELLS_FOR_ALL_BOOTSTRAPS // hard.size))
    drawn: list[Ascent] = spec.run(
        partial(replace(mixed, weights=samples.bootstrap_weights(rng)).ascend, plug.offsets) for _ in range(count)
    )
    median = np.median([each.offsets for each in drawn], axis=0)
    return (plug.offsets + median) / 2, plug.n_sweeps


@dataclass(frozen=True, eq=False)
class _Samples:
    """A problem whose metric is a mean over samples."""

    problem: MultilabelProblem

    @cached_property
    def labels(self) -> list[Problem]:
        """The labels that can be tuned, as binary problems."""
        return [self.problem.label(j) for j in self.problem.tunable]

    @cached_property
    def _plain(self) -> RowSearch:
        problem, metric = self.problem, cast(SamplesMean, self.problem.metric)
        sorted_sweeps = dict(zip(problem.tunable, map(sample_sweep, self.labels), strict=True))
        shares, log_odds, weights = problem.present.astype(np.float64), problem.log_odds, problem.weights
        if problem.known is not None:
            sorted_sweeps = {
                j: replace(sorted_sweep, samples=np.flatnonzero(problem.known[:, j])[sorted_sweep.samples])
                for j, sorted_sweep in sorted_sweeps.items()
            }
            log_odds = np.where(problem.known, log_odds, -np.inf)  # no offset makes a label present that is not known
            judged = metric.judged(problem.indicator, problem.known)
            weights = judged if weights is None else judged * weights
        return RowSearch(metric, log_odds, shares, weights, sorted_sweeps)

    def search(self, shares: Floats) -> RowSearch:
        """Return the search for labels that are as soft as `shares` (n, L)."""
        return replace(self._plain, shares=shares)

    def calibrated(self, run: Run) -> Floats:
        """Return the calibrated probability (n, L) of each label; labels that cannot be tuned are as they are."""
        shares = self.problem.present.astype(np.float64)
        found = run(partial(calibrated_shares, MergedProblem(label, None)) for label in self.labels)
        for j, of_both in zip(self.problem.tunable, found, strict=True):
            shares[self.problem.samples(j), j] = of_both[1]
        return shares

    def bootstrap_weights(self, rng: np.random.Generator) -> Floats:
        """Return the weights (n,) of a Bayesian bootstrap of the samples, or of groups of them."""
        groups = self.problem.groups
        if groups is None:
            weights = rng.exponential(size=len(self.problem.log_odds))
        else:
            weights = rng.exponential(size=int(groups.max()) + 1)[groups]
        return weights if self._plain.weights is None else weights * self._plain.weights

    def starts(self, shares: Floats) -> Sequence[Floats]:
        """Return no offsets, those of the ratio of sums, those of each label's own ratio, and the middle of the two."""
        problem, ratio = self.problem, cast(SamplesMean, self.problem.metric).ratio
        owned = (shares[problem.samples(j), j] for j in problem.tunable)
        soft = (
            label.with_truth(Truth.from_shares(np.stack([1 - own, own]), weights=label.truth.weights))
            for label, own in zip(self.labels, owned, strict=True)
        )
        sorted_sweeps = [ratio_sweep(label, ratio) for label in soft]
        none, together, alone = np.zeros((3, problem.n_labels))
        together[problem.tunable] = best_ratio(sorted_sweeps).offsets
        alone[problem.tunable] = [best_ratio([sorted_sweep]).offsets[0] for sorted_sweep in sorted_sweeps]
        return none, together, alone, (together + alone) / 2
