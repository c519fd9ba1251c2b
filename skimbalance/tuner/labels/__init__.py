"""Multilabel targets: an offset for each label, added to its log-odds."""

from skimbalance.tuner.labels._counts import profile_of
from skimbalance.tuner.labels._labels import (
    Indicator,
    check_indicator,
    decide_label_scores,
    decide_labels,
    label_columns,
    label_log_odds,
    label_proba,
    label_threshold,
    moved_log_odds,
    rarities,
    side_columns,
)
from skimbalance.tuner.labels._metrics import LabelMean, MicroRatio, MultilabelMetric, SamplesMean
from skimbalance.tuner.labels.objective import get_multilabel_metric, get_multilabel_metric_names

__all__ = [
    "Indicator",
    "LabelMean",
    "MicroRatio",
    "MultilabelMetric",
    "SamplesMean",
    "check_indicator",
    "decide_label_scores",
    "decide_labels",
    "get_multilabel_metric",
    "get_multilabel_metric_names",
    "label_columns",
    "label_log_odds",
    "label_proba",
    "label_threshold",
    "moved_log_odds",
    "profile_of",
    "rarities",
    "side_columns",
]
