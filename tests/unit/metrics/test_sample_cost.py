"""Costs that differ between samples, from the line search to the tuner."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from support.effort import seeds
from support.oracles import between, decisions_of_three
from support.problems import labels, log_proba, problem

from skimbalance import OffsetTuner
from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision import decide
from skimbalance.estimation._calibration import calibrated_shares
from skimbalance.estimation._condense import condensed
from skimbalance.estimation._cross_fit import cross_fit, folds_along
from skimbalance.estimation._draws import posterior_predictive
from skimbalance.estimation.spec import FitSpec
from skimbalance.goals import AtLeast, AtMost
from skimbalance.metrics import Cost
from skimbalance.metrics._cost import SampleCost
from skimbalance.metrics.counts import Truth
from skimbalance.solvers import Problem, solve, sweep_objective
from skimbalance.solvers._neighbourhood import around

ESTIMATES = ("robust", "empirical", "plugin")
EXACT = {"estimate": "empirical", "confidence_level": None, "kind": "logits"}
pytestmark = [
    pytest.mark.usefixtures("few_restarts"),
    pytest.mark.filterwarnings("ignore::skimbalance.exceptions.FewRowsWarning"),
]


def draw(seed, n_classes=2, n_samples=60, decimals=None):
    """Logits, codes, costs of each sample, and weights in quarters."""
    rng = np.random.default_rng(seed)
    y = labels(rng, n_samples, n_classes)
    logits = log_proba(rng, y, n_classes, decimals=decimals)
    costs = rng.exponential(size=(n_samples, n_classes, n_classes)) * rng.lognormal(0, 1, (n_samples, 1, 1))
    costs[:, range(n_classes), range(n_classes)] = -rng.random((n_samples, n_classes))
    return logits, y, costs, rng.integers(1, 5, size=n_samples) / 4


def paid(costs, y, decisions, weights=None):
    """The mean cost of decisions, sample by sample."""
    every = [costs[i, y[i], decisions[i]] for i in range(len(y))]
    return np.average(every, weights=weights)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_binary_problems_have_the_lowest_cost_of_all_cuts(weighted, dtype):
    for seed in seeds(60, quick=20):
        logits, y, costs, weights = draw(seed, decimals=seed % 3 or None)
        logits, weights = logits.astype(dtype), weights if weighted else None
        tuner = OffsetTuner(Cost(), **EXACT).fit(logits, y, sample_weight=weights, cost_matrix=costs)
        margins = logits[:, 0] - logits[:, 1]
        least = min(paid(costs, y, (margins < cut).astype(int), weights) for cut in between(margins))
        assert tuner.in_sample_score_ == pytest.approx(least, abs=1e-9)
        assert tuner.in_sample_score_ == pytest.approx(paid(costs, y, tuner.predict(logits), weights))
        assert tuner.untuned_score_ == pytest.approx(paid(costs, y, (margins <= 0).astype(int), weights))


def test_three_classes_come_near_to_the_lowest_cost():
    lost = []
    for seed in seeds(10, quick=4):
        logits, y, costs, weights = draw(seed, 3, n_samples=12)
        tuner = OffsetTuner(Cost(), **EXACT).fit(logits, y, sample_weight=weights, cost_matrix=costs)
        every = [paid(costs, y, decisions, weights) for decisions in decisions_of_three(logits)]
        lost.append((tuner.in_sample_score_ - min(every)) / (max(every) - min(every)))
        assert lost[-1] > -1e-9
    assert np.mean(lost) < 0.02


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_sweeps_agree_with_a_recount(soft, weighted):
    for seed in seeds(20, quick=6):
        setting = problem(seed, n_classes=4, n_samples=30, metric="accuracy", weighted=weighted, soft=soft)
        rng = np.random.default_rng(seed)
        costs = rng.normal(size=(30, 4, 4))
        setting = replace(
            setting, truth=replace(setting.truth, cost_matrix=costs), metric=SampleCost(costs.min(), costs.max())
        )
        shares = getattr(setting.truth, "shares", None)
        shares = np.eye(4)[setting.truth.codes].T if shares is None else shares
        mass = np.ones(30) if setting.truth.weights is None else setting.truth.weights
        start = rng.normal(size=4)
        place = around(setting, start)
        sweeps = place.sorted_sweeps(np.arange(4))
        along = sweep_objective(sweeps, setting, setting.count(place.first))
        for k in range(4):
            for step, margin in enumerate(sweeps.margins.values[k]):
                decisions = decide(setting.scores, np.where(np.arange(4) == k, margin - 1e-9, start))
                expected = sum(
                    mass[i] * shares[c, i] * costs[i, c, decisions[i]] for i in range(30) for c in range(4)
                ) / (mass @ shares.sum(axis=0))
                assert -along[k, step] == pytest.approx(expected)
        found = solve(setting, restarts=False)
        assert found.objective_value >= setting.objective_value(np.zeros(4))
        assert found.objective_value == pytest.approx(setting.objective_value(found.offsets))


@pytest.mark.parametrize("estimate", ESTIMATES)
@pytest.mark.parametrize("n_classes", [2, 3, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_same_costs_for_all_samples_are_those_of_a_matrix(estimate, n_classes, weighted):
    logits, y, _, weights = draw(1, n_classes, n_samples=200)
    matrix = np.random.default_rng(0).random((n_classes, n_classes)) * 5
    options = {"kind": "logits", "estimate": estimate}
    weights = weights if weighted else None
    one = OffsetTuner(Cost(matrix), **options).fit(logits, y, sample_weight=weights)
    every = np.tile(matrix, (200, 1, 1))
    other = OffsetTuner(Cost(), **options).fit(logits, y, sample_weight=weights, cost_matrix=every)
    for name in ("offsets_", "score_", "score_interval_", "offsets_interval_", "in_sample_score_", "untuned_score_"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), atol=1e-12)
    np.testing.assert_array_equal(other.class_profile_.recall_after, one.class_profile_.recall_after)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_weight_of_two_is_a_sample_twice(n_classes):
    logits, y, costs, _ = draw(2, n_classes)
    times = np.random.default_rng(0).integers(0, 3, size=len(y))
    times[:n_classes] = 1
    weighted = OffsetTuner(Cost(), **EXACT).fit(logits, y, sample_weight=times, cost_matrix=costs)
    samples = np.repeat(np.arange(len(y)), times)
    repeated = OffsetTuner(Cost(), **EXACT).fit(logits[samples], y[samples], cost_matrix=costs[samples])
    assert repeated.in_sample_score_ == pytest.approx(weighted.in_sample_score_, abs=1e-12)


@pytest.mark.parametrize("estimate", ESTIMATES)
@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_order_of_classes_and_samples_has_no_influence(estimate, n_classes):
    logits, y, costs, weights = draw(3, n_classes, n_samples=150)
    tuner = OffsetTuner(Cost(), kind="logits", estimate=estimate)
    before = (
        tuner.fit(logits, y, sample_weight=weights, cost_matrix=costs).offsets_,
        tuner.score_,
        tuner.score_interval_,
    )
    rng = np.random.default_rng(0)
    order, samples = rng.permutation(n_classes), rng.permutation(150)
    moved = costs[samples][:, order][:, :, order]
    tuner.fit(
        logits[samples][:, order], np.argsort(order)[y[samples]], sample_weight=weights[samples], cost_matrix=moved
    )
    np.testing.assert_allclose(tuner.offsets_, before[0][order], atol=1e-6)
    np.testing.assert_allclose([tuner.score_, *tuner.score_interval_], [before[1], *before[2]], atol=1e-6)


def test_labels_of_any_type_and_columns_by_name():
    pd = pytest.importorskip("pandas")
    logits, y, costs, _ = draw(4, 3)
    names = np.array(["ant", "bee", "cat"])
    expected = OffsetTuner(Cost(), **EXACT).fit(logits, y, cost_matrix=costs).offsets_
    table = pd.DataFrame(logits, columns=names)[["cat", "ant", "bee"]]
    tuner = OffsetTuner(Cost(), **EXACT).fit(table, names[y], cost_matrix=costs)
    np.testing.assert_allclose(tuner.offsets_, expected)


def test_the_plug_in_has_the_lowest_cost_expected_under_calibrated_probabilities():
    for seed in seeds(10, quick=4):
        logits, y, costs, weights = draw(seed, n_samples=100)
        truth = Truth.from_codes(y, n_classes=2, weights=weights)
        shares = calibrated_shares(condensed(Problem(logits, truth, Cost(np.eye(2)))))
        margins = logits[:, 0] - logits[:, 1]

        def expected(decisions, shares=shares, costs=costs, weights=weights):
            each = [shares[:, i] @ costs[i, :, decisions[i]] for i in range(100)]
            return np.average(each, weights=weights)

        tuner = OffsetTuner(Cost(), kind="logits", estimate="plugin", confidence_level=None)
        tuner.fit(logits, y, sample_weight=weights, cost_matrix=costs)
        least = min(expected((margins < cut).astype(int)) for cut in between(margins))
        assert expected(tuner.predict(logits)) == pytest.approx(least, abs=1e-6)


def costed(logits, y, costs, weights=None):
    truth = Truth.from_codes(y, n_classes=logits.shape[1], weights=weights, cost_matrix=costs)
    return Problem(logits, truth, SampleCost(costs.min(), costs.max()))


def test_the_score_is_the_mean_cost_in_validation_folds():
    logits, y, costs, weights = draw(5, 3, n_samples=120)
    setting = costed(logits, y, costs, weights)
    crossed = cross_fit(setting, partial(solve, restarts=False), FitSpec(), folds_along(setting, seed=0))
    decisions = crossed.decisions()
    score, (low, high) = crossed.score(decisions, level=0.9)
    assert score == pytest.approx(paid(costs, y, decisions, weights))
    assert low < score < high
    for fold, offsets in enumerate(crossed.offsets):
        held = crossed.fold_of == fold
        np.testing.assert_array_equal(decisions[held], (logits[held] + offsets).argmax(axis=1))


@pytest.mark.parametrize("anew", [False, True])
def test_draws_vary_as_the_mean_cost_of_samples_does(anew):
    rng = np.random.default_rng(0)
    y, decisions = rng.integers(0, 2, size=(2, 1000))
    costs = rng.lognormal(0, 1, size=(1000, 2, 2))
    each = costs[np.arange(1000), y, decisions]
    truth = Truth.from_codes(y, n_classes=2, cost_matrix=costs)
    metric, order = SampleCost(0.0, costs.max()), np.arange(2)
    options = {"class_order": order, "confusion": False, "seed": 0, "tail": 0.005, "anew": anew}
    drawn = posterior_predictive(y, None, [decisions], costs=truth.costs, **options)
    drawn = np.concatenate([metric.values(counts) for (counts,) in drawn])
    error = each.std() / np.sqrt(1000) * (np.sqrt(2) if anew else 1)
    assert np.mean(drawn) == pytest.approx(each.mean(), rel=0.02)
    assert np.std(drawn) == pytest.approx(error, rel=0.1)


def test_constraints_hold_beside_costs():
    logits, y, costs, _ = draw(6, n_samples=300)
    for estimate in ESTIMATES:
        bounds = [AtMost("predicted_share", 0.2), AtLeast("recall", 0.2)]
        tuner = OffsetTuner(Cost(), constraints=bounds, estimate=estimate, kind="logits", confidence_level=None)
        decisions = tuner.fit(logits, y, cost_matrix=costs).predict(logits)
        assert decisions.mean() <= 0.2
        assert (decisions[y == 1] == 1).mean() >= 0.15
        assert tuner.in_sample_score_ == pytest.approx(paid(costs, y, decisions))


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_any_array_library(xp, estimate):
    logits, y, costs, weights = draw(7, 3)
    options = {"kind": "logits", "estimate": estimate, "confidence_level": None}
    here = OffsetTuner(Cost(), **options).fit(logits, y, sample_weight=weights, cost_matrix=costs)
    there = OffsetTuner(Cost(), **options).fit(
        xp.asarray(logits), y, sample_weight=xp.asarray(weights), cost_matrix=xp.asarray(costs)
    )
    np.testing.assert_allclose(to_numpy(there.offsets_), here.offsets_, atol=1e-6)


def test_predictions_with_costs_are_in_the_library_of_the_scores(xp):
    logits, y, costs, _ = draw(7, 3)
    options = {"kind": "logits", "estimate": "empirical", "confidence_level": None}
    here = OffsetTuner(Cost(), **options).fit(logits, y, cost_matrix=costs).predict(logits, cost_matrix=costs)
    given, each = xp.asarray(logits), xp.asarray(costs)
    there = OffsetTuner(Cost(), **options).fit(given, y, cost_matrix=each).predict(given, cost_matrix=each)
    assert type(there) is type(given)
    np.testing.assert_array_equal(to_numpy(there), here)


def test_a_class_without_samples():
    logits, y, costs, _ = draw(8, 4, n_samples=100)
    kept = y != 2
    tuner = OffsetTuner(Cost(), kind="logits").fit(logits[kept], y[kept], classes=range(4), cost_matrix=costs[kept])
    assert tuner.in_sample_score_ == pytest.approx(paid(costs[kept], y[kept], tuner.predict(logits[kept])))


def test_groups_and_another_class_prior():
    logits, y, costs, _ = draw(9, n_samples=200)
    tuner = OffsetTuner(Cost(), kind="logits", class_prior=[0.5, 0.5])
    tuner.fit(logits, y, groups=np.arange(200) // 4, cost_matrix=costs)
    weights = 0.5 / np.bincount(y)[y]
    assert tuner.in_sample_score_ == pytest.approx(paid(costs, y, tuner.predict(logits), weights))
    adapted = tuner.adapt_to(np.concatenate([logits[y == 1]] * 3))
    assert adapted.in_sample_score_ != tuner.in_sample_score_


def test_a_sample_of_many_costs_is_kept(monkeypatch):
    from skimbalance.estimation import spec

    monkeypatch.setattr(spec, "_CELLS", 200)
    logits, y, costs, _ = draw(10, n_samples=400)
    tuner = OffsetTuner(Cost(), **EXACT).fit(logits, y, cost_matrix=costs)
    kept = tuner._kept
    assert len(kept.codes) < 250
    for row, scores in zip(kept.cost_matrix, kept.scores, strict=True):
        i = np.flatnonzero((logits == scores).all(axis=1))[0]
        np.testing.assert_array_equal(row, costs[i])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cost_matrix": None}, r"Cost\(\) has no matrix: pass Cost\(matrix\), or cost_matrix to fit"),
        ({"objective": "f1"}, r"cost_matrix is for the objective Cost\(\), .*; got objective='f1'"),
        ({"objective": Cost([[0, 1], [1, 0]])}, r"cost_matrix is for the objective Cost\(\)"),
        ({"cost_matrix": np.zeros((60, 2))}, r"cost_matrix must have shape \(60, 2, 2\).*; got \(60, 2\)"),
        ({"cost_matrix": np.zeros((59, 2, 2))}, r"cost_matrix must have shape \(60, 2, 2\)"),
        ({"cost_matrix": np.full((60, 2, 2), np.nan)}, "cost_matrix must be finite"),
        ({"cost_matrix": np.full((60, 2, 2), 1e300)}, "cost_matrix must hold numbers of at most"),
        ({"cost_matrix": np.full((60, 2, 2), "a")}, "cost_matrix must hold real numbers"),
        ({"cost_matrix": np.ma.masked_all((60, 2, 2))}, "cost_matrix"),
        ({"solver": "powell"}, "solver='powell' does not take cost_matrix"),
        ({"solver": "imbalance_state"}, "solver='imbalance_state' does not take cost_matrix"),
    ],
)
def test_errors(change, message):
    logits, y, costs, _ = draw(0)
    change = dict(change)
    costs = change.pop("cost_matrix", costs)
    with pytest.raises(ValueError, match=message):
        OffsetTuner(**{"objective": Cost(), "kind": "logits", **change}).fit(logits, y, cost_matrix=costs)


def test_errors_of_other_targets():
    logits, y, costs, _ = draw(0)
    indicator = np.stack([y, 1 - y, y], axis=1)
    with pytest.raises(ValueError, match="cost_matrix is for binary and multiclass scores in memory; got a multilabel"):
        OffsetTuner(Cost(), kind="logits").fit(logits[:, [0, 1, 0]], indicator, cost_matrix=costs)
    with pytest.raises(ValueError, match=r"Cost\(\) has no matrix"):
        OffsetTuner(Cost(), kind="logits").fit(logits[:, [0, 1, 0]], indicator)
    with pytest.raises(ValueError, match="constraints need a metric without cost_matrix"):
        AtMost(Cost(), 1.0)
    with pytest.raises(ValueError, match="are for the parameter cost_matrix of fit"):
        Cost(costs)
    da = pytest.importorskip("dask.array")
    with pytest.raises(ValueError, match="cost_matrix is for binary and multiclass scores in memory; got a Dask array"):
        OffsetTuner(Cost(), kind="logits").fit(da.from_array(logits), da.from_array(y), cost_matrix=costs)


@pytest.mark.parametrize("weighted", [False, True])
def test_merged_samples_cost_what_their_samples_do(weighted):
    rng = np.random.default_rng(0)
    n = 20_000
    y = (rng.random(n) < 0.2).astype(np.int64)
    logits = np.stack([np.zeros(n), rng.normal(size=n) + 2 * y - 2], axis=1)
    costs = rng.lognormal(size=(n, 2, 2))
    weights = rng.integers(1, 5, size=n) / 4 if weighted else None
    setting = costed(logits, y, costs, weights)
    few = condensed(setting).problem
    assert few.scores.shape[0] < 17_000
    shares = np.array([[0.75], [0.25]])
    for cut in (-3.0, -1.0, 0.0, 2.0):
        offsets = np.array([0.0, cut])
        assert few.objective_value(offsets) == pytest.approx(setting.objective_value(offsets), rel=2e-3)
        soft = [
            each.with_truth(each.truth.softened(np.repeat(shares, each.scores.shape[0], axis=1)))
            for each in (setting, few)
        ]
        assert soft[1].objective_value(offsets) == pytest.approx(soft[0].objective_value(offsets), rel=2e-3)
    total = 1.0 if weights is None else weights[:, None, None]
    merged = few.truth.weights[:, None, None] * few.truth.cost_matrix
    np.testing.assert_allclose(merged.sum(axis=0), (total * costs).sum(axis=0))
