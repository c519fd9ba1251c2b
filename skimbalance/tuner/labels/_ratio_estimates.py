"""A ratio of sums over labels, for the samples at hand and for new ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np

from skimbalance._core.typing import Run
from skimbalance.estimation._bootstrap import bootstrap_weights
from skimbalance.estimation._calibration import calibrated_shares
from skimbalance.estimation._condense import Sample, condensed
from skimbalance.metrics.counts import SoftTruth, Truth
from skimbalance.solvers import Problem
from skimbalance.tuner.labels._labels import Floats
from skimbalance.tuner.labels._metrics import MicroRatio
from skimbalance.tuner.labels._micro import BestRatio, best_ratio
from skimbalance.tuner.labels._problem import MultilabelProblem
from skimbalance.tuner.labels._walks import ratio_sweep

__all__ = ["fit_ratio"]


def fit_ratio(
    problem: MultilabelProblem, *, estimate: str, n_bootstraps: int, seed: int, run: Run
) -> tuple[Floats, int]:
    """Return the offsets (L,) that `estimate` names, and the steps of the parametric search."""
    found = _found(problem, estimate=estimate, n_bootstraps=n_bootstraps, seed=seed, run=run)
    offsets = np.zeros(problem.n_labels)
    offsets[problem.tunable] = found.offsets
    return offsets, found.n_iter


def _found(problem: MultilabelProblem, *, estimate: str, n_bootstraps: int, seed: int, run: Run) -> BestRatio:
    ratio, fixed = cast(MicroRatio, problem.metric).ratio, _fixed(problem)

    def solved(labels: Sequence[Problem]) -> BestRatio:
        return best_ratio([ratio_sweep(label, ratio) for label in labels], fixed=fixed)

    hard = [problem.label(j) for j in problem.tunable]
    if estimate == "empirical":
        return solved(hard)
    soft = list(run(partial(_SoftLabel.of, label) for label in hard))
    plug = solved([label.calibrated for label in soft])
    if estimate == "plugin":
        return plug
    drawn = run(partial(solved, labels) for labels in _bootstraps(soft, count=n_bootstraps, seed=seed))
    median = np.median([each.offsets for each in drawn], axis=0)
    return plug._replace(offsets=(plug.offsets + median) / 2)


def _fixed(problem: MultilabelProblem) -> tuple[float, float]:
    """Return what the labels that keep zero add to numerator and denominator."""
    counts = problem.count(problem.decide(np.zeros(problem.n_labels)))
    left = np.setdiff1d(np.arange(problem.n_labels), problem.tunable)
    parts = cast(MicroRatio, problem.metric).ratio.fraction(
        *(x[left] for x in (counts.hits, counts.predicted, counts.support))
    )
    return float(parts[0].sum()), float(parts[1].sum())


@dataclass(frozen=True, eq=False)
class _SoftLabel:
    """One label, its samples merged where they are many: `calibrated`, and `mixed` half with the label of each
    sample.
    """

    sample: Sample
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

    def posterior_predictive(self, *, count: int, seed: int) -> Iterator[Problem]:
        """Yield the half-soft label under random weights."""
        truth = cast(SoftTruth, self.mixed.truth)
        for weights in bootstrap_weights(self.sample, count=count, seed=seed):
            yield self.mixed.with_truth(truth.weighted(weights))


def _bootstraps(labels: Sequence[_SoftLabel], *, count: int, seed: int) -> Iterator[Sequence[Problem]]:
    """Yield all labels under random weights; with one seed samples weigh alike for all of them."""
    return zip(*(label.posterior_predictive(count=count, seed=seed) for label in labels), strict=True)
