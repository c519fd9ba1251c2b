"""Many rows of two classes stand for themselves as few that weigh more."""

from dataclasses import replace

import numpy as np
import pytest
from support.problems import in_namespace

from skimbalance._core.array_api import to_numpy
from skimbalance.estimation._condense import _blocks, condensed, order_to_condense
from skimbalance.estimation._estimate import bootstrap_weights
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import Problem, solve


def large(seed=0, n_samples=60_000, metric="f1", decimals=None, weighted=False):
    rng = np.random.default_rng(seed)
    y = (rng.random(n_samples) < 0.03).astype(int)
    margin = rng.normal(size=n_samples) + 2 * y - 3
    if decimals is not None:
        margin = np.round(margin, decimals)
    weights = rng.random(n_samples) if weighted else None
    scores = np.column_stack([0.3 * margin, 1.3 * margin])
    return Problem(scores, Truth.from_codes(y, n_classes=2, weights=weights), METRICS[metric].bind(1))


@pytest.mark.parametrize("weighted", [False, True])
def test_it_weighs_as_much_and_represents_as_many_samples(weighted):
    problem = large(weighted=weighted)
    sample = condensed(problem)
    assert sample.problem.scores.shape[0] < 4100
    np.testing.assert_allclose(sample.truth.support, problem.truth.support)
    weights = np.ones(60_000) if problem.truth.weights is None else problem.truth.weights
    assert weights.sum() ** 2 / (weights**2).sum() == pytest.approx(sample.n_samples, rel=0.05 if weighted else 1e-12)


@pytest.mark.parametrize("metric", ["f1", "f1_macro", "geometric_mean", "balanced_accuracy", "matthews_corrcoef"])
@pytest.mark.parametrize("decimals", [None, 1])
def test_its_optimum_is_that_of_all_samples_but_for_a_block(metric, decimals):
    for seed in range(3):
        problem = large(seed, metric=metric, decimals=decimals, weighted=seed == 2)
        found = problem.objective_value(solve(condensed(problem).problem).offsets)
        assert found <= solve(problem).objective_value + 1e-12
        assert found > solve(problem).objective_value - 1e-3


def test_no_block_holds_more_than_its_share_of_either_class():
    sample = condensed(large())
    weights = to_numpy(sample.truth.weights)
    for c in (0, 1):
        own = to_numpy(sample.truth.codes) == c
        assert weights[own].max() <= to_numpy(sample.truth.support)[c] / 1021 + 1


@pytest.mark.parametrize("weighted", [False, True])
def test_merged_samples_do_not_depend_on_the_order_of_the_classes(weighted):
    problem = large(n_samples=6000, weighted=weighted)
    swapped = Truth.from_codes(1 - problem.truth.codes, n_classes=2, weights=problem.truth.weights)
    here, there = (
        condensed(x).problem for x in (problem, replace(problem, scores=problem.scores[:, ::-1], truth=swapped))
    )
    margins = [x.scores[:, 1] - x.scores[:, 0] for x in (here, there)]
    np.testing.assert_allclose(margins[0], -margins[1])
    np.testing.assert_array_equal(here.truth.codes, 1 - there.truth.codes)
    np.testing.assert_allclose(here.truth.weights, there.truth.weights)


@pytest.mark.parametrize("factor", [7e-14, 1e-20, 1e-100])
@pytest.mark.parametrize("label", [0, 1])
def test_a_class_that_weighs_next_to_nothing_has_as_many_blocks(label, factor):
    problem = large(n_samples=6000)
    weights = np.where(problem.truth.codes == label, factor, 1.0)
    light = condensed(replace(problem, truth=Truth.from_codes(problem.truth.codes, n_classes=2, weights=weights)))
    pair = (np.sort(each.problem.scores, axis=0) for each in (light, condensed(problem)))
    np.testing.assert_allclose(*pair, atol=1e-9)


@pytest.mark.parametrize(("n_samples", "n_classes"), [(4096, 2), (20_000, 3)])
def test_few_samples_and_multiclass_problems_stay_as_they_are(n_samples, n_classes):
    y = np.arange(n_samples) % n_classes
    problem = Problem(np.zeros((n_samples, n_classes)), Truth.from_codes(y, n_classes=n_classes), METRICS["accuracy"])
    assert condensed(problem).problem is problem


