"""Offsets for an imbalance state: against slow solutions, closed forms, and where nets are saturated."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize
from scipy.special import expit, log_softmax, logsumexp, softmax
from support import effort
from support.oracles import offsets_of_state

from skimbalance.metrics import imbalance_state
from skimbalance.metrics.state import balanced_weights
from skimbalance.solvers import _state
from skimbalance.solvers._state import solve_state

seeds = st.integers(0, 10_000)
sizes = st.integers(2, 6)


def drawn(seed, *, n_classes=4, n_samples=80, scale=1.0):
    """Scores that know something of long-tailed labels, some weights, and a target."""
    rng = np.random.default_rng(seed)
    y = rng.choice(n_classes, size=n_samples, p=rng.dirichlet(np.ones(n_classes)))
    scores = scale * (rng.normal(size=(n_samples, n_classes)) + 2 * np.eye(n_classes)[y])
    return scores, rng.random(n_samples) + 0.01, rng.dirichlet(np.full(n_classes, 5.0))


def hard_problem(seed):
    """Up to ten classes; smooth, steep, saturated in float32, or one-hot to float64; targets down to 1e-6."""
    rng = np.random.default_rng(seed)
    n_classes, n_samples = int(rng.integers(2, 11)), int(rng.choice([20, 60, 200, 600, 2000]))
    scores, weights, _ = drawn(seed, n_classes=n_classes, n_samples=n_samples)
    kind = ("smooth", "steep", "steeper", "float32", "one-hot")[seed % 5]
    if kind != "smooth":
        scores = scores * rng.uniform(*{"steep": (5, 10)}.get(kind, (10, 30)))
    if kind == "float32":
        proba = softmax(scores.astype(np.float32), axis=1)
        scores = np.log(np.maximum(proba, np.finfo(np.float32).tiny))
    if kind == "one-hot":
        scores = scores - scores.max(axis=1, keepdims=True)
        scores = np.where((rng.random(n_samples) < 0.7)[:, None] & (scores < 0), -708.0, scores)
    target = rng.dirichlet(np.full(n_classes, rng.choice([0.1, 0.3, 1.0, 5.0]))) if seed % 3 else np.ones(n_classes)
    target = np.clip(target / target.sum(), 1e-6, None)
    return scores, weights if seed % 2 else None, target / target.sum()


def state_by_hand(scores, offsets, weights=None):
    return np.average(softmax(scores.astype(np.float64) + offsets, axis=1), axis=0, weights=weights)


def test_a_thousand_problems_are_solved_in_fewer_than_twenty_hessians():
    for seed in effort.seeds(1000, quick=100):
        scores, weights, target = hard_problem(seed)
        found = solve_state(scores, target, weights=weights)
        reached = state_by_hand(scores, found.offsets, weights)
        assert found.converged
        assert found.n_hessians < 20
        np.testing.assert_allclose(reached, target, rtol=1e-4, atol=1e-12)
        np.testing.assert_allclose(reached, target, rtol=0, atol=1e-8)
        np.testing.assert_allclose(reached, found.state, rtol=0, atol=1e-11)
        assert abs(found.offsets.sum()) <= 1e-9


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_the_offsets_are_those_of_roots_found_class_by_class(n_classes):
    for seed in range(5):
        scores, weights, target = drawn(seed, n_classes=n_classes, scale=2.0)
        expected = offsets_of_state(scores, target, weights)
        np.testing.assert_allclose(solve_state(scores, target, weights=weights).offsets, expected, atol=1e-5)


def test_the_offsets_are_those_of_a_generic_optimiser():
    for seed in range(5):
        scores, _, target = drawn(seed)
        free = minimize(
            lambda b, scores=scores, target=target: logsumexp(scores + b, axis=1).mean() - target @ b, np.zeros(4)
        )
        np.testing.assert_allclose(solve_state(scores, target).offsets, free.x - free.x.mean(), atol=1e-3)


@pytest.mark.parametrize("scale", [1.0, 10.0, 40.0])
def test_binary_states_are_one_root(scale):
    for seed in range(10):
        scores, _, target = drawn(seed, n_classes=2, scale=scale)
        margins = scores[:, 1] - scores[:, 0]
        root = brentq(lambda d, m=margins, r=target[1]: expit(m + d).mean() - r, -1000, 1000, xtol=1e-13)
        assert np.diff(solve_state(scores, target).offsets)[0] == pytest.approx(root, abs=1e-6)


def test_balanced_and_calibrated_the_uniform_target_gives_minus_log_prior():
    """Cells x of known probability, repeated as often as their joint probability with each label says."""
    joint = np.array([[10, 2, 1], [4, 8, 1], [30, 5, 4], [6, 1, 9], [50, 2, 5]])
    prior = joint.sum(axis=0) / joint.sum()
    cells, labels = np.nonzero(joint)
    samples = np.repeat(np.arange(len(cells)), joint[cells, labels])
    scores, y = np.log(joint / joint.sum(axis=1, keepdims=True))[cells[samples]], labels[samples]
    found = solve_state(scores, np.full(3, 1 / 3), weights=balanced_weights(y, None, n_classes=3))
    np.testing.assert_allclose(found.offsets, -np.log(prior) + np.log(prior).mean(), atol=1e-7)
    np.testing.assert_allclose(solve_state(scores, prior).offsets, 0, atol=1e-7)  # calibrated: the state is the prior
    state = imbalance_state(softmax(scores + found.offsets, axis=1), y=y, class_balanced=True)
    np.testing.assert_allclose(state, 1 / 3, atol=1e-8)


@settings(deadline=None, max_examples=40)
@given(seeds, sizes)
def test_a_constant_in_a_sample_changes_nothing(seed, n_classes):
    scores, weights, target = drawn(seed, n_classes=n_classes)
    shift = np.random.default_rng(seed).normal(size=(len(scores), 1)) * 100
    one, other = (solve_state(x, target, weights=weights) for x in (scores, scores + shift))
    np.testing.assert_allclose(other.offsets, one.offsets, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(seeds, sizes)
def test_the_order_of_the_classes_does_not_matter(seed, n_classes):
    scores, weights, target = drawn(seed, n_classes=n_classes)
    order = np.random.default_rng(seed).permutation(n_classes)
    one = solve_state(scores, target, weights=weights)
    other = solve_state(scores[:, order], target[order], weights=weights)
    np.testing.assert_allclose(other.offsets, one.offsets[order], atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(seeds, sizes)
def test_a_weight_is_a_repetition(seed, n_classes):
    scores, _, target = drawn(seed, n_classes=n_classes)
    times = np.random.default_rng(seed).integers(0, 4, size=len(scores))
    times[0] = 1
    one = solve_state(scores, target, weights=times.astype(float))
    other = solve_state(np.repeat(scores, times, axis=0), target)
    np.testing.assert_allclose(other.offsets, one.offsets, atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(seeds, sizes)
def test_offsets_already_in_the_scores_are_taken_back(seed, n_classes):
    scores, weights, target = drawn(seed, n_classes=n_classes)
    one = solve_state(scores, target, weights=weights)
    again = solve_state(scores + one.offsets, target, weights=weights)
    np.testing.assert_allclose(again.offsets, 0, atol=1e-6)


def test_the_target_is_normalised():
    scores, _, target = drawn(0)
    np.testing.assert_allclose(
        solve_state(scores, 1.005 * target).offsets, solve_state(scores, target).offsets, atol=1e-9
    )


def test_every_array_library_finds_the_same(xp):
    scores, weights, target = drawn(1)
    expected = solve_state(scores, target, weights=weights)
    got = solve_state(xp.asarray(scores), xp.asarray(target), weights=xp.asarray(weights))
    assert type(got.offsets) is np.ndarray
    np.testing.assert_allclose(got.offsets, expected.offsets, atol=1e-12)


def test_gradients_are_left_behind():
    torch = pytest.importorskip("torch")
    scores, _, target = drawn(1)
    tensor = torch.tensor(scores, requires_grad=True)
    np.testing.assert_allclose(solve_state(tensor, target).offsets, solve_state(scores, target).offsets, atol=1e-12)


@pytest.mark.parametrize("margin", [20, 50, 100])
def test_saturated_float32(margin):
    rng = np.random.default_rng(margin)
    y = rng.choice(5, size=300, p=[0.6, 0.2, 0.1, 0.06, 0.04])
    logits = (margin * np.eye(5)[y] + 0.1 * margin * rng.normal(size=(300, 5))).astype(np.float32)
    for scores in (logits, np.maximum(log_softmax(logits, axis=1), np.log(np.finfo(np.float32).tiny))):
        for target in (np.full(5, 0.2), np.array([0.96, 0.01, 0.01, 0.01, 0.01])):
            found = solve_state(scores, target)
            assert found.converged
            assert found.offsets.dtype == np.float64
            np.testing.assert_allclose(state_by_hand(scores, found.offsets), target, atol=1e-8)


@pytest.mark.parametrize("least", [1e-6, 1e-12, 1e-300])
def test_targets_at_the_border_are_met_in_proportion(least):
    target = np.array([1 - 2 * least, least, least])
    found = solve_state(drawn(2, n_classes=3, scale=10.0)[0], target)
    assert found.converged
    np.testing.assert_allclose(found.state, target, rtol=1e-5)


def test_the_treads_of_a_staircase():
    """With one-hot samples the state is nearly a step function of the offsets."""
    scores = np.log(np.maximum(np.eye(4)[np.arange(40) % 4], np.finfo(np.float64).tiny))
    assert solve_state(scores, np.full(4, 0.25)).n_hessians == 0
    for target in ([0.5, 0.25, 0.125, 0.125], [0.25 + 1e-7, 0.25 - 1e-7, 0.25, 0.25], [0.97, 0.01, 0.01, 0.01]):
        found = solve_state(scores, np.array(target))
        assert found.converged
        np.testing.assert_allclose(state_by_hand(scores, found.offsets), target, atol=1e-8)


def test_one_sample_is_solved_in_closed_form():
    scores = np.array([[3.0, -50.0, 0.0]])
    offsets = np.log([0.2, 0.3, 0.5]) - scores[0]
    np.testing.assert_allclose(solve_state(scores, [0.2, 0.3, 0.5]).offsets, offsets - offsets.mean(), atol=1e-6)


def test_a_target_lost_to_rounding_has_not_converged():
    scores = np.random.default_rng(0).normal(size=(301, 4)) * 1e15
    found = solve_state(scores, [0.4, 0.3, 0.2, 0.1])
    assert not found.converged
    np.testing.assert_allclose(found.state, [0.4, 0.3, 0.2, 0.1], atol=1 / 301)
    np.testing.assert_allclose(found.state, state_by_hand(scores, found.offsets), atol=1e-3)


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_a_thousand_classes(scale):
    scores, _, _ = drawn(0, n_classes=1000, n_samples=5000, scale=scale)
    found = solve_state(scores, np.full(1000, 1e-3))
    assert found.converged
    assert 0 < found.n_products < 100
    np.testing.assert_allclose(state_by_hand(scores, found.offsets), 1e-3, atol=1e-8)


def test_products_and_matrices_agree(monkeypatch):
    scores, weights, target = drawn(0, n_classes=30, n_samples=500, scale=3.0)
    dense = solve_state(scores, target, weights=weights)
    monkeypatch.setattr(_state, "_DENSE", 1)
    products = solve_state(scores, target, weights=weights)
    assert dense.n_products == 0 < products.n_products
    np.testing.assert_allclose(products.offsets, dense.offsets, atol=1e-6)


def test_a_start_from_a_subsample_gives_the_same_result(monkeypatch):
    scores, weights, target = drawn(0, n_samples=5000, scale=3.0)
    full = solve_state(scores, target, weights=weights)
    monkeypatch.setattr(_state, "_START_CELLS", 1000)
    np.testing.assert_allclose(solve_state(scores, target, weights=weights).offsets, full.offsets, atol=1e-6)


def test_without_a_good_start_newton_gets_there_too(monkeypatch):
    monkeypatch.setattr(_state, "_started", lambda _, goal: np.zeros(len(goal)))
    for seed in range(100):
        scores, weights, target = hard_problem(seed)
        assert solve_state(scores, target, weights=weights).converged


def test_a_step_that_is_no_descent_is_replaced(monkeypatch):
    monkeypatch.setattr(_state._Samples, "newton_step", lambda *arguments: -arguments[-1])
    scores, weights, target = drawn(0)
    found = solve_state(scores, target, weights=weights)
    assert found.converged
    np.testing.assert_allclose(found.offsets, offsets_of_state(scores, target, weights), atol=1e-6)


def test_results_are_frozen():
    found = solve_state(*drawn(0)[::2])
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.converged = False


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([0.5, 0.5], "target must be 4 numbers, one for each class; got shape"),
        ([0.5, 0.5, 0, 0], "target must be positive for each class; got 0"),
        ([0.7, 0.5, -0.1, -0.1], "target must be positive for each class; got -0.1"),
        ([1, 1, 1, 1], "target must sum to one; got a sum of 4"),
        ([np.nan, 1, 1, 1], "target must be finite"),
        (["a", "b", "c", "d"], "target must be 4 numbers"),
    ],
)
def test_targets_are_checked(target, message):
    with pytest.raises(ValueError, match=message):
        solve_state(drawn(0)[0], target)
