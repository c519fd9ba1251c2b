"""Means over samples: every line search is exact, every ascent monotone, and the best of several near the optimum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.label_oracles import best_of_all, drawn_problem, objective_value

from skimbalance.estimation import FitSpec
from skimbalance.metrics.overlap import FBeta, Jaccard, Precision, Recall
from skimbalance.tuner.labels._joint import fit_jointly
from skimbalance.tuner.labels._metrics import SamplesMean
from skimbalance.tuner.labels._problem import MultilabelProblem
from skimbalance.tuner.labels._solve import MeanSearch, sample_sweep
from skimbalance.tuner.labels._truth import LabelTruth

RATIOS = (FBeta(), FBeta(2.0), Jaccard(), Precision(), Recall())


def problem_of(rng, ratio=None, *, weighted=False, zero_division=0.0, **shape):
    log_odds, indicator = drawn_problem(rng, **shape)
    weights = rng.uniform(0.5, 3, len(log_odds)) if weighted else None
    metric = SamplesMean((ratio or FBeta()).bind(1), zero_division)
    return MultilabelProblem(log_odds, LabelTruth(indicator, weights), metric, ((),) * log_odds.shape[1])


def search_of(problem, shares=None):
    sorted_sweeps = {j: sample_sweep(problem.label(j)) for j in range(problem.n_labels)}
    shares = problem.truth.indicator.astype(float) if shares is None else shares
    return MeanSearch(problem.metric, problem.log_odds, shares, problem.truth.weights, sorted_sweeps)


def fitted(problem):
    return fit_jointly(problem, FitSpec(estimate="empirical"))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    ratio=st.sampled_from(RATIOS),
    weighted=st.booleans(),
    ties=st.booleans(),
    zero_division=st.sampled_from([0.0, 1.0]),
)
def test_one_label_is_solved_exactly(seed, ratio, weighted, ties, zero_division):
    rng = np.random.default_rng(seed)
    shape = {"n_samples": 12, "n_labels": 1, "ties": ties, "weighted": weighted, "zero_division": zero_division}
    problem = problem_of(rng, ratio, **shape)
    ascent = search_of(problem).ascend(np.zeros(1))
    assert objective_value(problem, ascent.offsets)[1] == pytest.approx(best_of_all(problem), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), weighted=st.booleans(), ties=st.booleans(), soft=st.booleans())
def test_ascents_are_monotone_and_report_what_they_reach(seed, weighted, ties, soft):
    rng = np.random.default_rng(seed)
    problem = problem_of(rng, n_samples=30, n_labels=4, weighted=weighted, ties=ties)
    shares = rng.random((30, 4)) if soft else None
    ascent = search_of(problem, shares).ascend(rng.normal(size=4))
    assert all(np.diff(ascent.values) >= 0)
    if not soft:
        assert objective_value(problem, ascent.offsets)[1] == pytest.approx(ascent.value, abs=1e-12)


def test_the_best_of_the_starts_is_near_the_optimum():
    lost = []
    for seed in range(15):
        problem = problem_of(np.random.default_rng(seed), n_samples=8, n_labels=3)
        if len(problem.tunable) == 3:
            lost.append(best_of_all(problem) - objective_value(problem, fitted(problem)[0])[1])
    assert min(lost) > -1e-12
    assert np.mean(np.array(lost) < 1e-9) > 0.7
    assert max(lost) < 0.05


def test_labels_that_cannot_be_tuned_keep_zero(rng):
    problem = problem_of(rng, n_samples=30, n_labels=3, empty=True, full=True)
    offsets = fitted(problem)[0]
    assert offsets[0] == offsets[2] == 0
    assert offsets[1] != 0
