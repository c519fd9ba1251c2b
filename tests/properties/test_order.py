"""The same data give the same result, in whatever order samples, classes and labels come."""

from dataclasses import replace

import numpy as np
import pytest
from support.effort import crossed
from support.problems import in_namespace, problem
from support.tuning import draw

from skimbalance import OffsetTuner
from skimbalance._core.array_api import to_numpy
from skimbalance.goals import AtLeast, ImbalanceState
from skimbalance.metrics.counts import Truth
from skimbalance.solvers import Search
from skimbalance.solvers._coordinate_ascent import _restarts

pytestmark = pytest.mark.usefixtures("few_restarts")

ESTIMATES = ("robust", "plugin", "empirical")


def outcome(tuner):
    """What a fit reports, its offsets first."""
    return (
        tuner.offsets_,
        tuner.score_,
        tuner.score_interval_,
        tuner.offsets_interval_,
        tuner.in_sample_score_,
        tuner.class_profile_.recall_after,
    )


def assert_equal(one, other):
    for mine, theirs in zip(outcome(one), outcome(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(("estimate", "n_classes", "decimals"), crossed(ESTIMATES, [2, 4], [None, 1]))
def test_the_order_of_samples_has_no_influence(estimate, n_classes, decimals, rng):
    proba, y = draw(5, n_classes, n_samples=60, decimals=decimals)
    tuner = OffsetTuner("f1_macro", estimate=estimate)
    order = rng.permutation(60)
    assert_equal(tuner.fit(proba, y), OffsetTuner("f1_macro", estimate=estimate).fit(proba[order], y[order]))


@pytest.mark.parametrize(
    "asked",
    [
        {"objective": "accuracy", "constraints": [AtLeast("recall", 0.7, label="bee", confidence=0.8)]},
        {"objective": ImbalanceState("uniform", class_balanced=True)},
        {"objective": lambda y_true, y_pred, *, sample_weight: np.average(y_true == y_pred, weights=sample_weight)},
    ],
    ids=["constraint", "state", "function"],
)
@pytest.mark.filterwarnings("ignore:No offsets satisfy")
def test_the_order_of_samples_has_no_influence_whatever_the_goal(asked, rng):
    proba, y = draw(6, n_samples=120)
    order, weights = rng.permutation(120), rng.random(120)
    one = OffsetTuner(**asked).fit(proba, y, sample_weight=weights)
    other = OffsetTuner(**asked).fit(proba[order], y[order], sample_weight=weights[order])
    for mine, theirs in zip(outcome(one), outcome(other), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


@pytest.mark.parametrize(("estimate", "n_classes"), crossed(ESTIMATES, [4, 2]))
def test_the_order_of_classes_has_no_influence(estimate, n_classes):
    proba, y = draw(7, n_classes, n_samples=60)
    labels = np.unique(y)
    reverse = np.arange(n_classes)[::-1]
    one = OffsetTuner("f1_macro", estimate=estimate).fit(proba, y, classes=labels)
    other = OffsetTuner("f1_macro", estimate=estimate).fit(proba[:, reverse], y, classes=labels[reverse])
    np.testing.assert_allclose(other.offsets_, one.offsets_[reverse], atol=1e-6)
    assert (other.score_, *other.score_interval_) == pytest.approx((one.score_, *one.score_interval_))


@pytest.mark.parametrize("n_samples", [4500, 6000])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_order_of_two_classes_has_no_influence_where_samples_are_merged(n_samples, weighted, rng):
    """Of 4,500 samples those of training folds are not merged."""
    y = (rng.random(n_samples) < 0.1).astype(int)
    margins = rng.normal(size=n_samples) + 3 * y - 3
    proba = np.column_stack([1 / (1 + np.exp(margins)), 1 / (1 + np.exp(-margins))])
    weights = rng.exponential(size=n_samples) if weighted else None
    one = OffsetTuner("f1_macro").fit(proba, y, sample_weight=weights)
    other = OffsetTuner("f1_macro").fit(proba[:, ::-1], 1 - y, sample_weight=weights)
    np.testing.assert_allclose(other.offsets_, one.offsets_[::-1], atol=1e-9)
    assert (other.score_, *other.score_interval_) == pytest.approx((one.score_, *one.score_interval_), abs=1e-9)


@pytest.mark.parametrize("estimate", ["plugin", "empirical"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_whole_weights_are_repeated_samples(estimate, n_classes, rng):
    proba, y = draw(8, n_classes, n_samples=60)
    weights = rng.integers(0, 4, size=60)
    tuner = OffsetTuner("f1_macro", estimate=estimate, confidence_level=None)
    weighted = tuner.fit(proba, y, sample_weight=weights).offsets_
    repeated = tuner.fit(np.repeat(proba, weights, axis=0), np.repeat(y, weights)).offsets_
    np.testing.assert_allclose(weighted, repeated, atol=1e-9)


@pytest.mark.filterwarnings("ignore:The change of class priors")
def test_the_order_of_samples_without_labels_has_no_influence(rng):
    (proba, y), (unlabelled, _) = draw(9, n_samples=150), draw(10, n_samples=100)
    order, new_order = rng.permutation(150), rng.permutation(100)
    one = OffsetTuner("f1_macro").fit(proba, y).adapt_to(unlabelled)
    other = OffsetTuner("f1_macro").fit(proba[order], y[order]).adapt_to(unlabelled[new_order])
    np.testing.assert_array_equal(one.offsets_, other.offsets_)
    assert one.notes_ == other.notes_


@pytest.mark.parametrize(("objective", "estimate"), crossed(["f1_macro", "f1_micro", "f1_samples"], ESTIMATES))
def test_the_order_of_multilabel_samples_has_no_influence(objective, estimate, rng):
    log_odds = rng.normal(size=(80, 4))
    indicator = (log_odds + rng.normal(size=(80, 4)) > [0, 0.5, 1, 1.5]).astype(int)
    order = rng.permutation(80)
    asked = {"objective": objective, "estimate": estimate, "kind": "logits"}
    assert_equal(
        OffsetTuner(**asked).fit(log_odds, indicator), OffsetTuner(**asked).fit(log_odds[order], indicator[order])
    )


def test_ordering_is_the_same_in_every_library(xp):
    here = problem(4, n_samples=40, n_classes=4)
    there = in_namespace(here, xp)
    np.testing.assert_array_equal(there.class_order, here.class_order)
    np.testing.assert_array_equal(to_numpy(there.in_order().scores), here.in_order().scores)


@pytest.mark.parametrize("decimals", [None, 1])
def test_samples_and_classes_have_one_order(decimals, rng):
    """Classes of equal support, samples of equal margins: what they are decides."""
    here = problem(2, n_samples=30, n_classes=4, decimals=decimals)
    samples = rng.permutation(30)
    shuffled = here.take(samples)
    np.testing.assert_array_equal(shuffled.class_order, here.class_order)
    np.testing.assert_array_equal(shuffled.in_order().scores, here.in_order().scores)
    np.testing.assert_array_equal(shuffled.in_order().truth.codes, here.in_order().truth.codes)


def worst_recall(y_true, y_pred, *, sample_weight):
    """A function of which nothing but values is known."""
    right = (y_true == y_pred) * sample_weight
    return min(right[y_true == label].sum() / sample_weight[y_true == label].sum() for label in np.unique(y_true))


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize(
    "asked",
    [
        {"objective": worst_recall, "solver": Search(budget=60)},
        {"objective": worst_recall, "solver": Search("powell", budget=60), "estimate": "empirical"},
        {"objective": ImbalanceState("uniform", class_balanced=True)},
        {"objective": "f1_macro", "solver": "imbalance_state"},
        {"objective": "accuracy", "constraints": [AtLeast("recall", 0.4, label="bee", confidence=0.8)]},
    ],
    ids=["search", "powell", "state", "states", "constraint"],
)
@pytest.mark.filterwarnings("ignore:No offsets satisfy")
def test_the_order_of_classes_has_no_influence_whatever_the_goal(asked, n_classes):
    proba, y = draw(0, n_classes, n_samples=60)
    labels, order = np.unique(y), np.arange(n_classes)[::-1]
    one = OffsetTuner(**asked).fit(proba, y, classes=labels)
    other = OffsetTuner(**asked).fit(proba[:, order], y, classes=labels[order])
    np.testing.assert_allclose(other.offsets_, one.offsets_[order], atol=1e-6)
    assert (other.score_, *other.score_interval_) == pytest.approx((one.score_, *one.score_interval_), abs=1e-6)


@pytest.mark.parametrize("objective", ["f1_macro", "f1_micro", "f1_samples", ["f1", "accuracy", "f1", "accuracy"]])
def test_the_order_of_labels_has_no_influence(objective, rng):
    indicator = (rng.random((60, 4)) < [0.5, 0.3, 0.3, 0.15]).astype(int)
    proba = np.round(1 / (1 + np.exp(2 - 2 * indicator - rng.normal(size=(60, 4)))), 2)
    order = np.array([2, 1, 0, 3])
    one = OffsetTuner(objective).fit(proba, indicator)
    other = OffsetTuner(objective).fit(proba[:, order], indicator[:, order])
    np.testing.assert_allclose(other.offsets_, one.offsets_[order], atol=1e-9)
    np.testing.assert_allclose(other.offsets_interval_, one.offsets_interval_[:, order], atol=1e-9)
    assert (other.score_, *other.score_interval_) == pytest.approx((one.score_, *one.score_interval_), abs=1e-9)


def test_restarts_go_as_far_for_whole_weights_as_for_repeated_samples(rng):
    here = problem(3, n_samples=60, n_classes=4)
    weights = rng.integers(1, 9, size=60).astype(float)
    weighted = replace(here, truth=Truth.from_codes(here.truth.codes, n_classes=4, weights=weights))
    repeated = here.take(np.repeat(np.arange(60), weights.astype(int)))
    first, second = (next(_restarts(each, seed=0))[1] for each in (weighted, repeated))
    np.testing.assert_allclose(first, second, rtol=1e-9)
