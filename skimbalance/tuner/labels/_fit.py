"""The one way in: from log-odds and an indicator to an offset for each label, and to what these will be worth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.text import abridged, shown, with_few_samples
from skimbalance._core.typing import ArrayLike, Progress, Run
from skimbalance._core.validation import check_lengths, require_several_groups
from skimbalance.estimation import Estimation, in_turn, widened
from skimbalance.exceptions import FewRowsWarning, UnreachableGoalWarning, warn_user
from skimbalance.goals import Constraint
from skimbalance.metrics.profile import ClassProfile
from skimbalance.tuner.labels._counts import profile_of
from skimbalance.tuner.labels._labels import Floats, Indicator, check_indicator
from skimbalance.tuner.labels._metrics import MultilabelMetric
from skimbalance.tuner.labels._problem import MultilabelProblem
from skimbalance.tuner.labels._redraw import predictive_values
from skimbalance.tuner.labels._registry import (
    LabelConstraints,
    MultilabelObjective,
    get_multilabel_metric,
    label_constraints_of,
    notes_on_constraint,
)
from skimbalance.tuner.labels._tuned import CrossFitResult, How, tune

__all__ = ["MultilabelFit", "fit_multilabel"]


def _silent(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, eq=False)
class MultilabelFit:
    """An offset for each label, and what they are worth; see `OffsetTuner` for what the numbers mean.

    `offsets` and `shrinkage_factor` are (L,), `offsets_interval` is (2, L); what needs held-out samples is None where
    no folds were fitted.
    """

    offsets: Floats
    metric: MultilabelMetric
    in_sample_score: float
    untuned_score: float
    score: float | None
    score_interval: tuple[float, float] | None
    offsets_interval: Floats | None
    shrinkage_factor: Floats
    n_iter: int
    profile: ClassProfile
    notes: list[str]


def fit_multilabel(
    log_odds: Floats,
    indicator: ArrayLike,
    *,
    metric: MultilabelObjective,
    constraints: Sequence[Constraint] = (),
    labels: ArrayLike | None = None,
    weights: Floats | None = None,
    groups: npt.NDArray[np.int64] | None = None,
    known: Indicator | None = None,
    dtype: npt.DTypeLike = np.float64,
    estimate: str = "robust",
    n_bootstraps: int = 8,
    confidence_level: float | None = 0.9,
    seed: int = 0,
    run: Run = in_turn,
    progress: Progress = _silent,
) -> MultilabelFit:
    """Fit an offset for each label, so that `log_odds + offsets >= 0` is best by the metric.

    Parameters
    ----------
    log_odds : array of shape (n, L)
        Of each label being present, for samples that the classifier was not trained on; see `label_log_odds`.
    indicator : array or sparse matrix of shape (n, L)
        One where a sample carries a label.
    metric : str, metric, or sequence of metrics
        A name from `get_multilabel_metric_names`, a `MultilabelMetric`, a two-class metric such as a cost, whose mean
        over labels is meant, or one of these for each label.
    constraints : sequence of AtLeast, AtMost or Near
        Each holds for the label it names, or for every label.
    labels : array-like of shape (L,), default=None
        Their names; None numbers them from zero.
    weights : array of shape (n,), default=None
        Of the samples.
    groups : array of shape (n,), default=None
        Codes of the groups of the samples; None means that all are independent.
    known : array of bool of shape (n, L), default=None
        False where a score carries no evidence, for its model had seen one value of the label alone: such cells are
        left out of all that is fitted or estimated. None if there are none.
    dtype : dtype, default=float64
        What the offsets will be kept in; they are rounded to it before it is counted what they achieve.
    estimate, n_bootstraps, confidence_level, seed
        As in `OffsetTuner`.
    run, report : callable
        Calls independent functions, in parallel or not; and is told of progress.

    Returns
    -------
    MultilabelFit
        Offsets, scores, intervals, notes.
    """
    samples = check_indicator(indicator)
    names = np.arange(samples.shape[1]) if labels is None else np.asarray(labels)
    check_lengths(scores=log_odds, y=samples)
    wanted = label_constraints_of(constraints, names)
    required = tuple(tuple(requirement for _, requirement in each) for each in wanted)
    chosen = get_multilabel_metric(metric, n_labels=samples.shape[1])
    values = np.asarray(log_odds, dtype=np.float64)
    given = _with_evidence(_weighing(MultilabelProblem(values, samples, weights, chosen, required, groups, known)))
    require_several_groups(given.groups)
    problem = given.in_order()
    how = How(estimate, n_bootstraps, confidence_level, seed, run, progress)
    notes = _notes_on_unknown(problem, names) + _notes_on_support(problem, names)
    raised, missed = _with_margins(problem, how, wanted)
    tuned = _tuned(raised, how, exactly=frozenset(missed))
    tuned = replace(tuned, offsets=tuned.offsets.astype(dtype).astype(np.float64))
    notes += _notes_on(problem, tuned, wanted, missed, names)
    before, achieved = (given.value(given.decide(offsets)) for offsets in (0 * tuned.offsets, tuned.offsets))
    return replace(_fitted(problem, tuned, how, names, notes), in_sample_score=achieved, untuned_score=before)


def _weighing(problem: MultilabelProblem) -> MultilabelProblem:
    """Return the problem without the samples that weigh nothing."""
    if problem.weights is None or (problem.weights > 0).all():
        return problem
    return problem.take(np.flatnonzero(problem.weights > 0))


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
            "there is no label to tune: of each label, the rows with it or those without it were scored by models that "
            "had seen one value of it alone. Use fewer folds, or folds that spread the rows of each label"
        )
    problem = replace(problem, known=None if known.all() else known)
    return problem if known.any(axis=1).all() else problem.take(np.flatnonzero(known.any(axis=1)))


def _notes_on_unknown(problem: MultilabelProblem, names: npt.NDArray[Any]) -> list[str]:
    """Return what is to be said of labels that lack scores to tune on, in some samples or in all."""
    if problem.known is None:
        return []
    n_unknown = np.count_nonzero(~problem.known, axis=0)
    lost, partly = n_unknown == len(problem.known), (n_unknown > 0) & (n_unknown < len(problem.known))
    notes = []
    if lost.any():
        notes.append(
            f"The labels {abridged(names[lost])} are not tuned, their offsets stay zero, and scores leave them out: no "
            "row with the label, or no row without it, was scored by a model that had seen both."
        )
    if partly.any():
        each = ", ".join(f"{shown(names[j])} in {n_unknown[j]:,} rows" for j in np.flatnonzero(partly)[:5])
        more = f" and {np.count_nonzero(partly) - 5} more labels" if np.count_nonzero(partly) > 5 else ""
        notes.append(f"Scores were left out whose model had seen one value alone of the label: {each}{more}.")
    return notes


def _tuned(problem: MultilabelProblem, how: How, *, exactly: frozenset[int]) -> CrossFitResult:
    """Tune the labels in the order that depends on what they are."""
    order = problem.label_order
    if (np.diff(order) > 0).all():
        return tune(problem, how, exactly=exactly)
    places = np.argsort(order)
    tuned = tune(problem.of_labels(order), how, exactly=frozenset(int(places[j]) for j in exactly))
    return CrossFitResult(
        tuned.offsets[places],
        tuned.n_iter,
        tuned.shrinkage_factor[places],
        None if tuned.held_out is None else tuned.held_out[:, places],
        None if tuned.errors is None else tuned.errors[places],
    )


def _with_margins(
    problem: MultilabelProblem, how: How, wanted: Sequence[LabelConstraints]
) -> tuple[MultilabelProblem, dict[int, bool]]:
    """Raise bounds until they hold on new samples with the confidence asked for, label by label.

    Return besides the labels whose bounds no offset meets, and of each whether one does on the samples at hand.
    """
    estimation = Estimation(how.estimate, how.n_bootstraps, None, how.seed, in_turn, how.progress)
    asked = [j for j in problem.tunable if wanted[j]]
    raised = how.run(
        partial(estimation.raised, problem.label(j), [constraint.confidence for constraint, _ in wanted[j]])
        for j in asked
    )
    needed, missed = list(problem.requirements), {}
    for j, (label, reached, achievable_with_confidence) in zip(asked, raised, strict=True):
        needed[j] = label.requirements
        if not achievable_with_confidence:
            missed[j] = reached
    return replace(problem, requirements=tuple(needed)), missed


def _fitted(
    problem: MultilabelProblem, tuned: CrossFitResult, how: How, names: npt.NDArray[Any], notes: list[str]
) -> MultilabelFit:
    before, achieved = (problem.decide(offsets) for offsets in (0 * tuned.offsets, tuned.offsets))
    score, interval = _foretold(problem, tuned, how)
    errors = None if how.confidence_level is None else tuned.errors
    spread = None if errors is None else np.stack([tuned.offsets - errors, tuned.offsets + errors])
    after = achieved if tuned.held_out is None else tuned.held_out
    crossed = tuned.held_out is not None
    profile = profile_of(
        names,
        problem.indicator,
        problem.weights,
        before=before,
        after=after,
        known=problem.known,
        held_out=crossed,
    )
    return MultilabelFit(
        offsets=tuned.offsets,
        metric=problem.metric,
        in_sample_score=problem.value(achieved),
        untuned_score=problem.value(before),
        score=score,
        score_interval=interval,
        offsets_interval=spread,
        shrinkage_factor=tuned.shrinkage_factor,
        n_iter=tuned.n_iter,
        profile=profile,
        notes=notes,
    )


def _foretold(
    problem: MultilabelProblem, tuned: CrossFitResult, how: How
) -> tuple[float | None, tuple[float, float] | None]:
    """Return the score of the held-out decisions, and within which bounds that of as many new samples should be."""
    if tuned.held_out is None:
        return None, None
    n_positive, known = problem.n_independent[1], problem.known
    score = problem.metric.expected_score(
        problem.indicator, tuned.held_out, problem.weights, known, n_positive=n_positive
    )
    if how.confidence_level is None:
        return score, None
    tail = (1 - how.confidence_level) / 2
    order = problem.label_order
    each = predictive_values(problem.of_labels(order), tuned.held_out[:, order], seed=how.seed, anew=True, tail=tail)
    drawn = [value for (value,) in each]
    return score, widened(score, drawn, tail=tail, bounds=problem.metric.bounds, groups=problem.groups)


def _notes_on_support(problem: MultilabelProblem, names: npt.NDArray[Any]) -> list[str]:
    """Return what is to be said of labels that all samples carry, or none, and warn of those with few samples."""
    n_positive, n_negative = problem.n_positive, problem.n_negative
    notes = [
        f"{samples} of {abridged(names[which])}: nothing to tune, their offsets stay zero."
        for samples, which in (
            ("No row carries the labels", (n_positive == 0) & (n_negative > 0)),
            ("Every row carries the labels", (n_negative == 0) & (n_positive > 0)),
        )
        if which.any()
    ]
    fewest = problem.n_independent.min(axis=0)
    if few := with_few_samples(names, fewest, noun="labels", grouped=problem.groups is not None):
        notes.append(
            f"Few rows to tune on: {few}, of rows that carry the label or of rows that do not. So few say "
            "little about an offset, or a score that depends on it."
        )
        warn_user(notes[-1], FewRowsWarning)
    return notes


def _notes_on(
    problem: MultilabelProblem,
    tuned: CrossFitResult,
    wanted: Sequence[LabelConstraints],
    missed: dict[int, bool],
    names: npt.NDArray[Any],
) -> list[str]:
    """Return what is to be said of offsets and constraints, and warn of constraints that cannot be met."""
    notes = []
    weak = np.flatnonzero(tuned.shrinkage_factor < 1)
    if weak.size:
        scales = ", ".join(f"{shown(names[j])} by {tuned.shrinkage_factor[j]:.2f}" for j in weak[:5])
        more = f" and {weak.size - 5} more" if weak.size > 5 else ""
        notes.append(f"Offsets were worse than none on held-out rows and were scaled: {scales}{more}.")
    for j, reached in missed.items():
        where = "on new rows with the confidence asked for" if reached else "on these rows"
        asked = ", ".join(str(constraint) for constraint, _ in wanted[j])
        notes.append(
            f"No offset of label {shown(names[j])} meets {asked} {where}; the one that misses by the least was taken."
        )
        warn_user(notes[-1], UnreachableGoalWarning)
    counts = problem.count(problem.decide(tuned.offsets))
    for j in sorted({*range(problem.n_labels)} - {*problem.tunable}):
        broken = [str(constraint) for constraint, required in wanted[j] if required.missed(counts.of(j)) > 0]
        lost = counts.total[j] == 0
        if lost and wanted[j]:
            asked = ", ".join(str(constraint) for constraint, _ in wanted[j])
            notes.append(
                f"Label {shown(names[j])} has no rows to tune on: its offset stays zero, and whether {asked} "
                "holds is not known."
            )
        elif broken:
            notes.append(
                f"Label {shown(names[j])} is carried by {'all samples' if problem.n_positive[j] else 'no row'}: "
                f"its offset stays zero, with which {', '.join(broken)} does not hold on these rows."
            )
        else:
            continue
        warn_user(notes[-1], UnreachableGoalWarning)
    if tuned.held_out is not None:
        notes += notes_on_constraint(wanted, problem.count(tuned.held_out), names)
    return notes
