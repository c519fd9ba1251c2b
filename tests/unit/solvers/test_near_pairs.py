"""Ascents over near pairs: no offset within the bounds changes the rest, and moves are those over all pairs."""

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from support.effort import crossed, seeds
from support.problems import in_namespace, labelled

from skimbalance import OffsetTuner
from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision import decide
from skimbalance.estimation import FitSpec
from skimbalance.estimation._estimate import robust
from skimbalance.metrics._cost import SampleCost
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import Problem, _compiled, _coordinate_ascent, _near, local_optimum, prior_offsets
from skimbalance.solvers._compiled import compiled, compiled_near, wide_columns
from skimbalance.solvers._coordinate_ascent import _ascent_of, _NearAscent
from skimbalance.solvers._near import pairs_on_host

pytest.importorskip("skimbalance.solvers._kernel")

NAMES = sorted(METRICS)
TRUTHS = ("plain", "weighted", "soft", "soft and weighted")
N_CLASSES = 6


def drawn(name="f1_macro", truth="plain", *, n_samples=300, **settings):
    """A problem of six classes whose scores are far apart."""
    return labelled(name, truth, n_classes=N_CLASSES, n_samples=n_samples, scale=3.0, **settings)


@pytest.fixture(params=[True, False], ids=["nearby", "anywhere"])
def nearby(request, monkeypatch):
    """Whether the optimum is nearby; the bounds are close in either case."""
    monkeypatch.setattr(_near, "_MOST_CHANGE", 0.4)
    monkeypatch.setattr(_near, "_CLASSES_PER_SAMPLE", 2)
    monkeypatch.setattr(_near, "_LEAST_SAMPLES", 20)
    monkeypatch.setattr(_near, "_PER_OWN_SAMPLE", 0.5)
    return request.param


def within(bounds, rng, *, share=1.0):
    """Random offsets within the bounds, some of them at these."""
    low, high = (np.clip(x, -30, 30) for x in (bounds.low, bounds.high))
    middle = (low + high) / 2
    points = middle + share * (rng.uniform(low, high) - middle)
    at_bound = rng.random(N_CLASSES) < 0.3 * (share == 1)
    return np.where(at_bound, np.where(rng.random(N_CLASSES) < 0.5, low, high), points)


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("decimals", [None, 0])
@pytest.mark.parametrize("huge", ["none", "sample", "column", "all"])
def test_no_offsets_within_the_bounds_change_what_is_left_out(nearby, single, decimals, huge):
    few = 0
    for seed in seeds(100, quick=15):
        setting, rng = drawn(seed=seed, decimals=decimals, single=single), np.random.default_rng(seed)
        dtype = setting.scores.dtype
        if huge == "sample":
            setting.scores[5] *= 1e7
        elif huge == "column":
            setting.scores[:, 3] -= 1e9
        elif huge == "all":
            setting.scores[:] += 1e6 * rng.normal(size=(300, 1)).astype(dtype)
        pairs = pairs_on_host(setting, rng.normal(size=N_CLASSES).astype(dtype), nearby=nearby)
        if pairs is None:
            continue
        few += pairs.scores.size < setting.scores.size / 2
        assert np.array_equal(np.sort(np.concatenate([pairs.samples, pairs.others])), np.arange(300))
        is_pair = np.zeros(setting.scores.shape, dtype=bool)
        is_pair[pairs.samples_of, pairs.classes] = True
        np.testing.assert_array_equal(setting.scores[pairs.samples_of, pairs.classes], pairs.scores)
        for _ in range(20):
            decided = decide(setting.scores, within(pairs.bounds, rng).astype(dtype))
            np.testing.assert_array_equal(decided[pairs.others], pairs.settled)
            assert is_pair[pairs.samples, decided[pairs.samples]].all()
    assert few > 0 or decimals == 0 or huge != "none"


@pytest.mark.parametrize(("name", "truth"), crossed([*NAMES, "cost"], TRUTHS))
@pytest.mark.parametrize("single", [False, True])
def test_moves_are_those_over_all_pairs(name, truth, single, nearby):
    """The oracle is the compiled ascent over all pairs with the same bounds."""
    for seed in seeds(10, quick=2):
        setting, rng = drawn(name, truth, seed=seed, single=single), np.random.default_rng(seed)
        dtype = setting.scores.dtype
        pairs = pairs_on_host(setting, prior_offsets(setting.truth.support).astype(dtype), nearby=nearby)
        near, dense = compiled_near(setting, pairs), compiled(setting)
        start = within(pairs.bounds, rng, share=0.5).astype(dtype).astype(float)
        near.start(pairs.scores, start, pairs.bounds.low, pairs.bounds.high)
        dense.start(wide_columns(setting), start, pairs.bounds.low, pairs.bounds.high)
        assert near.objective_value == pytest.approx(setting.objective_value(start.astype(dtype)), abs=1e-10)
        for _ in range(3):
            for k in range(N_CLASSES):
                moved = [kernel.sweep(np.array([k]), 0.0).size for kernel in (near, dense)]
                assert near.objective_value == pytest.approx(dense.objective_value, abs=1e-10)
                assert moved[0] == moved[1]
                np.testing.assert_allclose(near.offsets, dense.offsets, atol=1e-9)
        near.recount()
        assert near.objective_value == pytest.approx(dense.objective_value, abs=1e-10)
        assert near.objective_value == pytest.approx(setting.objective_value(near.offsets.astype(dtype)), abs=1e-10)


