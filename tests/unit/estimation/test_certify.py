"""Cuts of one class that exact tests certify."""

import numpy as np
import pytest
from support.guarantees import certified_precisions, certified_shares, certified_thresholds

from skimbalance.estimation._certify import PrecisionTest, RateTest, SortedCuts, limits_of
from skimbalance.estimation._guarantees import STARTS


def drawn(seed, n=120, *, tied=False):
    """Return scores and labels, a third of them one."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.35).astype(int)
    scores = rng.normal(size=n) + 2 * y
    return (np.round(scores) if tied else scores), y


def thresholds(cuts, certified):
    return cuts.margins[certified[:-1]].tolist()


@pytest.mark.parametrize("tied", [False, True])
class TestAgainstAllThresholds:
    def test_recall(self, tied):
        for seed in range(5):
            scores, y = drawn(seed, tied=tied)
            cuts = SortedCuts.of(scores, y == 1)
            found = RateTest(True, 0.8, 0.1).certified(cuts)
            assert thresholds(cuts, found) == certified_thresholds(scores, y, 0.8, 0.1)
            assert not found[-1]

    def test_the_others_are_the_mirrored_case(self, tied):
        scores, y = drawn(1, tied=tied)
        found = RateTest(False, 0.8, 0.1, wins=False).certified(SortedCuts.of(scores, y == 1))
        mirrored = RateTest(True, 0.8, 0.1).certified(SortedCuts.of(-scores, y == 0))
        assert np.array_equal(found, mirrored[::-1])

    def test_predicted_share(self, tied):
        for seed in range(5):
            scores, y = drawn(seed, tied=tied)
            cuts = SortedCuts.of(scores, y == 1)
            at_most = RateTest(None, 0.7, 0.1, wins=False)
            assert thresholds(cuts, at_most.certified(cuts)) == certified_shares(scores, 0.3, 0.1)
            for new_samples in (10, 120):
                found = RateTest(None, 0.7, 0.1, wins=False, new_samples=new_samples).certified(cuts)
                oracle = certified_shares(scores, 0.3, 0.1, new_samples=new_samples)
                assert thresholds(cuts, found) == oracle
            at_least = RateTest(None, 0.3, 0.1).certified(cuts)
            assert thresholds(cuts, at_least) == certified_thresholds(scores, np.ones_like(y), 0.3, 0.1)

    def test_precision(self, tied):
        for seed in range(5):
            scores, y = drawn(seed, n=200, tied=tied)
            cuts = SortedCuts.of(scores, y == 1)
            found = PrecisionTest(True, 0.6, 0.1).certified(cuts)
            assert sorted(thresholds(cuts, found)) == sorted(
                certified_precisions(scores, y, 0.6, 0.1, starts=list(STARTS))
            )
            others = PrecisionTest(False, 0.6, 0.1).certified(cuts)
            mirrored = PrecisionTest(True, 0.6, 0.1).certified(SortedCuts.of(-scores, y == 0))
            assert np.array_equal(others, mirrored[::-1])


TESTS = [
    RateTest(True, 0.7, 0.1),
    RateTest(False, 0.7, 0.1, wins=False, new_samples="as_many"),
    RateTest(None, 0.4, 0.1),
    RateTest(None, 0.6, 0.1, wins=False, new_samples="as_many"),
    PrecisionTest(True, 0.5, 0.1),
]


@pytest.mark.parametrize("test", TESTS, ids=lambda test: f"{type(test).__name__} {test.own}")
class TestProperties:
    def test_equal_weights_change_nothing(self, test):
        scores, y = drawn(0)
        plain = SortedCuts.of(scores, y == 1)
        weighted = SortedCuts.of(scores, y == 1, weights=np.full(len(y), 0.3))
        assert np.array_equal(test.certified(plain), test.certified(weighted))
        assert test.p_values(plain) == pytest.approx(test.p_values(weighted))
        assert test.kind(weighted) == test.kind(plain) != "approximate"

    def test_groups_of_one_change_nothing(self, test):
        scores, y = drawn(0)
        grouped = SortedCuts.of(scores, y == 1, groups=np.arange(len(y)))
        assert np.array_equal(test.certified(SortedCuts.of(scores, y == 1)), test.certified(grouped))

    def test_repeated_samples_of_a_group_count_once(self, test):
        scores, y = drawn(0)
        repeated = SortedCuts.of(np.repeat(scores, 3), np.repeat(y, 3) == 1, groups=np.repeat(np.arange(len(y)), 3))
        assert np.array_equal(test.certified(SortedCuts.of(scores, y == 1)), test.certified(repeated))
        assert test.kind(repeated) == "approximate"

    def test_weights_that_differ_are_approximate_and_count_less(self, test):
        scores, y = drawn(0, n=400)
        weights = np.random.default_rng(1).exponential(size=len(y)) ** 2
        weighted = SortedCuts.of(scores, y == 1, weights=weights)
        assert test.kind(weighted) == "approximate"
        assert test.at(weighted, 40)[0] < 0.7 * test.at(SortedCuts.of(scores, y == 1), 40)[0]

    def test_the_order_of_samples_has_no_influence(self, test):
        scores, y = drawn(0, tied=True)
        order = np.random.default_rng(2).permutation(len(y))
        found = [test.certified(SortedCuts.of(s, own == 1)) for s, own in ((scores, y), (scores[order], y[order]))]
        assert np.array_equal(*found)


def test_a_class_prior_changes_a_precision_and_no_recall():
    scores, y = drawn(3, n=600)
    plain = SortedCuts.of(scores, y == 1)
    rarer = SortedCuts.of(scores, y == 1, weights=np.where(y == 1, 0.2, 1.0))
    recall, precision = RateTest(True, 0.8, 0.05), PrecisionTest(True, 0.6, 0.05)
    assert np.array_equal(recall.certified(plain), recall.certified(rarer))
    assert recall.kind(rarer) == "exact"
    assert precision.kind(rarer) == "sequential"
    assert precision.certified(plain).sum() > precision.certified(rarer).sum() > 0


def test_a_predicted_share_is_of_all_samples_and_needs_no_label():
    scores, y = drawn(3, n=300)
    test = RateTest(None, 0.7, 0.05, wins=False)
    found = [test.certified(SortedCuts.of(scores, own)) for own in (y == 1, y == 0, np.zeros(300, dtype=bool))]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
    cuts = SortedCuts.of(scores, y == 1)
    place = cuts.place_of(1.5)
    assert test.at(cuts, place)[:2] == (300, (scores >= 1.5).sum())
    rarer = SortedCuts.of(scores, y == 1, weights=np.where(y == 1, 0.2, 1.0))
    assert test.kind(cuts) == "exact"
    assert test.kind(rarer) == "approximate"  # a mixture of two proportions


class TestLimits:
    def test_they_are_between_samples(self):
        cuts = SortedCuts.of(np.array([0.0, 1.0, 2.0, 3.0]), np.array([False, True, False, True]))
        low, high = limits_of(cuts, np.array([False, False, True, True, False]), None)
        assert (low, high) == (1.25, 2.75)

    def test_the_run_with_the_best_merit_or_the_longest(self):
        cuts = SortedCuts.of(np.arange(6.0), np.arange(6) % 2 == 0)
        permitted = np.array([True, False, True, True, True, False, False])
        assert limits_of(cuts, permitted, None) == (1.25, 3.75)
        merit = np.array([9.0, 0, 1, 1, 1, 0, 0])
        assert limits_of(cuts, permitted, lambda: merit) == (-np.inf, -1.0)

    def test_none_predicted(self):
        cuts = SortedCuts.of(np.array([0.0, 1.0]), np.array([True, False]))
        assert limits_of(cuts, np.array([False, False, True]), None) == (2.0, np.inf)
