"""Ways to tune decisions behind one interface, a file for each."""

from rivals._base import Fitted, Promise, Rival
from rivals._metrics import OBJECTIVES, value_of
from rivals.bias_adjustment import BiasAdjustment
from rivals.ghost import Ghost
from rivals.log_prior import LogPrior, TunedLogPrior
from rivals.offset_tuner import OffsetTunerEmpirical, OffsetTunerPlugin, OffsetTunerRobust
from rivals.optimal_cutoffs import OptimalCutoffs, OptimalCutoffsAscent
from rivals.scipy_differential_evolution import ScipyDifferentialEvolution
from rivals.sklearn_precision_recall_curve import SklearnPrecisionRecallCurve
from rivals.sklearn_tuned_threshold import SklearnTunedThreshold
from rivals.tune_thresholds import TuneThresholds
from rivals.untuned import Untuned
from rivals.xcolumns_frank_wolfe import XColumnsFrankWolfe, XColumnsFrankWolfePrior

__all__ = [
    "OBJECTIVES",
    "BiasAdjustment",
    "Fitted",
    "Ghost",
    "LogPrior",
    "OffsetTunerEmpirical",
    "OffsetTunerPlugin",
    "OffsetTunerRobust",
    "OptimalCutoffs",
    "OptimalCutoffsAscent",
    "Promise",
    "Rival",
    "ScipyDifferentialEvolution",
    "SklearnPrecisionRecallCurve",
    "SklearnTunedThreshold",
    "TuneThresholds",
    "TunedLogPrior",
    "Untuned",
    "XColumnsFrankWolfe",
    "XColumnsFrankWolfePrior",
    "value_of",
]
