"""Rejected decisions: which ones, so that the others satisfy goals.

A decision is rejected where the calibrated probability of its class is below a threshold of the class. By Chow's rule,
this is the best order: *On optimum recognition error and reject tradeoff*, IEEE Transactions on Information Theory 16,
1970. Thresholds with a confidence are certified by a fixed sequence of binomial tests, from high probabilities to low
ones. The tests are those of Geifman and El-Yaniv, *Selective classification for deep neural networks*, NeurIPS 2017.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import block_samples, namespace, to_numpy
from skimbalance._core.typing import Array, Label
from skimbalance._core.validation import label_values
from skimbalance.estimation._calibration import Calibration
from skimbalance.estimation._certify import Guarantee, GuaranteeKind
from skimbalance.estimation._condense import condensed
from skimbalance.estimation._guarantees import (
    certified_cuts,
    effective_sizes,
    is_rejected,
    precision_p_values,
    rate_bound,
    rate_p_values,
    samples_needed,
)
from skimbalance.goals import Constraint
from skimbalance.solvers import Problem

__all__ = ["GoalResult", "RejectGoal", "Rejection", "fit_rejection"]

_Floats = npt.NDArray[np.float64]
_Flags = npt.NDArray[np.bool_]
_Codes = npt.NDArray[np.int64]

_ROUNDING = 1e-12
"""Probabilities that differ by less are not separated."""

_ORDER = ("precision", "accuracy", "coverage")

_TESTS, _FACTOR = 3, 2
"""A sequence of tests has up to three starts, each with twice as many samples."""


@dataclass(frozen=True)
class RejectGoal:
    """A lower bound on a metric of the decided samples.

    `metric` is "precision", of the class `label`, "accuracy" or "coverage". `delta` is the probability with which the
    bound may be broken, None without a confidence.
    """

    constraint: Constraint
    metric: str
    value: float
    label: int | None = None
    delta: float | None = None


@dataclass(frozen=True)
class GoalResult:
    """What decided samples achieve: `counted` of `n_samples`, those without rejection where no threshold satisfies it.

    `samples_needed` is the least number of samples with which the goal can be certified, `best_bound` the highest value
    that some threshold achieves with this confidence. `is_last` is whether it was tested again after all other goals.
    """

    goal: RejectGoal
    counted: float
    n_samples: float
    is_satisfied: bool
    samples_needed: int | None = None
    best_bound: float = 0.0
    is_last: bool = False

    def guarantee(self, *, label: Label, kind: GuaranteeKind, joint_confidence: float) -> Guarantee:
        """Return what can be stated about a goal with a confidence."""
        delta, errors = self.goal.delta or 0.0, self.n_samples - self.counted
        return Guarantee(
            constraint=self.goal.constraint,
            label=label,
            kind=kind,
            holds=self.is_satisfied,
            n=self.n_samples,
            errors=errors,
            p_value=float(rate_p_values(errors, self.n_samples, self.goal.value)),
            bound=float(rate_bound(errors, self.n_samples, delta)),
            samples_needed=self.samples_needed,
            best_bound=self.best_bound,
            confidence=1 - delta,
            joint_confidence=joint_confidence,
        )


@dataclass(frozen=True, eq=False)
class Rejection:
    """Which decisions are rejected, and what is decided on the samples of the fit.

    A decision is rejected where the calibrated probability of the predicted class is below its threshold.

    Attributes
    ----------
    labels : ndarray of shape (K + 1,)
        The classes, and the reject label.
    thresholds : ndarray of shape (K,)
        Least calibrated probability of a decision for each class; infinite where all of them are rejected.
    predicted, decided, correct : ndarray of shape (K,)
        Number of samples that are predicted as the class, of those that are not rejected, and of correct ones among
        these. Of weighted samples the sum of the weights.
    """

    labels: npt.NDArray[Any]
    thresholds: _Floats
    predicted: _Floats
    decided: _Floats
    correct: _Floats
    _calibration: Calibration

    @property
    def coverage(self) -> float:
        """The proportion of samples that are decided."""
        return float(self.decided.sum() / self.predicted.sum())

    @property
    def accuracy(self) -> float:
        """The proportion of correct decisions, NaN without any."""
        return float(self.correct.sum() / self.decided.sum()) if self.decided.any() else float("nan")

    @property
    def precision(self) -> _Floats:
        """The proportion of correct decisions for each class, NaN without any."""
        with np.errstate(invalid="ignore"):
            return self.correct / self.decided

    def to_dict(self) -> dict[str, Any]:
        """Return the state as values of JSON: lists, numbers, strings, and None for an infinite threshold."""
        calibration, label = self._calibration, label_values(self.labels)[-1]
        arrays = {"predicted": self.predicted, "decided": self.decided, "correct": self.correct}
        arrays |= {"parameters": calibration.parameters, "prior": calibration.prior}
        thresholds = [threshold if math.isfinite(threshold) else None for threshold in self.thresholds.tolist()]
        own = {"label": label, "thresholds": thresholds, "n_samples": float(calibration.n_samples)}
        return {**own, **{name: array.tolist() for name, array in arrays.items()}}

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, classes: npt.NDArray[Any]) -> "Rejection":
        """Return the rejection that `to_dict` described."""
        arrays = {name: np.asarray(each, dtype=np.float64) for name, each in values.items() if isinstance(each, list)}
        thresholds = np.nan_to_num(arrays["thresholds"], nan=np.inf)
        calibration = Calibration(arrays["parameters"], arrays["prior"], values["n_samples"], None)
        labels = np.concatenate([classes, np.asarray([values["label"]])])
        predicted, decided, correct = (arrays[name] for name in ("predicted", "decided", "correct"))
        return cls(labels, thresholds, predicted, decided, correct, calibration)

    def probabilities(self, scores: Array, decisions: Array) -> _Floats:
        """Return the calibrated probability (n,) of the decisions, for log-scores (n, K)."""
        return _probabilities(self._calibration, scores, decisions)

    def rejects(self, scores: Array, decisions: Array) -> _Flags:
        """Return which decisions (n,) are rejected, for log-scores (n, K)."""
        rejected: _Flags = self.probabilities(scores, decisions) < self.thresholds[to_numpy(decisions)]
        return rejected


def _probabilities(calibration: Calibration, scores: Array, decisions: Array) -> _Floats:
    """Return the calibrated probability (n,) of the decisions, in double precision."""
    xp = namespace(scores)
    found = np.empty(scores.shape[0])
    for block in block_samples(scores.shape, scores):
        shares = calibration.shares(xp.astype(scores[block, :], xp.float64), exact=True)
        found[block] = to_numpy(xp.take_along_axis(shares, decisions[None, block], axis=0)[0, :])
    return found


@dataclass(frozen=True, eq=False)
class _Cuts:
    """What is decided from each of the distinct probabilities (m,) on, from high to low.

    `sizes` (m,) are effective numbers of samples, `hits` (m,) of correct ones, and `coverage` (m,) proportions of all
    samples, of which there are `n_samples`.
    """

    values: _Floats
    sizes: _Floats
    hits: _Floats
    coverage: _Floats
    n_samples: float

    def allowed(self, goal: RejectGoal, *, n_classes: int) -> _Flags:
        """Return which cuts (m,) satisfy the goal, with its confidence if it has one."""
        if goal.metric == "coverage":
            if goal.delta is None:
                return np.asarray(self.coverage >= goal.value - _ROUNDING)
            p_values = rate_p_values(self.n_samples * (1 - self.coverage), self.n_samples, goal.value)
            return np.asarray(is_rejected(p_values, goal.delta))
        if goal.delta is None:
            return np.asarray(self.hits >= (goal.value - _ROUNDING) * self.sizes)
        # The labels have no influence on the starts: not even by the number of decisions, which offsets determine.
        expected = self.n_samples if goal.label is None else self.n_samples / (2 * n_classes)
        starts = _starts(goal.value, goal.delta, expected)
        reached = [start for start in starts if start <= self.sizes[-1]]
        if not reached:
            return np.zeros(len(self.values), dtype=np.bool_)
        delta = goal.delta * len(reached) / len(starts)

        def tested(part: slice) -> _Floats:
            return precision_p_values(self.hits[part], self.sizes[part], goal.value)

        return certified_cuts(tested, self.sizes, delta, starts=reached)

    def best_bound(self, goal: RejectGoal) -> float:
        """Return the highest confidence bound of about 200 cuts, at the level of a single test."""
        if goal.delta is None:
            return 0.0
        if goal.metric == "coverage":
            return float(rate_bound(self.n_samples * (1 - self.coverage[-1]), self.n_samples, goal.delta))
        some = np.unique(np.geomspace(1, len(self.sizes), 200).astype(np.int64)) - 1
        return float(rate_bound((self.sizes - self.hits)[some], self.sizes[some], goal.delta / _TESTS).max())

    def threshold(self, place: int) -> float:
        """Return a probability between a cut and the next one."""
        following = self.values[place + 1] if place + 1 < len(self.values) else 0.0
        return float((self.values[place] + following) / 2)


def _starts(value: float, delta: float, n_samples: float) -> list[int]:
    """Return from which numbers of samples on to test: the first one is the least that passes without an error."""
    for n_tests in range(_TESTS, 0, -1):
        least = samples_needed(value, delta / n_tests)
        if least is not None and (n_tests == 1 or least * _FACTOR ** (n_tests - 1) <= n_samples):
            return [max(1, least) * _FACTOR**test for test in range(n_tests)]
    return []


@dataclass(frozen=True, eq=False)
class _Samples:
    """Probability, predicted class and correctness (n,) of each decision, and weights and groups of the samples."""

    probabilities: _Floats
    codes: _Codes
    correct: _Flags
    weights: _Floats | None
    groups: _Codes | None

    def cuts(self, members: _Flags) -> _Cuts:
        """Return the cuts of some decisions; all others are rejected."""
        order = np.flatnonzero(members)
        order = order[np.argsort(-self.probabilities[order], kind="stable")]
        values = self.probabilities[order]
        ends = np.flatnonzero(np.diff(values, append=-np.inf) < -_ROUNDING)
        mass, sizes = self._effective(order)
        correct = self.correct[order].astype(np.float64)
        hits = np.cumsum(correct if self.weights is None else correct * self.weights[order])
        total, n_samples = (each[-1] for each in self._effective(np.arange(len(self.codes))))
        coverage = np.minimum(mass[ends] / total, 1.0)
        return _Cuts(values[ends], sizes[ends], (hits * sizes / mass)[ends], coverage, float(n_samples))

    def _effective(self, order: _Codes) -> tuple[_Floats, _Floats]:
        """Return weight and effective size of the first samples of an order, up to and with each."""
        weights = None if self.weights is None else self.weights[order]
        groups = None if self.groups is None else self.groups[order]
        return effective_sizes(weights, groups, n_samples=len(order))


def fit_rejection(
    problem: Problem, decisions: Array, goals: Sequence[RejectGoal], *, labels: npt.NDArray[Any]
) -> tuple[Rejection, list[GoalResult]]:
    """Fit the thresholds, for the samples of a problem and their decisions (n,); `labels` (K + 1,) has all labels.

    Precision goals determine the thresholds of their classes. A goal of accuracy then rejects as few of the other
    decisions as possible. A goal of coverage rejects as many as it allows if it is the only goal.
    """
    calibration = Calibration.of(condensed(problem), bent=False)
    codes = to_numpy(decisions).astype(np.int64)
    weights = None if problem.truth.weights is None else to_numpy(problem.truth.weights).astype(np.float64)
    probabilities = _probabilities(calibration, problem.scores, decisions)
    samples = _Samples(probabilities, codes, codes == to_numpy(problem.truth.likeliest), weights, problem.groups)
    thresholds, results, kept = np.zeros(problem.n_classes), [], []
    only_coverage = all(goal.metric == "coverage" for goal in goals)
    for goal in sorted(goals, key=lambda goal: _ORDER.index(goal.metric)):
        about = slice(None) if goal.label is None else slice(goal.label, goal.label + 1)
        members = (probabilities >= thresholds[codes]) & ((goal.label is None) | (codes == goal.label))
        rejects = goal.metric != "coverage" or only_coverage
        threshold, result = _solved(samples, members, goal, n_classes=problem.n_classes, rejects=rejects)
        thresholds[about] = np.maximum(thresholds[about], threshold)
        results.append(result)
        kept.append(members & (probabilities >= thresholds[codes]))
    decided = probabilities >= thresholds[codes]
    for number, (result, before) in enumerate(zip(results, kept, strict=True)):
        if result.is_satisfied and result.goal.metric != "coverage" and (before & ~decided).any():
            # A later goal rejects more of the decisions that were tested.
            last = _solved(samples, before & decided, result.goal, n_classes=problem.n_classes, rejects=False)[1]
            results[number] = replace(last, best_bound=result.best_bound, is_last=True)
    mass = np.ones(len(codes)) if weights is None else weights

    def sums(which: _Flags) -> _Floats:
        return np.bincount(codes, np.where(which, mass, 0.0), minlength=problem.n_classes).astype(np.float64)

    everything = np.ones(len(codes), dtype=np.bool_)
    found = Rejection(labels, thresholds, sums(everything), sums(decided), sums(decided & samples.correct), calibration)
    return found, results


def _solved(
    samples: _Samples, members: _Flags, goal: RejectGoal, *, n_classes: int, rejects: bool
) -> tuple[float, GoalResult]:
    """Return the least probability for a goal, and what it achieves; without `rejects` the goal is only checked."""
    needed = None if goal.delta is None else samples_needed(goal.value, goal.delta)
    if not members.any():  # nothing is decided, and nothing is wrong or certified
        is_rate, is_sure = goal.metric != "coverage", goal.delta is not None
        return np.inf if is_rate and is_sure else 0.0, GoalResult(goal, 0.0, 0.0, is_rate and not is_sure, needed)
    cuts = samples.cuts(members)
    allowed = cuts.allowed(goal, n_classes=n_classes)
    places = np.flatnonzero(allowed) if rejects else np.flatnonzero(allowed[-1:]) + len(allowed) - 1
    if goal.metric == "coverage":
        place = int(places[0]) if places.size else len(allowed) - 1
        counted, n_samples = cuts.coverage[place] * cuts.n_samples, cuts.n_samples
    else:
        place = int(places[-1]) if places.size else len(allowed) - 1
        counted, n_samples = cuts.hits[place], cuts.sizes[place]
    result = GoalResult(goal, float(counted), float(n_samples), bool(places.size), needed, cuts.best_bound(goal))
    if not places.size:
        return (0.0 if goal.metric == "coverage" else np.inf), result
    return (0.0 if place == len(allowed) - 1 else cuts.threshold(place)), result
