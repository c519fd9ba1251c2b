"""Bias Adjustment of the paper that this package started from, with its states reached by Newton's steps."""

from typing import ClassVar

from rivals.offset_tuner import OffsetTuner

__all__ = ["BiasAdjustment"]


class BiasAdjustment(OffsetTuner):
    """The best of 45 imbalance states on the tuning rows; with several classes this project's extension of it."""

    name = "Bias Adjustment (Regulating, as published)"
    parameters: ClassVar = {"solver": "imbalance_state", "estimate": "empirical", "confidence_level": None}
