"""Intervals of the differences between methods on multilabel problems."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t

from benchmarks.multilabel.methods import OURSELVES

__all__ = ["Line", "counted", "f1", "summary"]

CONFIDENCE = 0.9
DRAWS = 4000
TEST_OVER_TRAIN = 0.5
"""The ratio of test samples, a third, to training and tuning samples, two thirds."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """True positives, predicted and support (blocks, 3, L) of the test samples, by a method on a problem."""

    data: str
    average: str
    method: str
    counts: Floats
    seconds: float

    @property
    def score(self) -> float:
        """The metric on all test samples."""
        return float(f1(self.counts.sum(axis=0), self.average))


def counted(y: npt.NDArray[np.bool_], decided: npt.NDArray[np.bool_], neighbours: int) -> Floats:
    """Return true positives, predicted and support (blocks, 3, L) of blocks of neighbours, or of all samples."""
    counts = np.stack([y & decided, decided, y], axis=1).astype(float)
    return np.add.reduceat(counts, np.arange(0, len(y), neighbours or len(y)))


def f1(counts: Floats, average: str) -> Floats:
    """Return the metric of true positives, predicted and support (..., 3, L); F1 is 0 for a label without any."""
    if average == "micro":
        counts = counts.sum(axis=-1, keepdims=True)
    true_positives, predicted, support = np.moveaxis(counts, -2, 0)
    return np.mean(2 * true_positives / np.maximum(predicted + support, 1), axis=-1)


def summary(lines: Iterable[Line]) -> list[dict[str, object]]:
    """Return the mean of each method on each data set, and the default's mean minus it."""
    groups: dict[tuple[str, str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.data, line.average, line.method), []).append(line)
    found = []
    for (data, average, method), group in groups.items():
        own = groups[data, average, OURSELVES]
        low, high = (None, None) if method == OURSELVES else interval(own, group)
        found.append(
            {
                "data": data,
                "metric": f"f1_{average}",
                "method": method,
                "problems": len(group),
                "score": _rounded(np.mean([line.score for line in group])),
                "default ahead by": _rounded(np.mean(_differences(own, group))),
                "low": _rounded(low),
                "high": _rounded(high),
                "median ms": round(1e3 * float(np.median([line.seconds for line in group])), 1),
            }
        )
    return found


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(float(number), 4) + 0.0


def _differences(own: Sequence[Line], other: Sequence[Line]) -> Floats:
    """Return the default's score minus the other's for each problem."""
    return np.array([ours.score - theirs.score for ours, theirs in zip(own, other, strict=True)])


def interval(own: Sequence[Line], other: Sequence[Line]) -> tuple[float, float]:
    """Return the 90% interval of the mean difference on other samples."""
    if len(own[0].counts) > 1:
        return _by_bootstrap(own, other)
    return _by_splits(_differences(own, other))


def _by_bootstrap(own: Sequence[Line], other: Sequence[Line]) -> tuple[float, float]:
    """Draw blocks of test samples, the same for both methods and all fits; and fits, if there are several."""
    rng = np.random.default_rng(0)
    n_blocks = len(own[0].counts)
    times = rng.multinomial(n_blocks, np.full(n_blocks, 1 / n_blocks), size=DRAWS)
    drawn = [_resampled(ours, times) - _resampled(theirs, times) for ours, theirs in zip(own, other, strict=True)]
    fits = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), size=DRAWS) / len(own)
    outside = (1 - CONFIDENCE) / 2
    low, high = np.quantile((fits.T * drawn).sum(axis=0), [outside, 1 - outside])
    return float(low), float(high)


def _resampled(line: Line, times: npt.NDArray[np.int64]) -> Floats:
    return f1(np.tensordot(times, line.counts, axes=1), line.average)


def _by_splits(differences: Floats) -> tuple[float, float]:
    """Return Student's interval with a correction for splits that share samples.

    Nadeau and Bengio, Inference for the generalization error, Machine Learning 52, 2003.
    """
    n = len(differences)
    error = differences.std(ddof=1) * np.sqrt(1 / n + TEST_OVER_TRAIN)
    reach = error * t.ppf((1 + CONFIDENCE) / 2, n - 1)
    return float(differences.mean() - reach), float(differences.mean() + reach)
