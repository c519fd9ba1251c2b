"""The indicator of multilabel targets."""

from numbers import Real

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.typing import ArrayLike
from skimbalance._core.validation import check_present, shown

__all__ = [
    "Floats",
    "Indicator",
    "check_indicator",
    "rarities",
]

Floats = npt.NDArray[np.float64]
Indicator = npt.NDArray[np.bool_]

_NUMBERS = (Real, np.bool_)


def check_indicator(y: ArrayLike) -> Indicator:
    """Return the indicator (n, L) as booleans: of zeros and ones, dense or a sparse matrix of SciPy."""
    dense = y.toarray() if hasattr(y, "toarray") else to_numpy(y, name="y")
    given: npt.NDArray[np.generic] = np.asarray(dense)
    if given.ndim != 2 or 0 in given.shape:
        raise ValueError(f"y must be an indicator (n, L) with samples and labels; got shape {given.shape}")
    check_present("y", given)
    if given.dtype.kind == "O":  # data frames with columns of several types, or with missing values
        odd = np.array([each for each in given.flat if not isinstance(each, _NUMBERS) or each not in {0, 1}], object)
    else:
        odd = given[(given != 0) & (given != 1)] if given.dtype.kind in "biuf" else given.reshape(-1)
    if odd.size:
        raise ValueError(
            f"y must hold zeros and ones alone where it is (n, L), a one for each label that a sample carries; got "
            f"{shown(odd[0])}. Several outputs of more than two classes are tuned one by one, each as (n,)"
        )
    indicator: Indicator = given.astype(bool)
    return indicator


def rarities(indicator: Indicator) -> npt.NDArray[np.int64]:
    """Return how many samples carry the rarest label of each sample (n,), all where it has none: folds spread these."""
    n_positive = np.count_nonzero(indicator, axis=0)
    rarest: npt.NDArray[np.int64] = np.where(indicator, n_positive, len(indicator)).min(axis=1)
    return rarest
