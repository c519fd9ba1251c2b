"""Floors, ceilings and neighbourhoods, as users ask for them."""

import pickle

import numpy as np
import pytest
from rows import draw, logistic
from sklearn.base import clone
from sklearn.metrics import precision_score, recall_score

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.exceptions import UnreachableGoalWarning
from skimbalance.goals import AtLeast, AtMost, Near
from skimbalance.metrics import FBeta, imbalance_degree_score


def margins(seed, n_rows=1500, rare=0.1):
    """Labels and the probability of the rarer class, in need of calibration."""
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n_rows) < rare, "yes", "no")
    return 1 / (1 + np.exp(3 - 2 * (y == "yes") - rng.normal(size=n_rows))), y


def recalls(y, predicted, label="yes"):
    return recall_score(y, predicted, labels=[label], average=None)[0]


class TestFloors:
    def test_in_the_sample_a_floor_is_met_and_the_objective_best_above_it(self):
        for seed in range(5):
            proba, y = margins(seed)
            tuner = OffsetTuner("precision", constraints=[AtLeast("recall", 0.9)], estimate="empirical").fit(proba, y)
            cuts = [proba >= cut for cut in np.unique(proba)]
            best = max(precision_score(y == "yes", d) for d in cuts if recall_score(y == "yes", d) >= 0.9)
            assert recalls(y, tuner.predict(proba)) >= 0.9
            assert tuner.in_sample_score_ == pytest.approx(best)

    def test_on_new_rows_it_holds_in_expectation(self):
        reached = []
        for seed in range(40):
            proba, y = margins(seed, n_rows=9000)
            tuner = OffsetTuner("precision", constraints=[AtLeast("recall", 0.9)]).fit(proba[:1000], y[:1000])
            reached.append(recalls(y[1000:], tuner.predict(proba[1000:])))
        assert np.mean(reached) == pytest.approx(0.9, abs=0.015)

    def test_with_confidence_it_holds_as_often_as_promised(self):
        kept, precisions = {}, {}
        for seed in range(40):
            proba, y = margins(seed, n_rows=2000)
            for confidence in (None, 0.8, 0.95):
                goal = AtLeast("recall", 0.9, confidence=confidence)
                tuner = OffsetTuner("precision", constraints=[goal]).fit(proba[:1000], y[:1000])
                predicted = tuner.predict(proba[1000:])
                kept.setdefault(confidence, []).append(recalls(y[1000:], predicted) >= 0.9)
                precisions.setdefault(confidence, []).append((y[1000:] == "yes")[predicted == "yes"].mean())
        assert np.mean(kept[0.8]) >= 0.8
        assert np.mean(kept[0.95]) >= 0.95
        assert np.mean(precisions[0.95]) < np.mean(precisions[0.8]) < np.mean(precisions[None])

    def test_of_one_class_among_several(self):
        X, y = draw(3, n_rows=600)
        clf = TunedOffsetClassifierCV(
            logistic(), objective="accuracy", constraints=[AtLeast("recall", 0.8, label="coral")], store_cv_results=True
        ).fit(X, y)
        scores, labels = clf.cv_results_["scores"], clf.cv_results_["y"]
        assert recalls(labels, clf.tuner_.predict(scores), "coral") == pytest.approx(0.8, abs=0.05)
        assert "Asked for recall of 'coral' at least 0.8" in clf.tuner_.notes_[-1]

    def test_several_at_once(self):
        X, y = draw(3, n_rows=600)
        goals = [AtLeast("recall", 0.5, label=c) for c in ("amber", "blue", "coral")] + [
            AtMost("imbalance_degree", 0.2)
        ]
        scores = logistic().fit(X, y).predict_proba(X)
        tuner = OffsetTuner("accuracy", constraints=goals, estimate="empirical").fit(scores, y)
        predicted = tuner.predict(scores)
        assert min(recalls(y, predicted, c) for c in ("amber", "blue", "coral")) >= 0.5
        assert imbalance_degree_score(y, predicted) <= 0.2

    def test_metric_objects_and_ceilings(self):
        proba, y = margins(0)
        goals = [AtMost("false_positive_rate", 0.05), AtLeast(FBeta(0.5), 0.3)]
        tuner = OffsetTuner("recall", constraints=goals, estimate="empirical").fit(proba, y)
        assert ((tuner.predict(proba) == "yes") & (y == "no")).sum() / (y == "no").sum() <= 0.05


