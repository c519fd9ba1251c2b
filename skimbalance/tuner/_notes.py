"""Notes on a binary or multiclass fit: classes without samples, shrunk offsets, constraints, imbalance states."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.validation import abridged, with_few_samples
from skimbalance.estimation import CrossFitResult, independent_counts
from skimbalance.exceptions import FewRowsWarning, UnreachableGoalWarning, warn_user
from skimbalance.goals import Constraint
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import Counts, HardTruth
from skimbalance.metrics.registry import get_metric
from skimbalance.solvers import Problem, reachable
from skimbalance.tuner.objective import METRICS_OF_STATES

__all__ = ["notes_on_estimate", "notes_on_state", "notes_on_support"]


def notes_on_estimate(found: CrossFitResult, problem: Problem, constraints: Sequence[Constraint]) -> list[str]:
    """Return notes on offsets and constraints, and warn of constraints that cannot be satisfied."""
    notes = []
    if found.shrinkage_factor < 1:
        left = " Their loss there is less than one standard error." if found.shrinkage_factor > 0 else ""
        scaled = f"they were scaled by {found.shrinkage_factor:.2f}."
        notes.append(f"The offsets scored below the untuned classifier in cross-fitting: {scaled}{left}")
    if not (found.achievable and found.achievable_with_confidence):
        notes.append(_unsatisfied(found, problem, constraints))
        warn_user(notes[-1], UnreachableGoalWarning)
    if found.held_out is not None:
        for constraint, required in zip(constraints, problem.requirements, strict=True):
            value = required.metric.value(found.held_out)
            notes.append(f"Constraint {constraint}: {value:.4g} on validation folds.")
    return notes


def _unsatisfied(found: CrossFitResult, problem: Problem, constraints: Sequence[Constraint]) -> str:
    """Return which constraints are not satisfied, what each needs on these samples, and what is achievable there."""
    counts = found.counts
    spans = [reachable(problem, required.metric, known=counts) for required in problem.requirements]
    each = "; ".join(map(_needs, constraints, problem.requirements, found.required, spans))
    which = "the constraint" if len(spans) == 1 else "all constraints together"
    if found.achievable:
        return (
            f"No offsets satisfy {which} on unseen data with the requested confidence, though some do on these "
            f"samples: {each}. Those that miss by the least are used. Use more samples or a lower confidence."
        )
    within = all(
        low <= given.high and given.low <= high for given, (low, high) in zip(problem.requirements, spans, strict=True)
    )
    why = ""
    if within:
        why = "; there is no value between these bounds" if len(spans) == 1 else "; the bounds exclude each other"
    return f"No offsets satisfy {which} on these samples: {each}{why}. Those that miss by the least are used."


def _needs(constraint: Constraint, given: BoundConstraint, needed: BoundConstraint, span: tuple[float, float]) -> str:
    """Return what a constraint needs on these samples to hold on unseen data, and the achievable values."""
    span_text = f"achievable from {span[0]:.4g} to {span[1]:.4g}"
    if given == needed:
        return f"{constraint}, {span_text}"
    bounds = (("at least", given.low, needed.low), ("at most", given.high, needed.high))
    needs = " and ".join(f"{word} {bound:.4g}" for word, own, bound in bounds if own != bound)
    beyond = ", beyond any value it can take," if needed.is_impossible else ""
    sure = "" if constraint.confidence is None else f" with confidence {constraint.confidence:g}"
    return f"{constraint}{sure} needs {needs}{beyond} on these samples, {span_text}"


def notes_on_state(distance: float, *, converged: bool, before: Counts, after: Counts) -> list[str]:
    """Return the notes on an imbalance state, which fixes no metric of the decisions."""
    notes = []
    if not converged:
        notes.append(
            "The state was not reached to 1e-8, since the probabilities are close to zero and one. The nearest offsets "
            f"are used, which miss by {distance:.2g}."
        )
    for metric in map(get_metric, METRICS_OF_STATES):
        with_offsets, without = metric.value(after), metric.value(before)
        notes.append(
            f"The objective is the state, not a metric: {metric.name} is {with_offsets:.4g} on these samples, "
            f"{without:.4g} without offsets."
        )
    return notes


def notes_on_support(problem: Problem, labels: npt.NDArray[Any], *, state: bool = False) -> list[str]:
    """Return notes on classes without samples, and warn of those with few."""
    codes = to_numpy(cast(HardTruth, problem.truth).codes).astype(np.int64)
    n_samples = independent_counts(codes, problem.groups, n_classes=len(labels))
    if np.count_nonzero(n_samples) < 2:
        one = abridged(labels[n_samples > 0])
        raise ValueError(f"y must hold at least two classes of positive sample_weight; got one class, {one}")
    notes = []
    if n_samples.min() == 0:
        done = (
            "they get the requested share all the same."
            if state
            else "the other classes were tuned among themselves, and these are predicted for as many of the samples as "
            "without offsets."
        )
        notes.append(f"No sample of {abridged(labels[n_samples == 0])} to tune on: {done}")
    if few := with_few_samples(labels, n_samples, noun="classes", grouped=problem.groups is not None):
        notes.append(
            f"Few samples to tune on: {few}. Their offsets, and scores that depend on these, are uncertain; tune on "
            "more samples of these classes if there are any."
        )
        warn_user(notes[-1], FewRowsWarning)
    return notes
