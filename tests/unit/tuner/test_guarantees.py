"""Constraints with a confidence: what is claimed, how often it holds, and what the tuner states about it."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, norm
from sklearn.linear_model import LogisticRegression
from support.effort import seeds

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.exceptions import UnreachableGoalWarning
from skimbalance.goals import AtLeast, AtMost, Near
from skimbalance.metrics import FBeta
from skimbalance.solvers import Search


def drawn(seed, n_positive=60, *, prior=0.2, separation=2.5):
    """Return scores of two normal distributions and labels, with a fixed number of positives."""
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], [round(n_positive / prior) - n_positive, n_positive])
    return rng.normal(size=len(y)) + separation * y, y


def fit(scores, y, objective, *constraints, **parameters):
    parameters = {"estimate": "empirical", "confidence_level": None, "kind": "logits", **parameters}
    groups, weights = parameters.pop("groups", None), parameters.pop("sample_weight", None)
    tuner = OffsetTuner(objective, constraints=constraints, **parameters)
    return tuner.fit(scores, y, groups=groups, sample_weight=weights)


def cut(tuner):
    return float(tuner.offsets_[0]) - float(tuner.offsets_[1])


def f1(cut):
    """Return the F1 score of the population of `drawn`."""
    recall, false = norm.sf(cut - 2.5), norm.sf(cut)
    return 2 * 0.2 * recall / (0.2 + 0.2 * recall + 0.8 * false)


RECALL = AtLeast("recall", 0.9, confidence=0.95)


class TestClaims:
    @pytest.mark.parametrize("estimate", ["empirical", "plugin", "robust"])
    def test_the_best_precision_is_at_the_last_certified_cut(self, estimate):
        for seed in range(3):
            scores, y = drawn(seed)
            tuner = fit(scores, y, "precision", RECALL, estimate=estimate)
            errors = int((scores[y == 1] < cut(tuner)).sum())
            (guarantee,) = tuner.guarantees_
            assert guarantee.holds
            assert guarantee.kind == "exact"
            assert (guarantee.n, guarantee.errors) == (60, errors)
            assert guarantee.p_value == pytest.approx(binom.cdf(errors, 60, 0.1))
            assert errors <= 1  # with two errors of 60 the p-value is 0.053
            assert guarantee.bound >= 0.9

    def test_the_recall_of_the_population_is_missed_as_seldom_as_the_confidence_says(self):
        found = [norm.sf(cut(fit(*drawn(seed), "precision", RECALL)) - 2.5) for seed in seeds(1000, quick=200)]
        assert np.mean(np.array(found) < 0.9) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(found))
        assert np.mean(found) < 0.97

    def test_the_precision_of_the_population_is_missed_as_seldom_as_the_confidence_says(self):
        missed, recalls = [], []
        bound = AtLeast("precision", 0.6, confidence=0.9)
        for seed in seeds(600, quick=150):
            rng = np.random.default_rng(seed)
            y = (rng.random(400) < 0.2).astype(int)
            scores = rng.normal(size=400) + 2.5 * y
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnreachableGoalWarning)
                tuner = fit(scores, y, "recall", bound)
            recall, false = norm.sf(cut(tuner) - 2.5), norm.sf(cut(tuner))
            claimed = tuner.guarantees_[0].holds
            missed.append(claimed and 0.2 * recall < 0.6 * (0.2 * recall + 0.8 * false))
            recalls.append(recall if claimed else 0.0)
        assert np.mean(missed) <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / len(missed))
        assert np.mean(recalls) > 0.6

    def test_of_as_many_new_samples_it_holds_with_the_confidence(self):
        kept = []
        bound = AtLeast("recall", 0.8, confidence=0.8, new_samples="as_many")
        for seed in seeds(600, quick=200):
            scores, y = drawn(seed)
            new = np.random.default_rng(10_000 + seed).normal(size=60) + 2.5
            kept.append(np.mean(new >= cut(fit(scores, y, "precision", bound))) >= 0.8)
        assert np.mean(kept) >= 0.8 - 3 * np.sqrt(0.8 * 0.2 / len(kept))
        assert np.mean(kept) <= 0.93

    def test_several_share_the_error_probability_and_hold_together(self):
        scores, y = drawn(0, n_positive=200)
        bounds = AtLeast("recall", 0.8, confidence=0.95), AtMost("false_positive_rate", 0.3, confidence=0.95)
        tuner = fit(scores, y, "f1", *bounds)
        assert [each.kind for each in tuner.guarantees_] == ["exact", "exact"]
        assert all(each.holds and each.p_value <= 0.025 for each in tuner.guarantees_)
        assert tuner.guarantees_[0].confidence == pytest.approx(0.975)
        assert tuner.guarantees_[0].joint_confidence == pytest.approx(0.95)

    def test_the_recall_of_the_first_class_mirrors_that_of_the_second(self):
        scores, y = drawn(1)
        one = fit(scores, y, "precision", RECALL, pos_label=1)
        other = fit(-scores, 1 - y, "precision", replace(RECALL, label=0), pos_label=0)
        assert cut(one) == pytest.approx(-cut(other))
        assert one.guarantees_[0].errors == other.guarantees_[0].errors

    def test_upper_bounds_are_lower_bounds_of_the_errors(self):
        scores, y = drawn(2)
        rate = fit(scores, y, "recall", AtMost("false_positive_rate", 0.1, confidence=0.95)).guarantees_[0]
        recall = fit(scores, y, "recall", AtLeast("recall", 0.9, label=0, confidence=0.95)).guarantees_[0]
        assert (rate.errors, rate.n, rate.p_value) == (recall.errors, recall.n, recall.p_value)
        assert rate.bound == pytest.approx(1 - recall.bound)
        most = fit(scores, y, "precision", AtMost("recall", 0.5, confidence=0.95)).guarantees_[0]
        assert most.holds
        assert most.bound <= 0.5

    def test_worst_recall_is_two_bounds(self):
        scores, y = drawn(3, n_positive=150)
        (guarantee,) = fit(scores, y, "accuracy", AtLeast("worst_recall", 0.8, confidence=0.95)).guarantees_
        assert guarantee.holds
        assert guarantee.p_value <= 0.025
        assert guarantee.confidence == pytest.approx(0.95)

    def test_a_black_box_metric_is_searched_within_the_limits(self):
        def right(y_true, y_pred, *, sample_weight=None):
            return np.average(y_true == y_pred, weights=sample_weight)

        scores, y = drawn(4)
        for estimate in ("empirical", "robust"):
            tuner = fit(scores, y, right, RECALL, estimate=estimate)
            assert tuner.guarantees_[0].holds

    def test_other_metrics_are_approximate(self):
        scores, y = drawn(5, n_positive=100)
        (guarantee,) = fit(scores, y, "recall", AtLeast(FBeta(0.5), 0.5, confidence=0.9)).guarantees_
        assert guarantee.kind == "approximate"
        assert np.isnan(guarantee.errors)
        assert guarantee.holds == (guarantee.p_value <= 0.1)

    def test_other_metrics_hold_about_as_often_as_the_confidence_says(self):
        kept, best = [], max(f1(cut) for cut in np.linspace(-1, 4, 500))
        for seed in range(80):
            rng = np.random.default_rng(seed)
            y = (rng.random(600) < 0.2).astype(int)
            scores = rng.normal(size=600) + 2.5 * y
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnreachableGoalWarning)
                tuner = fit(scores, y, "recall", AtLeast("f1", 0.9 * best, confidence=0.8))
            kept.append(f1(cut(tuner)) >= 0.9 * best)
        assert 0.8 - 3 * np.sqrt(0.8 * 0.2 / 80) <= np.mean(kept) <= 0.95


def share_of(cut):
    """Return the share of the population of `drawn` that is predicted as positive."""
    return 0.2 * norm.sf(cut - 2.5) + 0.8 * norm.sf(cut)


def random_prior(seed, n=300):
    """Return scores and labels as `drawn` does, with a random number of positives."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.2).astype(int)
    return rng.normal(size=n) + 2.5 * y, y


