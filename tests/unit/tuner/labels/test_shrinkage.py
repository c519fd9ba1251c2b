"""Offsets of labels that few samples carry are shrunk towards a line."""

import numpy as np
import pytest
from support.effort import seeds
from support.labels import fit_multilabel

from skimbalance.goals import AtLeast
from skimbalance.tuner.labels._estimate import fold_noise, shrunk


def test_noise_falls_with_the_samples_of_a_label(rng):
    sizes = np.array([10.0, 100.0, 1000.0])
    noise = fold_noise(rng.normal(size=(5, 3)), sizes)
    np.testing.assert_allclose(noise * sizes, noise[0] * sizes[0])


def test_without_noise_nothing_moves(rng):
    offsets = rng.normal(size=6)
    np.testing.assert_allclose(shrunk(offsets, noise=np.zeros(6), log_odds=rng.normal(size=6)), offsets)


def test_what_lies_on_a_line_stays(rng):
    log_odds = rng.normal(size=6)
    offsets = 1 - 0.5 * log_odds
    np.testing.assert_allclose(shrunk(offsets, noise=np.ones(6), log_odds=log_odds), offsets)


def test_noisy_offsets_move_more(rng):
    log_odds = np.linspace(-4, 0, 8)
    offsets = 1 - 0.5 * log_odds + rng.normal(size=8)
    quiet, loud = (shrunk(offsets, noise=np.full(8, noise), log_odds=log_odds) for noise in (0.1, 10.0))
    line = np.polyval(np.polyfit(log_odds, offsets, 1), log_odds)
    assert (np.abs(loud - line) < np.abs(quiet - line)).all()
    assert (np.abs(quiet - line) < np.abs(offsets - line)).all()


@pytest.mark.parametrize("equal", [True, False])
def test_labels_of_equal_frequency_are_drawn_to_their_mean(equal, rng):
    log_odds = np.zeros(5) if equal else rng.normal(size=5)
    offsets = rng.normal(size=5)
    kept = shrunk(offsets, noise=np.full(5, 1e6), log_odds=log_odds)
    if equal:
        np.testing.assert_allclose(kept, offsets.mean(), atol=1e-4)
    assert np.isfinite(kept).all()


def test_it_improves_scores_on_unseen_data():
    """Labels differ in their frequency alone, and most are rare: shrinkage improves the mean score on unseen data."""
    gains = []
    for seed in seeds(4, quick=2):
        rng = np.random.default_rng(seed)
        odds = rng.normal(size=(6000, 12)) * 1.5 - np.linspace(1, 4, 12)
        indicator = rng.random(odds.shape) < 1 / (1 + np.exp(-odds))
        scores = odds + 1.0
        fit = fit_multilabel(scores[:1000], indicator[:1000], metric="f1_macro", confidence_level=None)
        columns = ((scores[:1000, [j]], indicator[:1000, [j]]) for j in range(12))
        apart = [fit_multilabel(*each, metric="f1_macro", confidence_level=None) for each in columns]
        offsets = np.array([each.offsets[0] for each in apart])
        gains.append(_score(scores, indicator, fit.offsets) - _score(scores, indicator, offsets))
    assert np.mean(gains) > 0


def _score(scores, indicator, offsets):
    decided = scores[1000:] + offsets > 0
    truth = indicator[1000:]
    return np.mean(2 * (decided & truth).sum(axis=0) / (decided.sum(axis=0) + truth.sum(axis=0)))


def test_labels_with_constraints_are_not_shrunk(rng):
    odds = rng.normal(size=(400, 6)) - np.linspace(0, 2, 6)
    indicator = rng.random(odds.shape) < 1 / (1 + np.exp(-odds))
    bound = [AtLeast("recall", 0.8, label=2)]
    fit = fit_multilabel(odds, indicator, metric="f1_macro", constraints=bound)
    alone = fit_multilabel(odds[:, [2]], indicator[:, [2]], metric="f1_macro", constraints=[AtLeast("recall", 0.8)])
    assert fit.offsets[2] == alone.offsets[0]
