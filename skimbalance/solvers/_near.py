"""Which classes are near to a sample: those that are its best with some offsets within bounds.

Of many scores few are near. Compiled code searches these in host memory, wherever the scores are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import (
    block_samples,
    bring_like,
    count_codes,
    device,
    flat,
    largest_magnitude,
    namespace,
    only,
    opens_group,
    put,
    segment_maximum,
    shifted_blocks,
    small_codes,
    to_numpy,
    transposed,
)
from skimbalance._core.typing import Array
from skimbalance.solvers._base import Problem
from skimbalance.solvers._line_search import Bounds

__all__ = [
    "PairsOnHost",
    "Reach",
    "bounds_of",
    "is_searched_near",
    "most_per_sample",
    "pairs_on_host",
    "strained",
    "usual_reach",
    "within_reach",
]

_Vector = npt.NDArray[np.float64]

_EVERYWHERE_SAMPLES = 4096
_EVERYWHERE_CELLS = 1 << 20
"""Up to so many samples and scores a sweep covers all samples, beyond only those with small margins."""

_SAMPLE, _SAMPLE_FOR_SIZES = 1024, 4096
"""Samples from which the reach of a class is estimated, and those from which the sizes of classes are."""

_FEWER = 128
"""Samples from which the reach of all classes is estimated."""

_LEAST_SAMPLES = 256
_PER_OWN_SAMPLE = 4
"""A sweep over near samples covers at least so many samples, and so many times the support of its class."""

_CLASSES_PER_SAMPLE = 16
"""At most so many classes are near in the mean sample, apart from ties and from sweeps of majority classes."""

_MOST_PER_SAMPLE = 64
_MOST_OF_CLASSES = 1 / 8
"""Ties may make more classes than that, and than that proportion of all, near in the mean sample. Then all classes
count as near, and no pairs are stored."""

_LEAST_REACH = 1.0
"""An offset can rise at least so far, a factor e in the odds, unless that makes too many classes near."""

_FARTHER = 8
"""For samples of its own class, the quantile of near samples is so many times larger."""

_ERRORS, _MOST_CHANGE = 8.0, 0.5
"""From the optimum of a subsample, the offset of a class of n samples changes by at most `8 / sqrt(n)`, and at most by
a half. That is two to three standard errors if the subsample has a tenth of the samples."""

_SCALES = (1.0, 0.5, 0.25)
_PAIRS = 1_000_000
_MOST_NEARBY = 1 / 2
"""The change is multiplied by the greatest of these scales that leaves few pairs. These are at most so many, and at
most this proportion of the classes in the mean sample."""

_PAIRS_OF_DEVICE, _PAIRS_OF_DEVICE_NEARBY = 500_000, 250_000
"""At most so many pairs of a device are searched on the host. With more, operations of the device are faster. These are
estimates, see `speed.device` in benchmarks/README.md. Several ascents start near the optimum, where the limit is
lower."""

_PER_CLASS = 1 / 4
"""A compiled line search reads the counts of all classes. With fewer pairs of the mean class than a fourth of the
classes, array operations for many classes at once are faster."""

_MOST_PAIRS = 1 << 30
"""Pairs of compiled code have numbers of 32 bits."""

_ROUNDINGS = 16
"""Sums of scores and offsets differ from the exact ones by less than so many units in the last place."""

_ROOM = 0.1
"""Pairs are found again for offsets that have less than this proportion of the way to a bound left."""


class Reach(NamedTuple):
    """By how much the offset of each class (K,) may rise, and by how much it may fall."""

    rise: Array
    fall: Array

    def scaled(self, factor: float) -> "Reach":
        """Return the reach times a factor."""
        return Reach(factor * self.rise, factor * self.fall)


def is_searched_near(problem: Problem) -> bool:
    """Return whether a problem is so large that a sweep covers only samples with small margins."""
    return problem.scores.shape[0] > _EVERYWHERE_SAMPLES or problem.n_scores > _EVERYWHERE_CELLS


def usual_reach(problem: Problem, offsets: Array) -> tuple[Reach, float]:
    """Return a reach by which enough samples of each class are near, and the number of pairs of the mean sample.

    Both are estimated on a subsample.
    """
    margins = _margins_of_some(problem.scores, offsets)
    reach = _reach_of_quantiles(problem, offsets, margins)
    return reach, _pairs_per_sample(margins, reach)


def _reach_of_quantiles(problem: Problem, offsets: Array, margins: Array) -> Reach:
    """Return a reach by quantiles of the margins of some samples.

    Every offset may fall by half of the least margin up to which a class is near, and rise by the rest of its own.
    """
    scores, support = problem.scores, problem.truth.support
    xp = namespace(scores)
    n_samples, n_classes = scores.shape
    count = margins.shape[0]
    predicted = xp.mean(xp.astype(margins == 0, xp.float64), axis=0)
    share = _PER_OWN_SAMPLE * xp.maximum(support / xp.sum(support), predicted)
    share = xp.clip(share, min(_LEAST_SAMPLES / n_samples, _CLASSES_PER_SAMPLE / n_classes), None)
    ordered, begin = flat(xp.sort(transposed(margins), axis=1)), count * xp.arange(n_classes, device=device(scores))

    def quantile(share: Array) -> Array:
        return ordered[begin + xp.clip(xp.astype(share * count, xp.int64), None, count - 1)]

    each = xp.sort(margins[:: max(1, count // _FEWER), :], axis=1)[:, min(_CLASSES_PER_SAMPLE, n_classes - 1)]
    few = each[each > 0]
    least = min(_LEAST_REACH, float(xp.mean(few))) if few.shape[0] else _LEAST_REACH
    own = xp.minimum(_nearest_own(problem, offsets) + least, quantile(_FARTHER * share))
    reach = xp.clip(xp.maximum(quantile(share), own), least, None)
    fall = reach * 0 + xp.min(reach) / 2
    return Reach(reach - fall, fall)


def _reach_of_error(scores: Array, offsets: Array) -> Reach:
    """Return a reach of some standard errors of each offset at the optimum of a subsample.

    The size of a class is the number of samples for which it is predicted, and does not depend on labels and weights.
    """
    xp = namespace(scores)
    n_samples, n_classes = scores.shape
    step = max(1, n_samples // _SAMPLE_FOR_SIZES)
    predicted = xp.argmax(scores[::step, :] + offsets, axis=1)
    sizes = xp.clip(step * count_codes(predicted, None, n_classes), 1.0, None)
    change = bring_like(xp.clip(_ERRORS / xp.sqrt(sizes), None, _MOST_CHANGE), scores)
    return Reach(change, change)


def _margins_of_some(scores: Array, offsets: Array) -> Array:
    """Return the margins of all classes in a subsample."""
    sample = scores[:: max(1, scores.shape[0] // _SAMPLE), :] + offsets
    return namespace(scores).max(sample, axis=1, keepdims=True) - sample


def _nearest_own(problem: Problem, offsets: Array) -> Array:
    """Return the least margin (K,) among a few samples of each class, zero for a class without any."""
    samples, classes = problem.representatives
    xp = namespace(samples)
    parts = []
    for some in block_samples((samples.shape[0], problem.n_classes), problem.scores):
        shifted = xp.take(problem.scores, samples[some], axis=0) + offsets
        own = shifted[xp.arange(shifted.shape[0], device=device(samples)), classes[some]]
        parts.append(xp.max(shifted, axis=1) - own)
    margins = xp.concat(parts)
    starts = xp.nonzero(opens_group(classes))[0]
    return put(offsets * 0, classes[starts], -segment_maximum(-margins, starts))


def most_per_sample(n_classes: int) -> float:
    """Return how many pairs the mean sample may have: with more, all classes count as near."""
    return max(_MOST_PER_SAMPLE, _MOST_OF_CLASSES * n_classes)


def _pairs_per_sample(margins: Array, reach: Reach) -> float:
    """Return the number of near classes in the mean sample of a subsample; one class alone does not count."""
    xp = namespace(margins)
    limit = reach.rise + reach.fall[xp.argmin(margins, axis=1)][:, None]
    near = xp.sum(xp.astype(margins <= limit, xp.float64), axis=1)
    return float(xp.mean(only(near, near > 1)))


def within_reach(scores: Array, offsets: Array, reach: Reach) -> tuple[Array, ...]:
    """Return the best class of each sample, its shifted score, and the number, codes and scores of the classes near it.

    A sample to which no other class is near has none. Classes that rounding may make the best are near, too.
    """
    xp, parts = namespace(scores), []
    rounding = _ROUNDINGS * float(xp.finfo(scores.dtype).eps)
    rise, fall = (change + rounding * (change + xp.abs(offsets)) for change in reach)
    for samples, block in shifted_blocks(scores, offsets):
        first = xp.argmax(block, axis=1)
        value = block[xp.arange(first.shape[0], device=device(scores)), first]
        block += rise
        close = xp.nonzero(flat(block >= (value - fall[first] - rounding * xp.abs(value))[:, None]))[0]
        row = close // scores.shape[1]
        counts = xp.astype(count_codes(row, None, first.shape[0]), xp.int64)
        several = xp.nonzero(counts[row] > 1)[0]
        row, close = row[several], close[several]
        parts.append(
            (first, value, only(counts, counts > 1), close - row * scores.shape[1], flat(scores[samples, :])[close])
        )
    return tuple(xp.concat(column) for column in zip(*parts, strict=True))


def bounds_of(offsets: Array, reach: Reach) -> Bounds:
    """Return the bounds within which no class that is not near can become the best."""
    middle, rise, fall = (to_numpy(x).astype(np.float64) for x in (offsets, *reach))
    return Bounds(middle - fall, middle + rise)


def strained(offsets: npt.NDArray[Any], middle: _Vector, bounds: Bounds, *, room: float) -> npt.NDArray[np.bool_]:
    """Return which offsets (K,) have less than the proportion `room` of the way from the middle to a bound left."""
    left = np.minimum(offsets - bounds.low, bounds.high - offsets)
    is_strained: npt.NDArray[np.bool_] = left < room * np.minimum(middle - bounds.low, bounds.high - middle)
    return is_strained


@dataclass(frozen=True)
class PairsOnHost:
    """The near pairs of a problem in host memory, in the order of their classes, for offsets within `bounds`.

    `layout` is the argument `pairs` of the compiled ascent, `scores` (m,) are those of the pairs, and `largest` is the
    largest magnitude of these. `middle` (K,) are the offsets around which the pairs are near. All else is where the
    scores of the problem are. Pairs have `classes` (m,) and `samples_of` (m,). Some `samples` have pairs. The class of
    each of the `others` is `settled`.
    """

    layout: tuple[npt.NDArray[Any], ...]
    scores: _Vector
    largest: float
    middle: _Vector
    bounds: Bounds
    classes: Array
    samples_of: Array
    samples: Array
    others: Array
    settled: Array

    def strained_by(self, offsets: _Vector) -> npt.NDArray[np.bool_]:
        """Return which of the offsets (K,) are at a bound, or nearly so."""
        return strained(offsets, self.middle, self.bounds, room=_ROOM)


def pairs_on_host(problem: Problem, offsets: Array, *, nearby: bool) -> PairsOnHost | None:
    """Return the near pairs of a problem; None if they are too many, or there are none.

    If the optimum is `nearby`, the bounds are closer.
    """
    scores, xp, n_classes = problem.scores, namespace(problem.scores), problem.n_classes
    offsets = bring_like(offsets, scores)
    reach = _reach_of_few(problem, offsets, nearby=nearby)
    if reach is None:
        return None
    first, _, counts, classes, pair_scores = within_reach(scores, offsets, reach)
    if classes.shape[0] > _MOST_PAIRS:
        return None
    has_pairs = counts > 0
    samples, others = xp.nonzero(has_pairs)[0], xp.nonzero(~has_pairs)[0]
    if not samples.shape[0]:
        return None
    sizes, order = counts[samples], xp.argsort(small_codes(classes, n_classes), stable=True)
    number_of = xp.repeat(xp.arange(samples.shape[0], device=device(scores)), sizes)[order]
    entry_class, pair_entry, sample_of = (to_numpy(x).astype(np.intc) for x in (classes, order, number_of))
    entry_pair = np.empty_like(pair_entry)
    entry_pair[pair_entry] = np.arange(len(pair_entry), dtype=np.intc)
    class_begin, sample_begin = _begins(np.bincount(entry_class, minlength=n_classes)), _begins(to_numpy(sizes))
    ordered = to_numpy(pair_scores[order]).astype(np.float64)
    return PairsOnHost(
        layout=(class_begin, sample_of, sample_begin, entry_class, entry_pair),
        scores=ordered,
        largest=largest_magnitude(ordered),
        middle=to_numpy(offsets).astype(np.float64),
        bounds=bounds_of(offsets, reach),
        classes=classes[order],
        samples_of=samples[number_of],
        samples=samples,
        others=others,
        settled=first[others],
    )


def _reach_of_few(problem: Problem, offsets: Array, *, nearby: bool) -> Reach | None:
    """Return a reach that leaves few pairs, but enough of each class, as far as a subsample shows; None without any."""
    scores, is_on_device = problem.scores, problem.is_on_device
    n_samples, n_classes = scores.shape
    if nearby:
        margins, widest = _margins_of_some(scores, offsets), _reach_of_error(scores, offsets)
        scaled = (widest.scaled(scale) for scale in _SCALES)
        tried: Iterable[tuple[Reach, float]] = ((reach, _pairs_per_sample(margins, reach)) for reach in scaled)
        n_pairs, most = _PAIRS_OF_DEVICE_NEARBY if is_on_device else _PAIRS, _MOST_NEARBY * n_classes
    else:
        tried = [usual_reach(problem, offsets)]
        n_pairs, most = _PAIRS_OF_DEVICE if is_on_device else _MOST_PAIRS, most_per_sample(n_classes)
    least, most = _PER_CLASS * n_classes**2 / n_samples, min(most, n_pairs / n_samples)
    return next((reach for reach, pairs_per_sample in tried if least <= pairs_per_sample <= most), None)


def _begins(sizes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the number of the first element of each group, and of none."""
    begins: npt.NDArray[np.int64] = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return begins
