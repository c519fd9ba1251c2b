"""Bounds on metrics without an exact test: what bootstraps of decisions state, and by how much they miss a bound."""

from collections.abc import Container
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision import decide
from skimbalance.estimation._certify import Guarantee
from skimbalance.estimation._draws import Floats, posterior_predictive
from skimbalance.estimation._guarantees import is_rejected
from skimbalance.estimation.spec import FitSpec
from skimbalance.goals import Constraint
from skimbalance.metrics.base import Metric
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import HardTruth
from skimbalance.solvers import Problem, Solution

__all__ = ["bootstrap_guarantee", "confidence_bounds", "shortfalls", "slack_of", "tightened_by"]

_ROUNDING = 1e-9


def bootstrap_guarantee(
    problem: Problem, constraint: Constraint, required: BoundConstraint, offsets: npt.NDArray[Any], *, seed: int
) -> Guarantee:
    """Return what bootstraps state about a constraint, for offsets (K,)."""
    confidence = cast(float, constraint.confidence)
    values = _bootstrap_values(problem, offsets, required.metric, constraint, seed=seed)
    missed = np.maximum(required.low - values, values - required.high) > _ROUNDING
    low, high = confidence_bounds(values, confidence, n_sides=1)
    bound = low if np.isfinite(required.low) else high
    return Guarantee(
        constraint=constraint,
        label=required.metric.label,
        kind="approximate",
        holds=bool(is_rejected(missed.mean(), 1 - confidence)),
        n=float(problem.scores.shape[0] if problem.groups is None else len(np.unique(problem.groups))),
        errors=float("nan"),
        p_value=float(missed.mean()),
        bound=bound,
        samples_needed=None,
        best_bound=bound,
        confidence=confidence,
        joint_confidence=confidence,
    )


def tightened_by(problem: Problem, by: Floats) -> Problem:
    """Return the problem with lower bounds raised and upper ones lowered by (J, 2)."""
    pairs = zip(problem.requirements, by, strict=True)
    return replace(problem, requirements=tuple(required.tightened(*each) for required, each in pairs))


def slack_of(problem: Problem, solution: Solution) -> Floats:
    """Return by how much (J, 2) a solution satisfies each bound on these samples; zero where there is no bound."""
    values = np.array([required.metric.value(solution.counts) for required in problem.requirements])
    bounds = np.array([[required.low, required.high] for required in problem.requirements])
    slack = np.stack([values - bounds[:, 0], bounds[:, 1] - values], axis=1)
    return np.where(np.isfinite(slack), slack, 0.0)


def shortfalls(problem: Problem, spec: FitSpec, solution: Solution, *, tests: Container[int]) -> Floats:
    """Return by how much (J, 2) bootstraps miss each bound from below and from above, less than zero if they do not.

    Zero for constraints without a confidence, and for those with `tests`.
    """
    found = np.zeros((len(spec.constraints), 2))
    for j, (required, constraint) in enumerate(zip(problem.requirements, spec.constraints, strict=True)):
        if constraint.confidence is not None and j not in tests:
            values = _bootstrap_values(problem, solution.offsets, required.metric, constraint, seed=spec.seed)
            low, high = confidence_bounds(values, constraint.confidence, n_sides=required.n_sides)
            found[j] = [required.low - low, high - required.high]
    return np.where(np.isfinite(found), found, 0.0)


def confidence_bounds(values: Floats, confidence: float, *, n_sides: int) -> tuple[float, float]:
    """Return values of bootstraps that at most the allowed number of others are below, and above."""
    ordered = np.sort(values)
    allowed = int(len(values) * (1 - confidence) / n_sides + _ROUNDING)
    return float(ordered[allowed]), float(ordered[-1 - allowed])


def _bootstrap_values(
    problem: Problem, offsets: Any, metric: Metric, constraint: Constraint, *, seed: int
) -> npt.NDArray[np.float64]:
    """Return values of a metric with fixed offsets, for other rates of the population, or for unseen samples."""
    truth = cast(HardTruth, problem.truth)
    codes, new = to_numpy(truth.codes).astype(np.int64), constraint.new_samples
    drawn = posterior_predictive(
        codes,
        None if truth.weights is None else to_numpy(truth.weights),
        [to_numpy(decide(problem.scores, offsets)).astype(np.int64)],
        groups=problem.groups,
        class_order=problem.class_order,
        confusion=metric.needs_confusion,
        seed=seed,
        anew=new is not None,
        copies=new / len(codes) if isinstance(new, int) else 1.0,
        tail=1 - cast(float, constraint.confidence),
    )
    return np.concatenate([metric.values(each) for (each,) in drawn])
