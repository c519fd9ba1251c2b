"""The problem of a solver, its solution, and what all solvers share.

Classes and samples have an order that depends on their values only, not on the order of the input. Random draws and
ties use it, so that the same data give the same result. Classes without samples keep the number of samples for which
they are predicted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import (
    block_samples,
    bring,
    bring_like,
    device,
    is_on_device,
    namespace,
    only,
    shifted_blocks,
    to_numpy,
    transposed,
)
from skimbalance._core.decision import centred, decide
from skimbalance._core.typing import Array
from skimbalance._core.validation import numbered
from skimbalance.metrics.base import LinearMetric, Metric
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import Counts, Truth

__all__ = [
    "Fit",
    "Problem",
    "Solution",
    "barely_above",
    "fit_present_classes",
    "improves",
    "is_ordered",
    "stored",
    "without",
]

_SCORES, _BINARY_SCORES = 10_000_000, 50_000
"""Up to so many scores the order of samples, and of classes of equal support, does not influence the result. A larger
binary problem takes longer to sort than to fit, and the order has little influence on it."""

_DIGITS = 9
"""Margins are rounded to so many decimals, so that a constant added to a sample does not change the order."""

_TIE = 1e-9
"""The weight of the objective among decisions that violate the constraints alike: less than any sample counts."""

_REPRESENTATIVES = 1024
"""The approximate number of representatives."""

_Value = TypeVar("_Value")
_Places = npt.NDArray[np.int64]


def stored(cache: dict[Any, Any], key: Any, make: Callable[[], _Value]) -> _Value:
    """Return what a cache holds under a key, made where it holds nothing."""
    if key not in cache:
        cache[key] = make()
    found: _Value = cache[key]
    return found


def is_ordered(scores: Array) -> bool:
    """Whether scores (n, K) are few enough to sort."""
    n_samples, n_columns = scores.shape
    return bool(n_samples * n_columns <= (_BINARY_SCORES if n_columns == 2 else _SCORES))


def without(scores: Array, codes: Array) -> Array:
    """Return scores (n, K) with minus infinity for class `codes[i]` of sample i."""
    classes = namespace(scores).arange(scores.shape[1], device=device(scores))
    return only(scores, classes[None, :] != codes[:, None], otherwise=-float("inf"))


@dataclass(frozen=True)
class Problem:
    """Find offsets for which `argmax(scores + offsets)` optimises `metric`; every class has support.

    Offsets that satisfy all constraints in `requirements` are better than any others. Of the others, those with the
    smaller violation are better, and of equal violations those with the better metric. `groups` (n,), codes from zero
    on the host, are for the estimates: samples of one group are dependent. None means that all are independent. In the
    binary case `limits` are the least and the greatest difference `offsets[0] - offsets[1]`: all solutions keep them.
    """

    scores: Array
    truth: Truth
    metric: Metric
    requirements: tuple[BoundConstraint, ...] = ()
    groups: npt.NDArray[np.int64] | None = None
    limits: tuple[float, float] | None = None

    @property
    def n_classes(self) -> int:
        """The number of classes, K."""
        return int(self.scores.shape[1])

    @property
    def n_scores(self) -> int:
        """The number of scores, n K."""
        return int(self.scores.shape[0]) * self.n_classes

    @cached_property
    def is_on_device(self) -> bool:
        """Whether the scores are outside host memory."""
        return is_on_device(self.scores)

    @cached_property
    def known(self) -> dict[str, Any]:
        """A cache of what depends on the scores only, shared by problems that differ in the truth."""
        return {}

    @cached_property
    def own(self) -> dict[Any, Any]:
        """A cache of what depends on the truth, too."""
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the caches, which compiled code shares with no other process."""
        return {name: value for name, value in vars(self).items() if name not in {"known", "own", "_own_margins"}}

    @cached_property
    def class_order(self) -> _Places:
        """The classes (K,), those with the least support first, of equal support those with the lowest margins."""
        support = to_numpy(self.truth.support)
        order: _Places = np.argsort(support, kind="stable")
        if is_ordered(self.scores) and (support[order[1:]] == support[order[:-1]]).any():
            codes, margins = to_numpy(self.truth.likeliest), self._own_margins
            least, most = np.full((2, self.n_classes), np.inf)
            np.minimum.at(least, codes, margins)
            np.minimum.at(most, codes, -margins)
            order = np.lexsort([most, least, support])
        return order

    @property
    def sample_order(self) -> _Places:
        """The samples (n,) by class and margin, of equal ones by all margins and the weight; as given if many."""
        if not is_ordered(self.scores):
            return np.arange(self.scores.shape[0])
        rank, margins = np.argsort(self.class_order)[to_numpy(self.truth.likeliest)], self._own_margins
        order: _Places = np.lexsort((margins, rank))
        alike = (np.diff(rank[order]) == 0) & (np.diff(margins[order]) == 0)
        tied = np.flatnonzero(np.append(alike, False) | np.append(False, alike))
        if tied.size == 0:
            return order
        samples = order[tied]
        rows = namespace(self.scores).take(self.scores, bring(samples, to=self.scores), axis=0)
        columns = to_numpy(rows)[:, self.class_order].astype(np.float64)
        columns -= columns.max(axis=1, keepdims=True)
        weights = [] if self.truth.weights is None else [to_numpy(self.truth.weights)[samples]]
        if self.truth.cost_matrix is not None:
            weights += list(to_numpy(self.truth.costs)[self.class_order][:, samples])
        keys = [*weights, *columns.T, *np.round(columns, _DIGITS).T, margins[samples], rank[samples]]
        order[tied] = samples[np.lexsort(keys)]
        return order

    @cached_property
    def _own_margins(self) -> npt.NDArray[np.float64]:
        """The score of the true class minus the best score of others with samples, of each sample, rounded."""
        xp, codes, scores = namespace(self.scores), self.truth.likeliest, self.scores
        own = xp.take_along_axis(scores, codes[:, None], axis=1)[:, 0]
        if bool(xp.any(self.truth.support == 0)):
            scores = only(scores, (self.truth.support > 0)[None, :], otherwise=-float("inf"))
        parts = block_samples(scores.shape, scores)
        others = xp.concat([xp.max(without(scores[part, :], codes[part]), axis=1) for part in parts])
        wide: npt.NDArray[np.float64] = to_numpy(own - others).astype(np.float64)
        return wide.round(_DIGITS)

    @property
    def columns(self) -> Array:
        """The scores transposed, (K, n): a line search over all samples reads one class at a time."""
        return stored(self.known, "columns", partial(transposed, self.scores))

    @cached_property
    def representatives(self) -> tuple[Array, Array]:
        """A few samples of each class and its code, the classes in ascending order."""
        samples, truth = self.truth.thinned(1 + int(self.scores.shape[0]) // _REPRESENTATIVES)
        classes = truth.likeliest
        order = namespace(classes).argsort(classes, stable=True)
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
        if "sorted_margins" not in self.known:
            margins = self.margins
            samples = namespace(margins).argsort(margins, stable=False)
            self.known["sorted_margins"] = samples, margins[samples]
        samples, margins = self.known["sorted_margins"]
        return samples, margins

    @cached_property
    def _utilities(self) -> dict[Metric, Array]:
        return {}

    def utilities(self, metric: LinearMetric) -> Array:
        """Return the utilities of true positives (K,), or for a matrix of utilities the argument of `truth.reward`."""
        if metric not in self._utilities:
            worth = metric.utilities(self.truth.support)
            self._utilities[metric] = worth if worth.ndim == 1 else self.truth.rewards(worth)
        return self._utilities[metric]

    def reward(self, metric: LinearMetric, classes: Array, samples: Array) -> Array:
        """Return what predicting `classes[j]` for each of `samples` adds to a metric with a matrix of utilities."""
        if metric.needs_cost_matrix:
            return self.truth.cost(classes, samples) / namespace(samples).sum(self.truth.support)
        return self.truth.reward(self.utilities(metric), classes, samples)

    @cached_property
    def needs_confusion(self) -> bool:
        """Whether the metric, or that of a constraint, needs the confusion matrix."""
        return any(metric.needs_confusion for metric in (self.metric, *(r.metric for r in self.requirements)))

    def with_truth(self, truth: Truth) -> "Problem":
        """Return the problem of the same scores with another truth; the cache of the scores is kept."""
        other = replace(self, truth=truth)
        vars(other)["known"] = self.known
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

    def in_order(self) -> "Problem":
        """Return the problem of the samples along `sample_order`."""
        if not is_ordered(self.scores):
            return self
        return self.take(bring(self.sample_order, to=self.scores, dtype=namespace(self.scores).int64))

    def restricted(self, kept: Sequence[int]) -> "Problem":
        """Return the problem of the classes `kept` only; samples of other classes must have zero weight."""
        return stored(self.own, ("restricted", *kept), partial(self._restricted, kept))

    def _restricted(self, kept: Sequence[int]) -> "Problem":
        xp = namespace(self.scores)
        places = bring(np.asarray(kept), to=self.scores, dtype=xp.int64)
        about = [required for required in self.requirements if required.metric.label in {None, *kept}]
        limits = self.limits
        if limits is not None and list(kept) == [1, 0]:
            limits = -limits[1], -limits[0]
        return replace(
            self,
            scores=xp.take(self.scores, places, axis=1),
            truth=self.truth.restricted(places),
            metric=self.metric.restricted(kept),
            requirements=tuple(replace(required, metric=required.metric.restricted(kept)) for required in about),
            limits=limits,
        )

    def within_limits(self, offsets: Array) -> Array:
        """Return the offsets, or the nearest ones within the limits."""
        if self.limits is None:
            return offsets
        cut = float(offsets[0]) - float(offsets[1])
        nearest = min(max(cut, self.limits[0]), self.limits[1])
        return offsets if nearest == cut else bring_like(np.array([nearest / 2, -nearest / 2]), offsets)

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

    def objective_values(self, trace: Callable[[Metric], tuple[Array, ...]]) -> Array:
        """Return the values that a solver maximises along sorted sweeps, with pooled terms `trace(metric)`."""
        objective_values = self.metric.refine(trace(self.metric), self.n_classes)
        if not self.requirements:
            return objective_values
        missed = (r.violation(r.metric.pool(trace(r.metric), self.n_classes)) for r in self.requirements)
        return self.constrained(objective_values, sum(missed))

    def shown(self, counts: Counts) -> str:
        """Return the value of the metric for `counts` of decisions as text, and whether constraints are violated."""
        violated = " with violated constraints" if self.missed(counts) > 0 else ""
        return f"{self.metric.name}={self.metric.value(counts):.6g}{violated}"

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
        """Return the solution with `offsets`, or the nearest within the limits, and the counts of their decisions."""
        offsets = self.within_limits(offsets)
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
    return objective_value > barely_above(on)


def barely_above(objective_value: float) -> float:
    """Return the number that a better objective value exceeds, more than rounding above one."""
    return objective_value if objective_value == -float("inf") else objective_value + 1e-12 * abs(objective_value)


def fit_present_classes(problem: Problem, fit: Fit, *, samples: Array | None = None) -> Solution:
    """Fit the classes that have samples, and predict each other class for as many samples as without offsets.

    Every prediction of an absent class is an error on these samples, so that any search would rule it out. With
    `samples` the fit uses these alone. They are copied twice, so that only one copy is in memory during `fit`.
    """
    here = problem if samples is None else problem.take(samples)
    kept = np.flatnonzero(to_numpy(here.truth.support) > 0)
    if kept.size == problem.n_classes:
        return fit(here)
    xp = namespace(problem.scores)
    none = here.solved(bring_like(np.zeros(problem.n_classes), problem.scores), n_iter=0)
    if kept.size < 2:
        return none
    absent = np.setdiff1d(np.arange(problem.n_classes), kept)
    lead = xp.max(xp.take(here.scores, bring(absent, to=here.scores, dtype=xp.int64), axis=1), axis=1)
    present = here.restricted(kept.tolist())
    del here
    tuned = fit(present)
    needed = xp.concat([xp.max(block, axis=1) for _, block in shifted_blocks(present.scores, tuned.offsets)]) - lead
    n_won = int(xp.sum(xp.astype(lead > xp.max(present.scores, axis=1), xp.int64)))
    offsets = np.zeros(problem.n_classes)
    offsets[absent] = _neutral_level(to_numpy(needed), n_samples=n_won)
    offsets[kept] = to_numpy(tuned.offsets)
    del present
    here = problem if samples is None else problem.take(samples)
    solution = here.solved(bring_like(centred(offsets), problem.scores), n_iter=tuned.n_iter)
    is_worse = improves(tuned.objective_value, solution.objective_value)  # by samples that an absent class wins
    return none if is_worse and improves(none.objective_value, solution.objective_value) else solution


def _neutral_level(needed: npt.NDArray[Any], *, n_samples: int) -> float:
    """Return the offset nearest to zero that exceeds `n_samples` of the offsets `needed`."""
    ordered = np.sort(needed.astype(np.float64))
    low = ordered[n_samples - 1] if n_samples > 0 else -np.inf
    high = ordered[n_samples] if n_samples < ordered.size else np.inf
    half = min(1.0, (high - low) / 2)
    return float(np.clip(0.0, low + half, high - half))
