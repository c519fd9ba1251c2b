"""One black-box search, on hard or softened labels: many searches would take too long."""

import numpy as np

from skimbalance._core.array_api import bring, device, namespace
from skimbalance.estimation._calibration import calibrated_shares
from skimbalance.estimation._condense import Sample, condensed
from skimbalance.estimation.spec import FitSpec
from skimbalance.metrics.counts import Truth
from skimbalance.solvers import Problem, Search, Solution, default_budget, is_ordered, search

__all__ = ["searched"]

_LESS_IN_FOLDS, _FEWEST = 4, 10
"""In a fold a search takes a quarter of the evaluations, and ten at least."""


def searched(problem: Problem, spec: FitSpec, *, how: Search, softness: float) -> Solution:
    """Return the best offsets that a search finds for labels of this softness.

    A random search depends on the order of the columns, which here depends on what the classes are.
    """
    if spec.is_fold:
        budget = how.budget or default_budget(problem)
        how = Search(how.method, budget=max(_FEWEST, budget // _LESS_IN_FOLDS))
    progress = None if spec.is_fold else spec.progress
    order = problem.class_order[::-1]
    moved = is_ordered(problem.scores) and bool((np.diff(order) < 0).any())
    ordered = problem.restricted(order.tolist()) if moved else problem
    sought = ordered if softness == 0 else _softened(condensed(ordered), softness)
    found = search(sought, how, seed=spec.seed, restarts=spec.restarts, progress=progress)
    if sought is problem:
        return found
    places = np.argsort(order) if moved else np.arange(problem.n_classes)
    offsets = found.offsets[bring(places, to=found.offsets)]
    return problem.solved(offsets, n_iter=found.n_iter)


def _softened(sample: Sample, softness: float) -> Problem:
    """Return the problem of labels that are calibrated probabilities by the share `softness`, and hard by the rest."""
    scores, truth = sample.problem.scores, sample.truth
    xp = namespace(scores)
    every = xp.arange(scores.shape[1], device=device(scores))
    hard = xp.astype(xp.astype(truth.codes, xp.int64)[None, :] == every[:, None], scores.dtype)
    shares = softness * calibrated_shares(sample) + (1 - softness) * hard
    return sample.problem.with_truth(Truth.from_shares(shares, weights=truth.weights))
