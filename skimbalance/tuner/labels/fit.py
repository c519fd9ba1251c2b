"""From scores of labels and an indicator to an offset for each label, and its expected score on unseen data."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, to_numpy
from skimbalance._core.decision_rule import check_label_columns, decide_labels, label_log_odds, label_threshold
from skimbalance._core.sklearn import one_blas_thread
from skimbalance._core.typing import ArrayLike
from skimbalance._core.validation import (
    abridged,
    by_label,
    check_groups,
    check_lengths,
    check_sample_weight,
    require_several_groups,
    shown,
    with_few_samples,
)
from skimbalance.estimation import CrossFitResult, FitResult, FitSpec, in_turn, tighten
from skimbalance.exceptions import FewRowsWarning, UnreachableGoalWarning, warn_user
from skimbalance.tuner.checks import check_label_input
from skimbalance.tuner.labels._counts import profile_of
from skimbalance.tuner.labels._cross_fit import estimate_labels, score_of
from skimbalance.tuner.labels._labels import Floats, Indicator, check_indicator
from skimbalance.tuner.labels._problem import MultilabelProblem
from skimbalance.tuner.labels.objective import (
    LabelConstraints,
    check_label_spec,
    get_multilabel_metric,
    label_constraints_of,
    label_names,
    notes_on_constraint,
)

__all__ = ["fit_labels", "fit_multilabel"]


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
    groups: npt.NDArray[np.int64] | None = None,
    known: Indicator | None = None,
    dtype: npt.DTypeLike = np.float64,
) -> FitResult:
    """Fit an offset for each label on the host, so that `log_odds + offsets >= 0` (n, L) is best by the objective.

    `known` (n, L) is False where a score carries no evidence, since its model had seen one value of the label alone:
    such cells are left out of all that is fitted or estimated. Offsets are rounded to `dtype` before anything is
    counted.
    """
    constraints = label_constraints_of(spec.constraints, names)
    required = tuple(tuple(requirement for _, requirement in each) for each in constraints)
    metric = get_multilabel_metric(spec.objective, n_labels=len(names))
    given = MultilabelProblem(log_odds, indicator, weights, metric, required, groups, known)
    if weights is not None and not (weights > 0).all():
        given = given.take(np.flatnonzero(weights > 0))
    given = _with_evidence(given)
    require_several_groups(given.groups)
    problem = given.in_order()
    notes = _notes_on_unknown(problem, names) + _notes_on_support(problem, names)
    tightened, missed = _tighten(problem, spec, constraints)
    found = _estimate_in_order(tightened, spec, exactly=frozenset(missed))
    offsets = np.asarray(found.offsets).astype(dtype).astype(np.float64)
    found = replace(found, offsets=offsets)
    notes += _notes_on(problem, found, constraints, missed, names)
    before, achieved = problem.decide(0 * offsets), problem.decide(offsets)
    held_out = found.decisions is not None
    score, interval = None, None
    if found.decisions is not None:
        score, interval = score_of(problem, found.decisions, level=spec.confidence_level, seed=spec.seed)
    errors = None if spec.confidence_level is None else found.offsets_error
    profile = profile_of(
        names,
        problem.indicator,
        problem.weights,
        before=before,
        after=achieved if found.decisions is None else found.decisions,
        known=problem.known,
        held_out=held_out,
    )
    return FitResult(
        classes=names,
        offsets=offsets,
        in_sample_score=given.value(given.decide(offsets)),
        untuned_score=given.value(given.decide(0 * offsets)),
        class_profile=profile,
        n_iter=found.n_iter,
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
    return replace(
        found,
        offsets=found.offsets[places],
        shrinkage_factor=found.shrinkage_factor[places],
        decisions=None if found.decisions is None else found.decisions[:, places],
        offsets_error=None if found.offsets_error is None else found.offsets_error[places],
    )


def _tighten(
    problem: MultilabelProblem, spec: FitSpec, constraints: Sequence[LabelConstraints]
) -> tuple[MultilabelProblem, dict[int, bool]]:
    """Tighten bounds, label by label, until they hold on unseen data with their confidence.

    Return besides the labels whose bounds no offset satisfies, and for each whether one does on these samples.
    """
    bound = [j for j in problem.tunable if constraints[j]]
    each = spec.run(
        partial(
            tighten,
            problem.label(j),
            replace(spec, constraints=[constraint for constraint, _ in constraints[j]], run=in_turn),
        )
        for j in bound
    )
    required, missed = list(problem.requirements), {}
    for j, (label, achievable, with_confidence) in zip(bound, each, strict=True):
        required[j] = label.requirements
        if not with_confidence:
            missed[j] = achievable
    return replace(problem, requirements=tuple(required)), missed


def _with_evidence(problem: MultilabelProblem) -> MultilabelProblem:
    """Return the problem without labels that have one value alone where they are known, and without samples left bare.

    A label of which no sample is known keeps its samples if it has one value alone in all of them: nothing is lost.
    """
    if problem.known is None:
        return problem
    n_samples, n_positive = len(problem.indicator), np.count_nonzero(problem.indicator, axis=0)
    constant = (n_positive == 0) | (n_positive == n_samples)
    none_known = problem.n_positive + problem.n_negative == 0
    known = problem.known | (constant & none_known)
    known = known & ~(~constant & ((problem.n_positive == 0) | (problem.n_negative == 0)))
    if not known.any():
        raise ValueError(
            "there is no label to tune: of each label, the samples with it or those without it were scored by models "
            "that had seen one value of it alone. Use fewer folds, or folds that spread the samples of each label"
        )
    problem = replace(problem, known=None if known.all() else known)
    return problem if known.any(axis=1).all() else problem.take(np.flatnonzero(known.any(axis=1)))


def _notes_on_unknown(problem: MultilabelProblem, names: npt.NDArray[Any]) -> list[str]:
    """Return notes on labels that lack scores to tune on, in some samples or in all."""
    if problem.known is None:
        return []
    n_unknown = np.count_nonzero(~problem.known, axis=0)
    lost, partly = n_unknown == len(problem.known), (n_unknown > 0) & (n_unknown < len(problem.known))
    notes = []
    if lost.any():
        notes.append(
            f"The labels {abridged(names[lost])} are not tuned, their offsets stay zero, and scores leave them out: no "
            "sample with the label, or no sample without it, was scored by a model that had seen both."
        )
    if partly.any():
        each = ", ".join(f"{shown(names[j])} in {n_unknown[j]:,} samples" for j in np.flatnonzero(partly)[:5])
        more = f" and {np.count_nonzero(partly) - 5} more labels" if np.count_nonzero(partly) > 5 else ""
        notes.append(f"Scores were left out whose model had seen one value alone of the label: {each}{more}.")
    return notes


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
        scales = ", ".join(f"{shown(names[j])} by {found.shrinkage_factor[j]:.2f}" for j in weak[:5])
        more = f" and {weak.size - 5} more" if weak.size > 5 else ""
        notes.append(f"Offsets that scored below the untuned classifier in cross-fitting were scaled: {scales}{more}.")
    for j, achievable in missed.items():
        where = "on unseen data with the requested confidence" if achievable else "on these samples"
        bounds = ", ".join(str(constraint) for constraint, _ in constraints[j])
        notes.append(
            f"No offset of label {shown(names[j])} satisfies {bounds} {where}; the one that misses by the least "
            "is used."
        )
        warn_user(notes[-1], UnreachableGoalWarning)
    counts = problem.count(problem.decide(found.offsets))
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
        notes += notes_on_constraint(constraints, problem.count(found.decisions), names)
    return notes
