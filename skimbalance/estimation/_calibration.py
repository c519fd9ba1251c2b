"""Calibrated soft labels: how likely each class is in each row, by the scores and what they were worth so far.

A temperature and a bias per class are fitted by penalised negative log-likelihood: bias-corrected temperature scaling,
Alexandari, Kundaje and Shrikumar, *Maximum likelihood with bias-corrected calibration is hard-to-beat at label shift
adaptation*, arXiv 1901.06852, 2020. So few numbers cannot follow the noise of a class with seven rows. A small share
of the rows, fitted too, belongs to a class by its prior whatever the scores say: the lapse rate of psychometric
functions (Wichmann and Hill, 2001). Without it a row that a forest gave a probability of zero would decide the
temperature.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from skimbalance._array_api import bring, device, namespace, to_numpy, transposed
from skimbalance._typing import Array
from skimbalance.decision import log_softmax
from skimbalance.estimation._condense import Sample

__all__ = ["calibrated_shares"]

_Vector = npt.NDArray[np.float64]

_BIAS_RIDGE = 4.0
_TEMPERATURE_RIDGE = 1.0
_LAPSE_RIDGE = 1.0
"""Precisions of the priors: half a unit either way for a bias, a factor e for the temperature and the lapse rate."""

_BEYOND_DOUBT = 20.0
"""Where the log-probability of the last class is mostly lower, all gradients vanish: the scores are flattened first."""

_PRECISION = 1e-7
"""Relative gain in log-likelihood that ends the fit; the offsets are far less certain than that."""

_REACH = 30.0
"""No parameter goes further: a factor of ten to the thirteen."""

_ROWS = 50_000
_LEAST_ROWS = 200
"""More rows than that calibrate no better, as long as so many of each class are among them."""


def calibrated_shares(sample: Sample) -> Array:
    """Return the calibrated probability (K, n) of each class in each row."""
    scores, truth = sample.problem.scores, sample.truth
    xp = namespace(scores)
    log_proba = transposed(log_softmax(scores))
    mass = xp.ones(scores.shape[0], dtype=xp.float64, device=device(scores))
    if truth.weights is not None:
        mass = truth.weights * (sample.n_rows / float(xp.sum(truth.weights)))
    codes = xp.astype(truth.codes, xp.int64)
    chosen = _chosen(to_numpy(codes), sample.problem.n_classes)
    prior = to_numpy(truth.support / xp.sum(truth.support)).astype(np.float64)
    if chosen is None:
        parameters = _fit(log_proba, codes, mass, prior)
    else:
        rows, factors = (bring(x, to=scores) for x in chosen)
        parameters = _fit(xp.take(log_proba, rows, axis=1), codes[rows], mass[rows] * factors, prior)
    tilted, lapse = _tilted(log_proba, parameters), _lapse(parameters, sample.n_rows)
    raised = xp.exp(tilted - xp.max(tilted, axis=0))
    shares = raised / xp.sum(raised, axis=0)
    return (1 - lapse) * shares + lapse * bring(prior, to=scores, dtype=scores.dtype)[:, None]


def _chosen(codes: npt.NDArray[np.int64], n_classes: int) -> tuple[npt.NDArray[np.int64], _Vector] | None:
    """Return random rows, enough of each class, and by what to multiply their weights; None where all are few."""
    if codes.size <= _ROWS:
        return None
    counts = np.bincount(codes, minlength=n_classes)
    wanted = np.minimum(counts, np.maximum(_LEAST_ROWS, counts * _ROWS // codes.size))
    order = np.random.default_rng(0).permutation(codes.size)
    order = order[np.argsort(codes[order], kind="stable")]
    starts = np.cumsum(counts) - counts
    rows = np.sort(order[np.arange(codes.size) - np.repeat(starts, counts) < np.repeat(wanted, counts)])
    return rows, (counts / np.maximum(wanted, 1))[codes[rows]]


def _tilted(log_proba: Array, parameters: _Vector) -> Array:
    biases = bring(parameters[2:], to=log_proba, dtype=log_proba.dtype)
    return math.exp(parameters[0]) * log_proba + biases[:, None]


def _lapse(parameters: _Vector, n_rows: float) -> float:
    """Return the lapse rate: about half a row in all, unless the rows tell otherwise."""
    return 1 / (1 + 2 * n_rows * math.exp(-parameters[1]))


def _fit(log_proba: Array, codes: Array, mass: Array, prior: _Vector) -> _Vector:
    """Return the log-temperature, the lapse and the biases, (2 + K,)."""
    xp = namespace(log_proba)
    n_classes = log_proba.shape[0]
    total = float(xp.sum(mass))
    mass = xp.astype(mass, log_proba.dtype)
    own_log = xp.take_along_axis(log_proba, codes[None, :], axis=0)[0, :]
    own_prior = bring(prior, to=log_proba, dtype=log_proba.dtype)[codes]
    ridge = np.concatenate([[_TEMPERATURE_RIDGE, _LAPSE_RIDGE], np.full(n_classes, _BIAS_RIDGE)])
    every = xp.arange(n_classes, device=device(codes))
    hit = xp.astype(every[:, None] == codes[None, :], log_proba.dtype)

    def loss(parameters: _Vector) -> tuple[float, _Vector]:
        slope, lapse = math.exp(parameters[0]), _lapse(parameters, total)
        tilted = _tilted(log_proba, parameters)
        raised = xp.exp(tilted - xp.max(tilted, axis=0))
        shares = raised / xp.sum(raised, axis=0)
        own = xp.take_along_axis(shares, codes[None, :], axis=0)[0, :]
        mixed = (1 - lapse) * own + lapse * own_prior
        pull = mass * (1 - lapse) * own / mixed
        by_bias = to_numpy(xp.sum(pull * (hit - shares), axis=1)).astype(np.float64)
        by_slope = float(xp.sum(pull * (own_log - xp.sum(shares * log_proba, axis=0))))
        by_lapse = float(xp.sum(mass * (own_prior - own) / mixed)) * lapse * (1 - lapse)
        gradient = -np.concatenate([[slope * by_slope, by_lapse], by_bias])
        penalty = float(ridge @ (parameters * parameters)) / 2
        return penalty - float(xp.sum(mass * xp.log(mixed))), gradient + ridge * parameters

    bounds = [(-_REACH, _REACH)] * (2 + n_classes)
    fits = [
        minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", tol=_PRECISION)
        for start in _starts(log_proba)
    ]
    found: _Vector = min(fits, key=lambda fit: float(fit.fun)).x
    return found


def _starts(log_proba: Array) -> list[_Vector]:
    """Return where to start from: as the scores are, and flattened where most of them are beyond doubt."""
    xp = namespace(log_proba)
    start = np.zeros(2 + log_proba.shape[0])
    doubt = float(np.median(to_numpy(xp.max(-log_proba, axis=0))))
    if doubt <= _BEYOND_DOUBT:
        return [start]
    flat = start.copy()
    flat[0] = math.log(_BEYOND_DOUBT / doubt)
    return [start, flat]
