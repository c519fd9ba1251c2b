"""Bias Adjustment: the published search, counted and held against the exact optimum."""

import numpy as np
import pytest
from support.effort import seeds
from support.oracles import best_of_two
from support.problems import in_namespace, problem

from skimbalance import OffsetTuner
from skimbalance._core.array_api import to_numpy
from skimbalance.goals import AtLeast
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.registry import get_metric
from skimbalance.solvers import _bias_adjustment as module
from skimbalance.solvers import adjust_biases, path_state


@pytest.fixture
def targets(monkeypatch):
    """The states that a search asks for."""
    asked = []
    reach = module.solve_state

    def recorded(scores, target, **others):
        asked.append(target)
        return reach(scores, target, **others)

    monkeypatch.setattr(module, "solve_state", recorded)
    return asked


class TestTwoClasses:
    def test_tenths_then_hundredths_then_thousandths(self, targets):
        solution = adjust_biases(problem(0, n_classes=2, n_samples=200, metric="f1"))
        shares = np.asarray(targets)[:, 1]  # class 1 is the rarer
        assert len(shares) == solution.n_iter == 45  # 47 with the middles of the finer grids counted anew
        np.testing.assert_allclose(shares[:9], np.arange(1, 10) / 10)
        for finer, step in ((shares[9:27], 0.01), (shares[27:], 0.001)):
            np.testing.assert_allclose(np.delete(np.diff(finer), 8), step)
            assert finer[9] - finer[8] == pytest.approx(2 * step)
            middle = (finer[8] + finer[9]) / 2
            assert np.abs(shares - middle).min() <= 1e-12

    @pytest.mark.parametrize(("precision", "n_states"), [(1, 9), (2, 27), (3, 45)])
    def test_each_digit_is_eighteen_states_more_and_never_worse(self, precision, n_states):
        for seed in seeds(5, quick=2):
            here = problem(seed, n_classes=2, n_samples=100)
            solution = adjust_biases(here, precision=precision)
            assert solution.n_iter == n_states
            assert (
                precision == 1
                or solution.objective_value >= adjust_biases(here, precision=precision - 1).objective_value
            )

    @pytest.mark.parametrize("metric", ["f1", "f1_macro", "geometric_mean", "balanced_accuracy"])
    def test_it_comes_near_the_exact_optimum(self, metric):
        for seed in seeds(30, quick=3):
            here = problem(seed, n_classes=2, n_samples=200, metric=metric)
            solution = adjust_biases(here)
            best = best_of_two(here.scores, here.truth, here.metric)
            assert best - 0.02 <= solution.objective_value <= best + 1e-12

    def test_the_minority_class_may_be_the_first(self, targets):
        here = problem(1, n_classes=2, n_samples=200, metric="f1_macro")
        turned = type(here)(
            here.scores[:, ::-1], type(here.truth).from_codes(1 - here.truth.codes, n_classes=2), here.metric
        )
        offsets = adjust_biases(here).offsets
        np.testing.assert_allclose(adjust_biases(turned).offsets, offsets[::-1], atol=1e-6)


class TestSeveralClasses:
    @pytest.mark.parametrize("n_classes", [3, 4, 12])
    @pytest.mark.parametrize("metric", ["f1_macro", "geometric_mean", "accuracy"])
    def test_never_worse_than_no_offsets(self, n_classes, metric):
        for seed in seeds(4, quick=1):
            here = problem(seed, n_classes=n_classes, n_samples=80, metric=metric)
            solution = adjust_biases(here, precision=2)
            assert solution.objective_value >= here.objective_value(np.zeros(n_classes))
            assert solution.objective_value == here.objective_value(solution.offsets)
            assert abs(solution.offsets.sum()) <= 1e-9

    def test_first_along_the_path_then_class_by_class(self, targets):
        here = problem(0, n_classes=3, n_samples=100)
        prior = here.truth.support / here.truth.support.sum()
        solution = adjust_biases(here)
        assert solution.n_iter == len(targets) == 21 + 18 + 18 + 3 * 3 * 18
        np.testing.assert_allclose(targets[0], prior)
        np.testing.assert_allclose(targets[10], 1 / 3)
        np.testing.assert_allclose(targets[20], path_state(prior, 2.0))
        np.testing.assert_allclose(targets[20], (1 / prior) / (1 / prior).sum())
        rarest = int(prior.argmin())
        others = np.delete(np.asarray(targets[57:75]), rarest, axis=1)  # in proportion
        np.testing.assert_allclose(others[:, 0] / others[:, 1], others[0, 0] / others[0, 1])

    @pytest.mark.parametrize(("n_classes", "n_states"), [(12, 57 + 12 * 4), (101, 57)])
    def test_many_classes_cost_less_each(self, n_classes, n_states):
        assert adjust_biases(problem(0, n_classes=n_classes, n_samples=150)).n_iter == n_states

    def test_path_of_tiny_shares(self):
        prior = np.array([1 - 1e-9, 1e-9])
        np.testing.assert_allclose(path_state(prior, 2.0), prior[::-1], rtol=1e-9)


