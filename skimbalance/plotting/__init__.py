"""Displays: what offsets do, drawn with matplotlib."""

from skimbalance.plotting._class_profile import ClassProfileDisplay
from skimbalance.plotting._imbalance_curve import ImbalanceCurveDisplay
from skimbalance.plotting._offset_interval import OffsetIntervalDisplay
from skimbalance.plotting._risk_coverage import RiskCoverageDisplay
from skimbalance.plotting._threshold_curve import ThresholdCurveDisplay
from skimbalance.plotting._training_curve import TrainingCurveDisplay

__all__ = [
    "ClassProfileDisplay",
    "ImbalanceCurveDisplay",
    "OffsetIntervalDisplay",
    "RiskCoverageDisplay",
    "ThresholdCurveDisplay",
    "TrainingCurveDisplay",
]
