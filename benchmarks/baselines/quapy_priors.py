"""QuaPy's estimates of the class priors of samples without labels."""

from importlib.metadata import version
from typing import Any, ClassVar

import numpy as np

from benchmarks.baselines._base import Codes, Proba
from benchmarks.baselines._stored import StoredScores

__all__ = ["QuapyEm", "QuapyEmCalibrated", "QuapyKde", "QuapyPrior"]


class QuapyPrior:
    """A quantifier on stored probabilities, with its defaults."""

    name: ClassVar[str]
    distribution: ClassVar[str] = "quapy"

    def version(self) -> str:
        """Return the installed version."""
        return version(self.distribution)

    def estimate(self, proba: Proba, y: Codes, new: Proba) -> Proba:
        """Return the class priors (K,) of the samples `new` (n, K), from labelled samples (m, K)."""
        quantifier = self._quantifier(StoredScores(proba.shape[1]))
        quantifier.fit(proba, y)
        return np.asarray(quantifier.predict(new), dtype=np.float64)

    def _quantifier(self, model: StoredScores) -> Any:
        raise NotImplementedError


class QuapyEm(QuapyPrior):
    """Expectation maximisation on the probabilities as they are."""

    name = "EMQ"

    def _quantifier(self, model: StoredScores) -> Any:
        from quapy.method.aggregative import EMQ

        return EMQ(model.fit(None, None), fit_classifier=False)


class QuapyEmCalibrated(QuapyPrior):
    """Expectation maximisation after bias-corrected temperature scaling."""

    name = "EMQ-BCTS"

    def _quantifier(self, model: StoredScores) -> Any:
        from quapy.method.aggregative import EMQ

        return EMQ.EMQ_BCTS(
            model, on_calib_error="backup"
        )  # its folds refit the stored scores, which needs no training


class QuapyKde(QuapyPrior):
    """Maximum likelihood over kernel densities of each class."""

    name = "KDEyML"

    def _quantifier(self, model: StoredScores) -> Any:
        from quapy.method.aggregative import KDEyML

        return KDEyML(model.fit(None, None), fit_classifier=False, val_split=None)
