"""A budget holds on the samples of the fit whatever the estimate, the target and the weights are."""

import numpy as np
import pytest
from support.effort import seeds

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.goals import AtLeast, AtMost, Near
from skimbalance.solvers import Search

ESTIMATES = ("robust", "plugin", "empirical")
pytestmark = [
    pytest.mark.filterwarnings("ignore::skimbalance.exceptions.FewRowsWarning"),
    pytest.mark.filterwarnings("ignore::skimbalance.exceptions.UnreachableGoalWarning"),
]


def drawn(seed, *, n_classes=2, n_samples=400, decimals=None):
    """Probabilities, labels as strings, and weights."""
    rng = np.random.default_rng(seed)
    prior = 0.3 ** np.arange(n_classes)
    codes = np.concatenate([np.arange(n_classes), rng.choice(n_classes, n_samples - n_classes, p=prior / prior.sum())])
    logits = rng.normal(size=(n_samples, n_classes)) + 2 * np.eye(n_classes)[codes] + np.log(prior)
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if decimals is not None:
        proba = np.round(proba, decimals)
        proba[:, 0] = 1 - proba[:, 1:].sum(axis=1)
    return proba.clip(0, 1), np.array(["a", "b", "c", "d"])[codes], rng.integers(1, 5, size=n_samples) / 4


def share(tuner, proba, label, weights=None):
    return np.average(tuner.predict(proba) == label, weights=weights)


@pytest.mark.parametrize("estimate", ESTIMATES)
@pytest.mark.parametrize("objective", ["recall", "f1", "precision", "accuracy"])
@pytest.mark.parametrize("weighted", [False, True])
def test_binary(estimate, objective, weighted):
    for seed in seeds(12, quick=4):
        proba, y, weights = drawn(seed, decimals=2 if seed % 2 else None)
        weights = weights if weighted else None
        tuner = OffsetTuner(
            objective, constraints=[AtMost("predicted_share", 0.05)], estimate=estimate, confidence_level=None
        )
        tuner.fit(proba, y, sample_weight=weights)
        assert share(tuner, proba, "b", weights) <= 0.05 + 1e-12
        if objective == "recall":
            assert share(tuner, proba, "b", weights) >= (0.03 if seed % 2 else 0.045)
        tuner.set_params(constraints=[AtLeast("predicted_share", 0.5, label="b")])
        assert share(tuner.fit(proba, y, sample_weight=weights), proba, "b", weights) >= 0.5 - 1e-12


def least_share(proba, y, recall):
    """The least share of predicted samples with which a recall is satisfied on these samples."""
    return np.mean(proba >= np.sort(proba[y])[int((1 - recall) * y.sum())])


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_a_budget_has_priority_over_a_confidence(estimate):
    proba, y, _ = drawn(0)
    most = least_share(proba[:, 1], y == "b", 0.7)
    budget, recall = AtMost("predicted_share", most, label="b"), AtLeast("recall", 0.7, label="b", confidence=0.95)
    tuner = OffsetTuner("f1", constraints=[recall, budget], estimate=estimate, confidence_level=None).fit(proba, y)
    assert most / 2 < share(tuner, proba, "b") <= most + 1e-12
    assert not tuner.guarantees_[0].holds


@pytest.mark.parametrize("objective", ["f1_macro", "f1_micro", "f1_samples"])
def test_a_budget_of_each_label_has_priority_over_a_confidence(objective):
    rng = np.random.default_rng(0)
    y = rng.random((300, 3)) < [0.2, 0.3, 0.4]
    proba = 1 / (1 + np.exp(-(rng.normal(size=(300, 3)) + 2 * y - 1.5)))
    most = [least_share(proba[:, j], y[:, j], 0.7) for j in range(3)]
    budgets = [AtMost("predicted_share", each, label=j) for j, each in enumerate(most)]
    bounds = [AtLeast("recall", 0.7, confidence=0.95), *budgets]
    tuner = OffsetTuner(objective, constraints=bounds, confidence_level=None, n_bootstraps=2).fit(proba, y)
    assert (tuner.predict(proba).mean(axis=0) <= np.array(most) + 1e-12).all()
    assert not any(guarantee.holds for guarantee in tuner.guarantees_)


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_float32_and_many_samples(estimate):
    proba, y, _ = drawn(0, n_samples=30_000)
    tuner = OffsetTuner("f1", constraints=[AtMost("predicted_share", 0.02)], estimate=estimate, confidence_level=None)
    for scores in (proba.astype(np.float32), proba[:, 1], np.round(proba[:, 1].astype(np.float32), 2)):
        assert 0.015 < share(tuner.fit(scores, y), scores, "b") <= 0.02


@pytest.mark.parametrize("estimate", ESTIMATES)
@pytest.mark.parametrize("objective", ["f1_macro", "accuracy", "worst_recall", "balanced_accuracy"])
def test_multiclass(estimate, objective):
    bounds = [AtMost("predicted_share", 0.05, label="c"), AtMost("predicted_share", 0.1, label="b")]
    for seed in seeds(8, quick=2):
        proba, y, weights = drawn(seed, n_classes=3, n_samples=300)
        tuner = OffsetTuner(objective, constraints=bounds, estimate=estimate, confidence_level=None)
        tuner.fit(proba, y, sample_weight=weights)
        assert share(tuner, proba, "c", weights) <= 0.05 + 1e-12
        assert share(tuner, proba, "b", weights) <= 0.1 + 1e-12


