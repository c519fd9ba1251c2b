"""The tuner: from scores and labels to offsets."""

from skimbalance.tuner._offset_tuner import OffsetTuner

__all__ = ["OffsetTuner"]
