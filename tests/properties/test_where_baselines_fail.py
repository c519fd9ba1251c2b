"""Failings of other libraries, each seen by running them, that this one must not share."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score, matthews_corrcoef
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsRestClassifier
from support.problems import labels, log_proba

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.metrics import FBeta


def best_f1(proba, y):
    """F1 over every distinct cut of a vector of probabilities."""
    order = np.argsort(-proba, kind="stable")
    hits, predicted = np.cumsum(y[order]), np.arange(1, len(y) + 1)
    ends = np.append(np.diff(proba[order]) != 0, True)
    return (2 * hits / (predicted + y.sum()))[ends].max()


class TestGridsOfThresholds:
    """A hundred or so fixed thresholds miss the optimum where positives are rare."""

    def test_few_positives_reach_the_exact_f1(self):
        rng = np.random.default_rng(0)
        y = (rng.random(100_000) < 0.002).astype(int)
        margin = rng.normal(size=len(y)) + 2 * y - 6.2
        proba = 1 / (1 + np.exp(-margin))
        tuner = OffsetTuner("f1", estimate="empirical", confidence_level=None).fit(proba, y)
        assert tuner.in_sample_score_ == pytest.approx(best_f1(proba, y), abs=1e-12)
        assert tuner.in_sample_score_ == pytest.approx(f1_score(y, tuner.predict(proba)), abs=1e-12)
        on_grid = max(f1_score(y, proba > t, zero_division=0) for t in np.linspace(proba.min(), proba.max(), 100))
        assert tuner.in_sample_score_ > on_grid


class TestTunedThresholdClassifierCV:
    """Two classes only, thresholds that outer estimators ignore, strings, and models that are not those tuned."""

    def test_one_vs_rest_honours_the_offsets(self):
        X, y = make_classification(600, 8, n_informative=6, n_classes=3, weights=[0.8, 0.15], random_state=0)
        plain = OneVsRestClassifier(LogisticRegression(max_iter=500)).fit(X, y)
        member = TunedOffsetClassifierCV(LogisticRegression(max_iter=500), objective="f1", pos_label=1)
        tuned = OneVsRestClassifier(member).fit(X, y)
        assert (plain.predict(X) != tuned.predict(X)).mean() > 0.01

    def test_soft_voting_honours_the_offsets(self):
        X, y = make_classification(600, 8, n_informative=6, weights=[0.9], random_state=0)
        members = [(str(c), LogisticRegression(C=c, max_iter=500)) for c in (0.01, 1.0)]
        plain = VotingClassifier(members, voting="soft").fit(X, y)
        tuned = [(name, TunedOffsetClassifierCV(model)) for name, model in members]
        votes = VotingClassifier(tuned, voting="soft").fit(X, y)
        assert votes.predict(X).mean() > plain.predict(X).mean() + 0.02

    def test_predict_agrees_with_decision_function(self):
        X, y = make_classification(300, weights=[0.9], random_state=0)
        clf = TunedOffsetClassifierCV(LogisticRegression(), objective="f1").fit(X, y)
        np.testing.assert_array_equal(clf.decision_function(X) > 0, clf.predict(X) == 1)

    def test_threshold_free_scorers_are_refused(self):
        X, y = make_classification(random_state=0)
        with pytest.raises(ValueError, match="judges scores, not decisions"):
            TunedOffsetClassifierCV(LogisticRegression(), objective="roc_auc").fit(X, y)

    def test_string_labels_with_f1(self):
        X, y = make_classification(300, weights=[0.9], random_state=0)
        clf = TunedOffsetClassifierCV(LogisticRegression(), objective="f1").fit(X, np.array(["no", "yes"])[y])
        assert set(clf.predict(X)) == {"no", "yes"}

    def test_refit_false_returns_the_model_that_was_tuned(self):
        X, y = make_classification(300, weights=[0.9], random_state=0)
        clf = TunedOffsetClassifierCV(
            LogisticRegression(), objective="f1", cv=0.3, refit=False, store_cv_results=True
        ).fit(X, y)
        samples = clf.cv_results_["rows"]
        assert clf.tuner_.in_sample_score_ == f1_score(y[samples], clf.predict(X[samples]))

    def test_the_score_it_reports_is_that_on_fresh_samples(self):
        reported, in_sample, achieved = [], [], []
        for seed in range(30):
            rng = np.random.default_rng(seed)
            y = (rng.random(11_000) < 0.05).astype(int)
            proba = 1 / (1 + np.exp(-(rng.normal(size=len(y)) + 1.3 * y - 3.5)))
            tuner = OffsetTuner("f1").fit(proba[:1000], y[:1000])
            exact = OffsetTuner("f1", estimate="empirical", confidence_level=None).fit(proba[:1000], y[:1000])
            reported.append(tuner.score_)
            in_sample.append(exact.in_sample_score_)
            achieved.append(f1_score(y[1000:], tuner.predict(proba[1000:])))
        assert np.mean(in_sample) > np.mean(achieved) + 0.025
        assert np.mean(reported) == pytest.approx(np.mean(achieved), abs=0.02)

    def test_three_classes(self):
        X, y = make_classification(600, 8, n_informative=6, n_classes=3, weights=[0.8, 0.15], random_state=0)
        X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)
        model = LogisticRegression(max_iter=500)
        tuned = TunedOffsetClassifierCV(model, objective="balanced_accuracy").fit(X, y)
        plain = model.fit(X, y)
        before, after = (balanced_accuracy_score(y_test, clf.predict(X_test)) for clf in (plain, tuned))
        assert after > before


class TestOptimalCutoffs:
    """What is reported is not what is achieved under ties; no MCC, logits or strings."""

    def test_tied_probabilities_report_what_they_achieve(self):
        proba, y = np.full(6, 0.5), np.array([0, 1, 0, 1, 0, 1])
        tuner = OffsetTuner("f1").fit(proba, y)
        assert tuner.in_sample_score_ == f1_score(y, tuner.predict(proba)) == pytest.approx(2 / 3)

    def test_probabilities_of_one_decimal_reach_the_optimum(self):
        for seed in range(500):
            rng = np.random.default_rng(seed)
            y = labels(rng, 40, 2)
            proba = np.clip(np.round(0.3 * y + rng.random(40) * 0.7, 1), 0, 1)
            tuner = OffsetTuner("f1", estimate="empirical", confidence_level=None).fit(proba, y)
            assert tuner.in_sample_score_ == pytest.approx(best_f1(proba, y), abs=1e-12)

    def test_matthews_correlation_of_logits_with_string_labels(self):
        rng = np.random.default_rng(0)
        y = np.array(["spam", "ham"])[labels(rng, 200, 2)]
        logits = rng.normal(size=200) + 2 * (y == "spam")
        tuner = OffsetTuner("matthews_corrcoef", kind="logits").fit(logits, y)
        assert tuner.in_sample_score_ == pytest.approx(matthews_corrcoef(y, tuner.predict(logits)))

    def test_a_wrong_parameter_is_not_ignored(self):
        with pytest.raises(TypeError):
            OffsetTuner("f1", utility={"tp": 1})


class TestXCOLUMNs:
    """Predictions that need a seed, and labels that must be one-hot."""

    def test_predictions_are_deterministic_and_labels_are_vectors(self):
        rng = np.random.default_rng(0)
        y = labels(rng, 200, 4)
        scores, fresh = log_proba(rng, y, 4), log_proba(rng, y, 4)
        one, two = (OffsetTuner("f1_macro", kind="log_proba").fit(scores, y) for _ in range(2))
        np.testing.assert_array_equal(one.predict(fresh), two.predict(fresh))
        np.testing.assert_array_equal(one.predict(fresh), (fresh + one.offsets_).argmax(axis=1))


class TestTunethresholds:
    """Unseeded, forgets absent classes, probabilities that do not sum to one."""

    def test_an_absent_class_can_still_be_predicted(self):
        tuner = OffsetTuner().fit([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.7, 0.2, 0.1]], [0, 1, 0], classes=[0, 1, 2])
        assert tuner.predict([[0.05, 0.05, 0.9]]) == [2]

    def test_probabilities_sum_to_one(self):
        rng = np.random.default_rng(0)
        y = labels(rng, 300, 5)
        scores = log_proba(rng, y, 5)
        proba = OffsetTuner("f1_macro", kind="log_proba").fit(scores, y).predict_proba(scores)
        np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-12)

    def test_a_beta_of_two_is_honoured(self):
        rng = np.random.default_rng(0)
        y = labels(rng, 300, 2)
        scores = log_proba(rng, y, 2)
        one, two = (OffsetTuner(FBeta(b), kind="log_proba").fit(scores, y).threshold_ for b in (1.0, 2.0))
        assert two < one
