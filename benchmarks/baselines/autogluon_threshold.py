"""AutoGluon's rule for the decision threshold of a binary problem."""

from functools import partial
from typing import Any

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba
from benchmarks.baselines._metrics import value_of

__all__ = ["AutogluonThreshold"]


class AutogluonThreshold(Baseline):
    """`calibrate_decision_threshold` with its defaults: a grid of 51 thresholds, then 19 on each side of the best."""

    name = "AutoGluon, calibrate_decision_threshold"
    distribution = "autogluon.core"

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Return why multiclass problems are not tried."""
        return None if proba.ndim == 1 else "binary only"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune the threshold; decisions are class 1 above it, as in AutoGluon."""
        from autogluon.core.calibrate import calibrate_decision_threshold
        from autogluon.core.utils import get_pred_from_proba

        threshold = calibrate_decision_threshold(y, proba, partial(_value, objective), verbose=False)
        return Fitted(lambda new: get_pred_from_proba(new, decision_threshold=threshold), f"threshold {threshold:.4f}")


def _value(objective: str, y: Any, decisions: Any) -> float:
    return value_of(objective, y, decisions, n_classes=2)
