"""What is drawn of rows in chunks, and an imbalance state that all of them reach."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from support.chunks import pieces_of, silent
from support.problems import problem

from skimbalance._core.decision import decide, softmax
from skimbalance.metrics.counts import Truth
from skimbalance.solvers import solve_state
from skimbalance.tuner.chunks import (
    as_counts,
    counts_of,
    drawn,
    drawn_evenly,
    gathered_samples,
    reached_by_all,
    state_of,
    weigh_classes,
)


def weighed(pieces, n_classes):
    return pieces.total(partial(weigh_classes, n_classes=n_classes), np.add)


@pytest.mark.parametrize("weighted", [False, True])
def test_rare_classes_are_whole_and_every_class_weighs_what_it_did(weighted):
    setting = problem(0, n_classes=6, n_samples=4000, weighted=weighted)
    pieces = pieces_of(setting)
    _, rows, masses = weighed(pieces, 6)
    sample = drawn(pieces, rows=rows, masses=masses, limit=900, seed=0)
    counts = np.bincount(sample.codes, minlength=6)
    assert 700 < len(sample.codes) < 1100
    rare = rows < 900 / 12
    assert rare.any()
    assert (counts[rare] == rows[rare]).all()
    assert (counts[~rare] < rows[~rare]).all()
    assert np.bincount(sample.codes, sample.mass) == pytest.approx(masses)


def test_all_rows_are_gathered_in_their_order():
    setting = problem(0, n_classes=3, n_samples=200, weighted=True)
    pieces = pieces_of(setting)
    sample = gathered_samples(pieces)
    assert (sample.scores == setting.scores).all()
    assert (sample.codes == setting.truth.codes).all()
    assert (sample.weights == setting.truth.weights).all()


def test_the_same_seed_draws_the_same_rows_and_another_others():
    setting = problem(0, n_classes=3, n_samples=2000)
    pieces = pieces_of(setting)
    _, rows, masses = weighed(pieces, 3)
    samples = [drawn(pieces, rows=rows, masses=masses, limit=300, seed=seed).scores for seed in (0, 0, 1)]
    assert (samples[0] == samples[1]).all()
    assert samples[0].shape != samples[2].shape or (samples[0] != samples[2]).any()


def test_rows_that_weigh_nothing_are_not_drawn_and_heavy_ones_are():
    """Of a class whose weight is in five rows these are there, however many others it has."""
    setting = problem(0, n_classes=3, n_samples=5000)
    weights = np.zeros(5000)
    for k in range(3):
        weights[np.flatnonzero(setting.truth.codes == k)[:5]] = 1000.0
        weights[np.flatnonzero(setting.truth.codes == k)[5:200]] = 0.01
    setting = replace(setting, truth=Truth.from_codes(setting.truth.codes, n_classes=3, weights=weights))
    pieces = pieces_of(setting)
    sizes, rows, masses = weighed(pieces, 3)
    assert (rows <= 200).all()
    assert (rows < sizes).any()
    sample = drawn(pieces, rows=rows, masses=masses, limit=60, seed=0)
    assert (sample.weights > 0).all()
    assert (np.bincount(sample.codes[sample.weights > 100], minlength=3) == 5).all()
    assert np.bincount(sample.codes, sample.weights) == pytest.approx(masses)


def test_rows_are_drawn_evenly_as_they_are():
    setting = problem(0, n_classes=3, n_samples=20_000)
    sample = drawn_evenly(pieces_of(setting), share=0.1, seed=0)
    shares = np.bincount(sample.codes) / np.bincount(setting.truth.codes)
    assert sample.weights is None
    assert shares == pytest.approx([0.1] * 3, rel=0.2)


def test_decisions_are_counted_over_all_chunks():
    setting = problem(0, n_classes=4, n_samples=500, weighted=True, decimals=1)
    offsets = (np.zeros(4), np.arange(4.0))
    each = pieces_of(setting).total(partial(counts_of, offsets=offsets), np.add)
    for confusion, shifts in zip(each, offsets, strict=True):
        expected = setting.truth.count(decide(setting.scores, shifts), confusion=True)
        counts = as_counts(confusion)
        for name in ("hits", "predicted", "support", "confusion"):
            assert getattr(counts, name) == pytest.approx(np.asarray(getattr(expected, name)))


@pytest.mark.parametrize("n_classes", [2, 5])
def test_all_rows_reach_a_state_from_a_sample(n_classes):
    setting = problem(1, n_classes=n_classes, n_samples=3000, weighted=True)
    pieces, target = pieces_of(setting), np.full(n_classes, 1 / n_classes)
    factors = np.full(n_classes, 1 / setting.truth.weights.sum())

    def solve(aim):
        return solve_state(setting.scores[::10], aim, weights=setting.truth.weights[::10]).offsets

    off = np.abs(state_of(pieces, solve(target), factors=factors) - target).max()
    found = reached_by_all(pieces, solve, target, factors=factors, progress=silent)
    assert off > 1e-4
    assert state_of(pieces, found, factors=factors) == pytest.approx(target, abs=1e-8)
    share = setting.truth.weights / setting.truth.weights.sum()
    assert state_of(pieces, found, factors=factors) == pytest.approx(share @ softmax(setting.scores + found), abs=1e-12)


def test_a_state_that_the_sample_cannot_aim_at_is_left_at_the_nearest():
    """The sample says nothing of the rows that lack most: the aim would have to be below zero."""
    setting = problem(1, n_classes=2, n_samples=400)
    pieces, target = pieces_of(setting), np.asarray([0.999, 0.001])
    factors = np.full(2, 1 / 400)

    found = reached_by_all(pieces, np.zeros_like, target, factors=factors, progress=silent)
    assert found.tolist() == [0, 0]
