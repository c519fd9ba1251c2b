"""Another goal for the same fitted model."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import balanced_accuracy_score
from support.samples import draw, logistic

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.goals import AtLeast


class Counting(type(logistic())):
    """A classifier that counts its fits."""

    fits = 0

    def fit(self, X, y, sample_weight=None):
        type(self).fits += 1
        return super().fit(X, y, sample_weight)


def fitted(n_classes=3, **options):
    X, y = draw(n_classes, n_samples=400)
    options = {"store_cv_results": True, **options}
    return TunedOffsetClassifierCV(logistic(), objective="accuracy", **options).fit(X, y), X, y


def test_the_offsets_are_those_of_a_fit_with_that_goal():
    clf, X, y = fitted()
    other = clf.retune(objective="f1_macro")
    anew = clone(clf).set_params(objective="f1_macro").fit(X, y)
    np.testing.assert_array_equal(other.offsets_, anew.offsets_)
    np.testing.assert_array_equal(other.predict(X), anew.predict(X))
    assert (other.score_, other.score_interval_) == (anew.score_, anew.score_interval_)
    assert other.objective == other.tuner_.objective == "f1_macro"


def test_nothing_but_offsets_is_fitted_and_the_original_is_untouched():
    X, y = draw(2)
    clf = TunedOffsetClassifierCV(Counting(), store_cv_results=True).fit(X, y)
    before, offsets, tuner, threshold = Counting.fits, clf.offsets_.copy(), clf.tuner_, clf.threshold_
    other = clf.retune(objective="f1", constraints=[AtLeast("recall", 0.8)])
    assert Counting.fits == before
    assert other.estimator_ is clf.estimator_
    assert (clf.objective, clf.constraints, clf.threshold_) == ("balanced_accuracy", (), threshold)
    assert clf.tuner_ is tuner
    np.testing.assert_array_equal(clf.offsets_, offsets)
    assert other.threshold_ != threshold


def test_goals_that_are_not_named_are_kept():
    goals = [AtLeast("recall", 0.5, label="coral")]
    clf, _, _ = fitted(constraints=goals)
    assert clf.retune(objective="f1_macro").constraints is goals
    assert clf.retune(constraints=()).constraints == ()
    assert clf.retune(constraints=()).objective == "accuracy"


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_reject_label_is_kept_replaced_or_removed(n_classes):
    decide_most = [AtLeast("coverage", 0.8)]
    plain, X, y = fitted(n_classes)
    clf = plain.retune(constraints=decide_most, reject_label="unsure")
    anew = clone(plain).set_params(constraints=decide_most, reject_label="unsure").fit(X, y)
    np.testing.assert_array_equal(clf.predict(X), anew.predict(X))
    assert (clf.predict(X) == "unsure").any()
    kept = clf.retune(objective="balanced_accuracy")
    assert kept.reject_label == "unsure"
    assert (kept.predict(X) == "unsure").any()
    assert clf.retune(reject_label="nobody").rejection_.labels[-1] == "nobody"
    removed = clf.retune(constraints=(), reject_label=())
    assert removed.reject_label is removed.tuner_.reject_label is None
    assert not hasattr(removed, "coverage_")
    assert not hasattr(removed, "rejection_")
    np.testing.assert_array_equal(removed.predict(X), plain.predict(X))
    assert clf.reject_label == "unsure"
    assert hasattr(clf, "coverage_")


def test_a_reject_label_is_removed_on_given_samples_too():
    X, y = draw(2, n_samples=800)
    clf = TunedOffsetClassifierCV(logistic(), constraints=[AtLeast("coverage", 0.8)], reject_label="unsure")
    removed = clf.fit(X[:500], y[:500]).retune(X[500:], y[500:], constraints=(), reject_label=())
    assert set(removed.predict(X)) == set(y)


def test_a_reject_label_and_its_constraints_go_together():
    clf, _, _ = fitted(constraints=[AtLeast("coverage", 0.8)], reject_label="unsure")
    with pytest.raises(ValueError, match="reject_label='unsure' needs a constraint on"):
        clf.retune(constraints=())
    with pytest.raises(ValueError, match="a constraint on 'coverage', the proportion of decided samples, needs"):
        clf.retune(reject_label=())


def test_a_class_prior_is_kept_or_removed():
    plain, _, _ = fitted(2)
    clf = plain.retune(class_prior=[0.3, 0.7])
    assert clf.retune(objective="accuracy").class_prior == [0.3, 0.7]
    removed = clf.retune(class_prior=())
    assert removed.class_prior is None
    np.testing.assert_array_equal(removed.offsets_, plain.offsets_)


def test_retune_on_given_samples():
    X, y = draw(3, n_samples=800)
    clf = TunedOffsetClassifierCV(logistic(), objective="accuracy").fit(X[:500], y[:500])
    fresh, labels = X[500:], y[500:]
    weights = np.random.default_rng(0).random(300)
    other = clf.retune(fresh, labels, objective="balanced_accuracy", sample_weight=weights)
    tuner = OffsetTuner("balanced_accuracy").fit(clf.estimator_.predict_proba(fresh), labels, sample_weight=weights)
    np.testing.assert_array_equal(other.offsets_, tuner.offsets_)
    assert balanced_accuracy_score(labels, other.predict(fresh)) > balanced_accuracy_score(labels, clf.predict(fresh))


def test_for_another_prior():
    clf, X, _ = fitted(2)
    rare, common = (clf.retune(class_prior={"amber": 1 - p, "blue": p}) for p in (0.02, 0.6))
    assert (common.predict(X) == "blue").mean() > (clf.predict(X) == "blue").mean() > (rare.predict(X) == "blue").mean()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "retune needs samples to tune on: pass X and y"),
        ({"X": np.zeros((3, 6))}, "X and y must be given together"),
        ({"sample_weight": np.ones(400)}, "sample_weight goes with X and y"),
    ],
)
def test_retune_without_samples_raises(given, message):
    clf, _, _ = fitted(store_cv_results=False)
    with pytest.raises(ValueError, match=message):
        clf.retune(objective="f1_macro", **given)


def test_a_wrong_goal_is_refused():
    clf, _, _ = fitted()
    with pytest.raises(ValueError, match="did you mean"):
        clf.retune(objective="f1_makro")
    with pytest.raises(ValueError, match="'constraints' parameter of"):
        clf.retune(constraints="recall")
    with pytest.raises(NotFittedError):
        TunedOffsetClassifierCV(logistic()).retune(objective="f1")
