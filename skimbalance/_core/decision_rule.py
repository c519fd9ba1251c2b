"""Decision rules of fitted estimators: multiclass and multilabel, behind one interface.

Both rules have the methods `check`, `decide`, `predict`, `shifted`, `margins`, `proba`, `log_proba` and `untuned`.
Only `check` validates scores; all other methods take what it returns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, bring_like, namespace, only, smallest_normal, to_numpy
from skimbalance._core.decision import (
    decide_scores,
    log_logistic,
    log_scores,
    log_softmax,
    shifted,
    softmax,
    threshold_of,
)
from skimbalance._core.typing import Array, ArrayLike, Kind
from skimbalance._core.validation import by_label, check_label_scores, check_lengths, check_scores

__all__ = [
    "ArgmaxRule",
    "DecisionRule",
    "Rejects",
    "ThresholdRule",
    "check_label_columns",
    "decide_labels",
    "label_log_odds",
    "label_threshold",
    "named",
    "rule_of",
]

_Floats = npt.NDArray[np.float64]
_Indicator = npt.NDArray[np.bool_]


class Rejects(Protocol):
    """Which decisions are rejected; `labels` (K + 1,) are the classes and the label of rejected samples."""

    @property
    def labels(self) -> npt.NDArray[Any]:
        """The labels."""

    def rejects(self, scores: Array, decisions: Array) -> npt.NDArray[np.bool_]:
        """Return which decisions (n,) are rejected, for log-scores (n, K)."""


@dataclass(frozen=True, eq=False)
class ArgmaxRule:
    """Predict the class of the highest log-score plus offset; in the binary case compare with `threshold`.

    `offsets` are (K,). `threshold` is None with more than two classes; a binary rule without one computes it from the
    offsets. `rejection` is None where every sample is decided; only `predict` applies it.
    """

    offsets: ArrayLike
    threshold: float | None
    kind: Kind
    rejection: Rejects | None = None

    def untuned(self) -> "ArgmaxRule":
        """Return the rule without offsets."""
        return ArgmaxRule(0 * self.offsets, None, self.kind)

    def check(self, scores: ArrayLike, labels: npt.NDArray[Any]) -> Array:
        """Return scores as floating (n, K), or binary (n,), with columns in the order of `labels`."""
        return by_label(check_scores(scores, kind=self.kind, n_classes=len(labels)), scores, labels)

    def decide(self, scores: Array) -> Array:
        """Return the code (n,) of the predicted class of each sample."""
        return decide_scores(scores, self.offsets, kind=self.kind, threshold=self.threshold)

    def predict(self, scores: Array, labels: npt.NDArray[Any]) -> Array:
        """Return the predicted label of each sample (n,), or that of rejected samples."""
        decisions = self.decide(scores)
        if self.rejection is not None:
            labels = self.rejection.labels
            rejected = self.rejection.rejects(log_scores(scores, kind=self.kind), decisions)
            decisions = only(decisions, bring(~rejected, to=decisions), otherwise=len(labels) - 1)
        return named(decisions, labels)

    def prediction_type(self, labels: npt.NDArray[Any]) -> tuple[int | None, npt.DTypeLike]:
        """Return the number of columns of predictions, None for a vector, and their dtype."""
        return None, (labels if self.rejection is None else self.rejection.labels).dtype

    def shifted(self, scores: Array) -> Array:
        """Return log-scores plus offsets (n, K), whose argmax is the decision."""
        return shifted(log_scores(scores, kind=self.kind), self.offsets, decisions=self.decide(scores))

    def margins(self, scores: Array) -> Array:
        """Return what `decision_function` returns: the shifted scores, in the binary case their difference (n,)."""
        columns = self.shifted(scores)
        return columns if columns.shape[1] > 2 else columns[:, 1] - columns[:, 0]

    def proba(self, scores: Array) -> Array:
        """Return the softmax of the shifted scores."""
        return softmax(self.shifted(scores))

    def log_proba(self, scores: Array) -> Array:
        """Return the logarithms of `proba`."""
        return log_softmax(self.shifted(scores))


@dataclass(frozen=True, eq=False)
class ThresholdRule:
    """Predict each label whose probability is at least its threshold.

    `offsets` and `thresholds` are (L,). Decisions are made on the host, and returned where the scores are.
    """

    offsets: ArrayLike
    thresholds: ArrayLike
    kind: Kind

    def untuned(self) -> "ThresholdRule":
        """Return the rule without offsets, whose thresholds are one half."""
        n_labels = len(self.offsets)
        return ThresholdRule(np.zeros(n_labels), np.full(n_labels, 0.5), self.kind)

    def check(self, scores: ArrayLike, labels: npt.NDArray[Any]) -> Array:
        """Return scores as floating (n, L), with columns in the order of `labels`."""
        return check_label_columns(scores, kind=self.kind, labels=labels)

    def decide(self, scores: Array) -> Array:
        """Return the indicator (n, L) of the predicted labels."""
        return bring(self._decided(scores), to=scores, dtype=namespace(scores).int64)

    def _decided(self, scores: Array) -> _Indicator:
        """Return the indicator on the host.

        Logits are log-odds, which are compared with the offsets. Where a threshold was rounded to one, logarithms of
        probabilities distinguish probabilities that are rounded to one, too.
        """
        offsets, thresholds = to_numpy(self.offsets), to_numpy(self.thresholds)
        if self.kind == "logits":
            return decide_labels(label_log_odds(scores, kind=self.kind), offsets)
        host = np.asarray(to_numpy(scores), dtype=np.float64)
        decided: _Indicator = (np.exp(host) if self.kind == "log_proba" else host) >= thresholds
        if self.kind == "log_proba" and (thresholds == 1).any():
            decided &= (thresholds < 1) | decide_labels(label_log_odds(scores, kind=self.kind), offsets)
        return decided

    def predict(self, scores: Array, labels: npt.NDArray[Any]) -> Array:
        """Return the indicator (n, L) of the predicted labels."""
        return self.decide(scores)

    def prediction_type(self, labels: npt.NDArray[Any]) -> tuple[int | None, npt.DTypeLike]:
        """Return the number of columns of predictions and their dtype."""
        return len(labels), np.int64

    def shifted(self, scores: Array) -> Array:
        """Return log-odds plus offsets (n, L), positive for the predicted labels."""
        return bring_like(self._shifted(scores), scores)

    def _shifted(self, scores: Array) -> _Floats:
        """Return log-odds plus offsets on the host, at least a rounding error away from zero."""
        log_odds, decided = label_log_odds(scores, kind=self.kind) + to_numpy(self.offsets), self._decided(scores)
        step = 4 * float(namespace(scores).finfo(scores.dtype).eps)
        signed: _Floats = np.where(decided, np.maximum(log_odds, step), np.minimum(log_odds, -step))
        return signed

    def margins(self, scores: Array) -> Array:
        """Return what `decision_function` returns: the shifted log-odds."""
        return self.shifted(scores)

    def proba(self, scores: Array) -> Array:
        """Return the logistic function of the shifted log-odds, above one half for the predicted labels."""
        with np.errstate(over="ignore"):
            proba = bring(1 / (1 + np.exp(-self._shifted(scores))), to=scores, dtype=scores.dtype)
        xp = namespace(proba)
        # No probability is exactly zero or one: such values are rounded.
        return xp.clip(proba, smallest_normal(proba), 1 - float(xp.finfo(proba.dtype).eps) / 2)

    def log_proba(self, scores: Array) -> Array:
        """Return the logarithms of `proba`."""
        return log_logistic(self.shifted(scores))


DecisionRule: TypeAlias = ArgmaxRule | ThresholdRule


def rule_of(fitted: Any, *, kind: Kind) -> DecisionRule:
    """Return the rule of a fitted estimator, for scores of this kind."""
    threshold = getattr(fitted, "threshold_", None)
    if fitted.multilabel_:
        return ThresholdRule(fitted.offsets_, threshold, kind)
    return ArgmaxRule(fitted.offsets_, threshold, kind, getattr(fitted, "rejection_", None))


def named(decisions: Array, labels: npt.NDArray[Any]) -> Array:
    """Return the label of each decision (n,); labels that are not numbers as a NumPy array."""
    if labels.dtype.kind in "biuf":
        return bring(labels, to=decisions)[decisions]
    return labels[to_numpy(decisions)]


def check_label_columns(scores: ArrayLike, *, kind: Kind, labels: npt.NDArray[Any]) -> Array:
    """Return checked scores (n, L) of an array, a data frame or a list of L arrays (n, 2)."""
    several = isinstance(scores, list | tuple) and len(scores) > 0
    are_pairs = several and all(len(getattr(each, "shape", ())) == 2 for each in scores)
    columns = _second_columns(scores, kind=kind) if are_pairs else scores
    return by_label(check_label_scores(columns, kind=kind, n_labels=len(labels)), scores, labels)


def _second_columns(pairs: Sequence[ArrayLike], *, kind: Kind) -> Array:
    """Return scores (n, L) of L arrays (n, 2), the format of `predict_proba` of some multilabel classifiers."""
    for number, pair in enumerate(pairs):
        if pair.shape[1] != 2:
            raise ValueError(
                f"a list of scores must hold an array (n, 2) for each label, for absent and present; entry {number} "
                f"has shape {tuple(pair.shape)}. A label that all samples or none carried in training has one column"
            )
    checked = [by_label(check_scores(pair, kind=kind), pair, np.arange(2)) for pair in pairs]
    check_lengths(**{f"entry {number} of scores": pair for number, pair in enumerate(checked)})
    columns = [pair[:, 1] - pair[:, 0] if kind == "logits" else pair[:, 1] for pair in checked]
    return namespace(columns[0]).stack(columns, axis=1)


def label_log_odds(scores: ArrayLike, *, kind: Kind) -> _Floats:
    """Return the log-odds (n, L) of labels, in double precision on the host, from checked scores (n, L)."""
    host = to_numpy(scores)
    if kind == "logits":
        return np.asarray(host, dtype=np.float64)
    pairs = (log_scores(column.astype(np.float64), kind=kind) for column in host.T)
    odds: _Floats = np.stack([pair[:, 1] - pair[:, 0] for pair in pairs], axis=1)
    return odds


def decide_labels(log_odds: _Floats, offsets: _Floats | float) -> _Indicator:
    """Return the indicator (n, L) of labels whose log-odds plus offset are at least zero."""
    decided: _Indicator = log_odds + offsets >= 0
    return decided


def label_threshold(offset: float, *, kind: Kind, dtype: npt.DTypeLike) -> float:
    """Return the smallest probability at which a label is predicted, a number of `dtype` unless scores are logits."""
    return threshold_of(np.array([0.0, offset]), kind=kind, dtype=dtype if kind == "proba" else np.float64)
