"""One label a sample, samples in chunks of Dask: a fit on a sample of them, and exact passes over all."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.decision import centred, decide_scores, threshold_of
from skimbalance._core.typing import ArrayLike, Kind
from skimbalance.estimation import FitResult, FitSpec
from skimbalance.goals import ImbalanceState
from skimbalance.metrics.counts import HardTruth
from skimbalance.metrics.profile import ClassProfile
from skimbalance.solvers import Problem, solve_state
from skimbalance.tuner._chunked_samples import Reading, Rows, counted, in_logs, sample_of
from skimbalance.tuner._multiclass import fit_classes
from skimbalance.tuner.chunks import (
    Block,
    Floats,
    SizeOf,
    as_counts,
    ascended,
    best_threshold,
    counts_of,
    reached_by_all,
    state_of,
)
from skimbalance.tuner.labels.objective import is_multilabel
from skimbalance.tuner.objective import bounds_of, check_objective, positive_label, resolve_metric, resolve_solver

__all__ = ["fit_chunks"]


def fit_chunks(
    goal: FitSpec,
    scores: Any,
    y: ArrayLike,
    *,
    classes: ArrayLike | None,
    sample_weight: ArrayLike | None,
    groups: ArrayLike | None = None,
) -> FitResult:
    """Fit an offset for each class to samples that are nowhere together; see `OffsetTuner.fit`."""
    if groups is not None:
        raise ValueError(
            "groups are for scores in memory; scores are a Dask array. Pass scores.compute() of some whole groups, "
            "or leave groups out"
        )
    if is_multilabel(y):
        raise ValueError(
            "scores of several labels a row must be in memory, where y is an indicator; got a Dask array. Pass "
            "scores.compute(), of some of the rows if there are too many; what is fitted predicts Dask arrays"
        )
    check_objective(goal)
    samples = counted(goal, scores, y, classes=classes, sample_weight=sample_weight)
    goal = replace(goal, pos_label=positive_label(goal.objective, samples.labels, goal.pos_label))
    metric = resolve_metric(goal.objective, samples.labels, goal.pos_label)
    weighing = metric.decomposition != "general" or metric.takes_weights
    sample = sample_of(samples, seed=goal.seed, weighing=weighing)
    goal.progress(f"{len(sample.codes):,} of {samples.count:,} rows drawn")
    in_memory = replace(goal, class_prior=None)  # the weights of the samples have it already
    labels = samples.labels[sample.codes]
    named = (
        samples.labels if len(np.unique(sample.codes)) < len(samples.labels) else classes
    )  # no sample of some may be drawn
    fitted = fit_classes(in_memory, sample.scores, labels, classes=named, sample_weight=sample.weights)
    if samples.count <= samples.limit:
        return fitted
    if not weighing:
        return replace(fitted, notes=[*fitted.notes, _told(_JUDGED_BY_SAMPLE, sample, samples)])
    over_all = _state_over_all if isinstance(goal.objective, ImbalanceState) else _metric_over_all
    return over_all(goal, samples, sample, fitted)


def _metric_over_all(goal: FitSpec, samples: Rows, sample: Block, fitted: FitResult) -> FitResult:
    """Fit the offsets to all samples where that is asked for, and count what they achieve on all samples."""
    metric = resolve_metric(goal.objective, samples.labels, goal.pos_label)
    truth = HardTruth(np.zeros(0) if samples.weighted else None, samples.masses, np.zeros(0, dtype=np.int64))
    requirements = bounds_of(goal.constraints, samples.labels, goal.pos_label)
    problem = Problem(np.zeros((0, len(samples.labels)), dtype=sample.scores.dtype), truth, metric, requirements)
    chosen, _ = resolve_solver(metric, goal, n_classes=len(samples.labels))
    exactly = chosen.estimate == "empirical" and chosen.solver == "coordinate_ascent"
    exactly = exactly and not any(constraint.confidence for constraint in goal.constraints)
    candidates = [0 * fitted.offsets, fitted.offsets]
    if exactly:
        candidates.append(_exact(goal, samples, sample, problem, fitted.offsets).astype(fitted.offsets.dtype))
    count = partial(counts_of, offsets=tuple(candidates), decided=partial(decide_scores, kind=goal.kind))
    each = samples.chunks.total(count, np.add)
    achieved = [as_counts(confusion) for confusion in each]
    best = (
        1 if not exactly else max(range(3), key=lambda number: (problem.objective_value_of(achieved[number]), number))
    )
    before, after = achieved[0], achieved[best]
    told = _told(_FITTED_TO_ALL if exactly else _FITTED_TO_SAMPLE, sample, samples)
    return replace(
        _moved(fitted, candidates[best], kind=goal.kind),
        in_sample_score=metric.value(after),
        untuned_score=metric.value(before),
        class_profile=ClassProfile.from_counts(samples.labels, before=before, after=after),
        notes=[*fitted.notes, told],
    )


_FITTED_TO_ALL = (
    "The offsets were fitted to all {n_samples:,} rows, from where those of a sample of {n_drawn:,} rows led to; what "
    "is said of new rows comes from the sample."
)
_JUDGED_BY_SAMPLE = (
    "The objective takes no sample_weight: {n_drawn:,} of {n_samples:,} rows were drawn as they are, and all that is "
    "told of the rows of the fit is told of these."
)
_REACHED = 1e-6
_NOT_REACHED = "All rows together do not reach the state, of which they miss {distance:.2g}: a sample of them did."
_FITTED_TO_SAMPLE = (
    "The offsets were fitted to a sample of {n_drawn:,} of {n_samples:,} rows, in which rare classes are whole; "
    "in_sample_score_ and class_profile_ count all rows."
)


def _told(what: str, sample: Block, samples: Rows) -> str:
    return what.format(n_drawn=len(sample.codes), n_samples=samples.count)


def _exact(goal: FitSpec, samples: Rows, sample: Block, problem: Problem, start: npt.NDArray[Any]) -> Floats:
    """Return the offsets that are best on all samples: of two classes the global optimum, of more where an ascent
    ends.
    """
    kept = tuple(np.flatnonzero(samples.masses > 0).tolist())
    log = partial(in_logs, kind=goal.kind, kept=kept)
    chunks, some, drawn_samples = Reading(samples.chunks, log), problem.restricted(kept), log(sample)
    if len(kept) == 2:
        size = _size_of(goal.kind, sample, drawn_samples)
        found = best_threshold(chunks, some, largest=samples.largest, size=size, progress=goal.progress)
    else:
        sizes = samples.weighing[list(kept)]
        begin = start.astype(np.float64)[list(kept)]
        found = ascended(chunks, some, begin - begin.mean(), sample=drawn_samples, sizes=sizes, progress=goal.progress)
    offsets = start.astype(np.float64)
    offsets -= offsets[list(kept)].mean()  # what is left out keeps its distance
    offsets[list(kept)] = found
    return np.asarray(centred(offsets))


def _size_of(kind: Kind, sample: Block, drawn_samples: Block) -> SizeOf:
    """Return how large the two scores are together whose difference is a margin, as far as the margin tells."""
    if kind == "logits" and sample.scores.ndim == 2:
        typical = float(np.quantile(np.abs(drawn_samples.scores).sum(axis=1), _TYPICAL))
        return partial(_at_least, typical=typical)
    return np.abs if kind == "logits" else _softly


_TYPICAL = 0.999


def _at_least(margins: npt.NDArray[Any], *, typical: float) -> npt.NDArray[Any]:
    size: npt.NDArray[Any] = np.maximum(np.abs(margins), typical)
    return size


def _softly(margins: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return how large two logarithms of probabilities are together whose difference is a margin."""
    size: npt.NDArray[Any] = np.logaddexp(0, margins) + np.logaddexp(0, -margins)
    return size


