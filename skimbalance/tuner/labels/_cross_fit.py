"""Offsets of labels, fitted and cross-fitted: label by label, or together where the metric ties labels together."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from skimbalance.estimation import (
    ClassCrossFit,
    CrossFit,
    CrossFitResult,
    FitSpec,
    cross_fit,
    cross_fits,
    fit_folds,
    fit_of,
    folds_along,
    folds_of,
    in_turn,
    jackknife_error,
    prediction_interval,
    shrinks,
)
from skimbalance.solvers import Problem, solve
from skimbalance.tuner.labels._joint import fit_jointly
from skimbalance.tuner.labels._labels import Floats, Indicator, rarities
from skimbalance.tuner.labels._problem import MultilabelProblem
from skimbalance.tuner.labels._redraw import predictive_values
from skimbalance.tuner.labels._shrinkage import FEWEST_LABELS, fold_noise, shrunk

__all__ = ["LabelCrossFit", "estimate_labels", "score_of"]

_Exactly = frozenset[int]
"""Labels whose constraints no offset satisfies: they get the offset that comes nearest to them on these samples."""


def estimate_labels(problem: MultilabelProblem, spec: FitSpec, *, exactly: _Exactly = frozenset()) -> CrossFitResult:
    """Fit and cross-fit the offsets (L,)."""
    if not problem.tunable:
        offsets = np.zeros(problem.n_labels)
        result = CrossFitResult(offsets, 0, shrinkage_factor=offsets + 1)
        if not cross_fits(spec):
            return result
        return replace(result, decisions=problem.decide(offsets), offsets_error=offsets)
    estimate = _estimate_apart if problem.metric.decomposition == "labels" else _estimate_together
    return estimate(problem, spec, exactly)


def _estimate_apart(problem: MultilabelProblem, spec: FitSpec, exactly: _Exactly) -> CrossFitResult:
    """Fit each label as a binary problem."""
    tunable = problem.tunable
    found = spec.run(partial(_estimate_label, problem.label(j), spec, exactly=j in exactly) for j in tunable)
    spec.progress(f"{problem.metric.name}: {len(found)} labels fitted")
    offsets, factors, errors = (np.full(problem.n_labels, x) for x in (0.0, 1.0, 0.0))
    offsets[tunable] = [label.offset for label in found]
    n_iter = max(label.n_iter for label in found)
    crossed = [label.crossed for label in found if label.crossed is not None]
    if not crossed:
        return CrossFitResult(offsets, n_iter, shrinkage_factor=factors)
    folds = np.stack([each.offsets[:, 1] - each.offsets[:, 0] for each in crossed], axis=1)
    if shrinks(spec) and problem.metric.alike:
        offsets[tunable], folds = _shrunk_together(problem, offsets[tunable], folds)
    crossed = [
        replace(each, offsets=np.stack([-own / 2, own / 2], axis=1)) for each, own in zip(crossed, folds.T, strict=True)
    ]
    decided = problem.decide(0 * offsets)
    for j, label, (factor, codes) in zip(
        tunable, found, spec.run(partial(_shrunk_decisions, each, spec) for each in crossed), strict=True
    ):
        factors[j] = factor
        decided[problem.samples(j), j] = codes[np.argsort(label.order)] == 1
    if spec.confidence_level is not None:
        errors[tunable] = jackknife_error(folds, level=spec.confidence_level)
    return CrossFitResult(factors * offsets, n_iter, decisions=decided, offsets_error=errors, shrinkage_factor=factors)


@dataclass(frozen=True, eq=False)
class _Label:
    """One label by itself: its offset, the order in which its samples were fitted, and its folds."""

    offset: float
    n_iter: int
    order: npt.NDArray[np.int64]
    crossed: ClassCrossFit | None


def _estimate_label(binary: Problem, spec: FitSpec, *, exactly: bool) -> _Label:
    order = binary.sample_order
    binary, spec = binary.take(order), replace(spec, run=in_turn, progress=spec.in_fold().progress)
    crossed = None
    if cross_fits(spec):
        fold_of = folds_along(binary, seed=spec.seed)
        crossed = cross_fit(binary, fit_of(spec.in_fold(), exactly=exactly), spec, fold_of)
    solution = fit_of(spec, exactly=exactly)(binary)
    return _Label(float(solution.offsets[1] - solution.offsets[0]), solution.n_iter, order, crossed)


def _shrunk_decisions(crossed: ClassCrossFit, spec: FitSpec) -> tuple[float, npt.NDArray[np.int64]]:
    """Return the shrinkage factor of a label, and the decisions (n,) of its validation folds."""
    factor = crossed.shrinkage_factor() if shrinks(spec) and not crossed.problem.requirements else 1.0
    return factor, crossed.decisions(factor)


def _shrunk_together(problem: MultilabelProblem, offsets: Floats, folds: Floats) -> tuple[Floats, Floats]:
    """Shrink the offsets of all labels, and those of each fold (folds, L), except for labels with constraints."""
    free = np.array([not problem.requirements[j] for j in problem.tunable], dtype=bool)
    if np.count_nonzero(free) < FEWEST_LABELS:
        return offsets, folds
    fewest = problem.n_independent.min(axis=0)[problem.tunable][free]
    noise = fold_noise(folds[:, free], fewest.astype(np.float64))
    counts = problem.count(problem.indicator)
    present, total = (sums[problem.tunable][free] for sums in (counts.support, counts.total))
    absent = np.maximum(total - present, np.finfo(np.float64).eps * total)  # the difference may be lost in rounding
    offsets, folds, log_odds = offsets.copy(), folds.copy(), np.log(present / absent)
    for each in (offsets, *folds):
        each[free] = shrunk(each[free], noise=noise, log_odds=log_odds)
    return offsets, folds


def _estimate_together(problem: MultilabelProblem, spec: FitSpec, exactly: _Exactly) -> CrossFitResult:
    """Fit all labels at once."""
    offsets, n_iter = _fit_together(problem, spec, exactly)
    spec.progress(f"{problem.metric.name}: {len(problem.tunable)} labels fitted together")
    ones = np.ones(problem.n_labels)
    if not cross_fits(spec):
        return CrossFitResult(offsets, n_iter, shrinkage_factor=ones)
    # Folds are stratified by the label of each sample that the fewest samples carry.
    fold_of = folds_of(rarities(problem.present), problem.groups, n_classes=problem.n_labels, seed=spec.seed)

    def fit_outside(outside: npt.NDArray[np.bool_]) -> Floats:
        return _fit_together(problem.take(np.flatnonzero(outside)), spec.in_fold(), exactly)[0]

    folds = np.stack(fit_folds(fold_of, fit_outside, run=spec.run))
    spec.progress(f"{problem.metric.name}: fitted without each of {len(folds)} folds")
    crossed = LabelCrossFit(problem, fold_of, folds, spec.seed)
    factor = crossed.shrinkage_factor() if shrinks(spec) and not any(problem.requirements) else 1.0
    level = spec.confidence_level
    errors = 0 * ones if level is None else jackknife_error(folds, level=level)
    return CrossFitResult(
        factor * offsets,
        n_iter,
        decisions=crossed.decisions(factor),
        offsets_error=errors,
        shrinkage_factor=factor * ones,
    )


def _fit_together(problem: MultilabelProblem, spec: FitSpec, exactly: _Exactly) -> tuple[Floats, int]:
    offsets, n_iter = fit_jointly(problem, spec)
    if spec.estimate == "empirical":  # comes as near to the constraints as possible by itself
        return offsets, n_iter
    for j in exactly.intersection(problem.tunable):
        nearest = solve(problem.label(j), seed=spec.seed).offsets
        offsets[j] = nearest[1] - nearest[0]
    return offsets, n_iter


@dataclass(frozen=True, eq=False)
class LabelCrossFit(CrossFit):
    """Cross-fitted offsets (folds, L) of labels that are fitted together."""

    problem: MultilabelProblem
    fold_of: npt.NDArray[np.int64]
    offsets: Floats
    seed: int

    def decisions(self, factor: float = 1.0) -> Indicator:
        """Return the indicator (n, L) that is decided."""
        return self.problem.decide(factor * self.offsets[self.fold_of])

    def merit(self, decisions: Indicator) -> float:
        """Return the objective value of `decisions`."""
        return self.problem.metric.merit(self.problem.value(decisions))

    def redrawn_merits(self, *decisions: Indicator) -> Iterator[tuple[float, ...]]:
        """Yield the objective value of each of `decisions` under Bayesian bootstraps of the samples."""
        # The weight of an independent sample is that of the first decisions, which are to be the last ones here.
        for values in predictive_values(self.problem, *decisions[::-1], seed=self.seed):
            yield tuple(map(self.problem.metric.merit, values[::-1]))


def score_of(
    problem: MultilabelProblem, decisions: Indicator, *, level: float | None, seed: int
) -> tuple[float, tuple[float, float] | None]:
    """Return the score expected on unseen data, and its prediction interval for as many unseen samples."""
    metric, n_positive = problem.metric, problem.n_independent[1]
    score = metric.expected_score(problem.indicator, decisions, problem.weights, problem.known, n_positive=n_positive)
    if level is None:
        return score, None
    tail, order = (1 - level) / 2, problem.label_order
    each = predictive_values(problem.of_labels(order), decisions[:, order], seed=seed, anew=True, tail=tail)
    drawn = [value for (value,) in each]
    return score, prediction_interval(score, drawn, tail=tail, bounds=metric.bounds, groups=problem.groups)
