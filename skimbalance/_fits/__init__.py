"""The ways of a fit: from a goal and rows of one shape to all that a tuner then knows."""

from skimbalance._fits._chunks import fit_chunks
from skimbalance._fits._classes import fit_classes
from skimbalance._fits._goal import Fitted, Goal
from skimbalance._fits._labels import fit_labels

__all__ = ["Fitted", "Goal", "fit_chunks", "fit_classes", "fit_labels"]
