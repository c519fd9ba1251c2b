"""Classes without rows: nothing can be tuned for them, and nothing should be taken from them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._array_api import bring, namespace, to_numpy
from skimbalance._typing import Array
from skimbalance.decision import centred, shifted
from skimbalance.solvers._base import Fit, Problem, Solution, improves

__all__ = ["among_present"]


def among_present(problem: Problem, fit: Fit) -> Solution:
    """Fit the classes that have rows among themselves, and let the others win as many rows as without offsets.

    Every row that an absent class wins counts as an error here, so that any search would push it out for good.
    """
    kept = np.flatnonzero(to_numpy(problem.truth.support) > 0)
    if kept.size == problem.n_classes:
        return fit(problem)
    none = problem.solved(_like(np.zeros(problem.n_classes), problem.scores), n_iter=0)
    if kept.size < 2:
        return none
    present = problem.restricted(kept.tolist())
    tuned = fit(present)
    absent = np.setdiff1d(np.arange(problem.n_classes), kept)
    xp = namespace(problem.scores)
    lead = xp.max(xp.take(problem.scores, bring(absent, to=problem.scores, dtype=xp.int64), axis=1), axis=1)
    offsets = np.zeros(problem.n_classes)
    offsets[absent] = _neutral_level(
        to_numpy(xp.max(shifted(present.scores, tuned.offsets), axis=1) - lead), n_rows=_rows_won(present.scores, lead)
    )
    offsets[kept] = to_numpy(tuned.offsets)
    solution = problem.solved(_like(centred(offsets), problem.scores), n_iter=tuned.n_iter)
    return none if improves(none.rank, solution.rank) else solution


def _rows_won(scores: Array, lead: Array) -> int:
    xp = namespace(scores)
    return int(xp.sum(xp.astype(lead > xp.max(scores, axis=1), xp.int64)))


def _neutral_level(needed: npt.NDArray[Any], *, n_rows: int) -> float:
    """Return the offset nearest to zero that exceeds as many of the offsets `needed` as `n_rows` says."""
    ordered = np.sort(needed.astype(np.float64))
    low = ordered[n_rows - 1] if n_rows > 0 else -np.inf
    high = ordered[n_rows] if n_rows < ordered.size else np.inf
    half = min(1.0, (high - low) / 2)
    return float(np.clip(0.0, low + half, high - half))


def _like(offsets: npt.NDArray[np.float64], scores: Array) -> Array:
    return bring(offsets, to=scores, dtype=scores.dtype)
