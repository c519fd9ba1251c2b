"""One label a sample: an offset for each class."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import as_array, bring, device, namespace, to_numpy, without_copy
from skimbalance._core.columns import by_label
from skimbalance._core.decision import decide_scores, threshold_of
from skimbalance._core.labels import check_labels, check_per_class
from skimbalance._core.scores import log_scores
from skimbalance._core.sklearn import one_blas_thread
from skimbalance._core.text import label_values
from skimbalance._core.typing import Array, ArrayLike, Kind
from skimbalance._core.validation import (
    check_groups,
    check_lengths,
    check_sample_weight,
    check_scores,
    require_several_groups,
)
from skimbalance.estimation import Estimated, Estimation, KeptRows, StateEstimate, StateProblem
from skimbalance.exceptions import silenced
from skimbalance.goals import ImbalanceState
from skimbalance.metrics.counts import Counts, Truth
from skimbalance.metrics.profile import ClassProfile
from skimbalance.solvers import Problem
from skimbalance.tuner._goal import FitResult, FitSpec
from skimbalance.tuner._input_checks import check_decisions, check_input
from skimbalance.tuner.objective import (
    Plan,
    check_objective,
    deployed_weights,
    notes_on_estimate,
    notes_on_state,
    notes_on_support,
    positive_label,
    requirements_of,
    resolve_metric,
    resolve_solver,
    weighing,
)

__all__ = ["fit_classes"]


def fit_classes(
    goal: FitSpec,
    scores: ArrayLike,
    y: ArrayLike,
    *,
    classes: ArrayLike | None,
    sample_weight: ArrayLike | None,
    groups: ArrayLike | None = None,
) -> FitResult:
    """Fit an offset for each class; see `OffsetTuner.fit`."""
    check_objective(goal.objective, goal.constraints)  # a wrong goal fails first, whatever the scores
    given = check_scores(scores, kind=goal.kind)
    check_lengths(scores=given, y=as_array(y, name="y"))
    codes, labels = check_labels(y, classes=classes, n_classes=2 if given.ndim == 1 else given.shape[1])
    given = by_label(given, scores, labels)
    x = without_copy(given)
    goal = replace(goal, pos_label=positive_label(goal.objective, labels, goal.pos_label))
    weights = _deployed(goal, codes, labels, check_sample_weight(sample_weight, like=x), like=x)
    group_codes = check_groups(groups, n_samples=len(codes))
    problem = _problem(goal, x, codes, labels, weights, group_codes)
    state = goal.objective if isinstance(goal.objective, ImbalanceState) else None
    notes = notes_on_support(problem, labels, state=state is not None)
    ordered = classes is not None
    notes += check_input(problem, labels, given=x, kind=goal.kind, ordered=ordered, pos_label=goal.pos_label)
    samples = _Rows(goal.kind, x, weights, problem)
    if state is None:
        fitted = _fit_metric(goal, samples, labels, like=given)
    else:
        fitted = _fit_state(state, goal, samples, labels, like=given)
    kept = KeptRows.of(given, codes, weights, group_codes, n_classes=len(labels))
    positive = label_values(labels)[1] if goal.pos_label is None else goal.pos_label
    return replace(fitted, notes=notes + fitted.notes, kept=kept, pos_label=positive if len(labels) == 2 else None)


def _deployed(
    goal: FitSpec, codes: npt.NDArray[np.int64], labels: npt.NDArray[Any], weights: Array | None, *, like: Array
) -> Array | None:
    """Return the weights under which the classes are as frequent as they will be."""
    if goal.class_prior is None:
        return weights
    prior = check_per_class("class_prior", goal.class_prior, labels)
    return bring(deployed_weights(codes, weights, prior), to=like, dtype=namespace(like).float64)


def _problem(
    goal: FitSpec,
    x: Array,
    codes: npt.NDArray[np.int64],
    labels: npt.NDArray[Any],
    weights: Array | None,
    groups: npt.NDArray[np.int64] | None,
) -> Problem:
    metric = resolve_metric(goal.objective, labels, goal.pos_label)
    xp = namespace(x)
    truth = Truth.from_codes(
        xp.asarray(codes, dtype=xp.int64, device=device(x)), n_classes=len(labels), weights=weights
    )
    requirements = requirements_of(goal.constraints, labels, goal.pos_label)
    problem = weighing(Problem(log_scores(x, kind=goal.kind), truth, metric, requirements, groups))
    require_several_groups(problem.groups)
    metric.check_support(problem.truth.support)
    return problem


@dataclass(frozen=True, eq=False)
class _Rows:
    """Scores as they were given, and the problem of those samples that weigh something."""

    kind: Kind
    scores: Array
    weights: Array | None
    problem: Problem

    def count(self, offsets: Array, known: Counts | None = None) -> Counts:
        """Count what `predict` achieves with these offsets; `known` is what the solver has counted on log-scores."""
        if known is not None and (self.kind == "logits" or self.problem.n_classes > 2):
            return known  # `predict` decides on log-scores as well
        decisions = decide_scores(self.scores, offsets, kind=self.kind)
        if self.weights is not None and decisions.shape[0] > self.problem.scores.shape[0]:
            decisions = decisions[namespace(self.scores).nonzero(self.weights > 0)[0]]
        return self.problem.count(decisions)


def _fit_metric(goal: FitSpec, samples: _Rows, labels: npt.NDArray[Any], *, like: Array) -> FitResult:
    """Fit offsets for the metric of the problem."""
    problem, metric = samples.problem, samples.problem.metric
    chosen = resolve_solver(metric, n_classes=problem.n_classes, estimate=goal.estimate, solver=goal.solver)
    estimated = _estimated(goal, problem, chosen)
    notes = chosen.notes + notes_on_estimate(estimated, problem, goal.constraints)
    found, held_out = estimated.solution, estimated.held_out
    before, achieved = samples.count(0 * found.offsets), samples.count(found.offsets, found.counts)
    in_sample = metric.value(achieved)
    if not math.isfinite(in_sample):
        raise ValueError(
            f"objective {metric.name!r} must return a finite number for some decisions; got {in_sample:g} for all that "
            "were tried"
        )
    after = achieved if held_out is None else held_out
    return FitResult(
        classes=labels,
        in_sample_score=in_sample,
        untuned_score=metric.value(before),
        class_profile=ClassProfile.from_counts(labels, before=before, after=after, held_out=after is held_out),
        n_iter=found.n_iter,
        notes=notes + check_decisions(metric, labels, before=before, after=achieved),
        **_shifts(found.offsets, estimated, kind=goal.kind, like=like),
    )


def _estimated(goal: FitSpec, problem: Problem, chosen: Plan) -> Estimated:
    estimation = Estimation(
        estimate=chosen.estimate,
        n_bootstraps=goal.n_bootstraps,
        confidence_level=goal.confidence_level,
        seed=goal.seed,
        run=goal.run,
        progress=goal.progress,
        solver=chosen.solver,
    )
    tries = problem.metric.decomposition == "general"  # the metric may warn of decisions that were only tried
    with one_blas_thread(), silenced(tries):
        return estimation(problem, [constraint.confidence for constraint in goal.constraints])


def _fit_state(
    state: ImbalanceState, goal: FitSpec, samples: _Rows, labels: npt.NDArray[Any], *, like: Array
) -> FitResult:
    """Fit offsets for an imbalance state."""
    problem = samples.problem
    target = state.over(labels, to_numpy(problem.truth.support))
    wanted = StateProblem.of(problem, target, class_balanced=state.class_balanced)
    estimate = wanted.estimate(level=goal.confidence_level, seed=goal.seed, run=goal.run)
    none = 0 * estimate.offsets
    before, after = samples.count(none), samples.count(estimate.offsets)
    return FitResult(
        classes=labels,
        in_sample_score=estimate.distance,
        untuned_score=wanted.distance(none),
        class_profile=ClassProfile.from_counts(labels, before=before, after=after),
        n_iter=estimate.n_iter,
        notes=notes_on_state(estimate, before=before, after=after),
        **_shifts(estimate.offsets, estimate, kind=goal.kind, like=like),
    )


def _shifts(offsets: Array, estimated: Estimated | StateEstimate, *, kind: Kind, like: Array) -> dict[str, Any]:
    """Return the offsets, where the scores came from, and what is expected of them."""
    own = bring(offsets, to=like, dtype=like.dtype)
    threshold = threshold_of(own, kind=kind) if own.shape[0] == 2 else None
    shifts = {"offsets": own, "threshold": threshold, "score": estimated.score}
    if estimated.offsets_error is None:
        return shifts
    error = bring(estimated.offsets_error, to=like, dtype=like.dtype)
    interval = namespace(error).stack([own - error, own + error])
    return {**shifts, "score_interval": estimated.score_interval, "offsets_interval": interval}
