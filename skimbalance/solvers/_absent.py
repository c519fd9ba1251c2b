"""Classes without samples: nothing can be tuned for them, and nothing should be taken from them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, namespace, shifted_blocks, to_numpy
from skimbalance._core.decision import centred
from skimbalance._core.typing import Array
from skimbalance.solvers._base import Fit, Problem, Solution, improves

__all__ = ["fit_present_classes"]


def fit_present_classes(problem: Problem, fit: Fit, *, samples: Array | None = None) -> Solution:
    """Fit the classes that have samples among themselves, and let the others win as many samples as without offsets.

    Every sample that an absent class wins counts as an error here, so that any search would push it out for good. With
    `samples` all this is about them alone; they are copied twice, so as not to be there twice while `fit` is at work.
    """
    here = problem if samples is None else problem.take(samples)
    kept = np.flatnonzero(to_numpy(here.truth.support) > 0)
    if kept.size == problem.n_classes:
        return fit(here)
    none = here.solved(_like(np.zeros(problem.n_classes), problem.scores), n_iter=0)
    if kept.size < 2:
        return none
    absent = np.setdiff1d(np.arange(problem.n_classes), kept)
    lead = _lead(here.scores, absent)
    present = here.restricted(kept.tolist())
    del here
    tuned = fit(present)
    xp = namespace(lead)
    needed = xp.concat([xp.max(block, axis=1) for _, block in shifted_blocks(present.scores, tuned.offsets)]) - lead
    offsets = np.zeros(problem.n_classes)
    offsets[absent] = _neutral_level(to_numpy(needed), n_samples=_rows_won(present.scores, lead))
    offsets[kept] = to_numpy(tuned.offsets)
    del present
    here = problem if samples is None else problem.take(samples)
    solution = here.solved(_like(centred(offsets), problem.scores), n_iter=tuned.n_iter)
    return none if improves(none.objective_value, solution.objective_value) else solution


def _lead(scores: Array, classes: npt.NDArray[np.int64]) -> Array:
    """Return the largest score (n,) of some classes in each sample."""
    xp = namespace(scores)
    return xp.max(xp.take(scores, bring(classes, to=scores, dtype=xp.int64), axis=1), axis=1)


def _rows_won(scores: Array, lead: Array) -> int:
    xp = namespace(scores)
    return int(xp.sum(xp.astype(lead > xp.max(scores, axis=1), xp.int64)))


def _neutral_level(needed: npt.NDArray[Any], *, n_samples: int) -> float:
    """Return the offset nearest to zero that exceeds as many of the offsets `needed` as `n_samples` says."""
    ordered = np.sort(needed.astype(np.float64))
    low = ordered[n_samples - 1] if n_samples > 0 else -np.inf
    high = ordered[n_samples] if n_samples < ordered.size else np.inf
    half = min(1.0, (high - low) / 2)
    return float(np.clip(0.0, low + half, high - half))


def _like(offsets: npt.NDArray[np.float64], scores: Array) -> Array:
    return bring(offsets, to=scores, dtype=scores.dtype)
