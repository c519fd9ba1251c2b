"""Scores on any device: results live there, and only near pairs of many scores are copied to the host."""

import sys

import numpy as np
import pytest
from conftest import library
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from support.effort import crossed

from skimbalance import FixedOffsetClassifier, OffsetTuner, TunedOffsetClassifierCV, imbalance_curve
from skimbalance._core import array_api
from skimbalance._core.array_api import device, to_numpy
from skimbalance.goals import AtLeast, ImbalanceState, Near
from skimbalance.metrics import geometric_mean_score, imbalance_degree_score, imbalance_state, worst_recall_score
from skimbalance.solvers import Search, _near

N_ROWS = 60


@pytest.fixture(params=["CPU_DEVICE", "device1"])
def either(request):
    """array_api_strict on its default device and on its second one."""
    return library("array_api_strict", request.param)


@pytest.fixture
def xp():
    """array_api_strict on its second device."""
    return library("array_api_strict", "device1")


def samples(n_classes, *, n_samples=N_ROWS, kind="proba", one_column=False):
    """Scores and codes on the host, the last class rare."""
    rng = np.random.default_rng(0)
    y = np.minimum(rng.geometric(0.5, n_samples) - 1, n_classes - 1)
    logits = rng.normal(size=(n_samples, n_classes)) + 1.5 * np.eye(n_classes)[y]
    if one_column:
        logits = np.stack([0 * logits[:, 0], logits[:, 1] - logits[:, 0]], axis=1)
    scores = logits if kind == "logits" else np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    scores = np.log(scores) if kind == "log_proba" else scores
    return (scores[:, 1] if one_column else scores), y


def assert_alike(here, there, scores, moved):
    """Results live where the scores live, and are those of the host."""
    for name in ("offsets_", "offsets_interval_"):
        if hasattr(here, name):
            found = getattr(there, name)
            assert type(found) is type(moved)
            assert device(found) == device(moved)
            np.testing.assert_allclose(to_numpy(found), getattr(here, name), atol=1e-9)
    for method in ("predict", "transform", "predict_proba"):
        found = getattr(there, method)(moved)
        assert type(found) is type(moved)
        assert device(found) == device(moved)
        np.testing.assert_allclose(to_numpy(found), getattr(here, method)(scores), atol=1e-9)
    assert there.in_sample_score_ == pytest.approx(here.in_sample_score_, abs=1e-12)
    assert str(there.report()) == str(here.report())


