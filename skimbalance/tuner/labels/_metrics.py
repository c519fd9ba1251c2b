"""Multilabel metrics, with scikit-learn's names and averages.

`"macro"` is the mean of a binary metric over all labels, and `"weighted"` that mean weighted by support. `"micro"` is a
ratio of sums over the labels, and `"samples"` the mean over samples of the ratio within each. A ratio of zero to zero
is zero.

Unknown cells count for no label. `"macro"` and `"weighted"` leave out labels without known cells, `"samples"` leaves
out samples whose labels are all unknown.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import numpy as np

from skimbalance.metrics.base import Metric, safe_ratio
from skimbalance.metrics.overlap import Overlap
from skimbalance.tuner.labels._truth import Codes, Floats, Indicator, LabelCounts, LabelTruth

__all__ = ["LabelMean", "MicroRatio", "MultilabelMetric", "OfCounts", "SamplesMean"]


@dataclass(frozen=True)
class MultilabelMetric(ABC):
    """A number computed from an indicator of decisions, and how it can be optimised."""

    decomposition: ClassVar[Literal["labels", "ratio", "samples"]]
    """Whether labels can be tuned one by one, or the metric is a ratio of sums over labels, or a mean over samples."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name that messages use."""

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value that there can be."""
        return 0.0, 1.0

    @abstractmethod
    def value(self, truth: LabelTruth, decisions: Indicator) -> float:
        """Return the metric of `decisions` (n, L)."""

    def expected_score(self, truth: LabelTruth, decisions: Indicator, *, n_positive: Codes) -> float:
        """Return the metric expected on unseen data, from the decisions of validation folds.

        `n_positive` (L,) is how many independent samples carry each label, of those that are known.
        """
        return self.value(truth, decisions)

    @abstractmethod
    def posterior_predictive(self, truth: LabelTruth, decisions: Indicator, mass: Floats, added: Floats) -> list[float]:
        """Return the metric for each draw of `mass` (draws, n), weights of samples that weigh one in the truth.

        `added` (4, draws, L) is added to the true positives, misses, true negatives and false positives of labels,
        where it counts labels.
        """

    def of_labels(self, order: Sequence[int]) -> Self:
        """Return the metric of the labels in another order."""
        return self

    def merit(self, value: float) -> float:
        """Turn a value of the metric into one of which more is better."""
        return value

    @property
    def alike(self) -> bool:
        """Whether every label is judged alike."""
        return True

    @abstractmethod
    def of_label(self, label: int) -> Metric:
        """Return the binary metric of one label alone that is nearest to this one."""


@dataclass(frozen=True)
class OfCounts(MultilabelMetric):
    """A function of the counts of each label."""

    @abstractmethod
    def of_counts(self, counts: LabelCounts) -> float:
        """Return the metric of the decisions that `counts` counts."""

    def value(self, truth: LabelTruth, decisions: Indicator) -> float:
        """Return the metric of `decisions` (n, L)."""
        return self.of_counts(truth.count(decisions))

    def posterior_predictive(self, truth: LabelTruth, decisions: Indicator, mass: Floats, added: Floats) -> list[float]:
        """Return the metric for each draw of `mass` (draws, n)."""
        hits, missed, _, false = added
        total = mass.sum(axis=1)[:, None] if truth.known is None else mass @ truth.known
        columns = (
            mass @ (truth.present & decisions) + hits,
            mass @ truth.without_unknown(decisions) + hits + false,
            mass @ truth.present + hits + missed,
            total + added.sum(axis=0),
        )
        return [self.of_counts(LabelCounts(*each)) for each in zip(*columns, strict=True)]


@dataclass(frozen=True)
class LabelMean(OfCounts):
    """The mean over labels of binary metrics, of one for all labels or of one each; or weighted by support."""

    title: str
    metrics: tuple[Metric, ...]
    by_support: bool = False

    decomposition: ClassVar[Literal["labels"]] = "labels"

    @property
    def name(self) -> str:
        """The name that messages use."""
        return self.title

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value that a metric can have."""
        lows, highs = zip(*(metric.bounds for metric in self.metrics), strict=True)
        return min(lows), max(highs)

    @property
    def alike(self) -> bool:
        """Whether every label is judged alike."""
        return len(set(self.metrics)) == 1

    def of_label(self, label: int) -> Metric:
        """Return the metric of one label."""
        return self.metrics[label % len(self.metrics)]

    def of_labels(self, order: Sequence[int]) -> Self:
        """Return the metric of the labels in another order."""
        return self if self.alike else replace(self, metrics=tuple(self.of_label(j) for j in order))

    def merit(self, value: float) -> float:
        """Turn a value of the metric into one of which more is better."""
        return -value if self.metrics[0].direction == "minimize" else value

    def of_counts(self, counts: LabelCounts) -> float:
        """Return the mean over the labels that have samples."""
        judged = np.flatnonzero(counts.total > 0)
        values = np.array([self.of_label(j).value(counts.of(j)) for j in judged.tolist()])
        if not self.by_support:
            return float(values.mean()) if judged.size else 0.0
        support = counts.support[judged]
        return float(safe_ratio(support @ values, support.sum()))

    def expected_score(self, truth: LabelTruth, decisions: Indicator, *, n_positive: Codes) -> float:
        """Count half a sample as a true positive of each label without any whose metric would be zero for that."""
        counts = truth.count(decisions)
        zero_if_missed = np.array([self.of_label(j).zero_if_class_missed for j in range(len(counts.hits))])
        missed = zero_if_missed & (counts.hits == 0)
        half = np.where(missed, counts.support / np.maximum(2 * n_positive, 1), 0.0)
        return self.of_counts(replace(counts, hits=counts.hits + half, predicted=counts.predicted + half))


