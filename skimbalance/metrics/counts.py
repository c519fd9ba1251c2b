"""The counts from which metrics are computed, and the labels that are counted."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import (
    block_samples,
    count_codes,
    device,
    flat,
    namespace,
    only,
    put,
    small_codes,
    to_numpy,
    to_numpy_at_once,
    transposed,
)
from skimbalance._core.typing import Array

__all__ = ["ClassProfile", "Counts", "HardTruth", "SoftTruth", "Truth"]

_CELLS_AT_ONCE = 1 << 18
"""A confusion matrix of more soft labels than that is counted class by class."""

_LEAST_OF_CLASS = 4
"""A subsample keeps at least so many samples of each class, if the class has them."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """Weighted sample counts of each class, as three (K,) vectors.

    `hits` are the true positives of each class, `predicted` the samples predicted as it, `support` the samples of it.
    `confusion` (K, K), one row for each true class, is None unless a metric needs it. `cost` is that of all decisions,
    weighted, None where samples have no costs of their own. Counts of several draws have one more axis, the first.
    """

    hits: Array
    predicted: Array
    support: Array
    confusion: Array | None = None
    cost: Array | None = None

    def of_each(self) -> Iterator["Counts"]:
        """Yield the counts of each of several draws."""
        columns = self.hits, self.predicted, self.support, self.confusion, self.cost
        for draw in range(self.hits.shape[0]):
            yield Counts(*(None if column is None else column[draw] for column in columns))

    def on_host(self) -> "Counts":
        """Return the same counts in host memory."""
        if type(self.hits) is np.ndarray:
            return self
        confusion, cost = (None if x is None else to_numpy(x) for x in (self.confusion, self.cost))
        hits, predicted, support = to_numpy_at_once(self.hits, self.predicted, self.support)
        return Counts(hits, predicted, support, confusion, cost)


@dataclass(frozen=True)
class Truth(ABC):
    """The true class of each sample, and its weight; `weights` (n,) is None for ones.

    `cost_matrix` (n, K, K) holds for each sample the cost of predicting class k (last axis) if it is of class c. It is
    None unless samples have costs of their own.
    """

    weights: Array | None
    support: Array
    cost_matrix: Array | None = field(default=None, kw_only=True)

    @staticmethod
    def from_codes(
        codes: Array, *, n_classes: int, weights: Array | None = None, cost_matrix: Array | None = None
    ) -> "Truth":
        """Take the true class `codes[i]` and the weight `weights[i]` of sample i."""
        support = count_codes(codes, weights, n_classes)
        return HardTruth(weights, support, small_codes(codes, n_classes), cost_matrix=cost_matrix)

    @staticmethod
    def from_shares(shares: Array, *, weights: Array | None = None, cost_matrix: Array | None = None) -> "SoftTruth":
        """Take soft labels `shares[k, i]`, which sum to one over k, and the weight `weights[i]` of sample i."""
        xp = namespace(shares)
        if weights is None:
            support = xp.sum(shares, axis=1, dtype=xp.float64)
        else:
            blocks = (shares[some, :] * weights for some in block_samples(shares.shape, shares))
            support = xp.concat([xp.sum(block, axis=1, dtype=xp.float64) for block in blocks])
        return SoftTruth(weights, support, shares, cost_matrix=cost_matrix)

    @property
    def n_classes(self) -> int:
        """The number of classes, K."""
        return int(self.support.shape[0])

    def on_host(self) -> Self:
        """Return the same truth in host memory."""
        arrays = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(self, **{name: to_numpy(x) for name, x in arrays.items() if x is not None})

    @property
    def is_counted(self) -> bool:
        """Whether all sums are whole numbers of samples, without rounding error."""
        return False

    @property
    @abstractmethod
    def likeliest(self) -> Array:
        """The class of each sample (n,), the one with the largest share."""

    @abstractmethod
    def mass(self, k: int, samples: Array | None) -> Array:
        """Return the weight of class `k` in each of `samples` (all if None); booleans for hard labels of weight 1."""

    @abstractmethod
    def mass_at(self, classes: Array, samples: Array | None) -> Array:
        """Return the weight of class `classes[j]` in sample `samples[j]` (all if None)."""

    @abstractmethod
    def rewards(self, utilities: Array) -> Array:
        """Prepare for `reward` the `utilities` (K, K) of predicting a sample of class c as k."""

    @abstractmethod
    def reward(self, rewards: Array, classes: Array, samples: Array) -> Array:
        """Return `sum_c mass_c * utilities[c, classes[j]]` for each of `samples`."""

    @abstractmethod
    def take(self, samples: Array) -> "Truth":
        """Return the truth of `samples` only."""

    @abstractmethod
    def thinned(self, step: int) -> tuple[Array, "Truth"]:
        """Return about one in `step` samples, some of each class, and their truth, weighted to represent all."""

    @abstractmethod
    def restricted(self, kept: Array) -> "Truth":
        """Return the truth for the classes `kept` only; samples of other classes must have zero weight."""

    @abstractmethod
    def confusion(self, decisions: Array, samples: Array | None) -> Array:
        """Return the weighted confusion matrix (K, K) of `decisions` on `samples`, all if None."""

    @cached_property
    @abstractmethod
    def costs(self) -> Array:
        """The expected cost (K, n) of predicting each sample as k, by its `cost_matrix`."""

    def cost(self, classes: Array, samples: Array | None) -> Array:
        """Return the weighted cost of predicting `classes[j]` for each of `samples`, all if None."""
        xp, costs = namespace(classes), self.costs
        if samples is None:
            samples = xp.arange(costs.shape[1], dtype=xp.int64, device=device(classes))
        each = flat(costs)[xp.astype(classes, xp.int64) * costs.shape[1] + samples]
        return each if self.weights is None else each * self.weights[samples]

    def _cost_matrix_of(self, samples: Array) -> Array | None:
        """Return the cost matrices of `samples`."""
        return None if self.cost_matrix is None else namespace(samples).take(self.cost_matrix, samples, axis=0)

    def _cost_matrix_among(self, kept: Array) -> Array | None:
        """Return the costs of confusing the classes `kept` with each other."""
        if self.cost_matrix is None:
            return None
        return namespace(kept).take(namespace(kept).take(self.cost_matrix, kept, axis=1), kept, axis=2)

    def weight(self, samples: Array | None) -> Array | None:
        """Return the weight of each of `samples`, None for ones."""
        return self.weights if self.weights is None or samples is None else self.weights[samples]

    def cleared(self, sums: Array) -> Array:
        """Set running sums of sample weights to zero where they differ from it only by rounding."""
        if self.is_counted:
            return sums
        return only(sums, sums > self._rounding)

    @cached_property
    def _rounding(self) -> Array:
        """The largest sum of sample weights that may be zero but for rounding."""
        return 1e-12 * namespace(self.support).sum(self.support)

    def count(self, decisions: Array, *, samples: Array | None = None, confusion: bool = False) -> Counts:
        """Count the class codes `decisions` on `samples`, all if None."""
        return Counts(
            hits=count_codes(decisions, self.mass_at(decisions, samples), self.n_classes),
            predicted=count_codes(decisions, self.weight(samples), self.n_classes),
            support=self.support,
            confusion=self.confusion(decisions, samples) if confusion else None,
            cost=None if self.cost_matrix is None else namespace(decisions).sum(self.cost(decisions, samples)),
        )

    def recount(self, counts: Counts, *, out: Counts, into: Counts) -> Counts:
        """Return the counts after the decisions counted in `out` are replaced by those counted in `into`."""
        return Counts(
            hits=self.cleared(counts.hits - out.hits + into.hits),
            predicted=self.cleared(counts.predicted - out.predicted + into.predicted),
            support=self.support,
            confusion=None if counts.confusion is None else counts.confusion - out.confusion + into.confusion,
            cost=None if counts.cost is None else counts.cost - out.cost + into.cost,
        )


@dataclass(frozen=True)
class HardTruth(Truth):
    """Each sample belongs to one class: `codes` (n,)."""

    codes: Array

    @property
    def is_counted(self) -> bool:
        """Whether all sums are whole numbers of samples, without rounding error."""
        return self.weights is None

    @property
    def likeliest(self) -> Array:
        """The class of each sample (n,), the one with the largest share."""
        return namespace(self.codes).astype(self.codes, namespace(self.codes).int64)

    def mass(self, k: int, samples: Array | None) -> Array:
        """Return the weight of class `k` in each of `samples` (all if None); booleans for hard labels of weight 1."""
        return self.mass_at(k, samples)

    def mass_at(self, classes: Array, samples: Array | None) -> Array:
        """Return the weight of class `classes[j]` in sample `samples[j]` (all if None)."""
        owned = (self.codes if samples is None else self.codes[samples]) == classes
        return owned if self.weights is None else only(self.weight(samples), owned)

    def rewards(self, utilities: Array) -> Array:
        """Return `utilities` themselves."""
        return utilities

    def reward(self, rewards: Array, classes: Array, samples: Array) -> Array:
        """Return `sum_c mass_c * utilities[c, classes[j]]` for each of `samples`."""
        gained = flat(rewards)[self._cells(classes, samples)]
        return gained if self.weights is None else gained * self.weights[samples]

    @cached_property
    def costs(self) -> Array:
        """The expected cost (K, n) of predicting each sample as k, by its `cost_matrix`."""
        xp, size, matrices = namespace(self.codes), self.n_classes, self.cost_matrix
        n_samples = self.codes.shape[0]
        rows = xp.arange(n_samples, device=device(self.codes)) * size + xp.astype(self.codes, xp.int64)
        return transposed(xp.take(xp.reshape(matrices, (n_samples * size, size)), rows, axis=0))

    def softened(self, shares: Array) -> "SoftTruth":
        """Return the same samples with soft labels `shares` (K, n)."""
        return Truth.from_shares(shares, weights=self.weights, cost_matrix=self.cost_matrix)

    def take(self, samples: Array) -> Truth:
        """Return the truth of `samples` only."""
        codes, costs = self.codes[samples], self._cost_matrix_of(samples)
        return Truth.from_codes(codes, n_classes=self.n_classes, weights=self.weight(samples), cost_matrix=costs)

    def thinned(self, step: int) -> tuple[Array, Truth]:
        """Return about one in `step` samples, some of each class, and their truth, weighted to represent all."""
        xp = namespace(self.codes)
        samples = xp.argsort(self.codes, stable=True)
        classes = xp.astype(self.codes[samples], xp.int64)
        sizes = xp.astype(count_codes(classes, None, self.n_classes), xp.int64)
        steps = xp.clip(sizes // _LEAST_OF_CLASS, 1, step)
        number = xp.arange(samples.shape[0], device=device(samples)) - (xp.cumulative_sum(sizes) - sizes)[classes]
        kept = xp.nonzero(number % steps[classes] == 0)[0]
        samples, classes = samples[kept], classes[kept]
        weights = self.weight(samples)
        mass = count_codes(classes, weights, self.n_classes)[classes]
        scale = self.support[classes] / only(mass, mass > 0, otherwise=1.0)
        weights = scale if weights is None else scale * weights
        costs = self._cost_matrix_of(samples)
        return samples, Truth.from_codes(classes, n_classes=self.n_classes, weights=weights, cost_matrix=costs)

    def restricted(self, kept: Array) -> Truth:
        """Return the truth for the classes `kept` only; samples of other classes must have zero weight."""
        xp = namespace(kept)
        # Samples of zero weight may get any class.
        places = xp.zeros(self.n_classes, dtype=xp.int64, device=device(kept))
        places = put(places, kept, xp.arange(kept.shape[0], dtype=xp.int64, device=device(kept)))
        codes = small_codes(places[xp.astype(self.codes, xp.int64)], kept.shape[0])
        return HardTruth(self.weights, self.support[kept], codes, cost_matrix=self._cost_matrix_among(kept))

    def confusion(self, decisions: Array, samples: Array | None) -> Array:
        """Return the weighted confusion matrix (K, K) of `decisions` on `samples`, all if None."""
        size = self.n_classes
        counts = count_codes(self._cells(decisions, samples), self.weight(samples), size * size)
        return namespace(decisions).reshape(counts, (size, size))

    def _cells(self, classes: Array, samples: Array | None) -> Array:
        """Return the place in a flattened (K, K) matrix of the true class of each of `samples` and `classes`."""
        xp = namespace(classes)
        codes = self.codes if samples is None else self.codes[samples]
        return xp.astype(codes, xp.int64) * self.n_classes + xp.astype(classes, xp.int64)


@dataclass(frozen=True)
class SoftTruth(Truth):
    """Soft labels: the weight of each sample is divided among the classes by `shares` (K, n)."""

    shares: Array

    def weighted(self, weights: Array) -> "SoftTruth":
        """Return the same soft labels with other weights (n,)."""
        return Truth.from_shares(self.shares, weights=weights, cost_matrix=self.cost_matrix)

    @cached_property
    def costs(self) -> Array:
        """The expected cost (K, n) of predicting each sample as k, by its `cost_matrix`."""
        xp, matrices = namespace(self.shares), self.cost_matrix
        assert matrices is not None
        parts = (
            xp.astype(self.shares[c, :], matrices.dtype)[:, None] * matrices[:, c, :] for c in range(self.n_classes)
        )
        return transposed(sum(parts))

    @property
    def likeliest(self) -> Array:
        """The class of each sample (n,), the one with the largest share."""
        return namespace(self.shares).argmax(self.shares, axis=0)

    def mass(self, k: int, samples: Array | None) -> Array:
        """Return the weight of class `k` in each of `samples` (all if None)."""
        return self._weigh(self.shares[k, :] if samples is None else self.shares[k, :][samples], samples)

    def mass_at(self, classes: Array, samples: Array | None) -> Array:
        """Return the weight of class `classes[j]` in sample `samples[j]` (all if None)."""
        if samples is None:
            samples = namespace(classes).arange(self.shares.shape[1], device=device(classes))
        return self.reward(self.shares, classes, samples)

    def rewards(self, utilities: Array) -> Array:
        """Return the expected utility (K, n) of predicting each sample as k."""
        xp = namespace(self.shares)
        return utilities.T @ xp.astype(self.shares, utilities.dtype, copy=False)

    def reward(self, rewards: Array, classes: Array, samples: Array) -> Array:
        """Return `sum_c mass_c * utilities[c, classes[j]]` for each of `samples`."""
        return self._weigh(self._at(rewards, classes, samples), samples)

    def shares_at(self, classes: Array, samples: Array) -> Array:
        """Return the share of class `classes[j]` in sample `samples[j]`."""
        return self._at(self.shares, classes, samples)

    def _at(self, values: Array, classes: Array, samples: Array) -> Array:
        """Return the element of `values` (K, n) of class `classes[j]` and sample `samples[j]`."""
        xp = namespace(samples)
        return flat(values)[xp.astype(classes, xp.int64) * self.shares.shape[1] + samples]

    def take(self, samples: Array) -> Truth:
        """Return the truth of `samples` only."""
        shares = namespace(samples).take(self.shares, samples, axis=1)
        return Truth.from_shares(shares, weights=self.weight(samples), cost_matrix=self._cost_matrix_of(samples))

    def thinned(self, step: int) -> tuple[Array, Truth]:
        """Return one in `step` samples, and their truth."""
        samples = namespace(self.shares).arange(0, self.shares.shape[1], step, device=device(self.shares))
        return samples, self.take(samples)

    def restricted(self, kept: Array) -> Truth:
        """Return the truth for the classes `kept` only; samples of other classes must have zero weight."""
        shares = namespace(kept).take(self.shares, kept, axis=0)
        return SoftTruth(self.weights, self.support[kept], shares, cost_matrix=self._cost_matrix_among(kept))

    def confusion(self, decisions: Array, samples: Array | None) -> Array:
        """Return the weighted confusion matrix (K, K) of `decisions` on `samples`, all if None."""
        xp = namespace(decisions)
        samples = xp.arange(self.shares.shape[1], device=device(decisions)) if samples is None else samples
        size = self.n_classes
        if size * samples.shape[0] <= _CELLS_AT_ONCE:
            every = xp.arange(size, device=device(decisions))
            cells = every[:, None] * size + xp.astype(decisions, xp.int64)[None, :]
            mass = xp.astype(self._weigh(xp.take(self.shares, samples, axis=1), samples), xp.float64)
            return xp.reshape(count_codes(flat(cells), flat(mass), size * size), (size, size))
        masses = (xp.astype(self.mass(c, samples), xp.float64) for c in range(size))
        return xp.stack([count_codes(decisions, mass, size) for mass in masses])

    def _weigh(self, mass: Array, samples: Array | None) -> Array:
        return mass if self.weights is None else mass * self.weight(samples)


@dataclass(frozen=True, eq=False)
class ClassProfile:
    """Recall and precision of every class, without offsets and with them, as NumPy arrays (K,).

    `classes` are the labels and `support` the weight of the samples of each. A recall is NaN where a class has no
    samples, a precision where it is never predicted. `held_out` is whether the offsets for each sample were fitted
    without it.
    """

    classes: npt.NDArray[Any]
    support: _Floats
    recall_before: _Floats
    precision_before: _Floats
    recall_after: _Floats
    precision_after: _Floats
    held_out: bool = False

    @classmethod
    def from_counts(cls, classes: npt.NDArray[Any], *, before: Counts, after: Counts, held_out: bool = False) -> Self:
        """Take the ratios of counts of decisions on the same samples."""
        support = to_numpy(before.support).astype(np.float64)
        return cls(classes, support, *_ratios(before), *_ratios(after), held_out=held_out)


def _ratios(counts: Counts) -> tuple[_Floats, _Floats]:
    """Return recall and precision, NaN if the denominator is zero."""
    hits, support, predicted = (to_numpy(sums) for sums in (counts.hits, counts.support, counts.predicted))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(support > 0, hits / support, np.nan), np.where(predicted > 0, hits / predicted, np.nan)
