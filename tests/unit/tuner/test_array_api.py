"""Checks of scikit-learn for estimators that take arrays of any library."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils import estimator_checks, estimator_html_repr, get_tags

from skimbalance import FixedOffsetClassifier, OffsetTuner, TunedOffsetClassifierCV

pytest.importorskip("sklearn.callback", reason="scikit-learn has these checks since version 1.9")
strict = pytest.importorskip("array_api_strict")


class TunerOfColumns(OffsetTuner):
    """A tuner on the first two of the ten columns that scikit-learn draws."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X[:, :2], y, sample_weight=sample_weight)

    def predict(self, X):
        return super().predict(X[:, :2])

    def predict_proba(self, X):
        return super().predict_proba(X[:, :2])

    def transform(self, X):
        return super().transform(X[:, :2])


CHECKS = list(estimator_checks._yield_array_api_checks(TunerOfColumns()))


def name_of(check):
    return "-".join([check.func.__name__, *(str(value) for value in check.keywords.values())])


@pytest.mark.parametrize("estimate", ["robust", "empirical", "plugin"])
@pytest.mark.parametrize("check", CHECKS, ids=name_of)
@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.SkimbalanceWarning")
def test_arrays_of_any_library(check, estimate, monkeypatch):
    if check.func is estimator_checks.check_array_api_same_namespace:
        pytest.skip("scores may be of another library than in the fit")
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    check("TunerOfColumns", TunerOfColumns(kind="logits", estimate=estimate), check_values=True)


def test_tags():
    assert get_tags(OffsetTuner()).array_api_support
    for classifier in (TunedOffsetClassifierCV(LogisticRegression()), FixedOffsetClassifier(LogisticRegression())):
        assert get_tags(classifier.estimator).array_api_support
        assert not get_tags(classifier).array_api_support, "labels are NumPy arrays"


def draw():
    rng = np.random.default_rng(0)
    y = rng.choice(3, 200, p=[0.6, 0.3, 0.1])
    return 2 * np.eye(3)[y] + rng.normal(size=(200, 3)), y


@pytest.mark.parametrize("method", ["predict", "predict_proba", "transform"])
def test_scores_of_another_library_than_in_the_fit(method):
    logits, y = draw()
    tuner = OffsetTuner("f1_macro", kind="logits")
    expected = getattr(tuner.fit(logits, y), method)(logits)
    there = strict.asarray(logits)
    found = getattr(tuner, method)(there)
    assert found.__array_namespace__() is there.__array_namespace__()
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-12)
    found = getattr(tuner.fit(there, y), method)(logits)
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_html_has_the_fitted_attributes():
    logits, y = draw()
    tuner = OffsetTuner("f1_macro", kind="logits").fit(logits, y)
    html = estimator_html_repr(tuner)
    assert "Fitted attributes" in html
    for name in (name for name in vars(tuner) if name.endswith("_") and not name.startswith("_")):
        assert name in html
    assert f"{tuner.score_:.4g}" in html
