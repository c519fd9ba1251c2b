"""Offsets of labels that few samples carry, drawn towards what all labels together suggest."""

import numpy as np

from skimbalance.tuner.labels._labels import Floats

__all__ = ["FEWEST_LABELS", "fold_noise", "shrunk"]

FEWEST_LABELS = 4
"""A line through fewer labels is not reliable."""

_SHARE = 0.25
"""So much of the jackknife's variance is taken for noise: folds are fitted with fewer bootstraps, and of optima that
jump the jackknife makes too much. A tenth to a half did about as well on the sets of labels that it was tried on."""


def fold_noise(folds: Floats, sizes: Floats) -> Floats:
    """Return the noise variance (L,) of offsets (folds, L): the jackknife's, taken to depend on `sizes` (L,) alone.

    Of five folds the variance of a single label is little more than a guess; that of all of them is not.
    """
    n_folds = len(folds)
    jackknife = (n_folds - 1) ** 2 / n_folds * folds.var(axis=0, ddof=1)
    noise: Floats = _SHARE * np.mean(jackknife * sizes) / sizes
    return noise


def shrunk(offsets: Floats, *, noise: Floats, log_odds: Floats) -> Floats:
    """Shrink offsets (L,) by the share that is noise towards a line in prior log-odds (L,): empirical Bayes.

    Classifiers err alike on labels that are alike in frequency. The deviations from the line are taken to vary as much
    for every label, as Efron and Morris (1975) do.
    """
    columns = np.stack([np.ones_like(log_odds), log_odds], axis=1)
    steady = 1 / np.sqrt(noise + offsets.var() + np.finfo(np.float64).tiny)
    line = columns @ np.linalg.lstsq(columns * steady[:, None], offsets * steady)[0]
    deviations = offsets - line
    spread = np.mean(deviations**2)
    kept: Floats = line + deviations * spread / (spread + noise + np.finfo(np.float64).tiny)
    return kept
