"""One rule for ties: what `threshold_` says, `predict` does, on every score, and `decision_function` agrees."""

import math

import numpy as np
import pytest
from scipy.special import expit, log_expit, logit
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC

from skimbalance import FixedOffsetClassifier, OffsetTuner, TunedOffsetClassifierCV
from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision import decide_scores, threshold_of

FOREST = RandomForestClassifier(20, random_state=0)  # probabilities are twentieths
CUTS = (-800.0, -100.0, -20.0, -1.7, -0.1, 0.0, 0.3, 5.0, 16.7, 36.73, 36.8, 40.0, 100.0, 800.0)


def around(threshold, dtype=np.float64):
    """Probabilities about a threshold, next to it on both sides and at both ends."""
    t = dtype(min(max(threshold, 0.0), 1.0))
    near = [t]
    for _ in range(3):
        near = [np.nextafter(near[0], dtype(-1)), *near, np.nextafter(near[-1], dtype(2))]
    tiny = np.finfo(dtype).smallest_normal
    ends = [0, np.finfo(dtype).smallest_subnormal, tiny, 1e-30, 0.5, 1 - np.finfo(dtype).epsneg, 1]
    return np.clip(np.array([*near, *ends, *np.linspace(0, 1, 21)], dtype=dtype), 0, 1)


def samples(n_samples=600, seed=0):
    return make_classification(n_samples, weights=[0.85], class_sep=0.4, flip_y=0.1, random_state=seed)