def test_constraints_and_costs_of_samples(nearby):
    rng = np.random.default_rng(0)
    bounds = (BoundConstraint(METRICS["recall"].bind(0), low=0.8), BoundConstraint(METRICS["cohen_kappa"], high=0.6))
    base = drawn(bounds=bounds)
    matrices = rng.exponential(size=(300, N_CLASSES, N_CLASSES))
    costly = Truth.from_codes(base.truth.codes, n_classes=N_CLASSES, cost_matrix=matrices)
    for setting in (base, Problem(base.scores, costly, SampleCost(0.0, float(matrices.max())))):
        pairs = pairs_on_host(setting, np.zeros(N_CLASSES), nearby=nearby)
        kernels = compiled_near(setting, pairs), compiled(setting)
        for kernel, scores in zip(kernels, (pairs.scores, wide_columns(setting)), strict=True):
            kernel.start(scores, np.zeros(N_CLASSES), pairs.bounds.low, pairs.bounds.high)
            kernel.sweep(np.arange(N_CLASSES), 0.0)
        assert kernels[0].objective_value == pytest.approx(kernels[1].objective_value, abs=1e-10)
        np.testing.assert_allclose(kernels[0].offsets, kernels[1].offsets, atol=1e-9)


@pytest.fixture
def near_always(monkeypatch):
    """All ascents are over near pairs."""
    for name in ("_CELLS_OF_DENSE", "_PER_CLASS_NEARBY", "_CELLS_NEARBY", "_CELLS_TO_THE_END"):
        monkeypatch.setattr(_coordinate_ascent, name, 0)
    monkeypatch.setattr(_compiled, "_CELLS", 0)
    monkeypatch.setattr(_near, "_EVERYWHERE_SAMPLES", 0)


@pytest.mark.usefixtures("near_always")
@pytest.mark.parametrize("truth", TRUTHS)
def test_pairs_are_found_again_where_offsets_are_at_bounds(truth, monkeypatch):
    """An ascent from far away ends beyond its first bounds, and reports what it reaches."""
    monkeypatch.setattr(_near, "_MOST_CHANGE", 0.1)
    monkeypatch.setattr(_near, "_MOST_NEARBY", 1.0)
    found = []

    def watched(setting, offsets, *, nearby):
        found.append(pairs_on_host(setting, offsets, nearby=nearby))
        return found[-1]

    monkeypatch.setattr(_coordinate_ascent, "pairs_on_host", watched)
    setting = drawn(truth=truth, seed=3, n_samples=3000)
    start = prior_offsets(setting.truth.support, tau=-1.0)
    ascent = _ascent_of(setting, start, None, nearby=True)
    assert isinstance(ascent, _NearAscent)
    before = ascent.objective_value
    ascent.run(least_gain=0.0, of_few=0.0)
    assert len(found) > 1
    assert np.abs(ascent.offsets - start).max() > 0.1
    assert ascent.objective_value > before
    assert ascent.objective_value == pytest.approx(setting.objective_value(ascent.offsets), abs=1e-10)
    assert setting.known["pairs"] is found[0]  # other ascents from there need the first pairs


@pytest.mark.usefixtures("near_always")
def test_problems_of_the_same_scores_share_pairs():
    setting = drawn(truth="soft")
    start = prior_offsets(setting.truth.support)
    first = _ascent_of(setting, start, None, nearby=True)
    other = setting.with_truth(setting.truth.weighted(np.random.default_rng(0).exponential(size=300)))
    assert _ascent_of(other, start, None, nearby=True).pairs is first.pairs
    far = _ascent_of(other, start + np.eye(N_CLASSES)[0], None, nearby=True)
    assert far.pairs is not first.pairs
    assert far.pairs is not None
    fresh, _ = local_optimum(replace(other), start, nearby=True)
    for _ in range(2):
        np.testing.assert_array_equal(local_optimum(other, start, nearby=True)[0], fresh)


@pytest.mark.usefixtures("near_always")
@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("single", [False, True])
def test_every_library(xp, truth, single, nearby):
    """Pairs of a device are searched on the host, and the offsets are on the device."""
    setting = drawn(truth=truth, single=single)
    start = prior_offsets(setting.truth.support).astype(setting.scores.dtype)
    there = in_namespace(setting, xp)
    found, n_iter = local_optimum(there, xp.asarray(start), nearby=nearby)
    expected, n_expected = local_optimum(setting, start, nearby=nearby)
    assert n_iter == n_expected
    assert ("pairs" in there.known) == nearby
    np.testing.assert_allclose(to_numpy(found), expected, atol=1e-6 if single else 1e-9)


