"""What counts might have been, had other rows of the same kind been drawn."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from skimbalance.metrics._counts import Counts

__all__ = ["Codes", "Floats", "redrawn"]

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_DRAWS = 100

_PRIOR = 0.5
"""Rows added to the hits and to the misses of each class (Jeffreys): no rate of few rows is certain."""


class _Kinds(NamedTuple):
    """Rows by kind, alike in truth and in each decision: what all rows of a kind weigh, and how many they are."""

    truth: Codes
    decisions: list[Codes]
    mass: Floats
    sizes: Floats


def redrawn(
    codes: Codes, weights: Floats | None, decisions: Sequence[Codes], *, n_classes: int, confusion: bool, seed: int
) -> list[list[Counts]]:
    """Return the counts of each vector of decisions under the same Bayesian bootstraps of the rows.

    Rows of one kind count alike, so that their exponential weights are drawn as one gamma.
    """
    kinds = _with_prior(_kinds(codes, weights, decisions, n_classes=n_classes), n_classes=n_classes)
    rng = np.random.default_rng(seed)
    drawn = rng.gamma(kinds.sizes, size=(_DRAWS, len(kinds.sizes))) * (kinds.mass / kinds.sizes)
    support = _sums(drawn, kinds.truth, n_classes)
    return [
        _counts(drawn, kinds.truth, decided, support, n_classes=n_classes, confusion=confusion)
        for decided in kinds.decisions
    ]


def _kinds(codes: Codes, weights: Floats | None, decisions: Sequence[Codes], *, n_classes: int) -> _Kinds:
    kind = codes
    for decided in decisions:
        kind = kind * n_classes + decided
    _, first, inverse = np.unique(kind, return_index=True, return_inverse=True)
    mass = sizes = np.bincount(inverse).astype(np.float64)
    if weights is not None:
        mass = np.bincount(inverse, weights).astype(np.float64)
        sizes = mass * mass / np.bincount(inverse, weights * weights)
    return _Kinds(codes[first], [decided[first] for decided in decisions], mass, sizes)


def _with_prior(kinds: _Kinds, *, n_classes: int) -> _Kinds:
    """Add a little of a hit and of a miss to every class that has rows; a miss goes to the class predicted most."""
    mass, sizes = np.bincount(kinds.truth, kinds.mass), np.bincount(kinds.truth, kinds.sizes)
    occurring = np.flatnonzero(mass > 0)
    added = np.tile(_PRIOR * mass[occurring] / sizes[occurring], 2)
    decisions = []
    for decided in kinds.decisions:
        second, most = np.argsort(np.bincount(decided, kinds.mass, minlength=n_classes))[-2:]
        missed = np.where(occurring == most, second, most)
        decisions.append(np.concatenate([decided, occurring, missed]))
    return _Kinds(
        np.concatenate([kinds.truth, occurring, occurring]),
        decisions,
        np.concatenate([kinds.mass, added]),
        np.concatenate([kinds.sizes, np.full(added.size, _PRIOR)]),
    )


def _counts(
    drawn: Floats, truth: Codes, decided: Codes, support: Floats, *, n_classes: int, confusion: bool
) -> list[Counts]:
    correct = truth == decided
    hits = _sums(drawn[:, correct], truth[correct], n_classes)
    predicted = _sums(drawn, decided, n_classes)
    if not confusion:
        return [Counts(*each) for each in zip(hits, predicted, support, strict=True)]
    tables = _sums(drawn, truth * n_classes + decided, n_classes**2).reshape(-1, n_classes, n_classes)
    return [Counts(*each) for each in zip(hits, predicted, support, tables, strict=True)]


def _sums(drawn: Floats, labels: Codes, n_labels: int) -> Floats:
    """Sum the columns of equal label: (draws, n_labels)."""
    n_columns = len(labels)
    gather = csr_array((np.ones(n_columns), (labels, np.arange(n_columns))), shape=(n_labels, n_columns))
    return np.ascontiguousarray((gather @ drawn.T).T)
