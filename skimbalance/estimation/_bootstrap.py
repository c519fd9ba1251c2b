"""Bayesian bootstraps that keep the total of each class: no class is ever lost, however few samples it has."""

from collections.abc import Iterator

import numpy as np

from skimbalance._core.array_api import bring, count_codes, namespace, to_numpy
from skimbalance._core.typing import Array
from skimbalance.estimation._condense import Sample

__all__ = ["bootstrap_weights"]


def bootstrap_weights(sample: Sample, *, count: int, seed: int) -> Iterator[Array]:
    """Yield random weights (n,): exponential for each sample that a sample of the sample stands for (Rubin, 1981).

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


def _draw(sample: Sample, rng: np.random.Generator) -> Array:
    """Return the mean of as many standard exponentials as each sample of the sample stands for."""
    groups = sample.problem.groups
    if groups is not None:
        return rng.exponential(size=int(groups.max()) + 1)[groups]
    if sample.sizes is None:
        return rng.exponential(size=sample.problem.scores.shape[0])
    sizes = to_numpy(sample.sizes)
    return rng.gamma(sizes) / sizes