@pytest.mark.parametrize("weights", ["none", "random", "unequal"])
@pytest.mark.parametrize("share", [0.5, 0.03, 0.0006])
def test_blocks_by_their_definition(weights, share, rng):
    """Before the middle of a sample is half of it, and all samples of its class that come earlier."""
    for _ in range(5):
        codes = (rng.random(5000) < share).astype(int)
        codes[rng.integers(5000)] = 1
        drawn = {"none": None, "random": rng.random(5000), "unequal": np.exp(20 * rng.normal(size=5000))}[weights]
        mass = np.ones(5000) if drawn is None else drawn
        expected = np.zeros(5000, dtype=int)
        for label in (0, 1):
            own = np.where(codes == label, mass, 0.0)
            before = np.cumsum(own) - own / 2
            expected += (before * (1021 * (1 - 1e-9) / own.sum())).astype(int)
        np.testing.assert_array_equal(_blocks(codes, drawn, np.bincount(codes, mass)), expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_no_part_of_ordered_samples_is_sorted(weighted, xp):
    problem = in_namespace(large(n_samples=9000, decimals=2, weighted=weighted), xp)
    ordered = problem.take(order_to_condense(problem, fewest=6000))
    some = np.flatnonzero(np.arange(9000) % 3)
    pieces = [each.take(xp.asarray(some)) for each in (ordered, ordered.take(xp.asarray(np.arange(9000)[::-1].copy())))]
    assert order_to_condense(ordered, fewest=6000) is None
    assert order_to_condense(pieces[0], fewest=6000) is None
    assert order_to_condense(pieces[1], fewest=6000) is not None
    if xp is np and not weighted:  # otherwise the order of ties matters
        here, there = (condensed(each.take(np.arange(4500)[::step])) for each, step in ((ordered, 1), (ordered, -1)))
        np.testing.assert_array_equal(here.problem.scores, there.problem.scores)
        np.testing.assert_allclose(here.truth.weights, there.truth.weights)


def test_samples_are_not_ordered_where_a_part_stays_as_it_is():
    problem = large(n_samples=5000)
    assert order_to_condense(problem, fewest=4096) is None
    assert order_to_condense(problem, fewest=4097) is not None
    assert order_to_condense(large(n_samples=4000), fewest=4000) is None


def test_every_library(xp):
    problem = large()
    here, there = condensed(problem).problem, condensed(in_namespace(problem, xp)).problem
    np.testing.assert_allclose(to_numpy(there.scores), here.scores, atol=1e-9)
    np.testing.assert_allclose(to_numpy(there.truth.weights), here.truth.weights)


class TestBootstrap:
    """Exponential weights of rows, that keep the total of each class."""

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("n_samples", [500, 60_000])
    def test_totals_of_classes_are_kept(self, n_samples, weighted):
        problem = large(n_samples=n_samples, weighted=weighted)
        sample = condensed(problem)
        for weights in bootstrap_weights(sample, count=3, seed=0):
            drawn = Truth.from_codes(sample.truth.codes, n_classes=2, weights=weights)
            np.testing.assert_allclose(drawn.support, problem.truth.support)
            assert weights.min() > 0

    def test_a_merged_sample_varies_as_the_samples_it_represents(self):
        sample = condensed(large(n_samples=200_000))
        drawn = np.stack(list(bootstrap_weights(sample, count=60, seed=0))) / sample.truth.weights
        expected = 1 / sample.sizes
        assert (drawn.var(axis=0) / expected).mean() == pytest.approx(1, abs=0.05)
        assert drawn.mean() == pytest.approx(1, abs=0.01)

    def test_single_samples_are_exponential(self):
        drawn = np.stack(list(bootstrap_weights(condensed(large(n_samples=2000)), count=50, seed=0)))
        assert drawn.var() == pytest.approx(1, abs=0.05)
        assert np.median(drawn) == pytest.approx(np.log(2), abs=0.02)

    def test_the_same_seed_draws_the_same(self):
        sample = condensed(large(n_samples=500))
        one, two, other = (np.stack(list(bootstrap_weights(sample, count=2, seed=s))) for s in (1, 1, 2))
        np.testing.assert_array_equal(one, two)
        assert not np.allclose(one, other)
