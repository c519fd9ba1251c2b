"""Mixtures of classes: the class priors with which they fit samples best, and how far the samples are from them.

Expectation maximisation: Saerens, Latinne and Decaestecker, *Adjusting the outputs of a classifier to new a priori
probabilities*, Neural Computation 14, 2002. The likelihood is concave in the class priors, so that there is one optimum
and the gradient bounds how far it is. Steps are extrapolated: Varadhan and Roland, *Simple and globally convergent
methods for accelerating the convergence of any EM algorithm*, Scandinavian Journal of Statistics 35, 2008.
"""

from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

__all__ = ["PULL", "WEAK_PULL", "MixtureFit", "likeliest_near", "likeliest_prior"]

_Floats = npt.NDArray[np.float64]

PULL = 2.0
"""The weight, in samples for each class, of the class priors of the fit: minority classes do not vanish at random."""

WEAK_PULL = 0.5
"""The weight for confidence intervals, that of Jeffreys' prior: with more, intervals are nearer to the fit."""

_TOLERANCE = 1e-2
"""How far the log-likelihood of all samples may be below its optimum: no data could distinguish such class priors."""

_MOST_ROUNDS = 500
_LONGEST_STEP = 64.0
"""An extrapolated step is at most so many plain steps long."""


def likeliest_near(
    densities: _Floats, weights: _Floats, reference: _Floats, *, pull: float = PULL, start: _Floats | None = None
) -> _Floats:
    """Return the likeliest class priors, with a prior at those of the fit that weighs `pull` samples for each class."""
    return likeliest_prior(densities, weights, pull=pull * len(reference) * reference, start=start)


def likeliest_prior(
    densities: _Floats, weights: _Floats, *, pull: _Floats, start: _Floats | None = None, tolerance: float = _TOLERANCE
) -> _Floats:
    """Return the class priors (K,) that maximise the likelihood of samples with weights (n,).

    `densities` (n, K) are those of each class up to a factor in each sample: probabilities divided by class priors.
    The class priors have a Dirichlet prior with the weight of `pull` (K,) samples of each class.
    """
    prior = pull / pull.sum() if start is None else start
    total = weights.sum() + pull.sum()
    for _ in range(_MOST_ROUNDS):
        first, _ = _step(densities, weights, prior, pull)
        # The likelihood is concave, so that the gain of its linearisation is an upper bound of what is left to gain.
        if total * (np.max(first / prior) - 1) <= tolerance:
            return first
        second, value = _step(densities, weights, first, pull)
        far = _extrapolated(prior, first, second)
        extrapolated, reached = _step(densities, weights, far, pull)
        prior = extrapolated if reached >= value else second
    return prior


def _step(densities: _Floats, weights: _Floats, prior: _Floats, pull: _Floats) -> tuple[_Floats, float]:
    """Return the class priors after a step of expectation maximisation, and the log-likelihood before it."""
    mixed = densities @ prior
    expected = prior * ((weights / mixed) @ densities) + pull
    return expected / expected.sum(), float(weights @ np.log(mixed) + pull @ np.log(prior))


def _extrapolated(start: _Floats, first: _Floats, second: _Floats) -> _Floats:
    """Return the limit of steps that shrink like the first two, within the simplex."""
    change = first - start
    turn = second - first - change
    steps = float(np.linalg.norm(change)) / max(float(np.linalg.norm(turn)), 1e-300)
    length = min(max(steps, 1.0), _LONGEST_STEP)
    far: _Floats = start + 2 * length * change + length**2 * turn
    return far if far.min() > 0 else second


class _Columns(NamedTuple):
    """The order of samples (n, columns) in each of several quantities, and where equal values end."""

    order: npt.NDArray[np.intp]
    ends: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, values: _Floats) -> Self:
        """Return the order of these values (n, columns)."""
        order = np.argsort(values, axis=0)
        ordered = np.take_along_axis(values, order, axis=0)
        return cls(order, np.vstack([ordered[1:] > ordered[:-1], np.ones((1, values.shape[1]), dtype=bool)]))

    def kolmogorov(self, signed: _Floats) -> float:
        """Return the largest absolute sum of signed weights (n,) up to any value of a quantity."""
        return float(np.abs(np.cumsum(signed[self.order], axis=0))[self.ends].max())


class MixtureFit(NamedTuple):
    """Samples with labels, weighted to the class priors estimated for others, and how far samples are from them.

    The distance is the largest one of Kolmogorov and Smirnov among the posterior probabilities of the classes.
    """

    densities: _Floats
    columns: _Columns
    codes: npt.NDArray[np.int64]
    weights: _Floats
    reference: _Floats
    estimated: _Floats

    @classmethod
    def of(
        cls,
        densities: _Floats,
        codes: npt.NDArray[np.int64],
        weights: _Floats,
        *,
        reference: _Floats,
        estimated: _Floats,
    ) -> Self:
        """Return the fit of the class priors `estimated` (K,), where those of the weighted samples are `reference`."""
        columns = _Columns.of(_posterior(densities, reference))
        return cls(densities, columns, codes, weights, reference, estimated)

    def to_prior(self, weights: _Floats, prior: _Floats) -> _Floats:
        """Return the weights (n,) in the proportions of these class priors; their sum is one."""
        mass = np.bincount(self.codes, weights, len(prior))
        scaled: _Floats = weights * np.divide(prior, mass, out=np.zeros_like(prior), where=mass > 0)[self.codes]
        normalised: _Floats = scaled / scaled.sum()
        return normalised

    def distance_to(self, new: _Floats) -> float:
        """Return the distance of the samples with these densities (m, K)."""
        own = self.to_prior(self.weights, self.estimated)
        both = _Columns.of(_posterior(np.vstack([self.densities, new]), self.reference))
        return both.kolmogorov(np.concatenate([own, np.full(len(new), -1 / len(new))]))

    def bootstrap_distance(self, weights: _Floats, draw: Callable[[_Floats], _Floats]) -> float:
        """Return the distance of samples of the mixture, with bootstrap weights of the samples with labels.

        `draw` returns how often samples with these probabilities (n,) are drawn.
        """
        counts = draw(self.to_prior(self.weights, self.estimated))
        kept = counts > 0
        prior = likeliest_near(self.densities[kept], counts[kept], self.reference, start=self.estimated)
        return self.columns.kolmogorov(self.to_prior(weights, prior) - counts / counts.sum())


def _posterior(densities: _Floats, reference: _Floats) -> _Floats:
    """Return the posterior probabilities (n, columns) that are compared: one in the binary case."""
    posterior: _Floats = densities * reference / (densities @ reference)[:, None]
    return posterior[:, 1:] if len(reference) == 2 else posterior
