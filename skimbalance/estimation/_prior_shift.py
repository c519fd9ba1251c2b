"""Estimate the class priors of samples without labels, and whether they differ from those that offsets are for.

Prior shift (label shift): each class has the same distribution as in the samples with labels, only the class priors
differ. Bias-corrected calibration and expectation maximisation estimate them best: Alexandari, Kundaje and Shrikumar,
arXiv 1901.06852, 2020. The estimate is shrunk by the proportion of the shift that is noise (James and Stein, 1961).

Expectation maximisation: Saerens, Latinne and Decaestecker, *Adjusting the outputs of a classifier to new a priori
probabilities*, Neural Computation 14, 2002. The likelihood is concave in the class priors, so that there is one optimum
and the gradient bounds how far it is. Steps are extrapolated: Varadhan and Roland, *Simple and globally convergent
methods for accelerating the convergence of any EM algorithm*, Scandinavian Journal of Statistics 35, 2008.

For comparison, an estimate uses decisions alone: Lipton, Wang and Smola, *Detecting and correcting for label shift with
black box predictors*, arXiv 1802.03916, 2018.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from skimbalance._core.array_api import bring, device, for_search, namespace, to_numpy
from skimbalance._core.decision import log_scores
from skimbalance._core.typing import Array, Kind, Run
from skimbalance._core.validation import abridged, shown
from skimbalance.estimation._calibration import Calibration, MergedProblem, condensed
from skimbalance.estimation._estimate import bootstrap_weights
from skimbalance.estimation.spec import KeptSamples, thinned
from skimbalance.exceptions import UncertainShiftWarning, warn_user
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import get_metric
from skimbalance.solvers import Problem

__all__ = [
    "PriorShift",
    "estimated_shift",
    "likeliest_prior",
    "notes_on_shift",
    "prior_of_decisions",
    "samples_for_estimate",
    "shift_to",
]

_Floats = npt.NDArray[np.float64]

_SAMPLES = 50_000
_CELLS = 5_000_000
_LEAST_SAMPLES = 10

_PULL = 10.0
"""The weight, in samples, of the class priors of the fit: minority classes do not vanish at random."""

_SIGNIFICANT = 3.0
"""How many times its expected noise a significant shift must be; see benchmarks/README.md."""

_BOOTSTRAPS = 40
_BOOTSTRAP_CELLS = 20_000_000
_LEAST_BOOTSTRAPS = 8

_TOLERANCE = 1e-2
"""How far the log-likelihood of all samples may be below its optimum: no data could distinguish such class priors."""

_MOST_ROUNDS = 500
_LONGEST_STEP = 64.0
"""An extrapolated step is at most so many plain steps long."""

_NAMED = 5
"""How many classes a note lists, those whose class prior has changed most."""


@dataclass(frozen=True, eq=False)
class PriorShift:
    """Class priors (K,) of the fit, as estimated on samples without labels, and by decisions alone; NumPy arrays.

    `interval` (2, K) is that of the estimate. `distance` is the squared Hellinger distance between the estimate and
    the class priors of the fit, and `noise` its expectation without a shift.
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
        """Whether the shift is statistically significant."""
        return self.distance > _SIGNIFICANT * self.noise

    @property
    def shrinkage_factor(self) -> float:
        """The proportion of the shift that is not noise."""
        return max(0.0, 1 - self.noise / self.distance) if self.distance > 0 else 0.0

    @property
    def prior(self) -> _Floats:
        """The class priors (K,) for new offsets: the estimate, shrunk towards those of the fit."""
        if not self.is_significant:
            return self.before
        factor = self.shrinkage_factor
        roots = (1 - factor) * np.sqrt(self.before) + factor * np.sqrt(self.estimated)
        expected: _Floats = roots**2 / np.sum(roots**2)
        return expected


def shift_to(
    scores: Array, *, kept: KeptSamples, kind: Kind, n_classes: int, level: float, seed: int, run: Run
) -> PriorShift:
    """Estimate how class priors shift from the samples `kept` to those of `scores`, of the same kind."""
    own = for_search(kept.scores)
    new = bring(samples_for_estimate(scores, n_classes=n_classes), to=own)  # of many scores some are on a device
    xp = namespace(own)
    codes = xp.asarray(kept.codes.astype(np.int64), device=device(own))
    weights = None if kept.weights is None else bring(kept.weights, to=own, dtype=xp.float64)
    truth = Truth.from_codes(codes, n_classes=n_classes, weights=weights)
    problem = Problem(log_scores(own, kind=kind), truth, get_metric("accuracy"), groups=kept.groups)
    if weights is not None:
        problem = problem.take(xp.nonzero(weights > 0)[0])
    unlabelled = log_scores(new, kind=kind)
    decided = Truth.from_codes(xp.argmax(unlabelled, axis=1), n_classes=n_classes)
    deployed = Problem(unlabelled, decided, problem.metric).in_order()
    return estimated_shift(problem.in_order(), deployed.scores, level=level, seed=seed, run=run)