def _state_over_all(goal: FitSpec, samples: Rows, sample: Block, fitted: FitResult) -> FitResult:
    """Fit the offsets of an imbalance state to all samples."""
    state = goal.objective
    assert isinstance(state, ImbalanceState)
    log = partial(in_logs, kind=goal.kind)
    chunks, drawn_samples = Reading(samples.chunks, log), log(sample)
    target = state.over(samples.labels, samples.masses)
    shares = 1 / np.where(samples.masses > 0, samples.masses, 1) / np.count_nonzero(samples.masses)
    factors = shares if state.class_balanced else np.full(len(shares), 1 / samples.masses.sum())
    weights = drawn_samples.mass * factors[sample.codes]

    def solve(aim: Floats) -> Floats:
        return solve_state(drawn_samples.scores, aim, weights=weights).offsets

    found = reached_by_all(chunks, solve, target, factors=factors, progress=goal.progress)
    offsets = found.astype(fitted.offsets.dtype)
    none = 0 * offsets
    away = (state_of(chunks, each, factors=factors) - target for each in (none, offsets))
    untuned, reached = (float(np.abs(each).max()) for each in away)
    count = partial(counts_of, offsets=(none, offsets), decided=partial(decide_scores, kind=goal.kind))
    each = samples.chunks.total(count, np.add)
    before, after = (as_counts(confusion) for confusion in each)
    missed = [] if reached <= _REACHED else [_NOT_REACHED.format(distance=reached)]
    return replace(
        _moved(fitted, offsets, kind=goal.kind),
        in_sample_score=reached,
        untuned_score=untuned,
        class_profile=ClassProfile.from_counts(samples.labels, before=before, after=after),
        notes=[*fitted.notes, *missed, _told(_FITTED_TO_ALL, sample, samples)],
    )


def _moved(fitted: FitResult, offsets: npt.NDArray[Any], *, kind: Kind) -> FitResult:
    """Return what was fitted with other offsets, and their intervals about these."""
    spread = fitted.offsets_interval
    return replace(
        fitted,
        offsets=offsets,
        threshold=threshold_of(offsets, kind=kind) if len(offsets) == 2 else None,
        offsets_interval=None if spread is None else spread + (offsets - fitted.offsets),
    )
