"""The shares of the classes among samples without labels, and whether they differ from those that offsets are for.

Prior shift: each class looks as it does on the samples with labels, only its share is another. Bias-corrected
calibration and expectation maximisation on its probabilities estimate that share best: Alexandari, Kundaje and
Shrikumar, arXiv 1901.06852, 2020. The estimate is drawn back by what of the shift is noise, as James and Stein (1961)
do.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, namespace, to_numpy
from skimbalance._core.typing import Array, Run
from skimbalance.estimation._calibration import Calibration, Sample, condensed
from skimbalance.estimation._kept_rows import thinned
from skimbalance.estimation._mixture import likeliest_prior, prior_of_decisions
from skimbalance.estimation._robust import bootstrap_weights
from skimbalance.metrics.counts import Truth
from skimbalance.solvers import Problem

__all__ = ["PriorShift", "estimated_shift", "rows_to_estimate_from"]

_Floats = npt.NDArray[np.float64]

_ROWS = 50_000
_CELLS = 5_000_000
_LEAST_ROWS = 10

_PULL = 10.0
"""The prior counts as so many samples that were seen with the shares at hand: rare classes do not vanish by chance."""

_DOUBT = 3.0
"""A shift must be so many times what noise does; see benchmarks/README.md."""

_BOOTSTRAPS = 40
_BOOTSTRAP_CELLS = 20_000_000
_LEAST_BOOTSTRAPS = 8


@dataclass(frozen=True, eq=False)
class PriorShift:
    """Shares (K,) of the classes: at hand, estimated on samples without labels, and by decisions alone; NumPy arrays.

    `interval` (2, K) is that of the estimate. `distance` is the squared one (Hellinger's) between the estimate
    and the shares at hand, `noise` what is to be expected of it by chance.
    """

    before: _Floats
    estimated: _Floats
    by_decisions: _Floats
    interval: _Floats
    distance: float
    noise: float
    n_samples: int

    @property
    def is_significant(self) -> bool:
        """Whether the shift is more than noise."""
        return self.distance > _DOUBT * self.noise

    @property
    def kept(self) -> float:
        """The share of the shift that is not noise."""
        return max(0.0, 1 - self.noise / self.distance) if self.distance > 0 else 0.0

    @property
    def prior(self) -> _Floats:
        """The shares (K,) to expect: those estimated, drawn towards those at hand by what is noise."""
        if not self.is_significant:
            return self.before
        roots = (1 - self.kept) * np.sqrt(self.before) + self.kept * np.sqrt(self.estimated)
        expected: _Floats = roots**2 / np.sum(roots**2)
        return expected


def rows_to_estimate_from(scores: Array, *, n_classes: int) -> Array:
    """Return the samples without labels, or where they are many a random part of them."""
    n_samples = int(scores.shape[0])
    if n_samples < _LEAST_ROWS:
        raise ValueError(
            f"adapt_to needs at least {_LEAST_ROWS} rows to tell the shares of the classes from; got {n_samples}"
        )
    limit = min(_ROWS, max(_LEAST_ROWS, _CELLS // n_classes))
    if n_samples <= limit:
        return scores
    samples = np.sort(np.random.default_rng(0).choice(n_samples, limit, replace=False))
    return namespace(scores).take(scores, bring(samples, to=scores), axis=0)


def estimated_shift(problem: Problem, scores: Array, *, level: float, seed: int, run: Run) -> PriorShift:
    """Estimate the shares of the classes in samples of `scores` (n, K); those without samples in the problem get
    none.
    """
    kept = np.flatnonzero(to_numpy(problem.truth.support) > 0)
    if kept.size < problem.n_classes:
        found = estimated_shift(
            problem.restricted(kept.tolist()),
            namespace(scores).take(scores, bring(kept, to=scores), axis=1),
            level=level,
            seed=seed,
            run=run,
        )
        return _among(found, kept, problem.n_classes)
    samples = _Rows.of(problem, scores)
    reference = samples.calibration.prior
    own, new = samples.densities(samples.calibration)
    estimated = _likeliest(new, np.ones(len(new)), reference)
    drawn = np.asarray(
        run(
            partial(_posterior_predictive, samples, w, [seed, b], estimated)
            for b, w in enumerate(samples.bootstraps(seed))
        )
    )
    tail = (1 - level) / 2
    return PriorShift(
        before=reference,
        estimated=estimated,
        by_decisions=_by_decisions(own, new, samples),
        interval=np.quantile(drawn[:, 0], [tail, 1 - tail], axis=0),
        distance=float(_distance(estimated, reference)),
        noise=float(np.mean(_distance(drawn[:, 0], estimated) + _distance(drawn[:, 1], reference))),
        n_samples=len(new),
    )


def _among(found: PriorShift, kept: npt.NDArray[np.int64], n_classes: int) -> PriorShift:
    """Return the same shares among all classes: none of those that are not `kept`."""

    def spread(shares: _Floats) -> _Floats:
        wide = np.zeros((*shares.shape[:-1], n_classes))
        wide[..., kept] = shares
        return wide

    names = ("before", "estimated", "by_decisions", "interval")
    return replace(found, **{name: spread(getattr(found, name)) for name in names})  # type: ignore[arg-type]


class _Rows(NamedTuple):
    """Samples with labels and samples without, and the calibration that the former give."""

    sample: Sample
    scores: Array
    calibration: Calibration

    @classmethod
    def of(cls, problem: Problem, scores: Array) -> "_Rows":
        n_samples = int(problem.scores.shape[0])
        if problem.n_classes > 2 and n_samples > _ROWS:
            problem = _thinned(problem)
        sample = condensed(problem)
        return cls(sample, scores, Calibration.of(sample))

    @property
    def masses(self) -> _Floats:
        """The weight of each sample with a label (n,), in all one."""
        weights = self.sample.truth.weights
        masses = np.ones(self.sample.problem.scores.shape[0]) if weights is None else to_numpy(weights)
        shares: _Floats = masses / masses.sum()
        return shares

    def densities(self, calibration: Calibration) -> tuple[_Floats, _Floats]:
        """Return for either kind of samples the densities (n, K) of the classes, up to a factor in each sample."""
        own, new = (
            to_numpy(calibration.shares(scores)).T.astype(np.float64) / calibration.prior
            for scores in (self.sample.problem.scores, self.scores)
        )
        return own, new

    def bootstraps(self, seed: int) -> Iterator[Array]:
        """Yield weights of the samples with labels."""
        cells = self.scores.shape[0] * self.scores.shape[1]
        count = int(np.clip(_BOOTSTRAP_CELLS // cells, _LEAST_BOOTSTRAPS, _BOOTSTRAPS))
        return bootstrap_weights(self.sample, count=count, seed=seed)

    def reweighted(self, weights: Array) -> Calibration:
        """Return the calibration under other weights."""
        truth = self.sample.truth
        xp = namespace(truth.codes)
        other = Truth.from_codes(xp.astype(truth.codes, xp.int64), n_classes=truth.n_classes, weights=weights)
        return Calibration.of(
            Sample(replace(self.sample.problem, truth=other), self.sample.sizes), near=self.calibration
        )


def _thinned(problem: Problem) -> Problem:
    """Return a sample of the samples with labels."""
    truth, xp = problem.truth, namespace(problem.scores)
    codes = to_numpy(truth.likeliest)
    samples, weights = thinned(codes, truth.weights, n_classes=problem.n_classes, limit=_ROWS)
    part, mass = bring(samples, to=problem.scores), bring(weights, to=problem.scores, dtype=xp.float64)
    few = Truth.from_codes(truth.likeliest[part], n_classes=problem.n_classes, weights=mass)
    groups = None if problem.groups is None else problem.groups[samples]
    return replace(problem, scores=xp.take(problem.scores, part, axis=0), truth=few, groups=groups)


def _posterior_predictive(
    samples: _Rows, weights: Array, seed: list[int], estimated: _Floats
) -> tuple[_Floats, _Floats]:
    """Return what a bootstrap of all samples estimates, and what it would where the new samples were as those with
    labels.
    """
    rng = np.random.default_rng(seed)
    own, new = samples.densities(samples.reweighted(weights))
    reference = samples.calibration.prior
    as_new = rng.exponential(size=len(new))
    as_own = rng.multinomial(len(new), samples.masses)
    drawn = as_own > 0
    return (
        _likeliest(new, as_new * (len(new) / as_new.sum()), reference, start=estimated),
        _likeliest(own[drawn], as_own[drawn].astype(np.float64), reference),
    )


def _likeliest(densities: _Floats, weights: _Floats, reference: _Floats, *, start: _Floats | None = None) -> _Floats:
    return likeliest_prior(densities, weights, pull=_PULL * reference, start=start)


def _distance(one: _Floats, other: _Floats) -> _Floats:
    """Return Hellinger's squared distance: in it all shares of counted samples are about equally uncertain."""
    distance: _Floats = np.sum((np.sqrt(one) - np.sqrt(other)) ** 2, axis=-1)
    return distance


def _by_decisions(own: _Floats, new: _Floats, samples: _Rows) -> _Floats:
    """Return the shares that explain how often each class is decided for, were all of them equally frequent."""
    codes, n_classes = to_numpy(samples.sample.truth.codes).astype(np.int64), own.shape[1]
    table = np.zeros((n_classes, n_classes))
    np.add.at(table, (own.argmax(axis=1), codes), samples.masses)
    shares = np.bincount(new.argmax(axis=1), minlength=n_classes) / len(new)
    return prior_of_decisions(table / table.sum(axis=0), shares)
