"""Offsets for unseen data: the parts of the robust estimate, and cases where it is better than the optimum."""

from functools import partial

import numpy as np
import pytest
from support.effort import seeds
from support.problems import problem as drawn_problem

from skimbalance import OffsetTuner
from skimbalance._core.array_api import to_numpy
from skimbalance.estimation import FitSpec
from skimbalance.estimation._calibration import calibrated_shares
from skimbalance.estimation._condense import MergedProblem
from skimbalance.estimation._estimate import _median, _start, _without_noise, plugin, robust
from skimbalance.exceptions import FewRowsWarning
from skimbalance.metrics import Cost
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import Problem, _coordinate_ascent, local_optimum, solve

EXACT = {"estimate": "empirical", "confidence_level": None}


def in_turn(jobs):
    return [job() for job in jobs]


robustly = partial(robust, spec=FitSpec())


def skewed(seed, *, n_samples, n_classes, tail=0.4):
    """Logits whose temperature and biases are wrong, and labels drawn from the right ones."""
    rng = np.random.default_rng(seed)
    prior = tail ** np.arange(n_classes)
    logits = 1.5 * rng.normal(size=(n_samples, n_classes)) + np.log(prior / prior.sum())
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = (rng.random(n_samples)[:, None] > proba.cumsum(axis=1)).sum(axis=1).clip(max=n_classes - 1)
    return 1.6 * logits + np.linspace(0.5, -0.5, n_classes), y


def value(metric, scores, y, offsets):
    truth = Truth.from_codes(y, n_classes=scores.shape[1])
    return Problem(scores, truth, metric).solved(np.asarray(offsets), n_iter=0).objective_value


class TestParts:
    def test_shrinking_leaves_what_has_no_noise_and_drops_what_is_noise(self):
        offsets, towards = np.array([1.0, -2.0, 1.0]), np.zeros(3)
        sure, wild = [offsets] * 4, [offsets + s * 100 for s in (-1, 1, -1, 1)]
        np.testing.assert_allclose(_without_noise(offsets, drawn=sure), offsets)
        np.testing.assert_allclose(_without_noise(offsets, drawn=wild), towards, atol=1e-3)
        np.testing.assert_array_equal(_without_noise(towards, drawn=sure), towards)

    def test_the_class_with_more_noise_is_shrunk_more(self):
        offsets = np.array([1.0, 1.0, -2.0])
        drawn = [offsets + s * np.array([0.1, 0.5, 0.0]) for s in (-1, 1, -1, 1)]
        kept = _without_noise(offsets, drawn=drawn) / offsets
        assert kept[2] == pytest.approx(1)
        assert kept[2] > kept[0] > kept[1] > 0

    def test_one_far_draw_does_not_move_the_median(self):
        drawn = [np.array([0.1, -0.1]), np.array([0.2, -0.2]), np.array([500.0, -500.0])]
        np.testing.assert_array_equal(_median(drawn), [0.2, -0.2])

    def test_the_plugin_is_the_optimum_for_calibrated_labels(self):
        for seed in seeds(10, quick=3):
            problem = drawn_problem(seed, n_classes=2, n_samples=80, metric="f1")
            shares = calibrated_shares(MergedProblem(problem, None))
            soft = problem.with_truth(Truth.from_shares(shares))
            assert soft.objective_value(plugin(problem, FitSpec()).offsets) == pytest.approx(
                solve(soft).objective_value, abs=1e-12
            )

    def test_of_many_scores_the_start_is_a_multiple_for_the_priors_of_all_samples(self):
        """The multiple is chosen on a subsample, which has too few samples of most of these classes."""
        scores, y = skewed(0, n_samples=4000, n_classes=300, tail=0.98)
        truth = Truth.from_codes(y, n_classes=300)
        soft = truth.softened(calibrated_shares(MergedProblem(Problem(scores, truth, METRICS["f1_macro"]), None)))
        problem = Problem(scores, soft, METRICS["f1_macro"])
        start, is_optimum_of_few = _start(problem, least_gain=0.0)
        assert not is_optimum_of_few
        np.testing.assert_allclose(np.corrcoef(start, np.log(soft.support))[0, 1], -1)

    def test_of_many_scores_ascents_start_at_the_optimum_of_fewer(self, monkeypatch):
        """A subsample starts at the optimum of the smaller one, which too many classes do not have."""
        drawn = drawn_problem(0, n_samples=2000, n_classes=5, metric="f1_macro")
        problem = drawn.with_truth(drawn.truth.softened(calibrated_shares(MergedProblem(drawn, None))))
        searched = []

        def ascend(few, start, *, least_gain, nearby):
            end = local_optimum(few, start, least_gain=least_gain, nearby=nearby)
            searched.append((few.scores.shape[0], nearby, np.asarray(start), end[0]))
            return end

        monkeypatch.setattr(_coordinate_ascent, "local_optimum", ascend)
        monkeypatch.setattr(_coordinate_ascent, "_CELLS_OF_SUBSAMPLES", (1000, 5000, 20_000))
        start, is_optimum_of_few = _start(problem, least_gain=0.0)
        assert is_optimum_of_few
        assert [each[:2] for each in searched] == [(200, False), (1000, True)]
        np.testing.assert_array_equal(searched[1][2], searched[0][3])
        np.testing.assert_array_equal(start, searched[1][3])
        monkeypatch.setattr(_coordinate_ascent, "_PER_CLASS_OF_SUBSAMPLE", 100)
        searched.clear()
        _start(problem, least_gain=0.0)
        assert [each[:2] for each in searched] == [(1000, False)]

    def test_bootstraps_may_run_anywhere(self):
        """Whoever runs them, and in whatever order, the result is the same."""

        def backwards(jobs):
            return [job() for job in list(jobs)[::-1]][::-1]

        problem = drawn_problem(0, n_samples=100)
        one, two = (robust(problem, FitSpec(run=run)).offsets for run in (in_turn, backwards))
        np.testing.assert_array_equal(one, two)


