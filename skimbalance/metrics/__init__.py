"""Metrics of decisions."""

from skimbalance.metrics._cost import Cost
from skimbalance.metrics._functions import geometric_mean_score, worst_recall_score
from skimbalance.metrics.overlap import FBeta
from skimbalance.metrics.registry import get_metric_names
from skimbalance.metrics.state import imbalance_degree_score, imbalance_state

__all__ = [
    "Cost",
    "FBeta",
    "geometric_mean_score",
    "get_metric_names",
    "imbalance_degree_score",
    "imbalance_state",
    "worst_recall_score",
]
