"""Offsets from the class prior alone: post-hoc logit adjustment (Menon et al., 2021)."""

import numpy as np
import numpy.typing as npt

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba, log_columns
from benchmarks.baselines._metrics import value_of

__all__ = ["LogPrior", "SignedLogPrior", "TunedLogPrior"]

_GRID = np.linspace(0.0, 2.0, 41)
_SIGNED_GRID = np.concatenate([[0.0], np.column_stack([_GRID[1:], -_GRID[1:]]).ravel()])
"""From -2 to 2 by absolute value, since the first of the best ones is taken."""


class LogPrior(Baseline):
    """Offsets of minus the log prior for all objectives: optimal for balanced accuracy if calibrated."""

    name = "offsets -log prior"
    distribution = "numpy"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Estimate the class prior."""
        log_prior = _log_prior(y, like=proba)
        return Fitted(lambda new: (log_columns(new) - log_prior).argmax(1))


class TunedLogPrior(Baseline):
    """Offsets of minus tau times the log prior: the best tau of 0, 0.05, ..., 2 on the tuning samples."""

    name = "offsets -tau log prior, tau tuned"
    distribution = "numpy"
    grid = _GRID

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Take the best tau; of equal ones, the one closest to zero."""
        scores, log_prior = log_columns(proba), _log_prior(y, like=proba)
        values = [
            value_of(objective, y, (scores - tau * log_prior).argmax(1), n_classes=len(log_prior)) for tau in self.grid
        ]
        tau = self.grid[np.argmax(values)]
        return Fitted(lambda new: (log_columns(new) - tau * log_prior).argmax(1), f"tau {tau:.2f}")


class SignedLogPrior(TunedLogPrior):
    """The same offsets with tau from -2 to 2: scores of rebalanced classifiers need a negative one."""

    name = "offsets -tau log prior, tau tuned from -2 to 2"
    grid = _SIGNED_GRID


def _log_prior(y: Codes, *, like: Proba) -> npt.NDArray[np.float64]:
    """Return the log priors; a class without samples counts as if it had one."""
    return np.log(np.bincount(y, minlength=2 if like.ndim == 1 else like.shape[1]).clip(1) / len(y))