class TestHolding:
    """On rows not seen, averaged over draws."""

    @pytest.mark.parametrize("name", ["f1_macro", "balanced_accuracy", "geometric_mean", "matthews_corrcoef"])
    @pytest.mark.parametrize("n_classes", [2, 5])
    def test_it_beats_the_optimum_of_the_sample_and_no_offsets(self, name, n_classes):
        metric, gains = METRICS[name], []
        fresh, y_fresh = skewed(999, n_samples=40_000, n_classes=n_classes)
        for seed in seeds(20, quick=3):
            scores, y = skewed(seed, n_samples=300, n_classes=n_classes)
            if len(np.unique(y)) < n_classes:
                continue
            problem = Problem(scores, Truth.from_codes(y, n_classes=n_classes), metric)
            found = [robustly(problem).offsets, solve(problem).offsets, np.zeros(n_classes)]
            gains.append([value(metric, fresh, y_fresh, offsets) for offsets in found])
        ours, exact, none = np.mean(gains, axis=0)
        assert ours > exact
        assert ours > none

    def test_do_nothing_is_what_it_does_where_nothing_can_be_gained(self):
        """Calibrated scores are at their best for accuracy: offsets can only lose."""
        strengths, losses = [], []
        for seed in seeds(30, quick=6):
            rng = np.random.default_rng(seed)
            logits = np.column_stack([np.zeros(2400), rng.normal(size=2400) - 2])
            y = (rng.random(2400) < 1 / (1 + np.exp(-logits[:, 1]))).astype(int)
            tuner = OffsetTuner("accuracy", kind="logits").fit(logits[:400], y[:400])
            strengths.append(any("were scaled by" in note for note in tuner.notes_))
            plain = (logits[400:, 1] > 0) == y[400:]
            losses.append(plain.mean() - (tuner.predict(logits[400:]) == y[400:]).mean())
        assert any(strengths)
        assert np.mean(losses) < 0.003

    def test_the_score_and_its_interval_hold(self):
        inside, biases = [], []
        fresh, y_fresh = skewed(999, n_samples=40_000, n_classes=3)
        for seed in seeds(30, quick=6):
            scores, y = skewed(seed, n_samples=300, n_classes=3)
            tuner = OffsetTuner("f1_macro", kind="logits").fit(scores, y)
            achieved = value(METRICS["f1_macro"], fresh, y_fresh, tuner.offsets_)
            inside.append(tuner.score_interval_[0] <= achieved <= tuner.score_interval_[1])
            biases.append(tuner.score_ - achieved)
        assert np.mean(inside) >= 0.9
        assert abs(np.mean(biases)) < 0.02

    def test_the_interval_of_the_offsets_holds(self):
        inside = []
        scores, y = skewed(999, n_samples=200_000, n_classes=2)
        best = OffsetTuner("f1", kind="logits", **EXACT).fit(scores, y).offsets_
        for seed in seeds(60, quick=10):
            scores, y = skewed(seed, n_samples=500, n_classes=2)
            low, high = OffsetTuner("f1", kind="logits").fit(scores, y).offsets_interval_
            inside.append(bool(((low <= best) & (best <= high)).all()))
        assert np.mean(inside) >= 0.75


