"""Bounds on rates from counts alone."""

import math

import numpy as np
import pytest
from scipy.stats import betabinom, binom
from support.effort import seeds
from support.guarantees import beta_binomial_above, binomial_at_most

from skimbalance.estimation._guarantees import (
    STARTS,
    best_bound,
    certified_cuts,
    certified_errors,
    effective_sizes,
    precision_p_values,
    rate_bound,
    rate_p_values,
    ratio_p_values,
    samples_needed,
)


class TestRates:
    @pytest.mark.parametrize(("n", "k"), [(28, 0), (29, 1), (50, 2), (100, 5), (200, 13), (1000, 85)])
    def test_published_numbers(self, n, k):
        assert certified_errors(n, 0.9, 0.05) == k

    @pytest.mark.parametrize(("n", "k"), [(50, 1), (100, 4), (200, 12), (1000, 79)])
    def test_published_numbers_of_as_many_new_samples(self, n, k):
        assert certified_errors(n, 0.9, 0.05, new_samples=n) == k

    @pytest.mark.parametrize("rate", [0.5, 0.8, 0.95])
    @pytest.mark.parametrize("delta", [0.01, 0.2])
    def test_k_is_the_largest_that_the_sum_permits(self, rate, delta):
        for n in range(1, 60):
            k = certified_errors(n, rate, delta)
            permitted = [j for j in range(1, n + 1) if binomial_at_most(j - 1, n, f"{1 - rate:.10g}") <= delta]
            assert k == max(permitted, default=0)

    @pytest.mark.parametrize("m", [1, 5, 40])
    def test_k_of_new_samples_is_the_largest_that_all_orders_permit(self, m):
        for n in (1, 10, 39, 95, 120):
            allowed = int(m * 0.1 + 1e-9)
            permitted = [k for k in range(1, n + 1) if beta_binomial_above(allowed, m, n, k) <= 0.05 + 1e-12]
            assert certified_errors(n, 0.9, 0.05, new_samples=m) == max(permitted, default=0)

    @pytest.mark.parametrize("new_samples", [None, 5, 40, "as_many"])
    @pytest.mark.parametrize("rate", [0.5, 0.9, 0.99])
    def test_the_least_number_of_samples(self, rate, new_samples):
        needed = samples_needed(rate, 0.05, new_samples=new_samples)

        def k(n):
            return certified_errors(n, rate, 0.05, new_samples=n if new_samples == "as_many" else new_samples)

        assert k(needed) > 0
        assert k(needed - 1) == 0

    def test_what_no_number_of_samples_can_show(self):
        assert samples_needed(1.0, 0.05) is None
        assert samples_needed(1.1, 0.05, new_samples=10) is None
        assert certified_errors(1000, 1.0, 0.05) == 0
        assert samples_needed(0.0, 0.05) == 0

    def test_the_best_bound_is_certified_and_nothing_better(self):
        for n in (5, 20, 200):
            best = best_bound(n, 0.05)
            assert certified_errors(n, best - 1e-9, 0.05) == 1
            assert certified_errors(n, best + 1e-9, 0.05) == 0
        assert best_bound(20, 0.05) == pytest.approx(0.861, abs=5e-4)
        best = best_bound(50, 0.05, new_samples=50)
        assert certified_errors(50, best, 0.05, new_samples=50) >= 1
        assert certified_errors(50, best + 0.02, 0.05, new_samples=50) == 0

    @pytest.mark.parametrize(("n", "m"), [(1, 1), (7, 30), (30, 7), (50, 50)])
    def test_the_best_bound_on_new_samples_is_that_of_the_fewest_allowed_errors(self, n, m):
        fewest = next(a for a in range(m + 1) if beta_binomial_above(a, m, n, 1) <= 0.05)
        assert best_bound(n, 0.05, new_samples=m) == pytest.approx(1 - fewest / m)

    def test_the_best_bound_on_as_many_samples_takes_linear_time(self):
        # A sum over all outcomes for each number of errors would take minutes.
        assert best_bound(100_000, 0.05, new_samples=100_000) == pytest.approx(1 - 4 / 100_000)

    def test_the_confidence_bound_inverts_the_p_value(self):
        for errors, n in ((0, 10), (3, 40), (39, 40)):
            bound = float(rate_bound(errors, n, 0.05))
            assert float(rate_p_values(errors, n, bound)) == pytest.approx(0.05)
        assert float(rate_bound(40, 40, 0.05)) == 0

    def test_a_rate_is_missed_as_often_as_the_level_says(self):
        # The recall at the k-th lowest of n uniform scores is one minus that score.
        for n in (29, 50, 200):
            k = certified_errors(n, 0.9, 0.05)
            lowest = np.sort(np.random.default_rng(n).random((20_000, n)), axis=1)[:, k - 1]
            missed = np.mean(lowest > 0.1)
            exact = binom.cdf(k - 1, n, 0.1)
            assert exact <= 0.05
            assert missed == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))


