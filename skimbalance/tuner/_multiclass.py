"""Binary and multiclass fits: an offset for each class."""

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy.typing as npt

from skimbalance._core.array_api import as_array, bring, device, for_search, namespace, to_numpy
from skimbalance._core.decision import decide_scores, log_scores, threshold_of
from skimbalance._core.sklearn import one_blas_thread
from skimbalance._core.typing import Array, ArrayLike, Kind
from skimbalance._core.validation import (
    by_label,
    check_groups,
    check_labels,
    check_lengths,
    check_per_class,
    check_sample_weight,
    check_scores,
    label_values,
    require_several_groups,
)
from skimbalance.estimation import CrossFitResult, FitResult, FitSpec, KeptSamples, StateProblem, estimate
from skimbalance.exceptions import silenced
from skimbalance.goals import ImbalanceState
from skimbalance.metrics.counts import ClassProfile, Counts, Truth
from skimbalance.solvers import Problem
from skimbalance.tuner._cost_rule import CostRule
from skimbalance.tuner.checks import (
    bounds_of,
    check_decisions,
    check_input,
    check_objective,
    deployed_weights,
    notes_on_calibration,
    notes_on_estimate,
    notes_on_state,
    notes_on_support,
    positive_label,
    resolve_metric,
    resolve_solver,
    with_costs,
)
from skimbalance.tuner.rejection import reject_goals, with_rejection

__all__ = ["fit_classes"]


def fit_classes(
    spec: FitSpec,
    scores: ArrayLike,
    y: ArrayLike,
    *,
    classes: ArrayLike | None,
    sample_weight: ArrayLike | None,
    groups: ArrayLike | None = None,
    cost_matrix: ArrayLike | None = None,
) -> FitResult:
    """Fit an offset for each class; see `OffsetTuner.fit`."""
    check_objective(spec)  # a wrong objective fails first, whatever the scores
    given = check_scores(scores, kind=spec.kind)
    check_lengths(scores=given, y=as_array(y, name="y"))
    codes, labels = check_labels(y, classes=classes, n_classes=2 if given.ndim == 1 else given.shape[1])
    given = by_label(given, scores, labels)
    x = for_search(given)
    xp = namespace(x)
    spec, costs = with_costs(spec, cost_matrix, n_samples=len(codes), n_classes=len(labels), like=x)
    spec = replace(spec, pos_label=positive_label(spec.objective, labels, spec.pos_label))
    weights = check_sample_weight(sample_weight, like=x)
    if spec.class_prior is not None:
        prior = check_per_class("class_prior", spec.class_prior, labels)
        weights = bring(deployed_weights(codes, weights, prior), to=x, dtype=xp.float64)
    group_codes = check_groups(groups, n_samples=len(codes))

    metric = resolve_metric(spec.objective, labels, spec.pos_label)
    class_codes = xp.asarray(codes, dtype=xp.int64, device=device(x))
    truth = Truth.from_codes(class_codes, n_classes=len(labels), weights=weights, cost_matrix=costs)
    bounds = bounds_of(spec.constraints, labels, spec.pos_label)
    goals, with_reject = reject_goals(spec, labels)
    problem = Problem(log_scores(x, kind=spec.kind), truth, metric, bounds, group_codes).with_positive_weight()
    require_several_groups(problem.groups)
    metric.check_support(problem.truth.support)

    state = spec.objective if isinstance(spec.objective, ImbalanceState) else None
    notes = notes_on_support(problem, labels, state=state is not None)
    named = classes is not None
    notes += check_input(problem, labels, given=x, kind=spec.kind, ordered=named, pos_label=spec.pos_label)

    def count(offsets: Array, counted: Counts | None = None) -> Counts:
        """Count what `predict` achieves with these offsets; `counted` is what the solver counted on log-scores."""
        if counted is not None and (spec.kind == "logits" or problem.n_classes > 2):
            return counted  # `predict` decides on log-scores as well
        decisions = decide_scores(x, offsets, kind=spec.kind)
        if weights is not None and decisions.shape[0] > problem.scores.shape[0]:
            decisions = decisions[xp.nonzero(weights > 0)[0]]
        return problem.count(decisions)

    fit = _fit_metric if state is None else _fit_state
    result = fit(spec, problem, labels, count=count, like=given)
    if goals:
        result = with_rejection(result, problem, goals, labels=with_reject)
    kept = KeptSamples.of(given, codes, weights, group_codes, costs, n_classes=len(labels))
    positive = label_values(labels)[1] if spec.pos_label is None else spec.pos_label
    notes = notes + result.notes + notes_on_calibration(problem, labels)
    rule = None if costs is None else CostRule.of(problem)
    return replace(result, notes=notes, kept=kept, cost_rule=rule, pos_label=positive if len(labels) == 2 else None)


