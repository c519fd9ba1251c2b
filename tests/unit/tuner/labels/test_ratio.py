"""Ratios of sums over labels reach the greatest value that any combination of cuts has."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.label_oracles import best_of_all, drawn_problem, objective_value

from skimbalance.metrics._recall import ClassRecall
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.overlap import FBeta, Jaccard, Precision, Recall
from skimbalance.tuner.labels._metrics import MicroRatio
from skimbalance.tuner.labels._problem import MultilabelProblem
from skimbalance.tuner.labels._solve import best_ratio, ratio_sweep
from skimbalance.tuner.labels._truth import LabelTruth

RATIOS = (FBeta(), FBeta(0.5), FBeta(2.0), Jaccard(), Precision(), Recall())


def solved(problem):
    ratio = problem.metric.ratio
    return best_ratio([ratio_sweep(problem.label(j), ratio) for j in range(problem.n_labels)])


def problem_of(rng, ratio, *, weighted=False, requirements=None, **shape):
    log_odds, indicator = drawn_problem(rng, **shape)
    weights = rng.uniform(0.5, 3, len(log_odds)) if weighted else None
    truth, metric = LabelTruth(indicator, weights), MicroRatio(ratio.bind(1))
    return MultilabelProblem(log_odds, truth, metric, requirements or ((),) * log_odds.shape[1])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    ratio=st.sampled_from(RATIOS),
    weighted=st.booleans(),
    ties=st.booleans(),
    empty=st.booleans(),
    full=st.booleans(),
)
def test_it_is_the_global_optimum(seed, ratio, weighted, ties, empty, full):
    rng = np.random.default_rng(seed)
    problem = problem_of(rng, ratio, weighted=weighted, n_samples=7, n_labels=3, ties=ties, empty=empty, full=full)
    best = solved(problem)
    reached = objective_value(problem, best.offsets)[1]
    assert reached == pytest.approx(best_of_all(problem), abs=1e-12)
    assert best.ratio == pytest.approx(reached, abs=1e-12)


@pytest.mark.parametrize("ratio", RATIOS)
def test_lower_bounds_of_labels_hold_at_the_optimum(ratio, rng):
    bounds = ((BoundConstraint(ClassRecall().bind(1), 0.9),), (), (BoundConstraint(Precision().bind(1), 0.5),))
    problem = problem_of(rng, ratio, n_samples=8, n_labels=3, requirements=bounds)
    best = solved(problem)
    missed, merit = objective_value(problem, best.offsets)
    assert missed == 0
    assert merit == pytest.approx(best_of_all(problem), abs=1e-12)


def test_no_sample_carries_the_label():
    problem = problem_of(np.random.default_rng(0), FBeta(), n_samples=6, n_labels=1, empty=True)
    assert solved(problem).ratio == 0


def test_of_equal_cuts_the_nearest_to_zero():
    log_odds = np.array([[-3.0], [-2.9], [2.9], [3.0]])
    indicator = log_odds > 0
    problem = MultilabelProblem(log_odds, LabelTruth(indicator), MicroRatio(FBeta().bind(1)), ((),))
    assert solved(problem).offsets[0] == 0
    shifted = MultilabelProblem(log_odds + 10, LabelTruth(indicator), MicroRatio(FBeta().bind(1)), ((),))
    assert objective_value(shifted, solved(shifted).offsets)[1] == 1
    assert solved(shifted).offsets[0] == pytest.approx(-8.1)  # one unit between the margins, on the side of zero


def test_it_takes_few_steps_on_many_samples(rng):
    problem = problem_of(rng, FBeta(), n_samples=5000, n_labels=20)
    best = solved(problem)
    assert best.n_iter < 12
    assert objective_value(problem, best.offsets)[1] == pytest.approx(best.ratio, abs=1e-12)
    for j in range(problem.n_labels):  # no label alone can improve on it
        for step in (-0.05, 0.05):
            moved = best.offsets.copy()
            moved[j] += step
            assert objective_value(problem, moved)[1] <= best.ratio + 1e-12
