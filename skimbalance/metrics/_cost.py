"""The mean cost of decisions, from a matrix of the costs of confusion, or from one for each sample."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, namespace, refuse_masked, to_numpy
from skimbalance._core.typing import Array, ArrayLike
from skimbalance._core.validation import names_page
from skimbalance.metrics.base import Direction, LinearMetric
from skimbalance.metrics.counts import Counts

__all__ = ["Cost", "SampleCost", "check_cost_matrix"]

_LARGEST = 1e300


@dataclass(frozen=True)
class Cost(LinearMetric):
    r"""The mean cost of a decision; less is better.

    .. math:: \frac{1}{n} \sum_{ck} \mathrm{confusion}_{ck}\, \mathrm{matrix}_{ck}

    or, with a matrix :math:`C_i` for each sample, the mean of :math:`C_i[y_i, \hat y_i]`.

    Parameters
    ----------
    matrix : array-like of shape (K, K), default=None
        Cost of predicting class k (column) for a sample of class c (row), classes in the order of `classes_`;
        negative entries are gains. None is for costs that differ between samples: `fit` takes them as `cost_matrix`,
        of shape (n, K, K).

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

    A missed fraud costs its amount, and a review costs 5:

    >>> import numpy as np
    >>> from skimbalance import OffsetTuner
    >>> rng = np.random.default_rng(0)
    >>> y = rng.random(500) < 0.1
    >>> proba = 1 / (1 + np.exp(3 - 2 * y - rng.normal(size=500)))
    >>> cost_matrix = np.zeros((500, 2, 2))
    >>> cost_matrix[:, 1, 0] = rng.lognormal(3, 1, size=500)
    >>> cost_matrix[:, :, 1] = 5.0
    >>> tuner = OffsetTuner(Cost()).fit(proba, y, cost_matrix=cost_matrix)
    >>> bool(tuner.score_ < cost_matrix[y, 1, 0].sum() / 500)
    True
    """

    matrix: ArrayLike | None = None

    direction: ClassVar[Direction] = "minimize"
    needs_confusion: ClassVar[bool] = True
    name: ClassVar[str] = "cost"

    @names_page
    def __post_init__(self) -> None:
        if self.matrix is None:
            return
        refuse_masked(self.matrix, "matrix")
        try:
            cells = np.asarray(to_numpy(self.matrix, name="matrix")).astype(np.float64, casting="same_kind")
        except (TypeError, ValueError) as error:
            raise ValueError(f"matrix must hold real numbers, (K, K); got {self.matrix!r}") from error
        if cells.ndim != 2 or cells.shape[0] != cells.shape[1]:
            raise ValueError(
                f"matrix must be square, (K, K); got shape {cells.shape}. Costs of each sample (n, K, K) are for the "
                "parameter cost_matrix of fit, with the objective Cost()"
            )
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

    @property
    def needs_cost_matrix(self) -> bool:
        """Whether the metric has no matrix for all samples, and needs one for each."""
        return self.matrix is None

    @cached_property
    def _cells(self) -> npt.NDArray[np.float64]:
        return np.asarray(self.matrix)

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest cost of a sample."""
        if self.matrix is None:
            return -math.inf, math.inf
        return float(self._cells.min()), float(self._cells.max())

    def check(self, n_classes: int) -> None:
        """Raise if there is no matrix, or it is not of `n_classes` classes."""
        if self.matrix is None:
            raise ValueError(
                "Cost() has no matrix: pass Cost(matrix), or cost_matrix to fit. It is for the objective of binary and "
                "multiclass scores in memory"
            )
        size = len(self._cells)
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


@dataclass(frozen=True)
class SampleCost(LinearMetric):
    """The mean cost of a decision, of samples that have costs of their own between `low` and `high`."""

    low: float
    high: float

    direction: ClassVar[Direction] = "minimize"
    needs_cost_matrix: ClassVar[bool] = True
    name: ClassVar[str] = "cost"

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest cost of a sample."""
        return self.low, self.high

    def worst_objective_value(self, n_classes: int) -> float:
        """Return a lower bound of all objective values."""
        return -max(abs(self.low), abs(self.high))

    def value(self, counts: Counts) -> float:
        """Return the cost of all decisions over the weight of all samples."""
        return float(counts.cost / namespace(counts.support).sum(counts.support))

    def utilities(self, support: Array) -> Array:
        """Return zeros: what a class is worth depends on the sample."""
        return 0 * support


def check_cost_matrix(cost_matrix: ArrayLike, *, n_samples: int, n_classes: int, like: Array) -> tuple[Array, Any]:
    """Return the costs (n, K, K) of each sample as float64 beside `like`, and their mean as a metric."""
    refuse_masked(cost_matrix, "cost_matrix")
    try:
        cells = np.asarray(to_numpy(cost_matrix, name="cost_matrix")).astype(np.float64, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise ValueError(f"cost_matrix must hold real numbers, (n, K, K); got {type(cost_matrix).__name__}") from error
    if cells.shape != (n_samples, n_classes, n_classes):
        raise ValueError(
            f"cost_matrix must have shape ({n_samples}, {n_classes}, {n_classes}), a row for each true class and a "
            f"column for each predicted one of each sample; got {cells.shape}"
        )
    if not np.isfinite(cells).all():
        raise ValueError("cost_matrix must be finite; got NaN or infinite entries")
    largest = np.abs(cells).max()
    if largest > _LARGEST / n_samples:
        raise ValueError(
            f"cost_matrix must hold numbers of at most {_LARGEST / n_samples:g}, whose sums are finite; got "
            f"{largest:g}. Only ratios of costs matter: divide all by the largest"
        )
    metric = SampleCost(float(cells.min()), float(cells.max()))
    return bring(cells, to=like, dtype=namespace(like).float64), metric
