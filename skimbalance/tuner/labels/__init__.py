"""Several labels a sample: an offset for each, added to its log-odds."""

from skimbalance.tuner.labels._counts import profile_of
from skimbalance.tuner.labels._fit import MultilabelFit, fit_multilabel
from skimbalance.tuner.labels._labels import (
    Indicator,
    check_indicator,
    rarities,
)
from skimbalance.tuner.labels._metrics import LabelMean, MicroRatio, MultilabelMetric, SamplesMean
from skimbalance.tuner.labels._registry import check_constraints, get_multilabel_metric, get_multilabel_metric_names

__all__ = [
    "Indicator",
    "LabelMean",
    "MicroRatio",
    "MultilabelFit",
    "MultilabelMetric",
    "SamplesMean",
    "check_constraints",
    "check_indicator",
    "fit_multilabel",
    "get_multilabel_metric",
    "get_multilabel_metric_names",
    "profile_of",
    "rarities",
]
