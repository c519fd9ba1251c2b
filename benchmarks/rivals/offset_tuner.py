"""The package itself, by each of its three ways to judge offsets."""

from typing import Any, ClassVar

import numpy as np

from rivals._base import Codes, Fitted, Proba, Promise, Rival

__all__ = ["OffsetTuner", "OffsetTunerEmpirical", "OffsetTunerPlugin", "OffsetTunerRobust"]


class OffsetTuner(Rival):
    """`OffsetTuner` as it comes, but for the parameters named."""

    distribution = "skimbalance"
    parameters: ClassVar[dict[str, Any]]

    def version(self) -> str:
        """Return the version of the source, which need not be installed."""
        from skimbalance import __version__

        return __version__

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune offsets."""
        import skimbalance

        classes = np.arange(2 if proba.ndim == 1 else proba.shape[1])
        tuner = skimbalance.OffsetTuner(objective, **self.parameters).fit(proba, y, classes=classes)
        promise = None
        if hasattr(tuner, "score_interval_"):
            low, high = tuner.score_interval_
            promise = Promise(float(tuner.score_), float(low), float(high))
        return Fitted(tuner.predict, promise=promise)


class OffsetTunerRobust(OffsetTuner):
    """The default: offsets chosen for the score on new rows, which it also foretells."""

    name = "skimbalance (default)"
    parameters: ClassVar = {"estimate": "robust"}


class OffsetTunerPlugin(OffsetTuner):
    """The best offsets for calibrated soft labels, in a single search."""

    name = 'skimbalance, estimate="plugin"'
    parameters: ClassVar = {"estimate": "plugin", "confidence_level": None}


class OffsetTunerEmpirical(OffsetTuner):
    """The best offsets on the tuning rows: exactly so for two classes, by exact line searches for more."""

    name = 'skimbalance, estimate="empirical" (in-sample optimum)'
    parameters: ClassVar = {"estimate": "empirical", "confidence_level": None}
