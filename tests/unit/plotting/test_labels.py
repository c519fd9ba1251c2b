"""Displays of several labels a row."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.datasets import make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score, recall_score
from sklearn.multiclass import OneVsRestClassifier
from support.label_oracles import drawn_problem

from skimbalance import OffsetTuner, TunedOffsetClassifierCV

pytest.importorskip("matplotlib")

from skimbalance.plotting import (
    ClassProfileDisplay,
    ImbalanceCurveDisplay,
    OffsetIntervalDisplay,
    ThresholdCurveDisplay,
)

ODDS, INDICATOR = drawn_problem(np.random.default_rng(0), n_samples=200, n_labels=4)
TUNER = OffsetTuner("f1_macro").fit(expit(ODDS), INDICATOR, classes=list("abcd"))


def test_offsets_are_drawn_as_they_are():
    display = OffsetIntervalDisplay.from_estimator(TUNER)
    order = np.argsort(-INDICATOR.sum(axis=0), kind="stable")
    np.testing.assert_array_equal(display.points_.get_xdata(), TUNER.offsets_[order])
    assert display.paths_ == []


def test_the_profile_of_the_fit():
    assert ClassProfileDisplay.from_estimator(TUNER).profile is TUNER.class_profile_


@pytest.mark.parametrize("weighted", [False, True])
def test_the_profile_on_other_samples(weighted):
    odds, indicator = drawn_problem(np.random.default_rng(1), n_samples=100, n_labels=4)
    weights = np.random.default_rng(2).random(100) if weighted else None
    profile = ClassProfileDisplay.from_estimator(TUNER, expit(odds), indicator, sample_weight=weights).profile
    for name, decided in (("before", odds > 0), ("after", TUNER.predict(expit(odds)))):
        for metric, score in (("recall", recall_score), ("precision", precision_score)):
            expected = score(indicator, decided, average=None, sample_weight=weights, zero_division=np.nan)
            np.testing.assert_allclose(getattr(profile, f"{metric}_{name}"), expected)
    with pytest.raises(ValueError, match="X has 100, y has 99"):
        ClassProfileDisplay.from_estimator(TUNER, expit(odds), indicator[:99])


def test_a_classifier():
    X, y = make_multilabel_classification(200, n_classes=3, random_state=0)
    clf = TunedOffsetClassifierCV(OneVsRestClassifier(LogisticRegression(max_iter=500)), cv=2).fit(X, y)
    profile = ClassProfileDisplay.from_estimator(clf, X, y).profile
    np.testing.assert_allclose(profile.recall_after, recall_score(y, clf.predict(X), average=None))
    np.testing.assert_allclose(profile.recall_before, recall_score(y, clf.estimator_.predict(X), average=None))


@pytest.mark.parametrize("display", [ImbalanceCurveDisplay, ThresholdCurveDisplay])
def test_curves_do_not_support_multilabel_targets(display):
    with pytest.raises(
        ValueError, match=f"{display.__name__} supports one label per sample; estimator was fitted on several"
    ):
        display.from_estimator(TUNER, expit(ODDS), INDICATOR)
