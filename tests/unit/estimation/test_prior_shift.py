"""Class priors of samples without labels, compared with a plain minimiser and with known class priors."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import softmax
from scipy.stats import ks_2samp
from support.effort import seeds
from support.problems import in_namespace, labels, log_proba

from skimbalance.estimation import _prior_shift, in_turn
from skimbalance.estimation._calibration import Calibration, calibrated_shares
from skimbalance.estimation._condense import MergedProblem
from skimbalance.estimation._mixture import MixtureFit, likeliest_prior
from skimbalance.estimation._prior_shift import (
    estimated_shift,
    prior_of_decisions,
    samples_for_estimate,
)
from skimbalance.estimation.spec import KeptSamples, thinned
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import Problem

CENTRES = 2 * np.eye(3)
PRIOR, OTHER = np.array([0.7, 0.2, 0.1]), np.array([0.2, 0.2, 0.6])


def problem(y, scores, weights=None):
    return Problem(scores, Truth.from_codes(y, n_classes=scores.shape[1], weights=weights), METRICS["accuracy"])


def draw(prior, n_samples, seed):
    """Labels with these class priors, and logits that are calibrated for equal ones."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n_samples, p=prior)
    return y, (rng.normal(size=(n_samples, 3)) + CENTRES[y]) @ CENTRES.T


def shift(y, scores, new, **how):
    return estimated_shift(problem(y, scores), new, level=0.9, seed=0, run=in_turn, **how)


def likelihood(prior, densities, weights, pull):
    return weights @ np.log(densities @ prior) + pull @ np.log(prior)


@pytest.mark.parametrize("n_classes", [2, 3, 6])
@pytest.mark.parametrize("seed", range(5))
def test_it_maximises_the_likelihood(n_classes, seed):
    rng = np.random.default_rng(seed)
    densities = rng.gamma(0.5, size=(80, n_classes)) + 1e-3
    weights, pull = rng.integers(0, 4, 80).astype(float), rng.dirichlet(np.ones(n_classes)) + 0.1
    found = likeliest_prior(densities, weights, pull=pull, tolerance=1e-9)
    slow = minimize(
        lambda p: -likelihood(softmax(p), densities, weights, pull), np.zeros(n_classes), options={"gtol": 1e-9}
    )
    np.testing.assert_allclose(found, softmax(slow.x), atol=1e-4)
    quick = likeliest_prior(densities, weights, pull=pull)
    best = likelihood(found, densities, weights, pull)
    assert best - 0.01 <= likelihood(quick, densities, weights, pull) <= best + 1e-9


def test_classes_may_come_in_any_order_and_weights_are_repetitions(rng):
    densities, weights, pull = rng.gamma(1.0, size=(50, 4)), rng.integers(1, 4, 50), np.array([0.1, 0.2, 0.3, 0.4])
    order = rng.permutation(4)
    found = likeliest_prior(densities, weights.astype(float), pull=pull, tolerance=1e-9)
    turned = likeliest_prior(densities[:, order], weights.astype(float), pull=pull[order], tolerance=1e-9)
    repeated = likeliest_prior(np.repeat(densities, weights, axis=0), np.ones(weights.sum()), pull=pull, tolerance=1e-9)
    np.testing.assert_allclose(turned, found[order], atol=1e-6)
    np.testing.assert_allclose(repeated, found, atol=1e-6)


def test_samples_without_information_do_not_change_the_prior():
    found = likeliest_prior(np.ones((500, 3)), np.ones(500), pull=30 * PRIOR)
    np.testing.assert_allclose(found, PRIOR)


def test_decisions_alone_give_the_prior_where_their_rates_are_known(rng):
    rates = rng.dirichlet(np.ones(3), size=3).T + np.eye(3)
    rates /= rates.sum(axis=0)
    np.testing.assert_allclose(prior_of_decisions(rates, rates @ OTHER), OTHER, atol=1e-6)
    nearest = prior_of_decisions(rates, np.array([1.0, 0.0, 0.0]))
    assert nearest.min() >= 0
    assert nearest.sum() == pytest.approx(1)


def test_a_shift_is_found_however_wrong_the_temperature_is():
    y, scores = draw(PRIOR, 3000, 0)
    _, new = draw(OTHER, 2000, 1)
    for factor in (0.3, 1.0, 5.0):
        found = shift(y, factor * scores, factor * new)
        assert found.is_significant
        np.testing.assert_allclose(found.estimated, OTHER, atol=0.04)
        np.testing.assert_allclose(found.by_decisions, OTHER, atol=0.05)
        np.testing.assert_allclose(found.prior, OTHER, atol=0.05)
        assert (found.interval[0] < found.estimated).all()
        assert (found.estimated < found.interval[1]).all()
        assert found.shrinkage_factor > 0.9


