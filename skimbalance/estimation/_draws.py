"""Draws of counts: Bayesian bootstraps of the samples, and the posterior predictive distribution of unseen ones.

Samples that count alike are merged into kinds, whose weights are drawn at once. Samples of one group share a weight.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import block_diag, csr_array, diags_array

from skimbalance._core.array_api import small_codes
from skimbalance.metrics.counts import Counts

__all__ = [
    "Codes",
    "Floats",
    "Kinds",
    "draw_mass",
    "held_by",
    "independent_counts",
    "independent_weights",
    "merged",
    "posterior_predictive",
]

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_DRAWS = 100
_MOST_DRAWS = 2000
_BEYOND = 5
"""Five draws beyond a quantile are expected, with at least 100 and at most 2,000 draws."""

_AT_ONCE = 100
_CELLS_AT_ONCE = 200_000
"""At most 100 draws are made at once, of about 200,000 weights or cells of confusion matrices, which fit into the
cache."""

_KEYS_PER_SAMPLE = 4
"""Keys up to so many times the number of samples are counted, and others sorted."""

_PRIOR = 0.5
"""Half a sample is added to the true positives and to the misses of each class (Jeffreys): no rate of few samples is
certain. Of grouped samples it is half the weight of an independent sample."""


class Kinds(NamedTuple):
    """Samples merged by kind: one of each kind, the weight of all of them, and how many they are.

    Of grouped samples `sizes` is one for each group, and `groups` (G, kinds) the weight of its samples of each kind.
    """

    example: Codes
    mass: Floats
    sizes: Floats
    groups: Any = None


def merged(keys: npt.NDArray[Any], weights: Floats | None, groups: Codes | None) -> Kinds:
    """Merge the samples of equal key (n,)."""
    few = keys.dtype.kind == "i" and keys.size > 0 and keys.max() < _KEYS_PER_SAMPLE * keys.size
    if few:  # without sorting
        counts = np.bincount(keys)
        present = np.flatnonzero(counts)
        example, number = np.zeros((2, len(counts)), dtype=np.int64)
        example[keys], number[present] = np.arange(len(keys)), np.arange(len(present))
        example, sizes = example[present], counts[present].astype(np.float64)
        if weights is None and groups is None:
            return Kinds(example, sizes, sizes)
        inverse = number[keys]
    else:
        _, example, inverse = np.unique(keys, return_index=True, return_inverse=True)
        sizes = np.bincount(inverse).astype(np.float64)
    mass = sizes
    if weights is not None:
        mass, squares = (np.bincount(inverse, weights**power).astype(np.float64) for power in (1, 2))
        # Squares of tiny weights vanish: such samples then count as alike.
        sizes = np.divide(mass * mass, squares, out=sizes, where=squares > 0)
    if groups is None:
        return Kinds(example, mass, sizes)
    held = held_by(groups, inverse, weights, n_kinds=len(example))
    return Kinds(example, mass, np.ones(held.shape[0]), held)


def draw_mass(
    kinds: Kinds,
    rng: np.random.Generator,
    *,
    tail: float,
    anew: bool,
    at_once: int,
    first: int | None = None,
    copies: float = 1.0,
) -> Iterator[Floats]:
    """Yield the weight of each kind (draws, kinds) under Bayesian bootstraps, enough of them for such a tail.

    The draws come in blocks of `at_once`; the first block has `first` draws, if these are fewer. With `anew` unseen
    samples, `copies` times as many, are drawn at these rates: the posterior predictive distribution.
    """
    n_draws = int(np.clip(_BEYOND / tail, _DRAWS, _MOST_DRAWS))
    starts = [*range(0, n_draws, at_once), n_draws]
    if first is not None and first < at_once:
        starts.insert(1, first)
    for start, end in pairwise(starts):
        rates = rng.gamma(kinds.sizes, size=(end - start, len(kinds.sizes)))
        if anew:
            numbers = rng.poisson(copies * rates).astype(np.float64)
            rates = np.where(numbers.any(axis=1, keepdims=True), numbers, rates)
        yield rates * (kinds.mass / kinds.sizes) if kinds.groups is None else rates @ kinds.groups


@dataclass(frozen=True, eq=False)
class _Decided:
    """Kinds of samples alike in truth and in each decision, and what these are; `costs` are those of each decision."""

    kinds: Kinds
    truth: Codes
    decisions: list[Codes]
    costs: list[Floats] | None = None


def posterior_predictive(
    codes: Codes,
    weights: Floats | None,
    decisions: Sequence[Codes],
    *,
    groups: Codes | None = None,
    class_order: Codes,
    confusion: bool,
    seed: int,
    anew: bool = False,
    copies: float = 1.0,
    tail: float = 0.05,
    first: int | None = None,
    costs: Floats | None = None,
) -> Iterator[list[Counts]]:
    """Yield counts of each vector of decisions under Bayesian bootstraps of the samples, or of unseen ones.

    Counts are of 100 draws, or of fewer if there are many kinds of samples. Those that come `first` are of so many at
    most.

    Samples of one kind count alike, so that their exponential weights are drawn as one gamma. With `anew` the counts
    are those of unseen samples, `copies` times as many; as many vary twice as much. Samples of one group share a
    weight, or a number of copies. Draws follow `class_order`, the classes (K,) in an order that does not depend on that
    of the columns. Samples that differ in `costs` (K, n), the cost of predicting each class, are of different kinds.
    """
    n_classes = len(class_order)
    place = small_codes(np.argsort(class_order), n_classes ** (1 + len(decisions)))  # keys take little memory
    keys = place[codes]
    for decided in decisions:
        keys = keys * n_classes + place[decided]
    each_cost = None if costs is None else [costs[decided, np.arange(len(codes))] for decided in decisions]
    if each_cost is not None:
        distinct, number = np.unique(np.stack(each_cost), axis=1, return_inverse=True)
        number = number.reshape(-1)  # NumPy 2.0 keeps an axis of length one
        keys = keys.astype(np.int64) * distinct.shape[1] + number
    kinds = merged(keys, weights, groups)
    merged_samples = _Decided(
        kinds,
        codes[kinds.example],
        [decided[kinds.example] for decided in decisions],
        None if each_cost is None else [cost[kinds.example] for cost in each_cost],
    )
    judged = _with_prior(merged_samples, class_order=class_order, whole=weights is None)
    if costs is not None:
        judged = _with_costs(judged, costs, codes, weights)
    n_cells = max(len(judged.kinds.sizes), n_classes**2 if confusion else 0)
    at_once = min(_AT_ONCE, 1 + _CELLS_AT_ONCE // n_cells)
    rng = np.random.default_rng(seed)
    every: Sequence[Floats | None] = judged.costs or [None] * len(judged.decisions)
    counters = [
        _counter(judged.truth, decided, cost, n_classes=n_classes, confusion=confusion)
        for decided, cost in zip(judged.decisions, every, strict=True)
    ]
    supported = _summed_by(judged.truth, n_classes)
    for mass in draw_mass(judged.kinds, rng, tail=tail, anew=anew, at_once=at_once, first=first, copies=copies):
        support = supported(mass)
        yield [count(mass, support) for count in counters]


def _with_prior(samples: _Decided, *, class_order: Codes, whole: bool) -> _Decided:
    """Add a little of a true positive and of a miss to every class that has samples.

    A miss goes to the class that is predicted most.
    """
    n_classes, kinds = len(class_order), samples.kinds
    mass = np.bincount(samples.truth, kinds.mass, minlength=n_classes)
    occurring = class_order[mass[class_order] > 0]
    added = np.tile(_PRIOR * _independent_mass(samples, n_classes=n_classes, whole=whole)[occurring], 2)
    decisions = []
    for decided in samples.decisions:
        predicted = np.bincount(decided, kinds.mass, minlength=n_classes)
        second, most = class_order[np.argsort(predicted[class_order], kind="stable")[-2:]]
        decisions.append(np.concatenate([decided, occurring, np.where(occurring == most, second, most)]))
    more = Kinds(
        kinds.example,
        np.concatenate([kinds.mass, added]),
        np.concatenate([kinds.sizes, np.full(added.size, _PRIOR)]),
        None if kinds.groups is None else block_diag([kinds.groups, diags_array(added / _PRIOR)], format="csr"),
    )
    return _Decided(more, np.concatenate([samples.truth, occurring, occurring]), decisions, samples.costs)


def _with_costs(samples: _Decided, costs: Floats, codes: Codes, weights: Floats | None) -> _Decided:
    """Return the samples with the costs of those that were added: the mean cost of such a decision in their class."""
    assert samples.costs is not None
    n_added = len(samples.truth) - len(samples.costs[0])
    means = {
        label: np.average(
            costs[:, codes == label], axis=1, weights=None if weights is None else weights[codes == label]
        )
        for label in samples.truth[-n_added:].tolist()
    }
    added = [
        [means[label][k] for label, k in zip(samples.truth[-n_added:].tolist(), decided[-n_added:], strict=True)]
        for decided in samples.decisions
    ]
    pairs = zip(samples.costs, added, strict=True)
    return replace(samples, costs=[np.concatenate([known, more]) for known, more in pairs])


def _independent_mass(samples: _Decided, *, n_classes: int, whole: bool) -> Floats:
    """Return the weight of an independent sample of each class, a `whole` number where all samples weigh one."""
    kinds = samples.kinds
    if kinds.groups is None:
        mass, sizes = (np.bincount(samples.truth, x, minlength=n_classes) for x in (kinds.mass, kinds.sizes))
        return np.divide(mass, sizes, out=np.zeros(n_classes), where=sizes > 0)
    n_kinds = len(samples.truth)
    owned = csr_array((np.ones(n_kinds), (np.arange(n_kinds), samples.truth)), shape=(n_kinds, n_classes))
    hit = diags_array((samples.truth == samples.decisions[-1]).astype(np.float64))
    each = independent_weights(kinds.groups @ hit @ owned, kinds.groups @ owned)
    return np.rint(each).clip(1) if whole else each  # an objective may accept no other weights


def _counter(
    truth: Codes, decided: Codes, cost: Floats | None, *, n_classes: int, confusion: bool
) -> Callable[[Floats, Floats], Counts]:
    """Return the function from the weight of each kind (draws, kinds) and the support to the counts of the draws."""
    correct, cells = np.flatnonzero(truth == decided), truth * n_classes + decided
    hits, predicted = _summed_by(truth[correct], n_classes, of=correct), _summed_by(decided, n_classes)

    def count(mass: Floats, support: Floats) -> Counts:
        tables = None
        if confusion:
            each = [np.bincount(cells, drawn, minlength=n_classes**2) for drawn in mass]
            tables = np.stack(each).reshape(-1, n_classes, n_classes)
        return Counts(hits(mass), predicted(mass), support, tables, None if cost is None else mass @ cost)

    return count


def _summed_by(labels: Codes, n_labels: int, *, of: Codes | None = None) -> Callable[[Floats], Floats]:
    """Return the function that sums the columns, those `of` these numbers, of equal label: (draws, n_labels)."""
    order = np.argsort(labels, kind="stable")
    found, starts = np.unique(labels[order], return_index=True)
    columns = order if of is None else of[order]

    def summed(mass: Floats) -> Floats:
        totals = np.zeros((len(mass), n_labels))
        if found.size:
            totals[:, found] = np.add.reduceat(mass[:, columns], starts, axis=1)
        return totals

    return summed


def independent_counts(codes: Codes, groups: Codes | None, *, n_classes: int) -> Codes:
    """Return how many samples there are of each class (K,); those of one group and class count once."""
    if groups is not None:
        codes = np.unique(groups * n_classes + codes) % n_classes
    counts: Codes = np.bincount(codes, minlength=n_classes)
    return counts


def held_by(groups: Codes, kinds: Codes, weights: npt.NDArray[np.float64] | None, *, n_kinds: int) -> Any:
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
