"""What a metric might have been, had other samples of the same kind been drawn."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from skimbalance.estimation import held_by, independent_weights
from skimbalance.tuner.labels._labels import Floats, Indicator
from skimbalance.tuner.labels._metrics import SamplesMean
from skimbalance.tuner.labels._problem import MultilabelProblem

__all__ = ["predictive_values"]

_DRAWS = 100
_MOST_DRAWS = 2000
_BEYOND = 5
"""So many draws are to fall beyond a quantile, within those limits."""

_CELLS_AT_ONCE = 5_000_000

_PRIOR = 0.5
"""Samples added to the hits and to the misses of either class of each label (Jeffreys): no rate of few samples is
certain. Of samples in groups it is half of what an independent sample weighs."""


class _Kinds(NamedTuple):
    """Samples alike in labels and decisions, merged: one of each kind, what all of them weigh, and how many they are.

    Of samples in groups `sizes` is one for each group, and `groups` (G, kinds) what its samples of each kind weigh.
    """

    first: np.ndarray[tuple[int], np.dtype[np.int64]]
    mass: Floats
    sizes: Floats
    groups: Any = None


def predictive_values(
    problem: MultilabelProblem, *decisions: Indicator, seed: int, anew: bool = False, tail: float = 0.05
) -> Iterator[tuple[float, ...]]:
    """Yield the metric of each of `decisions` under Bayesian bootstraps of the samples, enough of them for such a tail.

    A sample keeps all its labels. With `anew` as many new samples are drawn at these rates: the posterior predictive
    distribution, which varies twice as much. Samples of one group share a weight, or a number of copies.
    """
    kinds = _kinds(problem, decisions)
    indicator = problem.indicator[kinds.first]
    known = None if problem.known is None else problem.known[kinds.first]
    chosen = [each[kinds.first] for each in decisions]
    unit = _row_weight(problem, kinds, indicator, chosen[0], known)
    rng = np.random.default_rng(seed)
    n_draws = int(np.clip(_BEYOND / tail, _DRAWS, _MOST_DRAWS))
    at_once = max(1, _CELLS_AT_ONCE // max(len(kinds.first), len(kinds.sizes)))
    for start in range(0, n_draws, at_once):
        n_here = min(at_once, n_draws - start)
        drawn = _drawn(kinds.sizes, (n_here, len(kinds.sizes)), rng, anew=anew)
        mass = drawn * (kinds.mass / kinds.sizes) if kinds.groups is None else drawn @ kinds.groups
        added = unit * _added(problem, n_here, rng, anew=anew)
        yield from zip(
            *(problem.metric.posterior_predictive(indicator, each, mass, added, known) for each in chosen), strict=True
        )


def _kinds(problem: MultilabelProblem, decisions: tuple[Indicator, ...]) -> _Kinds:
    known = [] if problem.known is None else [problem.known]
    packed = np.packbits(np.concatenate([problem.indicator, *decisions, *known], axis=1), axis=1)
    keys = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1])))[:, 0]
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    sizes = np.bincount(inverse).astype(np.float64)
    if problem.groups is not None:
        held = held_by(problem.groups, inverse, problem.weights, n_kinds=len(first))
        return _Kinds(first, np.asarray(held.sum(axis=0)), np.ones(held.shape[0]), held)
    if problem.weights is None:
        return _Kinds(first, sizes, sizes)
    mass, squares = (np.bincount(inverse, problem.weights**power).astype(np.float64) for power in (1, 2))
    # Squares of tiny weights vanish: such samples then count as alike.
    return _Kinds(first, mass, np.divide(mass * mass, squares, out=sizes, where=squares > 0))


def _drawn(sizes: Floats, shape: tuple[int, ...], rng: np.random.Generator, *, anew: bool) -> Floats:
    rates = rng.gamma(sizes, size=shape)
    if not anew:
        return rates
    samples = rng.poisson(rates).astype(np.float64)
    drawn: Floats = np.where(samples.any(axis=-1, keepdims=True), samples, rates)
    return drawn


def _added(problem: MultilabelProblem, n_draws: int, rng: np.random.Generator, *, anew: bool) -> Floats:
    """Return hits, misses, right and false alarms (4, draws, L) added to the labels that can be tuned."""
    shape = (4, n_draws, problem.n_labels)
    rates = rng.gamma(_PRIOR, size=shape)
    added: Floats = rng.poisson(rates).astype(np.float64) if anew else rates
    added[:, :, np.setdiff1d(np.arange(problem.n_labels), problem.tunable)] = 0
    return added


def _row_weight(
    problem: MultilabelProblem, kinds: _Kinds, indicator: Indicator, decisions: Indicator, known: Indicator | None
) -> float | Floats:
    """Return what an independent sample weighs; in groups (4, 1, L), as a hit, a miss, right and a false alarm."""
    mean = 1.0 if problem.weights is None else float(problem.weights.mean())
    if kinds.groups is None:
        return mean
    if isinstance(problem.metric, SamplesMean):
        judged = np.ones((len(indicator), 1)) if known is None else problem.metric.judged(indicator, known)[:, None]
        worth = judged * problem.metric.of_rows(indicator, decisions, known)[:, None]
        hits, totals = (csr_array(kinds.groups @ each) for each in (worth, judged))
        return max(mean, float(independent_weights(hits, totals)[0]))
    absent, present = (
        independent_weights(*(csr_array(kinds.groups @ each.astype(np.float64)) for each in (owned & right, owned)))
        for owned, right in (
            (~indicator if known is None else ~indicator & known, ~decisions),
            (indicator if known is None else indicator & known, decisions),
        )
    )
    return np.stack([present, present, absent, absent])[:, None, :]
