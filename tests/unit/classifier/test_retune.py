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