class TestPrecisions:
    def test_p_values_are_binomial_sums(self):
        for hits, predicted in ((0, 5), (5, 5), (7, 12), (30, 41)):
            p = float(precision_p_values(hits, predicted, 0.6))
            exact = 1 - binomial_at_most(hits - 1, predicted, 0.6) if hits else 1.0
            assert p == pytest.approx(exact, abs=1e-12)

    def test_a_sequence_ends_at_the_first_failure_and_starts_again(self):
        sizes = np.arange(1, 201)
        p = np.full(200, 0.001)
        p[[20, 99]] = 1.0
        found = certified_cuts(lambda at: p[at], sizes, 0.05)
        expected = np.zeros(200, dtype=bool)
        expected[9:20] = expected[39:99] = expected[159:] = True
        assert np.array_equal(found, expected)

    def test_a_start_inherits_the_level_of_the_one_before(self):
        sizes = np.arange(1, 101)
        p = np.full(100, 0.03)  # above half of the level of both starts together, below that of both
        assert not certified_cuts(lambda at: p[at], sizes, 0.05).any()
        p[9:39] = 0.01
        assert np.flatnonzero(certified_cuts(lambda at: p[at], sizes, 0.05)).tolist() == list(range(9, 100))
        p[15] = 1.0
        assert np.flatnonzero(certified_cuts(lambda at: p[at], sizes, 0.05)).tolist() == list(range(9, 15))

    @pytest.mark.parametrize("n_positive", [20, 80])
    def test_a_precision_is_missed_at_most_as_often_as_the_level_says(self, n_positive):
        # Uniform scores, of which those above 1 - s are positive with a probability that falls to 0.5 at s = 0.3.
        missed, n = [], 5 * n_positive
        for seed in seeds(2000, quick=400):
            rng = np.random.default_rng(seed)
            scores = np.sort(rng.random(n))[::-1]
            y = rng.random(n) < np.where(scores > 0.9, 0.6, 0.45)  # the precision is 0.5 at the cut 0.7
            hits, sizes = np.cumsum(y), np.arange(1, n + 1)
            found = certified_cuts(lambda at, h=hits, s=sizes: precision_p_values(h[at], s[at], 0.5), sizes, 0.1)
            below = np.append(scores[1:], 0.0)  # a cut may lie anywhere above the next sample
            missed.append((found & (below < 0.7)).any())
        assert np.mean(missed) <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / len(missed))

    @pytest.mark.parametrize("f", [0.02, 0.1])
    def test_the_ratio_of_rates_is_rejected_at_most_as_often_as_the_level_says(self, f):
        rng = np.random.default_rng(0)
        hits, false = rng.binomial(100, 4 * f, 5000), rng.binomial(900, f, 5000)
        p = ratio_p_values(hits, 100, false, 900, 4.0)
        for level in (0.05, 0.2):
            assert np.mean(p <= level) <= level + 3 * np.sqrt(level * (1 - level) / 5000)
        assert np.mean(ratio_p_values(rng.binomial(100, min(1, 8 * f), 500), 100, false[:500], 900, 4.0) <= 0.05) > 0.3

    def test_how_often_a_bound_on_the_population_holds_on_as_many_new_samples(self):
        """The documentation gives the range for a recall of 0.9 with confidence 0.95: 88% to 97%."""
        held = []
        for n in [*range(29, 400), 1000, 5000]:
            k = certified_errors(n, 0.9, 0.05)
            held.append(betabinom.cdf(math.floor(0.1 * n + 1e-9), n, k, n - k + 1))
        assert (round(min(held), 2), round(max(held), 2)) == (0.88, 0.97)

    def test_the_ratio_improves_with_hits_and_falls_with_false_positives(self):
        p = ratio_p_values([15, 16, 15], 50, [20, 20, 21], 500, 5.0)
        assert p[1] < p[0] < p[2]

    @pytest.mark.parametrize("ratio", [0.1, 2 / 3, 1.0, 4.0])
    def test_the_ratio_is_rejected_where_no_sample_is_a_false_positive(self, ratio):
        """Also if half of the hits are missing: no rate of false positives makes both counts likely."""
        p = ratio_p_values([100, 160, 300], 300, 0, 1200, ratio)
        assert (p < 0.001).all()

    @pytest.mark.parametrize("n_cuts", [0, 5])
    def test_fewer_samples_than_the_first_start_certify_nothing(self, n_cuts):
        found = certified_cuts(lambda at: np.zeros(n_cuts)[at], np.arange(n_cuts), 0.05)
        assert found.shape == (n_cuts,)
        assert not found.any()

    def test_starts_are_documented(self):
        assert STARTS == (10, 40, 160)


class TestEffectiveSizes:
    def test_equal_weights_count_samples(self):
        for weights in (None, np.full(7, 3.0)):
            sizes = effective_sizes(weights, None, n_samples=7)[1]
            assert sizes == pytest.approx(np.arange(1, 8))

    def test_weights_count_less(self):
        weights = np.random.default_rng(0).exponential(size=20)
        mass, sizes = effective_sizes(weights, None, n_samples=20)
        for i in range(20):
            assert sizes[i] == pytest.approx(weights[: i + 1].sum() ** 2 / (weights[: i + 1] ** 2).sum())
            assert mass[i] == pytest.approx(weights[: i + 1].sum())

    def test_equal_groups_count_once_each(self):
        groups = np.repeat(np.arange(6), 4)
        assert effective_sizes(None, groups, n_samples=24)[1][-1] == pytest.approx(6)
        shuffled = np.random.default_rng(0).permutation(groups)
        sizes = effective_sizes(None, shuffled, n_samples=24)[1]
        for i in range(24):
            counts = np.unique(shuffled[: i + 1], return_counts=True)[1]
            assert sizes[i] == pytest.approx((i + 1) ** 2 / (counts**2).sum())
