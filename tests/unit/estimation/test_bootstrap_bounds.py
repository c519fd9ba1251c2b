"""Bounds that bootstraps state, beside counts of all of them."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from support.problems import problem as drawn_problem

from skimbalance.estimation import FitSpec
from skimbalance.estimation._bootstrap_bounds import (
    bootstrap_guarantee,
    confidence_bounds,
    shortfalls,
    slack_of,
    tightened_by,
)
from skimbalance.goals import AtLeast, AtMost, Near
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.registry import get_metric


@pytest.mark.parametrize("n_sides", [1, 2])
@pytest.mark.parametrize("confidence", ["0.5", "0.8", "0.9", "0.95", "0.99"])
def test_confidence_bounds_are_the_best_that_few_enough_values_miss(confidence, n_sides):
    rng = np.random.default_rng(0)
    for values in (rng.normal(size=100), rng.normal(size=237), rng.integers(0, 5, size=100).astype(float)):
        most = len(values) * (1 - Fraction(confidence)) / n_sides
        low, high = confidence_bounds(values, float(confidence), n_sides=n_sides)
        assert low == max(v for v in values if (values < v).sum() <= most)
        assert high == min(v for v in values if (values > v).sum() <= most)


def case(constraint):
    """Return a problem of three classes with one constraint, its settings, and a solution without offsets."""
    problem = drawn_problem(0, n_samples=200)
    low, high = constraint.bounds()
    required = BoundConstraint(get_metric("balanced_accuracy"), low, high)
    problem = replace(problem, requirements=(required,))
    return problem, FitSpec(constraints=[constraint], seed=3), problem.solved(np.zeros(3), n_iter=0)


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.99])
@pytest.mark.parametrize("new_samples", [None, "as_many", 50])
def test_a_bound_holds_where_its_confidence_bound_does(confidence, new_samples):
    for of in (AtLeast, AtMost):
        for value in np.linspace(0.2, 1.0, 33):
            constraint = of("balanced_accuracy", float(value), confidence=confidence, new_samples=new_samples)
            problem, spec, solution = case(constraint)
            stated = bootstrap_guarantee(problem, constraint, problem.requirements[0], solution.offsets, seed=3)
            missed = shortfalls(problem, spec, solution, tests={})
            assert stated.holds == (missed.max() <= 1e-9)
            side, sign = (0, 1) if of is AtLeast else (1, -1)
            assert missed[0, side] == pytest.approx(sign * (value - stated.bound))
            assert missed[0, 1 - side] == 0


def test_both_sides_of_a_target_share_the_error_probability():
    for tol in np.linspace(0.01, 0.3, 30):
        constraint = Near("balanced_accuracy", 0.6, tol=float(tol), confidence=0.8)
        problem, spec, solution = case(constraint)
        stated = bootstrap_guarantee(problem, constraint, problem.requirements[0], solution.offsets, seed=3)
        if shortfalls(problem, spec, solution, tests={}).max() <= 0:
            assert stated.holds


def test_constraints_without_a_confidence_or_with_a_test_miss_nothing():
    problem, spec, solution = case(AtLeast("balanced_accuracy", 0.99, confidence=0.9))
    assert not shortfalls(problem, spec, solution, tests={0: ()}).any()
    plain = replace(spec, constraints=[AtLeast("balanced_accuracy", 0.99)])
    assert not shortfalls(problem, plain, solution, tests={}).any()


def test_the_slack_is_what_a_bound_can_be_tightened_by():
    problem, _, solution = case(AtLeast("balanced_accuracy", 0.3))
    slack = slack_of(problem, solution)
    assert slack[0, 1] == 0
    assert slack[0, 0] == pytest.approx(get_metric("balanced_accuracy").value(solution.counts) - 0.3)
    assert tightened_by(problem, slack - np.array([[1e-9, 0]])).missed(solution.counts) == 0
    assert tightened_by(problem, slack + np.array([[1e-9, 0]])).missed(solution.counts) > 0
