"""The compiled ascent finds what array operations find, and what a search over all cuts finds."""

import pickle
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from joblib import parallel_config
from support.effort import crossed, seeds
from support.oracles import between
from support.problems import labelled

from skimbalance import OffsetTuner
from skimbalance.metrics import Cost, FBeta
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import Problem, _compiled, local_optimum, objective_value, prior_offsets
from skimbalance.solvers._compiled import compiled, wide_columns

pytest.importorskip("skimbalance.solvers._kernel")

NAMES = sorted(METRICS)
TRUTHS = ("plain", "weighted", "soft", "soft and weighted")
BOUNDS = {
    "none": (),
    "rates": (
        BoundConstraint(METRICS["recall"].bind(0), low=0.7),
        BoundConstraint(METRICS["false_positive_rate"].bind(3), high=0.1),
    ),
    "precision": (BoundConstraint(METRICS["precision"].bind(3), low=0.5),),
    "state": (BoundConstraint(METRICS["imbalance_degree"], low=-0.1, high=0.1),),
    "agreement": (BoundConstraint(METRICS["cohen_kappa"], high=0.4),),
    "share": (BoundConstraint(METRICS["predicted_share"].bind(2), high=0.2),),
}


def drawn(name, truth, *, bounds="none", **settings):
    """A problem of four classes with hard or soft labels, weights and constraints."""
    return labelled(name, truth, bounds=BOUNDS[bounds], **settings)


@pytest.fixture
def by_arrays(monkeypatch):
    """A function that calls another one without the compiled code."""

    def call(function, *args, **kwargs):
        with monkeypatch.context() as patch:
            patch.setattr(_compiled, "_kernel", None)
            return function(*args, **kwargs)

    return call


def climbed(setting):
    """The objective value and the offsets of an ascent from the class prior."""
    offsets, _ = local_optimum(setting, prior_offsets(setting.truth.support).astype(setting.scores.dtype))
    return setting.objective_value(offsets), offsets


@pytest.mark.parametrize(("name", "truth"), crossed([*NAMES, "cost"], TRUTHS))
@pytest.mark.parametrize("n_samples", [40, 600])
def test_it_finds_what_array_operations_find(name, truth, n_samples, by_arrays):
    settings = [drawn(name, truth, n_samples=n_samples) for _ in range(2)]
    assert compiled(settings[0]) is not None
    (found, offsets), (expected, others) = climbed(settings[0]), by_arrays(climbed, settings[1])
    assert found == pytest.approx(expected, abs=1e-10)
    np.testing.assert_allclose(offsets, others, atol=1e-9)


def any_setting(seed):
    """A problem with ties, single precision and constraints, all at random."""
    rng = np.random.default_rng(seed)
    name, bounds = NAMES[seed % len(NAMES)], str(rng.choice(list(BOUNDS)))
    return drawn(
        name,
        str(rng.choice(TRUTHS)),
        seed=seed,
        n_samples=int(rng.choice([30, 150, 700])),
        decimals=[None, 1][rng.integers(2)],
        bounds="rates" if "imbalance" in name else bounds,  # at most one metric has a matrix of utilities
        single=bool(rng.integers(2)),
    )


def test_ties_single_precision_and_constraints(by_arrays):
    """Where several plateaus are equal, rounding may choose another one, and another optimum follows."""
    differences = []
    for seed in seeds(600, quick=80):
        setting = any_setting(seed)
        kernel, start = compiled(setting), prior_offsets(setting.truth.support).astype(setting.scores.dtype)
        assert objective_value(setting, start) == pytest.approx(setting.objective_value(start), abs=1e-10)
        found, expected = climbed(setting)[0], by_arrays(climbed, any_setting(seed))[0]
        offsets = kernel.offsets.astype(setting.scores.dtype)
        assert kernel.objective_value == pytest.approx(setting.objective_value(offsets), abs=1e-10)
        differences.append(found - expected)
    assert np.mean(np.abs(differences) > 1e-9) < 0.01


@pytest.mark.parametrize(("name", "truth"), crossed([*NAMES, "cost"], TRUTHS))
def test_a_move_is_the_best_of_all_cuts(name, truth):
    """The oracle tries every interval between margins, and counts all decisions again."""
    setting = drawn(name, truth, seed=3, n_samples=60)
    kernel, start = compiled(setting), np.array([0.3, -0.2, 0.1, 0.4])
    for k in range(4):
        kernel.start(wide_columns(setting), start, -np.inf, np.inf)
        kernel.sweep(np.array([k]), 0.0)
        others = np.delete(setting.scores + start, k, axis=1).max(axis=1)
        values = []
        for cut in between(others - setting.scores[:, k]):
            moved = start.copy()
            moved[k] = cut
            values.append(setting.objective_value(moved))
        assert kernel.objective_value == pytest.approx(max([*values, setting.objective_value(start)]), abs=1e-10)


