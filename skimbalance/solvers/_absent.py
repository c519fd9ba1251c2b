"""Classes without samples: their offsets keep the number of samples for which they are predicted."""

from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, namespace, shifted_blocks, to_numpy
from skimbalance._core.decision import centred
from skimbalance._core.typing import Array
from skimbalance.solvers._base import Fit, Problem, Solution, improves

__all__ = ["fit_present_classes"]


def fit_present_classes(problem: Problem, fit: Fit, *, samples: Array | None = None) -> Solution:
    """Fit the classes that have samples, and predict each other class for as many samples as without offsets.

    Every prediction of an absent class is an error on these samples, so that any search would rule it out. With
    `samples` the fit uses these alone. They are copied twice, so that only one copy is in memory during `fit`.
    """
    here = problem if samples is None else problem.take(samples)
    kept = np.flatnonzero(to_numpy(here.truth.support) > 0)
    if kept.size == problem.n_classes:
        return fit(here)
    xp, like = namespace(problem.scores), {"to": problem.scores, "dtype": problem.scores.dtype}
    none = here.solved(bring(np.zeros(problem.n_classes), **like), n_iter=0)
    if kept.size < 2:
        return none
    absent = np.setdiff1d(np.arange(problem.n_classes), kept)
    lead = xp.max(xp.take(here.scores, bring(absent, to=here.scores, dtype=xp.int64), axis=1), axis=1)
    present = here.restricted(kept.tolist())
    del here
    tuned = fit(present)
    needed = xp.concat([xp.max(block, axis=1) for _, block in shifted_blocks(present.scores, tuned.offsets)]) - lead
    n_won = int(xp.sum(xp.astype(lead > xp.max(present.scores, axis=1), xp.int64)))
    offsets = np.zeros(problem.n_classes)
    offsets[absent] = _neutral_level(to_numpy(needed), n_samples=n_won)
    offsets[kept] = to_numpy(tuned.offsets)
    del present
    here = problem if samples is None else problem.take(samples)
    solution = here.solved(bring(centred(offsets), **like), n_iter=tuned.n_iter)
    return none if improves(none.objective_value, solution.objective_value) else solution


def _neutral_level(needed: npt.NDArray[Any], *, n_samples: int) -> float:
    """Return the offset nearest to zero that exceeds `n_samples` of the offsets `needed`."""
    ordered = np.sort(needed.astype(np.float64))
    low = ordered[n_samples - 1] if n_samples > 0 else -np.inf
    high = ordered[n_samples] if n_samples < ordered.size else np.inf
    half = min(1.0, (high - low) / 2)
    return float(np.clip(0.0, low + half, high - half))
