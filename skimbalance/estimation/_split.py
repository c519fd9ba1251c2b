"""Multiclass offsets that are fitted on one part of the samples, and certified on the other.

Offsets for bounds that are raised ever less are a path, fixed before the other part is seen. Along it all bounds are
tested at their own level, from the safest offsets on, until a test fails. Then the last offsets that passed satisfy all
bounds with the confidence: Laufer-Goldman, Fisch, Barzilay and Jaakkola, *Efficiently controlling multiple risks with
Pareto testing*, ICLR 2023.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, namespace, to_numpy
from skimbalance._core.typing import Array
from skimbalance.estimation._bootstrap_bounds import tightened_by
from skimbalance.estimation._draws import Floats
from skimbalance.estimation._tighten import cut_tests, guarantees_of, required_rates
from skimbalance.estimation.spec import CrossFitResult, FitSpec
from skimbalance.metrics.counts import HardTruth
from skimbalance.solvers import Fit, Problem, Solution, ascend, demanding, fit_present_classes, satisfy_shares, solve

__all__ = ["can_split", "estimate_by_split", "nearest"]

_STEPS = (2.0, 1.5, 1.25, 1.0, 0.75, 0.5, 0.25, 0.0)
"""Bounds are raised by so many times what the tests on the other part need on average."""

Estimator = Callable[[Problem, FitSpec], CrossFitResult]


def can_split(problem: Problem, spec: FitSpec) -> bool:
    """Return whether `certify_on` is set and has an effect: binary bounds are exact without."""
    return spec.certify_on is not None and problem.n_classes > 2 and bool(cut_tests(problem, spec.constraints))


def estimate_by_split(problem: Problem, spec: FitSpec, fit: Fit, estimate: Estimator) -> CrossFitResult:
    """Fit a path of offsets on a part of the samples by `fit`, and return the last that the rest certifies.

    `estimate` cross-fits the part. Bounds on predicted shares hold on all samples.
    """
    fitted, rest = _parts(problem, cast(float, spec.certify_on), seed=spec.seed)
    last, chosen, certified, moved = None, fitted, False, False
    for raised in _path(fitted, required_rates(rest, spec, cut_tests(rest, spec.constraints, fixed=True))):
        solution = fit_present_classes(raised, fit)
        if raised.missed(solution.counts) > 0:
            solution = fit_present_classes(raised, partial(nearest, to=solution.offsets))
        if raised.missed(solution.counts) > 0 and raised.requirements != fitted.requirements:
            continue  # the path starts with offsets that satisfy the raised bounds
        start = problem.solved(solution.offsets, n_iter=solution.n_iter)
        solution = satisfy_shares(problem, start)
        moved = moved or solution is not start
        stated = guarantees_of(rest, spec, to_numpy(solution.offsets).astype(np.float64), fixed=True)
        if moved:  # the scores of the other part then have an influence on the path
            stated = tuple(replace(each, kind="approximate") for each in stated)
        holds = all(each.holds for each in stated)
        if last is None or holds:
            last, chosen, certified = (solution, stated), raised, holds
        if not holds:
            break
    assert last is not None  # the end of the path is always tried
    solution, stated = last
    plain = replace(spec, certify_on=None, constraints=[replace(each, confidence=None) for each in spec.constraints])
    return replace(
        estimate(chosen, plain),
        offsets=solution.offsets,
        n_iter=solution.n_iter,
        counts=solution.counts,
        required=problem.requirements,
        achievable_with_confidence=certified,
        guarantees=stated,
    )


def _path(problem: Problem, needed: Floats) -> Iterator[Problem]:
    """Yield the problem with bounds that are tightened ever less, by multiples of `needed` (J, 2), at last by none."""
    for step in _STEPS:
        yield tightened_by(problem, step * needed) if step > 0 else problem


def nearest(problem: Problem, *, to: Array) -> Solution:
    """Return the offsets that an ascent reaches from others, or the best ones where classes are missing.

    Of a black-box metric, which no ascent can follow, they are the best by accuracy that satisfy the constraints.
    """
    if problem.metric.decomposition == "general":
        found = nearest(demanding(problem, *problem.requirements), to=to)
        return problem.solved(found.offsets, n_iter=found.n_iter)
    if problem.n_classes < to.shape[0]:
        return solve(problem, restarts=False)
    return ascend(problem, to)


def _parts(problem: Problem, share: float, *, seed: int) -> tuple[Problem, Problem]:
    """Return a random part of each class, and the rest, of about `share` of the samples; groups stay whole."""
    codes = to_numpy(cast(HardTruth, problem.truth).codes).astype(np.int64)
    held = np.zeros(len(codes), dtype=np.bool_)
    shuffled = np.random.default_rng(seed).permutation
    if problem.groups is None:
        for k in range(problem.n_classes):
            own = np.flatnonzero(codes == k)
            held[shuffled(own)[: round(share * own.size)]] = True
    else:
        groups = np.unique(problem.groups)
        held = np.isin(problem.groups, shuffled(groups)[: round(share * groups.size)])
    n_fitted = np.count_nonzero(~held) if problem.groups is None else len(np.unique(problem.groups[~held]))
    if not held.any() or n_fitted < 2 or len(np.unique(codes[~held])) < 2:
        what = "samples" if problem.groups is None else "groups"
        raise ValueError(
            f"certify_on={share:g} must leave two {what} of different classes to fit on, and one to test on; got "
            f"{n_fitted} {what} to fit on and {np.count_nonzero(held)} samples to test on. Use certify_on=None"
        )

    def part(mask: npt.NDArray[np.bool_]) -> Problem:
        return problem.take(bring(np.flatnonzero(mask), to=problem.scores, dtype=namespace(problem.scores).int64))

    return part(~held), part(held)
