"""What a user asks for, tied to the classes at hand: the metric, the requirements, and what is to be said of them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import namespace, to_numpy
from skimbalance._core.labels import check_label
from skimbalance._core.sklearn import scorer_parts
from skimbalance._core.text import abridged, shown, with_few_samples
from skimbalance._core.typing import Array, Label
from skimbalance.estimation import Estimated, StateEstimate, independent_counts
from skimbalance.exceptions import FewRowsWarning, UnreachableGoalWarning, warn_user
from skimbalance.goals import Constraint, ImbalanceState
from skimbalance.metrics.base import Metric
from skimbalance.metrics.black_box import BlackBox
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import Counts, HardTruth
from skimbalance.metrics.registry import get_metric, nothing_to_tune
from skimbalance.solvers import OPTIMISERS, Problem, Search, reachable

__all__ = [
    "Objective",
    "Plan",
    "check_goals",
    "check_objective",
    "deployed_factors",
    "deployed_weights",
    "notes_on_estimate",
    "notes_on_state",
    "notes_on_support",
    "positive_label",
    "requirements_of",
    "resolve_metric",
    "resolve_solver",
    "takes_weights",
    "weighing",
]

Objective: TypeAlias = str | Metric | ImbalanceState | Callable[..., float] | Sequence[Metric]
"""What `objective` takes: a scorer is a function, too; a sequence is for several labels."""

_TOLD_OF_STATES = ("balanced_accuracy", "f1_macro")


def check_objective(objective: Objective, constraints: Sequence[Constraint]) -> None:
    """Raise where the objective is unknown, or leaves no room for constraints."""
    if not isinstance(objective, ImbalanceState):
        _metric(objective)
    elif constraints:
        raise ValueError(
            "constraints cannot go with an ImbalanceState, which alone fixes every offset and leaves them nothing to "
            f"choose; got {', '.join(map(str, constraints))}. Name a metric as the objective instead"
        )


def check_goals(
    objective: Objective,
    constraints: Sequence[Constraint],
    *,
    labels: npt.NDArray[Any],
    pos_label: Label,
) -> None:
    """Raise where objective or constraints do not fit these classes, all of which have samples."""
    check_objective(objective, constraints)
    if isinstance(objective, ImbalanceState):
        objective.over(labels, np.ones(len(labels)))
    positive = positive_label(objective, labels, pos_label)
    resolve_metric(objective, labels, positive)
    requirements_of(constraints, labels, positive)


def positive_label(objective: Objective, labels: npt.NDArray[Any], pos_label: Label) -> Label:
    """Return the positive class that was named, None where none was: as `pos_label`, or within the objective.

    A scorer or a function may have a `pos_label` of its own, given or by default, which decides what it measures.
    """
    function = _metric(objective) if callable(objective) else None
    own = function.pos_label if isinstance(function, BlackBox) and len(labels) == 2 else None
    if own is None or own not in labels.tolist():
        return pos_label
    if pos_label is not None and pos_label != own:
        raise ValueError(
            f"pos_label={shown(pos_label)} names another class than the objective, whose own pos_label is "
            f"{shown(own)}. Give both the same; a constraint on another class takes label="
        )
    return own


def resolve_metric(
    objective: Objective, labels: npt.NDArray[Any], pos_label: Label, *, argument: str = "objective"
) -> Metric:
    """Return the metric that `objective` asks for over these classes, the positive one filled in.

    Errors speak of `argument`. For a state, which asks for none, it is the first of those that notes tell.
    """
    asked = _TOLD_OF_STATES[0] if isinstance(objective, ImbalanceState) else objective
    metric = _metric(asked, argument=argument).over(tuple(labels))
    metric.check(len(labels))
    positive = 1 if pos_label is None else check_label("pos_label", pos_label, labels)
    if metric.is_binary and metric.label is None and len(labels) != 2:
        raise ValueError(
            f"{argument} {metric.name!r} is about two classes; y holds {len(labels)}. Name an average over classes, "
            "such as 'f1_macro', 'balanced_accuracy' or 'geometric_mean'"
        )
    return metric.bind(positive)


def _metric(
    objective: str | Metric | Callable[..., float] | Sequence[Metric], *, argument: str = "objective"
) -> Metric:
    """Return the metric that an objective names, is, or is the value of, where it is a scorer or a function."""
    scorer = scorer_parts(objective)
    if scorer is not None:
        if not scorer.of_labels:
            raise ValueError(nothing_to_tune(objective, argument=argument))
        return BlackBox(partial(scorer.function, **scorer.options), sign=scorer.sign)
    if callable(objective) and not isinstance(objective, Metric):
        return BlackBox(objective)
    return get_metric(cast(str | Metric, objective), argument=argument)


def takes_weights(objective: Any) -> bool:
    """Tell whether an objective is known for samples of any weight; a function of labels may take no
    `sample_weight`.
    """
    is_own = scorer_parts(objective) is not None or (callable(objective) and not isinstance(objective, Metric))
    metric = _metric(objective) if is_own else objective
    return not isinstance(metric, BlackBox) or metric.takes_weights


class Plan(NamedTuple):
    """How offsets are estimated and searched for in the end, and what is to be said of that."""

    estimate: str
    solver: str | Search
    notes: list[str]


def resolve_solver(metric: Metric, *, n_classes: int, estimate: str, solver: str | Search) -> Plan:
    """Return what `estimate` and `solver` come to for this metric."""
    if solver in OPTIMISERS:
        solver = Search(str(solver))
    if metric.decomposition != "general":
        return Plan(estimate, solver, [])
    if solver == "coordinate_ascent":
        raise ValueError(
            "solver='coordinate_ascent' needs a metric of skimbalance.metrics; nothing but values is known of "
            f"{metric.name!r}. Take 'auto', 'differential_evolution', 'direct' or 'powell'"
        )
    notes = []
    if solver == "auto":
        solver = Search()
        how = "among cuts" if n_classes == 2 else f"by {solver.method}"
        notes.append(f"Nothing but values is known of {metric.name}: the greatest was searched for {how}.")
    if isinstance(solver, Search) and estimate != "empirical" and not metric.takes_weights:
        estimate = "empirical"
        notes.append(f"{metric.name} takes no sample_weight: labels could not be softened, and were taken as they are.")
    return Plan(estimate, solver, notes)


def requirements_of(
    constraints: Sequence[Constraint], labels: npt.NDArray[Any], pos_label: Label
) -> tuple[BoundConstraint, ...]:
    """Return the constraints as a solver sees them."""
    for constraint in constraints:
        if not isinstance(constraint, Constraint):
            raise TypeError(
                "constraints must hold AtLeast, AtMost or Near of skimbalance.goals, such as AtLeast('recall', 0.9); "
                f"got {constraint!r}"
            )
    return tuple(BoundConstraint(_constrained_metric(c, labels, pos_label), *c.bounds()) for c in constraints)


def _constrained_metric(constraint: Constraint, labels: npt.NDArray[Any], pos_label: Label) -> Metric:
    metric = get_metric(constraint.metric, argument="metric")
    if constraint.label is None:
        if metric.is_binary and metric.label is None and len(labels) != 2:
            raise ValueError(
                f"a constraint on {metric.name!r} is about one class; y holds {len(labels)}: name it by label=, one "
                f"of {abridged(labels)}, as in {_with_label(constraint, labels[0])}"
            )
        return resolve_metric(constraint.metric, labels, pos_label)
    if not metric.is_binary:
        raise ValueError(
            f"label={shown(constraint.label)} needs a metric of one class, such as 'recall' or 'precision'; "
            f"{metric.name!r} is about all classes"
        )
    return metric.bind(check_label("label", constraint.label, labels))


def _with_label(constraint: Constraint, label: Label) -> str:
    """Return how a user would write a constraint with a label."""
    metric = constraint.metric if isinstance(constraint.metric, str) else constraint.metric.name
    return f"{type(constraint).__name__}({metric!r}, {constraint.value:g}, label={shown(label)})"


def notes_on_estimate(estimated: Estimated, problem: Problem, constraints: Sequence[Constraint]) -> list[str]:
    """Return what is to be said of offsets and constraints, and warn of constraints that cannot be met."""
    notes = []
    if estimated.shrinkage_factor < 1:
        left = " Their loss there is less than one standard error." if estimated.shrinkage_factor > 0 else ""
        scaled = f"they were scaled by {estimated.shrinkage_factor:.2f}."
        notes.append(f"Offsets were worse than none on held-out rows: {scaled}{left}")
    if not (estimated.reached and estimated.achievable_with_confidence):
        notes.append(_out_of_reach(estimated, problem, constraints))
        warn_user(notes[-1], UnreachableGoalWarning)
    if estimated.held_out is not None:
        for constraint, required in zip(constraints, problem.requirements, strict=True):
            value = required.metric.value(estimated.held_out)
            notes.append(f"Asked for {constraint}: {value:.4g} on held-out rows.")
    return notes


def _out_of_reach(estimated: Estimated, problem: Problem, constraints: Sequence[Constraint]) -> str:
    """Return which constraints are missed, and why: what each takes on these samples, and what offsets reach there."""
    counts = estimated.solution.counts
    spans = [reachable(problem, required.metric, known=counts) for required in problem.requirements]
    told = "; ".join(map(_asked, constraints, problem.requirements, estimated.needed, spans))
    which = "the constraint" if len(spans) == 1 else "all constraints together"
    if estimated.reached:
        return (
            f"No offsets meet {which} on new rows with the confidence asked for, though some do on these rows: {told}. "
            "Those that miss by the least were taken. Use more samples or a lower confidence."
        )
    within = all(
        low <= asked.high and asked.low <= high for asked, (low, high) in zip(problem.requirements, spans, strict=True)
    )
    why = ""
    if within:
        why = "; there is no value between these bounds" if len(spans) == 1 else "; the bounds exclude each other"
    return f"No offsets meet {which} on these rows: {told}{why}. Those that miss by the least were taken."


def _asked(constraint: Constraint, asked: BoundConstraint, needed: BoundConstraint, span: tuple[float, float]) -> str:
    """Return what a constraint takes on these samples to hold on new ones, and from where to where offsets reach."""
    reach = f"where offsets reach from {span[0]:.4g} to {span[1]:.4g}"
    if asked == needed:
        return f"{constraint}, {reach}"
    bounds = (("at least", asked.low, needed.low), ("at most", asked.high, needed.high))
    takes = " and ".join(f"{word} {bound:.4g}" for word, own, bound in bounds if own != bound)
    beyond = ", beyond any value it can take," if needed.is_impossible else ""
    sure = "" if constraint.confidence is None else f" with confidence {constraint.confidence:g}"
    return f"{constraint}{sure} takes {takes}{beyond} on these rows, {reach}"


def notes_on_state(estimate: StateEstimate, *, before: Counts, after: Counts) -> list[str]:
    """Return what is to be said of a state, which says nothing of decisions."""
    notes = []
    if not estimate.converged:
        notes.append(
            "The scores are so sure of their classes that the state was not reached to 1e-8; the offsets nearest to "
            f"it were taken, which miss by {estimate.distance:.2g}."
        )
    for metric in map(get_metric, _TOLD_OF_STATES):
        reached, without = metric.value(after), metric.value(before)
        notes.append(
            f"The state was asked for, no metric: {metric.name} is {reached:.4g} on these rows, {without:.4g} without "
            "offsets."
        )
    return notes


def notes_on_support(problem: Problem, labels: npt.NDArray[Any], *, state: bool = False) -> list[str]:
    """Return what is to be said of classes without samples, and warn of those with few."""
    codes = to_numpy(cast(HardTruth, problem.truth).codes).astype(np.int64)
    n_samples = independent_counts(codes, problem.groups, n_classes=len(labels))
    if np.count_nonzero(n_samples) < 2:
        one = abridged(labels[n_samples > 0])
        raise ValueError(f"y must hold at least two classes of positive sample_weight; got one class, {one}")
    notes = []
    if n_samples.min() == 0:
        done = (
            "the share asked for was given to them all the same."
            if state
            else "the other classes were tuned among themselves, and these are predicted for as many of the rows as "
            "without offsets."
        )
        notes.append(f"No row of {abridged(labels[n_samples == 0])} to tune on: {done}")
    if few := with_few_samples(labels, n_samples, noun="classes", grouped=problem.groups is not None):
        notes.append(
            f"Few rows to tune on: {few}. So few say little about an offset, or a score that depends on it; tune on "
            "more rows of these classes if there are any."
        )
        warn_user(notes[-1], FewRowsWarning)
    return notes


def deployed_weights(
    codes: npt.NDArray[np.int64], weights: Array | None, prior: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return weights under which each class that has samples has the share that `prior` gives it among these."""
    host = np.ones(len(codes)) if weights is None else to_numpy(weights).astype(np.float64)
    totals = np.bincount(codes, host, minlength=len(prior)).astype(np.float64)
    deployed: npt.NDArray[np.float64] = host * deployed_factors(totals, prior)[codes]
    return deployed


def deployed_factors(masses: npt.NDArray[np.float64], prior: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return by what the samples of classes that weigh `masses` (K,) are to be weighted; their total stays what it
    is.
    """
    if not (prior >= 0).all() or not prior.any():
        raise ValueError(f"class_prior must not be negative, and positive somewhere; got {prior.tolist()}")
    factors = np.divide(prior, masses, out=np.zeros(len(prior)), where=masses > 0)
    scaled: npt.NDArray[np.float64] = factors * (masses.sum() / (factors @ masses))
    return scaled


def weighing(problem: Problem) -> Problem:
    """Return the problem without the samples that weigh nothing."""
    weights = problem.truth.weights
    if weights is None or bool(namespace(weights).all(weights > 0)):
        return problem
    return problem.take(namespace(weights).nonzero(weights > 0)[0])
