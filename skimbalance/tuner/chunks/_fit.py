"""Fit offsets to samples in chunks: in memory to a sample of them, then by exact passes over all."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.decision import centred, decide_scores, softmax, threshold_of
from skimbalance._core.typing import ArrayLike, Kind, Progress
from skimbalance._core.validation import is_multilabel, shown
from skimbalance.estimation import FitResult, FitSpec
from skimbalance.goals import ImbalanceState
from skimbalance.metrics.counts import ClassProfile, Counts, HardTruth
from skimbalance.solvers import Problem, solve_state
from skimbalance.tuner._multiclass import fit_classes
from skimbalance.tuner.checks import bounds_of, check_objective, positive_label, resolve_metric, resolve_solver
from skimbalance.tuner.chunks._binary import MarginSize, best_threshold
from skimbalance.tuner.chunks._multiclass import coordinate_ascent
from skimbalance.tuner.chunks._samples import (
    Block,
    ChunkedSamples,
    Chunks,
    Floats,
    LazyMap,
    confusion_matrices,
    counts_of,
    log_block,
    read_samples,
)

__all__ = ["fit_chunks", "mean_state", "solve_state_of_all"]

_STATE_TOLERANCE = 1e-8
_STATE_ROUNDS = 12
_STATE_NOTE_ABOVE = 1e-6

_TYPICAL_QUANTILE = 0.999


def fit_chunks(
    spec: FitSpec,
    scores: Any,
    y: ArrayLike,
    *,
    classes: ArrayLike | None,
    sample_weight: ArrayLike | None,
    groups: ArrayLike | None = None,
) -> FitResult:
    """Fit an offset for each class to samples in chunks of a Dask array; see `OffsetTuner.fit`."""
    if groups is not None:
        raise ValueError(
            "groups need scores in memory; scores is a Dask array. Pass scores.compute() of some whole groups, or no "
            "groups"
        )
    if is_multilabel(y):
        raise ValueError(
            "multilabel scores must be in memory; got a Dask array. Pass scores.compute(), of some samples if "
            "there are too many. The fitted tuner predicts Dask arrays"
        )
    if spec.reject_label is not None:
        raise ValueError(
            f"reject_label={shown(spec.reject_label)} needs scores in memory; scores is a Dask array. Pass "
            "scores.compute() of some samples, or no reject_label. The fitted tuner predicts Dask arrays"
        )
    check_objective(spec)
    samples = read_samples(spec, scores, y, classes=classes, sample_weight=sample_weight)
    spec = replace(spec, pos_label=positive_label(spec.objective, samples.labels, spec.pos_label))
    metric = resolve_metric(spec.objective, samples.labels, spec.pos_label)
    weighted = metric.decomposition != "general" or metric.takes_weights
    sample = samples.draw(seed=spec.seed, weighted=weighted)
    n_drawn, n_samples = len(sample.codes), samples.n_samples
    spec.progress(f"{n_drawn:,} of {n_samples:,} samples drawn")
    labels = samples.labels[sample.codes]
    if len(np.unique(sample.codes)) < len(samples.labels):
        classes = samples.labels
    in_memory = replace(spec, class_prior=None)  # included in the weights of the sample
    fitted = fit_classes(in_memory, sample.scores, labels, classes=classes, sample_weight=sample.weights)
    if samples.are_few:
        return fitted
    if not weighted:
        note = (
            f"The objective takes no sample_weight: the offsets and all scores come from a uniform sample of "
            f"{n_drawn:,} of {n_samples:,} samples."
        )
        return replace(fitted, notes=[*fitted.notes, note])
    fit_all = _fit_state if isinstance(spec.objective, ImbalanceState) else _fit_metric
    return fit_all(spec, samples, sample, fitted)


def _fit_metric(spec: FitSpec, samples: ChunkedSamples, sample: Block, fitted: FitResult) -> FitResult:
    """Fit the offsets to all samples if the estimate is empirical, and count the decisions on all samples."""
    metric = resolve_metric(spec.objective, samples.labels, spec.pos_label)
    truth = HardTruth(np.zeros(0) if samples.weighted else None, samples.class_weights, np.zeros(0, dtype=np.int64))
    requirements = bounds_of(spec.constraints, samples.labels, spec.pos_label)
    problem = Problem(np.zeros((0, len(samples.labels)), dtype=sample.scores.dtype), truth, metric, requirements)
    chosen, _ = resolve_solver(metric, spec, n_classes=len(samples.labels))
    exact = chosen.estimate == "empirical" and chosen.solver == "coordinate_ascent"
    exact = exact and not any(constraint.confidence for constraint in spec.constraints)
    if not exact and any(required.metric.ignores_truth for required in requirements):
        raise ValueError(
            "a constraint on predicted_share needs all samples; scores is a Dask array, of which a sample was drawn. "
            "Use estimate='empirical' without a confidence, or pass scores.compute() of fewer samples"
        )
    candidates, best = [0 * fitted.offsets, fitted.offsets], 1
    if exact:
        candidates.append(_exact_offsets(spec, samples, sample, problem, fitted.offsets).astype(fitted.offsets.dtype))
    counts = _counts(samples, candidates, kind=spec.kind)
    if exact:
        best = max(range(3), key=lambda number: (problem.objective_value_of(counts[number]), number))
        note = _note_on_all(samples, sample)
    else:
        note = (
            f"The offsets were fitted to a sample of {len(sample.codes):,} of {samples.n_samples:,} samples, with all "
            "samples of minority classes. in_sample_score_ and class_profile_ are those of all samples."
        )
    return _on_all(
        fitted,
        candidates[best],
        kind=spec.kind,
        counts=(counts[0], counts[best]),
        scores=(metric.value(counts[0]), metric.value(counts[best])),
        notes=[note],
    )


def _exact_offsets(
    spec: FitSpec, samples: ChunkedSamples, sample: Block, problem: Problem, start: npt.NDArray[Any]
) -> Floats:
    """Return the best offsets on all samples: the global binary optimum, a local multiclass one."""
    present = np.flatnonzero(samples.class_weights > 0)
    classes = tuple(present.tolist())
    to_log = partial(log_block, kind=spec.kind, classes=classes)
    chunks, log_sample = LazyMap(samples.chunks, to_log), to_log(sample)
    problem = problem.restricted(classes)
    offsets = start.astype(np.float64)
    offsets -= offsets[present].mean()  # classes without samples keep their distance from the others
    if len(classes) == 2:
        size = _margin_size(spec.kind, sample, log_sample)
        found = best_threshold(chunks, problem, largest=samples.largest, size=size, progress=spec.progress)
    else:
        sizes = samples.class_sizes[present]
        found = coordinate_ascent(
            chunks, problem, offsets[present], sample=log_sample, sizes=sizes, progress=spec.progress
        )
    offsets[present] = found
    return np.asarray(centred(offsets))


def _margin_size(kind: Kind, sample: Block, log_sample: Block) -> MarginSize:
    """Return a function that bounds the magnitudes of the two scores of a margin, as far as the margin allows it."""
    if kind != "logits":
        return lambda margins: np.logaddexp(0, margins) + np.logaddexp(0, -margins)
    if sample.scores.ndim == 1:
        return np.abs
    typical = float(np.quantile(np.abs(log_sample.scores).sum(axis=1), _TYPICAL_QUANTILE))
    return lambda margins: np.maximum(np.abs(margins), typical)


def _fit_state(spec: FitSpec, samples: ChunkedSamples, sample: Block, fitted: FitResult) -> FitResult:
    """Fit the offsets of an imbalance state to all samples."""
    state, weights = spec.objective, samples.class_weights
    assert isinstance(state, ImbalanceState)
    to_log = partial(log_block, kind=spec.kind)
    chunks, log_sample = LazyMap(samples.chunks, to_log), to_log(sample)
    target = state.over(samples.labels, weights)
    if state.class_balanced:
        factors = 1 / np.where(weights > 0, weights, 1) / np.count_nonzero(weights)
    else:
        factors = np.full(len(weights), 1 / weights.sum())
    sample_weight = log_sample.weights_or_ones * factors[sample.codes]

    def solve(aim: Floats) -> Floats:
        return solve_state(log_sample.scores, aim, weights=sample_weight).offsets

    found = solve_state_of_all(chunks, solve, target, factors=factors, progress=spec.progress)
    offsets = found.astype(fitted.offsets.dtype)
    untuned, distance = (
        float(np.abs(mean_state(chunks, each, factors=factors) - target).max()) for each in (0 * offsets, offsets)
    )
    before, after = _counts(samples, [0 * offsets, offsets], kind=spec.kind)
    notes = [_note_on_all(samples, sample)]
    if distance > _STATE_NOTE_ABOVE:
        error = f"The imbalance state was reached on a sample, but not on all samples: the error is {distance:.2g}."
        notes.insert(0, error)
    counts, scores = (before, after), (untuned, distance)
    return _on_all(fitted, offsets, kind=spec.kind, counts=counts, scores=scores, notes=notes)


def mean_state(chunks: Chunks[Block], offsets: Floats, *, factors: Floats) -> Floats:
    """Return the weighted mean of `softmax(scores + offsets)`, (K,).

    The weight of a sample is multiplied by the factor (K,) of its class; then all weights sum to one.
    """

    def weighted_sum(block: Block) -> Floats:
        weights = block.weights_or_ones * factors[block.codes]
        state: Floats = weights @ softmax(block.scores.astype(np.float64) + offsets)
        return state

    return chunks.map_reduce(weighted_sum, np.add)


def solve_state_of_all(
    chunks: Chunks[Block], solve: Callable[[Floats], Floats], target: Floats, *, factors: Floats, progress: Progress
) -> Floats:
    """Return offsets (K,) with which the state of all samples is `target`; `solve` returns those of a sample.

    This is Newton's method with the derivative of the sample: each pass over all samples gains about two digits.
    """
    aim, best, least = target, np.zeros_like(target), np.inf
    for number in range(1, _STATE_ROUNDS + 1):
        offsets = solve(aim)
        state = mean_state(chunks, offsets, factors=factors)
        distance = float(np.abs(target - state).max())
        progress(f"imbalance state, pass {number} over all samples: largest error {distance:.2g}")
        if distance < least:
            best, least = offsets, distance
        if distance < _STATE_TOLERANCE:
            break
        moved = aim + (target - state)
        if moved.min() <= 0:  # a class with a tiny probability is corrected by a factor
            moved = aim * target / np.maximum(state, np.finfo(np.float64).tiny)
        aim = moved / moved.sum()
    return best


def _counts(samples: ChunkedSamples, offsets: list[npt.NDArray[Any]], *, kind: Kind) -> list[Counts]:
    """Count the decisions of `predict` on all samples with each of some offsets."""
    count = partial(confusion_matrices, offsets=tuple(offsets), decide=partial(decide_scores, kind=kind))
    return [counts_of(confusion) for confusion in samples.chunks.map_reduce(count, np.add)]


def _note_on_all(samples: ChunkedSamples, sample: Block) -> str:
    return (
        f"The offsets were fitted to all {samples.n_samples:,} samples, starting from those of a sample of "
        f"{len(sample.codes):,}. score_ and all intervals come from this sample."
    )


def _on_all(
    fitted: FitResult,
    offsets: npt.NDArray[Any],
    *,
    kind: Kind,
    counts: tuple[Counts, Counts],
    scores: tuple[float, float],
    notes: list[str],
) -> FitResult:
    """Return the result with other offsets, with intervals shifted to these, and with what they achieve on all samples.

    Both `counts` and `scores` are those without offsets, and those with them.
    """
    interval = fitted.offsets_interval
    return replace(
        fitted,
        offsets=offsets,
        threshold=threshold_of(offsets, kind=kind) if len(offsets) == 2 else None,
        offsets_interval=None if interval is None else interval + (offsets - fitted.offsets),
        untuned_score=scores[0],
        in_sample_score=scores[1],
        class_profile=ClassProfile.from_counts(fitted.classes, before=counts[0], after=counts[1]),
        notes=[*fitted.notes, *notes],
    )
