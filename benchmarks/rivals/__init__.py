"""Other libraries behind one interface, a file for each."""

from rivals._base import Fitted, Rival
from rivals.optimal_cutoffs import OptimalCutoffs, OptimalCutoffsAscent
from rivals.scipy_differential_evolution import ScipyDifferentialEvolution
from rivals.sklearn_precision_recall_curve import SklearnPrecisionRecallCurve
from rivals.sklearn_tuned_threshold import SklearnTunedThreshold
from rivals.tune_thresholds import TuneThresholds
from rivals.xcolumns_frank_wolfe import XColumnsFrankWolfe, XColumnsFrankWolfePrior

__all__ = [
    "Fitted",
    "OptimalCutoffs",
    "OptimalCutoffsAscent",
    "Rival",
    "ScipyDifferentialEvolution",
    "SklearnPrecisionRecallCurve",
    "SklearnTunedThreshold",
    "TuneThresholds",
    "XColumnsFrankWolfe",
    "XColumnsFrankWolfePrior",
]
