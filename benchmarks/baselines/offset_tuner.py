"""OffsetTuner of this package, with each of its estimates, and with the method of the paper behind it."""

from typing import Any, ClassVar

import numpy as np

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba, ScoreEstimate

__all__ = ["BiasAdjustment", "OffsetTuner", "OffsetTunerEmpirical", "OffsetTunerPlugin", "OffsetTunerRobust"]


class OffsetTuner(Baseline):
    """`OffsetTuner` with these parameters, otherwise the defaults."""

    distribution = "skimbalance"
    parameters: ClassVar[dict[str, Any]]

    def version(self) -> str:
        """Return the version of the source, since it may not be installed."""
        from skimbalance import __version__

        return __version__

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune offsets."""
        import skimbalance

        classes = np.arange(2 if proba.ndim == 1 else proba.shape[1])
        tuner = skimbalance.OffsetTuner(objective, **self.parameters).fit(proba, y, classes=classes)
        estimate = None
        if hasattr(tuner, "score_interval_"):
            low, high = tuner.score_interval_
            estimate = ScoreEstimate(float(tuner.score_), float(low), float(high))
        return Fitted(tuner.predict, estimate=estimate)


class OffsetTunerRobust(OffsetTuner):
    """The default: offsets for the expected score on unseen data, which it also estimates."""

    name = "skimbalance (default)"
    parameters: ClassVar = {"estimate": "robust"}


class OffsetTunerPlugin(OffsetTuner):
    """The best offsets for calibrated soft labels, in a single search."""

    name = 'skimbalance, estimate="plugin"'
    parameters: ClassVar = {"estimate": "plugin", "confidence_level": None}


class OffsetTunerEmpirical(OffsetTuner):
    """The best offsets on the tuning samples: the exact optimum for binary problems, coordinate ascent for others."""

    name = 'skimbalance, estimate="empirical" (in-sample optimum)'
    parameters: ClassVar = {"estimate": "empirical", "confidence_level": None}


class BiasAdjustment(OffsetTuner):
    """The best of 45 imbalance states on the tuning samples; for multiclass problems, an extension by this project."""

    name = "Bias Adjustment (Regulating, as published)"
    parameters: ClassVar = {"solver": "imbalance_state", "estimate": "empirical", "confidence_level": None}
