"""Bounds on how many samples a class is predicted for: offsets are moved until they hold on these samples.

A mean of offsets may violate a bound that each of them satisfies, and so may offsets of merged or reweighted samples.
No label is needed to satisfy such a bound exactly, so that it holds whatever the estimate is.
"""

import numpy as np

from skimbalance._core.array_api import bring_like, cumulative_sum, device, namespace
from skimbalance._core.decision import centred, decide
from skimbalance._core.typing import Array
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.solvers._base import Problem, Solution, without
from skimbalance.solvers._line_search import Margins, best_cuts

__all__ = ["satisfy_shares"]

_ROUNDS = 100
"""With bounds on two or more classes it takes some rounds; bounds that contradict each other are given up after 100."""


def satisfy_shares(problem: Problem, solution: Solution) -> Solution:
    """Return the solution with the bounds on predicted shares satisfied, by the smallest changes that do.

    The offset of the class that violates its bound the most is moved until the bound holds, round by round. Of tied
    samples a class gets all or none, so that its share may be less than an upper bound allows.
    """
    shares = [required for required in problem.requirements if required.metric.ignores_truth]
    offsets, counts = solution.offsets, solution.counts
    for number in range(_ROUNDS):
        missed = [required.missed(counts) for required in shares]
        if max(missed, default=0.0) == 0:
            return solution if number == 0 else problem.solved(offsets, n_iter=solution.n_iter)
        offsets = _moved(problem, shares[int(np.argmax(missed))], offsets)
        counts = problem.count(decide(problem.scores, offsets))
    return solution


def _moved(problem: Problem, required: BoundConstraint, offsets: Array) -> Array:
    """Return the offsets with that of one class moved to the nearest cut that satisfies the bound on its share."""
    scores, k = problem.scores, required.metric.label
    assert k is not None
    xp = namespace(scores)
    own = xp.zeros(scores.shape[0], dtype=xp.int64, device=device(scores)) + k
    mine, other = scores[:, k], xp.max(without(scores + offsets, own), axis=1)
    order = xp.argsort(other - mine, stable=False)
    mine, other = mine[order], other[order]
    weights = problem.truth.weight(order)
    running = cumulative_sum(xp.ones_like(mine) if weights is None else weights)
    share = xp.concat([running[:1] * 0, running]) / xp.sum(problem.truth.support)
    now = required.metric.value(problem.count(decide(scores, offsets)))
    violation = required.violation(share)
    nearness = xp.where(violation > 0, -2 - violation, -xp.abs(share - now))
    largest = float(xp.max(xp.abs(mine)) + xp.max(xp.abs(other)))
    margins = Margins((other - mine)[None, :], largest, lambda at: xp.abs(mine[at]) + xp.abs(other[at]))
    cuts = best_cuts(margins, nearness[None, :], start=np.asarray([float(offsets[k])]), above=-float("inf"))
    at = xp.arange(scores.shape[1], device=device(scores)) == k
    return centred(xp.where(at, bring_like(cuts.offsets, offsets), offsets))
