"""The multilabel problem: find an offset for each label."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from skimbalance._core.decision_rule import decide_labels
from skimbalance._core.validation import numbered
from skimbalance.estimation import independent_counts
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import Truth
from skimbalance.solvers import Problem, is_ordered
from skimbalance.tuner.labels._counts import LabelCounts, count_labels
from skimbalance.tuner.labels._labels import Floats, Indicator
from skimbalance.tuner.labels._metrics import MultilabelMetric

__all__ = ["MultilabelProblem"]

_Rows = npt.NDArray[np.int64]

_DIGITS = 9
"""Samples are ordered by log-odds of so many decimals, which every kind of scores agrees on."""


@dataclass(frozen=True, eq=False)
class MultilabelProblem:
    """Find offsets (L,) for which `log_odds + offsets >= 0` (n, L) does best by `metric`.

    `requirements` holds the bounds of each label. Of decisions that miss them those are better that miss by
    less. Samples of one of `groups` (n,) are not independent. `known` (n, L) is False where a score carries no
    evidence, None where all do: such cells are left out of whatever is fitted or counted.
    """

    log_odds: Floats
    indicator: Indicator
    weights: Floats | None
    metric: MultilabelMetric
    requirements: tuple[tuple[BoundConstraint, ...], ...]
    groups: npt.NDArray[np.int64] | None = None
    known: Indicator | None = None

    @property
    def n_labels(self) -> int:
        """The number of labels, L."""
        return int(self.log_odds.shape[1])

    @cached_property
    def present(self) -> Indicator:
        """Which labels (n, L) are there and known."""
        return self.indicator if self.known is None else self.indicator & self.known

    @cached_property
    def n_positive(self) -> npt.NDArray[np.int64]:
        """How many samples carry each label, of those that are known."""
        n_positive: npt.NDArray[np.int64] = np.count_nonzero(self.present, axis=0)
        return n_positive

    @cached_property
    def n_negative(self) -> npt.NDArray[np.int64]:
        """How many samples do not carry each label, of those that are known."""
        n_known = len(self.indicator) if self.known is None else np.count_nonzero(self.known, axis=0)
        n_negative: npt.NDArray[np.int64] = n_known - self.n_positive
        return n_negative

    @cached_property
    def n_independent(self) -> npt.NDArray[np.int64]:
        """How many samples (2, L) are without each label and with it; those of one group count once."""
        each = (
            (self.indicator[samples, j], self._groups_of(samples))
            for j in range(self.n_labels)
            for samples in [self.samples(j)]
        )
        counts = [independent_counts(column.astype(np.int64), groups, n_classes=2) for column, groups in each]
        n_independent: npt.NDArray[np.int64] = np.stack(counts, axis=1)
        return n_independent

    @cached_property
    def tunable(self) -> list[int]:
        """The labels that some samples carry and some do not: the others keep an offset of zero."""
        return np.flatnonzero((self.n_positive > 0) & (self.n_negative > 0)).tolist()

    def samples(self, label: int) -> _Rows | slice:
        """Return the samples whose score of a label is known."""
        return slice(None) if self.known is None else np.flatnonzero(self.known[:, label])

    def label(self, label: int) -> Problem:
        """Return the binary problem of one label: its log-odds against zero, in the samples where it is known."""
        samples = self.samples(label)
        column, weights = self.log_odds[samples, label], None if self.weights is None else self.weights[samples]
        truth = Truth.from_codes(self.indicator[samples, label].astype(np.int64), n_classes=2, weights=weights)
        scores = np.stack([np.zeros_like(column), column]).T
        groups = self.groups if self.known is None else self._groups_of(samples)
        return Problem(scores, truth, self.metric.of_label(label), self.requirements[label], groups)

    def take(self, samples: _Rows) -> "MultilabelProblem":
        """Return the problem of `samples` alone."""
        weights = None if self.weights is None else self.weights[samples]
        known = None if self.known is None else self.known[samples]
        log_odds, indicator, groups = self.log_odds[samples], self.indicator[samples], self._groups_of(samples)
        return replace(self, log_odds=log_odds, indicator=indicator, weights=weights, groups=groups, known=known)

    def _groups_of(self, samples: _Rows | slice) -> npt.NDArray[np.int64] | None:
        return None if self.groups is None else numbered(self.groups[samples])

    def in_order(self) -> "MultilabelProblem":
        """Return the samples in an order that depends on what they are, not on how samples and labels were ordered.

        Of many scores they stay as they were.
        """
        if not is_ordered(self.log_odds):
            return self
        rounded = np.round(self.log_odds, _DIGITS)
        if self.known is not None:
            rounded = np.where(self.known, rounded, np.inf)
        present = np.where(self.indicator, rounded, -np.inf)
        weights = [] if self.weights is None else [self.weights]
        alike = [*rounded[:, self.label_order].T, *self.indicator[:, self.label_order].T]
        return self.take(np.lexsort([*alike, *weights, *np.sort(present).T, *np.sort(rounded).T]))

    @cached_property
    def label_order(self) -> _Rows:
        """The labels, those that the fewest samples carry first, and of these by their log-odds; many as they come."""
        if not is_ordered(self.log_odds):
            return np.arange(self.n_labels)
        rounded = np.sort(np.where(self.present, np.round(self.log_odds, _DIGITS), np.inf), axis=0)
        everywhere = np.sort(np.round(self.log_odds, _DIGITS), axis=0)
        keys = [everywhere.sum(axis=0), np.where(np.isfinite(rounded), rounded, 0).sum(axis=0), self.n_positive]
        return np.lexsort(keys)

    def of_labels(self, order: _Rows) -> "MultilabelProblem":
        """Return the problem of the labels in another order."""
        log_odds, indicator = np.take(self.log_odds, order, axis=1), np.take(self.indicator, order, axis=1)
        known = None if self.known is None else np.take(self.known, order, axis=1)
        metric, requirements = self.metric.of_labels(order.tolist()), tuple(self.requirements[j] for j in order)
        return replace(
            self, log_odds=log_odds, indicator=indicator, known=known, metric=metric, requirements=requirements
        )

    def decide(self, offsets: Floats) -> Indicator:
        """Decide each sample by offsets (L,), or (n, L); what is not known is decided as absent."""
        decided = decide_labels(self.log_odds, offsets)
        return decided if self.known is None else decided & self.known

    def count(self, decisions: Indicator) -> LabelCounts:
        """Count what `decisions` achieve."""
        return count_labels(self.indicator, decisions, self.weights, self.known)

    def value(self, decisions: Indicator) -> float:
        """Return the metric of `decisions`."""
        return self.metric.value(self.indicator, decisions, self.weights, self.known)

    def objective_value(self, offsets: Floats) -> tuple[float, float]:
        """Return what is to be maximised, in this order: minus the sum of violations, and the merit."""
        decisions = self.decide(offsets)
        missed = 0.0
        if any(self.requirements):
            counts = self.count(decisions)
            missed = sum(r.missed(counts.of(j)) for j in self.tunable for r in self.requirements[j])
        return -missed, self.metric.merit(self.value(decisions))
