"""Which shares of the classes explain samples without labels, where each class looks as it does on samples with labels.

Expectation maximisation: Saerens, Latinne and Decaestecker, *Adjusting the outputs of a classifier to new a priori
probabilities*, Neural Computation 14, 2002. The likelihood is concave in the shares, so that there is one optimum and
the gradient bounds how far it is. Steps are stretched as by Varadhan and Roland, *Simple and globally convergent
methods for accelerating the convergence of any EM algorithm*, Scandinavian Journal of Statistics 35, 2008.

Beside it stands what trusts decisions alone: Lipton, Wang and Smola, *Detecting and correcting for label shift with
black box predictors*, arXiv 1802.03916, 2018.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

__all__ = ["likeliest_prior", "prior_of_decisions"]

_Floats = npt.NDArray[np.float64]

_TOLERANCE = 1e-2
"""How far the log-likelihood of all samples may stay below its optimum: no data could tell such priors apart."""

_MOST_ROUNDS = 500
_FURTHEST = 64.0
"""No stretched step is longer than so many plain ones."""


def likeliest_prior(
    densities: _Floats, weights: _Floats, *, pull: _Floats, start: _Floats | None = None, tolerance: float = _TOLERANCE
) -> _Floats:
    """Return the prior (K,) under which samples of these weights (n,) are likeliest.

    `densities` (n, K) are those of each class up to a factor in each sample: probabilities over the prior they hold
    for. The prior of these priors is Dirichlet's, as if `pull` (K,) samples of each class had been seen besides.
    """
    prior = pull / pull.sum() if start is None else start
    total = weights.sum() + pull.sum()
    for _ in range(_MOST_ROUNDS):
        first, _ = _step(densities, weights, prior, pull)
        # The gain of the linearised likelihood: no less than what there is to gain, for the likelihood is concave.
        if total * (np.max(first / prior) - 1) <= tolerance:
            return first
        second, value = _step(densities, weights, first, pull)
        far = _stretched(prior, first, second)
        further, reached = _step(densities, weights, far, pull)
        prior = further if reached >= value else second
    return prior


def _step(densities: _Floats, weights: _Floats, prior: _Floats, pull: _Floats) -> tuple[_Floats, float]:
    """Return the prior after a step of expectation maximisation, and the log-likelihood of that before it."""
    mixed = densities @ prior
    expected = prior * ((weights / mixed) @ densities) + pull
    return expected / expected.sum(), float(weights @ np.log(mixed) + pull @ np.log(prior))


def _stretched(start: _Floats, first: _Floats, second: _Floats) -> _Floats:
    """Return where two steps lead if they are the first of many that shrink alike; never out of the simplex."""
    change = first - start
    turn = second - first - change
    steps = float(np.linalg.norm(change)) / max(float(np.linalg.norm(turn)), 1e-300)
    length = min(max(steps, 1.0), _FURTHEST)
    far: _Floats = start + 2 * length * change + length**2 * turn
    return far if far.min() > 0 else second


def prior_of_decisions(decided: _Floats, shares: _Floats) -> _Floats:
    """Return the prior (K,) under which samples are decided as often as `shares` (K,) says, or most nearly so.

    `decided[j, k]` is the share of the samples of class k that is decided as j.
    """
    firmly = 1e3  # so much more it counts that a prior sums to one
    samples = np.vstack([decided, np.full(decided.shape[1], firmly)])
    found = nnls(samples, np.append(shares, firmly))[0]
    prior: _Floats = found / found.sum()
    return prior