@pytest.mark.parametrize("name", ["f1_macro", "geometric_mean", "matthews_corrcoef", "worst_recall"])
def test_a_long_sweep_is_the_best_of_all_cuts(name):
    """With many samples most intervals are left out; outliers make all other samples share an interval."""
    base = drawn(name, "plain", seed=1, n_samples=3000)
    scores = base.scores.copy()
    scores[::500, 0] += 1e4
    for setting in (base, Problem(scores, base.truth, base.metric)):
        kernel, start = compiled(setting), np.zeros(4)
        kernel.start(wide_columns(setting), start, -np.inf, np.inf)
        kernel.sweep(np.array([2]), 0.0)
        others = np.delete(setting.scores, 2, axis=1).max(axis=1)
        margins, order = np.unique(others - setting.scores[:, 2]), np.zeros(4)
        values = []
        for cut in between(margins):
            order[2] = cut
            values.append(setting.objective_value(order))
        assert kernel.objective_value == pytest.approx(max(values), abs=1e-12)


def test_offsets_stay_within_bounds_and_near():
    setting = drawn("f1_macro", "plain", n_samples=600)
    kernel, low, high = compiled(setting), np.full(4, -0.2), np.array([0.1, 0.2, 0.3, 0.4])
    kernel.start(wide_columns(setting), np.zeros(4), low, high)
    kernel.sweep(np.arange(4), 0.0)
    assert ((kernel.offsets >= low) & (kernel.offsets <= high)).all()
    kernel.start(wide_columns(setting), np.zeros(4), -np.inf, np.inf, 0.05)
    before = kernel.objective_value
    kernel.sweep(np.arange(4), 0.0)
    assert 0 < np.abs(kernel.offsets).max() <= 0.05
    assert kernel.objective_value > before


@pytest.mark.parametrize("reach", [np.inf, 0.2])
@pytest.mark.parametrize("name", ["f1_macro", "cost", "geometric_mean"])
def test_a_settled_class_has_nothing_to_gain(name, reach):
    """An ascent that starts anew before each sweep searches all classes, and moves the same ones as far."""
    for seed in seeds(40, quick=8):
        setting = drawn(name, "soft and weighted", seed=seed, n_samples=150, n_classes=6)
        kernel, start = compiled(setting), np.random.default_rng(seed).normal(size=6)
        kernel.start(wide_columns(setting), start, -np.inf, np.inf, reach)
        anew, everyone = compiled(replace(setting)), np.arange(6)
        for least in (1e-2, 1e-2, 1e-3, 1e-2, 0.0, 0.0, 0.0, 0.0):
            anew.start(wide_columns(setting), kernel.offsets, -np.inf, np.inf, reach)
            np.testing.assert_array_equal(kernel.sweep(everyone, least), anew.sweep(everyone, least))
            np.testing.assert_array_equal(kernel.offsets, anew.offsets)
            kernel.recount()


@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("single", [False, True])
def test_of_many_classes_only_samples_near_a_class_are_searched(truth, single):
    """Blocks of samples that no offset within reach can move are skipped; the last block is not whole."""
    for seed in seeds(20, quick=4):
        setting = drawn("f1_macro", truth, seed=seed, n_samples=203, n_classes=12, single=single)
        kernel, start, reach = compiled(setting), np.zeros(12), 0.5
        for k in range(12):
            kernel.start(wide_columns(setting), start, -np.inf, np.inf, reach)
            kernel.sweep(np.array([k]), 0.0)
            others = np.delete(setting.scores, k, axis=1).max(axis=1)
            cuts = between(others - setting.scores[:, k])
            moves = np.eye(12)[k] * np.clip(cuts, -reach, reach)[:, None]
            best = max(setting.objective_value(move.astype(setting.scores.dtype)) for move in [start, *moves])
            assert kernel.objective_value == pytest.approx(best, abs=1e-10)
            assert kernel.objective_value == pytest.approx(kernel.value_at(kernel.offsets), abs=1e-12)


@pytest.mark.parametrize("single", [False, True])
def test_an_ascent_with_the_same_scores_takes_over_the_best_classes(single):
    """They are those that a comparison of all classes finds, with ties, too."""
    for seed in seeds(100, quick=20):
        setting = drawn("f1_macro", "soft", seed=seed, n_samples=200, n_classes=9, decimals=0, single=single)
        end, _ = local_optimum(setting, np.zeros(9, dtype=setting.scores.dtype))
        kept = next(best for at, best in setting.known["best"] if np.array_equal(at, end))
        kernel = compiled(setting)
        kernel.start(wide_columns(setting), end.astype(float), -np.inf, np.inf)
        np.testing.assert_array_equal(kernel.best, kept)
        truth = setting.truth.weighted(np.random.default_rng(seed).exponential(size=200))
        shared, fresh = setting.with_truth(truth), replace(setting, truth=truth)
        assert not fresh.known
        np.testing.assert_array_equal(local_optimum(shared, end)[0], local_optimum(fresh, end)[0])


