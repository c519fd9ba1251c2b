"""Whether a bound on a metric still holds on labelled samples that arrive over time."""

import math
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import logsumexp

from skimbalance._core.array_api import to_numpy
from skimbalance._core.typing import ArrayLike
from skimbalance._core.validation import (
    check_codes,
    check_label,
    check_lengths,
    is_finite,
    names_page,
    shown,
)
from skimbalance.goals import Constraint
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.registry import METRICS, get_metric
from skimbalance.tuner.checks import bounds_of
from skimbalance.tuner.labels import check_indicator

__all__ = ["ConstraintMonitor"]

_TILTS = 2 * 2 ** (-np.arange(12) / 2)
"""Changes of the log-odds of an outcome that bets are made for, from 2 to 0.04: a bet on half or twice the true change
still gains."""

_AT_ONCE = 10_000
"""Outcomes are processed in blocks, so that memory is bounded."""

_Floats = npt.NDArray[np.float64]
_Flags = npt.NDArray[np.bool_]


class ConstraintMonitor:
    r"""Monitor on labelled samples that arrive over time whether a constraint still holds.

    The null hypothesis is that the constraint holds: given the past, the rate of each next sample is at least r. The
    test is an e-process, a mixture of bets against it. For outcomes :math:`x_i \in \{0, 1\}`

    .. math:: E_n = \sum_{j \le n} \frac{w_j}{12} \sum_\lambda \prod_{i=j}^{n}
        \frac{e^{-\lambda x_i}}{1 - r + r e^{-\lambda}} + \sum_{j > n} w_j

    with changes :math:`\lambda` of the log-odds from 0.04 to 2, negative ones for an upper bound. The weights
    :math:`w_j` of the sample at which a bet starts have :math:`\sum_{j > n} w_j = 1 / (1 + \log_2(1 + n))`. The
    constraint is reported as broken once :math:`E_n \ge 1 / \alpha`.

    Parameters
    ----------
    tuner : OffsetTuner, TunedOffsetClassifierCV or other fitted classifier
        Its `predict` decides the samples, and its `classes_` are the labels.
    constraint : AtLeast, AtMost or Near
        A bound on the ``"recall"``, ``"precision"`` or ``"false_positive_rate"`` of a class, on the ``"accuracy"``, or
        on the ``"coverage"``, for which alone rejected samples count. For multilabel targets it must name a label. Its
        `confidence` has no effect.
    alpha : float in (0, 1), default=0.05
        Upper bound of the probability of an alarm while the constraint holds, over a stream of any length.

    Attributes
    ----------
    tuner, constraint, alpha : object
        The parameters.
    n_samples : int
        Number of samples so far that the metric is a proportion of. They are those of the class for recall, those
        predicted as it for precision, and all for accuracy.
    n_counted : int
        Number of these that the metric counts, such as the true positives.
    estimate : float
        The metric on all samples so far, NaN without any.
    interval : tuple of float
        Confidence interval of the mean rate so far, at the level ``1 - alpha`` for all times together.
    e_value : float
        Evidence against the constraint. It starts at one, and its expectation is at most one while the constraint
        holds.
    e_values : ndarray of shape (n_samples,)
        The evidence after each sample.
    is_broken : bool
        Whether the evidence has ever been at least ``1 / alpha``. It stays true: start another monitor after a repair.
    alarm_at : int or None
        Value of `n_samples` when that happened first.

    Raises
    ------
    TypeError, ValueError
        If the metric is not one of these, no bound of the constraint lies between 0 and 1, or `alpha` is out of range.

    See Also
    --------
    skimbalance.goals.AtLeast : A constraint.

    Notes
    -----
    *Validity.* The expectation of each factor is one where the rate is r, and less where it is higher. By Ville's
    inequality the probability that :math:`E_n` ever reaches :math:`1 / \alpha` is at most :math:`\alpha`, for batches
    of any size. The rate may change over time as long as it satisfies the bound. Labels must not arrive selectively.

    *Delay.* A bet from the change on needs about :math:`\log(1 / (\alpha w_j))` divided by the relative entropy of an
    outcome. After a long time in which the constraint holds, the weight adds about the logarithm of that time. A CUSUM
    of e-values has a shorter delay, but sooner or later it gives an alarm where the constraint holds.

    References
    ----------
    Waudby-Smith and Ramdas, *Estimating means of bounded random variables by betting*, JRSS-B 86, 2024. Shin, Ramdas
    and Rinaldo, *E-detectors: a nonparametric framework for sequential change detection*, arXiv 2203.03532, 2023.

    Examples
    --------
    The recall of class 1 drops from 0.98 to 0.69, where it must be at least 0.9:

    >>> import numpy as np
    >>> from skimbalance import ConstraintMonitor, OffsetTuner
    >>> from skimbalance.goals import AtLeast
    >>> rng = np.random.default_rng(0)
    >>> y = (rng.random(2000) < 0.2).astype(int)
    >>> scores = 4 * y - 2 + rng.normal(size=2000)
    >>> tuner = OffsetTuner("f1", kind="logits").fit(scores, y)
    >>> monitor = ConstraintMonitor(tuner, AtLeast("recall", 0.9, label=1))
    >>> monitor.update(scores, y).is_broken
    False
    >>> monitor.update(scores - 1.5 * y, y).is_broken
    True
    >>> monitor.alarm_at, int(y.sum())
    (465, 419)
    """

    @names_page
    def __init__(self, tuner: Any, constraint: Constraint, *, alpha: float = 0.05) -> None:
        if not isinstance(constraint, Constraint):
            raise TypeError(
                "constraint must be AtLeast, AtMost or Near of skimbalance.goals, such as AtLeast('recall', 0.9); got "
                f"{shown(constraint)}"
            )
        if not (is_finite(alpha) and 0 < alpha < 1):
            raise ValueError(f"alpha must lie between 0 and 1; got {shown(alpha)}")
        self.tuner = tuner
        self.constraint = constraint
        self.alpha = alpha
        self.n_samples = 0
        self.n_counted = 0
        self.alarm_at: int | None = None
        # The tuner of a classifier has the names of the labels, and the positive class.
        fitted = getattr(tuner, "tuner_", tuner)
        self._labels = np.asarray(fitted.classes_)
        rejection = getattr(fitted, "rejection_", None)
        self._decided_labels = self._labels if rejection is None else rejection.labels
        self._column, bound = _resolved(constraint, fitted, self._labels)
        self._metric = bound.metric
        sides = ((-_TILTS, bound.low), (_TILTS, bound.high))
        self._tests = [_EProcess(tilts, rate) for tilts, rate in sides if 0 < rate < 1]
        self._logs: list[_Floats] = []
        if not self._tests:
            raise ValueError(f"a bound must lie between 0 and 1, or no samples could break it; got {constraint}")

    @names_page
    def update(self, X: Any, y: ArrayLike) -> Self:
        """Test a batch of labelled samples, in the order of their arrival.

        Parameters
        ----------
        X : array-like
            What `predict` of the tuner or classifier takes: scores for a tuner, features for a classifier.
        y : array-like of shape (n,), or indicator of shape (n, L)
            The true labels.

        Returns
        -------
        ConstraintMonitor
            The monitor itself.

        Raises
        ------
        ValueError
            If `y` has labels that are not in `classes_`, or another length than `X`. The monitor is then unchanged.
        """
        truth, decisions = self._codes(X, y)
        among, counted = self._metric.outcomes(truth, decisions)
        if self._metric.name != "coverage":
            among = among & (decisions >= 0)
        outcomes = to_numpy(counted)[to_numpy(among)]
        if len(outcomes) == 0:
            return self
        logs = logsumexp([test.extend(outcomes) for test in self._tests], axis=0) - math.log(len(self._tests))
        above = logs >= -math.log(self.alpha)
        if self.alarm_at is None and above.any():
            self.alarm_at = self.n_samples + int(np.argmax(above)) + 1
        self._logs.append(logs)
        self.n_samples += len(outcomes)
        self.n_counted += int(np.count_nonzero(outcomes))
        return self

    @property
    def is_broken(self) -> bool:
        """Whether the evidence has ever been at least ``1 / alpha``."""
        return self.alarm_at is not None

    @property
    def estimate(self) -> float:
        """The metric on all samples so far."""
        return self.n_counted / self.n_samples if self.n_samples else math.nan

    @property
    def e_value(self) -> float:
        """The evidence against the constraint."""
        with np.errstate(over="ignore"):
            return float(np.exp(self._logs[-1][-1])) if self._logs else 1.0

    @property
    def e_values(self) -> _Floats:
        """The evidence after each sample."""
        with np.errstate(over="ignore"):
            values: _Floats = np.exp(np.concatenate([np.zeros(0), *self._logs]))
        return values

    @property
    def interval(self) -> tuple[float, float]:
        """Confidence interval of the mean rate so far, for all times together."""
        return _confidence_interval(self.n_counted, self.n_samples, alpha=self.alpha)

    def _codes(self, X: Any, y: ArrayLike) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the true and the predicted class (n,) of each sample as codes; of a label one where it is present."""
        predicted = self.tuner.predict(X)
        if self._column is None:
            truth = check_codes("y", y, labels=self._labels)
            decisions = check_codes("the predictions", predicted, labels=self._decided_labels)
            decisions[decisions == len(self._labels)] = -1
        else:
            truth, decisions = (check_indicator(values)[:, self._column].astype(np.int64) for values in (y, predicted))
        check_lengths(X=decisions, y=truth)
        return truth, decisions


def _resolved(constraint: Constraint, fitted: Any, labels: npt.NDArray[Any]) -> tuple[int | None, BoundConstraint]:
    """Return the column of the label of a multilabel constraint, None otherwise, and the bound on the metric."""
    metric = get_metric(constraint.metric, argument="metric")
    if not metric.has_outcomes:
        names = ", ".join(map(repr, [*(name for name, each in METRICS.items() if each.has_outcomes), "coverage"]))
        raise ValueError(f"a constraint on {metric.name!r} cannot be monitored, only one on {names}")
    if not getattr(fitted, "multilabel_", False):
        return None, bounds_of((constraint,), labels, getattr(fitted, "pos_label_", None))[0]
    if constraint.label is None:
        raise ValueError(f"name one label by label=, as multilabel targets have several; got {constraint}")
    return check_label("label", constraint.label, labels), BoundConstraint(metric.bind(1), *constraint.bounds())


class _EProcess:
    """Evidence against a rate on one side of a bound: bets on changes `tilts` of the log-odds, for any start.

    With a bet on the tilt t the likelihood of an outcome x changes by the factor `exp(t x) / (1 - r + r exp(t))`. The
    bet of start j has its weight as capital. Of the sum over the starts, one number for each tilt is enough.
    """

    def __init__(self, tilts: _Floats, rate: float) -> None:
        miss = -np.log1p(rate * np.expm1(tilts))
        self._factors = np.stack([miss, miss + tilts])
        self._capital = np.full(len(tilts), -np.inf)
        self._n_samples = 0

    def extend(self, outcomes: _Flags) -> _Floats:
        """Return the logarithm of the evidence after each of some more outcomes."""
        return np.concatenate(
            [self._block(outcomes[start : start + _AT_ONCE]) for start in range(0, len(outcomes), _AT_ONCE)]
        )

    def _block(self, outcomes: _Flags) -> _Floats:
        times = np.arange(self._n_samples, self._n_samples + len(outcomes) + 1)
        unused = 1 / (1 + np.log2(1 + times))  # weight of the starts after each time
        gains = self._factors[outcomes.astype(np.int64)]
        total = np.cumsum(gains, axis=0)
        entering = np.log(unused[:-1] - unused[1:])[:, None] - (total - gains)
        capital = total + np.logaddexp.accumulate(np.vstack([self._capital, entering]), axis=0)[1:]
        self._capital, self._n_samples = capital[-1], int(times[-1])
        mean = logsumexp(capital, axis=1) - math.log(len(self._capital))
        logs: _Floats = np.logaddexp(mean, np.log(unused[1:]))
        return logs


def _confidence_interval(n_counted: int, n_samples: int, *, alpha: float) -> tuple[float, float]:
    """Return the rates against which bets for both directions have not gained `1 / alpha`.

    The logarithm of a mean of `1 - m + m exp(t)` over rates m is at least the mean of the logarithms. The interval
    therefore holds for the mean of rates that change over time. The gain is a convex function of m.
    """
    if n_samples == 0:
        return 0.0, 1.0
    tilts = np.concatenate([-_TILTS, _TILTS])

    def excess(rate: float) -> float:
        gains = n_counted * tilts - n_samples * np.log1p(rate * np.expm1(tilts))
        return float(logsumexp(gains)) - math.log(len(tilts)) + math.log(alpha)

    estimate = n_counted / n_samples
    low = brentq(excess, 0.0, estimate) if excess(0.0) > 0 else 0.0
    high = brentq(excess, estimate, 1.0) if excess(1.0) > 0 else 1.0
    return float(low), float(high)
