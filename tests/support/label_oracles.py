"""Slow and obvious solutions for several labels a row."""

from itertools import product

import numpy as np

from skimbalance._core.decision_rule import decide_labels
from support.oracles import between


def every_cut(log_odds):
    """Offsets (m, L), one for each combination of distinct cuts of the labels."""
    return np.array(list(product(*(between(-column) for column in log_odds.T))))


def objective_value(problem, offsets):
    """What is maximised, in this order: minus the sum of violations, and the merit."""
    decisions = problem.decide(offsets)
    counts = problem.truth.count(decisions)
    missed = sum(bound.missed(counts.of(j)) for j in problem.tunable for bound in problem.requirements[j])
    return -missed, problem.metric.merit(problem.value(decisions))


def best_of_all(problem, *, fixed=()):
    """Best value over every combination of cuts that miss the requirements by the least; labels `fixed` keep zero."""
    offsets = every_cut(problem.log_odds)
    offsets[:, list(fixed)] = 0
    found = {}
    for each in np.unique(offsets, axis=0):
        missed, merit = objective_value(problem, each)
        found.setdefault(round(missed, 9), []).append(merit)
    return max(found[max(found)])


def drawn_problem(rng, *, n_samples, n_labels, ties=False, empty=False, full=False):
    """Log-odds and an indicator that have something to do with each other."""
    indicator = rng.random((n_samples, n_labels)) < rng.uniform(0.2, 0.6, n_labels)
    log_odds = rng.normal(size=(n_samples, n_labels)) + indicator + rng.normal(size=n_labels)
    if ties:
        log_odds = log_odds.round()
    if empty:
        indicator[:, 0] = False
    if full:
        indicator[:, -1] = True
    return log_odds, indicator


def decided(fit, log_odds):
    """What the offsets of a fit decide."""
    return decide_labels(log_odds, fit.offsets)
