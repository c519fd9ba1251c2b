"""Data of displays: the tuner of an estimator, and scores with their labels."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.utils.validation import check_is_fitted

from skimbalance._core.array_api import as_array, to_numpy
from skimbalance._core.decision import KINDS, as_proba, log_scores
from skimbalance._core.decision_rule import DecisionRule, rule_of
from skimbalance._core.typing import ArrayLike, Kind
from skimbalance._core.validation import (
    abridged,
    by_label,
    check_labels,
    check_lengths,
    check_sample_weight,
    check_scores,
)
from skimbalance.classifier._base import response_of
from skimbalance.metrics.counts import ClassProfile, Counts, Truth
from skimbalance.tuner import OffsetTuner
from skimbalance.tuner.labels import LabelTruth, check_indicator

__all__ = ["Rows", "Source", "labelled", "profile_on", "require_one_label", "source_of", "tuner_of"]


class Source(NamedTuple):
    """A fitted tuner, and scores with their kind."""

    tuner: OffsetTuner
    scores: ArrayLike
    kind: Kind


def tuner_of(estimator: Any) -> OffsetTuner:
    """Return the fitted tuner of an estimator, or the estimator if it is a tuner."""
    check_is_fitted(estimator)
    tuner = getattr(estimator, "tuner_", estimator)
    if not isinstance(tuner, OffsetTuner):
        raise TypeError(
            f"estimator must be a fitted TunedOffsetClassifierCV or OffsetTuner; got {type(estimator).__name__}"
        )
    return tuner


def require_one_label(estimator: Any, display: str) -> None:
    """Raise if an estimator is multilabel, which `display` does not support."""
    tuner = tuner_of(estimator)
    if tuner.multilabel_:
        raise ValueError(
            f"{display} supports one label per sample; estimator was fitted on several, {abridged(tuner.classes_)}. "
            "OffsetIntervalDisplay and ClassProfileDisplay draw these"
        )


def source_of(estimator: Any, X: Any) -> Source:
    """Return the tuner and the scores of `X`; for a tuner `X` itself are the scores."""
    tuner = tuner_of(estimator)
    if tuner is estimator:
        return Source(tuner, X, tuner.kind)
    response = response_of(estimator, X)
    return Source(tuner, response.scores, response.kind)


def profile_on(estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None) -> ClassProfile:
    """Return recall and precision of each class, or label, on the given samples."""
    tuner, scores, kind = source_of(estimator, X)
    rule = rule_of(tuner, kind=kind)
    if not tuner.multilabel_:
        rows = labelled(scores, y, kind=kind, classes=tuner.classes_, sample_weight=sample_weight)
        before, after = rows.decided(rule.untuned()), rows.decided(rule)
        return ClassProfile.from_counts(tuner.classes_, before=before, after=after)
    columns = to_numpy(rule.check(scores, tuner.classes_))
    indicator = by_label(check_indicator(y), y, tuner.classes_, name="y")
    check_lengths(X=columns, y=indicator)
    undone, done = (each.decide(columns).astype(bool) for each in (rule.untuned(), rule))
    weights = check_sample_weight(sample_weight, like=columns)
    return LabelTruth(indicator, weights).profile(tuner.classes_, before=undone, after=done)


@dataclass(frozen=True)
class Rows:
    """Checked scores on the host, their kind, the truth, and the labels of the columns."""

    given: npt.NDArray[np.floating[Any]]
    kind: Kind
    truth: Truth
    classes: npt.NDArray[Any]

    @property
    def scores(self) -> npt.NDArray[np.floating[Any]]:
        """Log-scores (n, K)."""
        return np.asarray(log_scores(self.given, kind=self.kind))

    @property
    def proba(self) -> npt.NDArray[np.float64]:
        """Binary only: the probability (n,) of the second class, which is compared with a threshold."""
        if self.kind == "logits":
            own = expit(self.scores[:, 1] - self.scores[:, 0])
        else:
            own = as_proba(self.given, kind=self.kind)
        return np.asarray(own, dtype=np.float64)

    def decided(self, rule: DecisionRule) -> Counts:
        """Count the decisions of a rule."""
        return self.truth.count(rule.decide(self.given), confusion=True)


def labelled(
    scores: ArrayLike,
    y: ArrayLike,
    *,
    kind: Kind,
    classes: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    names: tuple[str, str] = ("X", "y"),
) -> Rows:
    """Check scores and labels, whose arguments have these `names`."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
    x = to_numpy(check_scores(scores, kind=kind, name=names[0]))
    check_lengths(**{names[0]: x, names[1]: as_array(y, name=names[1])})
    codes, labels = check_labels(y, classes=classes, n_classes=2 if x.ndim == 1 else x.shape[1], name=names[1])
    x = by_label(x, scores, labels, name=names[0])
    weights = check_sample_weight(sample_weight, like=x)
    return Rows(x, kind, Truth.from_codes(codes, n_classes=len(labels), weights=weights), labels)
