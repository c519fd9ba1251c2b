"""Multilabel targets: an offset for each label, added to its log-odds."""

from skimbalance.tuner.labels._metrics import LabelMean, MicroRatio, MultilabelMetric, SamplesMean
from skimbalance.tuner.labels._truth import Indicator, LabelTruth, check_indicator, rarities
from skimbalance.tuner.labels.objective import get_multilabel_metric, get_multilabel_metric_names

__all__ = [
    "Indicator",
    "LabelMean",
    "LabelTruth",
    "MicroRatio",
    "MultilabelMetric",
    "SamplesMean",
    "check_indicator",
    "get_multilabel_metric",
    "get_multilabel_metric_names",
    "rarities",
]
