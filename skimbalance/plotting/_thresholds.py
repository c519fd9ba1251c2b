"""Binary metrics and constraints at every threshold that changes a decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision import log_scores
from skimbalance._core.typing import Label
from skimbalance._core.validation import check_label
from skimbalance.classifier.response import proba_of_second
from skimbalance.curve import ScoredSamples, named_metrics
from skimbalance.goals import Constraint
from skimbalance.metrics.base import Metric
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers._base import Problem
from skimbalance.solvers._line_search import cuts_apart
from skimbalance.solvers.binary import line_of, trace_along
from skimbalance.tuner.checks import bounds_of

__all__ = ["ThresholdCurve", "threshold_curve"]

_Floats = npt.NDArray[np.float64]

_DRAWN = 700
"""With more than three times as many cuts, this many are drawn evenly by rank, by probability and by log-odds."""


@dataclass(frozen=True, eq=False)
class ThresholdCurve:
    """Metrics against the threshold on the probability of `label`, one of two classes, as NumPy arrays (m,).

    `values` are metrics by name: entry i holds for thresholds between `thresholds[i]` and the next, the last up to one.
    The first is minus infinity, where even a probability of zero is enough. `violations` has for each constraint, as
    text, the intervals of thresholds (r, 2) that violate it.

    :func:`sklearn.metrics.metric_at_thresholds` has the same values in the opposite order: its thresholds descend, are
    the distinct probabilities, and entry i holds at the threshold itself. Both agree on :meth:`at` a threshold.

    The second class is predicted where its probability is at least the threshold, so that entry i holds at
    `thresholds[i + 1]` too. The first class, which loses ties, is predicted where its probability is greater:
    `second` is then false, and entry i holds at `thresholds[i]`.

    Logits, such as margins of a `decision_function`, need not be calibrated: thresholds are on their logistic function,
    as `quantity` names it.
    """

    thresholds: _Floats
    values: Mapping[str, _Floats]
    violations: Mapping[str, _Floats]
    label: Any
    second: bool = True
    quantity: str = "probability"

    def at(self, threshold: float) -> dict[str, float]:
        """Return the metrics at a threshold."""
        place = _place(self.thresholds, threshold, second=self.second)
        return {name: float(values[place]) for name, values in self.values.items()}


def threshold_curve(
    samples: ScoredSamples,
    metrics: Sequence[str | Metric],
    constraints: Sequence[Constraint],
    *,
    pos_label: Label,
    threshold: float | None,
) -> ThresholdCurve:
    """Evaluate metrics and constraints at the thresholds that change a decision; binary only.

    The thresholds are on the probability of `pos_label`. Of many a selection is kept, which includes 0.5, `threshold`
    and the maximum of each metric.
    """
    bounds = bounds_of(constraints, samples.classes, pos_label)
    of = 1 if pos_label is None else check_label("pos_label", pos_label, samples.classes)
    named = named_metrics(metrics, samples.classes, pos_label)
    cuts = _Cuts(samples, of)
    known = {name: cuts.along(metric) for name, metric in named.items() if metric.decomposition != "general"}
    kept = [int(np.argmax(named[name].merit(values))) for name, values in known.items()]
    kept += [_place(cuts.thresholds, each, second=of == 1) for each in (0.5, threshold) if each is not None]
    drawn = _thinned(cuts.log_odds, cuts.thresholds, kept)
    return ThresholdCurve(
        thresholds=cuts.thresholds[drawn],
        values={
            name: known[name][drawn] if name in known else cuts.one_by_one(metric, drawn)
            for name, metric in named.items()
        },
        violations={
            str(constraint): _intervals(cuts.thresholds, to_numpy(bound.violation(cuts.along(bound.metric))) > 0)
            for constraint, bound in zip(constraints, bounds, strict=True)
        },
        label=samples.classes[of],
        second=of == 1,
        quantity="logistic function of the score" if samples.kind == "logits" else "probability",
    )


class _Cuts:
    """All cuts that decide differently, (m,): from everything predicted as the class `of` to nothing."""

    def __init__(self, samples: ScoredSamples, of: int) -> None:
        self._truth, self._of = samples.truth, of
        scores = np.asarray(log_scores(samples.scores, kind=samples.kind))
        self._problem = Problem(scores, samples.truth, METRICS["accuracy"])  # of both classes: the second moves
        self._line = line_of(self._problem)
        margins = to_numpy(self._line.margins.values[0, :]).astype(np.float64)
        places = np.flatnonzero(to_numpy(cuts_apart(self._line.margins))[0])
        proba = np.asarray(proba_of_second(samples.scores, kind=samples.kind), dtype=np.float64)
        falling = np.sort(proba)[::-1]
        # At place i the second class has the i samples where it is most probable; a threshold is the greatest
        # probability that is not predicted.
        if of == 1:
            self._places, self.log_odds = places[::-1], -np.append(margins, np.inf)[places[::-1]]
            self.thresholds: _Floats = np.append(falling, -np.inf)[self._places]
        else:
            self._places, self.log_odds = places, np.append(-np.inf, margins)[places]
            self.thresholds = np.append(-np.inf, 1 - falling)[places]

    def along(self, metric: Metric) -> _Floats:
        """Return a metric after every cut."""
        values = to_numpy(metric.pool(trace_along(self._problem, metric, self._line), 2))
        return np.broadcast_to(values, self._line.hits.shape)[self._places]

    def one_by_one(self, metric: Metric, which: npt.NDArray[np.int64]) -> _Floats:
        """Return a black-box metric after some cuts."""
        between = np.append((self.log_odds[1:] + self.log_odds[:-1]) / 2, self.log_odds[-1] + 1)[which]
        scores, of = self._problem.scores.astype(np.float64), self._of
        margins = scores[:, of] - scores[:, 1 - of]
        counts = (self._truth.count(np.where(margins > cut, of, 1 - of), confusion=True) for cut in between)
        return np.asarray([metric.value(count) for count in counts])


def _place(thresholds: _Floats, threshold: float, *, second: bool) -> int:
    """Return the last of the ascending thresholds that is below one, or for the first class does not exceed it."""
    return max(0, int(np.searchsorted(thresholds, threshold, side="left" if second else "right")) - 1)


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


def _intervals(thresholds: _Floats, where: npt.NDArray[np.bool_]) -> _Floats:
    """Return the intervals (r, 2) of the thresholds where `where` is True."""
    edges = np.diff(np.concatenate([[0], where.astype(np.int8), [0]]))
    ends = np.append(thresholds, 1.0)
    return np.column_stack([ends[np.flatnonzero(edges > 0)], ends[np.flatnonzero(edges < 0)]])
