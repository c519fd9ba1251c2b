"""Objective and constraints for the given classes: the metric, the bounds, the solver and the weights."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.labels import check_label
from skimbalance._core.sklearn import scorer_parts
from skimbalance._core.text import abridged, shown
from skimbalance._core.typing import Array, Label
from skimbalance.estimation import FitSpec
from skimbalance.goals import Constraint, ImbalanceState
from skimbalance.metrics.base import Metric
from skimbalance.metrics.black_box import BlackBox
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.registry import get_metric, nothing_to_tune
from skimbalance.solvers import Search, get_solver

__all__ = [
    "METRICS_OF_STATES",
    "Objective",
    "bounds_of",
    "check_objective",
    "check_spec",
    "deployed_factors",
    "deployed_weights",
    "positive_label",
    "resolve_metric",
    "resolve_solver",
    "takes_weights",
]

Objective: TypeAlias = str | Metric | ImbalanceState | Callable[..., float] | Sequence[Metric]
"""The types of `objective`; a scorer is a function, and a sequence is for multilabel targets."""

METRICS_OF_STATES = ("balanced_accuracy", "f1_macro")


def check_objective(spec: FitSpec) -> None:
    """Raise where the objective is unknown, or leaves no room for constraints."""
    if not isinstance(spec.objective, ImbalanceState):
        _metric(spec.objective)
    elif spec.constraints:
        raise ValueError(
            "constraints cannot go with an ImbalanceState, which alone fixes every offset and leaves them nothing to "
            f"choose; got {', '.join(map(str, spec.constraints))}. Name a metric as the objective instead"
        )


def check_spec(spec: FitSpec, labels: npt.NDArray[Any]) -> None:
    """Raise where objective or constraints do not fit these classes, all of which have samples."""
    check_objective(spec)
    if isinstance(spec.objective, ImbalanceState):
        spec.objective.over(labels, np.ones(len(labels)))
    positive = positive_label(spec.objective, labels, spec.pos_label)
    resolve_metric(spec.objective, labels, positive)
    bounds_of(spec.constraints, labels, positive)


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
    """Return the metric of `objective` over these classes, with the positive class.

    `argument` is the name in error messages. A state has no metric of its own: it gets the first of its notes.
    """
    named = METRICS_OF_STATES[0] if isinstance(objective, ImbalanceState) else objective
    metric = _metric(named, argument=argument).over(tuple(labels))
    metric.check(len(labels))
    positive = 1 if pos_label is None else check_label("pos_label", pos_label, labels)
    if metric.is_binary and metric.label is None and len(labels) != 2:
        raise ValueError(
            f"{argument} {metric.name!r} is binary; y holds {len(labels)}. Name an average over classes, "
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
    """Return whether an objective takes sample weights; a function of labels may take none."""
    is_own = scorer_parts(objective) is not None or (callable(objective) and not isinstance(objective, Metric))
    metric = _metric(objective) if is_own else objective
    return not isinstance(metric, BlackBox) or metric.takes_weights


def resolve_solver(metric: Metric, spec: FitSpec, *, n_classes: int) -> tuple[FitSpec, list[str]]:
    """Return the settings with the solver and the estimate that are used for this metric, and notes on them."""
    solver, notes = spec.solver, []
    if solver == "auto" and metric.decomposition != "general":
        solver = "coordinate_ascent"
    elif solver == "auto":
        solver = Search()
        how = "among cuts" if n_classes == 2 else f"by {solver.method}"
        notes.append(f"{metric.name} is a black-box metric: its maximum was searched for {how}.")
    needs = get_solver(solver)
    if metric.decomposition not in needs.decompositions:
        raise ValueError(
            f"solver={needs.name!r} needs a metric of skimbalance.metrics; {metric.name!r} is a black-box metric. Take "
            "'auto', 'differential_evolution', 'direct' or 'powell'"
        )
    estimate = spec.estimate
    if needs.estimates != "none" and estimate != "empirical" and not metric.takes_weights:
        estimate = "empirical"
        notes.append(f"{metric.name} takes no sample_weight: labels could not be softened, and were taken as they are.")
    return replace(spec, solver=solver, estimate=estimate), notes


def bounds_of(
    constraints: Sequence[Constraint], labels: npt.NDArray[Any], pos_label: Label
) -> tuple[BoundConstraint, ...]:
    """Return the constraints as bounds on metrics, which solvers use."""
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


def deployed_weights(
    codes: npt.NDArray[np.int64], weights: Array | None, prior: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return weights under which the classes that have samples are distributed as in `prior`."""
    host = np.ones(len(codes)) if weights is None else to_numpy(weights).astype(np.float64)
    totals = np.bincount(codes, host, minlength=len(prior)).astype(np.float64)
    deployed: npt.NDArray[np.float64] = host * deployed_factors(totals, prior)[codes]
    return deployed


def deployed_factors(masses: npt.NDArray[np.float64], prior: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the factors (K,) for the weights of classes that weigh `masses` in all; the total does not change."""
    if not (prior >= 0).all() or not prior.any():
        raise ValueError(f"class_prior must not be negative, and positive somewhere; got {prior.tolist()}")
    factors = np.divide(prior, masses, out=np.zeros(len(prior)), where=masses > 0)
    scaled: npt.NDArray[np.float64] = factors * (masses.sum() / (factors @ masses))
    return scaled
