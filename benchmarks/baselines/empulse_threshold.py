"""empulse's CSThresholdClassifier with the costs of balanced accuracy."""

import numpy as np

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba
from benchmarks.baselines._stored import StoredScores

__all__ = ["EmpulseThreshold"]


class EmpulseThreshold(Baseline):
    """`CSThresholdClassifier` with its default calibration; an error costs the inverse of its class's frequency.

    It optimises costs. Of our objectives balanced accuracy alone is a mean cost.
    """

    name = "empulse CSThresholdClassifier"
    distribution = "empulse"

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Return why metrics that are no mean cost, and multiclass problems, are not tried."""
        if proba.ndim > 1:
            return "binary only"
        return None if objective == "balanced_accuracy" else "costs only"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Calibrate, and set the threshold by the costs."""
        from empulse.models import CSThresholdClassifier

        costs = {"fn_cost": 1 / y.mean(), "fp_cost": 1 / (1 - y.mean())}
        model = CSThresholdClassifier(StoredScores(), random_state=0).fit(proba[:, None], y, **costs)
        return Fitted(lambda new: np.asarray(model.predict(new[:, None], **costs), dtype=np.int64))
