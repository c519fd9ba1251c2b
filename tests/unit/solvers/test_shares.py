"""Bounds on predicted shares hold on the samples of the fit, by the smallest change of the offsets."""

from dataclasses import replace

import numpy as np
import pytest
from support.effort import seeds
from support.oracles import between
from support.problems import problem

from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision import decide
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import satisfy_shares

SHARE = METRICS["predicted_share"]


def share_of(setting, offsets, k):
    counts = setting.count(decide(setting.scores, offsets))
    return float(counts.predicted[k] / counts.support.sum())


def bounded(setting, *requirements):
    return replace(setting, requirements=requirements)


def by_hand(setting, k, low, high):
    """The share nearest to the present one that some offset of class k gives within the bounds."""
    scores = to_numpy(setting.scores)
    margins = np.delete(scores, k, axis=1).max(axis=1) - scores[:, k]
    offsets = np.zeros((len(cuts := between(margins)), setting.n_classes))
    offsets[:, k] = cuts
    now = share_of(setting, 0 * offsets[0], k)  # with ties no other offset may give this share
    shares = [now, *(share_of(setting, each, k) for each in offsets)]
    return min((abs(share - now), share) for share in shares if low - 1e-12 <= share <= high + 1e-12)[1]


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_share_is_the_nearest_that_an_offset_gives(n_classes, weighted, dtype):
    changed = 0
    for seed in seeds(60, quick=20):
        drawn = problem(seed, n_classes=n_classes, n_samples=30, decimals=seed % 3 or None, weighted=weighted)
        drawn = replace(drawn, scores=drawn.scores.astype(dtype), metric=METRICS["accuracy"])
        k, rng = seed % n_classes, np.random.default_rng(seed)
        bounds = [(0.0, rng.random() / 2), (rng.random(), 1.0)][seed % 2]
        setting = bounded(drawn, BoundConstraint(SHARE.bind(k), *bounds))
        start = setting.solved(np.zeros(n_classes, dtype=dtype), n_iter=3)
        found = satisfy_shares(setting, start)
        assert share_of(setting, found.offsets, k) == pytest.approx(by_hand(setting, k, *bounds))
        assert setting.missed(found.counts) == 0
        assert found.n_iter == 3
        assert float(found.offsets.sum()) == pytest.approx(0, abs=1e-6 * max(10, float(abs(found.offsets).max())))
        changed += bool(found.offsets.any())
    assert changed > 5


def test_a_satisfied_bound_changes_nothing():
    setting = bounded(problem(0), BoundConstraint(SHARE.bind(1), high=1.0), BoundConstraint(METRICS["accuracy"], 2.0))
    start = setting.solved(np.array([1.0, -1.0, 0.0]), n_iter=1)
    assert satisfy_shares(setting, start) is start


def test_bounds_on_all_classes_hold_together():
    for seed in seeds(40, quick=10):
        drawn = problem(seed, n_classes=4, n_samples=80)
        rng = np.random.default_rng(seed)
        target = rng.dirichlet(np.full(4, 3.0))
        caps = [BoundConstraint(SHARE.bind(k), high=float(target[k]) + 0.02) for k in range(3)]
        setting = bounded(drawn, *caps, BoundConstraint(SHARE.bind(3), low=0.05))
        found = satisfy_shares(setting, setting.solved(rng.normal(size=4), n_iter=1))
        assert setting.missed(found.counts) == 0


def test_bounds_that_contradict_each_other_change_nothing():
    caps = (BoundConstraint(SHARE.bind(0), high=0.1), BoundConstraint(SHARE.bind(1), high=0.1))
    setting = bounded(problem(0, n_classes=2), *caps)
    start = setting.solved(np.zeros(2), n_iter=1)
    assert satisfy_shares(setting, start) is start


def test_samples_that_tie_are_left_out():
    setting = problem(0, n_classes=2, n_samples=10, metric="recall")
    setting = replace(setting, scores=np.zeros((10, 2)) + np.array([0.0, 1.0]))
    setting = bounded(setting, BoundConstraint(SHARE.bind(1), high=0.9))
    found = satisfy_shares(setting, setting.solved(np.zeros(2), n_iter=1))
    assert share_of(setting, found.offsets, 1) == 0


@pytest.mark.parametrize("weighted", [False, True])
def test_any_array_library(xp, weighted):
    from support.problems import in_namespace

    drawn = problem(1, n_classes=3, n_samples=40, weighted=weighted)
    setting = bounded(in_namespace(drawn, xp), BoundConstraint(SHARE.bind(0), high=0.2))
    found = satisfy_shares(setting, setting.solved(xp.asarray([2.0, 0.0, 0.0], dtype=xp.float64), n_iter=1))
    here = bounded(drawn, BoundConstraint(SHARE.bind(0), high=0.2))
    expected = satisfy_shares(here, here.solved(np.array([2.0, 0.0, 0.0]), n_iter=1))
    np.testing.assert_allclose(to_numpy(found.offsets), expected.offsets)
    assert share_of(here, to_numpy(found.offsets), 0) <= 0.2
