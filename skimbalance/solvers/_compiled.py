"""The compiled ascent: which problems it solves, and what it needs of them.

It is an optional part of the package. Without it, array operations find the same.
"""

from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring_like, largest_magnitude, namespace, to_numpy, transposed
from skimbalance._core.typing import Array
from skimbalance.metrics.base import Form, LinearMetric, Metric
from skimbalance.metrics.counts import HardTruth, SoftTruth
from skimbalance.solvers._base import Problem, stored
from skimbalance.solvers._near import PairsOnHost

try:
    from skimbalance.solvers import _kernel
except ImportError:  # installed without a C compiler
    _kernel = None  # type: ignore[assignment]

__all__ = ["compiled", "compiled_near", "is_compilable", "is_dense", "objective_value", "wide_columns"]

_CELLS = 8_000_000
"""Of more scores, only near pairs are searched."""

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
    if not is_dense(problem) or not is_compilable(problem):
        return None
    metric = _rewarded(problem)
    return _kernel.Ascent(
        _wide_scores(problem),
        codes=truth.codes.astype(np.intc) if isinstance(truth, HardTruth) else None,
        shares=_contiguous_shares(truth) if isinstance(truth, SoftTruth) else None,
        weights=None if truth.weights is None else np.ascontiguousarray(truth.weights, dtype=np.float64),
        rewards=None if metric is None else _rewards(problem, metric),
        largest=stored(problem.known, "largest", partial(largest_magnitude, scores)),
        **_described(problem),
    )


def compiled_near(problem: Problem, pairs: PairsOnHost) -> "_kernel.Ascent":
    """Return the compiled ascent of a problem over near pairs."""
    truth, metric = problem.truth, _rewarded(problem)
    settled = truth.count(pairs.settled, samples=pairs.others)
    reward, rewards = 0.0, None
    if metric is not None:
        reward = float(np.sum(to_numpy(problem.reward(metric, pairs.settled, pairs.others)), dtype=np.float64))
        rewards = to_numpy(problem.reward(metric, pairs.classes, pairs.samples_of)).astype(np.float64)
    return _kernel.Ascent(
        None,
        codes=to_numpy(truth.codes[pairs.samples]).astype(np.intc) if isinstance(truth, HardTruth) else None,
        shares=_wide(truth.shares_at(pairs.classes, pairs.samples_of)) if isinstance(truth, SoftTruth) else None,
        weights=None if truth.weights is None else _wide(truth.weights[pairs.samples]),
        rewards=rewards,
        largest=pairs.largest,
        pairs=pairs.layout,
        settled=(_wide(settled.hits), _wide(settled.predicted), reward),
        **_described(problem),
    )


def is_dense(problem: Problem) -> bool:
    """Return whether the scores are in host memory, and so few that all pairs are searched."""
    return isinstance(problem.scores, np.ndarray) and 0 < problem.scores.size <= _CELLS


def is_compilable(problem: Problem) -> bool:
    """Return whether there is compiled code for the metrics of a problem, wherever its scores are."""
    return _kernel is not None and bool(_forms(problem))


def _forms(problem: Problem) -> list[tuple[Metric, Form]]:
    """Return the objective and the metrics of the constraints with their forms; nothing if one has none."""

    def make() -> list[tuple[Metric, Form]]:
        support = _wide(problem.truth.support)
        metrics = (problem.metric, *(required.metric for required in problem.requirements))
        forms = [(m, form) for m in metrics if m.is_of_package and (form := m.form(support)) is not None]
        is_known = len(forms) == len(metrics) and sum(form.kind == "reward" for _, form in forms) <= 1
        return forms if is_known else []

    return stored(problem.own, "forms", make)


def _rewarded(problem: Problem) -> LinearMetric | None:
    """Return the metric that is a sum of rewards, if there is one."""
    return next((cast(LinearMetric, metric) for metric, form in _forms(problem) if form.kind == "reward"), None)


def _wide(x: Array) -> _Vector:
    """Return a vector on the host in double precision."""
    return to_numpy(x).astype(np.float64)


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


def _described(problem: Problem) -> dict[str, Any]:
    """Return what the compiled ascent of a compilable problem needs, apart from its samples."""
    bounds = ((-np.inf, np.inf), *((required.low, required.high) for required in problem.requirements))
    each = zip(_forms(problem), bounds, strict=True)
    return {
        "single": problem.scores.dtype == namespace(problem.scores).float32,
        "support": _wide(problem.truth.support),
        "forms": [_described_form(*form, within, n_classes=problem.n_classes) for form, within in each],
        "worst": problem.metric.worst_objective_value(problem.n_classes),
    }


def _described_form(metric: Metric, form: Form, bounds: tuple[float, float], *, n_classes: int) -> tuple[Any, ...]:
    none = np.zeros((n_classes, 3))
    numerator, denominator = (none if x is None else x for x in (form.numerator, form.denominator))
    kind, direction = _kernel.KINDS.index(form.kind), _DIRECTIONS[metric.direction]
    return kind, direction, *map(int, form.rises), numerator, denominator, *bounds


def _rewards(problem: Problem, metric: LinearMetric) -> _Vector:
    """Return what predicting each sample as each class (K, n) adds to a metric."""
    samples = np.arange(problem.scores.shape[0])
    every = [problem.reward(metric, np.full_like(samples, c), samples) for c in range(problem.n_classes)]
    return np.stack(every).astype(np.float64)
