"""Lower bounds, upper bounds and targets of a metric, as users write them."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import precision_recall_curve, precision_score, recall_score
from support.effort import seeds
from support.samples import draw, logistic

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance._core.array_api import to_numpy
from skimbalance.exceptions import UnreachableGoalWarning
from skimbalance.goals import AtLeast, AtMost, ImbalanceState, Near
from skimbalance.metrics import FBeta, imbalance_degree_score, imbalance_state
from skimbalance.solvers import solve_state


def margins(seed, n_samples=1500, rare=0.1):
    """Labels and the probability of the rarer class, in need of calibration."""
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n_samples) < rare, "yes", "no")
    return 1 / (1 + np.exp(3 - 2 * (y == "yes") - rng.normal(size=n_samples))), y


def recalls(y, predicted, label="yes"):
    return recall_score(y, predicted, labels=[label], average=None)[0]


class TestBounds:
    def test_in_sample_a_lower_bound_is_satisfied_and_the_objective_is_optimal(self):
        for seed in range(5):
            proba, y = margins(seed)
            tuner = OffsetTuner("precision", constraints=[AtLeast("recall", 0.9)], estimate="empirical").fit(proba, y)
            precision, recall, _ = precision_recall_curve(y == "yes", proba)
            best = precision[:-1][recall[:-1] >= 0.9].max()  # the last point is no cut
            assert recalls(y, tuner.predict(proba)) >= 0.9
            assert tuner.in_sample_score_ == pytest.approx(best)

    def test_on_unseen_data_it_holds_in_expectation(self):
        reached = []
        for seed in seeds(40, quick=12):
            proba, y = margins(seed, n_samples=9000)
            tuner = OffsetTuner("precision", constraints=[AtLeast("recall", 0.9)]).fit(proba[:1000], y[:1000])
            reached.append(recalls(y[1000:], tuner.predict(proba[1000:])))
        assert np.mean(reached) == pytest.approx(0.9, abs=0.015)

    def test_with_confidence_it_holds_with_that_probability(self):
        kept, precisions = {}, {}
        for seed in range(40):
            proba, y = margins(seed, n_samples=2000)
            for confidence in (None, 0.8, 0.95):
                goal = AtLeast("recall", 0.9, confidence=confidence, new_samples="as_many")
                tuner = OffsetTuner("precision", constraints=[goal]).fit(proba[:1000], y[:1000])
                predicted = tuner.predict(proba[1000:])
                kept.setdefault(confidence, []).append(recalls(y[1000:], predicted) >= 0.9)
                precisions.setdefault(confidence, []).append((y[1000:] == "yes")[predicted == "yes"].mean())
        assert np.mean(kept[0.8]) >= 0.8
        assert np.mean(kept[0.95]) >= 0.95
        assert np.mean(precisions[0.95]) < np.mean(precisions[0.8]) < np.mean(precisions[None])

    def test_of_one_class_among_several(self):
        X, y = draw(3, n_samples=600)
        clf = TunedOffsetClassifierCV(
            logistic(), objective="accuracy", constraints=[AtLeast("recall", 0.8, label="coral")], store_cv_results=True
        ).fit(X, y)
        scores, labels = clf.cv_results_["scores"], clf.cv_results_["y"]
        assert recalls(labels, clf.tuner_.predict(scores), "coral") == pytest.approx(0.8, abs=0.05)
        assert "Constraint recall of 'coral' at least 0.8" in clf.tuner_.notes_[-1]

    def test_several_at_once(self):
        X, y = draw(3, n_samples=600)
        goals = [AtLeast("recall", 0.5, label=c) for c in ("amber", "blue", "coral")] + [
            AtMost("imbalance_degree", 0.2)
        ]
        scores = logistic().fit(X, y).predict_proba(X)
        tuner = OffsetTuner("accuracy", constraints=goals, estimate="empirical").fit(scores, y)
        predicted = tuner.predict(scores)
        assert min(recalls(y, predicted, c) for c in ("amber", "blue", "coral")) >= 0.5
        assert imbalance_degree_score(y, predicted) <= 0.2

    def test_metric_objects_and_upper_bounds(self):
        proba, y = margins(0)
        goals = [AtMost("false_positive_rate", 0.05), AtLeast(FBeta(0.5), 0.3)]
        tuner = OffsetTuner("recall", constraints=goals, estimate="empirical").fit(proba, y)
        assert ((tuner.predict(proba) == "yes") & (y == "no")).sum() / (y == "no").sum() <= 0.05


class TestDegrees:
    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_every_achievable_degree_is_achieved_to_within_a_sample(self, n_classes):
        X, y = draw(n_classes, n_samples=300)
        scores = logistic().fit(X, y).predict_proba(X)
        row = 2.0 / np.unique(y, return_counts=True)[1].min()
        for degree in (-0.4, -0.1, 0.0, 0.2, 0.5, 0.9):
            goals = [Near("imbalance_degree", degree, tol=row / 2)]
            tuner = OffsetTuner("accuracy", constraints=goals, estimate="empirical").fit(scores, y)
            assert abs(imbalance_degree_score(y, tuner.predict(scores)) - degree) <= row / 2 + 1e-12


class TestNotAchievable:
    def test_the_nearest_is_taken_and_what_can_be_reached_is_said(self):
        proba, y = margins(1, n_samples=300)
        goals = [AtLeast("precision", 0.95), AtLeast("recall", 0.95)]
        with pytest.warns(
            UnreachableGoalWarning,
            match=r"No offsets satisfy all constraints together on these samples: precision at least 0\.95",
        ):
            tuner = OffsetTuner("f1", constraints=goals).fit(proba, y)
        assert any("recall at least 0.95, achievable from 0 to 1" in note for note in tuner.notes_)
        predicted = tuner.predict(proba) == "yes"

        def missed(decided):
            parts = precision_score(y == "yes", decided, zero_division=0), recall_score(y == "yes", decided)
            return sum(max(0.95 - part, 0) for part in parts)

        assert missed(predicted) == pytest.approx(min(missed(proba >= cut) for cut in np.unique(proba)), abs=1e-9)

    def test_a_confidence_that_is_not_achievable(self):
        proba, y = margins(2, n_samples=120)
        goals = [AtLeast("accuracy", 0.9), AtLeast("recall", 0.8, confidence=0.99)]
        with pytest.warns(
            UnreachableGoalWarning, match=r"requested confidence.*needs 21 samples of 'yes', there are 1\d;"
        ):
            OffsetTuner("f1", constraints=goals).fit(proba, y)

    def test_the_highest_bound_that_a_confidence_allows_is_satisfied(self):
        rng = np.random.default_rng(0)
        y = np.repeat([0, 1], [600, 45])
        log_odds = 3 * y + rng.normal(size=645) * np.where(y == 1, 1.5, 1.0)
        log_odds[-2:] = -4  # to find these as well costs all precision
        tuner = OffsetTuner("precision", kind="logits", constraints=[AtLeast("recall", 0.9, confidence=0.9)])
        tuner.fit(log_odds, y)  # without a warning, which would be an error here
        assert recall_score(y, tuner.predict(log_odds)) >= 0.95

    def test_a_class_without_samples_and_an_objective_of_values_alone(self):
        def share_right(y_true, y_pred, *, sample_weight):
            return np.average(y_true == y_pred, weights=sample_weight)

        proba = np.random.default_rng(0).dirichlet(np.ones(3), size=60)
        tuner = OffsetTuner(share_right, constraints=[AtLeast("recall", 0.5, label=2)])
        with pytest.warns(UnreachableGoalWarning, match="achievable from 0 to 0"):
            tuner.fit(proba, np.arange(60) % 2, classes=[0, 1, 2])

    def test_a_class_without_samples(self):
        proba = np.random.default_rng(0).dirichlet(np.ones(3), size=60)
        with pytest.warns(UnreachableGoalWarning):
            OffsetTuner("accuracy", constraints=[AtLeast("recall", 0.5, label=2)]).fit(
                proba, np.arange(60) % 2, classes=[0, 1, 2]
            )


class TestRequests:
    def test_they_are_values(self):
        goal = AtLeast("recall", 0.9, label="yes", confidence=0.95)
        assert goal == pickle.loads(pickle.dumps(goal)) == AtLeast("recall", 0.9, label="yes", confidence=0.95)
        assert clone(OffsetTuner(constraints=[goal])).constraints == [goal]
        assert repr(goal) == "AtLeast(metric='recall', value=0.9, label='yes', confidence=0.95, new_samples=None)"
        assert str(goal) == "recall of 'yes' at least 0.9"
        assert str(AtMost(FBeta(2.0), 0.5)) == "f2 at most 0.5"
        assert str(Near("imbalance_degree", 0.1)) == "imbalance_degree from 0.09 to 0.11"

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: AtLeast(3, 0.9), "metric must be a name or a metric; got 3"),
            (lambda: AtLeast("recall", "high"), "value must be a finite number; got 'high'"),
            (lambda: AtLeast("recall", np.nan), "value must be a finite number"),
            (lambda: AtLeast("recall", 0.9, confidence=95), "confidence must lie between 0 and 1; got 95"),
            (lambda: Near("recall", 0.9, tol=-1), "tol must not be negative; got -1"),
        ],
    )
    def test_what_cannot_be_meant_is_refused_at_once(self, make, message):
        with pytest.raises((ValueError, TypeError), match=message):
            make()

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("recal", "metric='recal' is not a known metric; did you mean"),
            ("roc_auc", "metric='roc_auc' judges scores, not decisions"),
        ],
    )
    def test_a_metric_that_does_not_fit_is_refused_at_once(self, name, message):
        with pytest.raises(ValueError, match=message):
            AtLeast(name, 0.9)

    @pytest.mark.parametrize(
        ("goals", "message"),
        [
            ([("recall", 0.9)], "constraints must hold AtLeast, AtMost or Near"),
            (AtLeast("recall", 0.9), "'constraints' parameter of"),
            ([AtLeast("accuracy", 0.9, label=1)], "label=1 needs a metric of one class"),
            ([AtLeast("recall", 0.9, label=7)], "label=7 is not a class"),
        ],
    )
    def test_what_does_not_fit_the_classes_is_refused_before_anything_is_fitted(self, goals, message):
        X, y = draw(2)
        y = (y == "blue").astype(int)
        with pytest.raises((ValueError, TypeError), match=message):
            TunedOffsetClassifierCV(logistic(), constraints=goals).fit(X, y)
        with pytest.raises((ValueError, TypeError), match=message):
            OffsetTuner(constraints=goals).fit(np.full((len(y), 2), 0.5), y)

    def test_multiclass_recall_needs_a_label(self):
        with pytest.raises(ValueError, match=r"about one class; y holds 3: name it by label=, one of \[0, 1, 2\]"):
            OffsetTuner(constraints=[AtLeast("recall", 0.9)]).fit(np.full((9, 3), 1 / 3), np.arange(9) % 3)


def sized(seed, *, n_samples=400, n_classes=3, sharpness=1.5):
    """Logits of a calibrated model, of long-tailed classes; sharpness is how much it knows."""
    rng = np.random.default_rng(seed)
    prior = 0.4 ** np.arange(n_classes)
    prior /= prior.sum()
    y = np.concatenate([np.arange(n_classes), rng.choice(n_classes, size=n_samples - n_classes, p=prior)])
    x = rng.normal(size=(n_samples, n_classes)) + sharpness * np.eye(n_classes)[y]
    return sharpness * x + np.log(prior), y


class TestImbalanceState:
    @pytest.mark.parametrize("class_balanced", [False, True])
    @pytest.mark.parametrize("target", ["uniform", "prior", (0.2, 0.3, 0.5), {2: 0.5, 0: 0.2, 1: 0.3}])
    def test_it_is_reached(self, target, class_balanced):
        for seed in range(4):
            scores, y = sized(seed)
            weights = np.random.default_rng(seed).random(len(y)) + 0.1 if seed % 2 else None
            tuner = OffsetTuner(ImbalanceState(target, class_balanced=class_balanced), kind="logits")
            proba = tuner.fit(scores, y, sample_weight=weights).predict_proba(scores)
            state = imbalance_state(proba, y=y, class_balanced=class_balanced, sample_weight=weights)
            prior = np.bincount(y, weights) / np.bincount(y, weights).sum()
            named = {"uniform": np.full(3, 1 / 3), "prior": prior}
            wanted = named[target] if isinstance(target, str) else (0.2, 0.3, 0.5)
            np.testing.assert_allclose(state, wanted, atol=1e-8)
            assert tuner.in_sample_score_ == pytest.approx(np.abs(state - wanted).max(), abs=1e-12)
            assert abs(tuner.offsets_.sum()) <= 1e-9
            assert tuner.n_iter_ >= 1

    def test_class_balanced_uniform_gives_a_calibrated_model_minus_log_prior(self):
        scores, y = sized(0, n_samples=40_000)
        goal = ImbalanceState("uniform", class_balanced=True)
        offsets = OffsetTuner(goal, kind="logits", confidence_level=None).fit(scores, y).offsets_
        prior = np.log(0.4 ** np.arange(3))
        np.testing.assert_allclose(offsets, prior.mean() - prior, atol=0.1)
        plain = OffsetTuner(ImbalanceState("uniform"), kind="logits", confidence_level=None).fit(scores, y).offsets_
        assert np.ptp(plain) > np.ptp(offsets) + 0.5  # it over-corrects

    def test_a_float_is_the_share_of_the_minority_class(self):
        proba, y = margins(0)
        tuner = OffsetTuner(ImbalanceState(np.float32(0.3))).fit(proba, y)
        np.testing.assert_allclose(tuner.predict_proba(proba).mean(axis=0), [0.7, 0.3], atol=1e-7)
        turned = OffsetTuner(ImbalanceState(0.3)).fit(1 - proba, y, classes=["yes", "no"])
        np.testing.assert_allclose(turned.offsets_, tuner.offsets_[::-1], atol=1e-6)
        assert 0 < tuner.threshold_ < 0.5
        np.testing.assert_array_equal(tuner.predict(proba) == "yes", proba >= tuner.threshold_)
        even = OffsetTuner(ImbalanceState(0.3), confidence_level=None).fit([0.1, 0.4, 0.2, 0.6], [0, 1, 0, 1])
        np.testing.assert_allclose(even.predict_proba([0.1, 0.4, 0.2, 0.6]).mean(axis=0), [0.7, 0.3], atol=1e-7)

    def test_string_labels_and_mappings_in_a_classifier(self):
        X, y = draw(3, n_samples=600)
        goal = ImbalanceState({"coral": 0.5, "amber": 0.2, "blue": 0.3})
        clf = TunedOffsetClassifierCV(logistic(), objective=goal, store_cv_results=True).fit(X, y)
        scores = clf.cv_results_["scores"]
        np.testing.assert_allclose(clf.tuner_.predict_proba(scores).mean(axis=0), [0.2, 0.3, 0.5], atol=1e-8)
        expected = solve_state(np.log(scores), [0.2, 0.3, 0.5]).offsets
        np.testing.assert_allclose(clf.offsets_, expected, atol=1e-7)
        low, high = clf.score_interval_
        assert 0 < low < high < 0.2
        retuned = clf.retune(objective=ImbalanceState("uniform", class_balanced=True))
        assert not np.allclose(retuned.offsets_, clf.offsets_)
        assert clf.retune(objective="f1_macro").score_ > 0.3

    def test_estimate_and_solver_have_no_say(self):
        scores, y = sized(1)
        fitted = [
            OffsetTuner(ImbalanceState("uniform"), kind="logits", **how).fit(scores, y)
            for how in ({}, {"estimate": "plugin"}, {"solver": "imbalance_state"}, {"pos_label": 1}, {"n_jobs": 2})
        ]
        for tuner in fitted[1:]:
            np.testing.assert_array_equal(tuner.offsets_, fitted[0].offsets_)
            assert tuner.score_ == fitted[0].score_

    def test_in_any_array_library_and_precision(self, xp):
        scores, y = sized(2)
        goal = ImbalanceState("uniform", class_balanced=True)
        here = OffsetTuner(goal, kind="logits").fit(scores, y)
        there = OffsetTuner(goal, kind="logits").fit(xp.asarray(scores), xp.asarray(y))
        assert isinstance(there.offsets_, type(xp.asarray(scores)))
        np.testing.assert_allclose(to_numpy(there.offsets_), here.offsets_, atol=1e-9)
        narrow = OffsetTuner(goal, kind="logits").fit(xp.asarray(scores, dtype=xp.float32), y)
        assert narrow.offsets_.dtype == xp.float32
        assert narrow.in_sample_score_ < 1e-6

    def test_notes_tell_what_the_state_does_to_metrics(self):
        scores, y = sized(3)
        notes = OffsetTuner(ImbalanceState("uniform"), kind="logits").fit(scores, y).notes_
        assert [note.split(":")[1].split()[0] for note in notes] == ["balanced_accuracy", "f1_macro"]
        predicted = scores.argmax(axis=1)
        balanced = np.mean([(predicted == k)[y == k].mean() for k in range(3)])
        assert f"{balanced:.4g} without offsets" in notes[0]

    def test_scores_so_sure_that_rounding_hides_the_state(self):
        scores = 1e17 * np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
        tuner = OffsetTuner(ImbalanceState((0.6, 0.4)), kind="logits", confidence_level=None).fit(scores, [0, 0, 1, 0])
        assert "The state was not reached to 1e-8" in tuner.notes_[1]
        assert tuner.in_sample_score_ > 0.1


class TestStatesOnNewRows:
    @pytest.mark.parametrize("class_balanced", [False, True])
    def test_the_score_is_the_difference_on_as_many_unseen_samples(self, class_balanced):
        achievable_with_confidence, real, inside = [], [], []
        for seed in seeds(80, quick=10):
            scores, y = sized(seed, n_samples=600)
            tuner = OffsetTuner(ImbalanceState("uniform", class_balanced=class_balanced), kind="logits")
            tuner.fit(scores[:300], y[:300], classes=[0, 1, 2])
            proba = tuner.predict_proba(scores[300:])
            state = imbalance_state(proba, y=y[300:], classes=[0, 1, 2], class_balanced=class_balanced)
            real.append(np.abs(state - 1 / 3).max())
            achievable_with_confidence.append(tuner.score_)
            inside.append(tuner.score_interval_[0] <= real[-1] <= tuner.score_interval_[1])
        assert np.mean(achievable_with_confidence) == pytest.approx(np.mean(real), rel=0.2)
        assert 0.8 <= np.mean(inside) <= 1

    def test_without_intervals_it_is_a_single_fit(self):
        scores, y = sized(0)
        tuner = OffsetTuner(ImbalanceState("prior"), kind="logits", confidence_level=None).fit(scores, y)
        assert not {"score_", "score_interval_", "offsets_interval_"} & set(vars(tuner))

    def test_offsets_vary_about_as_much_as_their_interval(self):
        drawn = []
        for seed in seeds(60, quick=12):
            scores, y = sized(seed, n_samples=300)
            tuner = OffsetTuner(ImbalanceState("uniform"), kind="logits").fit(scores, y)
            drawn.append((tuner.offsets_, tuner.offsets_interval_))
        truth = np.mean([offsets for offsets, _ in drawn], axis=0)
        held = [(low <= truth) & (truth <= high) for _, (low, high) in drawn]
        assert (np.mean(held, axis=0) >= 0.75).all()


class TestStatesOfFewRows:
    @pytest.mark.parametrize("class_balanced", [False, True])
    def test_a_class_without_samples_gets_its_share(self, class_balanced):
        scores, y = sized(0)
        scores, y = scores[y < 2], y[y < 2]
        goal = ImbalanceState("uniform", class_balanced=class_balanced)
        tuner = OffsetTuner(goal, kind="logits").fit(scores, y, classes=[0, 1, 2])
        assert tuner.in_sample_score_ <= 1e-8
        assert "No sample of [2] to tune on: they get the requested share" in tuner.notes_[0]
        with pytest.raises(ValueError, match=r"target='prior' needs samples of every class; there are none of \[2\]"):
            OffsetTuner(ImbalanceState("prior"), kind="logits").fit(scores, y, classes=[0, 1, 2])

    @pytest.mark.parametrize("class_balanced", [False, True])
    def test_a_class_of_one_sample(self, class_balanced):
        scores, y = sized(0, n_samples=40)
        kept = (y < 2) | (np.arange(40) == 2)
        tuner = OffsetTuner(ImbalanceState("uniform", class_balanced=class_balanced), kind="logits")
        tuner.fit(scores[kept], y[kept])
        assert tuner.in_sample_score_ <= 1e-8
        assert np.isfinite([tuner.score_, *tuner.score_interval_]).all()

    def test_class_priors_of_the_deployment_weigh_the_samples(self):
        scores, y = sized(0)
        goal, prior = ImbalanceState("prior"), [0.2, 0.3, 0.5]
        tuner = OffsetTuner(goal, kind="logits", class_prior=prior).fit(scores, y)
        weights = (prior / (np.bincount(y) / len(y)))[y]
        np.testing.assert_allclose(weights @ tuner.predict_proba(scores) / weights.sum(), prior, atol=1e-8)


class TestStatesAsRequests:
    def test_they_are_values(self):
        goal = ImbalanceState(np.array([0.2, 0.3, 0.5]), class_balanced=True)
        assert goal == pickle.loads(pickle.dumps(goal)) == ImbalanceState([0.2, 0.3, 0.5], True)
        assert goal != ImbalanceState([0.2, 0.3, 0.5])
        assert hash(goal) == hash(ImbalanceState([0.2, 0.3, 0.5], True))
        assert {ImbalanceState({"a": 0.5, "b": 0.5}), ImbalanceState("uniform")}
        assert clone(OffsetTuner(goal)).objective == goal
        assert repr(ImbalanceState(0.3)) == "ImbalanceState(target=0.3, class_balanced=False)"
        given = {"a": 0.5, "b": 0.5}
        goal = ImbalanceState(given)
        given["a"] = 9.0
        assert goal.target == {"a": 0.5, "b": 0.5}

    @pytest.mark.parametrize(
        ("target", "message"),
        [
            ("even", "target must be 'uniform', 'prior', a share above zero for each class"),
            (None, "target must be"),
            (True, "target must be"),
            (0.0, "between 0 and 1; got 0.0"),
            (1.5, "between 0 and 1; got 1.5"),
            (np.nan, "between 0 and 1; got nan"),
            (["a", "b"], "target must be"),
            ([0.5, np.nan], "target must be finite"),
            ([0.0, 1.0], "target must be positive for each class; got 0"),
            ([-0.5, 1.5], "target must be positive"),
            ([0.5, 0.6], "target must sum to one; got a sum of 1.1"),
            ([[0.5, 0.5]], "target must be 2 numbers"),
            ({"a": 0.5, "b": 0.1}, "target must sum to one"),
            ({"a": "x"}, "target must be 1 numbers"),
        ],
    )
    def test_what_cannot_be_a_target_is_refused_at_once(self, target, message):
        with pytest.raises(ValueError, match=message):
            ImbalanceState(target)

    def test_class_balanced_is_a_switch(self):
        with pytest.raises(TypeError, match="class_balanced must be True or False; got 'yes'"):
            ImbalanceState("uniform", class_balanced="yes")

    @pytest.mark.parametrize(
        ("goal", "constraints", "message"),
        [
            (ImbalanceState("uniform"), [AtLeast("recall", 0.9, label="blue")], "alone fixes every offset"),
            (ImbalanceState(0.3), (), "target=0.3 is for binary problems; got 3"),
            (ImbalanceState((0.5, 0.5)), (), "target must be 3 numbers"),
            (ImbalanceState({"amber": 0.5, "blue": 0.5}), (), "target must name every class"),
            (ImbalanceState({"amber": 0.5, "blue": 0.3, "green": 0.2}), (), "target='green' is not a class"),
        ],
    )
    def test_what_does_not_fit_the_classes_is_refused_before_anything_is_fitted(self, goal, constraints, message):
        X, y = draw(3)
        with pytest.raises(ValueError, match=message):  # before it is seen that there are no folds
            TunedOffsetClassifierCV(logistic(), objective=goal, constraints=constraints, cv=[]).fit(X, y)
        with pytest.raises(ValueError, match=message):
            OffsetTuner(goal, constraints=constraints).fit(np.full((len(y), 3), 1 / 3), y)
