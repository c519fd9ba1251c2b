"""A mean over samples, for the samples at hand and for new ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import cast

import numpy as np

from skimbalance._core.typing import Run
from skimbalance.estimation._calibration import calibrated_shares
from skimbalance.estimation._condense import Sample
from skimbalance.metrics.counts import Truth
from skimbalance.solvers import Problem
from skimbalance.tuner.labels._labels import Floats
from skimbalance.tuner.labels._metrics import SamplesMean
from skimbalance.tuner.labels._micro import best_ratio
from skimbalance.tuner.labels._problem import MultilabelProblem
from skimbalance.tuner.labels._rows import Ascent, RowSearch
from skimbalance.tuner.labels._walks import ratio_sweep, sample_sweep

__all__ = ["fit_samples"]

_CELLS_FOR_ALL_BOOTSTRAPS = 400_000
"""Where there is much to average over already, fewer bootstraps do."""


def fit_samples(
    problem: MultilabelProblem, *, estimate: str, n_bootstraps: int, seed: int, run: Run
) -> tuple[Floats, int]:
    """Return the offsets (L,) that `estimate` names, and the sweeps of the ascent that won."""
    samples = _Rows(problem)
    hard = problem.present.astype(np.float64)
    if estimate == "empirical":
        best = samples.search(hard).best(samples.starts(hard))
        return best.offsets, best.n_sweeps
    soft = samples.calibrated(run)
    plug = samples.search(soft).best(samples.starts(soft))
    if estimate == "plugin":
        return plug.offsets, plug.n_sweeps
    mixed, rng = samples.search((soft + hard) / 2), np.random.default_rng(seed)
    count = max(2, min(n_bootstraps, n_bootstraps * _CELLS_FOR_ALL_BOOTSTRAPS // hard.size))
    drawn: list[Ascent] = run(
        partial(replace(mixed, weights=samples.posterior_predictive(rng)).ascend, plug.offsets) for _ in range(count)
    )
    median = np.median([each.offsets for each in drawn], axis=0)
    return (plug.offsets + median) / 2, plug.n_sweeps


@dataclass(frozen=True, eq=False)
class _Rows:
    """A problem whose metric is a mean over samples."""

    problem: MultilabelProblem

    @cached_property
    def labels(self) -> list[Problem]:
        """The labels that can be tuned, as two classes."""
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
        found = run(partial(calibrated_shares, Sample(label, None)) for label in self.labels)
        for j, of_both in zip(self.problem.tunable, found, strict=True):
            shares[self.problem.samples(j), j] = of_both[1]
        return shares

    def posterior_predictive(self, rng: np.random.Generator) -> Floats:
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
