"""Constraints in the line search: satisfied if offsets can satisfy them, with the best objective among those."""

from dataclasses import replace

import numpy as np
import pytest
from support.ascents import solved_up_to
from support.effort import exhaustive, seeds
from support.oracles import between, decisions_of_three
from support.problems import in_namespace, problem

from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision import decide
from skimbalance.metrics import Cost
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import Problem, _coordinate_ascent, _near, reachable, solve

pytestmark = pytest.mark.no_cover  # what these cover others do too, and tracing doubles their time

PARTS = (
    "recall",
    "precision",
    "balanced_accuracy",
    "accuracy",
    "worst_recall",
    "false_positive_rate",
    "predicted_share",
    "f1",
)


def required(rng, n_classes):
    """One to three bounds on random metrics, some of one class."""
    drawn = []
    for _ in range(rng.integers(1, 4)):
        name = PARTS[rng.integers(len(PARTS))]
        metric = METRICS[name].bind(int(rng.integers(n_classes)))
        bound = float(rng.choice([0.2, 0.5, 0.7, 0.9]))
        low, high = [(bound, np.inf), (-np.inf, bound), (bound - 0.05, bound + 0.05)][rng.integers(3)]
        drawn.append(BoundConstraint(metric, low=low, high=high))
    return tuple(drawn)


def lowest_met(setting):
    """A lower bound of the objective values that satisfy the constraints."""
    return setting.metric.worst_objective_value(setting.n_classes)


@pytest.mark.parametrize("objective", ["f1", "precision", "accuracy", "geometric_mean", "matthews_corrcoef"])
@pytest.mark.parametrize("soft", [False, True])
def test_binary_problems_are_exact(objective, soft):
    met, tried = 0, seeds(100, quick=30)
    for seed in tried:
        rng = np.random.default_rng(seed)
        drawn = problem(
            seed, n_classes=2, n_samples=8 + seed % 20, metric=objective, decimals=seed % 3 or None, soft=soft
        )
        setting = replace(drawn, requirements=required(rng, 2))
        margins = setting.scores[:, 0] - setting.scores[:, 1]
        best = max(
            setting.objective_value_of(setting.count((margins < cut).astype(np.int64))) for cut in between(margins)
        )
        assert solve(setting).objective_value == pytest.approx(best, abs=1e-9)
        met += best >= lowest_met(setting)
    assert 0.1 * len(tried) < met < len(tried)


def test_three_classes_satisfy_achievable_constraints():
    met, shares = 0, []
    for seed in seeds(200, quick=16):
        name = ("f1_macro", "accuracy", "geometric_mean", "precision_macro")[seed % 4]
        drawn = problem(seed, n_samples=8 + seed % 6, metric=name, decimals=1 if seed % 2 else None)
        setting = replace(drawn, requirements=required(np.random.default_rng(seed), 3))
        best = max(setting.objective_value_of(setting.count(d)) for d in decisions_of_three(setting.scores))
        found = solved_up_to(best, setting).objective_value
        if best >= lowest_met(setting):
            met += 1
            assert found >= lowest_met(setting)
        shares.append(found >= best - 1e-9)
    assert met > 0.3 * len(shares)
    assert np.mean(shares) >= 0.95


@pytest.mark.usefixtures("few_restarts")
def test_what_is_reported_is_what_is_achieved():
    for seed in seeds(30, quick=3):
        drawn = problem(seed, n_samples=60, n_classes=4)
        setting = replace(drawn, requirements=required(np.random.default_rng(seed), 4))
        solution = solve(setting)
        assert solution.objective_value == setting.objective_value_of(
            setting.count(decide(setting.scores, solution.offsets))
        )


def test_a_smaller_violation_is_better_and_none_is_best():
    setting = replace(problem(0), requirements=(BoundConstraint(METRICS["accuracy"], low=0.9),))
    truth = to_numpy(setting.truth.codes).astype(np.int64)
    objective_values = []
    for n_wrong in (0, 1, 5, 10):
        decided = truth.copy()
        decided[:n_wrong] = (decided[:n_wrong] + 1) % 3
        objective_values.append(setting.objective_value_of(setting.count(decided)))
    assert objective_values[0] > objective_values[1] >= lowest_met(setting) > objective_values[2] > objective_values[3]


