"""From an objective's name to its metric."""

from difflib import get_close_matches
from types import MappingProxyType

from skimbalance.metrics._agreement import Accuracy, CohenKappa, MatthewsCorrelation
from skimbalance.metrics._base import Metric
from skimbalance.metrics._imbalance import ImbalanceDegree
from skimbalance.metrics._overlap import FBeta, Jaccard, Precision, Recall
from skimbalance.metrics._recall import BalancedAccuracy, ClassRecall, FalsePositiveRate, GeometricMean, WorstRecall

__all__ = ["METRICS", "get_metric", "get_metric_names", "nothing_to_tune"]

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
    ImbalanceDegree(),
)

METRICS = MappingProxyType({metric.name: metric for metric in _ALL})
"""Every metric that has a name of its own."""

_THRESHOLD_FREE = frozenset(
    {
        "average_precision",
        "d2_brier_score",
        "d2_log_loss_score",
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


def get_metric(objective: str | Metric) -> Metric:
    """Return the metric that `objective` names or is."""
    if isinstance(objective, Metric):
        return objective
    if not isinstance(objective, str):
        raise TypeError(
            "objective must be the name of a metric or a metric from skimbalance.metrics, such as FBeta(2.0); got "
            f"{objective!r} of type {type(objective).__name__}"
        )
    if objective in _THRESHOLD_FREE:
        raise ValueError(nothing_to_tune(objective))
    if objective not in METRICS:
        near = get_close_matches(objective, METRICS, n=3, cutoff=0.5)
        hint = (
            f"did you mean {' or '.join(map(repr, near))}?"
            if near
            else "skimbalance.metrics.get_metric_names() lists all"
        )
        raise ValueError(f"objective={objective!r} is not a known metric; {hint}")
    return METRICS[objective]


def nothing_to_tune(objective: object) -> str:
    """Return why an objective that judges scores is refused."""
    return (
        f"objective={objective!r} judges scores, not decisions: offsets change decisions alone, so there is "
        "nothing to tune. Name a metric of decisions instead, such as 'balanced_accuracy', 'f1_macro' or "
        "'matthews_corrcoef'"
    )
