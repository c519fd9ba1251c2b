"""Ratios of true positives, averaged as in scikit-learn: precision, recall, F-beta, Jaccard."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt

from skimbalance._core.typing import Array
from skimbalance._core.validation import is_finite, names_page, shown
from skimbalance.metrics.base import Form, PooledMetric, Proportion, safe_ratio

__all__ = ["Average", "FBeta", "Jaccard", "Overlap", "Precision", "Recall"]

Average = Literal["binary", "macro", "weighted", "micro"]


_LARGEST_WEIGHT = 1e100
"""With this weight of recall, F-beta equals recall to the last digit; larger ones would overflow."""


@dataclass(frozen=True, kw_only=True)
class Overlap(PooledMetric):
    """A ratio of sums over one class, averaged over classes as scikit-learn does.

    `"binary"` is the ratio of the positive class, or of `label`; `"macro"` the mean over the classes that occur in
    truth or prediction; `"weighted"` the mean weighted by support; `"micro"` the ratio of the sums. A ratio whose
    denominator is zero is zero.
    """

    average: Average = "binary"

    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    is_extreme_at_corners: ClassVar[bool] = True
    ignores_other_classes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.average not in get_args(Average):
            raise ValueError(f"average must be one of {', '.join(map(repr, get_args(Average)))}; got {self.average!r}")

    @abstractmethod
    def fraction(self, hits: Array, predicted: Array, support: Array) -> tuple[Array, Array]:
        """Return numerator and denominator of the ratio of one class, linear functions of its counts."""

    @property
    def stem(self) -> str:
        """The name without the average."""
        return type(self).__name__.lower()

    @property
    def name(self) -> str:
        """The name that messages use."""
        return self.stem if self.average == "binary" else f"{self.stem}_{self.average}"

    @property
    def is_binary(self) -> bool:
        """Whether the metric is of one positive class against one other."""
        return self.average == "binary"

    def terms(self, hits: Array, predicted: Array, support: Array, chosen: Array) -> tuple[Array, ...]:
        """Return the ratio; with its weight for `"weighted"`, in two parts for `"micro"`."""
        numerator, denominator = self.fraction(hits, predicted, support)
        if self.average == "micro":
            return numerator, denominator
        ratio = safe_ratio(numerator, denominator)
        if self.average == "macro":
            return (ratio,)
        return (ratio * support, support + 0 * ratio) if self.average == "weighted" else (ratio * chosen,)

    def form(self, support: npt.NDArray[np.float64]) -> Form:
        """Return the form for compiled code."""
        hits, predicted, constant = np.zeros((3, len(support), 3))  # a column for each coefficient
        hits[:, 0], predicted[:, 1], constant[:, 2] = 1, 1, support
        numerator, denominator = self.fraction(hits, predicted, constant)
        if self.average == "micro":
            return Form("ratio_of_sums", numerator=numerator, denominator=denominator)
        if self.average == "macro":
            part = np.full(len(support), 1 / len(support))
        else:
            part = self.chosen(support) if self.average == "binary" else support / support.sum()
        return Form("sum_of_ratios", numerator=part[:, None] * numerator, denominator=denominator)

    def pool(self, pooled: tuple[Array, ...], n_classes: int) -> Array:
        """Compute the average from the summed terms."""
        if self.average == "macro":
            return pooled[0] / n_classes
        return pooled[0] if self.average == "binary" else safe_ratio(*pooled)


@dataclass(frozen=True, kw_only=True)
class Precision(Overlap):
    """`hits / predicted`."""

    @property
    def proportion(self) -> Proportion | None:
        """The precision of one class is a proportion of the samples that are predicted as it."""
        return "precision" if self.is_binary else None

    def fraction(self, hits: Array, predicted: Array, support: Array) -> tuple[Array, Array]:
        """Return true positives and predicted samples."""
        return hits, predicted

    @property
    def has_outcomes(self) -> bool:
        """Whether the metric is the precision of one class."""
        return self.average == "binary"

    def outcomes(self, truth: Array, decisions: Array) -> tuple[Array, Array]:
        """Return the samples predicted as the class, and those of it."""
        return decisions == self.label, truth == self.label


@dataclass(frozen=True, kw_only=True)
class Recall(Overlap):
    """`hits / support`; a class without samples that was predicted counts as zero, as in scikit-learn."""

    @property
    def proportion(self) -> Proportion | None:
        """The recall of one class is a proportion of its samples."""
        return "recall" if self.is_binary else None

    def fraction(self, hits: Array, predicted: Array, support: Array) -> tuple[Array, Array]:
        """Return true positives and support."""
        return hits, support + 0 * hits


@dataclass(frozen=True, kw_only=True)
class Jaccard(Overlap):
    """`hits / (predicted + support - hits)`."""

    def fraction(self, hits: Array, predicted: Array, support: Array) -> tuple[Array, Array]:
        """Return intersection and union."""
        return hits, predicted + support - hits


@dataclass(frozen=True)
class FBeta(Overlap):
    r"""The F-beta score, the weighted harmonic mean of precision and recall.

    .. math:: F_\beta = \frac{(1 + \beta^2)\, \mathrm{hits}}{\mathrm{predicted} + \beta^2\, \mathrm{support}}

    Parameters
    ----------
    beta : float, default=1.0
        Positive weight: recall counts `beta` times as much as precision.
    average : {"binary", "macro", "weighted", "micro"}, default="binary"
        How the scores of the classes are averaged; `"binary"` takes the positive class alone.

    Raises
    ------
    ValueError
        If `beta` is not a positive finite number, or `average` is unknown.

    References
    ----------
    van Rijsbergen, *Information Retrieval*, 2nd edition, 1979, chapter 7.

    Examples
    --------
    >>> from skimbalance.metrics import FBeta
    >>> FBeta(2.0, average="macro").name
    'f2_macro'
    """

    beta: float = 1.0

    @names_page
    def __post_init__(self) -> None:
        super().__post_init__()
        if not (is_finite(self.beta) and self.beta > 0):
            raise ValueError(f"beta must be a positive finite number; got {shown(self.beta)}")

    @property
    def stem(self) -> str:
        """The name without the average."""
        return f"f{self.beta:g}"

    def fraction(self, hits: Array, predicted: Array, support: Array) -> tuple[Array, Array]:
        """Return the weighted true positives, and the weighted sum of predicted and support."""
        squared = min(float(self.beta) * float(self.beta), _LARGEST_WEIGHT)
        return (1 + squared) * hits, predicted + squared * support