@pytest.mark.usefixtures("few_restarts")
class TestTuner:
    def assert_fits_alike(self, xp, scores, y, *, weights=None, **parameters):
        moved = xp.asarray(scores)
        here = OffsetTuner(**parameters).fit(scores, y, sample_weight=weights)
        there = OffsetTuner(**parameters).fit(
            moved, xp.asarray(y), sample_weight=None if weights is None else xp.asarray(weights)
        )
        assert_alike(here, there, scores, moved)
        return there

    @pytest.mark.parametrize(("estimate", "n_classes"), crossed(["robust", "plugin", "empirical"], [2, 3]))
    def test_every_estimate(self, either, n_classes, estimate):
        scores, y = samples(n_classes)
        level = 0.9 if n_classes == 2 else None
        self.assert_fits_alike(either, scores, y, estimate=estimate, n_bootstraps=2, confidence_level=level)

    @pytest.mark.parametrize("one_column", [False, True])
    @pytest.mark.parametrize("kind", ["proba", "log_proba", "logits"])
    def test_every_kind_with_weights(self, xp, kind, one_column):
        scores, y = samples(2, kind=kind, one_column=one_column)
        weights = np.random.default_rng(1).integers(0, 3, N_ROWS).astype(float)
        self.assert_fits_alike(xp, scores, y, weights=weights, objective="f1", kind=kind, estimate="empirical")

    @pytest.mark.parametrize(
        ("n_classes", "parameters"),
        [
            (2, {"objective": "precision", "constraints": [AtLeast("recall", 0.7, confidence=0.8)]}),
            (2, {"constraints": [Near("imbalance_degree", 0.0, tol=0.1)], "estimate": "plugin"}),
            (3, {"objective": ImbalanceState("uniform")}),
            (2, {"objective": ImbalanceState(0.3, class_balanced=True)}),
            (2, {"objective": "f1_macro", "class_prior": [0.8, 0.2], "estimate": "empirical"}),
            (2, {"objective": geometric_mean_score, "confidence_level": None}),
            (3, {"objective": geometric_mean_score, "solver": Search("powell", budget=30), "confidence_level": None}),
            (3, {"objective": "f1_macro", "solver": "imbalance_state", "confidence_level": None}),
        ],
    )
    def test_every_goal(self, xp, n_classes, parameters):
        scores, y = samples(n_classes, kind="logits")
        self.assert_fits_alike(xp, scores, y, kind="logits", n_bootstraps=2, **parameters)

    def test_absent_classes(self, xp):
        scores, y = samples(3)
        tuner = OffsetTuner(estimate="empirical", confidence_level=None)
        here = clone(tuner).fit(scores, y % 2, classes=[0, 1, 2])
        there = clone(tuner).fit(xp.asarray(scores), xp.asarray(y % 2), classes=xp.asarray([0, 1, 2]))
        assert_alike(here, there, scores, xp.asarray(scores))

    def test_another_prior(self, xp):
        scores, y = samples(2)
        new = scores[y == 1]
        here = OffsetTuner("accuracy", estimate="plugin").fit(scores, y).adapt_to(new)
        there = OffsetTuner("accuracy", estimate="plugin").fit(xp.asarray(scores), y).adapt_to(xp.asarray(new))
        assert_alike(here, there, scores, xp.asarray(scores))
        np.testing.assert_allclose(there.class_prior, here.class_prior, atol=1e-9)

    def test_multilabel(self, xp):
        scores, y = samples(3, kind="logits")
        indicator = np.eye(3, dtype=int)[y]
        indicator[::7, 0] = 1
        self.assert_fits_alike(xp, scores, indicator, objective="f1_macro", kind="logits", estimate="empirical")


@pytest.mark.parametrize(
    ("n_classes", "parameters"),
    [
        (2, {"objective": "f1"}),
        (3, {"objective": "f1_macro", "estimate": "plugin"}),
        (2, {"objective": "precision", "constraints": [AtLeast("recall", 0.7, confidence=0.8)]}),
    ],
)
@pytest.mark.parametrize("n_pairs", [0, 20_000])
@pytest.mark.usefixtures("few_restarts")
def test_the_scores_are_not_copied_to_the_host(n_classes, parameters, n_pairs, monkeypatch):
    """Only near pairs are, if they are not many."""
    for name in ("_PAIRS_OF_DEVICE", "_PAIRS_OF_DEVICE_NEARBY"):
        monkeypatch.setattr(_near, name, n_pairs)
    xp, copied = library("array_api_strict", "device1"), []
    scores, y = samples(n_classes, n_samples=5000, kind="logits")
    from_dlpack = np.from_dlpack

    def watched(x, **options):
        copied.append(x.size)
        return from_dlpack(x, **options)

    monkeypatch.setattr(np, "from_dlpack", watched)
    tuner = OffsetTuner(kind="logits", n_bootstraps=2, **parameters).fit(xp.asarray(scores), y)
    tuner.predict(xp.asarray(scores))
    assert 0 < max(copied) <= max(len(y), n_pairs)


@pytest.mark.parametrize(("n_classes", "objective"), [(2, "f1"), (4, "f1_macro")])
@pytest.mark.usefixtures("few_restarts")
def test_few_scores_are_searched_on_the_host(xp, n_classes, objective, monkeypatch):
    """A fit then calls some hundreds of functions of the device, and not thousands."""
    monkeypatch.setattr(array_api, "_CELLS_ON_HOST", 10_000)
    scores, y = samples(n_classes, n_samples=1000, kind="logits")
    moved, calls = xp.asarray(scores), []

    def watch(frame, event, _):
        if event == "call" and "array_api_strict" in frame.f_code.co_filename:
            calls.append(frame.f_code.co_name)

    sys.setprofile(watch)
    try:
        there = OffsetTuner(objective, kind="logits").fit(moved, y)
    finally:
        sys.setprofile(None)
    assert len(calls) < 700
    assert_alike(OffsetTuner(objective, kind="logits").fit(scores, y), there, scores, moved)


