"""Coordinate ascent over samples in chunks, compared with the same samples in memory."""

from dataclasses import replace

import numpy as np
import pytest
from support.chunks import block_of, pieces_of, silent, without_samples
from support.problems import problem

from skimbalance.metrics import Cost, FBeta
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import solve
from skimbalance.tuner.chunks._multiclass import (
    Limits,
    NearSamples,
    best_restart,
    candidates_per_class,
    coordinate_ascent,
    near_samples,
    restart_candidates,
)

SEVERAL = {name: metric for name, metric in METRICS.items() if not metric.is_binary}
SEVERAL |= {"f2_macro": FBeta(2.0, average="macro"), "cost": Cost(1.0 * (np.eye(4) == 0) + np.eye(4)[::-1])}
FEW = Limits(cells=4 * 60, candidates=32, sums=10_000)
REQUIRED = (
    (),
    (BoundConstraint(METRICS["worst_recall"], low=0.3),),
    (BoundConstraint(METRICS["accuracy"], low=0.5, high=0.55),),
)


def setting_of(name, seed, *, n_samples=300, decimals=None, requirements=()):
    drawn = problem(seed, n_classes=4, n_samples=n_samples, weighted=seed % 2 == 1, decimals=decimals)
    return replace(drawn, metric=SEVERAL[name], requirements=requirements)


def sizes_of(setting):
    return np.bincount(setting.truth.codes, minlength=setting.n_classes).astype(float)


def objective_value(setting, offsets):
    return setting.objective_value(np.asarray(offsets))


def ascent(setting, start=(0.0, 0.0, 0.0, 0.0), *, one_in=3, progress=silent, limits=FEW):
    sample = block_of(setting, slice(None, None, one_in))
    samples, sizes = pieces_of(setting), sizes_of(setting)
    return coordinate_ascent(
        samples,
        without_samples(setting),
        np.asarray(start),
        sample=sample,
        sizes=sizes,
        progress=progress,
        limits=limits,
    )


