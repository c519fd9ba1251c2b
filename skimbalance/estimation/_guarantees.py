"""Bounds on rates that hold on unseen data with a confidence, from counts alone.

A rate, such as a recall or a predicted share, is a proportion of n independent samples. Cuts of their sorted scores
with few enough errors are certified. With probability `1 - delta` the rate of unseen data is at least the bound at all
of them. See Tong, Feng and Li, *Neyman-Pearson classification algorithms and NP receiver operating characteristics*,
2018. A precision is a proportion of the samples above a cut, which differ from cut to cut. Its cuts are tested in a
fixed sequence. Numbers of samples and errors may be real: those of weighted or grouped samples are effective numbers.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaincinv, gammaln, ndtr, ndtri
from scipy.stats import betabinom

__all__ = [
    "STARTS",
    "best_bound",
    "certified_cuts",
    "certified_errors",
    "effective_sizes",
    "is_rejected",
    "precision_p_values",
    "rate_bound",
    "rate_p_values",
    "ratio_p_values",
    "samples_needed",
]

_Floats = npt.NDArray[np.float64]

STARTS = (10, 40, 160)
"""Tests of a precision start at the cuts that predict so many samples, each with an equal part of `delta`."""

_ROUNDING = 1e-9
"""A whole number of errors is allowed if it exceeds the product of the rate and the samples by no more."""

_MOST = 1 << 40
"""No bound is sought for more samples."""


def rate_p_values(errors: Any, n: Any, rate: Any, *, new_samples: int | None = None) -> _Floats:
    """Return the p-value of "the rate is below `rate`" for cuts with so many of n samples strictly below.

    Without new samples it is `P(Bin(n, 1 - rate) <= errors)`. For `new_samples` it is the probability that more of
    them than `rate` allows are below the lowest sample that is not: `BetaBin(m, errors + 1, n - errors)`.
    """
    errors, n, rate = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (errors, n, rate)))
    rate = np.clip(rate, 0.0, 1.0) if new_samples is None else rate
    some = errors < n
    right, errors = np.where(some, n - errors, 1.0), np.maximum(errors, 0.0)
    p: Any
    if new_samples is None:
        p = betainc(right, errors + 1, rate)
    else:
        p = betabinom.sf(_allowed(rate, new_samples), new_samples, errors + 1, right)
    values: _Floats = np.where(some, p, rate > 0)
    return values


def _allowed(rate: Any, new_samples: Any) -> Any:
    """Return how many errors of `new_samples` a rate allows; less than zero if none are few enough."""
    return np.floor(new_samples * (1 - rate) + _ROUNDING)


def is_rejected(p_values: Any, delta: float) -> Any:
    """Return whether p-values are at most `delta`, but for rounding."""
    return np.asarray(p_values) <= delta * (1 + _ROUNDING)


def certified_errors(n: float, rate: float, delta: float, *, new_samples: int | None = None) -> int:
    """Return the largest k for which a cut at the k-th lowest of n samples is certified, zero if there is none.

    Cuts up to there have at most k - 1 errors. Without new samples, `P(Bin(n, 1 - rate) <= k - 1) <= delta`.
    """
    low, high = 0, int(np.floor(n)) + 1
    while high - low > 1:  # p-values grow with the errors
        middle = (low + high) // 2
        certified = is_rejected(rate_p_values(middle - 1, n, rate, new_samples=new_samples), delta)
        low, high = (middle, high) if certified else (low, middle)
    return low


def samples_needed(rate: float, delta: float, *, new_samples: int | str | None = None) -> int | None:
    """Return the least number of samples with which a bound can be certified at all, None if no number suffices."""

    def enough(n: Any) -> Any:
        return is_rejected(_p_of_none_below(n, rate, new_samples), delta)

    if rate <= 0:
        return 0
    high = 1
    while not enough(high):
        high *= 2
        if high > _MOST:
            return None
    if new_samples == "as_many":  # not monotone: the number of allowed errors is a whole one
        return 1 + int(np.argmax(enough(np.arange(1, high + 1))))
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _p_of_none_below(n: Any, rate: float, new_samples: int | str | None) -> Any:
    """Return the p-value of a cut without errors."""
    n = np.asarray(n, dtype=np.float64)
    if new_samples is None:
        return np.minimum(rate, 1.0) ** n
    m = n if new_samples == "as_many" else np.full(n.shape, float(new_samples))
    return _p_of_more(_allowed(rate, m), m, n)


def _p_of_more(allowed: Any, m: Any, n: Any) -> Any:
    """Return `P(BetaBin(m, 1, n) > a) = C(m, a + 1) / C(n + m, a + 1)` for `a` allowed errors of m, one below zero."""
    more = allowed + 1
    logs = gammaln(m + 1) - gammaln(m - more + 1) + gammaln(n + m - more + 1) - gammaln(n + m + 1)
    return np.where(more > 0, np.exp(logs), 1.0)


def rate_bound(errors: Any, n: Any, delta: float) -> _Floats:
    """Return the lower confidence bound of Clopper and Pearson for a rate with so many errors of n samples."""
    errors, n = np.broadcast_arrays(np.asarray(errors, dtype=np.float64), np.asarray(n, dtype=np.float64))
    some = errors < n
    bounds: _Floats = np.where(some, betaincinv(np.where(some, n - errors, 1.0), errors + 1, delta), 0.0)
    return bounds


def best_bound(n: float, delta: float, *, new_samples: int | None = None) -> float:
    """Return the highest rate that n samples can certify: that of a cut without errors."""
    if n <= 0:
        return 0.0
    if new_samples is None:
        return float(delta ** (1 / n))
    allowed = np.arange(new_samples + 1)
    enough = is_rejected(_p_of_more(allowed, new_samples, n), delta)
    return float(1 - allowed[np.argmax(enough)] / new_samples)


def precision_p_values(hits: Any, predicted: Any, precision: float) -> _Floats:
    """Return the p-values `P(Bin(predicted, precision) >= hits)` of "the precision is below `precision`"."""
    hits, predicted = np.asarray(hits, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    return rate_p_values(predicted - hits, predicted, precision)


_LEAST_P, _EPSILON = 1e-300, 1e-15
"""P-values of zero and one have no normal score, and are moved by so little."""

_STEPS_OF_RATE, _OUTSIDE = 24, 1e-4
"""The rate of the second class takes so many values in its confidence set, and is outside with this probability."""


def ratio_p_values(hits: Any, n_own: float, false: Any, n_others: float, ratio: float) -> _Floats:
    """Return p-values of "the rate of hits is below `ratio` times the rate of false positives".

    Hits are of `n_own` samples, false positives of `n_others`. Where the rates are `ratio * f` and f, the binomial
    p-values of both counts are independent. They are combined as weighted normal scores (Stouffer), with the weights of
    a score test. The result is maximised over a grid of f in a confidence set of level `1 - _OUTSIDE`, and `_OUTSIDE`
    is added: Berger and Boos, *P values maximized over a confidence set for the nuisance parameter*, JASA 89, 1994.
    """
    hits, false = np.broadcast_arrays(*(np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (hits, false)))
    if ratio <= 0:
        return np.zeros(hits.shape)
    low = rate_bound(n_own - hits, n_own, _OUTSIDE / 2) / ratio
    high = np.minimum(1 - rate_bound(false, n_others, _OUTSIDE / 2), 1 / ratio)
    p_values = np.full(hits.shape, _OUTSIDE)
    some = np.flatnonzero(low <= high)
    rates = low[some, None] + (high - low)[some, None] * np.linspace(0, 1, _STEPS_OF_RATE)
    own = np.minimum(ratio * rates, 1.0)
    weights = np.sqrt(np.stack([own * (1 - own) / n_own, ratio**2 * rates * (1 - rates) / n_others]).clip(_LEAST_P))
    weights /= np.sqrt((weights**2).sum(axis=0))
    few = rate_p_values((n_own - hits[some])[:, None], n_own, own)  # P(Bin(n_own, own) >= hits)
    many = rate_p_values(false[some, None], n_others, 1 - rates)  # P(Bin(n_others, f) <= false)
    few, many = (ndtri(np.clip(p, _LEAST_P, 1 - _EPSILON)) for p in (few, many))
    p_values[some] += ndtr(np.max(weights[0] * few + weights[1] * many, axis=1))
    return p_values.clip(None, 1.0)


_AT_ONCE = 1024
"""P-values are computed for so many cuts at a time: most tests end early."""


def certified_cuts(
    p_values: Callable[[slice], _Floats], sizes: npt.NDArray[Any], delta: float, *, starts: Sequence[int] = STARTS
) -> npt.NDArray[np.bool_]:
    """Return which cuts are certified by a fixed sequence of tests, for cuts that predict ever more samples.

    `sizes` (m,) are the numbers of predicted samples, increasing; `p_values` returns those of a slice of the cuts. From
    each start on, cuts are tested until one fails. Each start has an equal part of `delta`, and inherits the level of
    the one before if that has reached it. See Wiens, *A fixed sequence Bonferroni procedure for testing multiple
    endpoints*, Pharmaceutical Statistics 2, 2003.
    """
    n_cuts = len(sizes)
    certified = np.zeros(n_cuts, dtype=np.bool_)
    possible = [start for start in starts if n_cuts and start <= sizes[-1]]
    if not possible:
        return certified
    begins = [int(np.searchsorted(sizes, start)) for start in possible]
    level = 0.0
    for begin, end in pairwise([*begins, n_cuts]):
        level += delta / len(possible)
        reached = _reached(p_values, begin, end, level)
        certified[begin:reached] = True
        level = level if reached == end else 0.0
    return certified


def _reached(p_values: Callable[[slice], _Floats], begin: int, end: int, level: float) -> int:
    """Return the first cut from `begin` on with a greater p-value, `end` if there is none."""
    while begin < end:
        here = slice(begin, min(begin + _AT_ONCE, end))
        failed = np.flatnonzero(~is_rejected(p_values(here), level))
        if failed.size:
            return begin + int(failed[0])
        begin = here.stop
    return end


def effective_sizes(
    weights: _Floats | None, groups: npt.NDArray[np.int64] | None, *, n_samples: int
) -> tuple[_Floats, _Floats]:
    """Return the weight (n,) and the effective size (n,) of the first samples, up to and with each.

    The effective size of Kish is the squared sum of the weights by the sum of their squares. Of grouped samples the
    weights are those of the groups: equal groups count once each.
    """
    if weights is None and groups is None:
        each = np.arange(1.0, n_samples + 1)
        return each, each
    own = np.ones(n_samples) if weights is None else weights
    mass = np.cumsum(own)
    squares = own * own
    if groups is not None:
        order = np.argsort(groups, kind="stable")
        running = np.cumsum(own[order]) - own[order]
        opens = np.flatnonzero(np.diff(groups[order], prepend=-1))
        before = np.empty(n_samples)
        before[order] = running - np.repeat(running[opens], np.diff(np.append(opens, n_samples)))
        squares = squares + 2 * own * before
    total = np.cumsum(squares)
    sizes = np.divide(mass * mass, total, out=np.zeros(n_samples), where=total > 0)
    return mass, sizes
