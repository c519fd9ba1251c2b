"""TabPFN's rule for the decision thresholds of all classes."""

import warnings

import numpy as np

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba, two_columns

__all__ = ["TabpfnThresholds"]

_METRICS = {"f1": "f1", "f1_macro": "f1", "balanced_accuracy": "balanced_accuracy"}
"""Its metrics of one class against the rest; for macro-F1 that is the F1 of each class."""

_LEAST = 1e-8
"""Its classifier divides by at least this."""


class TabpfnThresholds(Baseline):
    """`find_optimal_classification_thresholds`: 198 thresholds of each class; probabilities are divided by them."""

    name = "TabPFN, tune_decision_thresholds"
    distribution = "tabpfn"

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Return why metrics that it does not name are not tried."""
        return None if objective in _METRICS else "F1 and balanced accuracy only"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune a threshold of each class against the rest; the largest quotient decides, as in its classifier."""
        from tabpfn.inference_tuning import find_optimal_classification_thresholds

        both = two_columns(proba)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = find_optimal_classification_thresholds(_METRICS[objective], y, both, both.shape[1])
        thresholds = np.maximum(found, _LEAST)
        return Fitted(lambda new: (two_columns(new) / thresholds).argmax(1))
