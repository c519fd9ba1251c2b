"""What holds of every solution, whatever the data."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.effort import exhaustive, thinned
from support.problems import in_namespace, problem

from skimbalance._core import array_api
from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision import decide
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import Problem, _compiled, _near, _neighbourhood, solve
from skimbalance.solvers._coordinate_ascent import ascend

pytestmark = pytest.mark.usefixtures("few_restarts")

names = st.sampled_from(sorted(METRICS))
seeds = st.integers(0, 10_000)
sizes = st.integers(2, 5)


def drawn(name, seed, n_classes):
    n_classes = 2 if METRICS[name].is_binary else n_classes
    return problem(seed, n_classes=n_classes, n_samples=31 + seed % 10, metric=name, weighted=True)


@settings(deadline=None, max_examples=60)
@given(names, seeds, sizes)
def test_offsets_sum_to_zero_and_achieve_what_is_reported(name, seed, n_classes):
    setting = drawn(name, seed, n_classes)
    solution = solve(setting)
    assert float(solution.offsets.sum()) == pytest.approx(0, abs=1e-9)
    assert solution.objective_value == setting.metric.objective_value(
        setting.count(decide(setting.scores, solution.offsets))
    )


@settings(deadline=None, max_examples=40)
@given(names, seeds, sizes)
def test_a_constant_in_a_sample_changes_nothing(name, seed, n_classes):
    setting = drawn(name, seed, n_classes)
    shift = np.random.default_rng(seed).normal(size=(len(setting.scores), 1)).round(2)
    moved = dataclasses.replace(setting, scores=setting.scores + shift)
    one, other = solve(setting), solve(moved)
    assert other.objective_value == pytest.approx(one.objective_value, abs=1e-9)
    np.testing.assert_allclose(other.offsets, one.offsets, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(name for name, metric in METRICS.items() if not metric.is_binary)), seeds)
def test_the_order_of_the_classes_does_not_matter(name, seed):
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(4), [5, 7, 11, 13])  # no two classes are equally frequent
    scores = rng.normal(size=(36, 4)) + np.eye(4)[y]
    order = rng.permutation(4)
    place = np.argsort(order)
    one = solve(Problem(scores, Truth.from_codes(y, n_classes=4), METRICS[name]))
    other = solve(Problem(scores[:, order], Truth.from_codes(place[y], n_classes=4), METRICS[name]))
    assert other.objective_value == pytest.approx(one.objective_value, abs=1e-9)
    np.testing.assert_allclose(other.offsets, one.offsets[order], atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(names, seeds, sizes)
def test_a_weight_is_a_repetition(name, seed, n_classes):
    base = drawn(name, seed, n_classes)
    times = np.random.default_rng(seed).integers(1, 4, size=len(base.scores))
    codes = base.truth.codes.astype(np.int64)
    weighted = Truth.from_codes(codes, n_classes=base.n_classes, weights=times.astype(float))
    repeated = Truth.from_codes(np.repeat(codes, times), n_classes=base.n_classes)
    start = np.zeros(base.n_classes)
    one = ascend(Problem(base.scores, weighted, base.metric), start)
    other = ascend(Problem(np.repeat(base.scores, times, axis=0), repeated, base.metric), start)
    assert other.objective_value == pytest.approx(one.objective_value, abs=1e-9)
    np.testing.assert_allclose(other.offsets, one.offsets, atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(names, seeds, sizes)
def test_the_ascent_never_goes_down(name, seed, n_classes):
    setting = drawn(name, seed, n_classes)
    start = np.random.default_rng(seed).normal(size=setting.n_classes)
    assert ascend(setting, start).objective_value >= setting.objective_value(start)


@pytest.mark.parametrize("name", thinned(sorted(METRICS), quick=5))
def test_every_array_library_finds_the_same(name, xp):
    n_classes = 2 if METRICS[name].is_binary else 4
    here = problem(7, n_classes=n_classes, n_samples=40, metric=name, weighted=True)
    expected, got = solve(here), solve(in_namespace(here, xp))
    assert got.objective_value == pytest.approx(expected.objective_value, abs=1e-12)
    np.testing.assert_allclose(to_numpy(got.offsets), expected.offsets, atol=1e-9)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_float32_stays_float32(n_classes, soft):
    base = problem(3, n_classes=n_classes, n_samples=50, metric="f1_macro", soft=soft)
    single = dataclasses.replace(base, scores=base.scores.astype(np.float32))
    solution = solve(single)
    assert solution.offsets.dtype == np.float32
    assert solution.objective_value == single.objective_value(solution.offsets)
    assert solution.objective_value == pytest.approx(solve(base).objective_value, abs=0.02)


def test_near_samples_are_enough_for_many(monkeypatch):
    """Ascents over near samples end as high as ascents over all samples, apart from local optima."""
    monkeypatch.setattr(_compiled, "_kernel", None)
    settings = [
        problem(seed, n_classes=30, n_samples=6000, metric="f1_macro") for seed in range(4 if exhaustive else 2)
    ]
    near = [ascend(setting, np.zeros(30)).objective_value for setting in settings]
    monkeypatch.setattr(_near, "_EVERYWHERE_SAMPLES", 10**9)
    full = [ascend(setting, np.zeros(30)).objective_value for setting in settings]
    assert np.mean(near) > 0.98 * np.mean(full)


def test_ten_thousand_ties():
    scores = np.repeat([[0.0, 0.0, 0.0], [0.0, -1.0, -2.0]], 5000, axis=0)
    truth = Truth.from_codes(np.arange(10_000) % 3, n_classes=3)
    setting = Problem(scores, truth, METRICS["f1_macro"])
    solution = solve(setting)
    assert solution.objective_value == setting.objective_value(solution.offsets)


@pytest.mark.parametrize("metric", thinned(["f1_macro", "geometric_mean", "accuracy"], quick=1))
def test_near_samples_in_every_library(xp, metric, monkeypatch):
    monkeypatch.setattr(_compiled, "_kernel", None)
    monkeypatch.setattr(_near, "_EVERYWHERE_SAMPLES", 0)
    monkeypatch.setattr(array_api, "_BLOCK_CELLS", 40)
    here = problem(6, n_classes=5, n_samples=400, metric=metric)
    expected, got = (solve(setting) for setting in (here, in_namespace(here, xp)))
    assert got.objective_value == pytest.approx(expected.objective_value, abs=1e-12)
    np.testing.assert_allclose(to_numpy(got.offsets), expected.offsets, atol=1e-9)


@pytest.mark.parametrize("kind", ["constant", "one vote"])
def test_where_all_classes_tie_no_pairs_are_stored(kind, rng):
    """Scores of a tree, or of a net not trained yet: pairs would need many times the memory of the scores."""
    y = np.arange(9000) % 90
    scores = np.zeros((9000, 90)) if kind == "constant" else -700.0 * (np.eye(90)[rng.permutation(y)] == 0)
    setting = Problem(scores, Truth.from_codes(y, n_classes=90), METRICS["f1_macro"])
    assert _neighbourhood.around(setting, np.zeros(90)).bounds is None
    assert ascend(setting, np.zeros(90)).objective_value >= setting.objective_value(np.zeros(90))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_near_decisions_are_decisions_in_float32(scale, rng, monkeypatch):
    monkeypatch.setattr(_near, "_EVERYWHERE_SAMPLES", 0)
    monkeypatch.setattr(_near, "_CLASSES_PER_SAMPLE", 3)
    monkeypatch.setattr(_near, "_LEAST_REACH", 0.05 * scale)
    base = problem(2, n_classes=20, n_samples=500)
    scores = (scale * rng.normal(size=(500, 20))).astype(np.float32)
    setting = Problem(scores, base.truth, base.metric)
    for _ in range(20):
        start = scale * rng.normal(size=20).astype(np.float32)
        place = _neighbourhood.around(setting, start)
        bounds = place.bounds
        corner = np.where(rng.random(20) < 0.5, bounds.low, bounds.high)
        place.move(np.arange(20), corner)
        np.testing.assert_array_equal(place.first, decide(scores, place.offsets))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_binary_with_many_samples(dtype, rng):
    """The best F1 over all thresholds of 150,000 samples, some of whose margins differ by less than rounding."""
    scores = rng.normal(-4, 2, 150_000).astype(dtype)
    y = (rng.random(scores.size) < 1 / (1 + np.exp(-scores))).astype(np.int64)
    scores[:2000] = np.nextafter(scores[2000:4000], dtype(0))
    columns = np.stack([np.zeros_like(scores), scores]).T
    setting = Problem(columns, Truth.from_codes(y, n_classes=2), METRICS["f1"].bind(1))
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(y[order])
    best = np.max((2 * hits / (np.arange(1, y.size + 1) + y.sum()))[np.append(np.diff(scores[order]) < -1e-4, True)])
    assert solve(setting).objective_value >= best - 1e-12


@pytest.mark.parametrize("seed", [10, 24, 53])
def test_sums_that_round_otherwise_each_time_do_not_end_an_ascent(seed, monkeypatch):
    """A device may add in another order at each call: the last digit of an objective value is random then."""
    rng = np.random.default_rng(seed)
    y = rng.integers(5, size=2000)
    scores = rng.normal(size=(2000, 5)) + np.eye(5)[y]
    proba = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    truth = Truth.from_shares((proba.T + np.eye(5)[y].T) / 2, weights=rng.exponential(size=2000))
    soft = Problem(scores, truth, METRICS["balanced_accuracy"])
    steady = ascend(soft, np.zeros(5)).objective_value
    exact = Problem.objective_value_of
    for noise in map(np.random.default_rng, range(4)):
        monkeypatch.setattr(
            Problem,
            "objective_value_of",
            lambda self, counts, noise=noise: exact(self, counts) * (1 - 4e-16 * noise.integers(2)),
        )
        assert ascend(soft, np.zeros(5)).objective_value == pytest.approx(steady, abs=1e-12)
