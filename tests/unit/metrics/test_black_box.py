"""Metrics of which values alone are known: what the function is given, and what is made of its answer."""

import pickle
from functools import partial

import numpy as np
import pytest
from sklearn.metrics import (
    balanced_accuracy_score,
    cohen_kappa_score,
    f1_score,
    get_scorer,
    jaccard_score,
    make_scorer,
    matthews_corrcoef,
    zero_one_loss,
)

from skimbalance.metrics import FBeta
from skimbalance.metrics.black_box import BlackBox
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import METRICS
from skimbalance.tuner.checks import resolve_metric

NAMES = np.array(["ant", "bee", "cat", "dog"])
TWINS = {
    "f1_macro": partial(f1_score, average="macro", zero_division=0),
    "f1_weighted": partial(f1_score, average="weighted", zero_division=0),
    "balanced_accuracy": balanced_accuracy_score,
    "cohen_kappa": cohen_kappa_score,
    "matthews_corrcoef": matthews_corrcoef,
    "jaccard_macro": partial(jaccard_score, average="macro", zero_division=0),
}
"""Functions of scikit-learn, and our metric of the same value."""


def share_right(y_true, y_pred):
    return np.mean(y_true == y_pred)


def takes_anything(y_true, y_pred, **options):
    return np.average(y_true == y_pred, weights=options["sample_weight"])


def one_vector(y_true):
    return float(len(y_true))


def three_vectors(estimator, X, y_true):
    return float(len(X)) + float(len(y_true)) + estimator


class Always:
    """A metric that is always the same."""

    def __init__(self, answer):
        self.answer = answer

    def __call__(self, y_true, y_pred):
        return self.answer


def draw(seed, *, n_classes=4, n_samples=80):
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(n_classes), rng.integers(n_classes, size=n_samples)])
    decided = np.where(rng.random(len(truth)) < 0.6, truth, rng.integers(n_classes, size=len(truth)))
    return truth, decided, rng.random(len(truth))


def counts_of(truth, decided, weights=None, *, n_classes=4):
    return Truth.from_codes(truth, n_classes=n_classes, weights=weights).count(decided, confusion=True)


@pytest.mark.parametrize("name", sorted(TWINS))
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("labels", [NAMES, np.array([7, 3, 11, -1]), None])
def test_values_equal_those_of_our_metric_and_of_all_samples(name, weighted, labels):
    for seed in range(10):
        truth, decided, weights = draw(seed)
        weights = weights if weighted else None
        counts = counts_of(truth, decided, weights)
        metric = BlackBox(TWINS[name], labels=None if labels is None else tuple(labels))
        spelt = np.arange(4) if labels is None else labels
        assert metric.value(counts) == pytest.approx(METRICS[name].value(counts), abs=1e-12)
        assert metric.value(counts) == pytest.approx(
            TWINS[name](spelt[truth], spelt[decided], sample_weight=weights), abs=1e-12
        )


def test_soft_labels_are_fractional_cells():
    truth, decided, weights = draw(0)
    soft = Truth.from_shares(np.random.default_rng(0).dirichlet(np.ones(4), size=len(truth)).T, weights=weights)
    counts = soft.count(decided, confusion=True)
    assert BlackBox(cohen_kappa_score).value(counts) == pytest.approx(METRICS["cohen_kappa"].value(counts))


def test_one_sample_for_each_cell_with_labels_of_their_own_type():
    seen = []

    def spy(y_true, y_pred, *, sample_weight):
        seen.append((y_true, y_pred, sample_weight))
        return 0.0

    truth, decided, weights = draw(0)
    resolve_metric(spy, NAMES, None).value(counts_of(truth, decided, weights))
    (y_true, y_pred, mass) = seen[0]
    assert len(y_true) == len(y_pred) == len(mass) == len(set(zip(truth.tolist(), decided.tolist(), strict=True)))
    assert y_true.dtype == y_pred.dtype == NAMES.dtype
    assert mass.sum() == pytest.approx(weights.sum())


