"""Every metric that scikit-learn has too gives scikit-learn's value."""

from functools import partial

import numpy as np
import pytest
from sklearn import metrics as theirs

from skimbalance.metrics import Cost, FBeta
from skimbalance.metrics._functions import score_labels
from skimbalance.metrics.registry import METRICS

ZERO = {"zero_division": 0.0}


def averaged(name, function):
    return {
        f"{name}_{average}": partial(function, average=average, **ZERO) for average in ("macro", "micro", "weighted")
    }


MULTICLASS = {
    "accuracy": theirs.accuracy_score,
    "balanced_accuracy": theirs.balanced_accuracy_score,
    "matthews_corrcoef": theirs.matthews_corrcoef,
    "cohen_kappa": theirs.cohen_kappa_score,
    **averaged("f1", theirs.f1_score),
    **averaged("jaccard", theirs.jaccard_score),
    **averaged("precision", theirs.precision_score),
    **averaged("recall", theirs.recall_score),
}
TWO_CLASSES = {
    "f1": theirs.f1_score,
    "jaccard": theirs.jaccard_score,
    "precision": theirs.precision_score,
    "recall": theirs.recall_score,
}
OURS_ALONE = {"geometric_mean", "worst_recall", "false_positive_rate", "imbalance_degree"}


def draw(seed, n_classes):
    """Labels of truth and prediction; some classes may be absent from either."""
    rng = np.random.default_rng(seed)
    prior = 0.4 ** np.arange(n_classes)
    prior /= prior.sum()
    names = np.array(["ant", "bee", "cat", "dog", "elk"])[:n_classes]
    truth, prediction = (names[rng.choice(n_classes, size=60, p=prior)] for _ in range(2))
    truth[:2] = names[:2]
    return truth, prediction, rng.random(60) * rng.integers(0, 2, size=60)


def test_every_metric_is_compared_or_ours_alone():
    assert set(METRICS) == set(MULTICLASS) | set(TWO_CLASSES) | OURS_ALONE


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("name", sorted(MULTICLASS))
def test_multiclass_metrics(name, n_classes, weighted):
    for seed in range(25):
        truth, prediction, weights = draw(seed, n_classes)
        if name == "balanced_accuracy":  # scikit-learn warns where a predicted class has no rows
            prediction = np.where(np.isin(prediction, truth), prediction, truth)
        weight = weights if weighted else None
        if weighted:
            occurs = np.isin(truth, truth[weights > 0])
            truth, prediction, weight = truth[occurs], prediction[occurs], weight[occurs]
            known = np.isin(prediction, truth)
            truth, prediction, weight = truth[known], prediction[known], weight[known]
        expected = MULTICLASS[name](truth, prediction, sample_weight=weight)
        got = score_labels(METRICS[name], truth, prediction, sample_weight=weight)
        assert got == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("pos_label", ["ant", "bee"])
@pytest.mark.parametrize("name", sorted(TWO_CLASSES))
def test_two_class_metrics(name, pos_label, weighted):
    for seed in range(50):
        truth, prediction, weights = draw(seed, 2)
        weight = weights if weighted else None
        expected = TWO_CLASSES[name](truth, prediction, pos_label=pos_label, sample_weight=weight, **ZERO)
        got = score_labels(METRICS[name], truth, prediction, pos_label=pos_label, sample_weight=weight)
        assert got == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("beta", [0.5, 2.0])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_f_beta(beta, average):
    for seed in range(25):
        truth, prediction, _ = draw(seed, 4)
        expected = theirs.fbeta_score(truth, prediction, beta=beta, average=average, **ZERO)
        assert score_labels(FBeta(beta, average=average), truth, prediction) == pytest.approx(expected, abs=1e-12)


def test_cost_is_the_mean_over_the_confusion_matrix():
    for seed in range(25):
        truth, prediction, weights = draw(seed, 3)
        matrix = np.random.default_rng(seed).normal(size=(3, 3))
        classes = np.union1d(truth, prediction)
        matrix = matrix[: len(classes), : len(classes)]
        confusion = theirs.confusion_matrix(truth, prediction, sample_weight=weights)
        got = score_labels(Cost(matrix), truth, prediction, sample_weight=weights)
        assert got == pytest.approx((confusion * matrix).sum() / weights.sum(), abs=1e-12)
