"""Calibrated soft labels: against a plain minimiser, and on scores that are wrong in known ways."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, logit, softmax
from support.effort import seeds
from support.problems import in_namespace, labels, log_proba

from skimbalance._core.array_api import to_numpy
from skimbalance.estimation._calibration import _shares, calibrated_shares
from skimbalance.estimation._condense import MergedProblem
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import Problem


def sample(scores, y, weights=None):
    truth = Truth.from_codes(y, n_classes=scores.shape[1], weights=weights)
    return MergedProblem(Problem(scores, truth, METRICS["accuracy"]), None)


def bends(scores, y):
    """The six even functions of the rank of binary log-odds, (6, n); none of more classes."""
    if scores.shape[1] > 2:
        return np.zeros((0, len(y)))
    margins = np.diff(log_softmax(scores, axis=1))[:, 0]
    below = [[(margins[y == c] < m).sum() + (margins[y == c] == m).sum() / 2 for m in margins] for c in (0, 1)]
    level = np.array([(np.array(below[c]) + 0.25) / ((y == c).sum() + 0.5) for c in (0, 1)])
    rank = logit(level.mean(axis=0))
    knots = []
    for c in (0, 1):
        order = np.argsort(margins[y == c])
        knots += [np.interp(q, level[c][y == c][order], rank[y == c][order]) for q in (0.1, 0.5, 0.9)]
    return np.array([np.log(np.cosh((rank - k) / 2)) - np.log(np.cosh(k / 2)) for k in knots])


def plain(scores, y):
    """The same penalised likelihood, straightforwardly, without a gradient."""
    log, curves, n_classes = log_softmax(scores, axis=1), bends(scores, y), scores.shape[1]
    prior = np.bincount(y) / len(y)
    ridge = np.concatenate([np.ones(3), np.full(n_classes, 4.0), np.full(len(curves), 25.0)])

    def shares(p):
        lapse = expit(p[1] - np.log(2 * len(y)))
        tilted = np.exp(p[0]) * log + p[2] * np.log(prior) + p[3 : 3 + n_classes]
        tilted[:, -1] += p[3 + n_classes :] @ curves
        return (1 - lapse) * softmax(tilted, axis=1) + lapse * prior

    def loss(p):
        return -np.log(shares(p)[np.arange(len(y)), y]).sum() + ridge @ p**2 / 2

    return shares(minimize(loss, np.zeros(len(ridge)), tol=1e-12).x).T


def draw(seed, n_classes=3, n_samples=60):
    rng = np.random.default_rng(seed)
    y = labels(rng, n_samples, n_classes)
    return 3 * log_proba(rng, y, n_classes) + np.arange(n_classes), y


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_it_maximises_the_penalised_likelihood(n_classes):
    for seed in seeds(20, quick=6):
        scores, y = draw(seed, n_classes)
        np.testing.assert_allclose(calibrated_shares(sample(scores, y)), plain(scores, y), atol=5e-3)


def test_wrong_temperature_and_biases_are_undone():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 3)) + np.log([0.7, 0.25, 0.05])
    true = softmax(logits, axis=1)
    y = (rng.random(20_000)[:, None] > true.cumsum(axis=1)).sum(axis=1)
    shares = calibrated_shares(sample(2.5 * logits + [1.0, -2.0, 0.5], y))
    assert np.quantile(np.abs(shares - true.T), 0.99) < 0.03  # what is below 1 / 2n is not told apart
    np.testing.assert_allclose(shares.sum(axis=1), np.bincount(y), rtol=0.01)


def test_weights_count_as_repetition():
    scores, y = draw(1)
    times = np.random.default_rng(0).integers(1, 4, len(y))
    samples = np.repeat(np.arange(len(y)), times)
    repeated = calibrated_shares(sample(scores[samples], y[samples]))
    weighted = calibrated_shares(MergedProblem(sample(scores, y, times.astype(float)).problem, times.astype(float)))
    np.testing.assert_allclose(weighted[:, np.repeat(np.arange(len(y)), times)], repeated, atol=2e-3)


def test_perfectly_separated_labels_have_bounded_calibration():
    y = np.arange(40) % 2
    scores = np.where(y[:, None] == np.arange(2), 0.0, -700.0)
    shares = calibrated_shares(sample(scores, y))
    assert np.isfinite(shares).all()
    assert 0.95 < shares[0, y == 0].min() < 1


def test_a_class_of_one_sample_moves_little():
    scores, y = draw(2, n_samples=200)
    y = np.where(y == 2, 0, y)
    y[0] = 2
    assert 1 < calibrated_shares(sample(scores, y))[2].sum() < softmax(scores, axis=1)[:, 2].sum() / 4


@pytest.mark.parametrize("scale", [0.1, 10.0, 30.0, 100.0])
def test_any_temperature_is_undone(scale):
    rng = np.random.default_rng(0)
    y = (rng.random(3000) < 0.1).astype(int)
    margin = rng.normal(size=3000) + 2 * y
    shares = [calibrated_shares(sample(np.column_stack([np.zeros(3000), factor * margin]), y)) for factor in (1, scale)]
    np.testing.assert_allclose(shares[1], shares[0], atol=0.01)


def draw_many(seed=0):
    rng = np.random.default_rng(seed)
    prior = 0.7 ** np.arange(5)
    y = rng.choice(5, 20_000, p=prior / prior.sum())
    return rng.normal(size=(20_000, 5)) + 2 * np.eye(5)[y] + np.log(prior), y


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [0.001, 0.01, 100.0])
def test_any_temperature_of_many_scores_is_undone(scale, dtype):
    scores, y = draw_many()
    shares = [calibrated_shares(sample((factor * scores).astype(dtype), y)) for factor in (1, scale)]
    np.testing.assert_allclose(shares[1], shares[0], atol=0.01)


@pytest.mark.parametrize("lowest", [None, -700.0, -1e6])
def test_weights_count_as_repetition_beyond_double_precision(lowest):
    """Repeated samples are calibrated in single precision, weighted ones in double; some rule out the true class."""
    scores, y = (each[:8000] for each in draw_many())
    if lowest is not None:
        out = np.random.default_rng(1).random(len(y)) < 0.3
        scores[out, y[out]] = lowest
    repeated = calibrated_shares(sample(np.repeat(scores, 3, axis=0), np.repeat(y, 3)))
    weighted = calibrated_shares(sample(scores, y, np.full(len(y), 3.0)))
    np.testing.assert_allclose(repeated[:, ::3], weighted, atol=0.015)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weight", [1e3, 1e6, 1e15])
def test_many_scores_with_large_weights(weight, dtype):
    scores, y = draw_many()
    weights = np.where(np.arange(len(y)) % 100 == 0, weight, 1.0)
    shares = calibrated_shares(sample(scores.astype(dtype), y, weights))
    np.testing.assert_allclose(shares @ weights, np.bincount(y, weights), rtol=0.02)


def test_uninformative_zeros_do_not_hide_informative_scores():
    """A fifth of the rows has a probability of zero, whatever the label."""
    rng = np.random.default_rng(0)
    y = (rng.random(20_000) < 0.1).astype(int)
    margin = rng.normal(size=len(y)) + 2 * y - 2
    zero = rng.random(len(y)) < 0.2
    shares = calibrated_shares(sample(np.column_stack([np.zeros(len(y)), np.where(zero, -708.0, margin)]), y))
    true = 1 / (1 + np.exp(-(2 * margin + 2 + np.log(0.1 / 0.9))))
    assert np.corrcoef(shares[1][~zero], true[~zero])[0, 1] > 0.98


@pytest.mark.parametrize("ordered", [False, True])
def test_many_samples_are_sampled_from_every_class(ordered):
    """Whatever the order of the rows, and however few rows a class has."""
    rng = np.random.default_rng(0)
    y = np.where(rng.random(150_000) < 0.1, 1, 0)
    y[:300] = 2
    y = np.sort(y) if ordered else y
    scores = rng.normal(size=(len(y), 3))
    scores[np.arange(len(y)), y] += 2
    shares = calibrated_shares(sample(scores, y))
    np.testing.assert_allclose(shares.sum(axis=1), np.bincount(y), rtol=0.15)


def test_every_library(xp):
    scores, y = draw(3)
    here = calibrated_shares(sample(scores, y))
    there = MergedProblem(in_namespace(sample(scores, y).problem, xp), None)
    np.testing.assert_allclose(to_numpy(calibrated_shares(there)), here, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spread", [0.0, 30.0, 60.0, 300.0])
def test_probabilities_are_those_of_the_softmax_however_far_apart_the_biases_are(spread, dtype):
    rng = np.random.default_rng(0)
    logs = rng.normal(size=(4, 50), scale=5).astype(dtype)
    logs -= logs.max(axis=0)
    biases = np.array([0.0, spread, spread / 2, spread / 3])
    parameters = np.concatenate([[0.5, 0.0, 0.0], biases])
    found = _shares(logs, parameters, np.full(4, 0.25), None)
    expected = softmax(np.exp(0.5) * logs.astype(np.float64) + biases[:, None], axis=0)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == dtype