class TestWithoutWeights:
    """A function that takes no sample_weight."""

    def test_samples_are_repeated(self):
        truth, decided, _ = draw(1)
        times = np.random.default_rng(0).integers(1, 4, size=len(truth))
        counts = counts_of(truth, decided, times.astype(float))
        expected = share_right(np.repeat(truth, times), np.repeat(decided, times))
        assert BlackBox(share_right).value(counts) == pytest.approx(expected)

    def test_fractional_weights_are_refused(self):
        with pytest.raises(ValueError, match=r"'share_right' takes no weights, .* let it accept sample_weight"):
            BlackBox(share_right).value(counts_of(*draw(0)))

    def test_who_takes_weights(self):
        assert not BlackBox(share_right).takes_weights
        assert BlackBox(takes_anything).takes_weights
        assert BlackBox(partial(f1_score, average="macro")).takes_weights
        assert METRICS["accuracy"].takes_weights


class TestScorers:
    """Scorers from `make_scorer`."""

    def test_the_sign_is_the_scorers(self):
        metric = resolve_metric(make_scorer(zero_one_loss, greater_is_better=False), NAMES, None)
        counts = counts_of(*draw(0)[:2])
        assert metric.value(counts) == pytest.approx(METRICS["accuracy"].value(counts) - 1)
        assert metric.name == "neg_zero_one_loss"

    def test_options_are_passed_on(self):
        truth, decided, weights = draw(0, n_classes=2)
        metric = resolve_metric(make_scorer(f1_score, pos_label="ant"), NAMES[:2], None)
        expected = f1_score(NAMES[truth], NAMES[decided], pos_label="ant", sample_weight=weights)
        assert metric.value(counts_of(truth, decided, weights, n_classes=2)) == pytest.approx(expected)
        assert metric.name == "f1_score"

    @pytest.mark.parametrize("response", ["predict_proba", "decision_function", ("decision_function", "predict_proba")])
    def test_scorers_of_scores_are_refused(self, response):
        with pytest.raises(ValueError, match="judges scores, not decisions"):
            resolve_metric(make_scorer(f1_score, response_method=response), NAMES, None)
        with pytest.raises(ValueError, match="judges scores, not decisions"):
            resolve_metric(get_scorer("roc_auc"), NAMES, None)

    def test_names_are_still_ours(self):
        with pytest.raises(ValueError, match="is not a known metric"):
            resolve_metric("neg_max_error", NAMES, None)


@pytest.mark.parametrize("function", [dict, len, FBeta, one_vector, three_vectors])
def test_what_is_no_function_of_two_label_vectors_is_refused(function):
    with pytest.raises(ValueError, match="objective must be a metric or its name"):
        BlackBox(function)


def test_answers_must_be_numbers():
    with pytest.raises(ValueError, match="must return a number; got 'high'"):
        BlackBox(Always("high")).value(counts_of(*draw(0)[:2]))


@pytest.mark.parametrize("value", [-1e300, -1e9, -1e7, -2e6, -1e6, -5.0, 0.0, 1e6, 1e300])
def test_objective_values_keep_the_order_above_a_lower_bound(value):
    counts = counts_of(*draw(0)[:2])
    here, above = (BlackBox(Always(v)).objective_value(counts) for v in (value, value + max(1.0, 1e-3 * abs(value))))
    floor = BlackBox(share_right).worst_objective_value(4)
    assert floor <= here <= above
    assert here < above or value == -1e300
    for nothing in (np.nan, -np.inf):
        assert BlackBox(Always(nothing)).objective_value(counts) == floor


def test_classes_left_out_leave_their_labels():
    metric = BlackBox(share_right, labels=tuple(NAMES))
    assert metric.restricted([0, 2]).labels == ("ant", "cat")
    assert BlackBox(share_right).restricted([0, 2]).labels == (0, 2)


def test_it_is_a_value_and_can_be_pickled():
    metric = resolve_metric(make_scorer(share_right), NAMES, None)
    again = pickle.loads(pickle.dumps(metric))
    counts = counts_of(*draw(0)[:2])
    assert again.value(counts) == metric.value(counts)
    assert BlackBox(share_right, labels=(1, 2)) == BlackBox(share_right, labels=(1, 2))
    assert hash(BlackBox(share_right)) == hash(BlackBox(share_right))
