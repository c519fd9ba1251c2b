"""Decisions for samples whose costs are known when they are predicted."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, namespace, to_numpy
from skimbalance._core.typing import Array
from skimbalance.estimation._calibration import Calibration
from skimbalance.estimation._condense import condensed
from skimbalance.solvers import Problem

__all__ = ["CostRule"]


@dataclass(frozen=True, eq=False)
class CostRule:
    """Predict the class with the lowest expected cost under calibrated probabilities (Elkan, 2001).

    `present` are the codes of the classes with samples, for which probabilities are calibrated. The probability of the
    others is zero.
    """

    calibration: Calibration
    present: npt.NDArray[np.int64]

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """Calibrate the scores of a problem."""
        present = np.flatnonzero(to_numpy(problem.truth.support) > 0)
        if len(present) < problem.n_classes:
            problem = problem.restricted(present.tolist())
        without = problem.with_truth(replace(problem.truth, cost_matrix=None))  # so that many samples are merged
        return cls(Calibration.of(condensed(without)), present)

    def decide(self, scores: Array, cost_matrix: Array) -> Array:
        """Return the codes (n,) for log-scores (n, K) and costs (n, K, K)."""
        xp = namespace(scores)
        present = xp.take(scores, bring(self.present, to=scores, dtype=xp.int64), axis=1)
        shares = self.calibration.shares(present, exact=True)
        each = (
            xp.astype(shares[place, :], cost_matrix.dtype)[:, None] * cost_matrix[:, c, :]
            for place, c in enumerate(self.present.tolist())
        )
        return xp.argmin(sum(each), axis=1)