@pytest.mark.usefixtures("few_restarts")
def test_few_scores_are_adapted_to_many(xp, monkeypatch):
    """Those of the fit are searched on the host, and those without labels stay on the device."""
    monkeypatch.setattr(array_api, "_CELLS_ON_HOST", 1000)
    scores, y = samples(3, n_samples=300)
    tuner, many = OffsetTuner("f1_macro", n_bootstraps=2), np.tile(scores[y > 0], (5, 1))
    here = tuner.fit(scores, y).adapt_to(many)
    there = tuner.fit(xp.asarray(scores), y).adapt_to(xp.asarray(many))
    np.testing.assert_allclose(to_numpy(there.offsets_), here.offsets_, atol=1e-9)
    assert device(there.offsets_) == device(xp.asarray(scores))


def test_the_curve(xp):
    scores, y = samples(3)
    weights = np.random.default_rng(1).random(N_ROWS)
    here = imbalance_curve(scores, y, points=3, sample_weight=weights)
    there = imbalance_curve(xp.asarray(scores), xp.asarray(y), points=3, sample_weight=xp.asarray(weights))
    np.testing.assert_allclose(there.state, here.state, atol=1e-9)
    np.testing.assert_allclose(there.values["f1_macro"], here.values["f1_macro"])


@pytest.mark.parametrize("score", [geometric_mean_score, worst_recall_score, imbalance_degree_score])
def test_metrics(xp, score):
    _, y = samples(3)
    predicted, weights = (y + (np.arange(N_ROWS) % 3 == 0)) % 3, 1.0 + np.arange(N_ROWS) % 2
    there = score(xp.asarray(y), xp.asarray(predicted), sample_weight=xp.asarray(weights))
    assert there == pytest.approx(score(y, predicted, sample_weight=weights))


def test_the_state_lives_where_the_probabilities_live(xp):
    scores, _ = samples(3)
    found = imbalance_state(xp.asarray(scores), sample_weight=xp.asarray(1.0 + np.arange(N_ROWS)))
    assert device(found) == device(xp.asarray(scores))
    np.testing.assert_allclose(to_numpy(found), imbalance_state(scores, sample_weight=1.0 + np.arange(N_ROWS)))


class OnTheDevice(ClassifierMixin, BaseEstimator):
    """A classifier whose probabilities are on a device."""

    def __init__(self, xp=None):
        self.xp = xp

    def fit(self, X, y, sample_weight=None):
        self.inner_ = LogisticRegression().fit(X, y, sample_weight)
        self.classes_ = self.inner_.classes_
        return self

    def predict_proba(self, X):
        return self.xp.asarray(self.inner_.predict_proba(X))

    def __sklearn_clone__(self):
        return OnTheDevice(self.xp)


@pytest.mark.parametrize("own", [TunedOffsetClassifierCV, FixedOffsetClassifier])
def test_classifiers_around_a_model_with_scores_on_the_device(xp, own):
    X, y = samples(3, kind="logits")
    weights = 1.0 + np.arange(N_ROWS) % 2
    options = {"cv": 2, "estimate": "empirical"} if own is TunedOffsetClassifierCV else {}
    here = own(LogisticRegression(), **options).fit(X, y, sample_weight=weights)
    there = own(OnTheDevice(xp), **options).fit(X, xp.asarray(y), sample_weight=xp.asarray(weights))
    np.testing.assert_allclose(to_numpy(there.offsets_), here.offsets_, atol=1e-9)
    np.testing.assert_array_equal(there.predict(X), here.predict(X))
    np.testing.assert_allclose(to_numpy(there.predict_proba(X)), here.predict_proba(X), atol=1e-9)
    np.testing.assert_allclose(to_numpy(there.decision_function(X)), here.decision_function(X), atol=1e-9)