@dataclass(frozen=True)
class MicroRatio(OfCounts):
    """A ratio of sums over samples and labels."""

    ratio: Overlap

    decomposition: ClassVar[Literal["ratio"]] = "ratio"

    @property
    def name(self) -> str:
        """The name that messages use."""
        return f"{self.ratio.stem}_micro"

    def of_label(self, label: int) -> Metric:
        """Return the ratio of one label alone."""
        return self.ratio

    def of_counts(self, counts: LabelCounts) -> float:
        """Return the ratio of the sums."""
        numerator, denominator = self.ratio.fraction(counts.hits, counts.predicted, counts.support)
        return float(safe_ratio(numerator.sum(), denominator.sum()))


@dataclass(frozen=True)
class SamplesMean(MultilabelMetric):
    """The mean over samples of a ratio of their own true positives, predicted and present labels.

    `zero_division` is the value of a sample whose denominator is zero. For F-beta and Jaccard it has no present and no
    predicted labels, for precision no predicted ones, for recall no present ones.
    """

    ratio: Overlap
    zero_division: float = 0.0

    decomposition: ClassVar[Literal["samples"]] = "samples"

    @property
    def name(self) -> str:
        """The name that messages use."""
        return f"{self.ratio.stem}_samples"

    def of_label(self, label: int) -> Metric:
        """Return the ratio of one label over samples."""
        return self.ratio

    def each(self, hits: Floats, predicted: Floats, present: Floats) -> Floats:
        """Return the ratio of each sample, from its numbers of labels; they need not be whole."""
        numerator, denominator = self.ratio.fraction(hits, predicted, present)
        empty = denominator <= 0
        worth: Floats = np.where(empty, self.zero_division, numerator / np.where(empty, 1.0, denominator))
        return worth

    def of_samples(self, truth: LabelTruth, decisions: Indicator) -> Floats:
        """Return the ratio of each sample."""
        parts = (truth.present & decisions, truth.without_unknown(decisions), truth.present)
        return self.each(*(np.count_nonzero(part, axis=1).astype(np.float64) for part in parts))

    def sample_weights(self, truth: LabelTruth) -> Floats | None:
        """Return the weights (n,), None for ones: zero where a sample has labels, but none that is known.

        The ratio of such a sample depends on the decisions that are not known. If there are no others, all count.
        """
        if truth.known is None:
            return truth.weights
        some = truth.present.any(axis=1) | ~truth.indicator.any(axis=1)
        judged = np.where(some if some.any() else ~some, 1.0, 0.0)
        return judged if truth.weights is None else judged * truth.weights

    def value(self, truth: LabelTruth, decisions: Indicator) -> float:
        """Return the mean over samples, whose order has no influence: sums are exact."""
        each, weights = self.of_samples(truth, decisions), self.sample_weights(truth)
        if weights is None:
            return math.fsum(each) / len(each)
        return math.fsum(each * weights) / math.fsum(weights)

    def posterior_predictive(self, truth: LabelTruth, decisions: Indicator, mass: Floats, added: Floats) -> list[float]:
        """Return the metric for each draw of `mass` (draws, n), and of samples that are all right or all wrong.

        So many of these are added as there are true positives and misses of the first label that has any.
        """
        if (weights := self.sample_weights(truth)) is not None:
            mass = mass * weights
        right, wrong = added[:2, :, added.any(axis=(0, 1)).argmax()]
        totals = mass @ self.of_samples(truth, decisions) + right
        means: list[float] = (totals / (mass.sum(axis=1) + right + wrong)).tolist()
        return means
