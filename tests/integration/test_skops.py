"""Fitted estimators in files of skops: the types to trust, and the same decisions after loading."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier

from skimbalance import FixedOffsetClassifier, OffsetTuner, TunedOffsetClassifierCV
from skimbalance.goals import AtLeast, ImbalanceState
from skimbalance.metrics import Cost

sio = pytest.importorskip("skops.io")

KEPT = {"skimbalance.estimation.spec.KeptSamples", "skimbalance.metrics.counts.ClassProfile"}
TUNER = {"skimbalance.tuner._offset_tuner.OffsetTuner"} | KEPT
TUNED = {"skimbalance.classifier._tuned.TunedOffsetClassifierCV"} | TUNER
FIXED = {"skimbalance.classifier._fixed.FixedOffsetClassifier"}
SURE = {"skimbalance.goals.AtLeast", "skimbalance.estimation._certify.Guarantee"}
REJECTS = {f"skimbalance.estimation.{name}" for name in ("_rejection.Rejection", "_calibration.Calibration")}

at_least = AtLeast("recall", 0.5, label=1, confidence=0.9)
covers = AtLeast("coverage", 0.8)
CASES = {
    "fixed": (lambda: FixedOffsetClassifier(LogisticRegression()), FIXED),
    "tuned": (lambda: TunedOffsetClassifierCV(LogisticRegression(), cv=3, store_cv_results=True), TUNED),
    "metric": (
        lambda: TunedOffsetClassifierCV(LogisticRegression(), objective=Cost(1 - np.eye(3))),
        TUNED | {"skimbalance.metrics._cost.Cost"},
    ),
    "constraint": (lambda: TunedOffsetClassifierCV(LogisticRegression(), constraints=[at_least]), TUNED | SURE),
    "tuner": (lambda: OffsetTuner(objective="f1_macro"), TUNER),
    "state": (
        lambda: OffsetTuner(objective=ImbalanceState([0.3, 0.3, 0.4])),
        TUNER | {"skimbalance.goals.ImbalanceState"},
    ),
    "rejects": (
        lambda: OffsetTuner(constraints=[covers], reject_label=-1),
        TUNER | REJECTS | {"skimbalance.goals.AtLeast"},
    ),
}


def loaded(fitted, types):
    """Return the estimator of a file that has only types of skimbalance to trust, and these."""
    data = sio.dumps(fitted)
    assert set(sio.get_untrusted_types(data=data)) == types
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return sio.loads(data, trusted=sorted(types))


@pytest.mark.parametrize("name", CASES)
def test_decisions_after_loading(name):
    X, y = make_classification(
        600, n_features=6, n_informative=5, n_redundant=0, n_classes=3, weights=[0.7, 0.2], random_state=0
    )
    make, types = CASES[name]
    estimator = make()
    if isinstance(estimator, OffsetTuner):
        X = LogisticRegression().fit(X, y).predict_proba(X)
    fitted = estimator.fit(X, y)
    again = loaded(fitted, types)
    for method in {"predict", "predict_proba", "decision_function", "transform"} & set(dir(fitted)):
        np.testing.assert_array_equal(getattr(again, method)(X), getattr(fitted, method)(X))
    if isinstance(fitted, OffsetTuner):
        assert str(again.report()) == str(fitted.report())


def test_retune_after_loading():
    X, y = make_classification(600, weights=[0.8], random_state=0)
    y = np.array(["valid", "fraud"])[y]
    fitted = TunedOffsetClassifierCV(LogisticRegression(), store_cv_results=True).fit(X, y)
    again = loaded(fitted, TUNED)
    retuned, expected = (each.retune(objective="f1_macro") for each in (again, fitted))
    assert retuned.threshold_ == expected.threshold_


def test_labels_after_loading():
    X, y = make_multilabel_classification(600, n_classes=3, random_state=0)
    fitted = TunedOffsetClassifierCV(MultiOutputClassifier(LogisticRegression()), objective="f1_macro").fit(X, y)
    data = sio.dumps(fitted)
    types = sio.get_untrusted_types(data=data)
    assert all(name.startswith("skimbalance.") for name in types)
    np.testing.assert_array_equal(sio.loads(data, trusted=types).predict(X), fitted.predict(X))