def notes_on_shift(shift: PriorShift, labels: npt.NDArray[Any], *, level: float) -> list[str]:
    """Return the notes on the estimate, and warn if the shift is not significant."""
    absent = labels[shift.before == 0]
    notes = [
        f"Class priors were estimated on {shift.n_samples} samples without labels: {_listed(shift, labels, level)}.",
    ]
    if absent.size:
        notes.append(f"The fit had no samples of {abridged(absent)}: the class prior was set to zero.")
    if shift.is_significant:
        return [*notes, f"The offsets are for {shift.shrinkage_factor:.0%} of this shift; the rest may be noise."]
    notes.append(
        f"The change of class priors in {shift.n_samples} samples without labels is not significant, and the offsets "
        "were not changed. Use more samples; if the class priors are known, fit with class_prior."
    )
    warn_user(notes[-1], UncertainShiftWarning)
    return notes


def _listed(shift: PriorShift, labels: npt.NDArray[Any], level: float) -> str:
    """Return the estimates of the classes that have changed most, with their intervals."""
    changes = np.abs(np.sqrt(shift.estimated) - np.sqrt(shift.before))
    order = np.argsort(-changes, kind="stable")
    listed = "; ".join(
        f"{shown(labels[k])} {shift.estimated[k]:.3g} ({level:.0%} interval {shift.interval[0, k]:.3g} to "
        f"{shift.interval[1, k]:.3g}, by decisions alone {shift.by_decisions[k]:.3g}, in the fit {shift.before[k]:.3g})"
        for k in order[:_NAMED]
    )
    return listed + (f"; and {len(order) - _NAMED} classes that changed less" if len(order) > _NAMED else "")


