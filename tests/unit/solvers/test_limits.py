"""Limits of binary offsets, which every solution keeps."""

from dataclasses import replace

import numpy as np
import pytest

from skimbalance._core.decision import decide
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import Problem, Search, ascend, get_solver, solve


def problem(seed, *, name="f1", limits=None, tied=False, label=1, dtype=np.float64):
    rng = np.random.default_rng(seed)
    y = (rng.random(80) < 0.4).astype(int)
    margins = rng.normal(size=80) + 2 * y
    scores = np.stack([np.zeros(80), np.round(margins, 1) if tied else margins], axis=1).astype(dtype)
    return Problem(scores, Truth.from_codes(y, n_classes=2), METRICS[name].bind(label), limits=limits)


def best_within(given):
    """Return the best objective value of any cut within the limits, tried one by one."""
    low, high = given.limits
    values = np.unique(given.scores[:, 1] - given.scores[:, 0]).astype(np.float64)
    inner = values[(values > low) & (values < high)]
    ends = np.concatenate([[max(low, values[0] - 1)], inner, [min(high, values[-1] + 1)]])
    cuts = [*(ends[1:] + ends[:-1]) / 2, *(limit for limit in given.limits if np.isfinite(limit))]
    return max(given.objective_value(np.array([cut / 2, -cut / 2])) for cut in cuts)


LIMITS = [(-np.inf, 0.5), (0.3, 1.3), (1.1, np.inf), (-9.0, -8.0), (0.731, 0.732)]


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("name", ["f1", "precision", "recall", "accuracy"])
@pytest.mark.parametrize("label", [0, 1])
def test_the_optimum_within_the_limits_is_found(limits, name, label):
    for seed in range(4):
        for tied in (False, True):
            given = problem(seed, name=name, limits=limits, tied=tied, label=label)
            found = solve(given)
            cut = found.offsets[0] - found.offsets[1]
            assert limits[0] <= cut <= limits[1]
            assert found.objective_value == pytest.approx(best_within(given))
            assert np.array_equal(given.count(decide(given.scores, found.offsets)).hits, found.counts.hits)


@pytest.mark.parametrize("limits", LIMITS)
def test_a_search_by_values_keeps_them_as_well(limits):
    for seed in range(3):
        given = problem(seed, limits=limits)
        found = get_solver(Search("differential_evolution")).run(given, seed=0)
        assert limits[0] <= found.offsets[0] - found.offsets[1] <= limits[1]
        assert found.objective_value == pytest.approx(best_within(given))


@pytest.mark.parametrize("solver", ["coordinate_ascent", "imbalance_state"])
def test_every_solver_keeps_them(solver):
    given = problem(0, limits=(1.5, 1.75))
    found = get_solver(solver).run(given, seed=0)
    assert 1.5 <= found.offsets[0] - found.offsets[1] <= 1.75


def test_classes_in_another_order_have_the_mirrored_limits():
    given = problem(0, limits=(0.2, 0.9))
    other = given.restricted([1, 0])
    assert other.limits == (-0.9, -0.2)
    one, two = solve(given), solve(other)
    assert one.offsets == pytest.approx(two.offsets[::-1])
    assert given.restricted([0, 1]).limits == given.limits


def test_the_nearest_offsets_within_them():
    given = problem(0, limits=(0.2, 0.9))
    assert given.within_limits(np.array([1.0, -1.0])) == pytest.approx([0.45, -0.45])
    assert given.within_limits(np.array([0.2, -0.2])) == pytest.approx([0.2, -0.2])
    assert replace(given, limits=None).within_limits(np.array([1.0, -1.0])) == pytest.approx([1.0, -1.0])
    assert given.solved(np.zeros(2), n_iter=0).offsets == pytest.approx([0.1, -0.1])


def test_single_precision():
    given = problem(1, limits=(0.3, 0.6), dtype=np.float32)
    found = ascend(given, np.zeros(2, dtype=np.float32))
    assert found.offsets.dtype == np.float32
    assert 0.3 <= float(found.offsets[0]) - float(found.offsets[1]) <= 0.6