def test_many_pairs_are_left_to_other_ascents(monkeypatch, nearby):
    setting = drawn()
    assert pairs_on_host(setting, np.zeros(N_CLASSES), nearby=nearby) is not None
    equal = replace(setting, scores=0 * setting.scores)
    if nearby:  # all classes of all samples are near
        assert pairs_on_host(equal, np.zeros(N_CLASSES), nearby=True) is None
        monkeypatch.setattr(_near, "_PAIRS", 10)
        assert pairs_on_host(setting, np.zeros(N_CLASSES), nearby=True) is None
    apart = replace(setting, scores=100 * np.eye(N_CLASSES)[np.arange(300) % N_CLASSES])
    assert pairs_on_host(apart, np.zeros(N_CLASSES), nearby=True) is None  # no decision can change
    assert math.isfinite(local_optimum(apart, np.zeros(N_CLASSES), nearby=nearby)[0].sum())


@pytest.mark.usefixtures("near_always")
def test_an_ascent_ends_where_no_other_pairs_are_to_be_had(monkeypatch):
    """Although all its offsets are at bounds."""
    setting = drawn(n_samples=3000)
    start = prior_offsets(setting.truth.support, tau=-1.0)
    monkeypatch.setattr(_near, "_MOST_CHANGE", 0.1)
    ascent = _ascent_of(setting, start, None, nearby=True)
    monkeypatch.setattr(_coordinate_ascent, "pairs_on_host", lambda *_, **__: None)
    assert ascent.run(least_gain=0.0, of_few=0.0) < 20
    assert ascent.pairs.strained_by(ascent.offsets).any()
    assert np.abs(ascent.offsets - start).max() <= 0.1
    assert ascent.objective_value == pytest.approx(setting.objective_value(ascent.offsets), abs=1e-10)


@pytest.mark.usefixtures("near_always")
@pytest.mark.parametrize("single", [False, True])
def test_a_huge_sample_does_not_hold_the_others_back(single):
    plain = drawn(truth="soft", n_samples=3000, single=single)
    scores = plain.scores.copy()
    scores[5] *= 1e7
    start = prior_offsets(plain.truth.support, tau=0.5)
    found = []
    for setting in (plain, replace(plain, scores=scores)):
        offsets, n_iter = local_optimum(setting, start, nearby=True)
        assert 1 < n_iter < 50
        found.append(setting.objective_value(offsets) - setting.objective_value(start.astype(scores.dtype)))
    assert found[1] > 0.9 * found[0] > 0


@pytest.mark.usefixtures("near_always")
def test_bootstraps_in_threads_are_those_in_turn():
    """Each sees the same pairs, whatever its weights."""
    rng = np.random.default_rng(2)
    n_samples, n_classes = 1500, 30
    prior = 1 / np.arange(1, n_classes + 1)
    y = np.r_[np.arange(n_classes), rng.choice(n_classes, size=n_samples - n_classes, p=prior / prior.sum())]
    scores = 3 * (1.5 * rng.normal(size=(n_samples, n_classes)) + 2.5 * np.eye(n_classes)[y] + np.log(prior))
    settings = {"kind": "logits", "confidence_level": None, "n_bootstraps": 12}
    one, two, other = (OffsetTuner("f1_macro", n_jobs=n_jobs, **settings).fit(scores, y) for n_jobs in (None, 4, 4))
    np.testing.assert_array_equal(one.offsets_, two.offsets_)
    np.testing.assert_array_equal(two.offsets_, other.offsets_)


@pytest.mark.usefixtures("near_always")
def test_bootstraps_in_processes_are_those_in_turn():
    """A process gets a copy of the problem, without the pairs that other ascents found."""

    def in_copies(jobs):
        return [pickle.loads(pickle.dumps(job))() for job in jobs]

    setting = drawn(n_samples=3000)
    one, other = (
        robust(setting, FitSpec(run=run)).offsets for run in (lambda jobs: [job() for job in jobs], in_copies)
    )
    np.testing.assert_array_equal(one, other)


def test_equal_scores_of_many_samples_are_no_pairs(monkeypatch):
    """They would take ten times the memory of the scores."""
    setting = drawn()
    equal = replace(setting, scores=0 * setting.scores)
    monkeypatch.setattr(_near, "_MOST_PER_SAMPLE", 4)
    assert pairs_on_host(equal, np.zeros(N_CLASSES), nearby=False) is None
    monkeypatch.setattr(_near, "_MOST_PAIRS", 10)
    assert pairs_on_host(setting, np.zeros(N_CLASSES), nearby=False) is None
