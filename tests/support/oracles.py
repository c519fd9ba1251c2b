"""Slow and obvious solutions of what the package solves fast."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import softmax

from skimbalance.metrics.base import Metric
from skimbalance.metrics.counts import Truth

Matrix = npt.NDArray[np.float64]


def objective_value_of(metric: Metric, decisions: npt.NDArray[np.int64], truth: Truth) -> float:
    """Rank of decisions, counted row by row."""
    return metric.objective_value(truth.count(decisions, confusion=metric.needs_confusion))


def between(values: Matrix) -> Matrix:
    """A point in each of the intervals into which `values` cut the line."""
    cuts = np.unique(values)
    cuts = cuts[np.diff(cuts, prepend=-np.inf) > 1e-9]
    return np.concatenate([[cuts[0] - 1], (cuts[:-1] + cuts[1:]) / 2, [cuts[-1] + 1]])


def best_of_two(scores: Matrix, truth: Truth, metric: Metric) -> float:
    """Best rank for two classes, over every distinct cut."""
    margins = scores[:, 0] - scores[:, 1]
    return max(objective_value_of(metric, (margins < cut).astype(np.int64), truth) for cut in between(margins))


def cells_of_three(scores: Matrix) -> Matrix:
    """One pair of offsets (of classes 1 and 2) in every cell that three classes cut the plane into."""
    first, second = scores[:, 0] - scores[:, 1], scores[:, 0] - scores[:, 2]
    events = np.concatenate([first, (second[:, None] - (scores[:, 1] - scores[:, 2])[None, :]).ravel()])
    points = []
    for one in between(events):
        margins = np.maximum(scores[:, 0], scores[:, 1] + one) - scores[:, 2]
        points += [(one, two) for two in between(margins)]
    return np.asarray(points)


def decisions_of_three(scores: Matrix) -> npt.NDArray[np.int64]:
    """Every distinct vector of decisions that offsets can make of three classes."""
    points = cells_of_three(scores)
    shifted = np.stack(
        [
            np.broadcast_to(scores[:, 0], (len(points), len(scores))),
            *(scores[:, k + 1] + points[:, [k]] for k in (0, 1)),
        ]
    )
    return np.unique(shifted.argmax(axis=0), axis=0)


def best_of_three(scores: Matrix, truth: Truth, metric: Metric) -> float:
    """Best rank for three classes, over every cell."""
    return max(objective_value_of(metric, decisions, truth) for decisions in decisions_of_three(scores))


def offsets_of_state(scores: Matrix, target: Matrix, weights: Matrix | None = None, *, sweeps: int = 200) -> Matrix:
    """Offsets that give a state, by finding the root for one class after the other, over and over."""
    offsets = np.zeros(scores.shape[1])
    reach = 2 * np.ptp(scores) + 60

    def excess(offset: float, k: int) -> float:
        moved = np.where(np.arange(len(offsets)) == k, offset, offsets)
        return float(np.average(softmax(scores + moved, axis=1)[:, k], weights=weights) - target[k])

    for _ in range(sweeps):
        before = offsets.copy()
        for k in range(len(offsets)):
            offsets[k] = brentq(excess, offsets[k] - reach, offsets[k] + reach, args=(k,), xtol=1e-13)
        if np.allclose(before, offsets, atol=1e-13):
            break
    return offsets - offsets.mean()
