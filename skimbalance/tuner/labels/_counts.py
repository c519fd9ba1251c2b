"""Sums over samples, label by label."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance.metrics.counts import ClassProfile, Counts
from skimbalance.tuner.labels._labels import Floats, Indicator

__all__ = ["LabelCounts", "count_labels", "profile_of"]

_ROUNDING = 1e-12
"""A sum of weights that is a smaller share of them all is zero but for rounding."""


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


def count_labels(
    indicator: Indicator, decisions: Indicator, weights: Floats | None, known: Indicator | None = None
) -> LabelCounts:
    """Count samples of weight one, or of `weights` (n,); those that are not `known` (n, L) count for no label."""
    n_samples, n_labels = indicator.shape
    if known is not None:
        indicator, decisions = indicator & known, decisions & known
    parts = (indicator & decisions, decisions, indicator)
    if weights is None:
        hits, predicted, support = (np.count_nonzero(part, axis=0).astype(np.float64) for part in parts)
        total = np.full(n_labels, float(n_samples)) if known is None else np.count_nonzero(known, axis=0).astype(float)
    else:
        hits, predicted, support = (weights @ part for part in parts)
        total = np.full(n_labels, float(weights.sum())) if known is None else weights @ known
    return LabelCounts(hits, predicted, support, total)


def profile_of(
    labels: npt.NDArray[Any],
    indicator: Indicator,
    weights: Floats | None,
    *,
    before: Indicator,
    after: Indicator,
    known: Indicator | None = None,
    held_out: bool = False,
) -> ClassProfile:
    """Return what decisions (n, L) make of each label, without offsets and with them."""
    each = (count_labels(indicator, decisions, weights, known) for decisions in (before, after))
    undone, done = (Counts(counts.hits, counts.predicted, counts.support) for counts in each)
    return ClassProfile.from_counts(labels, before=undone, after=done, held_out=held_out)
