"""GHOST, the method of Esposito et al. (J. Chem. Inf. Model. 61, 2623, 2021), from its published description."""

import numpy as np
import numpy.typing as npt

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba

__all__ = ["Ghost"]

_THRESHOLDS = np.arange(1, 11) / 20
_SUBSETS = 100
_SHARE = 0.2


class Ghost(Baseline):
    """The threshold of 0.05, 0.10, ..., 0.50 with the best median kappa over 100 stratified fifths of the samples.

    It tunes Cohen's kappa alone, so that the threshold is the same for all objectives.
    """

    name = "GHOST (tunes Cohen's kappa)"
    distribution = "scikit-learn"

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Return why multiclass problems are not tried."""
        return None if proba.ndim == 1 else "binary only"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Evaluate all thresholds on each subset."""
        from sklearn.model_selection import StratifiedShuffleSplit

        decisions = proba[:, None] >= _THRESHOLDS
        draws = StratifiedShuffleSplit(_SUBSETS, test_size=_SHARE, random_state=0).split(proba, y)
        kappas = [_kappa(y[subset], decisions[subset]) for _, subset in draws]
        threshold = _THRESHOLDS[np.median(kappas, axis=0).argmax()]
        return Fitted(lambda new: (new >= threshold).astype(np.int64), f"threshold {threshold:.2f}")


def _kappa(y: Codes, decisions: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return Cohen's kappa of each column of decisions; zero where the expected agreement is one."""
    n, support, predicted = len(y), y.sum(), decisions.sum(0)
    agreed = (decisions == (y == 1)[:, None]).mean(0)
    chance = (support * predicted + (n - support) * (n - predicted)) / n**2
    return np.divide(agreed - chance, 1 - chance, out=np.zeros(len(chance)), where=chance < 1)
