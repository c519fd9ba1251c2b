"""The posterior predictive distribution of a multilabel metric."""

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_array

from skimbalance.estimation import independent_weights
from skimbalance.estimation._cross_fit import Kinds, draw_mass, merged
from skimbalance.tuner.labels._labels import Floats, Indicator
from skimbalance.tuner.labels._metrics import SamplesMean
from skimbalance.tuner.labels._problem import MultilabelProblem

__all__ = ["predictive_values"]

_CELLS_AT_ONCE = 5_000_000

_PRIOR = 0.5
"""Half a sample is added to each cell of each label's confusion matrix (Jeffreys): no rate of few samples is certain.
Of grouped samples it is half the weight of an independent sample."""


def predictive_values(
    problem: MultilabelProblem, *decisions: Indicator, seed: int, anew: bool = False, tail: float = 0.05
) -> Iterator[tuple[float, ...]]:
    """Yield the metric of each of `decisions` under Bayesian bootstraps of the samples, or of unseen ones.

    A sample keeps all its labels. With `anew` the metric is that of as many unseen samples, which varies twice as much.
    Samples of one group share a weight, or a number of copies.
    """
    known = [] if problem.known is None else [problem.known]
    packed = np.packbits(np.concatenate([problem.indicator, *decisions, *known], axis=1), axis=1)
    keys = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1])))[:, 0]
    kinds = merged(keys, problem.weights, problem.groups)
    indicator, chosen = problem.indicator[kinds.first], [each[kinds.first] for each in decisions]
    known_kinds = None if problem.known is None else problem.known[kinds.first]
    unit = _independent_mass(problem, kinds, indicator, chosen[0], known_kinds)
    fixed = np.setdiff1d(np.arange(problem.n_labels), problem.tunable)
    at_once = max(1, _CELLS_AT_ONCE // max(len(kinds.first), len(kinds.sizes)))
    rng = np.random.default_rng(seed)
    for mass in draw_mass(kinds, rng, tail=tail, anew=anew, at_once=at_once):
        # True positives, misses, true negatives and false positives (4, draws, L) of the labels that can be tuned.
        shape = (4, len(mass), problem.n_labels)
        added = rng.gamma(_PRIOR, size=shape)
        added = rng.poisson(added).astype(np.float64) if anew else added
        added[:, :, fixed] = 0
        added = unit * added
        each = (problem.metric.posterior_predictive(indicator, one, mass, added, known_kinds) for one in chosen)
        yield from zip(*each, strict=True)


def _independent_mass(
    problem: MultilabelProblem, kinds: Kinds, indicator: Indicator, decisions: Indicator, known: Indicator | None
) -> float | Floats:
    """Return the weight of an independent sample; in groups (4, 1, L), one for each cell of the confusion matrix."""
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
