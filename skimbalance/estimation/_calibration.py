"""Calibrated soft labels: how likely each class is in each row, by the scores and what they were worth so far.

A temperature and a bias per class are fitted by penalised negative log-likelihood: bias-corrected temperature scaling,
Alexandari, Kundaje and Shrikumar, *Maximum likelihood with bias-corrected calibration is hard-to-beat at label shift
adaptation*, arXiv 1901.06852, 2020. So few numbers cannot follow the noise of a class with seven rows.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from skimbalance._array_api import bring, count_codes, device, namespace, to_numpy, transposed
from skimbalance._typing import Array
from skimbalance.decision import log_softmax
from skimbalance.estimation._condense import Sample

__all__ = ["calibrated_shares"]

_Vector = npt.NDArray[np.float64]

_RIDGE = 4.0
"""Precision of the prior on the biases and on the log-temperature: half a unit either way."""

_PRECISION = 1e-7
"""Relative gain in log-likelihood that ends the fit; the offsets are far less certain than that."""

_ROWS = 50_000
_LEAST_SUPPORT = 200
"""More rows than that calibrate no better, as long as so many of the rarest class are among them."""


def calibrated_shares(sample: Sample) -> Array:
    """Return the calibrated probability (K, n) of each class in each row."""
    scores, truth = sample.problem.scores, sample.truth
    xp = namespace(scores)
    # Log-probabilities below what so many rows can tell from zero would say more than is known.
    log_proba = transposed(xp.clip(log_softmax(scores), -math.log(2 * sample.n_rows)))
    step = max(1, scores.shape[0] // _ROWS)
    if float(xp.min(truth.support)) < _LEAST_SUPPORT * step:
        step = 1
    weights = None if truth.weights is None else truth.weights * (sample.n_rows / float(xp.sum(truth.weights)))
    parameters = _fit(log_proba[:, ::step], truth.codes[::step], None if weights is None else weights[::step])
    raised, sums = _raised(log_proba, parameters)[1:]
    return raised / sums


def _raised(log_proba: Array, parameters: _Vector) -> tuple[Array, Array, Array]:
    """Return the tilted log-probabilities' maximum (n,), their exponentials below it (K, n), and the sums of these."""
    xp = namespace(log_proba)
    tilted = math.exp(parameters[0]) * log_proba + bring(parameters[1:], to=log_proba, dtype=log_proba.dtype)[:, None]
    top = xp.max(tilted, axis=0)
    raised = xp.exp(tilted - top)
    return top, raised, xp.sum(raised, axis=0)


def _fit(log_proba: Array, codes: Array, weights: Array | None) -> _Vector:
    """Return the log-temperature and the biases, (1 + K,)."""
    xp = namespace(log_proba)
    n_classes, n_rows = log_proba.shape
    wide = xp.astype(codes, xp.int64)
    mass = xp.ones(n_rows, dtype=log_proba.dtype, device=device(log_proba))
    if weights is not None:
        mass = xp.astype(weights, log_proba.dtype)
    own_total = float(xp.sum(mass * xp.take_along_axis(log_proba, wide[None, :], axis=0)[0, :]))
    support = to_numpy(count_codes(wide, xp.astype(mass, xp.float64), n_classes))

    def loss(parameters: _Vector) -> tuple[float, _Vector]:
        slope = math.exp(parameters[0])
        top, raised, sums = _raised(log_proba, parameters)
        shares = raised * (mass / sums)
        likelihood = slope * own_total + parameters[1:] @ support - float(xp.sum(mass * (top + xp.log(sums))))
        by_slope = float(xp.sum(shares * log_proba)) - own_total
        by_bias = to_numpy(xp.sum(shares, axis=1)).astype(np.float64) - support
        gradient = np.concatenate([[slope * by_slope], by_bias]) + _RIDGE * parameters
        return float(_RIDGE / 2 * (parameters @ parameters) - likelihood), gradient

    found: _Vector = minimize(loss, np.zeros(1 + n_classes), jac=True, method="L-BFGS-B", tol=_PRECISION).x
    return found
