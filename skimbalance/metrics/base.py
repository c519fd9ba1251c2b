"""Base classes of the metrics, and what each metric declares for the solvers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import device, is_on_device, namespace, only
from skimbalance._core.typing import Array, Label
from skimbalance.metrics.counts import Counts

__all__ = ["Form", "LinearMetric", "Metric", "PooledMetric", "Proportion", "safe_ratio"]

Decomposition = Literal["linear", "sum", "minimum", "general"]
"""How a line search updates the metric; it cannot for "general", a black-box metric."""

Direction = Literal["maximize", "minimize", "zero"]

Proportion = Literal["recall", "false_positive_rate", "precision", "worst_recall", "predicted_share"]
"""What a metric is a proportion of, if exact tests of bounds exist for it."""

_OF_ONE = ("pooled", "value", "objective_value")
"""A subclass of a user that overrides one of these methods may compute something else than its terms."""


@dataclass(frozen=True)
class Form:
    """A metric as compiled code computes it, from linear functions of the counts of each class.

    `numerator` and `denominator` (K, 3) are the coefficients of true positives, predicted samples and one. `rises` are
    whether the metric rises with true positives, and with false positives. Some kinds need the counts alone.
    """

    kind: str
    rises: tuple[bool, bool] = (True, False)
    numerator: npt.NDArray[np.float64] | None = None
    denominator: npt.NDArray[np.float64] | None = None


def safe_ratio(numerator: Array, denominator: Array) -> Array:
    """Return `numerator / denominator`, zero where the denominator is zero, which requires a numerator of zero."""
    xp = namespace(denominator)
    empty = denominator == 0
    if is_on_device(empty):  # the host waits for no number
        return numerator / only(denominator, ~empty, otherwise=1.0)
    if not bool(xp.any(empty)):
        return numerator / denominator
    return numerator / (denominator + xp.astype(empty, denominator.dtype))


@dataclass(frozen=True, kw_only=True)
class Metric(ABC):
    """A number computed from the counts of decisions, and what a solver may assume of it.

    `label` is the code of the class that the metric is about, None for all classes; `bind` sets it for metrics of one
    positive class. A subclass must declare its `decomposition` and its `bounds`. The other declarations default to
    what is true of every metric:

    - `zero_if_class_missed`: the metric is zero as soon as one class has no true positive.
    - `is_constrainable`: a solver can search for values of the metric between two bounds.
    - `is_extreme_at_corners`: in the binary case, over a rectangle of true positives and false positives, the metric is
      lowest at one corner and highest at another.
    - `ignores_truth`: the metric depends on the decisions alone, and grows with the offset of the class `label`. Bounds
      on it are satisfied on the samples of the fit by any estimate.
    """

    label: int | None = field(default=None, init=False, repr=False)

    direction: ClassVar[Direction] = "maximize"
    needs_confusion: ClassVar[bool] = False
    zero_if_class_missed: ClassVar[bool] = False
    is_constrainable: ClassVar[bool] = False
    is_extreme_at_corners: ClassVar[bool] = False
    ignores_truth: ClassVar[bool] = False

    @property
    def is_of_package(self) -> bool:
        """Whether the package defines this class: a derived one may compute other values than it declares."""
        return type(self).__module__.partition(".")[0] == __name__.partition(".")[0]

    @property
    @abstractmethod
    def name(self) -> str:
        """The name that messages use."""

    @property
    @abstractmethod
    def decomposition(self) -> Decomposition:
        """How a line search updates the metric."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest possible value; intervals are clipped to them."""

    @property
    def is_binary(self) -> bool:
        """Whether the metric is of one positive class against one other."""
        return False

    @property
    def needs_cost_matrix(self) -> bool:
        """Whether the metric is the mean cost of decisions, with a matrix of costs for each sample."""
        return False

    @property
    def proportion(self) -> Proportion | None:
        """Which proportion of samples the metric is, None where no exact test of a bound is known."""
        return None

    @property
    def tie_breaker(self) -> "Metric | None":
        """A metric whose optimum is a good start for a metric with wide plateaus."""
        return None

    @property
    def takes_weights(self) -> bool:
        """Whether the metric can be computed for any sample weights."""
        return True

    @property
    def has_outcomes(self) -> bool:
        """Whether the metric is a proportion of samples, which `outcomes` returns."""
        return False

    def outcomes(self, truth: Array, decisions: Array) -> tuple[Array, Array]:
        """Return, for codes (n,), which samples the metric is a proportion of, and which of them it counts."""
        raise NotImplementedError(f"{self.name} is no proportion of samples")

    def over(self, labels: Sequence[Label]) -> Self:
        """Return the metric with the labels (K,) of the classes filled in, if it uses them."""
        return self

    def bind(self, positive: int) -> Self:
        """Return the metric with the code of the positive class filled in, if it uses one."""
        return self._about(positive) if self.is_binary else self

    def _about(self, label: int) -> Self:
        bound = copy(self)
        object.__setattr__(bound, "label", label)
        return bound

    def check(self, n_classes: int) -> None:
        """Raise if the metric cannot be computed for `n_classes` classes."""

    def check_support(self, support: Array) -> None:
        """Raise if the metric is undefined for classes of these sizes (K,)."""

    def restricted(self, kept: Sequence[int]) -> Self:
        """Return the metric for the classes `kept` only, by their codes."""
        return self if self.label is None else self._about(list(kept).index(self.label))

    def form(self, support: npt.NDArray[np.float64]) -> Form | None:
        """Return the form for compiled code, for classes of these sizes (K,); None if there is none."""
        return None

    @abstractmethod
    def value(self, counts: Counts) -> float:
        """Return the value of the metric for `counts` of decisions."""

    def merit(self, value: Array) -> Array:
        """Transform a value of the metric so that greater is better."""
        if self.direction == "zero":
            return -namespace(value).abs(value)
        return -value if self.direction == "minimize" else value

    def objective_value(self, counts: Counts) -> float:
        """Return the value that a solver maximises: the merit, or a refinement that also orders equal merits."""
        xp = namespace(counts.hits)
        return float(self.merit(xp.asarray(self.value(counts), dtype=xp.float64)))

    def values(self, draws: Counts, *, objective: bool = False) -> npt.NDArray[np.float64]:
        """Return the value, or the objective value, for each of several draws of counts on the host."""
        return np.fromiter(map(self.objective_value if objective else self.value, draws.of_each()), np.float64)

    def pool(self, pooled: tuple[Array, ...], n_classes: int) -> Array:
        """Compute the value of the metric from the pooled terms of `n_classes` classes."""
        return pooled[0]

    def refine(self, pooled: tuple[Array, ...], n_classes: int) -> Array:
        """Compute from the pooled terms the value that a solver maximises; see `objective_value`."""
        return self.merit(self.pool(pooled, n_classes))

    def worst_objective_value(self, n_classes: int) -> float:
        """Return a lower bound of all objective values."""
        return -float(n_classes)


