"""Offsets of metrics that tie labels together: a ratio of sums over them, or a mean over samples.

As for two classes, what holds on new samples is the mean of two optima: that of calibrated soft labels, and the median
over Bayesian bootstraps of labels half soft.
"""

import numpy as np

from skimbalance._core.typing import Run
from skimbalance.tuner.labels._labels import Floats
from skimbalance.tuner.labels._problem import MultilabelProblem
from skimbalance.tuner.labels._ratio_estimates import fit_ratio
from skimbalance.tuner.labels._row_estimates import fit_samples

__all__ = ["fit_jointly"]


def fit_jointly(
    problem: MultilabelProblem, *, estimate: str, n_bootstraps: int, seed: int, run: Run
) -> tuple[Floats, int]:
    """Return the offsets (L,) that `estimate` names, and how many steps or sweeps they took.

    Labels that all samples carry, or none, keep zero.
    """
    if not problem.tunable:
        return np.zeros(problem.n_labels), 0
    fit = fit_samples if problem.metric.decomposition == "rows" else fit_ratio
    return fit(problem, estimate=estimate, n_bootstraps=n_bootstraps, seed=seed, run=run)
