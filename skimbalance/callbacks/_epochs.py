"""Offsets of a single epoch: logits and labels of its validation samples in, offsets and a cross-fitted score out.

The callbacks of all frameworks share this module, which imports none of them.
"""

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision_rule import ArgmaxRule, ThresholdRule
from skimbalance._core.typing import Array, ArrayLike
from skimbalance._core.validation import check_codes, names_page
from skimbalance.estimation import FitSpec
from skimbalance.exceptions import UnreachableGoalWarning, caught_warnings, warn_user
from skimbalance.goals import ImbalanceState
from skimbalance.metrics.base import Metric
from skimbalance.metrics.counts import Truth
from skimbalance.tuner import OffsetTuner
from skimbalance.tuner.checks import Objective, check_objective, resolve_metric
from skimbalance.tuner.labels import (
    LabelTruth,
    MultilabelMetric,
    check_indicator,
    get_multilabel_metric,
    get_multilabel_metric_names,
)

__all__ = [
    "Epoch",
    "TunedOffsets",
    "as_rows",
    "check_for_epochs",
    "epoch_values",
    "fit_epoch",
    "is_better",
    "require_classes",
    "score_offsets",
    "tuner_of",
]


@dataclass(frozen=True, eq=False)
class TunedOffsets:
    r"""Offsets of the epoch of a training, with what is necessary to decide by them.

    .. math:: \operatorname{argmax}_k \,(s_k + b_k)

    for logits s and offsets b. Multilabel, each label with :math:`s_k + b_k \ge 0` is predicted.

    Parameters
    ----------
    offsets : array-like of shape (K,)
        The offset of each class or label.
    metric : str
        Name of the metric.
    score : float
        Cross-fitted score of the epoch.
    untuned_score : float
        Score of the same epoch without offsets.
    merit : float
        The score, transformed so that greater is better.
    satisfied : bool
        Whether constraints are satisfied on the validation samples; True without constraints.
    multilabel : bool
        Whether the offsets are for labels rather than classes.
    epoch : float
        The epoch, in the count of the framework.
    step : int
        Number of steps of the optimiser until then.

    Raises
    ------
    ValueError
        If there are fewer than two offsets, or one is not finite.

    See Also
    --------
    skimbalance.nn.fold_offsets : Offsets in the bias of the last layer.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.callbacks import TunedOffsets
    >>> tuned = TunedOffsets(
    ...     [-0.5, 0.5], metric="f1", score=0.7, untuned_score=0.6, merit=0.7, satisfied=True, multilabel=False,
    ...     epoch=3, step=120,
    ... )
    >>> tuned.predict(np.array([[0.2, -0.2], [1.0, -1.0]]))
    array([1, 0])
    >>> TunedOffsets.from_dict(tuned.to_dict()).offsets
    array([-0.5,  0.5])
    """

    offsets: npt.NDArray[np.float64]
    _: KW_ONLY
    metric: str
    score: float
    untuned_score: float
    merit: float
    satisfied: bool
    multilabel: bool
    epoch: float
    step: int

    def __post_init__(self) -> None:
        offsets = np.asarray(self.offsets, dtype=np.float64)
        if offsets.ndim != 1 or len(offsets) < 2 or not np.isfinite(offsets).all():
            raise ValueError(f"offsets must be two or more finite numbers; got {self.offsets!r}")
        object.__setattr__(self, "offsets", offsets)

    @property
    def rank(self) -> tuple[bool, float]:
        """By what epochs are compared: one that satisfies the constraints is better than one that does not."""
        return self.satisfied, self.merit

    @names_page
    def predict(self, logits: ArrayLike) -> Array:
        """Predict the class of each sample, or its labels.

        Parameters
        ----------
        logits : array of shape (n, K), or (n,) for two classes
            Logits of the model, NumPy or torch.

        Returns
        -------
        array of shape (n,)
            Number of the predicted class. For multilabel offsets the indicator (n, K).
        """
        labels = np.arange(len(self.offsets))
        rule = (
            ThresholdRule(self.offsets, np.zeros(len(labels)), "logits")  # log-odds are compared with the offsets
            if self.multilabel
            else ArgmaxRule(self.offsets, None, "logits")
        )
        return rule.predict(rule.check(logits, labels), labels)

    def to_dict(self) -> dict[str, Any]:
        """Return the offsets as numbers and strings, which JSON and checkpoints can store.

        Returns
        -------
        dict
            The argument of `from_dict`. Floats are exact.
        """
        return asdict(self) | {"offsets": self.offsets.tolist()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Restore offsets from what `to_dict` has returned.

        Parameters
        ----------
        values : mapping
            What `to_dict` has returned.

        Returns
        -------
        TunedOffsets
            Offsets with the same decisions.
        """
        return cls(**values)


@dataclass(frozen=True)
class Epoch:
    """An epoch after its fit. `tuner` is None if some logit is not finite."""

    number: float
    metric: str
    tuner: OffsetTuner | None = None
    rank: tuple[bool, float] = (False, -math.inf)

    def tuned(self, step: int) -> TunedOffsets | None:
        """Return the offsets without the tuner; None if some logit is not finite."""
        if self.tuner is None:
            return None
        return TunedOffsets(
            offsets=to_numpy(self.tuner.offsets_),
            metric=self.metric,
            score=float(self.tuner.score_),
            untuned_score=float(self.tuner.untuned_score_),
            merit=self.rank[1],
            satisfied=self.rank[0],
            multilabel=bool(self.tuner.multilabel_),
            epoch=self.number,
            step=step,
        )


class _Ranked(Protocol):
    """An epoch that can be compared."""

    @property
    def rank(self) -> tuple[bool, float]:
        """By what epochs are compared."""


def is_better(epoch: _Ranked | None, best: _Ranked | None) -> bool:
    """Return whether an epoch is better than the best so far; of equal epochs the first is best."""
    return epoch is not None and (best is None or epoch.rank > best.rank)


def tuner_of(callback: Any) -> OffsetTuner:
    """Return the tuner that a callback's parameters describe."""
    return OffsetTuner(
        callback.objective,
        constraints=callback.constraints,
        kind="logits",
        pos_label=callback.pos_label,
        estimate=callback.estimate,
        solver=callback.solver,
        random_state=callback.random_state,
    )


def check_for_epochs(tuner: OffsetTuner, *, owner: str) -> None:
    """Raise if the objective cannot rank epochs, before the first one."""
    if isinstance(tuner.objective, ImbalanceState):
        raise ValueError(  # noqa: TRY004 - it has the right type for objectives elsewhere
            f"objective of {owner} must be a metric: every epoch can achieve an ImbalanceState, so that none is best"
        )
    if tuner.objective not in get_multilabel_metric_names():
        check_objective(FitSpec(objective=tuner.objective, constraints=tuner.constraints))


def require_classes(labels: npt.NDArray[Any], *, owner: str) -> None:
    """Raise unless validation samples are of two classes or more, or are an indicator."""
    if labels.ndim == 1 and len(np.unique(labels)) < 2:
        raise ValueError(f"{owner} needs validation samples of two classes or more; all are of one class")


def as_rows(logits: Any, labels: Any, *, owner: str) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Return logits (n, K), or binary (n,), and class codes (n,) or an indicator (n, K), as arrays in memory."""
    rows, given = np.asarray(to_numpy(logits)), np.asarray(to_numpy(labels))
    if rows.ndim == 2 and rows.shape[1] == 1:
        rows = rows[:, 0]
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if rows.ndim not in (1, 2) or given.ndim not in (1, rows.ndim) or len(rows) != len(given):
        raise ValueError(
            f"{owner} needs logits (n, K) or (n,) with labels (n,) or (n, K); got shapes {rows.shape} and {given.shape}"
        )
    if given.ndim == 2:
        return rows, check_indicator(given).astype(np.int64)
    n_classes = 2 if rows.ndim == 1 else rows.shape[1]
    return rows, check_codes("labels", given, labels=np.arange(n_classes))


def fit_epoch(tuner: OffsetTuner, number: float, logits: Array, labels: Array, *, warned: set[type[Warning]]) -> Epoch:
    """Fit and score offsets on the validation samples of an epoch, with none if some logit is not finite.

    `warned` holds categories of earlier warnings: each comes once in a training, not after each epoch.
    """
    metric, columns = _metric_of(tuner.objective, logits, labels, pos_label=tuner.pos_label)
    if not bool(np.isfinite(to_numpy(logits)).all()):
        return Epoch(number, metric.name)
    with caught_warnings() as caught:
        tuner.fit(logits, labels, classes=columns)
    for message, category in caught:
        if category not in warned:
            warned.add(category)
            warn_user(message, category)
    satisfied = not any(issubclass(category, UnreachableGoalWarning) for _, category in caught)
    score: Any = np.asarray(tuner.score_)
    return Epoch(number, metric.name, tuner, (satisfied, float(metric.merit(score))))


def epoch_values(epoch: Epoch, *, constrained: bool) -> tuple[float, float]:
    """Return the metric with cross-fitted offsets and without offsets, to be monitored.

    The former is NaN if the epoch violates the constraints, so that no monitor selects it.
    """
    if epoch.tuner is None:
        return math.nan, math.nan
    violated = constrained and not epoch.rank[0]
    return math.nan if violated else float(epoch.tuner.score_), float(epoch.tuner.untuned_score_)


def score_offsets(
    tuner: OffsetTuner, offsets: TunedOffsets, logits: npt.NDArray[Any], labels: npt.NDArray[np.int64]
) -> tuple[str, float, float]:
    """Return the name of the metric, and its value with and without these offsets, which are not fitted again."""
    metric, columns = _metric_of(tuner.objective, logits, labels, pos_label=tuner.pos_label)
    none = replace(offsets, offsets=np.zeros(len(columns)))
    decided = (np.asarray(each.predict(logits)) for each in (offsets, none))
    if isinstance(metric, MultilabelMetric):
        indicator = LabelTruth(labels.astype(bool))
        tuned, untuned = (metric.value(indicator, each.astype(bool)) for each in decided)
    else:
        truth = Truth.from_codes(labels, n_classes=len(columns))
        tuned, untuned = (metric.value(truth.count(each, confusion=metric.needs_confusion)) for each in decided)
    return metric.name, float(tuned), float(untuned)


def _metric_of(
    objective: Objective, logits: Array, labels: Array, *, pos_label: Any
) -> tuple[Metric | MultilabelMetric, npt.NDArray[np.int64]]:
    """Return the metric of an objective, and the number of each class or label."""
    columns = np.arange(2 if logits.ndim == 1 else logits.shape[1])
    if labels.ndim == 2:
        return get_multilabel_metric(objective, n_labels=len(columns)), columns
    return resolve_metric(objective, columns, pos_label), columns
