"""How offsets are estimated, and what comes of it: labels apart, or tied together by the metric."""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from skimbalance._core.typing import Progress, Run
from skimbalance.estimation import (
    CrossFit,
    cross_fit,
    factor_for_gain,
    folds_along,
    folds_of,
    in_turn,
    jackknife_error,
    plugin,
    robust,
    shrinkage_factor_for,
)
from skimbalance.solvers import Fit, Problem, solve
from skimbalance.tuner.labels._joint import fit_jointly
from skimbalance.tuner.labels._labels import Floats, Indicator, rarities
from skimbalance.tuner.labels._problem import MultilabelProblem
from skimbalance.tuner.labels._redraw import predictive_values
from skimbalance.tuner.labels._shrinkage import FEWEST_LABELS, fold_noise, shrunk

__all__ = ["CrossFitResult", "How", "tune"]


class How(NamedTuple):
    """How to estimate: what `fit_multilabel` was told of it."""

    estimate: str
    n_bootstraps: int
    confidence_level: float | None
    seed: int
    run: Run
    progress: Progress

    @property
    def crosses(self) -> bool:
        """Whether folds are fitted."""
        return self.confidence_level is not None or self.estimate == "robust"

    def in_fold(self) -> "How":
        """Return the quicker way that a fold takes, in which it is alone."""
        return self._replace(n_bootstraps=max(2, self.n_bootstraps // 4), run=in_turn)


@dataclass(frozen=True, eq=False)
class CrossFitResult:
    """Offsets (L,) and how many steps they took; the share `shrinkage_factor` of each that was kept.

    `held_out` are decisions (n, L), each by offsets found without the label it is about, and `errors` half the width of
    an interval for each offset; None where no folds were fitted.
    """

    offsets: Floats
    n_iter: int
    shrinkage_factor: Floats
    held_out: Indicator | None = None
    errors: Floats | None = None


def tune(problem: MultilabelProblem, how: How, *, exactly: frozenset[int] = frozenset()) -> CrossFitResult:
    """Fit and cross-fit the offsets; labels in `exactly` come as near to their requirements as these samples allow."""
    if not problem.tunable:
        offsets = np.zeros(problem.n_labels)
        return CrossFitResult(offsets, 0, offsets + 1, *((problem.decide(offsets), offsets) if how.crosses else ()))
    if problem.metric.decomposition == "labels":
        return _tune_apart(problem, how, exactly)
    return _tune_together(problem, how, exactly)


class _Label(NamedTuple):
    """One label by itself: its offset, and those (folds,) that were fitted without each fold."""

    offset: float
    n_iter: int
    folds: Floats


def _tune_apart(problem: MultilabelProblem, how: How, exactly: frozenset[int]) -> CrossFitResult:
    """Tune each label as two classes."""
    tunable = problem.tunable
    offsets, shrinkage_factor, errors = (np.full(problem.n_labels, x) for x in (0.0, 1.0, 0.0))
    found = how.run(partial(_tune_label, problem.label(j), how, exactly=j in exactly) for j in tunable)
    how.progress(f"{problem.metric.name}: {len(found)} labels tuned")
    offsets[tunable] = [label.offset for label in found]
    n_iter = max(label.n_iter for label in found)
    if not how.crosses:
        return CrossFitResult(offsets, n_iter, shrinkage_factor)
    folds = np.stack([label.folds for label in found], axis=1)
    if how.estimate == "robust" and problem.metric.alike:
        offsets[tunable], folds = _drawn_together(problem, offsets[tunable], folds)
    judged = how.run(partial(_judged, problem.label(j), each, how) for j, each in zip(tunable, folds.T, strict=True))
    shrinkage_factor[tunable] = [share for share, _ in judged]
    held_out = problem.decide(0 * offsets)
    for j, (_, decisions) in zip(tunable, judged, strict=True):
        held_out[problem.samples(j), j] = decisions
    if how.confidence_level is not None:
        errors[tunable] = jackknife_error(folds, level=how.confidence_level)
    return CrossFitResult(shrinkage_factor * offsets, n_iter, shrinkage_factor, held_out, errors)


def _tune_label(two: Problem, how: How, *, exactly: bool) -> _Label:
    two = two.in_order()
    solution = _binary_fit(how._replace(run=in_turn), exactly=exactly)(two)
    folds = np.zeros((0, 2))
    if how.crosses:
        fold_fit = _binary_fit(how.in_fold(), exactly=exactly)
        folds = cross_fit(two, fold_fit, seed=how.seed, run=in_turn).offsets
    return _Label(float(solution.offsets[1] - solution.offsets[0]), solution.n_iter, folds[:, 1] - folds[:, 0])


def _judged(two: Problem, folds: Floats, how: How) -> tuple[float, npt.NDArray[np.bool_]]:
    """Return how much of a label's offset to believe, and decisions (n,), each by the offset found without its fold."""
    order = two.sample_order
    two = two.take(order)
    fold_of, pairs = folds_along(two, seed=how.seed), np.stack([-folds / 2, folds / 2], axis=1)
    crossed = CrossFit(two, two.truth.likeliest, two.truth.weights, fold_of, pairs, how.seed)
    shrinkage_factor = crossed.shrinkage_factor() if how.estimate == "robust" and not two.requirements else 1.0
    return shrinkage_factor, crossed.decisions(shrinkage_factor=shrinkage_factor)[np.argsort(order)] == 1


def _drawn_together(problem: MultilabelProblem, offsets: Floats, folds: Floats) -> tuple[Floats, Floats]:
    """Shrink the offsets of all labels, and of each fold, but for labels that have requirements to meet."""
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


def _binary_fit(how: How, *, exactly: bool) -> Fit:
    if how.estimate == "empirical" or exactly:
        return partial(solve, seed=how.seed)
    if how.estimate == "plugin":
        return plugin
    return partial(robust, n_bootstraps=how.n_bootstraps, seed=how.seed, run=how.run)


def _tune_together(problem: MultilabelProblem, how: How, exactly: frozenset[int]) -> CrossFitResult:
    """Tune all labels at once."""
    offsets, n_iter = _fit_together(problem, how, exactly)
    how.progress(f"{problem.metric.name}: {len(problem.tunable)} labels tuned together")
    ones = np.ones(problem.n_labels)
    if not how.crosses:
        return CrossFitResult(offsets, n_iter, ones)
    fold_of = _row_folds(problem, seed=how.seed)
    n_folds = int(fold_of.max()) + 1
    jobs = (partial(_fit_outside, problem, how.in_fold(), exactly, fold_of != fold) for fold in range(n_folds))
    folds = np.stack(how.run(jobs))
    how.progress(f"{problem.metric.name}: fitted without each of {n_folds} folds of the rows")
    shrinkage_factor = 1.0
    if how.estimate == "robust" and not any(problem.requirements):
        shrinkage_factor = _shrinkage_factor(problem, fold_of, folds, seed=how.seed)
    errors = np.zeros(problem.n_labels)
    if how.confidence_level is not None:
        errors = jackknife_error(folds, level=how.confidence_level)
    held_out = _decided(problem, fold_of, shrinkage_factor * folds)
    return CrossFitResult(shrinkage_factor * offsets, n_iter, shrinkage_factor * ones, held_out, errors)


def _fit_together(problem: MultilabelProblem, how: How, exactly: frozenset[int]) -> tuple[Floats, int]:
    offsets, n_iter = fit_jointly(
        problem, estimate=how.estimate, n_bootstraps=how.n_bootstraps, seed=how.seed, run=how.run
    )
    if how.estimate == "empirical":  # comes as near to them as can be by itself
        return offsets, n_iter
    for j in exactly.intersection(problem.tunable):
        nearest = solve(problem.label(j), seed=how.seed).offsets
        offsets[j] = nearest[1] - nearest[0]
    return offsets, n_iter


def _fit_outside(
    problem: MultilabelProblem, how: How, exactly: frozenset[int], outside: npt.NDArray[np.bool_]
) -> Floats:
    return _fit_together(problem.take(np.flatnonzero(outside)), how, exactly)[0]


def _row_folds(problem: MultilabelProblem, *, seed: int) -> npt.NDArray[np.int64]:
    """Return the fold of each sample; samples are spread evenly by the rarest label that they carry."""
    return folds_of(rarities(problem.present), problem.groups, n_classes=problem.n_labels, seed=seed)


def _decided(problem: MultilabelProblem, fold_of: npt.NDArray[np.int64], offsets: Floats) -> Indicator:
    """Decide each sample by the offsets (folds, L) found without its fold."""
    return problem.decide(offsets[fold_of])


def _shrinkage_factor(problem: MultilabelProblem, fold_of: npt.NDArray[np.int64], folds: Floats, *, seed: int) -> float:
    """Return the share of the offsets to keep: see `CrossFit.shrinkage_factor`."""
    merit, none = problem.metric.merit, _decided(problem, fold_of, 0 * folds)

    def factor_for(shrinkage_factor: float) -> float:
        scaled = _decided(problem, fold_of, shrinkage_factor * folds)
        gain = merit(problem.value(scaled)) - merit(problem.value(none))
        posterior_predictive = predictive_values(problem, scaled, none, seed=seed)
        return factor_for_gain(gain, (merit(after) - merit(before) for after, before in posterior_predictive))

    return shrinkage_factor_for(factor_for)