def test_the_interval_covers_the_truth():
    inside = []
    for seed in seeds(30, quick=10):
        y, scores = draw(PRIOR, 600, seed)
        _, new = draw(OTHER, 600, 1000 + seed)
        found = shift(y, scores, new)
        inside.append((found.interval[0] <= OTHER) & (found.interval[1] >= OTHER))
    assert np.mean(inside) > 0.7


def test_joint_intervals_cover_all_classes_at_once():
    """They do so more often than intervals by class, and within the sampling error of the level."""
    joint, by_class, tried = [], [], seeds(40, quick=12)
    for seed in tried:
        y, scores = draw(PRIOR, 600, seed)
        found = shift(y, scores, draw(OTHER, 600, 1000 + seed)[1])
        for inside, (lower, upper) in ((joint, found.joint_interval), (by_class, found.interval)):
            inside.append(((lower <= OTHER) & (upper >= OTHER)).all())
        assert (found.joint_interval[0] <= found.interval[0]).all()
        assert (found.joint_interval[1] >= found.interval[1]).all()
    assert np.mean(joint) > 0.9 - 3 * np.sqrt(0.09 / len(tried))
    assert np.mean(joint) >= np.mean(by_class)


def test_a_shift_is_significant_where_the_joint_interval_of_a_small_level_excludes_the_fit():
    y, scores = draw(PRIOR, 400, 0)
    for new in (
        draw(prior, 200, seed)[1] for seed, prior in enumerate((PRIOR, OTHER, [0.6, 0.2, 0.2], [0.5, 0.3, 0.2]))
    ):
        found = shift(y, scores, new)
        lower, upper = replace(found, level=0.99).joint_interval
        assert found.is_significant == ((found.before < lower) | (found.before > upper)).any()


def test_a_frequent_class_that_becomes_a_rare_one_is_estimated_without_much_bias():
    """Prior samples of each class at the class priors of the fit would add nearly .03 to it."""
    prior, errors = np.full(10, 0.06), []
    prior[0] = 0.46
    for seed in seeds(12, quick=4):
        rng = np.random.default_rng(seed)
        y, new = rng.choice(10, 400, p=prior), rng.choice(10, 400, p=np.roll(prior, 1))
        scores, scores_new = (3 * (np.eye(10)[labels] + 0.5 * rng.normal(size=(400, 10))) for labels in (y, new))
        found = shift(y, scores, scores_new)
        errors.append(found.estimated[0] - 0.06)
        assert found.near[0] > found.estimated[0]
    assert abs(np.mean(errors)) < 0.02


def test_without_a_shift_the_prior_is_not_changed():
    moved, tried = 0, seeds(30, quick=10)
    for seed in tried:
        y, scores = draw(PRIOR, 600, seed)
        found = shift(y, scores, draw(PRIOR, 300, 1000 + seed)[1])
        np.testing.assert_allclose(found.prior.sum(), 1)
        moved += found.is_significant
        if not found.is_significant:
            np.testing.assert_array_equal(found.prior, found.before)
    assert moved <= 0.1 * len(tried)


def test_the_shrinkage_factor_grows_with_the_number_of_samples():
    """Fewer samples give a smaller shrinkage factor."""
    y, scores = draw(PRIOR, 300, 0)
    factors = [shift(y, scores, draw(OTHER, n_samples, 1)[1]).shrinkage_factor for n_samples in (20, 100, 1000)]
    assert factors == sorted(factors)


@pytest.mark.parametrize("seed", range(5))
def test_distance_is_that_of_kolmogorov_and_smirnov(seed):
    rng = np.random.default_rng(seed)
    densities = rng.gamma(0.5, size=(80, 2)).round(1) + 0.1  # with ties
    new = rng.gamma(0.7, size=(50, 2)).round(1) + 0.1
    codes, reference = rng.integers(0, 2, 80), np.array([0.5, 0.5])
    share = np.bincount(codes) / 80
    fit = MixtureFit.of(densities, codes, np.full(80, 1 / 80), reference=reference, estimated=share)
    posterior, of_new = (values[:, 1] / values.sum(axis=1) for values in (densities, new))
    assert fit.distance_to(new) == pytest.approx(ks_2samp(posterior, of_new).statistic)
    assert fit.distance_to(densities) == pytest.approx(0)


def test_a_mixture_is_weighted_to_any_class_priors(rng):
    codes, weights = rng.integers(0, 3, 60), rng.exponential(size=60)
    fit = MixtureFit.of(rng.gamma(1.0, size=(60, 3)), codes, weights, reference=PRIOR, estimated=PRIOR)
    np.testing.assert_allclose(np.bincount(codes, fit.to_prior(weights, OTHER)), OTHER)
    assert fit.to_prior(weights, np.array([0.5, 0.5, 0.0]))[codes == 2].sum() == 0