def samples_for_estimate(scores: Array, *, n_classes: int) -> Array:
    """Return the samples without labels; if there are too many, a random subset."""
    n_samples = int(scores.shape[0])
    if n_samples < _LEAST_SAMPLES:
        raise ValueError(f"adapt_to needs at least {_LEAST_SAMPLES} samples to estimate class priors; got {n_samples}")
    limit = min(_SAMPLES, max(_LEAST_SAMPLES, _CELLS // n_classes))
    if n_samples <= limit:
        return scores
    samples = np.sort(np.random.default_rng(0).choice(n_samples, limit, replace=False))
    return namespace(scores).take(scores, bring(samples, to=scores), axis=0)


def estimated_shift(problem: Problem, scores: Array, *, level: float, seed: int, run: Run) -> PriorShift:
    """Estimate the class priors in samples of `scores` (n, K), zero for classes without samples in the problem."""
    present = np.flatnonzero(to_numpy(problem.truth.support) > 0)
    if present.size < problem.n_classes:
        found = estimated_shift(
            problem.restricted(present.tolist()),
            namespace(scores).take(scores, bring(present, to=scores), axis=1),
            level=level,
            seed=seed,
            run=run,
        )
        return _with_absent(found, present, problem.n_classes)
    samples = _Samples.of(problem, scores)
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


def _with_absent(found: PriorShift, present: npt.NDArray[np.int64], n_classes: int) -> PriorShift:
    """Return the same class priors among all classes, zero for those that are not `present`."""

    def spread(priors: _Floats) -> _Floats:
        wide = np.zeros((*priors.shape[:-1], n_classes))
        wide[..., present] = priors
        return wide

    names = ("before", "estimated", "by_decisions", "interval")
    return replace(found, **{name: spread(getattr(found, name)) for name in names})  # type: ignore[arg-type]


class _Samples(NamedTuple):
    """Samples with labels, scores without labels, and the calibration of the former."""

    sample: MergedProblem
    scores: Array
    calibration: Calibration

    @classmethod
    def of(cls, problem: Problem, scores: Array) -> "_Samples":
        n_samples = int(problem.scores.shape[0])
        if problem.n_classes > 2 and n_samples > _SAMPLES:
            problem = _thinned(problem)
        sample = condensed(problem)
        return cls(sample, scores, Calibration.of(sample))

    @property
    def sample_weight(self) -> _Floats:
        """The weight of each sample with a label, (n,); their sum is one."""
        given = self.sample.truth.weights
        weights = np.ones(self.sample.problem.scores.shape[0]) if given is None else to_numpy(given)
        normalised: _Floats = weights / weights.sum()
        return normalised

    def densities(self, calibration: Calibration) -> tuple[_Floats, _Floats]:
        """Return the class densities (n, K) of samples with and without labels, up to a factor in each sample."""
        own, new = (
            to_numpy(calibration.shares(scores)).T.astype(np.float64) / calibration.prior
            for scores in (self.sample.problem.scores, self.scores)
        )
        return own, new

    def bootstraps(self, seed: int) -> Iterator[Array]:
        """Yield bootstrap weights of the samples with labels."""
        cells = self.scores.shape[0] * self.scores.shape[1]
        count = int(np.clip(_BOOTSTRAP_CELLS // cells, _LEAST_BOOTSTRAPS, _BOOTSTRAPS))
        return bootstrap_weights(self.sample, count=count, seed=seed)

    def reweighted(self, weights: Array) -> Calibration:
        """Return the calibration with other weights."""
        truth = self.sample.truth
        xp = namespace(truth.codes)
        other = Truth.from_codes(xp.astype(truth.codes, xp.int64), n_classes=truth.n_classes, weights=weights)
        return Calibration.of(
            MergedProblem(replace(self.sample.problem, truth=other), self.sample.sizes), near=self.calibration
        )


def _thinned(problem: Problem) -> Problem:
    """Return a random subset of the samples with labels, stratified by class."""
    truth, xp = problem.truth, namespace(problem.scores)
    codes = to_numpy(truth.likeliest)
    samples, weights = thinned(codes, truth.weights, n_classes=problem.n_classes, limit=_SAMPLES)
    part, mass = bring(samples, to=problem.scores), bring(weights, to=problem.scores, dtype=xp.float64)
    few = Truth.from_codes(truth.likeliest[part], n_classes=problem.n_classes, weights=mass)
    groups = None if problem.groups is None else problem.groups[samples]
    return replace(problem, scores=xp.take(problem.scores, part, axis=0), truth=few, groups=groups)


def _posterior_predictive(
    samples: _Samples, weights: Array, seed: list[int], estimated: _Floats
) -> tuple[_Floats, _Floats]:
    """Return class priors estimated on a bootstrap of all samples, and on one without a shift."""
    rng = np.random.default_rng(seed)
    own, new = samples.densities(samples.reweighted(weights))
    reference = samples.calibration.prior
    as_new = rng.exponential(size=len(new))
    as_own = rng.multinomial(len(new), samples.sample_weight)
    drawn = as_own > 0
    return (
        _likeliest(new, as_new * (len(new) / as_new.sum()), reference, start=estimated),
        _likeliest(own[drawn], as_own[drawn].astype(np.float64), reference),
    )


def _likeliest(densities: _Floats, weights: _Floats, reference: _Floats, *, start: _Floats | None = None) -> _Floats:
    return likeliest_prior(densities, weights, pull=_PULL * reference, start=start)


def _distance(one: _Floats, other: _Floats) -> _Floats:
    """Return the squared Hellinger distance, in which proportions of all sizes are about equally uncertain."""
    distance: _Floats = np.sum((np.sqrt(one) - np.sqrt(other)) ** 2, axis=-1)
    return distance


def _by_decisions(own: _Floats, new: _Floats, samples: _Samples) -> _Floats:
    """Return the class priors estimated from the decisions of a balanced classifier alone."""
    codes, n_classes = to_numpy(samples.sample.truth.codes).astype(np.int64), own.shape[1]
    table = np.zeros((n_classes, n_classes))
    np.add.at(table, (own.argmax(axis=1), codes), samples.sample_weight)
    proportions = np.bincount(new.argmax(axis=1), minlength=n_classes) / len(new)
    return prior_of_decisions(table / table.sum(axis=0), proportions)


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


def prior_of_decisions(decided: _Floats, proportions: _Floats) -> _Floats:
    """Return the class priors (K,) with which the proportions of decisions are closest to `proportions` (K,).

    `decided[j, k]` is the proportion of class k that is predicted as class j.
    """
    scale = 1e3  # the weight of the equation that the class priors sum to one
    equations = np.vstack([decided, np.full(decided.shape[1], scale)])
    found = nnls(equations, np.append(proportions, scale))[0]
    prior: _Floats = found / found.sum()
    return prior
