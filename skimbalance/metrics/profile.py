"""Recall and precision of each class, with offsets and without."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance.metrics.counts import Counts

__all__ = ["ClassProfile"]

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassProfile:
    """Recall and precision of every class, without offsets and with them, as NumPy arrays (K,).

    `classes` are the labels and `support` the weight of the samples of each; a recall is NaN where a class has no
    samples, a precision where it is never predicted. `held_out` is whether the offsets for each sample were
    fitted without it.
    """

    classes: npt.NDArray[Any]
    support: _Floats
    recall_before: _Floats
    precision_before: _Floats
    recall_after: _Floats
    precision_after: _Floats
    held_out: bool = False

    @classmethod
    def from_counts(cls, classes: npt.NDArray[Any], *, before: Counts, after: Counts, held_out: bool = False) -> Self:
        """Take the ratios of counts of decisions on the same samples."""
        return cls(
            classes, to_numpy(before.support).astype(np.float64), *_ratios(before), *_ratios(after), held_out=held_out
        )


def _ratios(counts: Counts) -> tuple[_Floats, _Floats]:
    """Return recall and precision, NaN if the denominator is zero."""
    hits, support, predicted = (
        to_numpy(sums).astype(np.float64) for sums in (counts.hits, counts.support, counts.predicted)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(support > 0, hits / support, np.nan), np.where(predicted > 0, hits / predicted, np.nan)
