"""By how much a bound must be exceeded on the samples at hand to hold on new ones."""

from typing import cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision import decide
from skimbalance.estimation._cross_fit import width_of
from skimbalance.estimation._redraw import posterior_predictive
from skimbalance.metrics.base import Metric
from skimbalance.metrics.counts import HardTruth
from skimbalance.solvers import Problem, Solution

__all__ = ["margins"]


def margins(
    problem: Problem, solution: Solution, metric: Metric, *, confidence: float, seed: int
) -> npt.NDArray[np.float64]:
    """Return how far below and how far above what these decisions achieve as many new samples stay with
    `confidence`.
    """
    truth = cast(HardTruth, problem.truth)
    decided = to_numpy(decide(problem.scores, solution.offsets)).astype(np.int64)
    drawn = posterior_predictive(
        to_numpy(truth.codes).astype(np.int64),
        None if truth.weights is None else to_numpy(truth.weights),
        [decided],
        groups=problem.groups,
        class_order=problem.class_order,
        confusion=metric.needs_confusion,
        seed=seed,
        anew=True,
        tail=1 - confidence,
    )
    values = [metric.value(counts) for (counts,) in drawn]
    low, middle, high = np.quantile(values, [1 - confidence, 0.5, confidence])
    widths: npt.NDArray[np.float64] = width_of(problem.groups) * np.array([middle - low, high - middle])
    return widths
