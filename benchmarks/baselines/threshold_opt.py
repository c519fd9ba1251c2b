"""threshold-opt: a grid of thresholds for binary problems, random search for multiclass ones."""

from functools import partial
from typing import Any

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba
from benchmarks.baselines._metrics import value_of
from benchmarks.baselines._stored import StoredScores

__all__ = ["ThresholdOpt"]

_KEYS = {
    "f1": "f1",
    "geometric_mean": "gmean",
    "balanced_accuracy": "balanced_accuracy",
    "matthews_corrcoef": "mcc",
}
"""Names of the binary metrics that it computes for all thresholds at once."""


class ThresholdOpt(Baseline):
    """`EmpiricalThreshold`, or `ThresholdRatioMulticlass` with 100 random vectors of thresholds; both with defaults."""

    name = "threshold_opt"
    distribution = "threshold-opt"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune the threshold, or thresholds by which probabilities are divided."""
        from threshold_opt.binary_strategies import EmpiricalThreshold
        from threshold_opt.metrics import MetricObjective
        from threshold_opt.multiclass_strategies import ThresholdRatioMulticlass

        n_classes = 2 if proba.ndim == 1 else proba.shape[1]
        model = StoredScores(n_classes).fit(None, None)
        value = partial(_value, objective, n_classes)
        if n_classes == 2:
            strategy, metric = EmpiricalThreshold(model), MetricObjective(value, True, _KEYS.get(objective))
        else:
            strategy, metric = ThresholdRatioMulticlass(model), MetricObjective(value, True)
        strategy.fit(_features(proba), y, metric)
        return Fitted(lambda new: strategy.predict(_features(new)))


def _value(objective: str, n_classes: int, y: Any, decisions: Any) -> float:
    return value_of(objective, y, decisions, n_classes=n_classes)


def _features(proba: Proba) -> Proba:
    return proba[:, None] if proba.ndim == 1 else proba
