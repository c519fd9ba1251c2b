"""A mean over samples: coordinate ascent, one label after the other, each by an exact line search over its margins."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from skimbalance._core.decision_rule import decide_labels
from skimbalance.solvers._base import improves
from skimbalance.tuner.labels._labels import Floats, Indicator
from skimbalance.tuner.labels._metrics import SamplesMean
from skimbalance.tuner.labels._walks import SampleSweep

__all__ = ["Ascent", "RowSearch"]

_MOST_SWEEPS = 100


class Ascent(NamedTuple):
    """Offsets (L,), the value after each sweep, from the start on."""

    offsets: Floats
    values: tuple[float, ...]

    @property
    def value(self) -> float:
        """The final value."""
        return self.values[-1]

    @property
    def n_sweeps(self) -> int:
        """The number of sweeps over the labels."""
        return len(self.values) - 1


@dataclass
class _Standing:
    """The state of an ascent: offsets, decisions, and the true positives and predicted labels of each sample."""

    offsets: Floats
    decided: Indicator
    hits: Floats
    predicted: Floats
    value: float


@dataclass(frozen=True, eq=False)
class RowSearch:
    """Find offsets of the labels in `sorted_sweeps` for the mean over samples of what their labels are worth.

    Sample i carries label l by `shares[i, l]`, from zero to one; labels without a sorted sweep keep an offset of zero.
    """

    metric: SamplesMean
    log_odds: Floats
    shares: Floats
    weights: Floats | None
    sorted_sweeps: dict[int, SampleSweep]

    def best(self, starts: Sequence[Floats]) -> Ascent:
        """Return the best of the ascents from `starts`, the first of equals."""
        ascents = [self.ascend(start) for start in starts]
        best = ascents[0]
        for ascent in ascents[1:]:
            if improves(ascent.value, best.value):
                best = ascent
        return best

    def ascend(self, start: Floats) -> Ascent:
        """Ascend until a sweep over the labels gains nothing."""
        offsets = np.zeros(self.shares.shape[1])
        for label, sorted_sweep in self.sorted_sweeps.items():
            offsets[label] = sorted_sweep.nearest(float(start[label]))
        standing = self._standing(offsets)
        values = [standing.value]
        for _ in range(_MOST_SWEEPS):
            for label in self.sorted_sweeps:
                self._move(standing, label)
            values.append(standing.value)
            if not improves(values[-1], values[-2]):
                break
        return Ascent(standing.offsets, tuple(values))

    def _standing(self, offsets: Floats) -> _Standing:
        decided = decide_labels(self.log_odds, offsets)
        hits = np.einsum("nl,nl->n", self.shares, decided)
        predicted = np.count_nonzero(decided, axis=1).astype(np.float64)
        return _Standing(
            offsets, decided, hits, predicted, self._mean(self.metric.each(hits, predicted, self._present))
        )

    @cached_property
    def _present(self) -> Floats:
        present: Floats = self.shares.sum(axis=1)
        return present

    def _mean(self, worth: Floats) -> float:
        return float(np.average(worth, weights=self.weights))

    def _move(self, standing: _Standing, label: int) -> None:
        """Put one offset where it is best while the others stand, if that is better when counted."""
        sorted_sweep, own, present = self.sorted_sweeps[label], self.shares[:, label], self._present
        mine = standing.decided[:, label]
        hits, predicted = standing.hits - own * mine, standing.predicted - mine
        without = self.metric.each(hits, predicted, present)
        gained = self.metric.each(hits + own, predicted + 1, present) - without
        if self.weights is not None:
            gained = gained * self.weights
        objective_values = np.concatenate([[0.0], np.cumsum(gained[sorted_sweep.samples])])
        offset = sorted_sweep.offset_where(objective_values, start=float(standing.offsets[label]))
        taken = self.log_odds[:, label] + offset >= 0
        hits, predicted = hits + own * taken, predicted + taken
        value = self._mean(self.metric.each(hits, predicted, present))
        if improves(value, standing.value):
            standing.offsets[label], standing.decided[:, label] = offset, taken
            standing.hits, standing.predicted, standing.value = hits, predicted, value
