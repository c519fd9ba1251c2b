"""From constraints with a confidence to what they need on the samples of a fit.

Bounds on a recall, a false positive rate, a precision or a predicted share have exact tests. Binary problems get limits
of the offsets, within which all of these bounds are certified. Other bounds are tightened until bootstraps of
the fitted offsets satisfy them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, to_numpy
from skimbalance.estimation._bootstrap_bounds import bootstrap_guarantee, shortfalls, slack_of, tightened_by
from skimbalance.estimation._certify import (
    CutTest,
    Guarantee,
    GuaranteeKind,
    PrecisionTest,
    RateTest,
    SortedCuts,
    limits_of,
)
from skimbalance.estimation._draws import Floats
from skimbalance.estimation._guarantees import is_rejected
from skimbalance.estimation.spec import FitSpec
from skimbalance.goals import Constraint
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import HardTruth
from skimbalance.solvers import Fit, Problem, Solution, demanding, fit_present_classes, objective_values_on, solve
from skimbalance.solvers.binary import line_of

__all__ = [
    "ROUNDS",
    "Tightened",
    "cut_tests",
    "following",
    "guarantees_of",
    "required_rates",
    "tighten",
]

ROUNDS = 6
"""Six times a bound is moved by what the decisions that satisfy it may lose on unseen data."""

_ROUNDING = 1e-9

_SHARED = 5.0
"""Multiclass offsets are fitted on the samples of the tests: these have a level so many times smaller. Measured in
`benchmarks/studies/guarantees.py`."""

_Tests = dict[int, tuple[CutTest, ...]]


@dataclass(frozen=True, eq=False)
class Tightened:
    """A problem with what its constraints need on these samples, and what is achievable.

    `achievable` is whether some offsets satisfy the constraints on these samples. `certified` is whether exact tests
    do not rule out those with tests, `tightened` whether the others can be satisfied with their confidence. `required`
    holds what each constraint needs; those with tests are unchanged.
    """

    problem: Problem
    required: tuple[BoundConstraint, ...]
    achievable: bool = True
    certified: bool = True
    tightened: bool = True

    @property
    def with_confidence(self) -> bool:
        """Whether all constraints can be satisfied with their confidence."""
        return self.achievable and self.certified and self.tightened


def tighten(problem: Problem, spec: FitSpec, fit: Fit) -> Tightened:
    """Return the problem with what each constraint needs on these samples to hold with its confidence.

    `fit` finds the offsets that are bootstrapped.
    """
    if not _is_achievable(problem, spec):
        return Tightened(problem, problem.requirements, achievable=False, tightened=False)
    if not any(spec.confidences):
        return Tightened(problem, problem.requirements)
    tests = cut_tests(problem, spec.constraints)
    certified, within, left = True, problem, list(range(len(problem.requirements)))
    if tests and problem.n_classes == 2:
        limits, certified = _limits(problem, tests)
        left = [j for j in left if j not in tests or _is_share(problem, j)]
        within = replace(problem, limits=limits, requirements=tuple(problem.requirements[j] for j in left))
        given = spec.constraints
        spec = replace(spec, constraints=[replace(given[j], confidence=None) if j in tests else given[j] for j in left])
        if not _is_achievable(within, spec):
            shares = tuple(required for required in within.requirements if required.metric.ignores_truth)
            if not _is_achievable(replace(within, requirements=shares), spec):
                within = problem  # bounds on predicted shares have priority over the limits
            return Tightened(within, problem.requirements, certified=certified, tightened=False)
    if not any(spec.confidences):
        return Tightened(within, problem.requirements, certified=certified)
    within, tightened = _moved(within, spec, fit, {} if within.limits is not None else tests)
    required = list(problem.requirements)
    for j, needed in zip(left, within.requirements, strict=True):
        required[j] = needed
    return Tightened(within, tuple(required), certified=certified, tightened=tightened)


def cut_tests(problem: Problem, constraints: Sequence[Constraint], *, fixed: bool = False) -> _Tests:
    """Return the exact tests of each constraint, by its number, that has a confidence and a known test.

    Each constraint has an equal part of the error probability, and of multiclass problems a smaller one. Where offsets
    are `fixed` before the samples of the tests are seen, each has its own: all tests must reject together.
    """
    known = {
        j: _sides(required, _label_of(problem, required))
        for j, (constraint, required) in enumerate(zip(constraints, problem.requirements, strict=True))
        if constraint.confidence is not None and _has_test(constraint, required, problem.n_classes)
    }
    tests: _Tests = {}
    for j, sides in known.items():
        constraint = constraints[j]
        delta = (1 - cast(float, constraint.confidence)) / len(sides)
        delta /= 1.0 if fixed else len(known) * _shared(problem)
        tests[j] = tuple(
            PrecisionTest(bool(own), rate, delta)
            if wins is None
            else RateTest(own, rate, delta, wins=wins, new_samples=constraint.new_samples)
            for own, rate, wins in sides
        )
    return tests


def required_rates(problem: Problem, spec: FitSpec, tests: _Tests) -> Floats:
    """Return by how much (J, 2) each bound is tightened, if as many samples as without offsets count."""
    offsets = np.zeros(problem.n_classes)
    solution = problem.solved(bring(offsets, to=problem.scores, dtype=problem.scores.dtype), n_iter=0)
    missed = shortfalls(problem, spec, solution, tests=tests)
    needed: Floats = np.where(missed == 0, 0.0, np.maximum(slack_of(problem, solution) + missed, 0.0))
    for j, each in tests.items():
        needed[j] = _needed_by(problem, solution, problem.requirements[j], each)
    return needed


def _shared(problem: Problem) -> float:
    """Return by what levels are divided where offsets are fitted on the samples of the tests."""
    return 1.0 if problem.n_classes == 2 else _SHARED


def _has_test(constraint: Constraint, required: BoundConstraint, n_classes: int) -> bool:
    """Return whether a bound has an exact test: one side alone, and new samples for rates of given classes only."""
    if np.isfinite(required.low) and np.isfinite(required.high):
        return False
    proportion = required.metric.proportion
    if proportion == "precision":
        return bool(np.isfinite(required.low)) and constraint.new_samples is None
    if proportion == "worst_recall":
        return bool(np.isfinite(required.low)) and n_classes == 2
    return proportion is not None


def _label_of(problem: Problem, required: BoundConstraint) -> int:
    """Return the class whose cuts are tested: the second of two, or that of the metric."""
    return 1 if problem.n_classes == 2 else cast(int, required.metric.label)


def _sides(required: BoundConstraint, label: int) -> list[tuple[bool | None, float, bool | None]]:
    """Return for each test of a bound what `own`, `rate` and `wins` of it are; `wins` is None for a precision.

    A lower bound is on the samples of a class that are predicted as it, an upper one on those that are not.
    """
    metric, at_least = required.metric, bool(np.isfinite(required.low))
    rate = required.low if at_least else 1 - required.high
    mine = metric.label == label
    if metric.proportion == "precision":
        return [(mine, rate, None)]
    if metric.proportion == "worst_recall":
        return [(True, rate, True), (False, rate, False)]
    own = {"recall": mine, "false_positive_rate": not mine}.get(str(metric.proportion))  # a share is of all samples
    return [(own, rate, mine if at_least else not mine)]


def _is_share(problem: Problem, number: int) -> bool:
    """Return whether a constraint is on a predicted share, which holds on these samples beside its test."""
    return problem.requirements[number].metric.ignores_truth


def _limits(problem: Problem, tests: _Tests) -> tuple[tuple[float, float], bool]:
    """Return the limits within which all tests certify, and whether there are any.

    Without any, the limits are those where the p-values exceed their levels by the least in sum. Tests of predicted
    shares have priority.
    """
    cuts = SortedCuts.of_problem(problem, 1)
    every = [test for each in tests.values() for test in each]
    permitted = np.logical_and.reduce([test.certified(cuts) for test in every])
    certified = bool(permitted.any())
    if not certified:
        excess = np.sum([np.maximum(test.p_values(cuts) - test.delta, 0.0) for test in every], axis=0)
        shares = [test.certified(cuts) for j, each in tests.items() if _is_share(problem, j) for test in each]
        first = np.logical_and.reduce([np.ones(cuts.n_cuts, dtype=np.bool_), *shares])
        excess = np.where(first, excess, np.inf) if first.any() else excess
        permitted = excess <= excess.min() + _ROUNDING
    is_black_box = problem.metric.decomposition == "general"
    return limits_of(cuts, permitted, None if is_black_box else partial(_merit, problem, cuts)), certified


def _merit(problem: Problem, cuts: SortedCuts) -> Floats:
    """Return the objective value (m + 1,) of each cut."""
    values = to_numpy(objective_values_on(replace(problem, requirements=()), line_of(problem)))
    # The sweep of the first class adds samples from the highest margin of the second on.
    merit: Floats = values[len(cuts.own) - cuts.starts if problem.positive == 1 else cuts.starts]
    return merit


def following(fit: Fit, problem: Problem) -> Fit:
    """Return a fit whose limits move with the quantiles of the samples, those of the minority class, as in `problem`.

    In folds, offsets then vary as the limits of other samples would.
    """
    if problem.limits is None:
        return fit
    limits = np.array(problem.limits)
    label = int(np.argmin(to_numpy(problem.truth.support)))
    margins = _margins_of_class(problem, label)
    shares = np.mean(margins[:, None] < limits, axis=0)

    def fit_following(here: Problem) -> Solution:
        moved = limits + np.quantile(_margins_of_class(here, label), shares) - np.quantile(margins, shares)
        return fit(here if moved[0] >= moved[1] else replace(here, limits=(float(moved[0]), float(moved[1]))))

    return fit_following


def _margins_of_class(problem: Problem, label: int) -> Floats:
    """Return by how much the score of the second class exceeds that of the first, in the samples of one class."""
    own = to_numpy(cast(HardTruth, problem.truth).codes) == label
    margins: Floats = to_numpy(problem.scores[:, 1] - problem.scores[:, 0]).astype(np.float64)[own]
    return margins


def guarantees_of(
    problem: Problem, spec: FitSpec, offsets: npt.NDArray[Any], *, fixed: bool = False
) -> tuple[Guarantee, ...]:
    """Return what can be stated about each constraint with a confidence, for the final offsets (K,)."""
    tests = cut_tests(problem, spec.constraints, fixed=fixed)
    levels = [(1.0 if fixed else _shared(problem)) * sum(test.delta for test in each) for each in tests.values()]
    levels += [1 - sure for j, sure in enumerate(spec.confidences) if sure is not None and j not in tests]
    joint = max(0.0, 1 - (max if fixed else sum)([0.0, *levels]))
    found, cuts_of = [], cache(partial(_cuts_at, problem, offsets=offsets))
    for j, (constraint, required) in enumerate(zip(spec.constraints, problem.requirements, strict=True)):
        if constraint.confidence is None:
            continue
        if j in tests:
            cuts, place = cuts_of(_label_of(problem, required))
            found.append(_tested(problem, cuts, place, constraint, required, tests[j], fixed=fixed))
        else:
            found.append(bootstrap_guarantee(problem, constraint, required, offsets, seed=spec.seed))
    return tuple(replace(each, joint_confidence=joint) for each in found)


def _tested(
    problem: Problem,
    cuts: SortedCuts,
    place: int,
    constraint: Constraint,
    required: BoundConstraint,
    tests: tuple[CutTest, ...],
    *,
    fixed: bool,
) -> Guarantee:
    """Return what the tests of one bound state at one cut; the joint confidence is its own."""
    weakest = max(tests, key=lambda test: test.p_value(cuts, place))
    n, errors, bound = weakest.at(cuts, place)
    needed, best = weakest.needed(cuts)
    is_binary = problem.n_classes == 2
    # A sequence of cuts of one class is no test of offsets that were fitted together.
    each = [
        test.certified(cuts)[place] if is_binary else is_rejected(test.p_value(cuts, place), test.delta)
        for test in tests
    ]
    at_least = np.isfinite(required.low)
    confidence = 1 - sum(test.delta for test in tests) * (1.0 if fixed else _shared(problem))
    return Guarantee(
        constraint=constraint,
        label=required.metric.label,
        kind=_kind(weakest.kind(cuts), is_binary=is_binary, fixed=fixed),
        holds=all(map(bool, each)),
        n=n,
        errors=errors,
        p_value=weakest.p_value(cuts, place),
        bound=bound if at_least else 1 - bound,
        samples_needed=needed,
        best_bound=best if at_least else 1 - best,
        confidence=confidence,
        joint_confidence=confidence,
    )


def _kind(of_cuts: GuaranteeKind, *, is_binary: bool, fixed: bool) -> GuaranteeKind:
    """Return how offsets are proven: those of a path "sequential", other multiclass ones only "approximate"."""
    if of_cuts == "approximate" or not (is_binary or fixed):
        return "approximate"
    return of_cuts if is_binary else "sequential"


def _moved(problem: Problem, spec: FitSpec, fit: Fit, tests: _Tests) -> tuple[Problem, bool]:
    """Tighten each bound by what its test needs or bootstraps may lose; return also whether all can be satisfied."""
    needed, held = np.zeros((len(spec.confidences), 2)), []
    tested = np.array([[j in tests] for j in range(len(needed))])
    steady = np.array([[j in tests and isinstance(tests[j][0], RateTest)] for j in range(len(needed))])
    for _ in range(ROUNDS):
        solution = fit_present_classes(tightened_by(problem, needed), fit)
        asked, holds = _asked(problem, spec, solution, needed, tests)
        if holds:
            held.append(needed)
        # The nearer to one a rate, the less it varies: undamped, this would oscillate. Too low bounds rise at once.
        raised = steady | (~tested & (asked > needed))
        before, needed = needed, np.where(raised, asked, (needed + asked) / 2)
        if np.array_equal(before, needed):
            break
    least = [tightened_by(problem, by) for by in sorted(held, key=np.sum)[:1]]
    if least and not tested.all():
        return least[0], True
    # A fit to soft labels may need more than these samples allow.
    from_given = np.where(tested, needed, _asked(problem, spec, solution, 0 * needed, tests)[0])
    choices = [tightened_by(problem, by) for by in (needed, from_given)]
    for tightened in choices:
        if _is_achievable(tightened, spec):
            return tightened, True
    # Of few samples one more or less is a large step, which may have gone beyond what is needed.
    return (least[0], True) if least else (choices[-1], False)


def _asked(problem: Problem, spec: FitSpec, solution: Solution, needed: Floats, tests: _Tests) -> tuple[Floats, bool]:
    """Return by how much (J, 2) bounds are to be tightened in place of `needed`, and whether the solution suffices."""
    missed = shortfalls(problem, spec, solution, tests=tests)
    step = np.maximum(missed, 1 / problem.scores.shape[0])  # decisions change by whole samples
    more = np.maximum(needed + step, slack_of(problem, solution) + missed)
    asked = np.where(missed > _ROUNDING, more, np.maximum(needed + missed, 0.0))
    by_tests = np.zeros_like(needed)
    for j, each in tests.items():
        asked[j] = by_tests[j] = _needed_by(problem, solution, problem.requirements[j], each)
    holds = tightened_by(problem, by_tests).missed(solution.counts) == 0 and bool((missed <= _ROUNDING).all())
    return asked, holds


def _needed_by(problem: Problem, solution: Solution, required: BoundConstraint, tests: tuple[CutTest, ...]) -> Floats:
    """Return by how much a bound with a test must be raised or lowered on these samples."""
    (test,) = tests  # of multiclass problems
    offsets = to_numpy(solution.offsets).astype(np.float64)
    cuts, place = _cuts_at(problem, _label_of(problem, required), offsets)
    more = test.required(cuts, place) - test.rate
    return np.array([more, 0.0]) if np.isfinite(required.low) else np.array([0.0, more])


def _cuts_at(problem: Problem, label: int, offsets: npt.NDArray[Any]) -> tuple[SortedCuts, int]:
    """Return the cuts of a class, and which of them the offsets (K,) make."""
    cut = float((offsets[1 - label] if problem.n_classes == 2 else 0.0) - offsets[label])
    cuts = SortedCuts.of_problem(problem, label, offsets, at=cut)
    return cuts, cuts.place_of(cut)


def _is_achievable(problem: Problem, spec: FitSpec) -> bool:
    """Return whether some offsets satisfy the constraints on these samples: the search ends at the first."""
    if not problem.requirements:
        return True
    possible = not any(required.is_impossible for required in problem.requirements)
    search = partial(solve, seed=spec.seed, restarts=possible, until_satisfied=True)
    solution = fit_present_classes(demanding(problem, *problem.requirements), search)
    return problem.missed(solution.counts) == 0
