"""CWPlugin (Devic et al., arXiv 2503.02119), from its published description."""

import numpy as np

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba, two_columns
from benchmarks.baselines._metrics import value_of

__all__ = ["CWPlugin"]

_SHARES = np.arange(1, 200) / 200
"""The weight of a class over the sum of its weight and that of the reference; the resolution is ours."""


class CWPlugin(Baseline):
    """A weight for each class: the best one if decisions are limited to this class and the last one.

    Each line search takes the samples of both classes. For binary problems it is a search over thresholds.
    """

    name = "CWPlugin"
    distribution = "numpy"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Search the weight of each class relative to the last one."""
        columns = two_columns(proba)
        reference = columns.shape[1] - 1
        weights = np.ones(reference + 1)
        for k in range(reference):
            of_pair = (y == k) | (y == reference)
            pair, is_reference = columns[of_pair][:, [k, reference]], (y[of_pair] == reference).astype(np.int64)
            decisions = [(pair[:, 1] * (1 - share) > pair[:, 0] * share).astype(np.int64) for share in _SHARES]
            values = [value_of(objective, is_reference, decided, n_classes=2) for decided in decisions]
            share = _SHARES[np.argmax(values)]
            weights[k] = share / (1 - share)
        return Fitted(lambda new: (two_columns(new) * weights).argmax(1))
