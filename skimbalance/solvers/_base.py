"""The problem of a solver, its solution, and what all solvers share.

Classes and samples have an order that depends on their values only, not on the order of the input: random draws and
ties use it, so that the same data give the same result. Classes without samples keep the number of samples for which
they are predicted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, device, group_order, namespace, shifted_blocks, to_numpy, transposed
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
    "fit_present_classes",
    "improves",
    "is_ordered",
    "order_classes",
    "order_samples",
]

_SCORES, _BINARY_SCORES = 10_000_000, 50_000
"""Up to so many scores the order of samples, and of classes of equal support, does not influence the result. A larger
binary problem takes longer to sort than to fit, and the order has little influence on it."""

_DIGITS = 9
"""Margins are rounded to so many decimals, so that a constant added to a sample does not change the order."""

_Places = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]


def is_ordered(scores: Array) -> bool:
    """Whether scores (n, K) are few enough to sort."""
    n_samples, n_columns = scores.shape
    return bool(n_samples * n_columns <= (_BINARY_SCORES if n_columns == 2 else _SCORES))


def order_classes(scores: Array, truth: Truth) -> _Places:
    """Return the classes (K,) by increasing support, and of equal support by their lowest margins."""
    keys = [to_numpy(truth.support)]
    n_classes = len(keys[0])
    if is_ordered(scores) and len(np.unique(keys[0])) < n_classes:
        codes, margins = to_numpy(truth.likeliest), _own_margins(scores, truth)
        least, most = np.full((2, n_classes), np.inf)
        np.minimum.at(least, codes, margins)
        np.minimum.at(most, codes, -margins)
        keys = [most, least, *keys]
    order: _Places = np.lexsort(keys)
    return order


def order_samples(scores: Array, truth: Truth, classes: _Places) -> _Places:
    """Return the samples (n,) by class and margin, and of equal ones by all margins and the weight.

    `classes` is the order of the classes.
    """
    rank, margins = np.argsort(classes)[to_numpy(truth.likeliest)], _own_margins(scores, truth)
    order: _Places = np.lexsort((margins, rank))
    alike = (np.diff(rank[order]) == 0) & (np.diff(margins[order]) == 0)
    tied = np.flatnonzero(np.append(alike, False) | np.append(False, alike))
    if tied.size == 0:
        return order
    samples = order[tied]
    rows = namespace(scores).take(scores, bring(samples, to=scores), axis=0)
    columns = to_numpy(rows)[:, classes].astype(np.float64)
    columns -= columns.max(axis=1, keepdims=True)
    weights = [] if truth.weights is None else [to_numpy(truth.weights)[samples]]
    keys = [*weights, *columns.T, *np.round(columns, _DIGITS).T, margins[samples], rank[samples]]
    order[tied] = samples[np.lexsort(keys)]
    return order


def _own_margins(scores: Array, truth: Truth) -> _Floats:
    """Return the score of the true class minus the best other score of each sample, (n,), rounded."""
    xp = namespace(scores)
    codes = truth.likeliest[:, None]
    every = xp.arange(scores.shape[1], device=device(scores))[None, :]
    lowest = xp.asarray(-xp.inf, dtype=scores.dtype, device=device(scores))
    own = xp.take_along_axis(scores, codes, axis=1)[:, 0]
    margins = to_numpy(own - xp.max(xp.where(every == codes, lowest, scores), axis=1))
    wide: _Floats = np.asarray(margins, dtype=np.float64)
    return wide.round(_DIGITS)


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


def fit_present_classes(problem: Problem, fit: Fit, *, samples: Array | None = None) -> Solution:
    """Fit the classes that have samples, and predict each other class for as many samples as without offsets.

    Every prediction of an absent class is an error on these samples, so that any search would rule it out. With
    `samples` the fit uses these alone. They are copied twice, so that only one copy is in memory during `fit`.
    """
    here = problem if samples is None else problem.take(samples)
    kept = np.flatnonzero(to_numpy(here.truth.support) > 0)
    if kept.size == problem.n_classes:
        return fit(here)
    xp, like = namespace(problem.scores), {"to": problem.scores, "dtype": problem.scores.dtype}
    none = here.solved(bring(np.zeros(problem.n_classes), **like), n_iter=0)
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
    solution = here.solved(bring(centred(offsets), **like), n_iter=tuned.n_iter)
    return none if improves(none.objective_value, solution.objective_value) else solution


def _neutral_level(needed: npt.NDArray[Any], *, n_samples: int) -> float:
    """Return the offset nearest to zero that exceeds `n_samples` of the offsets `needed`."""
    ordered = np.sort(needed.astype(np.float64))
    low = ordered[n_samples - 1] if n_samples > 0 else -np.inf
    high = ordered[n_samples] if n_samples < ordered.size else np.inf
    half = min(1.0, (high - low) / 2)
    return float(np.clip(0.0, low + half, high - half))
