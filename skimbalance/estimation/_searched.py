"""One search by values alone, on labels as they are or softened: many of them would be too dear."""

import numpy as np

from skimbalance._core.array_api import bring, device, namespace
from skimbalance._core.typing import Progress
from skimbalance.estimation._calibration import calibrated_shares
from skimbalance.estimation._condense import Sample, condensed
from skimbalance.metrics.counts import Truth
from skimbalance.solvers import Problem, Search, Solution, default_budget, is_ordered, search

__all__ = ["SOFTNESS", "searched"]

SOFTNESS = {"empirical": 0.0, "robust": 0.75, "plugin": 1.0}
"""The share of each label that is what the calibrated scores make of it, by estimate.

Three quarters hold on new samples as well as bootstraps do, in simulations with two and four classes; a half does not
with four.
"""

_LESS_IN_FOLDS, _FEWEST = 4, 10
"""By how much less the search in a fold takes, and how many evaluations at least."""


def searched(
    problem: Problem,
    *,
    how: Search,
    estimate: str,
    seed: int,
    quick: bool = False,
    restarts: bool = True,
    progress: Progress | None = None,
) -> Solution:
    """Return the best offsets that a search finds for labels as soft as `estimate` says; `quick` in a fold.

    A search at random makes much of little: it gets the columns in an order that depends on what the classes are.
    """
    if quick:
        budget = how.budget or default_budget(problem)
        how = Search(how.method, budget=max(_FEWEST, budget // _LESS_IN_FOLDS))
    softness, order = SOFTNESS[estimate], problem.class_order[::-1]
    moved = is_ordered(problem.scores) and bool((np.diff(order) < 0).any())
    ordered = problem.restricted(order.tolist()) if moved else problem
    asked = ordered if softness == 0 else _softened(condensed(ordered), softness)
    found = search(asked, how, seed=seed, restarts=restarts, progress=progress)
    if asked is problem:
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
