"""Methods that tune decisions, behind one interface; one file for each."""

from benchmarks.baselines._base import Baseline, Fitted, ScoreEstimate
from benchmarks.baselines._metrics import OBJECTIVES, value_of
from benchmarks.baselines.autogluon_threshold import AutogluonThreshold
from benchmarks.baselines.calibrated import CalibratedIsotonic, CalibratedSigmoid, CalibratedTemperature
from benchmarks.baselines.cw_plugin import CWPlugin
from benchmarks.baselines.empulse_threshold import EmpulseThreshold
from benchmarks.baselines.fairlearn_threshold import FairlearnThreshold
from benchmarks.baselines.ghost import Ghost
from benchmarks.baselines.log_prior import LogPrior, SignedLogPrior, TunedLogPrior
from benchmarks.baselines.offset_tuner import BiasAdjustment, OffsetTunerEmpirical, OffsetTunerPlugin, OffsetTunerRobust
from benchmarks.baselines.optimal_cutoffs import OptimalCutoffs, OptimalCutoffsAscent
from benchmarks.baselines.repair import RepairClasswise
from benchmarks.baselines.scipy_differential_evolution import ScipyDifferentialEvolution
from benchmarks.baselines.sklearn_precision_recall_curve import SklearnPrecisionRecallCurve
from benchmarks.baselines.sklearn_tuned_threshold import SklearnTunedThreshold, SklearnTunedThreshold1000
from benchmarks.baselines.tabpfn_thresholds import TabpfnThresholds
from benchmarks.baselines.threshold_opt import ThresholdOpt
from benchmarks.baselines.tune_thresholds import TuneThresholds
from benchmarks.baselines.untuned import Untuned
from benchmarks.baselines.xcolumns_frank_wolfe import XColumnsFrankWolfe, XColumnsFrankWolfePrior

__all__ = [
    "OBJECTIVES",
    "AutogluonThreshold",
    "Baseline",
    "BiasAdjustment",
    "CWPlugin",
    "CalibratedIsotonic",
    "CalibratedSigmoid",
    "CalibratedTemperature",
    "EmpulseThreshold",
    "FairlearnThreshold",
    "Fitted",
    "Ghost",
    "LogPrior",
    "OffsetTunerEmpirical",
    "OffsetTunerPlugin",
    "OffsetTunerRobust",
    "OptimalCutoffs",
    "OptimalCutoffsAscent",
    "RepairClasswise",
    "ScipyDifferentialEvolution",
    "ScoreEstimate",
    "SignedLogPrior",
    "SklearnPrecisionRecallCurve",
    "SklearnTunedThreshold",
    "SklearnTunedThreshold1000",
    "TabpfnThresholds",
    "ThresholdOpt",
    "TuneThresholds",
    "TunedLogPrior",
    "Untuned",
    "XColumnsFrankWolfe",
    "XColumnsFrankWolfePrior",
    "value_of",
]
