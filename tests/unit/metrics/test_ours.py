"""Metrics that scikit-learn lacks, zero divisions, and the names."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import get_scorer, get_scorer_names, recall_score

from skimbalance.metrics import (
    Cost,
    FBeta,
    geometric_mean_score,
    get_metric_names,
    imbalance_degree_score,
)
from skimbalance.metrics.counts import Counts, Truth
from skimbalance.metrics.registry import METRICS, get_metric


def draw(seed, n_classes=4):
    rng = np.random.default_rng(seed)
    prior = 0.5 ** np.arange(n_classes)
    truth = np.concatenate([np.arange(n_classes), rng.choice(n_classes, size=80, p=prior / prior.sum())])
    prediction = np.where(rng.random(len(truth)) < 0.6, truth, rng.integers(0, n_classes, size=len(truth)))
    return truth, prediction, rng.random(len(truth))


def test_geometric_mean_is_not_a_mean_of_two_class_geometric_means():
    truth, prediction = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 0]
    assert geometric_mean_score(truth, prediction) == 0.0
    assert geometric_mean_score(truth[:5], prediction[:5]) == pytest.approx(np.sqrt(2 / 3))


def test_binary_imbalance_degree_is_the_difference_of_recalls():
    truth, prediction, _ = draw(3, 2)
    frequent, rare = recall_score(truth, prediction, average=None)
    assert imbalance_degree_score(truth, prediction) == pytest.approx(frequent - rare)


def test_imbalance_degree_is_one_if_all_go_to_the_majority_class():
    truth, _, _ = draw(0)
    assert imbalance_degree_score(truth, np.zeros_like(truth)) == pytest.approx(1.0)


def test_imbalance_degree_needs_an_imbalance():
    with pytest.raises(ValueError, match="imbalance_degree is undefined where all classes are equally frequent"):
        imbalance_degree_score([0, 1], [0, 1])


@pytest.mark.parametrize("name", sorted(METRICS))
def test_nothing_predicted_right_divides_by_nothing(name):
    counts = Counts(np.zeros(2), np.array([5.0, 0.0]), np.array([1.0, 4.0]), np.array([[1.0, 0.0], [4.0, 0.0]]))
    assert np.isfinite(METRICS[name].bind(1).value(counts))


@pytest.mark.parametrize("name", sorted(METRICS))
def test_metrics_are_values(name):
    metric = METRICS[name]
    assert metric.name == name
    assert metric == dataclasses.replace(metric)
    assert hash(metric) == hash(dataclasses.replace(metric))


@pytest.mark.parametrize("name", sorted(name for name in METRICS if not METRICS[name].ignores_truth))
def test_more_is_better_in_the_rank(name):
    """All right is never worse than one class for all, and better than one of the two."""
    metric = METRICS[name].bind(1)
    truth = Truth.from_codes(np.array([0, 0, 0, 1]), n_classes=2)
    right = metric.objective_value(truth.count(np.array([0, 0, 0, 1]), confusion=True))
    constant = [metric.objective_value(truth.count(np.full(4, k), confusion=True)) for k in (0, 1)]
    assert right >= max(constant)
    assert right > min(constant)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_soft_labels_that_are_hard_count_the_same(name):
    truth, prediction, weights = draw(1)
    metric = METRICS[name].bind(3)
    hard = Truth.from_codes(truth, n_classes=4, weights=weights).count(prediction, confusion=True)
    soft = Truth.from_shares(np.eye(4)[:, truth], weights=weights).count(prediction, confusion=True)
    assert metric.value(soft) == pytest.approx(metric.value(hard), abs=1e-12)


@pytest.mark.parametrize("name", ["roc_auc", "roc_auc_ovr", "average_precision", "neg_log_loss", "neg_brier_score"])
def test_threshold_free_scorers_are_refused(name):
    with pytest.raises(ValueError, match="judges scores, not decisions"):
        get_metric(name)


def test_every_scorer_of_probabilities_is_refused_with_the_reason():
    for name in get_scorer_names():
        if "predict_proba" in str(get_scorer(name)._response_method) or name.startswith(("roc", "average_p", "top_k")):
            with pytest.raises(ValueError, match="judges scores"):
                get_metric(name)


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"objective='f1_makro' is not a known metric; did you mean 'f1_macro'"):
        get_metric("f1_makro")
    with pytest.raises(ValueError, match=r"get_metric_names\(\) lists all"):
        get_metric("xyzzy")
    with pytest.raises(TypeError, match="objective must be the name of a metric"):
        get_metric(3)


def test_names():
    assert get_metric_names() == sorted(METRICS)
    assert FBeta(2).name == "f2"
    assert FBeta(0.5, average="weighted").name == "f0.5_weighted"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FBeta(0), "beta must be a positive finite number; got 0"),
        (lambda: FBeta(np.inf), "beta must be"),
        (lambda: FBeta("2"), "beta must be a positive finite number; got '2'"),
        (lambda: Cost("abc"), "matrix must hold real numbers"),
        (lambda: Cost([[0, 1j], [1, 0]]), "matrix must hold real numbers"),
        (lambda: FBeta(1, average="samples"), "average must be one of 'binary', 'macro', 'weighted', 'micro'"),
        (lambda: Cost([1, 2]), r"matrix must be square, \(K, K\); got shape \(2,\)"),
        (lambda: Cost([[0, np.nan], [1, 0]]), "matrix must be finite"),
        (lambda: Cost([[0, 1], [1, 0]]).check(3), "one row and column for each of 3 classes; got 2"),
    ],
)
def test_parameters_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        ([0, 1], ["a", "b"], "labels of the same type"),
        ([0, 1, 1], ["0", "1", "1"], "labels of the same type"),
        ([0, np.nan], [0, 1], "y_true must not contain missing values"),
        ([0, 1], [[0, 1], [1, 0]], r"y_pred must have shape \(n,\)"),
    ],
)
def test_labels_are_checked(y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        geometric_mean_score(y_true, y_pred)


def test_a_label_is_not_a_parameter():
    with pytest.raises(TypeError):
        FBeta(1.0, label=0)


def test_lengths_are_checked():
    with pytest.raises(ValueError, match="y_true has 2, y_pred has 3"):
        geometric_mean_score([0, 1], [0, 1, 1])
