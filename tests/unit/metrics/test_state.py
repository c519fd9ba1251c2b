"""The imbalance state, the degree of probabilities and against a reference prior, and the scorers of both."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.svm import LinearSVC

from skimbalance._core.array_api import to_numpy
from skimbalance.metrics import imbalance_degree_score, imbalance_state
from skimbalance.scorers import imbalance_degree_scorer, imbalance_state_scorer

seeds = st.integers(0, 10_000)


def drawn(seed, n_classes=3, n_samples=60):
    rng = np.random.default_rng(seed)
    prior = 0.4 ** np.arange(n_classes)
    y = np.concatenate([np.arange(n_classes), rng.choice(n_classes, size=n_samples - n_classes, p=prior / prior.sum())])
    return rng.dirichlet(np.ones(n_classes), size=n_samples), y, rng.random(n_samples)


def test_the_state_is_the_weighted_mean():
    proba, _, weights = drawn(0)
    np.testing.assert_allclose(imbalance_state(proba), proba.mean(axis=0), atol=1e-15)
    got = imbalance_state(proba, sample_weight=weights)
    np.testing.assert_allclose(got, np.average(proba, axis=0, weights=weights), atol=1e-15)


def test_class_balanced_is_the_mean_of_the_means_of_the_classes():
    proba, y, weights = drawn(1)
    means = [np.average(proba[y == k], axis=0, weights=weights[y == k]) for k in range(3)]
    got = imbalance_state(proba, y=y, class_balanced=True, sample_weight=weights)
    np.testing.assert_allclose(got, np.mean(means, axis=0), atol=1e-14)


def test_binary_probabilities_as_a_vector():
    proba, y, _ = drawn(2, 2)
    for options in ({}, {"y": y, "class_balanced": True}):
        np.testing.assert_allclose(
            imbalance_state(proba[:, 1], **options), imbalance_state(proba, **options), atol=1e-14
        )


def test_classes_without_samples_are_left_out_of_the_mean():
    proba, y, _ = drawn(3)
    kept = y != 2
    got = imbalance_state(proba[kept], y=y[kept], classes=[0, 1, 2], class_balanced=True)
    expected = (proba[y == 0].mean(axis=0) + proba[y == 1].mean(axis=0)) / 2
    np.testing.assert_allclose(got, expected, atol=1e-14)
    weighed = imbalance_state(proba, y=y, class_balanced=True, sample_weight=kept.astype(float))
    np.testing.assert_allclose(weighed, expected, atol=1e-14)


def test_classes_name_the_columns():
    proba, y, _ = drawn(4)
    names = np.array(["c", "a", "b"])
    got = imbalance_state(proba, y=names[y], classes=names, class_balanced=True)
    np.testing.assert_allclose(got, imbalance_state(proba, y=y, class_balanced=True), atol=1e-15)


def test_the_state_of_hard_labels_is_their_share():
    _, y, _ = drawn(5)
    np.testing.assert_allclose(imbalance_state(np.eye(3)[y]), np.bincount(y) / len(y))


@settings(deadline=None, max_examples=30)
@given(seeds, st.integers(2, 5), st.booleans())
def test_a_weight_is_a_repetition(seed, n_classes, balanced):
    proba, y, _ = drawn(seed, n_classes)
    times = np.random.default_rng(seed).integers(1, 4, size=len(y))
    one = imbalance_state(proba, y=y, class_balanced=balanced, sample_weight=times)
    other = imbalance_state(np.repeat(proba, times, axis=0), y=np.repeat(y, times), class_balanced=balanced)
    np.testing.assert_allclose(other, one, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_state_lives_where_the_probabilities_live(xp, dtype):
    proba, y, weights = drawn(6)
    here = xp.asarray(proba, dtype=getattr(xp, dtype))
    for options in ({}, {"class_balanced": True, "y": xp.asarray(y)}):
        got = imbalance_state(here, sample_weight=xp.asarray(weights), **options)
        assert type(got) is type(here)
        assert got.dtype == xp.float64
        options = {name: to_numpy(option) if name == "y" else option for name, option in options.items()}
        expected = imbalance_state(proba, sample_weight=weights, **options)
        np.testing.assert_allclose(to_numpy(got), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"proba": [[2.0, -1.0]]}, r"proba must hold probabilities in \[0, 1\]; values range from -1 to 2"),
        ({"proba": [[0.2, 0.2]]}, "as probabilities, proba takes samples that sum to one; sample 0 of proba gives 0.4"),
        ({"proba": [[np.nan, 0.2]]}, "proba must hold probabilities"),
        ({"proba": [["a", "b"]]}, "proba must be numeric"),
        ({"proba": [[1.0], [1.0]]}, r"proba must have shape \(n, K\)"),
        ({"proba": np.zeros((0, 2))}, "at least one sample"),
        ({"proba": [[0.5, 0.5], [1.0]]}, "proba must be a rectangular array"),
        ({"class_balanced": True}, "class_balanced=True needs y, the true labels; got None"),
        ({"class_balanced": True, "y": [0, 1, 2]}, r"proba has 2 columns but y holds 3 labels.*pass classes="),
        ({"class_balanced": True, "y": [0, 0, 0]}, "y must hold at least two distinct labels"),
        ({"class_balanced": True, "y": [0, 1]}, "proba has 3, y has 2"),
        ({"class_balanced": True, "y": [0, 1, 5], "classes": [0, 1]}, r"y holds \[5\], which is none of \[0, 1\]"),
        ({"class_balanced": True, "y": [0, 1, 1], "classes": [0, 0]}, "classes must hold at least two distinct labels"),
        ({"class_balanced": True, "y": [0, 1, 1], "classes": [0, 1, 2]}, "proba has 2 columns but classes are 3"),
        ({"class_balanced": True, "y": [0, 1, np.nan]}, "y must not contain missing values"),
        ({"class_balanced": True, "y": [[0, 1, 1]]}, r"y must have shape \(n,\)"),
        ({"class_balanced": True, "y": np.array([0, "a", 1], dtype=object)}, "y must hold labels of one type"),
        ({"sample_weight": [1, -1, 0]}, "sample_weight must not be negative"),
        ({"sample_weight": [0, 0, 0]}, "sample_weight must be positive somewhere"),
        ({"sample_weight": [1, 1]}, r"sample_weight must have shape \(3,\)"),
    ],
)
def test_what_comes_in_is_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        imbalance_state(**{"proba": [[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]], **arguments})


def test_a_soft_degree_of_hard_labels_is_the_hard_one():
    for seed in range(20):
        _, y, weights = drawn(seed)
        pred = np.random.default_rng(seed).integers(0, 3, size=len(y))
        hard = imbalance_degree_score(y, pred, sample_weight=weights)
        assert imbalance_degree_score(y, np.eye(3)[pred], soft=True, sample_weight=weights) == pytest.approx(hard)
        assert imbalance_degree_score(y, pred, labels=[0, 1, 2], sample_weight=weights) == pytest.approx(hard)


def test_the_soft_degree_is_its_formula():
    for seed in range(20):
        proba, y, weights = drawn(seed, 4)
        flow = imbalance_state(proba, y=y, class_balanced=True, sample_weight=weights)
        log_prior = np.log(np.bincount(y, weights) / weights.sum())
        expected = (flow - 1 / 4) @ log_prior / (log_prior.max() - log_prior.mean())
        assert imbalance_degree_score(y, proba, soft=True, sample_weight=weights) == pytest.approx(expected, abs=1e-12)


def test_the_binary_soft_degree_is_the_difference_of_mean_probabilities():
    proba, y, _ = drawn(7, 2)
    margin = proba[y == 0, 0].mean() - proba[y == 1, 1].mean()
    assert imbalance_degree_score(y, proba[:, 1], soft=True) == pytest.approx(margin)


def test_a_reference_prior_takes_the_place_of_the_shares():
    y, pred = [0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 2]
    with pytest.raises(ValueError, match="undefined where all classes are equally frequent"):
        imbalance_degree_score(y, pred)
    log_prior = np.log([0.6, 0.3, 0.1])
    expected = (np.array([3, 2, 1]) / 6 - 1 / 3) @ log_prior / (log_prior.max() - log_prior.mean())
    assert imbalance_degree_score(y, pred, prior=[0.6, 0.3, 0.1]) == pytest.approx(expected)
    assert imbalance_degree_score(y, pred, prior=[60, 30, 10]) == pytest.approx(expected)
    assert imbalance_degree_score(y, pred, prior=[0.1, 0.6, 0.3], labels=[2, 0, 1]) == pytest.approx(expected)
    assert imbalance_degree_score(y, np.eye(3)[pred], soft=True, prior=[0.6, 0.3, 0.1]) == pytest.approx(expected)


def test_the_shares_of_the_truth_are_a_reference_prior():
    _, y, _ = drawn(8)
    pred = np.roll(y, 3)
    assert imbalance_degree_score(y, pred, prior=np.bincount(y)) == pytest.approx(imbalance_degree_score(y, pred))


def test_the_ends_of_the_range():
    y = np.repeat([0, 1, 2], [40, 40, 1])
    worth = np.log([40, 40, 1]) - np.log([40, 40, 1]).mean()
    assert imbalance_degree_score(y, np.zeros_like(y), prior=[40, 40, 1]) == pytest.approx(1)
    least = imbalance_degree_score(y, np.full_like(y, 2))
    assert least == pytest.approx(worth.min() / worth.max())
    assert least == pytest.approx(-(3 - 1))
    assert imbalance_degree_score([0, 0, 1], [1, 1, 1]) == pytest.approx(-1)


def test_the_degree_falls_along_minus_tau_log_prior():
    rng = np.random.default_rng(9)
    y = np.repeat([0, 1, 2], [60, 30, 10])
    scores = rng.normal(size=(100, 3)) + np.log([6, 3, 1]) + np.eye(3)[y]
    degrees = []
    for tau in np.linspace(-1, 3, 20):
        proba = np.exp(scores - tau * np.log([6, 3, 1]))
        degrees.append(imbalance_degree_score(y, proba / proba.sum(axis=1, keepdims=True), soft=True))
    assert (np.diff(degrees) < 0).all()
    assert degrees[0] > 0 > degrees[-1]


@pytest.mark.parametrize("soft", [False, True])
def test_the_degree_takes_every_array_library(xp, soft):
    proba, y, _ = drawn(10)
    pred = proba if soft else proba.argmax(axis=1)
    got = imbalance_degree_score(xp.asarray(y), xp.asarray(pred), soft=soft, prior=xp.asarray([6.0, 3.0, 1.0]))
    assert got == pytest.approx(imbalance_degree_score(y, pred, soft=soft, prior=[6, 3, 1]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"soft": True}, r"y_pred must hold probabilities in \[0, 1\]; values range from 0 to 2"),
        (
            {"soft": True, "y_pred": np.full((4, 2), 0.5)},
            "y_pred has 2 columns but y_true holds 3.*pass labels=",
        ),
        ({"soft": True, "y_pred": np.full((3, 3), 1 / 3)}, "y_true has 4, y_pred has 3"),
        ({"labels": [0, 1]}, r"y_true holds \[2\], which is none of \[0, 1\]"),
        ({"labels": [0, 1, 2], "y_pred": [0, 0, 0, 7]}, r"y_pred holds \[7\]"),
        ({"labels": [0, 1, 2, 3]}, "y_true lacks samples of some of labels; pass prior="),
        ({"prior": [0.5, 0.5]}, "prior must be 3 numbers, one for each class"),
        ({"prior": [0.5, 0.5, 0]}, "prior must be positive for each class; got 0"),
        ({"prior": [1, 1, 1]}, "undefined where all classes are equally frequent"),
        ({"y_true": [1, 1, 1, 1], "prior": [1, 2]}, "y_true must hold at least two distinct labels"),
    ],
)
def test_what_the_degree_takes_is_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        imbalance_degree_score(**{"y_true": [0, 0, 1, 2], "y_pred": [0, 0, 2, 2], **arguments})


@pytest.fixture(scope="module")
def data():
    return make_classification(600, weights=[0.85], class_sep=0.5, random_state=0)


def test_the_degree_scorer_prefers_the_degree_nearest_to_zero(data):
    grid = {"class_weight": [{0: 1, 1: w} for w in (0.2, 1, 6, 40)]}
    search = GridSearchCV(LogisticRegression(), grid, scoring=imbalance_degree_scorer).fit(*data)
    assert search.best_params_ == {"class_weight": {0: 1, 1: 6}}
    assert search.best_score_ < 0
    model = search.best_estimator_
    assert imbalance_degree_scorer(model, *data) == -abs(imbalance_degree_score(data[1], model.predict(data[0])))


def test_the_scorers_in_cross_validate(data):
    X, y = data
    names = np.array(["ham", "spam"])
    result = cross_validate(LogisticRegression(), X, names[y], scoring=imbalance_state_scorer, error_score="raise")
    states = np.stack([result["test_state_ham"], result["test_state_spam"]])
    np.testing.assert_allclose(states.sum(axis=0), 1)
    np.testing.assert_allclose(states.mean(axis=1), np.bincount(y) / len(y), atol=0.03)
    both = {"degree": imbalance_degree_scorer, "f1": "f1"}
    assert (cross_validate(LogisticRegression(), X, y, scoring=both, error_score="raise")["test_degree"] < 0).all()


def test_the_degree_scorer_takes_weights(data):
    X, y = data
    weights = np.random.default_rng(0).random(len(y))
    with config_context(enable_metadata_routing=True):
        scorer = imbalance_degree_scorer.set_score_request(sample_weight=True)
        model = LogisticRegression().set_fit_request(sample_weight=False)
        got = cross_validate(model, X, y, scoring=scorer, params={"sample_weight": weights}, error_score="raise")
        scorer.set_score_request(sample_weight=None)
    assert not np.allclose(
        got["test_score"], cross_validate(model, X, y, scoring=imbalance_degree_scorer)["test_score"]
    )


def test_a_state_needs_probabilities(data):
    with pytest.raises(ValueError, match="LinearSVC has no method predict_proba"):
        imbalance_state_scorer(LinearSVC().fit(*data), *data)
