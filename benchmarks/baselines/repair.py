"""The classwise part of REPAIR (Wang et al., arXiv 2604.01506), from its published description."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba, log_columns

__all__ = ["RepairClasswise"]

_SHORTLIST = 10
_RIDGE = 0.01


class RepairClasswise(Baseline):
    """Offsets of maximum likelihood with a ridge, shrunk towards their mean by their standard errors.

    The likelihood is that of the ten classes with the highest scores, for samples whose class is one of them. It is the
    same for all objectives. Standard errors are one over the root of the number of samples.
    """

    name = "REPAIR, classwise part (tunes the likelihood)"
    distribution = "scipy"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Fit offsets, then shrink them by an empirical Bayes estimate."""
        scores = log_columns(proba)
        n_classes = scores.shape[1]
        if n_classes > _SHORTLIST:
            least = np.partition(scores, -_SHORTLIST, axis=1)[:, [-_SHORTLIST]]
            scores = np.where(scores >= least, scores, -np.inf)
        listed = np.isfinite(scores[np.arange(len(y)), y])
        offsets = _likely(scores[listed], np.eye(n_classes)[y[listed]])
        errors = 1 / np.bincount(y, minlength=n_classes).clip(1)
        kept = (1 - errors / max(offsets.var(), np.finfo(float).tiny)).clip(0)
        shrunk = offsets.mean() + kept * (offsets - offsets.mean())
        return Fitted(lambda new: (log_columns(new) + shrunk).argmax(1))


def _likely(scores: Proba, targets: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the offsets with the largest mean log-likelihood minus the ridge."""

    def loss(offsets: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        log_proba = log_softmax(scores + offsets, axis=1)
        value = _RIDGE * offsets @ offsets - log_proba[targets == 1].mean()
        return value, 2 * _RIDGE * offsets + (np.exp(log_proba) - targets).mean(0)

    return minimize(loss, np.zeros(scores.shape[1]), jac=True, method="L-BFGS-B").x
