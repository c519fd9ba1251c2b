"""GHOST, the rule of Esposito et al. (J. Chem. Inf. Model. 61, 2623, 2021), from its published description."""

import numpy as np
import numpy.typing as npt

from rivals._base import Codes, Fitted, Proba, Rival

__all__ = ["Ghost"]

_THRESHOLDS = np.arange(1, 11) / 20
_SUBSETS = 100
_SHARE = 0.2


class Ghost(Rival):
    """Of the thresholds 0.05, 0.10, ..., 0.50 the one of best median kappa over 100 stratified fifths of the rows.

    Cohen's kappa is part of the rule: it knows no other metric, so that all objectives get the same threshold.
    """

    name = "GHOST (tunes Cohen's kappa)"
    distribution = "scikit-learn"

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Keep away from more than two classes."""
        return None if proba.ndim == 1 else "two classes only"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Draw the subsets, and count all thresholds on each."""
        from sklearn.model_selection import StratifiedShuffleSplit

        decisions = proba[:, None] >= _THRESHOLDS
        draws = StratifiedShuffleSplit(_SUBSETS, test_size=_SHARE, random_state=0).split(proba, y)
        kappas = [_kappa(y[rows], decisions[rows]) for _, rows in draws]
        threshold = _THRESHOLDS[np.median(kappas, axis=0).argmax()]
        return Fitted(lambda new: (new >= threshold).astype(np.int64), f"threshold {threshold:.2f}")


def _kappa(y: Codes, decisions: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return Cohen's kappa of each column of decisions; zero where nothing is left to agree on beyond chance."""
    n, support, predicted = len(y), y.sum(), decisions.sum(0)
    agreed = (decisions == (y == 1)[:, None]).mean(0)
    chance = (support * predicted + (n - support) * (n - predicted)) / n**2
    return np.divide(agreed - chance, 1 - chance, out=np.zeros(len(chance)), where=chance < 1)
