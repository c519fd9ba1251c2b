"""The mean cost of decisions, from a matrix of the costs of confusion."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, namespace, refuse_masked, to_numpy
from skimbalance._core.typing import Array, ArrayLike
from skimbalance._core.validation import names_page
from skimbalance.metrics.base import Direction, LinearMetric

__all__ = ["Cost"]

_LARGEST = 1e300


@dataclass(frozen=True)
class Cost(LinearMetric):
    r"""The mean cost of a decision; less is better.

    .. math:: \frac{1}{n} \sum_{ck} \mathrm{confusion}_{ck}\, \mathrm{matrix}_{ck}

    Parameters
    ----------
    matrix : array-like of shape (K, K)
        Cost of predicting class k (column) for a sample of class c (row), classes in the order of `classes_`;
        negative entries are gains.

    Raises
    ------
    ValueError
        If `matrix` is not square, or an entry is not finite or beyond 1e300.

    References
    ----------
    Elkan, *The foundations of cost-sensitive learning*, IJCAI 2001.

    Examples
    --------
    A missed positive costs ten times as much as a false positive:

    >>> from skimbalance.metrics import Cost
    >>> Cost([[0, 1], [10, 0]]).matrix
    ((0.0, 1.0), (10.0, 0.0))
    """

    matrix: ArrayLike

    direction: ClassVar[Direction] = "minimize"
    needs_confusion: ClassVar[bool] = True
    name: ClassVar[str] = "cost"

    @names_page
    def __post_init__(self) -> None:
        refuse_masked(self.matrix, "matrix")
        try:
            cells = np.asarray(to_numpy(self.matrix, name="matrix")).astype(np.float64, casting="same_kind")
        except (TypeError, ValueError) as error:
            raise ValueError(f"matrix must hold real numbers, (K, K); got {self.matrix!r}") from error
        if cells.ndim != 2 or cells.shape[0] != cells.shape[1]:
            raise ValueError(f"matrix must be square, (K, K); got shape {cells.shape}")
        if not np.isfinite(cells).all():
            raise ValueError("matrix must be finite; got NaN or infinite entries")
        if np.abs(cells).max(initial=0.0) > _LARGEST:
            raise ValueError(
                f"matrix must hold numbers between -{_LARGEST:g} and {_LARGEST:g}, whose differences are finite; got "
                f"{cells.flat[np.abs(cells).argmax()]:g}. Only ratios of costs matter: divide all by the largest"
            )
        object.__setattr__(self, "matrix", tuple(map(tuple, cells.tolist())))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:  # cached: it is needed at every step of a search
        return hash(self.matrix)

    @cached_property
    def _cells(self) -> npt.NDArray[np.float64]:
        return np.asarray(self.matrix)

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest cost of a sample."""
        return float(self._cells.min()), float(self._cells.max())

    def check(self, n_classes: int) -> None:
        """Raise if the matrix is not of `n_classes` classes."""
        size = len(self.matrix)
        if size != n_classes:
            raise ValueError(f"matrix must have one row and column for each of {n_classes} classes; got {size}")

    def restricted(self, kept: Sequence[int]) -> Self:
        """Return the cost of confusing the classes `kept` with each other."""
        return replace(self, matrix=self._cells[np.ix_(kept, kept)])

    def worst_objective_value(self, n_classes: int) -> float:
        """Return a lower bound of all objective values."""
        return -float(np.abs(self._cells).max())

    def utilities(self, support: Array) -> Array:
        """Return `matrix / n`."""
        xp = namespace(support)
        return bring(self._cells, to=support, dtype=xp.float64) / xp.sum(support)
