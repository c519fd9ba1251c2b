"""Offsets of labels, fitted and cross-fitted: label by label, or together where the metric ties labels together."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
from scipy.sparse import csr_array

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
    following,
    half_soft,
    independent_weights,
    jackknife_error,
    prediction_interval,
    shrinks,
)
from skimbalance.estimation._draws import Kinds, draw_mass, merged
from skimbalance.solvers import Problem, Solution
from skimbalance.tuner.labels._joint import fit_jointly
from skimbalance.tuner.labels._metrics import SamplesMean
from skimbalance.tuner.labels._problem import MultilabelProblem
from skimbalance.tuner.labels._truth import Codes, Floats, Indicator, LabelTruth, rarities

__all__ = ["LabelCrossFit", "estimate_labels", "fold_noise", "predictive_values", "score_of", "shrunk"]

_Exactly = frozenset[int]
"""Labels whose constraints no offset satisfies: they get the offset that comes nearest to them on these samples."""

_FEWEST_LABELS = 4
"""A line through fewer labels is not reliable."""

_SHARE = 0.25
"""Share of the jackknife's variance that is attributed to noise. Folds are fitted with fewer bootstraps, and the
jackknife overestimates the variance of optima that jump. A tenth to a half did about as well on the data sets tried."""

_CELLS_AT_ONCE = 5_000_000

_PRIOR = 0.5
"""Half a sample is added to each cell of each label's confusion matrix (Jeffreys): no rate of few samples is certain.
Of grouped samples it is half the weight of an independent sample."""


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
    jobs = (partial(_estimate_label, problem.label(j), spec, exactly=j in exactly) for j in tunable)
    solutions, orders, of_folds = zip(*spec.run_steps(jobs, name="label", total=len(tunable)), strict=True)
    spec.progress(f"{problem.metric.name}: {len(solutions)} labels fitted")
    offsets, factors, errors = (np.full(problem.n_labels, x) for x in (0.0, 1.0, 0.0))
    offsets[tunable] = [float(solution.offsets[1] - solution.offsets[0]) for solution in solutions]
    n_iter = max(solution.n_iter for solution in solutions)
    if not cross_fits(spec):
        return CrossFitResult(offsets, n_iter, shrinkage_factor=factors)
    folds = np.stack([each.offsets[:, 1] - each.offsets[:, 0] for each in of_folds], axis=1)
    if shrinks(spec) and problem.metric.alike:
        offsets[tunable], folds = _shrunk_together(problem, offsets[tunable], folds)
    pairs = zip(of_folds, folds.T, strict=True)
    crossed = [replace(each, offsets=np.stack([-own / 2, own / 2], axis=1)) for each, own in pairs]
    decided = problem.decide(0 * offsets)
    scaled = spec.run(partial(_scaled_decisions, each, spec) for each in crossed)
    for j, order, (factor, codes) in zip(tunable, orders, scaled, strict=True):
        factors[j] = factor
        decided[problem.samples(j), j] = codes[np.argsort(order)] == 1
    if spec.confidence_level is not None:
        errors[tunable] = jackknife_error(folds, level=spec.confidence_level)
    return CrossFitResult(factors * offsets, n_iter, decisions=decided, offsets_error=errors, shrinkage_factor=factors)


def _estimate_label(binary: Problem, spec: FitSpec, *, exactly: bool) -> tuple[Solution, Codes, ClassCrossFit | None]:
    """Return the solution of one label, the order in which its samples were fitted, and its folds."""
    order = binary.sample_order
    binary, spec = binary.take(order), spec.within_step()
    crossed = None
    if cross_fits(spec):
        fold_of = folds_along(binary, seed=spec.seed)
        fold_fit = following(fit_of(spec.in_fold(), exactly=exactly), binary)
        crossed = cross_fit(binary, fold_fit, spec, fold_of, half_soft=cache(partial(half_soft, binary)))
    return fit_of(spec, exactly=exactly)(binary), order, crossed


def _scaled_decisions(crossed: ClassCrossFit, spec: FitSpec) -> tuple[float, Codes]:
    """Return the shrinkage factor of a label, and the decisions (n,) of its validation folds."""
    is_free = not crossed.problem.requirements and crossed.problem.limits is None
    factor = crossed.shrinkage_factor() if shrinks(spec) and is_free else 1.0
    return factor, crossed.decisions(factor)


def _shrunk_together(problem: MultilabelProblem, offsets: Floats, folds: Floats) -> tuple[Floats, Floats]:
    """Shrink the offsets of all labels, and those of each fold (folds, L), except for labels with constraints."""
    free = np.array([not problem.is_constrained(j) for j in problem.tunable], dtype=bool)
    if np.count_nonzero(free) < _FEWEST_LABELS:
        return offsets, folds
    fewest = problem.n_independent.min(axis=0)[problem.tunable][free]
    noise = fold_noise(folds[:, free], fewest.astype(np.float64))
    counts = problem.truth.count(problem.truth.indicator)
    present, total = (sums[problem.tunable][free] for sums in (counts.support, counts.total))
    absent = np.maximum(total - present, np.finfo(np.float64).eps * total)  # the difference may be lost in rounding
    offsets, folds, log_odds = offsets.copy(), folds.copy(), np.log(present / absent)
    for each in (offsets, *folds):
        each[free] = shrunk(each[free], noise=noise, log_odds=log_odds)
    return offsets, folds


def fold_noise(folds: Floats, sizes: Floats) -> Floats:
    """Return the noise variance (L,) of offsets (folds, L): the jackknife's, taken to depend on `sizes` (L,) alone.

    Of five folds the variance of a single label is little more than a guess; that of all of them is not.
    """
    n_folds = len(folds)
    jackknife = (n_folds - 1) ** 2 / n_folds * folds.var(axis=0, ddof=1)
    noise: Floats = _SHARE * np.mean(jackknife * sizes) / sizes
    return noise


def shrunk(offsets: Floats, *, noise: Floats, log_odds: Floats) -> Floats:
    """Shrink offsets (L,) by the share that is noise towards a line in prior log-odds (L,): empirical Bayes.

    Classifiers err alike on labels that are alike in frequency. The deviations from the line are taken to vary as much
    for every label, as Efron and Morris (1975) do.
    """
    columns = np.stack([np.ones_like(log_odds), log_odds], axis=1)
    steady = 1 / np.sqrt(noise + offsets.var() + np.finfo(np.float64).tiny)
    line = columns @ np.linalg.lstsq(columns * steady[:, None], offsets * steady)[0]
    deviations = offsets - line
    spread = np.mean(deviations**2)
    kept: Floats = line + deviations * spread / (spread + noise + np.finfo(np.float64).tiny)
    return kept


def _estimate_together(problem: MultilabelProblem, spec: FitSpec, exactly: _Exactly) -> CrossFitResult:
    """Fit all labels at once."""
    offsets, n_iter = fit_jointly(problem, spec, exactly)
    spec.progress(f"{problem.metric.name}: {len(problem.tunable)} labels fitted together")
    factors = np.ones(problem.n_labels)
    if not cross_fits(spec):
        return CrossFitResult(offsets, n_iter, shrinkage_factor=factors)
    # Folds are stratified by the label of each sample that the fewest samples carry.
    fold_of = folds_of(rarities(problem.truth.present), problem.groups, n_classes=problem.n_labels, seed=spec.seed)

    def fit_outside(outside: Indicator) -> Floats:
        return fit_jointly(problem.take(np.flatnonzero(outside)), spec.in_fold(), exactly)[0]

    folds = np.stack(fit_folds(fold_of, fit_outside, spec=spec))
    crossed = LabelCrossFit(problem, fold_of, folds, spec.seed)
    is_free = not any(map(problem.is_constrained, range(problem.n_labels)))
    factor = crossed.shrinkage_factor() if shrinks(spec) and is_free else 1.0
    level = spec.confidence_level
    return CrossFitResult(
        factor * offsets,
        n_iter,
        decisions=crossed.decisions(factor),
        offsets_error=0 * factors if level is None else jackknife_error(folds, level=level),
        shrinkage_factor=factor * factors,
    )


@dataclass(frozen=True, eq=False)
class LabelCrossFit(CrossFit):
    """Cross-fitted offsets (folds, L) of labels that are fitted together."""

    problem: MultilabelProblem
    fold_of: Codes
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
    metric = problem.metric
    score = metric.expected_score(problem.truth, decisions, n_positive=problem.n_independent[1])
    if level is None:
        return score, None
    tail, order = (1 - level) / 2, problem.label_order
    each = predictive_values(problem.of_labels(order), decisions[:, order], seed=seed, anew=True, tail=tail)
    drawn = [value for (value,) in each]
    return score, prediction_interval(score, drawn, tail=tail, bounds=metric.bounds, groups=problem.groups)


def predictive_values(
    problem: MultilabelProblem, *decisions: Indicator, seed: int, anew: bool = False, tail: float = 0.05
) -> Iterator[tuple[float, ...]]:
    """Yield the metric of each of `decisions` under Bayesian bootstraps of the samples, or of unseen ones.

    A sample keeps all its labels. With `anew` the metric is that of as many unseen samples, which varies twice as much.
    Samples of one group share a weight, or a number of copies.
    """
    truth = problem.truth
    known = [] if truth.known is None else [truth.known]
    packed = np.packbits(np.concatenate([truth.indicator, *decisions, *known], axis=1), axis=1)
    keys = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1])))[:, 0]
    kinds = merged(keys, truth.weights, problem.groups)
    of_kinds, chosen = replace(truth.take(kinds.example), weights=None), [each[kinds.example] for each in decisions]
    unit = _independent_mass(problem, kinds, of_kinds, chosen[0])
    fixed = np.setdiff1d(np.arange(problem.n_labels), problem.tunable)
    at_once = max(1, _CELLS_AT_ONCE // max(len(kinds.example), len(kinds.sizes)))
    rng = np.random.default_rng(seed)
    for mass in draw_mass(kinds, rng, tail=tail, anew=anew, at_once=at_once):
        # True positives, misses, true negatives and false positives (4, draws, L) of the labels that can be tuned.
        added = rng.gamma(_PRIOR, size=(4, len(mass), problem.n_labels))
        added = rng.poisson(added).astype(np.float64) if anew else added
        added[:, :, fixed] = 0
        added = unit * added
        each = (problem.metric.posterior_predictive(of_kinds, one, mass, added) for one in chosen)
        yield from zip(*each, strict=True)


def _independent_mass(
    problem: MultilabelProblem, kinds: Kinds, truth: LabelTruth, decisions: Indicator
) -> float | Floats:
    """Return the weight of an independent sample; in groups (4, 1, L), one for each cell of the confusion matrix."""
    mean = 1.0 if problem.truth.weights is None else float(problem.truth.weights.mean())
    if kinds.groups is None:
        return mean

    def independent(hits: Floats, totals: Floats) -> Floats:
        return independent_weights(*(csr_array(kinds.groups @ each) for each in (hits, totals)))

    if isinstance(problem.metric, SamplesMean):
        weights = problem.metric.sample_weights(truth)
        judged = np.ones((len(decisions), 1)) if weights is None else weights[:, None]
        worth = problem.metric.of_samples(truth, decisions)[:, None]
        return max(mean, float(independent(judged * worth, judged)[0]))
    absent, present = (
        independent((owned & right).astype(np.float64), owned.astype(np.float64))
        for owned, right in ((truth.without_unknown(~truth.indicator), ~decisions), (truth.present, decisions))
    )
    return np.stack([present, present, absent, absent])[:, None, :]
