"""The compiled ascent: which problems it solves, and what it needs of them.

It is an optional part of the package. Without it, and for arrays on a device, array operations find the same.
"""

from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring_like, largest_magnitude, to_numpy, transposed
from skimbalance._core.typing import Array
from skimbalance.metrics.base import Form, LinearMetric, Metric
from skimbalance.metrics.counts import HardTruth, SoftTruth
from skimbalance.solvers._base import Problem, stored

try:
    from skimbalance.solvers import _kernel
except ImportError:  # installed without a C compiler
    _kernel = None  # type: ignore[assignment]

__all__ = ["compiled", "objective_value", "wide_columns"]

_CELLS = 8_000_000
"""With more scores, array operations over the near classes of each sample are faster."""

_DIRECTIONS = {"maximize": 1, "minimize": -1, "zero": 0}

_Vector = npt.NDArray[np.float64]


def compiled(problem: Problem) -> "_kernel.Ascent | None":
    """Return the compiled ascent of a problem of three or more classes in host memory; None if it has none."""
    return stored(problem.own, "compiled", partial(_made, problem))


def objective_value(problem: Problem, offsets: Array) -> float:
    """Return `problem.objective_value(offsets)`, by compiled code where there is some for the problem."""
    kernel = None if problem.n_classes == 2 else compiled(problem)
    if kernel is None:
        return problem.objective_value(bring_like(offsets, problem.scores))
    return float(kernel.value_at(to_numpy(offsets).astype(np.float64)))


def _made(problem: Problem) -> "_kernel.Ascent | None":
    scores, truth = problem.scores, problem.truth
    if _kernel is None or not isinstance(scores, np.ndarray) or not 0 < scores.size <= _CELLS:
        return None
    support = to_numpy(truth.support).astype(np.float64)
    metrics = (problem.metric, *(required.metric for required in problem.requirements))
    bounds = ((-np.inf, np.inf), *((required.low, required.high) for required in problem.requirements))
    forms = [form for metric in metrics if metric.is_of_package and (form := metric.form(support)) is not None]
    rewarded = [metric for metric, form in zip(metrics, forms, strict=False) if form.kind == "reward"]
    if len(forms) < len(metrics) or len(rewarded) > 1:
        return None
    return _kernel.Ascent(
        _wide_scores(problem),
        single=scores.dtype == np.float32,
        codes=truth.codes.astype(np.intc) if isinstance(truth, HardTruth) else None,
        shares=_contiguous_shares(truth) if isinstance(truth, SoftTruth) else None,
        weights=None if truth.weights is None else np.ascontiguousarray(truth.weights, dtype=np.float64),
        support=support,
        forms=[_described(*each, n_classes=len(support)) for each in zip(metrics, forms, bounds, strict=True)],
        rewards=_rewards(problem, cast(LinearMetric, rewarded[0])) if rewarded else None,
        worst=problem.metric.worst_objective_value(problem.n_classes),
        largest=stored(problem.known, "largest", partial(largest_magnitude, scores)),
    )


def _wide_scores(problem: Problem) -> _Vector:
    """Return the scores (n, K) in double precision."""
    return stored(problem.known, "wide_scores", partial(np.ascontiguousarray, problem.scores, dtype=np.float64))


def wide_columns(problem: Problem) -> _Vector:
    """Return the scores transposed, (K, n), in double precision."""
    return stored(problem.known, "wide_columns", lambda: transposed(_wide_scores(problem)))


def _contiguous_shares(truth: SoftTruth) -> npt.NDArray[Any]:
    """Return soft labels (K, n) in single precision if they are so, and in double precision otherwise."""
    is_single = truth.shares.dtype == np.float32
    return np.ascontiguousarray(truth.shares, dtype=np.float32 if is_single else np.float64)


def _described(metric: Metric, form: Form, bounds: tuple[float, float], *, n_classes: int) -> tuple[Any, ...]:
    none = np.zeros((n_classes, 3))
    numerator, denominator = (none if x is None else x for x in (form.numerator, form.denominator))
    kind, direction = _kernel.KINDS.index(form.kind), _DIRECTIONS[metric.direction]
    return kind, direction, *map(int, form.rises), numerator, denominator, *bounds


def _rewards(problem: Problem, metric: LinearMetric) -> _Vector:
    """Return what predicting each sample as each class (K, n) adds to a metric."""
    samples = np.arange(problem.scores.shape[0])
    every = [problem.reward(metric, np.full_like(samples, c), samples) for c in range(problem.n_classes)]
    return np.stack(every).astype(np.float64)
