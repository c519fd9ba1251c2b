"""Against brute force: two classes over every cut, three over every cell."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from support.ascents import ascended, solved_up_to
from support.effort import exhaustive, seeds
from support.oracles import best_of_two, decisions_of_three, objective_value_of
from support.problems import problem

from skimbalance._core.decision import decide
from skimbalance.metrics import Cost, FBeta
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import Problem, solve
from skimbalance.solvers._coordinate_ascent import _starts

pytestmark = pytest.mark.no_cover  # what these cover others do too, and tracing doubles their time

TWO = {**METRICS, "f2": FBeta(2.0), "cost": Cost([[0, 1], [7, -1]])}
THREE = sorted(name for name, metric in METRICS.items() if not metric.is_binary)
ALIKE = {"f1_micro", "jaccard_micro", "precision_micro", "recall_micro", "recall_weighted", "recall_macro"}
"""With three classes that all occur these are accuracy, or balanced accuracy, by another formula."""


@pytest.mark.parametrize("name", sorted(TWO))
def test_binary_is_the_best_of_all_thresholds(name):
    """A thousand problems, most of them with heavy ties, hard, soft and weighted."""
    for seed in seeds(1000, quick=35):
        drawn = problem(
            seed,
            n_classes=2,
            n_samples=4 + seed % 23,
            decimals=(1, 1, 1, 2, None)[seed % 5],
            weighted=seed % 3 == 0,
            soft=seed % 7 == 0,
        )
        setting = Problem(drawn.scores, drawn.truth, TWO[name].bind(seed % 2))
        if name == "imbalance_degree" and abs(float(np.diff(drawn.truth.support)[0])) < 1e-9:
            continue  # undefined where both classes are equally frequent
        solution = solve(setting)
        assert solution.objective_value == pytest.approx(
            best_of_two(drawn.scores, drawn.truth, setting.metric), abs=1e-9
        )
        assert solution.objective_value == objective_value_of(
            setting.metric, decide(drawn.scores, solution.offsets), drawn.truth
        )


@cache
def drawn_with_decisions(seed):
    """A problem, which is the same for every metric, and all decisions that offsets can make of it."""
    drawn = problem(seed, n_samples=10 + seed % 9, decimals=1 if seed % 2 else None)
    return drawn, decisions_of_three(drawn.scores)


@pytest.mark.parametrize("name", ["f1_macro", "matthews_corrcoef", "worst_recall"])
def test_more_restarts_are_never_worse(name):
    """Which `solved_up_to` relies on."""
    for seed in seeds(15, quick=3):
        setting = problem(seed, n_samples=10 + seed % 9, metric=name)
        objective_values = [ascended(setting, again=number).objective_value for number in (0, 4)] + [
            solve(setting).objective_value
        ]
        assert objective_values == sorted(objective_values)


@pytest.mark.parametrize("name", THREE)
def test_three_classes_are_the_best_of_all_cells(name):
    """At least 95% of 200 problems exactly, 99.5% of the value on average, and never below a start."""
    exact, shares = 0, []  # by default all but two, and 99%
    for seed in seeds(20, quick=2) if name in ALIKE else seeds(200, quick=8):
        drawn, every = drawn_with_decisions(seed)
        setting = replace(drawn, metric=METRICS[name])
        if name == "imbalance_degree" and np.ptp(setting.truth.support) == 0:
            continue
        best = max(objective_value_of(setting.metric, decisions, setting.truth) for decisions in every)
        solution = solved_up_to(best, setting)
        assert solution.objective_value <= best + 1e-9
        assert all(
            solution.objective_value >= setting.objective_value(start) - 1e-12 for start in _starts(setting).values()
        )
        hit = solution.objective_value >= best - 1e-9
        exact += hit
        shares.append(1.0 if hit or best <= 0 else solution.objective_value / best)
    assert len(shares) - exact <= max(2, 0.05 * len(shares))
    assert np.mean(shares) >= (0.995 if exhaustive else 0.99)
