"""Joint confidence regions of class priors, compared with a slow reference and with their definition."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from support import regions
from support.effort import seeds

from skimbalance.estimation._prior_region import PriorRegion


def bootstraps(seed, n_classes, *, n_draws=40, zeros=False):
    """An estimate, a reference and bootstraps of both."""
    rng = np.random.default_rng(seed)
    estimated, reference = rng.dirichlet(np.full(n_classes, 2.0), size=2)
    drawn = np.stack([rng.dirichlet(60 * prior + 0.1, size=n_draws) for prior in (estimated, reference)], axis=1)
    if zeros:  # small priors are zero in some bootstraps
        drawn = np.where(drawn < 0.1, 0.0, drawn)
        drawn /= drawn.sum(axis=2, keepdims=True)
    return estimated, reference, drawn


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_slow_reference(seed, n_classes, zeros):
    estimated, reference, drawn = bootstraps(seed, n_classes, zeros=zeros)
    region = PriorRegion.of(estimated, reference, drawn)
    np.testing.assert_allclose(region.standard_error, regions.standard_errors(estimated, reference, drawn))
    for level, misfit in ((0.9, 1.0), (0.99, 1.5)):
        slow = regions.joint_intervals(estimated, reference, drawn, level=level, misfit=misfit)
        np.testing.assert_allclose(region.interval(level, joint=True, factor=misfit), slow, atol=1e-9)
    assert region.p_value(reference) == pytest.approx(regions.p_value(estimated, reference, drawn), abs=1e-6)


def test_joint_intervals_contain_those_by_class_which_contain_the_estimate():
    estimated, reference, drawn = bootstraps(0, 5)
    region = PriorRegion.of(estimated, reference, drawn)
    joint, own = (region.interval(0.9, joint=joint) for joint in (True, False))
    assert (joint[0] < own[0]).all()
    assert (own[0] < estimated).all()
    assert (estimated < own[1]).all()
    assert (own[1] < joint[1]).all()


def test_two_classes_have_one_interval():
    estimated, reference, drawn = bootstraps(0, 2)
    region = PriorRegion.of(estimated, reference, drawn)
    joint = region.interval(0.9, joint=True)
    np.testing.assert_array_equal(joint, region.interval(0.9, joint=False))
    np.testing.assert_allclose(joint[:, 0], 1 - joint[::-1, 1])


@pytest.mark.parametrize("seed", range(3))
def test_classes_may_come_in_any_order(seed):
    estimated, reference, drawn = bootstraps(seed, 6)
    order = np.random.default_rng(seed).permutation(6)
    one = PriorRegion.of(estimated, reference, drawn)
    other = PriorRegion.of(estimated[order], reference[order], drawn[:, :, order])
    np.testing.assert_allclose(other.interval(0.9, joint=True), one.interval(0.9, joint=True)[:, order])
    assert other.p_value(reference[order]) == pytest.approx(one.p_value(reference))


def test_a_class_without_samples_changes_nothing():
    estimated, reference, drawn = bootstraps(0, 3)
    one = PriorRegion.of(estimated, reference, drawn)
    wide = PriorRegion(np.append(estimated, 0.0), np.append(one.standard_error, 0.0), one.degrees)
    intervals = wide.interval(0.9, joint=True)
    np.testing.assert_array_equal(intervals[:, :3], one.interval(0.9, joint=True))
    assert not intervals[:, 3].any()
    assert wide.p_value(np.append(reference, 0.0)) == one.p_value(reference)


def test_a_class_that_is_absent_from_the_new_samples_may_still_occur():
    """All estimates are zero, and do not vary."""
    estimated, reference = np.array([1.0, 0.0]), np.array([0.9, 0.1])
    without = np.random.default_rng(0).dirichlet(100 * reference, size=40)
    drawn = np.stack([np.tile(estimated, (40, 1)), without], axis=1)
    lower, upper = PriorRegion.of(estimated, reference, drawn).interval(0.9, joint=True)
    assert lower[1] == pytest.approx(0)
    assert 0.001 < upper[1] < 0.02


def test_the_same_priors_have_a_p_value_of_one_and_others_less_the_further_they_are():
    estimated, reference, drawn = bootstraps(0, 4)
    region = PriorRegion.of(estimated, reference, drawn)
    assert region.p_value(estimated) == 1
    path = [region.p_value(estimated + share * (reference - estimated)) for share in (0.2, 0.5, 1.0)]
    assert path == sorted(path, reverse=True)
    assert region.p_value(reference, factor=2.0) > region.p_value(reference)
    certain = PriorRegion(estimated, np.zeros(4), 40)
    assert (certain.p_value(estimated), certain.p_value(reference)) == (1, 0)


@pytest.mark.parametrize("correlation", [-0.45, 0.0, 0.9])
def test_intervals_hold_at_once_whatever_the_correlations(correlation):
    """Angles of three classes with normal errors."""
    covariance = np.full((3, 3), correlation) + (1 - correlation) * np.eye(3)
    exact = multivariate_normal(cov=covariance * 0.02**2)
    centre, inside = np.arcsin(np.sqrt([0.5, 0.3, 0.2])), []
    for seed in seeds(2000, quick=600):
        found = centre + exact.rvs(random_state=seed)
        lower, upper = PriorRegion(np.sin(found) ** 2, np.full(3, 0.02), 10_000).interval(0.9, joint=True)
        inside.append(((lower <= [0.5, 0.3, 0.2]) & (upper >= [0.5, 0.3, 0.2])).all())
    assert np.mean(inside) > 0.9 - 3 * np.sqrt(0.09 / len(inside))


def test_few_groups_have_few_degrees_of_freedom():
    estimated, reference, drawn = bootstraps(0, 3)
    of_groups = {n: PriorRegion.of(estimated, reference, drawn, n_groups=n) for n in (None, 2, 10, 1000)}
    assert {n: region.degrees for n, region in of_groups.items()} == {None: 40, 2: 1, 10: 9, 1000: 40}
    widths = [np.ptp(of_groups[n].interval(0.9, joint=True), axis=0) for n in (2, 10, None)]
    assert (widths[0] > widths[1]).all()
    assert (widths[1] > widths[2]).all()
