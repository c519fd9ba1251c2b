"""The problem of a solver, and its solution."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, group_order, namespace, to_numpy, transposed
from skimbalance._core.decision import decide
from skimbalance._core.typing import Array
from skimbalance._core.validation import numbered
from skimbalance.metrics.base import LinearMetric, Metric
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import Counts, Truth
from skimbalance.solvers._order import is_ordered, order_classes, order_samples

__all__ = ["Fit", "Problem", "Solution", "improves"]


_Found = TypeVar("_Found")

_TIE = 1e-9
"""The weight of the objective among decisions that violate the constraints alike: less than any sample counts."""

_WITNESSES = 1024
"""The approximate number of representatives."""


@dataclass(frozen=True)
class Problem:
    """Find offsets for which `argmax(scores + offsets)` optimises `metric`; every class has support.

    Offsets that satisfy all constraints in `requirements` are better than any others. Of the others, those with the
    smaller violation are better, and of equal violations those with the better metric. `groups` (n,), codes from zero
    on the host, are for the estimates: samples of one group are dependent. None means that all are independent.
    """

    scores: Array
    truth: Truth
    metric: Metric
    requirements: tuple[BoundConstraint, ...] = ()
    groups: npt.NDArray[np.int64] | None = None

    @property
    def n_classes(self) -> int:
        """The number of classes, K."""
        return int(self.scores.shape[1])

    @cached_property
    def _known(self) -> dict[str, Any]:
        """A cache of what depends on the scores only, shared by problems that differ in the truth."""
        return {}

    def _once(self, name: str, find: Callable[[], _Found]) -> _Found:
        if name not in self._known:
            self._known[name] = find()
        return cast(_Found, self._known[name])

    @cached_property
    def class_order(self) -> npt.NDArray[np.int64]:
        """The classes, those with the least support first, whatever the order of the columns."""
        return order_classes(self.scores, self.truth)

    @property
    def columns(self) -> Array:
        """The scores transposed, (K, n): a line search over all samples reads one class at a time."""
        return self._once("columns", lambda: transposed(self.scores))

    @cached_property
    def representatives(self) -> tuple[Array, Array]:
        """A few samples of each class and its code, the classes in ascending order."""
        step = 1 + int(self.scores.shape[0]) // _WITNESSES
        samples, truth = self.truth.thinned(step)
        classes = truth.likeliest
        order = group_order(classes)
        return samples[order], classes[order]

    @property
    def positive(self) -> int:
        """Binary only: the class whose offset varies relative to the other."""
        return 1 if self.metric.label is None else self.metric.label

    @property
    def margins(self) -> Array:
        """Binary only: what the offset of the positive class must exceed to win each sample (n,)."""
        return self.scores[:, 1 - self.positive] - self.scores[:, self.positive]

    @property
    def sorted_margins(self) -> tuple[Array, Array]:
        """Binary only: the samples in the order in which the positive class wins them, and their margins."""

        def sort() -> tuple[Array, Array]:
            margins = self.margins
            samples = namespace(margins).argsort(margins, stable=False)
            return samples, margins[samples]

        return self._once("sorted_margins", sort)

    @cached_property
    def _utilities(self) -> dict[Metric, Array]:
        return {}

    def utilities(self, metric: LinearMetric) -> Array:
        """Return the utilities of true positives (K,), or for a matrix of utilities the argument of `truth.reward`."""
        if metric not in self._utilities:
            worth = metric.utilities(self.truth.support)
            self._utilities[metric] = worth if worth.ndim == 1 else self.truth.rewards(worth)
        return self._utilities[metric]

    @cached_property
    def needs_confusion(self) -> bool:
        """Whether the metric, or that of a constraint, needs the confusion matrix."""
        return any(metric.needs_confusion for metric in (self.metric, *(r.metric for r in self.requirements)))

    def with_truth(self, truth: Truth) -> "Problem":
        """Return the problem of the same scores with another truth; the cache of the scores is kept."""
        other = replace(self, truth=truth)
        vars(other)["_known"] = self._known
        return other

    def take(self, samples: Array) -> "Problem":
        """Return the problem of `samples` only."""
        scores = namespace(self.scores).take(self.scores, samples, axis=0)
        groups = None if self.groups is None else numbered(self.groups[to_numpy(samples)])
        return replace(self, scores=scores, truth=self.truth.take(samples), groups=groups)

    def with_positive_weight(self) -> "Problem":
        """Return the problem without the samples of zero weight."""
        weights = self.truth.weights
        if weights is None or bool(namespace(weights).all(weights > 0)):
            return self
        return self.take(namespace(weights).nonzero(weights > 0)[0])

    @property
    def sample_order(self) -> npt.NDArray[np.int64]:
        """The samples in an order that depends on their values only; with many scores, in the given order."""
        if not is_ordered(self.scores):
            return np.arange(self.scores.shape[0])
        return order_samples(self.scores, self.truth, self.class_order)

    def in_order(self) -> "Problem":
        """Return the problem of the samples along `sample_order`."""
        if not is_ordered(self.scores):
            return self
        return self.take(bring(self.sample_order, to=self.scores, dtype=namespace(self.scores).int64))

    def restricted(self, kept: Sequence[int]) -> "Problem":
        """Return the problem of the classes `kept` only; samples of other classes must have zero weight."""
        xp = namespace(self.scores)
        places = bring(np.asarray(kept), to=self.scores, dtype=xp.int64)
        scores = xp.take(self.scores, places, axis=1)
        return Problem(
            scores,
            self.truth.restricted(places),
            self.metric.restricted(kept),
            tuple(
                required.restricted(kept) for required in self.requirements if required.metric.label in {None, *kept}
            ),
            self.groups,
        )

    def count(self, decisions: Array) -> Counts:
        """Count the results of `decisions`."""
        return self.truth.count(decisions, confusion=self.needs_confusion)

    def objective_value(self, offsets: Array) -> float:
        """Return the value that a solver maximises, for the decisions with `offsets`."""
        return self.objective_value_of(self.count(decide(self.scores, offsets)))

    def objective_value_of(self, counts: Counts) -> float:
        """Return the value that a solver maximises, for `counts` of decisions."""
        objective_value = self.metric.objective_value(counts)
        if not self.requirements:
            return objective_value
        objective_values = namespace(counts.hits).asarray([objective_value], dtype=counts.hits.dtype)
        return float(self.constrained(objective_values, objective_values * 0 + self.missed(counts))[0])

    def missed(self, counts: Counts) -> float:
        """Return the violation of the constraints by `counts` of decisions, zero if they are satisfied."""
        return sum(required.missed(counts) for required in self.requirements)

    def constrained(self, objective_values: Array, missed: Array) -> Array:
        """Return the objective values, and lower ones where constraints are violated: the more, the lower.

        Of equal violations the one with the higher objective value stays higher.
        """
        worst = self.metric.worst_objective_value(self.n_classes)
        lower = worst - 1 - missed + _TIE * objective_values / (1 + abs(worst))
        return namespace(objective_values).where(missed > 0, lower, objective_values)

    def solved(self, offsets: Array, *, n_iter: int) -> "Solution":
        """Return the solution with `offsets`, and the counts of their decisions."""
        counts = self.count(decide(self.scores, offsets))
        return Solution(offsets, counts, self.objective_value_of(counts), n_iter)


@dataclass(frozen=True)
class Solution:
    """Offsets (K,), the counts of their decisions, and the number of iterations."""

    offsets: Array
    counts: Counts
    objective_value: float
    n_iter: int


Fit = Callable[[Problem], Solution]
"""A function that finds offsets for a problem whose classes all have support."""


def improves(objective_value: float, on: float) -> bool:
    """Whether `objective_value` is better than `on` by more than rounding."""
    return objective_value > on if on == -float("inf") else objective_value > on + 1e-12 * abs(on)