def twentieths(n_samples=400, seed=0, dtype=np.float64):
    """Probabilities of a forest of 20 trees that have one leaf each, and labels."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n_samples) < 0.25).astype(int)
    return (rng.binomial(20, 0.2 + 0.3 * y) / 20).astype(dtype), y


class TestThreshold:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("cut", CUTS)
    def test_probabilities_are_compared_with_it_as_they_are(self, xp, cut, dtype):
        offsets = np.array([cut / 2, -cut / 2], dtype=dtype)
        threshold = threshold_of(offsets)
        assert math.isinf(threshold) or dtype(threshold) == threshold
        p = around(threshold, dtype)
        got = to_numpy(decide_scores(xp.asarray(p), offsets, kind="proba"))
        np.testing.assert_array_equal(got, p >= threshold)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("cut", [cut for cut in CUTS if abs(cut) < 16])
    def test_it_is_the_smallest_probability_whose_log_odds_reach_the_cut(self, cut, dtype):
        threshold = threshold_of(np.array([cut / 2, -cut / 2], dtype=dtype))
        exact = np.float64(dtype(cut / 2)) * 2
        below = float(np.nextafter(dtype(threshold), dtype(0)))
        assert math.log(threshold) - math.log1p(-threshold) >= exact - 1e-14 * max(1, abs(exact))
        assert math.log(below) - math.log1p(-below) <= exact + 1e-14 * max(1, abs(exact))

    def test_at_both_ends(self):
        assert threshold_of(np.array([-400.0, 400.0])) == 0
        assert threshold_of(np.array([400.0, -400.0])) == math.inf
        assert threshold_of(np.array([0.0, 0.0])) == 0.5


class TestTuner:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("objective", ["f1", "recall", "precision", "balanced_accuracy"])
    def test_predict_is_the_threshold(self, xp, objective, dtype):
        p, y = twentieths(dtype=dtype)
        scores = xp.asarray(p)
        tuner = OffsetTuner(objective, estimate="empirical", confidence_level=None).fit(scores, y)
        new = around(tuner.threshold_, dtype)
        for each in (new, np.stack([1 - new, new], axis=1)):
            got = to_numpy(tuner.predict(xp.asarray(each)))
            np.testing.assert_array_equal(got, new >= tuner.threshold_)
            moved, proba = (to_numpy(method(xp.asarray(each))) for method in (tuner.transform, tuner.predict_proba))
            np.testing.assert_array_equal(moved.argmax(axis=1), got)
            np.testing.assert_array_equal(proba.argmax(axis=1), got)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_a_sample_may_miss_a_sum_of_one(self, dtype):
        p, y = twentieths(dtype=dtype)
        slack = np.random.default_rng(1).uniform(-0.009, 0.009, size=len(p))
        scores = np.stack([np.clip(1 - p + slack, 0, 1), p], axis=1).astype(dtype)
        for objective in ("f1", "balanced_accuracy"):
            tuner = OffsetTuner(objective).fit(scores, y)
            plain = OffsetTuner(objective).fit(p, y)
            assert tuner.threshold_ == plain.threshold_  # the slack says nothing
            np.testing.assert_array_equal(tuner.predict(scores), scores[:, 1] >= tuner.threshold_)

    @pytest.mark.parametrize("columns", [1, 2])
    @pytest.mark.parametrize("kind", ["proba", "log_proba", "logits"])
    def test_what_is_reported_is_what_predict_and_the_threshold_achieve(self, kind, columns):
        p, y = twentieths()
        log_odds = np.round(4 * (p - 0.25) + 1.5 * y, 1)
        own = {"proba": p, "log_proba": np.log(np.clip(p, 1e-3, None)), "logits": log_odds}[kind]
        rest = {"proba": 1 - p, "log_proba": np.log1p(-np.clip(p, 1e-3, 0.99)), "logits": np.zeros_like(p)}[kind]
        scores = own if columns == 1 else np.stack([rest, own], axis=1)
        plain = own >= {"proba": 0.5, "log_proba": np.log(0.5), "logits": 0.0}[kind]
        tuner = OffsetTuner("f1", kind=kind, estimate="empirical", confidence_level=None).fit(scores, y)
        assert tuner.in_sample_score_ == pytest.approx(f1_score(y, tuner.predict(scores)))
        assert tuner.untuned_score_ == pytest.approx(f1_score(y, plain))
        assert tuner.class_profile_.recall_after[1] == pytest.approx((tuner.predict(scores)[y == 1] == 1).mean())
        proba = {"proba": p, "log_proba": np.exp(own), "logits": expit(own)}[kind]
        np.testing.assert_array_equal(tuner.predict(scores), proba >= tuner.threshold_)

    def test_weights_of_zero_change_nothing(self):
        p, y = twentieths()
        weights = (np.arange(len(y)) % 3 > 0).astype(float)
        some = weights > 0
        tuner = OffsetTuner("f1", confidence_level=None).fit(p, y, sample_weight=weights)
        assert tuner.in_sample_score_ == pytest.approx(f1_score(y[some], tuner.predict(p[some])))
        assert tuner.untuned_score_ == pytest.approx(f1_score(y[some], p[some] >= 0.5))

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_logits_are_compared_as_log_odds(self, dtype):
        rng = np.random.default_rng(0)
        y = (rng.random(500) < 0.2).astype(int)
        z = np.round(2 * y - 2 + rng.normal(size=500), 1).astype(dtype)
        tuner = OffsetTuner("f1", kind="logits").fit(z, y)
        first, second = to_numpy(tuner.offsets_)
        cut = first - second
        near = np.array([np.nextafter(cut, dtype(-9)), cut, np.nextafter(cut, dtype(9))], dtype=dtype)
        np.testing.assert_array_equal(tuner.predict(near), [0, 1, 1])
        assert tuner.threshold_ == expit(cut)
        new = np.concatenate([z, np.linspace(-30, 30, 999).astype(dtype)])
        told = expit(new) != tuner.threshold_
        np.testing.assert_array_equal(tuner.predict(new)[told], (expit(new) >= tuner.threshold_)[told])
        pairs = np.stack([np.zeros_like(new), new], axis=1)
        np.testing.assert_array_equal(tuner.predict(pairs), tuner.predict(new))

    def test_logarithms_are_compared_as_probabilities(self):
        p, y = twentieths()
        log_p = log_expit(logit(np.clip(p, 0.01, 0.99)))
        tuner = OffsetTuner("f1", kind="log_proba").fit(log_p, y)
        edge = np.log(tuner.threshold_)
        new = np.array([-np.inf, -800, np.nextafter(edge, -9), edge, np.nextafter(edge, 9), -1e-20, 0, *log_p])
        np.testing.assert_array_equal(tuner.predict(new), np.exp(new) >= tuner.threshold_)

    @pytest.mark.parametrize(("kind", "change"), [("proba", np.asarray), ("log_proba", np.log)])
    def test_where_the_probability_has_rounded_to_one_that_of_the_other_class_distinguishes_samples(self, kind, change):
        rest = np.repeat([1e-30, 1e-25, 1e-20, 1e-18], 25)
        y = np.repeat([1, 1, 0, 0], 25)
        scores = change(np.stack([rest, 1 - rest], axis=1))
        tuner = OffsetTuner("accuracy", kind=kind, estimate="empirical", confidence_level=None).fit(scores, y)
        assert tuner.threshold_ == 1
        np.testing.assert_array_equal(tuner.predict(scores), y)
        assert tuner.in_sample_score_ == 1


class TestClassifiers:
    @pytest.mark.parametrize("threshold", np.arange(1, 19) / 20)
    def test_a_forest_has_many_samples_at_the_threshold(self, threshold):
        X, y = samples()
        offsets = {1: -math.log(threshold / (1 - threshold))}
        clf = FixedOffsetClassifier(FOREST, offsets=offsets).fit(X[::2], y[::2])
        p = clf.estimator_.predict_proba(X)[:, 1]
        assert np.isclose(p, clf.threshold_, rtol=1e-12).any()
        agrees(clf, X, p >= clf.threshold_)

    @pytest.mark.parametrize("threshold", [0, 0.05, 0.055, 0.15, np.float64(0.5), 0.95, 1.0])
    def test_a_known_threshold(self, threshold):
        X, y = samples()
        clf = FixedOffsetClassifier(FOREST, threshold=threshold).fit(X[::2], y[::2])
        assert clf.threshold_ == threshold
        assert np.isfinite(clf.offsets_).all()
        assert clf.offsets_.sum() == 0
        agrees(clf, X, clf.estimator_.predict_proba(X)[:, 1] >= threshold)

    @pytest.mark.parametrize("threshold", [0.0, 0.055, 0.5, 1.0])
    def test_a_known_threshold_on_margins_is_on_their_logistic_function(self, threshold):
        X, y = samples()
        clf = FixedOffsetClassifier(LinearSVC(), threshold=threshold).fit(X, y)
        agrees(clf, X, expit(clf.estimator_.decision_function(X)) >= threshold)

    def test_a_known_threshold_in_single_precision(self):
        X, y = samples()
        clf = FixedOffsetClassifier(Single(), threshold=0.15).fit(X[::2], y[::2])
        p = clf.estimator_.predict_proba(X)[:, 1]
        assert p.dtype == np.float32
        assert (p == np.float32(0.15)).any()
        agrees(clf, X, p >= 0.15)

    def test_thresholds_are_found_by_a_grid(self):
        X, y = samples()
        grid = {"threshold": np.linspace(0, 1, 5)}
        search = GridSearchCV(FixedOffsetClassifier(LogisticRegression()), grid, scoring="f1", cv=3).fit(X, y)
        assert search.best_params_["threshold"] == 0.25

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"threshold": 1.5}, "'threshold' parameter of FixedOffsetClassifier"),
            ({"threshold": math.nan}, "'threshold' parameter of FixedOffsetClassifier"),
            ({"threshold": 0.2, "offsets": [1, 2]}, "threshold=0.2 alone fixes the decision"),
            ({"threshold": 0.2, "tau": 2.0}, "threshold=0.2 alone fixes the decision"),
            ({"threshold": 0.2, "target_prior": [0.5, 0.5]}, "threshold=0.2 alone fixes the decision"),
        ],
    )
    def test_hostile_thresholds(self, options, message):
        with pytest.raises(ValueError, match=message):
            FixedOffsetClassifier(LogisticRegression(), **options).fit(*samples())

    def test_three_classes_have_no_threshold(self):
        X, y = samples()
        with pytest.raises(ValueError, match=r"threshold=0\.2 is for binary problems; there are 3"):
            FixedOffsetClassifier(LogisticRegression(), threshold=0.2).fit(X, y + (X[:, 0] > 1))

    @pytest.mark.parametrize("objective", ["f1", "recall", "precision", "accuracy"])
    def test_tuned(self, objective):
        X, y = samples()
        labels = np.array(["no", "yes"])[y]
        clf = TunedOffsetClassifierCV(FOREST, objective=objective, cv=2, estimate="plugin").fit(X[::2], labels[::2])
        for threshold in (clf.threshold_, 0.05, 0.15):
            clf.threshold_ = threshold
            agrees(clf, X, clf.estimator_.predict_proba(X)[:, 1] >= threshold)

    def test_no_offsets_on_a_sample_of_one_half(self):
        clf = FixedOffsetClassifier(Half(), offsets=[0.0, 0.0]).fit(np.zeros((4, 1)), [0, 0, 1, 1])
        agrees(clf, np.zeros((3, 1)), np.ones(3))


class Single(RandomForestClassifier):
    """A forest of 20 trees with probabilities in single precision."""

    def __init__(self):
        super().__init__(20, random_state=0)

    def fit(self, X, y):
        return super().fit(X, y)

    def predict_proba(self, X):
        return (np.round(super().predict_proba(X) * 20) / 20).astype(np.float32)


class Half(LogisticRegression):
    """Sure of nothing."""

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)


def agrees(clf, X, second):
    """Check that all methods of a classifier decide the same: the second class where `second` says so."""
    expected = np.asarray(second).astype(int)
    np.testing.assert_array_equal(clf.predict(X), clf.classes_[expected])
    decision = clf.decision_function(X)
    np.testing.assert_array_equal(decision > 0, expected == 1)
    np.testing.assert_array_equal(decision >= 0, expected == 1)
    for method in (clf.predict_proba, clf.predict_log_proba):
        np.testing.assert_array_equal(method(X).argmax(axis=1), expected)


class TestLabels:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("kind", ["proba", "log_proba", "logits"])
    def test_a_label_is_predicted_from_its_threshold_on(self, kind, dtype):
        rng = np.random.default_rng(0)
        y = (rng.random((300, 3)) < [0.1, 0.3, 0.6]).astype(int)
        p = np.clip(rng.binomial(20, 0.25 + 0.3 * y) / 20, 0.05, 0.95)
        change = {"proba": np.asarray, "log_proba": np.log, "logits": logit}[kind]
        back = {"proba": np.asarray, "log_proba": np.exp, "logits": expit}[kind]
        scores = change(p).astype(dtype)
        tuner = OffsetTuner("f1_macro", kind=kind).fit(scores, y)
        near = np.stack([around(t, dtype)[:7] for t in tuner.threshold_], axis=1)
        new = np.concatenate([scores, change(near).astype(dtype)])
        probabilities = back(new.astype(np.float64))
        told = probabilities != tuner.threshold_ if kind == "logits" else np.ones(new.shape, dtype=bool)
        got = tuner.predict(new)
        np.testing.assert_array_equal(got[told], (probabilities >= tuner.threshold_)[told])
        np.testing.assert_array_equal(tuner.transform(new) > 0, got == 1)
        np.testing.assert_array_equal(tuner.predict_proba(new) > 0.5, got == 1)
        if kind == "proba":
            np.testing.assert_array_equal(tuner.threshold_.astype(dtype), tuner.threshold_)
            np.testing.assert_array_equal(got, new >= tuner.threshold_.astype(dtype))

    def test_a_label_at_one_half_is_predicted_without_offsets(self):
        y = np.array([[1, 0], [0, 1], [1, 1], [0, 0]] * 10)
        tuner = OffsetTuner("hamming", estimate="empirical", confidence_level=None).fit(np.full((40, 2), 0.5), y)
        assert tuner.class_profile_.recall_before.tolist() == [1, 1]

    def test_a_classifier(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(200, 3))
        y = (X + rng.normal(size=(200, 3)) > 1).astype(int)
        clf = TunedOffsetClassifierCV(OneVsRestClassifier(FOREST), objective="f1_macro", cv=2, estimate="plugin")
        clf.fit(X, y)
        p = clf.estimator_.predict_proba(X)
        clf.tuner_.threshold_[:] = 0.15
        np.testing.assert_array_equal(clf.predict(X), p >= 0.15)
        np.testing.assert_array_equal(clf.decision_function(X) > 0, p >= 0.15)


def test_dask_decides_alike():
    da = pytest.importorskip("dask.array")
    p, y = twentieths()
    tuner = OffsetTuner("balanced_accuracy").fit(da.from_array(p, chunks=100), da.from_array(y, chunks=100))
    new = np.concatenate([p, around(tuner.threshold_)])
    got = np.asarray(tuner.predict(da.from_array(new, chunks=64)))
    np.testing.assert_array_equal(got, new >= tuner.threshold_)
    assert tuner.in_sample_score_ == pytest.approx(balanced_accuracy_score(y, p >= tuner.threshold_))