def test_the_best_classes_are_taken_over_only_for_the_same_offsets():
    """Wrong ones show where they are read."""
    setting = drawn("f1_macro", "plain", n_samples=100)
    start, other = np.zeros(4), np.array([0.5, -0.2, 0.1, -0.4])
    for begin, is_read in ((other, False), (start, True)):
        setting.known["best"] = ((start, np.zeros((2, 100), dtype=np.intc)),)
        expected, _ = local_optimum(replace(setting), begin)
        found, _ = local_optimum(setting, begin)
        assert np.array_equal(found, expected) != is_read


def test_soft_labels_may_be_of_single_precision():
    setting = drawn("f1_macro", "soft and weighted", n_samples=300)
    narrow = setting.truth.shares.astype(np.float32)
    truths = [Truth.from_shares(shares, weights=setting.truth.weights) for shares in (narrow, narrow.astype(float))]
    found = [local_optimum(setting.with_truth(truth), np.zeros(4))[0] for truth in truths]
    np.testing.assert_array_equal(*found)


def test_no_class_moves_for_less_than_it_must_gain():
    setting = drawn("f1_macro", "plain", n_samples=600)
    kernel = compiled(setting)
    kernel.start(wide_columns(setting), np.zeros(4), -np.inf, np.inf)
    assert kernel.sweep(np.arange(4), 1.0).size == 0
    assert not kernel.offsets.any()


def test_what_has_no_form_is_left_to_array_operations():
    class Squared(FBeta):
        def terms(self, hits, predicted, support, chosen):
            return tuple(term * term for term in super().terms(hits, predicted, support, chosen))

    setting = drawn("f1_macro", "plain")
    assert compiled(Problem(setting.scores, setting.truth, FBeta(average="macro"))) is not None
    assert compiled(Problem(setting.scores, setting.truth, Squared(average="macro"))) is None
    cost = BoundConstraint(Cost(np.eye(4)), high=0.9)
    assert compiled(Problem(setting.scores, setting.truth, METRICS["imbalance_degree"], (cost,))) is None
    assert compiled(Problem(setting.scores, setting.truth, METRICS["f1_macro"], (cost,))) is not None


def test_labels_of_zero_weight_and_costs_of_samples(by_arrays):
    rng = np.random.default_rng(0)
    base = drawn("f1_macro", "plain", n_samples=80)
    codes, weights = base.truth.codes, rng.integers(0, 3, 80).astype(float)
    weights[np.unique(codes, return_index=True)[1]] = 1
    truth = Truth.from_codes(codes, n_classes=4, weights=weights)
    settings = [Problem(base.scores, truth, base.metric) for _ in range(2)]
    assert climbed(settings[0])[0] == pytest.approx(by_arrays(climbed, settings[1])[0], abs=1e-12)
    cost_matrix = rng.exponential(size=(80, 4, 4))
    tuners = [OffsetTuner(Cost(), kind="logits", estimate="empirical", confidence_level=None) for _ in range(2)]
    one = tuners[0].fit(base.scores, codes, cost_matrix=cost_matrix)
    other = by_arrays(tuners[1].fit, base.scores, codes, cost_matrix=cost_matrix)
    np.testing.assert_allclose(one.offsets_, other.offsets_, atol=1e-9)


def test_the_default_is_the_same_without_compiled_code(by_arrays):
    base = drawn("f1_macro", "plain", n_samples=400)
    one = OffsetTuner("f1_macro", kind="logits").fit(base.scores, base.truth.codes)
    other = by_arrays(OffsetTuner("f1_macro", kind="logits").fit, base.scores, base.truth.codes)
    np.testing.assert_allclose(one.offsets_, other.offsets_, atol=1e-6)
    assert one.score_ == pytest.approx(other.score_, abs=1e-9)


def test_a_problem_goes_to_another_process():
    setting = drawn("f1_macro", "plain")
    found, _ = climbed(setting)
    assert climbed(pickle.loads(pickle.dumps(setting)))[0] == found


def test_parallel_fits_in_processes_and_threads():
    base = drawn("f1_macro", "plain", n_samples=400)
    tuners = []
    for options in ({}, {"backend": "threading", "n_jobs": 2}, {"backend": "loky", "n_jobs": 2}):
        tuner = OffsetTuner("f1_macro", kind="logits", n_jobs=options.get("n_jobs"))
        with parallel_config(**options) if options else nullcontext():
            tuners.append(tuner.fit(base.scores, base.truth.codes))
    for tuner in tuners[1:]:
        np.testing.assert_array_equal(tuner.offsets_, tuners[0].offsets_)


def test_scores_at_the_ends_of_single_precision():
    """Margins beyond the largest number are infinite; their interval is the last."""
    base = drawn("f1_macro", "plain", n_samples=600)
    scores = base.scores.astype(np.float32)
    scores[::7, 0], scores[::11, 2] = -3e38, 3e38
    setting = Problem(scores, base.truth, base.metric)
    with np.errstate(over="ignore"):
        offsets, _ = local_optimum(setting, np.zeros(4, dtype=np.float32))
        assert setting.objective_value(offsets) > setting.objective_value(np.zeros(4, dtype=np.float32))
    assert np.isfinite(offsets).all()