def test_a_shift_of_class_priors_alone_fits():
    ratios = []
    for seed in seeds(20, quick=6):
        y, scores = draw(PRIOR, 600, seed)
        ratios.append(shift(y, scores, draw(OTHER, 400, 1000 + seed)[1]).misfit)
    assert min(ratios) >= 1
    assert np.median(ratios) < 1.3


def test_scores_that_changed_within_classes_do_not_fit_and_move_nothing():
    """The most frequent class looks more like another one than before, which then seems to be more frequent."""
    moved, by_noise, misfits, tried = 0, 0, [], seeds(20, quick=6)
    for seed in tried:
        y, scores = draw(PRIOR, 600, seed)
        labels, new = draw(PRIOR, 600, 1000 + seed)
        new[:, 1] += np.where(labels == 0, 2.0, 0.0)
        found = shift(y, scores, new)
        misfits.append(found.misfit)
        moved += found.is_significant
        by_noise += replace(found, misfit=1.0).is_significant
    assert np.median(misfits) > 1.5
    assert by_noise >= 0.4 * len(tried)
    assert moved <= 0.1 * len(tried)


def test_weights_define_the_class_priors_of_the_fit():
    y, scores = draw(PRIOR, 3000, 0)
    weights = (OTHER / PRIOR)[y]
    found = estimated_shift(problem(y, scores, weights), draw(OTHER, 1000, 1)[1], level=0.9, seed=0, run=in_turn)
    np.testing.assert_allclose(found.before, np.bincount(y, weights) / weights.sum())
    assert not found.is_significant


def test_a_class_without_samples_has_a_prior_of_zero():
    y, scores = draw(PRIOR, 1000, 0)
    wide = np.insert(scores, 1, -1.0, axis=1)
    found = shift(np.where(y > 0, y + 1, 0), wide, np.insert(draw(OTHER, 1000, 1)[1], 1, -1.0, axis=1))
    assert found.before[1] == found.estimated[1] == found.by_decisions[1] == found.prior[1] == 0
    assert not found.interval[:, 1].any()
    np.testing.assert_allclose(found.estimated[[0, 2, 3]], OTHER, atol=0.07)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_many_samples_are_thinned(monkeypatch, n_classes):
    monkeypatch.setattr(_prior_shift, "_SAMPLES", 2000)
    y, scores = draw(PRIOR, 40_000, 0)
    new = draw(OTHER, 30_000, 1)[1]
    if n_classes == 2:
        y, scores, new = np.minimum(y, 1), scores[:, :2], new[:, :2]
    chosen = samples_for_estimate(new, n_classes=n_classes)
    assert len(chosen) == 2000
    found = shift(y, scores, chosen)
    assert found.n_samples == 2000
    if n_classes == 3:
        np.testing.assert_allclose(found.estimated, OTHER, atol=0.05)