class TestPredictedShare:
    BUDGET = AtMost("predicted_share", 0.15, confidence=0.9)

    @pytest.mark.parametrize("estimate", ["empirical", "plugin", "robust"])
    def test_it_is_exact_and_of_all_samples(self, estimate):
        scores, y = random_prior(0)
        tuner = fit(scores, y, "recall", self.BUDGET, estimate=estimate)
        (guarantee,) = tuner.guarantees_
        predicted = int(tuner.predict(scores).sum())
        assert (guarantee.kind, guarantee.holds, guarantee.label) == ("exact", True, 1)
        assert (guarantee.n, guarantee.errors) == (300, predicted)
        assert guarantee.p_value == pytest.approx(binom.cdf(predicted, 300, 0.15))
        assert guarantee.p_value <= 0.1
        assert binom.cdf(predicted, 300, guarantee.bound) == pytest.approx(0.1)
        assert (guarantee.confidence, guarantee.joint_confidence) == pytest.approx((0.9, 0.9))
        assert guarantee.samples_needed == 15  # 0.85^15 < 0.1 < 0.85^14
        assert guarantee.best_bound == pytest.approx(1 - 0.1 ** (1 / 300))

    @pytest.mark.parametrize(
        ("bound", "objective", "new"),
        [
            (AtMost("predicted_share", 0.15, confidence=0.9), "recall", None),
            (AtLeast("predicted_share", 0.3, confidence=0.9), "precision", None),
            (AtMost("predicted_share", 0.15, confidence=0.9, new_samples="as_many"), "recall", 300),
        ],
    )
    def test_the_share_is_missed_about_as_often_as_the_confidence_says(self, bound, objective, new):
        missed, sign = [], 1 if isinstance(bound, AtMost) else -1
        for seed in seeds(1500, quick=500):
            tuner = fit(*random_prior(seed), objective, bound)
            share = share_of(cut(tuner))
            if new is not None:
                share = np.random.default_rng(10**6 + seed).binomial(new, share) / new
            assert tuner.guarantees_[0].holds
            missed.append(sign * share > sign * bound.value + 1e-12)
        assert 0.1 / 3 <= np.mean(missed) <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / len(missed))

    def test_ties_and_labels_that_are_strings(self):
        scores, y = random_prior(1)
        rounded, labels = np.round(scores * 2) / 2, np.array(["ok", "fraud"])[y]
        budget = replace(self.BUDGET, label="fraud")
        tuner = fit(-rounded, labels, "recall", budget, pos_label="fraud")
        (guarantee,) = tuner.guarantees_
        predicted = (tuner.predict(-rounded) == "fraud").sum()
        certified = [t for t in np.unique(rounded) if binom.cdf((rounded >= t).sum(), 300, 0.15) <= 0.1]
        assert guarantee.label == "fraud"
        assert guarantee.errors == predicted == (rounded >= min(certified)).sum()

    def test_equal_weights_change_nothing_and_others_are_approximate(self):
        scores, y = random_prior(2)
        plain = fit(scores, y, "recall", self.BUDGET)
        equal = fit(scores, y, "recall", self.BUDGET, sample_weight=np.full(300, 0.3))
        assert cut(plain) == pytest.approx(cut(equal))
        assert equal.guarantees_[0].kind == "exact"
        for parameters in (
            {"sample_weight": np.random.default_rng(0).exponential(size=300)},
            {"groups": np.arange(300) // 3},
            {"class_prior": [0.9, 0.1]},
        ):
            (guarantee,) = fit(scores, y, "recall", self.BUDGET, **parameters).guarantees_
            assert guarantee.kind == "approximate"
            assert guarantee.holds
            assert guarantee.n < 290

    def test_it_shares_the_error_probability_with_a_recall(self):
        scores, y = drawn(0, n_positive=200)
        recall, budget = AtLeast("recall", 0.7, confidence=0.95), AtMost("predicted_share", 0.35, confidence=0.95)
        tuner = fit(scores, y, "f1", recall, budget)
        assert [each.kind for each in tuner.guarantees_] == ["exact", "exact"]
        assert all(each.holds and each.p_value <= 0.025 for each in tuner.guarantees_)
        assert tuner.guarantees_[1].joint_confidence == pytest.approx(0.95)

    @pytest.mark.parametrize("estimate", ["empirical", "plugin", "robust"])
    def test_it_has_priority_over_a_recall(self, estimate):
        scores, y = random_prior(3)
        recall = AtLeast("recall", 0.7, confidence=0.9)
        with pytest.warns(UnreachableGoalWarning, match="recall at least 0.7 with confidence 0.9"):
            tuner = fit(scores, y, "f1", recall, self.BUDGET, estimate=estimate)
        assert [each.holds for each in tuner.guarantees_] == [False, True]

    def test_too_few_samples(self):
        scores, y = random_prior(0, n=100)
        budget = AtMost("predicted_share", 0.02, confidence=0.95)
        with pytest.warns(
            UnreachableGoalWarning,
            match=r"predicted_share at most 0\.02 with confidence 0\.95 needs 149 samples, there are 100; these "
            r"suffice for 0\.0295",
        ):
            tuner = fit(scores, y, "recall", budget)
        assert not tuner.guarantees_[0].holds
        assert tuner.predict(scores).mean() <= 0.02

    def test_multiclass_and_multilabel(self):
        rng = np.random.default_rng(0)
        y = rng.choice(3, size=900, p=[0.6, 0.25, 0.15])
        scores = rng.normal(size=(900, 3)) + 2.5 * np.eye(3)[y]
        budget = AtMost("predicted_share", 0.1, label=2, confidence=0.9)
        for certify_on, n, kinds in ((None, 900, {"approximate"}), (0.3, 270, {"sequential", "approximate"})):
            tuner = fit(scores, y, "accuracy", budget, certify_on=certify_on)
            (guarantee,) = tuner.guarantees_
            assert guarantee.holds
            assert guarantee.kind in kinds  # a share that moved the offsets of a path makes it approximate
            assert guarantee.n == pytest.approx(n, abs=1)  # a proportion of each class
            assert (tuner.predict(scores) == 2).mean() <= 0.1
        indicator = y[:, None] == np.arange(3)
        tuner = fit(scores - 2, indicator, "f1_macro", AtMost("predicted_share", 0.2, confidence=0.9))
        assert [each.kind for each in tuner.guarantees_] == ["exact"] * 3
        assert [each.errors for each in tuner.guarantees_] == tuner.predict(scores - 2).sum(axis=0).tolist()
        assert all(each.holds for each in tuner.guarantees_)


def balanced(cut):
    """Return the balanced accuracy of the population of `random_prior`."""
    return (norm.sf(cut - 2.5) + norm.cdf(cut)) / 2


def stated(scores, y, objective, *bounds, **parameters):
    """Return the guarantees of a fit, and whether it warned of constraints that cannot be satisfied."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tuner = fit(scores, y, objective, *bounds, **parameters)
    return tuner, any(issubclass(each.category, UnreachableGoalWarning) for each in caught)


class TestBootstraps:
    """Bounds without an exact test: a fit claims them, or warns."""

    @pytest.mark.parametrize("estimate", ["empirical", "plugin", "robust"])
    @pytest.mark.parametrize(
        ("bound", "objective"),
        [
            (AtLeast("balanced_accuracy", 0.85, confidence=0.9), "precision"),
            (AtLeast("balanced_accuracy", 0.88, confidence=0.9), "recall"),  # for some samples it cannot be claimed
            (AtLeast("f1", 0.65, confidence=0.8, new_samples="as_many"), "recall"),
            (AtMost("balanced_accuracy", 0.7, confidence=0.9), "precision"),
            (Near("predicted_share", 0.3, confidence=0.8, tol=0.05), "f1"),
        ],
        ids=str,
    )
    def test_it_is_claimed_or_the_fit_warns(self, bound, objective, estimate):
        for seed in range(6):
            tuner, warned = stated(*random_prior(seed, n=400), objective, bound, estimate=estimate)
            (guarantee,) = tuner.guarantees_
            assert guarantee.holds != warned
            assert guarantee.holds == (guarantee.p_value <= 1 - bound.confidence + 1e-9)
            if isinstance(bound, AtLeast):
                assert guarantee.holds == (guarantee.bound >= bound.value - 1e-9)

    @pytest.mark.parametrize("estimate", ["empirical", "robust"])
    def test_an_achievable_bound_is_claimed_without_being_exceeded_by_much(self, estimate):
        bounds = []
        for seed in range(8):
            bound = AtLeast("balanced_accuracy", 0.75, confidence=0.9)
            tuner, _ = stated(*random_prior(seed, n=600), "precision", bound, estimate=estimate)
            assert tuner.guarantees_[0].holds
            bounds.append(tuner.guarantees_[0].bound)
        assert np.mean(bounds) < 0.77

    def test_the_population_misses_it_about_as_often_as_the_confidence_says(self):
        bound = AtLeast("balanced_accuracy", 0.8, confidence=0.9)
        missed = []
        for seed in seeds(1000, quick=300):
            tuner, _ = stated(*random_prior(seed, n=500), "precision", bound)
            assert tuner.guarantees_[0].holds
            missed.append(balanced(cut(tuner)) < 0.8)
        assert 0.1 / 3 <= np.mean(missed) <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / len(missed))

    def test_beside_constraints_with_a_test_and_without_a_confidence(self):
        bounds = (
            AtLeast("balanced_accuracy", 0.8, confidence=0.9),
            AtLeast("recall", 0.6, confidence=0.9),
            AtMost("predicted_share", 0.4),
        )
        for estimate in ("empirical", "robust"):
            for seed in range(4):
                scores, y = random_prior(seed, n=600)
                tuner, warned = stated(scores, y, "precision", *bounds, estimate=estimate)
                assert [each.holds for each in tuner.guarantees_] == [True, True]
                assert not warned
                assert tuner.predict(scores).mean() <= 0.4

    def test_the_joint_confidence_counts_every_constraint(self):
        bounds = (
            AtLeast("balanced_accuracy", 0.7, confidence=0.9),
            AtLeast("recall", 0.6, confidence=0.95),
            AtLeast("f1", 0.5, confidence=0.8),
        )
        tuner, _ = stated(*random_prior(0, n=600), "precision", *bounds)
        assert [each.confidence for each in tuner.guarantees_] == pytest.approx([0.9, 0.95, 0.8])
        assert [each.joint_confidence for each in tuner.guarantees_] == pytest.approx([0.65] * 3)

    @pytest.mark.parametrize("certify_on", [None, 0.3])
    def test_multiclass(self, certify_on):
        bounds = AtLeast("f1_macro", 0.75, confidence=0.9), AtLeast("recall", 0.6, label=2, confidence=0.9)
        for estimate in ("empirical", "robust"):
            for seed in range(3):
                rng = np.random.default_rng(seed)
                y = rng.choice(3, size=600, p=[0.6, 0.25, 0.15])
                scores = rng.normal(size=(600, 3)) + 2.5 * np.eye(3)[y]
                tuner, warned = stated(scores, y, "accuracy", *bounds, estimate=estimate, certify_on=certify_on)
                assert all(each.holds for each in tuner.guarantees_)
                assert not warned

    def test_a_black_box_objective(self):
        rng = np.random.default_rng(0)
        y = rng.choice(3, size=400, p=[0.6, 0.25, 0.15])
        scores = rng.normal(size=(400, 3)) + 2.5 * np.eye(3)[y]

        def right(y_true, y_pred, sample_weight=None):
            return np.average(y_true == y_pred, weights=sample_weight)

        for value, claimed in ((0.8, True), (0.94, False)):
            bound = AtLeast("balanced_accuracy", value, confidence=0.9)
            tuner, warned = stated(scores, y, right, bound, solver=Search("powell", budget=60))
            assert tuner.guarantees_[0].holds == claimed != warned

    @pytest.mark.parametrize("objective", ["f1_macro", "f1_micro"])
    @pytest.mark.parametrize("estimate", ["empirical", "robust"])
    def test_labels_that_are_not_claimed_are_named(self, objective, estimate):
        claimed = set()
        for seed in range(6):
            rng = np.random.default_rng(seed)
            y = rng.random((400, 3)) < [0.2, 0.3, 0.4]
            scores = rng.normal(size=(400, 3)) + 2 * y - 1
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                tuner = fit(scores, y, objective, AtLeast("f1", 0.65, confidence=0.9), estimate=estimate)
            texts = [str(each.message) for each in caught]
            for guarantee in tuner.guarantees_:
                named = any(text.startswith(f"No offset of label {guarantee.label} satisfies") for text in texts)
                assert guarantee.holds != named
                claimed.add(guarantee.holds)
        assert claimed == {True, False}


class TestTooFew:
    def test_the_message_says_how_many_are_needed(self):
        scores, y = drawn(0, n_positive=20)
        labels = np.array(["ok", "fraud"])[y]
        bound = replace(RECALL, label="fraud")
        with pytest.warns(
            UnreachableGoalWarning,
            match=r"recall of 'fraud' at least 0\.9 with confidence 0\.95 needs 29 samples of 'fraud', there are 20; "
            r"these suffice for 0\.861",
        ):
            tuner = fit(-scores, labels, "precision", bound, pos_label="fraud")
        (guarantee,) = tuner.guarantees_
        assert not guarantee.holds
        assert (guarantee.label, guarantee.samples_needed, guarantee.errors) == ("fraud", 29, 0)
        assert guarantee.best_bound == pytest.approx(0.861, abs=5e-4)

    def test_twenty_nine_suffice(self):
        (guarantee,) = fit(*drawn(0, n_positive=29), "precision", RECALL).guarantees_
        assert guarantee.holds

    def test_bounds_that_exclude_each_other(self):
        scores, y = drawn(0, n_positive=40, separation=1.0)
        bounds = AtLeast("recall", 0.8, confidence=0.95), AtLeast("precision", 0.24, confidence=0.95)
        with pytest.warns(UnreachableGoalWarning, match="with the requested confidence, though some do"):
            tuner = fit(scores, y, "f1", *bounds)
        assert not all(each.holds for each in tuner.guarantees_)


class TestInput:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_ties_and_single_precision(self, dtype):
        scores, y = drawn(0)
        rounded = np.round(scores * 4).astype(dtype) / 4
        tuner = fit(rounded, y, "precision", RECALL)
        predicted = tuner.predict(rounded)
        errors = int(((y == 1) & (predicted == 0)).sum())
        assert tuner.guarantees_[0].errors == errors <= 1
        assert tuner.guarantees_[0].holds

    def test_probabilities_are_decided_as_they_are_tested(self):
        scores, y = drawn(1)
        for dtype in (np.float32, np.float64):
            proba = (1 / (1 + np.exp(-3 * scores))).astype(dtype)
            tuner = fit(proba, y, "precision", RECALL, kind="proba")
            assert tuner.guarantees_[0].errors == ((y == 1) & (tuner.predict(proba) == 0)).sum()

    @pytest.mark.filterwarnings("ignore::skimbalance.exceptions.SkimbalanceWarning")
    @pytest.mark.parametrize("y", [[0, 1], [0, 0, 1], [1, 0, 1, 0]])
    def test_a_handful_of_samples_claims_nothing(self, y):
        for bound in (RECALL, AtLeast("precision", 0.5, confidence=0.95)):
            assert not fit(np.arange(len(y)) / 4, y, "f1", bound).guarantees_[0].holds

    @pytest.mark.filterwarnings("ignore::skimbalance.exceptions.SkimbalanceWarning")
    @pytest.mark.parametrize("scores", ["equal", "perfect"])
    def test_one_or_two_distinct_scores(self, scores):
        y = np.repeat([0, 1], [60, 40])
        proba = np.full(100, 0.5) if scores == "equal" else y.astype(float)
        tuner = fit(proba, y, "f1", RECALL, kind="proba")
        assert tuner.guarantees_[0].holds
        assert (tuner.predict(proba)[y == 1] == 1).all()

    @pytest.mark.filterwarnings("ignore::skimbalance.exceptions.SkimbalanceWarning")
    @pytest.mark.parametrize("certify_on", [None, 0.3])
    def test_a_class_without_samples_claims_nothing(self, certify_on):
        scores, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2
        tuner = OffsetTuner(
            "accuracy", kind="logits", constraints=[replace(RECALL, label=2)], certify_on=certify_on
        ).fit(scores, y, classes=[0, 1, 2])
        assert not tuner.guarantees_[0].holds

    def test_repeated_samples_in_groups_claim_no_more(self):
        scores, y = drawn(0, n_positive=20)
        many = {"groups": np.repeat(np.arange(len(y)), 5)}
        with pytest.warns(UnreachableGoalWarning, match="needs 29 samples of 1, there are 20"):
            tuner = fit(np.repeat(scores, 5), np.repeat(y, 5), "precision", RECALL, **many)
        assert tuner.guarantees_[0].kind == "approximate"

    def test_weights_of_a_class_leave_a_recall_exact(self):
        scores, y = drawn(0)
        plain = fit(scores, y, "precision", RECALL)
        weighted = fit(scores, y, "precision", RECALL, sample_weight=np.where(y == 1, 5.0, 1.0))
        assert weighted.guarantees_[0].kind == "exact"
        assert weighted.guarantees_[0].n == pytest.approx(60)
        assert cut(weighted) == pytest.approx(cut(plain))

    def test_a_class_prior_raises_the_bar_of_a_precision(self):
        scores, y = drawn(0, n_positive=150)
        bound = AtLeast("precision", 0.5, confidence=0.95)
        cuts = [cut(fit(scores, y, "recall", bound, class_prior=prior)) for prior in (None, [0.9, 0.1])]
        assert cuts[1] > cuts[0]
        guarantee = fit(scores, y, "recall", bound, class_prior=[0.9, 0.1]).guarantees_[0]
        assert guarantee.kind == "sequential"
        assert guarantee.holds

    def test_the_order_of_samples_has_no_influence(self):
        scores, y = drawn(0)
        order = np.random.default_rng(1).permutation(len(y))
        assert cut(fit(scores, y, "f1", RECALL)) == cut(fit(scores[order], y[order], "f1", RECALL))


def test_fewer_samples_than_any_test_of_a_precision_starts_with():
    scores, y = np.arange(8.0) - 3, np.repeat([0, 1], 4)
    with pytest.warns(UnreachableGoalWarning):
        tuner = fit(scores, y, "f1", AtLeast("precision", 0.3, confidence=0.8))
    (guarantee,) = tuner.guarantees_
    assert not guarantee.holds


@pytest.mark.parametrize("bound", [RECALL, AtLeast("precision", 0.3, confidence=0.95)])
def test_a_few_extreme_scores_do_not_merge_the_cuts_of_single_precision(bound):
    rng = np.random.default_rng(0)
    y = (rng.random(100_000) < 0.05).astype(int)
    scores = 2.0 * y - 3 + rng.normal(size=y.size)
    scores[np.flatnonzero(y == 0)[:5]] = -87  # the logarithm of the smallest number in single precision
    single, double = (fit(scores.astype(dtype), y, "f1", bound) for dtype in (np.float32, np.float64))
    assert single.in_sample_score_ == pytest.approx(double.in_sample_score_, abs=2e-4)
    (guarantee,) = single.guarantees_
    decisions = single.predict(scores.astype(np.float32))
    wrong = (y == 1) & (decisions == 0) if bound is RECALL else (y == 0) & (decisions == 1)
    assert guarantee.errors == wrong.sum()


class TestManyClasses:
    def drawn(self, seed, n=900):
        rng = np.random.default_rng(seed)
        y = rng.choice(3, size=n, p=[0.6, 0.25, 0.15])
        return rng.normal(size=(n, 3)) + 2.5 * np.eye(3)[y], y

    def test_a_fifth_of_the_level_without_a_split(self):
        scores, y = self.drawn(0)
        tuner = fit(scores, y, "accuracy", AtLeast("recall", 0.8, label=2, confidence=0.9))
        (guarantee,) = tuner.guarantees_
        assert guarantee.kind == "approximate"
        assert guarantee.holds
        assert guarantee.p_value <= 0.02
        own = y == 2
        assert guarantee.errors == (tuner.predict(scores)[own] != 2).sum()
        assert guarantee.n == own.sum()

    def test_a_split_is_proven(self):
        scores, y = self.drawn(1, n=1500)
        bounds = AtLeast("recall", 0.6, label=2, confidence=0.9), AtLeast("precision", 0.5, label=1, confidence=0.8)
        tuner = fit(scores, y, "accuracy", *bounds, certify_on=0.3)
        assert [each.kind for each in tuner.guarantees_] == ["sequential", "sequential"]
        assert all(each.holds for each in tuner.guarantees_)
        assert tuner.guarantees_[0].n == round(0.3 * (y == 2).sum())
        assert tuner.guarantees_[0].p_value <= 0.1
        assert tuner.guarantees_[1].joint_confidence == pytest.approx(0.8)

    def test_a_budget_holds_on_all_samples_of_a_split(self):
        kinds = set()
        for seed in range(4):
            scores, y = self.drawn(seed)
            bounds = AtLeast("recall", 0.6, label=2, confidence=0.9), AtMost("predicted_share", 0.2, label=1)
            tuner = fit(scores, y, "accuracy", *bounds, certify_on=0.3)
            assert (tuner.predict(scores) == 1).mean() <= 0.2
            (guarantee,) = tuner.guarantees_
            assert guarantee.holds
            kinds.add(guarantee.kind)
        assert "approximate" in kinds  # where the budget moved offsets

    @pytest.mark.parametrize(("share", "n_groups"), [(0.999, None), (1e-4, None), (0.3, 2)])
    def test_a_split_without_samples_on_one_side(self, share, n_groups):
        scores, y = self.drawn(0, n=300)
        groups = None if n_groups is None else np.arange(300) % n_groups
        with pytest.raises(ValueError, match=f"certify_on={share:g} must leave two "):
            fit(scores, y, "accuracy", AtLeast("recall", 0.6, label=1, confidence=0.9), certify_on=share, groups=groups)

    def test_labels_one_by_one(self):
        scores, y = drawn(0, n_positive=40)
        pair, indicator = np.stack([scores, -scores], axis=1), np.stack([y, 1 - y], axis=1)
        for objective in ("f1_macro", "f1_micro", "f1_samples"):
            for estimate in ("empirical", "robust"):
                tuner = fit(pair, indicator, objective, RECALL, estimate=estimate)
                assert [each.label for each in tuner.guarantees_] == [0, 1]
                assert all(each.holds and each.kind == "exact" for each in tuner.guarantees_)
                missed = (indicator == 1) & (tuner.predict(pair) == 0)
                assert missed.sum(axis=0).tolist() == [each.errors for each in tuner.guarantees_]


class TestClassifier:
    def test_scores_of_folds_are_measured_and_those_of_one_model_proven(self):
        scores, y = drawn(0, n_positive=80)
        X = scores[:, None]
        clf = TunedOffsetClassifierCV(LogisticRegression(), objective="precision", constraints=[RECALL]).fit(X, y)
        assert any(note.startswith("The confidence of the constraints is proven for") for note in clf.tuner_.notes_)
        fixed = TunedOffsetClassifierCV(clf.estimator_, objective="precision", constraints=[RECALL], cv="prefit")
        assert not any(note.startswith("The confidence of") for note in fixed.fit(X, y).tuner_.notes_)

    def test_the_report_states_what_is_claimed(self):
        tuner = fit(*drawn(0), "precision", RECALL)
        (text,) = [value for name, value in tuner.report().facts if name == "guarantee"]
        assert text.startswith("recall at least 0.9 is claimed, exact: ")
        assert "errors of 60 samples, p-value 0.0" in text


@pytest.mark.parametrize("new_samples", [0, 1.5, "many", True, np.nan])
def test_what_new_samples_cannot_be(new_samples):
    with pytest.raises(ValueError, match="new_samples must be a positive integer, 'as_many' or None"):
        AtLeast("recall", 0.9, confidence=0.9, new_samples=new_samples)


def test_without_a_confidence_there_is_no_guarantee():
    assert fit(*drawn(0), "f1", AtLeast("recall", 0.9)).guarantees_ == ()


def test_an_estimated_prior_makes_the_bound_of_a_precision_approximate():
    scores, y = drawn(0, n_positive=300, separation=3.5)
    bounds = AtLeast("precision", 0.5, confidence=0.9), AtLeast("recall", 0.7, confidence=0.9)
    tuner = fit(scores, y, "f1", *bounds)
    assert [each.kind for each in tuner.guarantees_] == ["sequential", "exact"]
    other, _ = drawn(1, n_positive=300, prior=0.6, separation=3.5)
    adapted = tuner.adapt_to(other)
    assert adapted.prior_shift_.is_significant
    assert [each.kind for each in adapted.guarantees_] == ["approximate", "exact"]
