"""Metrics of several labels agree with scikit-learn's on indicators."""

import numpy as np
import pytest
from sklearn import metrics as sk
from support.label_oracles import drawn_problem

from skimbalance.metrics import Cost, FBeta
from skimbalance.tuner.labels import LabelTruth, SamplesMean, get_multilabel_metric, get_multilabel_metric_names

AVERAGES = ("macro", "micro", "weighted", "samples")
RATIOS = {"f1": sk.f1_score, "jaccard": sk.jaccard_score, "precision": sk.precision_score, "recall": sk.recall_score}
OF_ONE_LABEL = {
    "balanced_accuracy": sk.balanced_accuracy_score,
    "matthews_corrcoef": sk.matthews_corrcoef,
    "cohen_kappa": sk.cohen_kappa_score,
}


@pytest.fixture(params=["plain", "one label is empty", "one is always there", "no decision"])
def decisions(request, rng):
    log_odds, indicator = drawn_problem(
        rng, n_samples=40, n_labels=4, empty="empty" in request.param, full="always" in request.param
    )
    indicator[:5] = False
    return indicator, (log_odds > (np.inf if request.param == "no decision" else 0.5))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("stem", RATIOS)
def test_ratios_are_those_of_sklearn(decisions, stem, average, weighted, rng):
    indicator, decided = decisions
    weights = rng.random(len(indicator)) if weighted else None
    metric = get_multilabel_metric(f"{stem}_{average}", n_labels=4)
    expected = RATIOS[stem](indicator, decided, average=average, sample_weight=weights, zero_division=0)
    assert metric.value(LabelTruth(indicator, weights), decided) == pytest.approx(expected, abs=1e-12)
    assert metric.name == f"{stem}_{average}"


@pytest.mark.parametrize("name", OF_ONE_LABEL)
def test_other_metrics_are_means_over_labels(name, rng):
    log_odds, indicator = drawn_problem(rng, n_samples=40, n_labels=3)
    decided = log_odds > 0.5
    expected = np.mean([OF_ONE_LABEL[name](*pair) for pair in zip(indicator.T, decided.T, strict=True)])
    assert get_multilabel_metric(name, n_labels=3).value(LabelTruth(indicator), decided) == pytest.approx(expected)


def test_hamming_is_one_minus_the_loss(decisions):
    indicator, decided = decisions
    value = get_multilabel_metric("hamming", n_labels=4).value(LabelTruth(indicator), decided)
    assert value == pytest.approx(1 - sk.hamming_loss(indicator, decided))


def test_zero_division_of_samples(decisions):
    indicator, decided = decisions
    value = SamplesMean(FBeta(), zero_division=1.0).value(LabelTruth(indicator), decided)
    assert value == pytest.approx(sk.f1_score(indicator, decided, average="samples", zero_division=1.0))


def test_beta_and_costs(decisions):
    indicator, decided = decisions
    value = get_multilabel_metric(FBeta(2.0, average="micro"), n_labels=4).value(LabelTruth(indicator), decided)
    assert value == pytest.approx(sk.fbeta_score(indicator, decided, beta=2.0, average="micro", zero_division=0))
    costs = [Cost([[0, 1], [k + 1, 0]]) for k in range(4)]
    false, missed = (~indicator & decided).mean(axis=0), (indicator & ~decided).mean(axis=0)
    each = false + np.arange(1, 5) * missed
    metric = get_multilabel_metric(costs, n_labels=4)
    assert metric.value(LabelTruth(indicator), decided) == pytest.approx(np.mean(each))
    assert metric.merit(2.0) == -2.0


def test_every_name_has_a_metric(rng):
    log_odds, indicator = drawn_problem(rng, n_samples=40, n_labels=3)
    for name in get_multilabel_metric_names():
        metric = get_multilabel_metric(name, n_labels=3)
        low, high = metric.bounds
        assert low <= metric.value(LabelTruth(indicator), log_odds > 0) <= high
        assert metric.name == name


@pytest.mark.parametrize(
    ("objective", "says"),
    [
        ("f1", "needs an average over labels, such as 'f1_macro'"),
        ("accuracy", "Use 'hamming'"),
        ("imbalance_degree", "not defined for multilabel targets"),
        ("roc_auc", "judges scores"),
        ([FBeta()], "a metric for each of 3 labels"),
        (Cost(np.ones((3, 3))), "one row and column for each of 2 classes"),
    ],
)
def test_what_is_no_metric_of_labels(objective, says):
    with pytest.raises(ValueError, match=says):
        get_multilabel_metric(objective, n_labels=3)