@dataclass(frozen=True, kw_only=True)
class LinearMetric(Metric):
    """`sum_ck confusion[c, k] * utilities[c, k]`: the sum of independent contributions of the samples."""

    decomposition: ClassVar[Decomposition] = "linear"
    is_constrainable: ClassVar[bool] = True
    is_extreme_at_corners: ClassVar[bool] = True

    @abstractmethod
    def utilities(self, support: Array) -> Array:
        """Return the utility of predicting a sample of class c as k: (K, K), or (K,) for true positives only."""

    def form(self, support: npt.NDArray[np.float64]) -> Form | None:
        """Return a sum of utilities of true positives, or of rewards of the samples."""
        utilities = self.utilities(support)
        if self.needs_cost_matrix or utilities.ndim == 2:
            return Form("reward")
        one = np.zeros((len(support), 3))
        one[0, 2] = 1
        return Form("ratio_of_sums", numerator=utilities[:, None] * np.eye(3)[0], denominator=one)

    def value(self, counts: Counts) -> float:
        """Return the value of the metric for `counts` of decisions."""
        xp = namespace(counts.hits)
        cells = counts.confusion if self.needs_confusion else counts.hits
        return float(xp.sum(cells * self.utilities(counts.support)))


@dataclass(frozen=True, kw_only=True)
class PooledMetric(Metric):
    """`pool(sum_k terms(hits_k, predicted_k, support_k))`, or the minimum over k in place of the sum.

    Each of `terms` is a function of one class alone. For the decomposition "minimum" there is one term, which grows
    with the true positives of its class and does not depend on `predicted`. `ignores_other_classes` declares that the
    terms of the classes other than `label` depend on their support alone.
    """

    decomposition: ClassVar[Decomposition] = "sum"
    is_constrainable: ClassVar[bool] = True
    ignores_other_classes: ClassVar[bool] = False

    @abstractmethod
    def terms(self, hits: Array, predicted: Array, support: Array, chosen: Array) -> tuple[Array, ...]:
        """Return the contributions of each class; `chosen` is one for the classes that the metric is about."""

    def counted(self, counts: Counts) -> Array:
        """Return which classes the metric is about, as booleans: those that occur in truth or prediction."""
        return (counts.support > 0) | (counts.predicted > 0)

    def chosen(self, support: Array) -> Array:
        """Return one for the classes that the metric is about, zero for the others."""
        xp = namespace(support)
        if self.label is None:
            return xp.ones_like(support)
        return xp.astype(xp.arange(support.shape[0], device=device(support)) == self.label, support.dtype)

    def pooled(self, counts: Counts) -> tuple[tuple[Array, ...], int]:
        """Return the pooled terms over all counted classes, and how many these are."""
        xp = namespace(counts.hits)
        counted = self.counted(counts) if self.label is None else xp.ones_like(counts.hits) > 0
        columns = (counts.hits, counts.predicted, counts.support, self.chosen(counts.support))
        terms = self.terms(*(column[counted] for column in columns))
        reduce = xp.min if self.decomposition == "minimum" else xp.sum
        return tuple(reduce(term) for term in terms), int(terms[0].shape[0])

    def value(self, counts: Counts) -> float:
        """Return the value of the metric for `counts` of decisions."""
        return float(self.pool(*self.pooled(counts)))

    def objective_value(self, counts: Counts) -> float:
        """Return the value that a solver maximises, for `counts` of decisions."""
        return float(self.refine(*self.pooled(counts)))

    def values(self, draws: Counts, *, objective: bool = False) -> npt.NDArray[np.float64]:
        """Return the value, or the objective value, for each of several draws of counts on the host, all at once."""
        overridden = any(getattr(type(self), name) is not getattr(PooledMetric, name) for name in _OF_ONE)
        if overridden or len(draws.hits) == 0:
            return super().values(draws, objective=objective)
        counted = self.counted(draws) | (self.label is not None)
        if (counted != counted[0]).any():
            return super().values(draws, objective=objective)
        kept, chosen = counted[0], self.chosen(draws.support[0])
        hits, predicted, support = (column[:, kept] for column in (draws.hits, draws.predicted, draws.support))
        reduce = np.min if self.decomposition == "minimum" else np.sum
        pooled = tuple(reduce(term, axis=1) for term in self.terms(hits, predicted, support, chosen[kept]))
        found: npt.NDArray[np.float64] = (self.refine if objective else self.pool)(pooled, int(kept.sum()))
        return found
