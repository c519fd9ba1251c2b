"""Which cuts of one class satisfy constraints with their confidence, and what can be stated about the final ones.

A class is predicted where its margin, its score minus the best other score, reaches a cut. `SortedCuts` holds what each
cut predicts, `CutTest` which cuts a bound certifies.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self, cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, bring_like, namespace, to_numpy
from skimbalance._core.typing import Label
from skimbalance.estimation._guarantees import (
    STARTS,
    best_bound,
    certified_cuts,
    certified_errors,
    effective_sizes,
    is_rejected,
    precision_p_values,
    rate_bound,
    rate_p_values,
    ratio_p_values,
    samples_needed,
)
from skimbalance.goals import Constraint
from skimbalance.metrics.counts import HardTruth
from skimbalance.solvers import Problem

__all__ = ["CutTest", "Guarantee", "GuaranteeKind", "PrecisionTest", "RateTest", "SortedCuts", "limits_of"]

GuaranteeKind = Literal["exact", "sequential", "approximate"]

_Floats = npt.NDArray[np.float64]

_ROUNDING = 1e-9

_DISTANCE = 32
"""Cuts are apart by at least this many times the rounding of their scores."""

_LIKELY = 256
"""The best bound of a precision is sought among so many cuts, those with the best bounds by a normal approximation."""

_FARTHEST = 1.0
"""Limits keep a quarter of the distance to the next sample, and at most this."""


@dataclass(frozen=True, eq=False)
class SortedCuts:
    """The distinct margins (m,) of one class, ascending, and its samples sorted by margin.

    Cut i, from zero to m, predicts the class for all samples with at least the i-th margin; the last cut predicts none.
    `starts` (m + 1,) is the first of these samples. `own` (n,) marks the samples of the class.
    """

    margins: _Floats
    starts: npt.NDArray[np.int64]
    own: npt.NDArray[np.bool_]
    weights: _Floats | None
    groups: npt.NDArray[np.int64] | None

    @classmethod
    def of(
        cls,
        margins: _Floats,
        own: npt.NDArray[np.bool_],
        *,
        weights: _Floats | None = None,
        groups: npt.NDArray[np.int64] | None = None,
        rounding: _Floats | None = None,
        at: float | None = None,
    ) -> Self:
        """Sort the samples; margins that differ by no more than their `rounding` (n,) are equal, except around `at`."""
        order = np.argsort(margins, kind="stable")
        ordered = margins[order]
        apart = np.diff(ordered) > (0.0 if rounding is None else np.maximum(rounding[order[1:]], rounding[order[:-1]]))
        if at is not None:
            apart |= (ordered[:-1] < at) & (ordered[1:] >= at)
        opens = np.flatnonzero(np.concatenate([[True], apart]))
        return cls(
            ordered[opens],
            np.append(opens, len(ordered)),
            own[order],
            None if weights is None else weights[order],
            None if groups is None else groups[order],
        )

    @classmethod
    def of_problem(
        cls, problem: Problem, label: int, offsets: _Floats | None = None, *, at: float | None = None
    ) -> Self:
        """Return the cuts of class `label`, one of them `at`, with the other offsets as in `offsets` (K,), or zero."""
        xp = namespace(problem.scores)
        truth = cast(HardTruth, problem.truth)
        rest = np.delete(np.arange(problem.n_classes), label)
        others = xp.take(problem.scores, bring(rest, to=problem.scores, dtype=xp.int64), axis=1)
        if problem.n_classes > 2 and offsets is not None:
            others = others + bring_like(offsets[rest], others)
        mine, other = problem.scores[:, label], xp.max(others, axis=1)
        margins = to_numpy(mine - other).astype(np.float64)
        # Limits keep a quarter of a distance on either side, and a cut needs a distance of its own.
        rounding = _DISTANCE * float(xp.finfo(mine.dtype).eps) * to_numpy(xp.abs(mine) + xp.abs(other))
        weights = None if truth.weights is None else to_numpy(truth.weights).astype(np.float64)
        own = to_numpy(truth.codes) == label
        return cls.of(margins, own, weights=weights, groups=problem.groups, rounding=rounding, at=at)

    @property
    def n_cuts(self) -> int:
        """The number of cuts, one more than there are distinct margins."""
        return len(self.margins) + 1

    def place_of(self, cut: float) -> int:
        """Return which cut a margin is, from which on the class is predicted."""
        return int(np.searchsorted(self.margins, cut))

    @cached_property
    def _equal_weights(self) -> tuple[bool, bool]:
        """Whether all samples have the same weight, and whether those of each class have."""
        if self.weights is None:
            return True, True
        parts = [part for part in (self.weights[self.own], self.weights[~self.own]) if part.size]
        spread = [np.ptp(part) <= _ROUNDING * part.max() for part in parts]
        return bool(np.ptp(self.weights) <= _ROUNDING * self.weights.max()), all(spread)

    @property
    def weights_by_class(self) -> bool:
        """Whether classes have different weights, and the samples of each the same: those of another class prior."""
        every, each = self._equal_weights
        return each and not every

    def are_independent(self, *, every: bool = False) -> bool:
        """Return whether samples are not grouped, and those of a class, or all of them, have the same weight."""
        return self.groups is None and self._equal_weights[0 if every else 1]

    def below(self, *, own: bool | None) -> tuple[_Floats, float]:
        """Return the effective number of samples (m + 1,) below each cut, and of all.

        They are those of the class, of the others, or with None all samples.
        """
        member = np.ones(len(self.own), dtype=np.bool_) if own is None else self.own == own
        weights = None if self.weights is None else self.weights[member]
        groups = None if self.groups is None else self.groups[member]
        n_members = int(np.count_nonzero(member))
        if n_members == 0:
            return np.zeros(self.n_cuts), 0.0
        mass, sizes = effective_sizes(weights, groups, n_samples=n_members)
        n_below = np.concatenate([[0], np.cumsum(member)])[self.starts]
        running = np.concatenate([[0.0], mass])[n_below]
        n = float(sizes[-1])
        return running * (n / mass[-1]), n

    def predicted(self, *, own: bool) -> tuple[_Floats, _Floats]:
        """Return the effective number (m + 1,) of samples that each cut predicts as the class or not, and the hits."""
        flip = slice(None, None, -1) if own else slice(None)
        hit = (self.own if own else ~self.own)[flip]
        weights = None if self.weights is None else self.weights[flip]
        groups = None if self.groups is None else self.groups[flip]
        mass, sizes = effective_sizes(weights, groups, n_samples=len(hit))
        hits = np.cumsum(hit if weights is None else np.where(hit, weights, 0.0))
        count = len(hit) - self.starts if own else self.starts
        mass, sizes, hits = (np.concatenate([[0.0], x])[count] for x in (mass, sizes, hits))
        return sizes, hits * np.divide(sizes, mass, out=np.zeros(len(mass)), where=mass > 0)

    def class_mass(self) -> tuple[float, float]:
        """Return what the samples of the class and the others weigh."""
        weights = np.ones(len(self.own)) if self.weights is None else self.weights
        return float(weights[self.own].sum()), float(weights[~self.own].sum())


@dataclass(frozen=True)
class Guarantee:
    """What can be stated about a constraint with a confidence, for the fitted offsets.

    Attributes
    ----------
    constraint : AtLeast, AtMost or Near
        The constraint. For multilabel targets `label` is the label that it holds for.
    label : label
        The class or the label of the metric, None for a metric of all classes.
    kind : {"exact", "sequential", "approximate"}
        How it is proven. ``"exact"``: a binomial or beta-binomial bound of independent samples. ``"sequential"``: a
        fixed sequence of binomial tests. ``"approximate"``: effective numbers of weighted or grouped samples, offsets
        fitted on the same samples, or bootstraps.
    holds : bool
        Whether the constraint is claimed for unseen data with its confidence.
    n : float
        The number of samples that the metric is a proportion of, such as those of the class for a recall. Of weighted
        or grouped samples the effective number. For metrics without a test all samples, or groups.
    errors : float
        For a lower bound how many of them violate it, such as false negatives for recall. For an upper bound how many
        the metric counts, such as false positives. NaN for metrics without a test.
    p_value : float
        The probability of so few errors at these offsets if the constraint does not hold on unseen data. For metrics
        without a test, the proportion of bootstraps that violate it.
    bound : float
        Confidence bound of the metric at these offsets, at the level `confidence`. For AtLeast and Near it is a lower
        bound: the metric is at least this. For AtMost it is an upper bound: the metric is at most this. It is of the
        population; for metrics without a test, of `new_samples` if these are given.
    samples_needed : int or None
        The least n with which a constraint can be claimed. None where no number suffices, or none is known.
    best_bound : float
        The best value of the constraint that could be claimed with these samples: the highest lower bound for AtLeast,
        the lowest upper bound for AtMost. For metrics without a test, `bound`.
    confidence : float
        The confidence at which the constraint is tested. Several constraints share the error probability.
    joint_confidence : float
        The confidence of all constraints of the problem, or of the label, together. With a `reject_label` those on
        decided samples count apart from the others.
    """

    constraint: Constraint
    label: Label
    kind: GuaranteeKind
    holds: bool
    n: float
    errors: float
    p_value: float
    bound: float
    samples_needed: int | None
    best_bound: float
    confidence: float
    joint_confidence: float


@dataclass(frozen=True)
class CutTest(ABC):
    """The test of one lower bound `rate` at level `delta`; `own` is about which samples: see `SortedCuts.below`."""

    own: bool | None
    rate: float
    delta: float

    @abstractmethod
    def kind(self, cuts: SortedCuts) -> GuaranteeKind:
        """Return how a certified cut is proven."""

    @abstractmethod
    def p_values(self, cuts: SortedCuts) -> _Floats:
        """Return the p-value (m + 1,) of each cut: how likely so few errors are if the bound does not hold."""

    @abstractmethod
    def p_value(self, cuts: SortedCuts, place: int) -> float:
        """Return the p-value of one cut."""

    @abstractmethod
    def certified(self, cuts: SortedCuts) -> npt.NDArray[np.bool_]:
        """Return which cuts (m + 1,) are certified."""

    @abstractmethod
    def required(self, cuts: SortedCuts, place: int) -> float:
        """Return the rate on these samples with which a cut that predicts as many as that at `place` is certified."""

    @abstractmethod
    def at(self, cuts: SortedCuts, place: int) -> tuple[float, float, float]:
        """Return the samples, the errors, and the lower confidence bound at one cut."""

    @abstractmethod
    def needed(self, cuts: SortedCuts) -> tuple[int | None, float]:
        """Return how many samples any claim needs, and the best bound that these allow."""


@dataclass(frozen=True)
class RateTest(CutTest):
    """A lower bound on the proportion of samples that are predicted as `wins` has it: of a class, or of all samples.

    With `wins` samples at the cut and above are right, without it those below.
    """

    wins: bool = True
    new_samples: int | str | None = None

    def _new(self, n: float) -> int | None:
        return max(1, round(n)) if isinstance(self.new_samples, str) else self.new_samples

    def _errors(self, cuts: SortedCuts) -> tuple[_Floats, float]:
        below, n = cuts.below(own=self.own)
        return (below if self.wins else n - below), n

    def kind(self, cuts: SortedCuts) -> GuaranteeKind:
        """Return "exact" for independent samples."""
        return "exact" if cuts.are_independent(every=self.own is None) else "approximate"

    def p_values(self, cuts: SortedCuts) -> _Floats:
        """Return the p-value (m + 1,) of each cut."""
        errors, n = self._errors(cuts)
        return rate_p_values(errors, n, self.rate, new_samples=self._new(n))

    def p_value(self, cuts: SortedCuts, place: int) -> float:
        """Return the p-value of one cut."""
        errors, n = self._errors(cuts)
        return float(rate_p_values(errors[place], n, self.rate, new_samples=self._new(n)))

    def certified(self, cuts: SortedCuts) -> npt.NDArray[np.bool_]:
        """Return which cuts (m + 1,) have few enough errors: p-values grow with them."""
        errors, n = self._errors(cuts)
        distinct = np.unique(errors)
        low, high = 0, len(distinct)
        while low < high:
            middle = (low + high) // 2
            p = rate_p_values(distinct[middle], n, self.rate, new_samples=self._new(n))
            low, high = (middle + 1, high) if is_rejected(p, self.delta) else (low, middle)
        found: npt.NDArray[np.bool_] = errors < (distinct[low] if low < len(distinct) else np.inf)
        return found

    def required(self, cuts: SortedCuts, place: int) -> float:
        """Return the rate of the most errors that are certified; one if not even a cut without errors is."""
        n = self._errors(cuts)[1]
        allowed = certified_errors(n, self.rate, self.delta, new_samples=self._new(n)) - 1
        return 1 - max(allowed, 0) / n if n > 0 else 1.0

    def at(self, cuts: SortedCuts, place: int) -> tuple[float, float, float]:
        """Return the samples, the errors, and the lower confidence bound at one cut."""
        errors, n = self._errors(cuts)
        return n, float(errors[place]), float(rate_bound(errors[place], n, self.delta))

    def needed(self, cuts: SortedCuts) -> tuple[int | None, float]:
        """Return how many of these samples any claim needs, and the best bound that they allow."""
        n = cuts.below(own=self.own)[1]
        least = samples_needed(self.rate, self.delta, new_samples=self.new_samples)
        return least, best_bound(n, self.delta, new_samples=self._new(n))


@dataclass(frozen=True)
class PrecisionTest(CutTest):
    """A lower bound on the proportion of samples of the class, or of the others, among those predicted as such."""

    own: bool

    def kind(self, cuts: SortedCuts) -> GuaranteeKind:
        """Return "sequential" for independent samples."""
        return "sequential" if cuts.are_independent() else "approximate"

    def _counts(self, cuts: SortedCuts) -> tuple[_Floats, _Floats, float, float]:
        """Return the effective hits and false positives (m + 1,), and of how many samples they are."""
        below, n_own = cuts.below(own=self.own)
        others, n_others = cuts.below(own=not self.own)
        return (n_own - below, n_others - others, n_own, n_others) if self.own else (below, others, n_own, n_others)

    def _p_values_at(self, cuts: SortedCuts) -> Callable[[Any], _Floats]:
        """Return a function that computes the p-values of some cuts."""
        if not cuts.weights_by_class:
            predicted, hits = cuts.predicted(own=self.own)
            return lambda at: precision_p_values(hits[at], predicted[at], self.rate)
        if self.rate >= 1:
            return lambda at: np.ones(cuts.n_cuts)[at]
        own, others = cuts.class_mass() if self.own else cuts.class_mass()[::-1]
        hits, false, n_own, n_others = self._counts(cuts)
        ratio = self.rate / (1 - self.rate) * others / own
        return lambda at: ratio_p_values(hits[at], n_own, false[at], n_others, ratio)

    def p_values(self, cuts: SortedCuts) -> _Floats:
        """Return the p-value (m + 1,) of each cut."""
        return self._p_values_at(cuts)(slice(None))

    def p_value(self, cuts: SortedCuts, place: int) -> float:
        """Return the p-value of one cut."""
        return float(self._p_values_at(cuts)(np.array([place]))[0])

    def certified(self, cuts: SortedCuts) -> npt.NDArray[np.bool_]:
        """Return which cuts (m + 1,) a fixed sequence of tests certifies, from the fewest predicted samples on."""
        sizes = cuts.predicted(own=self.own)[0]
        if cuts.weights_by_class:
            hits, false, _, _ = self._counts(cuts)
            sizes = hits + false
        order = np.arange(cuts.n_cuts)[:: -1 if self.own else 1]
        p_values = self._p_values_at(cuts)
        found = certified_cuts(lambda part: p_values(order[part]), np.maximum.accumulate(sizes[order]), self.delta)
        certified = np.zeros(cuts.n_cuts, dtype=np.bool_)
        certified[order] = found
        return certified

    def required(self, cuts: SortedCuts, place: int) -> float:
        """Return the least precision of as many predicted samples that is certified; one if none is."""
        n = max(1.0, float(cuts.predicted(own=self.own)[0][place]))
        allowed = certified_errors(n, self.rate, self.delta) - 1
        return 1 - max(allowed, 0) / n

    def at(self, cuts: SortedCuts, place: int) -> tuple[float, float, float]:
        """Return the predicted samples, the false ones, and the lower confidence bound at one cut."""
        predicted, hits = cuts.predicted(own=self.own)
        n, errors = float(predicted[place]), float(predicted[place] - hits[place])
        return n, errors, float(rate_bound(errors, n, self.delta)) if n > 0 else 0.0

    def needed(self, cuts: SortedCuts) -> tuple[int | None, float]:
        """Return how many predicted samples any claim needs, and the best bound that some cut allows."""
        level = self.delta / len(STARTS)
        least = samples_needed(self.rate, level)
        predicted, hits = cuts.predicted(own=self.own)
        enough = np.flatnonzero(predicted >= STARTS[0])
        rates = hits[enough] / predicted[enough]
        near = np.argsort(rates - 2 * np.sqrt((rates * (1 - rates) + 1 / predicted[enough]) / predicted[enough]))
        likely = enough[near[-_LIKELY:]]  # bounds of all cuts would take long
        bounds = rate_bound(predicted[likely] - hits[likely], predicted[likely], level)
        return None if least is None else max(least, STARTS[0]), float(bounds.max(initial=0.0))


def limits_of(
    cuts: SortedCuts, permitted: npt.NDArray[np.bool_], merit_of: Callable[[], _Floats] | None
) -> tuple[float, float]:
    """Return between which margins a run of permitted cuts (m + 1,) is: that with the best merit, or the longest."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], permitted, [False]]).astype(np.int8)))
    firsts, lasts = edges[::2], edges[1::2] - 1
    if merit_of is None or len(firsts) == 1:
        worth = np.append(cuts.starts, len(cuts.own))[lasts + 1] - cuts.starts[firsts]
    else:
        merit = merit_of()
        worth = np.array([merit[first : last + 1].max() for first, last in zip(firsts, lasts, strict=True)])
    best = int(np.argmax(worth))
    values = np.concatenate([[-np.inf], cuts.margins, [np.inf]])  # cut i is between values i and i + 1
    first, last = int(firsts[best]), int(lasts[best])
    return (
        float(values[first] + _inset(values[first], values[first + 1])),
        float(values[last + 1] - _inset(values[last], values[last + 1])),
    )


def _inset(low: float, high: float) -> float:
    """Return how far limits are from the next sample; nothing between equal margins."""
    return min((high - low) / 4, _FARTHEST) if high > low else 0.0
