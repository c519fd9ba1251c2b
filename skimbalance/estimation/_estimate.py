"""From a problem to offsets by the estimate that the user names, and to their expected score on unseen data."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import cast

import numpy as np

from skimbalance._core.array_api import (
    bring,
    count_codes,
    device,
    flat,
    flat_places,
    namespace,
    put,
    smallest_normal,
    to_numpy,
)
from skimbalance._core.decision import centred
from skimbalance._core.typing import Array
from skimbalance.estimation._bootstrap_bounds import shortfalls, slack_of, tightened_by
from skimbalance.estimation._calibration import Calibration, calibrated_shares
from skimbalance.estimation._certify import Guarantee
from skimbalance.estimation._condense import MergedProblem, condensed, order_to_condense
from skimbalance.estimation._cross_fit import (
    cross_fit,
    folds_along,
    jackknife_error,
)
from skimbalance.estimation._draws import Codes
from skimbalance.estimation._split import can_split, estimate_by_split, nearest
from skimbalance.estimation._tighten import ROUNDS, Tightened, cut_tests, following, guarantees_of, tighten
from skimbalance.estimation.spec import CrossFitResult, FitSpec
from skimbalance.metrics.counts import SoftTruth
from skimbalance.solvers import (
    Fit,
    Problem,
    Search,
    Solution,
    Solver,
    default_budget,
    fewer,
    fit_present_classes,
    get_solver,
    is_ordered,
    is_searched_nearby,
    local_optimum,
    objective_value,
    optimum_of_fewer,
    prior_offsets,
    satisfy_shares,
    solve,
)

__all__ = [
    "ESTIMATES",
    "Estimate",
    "bootstrap_weights",
    "claimed_near",
    "cross_fits",
    "estimate",
    "fit_of",
    "half_soft",
    "plugin",
    "robust",
    "shrinks",
    "tighten_for",
]

_TAU_STEP, _LEAST_TAU_STEP = 0.5, 0.125
_TAUS = tuple(_TAU_STEP * number for number in range(-4, 5))
"""Multiples of `-log prior`, from -2 to 2, and the steps of the grid. Models that were trained with balanced classes
need negative ones."""

_CELLS_OF_FEWEST = 200_000
"""The best multiple of `-log prior`, where an ascent starts, is chosen on a subsample of about so many scores."""

_CELLS_FOR_ALL_BOOTSTRAPS = 400_000
"""Where there is much to average over already, fewer bootstraps do."""

_OF_ERROR = 0.1
"""The ascents of the default end where a sweep gains less than this share of the sampling error `1 / sqrt(n)`, if there
are many scores. With few samples a full search generalises a little better."""

_LEAST_GAIN = 0.01
"""The plug-in ends where a sweep gains less than this share of the metric: what is left is noise, and takes long."""


def plugin(problem: Problem, spec: FitSpec) -> Solution:
    """Return the optimum for calibrated soft labels."""
    sample = condensed(problem)
    offsets, n_iter = _optimum(_soft(sample, calibrated_shares(sample, near=spec.near)), spec, least_gain=_LEAST_GAIN)
    found = problem.solved(centred(offsets), n_iter=n_iter)
    spec.progress(f"{problem.metric.name} with calibrated probabilities: {problem.shown(found.counts)}")
    return found


def robust(problem: Problem, spec: FitSpec) -> Solution:
    """Return the mean of the plug-in and of the bootstrapped optimum, without what is noise of the bootstraps."""
    sample = condensed(problem)
    shares = calibrated_shares(sample, near=spec.near)
    is_large = is_searched_nearby(problem)
    least_gain = _OF_ERROR / math.sqrt(sample.n_samples) if is_large else 0.0
    plug, n_iter = _optimum(_soft(sample, shares), spec, least_gain=least_gain)
    mixed = _halfway(sample, shares)  # the shares themselves are overwritten
    start = plug
    if problem.n_classes > 2:  # in the binary case one search finds the optimum from anywhere
        start = start if is_large else _best_multiple(mixed, prior_offsets(mixed.truth.support))
        start, _ = local_optimum(mixed, start, least_gain=least_gain, nearby=True)
    mixed.known.pop("pairs", None)  # bootstraps find those at their start, wherever they run
    count = _affordable(problem, spec.n_bootstraps)
    weights = bootstrap_weights(sample, count=count, seed=spec.seed)
    jobs = (partial(_reweighted, mixed, w, start, least_gain) for w in weights)
    drawn = spec.run_steps(jobs, name="bootstrap", total=count)
    offsets = centred(plug)
    deviations = _median(drawn) - offsets
    if not problem.requirements:  # bounds are to hold on these samples as well
        deviations = _without_noise(deviations, drawn)
    found = problem.solved(centred(offsets + deviations / 2), n_iter=n_iter)
    spec.progress(f"{problem.metric.name} with {count} bootstraps: {problem.shown(found.counts)}")
    return found


def _soft(sample: MergedProblem, shares: Array) -> Problem:
    return sample.problem.with_truth(sample.truth.softened(shares))


def half_soft(problem: Problem, *, near: Calibration | None = None) -> Problem:
    """Return the problem with the means of the labels and of their calibrated probabilities in place of labels.

    The probability of a class without samples is zero.
    """
    kept = np.flatnonzero(to_numpy(problem.truth.support) > 0)
    present = problem if kept.size == problem.n_classes else problem.restricted(kept.tolist())
    shares = Calibration.of(condensed(present), near=near).shares(present.scores)
    if present is not problem:
        shares = bring(np.eye(problem.n_classes)[:, kept], to=shares, dtype=shares.dtype) @ shares
    return _halfway(MergedProblem(problem, None), shares)


def _halfway(sample: MergedProblem, shares: Array) -> Problem:
    """Return the problem of the means of the labels and of `shares` (K, n), in place where the library allows it."""
    own, values = flat_places(sample.truth.codes), flat(shares)
    values = put(values, own, values[own] + 1)
    values /= 2
    return _soft(sample, namespace(shares).reshape(values, shares.shape))


def _optimum(problem: Problem, spec: FitSpec, *, least_gain: float) -> tuple[Array, int]:
    """Return the optimum that the best multiple of `-log prior` leads to, and the number of sweeps."""
    start, is_optimum_of_few = _start(problem, least_gain=least_gain)
    offsets, n_iter = local_optimum(problem, start, least_gain=least_gain, nearby=is_optimum_of_few)
    spec.progress(f"{problem.metric.name} of soft labels: {n_iter} {'sweep' if n_iter == 1 else 'sweeps'}")
    return offsets, n_iter


def _start(problem: Problem, *, least_gain: float) -> tuple[Array, bool]:
    """Return the best multiple of `-log prior`, or of many samples the optimum of few; and whether it is that."""
    if problem.n_classes == 2:
        return bring(problem.truth.support * 0, to=problem.scores, dtype=problem.scores.dtype), False
    # The class priors are those of all samples: the subsample may have next to nothing of a class.
    prior = to_numpy(prior_offsets(problem.truth.support))
    fewest = fewer(problem, n_scores=_CELLS_OF_FEWEST)
    start = _best_multiple(fewest, prior)
    return optimum_of_fewer(problem, start, least_gain=least_gain)


def _reweighted(problem: Problem, weights: Array, start: Array, least_gain: float) -> Array:
    truth = cast(SoftTruth, problem.truth)
    drawn = problem.with_truth(truth.weighted(weights))
    return centred(local_optimum(drawn, start, least_gain=least_gain, nearby=True)[0])


def _median(drawn: list[Array]) -> Array:
    """Return the median (K,) of several offsets: one draw far out moves nothing."""
    xp = namespace(drawn[0])
    ordered = xp.sort(xp.stack(drawn), axis=0)
    return (ordered[(len(drawn) - 1) // 2, :] + ordered[len(drawn) // 2, :]) / 2


def _without_noise(deviations: Array, drawn: list[Array]) -> Array:
    """Shrink the deviation of each class by the share that is noise: empirical Bayes, as Efron and Morris (1975) do.

    The deviations of all classes are assumed to have the same variance, their mean square. Half of each label is soft:
    whole labels would have four times the variance of the bootstraps. The plug-in is assumed to vary as much.
    """
    xp = namespace(deviations)
    spread = xp.mean(deviations * deviations)
    noise = 8 * xp.var(xp.stack(drawn), axis=0, correction=1)
    return deviations * spread / (spread + noise + smallest_normal(deviations))


def _affordable(problem: Problem, n_bootstraps: int) -> int:
    cells = problem.n_scores
    if problem.n_classes == 2 or cells <= _CELLS_FOR_ALL_BOOTSTRAPS:
        return n_bootstraps
    return max(2, n_bootstraps * _CELLS_FOR_ALL_BOOTSTRAPS // cells)


def _best_multiple(problem: Problem, unit: Array) -> Array:
    """Return the best multiple of `unit` (K,) on a grid that becomes finer about the best, the smallest of equals."""
    step, taus = _TAU_STEP, list(_TAUS)
    tried: dict[float, tuple[float, Array]] = {}
    while step >= _LEAST_TAU_STEP:
        for tau in taus:
            offsets = bring(tau * unit, to=problem.scores, dtype=problem.scores.dtype)
            tried[tau] = objective_value(problem, offsets), offsets
        best = max(tried, key=lambda tau: (tried[tau][0], -abs(tau)))
        step /= 2
        taus = [tau for tau in (best - step, best + step) if abs(tau) <= max(_TAUS)]
    return tried[best][1]


def bootstrap_weights(sample: MergedProblem, *, count: int, seed: int) -> Iterator[Array]:
    """Yield random weights (n,): the mean of an exponential weight for each merged sample (Rubin, 1981).

    Samples of one group have the same weight.
    """
    xp = namespace(sample.problem.scores)
    truth, rng = sample.truth, np.random.default_rng(seed)
    codes = xp.astype(truth.codes, xp.int64)
    for _ in range(count):
        weights = bring(_draw(sample, rng), to=sample.problem.scores, dtype=xp.float64)
        if truth.weights is not None:
            weights = weights * truth.weights
        totals = count_codes(codes, weights, truth.n_classes)
        yield weights * (truth.support / totals)[codes]


def _draw(sample: MergedProblem, rng: np.random.Generator) -> Array:
    """Return for each merged sample the mean of as many standard exponentials as it stands for."""
    groups = sample.problem.groups
    if groups is not None:
        return rng.exponential(size=int(groups.max()) + 1)[groups]
    if sample.sizes is None:
        return rng.exponential(size=sample.problem.scores.shape[0])
    sizes = to_numpy(sample.sizes)
    return rng.gamma(sizes) / sizes


@dataclass(frozen=True)
class Estimate:
    """A way to fit offsets for unseen data.

    `softness` is the share of each label that is replaced by its calibrated probability, where a single search takes
    the place of bootstraps. Three quarters generalise as well as bootstraps do in simulations with two and four
    classes; a half does not with four. `shrinks` is whether offsets are scaled by what they gain in cross-fitting.
    """

    fit: Callable[[Problem, FitSpec], Solution]
    softness: float
    shrinks: bool = False


def _empirical(problem: Problem, spec: FitSpec) -> Solution:
    """Return the optimum on these samples."""
    return solve(problem, seed=spec.seed, progress=spec.progress, restarts=spec.restarts)


ESTIMATES = {
    "robust": Estimate(robust, softness=0.75, shrinks=True),
    "empirical": Estimate(_empirical, softness=0.0),
    "plugin": Estimate(plugin, softness=1.0),
}
"""The estimates by name, for validation and dispatch."""


def shrinks(spec: FitSpec) -> bool:
    """Return whether offsets are scaled by what they gain in cross-fitting: a solver may ignore the estimate."""
    return ESTIMATES[spec.estimate].shrinks and get_solver(spec.solver).estimates != "none"


def cross_fits(spec: FitSpec) -> bool:
    """Return whether folds are fitted: for the score and the intervals, or for the shrinkage factor."""
    return spec.confidence_level is not None or shrinks(spec)


def estimate(problem: Problem, spec: FitSpec) -> CrossFitResult:
    """Fit the offsets, and cross-fit them; each constraint is to hold on unseen data with its confidence."""
    given = problem = problem.in_order()
    if can_split(problem, spec):
        return estimate_by_split(problem, spec, fit_of(replace(spec, restarts=False)), estimate)
    fold_of = folds_along(problem, seed=spec.seed) if cross_fits(spec) else None
    if fold_of is not None and ESTIMATES[spec.estimate].softness > 0:
        problem, fold_of = _ordered(problem, fold_of)
        given = problem
    tightened = tighten_for(spec, problem)
    problem, exactly = tightened.problem, not (tightened.achievable and tightened.tightened)
    spec = _with_calibration(spec, problem)
    fit = fit_of(spec, exactly=exactly)
    result = CrossFitResult(np.zeros(problem.n_classes), 0)
    if fold_of is not None:
        fold_fit = fit_of(spec.in_fold(), exactly=exactly)
        mixed = cache(partial(half_soft, problem, near=spec.near))
        crossed = cross_fit(problem, following(fold_fit, problem), spec, fold_of, half_soft=mixed)
        factor, optimism = 1.0, 0.0
        if shrinks(spec) and not given.requirements:
            factor, optimism = crossed.shrinkage_factor(), crossed.optimism()
        if factor < 1:
            fit = partial(_shrunk, fit, factor)
        decisions, level = crossed.decisions(factor), spec.confidence_level
        score, interval = crossed.score(decisions, level=level, optimism=optimism)
        error = None if level is None else jackknife_error(crossed.offsets, level=level)
        result = replace(
            result,
            score=score,
            score_interval=interval,
            offsets_error=error,
            held_out=crossed.count(decisions),
            shrinkage_factor=factor,
        )
    solution = satisfy_shares(problem, fit_present_classes(problem, fit))  # a class without samples has bounds too
    if exactly and problem.missed(solution.counts) == 0:
        # The search for the objective has other starts than the one for the constraints alone.
        tightened = replace(tightened, achievable=True, tightened=tightened.achievable or not any(spec.confidences))
    solution, guarantees = claimed_near(solution, tightened, given, spec)
    return replace(
        result,
        offsets=solution.offsets,
        n_iter=solution.n_iter,
        counts=solution.counts,
        required=tightened.required,
        achievable=tightened.achievable,
        achievable_with_confidence=_all_hold(guarantees)
        and (tightened.with_confidence or given.missed(solution.counts) == 0),
        guarantees=guarantees,
    )


def _ordered(problem: Problem, fold_of: Codes) -> tuple[Problem, Codes]:
    """Return the samples and their folds in an order in which `condensed` sorts no training fold."""
    order = order_to_condense(problem, fewest=len(fold_of) - int(np.bincount(fold_of).max()))
    return (problem, fold_of) if order is None else (problem.take(order), fold_of[to_numpy(order)])


def _with_calibration(spec: FitSpec, problem: Problem) -> FitSpec:
    """Return the settings with the calibration of all samples, from which those of training folds start."""
    kept = np.flatnonzero(to_numpy(problem.truth.support) > 0)
    if not cross_fits(spec) or ESTIMATES[spec.estimate].softness == 0 or kept.size < 2:
        return spec
    present = problem if kept.size == problem.n_classes else problem.restricted(kept.tolist())
    return replace(spec, near=Calibration.of(condensed(present)))


def _guarantees(problem: Problem, spec: FitSpec, solution: Solution) -> tuple[Guarantee, ...]:
    return guarantees_of(problem, spec, to_numpy(solution.offsets).astype(np.float64))


def _all_hold(guarantees: tuple[Guarantee, ...]) -> bool:
    """Return whether all constraints with a confidence are claimed."""
    return all(each.holds for each in guarantees)


def claimed_near(
    solution: Solution, tightened: Tightened, given: Problem, spec: FitSpec
) -> tuple[Solution, tuple[Guarantee, ...]]:
    """Return offsets near a solution for which all constraints are claimed, or these, and what is stated about them.

    An average of offsets, or offsets for soft labels, may violate bounds on these samples, where offsets near it do
    not. Bounds without a test are raised by what bootstraps miss.
    """
    stated = _guarantees(given, spec, solution)
    if _all_hold(stated) or not (tightened.achievable and tightened.certified):
        return solution, stated
    problem, tests = tightened.problem, cut_tests(given, spec.constraints)
    numbers = [tightened.required.index(required) for required in problem.requirements]
    for _ in range(ROUNDS):
        moved = fit_present_classes(problem, partial(nearest, to=solution.offsets))
        now = _guarantees(given, spec, moved)
        if _all_hold(now):
            return moved, now
        missed = shortfalls(given, spec, moved, tests=tests)[numbers]
        if problem.missed(moved.counts) > 0 or (missed <= 0).all():
            break
        problem = tightened_by(problem, np.where(missed > 0, np.maximum(slack_of(problem, moved) + missed, 0.0), 0.0))
    return solution, stated


def tighten_for(spec: FitSpec, problem: Problem) -> Tightened:
    """Return the problem with what its constraints need; see `tighten`."""
    return tighten(problem, spec, fit_of(replace(spec, restarts=False)))


def fit_of(spec: FitSpec, *, exactly: bool = False) -> Fit:
    """Return the function from a problem to a solution that estimate and solver name.

    `exactly` takes the labels as they are, whatever the estimate: only that comes nearest to the constraints. Bounds on
    predicted shares hold on the samples of the fit in any case.
    """
    estimate = ESTIMATES["empirical" if exactly else spec.estimate]
    solver = get_solver(spec.solver)
    if solver.estimates == "ascents":
        return lambda problem: satisfy_shares(problem, estimate.fit(problem, spec))
    softness = estimate.softness if solver.estimates == "soft_labels" else 0.0
    search = partial(_searched, spec=spec, solver=solver, softness=softness)
    return lambda problem: satisfy_shares(problem, search(problem))


def _shrunk(fit: Fit, factor: float, problem: Problem) -> Solution:
    """Fit offsets, and shrink them."""
    solution = fit(problem)
    return problem.solved(factor * solution.offsets, n_iter=solution.n_iter)


_LESS_IN_FOLDS, _FEWEST = 4, 10
"""In a fold a search takes a quarter of the evaluations, and ten at least."""


def _searched(problem: Problem, spec: FitSpec, *, solver: Solver, softness: float) -> Solution:
    """Return the best offsets that a solver finds for labels of this softness.

    A random search depends on the order of the columns, which here depends on what the classes are.
    """
    run = partial(solver.run, seed=spec.seed, restarts=spec.restarts, progress=spec.progress)
    if solver.search is None and softness == 0:
        return run(problem)
    if spec.is_fold and solver.search is not None:
        budget = solver.search.budget or default_budget(problem)
        fewer = get_solver(Search(solver.search.method, budget=max(_FEWEST, budget // _LESS_IN_FOLDS)))
        run = partial(fewer.run, seed=spec.seed, restarts=spec.restarts)
    order = problem.class_order[::-1]
    moved = is_ordered(problem.scores) and bool((np.diff(order) < 0).any())
    ordered = problem.restricted(order.tolist()) if moved else problem
    sought = ordered if softness == 0 else _softened(condensed(ordered), softness, near=None if moved else spec.near)
    found = run(sought)
    if sought is problem:
        return found
    places = np.argsort(order) if moved else np.arange(problem.n_classes)
    offsets = found.offsets[bring(places, to=found.offsets)]
    return problem.solved(offsets, n_iter=found.n_iter)


def _softened(sample: MergedProblem, softness: float, *, near: Calibration | None) -> Problem:
    """Return the problem of labels that are calibrated probabilities by the share `softness`, and hard by the rest."""
    scores, truth = sample.problem.scores, sample.truth
    xp = namespace(scores)
    every = xp.arange(scores.shape[1], device=device(scores))
    hard = xp.astype(xp.astype(truth.codes, xp.int64)[None, :] == every[:, None], scores.dtype)
    shares = softness * calibrated_shares(sample, near=near) + (1 - softness) * hard
    return sample.problem.with_truth(truth.softened(shares))
