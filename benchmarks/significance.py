"""Tests of differences over data sets, and their correction for several comparisons."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import wilcoxon

__all__ = ["LEVEL", "holm", "p_over_sets", "signed_rank_p"]

LEVEL = 0.05
"""A difference is significant if its p-value, after Holm's correction, is smaller."""


def signed_rank_p(differences: npt.ArrayLike) -> float:
    """Return the p-value of Wilcoxon's signed-rank test; one if there is no difference."""
    digits = np.round(differences, 9)  # else rounding errors would break ties
    return float(wilcoxon(digits).pvalue) if digits.any() else 1.0


def p_over_sets(differences: npt.NDArray[np.float64], sets: npt.NDArray[np.str_]) -> float:
    """Return `signed_rank_p` with one observation for each data set, whatever its models and seeds."""
    return signed_rank_p([differences[sets == name].mean() for name in np.unique(sets)])


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number by Holm's step-down rule; NaN stays and does not count."""
    p = np.asarray(p_values, dtype=float)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known])]
    corrected = np.full(len(p), math.nan)
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return corrected.tolist()