class TestTuner:
    def fitted(self, **options):
        scores, y = skewed(0, n_samples=300, n_classes=4)
        return OffsetTuner("f1_macro", kind="logits", **options).fit(scores, y)

    def test_any_number_of_threads_gives_the_same(self):
        one, two = self.fitted(), self.fitted(n_jobs=2)
        np.testing.assert_array_equal(one.offsets_, two.offsets_)
        assert (one.score_, one.score_interval_) == (two.score_, two.score_interval_)

    def test_a_seed(self):
        none, zero, other = (self.fitted(random_state=seed) for seed in (None, 0, 1))
        np.testing.assert_array_equal(none.offsets_, zero.offsets_)
        assert not np.array_equal(none.offsets_, other.offsets_)
        assert not np.array_equal(none.offsets_, self.fitted(n_bootstraps=3).offsets_)

    @pytest.mark.parametrize("estimate", ["robust", "plugin", "empirical"])
    def test_every_estimate_has_an_expected_score(self, estimate):
        tuner = self.fitted(estimate=estimate)
        low, high = tuner.score_interval_
        assert low < tuner.score_ < high
        assert tuner.offsets_interval_.shape == (2, 4)
        assert (tuner.offsets_interval_[0] < tuner.offsets_).all()
        assert (tuner.offsets_ < tuner.offsets_interval_[1]).all()

    def test_no_level_no_interval(self):
        plain, robust_one = self.fitted(**EXACT), self.fitted(confidence_level=None)
        assert not hasattr(plain, "score_")
        assert not hasattr(plain, "offsets_interval_")
        assert robust_one.score_ == self.fitted().score_
        assert not hasattr(robust_one, "score_interval_")

    @pytest.mark.parametrize("metric", sorted(METRICS))
    def test_any_metric(self, metric):
        scores, y = skewed(1, n_samples=120, n_classes=2)
        tuner = OffsetTuner(metric, kind="logits", n_bootstraps=2).fit(scores, y)
        low, high = tuner.score_interval_
        assert low <= tuner.score_ <= high
        assert np.isfinite(tuner.offsets_).all()

    def test_a_cost(self):
        scores, y = skewed(2, n_samples=300, n_classes=3)
        matrix = np.array([[0, 1, 2], [3, 0, 1], [20, 10, -4]])
        tuner = OffsetTuner(Cost(matrix), kind="logits").fit(scores, y)
        low, high = tuner.score_interval_
        assert low < tuner.score_ < high

    def test_every_library(self, xp):
        scores, y = skewed(3, n_samples=200, n_classes=3)
        here = OffsetTuner("f1_macro", kind="logits").fit(scores, y)
        there = OffsetTuner("f1_macro", kind="logits").fit(xp.asarray(scores), y)
        np.testing.assert_allclose(to_numpy(there.offsets_), here.offsets_, atol=1e-6)
        np.testing.assert_allclose(to_numpy(there.offsets_interval_), here.offsets_interval_, atol=1e-6)
        assert there.score_ == here.score_

    def test_many_samples_in_every_library(self, xp):
        scores, y = skewed(4, n_samples=20_000, n_classes=2)
        here = OffsetTuner("f1", kind="logits").fit(scores, y)
        there = OffsetTuner("f1", kind="logits").fit(xp.asarray(scores), y)
        np.testing.assert_allclose(to_numpy(there.offsets_), here.offsets_, atol=1e-4)


class TestFewRows:
    @staticmethod
    def fit(sizes, names=None):
        y = np.repeat(np.arange(len(sizes)) if names is None else names, sizes)
        rng = np.random.default_rng(0)
        log_prior = np.log(np.array(sizes) / sum(sizes))
        return OffsetTuner("f1_macro", kind="logits").fit(rng.normal(size=(len(y), len(sizes))) + log_prior, y)

    def test_the_warning_about_a_small_class_has_its_count(self):
        with pytest.warns(FewRowsWarning, match=r"'rare' has 3\. Their offsets, and scores") as caught:
            tuner = self.fit([40, 20, 3], ["a", "b", "rare"])
        assert str(caught[0].message).startswith(tuner.notes_[0])
        assert caught[0].filename == __file__

    def test_a_list_of_many_small_classes_is_abridged(self):
        with pytest.warns(FewRowsWarning, match=r"7 has 2, .* and 3 more classes fewer than 10"):
            self.fit([50, 9, 8, 7, 6, 5, 4, 2, 9])

    def test_ten_samples_issue_no_warning(self, recwarn):
        assert self.fit([40, 10]).notes_ == []
        assert not [w for w in recwarn if w.category is FewRowsWarning]

    @pytest.mark.parametrize("sizes", [[30, 1], [30, 1, 1], [1, 1], [2, 1, 1]])
    def test_a_single_sample_breaks_nothing(self, sizes):
        with pytest.warns(FewRowsWarning):
            tuner = self.fit(sizes)
        assert np.isfinite(tuner.offsets_).all()
        assert np.isfinite(tuner.offsets_interval_).all()


def test_seventy_seven_classes_some_with_two_samples(data_folder):
    with np.load(data_folder / "deep_banking77_lt20.npz", allow_pickle=True) as data:
        logits, y, test, y_test = (data[key] for key in ("logits_val", "y_val", "logits_test", "y_test"))
    assert np.bincount(y).min() == 2
    tuner = OffsetTuner("balanced_accuracy", kind="logits").fit(logits, y)
    achieved = (tuner.predict(test) == y_test).mean()  # the test rows are balanced
    assert achieved > (test.argmax(axis=1) == y_test).mean() + 0.05
    assert tuner.score_interval_[0] < achieved < tuner.score_interval_[1]
