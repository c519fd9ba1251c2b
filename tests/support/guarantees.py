"""Slow oracles of bounds with a confidence: sums over all outcomes, and all thresholds one by one."""

from fractions import Fraction
from math import comb

import numpy as np

__all__ = [
    "beta_binomial_above",
    "binomial_at_most",
    "certified_precisions",
    "certified_shares",
    "certified_thresholds",
]


def binomial_at_most(k, n, p):
    """Return P(Bin(n, p) <= k) by a sum of exact fractions; p is taken as its decimal."""
    p = Fraction(str(p))
    return float(sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1)))


def beta_binomial_above(allowed, m, n, k):
    """Return how likely more than `allowed` of m new samples are below the k-th lowest of n, all orders being equal."""
    total = comb(n + m, m)
    # Exactly j new samples are below the k-th old one: places before it and after it are chosen apart.
    ways = [comb(k - 1 + j, j) * comb(n - k + m - j, m - j) for j in range(m + 1)]
    return float(Fraction(sum(ways[allowed + 1 :]), total))


def certified_thresholds(scores, y, rate, delta):
    """Return the distinct scores t for which `scores >= t` certifies the recall of the samples with y == 1."""
    own = scores[y == 1]
    return [
        t for t in np.unique(scores) if binomial_at_most(int((own < t).sum()), len(own), f"{1 - rate:.10g}") <= delta
    ]


def certified_shares(scores, share, delta, *, new_samples=None):
    """Return the distinct scores t for which `scores >= t` certifies that at most `share` of all samples is predicted.

    With new samples the bound is on as many of them: more than allowed are predicted with probability `delta` or less.
    """
    found = []
    for t in np.unique(scores):
        predicted, n = int((scores >= t).sum()), len(scores)
        if new_samples is None:
            p = binomial_at_most(predicted, n, f"{share:.10g}") if predicted < n else 1.0
        else:
            allowed = int(Fraction(str(share)) * new_samples)
            p = beta_binomial_above(allowed, new_samples, n, predicted + 1) if predicted < n else 1.0
        if p <= delta:
            found.append(t)
    return found


def certified_precisions(scores, y, precision, delta, *, starts):
    """Return the distinct scores t for which a fixed sequence of binomial tests certifies the precision."""
    cuts = np.unique(scores)[::-1]
    sizes = [int((scores >= t).sum()) for t in cuts]
    starts = [start for start in starts if start <= len(scores)]
    certified, level, alive = [], 0.0, False
    for t, size in zip(cuts, sizes, strict=True):
        opened = [start for start in starts if start <= size]
        starts = starts[len(opened) :]
        if opened:
            share = delta * len(opened) / max(1, len([s for s in ALL if s <= len(scores)]))
            level, alive = (level if alive else 0.0) + share, True
        if alive:
            hits = int(((scores >= t) & (y == 1)).sum())
            p = 1 - binomial_at_most(hits - 1, size, f"{precision:.10g}") if hits else 1.0
            alive = p <= level
            if alive:
                certified.append(t)
    return certified


ALL = (10, 40, 160)
