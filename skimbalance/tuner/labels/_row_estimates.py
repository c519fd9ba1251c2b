"""A mean over rows, for the rows at hand and for new ones."""

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
from skimbalance.tuner.labels._walks import ratio_walk, row_walk

__all__ = ["fit_rows"]

_CELLS_FOR_ALL_BOOTSTRAPS = 400_000
"""Where there is much to average over already, fewer bootstraps do."""


def fit_rows(
    problem: MultilabelProblem, *, estimate: str, n_bootstraps: int, seed: int, run: Run
) -> tuple[Floats, int]:
    """Return the offsets (L,) that `estimate` names, and the sweeps of the ascent that won."""
    rows = _Rows(problem)
    hard = problem.present.astype(np.float64)
    if estimate == "empirical":
        best = rows.search(hard).best(rows.starts(hard))
        return best.offsets, best.n_sweeps
    soft = rows.calibrated(run)
    plug = rows.search(soft).best(rows.starts(soft))
    if estimate == "plugin":
        return plug.offsets, plug.n_sweeps
    mixed, rng = rows.search((soft + hard) / 2), np.random.default_rng(seed)
    count = max(2, min(n_bootstraps, n_bootstraps * _CELLS_FOR_ALL_BOOTSTRAPS // hard.size))
    drawn: list[Ascent] = run(
        partial(replace(mixed, weights=rows.redrawn(rng)).ascend, plug.offsets) for _ in range(count)
    )
    median = np.median([each.offsets for each in drawn], axis=0)
    return (plug.offsets + median) / 2, plug.n_sweeps


@dataclass(frozen=True, eq=False)
class _Rows:
    """A problem whose metric is a mean over rows."""

    problem: MultilabelProblem

    @cached_property
    def labels(self) -> list[Problem]:
        """The labels that can be tuned, as two classes."""
        return [self.problem.label(j) for j in self.problem.tunable]

    @cached_property
    def _plain(self) -> RowSearch:
        problem, metric = self.problem, cast(SamplesMean, self.problem.metric)
        walks = dict(zip(problem.tunable, map(row_walk, self.labels), strict=True))
        shares, log_odds, weights = problem.present.astype(np.float64), problem.log_odds, problem.weights
        if problem.known is not None:
            walks = {j: replace(walk, rows=np.flatnonzero(problem.known[:, j])[walk.rows]) for j, walk in walks.items()}
            log_odds = np.where(problem.known, log_odds, -np.inf)  # no offset makes a label present that is not known
            judged = metric.judged(problem.indicator, problem.known)
            weights = judged if weights is None else judged * weights
        return RowSearch(metric, log_odds, shares, weights, walks)

    def search(self, shares: Floats) -> RowSearch:
        """Return the search for labels that are as soft as `shares` (n, L)."""
        return replace(self._plain, shares=shares)

    def calibrated(self, run: Run) -> Floats:
        """Return the calibrated probability (n, L) of each label; labels that cannot be tuned are as they are."""
        shares = self.problem.present.astype(np.float64)
        found = run(partial(calibrated_shares, Sample(label, None)) for label in self.labels)
        for j, of_both in zip(self.problem.tunable, found, strict=True):
            shares[self.problem.rows(j), j] = of_both[1]
        return shares

    def redrawn(self, rng: np.random.Generator) -> Floats:
        """Return the weights (n,) of a Bayesian bootstrap of the rows, or of groups of them."""
        groups = self.problem.groups
        if groups is None:
            weights = rng.exponential(size=len(self.problem.log_odds))
        else:
            weights = rng.exponential(size=int(groups.max()) + 1)[groups]
        return weights if self._plain.weights is None else weights * self._plain.weights

    def starts(self, shares: Floats) -> Sequence[Floats]:
        """Return no offsets, those of the ratio of sums, those of each label's own ratio, and the middle of the two."""
        problem, ratio = self.problem, cast(SamplesMean, self.problem.metric).ratio
        owned = (shares[problem.rows(j), j] for j in problem.tunable)
        soft = (
            label.with_truth(Truth.from_shares(np.stack([1 - own, own]), weights=label.truth.weights))
            for label, own in zip(self.labels, owned, strict=True)
        )
        walks = [ratio_walk(label, ratio) for label in soft]
        none, together, alone = np.zeros((3, problem.n_labels))
        together[problem.tunable] = best_ratio(walks).offsets
        alone[problem.tunable] = [best_ratio([walk]).offsets[0] for walk in walks]
        return none, together, alone, (together + alone) / 2
