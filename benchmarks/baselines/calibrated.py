"""Probabilities calibrated by scikit-learn, followed by the plug-in rule."""

from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from benchmarks.baselines._base import Baseline, Codes, Decide, Fitted, Proba, log_columns, two_columns
from benchmarks.baselines._metrics import value_of_counts
from benchmarks.baselines._stored import StoredDecisions

__all__ = ["CalibratedIsotonic", "CalibratedSigmoid", "CalibratedTemperature"]

_EPSILON = 1e-12
_STEP = 1e-6
_ROUNDS = 30


class Calibrated(Baseline):
    """`CalibratedClassifierCV` on the scores; decisions maximise the metric of the expected counts."""

    distribution = "scikit-learn"
    method: ClassVar[str]

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Calibrate on all tuning samples, then find the rule for their calibrated probabilities."""
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.frozen import FrozenEstimator

        model = FrozenEstimator(StoredDecisions(2 if proba.ndim == 1 else proba.shape[1]).fit(None, None))
        # A frozen classifier needs no folds, which would have to contain each class.
        every = np.arange(len(y))
        calibrated = CalibratedClassifierCV(model, method=self.method, cv=[(every, every)], ensemble=False)
        calibrated.fit(self._scores(proba), y)
        tuned = calibrated.predict_proba(self._scores(proba))
        decide = _threshold(tuned, objective) if proba.ndim == 1 else _plug_in(tuned, objective)
        return Fitted(lambda new: decide(calibrated.predict_proba(self._scores(new))))

    def _scores(self, proba: Proba) -> Proba:
        """Return the log-odds of each class, or that of class 1."""
        odds = logit(proba.clip(_EPSILON, 1 - _EPSILON))
        return odds[:, None] if odds.ndim == 1 else odds


class CalibratedSigmoid(Calibrated):
    """Platt's sigmoid of the log-odds of each class, then the best decisions for expected counts."""

    name = "calibrated (sigmoid), plug-in rule"
    method = "sigmoid"


class CalibratedIsotonic(Calibrated):
    """Isotonic regression for each class, then the best decisions for expected counts."""

    name = "calibrated (isotonic), plug-in rule"
    method = "isotonic"


class CalibratedTemperature(Calibrated):
    """A temperature for all log-probabilities, then the best decisions for expected counts."""

    name = "calibrated (temperature), plug-in rule"
    method = "temperature"

    def _scores(self, proba: Proba) -> Proba:
        """Return the log-probabilities, or the log-odds of class 1."""
        return super()._scores(proba) if proba.ndim == 1 else log_columns(proba)


def _expected(objective: str, proba: Proba, decisions: Codes) -> tuple[float, npt.NDArray[np.float64]]:
    """Return the metric of the expected counts, and the rule that is best for its linearisation there.

    The rule is (2, K): class k has the value `rule[0, k] * probability + rule[1, k]`.
    """
    n_classes = proba.shape[1]
    hits = np.bincount(decisions, weights=proba[np.arange(len(proba)), decisions], minlength=n_classes)
    counts = np.array([hits, np.bincount(decisions, minlength=n_classes)]) / len(proba)
    support = proba.mean(0)

    def value(changed: npt.NDArray[np.float64]) -> float:
        return value_of_counts(objective, changed[0], support, changed[1])

    steps = _STEP * np.eye(2 * n_classes).reshape(-1, 2, n_classes)
    slopes = [value(counts + step) - value(counts - step) for step in steps]
    return value(counts), np.reshape(slopes, (2, n_classes)) / (2 * _STEP)


def _plug_in(proba: Proba, objective: str) -> Decide:
    """Return the best rule among those of successive linearisations, as the Frank-Wolfe method finds them."""
    n_classes = proba.shape[1]
    best_value, best = -np.inf, np.zeros((2, n_classes))
    for start in (np.ones(n_classes), 1 / proba.mean(0).clip(_EPSILON)):
        rule = np.array([start, np.zeros(n_classes)])
        for _ in range(_ROUNDS):
            value, following = _expected(objective, proba, _decide(proba, rule))
            if value > best_value:
                best_value, best = value, rule
            if np.allclose(rule, following):
                break
            rule = following
    return lambda new: _decide(new, best)


def _decide(proba: Proba, rule: npt.NDArray[np.float64]) -> Codes:
    return (rule[0] * proba + rule[1]).argmax(1)


def _threshold(proba: Proba, objective: str) -> Decide:
    """Return the best rule for binary problems: all thresholds are tried."""
    positive = np.sort(proba[:, 1])[::-1]
    support = np.array([len(positive) - positive.sum(), positive.sum()])
    hits, predicted = np.cumsum(positive), np.arange(1, len(positive) + 1)
    hits_of_rest = (support[0] - (predicted - hits)).clip(0)  # rounding errors may be negative
    ends = np.flatnonzero(np.append(positive[1:] < positive[:-1], True))
    values = [
        value_of_counts(
            objective,
            np.array([hits_of_rest[i], hits[i]]),
            support,
            np.array([len(positive) - predicted[i], predicted[i]]),
        )
        for i in ends
    ]
    threshold = positive[ends[np.argmax(values)]]
    return lambda new: (two_columns(new)[:, 1] >= threshold).astype(np.int64)
