"""Grouped samples, which are not independent: those of one group share a fold, a weight and a count."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

__all__ = ["deal_groups", "held_by", "independent_counts", "independent_weights"]

_Codes = npt.NDArray[np.int64]


def independent_counts(codes: _Codes, groups: _Codes | None, *, n_classes: int) -> _Codes:
    """Return how many samples there are of each class (K,); those of one group and class count once."""
    if groups is not None:
        codes = np.unique(groups * n_classes + codes) % n_classes
    counts: _Codes = np.bincount(codes, minlength=n_classes)
    return counts


def held_by(groups: _Codes, kinds: _Codes, weights: npt.NDArray[np.float64] | None, *, n_kinds: int) -> Any:
    """Return the sparse matrix (groups, kinds) of what the samples of each kind in each group weigh."""
    present, number = np.unique(groups, return_inverse=True)
    mass = np.ones(len(groups)) if weights is None else weights
    return csr_array((mass, (number, kinds)), shape=(len(present), n_kinds))


def independent_weights(hits: Any, totals: Any) -> npt.NDArray[np.float64]:
    """Return the weight (K,) of samples of each class with as much information on its recall as an independent sample.

    `hits` and `totals` are sparse (groups, K): the weight of the samples of a class in a group, of the true positives
    and of all. The result is the variance of the true positives over groups by that of independent samples, the design
    effect of survey samples. With few true positives or misses it is the mean weight of a class in its groups.
    """
    sums = np.asarray(totals.sum(axis=0), dtype=np.float64)
    groups = sums / np.maximum((totals > 0).sum(axis=0), 1)
    rates = np.asarray(hits.sum(axis=0)) / np.where(sums > 0, sums, 1)
    squares = np.asarray((hits - totals.multiply(rates[None, :])).power(2).sum(axis=0))
    some = np.where(sums > 0, groups / 2, 1)
    weights: npt.NDArray[np.float64] = (squares + groups * some) / (rates * (1 - rates) * sums + some)
    return weights


def deal_groups(codes: _Codes, groups: _Codes, *, n_folds: int, seed: int) -> _Codes:
    """Return the fold of each sample: every group is whole, and classes are spread as evenly as that allows.

    Of groups that hold the same number of samples of each class every fold takes equally many. The others follow one by
    one, as in scikit-learn's `StratifiedGroupKFold`.
    """
    present, codes = np.unique(codes, return_inverse=True)
    distinct, groups = np.unique(groups, return_inverse=True)
    n_classes, n_groups, rng = len(present), len(distinct), np.random.default_rng(seed)
    # Sums of random integers, which may overflow, differ between groups of different content.
    content = np.zeros(n_groups, dtype=np.uint64)
    np.add.at(content, groups, rng.integers(1 << 64, size=n_classes, dtype=np.uint64)[codes])
    shuffled = rng.permutation(n_groups)
    order = shuffled[np.argsort(content[shuffled], kind="stable")]
    _, first, alike = np.unique(content[order], return_index=True, return_counts=True)
    turn = np.arange(n_groups) - np.repeat(first, alike)
    fold_of_group = np.empty(n_groups, dtype=np.int64)
    fold_of_group[order] = turn % n_folds
    left = np.zeros(n_groups, dtype=np.bool_)
    left[order] = turn >= np.repeat(alike - alike % n_folds, alike)
    if left.any():
        held = csr_array((np.ones(len(codes)), (groups, codes)), shape=(n_groups, n_classes))
        rest = shuffled[left[shuffled]]
        fold_of_group[rest] = _one_by_one(held[rest], np.bincount(codes), n_folds=n_folds)
    fold_of: _Codes = fold_of_group[groups]
    return fold_of


def _one_by_one(held: Any, n_samples: _Codes, *, n_folds: int) -> _Codes:
    """Return the fold of each group of `held` (groups, classes), those first that hold the largest part of a class.

    A group goes where it adds the least to the squared share of each class in each fold, summed; where several folds
    are as good, to the one with the fewest samples.
    """
    scale = 1 / n_samples.astype(np.float64) ** 2
    size = held.power(2) @ scale
    fold_of = np.empty(held.shape[0], dtype=np.int64)
    in_fold, totals = np.zeros((n_folds, len(n_samples))), np.zeros(n_folds)
    for group in np.argsort(-size, kind="stable").tolist():
        part = slice(*held.indptr[group : group + 2])
        classes, counts = held.indices[part], held.data[part]
        added = in_fold[:, classes] @ (counts * scale[classes])
        fold = int(np.lexsort((totals, added))[0])
        in_fold[fold, classes] += counts
        totals[fold] += counts.sum()
        fold_of[group] = fold
    return fold_of