class TestDegrees:
    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_any_degree_in_reach_is_met_to_within_a_row(self, n_classes):
        X, y = draw(n_classes, n_rows=300)
        scores = logistic().fit(X, y).predict_proba(X)
        row = 2.0 / np.unique(y, return_counts=True)[1].min()
        for degree in (-0.4, -0.1, 0.0, 0.2, 0.5, 0.9):
            goals = [Near("imbalance_degree", degree, tol=row / 2)]
            tuner = OffsetTuner("accuracy", constraints=goals, estimate="empirical").fit(scores, y)
            assert abs(imbalance_degree_score(y, tuner.predict(scores)) - degree) <= row / 2 + 1e-12


class TestOutOfReach:
    def test_the_nearest_is_taken_and_what_can_be_reached_is_said(self):
        proba, y = margins(1, n_rows=300)
        goals = [AtLeast("precision", 0.95), AtLeast("recall", 0.95)]
        with pytest.warns(
            UnreachableGoalWarning, match=r"No offsets meet together on these rows: precision at least 0\.95"
        ):
            tuner = OffsetTuner("f1", constraints=goals).fit(proba, y)
        assert any("recall at least 0.95, where offsets reach from 0 to 1" in note for note in tuner.notes_)
        predicted = tuner.predict(proba) == "yes"

        def missed(decided):
            parts = precision_score(y == "yes", decided, zero_division=0), recall_score(y == "yes", decided)
            return sum(max(0.95 - part, 0) for part in parts)

        assert missed(predicted) == pytest.approx(min(missed(proba >= cut) for cut in np.unique(proba)), abs=1e-9)

    def test_a_promise_that_cannot_be_made(self):
        proba, y = margins(2, n_rows=120)
        goals = [AtLeast("accuracy", 0.9), AtLeast("recall", 0.6, confidence=0.99)]
        with pytest.warns(UnreachableGoalWarning, match="on new rows with the confidence asked for"):
            OffsetTuner("f1", constraints=goals).fit(proba, y)

    def test_a_class_without_rows(self):
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
        assert repr(goal) == "AtLeast(metric='recall', value=0.9, label='yes', confidence=0.95)"
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
        ("goals", "message"),
        [
            ([("recall", 0.9)], "constraints must hold AtLeast, AtMost or Near"),
            (AtLeast("recall", 0.9), "'constraints' parameter of"),
            ([AtLeast("recal", 0.9)], "is not a known metric; did you mean"),
            ([AtLeast("accuracy", 0.9, label=1)], "label=1 needs a metric of one class"),
            ([AtLeast("recall", 0.9, label=7)], "label=7 is not a class"),
            ([AtLeast("roc_auc", 0.9)], "judges scores, not decisions"),
        ],
    )
    def test_what_does_not_fit_the_classes_is_refused_before_anything_is_fitted(self, goals, message):
        X, y = draw(2)
        y = (y == "blue").astype(int)
        with pytest.raises((ValueError, TypeError), match=message):
            TunedOffsetClassifierCV(logistic(), constraints=goals).fit(X, y)
        with pytest.raises((ValueError, TypeError), match=message):
            OffsetTuner(constraints=goals).fit(np.full((len(y), 2), 0.5), y)

    def test_recall_of_several_classes_needs_a_label(self):
        with pytest.raises(ValueError, match="is about two classes"):
            OffsetTuner(constraints=[AtLeast("recall", 0.9)]).fit(np.full((9, 3), 1 / 3), np.arange(9) % 3)