@pytest.mark.parametrize("name", sorted(SEVERAL))
def test_near_samples_and_the_sums_of_the_others_are_the_problem(name):
    """For any offsets within the radius, the objective value is that of all samples."""
    for seed in range(4):
        setting = setting_of(name, seed, decimals=(None, 1)[seed // 2], requirements=REQUIRED[seed % 3])
        rng, margin = np.random.default_rng(seed), 0.8
        offsets = rng.normal(size=4)
        near = pieces_of(setting).map_reduce(
            lambda block, at=offsets: near_samples(block, offsets=at, margin=0.8), NearSamples.concat
        )
        assert 0 < len(near.block.codes) < 300
        assert 0.39 < near.radius(margin) < 0.4
        condensed = near.problem(without_samples(setting), offsets, margin)
        for _ in range(20):
            moved = offsets + near.radius(margin) * rng.uniform(-1, 1, size=4)
            assert objective_value(condensed, moved) == pytest.approx(
                objective_value(setting, moved), rel=1e-12, abs=1e-12
            )


@pytest.mark.parametrize("name", sorted(SEVERAL))
@pytest.mark.parametrize("n_classes", [3, 4])
@pytest.mark.parametrize("decimals", [None, 1])
def test_the_gain_of_a_restart_is_exact_and_no_candidate_is_better(name, n_classes, decimals):
    n_restarts = 0
    for seed in range(6):
        drawn = problem(seed, n_classes=n_classes, n_samples=300, weighted=seed % 2 == 1, decimals=decimals)
        metric = Cost(np.ones((3, 3))[:n_classes, :n_classes] - np.eye(3)) if n_classes == 3 else SEVERAL["cost"]
        metric = metric if name == "cost" else SEVERAL[name]
        setting = replace(drawn, metric=metric, requirements=REQUIRED[seed % 3])
        offsets = np.random.default_rng(seed).normal(size=n_classes)
        candidates = restart_candidates(block_of(setting), offsets, at_most=12)
        restart = best_restart(pieces_of(setting), without_samples(setting), offsets, candidates)
        each = [
            offsets + (candidate - offsets[k]) * np.eye(n_classes)[k]
            for k in range(n_classes)
            for candidate in candidates[k]
        ]
        best = max(objective_value(setting, moved) for moved in each)
        if restart is None:
            assert best <= objective_value(setting, offsets) + 1e-12
            continue
        n_restarts += 1
        moved = offsets.copy()
        moved[restart.label] = restart.offset
        assert objective_value(setting, moved) == pytest.approx(best, rel=1e-12, abs=1e-12)
        assert restart.gain == pytest.approx(
            objective_value(setting, moved) - objective_value(setting, offsets), abs=1e-9
        )
    assert n_restarts > 2


@pytest.mark.parametrize("name", sorted(SEVERAL))
def test_at_the_end_no_class_gains_nearby(name):
    for seed in range(3):
        setting = setting_of(name, seed, requirements=REQUIRED[seed % 3])
        start = np.zeros(4)
        found = ascent(setting, start)
        here = objective_value(setting, found)
        assert here >= objective_value(setting, start) - 1e-12
        for k in range(4):
            for step in np.linspace(-0.02, 0.02, 41):
                assert objective_value(setting, found + step * np.eye(4)[k]) <= here + 1e-9


def test_samples_that_all_tie_are_not_gathered():
    """The best two classes tie in all samples, so that no radius excludes any of them."""
    setting = setting_of("f1_macro", 0)
    scores = np.repeat(np.asarray(setting.scores)[:, :2], 2, axis=1)
    tied, messages = replace(setting, scores=scores), []
    found = ascent(tied, progress=messages.append)
    assert "0 samples near" in messages[0]
    assert objective_value(tied, found) > objective_value(tied, np.zeros(4))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("decimals", [0, 1])
def test_on_a_grid_of_scores_the_objective_never_decreases(dtype, decimals):
    for seed in range(6):
        drawn = setting_of("f1_macro", seed, n_samples=600)
        setting = replace(drawn, scores=np.round(np.asarray(drawn.scores), decimals).astype(dtype))
        messages = []
        found = ascent(setting, progress=messages.append)
        best = max(float(line.split("f1_macro=")[1]) for line in messages if "f1_macro=" in line)
        assert objective_value(setting, found) == pytest.approx(best, rel=1e-5)
        assert objective_value(setting, found) >= objective_value(setting, np.zeros(4))


def test_the_number_of_sums_is_limited_for_every_metric():
    for name, kinds in (("f1_macro", 3), ("cost", 4)):
        setting = without_samples(setting_of(name, 0))
        limits = Limits(sums=10_000)
        assert candidates_per_class(setting, limits) * kinds * 4 * 4 <= 10_000


def test_if_all_samples_can_be_gathered_it_is_an_ascent_in_memory():
    setting = setting_of("f1_macro", 0)
    start = np.asarray(solve(setting).offsets)
    found = ascent(setting, start, limits=Limits())
    assert objective_value(setting, found) >= objective_value(setting, start)


def test_from_a_poor_start_it_comes_close_to_the_optimum_in_memory():
    ratios = []
    for seed in range(10):
        setting = setting_of("f1_macro", seed, n_samples=2000)
        limits = Limits(cells=4 * 400, candidates=128)
        found = ascent(setting, one_in=10, limits=limits)
        ratios.append(objective_value(setting, found) / solve(setting).objective_value)
    assert np.mean(ratios) > 0.99


def test_very_many_classes_have_no_restarts():
    setting = setting_of("f1_macro", 0)
    messages = []
    few = Limits(cells=4 * 60, sums=100)
    ascent(setting, progress=messages.append, limits=few)
    assert messages
    assert not any("restart" in line for line in messages)