def test_groups_of_thinned_samples_are_numbered_anew(monkeypatch):
    monkeypatch.setattr(_prior_shift, "_SAMPLES", 1000)
    y, scores = draw(PRIOR, 8000, 0)
    groups = _prior_shift._thinned(replace(problem(y, scores), groups=np.arange(8000) // 2)).groups
    np.testing.assert_array_equal(np.unique(groups), np.arange(len(np.unique(groups))))


@pytest.mark.parametrize(("own", "other"), [(2, 20), (20, 2)])
def test_groups_of_independent_samples_change_little_whatever_their_sizes(own, other):
    y, scores = draw(PRIOR, 3000, 0)
    new = draw(PRIOR, 2000, 1)[1]
    alone = shift(y, scores, new)
    whole = replace(problem(y, scores), groups=np.arange(3000) // own)
    found = estimated_shift(whole, new, level=0.9, seed=0, run=in_turn, groups=np.arange(2000) // other)
    assert found.misfit < 1.25 * alone.misfit
    assert (np.ptp(found.interval, axis=0) < 1.6 * np.ptp(alone.interval, axis=0)).all()


def test_too_few_samples_raise():
    with pytest.raises(ValueError, match=r"adapt_to needs at least 10 samples.*got 9"):
        samples_for_estimate(np.zeros((9, 3)), n_classes=3)


def test_every_library(xp):
    y, scores = draw(PRIOR, 300, 0)
    new = draw(OTHER, 200, 1)[1]
    here = shift(y, scores, new)
    there = estimated_shift(in_namespace(problem(y, scores), xp), xp.asarray(new), level=0.9, seed=0, run=in_turn)
    np.testing.assert_allclose(there.estimated, here.estimated, atol=1e-3)
    np.testing.assert_allclose(there.noise, here.noise, rtol=0.05)


def test_a_calibration_is_for_other_samples_too():
    rng = np.random.default_rng(0)
    y = labels(rng, 200, 3)
    scores = log_proba(rng, y, 3)
    sample = MergedProblem(problem(y, scores), None)
    calibration = Calibration.of(sample)
    np.testing.assert_array_equal(calibration.shares(scores), calibrated_shares(sample))
    np.testing.assert_allclose(calibration.shares(scores[5:9]), calibrated_shares(sample)[:, 5:9], rtol=1e-12)
    again = Calibration.of(sample, near=calibration)
    np.testing.assert_allclose(again.shares(scores), calibration.shares(scores), atol=1e-3)


@pytest.mark.parametrize("weighted", [False, True])
def test_thinned_samples_weigh_what_all_of_them_did(rng, weighted):
    codes = np.concatenate([np.full(30, 2), rng.choice(2, 50_000, p=[0.9, 0.1])])
    weights = rng.random(len(codes)) if weighted else None
    samples, mass = thinned(codes, weights, n_classes=3, limit=3000)
    assert 2000 < len(samples) <= 3200
    np.testing.assert_allclose(np.bincount(codes[samples], mass), np.bincount(codes, weights), rtol=1e-12)
    assert np.bincount(codes[samples])[2] == 30
    assert np.bincount(codes[samples])[1] > 400


def patients(prior, n_patients, seed, *, each=8):
    """Labels and logits where each patient has the same sample several times, and the patient of each."""
    y, scores = draw(prior, n_patients, seed)
    groups = np.repeat(np.arange(n_patients), each)
    return y[groups], scores[groups], groups


def test_repeated_samples_in_groups_are_known_no_better_than_once():
    (y, scores), new = draw(PRIOR, 300, 0), draw(PRIOR, 200, 1)[1]
    many_y, many, groups = patients(PRIOR, 300, 0)
    _, many_new, new_groups = patients(PRIOR, 200, 1)
    once = shift(y, scores, new)
    grouped_fit = replace(problem(many_y, many), groups=groups)
    grouped, of_fit = (
        estimated_shift(grouped_fit, many_new, level=0.9, seed=0, run=in_turn, groups=of) for of in (new_groups, None)
    )
    apart = shift(many_y, many, many_new)
    np.testing.assert_allclose(grouped.region.standard_error, once.region.standard_error, rtol=0.35)
    assert (apart.region.standard_error < 0.6 * once.region.standard_error).all()
    assert (of_fit.region.standard_error < grouped.region.standard_error).all()
    assert grouped.misfit < 1.5
    np.testing.assert_allclose(grouped.noise, once.noise, rtol=0.5)


def test_without_a_shift_patients_in_groups_do_not_change_the_prior():
    moved, by_sample, tried = 0, 0, seeds(20, quick=8)
    for seed in tried:
        y, scores, groups = patients(PRIOR, 150, seed)
        _, new, new_groups = patients(PRIOR, 100, 1000 + seed)
        grouped = replace(problem(y, scores), groups=groups)
        found = estimated_shift(grouped, new, level=0.9, seed=0, run=in_turn, groups=new_groups)
        moved += found.is_significant
        by_sample += replace(shift(y, scores, new), misfit=1.0).is_significant
    assert moved <= 0.1 * len(tried)
    assert by_sample > 0.2 * len(tried)


def test_groups_of_single_samples_change_nothing(rng):
    y, scores = draw(PRIOR, 300, 0)
    new, order = draw(OTHER, 200, 1)[1], rng.permutation(200)
    one = shift(y, scores, new)
    groups = np.arange(300)
    other = estimated_shift(
        replace(problem(y, scores), groups=groups), new, level=0.9, seed=0, run=in_turn, groups=order
    )
    np.testing.assert_allclose(other.estimated, one.estimated, atol=1e-6)
    np.testing.assert_allclose(other.region.standard_error, one.region.standard_error, rtol=0.25)


def test_groups_are_thinned_with_their_samples(monkeypatch):
    monkeypatch.setattr(_prior_shift, "_SAMPLES", 500)
    values = np.arange(2000)
    scores = np.column_stack([values, values, values]).astype(float)
    chosen, groups = (samples_for_estimate(x, n_classes=3) for x in (scores, values))
    np.testing.assert_array_equal(chosen[:, 0], groups)


def test_few_samples_are_kept_as_they_are_and_many_are_not(monkeypatch, tmp_path):
    scores, codes = np.zeros((100, 3)), np.arange(100) % 3
    np.save(tmp_path / "scores.npy", scores)
    mapped = np.asarray(np.load(tmp_path / "scores.npy", mmap_mode="r"))
    assert KeptSamples.of(mapped, codes, None, n_classes=3).scores is mapped
    monkeypatch.setattr("skimbalance.estimation.spec._CELLS", 150)
    kept = KeptSamples.of(mapped, codes, None, n_classes=3)
    assert len(kept.codes) == len(kept.scores) == len(kept.weights) < 80
    assert not np.shares_memory(kept.scores, mapped)
