"""From the samples at hand to samples not seen: offsets that hold, and how good they will be."""

from skimbalance.estimation._cross_fit import (
    CrossFit,
    cross_fit,
    factor_for_gain,
    folds_along,
    folds_of,
    jackknife_error,
    shrinkage_factor_for,
    widened,
)
from skimbalance.estimation._estimate import ESTIMATES, Estimated, Estimation, in_turn
from skimbalance.estimation._groups import held_by, independent_counts, independent_weights
from skimbalance.estimation._kept_rows import KeptRows, sampling_rates
from skimbalance.estimation._prior_shift import notes_on_shift, shift_to
from skimbalance.estimation._robust import plugin, robust
from skimbalance.estimation._state_estimate import StateEstimate, StateProblem

__all__ = [
    "ESTIMATES",
    "CrossFit",
    "Estimated",
    "Estimation",
    "KeptRows",
    "StateEstimate",
    "StateProblem",
    "cross_fit",
    "factor_for_gain",
    "folds_along",
    "folds_of",
    "held_by",
    "in_turn",
    "independent_counts",
    "independent_weights",
    "jackknife_error",
    "notes_on_shift",
    "plugin",
    "robust",
    "sampling_rates",
    "shift_to",
    "shrinkage_factor_for",
    "widened",
]
