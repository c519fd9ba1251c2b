"""What counts might have been, had other samples of the same kind been drawn."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import block_diag, csr_array, diags_array

from skimbalance.estimation._groups import held_by, independent_weights
from skimbalance.metrics.counts import Counts

__all__ = ["Codes", "Floats", "posterior_predictive"]

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_DRAWS = 100
_MOST_DRAWS = 2000
_BEYOND = 5
"""So many draws are to fall beyond a quantile, within those limits."""

_AT_ONCE = 100
_CELLS_AT_ONCE = 5_000_000
"""Draws that are held in memory, and numbers of them."""

_PRIOR = 0.5
"""Samples added to the hits and to the misses of each class (Jeffreys): no rate of few samples is certain. Of samples
in groups it is half of what an independent sample weighs."""


class _Kinds(NamedTuple):
    """Samples by kind, alike in truth and in each decision: what all samples of a kind weigh, and how many they are.

    Of samples in groups `sizes` is one for each group, and `groups` (G, kinds) what its samples of each kind weigh.
    """

    truth: Codes
    decisions: list[Codes]
    mass: Floats
    sizes: Floats
    groups: Any = None


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
    tail: float = 0.05,
) -> Iterator[list[Counts]]:
    """Yield counts of each vector of decisions under Bayesian bootstraps of the samples, enough of them for such a
    tail.

    Samples of one kind count alike, so that their exponential weights are drawn as one gamma. With `anew` as many new
    samples are drawn at these rates: the posterior predictive distribution, which varies twice as much. Samples of one
    group share a weight, or a number of copies. Draws follow `class_order`, the classes (K,) in an order that does not
    depend on that of the columns.
    """
    n_classes = len(class_order)
    kinds = _kinds(codes, weights, decisions, groups, class_order=class_order)
    kinds = _with_prior(kinds, class_order=class_order, whole=weights is None)
    rng = np.random.default_rng(seed)
    n_draws = int(np.clip(_BEYOND / tail, _DRAWS, _MOST_DRAWS))
    at_once = min(_AT_ONCE, 1 + _CELLS_AT_ONCE // len(kinds.sizes))
    for start in range(0, n_draws, at_once):
        mass = _drawn(kinds, min(at_once, n_draws - start), rng, anew=anew)
        support = _totals(mass, kinds.truth, n_classes)
        each = [_counts(mass, kinds.truth, decided, support, confusion=confusion) for decided in kinds.decisions]
        yield from map(list, zip(*each, strict=True))


def _drawn(kinds: _Kinds, n_draws: int, rng: np.random.Generator, *, anew: bool) -> Floats:
    """Return the weight of each kind in each draw, (draws, kinds)."""
    rates = rng.gamma(kinds.sizes, size=(n_draws, len(kinds.sizes)))
    if anew:
        samples = rng.poisson(rates).astype(np.float64)
        rates = np.where(samples.any(axis=1, keepdims=True), samples, rates)
    drawn: Floats = rates * (kinds.mass / kinds.sizes) if kinds.groups is None else rates @ kinds.groups
    return drawn


def _kinds(
    codes: Codes, weights: Floats | None, decisions: Sequence[Codes], groups: Codes | None, *, class_order: Codes
) -> _Kinds:
    rank = np.argsort(class_order)
    kind = rank[codes]
    for decided in decisions:
        kind = kind * len(rank) + rank[decided]
    _, first, inverse = np.unique(kind, return_index=True, return_inverse=True)
    sizes = np.bincount(inverse).astype(np.float64)
    mass = sizes
    if weights is not None:
        mass = np.bincount(inverse, weights).astype(np.float64)
        squares = np.bincount(inverse, weights * weights)
        # Squares of tiny weights vanish: such samples then count as alike.
        sizes = np.divide(mass * mass, squares, out=sizes, where=squares > 0)
    held = None if groups is None else held_by(groups, inverse, weights, n_kinds=len(first))
    sizes = sizes if held is None else np.ones(held.shape[0])
    return _Kinds(codes[first], [decided[first] for decided in decisions], mass, sizes, held)


def _with_prior(kinds: _Kinds, *, class_order: Codes, whole: bool) -> _Kinds:
    """Add a little of a hit and of a miss to every class that has samples; a miss goes to the class predicted most."""
    n_classes = len(class_order)
    mass = np.bincount(kinds.truth, kinds.mass, minlength=n_classes)
    occurring = class_order[mass[class_order] > 0]
    each = _row_weights(kinds, n_classes=n_classes, whole=whole)
    added = np.tile(_PRIOR * each[occurring], 2)
    decisions = []
    for decided in kinds.decisions:
        predicted = np.bincount(decided, kinds.mass, minlength=n_classes)
        second, most = class_order[np.argsort(predicted[class_order], kind="stable")[-2:]]
        missed = np.where(occurring == most, second, most)
        decisions.append(np.concatenate([decided, occurring, missed]))
    return _Kinds(
        np.concatenate([kinds.truth, occurring, occurring]),
        decisions,
        np.concatenate([kinds.mass, added]),
        np.concatenate([kinds.sizes, np.full(added.size, _PRIOR)]),
        None if kinds.groups is None else block_diag([kinds.groups, diags_array(added / _PRIOR)], format="csr"),
    )


def _row_weights(kinds: _Kinds, *, n_classes: int, whole: bool) -> Floats:
    """Return what an independent sample of each class weighs, a `whole` number where all samples weigh one."""
    if kinds.groups is None:
        mass, sizes = (np.bincount(kinds.truth, x, minlength=n_classes) for x in (kinds.mass, kinds.sizes))
        return np.divide(mass, sizes, out=np.zeros(n_classes), where=sizes > 0)
    n_kinds = len(kinds.truth)
    owned = csr_array((np.ones(n_kinds), (np.arange(n_kinds), kinds.truth)), shape=(n_kinds, n_classes))
    hit = diags_array((kinds.truth == kinds.decisions[-1]).astype(np.float64))
    each = independent_weights(kinds.groups @ hit @ owned, kinds.groups @ owned)
    return np.rint(each).clip(1) if whole else each  # an objective may know no other weights


def _counts(mass: Floats, truth: Codes, decided: Codes, support: Floats, *, confusion: bool) -> Iterator[Counts]:
    n_classes = support.shape[1]
    correct = truth == decided
    hits = _totals(mass[:, correct], truth[correct], n_classes)
    predicted = _totals(mass, decided, n_classes)
    for number, each in enumerate(zip(hits, predicted, support, strict=True)):
        table = None
        if confusion:
            cells = np.bincount(truth * n_classes + decided, mass[number], minlength=n_classes * n_classes)
            table = cells.reshape(n_classes, n_classes)
        yield Counts(*each, table)


def _totals(mass: Floats, labels: Codes, n_labels: int) -> Floats:
    """Sum the columns of equal label, (draws, n_labels)."""
    order = np.argsort(labels, kind="stable")
    found, starts = np.unique(labels[order], return_index=True)
    totals = np.zeros((len(mass), n_labels))
    if found.size:
        totals[:, found] = np.add.reduceat(mass[:, order], starts, axis=1)
    return totals
