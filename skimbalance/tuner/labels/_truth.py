"""The labels of samples as an indicator, and sums over the samples, label by label."""

from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.typing import ArrayLike
from skimbalance._core.validation import check_present, shown
from skimbalance.metrics.counts import ClassProfile, Counts

__all__ = [
    "Codes",
    "Floats",
    "Indicator",
    "LabelCounts",
    "LabelTruth",
    "check_indicator",
    "rarities",
]

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Indicator = npt.NDArray[np.bool_]

_NUMBERS = (Real, np.bool_)

_ROUNDING = 1e-12
"""A sum of weights that is a smaller share of them all is zero but for rounding."""


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


def rarities(indicator: Indicator) -> Codes:
    """Return for each sample (n,) how many samples carry its rarest label, all if it has none: folds spread these."""
    n_positive = np.count_nonzero(indicator, axis=0)
    rarest: Codes = np.where(indicator, n_positive, len(indicator)).min(axis=1)
    return rarest


@dataclass(frozen=True)
class LabelCounts:
    """Weighted sample counts of each label, as (L,) vectors; `total` are all samples with a known score."""

    hits: Floats
    predicted: Floats
    support: Floats
    total: Floats

    def of(self, label: int) -> Counts:
        """Return the counts of one label as a binary problem, absent and present."""
        hits, predicted, support, total = (
            float(sums[label]) for sums in (self.hits, self.predicted, self.support, self.total)
        )
        false, missed = predicted - hits, support - hits
        table = np.array([[total - support - false, false], [missed, hits]])
        table[table < _ROUNDING * total] = 0.0
        return Counts(np.array([table[0, 0], hits]), table.sum(axis=0), table.sum(axis=1), table)


@dataclass(frozen=True, eq=False)
class LabelTruth:
    """Which labels samples carry, (n, L), and the weights (n,) of the samples, None for ones.

    `known` (n, L) is False where a score carries no evidence, None where all do. Unknown cells count for no label.
    """

    indicator: Indicator
    weights: Floats | None = None
    known: Indicator | None = None

    @cached_property
    def present(self) -> Indicator:
        """Which labels (n, L) are present and known."""
        return self.without_unknown(self.indicator)

    def without_unknown(self, cells: Indicator) -> Indicator:
        """Return the `cells` (n, L), False where they are not known."""
        return cells if self.known is None else cells & self.known

    def take(self, samples: Codes) -> "LabelTruth":
        """Return the truth of `samples` only."""
        weights = None if self.weights is None else self.weights[samples]
        return LabelTruth(self.indicator[samples], weights, None if self.known is None else self.known[samples])

    def of_labels(self, order: Codes) -> "LabelTruth":
        """Return the truth of the labels in another order."""
        known = None if self.known is None else np.take(self.known, order, axis=1)
        return replace(self, indicator=np.take(self.indicator, order, axis=1), known=known)

    def count(self, decisions: Indicator) -> LabelCounts:
        """Count what `decisions` (n, L) achieve."""

        def sums(cells: Indicator) -> Floats:
            return np.count_nonzero(cells, axis=0).astype(np.float64) if self.weights is None else self.weights @ cells

        n_samples, n_labels = self.indicator.shape
        if self.known is None:
            total = np.full(n_labels, float(n_samples if self.weights is None else self.weights.sum()))
        else:
            total = sums(self.known)
        return LabelCounts(
            sums(self.present & decisions), sums(self.without_unknown(decisions)), sums(self.present), total
        )

    def profile(
        self, labels: npt.NDArray[Any], *, before: Indicator, after: Indicator, held_out: bool = False
    ) -> ClassProfile:
        """Return what decisions (n, L) achieve on each label, without offsets and with them."""
        each = (self.count(decisions) for decisions in (before, after))
        undone, done = (Counts(counts.hits, counts.predicted, counts.support) for counts in each)
        return ClassProfile.from_counts(labels, before=undone, after=done, held_out=held_out)
