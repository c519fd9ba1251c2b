"""Multilabel fits as tests call them."""

import numpy as np

from skimbalance.estimation import FitSpec
from skimbalance.tuner.labels import check_indicator
from skimbalance.tuner.labels.fit import fit_multilabel as fit_spec


def fit_multilabel(log_odds, indicator, *, metric, labels=None, weights=None, groups=None, known=None, **settings):
    """Fit labels named from zero on, with the default settings of the tuner."""
    checked = check_indicator(indicator)
    names = np.arange(checked.shape[1]) if labels is None else np.asarray(labels)
    spec, odds = FitSpec(objective=metric, **settings), np.asarray(log_odds, dtype=np.float64)
    return fit_spec(odds, checked, spec, names=names, weights=weights, groups=groups, known=known)
