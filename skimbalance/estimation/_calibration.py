"""Calibrated soft labels: how likely each class is in each sample, by the scores and what they were worth so far.

A temperature and a bias per class are fitted by penalised negative log-likelihood. This is bias-corrected temperature
scaling: Alexandari, Kundaje and Shrikumar, *Maximum likelihood with bias-corrected calibration is hard-to-beat at label
shift adaptation*, arXiv 1901.06852, 2020. An exponent of the class priors is fitted as well: it is zero for calibrated
scores, and one for scores of balanced training. So few numbers cannot follow the noise of a class with seven samples. A
small share of the samples belongs to a class by its prior, whatever the scores are. This share is fitted too: the lapse
rate of psychometric functions (Wichmann and Hill, 2001). Without it a sample that a forest gave a probability of zero
would decide the temperature.

Binary log-odds may also be bent: a smooth function of their rank is added, with a prior that keeps it small unless many
samples contradict.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, cast

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.optimize import Bounds, OptimizeResult, minimize
from scipy.sparse import diags_array
from scipy.special import logit

from skimbalance._core.array_api import (
    block_columns,
    block_samples,
    bring,
    count_codes,
    device,
    flat,
    flat_places,
    largest_magnitude,
    namespace,
    side_by_side,
    smallest_normal,
    sums_of_products,
    to_numpy,
    transposed,
)
from skimbalance._core.typing import Array
from skimbalance._core.validation import LARGEST_SINGLE
from skimbalance.estimation._condense import MergedProblem

__all__ = ["Calibration", "calibrated_shares"]

_Vector = npt.NDArray[np.float64]

_BIAS_RIDGE = 4.0
_TEMPERATURE_RIDGE = 1.0
_LAPSE_RIDGE = 1.0
"""Precisions of the priors: half a unit either way for a bias, a factor e for the temperature and the lapse rate."""

_BEYOND_DOUBT = 20.0
"""Where the log-probability of the last class is mostly lower, all gradients vanish: the scores are flattened first."""

_PRECISION, _LEAST_GAIN = 1e-7, 3e-8
"""The fit ends where the log-likelihood gains less than this proportion of it, or where a Newton step would gain less
than `_LEAST_GAIN` per sample. The offsets are far less certain than that."""

_ROUNDING = 1e-6
"""In single precision, the rounding of the log-likelihood of each sample. A search for less takes long, in vain."""

_CELLS_IN_SINGLE = 50_000
"""More scores of three or more classes are calibrated in single precision, which is faster."""

_PRIOR_RIDGE = 1.0
"""Precision of the prior of the exponent of the class priors: scores of models that were trained with balanced classes
need the exponent one."""

_BEND_RIDGE = 25.0
"""Precision of the prior of each coefficient of the bends: a fifth either way."""

_QUANTILES = (0.1, 0.5, 0.9)
"""Bends have their knots at these quantiles of each class."""

_FIRST = 3
"""The first parameters are the log-temperature, the lapse and the exponent; the biases follow."""

_REACH = 30.0
"""No parameter goes further: a factor of ten to the thirteen."""

_ANYWHERE = 1e30
"""Bounds of steps in units of the curvature: none is reached."""

_CELLS_FOR_UNITS = 200_000
"""The curvature is that of a subsample of about so many scores."""

_LEAST_BIAS = -50.0
"""If no bias is further below the highest, the highest probability of a sample is no zero in single precision."""

_MOST_FULL = 200
"""With more classes the biases are taken to be independent."""

_SAMPLES = 50_000
_CELLS = 5_000_000
_LEAST_SAMPLES = 200
"""More samples or scores calibrate no better if so many samples of each class are among them. Of many classes each has
an equal part of the samples."""


@dataclass(frozen=True, eq=False)
class _Bends:
    """Six even functions `log(2 cosh((u - knot) / 2))` of the rank u of binary log-odds.

    The rank is the log-odds of the distribution function of the margins, the mean of both classes. It depends on the
    order of the scores alone. Swapped classes have the negative rank and the same functions.
    """

    margins: _Vector
    ranks: _Vector
    knots: _Vector

    @classmethod
    def of(cls, log_proba: Array, codes: Array, mass: Array) -> Self:
        """Rank samples that weigh `mass`, and place the knots."""
        margins, place = np.unique(_margins(log_proba), return_inverse=True)
        own, weights = to_numpy(codes), to_numpy(mass)
        held = [np.bincount(place, np.where(own == label, weights, 0.0), minlength=len(margins)) for label in (0, 1)]
        levels = [(np.cumsum(each) - each / 2 + 0.25) / (each.sum() + 0.5) for each in held]
        ranks: _Vector = logit((levels[0] + levels[1]) / 2)
        pairs = zip(levels, held, strict=True)
        knots = [np.interp(_QUANTILES, level[each > 0], ranks[each > 0]) for level, each in pairs]
        return cls(margins, ranks, np.concatenate(knots))

    def at(self, log_proba: Array) -> Array:
        """Return the value of each function (6, n)."""
        ranks = np.interp(_margins(log_proba), self.margins, self.ranks)
        knots = self.knots[:, None]
        return bring(_even(ranks - knots) - _even(knots), to=log_proba, dtype=log_proba.dtype)


def _margins(log_proba: Array) -> _Vector:
    return to_numpy(log_proba[1, :] - log_proba[0, :]).astype(np.float64)


def _even(x: _Vector) -> _Vector:
    """Return log(2 cosh(x / 2)), several times as fast as `np.logaddexp`."""
    size = np.abs(x)
    return size / 2 + np.log1p(np.exp(-size))


@dataclass(frozen=True, eq=False)
class Calibration:
    """What turns scores into calibrated probabilities, fitted on the samples of a sample.

    `parameters` are the log-temperature, the lapse, the exponent of the class priors, the biases (K,) and, of binary
    scores, the coefficients of the `bends`. `prior` are the class priors, and `n_samples` is the number of samples.
    """

    parameters: _Vector
    prior: _Vector
    n_samples: float
    bends: _Bends | None

    @classmethod
    def of(
        cls,
        sample: MergedProblem,
        *,
        near: "Calibration | None" = None,
        bent: bool = True,
        log_proba: Array | None = None,
    ) -> Self:
        """Fit the parameters, from those of a calibration `near` where one is at hand, which is quicker.

        It is stored with the problem. Binary probabilities that are not `bent` rise with the log-odds. `log_proba`
        (K, n) are those of `_log_proba`, where they are at hand.
        """
        key = "calibration", bent
        if key in sample.problem.own:
            return cast(Self, sample.problem.own[key])
        scores, truth = sample.problem.scores, sample.truth
        xp = namespace(scores)
        prior = to_numpy(truth.support / xp.sum(truth.support)).astype(np.float64)
        prior = np.maximum(prior, np.finfo(np.float64).tiny)  # of classes that weigh next to nothing
        mass = xp.ones(scores.shape[0], dtype=xp.float64, device=device(scores))
        if truth.weights is not None:
            mass = mass * truth.weights
        mass = mass * (sample.n_samples / float(xp.sum(mass)))
        codes = xp.astype(truth.codes, xp.int64)
        chosen = _chosen(to_numpy(codes), sample.problem.n_classes)
        if chosen is not None:
            samples, factors = (bring(x, to=scores) for x in chosen)
            log_proba, codes, mass = _log_proba(scores, samples), codes[samples], mass[samples] * factors
        elif log_proba is None:
            log_proba = _log_proba(scores)
        bends = _Bends.of(log_proba, codes, mass) if bent and scores.shape[1] == 2 else None
        curves = None if bends is None else bends.at(log_proba)
        is_near = near is not None and near.prior.shape == prior.shape
        starts = [cast(Calibration, near).parameters] if is_near else None
        parameters = _fit(log_proba, codes, mass, prior, curves, starts=starts)
        found: Self = cls(parameters, prior, sample.n_samples, bends)
        sample.problem.own[key] = found
        return found

    def shares(self, scores: Array, *, log_proba: Array | None = None, exact: bool = False) -> Array:
        """Return the calibrated probability (K, n) of each class in each sample.

        If `exact`, the precision is that of the scores, whatever their number: that of a sample does not depend on the
        others. Otherwise it is single if the scores are many.
        """
        parts = block_samples(scores.shape, scores)
        if log_proba is None:
            dtype = None if exact else _dtype_of(scores.shape, scores)
            blocks = (_lowered(scores[part, :], dtype) for part in parts)
        else:
            blocks = (log_proba[:, part] for part in parts)
        return side_by_side(map(self._lapsed, blocks), n_columns=scores.shape[0])

    def _lapsed(self, log_proba: Array) -> Array:
        """Return calibrated probabilities (K, n), a small share of each guessed by the prior."""
        lapse = _lapse(self.parameters, self.n_samples)
        guessed = lapse * bring(self.prior, to=log_proba, dtype=log_proba.dtype)[:, None]
        curves = None if self.bends is None else self.bends.at(log_proba)
        shares = _shares(log_proba, self.parameters, self.prior, curves)
        shares *= 1 - lapse
        shares += guessed
        return shares


def calibrated_shares(sample: MergedProblem, *, near: Calibration | None = None) -> Array:
    """Return the calibrated probability (K, n) of each class in each merged sample."""
    scores = sample.problem.scores
    log_proba = _log_proba(scores) if scores.shape[0] <= _most_samples(scores.shape[1]) else None
    return Calibration.of(sample, near=near, log_proba=log_proba).shares(scores, log_proba=log_proba)


def _dtype_of(shape: tuple[int, int], scores: Array) -> Any:
    """Return the precision in which so many scores are calibrated: single if they are many, and none is huge."""
    is_large = shape[1] > 2 and shape[0] * shape[1] > _CELLS_IN_SINGLE
    return namespace(scores).float32 if is_large and largest_magnitude(scores) <= LARGEST_SINGLE else scores.dtype


def _log_proba(scores: Array, samples: Array | None = None) -> Array:
    """Return the log-probabilities (K, n) of all or some samples, each less the highest of its sample.

    Calibrated probabilities do not depend on a constant of a sample, and differences of small numbers are precise.
    """
    xp, n_samples = namespace(scores), (scores if samples is None else samples).shape[0]
    parts = block_samples((n_samples, scores.shape[1]), scores)
    dtype = _dtype_of((n_samples, scores.shape[1]), scores)
    blocks = (scores[p, :] if samples is None else xp.take(scores, samples[p], axis=0) for p in parts)
    return side_by_side((_lowered(block, dtype) for block in blocks), n_columns=n_samples)


def _lowered(scores: Array, dtype: Any) -> Array:
    """Return `scores` transposed, (K, n), less the highest of each sample, in a precision, their own if it is None."""
    xp, lowered = namespace(scores), transposed(scores)  # the highest of a column is found much faster than of a row
    if type(lowered) is np.ndarray:
        lowered -= np.max(lowered, axis=0)
    else:
        lowered = lowered - xp.max(lowered, axis=0)
    return lowered if dtype is None else xp.astype(lowered, dtype, copy=False)


def _most_samples(n_classes: int) -> int:
    """Return how many samples are calibrated at most."""
    return min(_SAMPLES, _CELLS // n_classes)


def _chosen(codes: npt.NDArray[np.int64], n_classes: int) -> tuple[npt.NDArray[np.int64], _Vector] | None:
    """Return random samples, enough of each class, and by what to multiply their weights; None where all are few."""
    limit = _most_samples(n_classes)
    if codes.size <= limit:
        return None
    counts = np.bincount(codes, minlength=n_classes)
    wanted = np.minimum(counts, np.maximum(min(_LEAST_SAMPLES, limit // n_classes + 1), counts * limit // codes.size))
    order = np.random.default_rng(0).permutation(codes.size)
    order = order[np.argsort(codes[order], kind="stable")]
    starts = np.cumsum(counts) - counts
    samples = np.sort(order[np.arange(codes.size) - np.repeat(starts, counts) < np.repeat(wanted, counts)])
    return samples, (counts / np.maximum(wanted, 1))[codes[samples]]


def _shares(log_proba: Array, parameters: _Vector, prior: _Vector, curves: Array | None) -> Array:
    """Return the probabilities (K, n) that the parameters make of those at hand."""
    shares, total = _raised(log_proba, parameters, prior, curves)
    shares /= total
    return shares


def _raised(log_proba: Array, parameters: _Vector, prior: _Vector, curves: Array | None) -> tuple[Array, Array]:
    """Return numbers (K, n) in proportion to the probabilities, and their sum for each sample.

    The highest of `log_proba` in each sample is zero.
    """
    xp, end = namespace(log_proba), _FIRST + log_proba.shape[0]
    biases = parameters[2] * np.log(prior) + parameters[_FIRST:end]
    biases -= biases.max()
    tilted = math.exp(parameters[0]) * log_proba
    tilted += bring(biases, to=log_proba, dtype=log_proba.dtype)[:, None]
    if curves is not None:
        bent = bring(parameters[end:], to=log_proba, dtype=log_proba.dtype) @ curves
        tilted = tilted + xp.stack([0 * bent, bent])
    if curves is not None or biases.min() < _LEAST_BIAS:  # otherwise the highest is high enough
        tilted -= xp.max(tilted, axis=0)
    raised = xp.exp(tilted)
    return raised, xp.sum(raised, axis=0)


def _lapse(parameters: _Vector, n_samples: float) -> float:
    """Return the lapse rate: about half a sample in all, unless the samples suggest otherwise."""
    return 1 / (1 + 2 * n_samples * math.exp(-parameters[1]))


class _Block(NamedTuple):
    """Some samples, and what the likelihood needs of them: `places` are those of their classes in a flat array."""

    log_proba: Array
    own_log: Array
    codes: Array
    places: Array
    mass: Array
    own_prior: Array
    curves: Array | None

    def thinned(self, step: int) -> tuple[Array, Array, Array | None]:
        """Return one in `step` samples, for all: their log-probabilities, weights and bends."""
        curves = None if self.curves is None else self.curves[:, ::step]
        return self.log_proba[:, ::step], step * self.mass[::step], curves


def _fit(
    log_proba: Array,
    codes: Array,
    mass: Array,
    prior: _Vector,
    curves: Array | None,
    *,
    starts: list[_Vector] | None = None,
) -> _Vector:
    """Return the parameters of a `Calibration`; `curves` (J, n) are the values of its bends."""
    xp = namespace(log_proba)
    n_classes, n_curves = log_proba.shape[0], 0 if curves is None else curves.shape[0]
    total = float(xp.sum(mass))
    mass = xp.astype(mass, log_proba.dtype)
    own_log = flat(log_proba)[flat_places(codes)]
    own_prior = bring(prior, to=log_proba, dtype=log_proba.dtype)[codes]
    end = _FIRST + n_classes
    ridge = np.concatenate(
        [
            [_TEMPERATURE_RIDGE, _LAPSE_RIDGE, _PRIOR_RIDGE],
            np.full(n_classes, _BIAS_RIDGE),
            np.full(n_curves, _BEND_RIDGE),
        ]
    )
    blocks = [
        _Block(
            log_proba[:, part],
            own_log[part],
            codes[part],
            flat_places(codes[part]),
            mass[part],
            own_prior[part],
            None if curves is None else curves[:, part],
        )
        for part in block_columns(log_proba)
    ]
    log_prior = np.log(prior)
    step = 1 + log_proba.shape[0] * log_proba.shape[1] // _CELLS_FOR_UNITS
    rounding = 0.0 if log_proba.dtype == xp.float64 else _ROUNDING
    # In units of the curvature, a Newton step gains half the squared norm of the gradient.
    gradient_norm = math.sqrt(2 * total * max(_LEAST_GAIN, rounding))

    def loss(steps: _Vector, start: _Vector, units: Any) -> tuple[float, _Vector]:
        unbounded = start + units @ steps
        parameters = np.clip(unbounded, -_REACH, _REACH)
        slope, lapse = math.exp(parameters[0]), _lapse(parameters, total)
        likelihood, gradient = 0.0, np.zeros_like(parameters)
        for block in blocks:
            raised, sums = _raised(block.log_proba, parameters, prior, block.curves)
            own = flat(raised)[block.places] / sums
            # Both may be zero in samples that weigh next to nothing.
            mixed = xp.clip((1 - lapse) * own + lapse * block.own_prior, smallest_normal(own), None)
            pull = block.mass * (1 - lapse) * own / mixed
            likelihood += float(xp.sum(block.mass * xp.log(mixed), dtype=xp.float64))
            expected = sums_of_products(raised, block.log_proba) / sums
            gradient[0] += slope * float(xp.sum(pull * (block.own_log - expected)))
            gradient[1] += lapse * (1 - lapse) * float(xp.sum(block.mass * (block.own_prior - own) / mixed))
            by_class = to_numpy(count_codes(block.codes, pull, n_classes) - raised @ (pull / sums))
            gradient[2] += log_prior @ by_class
            gradient[_FIRST:end] += by_class
            if block.curves is not None:
                second = xp.astype(block.codes == 1, pull.dtype) - raised[1, :] / sums
                gradient[end:] += to_numpy(block.curves @ (pull * second))
        penalty = float(ridge @ (unbounded * unbounded)) / 2
        slopes: _Vector = units.T @ (ridge * unbounded - gradient * (parameters == unbounded))
        return penalty - likelihood, slopes

    def fit(start: _Vector) -> OptimizeResult:
        # In units in which the likelihood curves about alike in all directions, far fewer steps are needed.
        if n_classes > _MOST_FULL:
            support = to_numpy(count_codes(codes, mass, n_classes))
            curvature = np.array([total, 1.0, support @ log_prior**2, *support])
            units: Any = diags_array(1 / np.sqrt(ridge + curvature))
        else:
            parts = [_curvature(*block.thinned(step), start, prior) for block in blocks]
            curved = np.sum(parts, axis=0) + np.diag(ridge)
            try:
                units = solve_triangular(cholesky(curved), np.eye(len(ridge)))
            except LinAlgError:  # the ridge is lost to the rounding of huge weights
                units = diags_array(1 / np.sqrt(np.maximum(np.diag(curved), ridge)))
        wide = np.full(len(ridge), _ANYWHERE)  # with bounds, however wide, SciPy tries a whole step first
        found = minimize(
            loss,
            0 * wide,
            (start, units),
            jac=True,
            bounds=Bounds(-wide, wide),
            method="L-BFGS-B",
            options={"ftol": _PRECISION, "gtol": gradient_norm / math.sqrt(len(ridge))},
        )
        found.x = np.clip(start + units @ found.x, -_REACH, _REACH)
        return found

    with np.errstate(invalid="ignore"):  # a product of matrices in single precision may raise the flag without cause
        fits = [fit(start) for start in starts or _starts(log_proba, n_parameters=len(ridge))]
    blocks.clear()  # some versions of SciPy keep the loss in a cycle, until garbage is collected
    best: _Vector = min(fits, key=lambda found: float(found.fun)).x
    return best


def _curvature(log_proba: Array, mass: Array, curves: Array | None, parameters: _Vector, prior: _Vector) -> _Vector:
    """Return the Fisher information of the parameters (P, P), without a lapse.

    A sample adds the covariance, over classes by their probabilities, of what the parameters add to the log-odds.
    """
    xp, end, log_prior = namespace(log_proba), _FIRST + log_proba.shape[0], np.log(prior)
    shares = _shares(log_proba, parameters, prior, curves)
    weighed, slope = shares * mass, math.exp(parameters[0])
    among = np.diag(to_numpy(xp.sum(weighed, axis=1))) - to_numpy(weighed @ shares.T)
    deviations = slope * (log_proba - xp.sum(shares * log_proba, axis=0))
    tempered = to_numpy(xp.sum(weighed * deviations, axis=1))
    upper = np.zeros((len(parameters), len(parameters)))
    upper[0, 0], upper[1, 1] = float(xp.sum(weighed * deviations * deviations)), 1
    upper[0, 2], upper[2, 2] = log_prior @ tempered, log_prior @ among @ log_prior
    upper[0, _FIRST:end], upper[2, _FIRST:end], upper[_FIRST:end, _FIRST:end] = tempered, among @ log_prior, among
    if curves is not None:
        bent = curves * (weighed[1, :] * shares[0, :])
        log_odds = log_proba[1, :] - log_proba[0, :]
        by_bias, by_slope = to_numpy(xp.sum(bent, axis=1)), slope * to_numpy(bent @ log_odds)
        upper[0, end:], upper[2, end:] = by_slope, (log_prior[1] - log_prior[0]) * by_bias
        upper[_FIRST:end, end:], upper[end:, end:] = np.outer([-1, 1], by_bias), to_numpy(bent @ curves.T)
    return np.triu(upper) + np.triu(upper, 1).T


def _starts(log_proba: Array, *, n_parameters: int) -> list[_Vector]:
    """Return where to start from: as the scores are, and flattened where most of them are near zero or one."""
    xp = namespace(log_proba)
    start = np.zeros(n_parameters)
    note = float(np.median(to_numpy(-xp.min(log_proba, axis=0))))
    if note <= _BEYOND_DOUBT:
        return [start]
    flat = start.copy()
    flat[0] = math.log(_BEYOND_DOUBT / note)
    return [start, flat]
