"""Every metric equals its reference: a function of scikit-learn, or a few lines of NumPy where that has none."""

import warnings
from functools import partial

import numpy as np
import pytest
from sklearn import metrics as theirs

from skimbalance.metrics import Cost, FBeta
from skimbalance.metrics._functions import score_labels
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import METRICS

NAMES = np.array(["ant", "bee", "cat", "dog", "elk"])
MATRIX = np.random.default_rng(0).normal(size=(5, 5))


def averaged(name, function, averages=("macro", "micro", "weighted")):
    return {f"{name}_{average}": partial(function, average=average, zero_division=0.0) for average in averages}


def recalls(y_true, y_pred, sample_weight):
    """Recall of each class that occurs in `y_true`."""
    return np.array(
        [np.average(y_pred[y_true == c] == c, weights=sample_weight[y_true == c]) for c in np.unique(y_true)]
    )


def balanced_accuracy(y_true, y_pred, sample_weight):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
        return theirs.balanced_accuracy_score(y_true, y_pred, sample_weight=sample_weight)


def imbalance_degree(y_true, y_pred, sample_weight):
    classes = np.unique(y_true)
    prior = np.array([sample_weight[y_true == c].sum() for c in classes])
    worth = dict(zip(classes, np.log(prior) - np.log(prior).mean(), strict=True))
    flow = [
        np.average([worth.get(d, 0.0) for d in y_pred[y_true == c]], weights=sample_weight[y_true == c])
        for c in classes
    ]
    return np.mean(flow) / max(worth.values())


def false_positive_rate(y_true, y_pred, sample_weight, pos_label):
    others = y_true != pos_label
    return np.average(y_pred[others] == pos_label, weights=sample_weight[others]) if others.any() else 0.0


def predicted_share(y_true, y_pred, sample_weight, pos_label):
    labels = np.where(y_pred == pos_label, pos_label, "other")
    return 1 - theirs.zero_one_loss(np.full(len(y_true), pos_label), labels, sample_weight=sample_weight)


def cost(y_true, y_pred, sample_weight):
    codes = np.searchsorted(NAMES, y_true), np.searchsorted(NAMES, y_pred)
    return np.average(MATRIX[codes], weights=sample_weight)


OF_ALL_CLASSES = {
    "accuracy": theirs.accuracy_score,
    "balanced_accuracy": balanced_accuracy,
    "matthews_corrcoef": theirs.matthews_corrcoef,
    "cohen_kappa": theirs.cohen_kappa_score,
    "geometric_mean": lambda *args, **kwargs: np.prod(r := recalls(*args, **kwargs)) ** (1 / len(r)),
    "worst_recall": lambda *args, **kwargs: recalls(*args, **kwargs).min(),
    "imbalance_degree": imbalance_degree,
    **averaged("f1", theirs.f1_score),
    **averaged("jaccard", theirs.jaccard_score),
    **averaged("precision", theirs.precision_score),
    **averaged("recall", theirs.recall_score),
}
OF_ONE_CLASS = {
    "f1": partial(theirs.f1_score, zero_division=0.0),
    "jaccard": partial(theirs.jaccard_score, zero_division=0.0),
    "precision": partial(theirs.precision_score, zero_division=0.0),
    "recall": partial(theirs.recall_score, zero_division=0.0),
    "false_positive_rate": false_positive_rate,
    "predicted_share": predicted_share,
}
REFERENCES = {
    **{name: (METRICS[name], function) for name, function in OF_ALL_CLASSES.items()},
    **{
        name: (FBeta(beta, average=name.partition("_")[2]), partial(function, beta=beta))
        for beta in (0.5, 2.0)
        for name, function in averaged(f"f{beta:g}", theirs.fbeta_score).items()
    },
    "cost": (Cost(MATRIX), cost),
}


def test_every_metric_has_a_reference():
    assert set(METRICS) == set(OF_ALL_CLASSES) | set(OF_ONE_CLASS)


def draw(seed, n_classes, *, soft, weighted):
    """The truth, decisions, and the same data as hard labels with weights; some classes may be absent from either."""
    rng = np.random.default_rng(seed)
    prior = 0.4 ** np.arange(n_classes)
    codes, decisions = (rng.choice(n_classes, size=60, p=prior / prior.sum()) for _ in range(2))
    codes[:3] = [0, 0, 1]
    weights = rng.random(60) * rng.integers(0, 2, size=60) if weighted else None
    if weighted:
        weights[:3] = 1.0
    mass = np.ones(60) if weights is None else weights
    if not soft:
        truth = Truth.from_codes(codes, n_classes=n_classes, weights=weights)
        return truth, decisions, (NAMES[codes], NAMES[decisions], mass)
    shares = rng.dirichlet(np.ones(n_classes), size=60).T + 0.5 * np.eye(n_classes)[:, codes]
    if n_classes > 2:
        shares[n_classes - 1 - seed % 2] = 0.0
    shares = shares / shares.sum(axis=0)
    rows = np.repeat(NAMES[:n_classes], 60), np.tile(NAMES[decisions], n_classes), (shares * mass).ravel()
    return Truth.from_shares(shares, weights=weights), decisions, rows


def expected(function, rows, **options):
    """The reference on the samples that weigh something, which alone say which classes occur."""
    y_true, y_pred, weight = (each[rows[2] > 0] for each in rows)
    return function(y_true, y_pred, sample_weight=weight, **options)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("name", REFERENCES)
def test_metrics_of_all_classes(name, n_classes, soft, weighted):
    metric, function = REFERENCES[name]
    metric = metric.restricted(range(n_classes))
    for seed in range(20):
        truth, decisions, rows = draw(seed, n_classes, soft=soft, weighted=weighted)
        got = metric.value(truth.count(decisions, confusion=True))
        assert got == pytest.approx(expected(function, rows), abs=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("positive", [0, 1])
@pytest.mark.parametrize("name", OF_ONE_CLASS)
def test_metrics_of_one_class(name, positive, soft, weighted):
    for seed in range(50):
        truth, decisions, rows = draw(seed, 2, soft=soft, weighted=weighted)
        got = METRICS[name].bind(positive).value(truth.count(decisions))
        assert got == pytest.approx(expected(OF_ONE_CLASS[name], rows, pos_label=NAMES[positive]), abs=1e-12)


@pytest.mark.parametrize("name", OF_ALL_CLASSES)
def test_labels_of_any_type(name):
    for seed in range(10):
        _, _, rows = draw(seed, 4, soft=False, weighted=True)
        occurs = np.isin(rows[1], rows[0][rows[2] > 0]) & np.isin(rows[0], rows[0][rows[2] > 0])
        rows = tuple(each[occurs] for each in rows)
        got = score_labels(METRICS[name], rows[0], rows[1], sample_weight=rows[2])
        assert got == pytest.approx(expected(OF_ALL_CLASSES[name], rows), abs=1e-12)
