"""Several labels a row: an offset for each, added to its log-odds."""

from skimbalance.multilabel._fit import MultilabelFit, fit_multilabel
from skimbalance.multilabel._labels import check_indicator, decide_labels, label_log_odds, label_proba, side_columns
from skimbalance.multilabel._metrics import LabelMean, MicroRatio, MultilabelMetric, SamplesMean
from skimbalance.multilabel._registry import get_multilabel_metric, get_multilabel_metric_names

__all__ = [
    "LabelMean",
    "MicroRatio",
    "MultilabelFit",
    "MultilabelMetric",
    "SamplesMean",
    "check_indicator",
    "decide_labels",
    "fit_multilabel",
    "get_multilabel_metric",
    "get_multilabel_metric_names",
    "label_log_odds",
    "label_proba",
    "side_columns",
]