@pytest.mark.parametrize("objective", ["f1", "accuracy", "geometric_mean"])
def test_of_equal_violations_the_best_objective_is_chosen(objective):
    tied = 0
    for seed in seeds(800, quick=240):
        drawn = problem(seed, n_classes=2, n_samples=14, metric=objective, decimals=1)
        setting = replace(drawn, requirements=(BoundConstraint(METRICS["precision"].bind(1), low=0.95),))
        margins = setting.scores[:, 0] - setting.scores[:, 1]
        each = [setting.count((margins < cut).astype(np.int64)) for cut in between(margins)]
        least = min(map(setting.missed, each))
        values = [setting.metric.value(counts) for counts in each if setting.missed(counts) <= least + 1e-12]
        if least == 0 or np.ptp(values) < 1e-9:
            continue
        tied += 1
        found = solve(setting)
        assert setting.missed(found.counts) == pytest.approx(least, abs=1e-12)
        assert setting.metric.value(found.counts) == pytest.approx(max(values), abs=1e-12)
    assert tied > (5 if exhaustive else 1)


def test_a_cost_of_any_size_never_outweighs_a_constraint():
    matrix = 1e6 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    for seed in seeds(20, quick=2):
        drawn = problem(seed, n_samples=30)
        requirement = BoundConstraint(METRICS["recall"].bind(2), low=0.8)
        setting = replace(drawn, metric=Cost(matrix), requirements=(requirement,))
        assert setting.missed(solve(setting).counts) == 0


def test_constraints_on_classes_that_are_left_out_are_dropped():
    setting = replace(
        problem(0), requirements=tuple(BoundConstraint(METRICS["recall"].bind(c), low=0.5) for c in range(3))
    )
    weights = (to_numpy(setting.truth.codes) != 1).astype(float)
    truth = type(setting.truth).from_codes(setting.truth.codes, n_classes=3, weights=weights)
    kept = replace(setting, truth=truth).restricted([0, 2])
    assert [required.metric.label for required in kept.requirements] == [0, 1]


@pytest.mark.usefixtures("few_restarts")
@pytest.mark.parametrize("name", ["recall", "precision", "accuracy", "imbalance_degree"])
def test_reachable_bounds_are_those_of_brute_force(name):
    for seed in seeds(20, quick=4):
        setting = problem(seed, n_samples=12, metric="accuracy")
        metric = METRICS[name].bind(1)
        values = [metric.value(setting.truth.count(d, confusion=True)) for d in decisions_of_three(setting.scores)]
        low, high = reachable(setting, metric)
        assert (low, high) == pytest.approx((min(values), max(values)), abs=0.02)


@pytest.mark.usefixtures("few_restarts")
def test_every_library(xp):
    here = problem(3, n_samples=80)
    requirements = (
        BoundConstraint(METRICS["recall"].bind(2), low=0.7),
        BoundConstraint(METRICS["worst_recall"], low=0.2),
    )
    there = replace(in_namespace(here, xp), requirements=requirements)
    assert solve(there).objective_value == pytest.approx(
        solve(replace(here, requirements=requirements)).objective_value
    )


def test_achievable_constraints_are_satisfied_in_near_mode(monkeypatch):
    """A violation is no reference for relative gains: the search goes on until the constraint is satisfied."""
    monkeypatch.setattr(_coordinate_ascent, "_CELLS_TO_THE_END", 0)
    monkeypatch.setattr(_near, "_EVERYWHERE_SAMPLES", 0)
    rng = np.random.default_rng(4)
    n_samples, n_classes = 3000, 40
    prior = 1 / np.arange(1, n_classes + 1)
    y = np.concatenate([np.arange(n_classes), rng.choice(n_classes, n_samples - n_classes, p=prior / prior.sum())])
    scores = rng.normal(size=(n_samples, n_classes)) + np.log(prior) + np.eye(n_classes)[y]
    truth = Truth.from_codes(y, n_classes=n_classes)
    best = solve(Problem(scores, truth, METRICS["recall_macro"])).objective_value
    floor = BoundConstraint(METRICS["recall_macro"], 0.97 * best, np.inf)
    setting = Problem(scores, truth, METRICS["accuracy"], (floor,))
    assert setting.missed(solve(setting).counts) == 0