class TestAnyProblem:
    def test_requirements_come_first(self):
        here = problem(3, n_classes=2, n_samples=200, metric="precision")
        floor = BoundConstraint(get_metric("recall").bind(1), low=0.8)
        bounded = type(here)(here.scores, here.truth, here.metric, (floor,))
        assert bounded.missed(adjust_biases(bounded).counts) == 0
        assert here.metric.label == 1

    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_any_array_library(self, xp, n_classes):
        here = problem(0, n_classes=n_classes, n_samples=60)
        offsets = adjust_biases(in_namespace(here, xp), precision=1).offsets
        np.testing.assert_allclose(to_numpy(offsets), adjust_biases(here, precision=1).offsets, atol=1e-9)

    def test_soft_labels_and_uniform_priors(self):
        adjust_biases(problem(0, soft=True, n_samples=40), precision=1)
        scores = np.random.default_rng(0).normal(size=(30, 3))
        tuner = OffsetTuner("f1_macro", kind="logits", solver="imbalance_state", confidence_level=None)
        assert np.isfinite(tuner.fit(scores, np.arange(30) % 3).offsets_).all()


class TestThroughTheTuner:
    def test_it_ignores_the_estimate_and_is_scored_on_validation_folds(self):
        here = problem(5, n_classes=2, n_samples=200, metric="f1")
        y = here.truth.codes
        tuners = [
            OffsetTuner("f1", kind="logits", solver="imbalance_state", estimate=estimate).fit(here.scores, y)
            for estimate in ("robust", "empirical", "plugin")
        ]
        for tuner in tuners:
            np.testing.assert_array_equal(tuner.offsets_, adjust_biases(here.in_order()).offsets)
            assert tuner.n_iter_ == 45
            assert tuner.score_interval_[0] <= tuner.score_ <= tuner.score_interval_[1]
        assert len({tuner.score_ for tuner in tuners}) == 1

    def test_without_intervals_it_is_a_single_search(self):
        here = problem(5, n_classes=2, n_samples=200, metric="f1")
        tuner = OffsetTuner("f1", kind="logits", solver="imbalance_state", confidence_level=None)
        assert not hasattr(tuner.fit(here.scores, here.truth.codes), "score_")

    def test_it_prints_its_progress(self, capsys):
        here = problem(5, n_classes=2, n_samples=200, metric="f1")
        OffsetTuner("f1", kind="logits", solver="imbalance_state", verbose=1).fit(here.scores, here.truth.codes)
        assert "f1: the proportion of the minority class 0." in capsys.readouterr().out

    def test_absent_classes_and_constraints(self):
        here = problem(2, n_classes=3, n_samples=150)
        scores = np.column_stack([here.scores, here.scores.min(axis=1) - 1])
        tuner = OffsetTuner(
            "f1_macro", kind="logits", solver="imbalance_state", constraints=[AtLeast("recall", 0.5, label=1)]
        ).fit(scores, here.truth.codes, classes=[0, 1, 2, 3])
        recall = (tuner.predict(scores) == 1)[here.truth.codes == 1].mean()
        assert recall >= 0.5
