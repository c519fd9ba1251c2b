"""The sums that metrics are made of, and the truth they are summed over."""

from dataclasses import dataclass

from skimbalance._array_api import count_codes, device, namespace, small_codes, transposed
from skimbalance._typing import Array

__all__ = ["Counts", "Truth"]


@dataclass(frozen=True)
class Counts:
    """Weighted row counts of each class, as three (K,) vectors.

    `hits` are the rows of a class that were predicted as it, `predicted` all rows that were, `support` all rows
    that are. `confusion` (K, K), rows by truth, is there only for metrics that ask for it.
    """

    hits: Array
    predicted: Array
    support: Array
    confusion: Array | None = None


@dataclass(frozen=True)
class Truth:
    """To which class each row belongs: one class (`codes`), or a share in each (`soft`), times its weight.

    `codes` is (n,) and `soft` (K, n), of which exactly one is set; `weights` is (n,), None for ones. `soft`
    holds the weights already.
    """

    codes: Array
    weights: Array | None
    soft: Array
    support: Array

    @classmethod
    def from_codes(cls, codes: Array, *, n_classes: int, weights: Array | None = None) -> "Truth":
        """Let row i belong to class `codes[i]`, with weight `weights[i]`."""
        support = count_codes(codes, weights, n_classes)
        return cls(small_codes(codes, n_classes), weights, None, support)

    @classmethod
    def from_shares(cls, shares: Array, *, weights: Array | None = None) -> "Truth":
        """Let row i belong to class k by the share `shares[i, k]`, each row summing to one."""
        xp = namespace(shares)
        mass = xp.astype(shares, xp.float64, copy=False)
        if weights is None:
            weights = xp.sum(mass, axis=1)
        else:
            mass = mass * weights[:, None]
        return cls(None, weights, transposed(mass), xp.sum(mass, axis=0))

    def restricted(self, kept: Array) -> "Truth":
        """Return the truth about the classes `kept` alone; rows of the others must weigh nothing."""
        xp = namespace(kept)
        if self.soft is not None:
            return Truth(None, self.weights, xp.take(self.soft, kept, axis=0), self.support[kept])
        places = xp.searchsorted(kept, xp.arange(self.n_classes, device=device(kept)))
        codes = small_codes(places[xp.astype(self.codes, xp.int64)], kept.shape[0])
        return Truth(codes, self.weights, None, self.support[kept])

    @property
    def n_classes(self) -> int:
        """The number of classes, K."""
        return int(self.support.shape[0])

    def cleared(self, sums: Array) -> Array:
        """Return running sums of row weights free of the rounding error they leave where they should be zero."""
        if self.weights is None:
            return sums
        xp = namespace(sums)
        return xp.where(sums > 1e-12 * xp.sum(self.support), sums, xp.zeros_like(sums))

    def weight(self, rows: Array) -> Array | None:
        """Return the weight of each of `rows`, None for ones."""
        return None if self.weights is None else self.weights[rows]

    def mass(self, k: int, rows: Array) -> Array:
        """Return by how much each of `rows` belongs to class `k`; booleans where rows weigh one."""
        if self.soft is not None:
            return self.soft[k, :][rows]
        return self._weighted(self.codes[rows] == k, rows)

    def mass_at(self, classes: Array, rows: Array) -> Array:
        """Return by how much row `rows[j]` belongs to class `classes[j]`; booleans where rows weigh one."""
        xp = namespace(rows)
        if self.soft is not None:
            flat = xp.reshape(self.soft, (-1,))
            return flat[xp.astype(classes, xp.int64) * self.soft.shape[1] + rows]
        return self._weighted(self.codes[rows] == classes, rows)

    def _weighted(self, owned: Array, rows: Array) -> Array:
        xp = namespace(rows)
        if self.weights is None:
            return owned
        return xp.where(owned, self.weights[rows], xp.zeros(1, dtype=xp.float64, device=device(rows)))

    def reward(self, utilities: Array, classes: Array, rows: Array) -> Array:
        """Return `sum_c mass_c * utilities[c, classes[j]]` for each of `rows`; `utilities` is (K, K)."""
        xp = namespace(rows)
        if self.soft is not None:
            columns = xp.permute_dims(xp.take(utilities, classes, axis=1), (1, 0))
            return xp.sum(xp.permute_dims(xp.take(self.soft, rows, axis=1), (1, 0)) * columns, axis=1)
        flat = xp.reshape(utilities, (-1,))
        cells = xp.astype(self.codes[rows], xp.int64) * self.n_classes + xp.astype(classes, xp.int64)
        gained = flat[cells]
        return gained if self.weights is None else gained * self.weights[rows]

    def count(self, decisions: Array, *, rows: Array | None = None, confusion: bool = False) -> Counts:
        """Count what the class codes `decisions` achieve on `rows`, all of them where None."""
        xp = namespace(decisions)
        size = self.n_classes
        if rows is None:
            rows = xp.arange(decisions.shape[0], device=device(decisions))
        mass = xp.astype(self.mass_at(decisions, rows), xp.float64)
        return Counts(
            hits=count_codes(decisions, mass, size),
            predicted=count_codes(decisions, self.weight(rows), size),
            support=self.support,
            confusion=self._confusion(decisions, rows) if confusion else None,
        )

    def recount(self, counts: Counts, *, out: Counts, into: Counts) -> Counts:
        """Return the counts after some rows, counted as `out`, are decided anew and counted as `into`."""
        return Counts(
            hits=self.cleared(counts.hits - out.hits + into.hits),
            predicted=self.cleared(counts.predicted - out.predicted + into.predicted),
            support=self.support,
            confusion=None if counts.confusion is None else counts.confusion - out.confusion + into.confusion,
        )

    def count_constant(self, k: int) -> Counts:
        """Count what predicting class `k` for every row achieves."""
        xp = namespace(self.support)
        column = xp.arange(self.n_classes, device=device(self.support)) == k
        only = xp.astype(column, xp.float64)
        table = self.support[:, None] * only[None, :]
        return Counts(only * self.support, only * xp.sum(self.support), self.support, table)

    def _confusion(self, decisions: Array, rows: Array) -> Array:
        xp = namespace(decisions)
        size = self.n_classes
        if self.soft is not None:
            return xp.stack([count_codes(decisions, self.soft[c, :][rows], size) for c in range(size)])
        cells = xp.astype(self.codes[rows], xp.int64) * size + xp.astype(decisions, xp.int64)
        return xp.reshape(count_codes(cells, self.weight(rows), size * size), (size, size))
