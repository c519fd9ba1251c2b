"""Fairlearn's ThresholdOptimizer with all samples in one group."""

import numpy as np

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba
from benchmarks.baselines._stored import StoredScores

__all__ = ["FairlearnThreshold"]


class FairlearnThreshold(Baseline):
    """`ThresholdOptimizer` for balanced accuracy; with one group its constraint is always satisfied.

    Its grid has 1,000 values of the constrained rate, here the false positive rate. Between two thresholds it draws one
    for each sample; the seed is fixed.
    """

    name = "Fairlearn ThresholdOptimizer, one group"
    distribution = "fairlearn"

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Return why other metrics than balanced accuracy, and multiclass problems, are not tried."""
        if proba.ndim > 1:
            return "binary only"
        return None if objective == "balanced_accuracy" else "of these metrics balanced accuracy only"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune the threshold."""
        from fairlearn.postprocessing import ThresholdOptimizer

        optimizer = ThresholdOptimizer(
            estimator=StoredScores().fit(None, None),
            constraints="false_positive_rate_parity",
            objective="balanced_accuracy_score",
            prefit=True,
            predict_method="predict_proba",
        )
        optimizer.fit(proba[:, None], y, sensitive_features=np.zeros(len(y)))

        def decide(new: Proba) -> Codes:
            decisions = optimizer.predict(new[:, None], sensitive_features=np.zeros(len(new)), random_state=0)
            return np.asarray(decisions, dtype=np.int64)

        return Fitted(decide)
