"""Decisions on validation folds: which offsets they use, expected scores, and the shrinkage factor."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from support.problems import problem as drawn_problem

from skimbalance import TunedOffsetClassifierCV
from skimbalance.estimation import FitSpec, _estimate, cross_fit, folds_along, half_soft, jackknife_error
from skimbalance.estimation._calibration import calibrated_shares
from skimbalance.estimation._condense import condensed
from skimbalance.estimation._draws import posterior_predictive
from skimbalance.metrics import Cost
from skimbalance.metrics.black_box import BlackBox
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import METRICS, get_metric
from skimbalance.solvers import Problem, solve


def cross_fitted(problem, fit):
    """Cross-fit with the settings of the tuner."""
    return cross_fit(problem, fit, FitSpec(), folds_along(problem, seed=0))


def fixed(offsets, problem):
    """A fit that learns nothing."""
    return problem.solved(np.asarray(offsets, dtype=float), n_iter=0)


def gain_in_errors(crossed, shrinkage_factor):
    """The gain of scaled offsets over none on validation folds, in standard errors."""
    none, scaled = (crossed.decisions(each) for each in (0.0, shrinkage_factor))
    redrawn_gains = [after - before for before, after in crossed.redrawn_merits(none, scaled)]
    gain = crossed.expected_gain(none, scaled)
    return gain / np.std(redrawn_gains) if gain else 0.0


class TestExpectedGain:
    """Gains of the labels, and gains that calibrated probabilities imply."""

    def test_it_is_twice_the_gain_of_half_soft_labels(self):
        problem = drawn_problem(2, n_samples=60)
        crossed = replace(cross_fitted(problem, solve), half_soft=partial(half_soft, problem))
        before, after = (crossed.decisions(each) for each in (0.0, 1.0))
        halves = (np.eye(3)[crossed.codes] + calibrated_shares(condensed(problem)).T) / 2
        counts = [np.eye(3)[decided].T @ halves for decided in (before, after)]
        values = [np.mean(np.diag(table) / table.sum(axis=0)) for table in counts]
        problem = Problem(problem.scores, problem.truth, get_metric("balanced_accuracy"))
        crossed = replace(crossed, problem=problem, half_soft=partial(half_soft, problem))
        assert crossed.expected_gain(before, after) == pytest.approx(2 * (values[1] - values[0]), abs=1e-12)

    def test_without_half_soft_labels_it_is_the_gain_of_the_labels(self):
        crossed = cross_fitted(drawn_problem(2, n_samples=60), solve)
        before, after = (crossed.decisions(each) for each in (0.0, 1.0))
        assert crossed.expected_gain(before, after) == crossed.merit(after) - crossed.merit(before)


class TestOptimism:
    """The score is too high where the same decisions determine the shrinkage factor."""

    @pytest.mark.parametrize("name", ["balanced_accuracy", "cost"])
    def test_it_is_most_of_the_mean_excess_of_the_score(self, name):
        """Scores without information: the balanced accuracy of all decisions is one half on unseen data.

        Draws of drawn samples vary more than samples: of normal gains the optimism is 76% of the excess.
        """
        metric = Cost(np.array([[0.0, 1.0], [1.0, 0.0]])) if name == "cost" else get_metric(name)
        rng, excess, optimism = np.random.default_rng(0), [], []
        for _ in range(150):
            codes = np.repeat([0, 1], 20)
            scores = np.stack([0 * codes, rng.uniform(-1, 1, size=40)], axis=1)
            problem = Problem(scores, Truth.from_codes(codes, n_classes=2), metric)
            crossed = cross_fitted(problem, partial(fixed, [0.0, 0.5]))
            decisions = crossed.decisions(crossed.shrinkage_factor())
            excess.append(crossed.score(decisions, level=None)[0] - 0.5)
            optimism.append(crossed.optimism())
        assert abs(np.mean(excess)) > 3 * np.std(excess) / np.sqrt(150)
        assert 0.5 < np.mean(optimism) / np.mean(excess) < 1

    def test_the_score_is_without_it(self):
        crossed = cross_fitted(drawn_problem(2, n_samples=60), solve)
        decisions = crossed.decisions()
        (whole, _), (less, (low, high)) = (
            crossed.score(decisions, level=level, optimism=optimism) for level, optimism in ((None, 0.0), (0.9, 0.03))
        )
        assert less == pytest.approx(whole - 0.03)
        assert low < less < high

    def test_a_function_is_called_once_for_each_draw_where_the_gain_is_clear(self):
        """That is forty times, for two decisions in twenty draws."""
        codes, calls = np.repeat([0, 1], [800, 200]), []

        def accuracy(y_true, y_pred, sample_weight):
            calls.append(1)
            return np.average(y_true == y_pred, weights=sample_weight)

        scores = np.stack([0 * codes, np.random.default_rng(0).normal(size=1000) + 5 * codes], axis=1)
        problem = Problem(scores, Truth.from_codes(codes, n_classes=2), BlackBox(accuracy))
        crossed = cross_fitted(problem, partial(fixed, [2.5, -2.5]))
        calls.clear()
        assert crossed.optimism() == 0
        assert len(calls) == 40

    def test_equal_decisions_have_none(self):
        assert cross_fitted(drawn_problem(2, n_samples=60), partial(fixed, np.zeros(3))).optimism() == 0


class TestFolds:
    def test_no_sample_is_evaluated_by_offsets_fitted_on_it(self):
        drawn = drawn_problem(0, n_samples=97)
        truth = Truth.from_codes(drawn.truth.codes, n_classes=3, weights=np.arange(1.0, 98.0))  # rows are known by them
        seen = []

        def spy(rest):
            seen.append(set(rest.truth.weights))
            return fixed(np.zeros(3), rest)

        crossed = cross_fitted(Problem(drawn.scores, truth, drawn.metric), spy)
        assert len(seen) == 5
        for fold, weights in enumerate(seen):
            assert weights == set(truth.weights[crossed.fold_of != fold])

    def test_folds_spread_every_class_evenly(self):
        crossed = cross_fitted(drawn_problem(1, n_samples=200, n_classes=4), solve)
        for c in range(4):
            sizes = np.bincount(crossed.fold_of[crossed.codes == c], minlength=5)
            assert np.ptp(sizes) <= 1
        assert np.bincount(crossed.fold_of).tolist() == [40] * 5

    def test_many_scores_take_three_folds(self):
        y = np.arange(2_100) % 500
        problem = Problem(np.zeros((2_100, 500)), Truth.from_codes(y, n_classes=500), METRICS["accuracy"])
        assert cross_fitted(problem, partial(fixed, np.zeros(500))).offsets.shape == (3, 500)

    def test_a_class_of_one_sample_is_left_out_of_the_fold_that_lacks_it(self):
        problem = drawn_problem(2, n_samples=40)
        codes = np.where(problem.truth.codes == 2, 0, problem.truth.codes)
        codes[0] = 2
        crossed = cross_fitted(Problem(problem.scores, Truth.from_codes(codes, n_classes=3), problem.metric), solve)
        assert np.isfinite(crossed.offsets).all()
        assert crossed.decisions().shape == (40,)


class TestStrength:
    """None where the offsets lose by a standard error, all where they gain."""

    def problem(self, metric="accuracy"):
        return drawn_problem(3, n_samples=200, metric=metric)

    def test_a_gain_keeps_the_offsets(self):
        problem = self.problem("balanced_accuracy")
        biased = Problem(problem.scores - [0.0, 0.0, 3.0], problem.truth, problem.metric)
        assert cross_fitted(biased, solve).shrinkage_factor() == 1.0

    def test_nonsense_is_not(self):
        assert cross_fitted(self.problem(), partial(fixed, [0.0, 3.0, 0.0])).shrinkage_factor() == 0.0

    def test_a_loss_within_the_noise_keeps_a_part_of_the_offsets(self):
        partly = [
            cross_fitted(self.problem(), partial(fixed, [0.0, x, 0.0])).shrinkage_factor() for x in (0.1, 0.2, 0.3, 0.4)
        ]
        assert any(0 < shrinkage_factor < 1 for shrinkage_factor in partly)

    def test_what_is_kept_loses_less_than_a_standard_error(self):
        kept_whole, reduced = 0, 0
        for seed in (5, 12, 17, 33, 49):
            problem = drawn_problem(seed, n_samples=60, metric=("accuracy", "f1_macro", "matthews_corrcoef")[seed % 3])
            offsets = 0.7 * np.random.default_rng(seed).normal(size=3)
            crossed = cross_fitted(problem, partial(fixed, offsets))
            shrinkage_factor, share = crossed.shrinkage_factor(), 1 + gain_in_errors(crossed, 1.0)
            assert 0 < shrinkage_factor <= share < 1
            assert gain_in_errors(crossed, shrinkage_factor) > -1
            kept_whole += shrinkage_factor == pytest.approx(share)
            if shrinkage_factor < 0.99 * share:
                reduced += 1
                assert gain_in_errors(crossed, share) <= -1
        assert kept_whole > 0
        assert reduced > 0

    def test_the_note_states_whether_a_loss_is_significant(self, monkeypatch):
        """Breast cancer with 25 malignant samples: on validation folds the offsets lose one or two."""
        crossed = []
        monkeypatch.setattr(_estimate, "cross_fit", lambda *a, **k: crossed.append(cross_fit(*a, **k)) or crossed[-1])
        X, y = load_breast_cancer(return_X_y=True)
        samples = np.sort(np.append(np.flatnonzero(y == 0)[:25], np.flatnonzero(y == 1)))
        model = LogisticRegression(max_iter=5000)
        clf = TunedOffsetClassifierCV(model, objective="f1", pos_label=1, random_state=3).fit(X[samples], y[samples])
        shrinkage_factor = crossed[0].shrinkage_factor()
        note = next(note for note in clf.tuner_.notes_ if f"they were scaled by {shrinkage_factor:.2f}." in note)
        assert ("Their expected loss is less than one standard error." in note) == (shrinkage_factor > 0)
        assert shrinkage_factor < 1
        assert -1 < gain_in_errors(crossed[0], shrinkage_factor) <= 0

    def test_no_offsets_change_nothing(self):
        assert cross_fitted(self.problem(), partial(fixed, np.zeros(3))).shrinkage_factor() == 1.0

    def test_where_less_is_better_less_is_a_gain(self):
        problem = drawn_problem(3, n_samples=200)
        matrix = np.array([[0, 1, 1], [5, 0, 5], [5, 5, 0]])
        good, bad = (
            cross_fitted(
                Problem(problem.scores, problem.truth, Cost(matrix)), partial(fixed, offsets)
            ).shrinkage_factor()
            for offsets in ([0, 1.6, 1.6], [3.0, 0, 0])
        )
        assert good == 1.0
        assert bad == 0.0


class TestScore:
    def test_it_is_the_metric_of_the_decisions_on_validation_folds(self):
        for name in ("f1_macro", "geometric_mean", "matthews_corrcoef", "accuracy", "cohen_kappa"):
            problem = drawn_problem(4, n_samples=150, metric=name)
            crossed = cross_fitted(problem, solve)
            score, (low, high) = crossed.score(crossed.decisions(), level=0.9)
            assert score == problem.metric.value(problem.count(crossed.decisions()))
            assert low < score < high

    def test_a_class_without_true_positives_counts_half_of_one(self):
        codes = np.repeat([0, 1], [30, 4])
        scores = np.column_stack([np.zeros(34), np.full(34, -5.0)])
        problem = Problem(scores, Truth.from_codes(codes, n_classes=2), METRICS["geometric_mean"])
        crossed = cross_fitted(problem, partial(fixed, [0.0, 0.0]))
        score, (low, high) = crossed.score(crossed.decisions(), level=0.9)
        assert score == pytest.approx(np.sqrt(0.5 / 4))
        assert 0 <= low <= score <= high <= 1

    def test_a_higher_level_is_wider_and_bounds_are_kept(self):
        problem = drawn_problem(5, n_samples=40)
        crossed = cross_fitted(problem, solve)
        intervals = [crossed.score(crossed.decisions(), level=level)[1] for level in (0.5, 0.9, 0.99)]
        widths = np.diff(intervals, axis=1)[:, 0]
        assert (np.diff(widths) > 0).all()
        assert min(low for low, _ in intervals) >= 0
        assert max(high for _, high in intervals) <= 1

    def test_without_a_level_there_is_no_interval(self):
        crossed = cross_fitted(drawn_problem(6), solve)
        assert crossed.score(crossed.decisions(), level=None)[1] is None

    def test_offsets_error_is_the_jackknife_over_folds(self):
        crossed = cross_fitted(drawn_problem(7, n_samples=100), solve)
        thetas = crossed.offsets
        variance = (4 / 5) * ((thetas - thetas.mean(axis=0)) ** 2).sum(axis=0)
        # 2.132 is the 95% quantile of Student's t with four degrees of freedom.
        np.testing.assert_allclose(jackknife_error(crossed.offsets, level=0.9), 2.132 * np.sqrt(variance), rtol=1e-3)


class TestRedrawn:
    """Counts of kinds of rows, drawn at once, vary as those of rows drawn one by one."""

    def setting(self):
        rng = np.random.default_rng(0)
        codes = rng.choice(3, size=400, p=[0.7, 0.25, 0.05])
        decided = [np.where(rng.random(400) < 0.7, codes, rng.integers(0, 3, 400)) for _ in range(2)]
        return codes, rng.integers(1, 4, 400).astype(float), decided

    @pytest.mark.parametrize("weighted", [False, True])
    def test_moments_are_those_of_sample_weights(self, weighted):
        codes, weights, decided = self.setting()
        weights = weights if weighted else None
        (counts,) = posterior_predictive(codes, weights, decided, class_order=np.arange(3), confusion=True, seed=0)
        rng = np.random.default_rng(1)
        samples = rng.exponential(size=(2000, 400)) * (1 if weights is None else weights)
        for each, decision in zip(counts, decided, strict=True):
            for k in range(3):
                hit = (codes == k) & (decision == k)
                drawn = each.hits[:, k]
                slow = samples[:, hit].sum(axis=1)
                assert drawn.mean() == pytest.approx(slow.mean(), abs=4 * slow.std() / 10 + 1)
                assert drawn.std() == pytest.approx(slow.std(), rel=0.3)

    def test_counts_agree_with_each_other(self):
        codes, weights, decided = self.setting()
        for each in posterior_predictive(
            codes, weights, decided, class_order=np.arange(3), confusion=True, seed=0, anew=True
        ):
            for counts in each:
                np.testing.assert_allclose(counts.confusion.sum(axis=2), counts.support)
                np.testing.assert_allclose(counts.confusion.sum(axis=1), counts.predicted)
                np.testing.assert_allclose(np.diagonal(counts.confusion, axis1=1, axis2=2), counts.hits)

    def test_equal_decisions_get_equal_draws(self):
        codes, weights, decided = self.setting()
        for one, two in posterior_predictive(
            codes, weights, [decided[0], decided[0]], class_order=np.arange(3), confusion=False, seed=0
        ):
            np.testing.assert_array_equal(one.hits, two.hits)

    def test_no_recall_is_certain(self):
        codes = np.repeat([0, 1], [50, 3])
        drawn = posterior_predictive(codes, None, [codes], class_order=np.arange(2), confusion=False, seed=0)
        recalls = np.concatenate([counts.hits[:, 1] / counts.support[:, 1] for (counts,) in drawn])
        assert recalls.std() > 0.05
        assert recalls.max() < 1

    def test_unseen_data_vary_twice_as_much_and_may_lack_a_class(self):
        codes, _, decided = self.setting()
        old, new = (
            np.concatenate(
                [
                    counts.support
                    for (counts,) in posterior_predictive(
                        codes,
                        None,
                        decided[:1],
                        class_order=np.arange(3),
                        confusion=False,
                        seed=0,
                        anew=anew,
                        tail=0.005,
                    )
                ]
            )
            for anew in (False, True)
        )
        assert len(new) == 1000
        np.testing.assert_allclose(new.var(axis=0) / old.var(axis=0), 2, rtol=0.2)
        few = posterior_predictive(
            np.array([0] * 30 + [1, 1]),
            None,
            [np.zeros(32, dtype=int)],
            class_order=np.arange(2),
            confusion=False,
            seed=0,
            anew=True,
        )
        assert min(counts.support[:, 1].min() for (counts,) in few) == 0

    def test_many_confusion_matrices_are_drawn_in_parts(self, monkeypatch):
        codes, _, decided = self.setting()
        monkeypatch.setattr("skimbalance.estimation._draws._CELLS_AT_ONCE", 300)
        sizes = []
        for confusion in (False, True):
            drawn = posterior_predictive(
                codes, None, decided[:1], class_order=np.arange(20), confusion=confusion, seed=0
            )
            sizes.append([len(counts.hits) for (counts,) in drawn])
        assert sum(sizes[0]) == sum(sizes[1]) == 100
        assert max(sizes[1]) == 1 < max(sizes[0])