@pytest.mark.parametrize("objective", ["f1_macro", "f1_micro", "f1_samples"])
@pytest.mark.parametrize("estimate", ESTIMATES)
def test_multilabel(objective, estimate):
    rng = np.random.default_rng(0)
    y = rng.random((300, 4)) < [0.1, 0.2, 0.3, 0.4]
    proba = 1 / (1 + np.exp(-(rng.normal(size=(300, 4)) + 2 * y - 1.5)))
    bounds = [AtMost("predicted_share", 0.08, label=1), Near("predicted_share", 0.2, label=2)]
    tuner = OffsetTuner(objective, constraints=bounds, estimate=estimate, confidence_level=None).fit(proba, y)
    shares = tuner.predict(proba).mean(axis=0)
    assert 0.05 < shares[1] <= 0.08
    assert 0.19 - 1e-12 <= shares[2] <= 0.21 + 1e-12


@pytest.mark.parametrize("decimals", [None, 2])
def test_labels_that_are_fitted_apart(decimals):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        y = rng.random((300, 4)) < [0.1, 0.2, 0.3, 0.4]
        proba = 1 / (1 + np.exp(-(rng.normal(size=(300, 4)) + 2 * y - 1.5)))
        proba = proba if decimals is None else np.round(proba, decimals)
        tuner = OffsetTuner("f1_macro", constraints=[AtMost("predicted_share", 0.08)], confidence_level=None)
        shares = tuner.fit(proba, y).predict(proba).mean(axis=0)
        assert shares.max() <= 0.08
        assert shares.min() > 0.04


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_a_class_without_samples_has_a_budget_too(estimate):
    proba, y, _ = drawn(0, n_classes=4)
    proba, y = proba[y != "c"], y[y != "c"]
    proba[:, 2] += 0.5
    proba /= proba.sum(axis=1, keepdims=True)
    tuner = OffsetTuner(
        "f1_macro", constraints=[AtMost("predicted_share", 0.1, label="c")], estimate=estimate, confidence_level=None
    )
    assert share(tuner.fit(proba, y, classes=["a", "b", "c", "d"]), proba, "c") <= 0.1


def test_the_budget_has_priority_over_bounds_that_it_contradicts():
    proba, y, _ = drawn(0)
    bounds = [AtMost("predicted_share", 0.02), AtLeast("recall", 0.9)]
    for estimate in ESTIMATES:
        tuner = OffsetTuner("precision", constraints=bounds, estimate=estimate, confidence_level=None).fit(proba, y)
        assert 0.015 <= share(tuner, proba, "b") <= 0.02


def test_a_confidence_tightens_it():
    proba, y, _ = drawn(0)
    loose, tight = (
        OffsetTuner("recall", constraints=[AtMost("predicted_share", 0.1, confidence=c)], random_state=0).fit(proba, y)
        for c in (None, 0.9)
    )
    assert 0.03 < share(tight, proba, "b") < share(loose, proba, "b") <= 0.1


def test_a_black_box_objective():
    proba, y, _ = drawn(0)

    def hits(y_true, y_pred, sample_weight=None):
        return np.average((y_true == "b") & (y_pred == "b"), weights=sample_weight)

    tuner = OffsetTuner(
        hits, constraints=[AtMost("predicted_share", 0.05)], solver=Search("powell", budget=50), confidence_level=None
    )
    assert share(tuner.fit(proba, y), proba, "b") <= 0.05


def test_the_classifier():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    y = rng.random(600) < 0.1
    X = rng.normal(size=(600, 2)) + y[:, None]
    clf = TunedOffsetClassifierCV(LogisticRegression(), objective="recall", confidence_level=None)
    clf.set_params(constraints=[AtMost("predicted_share", 0.05, label=True)], store_cv_results=True).fit(X, y)
    assert 0.01 < clf.predict(X).mean() < 0.09
    few = clf.retune(objective="predicted_share", constraints=[AtLeast("recall", 0.5)])
    assert 0.02 < few.predict(X).mean() < 0.3


def test_samples_in_chunks():
    da = pytest.importorskip("dask.array")
    rng = np.random.default_rng(0)
    n = 1_100_000
    y = rng.random(n) < 0.1
    logits = rng.normal(size=n) + 2 * y - 2
    chunks = da.from_array(logits, chunks=400_000), da.from_array(y, chunks=400_000)
    tuner = OffsetTuner("recall", kind="logits", constraints=[AtMost("predicted_share", 0.05)], confidence_level=None)
    with pytest.raises(ValueError, match="predicted_share needs all samples; scores is a Dask array"):
        tuner.fit(*chunks)
    tuner.set_params(estimate="empirical").fit(*chunks)
    assert 0.0499 < tuner.predict(logits).mean() <= 0.05
