"""Rejected decisions: constraints on the decided samples, the reject label, and notes on what is rejected."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.decision import decide
from skimbalance._core.typing import Label
from skimbalance._core.validation import abridged, is_missing, label_values, shown
from skimbalance.estimation import FitResult, FitSpec, GoalResult, Guarantee, RejectGoal, fit_rejection
from skimbalance.exceptions import UnreachableGoalWarning, warn_user
from skimbalance.goals import AtLeast, Constraint
from skimbalance.metrics.registry import get_metric
from skimbalance.solvers import Problem
from skimbalance.tuner.checks import bounds_of

__all__ = ["reject_goals", "split_constraints", "with_rejection"]

_OF_DECIDED = ("precision", "accuracy", "coverage")
"""Metrics of decided samples, on which constraints are satisfied by rejection."""


def split_constraints(constraints: Sequence[Constraint], reject_label: Label) -> dict[str, Any]:
    """Return the settings of a fit: the constraints for offsets, and with a reject label those on decided samples."""
    names = [_name(constraint) for constraint in constraints]
    if reject_label is None:
        if "coverage" in names:
            raise ValueError(
                "a constraint on 'coverage', the proportion of decided samples, needs reject_label=, the label of the "
                "others; got None"
            )
        return {"constraints": constraints}
    goals = tuple(each for each, name in zip(constraints, names, strict=True) if name in _OF_DECIDED)
    if not goals:
        raise ValueError(
            f"reject_label={shown(reject_label)} needs a constraint on {', '.join(map(repr, _OF_DECIDED))}, such as "
            f"AtLeast('coverage', 0.8), which determines what is rejected; got {', '.join(names) or 'none'}"
        )
    others = tuple(each for each, name in zip(constraints, names, strict=True) if name not in _OF_DECIDED)
    return {"constraints": others, "reject_label": reject_label, "reject_goals": goals}


def _name(constraint: Any) -> str:
    """Return the name of the metric; constraints of another type are reported where they are resolved."""
    if not isinstance(constraint, Constraint):
        return type(constraint).__name__
    return get_metric(constraint.metric, argument="metric").name


def reject_goals(spec: FitSpec, labels: npt.NDArray[Any]) -> tuple[list[RejectGoal], npt.NDArray[Any]]:
    """Return the goals on decided samples, and the labels (K + 1,) with the reject label; none without goals."""
    if not spec.reject_goals:
        return [], labels
    n_sure = sum(constraint.confidence is not None for constraint in spec.reject_goals)
    goals = []
    bounds = bounds_of(spec.reject_goals, labels, spec.pos_label)
    for constraint, bound in zip(spec.reject_goals, bounds, strict=True):
        if not isinstance(constraint, AtLeast) or not 0 < constraint.value <= 1:
            raise ValueError(
                f"with a reject_label the constraint on {bound.metric.name!r} must be AtLeast with a value above 0 and "
                f"up to 1; got {constraint}"
            )
        if constraint.new_samples is not None:
            raise ValueError(
                f"with a reject_label the constraint on {bound.metric.name!r} is about the population; got "
                f"new_samples={shown(constraint.new_samples)}"
            )
        delta = None if constraint.confidence is None else (1 - constraint.confidence) / n_sure
        goals.append(RejectGoal(constraint, bound.metric.name, constraint.value, bound.metric.label, delta))
    return goals, _with_reject_label(spec.reject_label, labels)


def _with_reject_label(reject_label: Label, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the labels of the classes and the reject label, all of one type."""
    values = label_values(labels)
    is_text = isinstance(reject_label, str)
    alike = np.ndim(reject_label) == 0 and not is_missing(reject_label) and labels.dtype.kind != "b"
    if not alike or any(isinstance(value, str) != is_text for value in values):
        raise ValueError(
            f"reject_label must be a label like those of the classes {abridged(labels)}, all strings or all numbers; "
            f"got {shown(reject_label)}"
        )
    if reject_label in values:
        raise ValueError(f"reject_label={shown(reject_label)} is a class; choose a label other than {abridged(labels)}")
    return np.concatenate([labels, np.asarray([reject_label])])


def with_rejection(
    result: FitResult, problem: Problem, goals: list[RejectGoal], *, labels: npt.NDArray[Any]
) -> FitResult:
    """Return the result with rejected decisions, and notes on what the others achieve."""
    decisions = decide(problem.scores, result.offsets)
    rejection, found = fit_rejection(problem, decisions, goals, labels=labels)
    notes = [f"Decided are {rejection.coverage:.1%} of the samples, {rejection.accuracy:.1%} of these are correct."]
    for each in found:
        if each.is_satisfied:
            notes.append(f"Constraint {each.goal.constraint}: {_achieved(each)}.")
            continue
        notes.append(_unsatisfied(each))
        warn_user(notes[-1], UnreachableGoalWarning)
    guarantees = _guarantees(found, problem, labels)
    return replace(
        result,
        rejection=rejection,
        coverage=rejection.coverage,
        guarantees=(*result.guarantees, *guarantees),
        notes=result.notes + notes,
    )


def _guarantees(found: list[GoalResult], problem: Problem, labels: npt.NDArray[Any]) -> list[Guarantee]:
    """Return what can be stated about each goal with a confidence.

    In a binary problem the labels have no influence on the order of the tests of a precision. All else depends on
    offsets or a calibration that were fitted on the same samples.
    """
    values, joint = label_values(labels), 1 - sum(each.goal.delta or 0.0 for each in found)
    proven = problem.n_classes == 2 and problem.truth.weights is None and problem.groups is None
    return [
        each.guarantee(
            label=None if each.goal.label is None else values[each.goal.label],
            kind="sequential" if proven and each.goal.metric == "precision" else "approximate",
            joint_confidence=joint,
        )
        for each in found
        if each.goal.delta is not None
    ]


def _achieved(found: GoalResult) -> str:
    """Return what decided samples achieve."""
    if found.n_samples == 0:
        return "no sample is decided so"
    verb = "decided" if found.goal.metric == "coverage" else "correct"
    kind = "" if found.goal.metric == "coverage" else "decided "
    rate = found.counted / found.n_samples
    return f"{found.counted:,.6g} of {found.n_samples:,.6g} {kind}samples are {verb}, {rate:.4g}"


def _unsatisfied(found: GoalResult) -> str:
    """Return which constraint no rejection satisfies."""
    goal = found.goal
    sure = "" if goal.constraint.confidence is None else f" with confidence {goal.constraint.confidence:g}"
    if goal.metric == "coverage" or found.is_last:
        return f"The constraint {goal.constraint}{sure} is not satisfied beside the others: {_achieved(found)}."
    needs = "" if found.samples_needed is None else f" It needs at least {found.samples_needed} without an error."
    which = "All decisions" if goal.label is None else "All decisions for its class"
    return (
        f"No rejection satisfies the constraint {goal.constraint}{sure}: without rejection {_achieved(found)}.{needs} "
        f"{which} are rejected."
    )
