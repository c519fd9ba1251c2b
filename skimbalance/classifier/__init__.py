"""Classifiers that decide by the shifted scores of another one."""

from skimbalance.classifier._fixed import FixedOffsetClassifier
from skimbalance.classifier._tuned import TunedOffsetClassifierCV

__all__ = ["FixedOffsetClassifier", "TunedOffsetClassifierCV"]
