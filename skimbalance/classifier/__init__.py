"""Classifiers that add an offset per class to the scores of another classifier."""

from skimbalance.classifier._fixed import FixedOffsetClassifier
from skimbalance.classifier._tuned import TunedOffsetClassifierCV

__all__ = ["FixedOffsetClassifier", "TunedOffsetClassifierCV"]
