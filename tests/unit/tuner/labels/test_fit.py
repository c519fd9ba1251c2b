"""Offsets of several labels: what holds of every metric and every estimate."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import f1_score, precision_score, recall_score
from support.effort import crossed, exhaustive, seeds
from support.label_oracles import decided, drawn_problem
from support.labels import fit_multilabel

from skimbalance import OffsetTuner
from skimbalance.estimation._guarantees import certified_errors
from skimbalance.exceptions import FewRowsWarning, UnreachableGoalWarning
from skimbalance.goals import AtLeast
from skimbalance.metrics import Cost
from skimbalance.tuner.labels import LabelTruth, get_multilabel_metric, get_multilabel_metric_names
from skimbalance.tuner.labels._estimate import LabelCrossFit, predictive_values
from skimbalance.tuner.labels._problem import MultilabelProblem

METRICS = ("f1_macro", "f1_micro", "f1_samples", "jaccard_micro", "geometric_mean", "hamming")
ESTIMATES = ("robust", "empirical", "plugin")


@pytest.fixture
def problem(rng):
    return drawn_problem(rng, n_samples=300, n_labels=4)


@pytest.mark.parametrize(("name", "estimate"), crossed(get_multilabel_metric_names(), ESTIMATES))
def test_what_is_reported_is_reached(problem, name, estimate):
    log_odds, indicator = problem
    fit = fit_multilabel(log_odds, indicator, metric=name, estimate=estimate)
    metric = get_multilabel_metric(name, n_labels=4)
    assert fit.in_sample_score == metric.value(LabelTruth(indicator), decided(fit, log_odds))
    assert fit.untuned_score == metric.value(LabelTruth(indicator), log_odds > 0)
    low, high = fit.score_interval
    assert low <= fit.score <= high
    assert (fit.offsets_interval[0] <= fit.offsets).all()
    if estimate == "empirical":
        assert metric.merit(fit.in_sample_score) >= metric.merit(fit.untuned_score)
    assert fit.class_profile.held_out


@pytest.mark.parametrize("name", METRICS)
def test_weight_is_repetition(problem, name, rng):
    log_odds, indicator = problem
    times = rng.integers(0, 4, len(log_odds))
    how = {"metric": name, "estimate": "empirical", "confidence_level": None}
    weighted = fit_multilabel(log_odds, indicator, weights=times.astype(float), **how)
    repeated = fit_multilabel(np.repeat(log_odds, times, axis=0), np.repeat(indicator, times, axis=0), **how)
    np.testing.assert_allclose(weighted.offsets, repeated.offsets)
    assert weighted.in_sample_score == pytest.approx(repeated.in_sample_score)


@pytest.mark.parametrize(("name", "estimate"), crossed(METRICS, ESTIMATES))
def test_the_order_of_labels_is_of_no_account(problem, name, estimate, rng):
    if name == "f1_samples":
        pytest.skip("an ascent takes the labels in their order")
    log_odds, indicator = problem
    order = rng.permutation(4)
    plain = fit_multilabel(log_odds, indicator, metric=name, estimate=estimate)
    turned = fit_multilabel(log_odds[:, order], indicator[:, order], metric=name, estimate=estimate)
    np.testing.assert_allclose(turned.offsets, plain.offsets[order], atol=1e-9)
    assert turned.score == pytest.approx(plain.score)


@pytest.mark.parametrize("name", METRICS)
def test_threads_change_nothing(problem, name):
    log_odds, indicator = problem
    with ThreadPoolExecutor(3) as pool:
        threaded = fit_multilabel(
            log_odds, indicator, metric=name, run=lambda jobs: [f.result() for f in [pool.submit(j) for j in jobs]]
        )
    alone = fit_multilabel(log_odds, indicator, metric=name)
    assert (threaded.offsets == alone.offsets).all()
    assert threaded.score_interval == alone.score_interval


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_separate_labels_are_tuned_as_binary_problems(problem, estimate):
    log_odds, indicator = (part[:, :3] for part in problem)  # more are drawn together
    tuner = OffsetTuner("f1", kind="logits", estimate=estimate)
    fit = fit_multilabel(log_odds, indicator, metric="f1_macro", estimate=estimate, seed=tuner._seed())
    for j in range(3):
        tuner.fit(log_odds[:, j], indicator[:, j])
        assert fit.offsets[j] == pytest.approx(tuner.offsets_[1] - tuner.offsets_[0])


@pytest.mark.parametrize("name", METRICS)
def test_labels_of_all_samples_or_none_keep_zero(rng, name):
    log_odds, indicator = drawn_problem(rng, n_samples=200, n_labels=4, empty=True, full=True)
    fit = fit_multilabel(log_odds, indicator, metric=name, labels=["none", "b", "c", "all"])
    assert fit.offsets[0] == fit.offsets[3] == 0
    assert (fit.offsets_interval[:, [0, 3]] == 0).all()
    assert any("No sample carries" in note and "none" in note for note in fit.notes)
    assert any("Every sample carries" in note and "all" in note for note in fit.notes)


@pytest.mark.parametrize("name", METRICS)
def test_nothing_to_tune_at_all(name):
    fit = fit_multilabel(np.ones((5, 2)), np.zeros((5, 2)), metric=name)
    assert (fit.offsets == 0).all()


@pytest.mark.parametrize("name", METRICS)
def test_labels_with_few_samples_issue_a_warning(rng, name):
    log_odds, indicator = drawn_problem(rng, n_samples=100, n_labels=3)
    indicator[:, 1] = False
    indicator[:3, 1] = True
    with pytest.warns(FewRowsWarning, match="'b' has 3"):
        fit = fit_multilabel(log_odds, indicator, metric=name, labels=["a", "b", "c"])
    assert np.isfinite(fit.offsets).all()
    assert 0 <= fit.score <= 1


def test_sparse_is_dense(problem):
    log_odds, indicator = problem
    dense = fit_multilabel(log_odds, indicator, metric="f1_micro")
    assert (fit_multilabel(log_odds, sparse.csr_array(indicator), metric="f1_micro").offsets == dense.offsets).all()


def test_no_folds_no_score(problem):
    fit = fit_multilabel(*problem, metric="f1_micro", estimate="plugin", confidence_level=None)
    assert fit.score is fit.score_interval is fit.offsets_interval is None
    assert not fit.class_profile.held_out


@pytest.mark.parametrize(("name", "estimate"), crossed(METRICS, ["empirical", "robust"]))
def test_lower_bounds_for_one_label_and_for_all(problem, name, estimate):
    log_odds, indicator = problem
    labels = ["a", "b", "c", "d"]
    bounds = [AtLeast("recall", 0.6), AtLeast("precision", 0.7, label="c")]
    fit = fit_multilabel(log_odds, indicator, metric=name, estimate=estimate, constraints=bounds, labels=labels)
    found = decided(fit, log_odds)
    slack = 0 if estimate == "empirical" else 0.1
    assert recall_score(indicator, found, average=None).min() >= 0.6 - slack
    assert precision_score(indicator[:, 2], found[:, 2]) >= 0.7 - slack
    assert sum("Constraint recall" in note for note in fit.notes) == 4
    assert sum("Constraint precision of 'c'" in note for note in fit.notes) == 1


def test_a_lower_bound_with_confidence_is_raised(problem):
    log_odds, indicator = problem
    recalls = []
    for confidence in (None, 0.95):
        bound = AtLeast("recall", 0.8, confidence=confidence)
        fit = fit_multilabel(log_odds, indicator, metric="f1_micro", constraints=[bound], estimate="empirical")
        recalls.append(recall_score(indicator, decided(fit, log_odds), average=None))
    errors = np.rint((1 - recalls[1]) * indicator.sum(axis=0)).astype(int)
    certified = [certified_errors(n, 0.8, 0.05) for n in indicator.sum(axis=0)]
    assert (errors < certified).all()
    raised = (1 - recalls[0]) * indicator.sum(axis=0) > np.array(certified) - 0.5
    assert raised.sum() >= 3
    assert (recalls[1] > recalls[0])[raised].all()
    assert [each.holds for each in fit.guarantees] == [True] * 4


@pytest.mark.parametrize("name", ["f1_macro", "f1_micro", "f1_samples"])
def test_lower_bounds_that_cannot_be_satisfied(problem, name):
    log_odds, indicator = problem
    bounds = [AtLeast("recall", 0.99, label=1), AtLeast("precision", 0.99, label=1)]
    with pytest.warns(UnreachableGoalWarning, match="No offset of label 1 satisfies"):
        fit = fit_multilabel(log_odds, indicator, metric=name, constraints=bounds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tuner = OffsetTuner(
            "f1",
            kind="logits",
            estimate="empirical",
            constraints=[AtLeast("recall", 0.99), AtLeast("precision", 0.99)],
        ).fit(log_odds[:, 1], indicator[:, 1])
    assert (decided(fit, log_odds)[:, 1] == tuner.predict(log_odds[:, 1])).all()


def test_constraints_are_of_labels_not_of_averages(problem):
    with pytest.raises(ValueError, match="Name 'recall' instead"):
        fit_multilabel(*problem, metric="f1_micro", constraints=[AtLeast("recall_macro", 0.5)])


def test_costs_of_each_label(problem):
    log_odds, indicator = problem
    costs = [Cost([[0, 1], [price, 0]]) for price in (1, 1, 1, 20)]
    fit = fit_multilabel(log_odds, indicator, metric=costs, estimate="empirical")
    alike = fit_multilabel(log_odds, indicator, metric=costs[0], estimate="empirical")
    assert (fit.offsets[:3] == alike.offsets[:3]).all()
    assert fit.offsets[3] > alike.offsets[3]


def test_intervals_cover_the_score_on_unseen_data():
    """Over many draws the interval covers the score on unseen data about as often as its level."""
    rng = np.random.default_rng(3)
    held = {"f1_macro": 0, "f1_micro": 0}
    for _ in seeds(30, quick=10):
        shift = np.array([0.0, 1.0, 2.0])
        odds = rng.normal(size=(1400, 3)) * 1.5 - shift
        indicator = rng.random(odds.shape) < 1 / (1 + np.exp(-odds))
        for name in held:
            fit = fit_multilabel(odds[:400], indicator[:400], metric=name, estimate="empirical")
            average = name.removeprefix("f1_")
            low, high = fit.score_interval
            held[name] += low <= f1_score(indicator[400:800], decided(fit, odds[400:800]), average=average) <= high
    assert min(held.values()) >= (23 if exhaustive else 7)


@pytest.mark.parametrize("name", METRICS)
def test_weights_count_in_scores_and_intervals(problem, name, rng):
    log_odds, indicator = problem
    weights = rng.uniform(0.5, 2, len(log_odds))
    fit = fit_multilabel(log_odds, indicator, metric=name, weights=weights)
    alike = fit_multilabel(log_odds, indicator, metric=name, weights=7 * weights)
    np.testing.assert_allclose(alike.offsets, fit.offsets, atol=1e-6)
    np.testing.assert_allclose(alike.score_interval, fit.score_interval, atol=1e-6)
    low, high = fit.score_interval
    assert low <= fit.score <= high


@pytest.mark.parametrize("name", ["f1_macro", "f1_micro", "f1_samples"])
def test_offsets_that_lose_are_scaled(name):
    """The log-odds are right already, and samples are few: the offsets gain nothing on unseen data."""
    strengths = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        indicator = rng.random((60, 3)) < 0.5
        log_odds = 1.5 * rng.normal(size=(60, 3)) + 2 * indicator - 1
        fit = fit_multilabel(log_odds, indicator, metric=name)
        strengths.append(fit.shrinkage_factor.min())
        assert (fit.shrinkage_factor.min() < 1) == any("were scaled" in note for note in fit.notes)
    assert 0 <= min(strengths) < 1
    assert max(strengths) == 1


def test_what_is_kept_of_labels_together_loses_less_than_a_standard_error():
    none, kept_whole, reduced = np.zeros((1, 3)), 0, 0
    every = np.zeros(60, dtype=np.int64)
    for seed in (14, 33, 43, 47):
        rng = np.random.default_rng(seed)
        indicator = rng.random((60, 3)) < 0.5
        log_odds = 1.5 * rng.normal(size=(60, 3)) + 2 * indicator - 1
        metric = get_multilabel_metric("f1_samples", n_labels=3)
        setting = MultilabelProblem(log_odds, LabelTruth(indicator), metric, ((),) * 3)
        offsets = rng.normal(size=(1, 3))

        def gain_in_errors(share, setting=setting, offsets=offsets):
            decided = [LabelCrossFit(setting, every, each, 0).decisions() for each in (share * offsets, none)]
            drawn = [after - before for after, before in predictive_values(setting, *decided, seed=0)]
            gain = setting.value(decided[0]) - setting.value(decided[1])
            return gain / np.std(drawn) if gain else 0.0

        crossed = LabelCrossFit(setting, every, offsets, 0)
        shrinkage_factor, share = crossed.shrinkage_factor(), 1 + gain_in_errors(1.0)
        assert 0 < shrinkage_factor <= share < 1
        assert gain_in_errors(shrinkage_factor) > -1
        kept_whole += shrinkage_factor == pytest.approx(share)
        if shrinkage_factor < 0.99 * share:
            reduced += 1
            assert gain_in_errors(share) <= -1
    assert kept_whole > 0
    assert reduced > 0


def test_constraints_are_checked(problem):
    with pytest.raises(TypeError, match="constraints must hold AtLeast"):
        fit_multilabel(*problem, metric="f1_micro", constraints=["recall"])
    with pytest.raises(ValueError, match="is not a class"):
        fit_multilabel(
            *problem, metric="f1_micro", constraints=[AtLeast("recall", 0.5, label="z")], labels=list("abcd")
        )


def test_the_values_of_the_first_constraints_are_noted(rng):
    log_odds, indicator = drawn_problem(rng, n_samples=200, n_labels=25)
    fit = fit_multilabel(
        log_odds, indicator, metric="f1_macro", estimate="empirical", constraints=[AtLeast("recall", 0.1)]
    )
    assert fit.notes[-1] == "And 5 more of the kind."


@pytest.mark.parametrize("name", ["f1_macro", "f1_micro"])
def test_real_labels_on_unseen_data(data_folder, name):
    """Chest X-rays, either half to tune on: better on the other half than one half as the threshold."""
    with np.load(data_folder / "deep_chestxray14_binary7.npz", allow_pickle=True) as data:
        log_odds, indicator = data["logits"].astype(np.float64), data["y"].astype(bool)
        halves = data["cal_idx"], data["test_idx"]
    metric, gains = get_multilabel_metric(name, n_labels=7), []
    for tuned, test in (halves, halves[::-1]):
        fit = fit_multilabel(log_odds[tuned], indicator[tuned], metric=name)
        before, after = (
            metric.value(LabelTruth(indicator[test]), log_odds[test] + offsets > 0) for offsets in (0, fit.offsets)
        )
        gains.append(after - before)
    assert np.mean(gains) > 0.01