def _fit_metric(
    spec: FitSpec, problem: Problem, labels: npt.NDArray[Any], *, count: Callable[..., Counts], like: Array
) -> FitResult:
    """Fit offsets for the metric of the problem."""
    metric = problem.metric
    spec, notes = resolve_solver(metric, spec, n_classes=problem.n_classes)
    tries = metric.decomposition == "general"  # the metric may warn of decisions that were only tried
    with one_blas_thread(), silenced() if tries else nullcontext():
        found = estimate(problem, spec)
    values = label_values(labels)
    guarantees = tuple(g if g.label is None else replace(g, label=values[g.label]) for g in found.guarantees)
    found = replace(found, guarantees=guarantees)
    notes += notes_on_estimate(found, problem, spec.constraints, labels)
    before, achieved = count(0 * found.offsets), count(found.offsets, found.counts)
    in_sample = metric.value(achieved)
    if not math.isfinite(in_sample):
        raise ValueError(
            f"objective {metric.name!r} must return a finite number for some decisions; got {in_sample:g} for all that "
            "were tried"
        )
    after = achieved if found.held_out is None else found.held_out
    return FitResult(
        classes=labels,
        in_sample_score=in_sample,
        untuned_score=metric.value(before),
        class_profile=ClassProfile.from_counts(labels, before=before, after=after, held_out=after is found.held_out),
        n_iter=found.n_iter,
        guarantees=guarantees,
        notes=notes + check_decisions(metric, labels, before=before, after=achieved),
        shrinkage_factor=found.shrinkage_factor,
        **_where_scores_are(found, kind=spec.kind, like=like),
    )


def _fit_state(
    spec: FitSpec, problem: Problem, labels: npt.NDArray[Any], *, count: Callable[..., Counts], like: Array
) -> FitResult:
    """Fit offsets for an imbalance state."""
    state: ImbalanceState = spec.objective
    target = state.over(labels, to_numpy(problem.truth.support))
    sought = StateProblem.of(problem, target, class_balanced=state.class_balanced)
    found = sought.estimate(spec)
    none, distance = 0 * found.offsets, sought.distance(found.offsets)
    before, after = count(none), count(found.offsets)
    return FitResult(
        classes=labels,
        in_sample_score=distance,
        untuned_score=sought.distance(none),
        class_profile=ClassProfile.from_counts(labels, before=before, after=after),
        n_iter=found.n_iter,
        notes=notes_on_state(distance, converged=found.achievable, before=before, after=after),
        **_where_scores_are(found, kind=spec.kind, like=like),
    )


def _where_scores_are(found: CrossFitResult, *, kind: Kind, like: Array) -> dict[str, Any]:
    """Return offsets, threshold and intervals in the library, on the device and in the precision of the scores."""
    own = bring(found.offsets, to=like, dtype=like.dtype)
    threshold = threshold_of(own, kind=kind) if own.shape[0] == 2 else None
    moved = {"offsets": own, "threshold": threshold, "score": found.score}
    if found.offsets_error is None:
        return moved
    error = bring(found.offsets_error, to=like, dtype=like.dtype)
    interval = namespace(error).stack([own - error, own + error])
    return {**moved, "score_interval": found.score_interval, "offsets_interval": interval}
