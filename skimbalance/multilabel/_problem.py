"""What is to be solved: an offset for each label."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from skimbalance._validation import numbered
from skimbalance.estimation import independent_counts
from skimbalance.goals import Requirement
from skimbalance.metrics._counts import Truth
from skimbalance.multilabel._counts import LabelCounts, count_labels
from skimbalance.multilabel._labels import Floats, Indicator, decide_labels
from skimbalance.multilabel._metrics import MultilabelMetric
from skimbalance.solvers import Problem, is_ordered

__all__ = ["MultilabelProblem"]

_Rows = npt.NDArray[np.int64]

_DIGITS = 9
"""Samples are ordered by log-odds of so many decimals, which every kind of scores agrees on."""


@dataclass(frozen=True, eq=False)
class MultilabelProblem:
    """Find offsets (L,) for which `log_odds + offsets >= 0` (n, L) does best by `metric`.

    `requirements` holds what each label must meet by itself; of decisions that miss them those are better that miss
    by less. Rows of one of `groups` (n,) are not independent.
    """

    log_odds: Floats
    indicator: Indicator
    weights: Floats | None
    metric: MultilabelMetric
    requirements: tuple[tuple[Requirement, ...], ...]
    groups: npt.NDArray[np.int64] | None = None

    @property
    def n_labels(self) -> int:
        """The number of labels, L."""
        return int(self.log_odds.shape[1])

    @cached_property
    def n_positive(self) -> npt.NDArray[np.int64]:
        """How many rows carry each label."""
        n_positive: npt.NDArray[np.int64] = np.count_nonzero(self.indicator, axis=0)
        return n_positive

    @cached_property
    def n_independent(self) -> npt.NDArray[np.int64]:
        """How many rows (2, L) lack each label and how many carry it; those of one group that do alike count once."""
        columns = self.indicator.astype(np.int64).T
        counts = [independent_counts(column, self.groups, n_classes=2) for column in columns]
        n_independent: npt.NDArray[np.int64] = np.stack(counts, axis=1)
        return n_independent

    @cached_property
    def tunable(self) -> list[int]:
        """The labels that some rows carry and some do not: the others tell nothing, and keep an offset of zero."""
        some = (self.n_positive > 0) & (self.n_positive < len(self.indicator))
        return np.flatnonzero(some).tolist()

    def label(self, label: int) -> Problem:
        """Return the two-class problem of one label: its log-odds against zero."""
        column = self.log_odds[:, label]
        truth = Truth.from_codes(self.indicator[:, label].astype(np.int64), n_classes=2, weights=self.weights)
        scores = np.stack([np.zeros_like(column), column]).T
        return Problem(scores, truth, self.metric.two_class(label), self.requirements[label], self.groups)

    def take(self, rows: _Rows) -> "MultilabelProblem":
        """Return the problem of `rows` alone."""
        weights = None if self.weights is None else self.weights[rows]
        groups = None if self.groups is None else numbered(self.groups[rows])
        indicator = self.indicator[rows]
        return replace(self, log_odds=self.log_odds[rows], indicator=indicator, weights=weights, groups=groups)

    def in_order(self) -> "MultilabelProblem":
        """Return the samples in an order that depends on what they are, not on how samples and labels were ordered.

        Of many scores they stay as they were.
        """
        if not is_ordered(self.log_odds):
            return self
        rounded = np.round(self.log_odds, _DIGITS)
        present = np.where(self.indicator, rounded, -np.inf)
        weights = [] if self.weights is None else [self.weights]
        return self.take(np.lexsort([*weights, *np.sort(present).T, *np.sort(rounded).T]))

    def decide(self, offsets: Floats) -> Indicator:
        """Decide each row."""
        return decide_labels(self.log_odds, offsets)

    def count(self, decisions: Indicator) -> LabelCounts:
        """Count what `decisions` achieve."""
        return count_labels(self.indicator, decisions, self.weights)

    def value(self, decisions: Indicator) -> float:
        """Return the metric of `decisions`."""
        return self.metric.value(self.indicator, decisions, self.weights)

    def rank(self, offsets: Floats) -> tuple[float, float]:
        """Return what is to be maximised, in this order: minus what is missed in all, and the merit."""
        decisions = self.decide(offsets)
        missed = 0.0
        if any(self.requirements):
            counts = self.count(decisions)
            missed = sum(r.missed(counts.of(j)) for j in self.tunable for r in self.requirements[j])
        return -missed, self.metric.merit(self.value(decisions))
