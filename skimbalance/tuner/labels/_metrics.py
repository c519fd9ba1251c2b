"""Multilabel metrics, with scikit-learn's names and averages.

`"macro"` is the mean of a binary metric over all labels, `"weighted"` that mean weighted by support, `"micro"` a
ratio of sums over the labels, `"samples"` the mean over samples of the ratio within each. A ratio of nothing to nothing
is zero.

Cells that are not `known` (n, L) have a score that carries no evidence. They count for no label; `"macro"` and
`"weighted"` leave out labels without known cells, `"samples"` leaves out samples whose labels are all unknown.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from skimbalance.metrics.base import Metric, safe_ratio
from skimbalance.metrics.overlap import Overlap
from skimbalance.tuner.labels._counts import LabelCounts, count_labels
from skimbalance.tuner.labels._labels import Floats, Indicator

__all__ = ["LabelMean", "MicroRatio", "MultilabelMetric", "OfCounts", "SamplesMean"]


@dataclass(frozen=True)
class MultilabelMetric(ABC):
    """A number computed from an indicator of decisions, and how it can be optimised."""

    decomposition: ClassVar[Literal["labels", "ratio", "rows"]]
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
    def value(
        self, indicator: Indicator, decisions: Indicator, weights: Floats | None, known: Indicator | None = None
    ) -> float:
        """Return the metric of `decisions` (n, L)."""

    def expected_score(
        self,
        indicator: Indicator,
        decisions: Indicator,
        weights: Floats | None,
        known: Indicator | None = None,
        *,
        n_positive: npt.NDArray[np.int64],
    ) -> float:
        """Return the metric expected on unseen data, from the decisions of validation folds.

        `n_positive` (L,) is how many independent samples carry each label, of those that are known.
        """
        return self.value(indicator, decisions, weights, known)

    @abstractmethod
    def posterior_predictive(
        self,
        indicator: Indicator,
        decisions: Indicator,
        mass: Floats,
        added: Floats,
        known: Indicator | None = None,
    ) -> list[float]:
        """Return the metric for each sample of `mass` (draws, n), weights of the samples.

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

    def value(
        self, indicator: Indicator, decisions: Indicator, weights: Floats | None, known: Indicator | None = None
    ) -> float:
        """Return the metric of `decisions` (n, L)."""
        return self.of_counts(count_labels(indicator, decisions, weights, known))

    def posterior_predictive(
        self,
        indicator: Indicator,
        decisions: Indicator,
        mass: Floats,
        added: Floats,
        known: Indicator | None = None,
    ) -> list[float]:
        """Return the metric for each sample of `mass` (draws, n)."""
        hits, missed, _, false = added
        total = mass.sum(axis=1)[:, None]
        if known is not None:
            indicator, decisions, total = indicator & known, decisions & known, mass @ known
        columns = (
            mass @ (indicator & decisions) + hits,
            mass @ decisions + hits + false,
            mass @ indicator + hits + missed,
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

    def expected_score(
        self,
        indicator: Indicator,
        decisions: Indicator,
        weights: Floats | None,
        known: Indicator | None = None,
        *,
        n_positive: npt.NDArray[np.int64],
    ) -> float:
        """Count half a sample as a hit where a label has none and its metric would be zero for that."""
        counts = count_labels(indicator, decisions, weights, known)
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
    """The mean over samples of a ratio of their own hits, predicted and present labels.

    `zero_division` is what a sample counts for whose ratio is of nothing to nothing: for F-beta and Jaccard one without
    present or predicted labels, for precision one without predicted, for recall one without present labels.
    """

    ratio: Overlap
    zero_division: float = 0.0

    decomposition: ClassVar[Literal["rows"]] = "rows"

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

    def of_rows(self, indicator: Indicator, decisions: Indicator, known: Indicator | None = None) -> Floats:
        """Return the ratio of each sample."""
        if known is not None:
            indicator, decisions = indicator & known, decisions & known
        parts = (indicator & decisions, decisions, indicator)
        return self.each(*(np.count_nonzero(part, axis=1).astype(np.float64) for part in parts))

    def judged(self, indicator: Indicator, known: Indicator) -> Floats:
        """Return the share (n,) with which samples count: zero where a sample has labels, but none that is known.

        The ratio of such a sample depends on the decisions that are not known. If there are no others, all count.
        """
        some = (indicator & known).any(axis=1) | ~indicator.any(axis=1)
        judged: Floats = np.where(some if some.any() else ~some, 1.0, 0.0)
        return judged

    def value(
        self, indicator: Indicator, decisions: Indicator, weights: Floats | None, known: Indicator | None = None
    ) -> float:
        """Return the mean over samples."""
        if known is not None:
            share = self.judged(indicator, known)
            weights = share if weights is None else share * weights
        return float(np.average(self.of_rows(indicator, decisions, known), weights=weights))

    def posterior_predictive(
        self,
        indicator: Indicator,
        decisions: Indicator,
        mass: Floats,
        added: Floats,
        known: Indicator | None = None,
    ) -> list[float]:
        """Return the metric for each sample of `mass` (draws, n), and of samples that are all right or all wrong.

        So many of these are added as there are hits and misses to the first label that has any.
        """
        if known is not None:
            mass = mass * self.judged(indicator, known)
        right, wrong = added[:2, :, added.any(axis=(0, 1)).argmax()]
        means: list[float] = (
            (mass @ self.of_rows(indicator, decisions, known) + right) / (mass.sum(axis=1) + right + wrong)
        ).tolist()
        return means
