"""Estimates of offsets that the metric ties together: a ratio of sums over labels, or a mean over samples.

The robust estimate is the mean of two optima. One is that of calibrated soft labels, the other the median over Bayesian
bootstraps of half-soft labels. Unlike that of one label or of classes, it keeps the noise of the bootstraps.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import cast

import numpy as np

from skimbalance._core.typing import Array
from skimbalance.estimation import FitSpec
from skimbalance.estimation._calibration import calibrated_shares
from skimbalance.estimation._condense import MergedProblem, condensed
from skimbalance.estimation._estimate import bootstrap_weights
from skimbalance.metrics.counts import SoftTruth, Truth
from skimbalance.metrics.overlap import Overlap
from skimbalance.solvers import Problem, satisfy_shares, solve
from skimbalance.tuner.labels._metrics import MicroRatio, SamplesMean
from skimbalance.tuner.labels._problem import MultilabelProblem
from skimbalance.tuner.labels._solve import Ascent, BestRatio, MeanSearch, best_ratio, ratio_sweep, sample_sweep
from skimbalance.tuner.labels._truth import Floats

__all__ = ["fit_jointly"]

_CELLS_FOR_ALL_BOOTSTRAPS = 400_000
"""Beyond 400,000 scores fewer bootstraps are drawn: there is much to average over already."""


@dataclass(frozen=True)
class _JointEstimate:
    """An estimate: whether labels are `soft`, and whether the median over bootstraps is averaged in."""

    soft: bool
    bootstraps: bool = False


_ESTIMATES = MappingProxyType(
    {
        "robust": _JointEstimate(soft=True, bootstraps=True),
        "empirical": _JointEstimate(soft=False),
        "plugin": _JointEstimate(soft=True),
    }
)
"""The estimates of labels that are fitted together, by name."""


def fit_jointly(problem: MultilabelProblem, spec: FitSpec, exactly: Set[int] = frozenset()) -> tuple[Floats, int]:
    """Return the offsets (L,) of the estimate, and how many steps or sweeps they took.

    Labels that all samples carry, or none, keep an offset of zero. Labels in `exactly` get the offset that comes
    nearest to their constraints on these samples.
    """
    if spec.estimate not in _ESTIMATES:
        raise ValueError(
            f"estimate={spec.estimate!r} does not support {problem.metric.name}, which ties labels together"
        )
    if not problem.tunable:
        return np.zeros(problem.n_labels), 0
    estimate = _ESTIMATES[spec.estimate]
    fit: _MeanFit | _RatioFit
    fit = _MeanFit(problem, spec) if problem.metric.decomposition == "samples" else _RatioFit(problem, spec)
    offsets, n_iter = fit.optimum(soft=estimate.soft)
    if estimate.bootstraps:
        offsets = (offsets + np.median(fit.bootstraps(offsets), axis=0)) / 2
    if estimate.soft:  # hard labels come as near to the constraints as possible by themselves
        for j in exactly & {*problem.tunable}:
            nearest = solve(problem.label(j), seed=spec.seed).offsets
            offsets[j] = nearest[1] - nearest[0]
    for j in problem.tunable:
        if any(required.metric.ignores_truth for required in problem.requirements[j]):
            label = problem.label(j)
            kept = satisfy_shares(label, label.solved(np.array([-offsets[j], offsets[j]]) / 2, n_iter=0)).offsets
            offsets[j] = kept[1] - kept[0]
    return offsets, n_iter


@dataclass(frozen=True, eq=False)
class _JointFit:
    """A fit with `optimum`, the best offsets for hard or soft labels, and `bootstraps`, those of half-soft labels."""

    problem: MultilabelProblem
    spec: FitSpec

    @cached_property
    def labels(self) -> list[Problem]:
        """The labels that can be tuned, as binary problems."""
        return [self.problem.label(j) for j in self.problem.tunable]


class _RatioFit(_JointFit):
    """Fit a ratio of sums over labels; the search needs no start."""

    def optimum(self, *, soft: bool) -> tuple[Floats, int]:
        labels = [_soften(*each) for each in self._calibrated] if soft else self.labels
        found = self._solved(labels)
        return self._with_zeros(found), found.n_iter

    def bootstraps(self, _: Floats) -> list[Floats]:
        each = zip(*(self._reweighted(*label) for label in self._calibrated), strict=True)
        jobs = (partial(self._solved, labels) for labels in each)
        found = self.spec.run_steps(jobs, name="bootstrap", total=self.spec.n_bootstraps)
        return [self._with_zeros(drawn) for drawn in found]

    @cached_property
    def _calibrated(self) -> list[tuple[MergedProblem, Array]]:
        return list(self.spec.run(partial(_calibrate, label) for label in self.labels))

    def _reweighted(self, sample: MergedProblem, shares: Array) -> Iterator[Problem]:
        """Yield a half-soft label under random weights. With one seed, samples have the same weight for all labels."""
        mixed = _soften(sample, (shares + (sample.truth.codes == np.arange(2)[:, None])) / 2)
        for weights in bootstrap_weights(sample, count=self.spec.n_bootstraps, seed=self.spec.seed):
            yield mixed.with_truth(cast(SoftTruth, mixed.truth).weighted(weights))

    @cached_property
    def _ratio(self) -> Overlap:
        return cast(MicroRatio, self.problem.metric).ratio

    @cached_property
    def _fixed(self) -> tuple[float, float]:
        """The numerator and the denominator of labels that cannot be tuned."""
        counts = self.problem.truth.count(self.problem.decide(np.zeros(self.problem.n_labels)))
        left = np.setdiff1d(np.arange(self.problem.n_labels), self.problem.tunable)
        kept = self._ratio.fraction(*(sums[left] for sums in (counts.hits, counts.predicted, counts.support)))
        return float(kept[0].sum()), float(kept[1].sum())

    def _solved(self, labels: Sequence[Problem]) -> BestRatio:
        return best_ratio([ratio_sweep(label, self._ratio) for label in labels], fixed=self._fixed)

    def _with_zeros(self, found: BestRatio) -> Floats:
        offsets = np.zeros(self.problem.n_labels)
        offsets[self.problem.tunable] = found.offsets
        return offsets


def _calibrate(label: Problem) -> tuple[MergedProblem, Array]:
    """Merge the samples of a label if they are many, and return them with calibrated probabilities (2, n)."""
    sample = condensed(label)
    return sample, calibrated_shares(sample)


def _soften(sample: MergedProblem, shares: Array) -> Problem:
    return sample.problem.with_truth(Truth.from_shares(shares, weights=sample.truth.weights))


class _MeanFit(_JointFit):
    """Fit a mean over samples by ascents."""

    def optimum(self, *, soft: bool) -> tuple[Floats, int]:
        shares = self._soft if soft else self._hard
        best = replace(self._search, shares=shares).best(self._starts(shares))
        return best.offsets, best.n_sweeps

    def bootstraps(self, start: Floats) -> list[Floats]:
        spec, rng = self.spec, np.random.default_rng(self.spec.seed)
        mixed = replace(self._search, shares=(self._soft + self._hard) / 2)
        count = max(2, min(spec.n_bootstraps, spec.n_bootstraps * _CELLS_FOR_ALL_BOOTSTRAPS // mixed.shares.size))
        jobs = (partial(replace(mixed, weights=self._bootstrap_weights(rng)).ascend, start) for _ in range(count))
        drawn: list[Ascent] = spec.run_steps(jobs, name="bootstrap", total=count)
        return [each.offsets for each in drawn]

    @cached_property
    def _hard(self) -> Floats:
        return self.problem.truth.present.astype(np.float64)

    @cached_property
    def _soft(self) -> Floats:
        """The calibrated probability (n, L) of each label; labels that cannot be tuned are as they are."""
        shares = self._hard.copy()
        found = self.spec.run(partial(calibrated_shares, MergedProblem(label, None)) for label in self.labels)
        for j, of_both in zip(self.problem.tunable, found, strict=True):
            shares[self.problem.samples(j), j] = of_both[1]
        return shares

    @cached_property
    def _search(self) -> MeanSearch:
        """The search for hard labels."""
        problem, metric = self.problem, cast(SamplesMean, self.problem.metric)
        log_odds, known = problem.log_odds, problem.truth.known
        sorted_sweeps = dict(zip(problem.tunable, map(sample_sweep, self.labels), strict=True))
        if known is not None:
            sorted_sweeps = {
                j: replace(sweep, samples=np.flatnonzero(known[:, j])[sweep.samples])
                for j, sweep in sorted_sweeps.items()
            }
            log_odds = np.where(known, log_odds, -np.inf)  # no offset makes a label present that is not known
        return MeanSearch(metric, log_odds, self._hard, metric.sample_weights(problem.truth), sorted_sweeps)

    def _bootstrap_weights(self, rng: np.random.Generator) -> Floats:
        """Return the weights (n,) of a Bayesian bootstrap of the samples, or of groups of them."""
        groups, own = self.problem.groups, self._search.weights
        n_drawn = len(self._hard) if groups is None else int(groups.max()) + 1
        weights = rng.exponential(size=n_drawn)
        weights = weights if groups is None else weights[groups]
        return weights if own is None else weights * own

    def _starts(self, shares: Floats) -> Sequence[Floats]:
        """Return no offsets, those of the ratio of sums, those of each label's own ratio, and the middle of the two."""
        problem, ratio = self.problem, cast(SamplesMean, self.problem.metric).ratio
        sorted_sweeps = []
        for j, label in zip(problem.tunable, self.labels, strict=True):
            own = shares[problem.samples(j), j]
            soft = _soften(MergedProblem(label, None), np.stack([1 - own, own]))
            sorted_sweeps.append(ratio_sweep(soft, ratio))
        none, together, alone = np.zeros((3, problem.n_labels))
        together[problem.tunable] = best_ratio(sorted_sweeps).offsets
        alone[problem.tunable] = [best_ratio([sweep]).offsets[0] for sweep in sorted_sweeps]
        return none, together, alone, (together + alone) / 2
