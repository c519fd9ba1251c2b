"""The tuner of an estimator, and what displays compute with it on samples."""

from typing import Any

from sklearn.utils.validation import check_is_fitted

from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision_rule import rule_of
from skimbalance._core.typing import ArrayLike, Kind
from skimbalance._core.validation import abridged, by_label, check_lengths, check_sample_weight
from skimbalance.classifier._base import response_of
from skimbalance.curve import check_samples
from skimbalance.metrics.counts import ClassProfile
from skimbalance.tuner import OffsetTuner
from skimbalance.tuner.labels import LabelTruth, check_indicator

__all__ = ["profile_on", "scores_of", "tuner_of"]


def tuner_of(estimator: Any) -> OffsetTuner:
    """Return the fitted tuner of an estimator, or the estimator if it is a tuner."""
    check_is_fitted(estimator)
    tuner = getattr(estimator, "tuner_", estimator)
    if not isinstance(tuner, OffsetTuner):
        raise TypeError(
            f"estimator must be a fitted TunedOffsetClassifierCV or OffsetTuner; got {type(estimator).__name__}"
        )
    return tuner


def scores_of(estimator: Any, X: Any, *, display: str | None = None) -> tuple[OffsetTuner, ArrayLike, Kind]:
    """Return the tuner, and the scores of `X` with their kind; for a tuner `X` itself are the scores.

    Raise if the estimator is multilabel and the `display` is one that does not support it.
    """
    tuner = tuner_of(estimator)
    if display is not None and tuner.multilabel_:
        raise ValueError(
            f"{display} supports one label per sample; estimator was fitted on several, {abridged(tuner.classes_)}. "
            "OffsetIntervalDisplay and ClassProfileDisplay draw these"
        )
    if tuner is estimator:
        return tuner, X, tuner.kind
    response = response_of(estimator, X)
    return tuner, response.scores, response.kind


def profile_on(estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None) -> ClassProfile:
    """Return recall and precision of each class, or label, on the given samples."""
    tuner, scores, kind = scores_of(estimator, X)
    rule = rule_of(tuner, kind=kind)
    if not tuner.multilabel_:
        samples = check_samples(scores, y, kind=kind, classes=tuner.classes_, sample_weight=sample_weight)
        before, after = samples.count(rule.untuned()), samples.count(rule)
        return ClassProfile.from_counts(tuner.classes_, before=before, after=after)
    columns = to_numpy(rule.check(scores, tuner.classes_))
    indicator = by_label(check_indicator(y), y, tuner.classes_, name="y")
    check_lengths(X=columns, y=indicator)
    undone, done = (each.decide(columns).astype(bool) for each in (rule.untuned(), rule))
    weights = check_sample_weight(sample_weight, like=columns)
    return LabelTruth(indicator, weights).profile(tuner.classes_, before=undone, after=done)
