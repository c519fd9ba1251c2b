"""xCOLUMNs: the Frank-Wolfe method, which finds a random mixture of classifiers that weight probabilities."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba, two_columns

__all__ = ["XColumnsFrankWolfe", "XColumnsFrankWolfePrior"]

_DRAW = 20_240_601
"""Seed of the mixture. It differs from all seeds of data: equal seeds draw equal numbers, so labels would leak."""

_EPSILON = 1e-6


@dataclass(frozen=True)
class XColumnsFrankWolfe(Baseline):
    """`find_classifier_using_fw` with its defaults, one label for each sample.

    The wrapper for macro-F1 raises TypeError in 0.0.2, so the metric is passed as a function of the confusion matrix.
    Arrays are float32, its working type, twice as fast as float64. The fit includes the one-hot encoding.
    """

    name: ClassVar[str] = "xCOLUMNs Frank-Wolfe"
    distribution: ClassVar[str] = "xcolumns"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Find the mixture; each decision uses one of its classifiers, drawn at random."""
        from xcolumns.frank_wolfe import find_classifier_using_fw

        columns = _float32(proba)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mixture = find_classifier_using_fw(
                np.eye(columns.shape[1], dtype=np.float32)[y],
                columns,
                _metric(objective),
                k=1,
                init_classifier=self._start(y, columns.shape[1]),
                skip_tn=True,
                seed=0,
            )
        return Fitted(lambda new: mixture.predict(_float32(new), seed=_DRAW).argmax(1), f"mixture of {len(mixture.p)}")

    def _start(self, y: Codes, n_classes: int) -> Any:
        return "random"


class XColumnsFrankWolfePrior(XColumnsFrankWolfe):
    """Started from probabilities divided by the class prior, which is far better than the random start."""

    name: ClassVar[str] = "xCOLUMNs Frank-Wolfe, prior start"

    def _start(self, y: Codes, n_classes: int) -> Any:
        weights = 1 / np.bincount(y, minlength=n_classes).clip(1)
        return (weights / weights.sum()).astype(np.float32), np.zeros(n_classes, dtype=np.float32)


def _float32(proba: Proba) -> Proba:
    return two_columns(proba).astype(np.float32, copy=False)


def _metric(objective: str) -> Callable[..., Any]:
    """Return the metric as a function of true and false positives and negatives, (K,) each, divided by n.

    The gradient is autograd's. The epsilons are those of the library.
    """
    from xcolumns.metrics import binary_f1_score_on_conf_matrix, macro_f1_score_on_conf_matrix

    return {
        "f1": lambda tp, fp, fn, tn: binary_f1_score_on_conf_matrix(tp[1], fp[1], fn[1], tn[1]),
        "f1_macro": macro_f1_score_on_conf_matrix,
        "geometric_mean": _geometric_mean,
        "balanced_accuracy": lambda tp, _fp, fn, _tn: _recalls(tp, fn).mean(),
        "matthews_corrcoef": _matthews_corrcoef,
    }[objective]


def _recalls(tp: Any, fn: Any) -> Any:
    return tp / (tp + fn + _EPSILON)


def _geometric_mean(tp: Any, _fp: Any, fn: Any, _tn: Any) -> Any:
    from autograd import numpy as anp

    return anp.exp(anp.log(_recalls(tp, fn) + _EPSILON).mean())


def _matthews_corrcoef(tp: Any, fp: Any, fn: Any, _tn: Any) -> Any:
    """Return R_K from the true positives, predictions and samples of each class."""
    support, predicted = tp + fn, tp + fp
    spreads = (1 - (support**2).sum()) * (1 - (predicted**2).sum())
    return (tp.sum() - (support * predicted).sum()) / (spreads + _EPSILON) ** 0.5
