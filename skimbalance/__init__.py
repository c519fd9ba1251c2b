"""Post-hoc adjustment of classifiers for imbalanced data: one offset per class, for the metric you name."""

from skimbalance.classifier import FixedOffsetClassifier, TunedOffsetClassifierCV
from skimbalance.curve import imbalance_curve
from skimbalance.monitoring import ConstraintMonitor
from skimbalance.tuner import OffsetTuner

__all__ = [
    "ConstraintMonitor",
    "FixedOffsetClassifier",
    "OffsetTuner",
    "TunedOffsetClassifierCV",
    "__version__",
    "imbalance_curve",
]

__version__ = "0.2.0"
