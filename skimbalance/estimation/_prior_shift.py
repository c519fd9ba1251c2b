"""Estimate the class priors of samples without labels, and whether they differ from those that offsets are for.

Prior shift (label shift): each class has the same distribution as in the samples with labels, only the class priors
differ. Bias-corrected calibration and expectation maximisation estimate them best: Alexandari, Kundaje and Shrikumar,
arXiv 1901.06852, 2020. The estimate is shrunk by the proportion of the shift that is noise (James and Stein, 1961). The
shift is significant if the class priors of the fit are outside of a joint confidence region of the new ones.

Where the distribution within a class has changed as well, the estimate is wrong by more than its noise. Then no mixture
of the classes fits the new samples. The distance that remains is divided by that of bootstraps. The noise is multiplied
by the square of this ratio: more samples make the noise smaller, and the ratio larger. So the variance of a
quasi-likelihood is multiplied by its overdispersion (McCullagh and Nelder, *Generalized Linear Models*, 1989).

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
from skimbalance._core.validation import abridged, numbered, require_several_groups, shown
from skimbalance.estimation._calibration import Calibration
from skimbalance.estimation._condense import MergedProblem, condensed
from skimbalance.estimation._estimate import bootstrap_weights
from skimbalance.estimation._mixture import PULL, WEAK_PULL, MixtureFit, likeliest_near
from skimbalance.estimation._prior_region import PriorRegion
from skimbalance.estimation.spec import KeptSamples, thinned
from skimbalance.exceptions import UncertainShiftWarning, warn_user
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import get_metric
from skimbalance.solvers import Problem

__all__ = [
    "PriorShift",
    "estimated_shift",
    "notes_on_shift",
    "prior_of_decisions",
    "samples_for_estimate",
    "shift_to",
]

_Floats = npt.NDArray[np.float64]
_Codes = npt.NDArray[np.int64]

_SAMPLES = 50_000
_CELLS = 5_000_000
_LEAST_SAMPLES = 10

_SIGNIFICANT = 0.01
"""The p-value below which a shift is significant, of all classes at once; see benchmarks/README.md."""

_PULLS = (WEAK_PULL, PULL)
"""The weights of the class priors of the fit: for confidence intervals, and for offsets."""

_MISFIT = 1.5
"""From this ratio on a note states that the distribution within the classes seems to have changed."""

_BOOTSTRAPS = 40
_BOOTSTRAP_CELLS = 20_000_000
_LEAST_BOOTSTRAPS = 8

_NAMED = 5
"""How many classes a note lists, those whose class prior has changed most."""


@dataclass(frozen=True, eq=False)
class PriorShift:
    """Class priors (K,) of the fit, as estimated on samples without labels, and by decisions alone; NumPy arrays.

    `interval` and `joint_interval` (2, K) are confidence intervals of this `level`, by class and for all at once.
    `p_value` is one minus the largest level of which the joint intervals exclude `before`. The `region` has formulas.
    `near` is an estimate with more weight on the class priors of the fit, for offsets. `distance` is its squared
    Hellinger distance from them, and `noise` the expectation of this distance without a shift. `misfit` is the distance
    of the samples without labels from the best mixture of the classes, over that of samples of this mixture. It is at
    least one.
    """

    before: _Floats
    near: _Floats
    by_decisions: _Floats
    region: PriorRegion
    level: float
    distance: float
    noise: float
    misfit: float
    n_samples: int

    @property
    def estimated(self) -> _Floats:
        """The estimated class priors (K,)."""
        return self.region.estimated

    @property
    def interval(self) -> _Floats:
        """Confidence intervals (2, K) of the class priors; each has the confidence level."""
        return self.region.interval(self.level, joint=False, factor=self.misfit)

    @property
    def joint_interval(self) -> _Floats:
        """Confidence intervals (2, K) of the class priors; the confidence level is that of all at once."""
        return self.region.interval(self.level, joint=True, factor=self.misfit)

    @property
    def p_value(self) -> float:
        """The p-value of no shift, of all classes at once."""
        return self.region.p_value(self.before, factor=self.misfit)

    @property
    def uncertainty(self) -> float:
        """The noise, larger where no mixture of the classes fits the samples."""
        return self.noise * self.misfit**2

    @property
    def is_significant(self) -> bool:
        """Whether the shift is statistically significant, of all classes at once."""
        return self.p_value < _SIGNIFICANT

    @property
    def shrinkage_factor(self) -> float:
        """The proportion of the shift that is not noise."""
        return max(0.0, 1 - self.uncertainty / self.distance) if self.distance > 0 else 0.0

    @property
    def prior(self) -> _Floats:
        """The class priors (K,) for new offsets: the estimate, shrunk towards those of the fit."""
        if not self.is_significant:
            return self.before
        factor = self.shrinkage_factor
        roots = (1 - factor) * np.sqrt(self.before) + factor * np.sqrt(self.near)
        expected: _Floats = roots**2 / np.sum(roots**2)
        return expected


def shift_to(
    scores: Array,
    *,
    kept: KeptSamples,
    kind: Kind,
    n_classes: int,
    level: float,
    seed: int,
    run: Run,
    groups: _Codes | None = None,
) -> PriorShift:
    """Estimate how class priors shift from the samples `kept` to those of `scores`, of the same kind, in `groups`."""
    own = for_search(kept.scores)
    if groups is not None:
        require_several_groups(groups)
        groups = numbered(to_numpy(samples_for_estimate(groups, n_classes=n_classes)))
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
    deployed = Problem(unlabelled, decided, problem.metric, groups=groups).in_order()
    return estimated_shift(problem.in_order(), deployed.scores, level=level, seed=seed, run=run, groups=deployed.groups)


def notes_on_shift(shift: PriorShift, labels: npt.NDArray[Any]) -> list[str]:
    """Return the notes on the estimate, and warn if the shift is not significant."""
    absent = labels[shift.before == 0]
    on = f"{shift.n_samples} samples without labels"
    held = f"{shift.level:.0%} intervals that hold for all classes at once"
    notes = [f"Class priors were estimated on {on}, with {held}: {_listed(shift, labels)}."]
    if absent.size:
        notes.append(f"The fit had no samples of {abridged(absent)}: the class prior was set to zero.")
    if shift.misfit > _MISFIT:
        notes.append(
            "Scores within the classes seem to have changed: the samples without labels are "
            f"{shift.misfit:.1f} times as far from every mixture of the classes as expected. Only a larger change of "
            "class priors is significant then."
        )
    found = "p < 0.001" if shift.p_value < 0.001 else f"p = {shift.p_value:.2g}"
    if shift.is_significant:
        part = f"The offsets are for {shift.shrinkage_factor:.0%} of it; the rest may be noise."
        return [*notes, f"This shift is significant ({found}). {part}"]
    notes.append(
        f"The change of class priors in {on} is not significant ({found}), and the offsets were not changed. Use more "
        "samples; if the class priors are known, fit with class_prior."
    )
    warn_user(notes[-1], UncertainShiftWarning)
    return notes


def _listed(shift: PriorShift, labels: npt.NDArray[Any]) -> str:
    """Return the estimates of the classes that have changed most, with their intervals."""
    changes = np.abs(np.sqrt(shift.estimated) - np.sqrt(shift.before))
    order = np.argsort(-changes, kind="stable")
    listed = "; ".join(
        f"{shown(labels[k])} {shift.estimated[k]:.3g} ({shift.joint_interval[0, k]:.3g} to "
        f"{shift.joint_interval[1, k]:.3g}, by decisions alone {shift.by_decisions[k]:.3g}, "
        f"in the fit {shift.before[k]:.3g})"
        for k in order[:_NAMED]
    )
    return listed + (f"; and {len(order) - _NAMED} classes that changed less" if len(order) > _NAMED else "")


def samples_for_estimate(scores: Array, *, n_classes: int) -> Array:
    """Return the samples without labels (n, ...); if there are too many, a random subset."""
    n_samples = int(scores.shape[0])
    if n_samples < _LEAST_SAMPLES:
        raise ValueError(f"adapt_to needs at least {_LEAST_SAMPLES} samples to estimate class priors; got {n_samples}")
    limit = min(_SAMPLES, max(_LEAST_SAMPLES, _CELLS // n_classes))
    if n_samples <= limit:
        return scores
    samples = np.sort(np.random.default_rng(0).choice(n_samples, limit, replace=False))
    return namespace(scores).take(scores, bring(samples, to=scores), axis=0)


def estimated_shift(
    problem: Problem, scores: Array, *, level: float, seed: int, run: Run, groups: _Codes | None = None
) -> PriorShift:
    """Estimate the class priors in samples of `scores` (n, K), zero for classes without samples in the problem.

    Of samples in `groups` (n,) bootstraps draw whole groups.
    """
    present = np.flatnonzero(to_numpy(problem.truth.support) > 0)
    if present.size < problem.n_classes:
        found = estimated_shift(
            problem.restricted(present.tolist()),
            namespace(scores).take(scores, bring(present, to=scores), axis=1),
            level=level,
            seed=seed,
            run=run,
            groups=groups,
        )
        return _with_absent(found, present, problem.n_classes)
    n_groups = None if groups is None else int(groups.max()) + 1
    samples = _Samples.of(problem, scores, groups)
    reference = samples.calibration.prior
    own, new = samples.densities(samples.calibration)
    estimated, near = (likeliest_near(new, np.ones(len(new)), reference, pull=pull) for pull in _PULLS)
    fit = MixtureFit.of(own, samples.codes, samples.sample_weight, reference=reference, estimated=near)
    results = list(
        run(partial(_posterior_predictive, samples, fit, w, [seed, b]) for b, w in enumerate(samples.bootstraps(seed)))
    )
    drawn, apart = np.asarray([priors for priors, _ in results]), np.mean([distance for _, distance in results])
    return PriorShift(
        before=reference,
        near=near,
        by_decisions=_by_decisions(own, new, samples),
        region=PriorRegion.of(estimated, reference, drawn[:, 0], n_groups=n_groups),
        level=level,
        distance=float(_distance(near, reference)),
        noise=float(np.mean(_distance(drawn[:, 1, 0], near) + _distance(drawn[:, 1, 1], reference))),
        misfit=max(1.0, fit.distance_to(new) / float(apart)) if apart > 0 else 1.0,
        n_samples=len(new),
    )


def _with_absent(found: PriorShift, present: npt.NDArray[np.int64], n_classes: int) -> PriorShift:
    """Return the same class priors among all classes, zero for those that are not `present`."""

    def spread(priors: _Floats) -> _Floats:
        wide = np.zeros((*priors.shape[:-1], n_classes))
        wide[..., present] = priors
        return wide

    region = PriorRegion(spread(found.region.estimated), spread(found.region.standard_error), found.region.degrees)
    names = ("before", "near", "by_decisions")
    priors: dict[str, Any] = {name: spread(getattr(found, name)) for name in names}
    return replace(found, region=region, **priors)


class _Samples(NamedTuple):
    """Samples with labels, scores without labels and their groups, and the calibration of the former."""

    sample: MergedProblem
    scores: Array
    groups: _Codes | None
    calibration: Calibration

    @classmethod
    def of(cls, problem: Problem, scores: Array, groups: _Codes | None) -> "_Samples":
        n_samples = int(problem.scores.shape[0])
        if problem.n_classes > 2 and n_samples > _SAMPLES:
            problem = _thinned(problem)
        sample = condensed(problem)
        return cls(sample, scores, groups, Calibration.of(sample))

    @property
    def codes(self) -> npt.NDArray[np.int64]:
        """The classes (n,) of the samples with labels."""
        return to_numpy(self.sample.truth.codes).astype(np.int64)

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

    def new_weights(self, rng: np.random.Generator) -> _Floats:
        """Return bootstrap weights of the samples without labels; their mean is one."""
        n_samples, groups = int(self.scores.shape[0]), self.groups
        drawn = rng.exponential(size=n_samples if groups is None else int(groups.max()) + 1)
        weights = drawn if groups is None else drawn[groups]
        scaled: _Floats = weights * (n_samples / weights.sum())
        return scaled

    def counts(self, proba: _Floats, rng: np.random.Generator) -> _Floats:
        """Return how often samples with labels are drawn with these probabilities, as many as there are without labels.

        If both are in groups, whole groups are drawn, which hold about as many samples.
        """
        n_samples, groups = int(self.scores.shape[0]), self.sample.problem.groups
        if self.groups is None or groups is None:
            return rng.multinomial(n_samples, proba).astype(np.float64)
        n_groups = int(groups.max()) + 1
        n_drawn = max(1, round(n_samples * n_groups / len(groups)))
        mass = proba * rng.multinomial(n_drawn, np.full(n_groups, 1 / n_groups))[groups]
        if not mass.any():  # all samples in the groups that were drawn have a probability of zero
            mass = proba
        counts: _Floats = mass * (n_samples / mass.sum())
        return counts

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
    groups = None if problem.groups is None else numbered(problem.groups[samples])
    return replace(problem, scores=xp.take(problem.scores, part, axis=0), truth=few, groups=groups)


def _posterior_predictive(samples: _Samples, fit: MixtureFit, weights: Array, seed: list[int]) -> tuple[_Floats, float]:
    """Return class priors of bootstraps (2, 2, K) and the distance of samples of the mixture.

    They are for both weights of `_PULLS`, with and without a shift.
    """
    rng = np.random.default_rng(seed)
    own, new = samples.densities(samples.reweighted(weights))
    reference = samples.calibration.prior
    as_new, counts = samples.new_weights(rng), samples.counts(samples.sample_weight, rng)
    drawn = counts > 0
    priors = [
        [
            likeliest_near(new, as_new, reference, pull=pull, start=fit.estimated),
            likeliest_near(own[drawn], counts[drawn], reference, pull=pull),
        ]
        for pull in _PULLS
    ]
    return np.asarray(priors), fit.bootstrap_distance(
        to_numpy(weights).astype(np.float64), lambda proba: samples.counts(proba, rng)
    )


def _distance(one: _Floats, other: _Floats) -> _Floats:
    """Return the squared Hellinger distance, in which proportions of all sizes are about equally uncertain."""
    distance: _Floats = np.sum((np.sqrt(one) - np.sqrt(other)) ** 2, axis=-1)
    return distance


def _by_decisions(own: _Floats, new: _Floats, samples: _Samples) -> _Floats:
    """Return the class priors estimated from the decisions of a balanced classifier alone."""
    codes, n_classes = samples.codes, own.shape[1]
    table = np.zeros((n_classes, n_classes))
    np.add.at(table, (own.argmax(axis=1), codes), samples.sample_weight)
    proportions = np.bincount(new.argmax(axis=1), minlength=n_classes) / len(new)
    return prior_of_decisions(table / table.sum(axis=0), proportions)


def prior_of_decisions(decided: _Floats, proportions: _Floats) -> _Floats:
    """Return the class priors (K,) with which the proportions of decisions are closest to `proportions` (K,).

    `decided[j, k]` is the proportion of class k that is predicted as class j.
    """
    scale = 1e3  # the weight of the equation that the class priors sum to one
    equations = np.vstack([decided, np.full(decided.shape[1], scale)])
    found = nnls(equations, np.append(proportions, scale))[0]
    prior: _Floats = found / found.sum()
    return prior
