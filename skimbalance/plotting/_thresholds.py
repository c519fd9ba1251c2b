"""Two classes: metrics and requirements at every threshold that decides differently."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from skimbalance._array_api import to_numpy
from skimbalance.goals import Requirement
from skimbalance.metrics._base import Metric
from skimbalance.metrics._registry import METRICS
from skimbalance.plotting._source import Rows
from skimbalance.solvers._base import Problem
from skimbalance.solvers._cuts import cuts_apart
from skimbalance.solvers._two_classes import line_of, trace_along

__all__ = ["ThresholdCurve", "threshold_curve"]

_Floats = npt.NDArray[np.float64]

_DRAWN = 700
"""Where there are more cuts, about so many are kept, evenly by each of rank, probability and log-odds."""

_ROUNDING = 1e-12
"""Thresholds that differ by no more, relatively, are one."""


@dataclass(frozen=True, eq=False)
class ThresholdCurve:
    """Metrics against the threshold on the probability of `label`, the second of two classes, as NumPy arrays (m,).

    `values` are metrics by name: entry i holds for thresholds from `thresholds[i]` up to the next, the last up to one.
    The first is minus infinity, where even a probability of zero is enough. `violations` has for each constraint, as
    text, the stretches of thresholds (r, 2) that do not meet it.
    """

    thresholds: _Floats
    values: Mapping[str, _Floats]
    violations: Mapping[str, _Floats]
    label: Any

    def at(self, threshold: float) -> dict[str, float]:
        """Return the metrics at a threshold."""
        place = _place(self.thresholds, threshold)
        return {name: float(values[place]) for name, values in self.values.items()}


def threshold_curve(
    rows: Rows, metrics: Mapping[str, Metric], requirements: Mapping[str, Requirement], *, kept: Sequence[float] = ()
) -> ThresholdCurve:
    """Evaluate metrics at the distinct cuts, and at the thresholds `kept` whatever is left out; two classes."""
    cuts = _Cuts(rows)
    known = {name: cuts.along(metric) for name, metric in metrics.items() if metric.trait != "general"}
    best = [int(np.argmax(metrics[name].merit(values))) for name, values in known.items()]
    drawn = _thinned(cuts.log_odds, cuts.thresholds, best + [_place(cuts.thresholds, each) for each in kept])
    missed = {name: to_numpy(r.violation(cuts.along(r.metric))) > 0 for name, r in requirements.items()}
    return ThresholdCurve(
        thresholds=cuts.thresholds[drawn],
        values={
            name: known[name][drawn] if name in known else cuts.one_by_one(metric, drawn)
            for name, metric in metrics.items()
        },
        violations={name: _stretches(cuts.thresholds, where) for name, where in missed.items()},
        label=rows.classes[1],
    )


class _Cuts:
    """All cuts that decide differently, (m,): from everything predicted as the second class to nothing."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._problem = Problem(rows.scores, rows.truth, METRICS["accuracy"])  # of both classes: the second moves
        self._line = line_of(self._problem)
        gaps = to_numpy(self._line.gaps.values[0, :]).astype(np.float64)
        self._places = np.flatnonzero(to_numpy(cuts_apart(self._line.gaps))[0])[::-1]
        self.log_odds = -np.append(gaps, np.inf)[self._places]
        zero = np.finfo(rows.scores.dtype).smallest_normal  # what stands for it in log-scores
        odds = expit(self.log_odds)
        self.thresholds: _Floats = np.where(odds <= 2 * zero, np.where(odds > 0, 0.0, -np.inf), odds)

    def along(self, metric: Metric) -> _Floats:
        """Return a metric after every cut."""
        values = to_numpy(metric.pool(trace_along(self._problem, metric, self._line), 2))
        return np.broadcast_to(values, self._line.hits.shape)[self._places]

    def one_by_one(self, metric: Metric, which: npt.NDArray[np.int64]) -> _Floats:
        """Return a metric of which nothing but values is known after some cuts."""
        between = np.append((self.log_odds[1:] + self.log_odds[:-1]) / 2, self.log_odds[-1] + 1)[which]
        margins = self._rows.scores[:, 1].astype(np.float64) - self._rows.scores[:, 0]
        counts = (self._rows.truth.count((margins > cut).astype(np.int64), confusion=True) for cut in between)
        return np.asarray([metric.value(count) for count in counts])


def _place(thresholds: _Floats, threshold: float) -> int:
    """Return the last of the ascending thresholds that does not exceed one, but for rounding."""
    return int(np.searchsorted(thresholds, threshold * (1 + _ROUNDING), side="right")) - 1


def _thinned(log_odds: _Floats, thresholds: _Floats, kept: list[int]) -> npt.NDArray[np.int64]:
    """Return which cuts to draw."""
    size = len(thresholds)
    if size <= 3 * _DRAWN:
        return np.arange(size)
    finite = log_odds[np.isfinite(log_odds)]
    grids = (
        np.linspace(0, size - 1, _DRAWN).round().astype(np.int64),
        np.searchsorted(thresholds, np.linspace(0, 1, _DRAWN)),
        np.searchsorted(log_odds, np.linspace(finite.min(), finite.max(), _DRAWN)),
        np.asarray(kept, dtype=np.int64),
    )
    return np.unique(np.clip(np.concatenate(grids), 0, size - 1))


def _stretches(thresholds: _Floats, where: npt.NDArray[np.bool_]) -> _Floats:
    """Return from where to where the cuts `where` reach, (r, 2)."""
    edges = np.diff(np.concatenate([[0], where.astype(np.int8), [0]]))
    ends = np.append(thresholds, 1.0)
    return np.column_stack([ends[np.flatnonzero(edges > 0)], ends[np.flatnonzero(edges < 0)]])
