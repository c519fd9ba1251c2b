"""Objective, constraints and input of a fit: checks, and notes on what was found."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision import softmax
from skimbalance._core.sklearn import scorer_parts
from skimbalance._core.typing import Array, ArrayLike, Kind, Label
from skimbalance._core.validation import abridged, check_label, label_values, shown, with_few_samples
from skimbalance.estimation import CrossFitResult, FitSpec, Guarantee, independent_counts
from skimbalance.exceptions import FewRowsWarning, SkimbalanceWarning, UnreachableGoalWarning, warn_user
from skimbalance.goals import Constraint, ImbalanceState
from skimbalance.metrics._cost import check_cost_matrix
from skimbalance.metrics.base import Metric, Proportion
from skimbalance.metrics.black_box import BlackBox
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import Counts, HardTruth
from skimbalance.metrics.registry import get_metric, nothing_to_tune
from skimbalance.solvers import Problem, Search, get_solver, reachable

__all__ = [
    "METRICS_OF_STATES",
    "Objective",
    "bounds_of",
    "check_decisions",
    "check_input",
    "check_label_input",
    "check_objective",
    "check_spec",
    "deployed_factors",
    "deployed_weights",
    "needs_cost_matrix",
    "needs_of",
    "notes_on_calibration",
    "notes_on_estimate",
    "notes_on_state",
    "notes_on_support",
    "positive_label",
    "resolve_metric",
    "resolve_solver",
    "takes_weights",
    "with_costs",
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
    bounds_of([*spec.constraints, *spec.reject_goals], labels, positive)


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


def with_costs(
    spec: FitSpec, cost_matrix: ArrayLike | None, *, n_samples: int, n_classes: int, like: Array
) -> tuple[FitSpec, Array | None]:
    """Return the settings with the mean cost of these samples as the objective, and the costs, None if not given."""
    if cost_matrix is None:
        return spec, None
    if not needs_cost_matrix(spec.objective):
        raise ValueError(
            f"cost_matrix is for the objective Cost(), the mean cost of the samples; got objective={spec.objective!r}"
        )
    costs, metric = check_cost_matrix(cost_matrix, n_samples=n_samples, n_classes=n_classes, like=like)
    return replace(spec, objective=metric), costs


def needs_cost_matrix(objective: Any) -> bool:
    """Return whether the objective is the mean cost of samples that have costs of their own."""
    return isinstance(objective, Metric) and objective.needs_cost_matrix


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
    if metric.needs_cost_matrix and needs.estimates != "ascents":
        raise ValueError(f"solver={needs.name!r} does not take cost_matrix; use 'auto' or 'coordinate_ascent'")
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
        return resolve_metric(metric, labels, pos_label)
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


_NO_ERROR = (
    "The classifier makes no error on these samples, which leaves nothing to tune. Was it trained on them? Offsets "
    "need samples that it was not trained on."
)

_LOOKED_AT = 4096
"""About 4,096 scores are checked."""

_LEAST = 20
"""Fewer than 20 samples are not checked."""

_FREQUENT = 2.0
"""A positive class that is twice as frequent as the other is probably not the intended one."""

_OTHER_PRIOR, _OTHER_CONFIDENCE, _STANDARD_ERRORS = 2.0, 0.1, 5.0
"""See `notes_on_calibration`."""

_ERRORS = 4.0
"""Scores are reported as swapped where a class scores four standard errors lower in its own samples."""


def check_input(
    problem: Problem, labels: npt.NDArray[Any], *, given: Array, kind: Kind, ordered: bool, pos_label: Label
) -> list[str]:
    """Return, and warn of, a positive class, kind or order of columns that is probably not the intended one.

    The order is not checked where the user has named the columns.
    """
    step = 1 + math.prod(given.shape) // _LOOKED_AT
    if problem.scores.shape[0] < _LEAST:
        return []
    notes = [_of_kind(to_numpy(given[::step, ...]), kind)]
    if len(labels) == 2:
        scores = to_numpy(problem.scores[::step, :])
        codes = to_numpy(cast(HardTruth, problem.truth).codes[::step])
        notes += [] if ordered else [_of_order(scores[:, 1] - scores[:, 0], codes, labels)]
        notes += [_of_positive(problem.metric, to_numpy(problem.truth.support), labels, pos_label)]
    notes = [note for note in notes if note]
    for note in notes:
        warn_user(note, SkimbalanceWarning)
    return notes


def _of_kind(scores: npt.NDArray[Any], kind: Kind) -> str:
    """Return a note on probabilities that are passed as logits."""
    if kind != "logits" or scores.min() < 0 or scores.max() > 1:
        return ""
    if scores.ndim == 2 and not np.allclose(scores.sum(axis=1), 1, atol=1e-3):
        return ""
    return (
        "The logits are all between 0 and 1: if they are probabilities, pass kind='proba' to OffsetTuner; a classifier "
        "returns them from predict_proba."
    )


def _of_order(log_odds: npt.NDArray[Any], codes: npt.NDArray[Any], labels: npt.NDArray[Any]) -> str:
    """Return a note on scores of the other class, which are higher in the samples of the first."""
    own, others = log_odds[codes == 1], log_odds[codes == 0]
    if min(len(own), len(others)) < 2:
        return ""
    error = np.sqrt(own.var() / len(own) + others.var() / len(others))
    if own.mean() - others.mean() > -_ERRORS * error:
        return ""
    return (
        f"The scores of {labels[1]} are lower in its own samples than in those of {labels[0]}: columns go by the "
        f"sorted labels, or by `classes`, and one column alone is that of {labels[1]}."
    )


def _of_positive(metric: Metric, support: npt.NDArray[Any], labels: npt.NDArray[Any], pos_label: Label) -> str:
    """Return a note on a metric of the majority class that the user has not named."""
    if not metric.is_binary or pos_label is not None or metric.label != 1 or support[1] < _FREQUENT * support[0]:
        return ""
    return (
        f"{metric.name} is about {labels[1]}, the second label and the majority class: {support[1]:g} of "
        f"{support.sum():g} samples. Pass pos_label={shown(labels[0])} for the minority class, or "
        f"pos_label={shown(labels[1])} if this is meant."
    )


def notes_on_calibration(problem: Problem, labels: npt.NDArray[Any]) -> list[str]:
    """Return a note on mean probabilities that differ from the proportions of the classes, or else on wrong confidence.

    Of a class the mean probability and the proportion differ if one is twice the other, and the difference is five
    standard errors. Confidence is the mean probability of the predicted class. It differs from the accuracy if the
    difference is 0.1 and five standard errors. About 4,096 scores are checked, and no weighted samples.
    """
    step = 1 + math.prod(problem.scores.shape) // _LOOKED_AT
    proba = to_numpy(softmax(problem.scores[::step, :])).astype(np.float64)
    n_samples, n_classes = proba.shape
    if n_samples < _LEAST or problem.truth.weights is not None:
        return []
    codes = to_numpy(cast(HardTruth, problem.truth).codes[::step]).astype(np.int64)
    mean, share = proba.mean(axis=0), np.bincount(codes, minlength=n_classes) / n_samples
    errors = np.sqrt(np.maximum(share * (1 - share), 1 / n_samples) / n_samples)
    ratio = np.maximum(mean, 1e-9) / np.maximum(share, 1e-9)
    differs = (np.maximum(ratio, 1 / ratio) >= _OTHER_PRIOR) & (np.abs(mean - share) >= _STANDARD_ERRORS * errors)
    if differs.any():
        k = int(np.argmax(np.where(differs, np.abs(mean - share) / errors, 0.0)))
        note = (
            f"The scores are for other class priors: the prior of {shown(labels[k])} that they imply is {mean[k]:.2g}, "
            f"and its proportion is {share[k]:.2g}. The classifier was probably trained with class weights, on "
            "resampled data, or on data with other class priors. The offsets correct this."
        )
        return [note]
    correct = float((proba.argmax(axis=1) == codes).mean())
    confidence = float(proba.max(axis=1).mean())
    error = math.sqrt(max(correct * (1 - correct), 1 / n_samples) / n_samples)
    if abs(confidence - correct) < max(_OTHER_CONFIDENCE, _STANDARD_ERRORS * error):
        return []
    note = (
        f"The scores are {'over' if confidence > correct else 'under'}confident: their confidence in the predicted "
        f"class is {confidence:.2g} on average, and {correct:.0%} of the samples are correct. The offsets correct this "
        "for decisions; calibrate the scores before other uses."
    )
    return [note]


def check_label_input(
    scores: npt.NDArray[Any], indicator: npt.NDArray[np.bool_], kind: Kind, *, wrong: npt.NDArray[np.bool_]
) -> list[str]:
    """Return, and warn of, scores and an indicator (n, L) that are probably of another kind, or of classes.

    `wrong` (n, L) are the errors without offsets. Scores without any are probably those of the training samples.
    """
    if len(scores) < _LEAST:
        return []
    step = 1 + scores.size // _LOOKED_AT
    notes = [_of_kind(scores[::step].reshape(-1), kind), _of_classes(scores[::step], indicator, kind)]
    notes = [note for note in notes if note]
    for note in notes:
        warn_user(note, SkimbalanceWarning)
    return notes if wrong.any() else [*notes, _NO_ERROR]


def _of_classes(scores: npt.NDArray[Any], indicator: npt.NDArray[np.bool_], kind: Kind) -> str:
    """Return a note on classes, one for each sample, that are passed as a multilabel indicator."""
    if kind == "logits" or not (np.count_nonzero(indicator, axis=1) == 1).all():
        return ""
    sums = (scores if kind == "proba" else np.exp(scores)).sum(axis=1)
    if not np.allclose(sums, 1, atol=1e-3):
        return ""
    return (
        "Each sample carries one label alone, and its probabilities sum to one. If these are classes, pass "
        "y.argmax(axis=1), so that one of them is predicted."
    )


def check_decisions(metric: Metric, labels: npt.NDArray[Any], *, before: Counts, after: Counts) -> list[str]:
    """Return notes on decisions that suggest unintended samples or an unintended objective."""
    notes = []
    support = to_numpy(before.support)
    if support.sum() >= _LEAST and np.array_equal(to_numpy(before.hits), support):
        notes.append(_NO_ERROR)
    chosen = np.flatnonzero(to_numpy(after.predicted))
    if chosen.size == 1:
        notes.append(
            f"Every sample is predicted as {labels[chosen[0]]}: {metric.name} alone is best so on these samples. If "
            f"that is not meant, weigh both errors, as FBeta or Cost do, or add a constraint."
        )
    return notes


def notes_on_estimate(
    found: CrossFitResult, problem: Problem, constraints: Sequence[Constraint], labels: npt.NDArray[Any]
) -> list[str]:
    """Return notes on offsets and constraints, and warn of constraints that cannot be satisfied."""
    notes = []
    if found.shrinkage_factor < 1:
        left = " Their expected loss is less than one standard error." if found.shrinkage_factor > 0 else ""
        scaled = f"they were scaled by {found.shrinkage_factor:.2f}."
        notes.append(f"The offsets scored below the untuned classifier in cross-fitting: {scaled}{left}")
    if not (found.achievable and found.achievable_with_confidence):
        notes.append(_unsatisfied(found, problem, constraints, labels))
        warn_user(notes[-1], UnreachableGoalWarning)
    if found.held_out is not None:
        for constraint, required in zip(constraints, problem.requirements, strict=True):
            value = required.metric.value(found.held_out)
            notes.append(f"Constraint {constraint}: {value:.4g} on validation folds.")
    return notes


def _unsatisfied(
    found: CrossFitResult, problem: Problem, constraints: Sequence[Constraint], labels: npt.NDArray[Any]
) -> str:
    """Return which constraints are not satisfied, what each needs on these samples, and what is achievable there."""
    counts = found.counts
    spans = [reachable(problem, required.metric, known=counts) for required in problem.requirements]
    texts = list(map(_needs, constraints, problem.requirements, found.required, spans))
    if found.achievable:
        by_test = {id(guarantee.constraint): guarantee for guarantee in found.guarantees}
        for j, (constraint, required) in enumerate(zip(constraints, problem.requirements, strict=True)):
            guarantee = by_test.get(id(constraint))
            if guarantee is not None and not math.isnan(guarantee.errors):
                texts[j] = _needs_of_class(guarantee, required.metric.proportion, label_values(labels))
    each = "; ".join(texts)
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


def needs_of(guarantee: Guarantee, proportion: Proportion | None, *, own: str, others: str, predicted: str) -> str:
    """Return how many samples a constraint needs to be claimed, or the best bound that can be claimed with these.

    `own`, `others` and `predicted` describe the samples of a class, the others, and those that are predicted as it.
    """
    constraint, needed = guarantee.constraint, guarantee.samples_needed
    text, suffices = f"{constraint} with confidence {constraint.confidence:g}", f"{guarantee.best_bound:.3g}"
    if needed is None:
        return f"{text} needs more samples than there can be; these suffice for {suffices}"
    if needed <= guarantee.n:
        return f"{text}, {suffices} at best with these samples"
    whose = {"recall": own, "false_positive_rate": others, "precision": predicted, "predicted_share": ""}
    samples = f"samples {whose.get(str(proportion), 'of each class')}".rstrip()
    return f"{text} needs {needed:,} {samples}, there are {guarantee.n:.4g}; these suffice for {suffices}"


def _needs_of_class(guarantee: Guarantee, proportion: Proportion | None, labels: Sequence[Label]) -> str:
    name, others = shown(guarantee.label), [shown(label) for label in labels if label != guarantee.label]
    rest = f"of {others[0]}" if len(others) == 1 else "of other classes"
    return needs_of(guarantee, proportion, own=f"of {name}", others=rest, predicted=f"predicted as {name}")


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
