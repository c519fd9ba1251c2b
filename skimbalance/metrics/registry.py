"""The metrics by name."""

from difflib import get_close_matches
from types import MappingProxyType

from skimbalance.metrics._agreement import Accuracy, CohenKappa, MatthewsCorrelation
from skimbalance.metrics._coverage import Coverage
from skimbalance.metrics._recall import BalancedAccuracy, ClassRecall, FalsePositiveRate, GeometricMean, WorstRecall
from skimbalance.metrics._share import PredictedShare
from skimbalance.metrics.base import Metric
from skimbalance.metrics.imbalance import ImbalanceDegree
from skimbalance.metrics.overlap import FBeta, Jaccard, Precision, Recall

__all__ = ["METRICS", "get_metric", "get_metric_names", "judges_scores", "nothing_to_tune"]

_ALL = (
    Accuracy(),
    BalancedAccuracy(),
    *(FBeta(1.0, average=average) for average in ("binary", "macro", "micro", "weighted")),
    *(Jaccard(average=average) for average in ("binary", "macro", "micro", "weighted")),
    *(Precision(average=average) for average in ("binary", "macro", "micro", "weighted")),
    ClassRecall(),
    *(Recall(average=average) for average in ("macro", "micro", "weighted")),
    MatthewsCorrelation(),
    CohenKappa(),
    GeometricMean(),
    WorstRecall(),
    FalsePositiveRate(),
    PredictedShare(),
    ImbalanceDegree(),
)

METRICS = MappingProxyType({metric.name: metric for metric in _ALL})
"""Every metric that has a name of its own."""

_OF_CONSTRAINTS = MappingProxyType({Coverage.name: Coverage()})
"""Metrics for constraints only: as an objective they leave nothing to choose."""

_THRESHOLD_FREE = frozenset(
    {
        "auc",
        "average_precision",
        "brier_score",
        "d2_brier_score",
        "d2_log_loss_score",
        "log_loss",
        "neg_brier_score",
        "neg_log_loss",
        "roc_auc",
        "roc_auc_ovo",
        "roc_auc_ovo_weighted",
        "roc_auc_ovr",
        "roc_auc_ovr_weighted",
        "top_k_accuracy",
    }
)

_OTHER_NAMES = MappingProxyType(
    {
        "f1_score": "'f1'",
        "f2": "FBeta(2.0)",
        "g_mean": "'geometric_mean'",
        "gmean": "'geometric_mean'",
        "iou": "'jaccard'",
        "kappa": "'cohen_kappa'",
        "mcc": "'matthews_corrcoef'",
        "predicted_positive_rate": "'predicted_share'",
        "selection_rate": "'predicted_share'",
        "sensitivity": "'recall'",
        "specificity": "'false_positive_rate', which is one minus it",
        "tpr": "'recall'",
        "fpr": "'false_positive_rate'",
        "youden": "'balanced_accuracy', which is best where it is",
    }
)
"""Other names of metrics."""


def get_metric_names() -> list[str]:
    """Get the names that `objective` takes.

    Returns
    -------
    list of str
        In alphabetical order.

    Examples
    --------
    >>> from skimbalance.metrics import get_metric_names
    >>> "f1_macro" in get_metric_names()
    True
    """
    return sorted(METRICS)


def get_metric(objective: str | Metric, *, argument: str = "objective") -> Metric:
    """Return the metric that `objective` names or is; errors name `argument`."""
    if isinstance(objective, Metric):
        return objective
    if not isinstance(objective, str):
        raise TypeError(
            f"{argument} must be the name of a metric or a metric from skimbalance.metrics, such as FBeta(2.0); got "
            f"{objective!r} of type {type(objective).__name__}"
        )
    if judges_scores(objective):
        raise ValueError(nothing_to_tune(objective, argument=argument))
    if argument == "metric" and objective in _OF_CONSTRAINTS:
        return _OF_CONSTRAINTS[objective]
    if objective not in METRICS:
        near = " or ".join(map(repr, get_close_matches(objective, METRICS, n=3, cutoff=0.5)))
        meant = _OTHER_NAMES.get(objective.lower(), near)
        hint = f"did you mean {meant}?" if meant else "skimbalance.metrics.get_metric_names() lists all"
        raise ValueError(f"{argument}={objective!r} is not a known metric; {hint}")
    return METRICS[objective]


def judges_scores(name: str) -> bool:
    """Whether this is the name of a metric of scores, which offsets do not change."""
    return name in _THRESHOLD_FREE


def nothing_to_tune(objective: object, *, argument: str = "objective") -> str:
    """Return the message for an objective that judges scores."""
    return (
        f"{argument}={objective!r} judges scores, not decisions: offsets change decisions alone, so there is "
        "nothing to tune. Name a metric of decisions instead, such as 'balanced_accuracy', 'f1_macro' or "
        "'matthews_corrcoef'"
    )
