"""Offsets for unseen data: most of the loss there comes from the variance of the optimum, which is reduced here.

Two estimates with different errors are averaged. The optimum for calibrated soft labels has no noise of single labels,
but the errors of the calibration. The median optimum over Bayesian bootstraps of half-soft labels has little of either.
Multiclass offsets are shrunk towards the best multiple of `-log prior`, which is one number.
"""

from collections.abc import Iterator
from functools import partial
from typing import cast

import numpy as np

from skimbalance._core.array_api import bring, count_codes, device, flat, namespace, put, smallest_normal, to_numpy
from skimbalance._core.decision import centred
from skimbalance._core.typing import Array
from skimbalance.estimation._calibration import MergedProblem, calibrated_shares, condensed
from skimbalance.estimation.spec import FitSpec
from skimbalance.metrics.counts import SoftTruth, Truth
from skimbalance.solvers import Problem, Solution, ascend, prior_offsets

__all__ = ["bootstrap_weights", "plugin", "robust"]

_TAUS = tuple(tau / 8 for tau in range(17))

_CELLS_FOR_ALL_BOOTSTRAPS = 400_000
"""Where there is much to average over already, fewer bootstraps do."""

_LEAST_GAIN = 0.01
"""The plug-in ends where a sweep gains less than this share of the metric: what is left is noise, and takes long."""


def plugin(problem: Problem, spec: FitSpec) -> Solution:
    """Return the optimum for calibrated soft labels."""
    sample = condensed(problem)
    found = _optimum(_soft(sample, calibrated_shares(sample)), spec, least_gain=_LEAST_GAIN)
    return problem.solved(found.offsets, n_iter=found.n_iter)


def robust(problem: Problem, spec: FitSpec) -> Solution:
    """Return the mean of the plug-in and the bootstrapped optimum, shrunk to the best multiple of `-log prior`."""
    sample = condensed(problem)
    shares = calibrated_shares(sample)
    plug = _optimum(_soft(sample, shares), spec)
    mixed = _soft(sample, _half_soft(shares, sample))  # the shares themselves are overwritten
    # Binary problems have no other offsets than the multiples of -log prior, and one search finds the best of them.
    several = problem.n_classes > 2
    multiple = _best_multiple(mixed) if several else plug.offsets
    start = ascend(mixed, multiple).offsets if several else multiple
    weights = bootstrap_weights(sample, count=_affordable(problem, spec.n_bootstraps), seed=spec.seed)
    drawn = spec.run(partial(_reweighted, mixed, w, start) for w in weights)
    spec.progress(f"{problem.metric.name}: {len(drawn)} bootstraps of half-soft labels")
    offsets = (centred(plug.offsets) + _median(drawn)) / 2
    if several:
        offsets = _shrunk(offsets, towards=centred(multiple), drawn=drawn)
    return problem.solved(centred(offsets), n_iter=plug.n_iter)


def _soft(sample: MergedProblem, shares: Array) -> Problem:
    return sample.problem.with_truth(Truth.from_shares(shares, weights=sample.truth.weights))


def _half_soft(shares: Array, sample: MergedProblem) -> Array:
    """Return the mean of `shares` (K, n) and the labels, in place where the library allows it."""
    xp, n_samples = namespace(shares), shares.shape[1]
    own = xp.astype(sample.truth.codes, xp.int64) * n_samples + xp.arange(n_samples, device=device(shares))
    values = flat(shares)
    values = put(values, own, values[own] + 1)
    values /= 2
    return xp.reshape(values, shares.shape)


def _optimum(problem: Problem, spec: FitSpec, *, least_gain: float = 0.0) -> Solution:
    """Return the optimum that the best multiple of `-log prior` leads to."""
    none = bring(problem.truth.support * 0, to=problem.scores, dtype=problem.scores.dtype)
    start = none if problem.n_classes == 2 else _best_multiple(problem)
    found = ascend(problem, start, least_gain=least_gain)
    spec.progress(f"{problem.metric.name} of soft labels: {found.n_iter} sweeps, objective {found.objective_value:.6g}")
    return found


def _reweighted(problem: Problem, weights: Array, start: Array) -> Array:
    truth = cast(SoftTruth, problem.truth)
    return centred(ascend(problem.with_truth(truth.weighted(weights)), start).offsets)


def _median(drawn: list[Array]) -> Array:
    """Return the median (K,) of several offsets: one draw far out moves nothing."""
    xp = namespace(drawn[0])
    ordered = xp.sort(xp.stack(drawn), axis=0)
    return (ordered[(len(drawn) - 1) // 2, :] + ordered[len(drawn) // 2, :]) / 2


def _shrunk(offsets: Array, *, towards: Array, drawn: list[Array]) -> Array:
    """Shrink the offset of each class by the share that is noise: empirical Bayes, as Efron and Morris (1975) do.

    The deviations of the classes are taken to vary as much as they do in the mean; half of each label is soft, so that
    whole labels would have four times the variance of the bootstraps.
    """
    xp = namespace(offsets)
    deviations = offsets - towards
    spread = xp.mean(deviations * deviations)
    noise = 4 * xp.var(xp.stack(drawn), axis=0, correction=1)
    return towards + deviations * spread / (spread + noise + smallest_normal(offsets))


def _affordable(problem: Problem, n_bootstraps: int) -> int:
    cells = int(problem.scores.shape[0]) * problem.n_classes
    if problem.n_classes == 2 or cells <= _CELLS_FOR_ALL_BOOTSTRAPS:
        return n_bootstraps
    return max(2, n_bootstraps * _CELLS_FOR_ALL_BOOTSTRAPS // cells)


def _best_multiple(problem: Problem) -> Array:
    """Return the best multiple of `-log prior` on a grid, the smallest of equals."""
    support = problem.truth.support
    offsets = [bring(prior_offsets(support, tau=tau), to=problem.scores, dtype=problem.scores.dtype) for tau in _TAUS]
    return max(offsets, key=problem.objective_value)


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
