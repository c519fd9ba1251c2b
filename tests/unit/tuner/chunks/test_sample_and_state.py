"""Random samples of samples in chunks, and the imbalance state of all of them."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from support.chunks import pieces_of, silent
from support.problems import problem

from skimbalance._core.decision import decide, softmax
from skimbalance.metrics.counts import Truth
from skimbalance.solvers import solve_state
from skimbalance.tuner.chunks._fit import mean_state, solve_state_of_all
from skimbalance.tuner.chunks._samples import (
    class_totals,
    confusion_matrices,
    counts_of,
    draw_by_class,
    draw_uniformly,
)


def totals(pieces, n_classes):
    return pieces.map_reduce(partial(class_totals, n_classes=n_classes), np.add)


@pytest.mark.parametrize("weighted", [False, True])
def test_minority_classes_are_complete_and_class_weights_are_kept(weighted):
    setting = problem(0, n_classes=6, n_samples=4000, weighted=weighted)
    pieces = pieces_of(setting)
    _, sizes, weights = totals(pieces, 6)
    sample = draw_by_class(pieces, class_sizes=sizes, class_weights=weights, limit=900, seed=0)
    counts = np.bincount(sample.codes, minlength=6)
    assert 700 < len(sample.codes) < 1100
    minority = sizes < 900 / 12
    assert minority.any()
    assert (counts[minority] == sizes[minority]).all()
    assert (counts[~minority] < sizes[~minority]).all()
    assert np.bincount(sample.codes, sample.weights_or_ones) == pytest.approx(weights)


def test_all_samples_are_gathered_in_their_order():
    setting = problem(0, n_classes=3, n_samples=200, weighted=True)
    pieces = pieces_of(setting)
    sample = draw_uniformly(pieces, rate=1.0, seed=0)
    assert (sample.scores == setting.scores).all()
    assert (sample.codes == setting.truth.codes).all()
    assert (sample.weights == setting.truth.weights).all()


def test_the_same_seed_draws_the_same_samples():
    setting = problem(0, n_classes=3, n_samples=2000)
    pieces = pieces_of(setting)
    _, sizes, weights = totals(pieces, 3)
    samples = [
        draw_by_class(pieces, class_sizes=sizes, class_weights=weights, limit=300, seed=seed).scores
        for seed in (0, 0, 1)
    ]
    assert (samples[0] == samples[1]).all()
    assert samples[0].shape != samples[2].shape or (samples[0] != samples[2]).any()


def test_samples_of_weight_zero_are_not_drawn_and_those_of_large_weight_are():
    """Nearly all weight of a class is in five samples: these are drawn."""
    setting = problem(0, n_classes=3, n_samples=5000)
    weights = np.zeros(5000)
    for k in range(3):
        weights[np.flatnonzero(setting.truth.codes == k)[:5]] = 1000.0
        weights[np.flatnonzero(setting.truth.codes == k)[5:200]] = 0.01
    setting = replace(setting, truth=Truth.from_codes(setting.truth.codes, n_classes=3, weights=weights))
    pieces = pieces_of(setting)
    all_sizes, sizes, class_weights = totals(pieces, 3)
    assert (sizes <= 200).all()
    assert (sizes < all_sizes).any()
    sample = draw_by_class(pieces, class_sizes=sizes, class_weights=class_weights, limit=60, seed=0)
    assert (sample.weights > 0).all()
    assert (np.bincount(sample.codes[sample.weights > 100], minlength=3) == 5).all()
    assert np.bincount(sample.codes, sample.weights) == pytest.approx(class_weights)


def test_samples_are_drawn_uniformly():
    setting = problem(0, n_classes=3, n_samples=20_000)
    sample = draw_uniformly(pieces_of(setting), rate=0.1, seed=0)
    shares = np.bincount(sample.codes) / np.bincount(setting.truth.codes)
    assert sample.weights is None
    assert shares == pytest.approx([0.1] * 3, rel=0.2)


def test_decisions_are_counted_over_all_chunks():
    setting = problem(0, n_classes=4, n_samples=500, weighted=True, decimals=1)
    offsets = (np.zeros(4), np.arange(4.0))
    each = pieces_of(setting).map_reduce(partial(confusion_matrices, offsets=offsets), np.add)
    for confusion, shifts in zip(each, offsets, strict=True):
        expected = setting.truth.count(decide(setting.scores, shifts), confusion=True)
        counts = counts_of(confusion)
        for name in ("hits", "predicted", "support", "confusion"):
            assert getattr(counts, name) == pytest.approx(np.asarray(getattr(expected, name)))


@pytest.mark.parametrize("n_classes", [2, 5])
def test_the_state_of_all_samples_is_reached_from_a_sample(n_classes):
    setting = problem(1, n_classes=n_classes, n_samples=3000, weighted=True)
    pieces, target = pieces_of(setting), np.full(n_classes, 1 / n_classes)
    factors = np.full(n_classes, 1 / setting.truth.weights.sum())

    def solve(aim):
        return solve_state(setting.scores[::10], aim, weights=setting.truth.weights[::10]).offsets

    off = np.abs(mean_state(pieces, solve(target), factors=factors) - target).max()
    found = solve_state_of_all(pieces, solve, target, factors=factors, progress=silent)
    assert off > 1e-4
    assert mean_state(pieces, found, factors=factors) == pytest.approx(target, abs=1e-8)
    share = setting.truth.weights / setting.truth.weights.sum()
    assert mean_state(pieces, found, factors=factors) == pytest.approx(
        share @ softmax(setting.scores + found), abs=1e-12
    )


def test_if_no_sample_helps_the_nearest_state_is_kept():
    """The offsets of the sample never change: the aim would have to be below zero."""
    setting = problem(1, n_classes=2, n_samples=400)
    pieces, target = pieces_of(setting), np.asarray([0.999, 0.001])
    factors = np.full(2, 1 / 400)

    found = solve_state_of_all(pieces, np.zeros_like, target, factors=factors, progress=silent)
    assert found.tolist() == [0, 0]
