"""From scores of labels and an indicator to an offset for each label, and its expected score on unseen data."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, to_numpy
from skimbalance._core.decision_rule import check_label_columns, decide_labels, label_log_odds, label_threshold
from skimbalance._core.sklearn import one_blas_thread
from skimbalance._core.typing import ArrayLike, Label
from skimbalance._core.validation import (
    abridged,
    by_label,
    check_groups,
    check_lengths,
    check_sample_weight,
    label_values,
    require_several_groups,
    shown,
    with_few_samples,
)
from skimbalance.estimation import (
    CrossFitResult,
    FitResult,
    FitSpec,
    Guarantee,
    Tightened,
    claimed_near,
    guarantees_of,
    tighten_for,
)
from skimbalance.exceptions import FewRowsWarning, UnreachableGoalWarning, warn_user
from skimbalance.tuner.checks import check_label_input, needs_of
from skimbalance.tuner.labels._estimate import estimate_labels, score_of
from skimbalance.tuner.labels._problem import MultilabelProblem
from skimbalance.tuner.labels._truth import Codes, Floats, Indicator, LabelCounts, LabelTruth, check_indicator
from skimbalance.tuner.labels.objective import (
    LabelConstraints,
    check_label_spec,
    get_multilabel_metric,
    label_constraints_of,
    label_names,
)

__all__ = ["fit_labels", "fit_multilabel"]

_MOST_NOTES = 20
"""At most 20 notes on constraints of labels."""


def fit_labels(
    spec: FitSpec,
    scores: ArrayLike,
    y: ArrayLike,
    *,
    classes: ArrayLike | None,
    sample_weight: ArrayLike | None,
    groups: ArrayLike | None = None,
    known: Indicator | None = None,
) -> FitResult:
    """Fit an offset for each label; see `OffsetTuner.fit`, and `fit_multilabel` for `known`."""
    indicator = check_indicator(y)
    names = label_names(y, n_labels=indicator.shape[1], classes=classes)
    indicator = by_label(indicator, y, names, name="y")
    check_label_spec(spec, names)
    spec = replace(spec, solver="coordinate_ascent")
    given = check_label_columns(scores, kind=spec.kind, labels=names)
    check_lengths(scores=given, y=indicator)
    host = to_numpy(given)
    log_odds = label_log_odds(host, kind=spec.kind)
    with one_blas_thread():
        result = fit_multilabel(
            log_odds,
            indicator,
            spec,
            names=names,
            weights=check_sample_weight(sample_weight, like=host),
            groups=check_groups(groups, n_samples=len(indicator)),
            known=known,
            dtype=host.dtype,
        )
    whole = slice(None) if known is None else known.all(axis=1)
    wrong = decide_labels(log_odds, 0.0) != indicator
    notes = check_label_input(host[whole], indicator[whole], spec.kind, wrong=wrong[whole])
    thresholds = np.array([label_threshold(offset, kind=spec.kind, dtype=host.dtype) for offset in result.offsets])
    interval = result.offsets_interval
    return replace(
        result,
        offsets=bring(result.offsets, to=given, dtype=given.dtype),
        threshold=bring(thresholds, to=given),
        offsets_interval=None if interval is None else bring(interval, to=given, dtype=given.dtype),
        notes=result.notes + notes,
    )


def fit_multilabel(
    log_odds: Floats,
    indicator: Indicator,
    spec: FitSpec,
    *,
    names: npt.NDArray[Any],
    weights: Floats | None = None,
    groups: Codes | None = None,
    known: Indicator | None = None,
    dtype: npt.DTypeLike = np.float64,
) -> FitResult:
    """Fit an offset for each label on the host, so that `log_odds + offsets >= 0` (n, L) is best by the objective.

    `known` (n, L) is False where a score carries no evidence, since its model saw only one value of the label in
    training. No fit or estimate uses such cells. Offsets are rounded to `dtype` before decisions are counted.
    """
    constraints = label_constraints_of(spec.constraints, names)
    required = tuple(tuple(requirement for _, requirement in each) for each in constraints)
    metric = get_multilabel_metric(spec.objective, n_labels=len(names))
    given = MultilabelProblem(log_odds, LabelTruth(indicator, weights, known), metric, required, groups)
    if weights is not None and not (weights > 0).all():
        given = given.take(np.flatnonzero(weights > 0))
    given = _with_evidence(given)
    require_several_groups(given.groups)
    problem = given.in_order()
    notes = _notes_on_unknown(problem, names) + _notes_on_support(problem, names)
    tightened, of_label = _tighten(problem, spec, constraints)
    missed = {j: each.achievable for j, each in of_label.items() if not each.with_confidence}
    found = _estimate_in_order(tightened, spec, exactly=frozenset(missed))
    offsets = tightened.within_limits(np.asarray(found.offsets))
    offsets = _claimed(problem, spec, constraints, of_label, offsets).astype(dtype).astype(np.float64)
    found = replace(found, offsets=offsets)
    guarantees = _guarantees(problem, spec, constraints, offsets, names)
    unclaimed = {each.label for each in guarantees if not each.holds}
    missed |= {j: True for j in of_label if j not in missed and label_values(names)[j] in unclaimed}
    notes += _notes_on(problem, replace(found, guarantees=guarantees), constraints, missed, names)
    score, interval = None, None
    if found.decisions is not None:
        score, interval = score_of(problem, found.decisions, level=spec.confidence_level, seed=spec.seed)
    errors = None if spec.confidence_level is None else found.offsets_error
    profile = problem.truth.profile(
        names,
        before=problem.decide(0 * offsets),
        after=problem.decide(offsets) if found.decisions is None else found.decisions,
        held_out=found.decisions is not None,
    )
    return FitResult(
        classes=names,
        offsets=offsets,
        in_sample_score=given.value(given.decide(offsets)),
        untuned_score=given.value(given.decide(0 * offsets)),
        class_profile=profile,
        n_iter=found.n_iter,
        guarantees=guarantees,
        notes=notes,
        score=score,
        score_interval=interval,
        offsets_interval=None if errors is None else np.stack([offsets - errors, offsets + errors]),
        multilabel=True,
        shrinkage_factor=found.shrinkage_factor,
    )


def _estimate_in_order(problem: MultilabelProblem, spec: FitSpec, *, exactly: frozenset[int]) -> CrossFitResult:
    """Fit the labels in an order that depends on what they are."""
    order = problem.label_order
    if (np.diff(order) > 0).all():
        return estimate_labels(problem, spec, exactly=exactly)
    places = np.argsort(order)
    found = estimate_labels(problem.of_labels(order), spec, exactly=frozenset(int(places[j]) for j in exactly))
    each = {name: getattr(found, name) for name in ("offsets", "shrinkage_factor", "decisions", "offsets_error")}
    moved: dict[str, Any] = {name: None if array is None else array[..., places] for name, array in each.items()}
    return replace(found, **moved)


def _tighten(
    problem: MultilabelProblem, spec: FitSpec, constraints: Sequence[LabelConstraints]
) -> tuple[MultilabelProblem, dict[int, Tightened]]:
    """Tighten bounds until they hold on unseen data with their confidence; return also those of each label."""
    bound = [j for j in problem.tunable if constraints[j]]
    specs = [replace(spec.within_step(), constraints=[constraint for constraint, _ in constraints[j]]) for j in bound]
    jobs = (partial(tighten_for, own, problem.label(j)) for j, own in zip(bound, specs, strict=True))
    each = spec.run_steps(jobs, name="constrained label", total=len(bound))
    required, limits = list(problem.requirements), list(problem.limits or [None] * problem.n_labels)
    for j, tightened in zip(bound, each, strict=True):
        required[j], limits[j] = tightened.problem.requirements, tightened.problem.limits
    return replace(problem, requirements=tuple(required), limits=tuple(limits)), dict(zip(bound, each, strict=True))


def _claimed(
    problem: MultilabelProblem,
    spec: FitSpec,
    constraints: Sequence[LabelConstraints],
    tightened: dict[int, Tightened],
    offsets: Floats,
) -> Floats:
    """Return the offsets (L,), moved where constraints with a confidence hold nearby but not at the offset itself."""

    def of_label(j: int) -> float:
        own, label = replace(spec.within_step(), constraints=[each for each, _ in constraints[j]]), problem.label(j)
        here = label.solved(np.array([-offsets[j] / 2, offsets[j] / 2]), n_iter=0)
        there, _ = claimed_near(here, tightened[j], label, own)
        return float(offsets[j] if there is here else there.offsets[1] - there.offsets[0])

    sure = [j for j in tightened if any(constraint.confidence for constraint, _ in constraints[j])]
    moved = offsets.copy()
    moved[sure] = list(spec.run(partial(of_label, j) for j in sure))
    return moved


def _guarantees(
    problem: MultilabelProblem,
    spec: FitSpec,
    constraints: Sequence[LabelConstraints],
    offsets: Floats,
    names: npt.NDArray[Any],
) -> tuple[Guarantee, ...]:
    """Return what can be stated about the constraints of each label with a confidence."""
    labels = label_values(names)

    def of_label(j: int) -> list[Guarantee]:
        own = replace(spec, constraints=[constraint for constraint, _ in constraints[j]])
        pair = np.array([-offsets[j] / 2, offsets[j] / 2])
        return [replace(each, label=labels[j]) for each in guarantees_of(problem.label(j), own, pair)]

    sure = [j for j in problem.tunable if any(constraint.confidence for constraint, _ in constraints[j])]
    return tuple(chain.from_iterable(spec.run(partial(of_label, j) for j in sure)))


def _with_evidence(problem: MultilabelProblem) -> MultilabelProblem:
    """Return the problem without labels that have one value alone where they are known, and without samples left bare.

    A label of which no sample is known keeps its samples if it has one value alone in all of them: nothing is lost.
    """
    indicator, known = problem.truth.indicator, problem.truth.known
    if known is None:
        return problem
    constant = indicator.all(axis=0) | ~indicator.any(axis=0)
    none_known = problem.n_positive + problem.n_negative == 0
    known = known | (constant & none_known)
    known = known & (constant | ((problem.n_positive > 0) & (problem.n_negative > 0)))
    if not known.any():
        raise ValueError(
            "there is no label to tune: models trained on one value of a label scored all its positive or all its "
            "negative samples. Use fewer folds, or folds that spread the samples of each label"
        )
    problem = replace(problem, truth=replace(problem.truth, known=None if known.all() else known))
    return problem if known.any(axis=1).all() else problem.take(np.flatnonzero(known.any(axis=1)))


def _notes_on_unknown(problem: MultilabelProblem, names: npt.NDArray[Any]) -> list[str]:
    """Return notes on labels that lack scores to tune on, in some samples or in all."""
    known = problem.truth.known
    if known is None:
        return []
    n_unknown = np.count_nonzero(~known, axis=0)
    lost, partly = n_unknown == len(known), (n_unknown > 0) & (n_unknown < len(known))
    notes = []
    if lost.any():
        notes.append(
            f"The labels {abridged(names[lost])} are not tuned, their offsets stay zero, and scores leave them out. No "
            "sample with the label, or no sample without it, was scored by a model that had seen both."
        )
    if partly.any():
        each = [f"{shown(names[j])} in {n_unknown[j]:,} samples" for j in np.flatnonzero(partly)]
        listed = _first_of(each, more="more labels")
        notes.append(f"Scores were left out whose model had seen one value alone of the label: {listed}.")
    return notes


def _first_of(texts: list[str], *, more: str) -> str:
    """Return the first five of the texts, and how many more there are."""
    return ", ".join(texts[:5]) + (f" and {len(texts) - 5} {more}" if len(texts) > 5 else "")


def _notes_on_support(problem: MultilabelProblem, names: npt.NDArray[Any]) -> list[str]:
    """Return notes on labels that all samples carry, or none, and warn of those with few samples."""
    n_positive, n_negative = problem.n_positive, problem.n_negative
    notes = [
        f"{samples} of {abridged(names[which])}: nothing to tune, their offsets stay zero."
        for samples, which in (
            ("No sample carries the labels", (n_positive == 0) & (n_negative > 0)),
            ("Every sample carries the labels", (n_negative == 0) & (n_positive > 0)),
        )
        if which.any()
    ]
    fewest = problem.n_independent.min(axis=0)
    if few := with_few_samples(names, fewest, noun="labels", grouped=problem.groups is not None):
        notes.append(
            f"Few samples to tune on: {few}, with the label or without it. Their "
            "offsets, and scores that depend on these, are uncertain."
        )
        warn_user(notes[-1], FewRowsWarning)
    return notes


def _notes_on(
    problem: MultilabelProblem,
    found: CrossFitResult,
    constraints: Sequence[LabelConstraints],
    missed: dict[int, bool],
    names: npt.NDArray[Any],
) -> list[str]:
    """Return notes on offsets and constraints, and warn of constraints that cannot be satisfied."""
    notes = []
    weak = np.flatnonzero(found.shrinkage_factor < 1)
    if weak.size:
        scales = _first_of([f"{shown(names[j])} by {found.shrinkage_factor[j]:.2f}" for j in weak], more="more")
        notes.append(f"Offsets that scored below the untuned classifier in cross-fitting were scaled: {scales}.")
    for j, achievable in missed.items():
        where = "on unseen data with the requested confidence" if achievable else "on these samples"
        bounds = ", ".join(str(constraint) for constraint, _ in constraints[j])
        notes.append(
            f"No offset of label {shown(names[j])} satisfies {bounds} {where}; the one that misses by the least "
            f"is used.{_needs(found, constraints[j], label_values(names)[j]) if achievable else ''}"
        )
        warn_user(notes[-1], UnreachableGoalWarning)
    counts = problem.truth.count(problem.decide(found.offsets))
    for j in sorted({*range(problem.n_labels)} - {*problem.tunable}):
        broken = [str(constraint) for constraint, required in constraints[j] if required.missed(counts.of(j)) > 0]
        lost = counts.total[j] == 0
        if lost and constraints[j]:
            bounds = ", ".join(str(constraint) for constraint, _ in constraints[j])
            notes.append(
                f"Label {shown(names[j])} has no samples to tune on: its offset stays zero, and whether {bounds} "
                "holds is not known."
            )
        elif broken:
            notes.append(
                f"Label {shown(names[j])} is carried by {'all samples' if problem.n_positive[j] else 'no sample'}: "
                f"its offset stays zero, with which {', '.join(broken)} does not hold on these samples."
            )
        else:
            continue
        warn_user(notes[-1], UnreachableGoalWarning)
    if found.decisions is not None:
        notes += _notes_on_constraints(constraints, problem.truth.count(found.decisions), names)
    return notes


def _needs(found: CrossFitResult, constraints: LabelConstraints, label: Label) -> str:
    """Return a sentence on each constraint of a label with an exact test and too few samples."""
    proportions = {constraint: required.metric.proportion for constraint, required in constraints}
    whose = {"own": "with the label", "others": "without the label", "predicted": "predicted as such"}
    texts = [
        needs_of(each, proportions[each.constraint], **whose)
        for each in found.guarantees
        if each.label == label and each.samples_needed is not None and each.samples_needed > each.n
    ]
    return "".join(f" {text[0].upper()}{text[1:]}." for text in texts)


def _notes_on_constraints(
    constraints: Sequence[LabelConstraints], counts: LabelCounts, labels: npt.NDArray[Any]
) -> list[str]:
    """Return the value of each constraint, for at most 20 labels that have samples."""
    notes = []
    for j, each in enumerate(constraints):
        for constraint, required in each if counts.total[j] > 0 else ():
            of = "" if constraint.label is not None else f" for {shown(labels[j])}"
            notes.append(f"Constraint {constraint}{of}: {required.metric.value(counts.of(j)):.4g} on validation folds.")
    more = [f"And {len(notes) - _MOST_NOTES} more of the kind."] if len(notes) > _MOST_NOTES else []
    return notes[:_MOST_NOTES] + more
