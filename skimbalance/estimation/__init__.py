"""Offsets for unseen data, and the score to expect there: cross-fitting, calibration, bootstraps, prior shift."""

from skimbalance.estimation._certify import Guarantee
from skimbalance.estimation._cross_fit import (
    ClassCrossFit,
    CrossFit,
    cross_fit,
    fit_folds,
    folds_along,
    folds_of,
    jackknife_error,
    prediction_interval,
)
from skimbalance.estimation._draws import held_by, independent_counts, independent_weights
from skimbalance.estimation._estimate import (
    ESTIMATES,
    claimed_near,
    cross_fits,
    estimate,
    fit_of,
    half_soft,
    shrinks,
    tighten_for,
)
from skimbalance.estimation._prior_shift import notes_on_shift, shift_to
from skimbalance.estimation._rejection import GoalResult, RejectGoal, Rejection, fit_rejection
from skimbalance.estimation._state_estimate import StateProblem
from skimbalance.estimation._tighten import Tightened, following, guarantees_of
from skimbalance.estimation.spec import CrossFitResult, FitResult, FitSpec, KeptSamples, in_turn, sampling_rates

__all__ = [
    "ESTIMATES",
    "ClassCrossFit",
    "CrossFit",
    "CrossFitResult",
    "FitResult",
    "FitSpec",
    "GoalResult",
    "Guarantee",
    "KeptSamples",
    "RejectGoal",
    "Rejection",
    "StateProblem",
    "Tightened",
    "claimed_near",
    "cross_fit",
    "cross_fits",
    "estimate",
    "fit_folds",
    "fit_of",
    "fit_rejection",
    "folds_along",
    "folds_of",
    "following",
    "guarantees_of",
    "half_soft",
    "held_by",
    "in_turn",
    "independent_counts",
    "independent_weights",
    "jackknife_error",
    "notes_on_shift",
    "prediction_interval",
    "sampling_rates",
    "shift_to",
    "shrinks",
    "tighten_for",
]
