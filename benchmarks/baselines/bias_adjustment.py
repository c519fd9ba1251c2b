"""Bias Adjustment, the method of the paper behind this package; Newton's method finds its states."""

from typing import ClassVar

from benchmarks.baselines.offset_tuner import OffsetTuner

__all__ = ["BiasAdjustment"]


class BiasAdjustment(OffsetTuner):
    """The best of 45 imbalance states on the tuning samples; for multiclass problems, an extension by this project."""

    name = "Bias Adjustment (Regulating, as published)"
    parameters: ClassVar = {"solver": "imbalance_state", "estimate": "empirical", "confidence_level": None}
