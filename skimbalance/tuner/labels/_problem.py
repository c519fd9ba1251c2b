"""The multilabel problem: find an offset for each label."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from skimbalance._core.decision_rule import decide_labels
from skimbalance._core.validation import numbered
from skimbalance.estimation import independent_counts
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import Truth
from skimbalance.solvers import Problem, is_ordered
from skimbalance.tuner.labels._metrics import MultilabelMetric
from skimbalance.tuner.labels._truth import Codes, Floats, Indicator, LabelTruth

__all__ = ["MultilabelProblem"]

_DIGITS = 9
"""Samples are ordered by log-odds of so many decimals, which every kind of scores agrees on."""


@dataclass(frozen=True, eq=False)
class MultilabelProblem:
    """Find offsets (L,) for which the decisions `log_odds + offsets >= 0` (n, L) have the best `metric`.

    `requirements` holds the bounds of each label. Among decisions that violate bounds, those with the smaller sum of
    violations are better. `limits` are those of the binary problem of each label. Samples of one of `groups` (n,) are
    not independent. Unknown cells are left out of all fits and counts.
    """

    log_odds: Floats
    truth: LabelTruth
    metric: MultilabelMetric
    requirements: tuple[tuple[BoundConstraint, ...], ...]
    groups: Codes | None = None
    limits: tuple[tuple[float, float] | None, ...] | None = None

    @property
    def n_labels(self) -> int:
        """The number of labels, L."""
        return int(self.log_odds.shape[1])

    @cached_property
    def n_positive(self) -> Codes:
        """How many samples carry each label, of those that are known."""
        n_positive: Codes = np.count_nonzero(self.truth.present, axis=0)
        return n_positive

    @cached_property
    def n_negative(self) -> Codes:
        """How many samples do not carry each label, of those that are known."""
        known = self.truth.known
        n_negative: Codes = len(self.log_odds) - self.n_positive
        return n_negative if known is None else np.count_nonzero(known, axis=0) - self.n_positive

    @cached_property
    def n_independent(self) -> Codes:
        """How many samples (2, L) are without each label and with it; those of one group count once."""
        counts = []
        for j in range(self.n_labels):
            samples = self.samples(j)
            codes = self.truth.indicator[samples, j].astype(np.int64)
            counts.append(independent_counts(codes, self._groups_of(samples), n_classes=2))
        return np.stack(counts, axis=1)

    @cached_property
    def tunable(self) -> list[int]:
        """The labels that some samples carry and some do not: the others keep an offset of zero."""
        return np.flatnonzero((self.n_positive > 0) & (self.n_negative > 0)).tolist()

    def is_constrained(self, label: int) -> bool:
        """Return whether a label has requirements or limits."""
        return bool(self.requirements[label]) or (self.limits is not None and self.limits[label] is not None)

    def within_limits(self, offsets: Floats) -> Floats:
        """Return the offsets (L,), or the nearest ones within the limits."""
        if self.limits is None:
            return offsets
        pairs = ((-np.inf, np.inf) if each is None else each for each in self.limits)
        low, high = np.array(list(pairs)).T
        return np.clip(offsets, -high, -low)

    def samples(self, label: int) -> Codes | slice:
        """Return the samples whose score of a label is known."""
        known = self.truth.known
        return slice(None) if known is None else np.flatnonzero(known[:, label])

    def label(self, label: int) -> Problem:
        """Return the binary problem of one label: its log-odds against zero, in the samples where it is known."""
        samples, weights = self.samples(label), self.truth.weights
        codes, column = self.truth.indicator[samples, label].astype(np.int64), self.log_odds[samples, label]
        truth = Truth.from_codes(codes, n_classes=2, weights=None if weights is None else weights[samples])
        scores = np.stack([np.zeros_like(column), column]).T
        limits = None if self.limits is None else self.limits[label]
        return Problem(
            scores, truth, self.metric.of_label(label), self.requirements[label], self._groups_of(samples), limits
        )

    def take(self, samples: Codes) -> "MultilabelProblem":
        """Return the problem of `samples` alone."""
        return replace(
            self, log_odds=self.log_odds[samples], truth=self.truth.take(samples), groups=self._groups_of(samples)
        )

    def _groups_of(self, samples: Codes | slice) -> Codes | None:
        return self.groups if self.groups is None or isinstance(samples, slice) else numbered(self.groups[samples])

    def in_order(self) -> "MultilabelProblem":
        """Return the samples in an order that depends on what they are, not on how samples and labels were ordered.

        Of many scores they stay as they were.
        """
        if not is_ordered(self.log_odds):
            return self
        rounded = np.round(self.log_odds, _DIGITS)
        indicator, known = self.truth.indicator, self.truth.known
        if known is not None:
            rounded = np.where(known, rounded, np.inf)
        present = np.where(indicator, rounded, -np.inf)
        weights = [] if self.truth.weights is None else [self.truth.weights]
        alike = [*rounded[:, self.label_order].T, *indicator[:, self.label_order].T]
        return self.take(np.lexsort([*alike, *weights, *np.sort(present).T, *np.sort(rounded).T]))

    @cached_property
    def label_order(self) -> Codes:
        """The labels, those that the fewest samples carry first, and of these by their log-odds; many as they come."""
        if not is_ordered(self.log_odds):
            return np.arange(self.n_labels)
        rounded = np.sort(np.where(self.truth.present, np.round(self.log_odds, _DIGITS), np.inf), axis=0)
        everywhere = np.sort(np.round(self.log_odds, _DIGITS), axis=0)
        keys = [everywhere.sum(axis=0), np.where(np.isfinite(rounded), rounded, 0).sum(axis=0), self.n_positive]
        return np.lexsort(keys)

    def of_labels(self, order: Codes) -> "MultilabelProblem":
        """Return the problem of the labels in another order."""
        return replace(
            self,
            log_odds=np.take(self.log_odds, order, axis=1),
            truth=self.truth.of_labels(order),
            metric=self.metric.of_labels(order.tolist()),
            requirements=tuple(self.requirements[j] for j in order),
            limits=None if self.limits is None else tuple(self.limits[j] for j in order),
        )

    def decide(self, offsets: Floats) -> Indicator:
        """Decide each sample by offsets (L,), or (n, L); unknown cells are decided as absent."""
        return self.truth.without_unknown(decide_labels(self.log_odds, offsets))

    def value(self, decisions: Indicator) -> float:
        """Return the metric of `decisions`."""
        return self.metric.value(self.truth, decisions)
