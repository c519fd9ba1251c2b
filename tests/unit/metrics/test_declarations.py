"""What each metric declares is true of its values, as far as random data can show."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from skimbalance.metrics import Cost, FBeta
from skimbalance.metrics.base import LinearMetric, PooledMetric
from skimbalance.metrics.black_box import BlackBox
from skimbalance.metrics.counts import Counts, Truth
from skimbalance.metrics.registry import METRICS

EVERY = {
    **METRICS,
    "f2_macro": FBeta(2.0, average="macro"),
    "cost": Cost([[0.0, 1.0, 3.0], [2.0, -1.0, 1.0], [5.0, 0.0, 0.0]]),
}


def of_size(metric, n_classes):
    return metric.restricted(range(n_classes)).bind(1)


def drawn_counts(rng, n_classes):
    codes = np.concatenate([[0], np.arange(n_classes), rng.integers(0, n_classes, size=rng.integers(1, 12))])
    decisions = rng.choice([codes, np.roll(codes, 1), np.zeros_like(codes), rng.integers(0, n_classes, len(codes))])
    return Truth.from_codes(codes, n_classes=n_classes).count(decisions, confusion=True)


def of_two(won, wrong, support):
    """Counts (m,) of two classes whose second class has these true and false positives."""
    table = np.array([[support[0] - wrong, wrong], [support[1] - won, won]])
    return Counts(np.diagonal(table).copy(), table.sum(axis=0), np.asarray(support), table)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", EVERY)
def test_values_lie_within_the_bounds_and_come_near_them(name, n_classes):
    metric, rng = of_size(EVERY[name], n_classes), np.random.default_rng(0)
    values = [metric.value(drawn_counts(rng, n_classes)) for _ in range(400)]
    low, high = metric.bounds
    assert low - 1e-12 <= min(values)
    assert max(values) <= high + 1e-12
    assert max(values) > high - 0.4 * (high - low if np.isfinite(low) else 1)
    assert np.isinf(low) or min(values) < low + 0.5 * (high - low)


@pytest.mark.parametrize("name", [name for name, metric in EVERY.items() if metric.is_extreme_at_corners])
def test_extremes_lie_at_corners(name):
    metric, rng = of_size(EVERY[name], 2), np.random.default_rng(1)
    for _ in range(300):
        support = rng.choice(np.arange(1, 40), size=2, replace=False).astype(float)
        (won, others), (wrong, more_wrong) = (np.sort(rng.integers(0, n + 1, 2)).astype(float) for n in support[::-1])
        at_corners = [of_two(x, y, support) for x in (won, others) for y in (wrong, more_wrong)]
        inside = of_two(rng.uniform(won, others), rng.uniform(wrong, more_wrong), support)
        for what in (metric.value, metric.objective_value):
            assert what(inside) <= max(map(what, at_corners)) + 1e-12 or metric.direction == "zero"
        assert min(map(metric.value, at_corners)) - 1e-12 <= metric.value(inside)
        assert metric.value(inside) <= max(map(metric.value, at_corners)) + 1e-12


@pytest.mark.parametrize("name", [n for n, m in EVERY.items() if getattr(m, "ignores_other_classes", False)])
def test_terms_of_other_classes_depend_on_their_support_alone(name):
    metric, support = of_size(EVERY[name], 3), np.array([9.0, 7.0, 5.0])
    rng = np.random.default_rng(2)
    if metric.label is None:
        return  # an average: no class is another
    others = metric.chosen(support) == 0
    first, second = (
        metric.terms(hits, hits + rng.random(3), support, metric.chosen(support)) for hits in rng.random((2, 3)) * 5
    )
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one[others], other[others])


@pytest.mark.parametrize("name", EVERY)
def test_a_class_without_true_positives(name):
    metric, rng = of_size(EVERY[name], 3), np.random.default_rng(3)
    missed = [c for c in (drawn_counts(rng, 3) for _ in range(200)) if c.hits.min() == 0 < c.hits.max()]
    assert metric.zero_if_class_missed <= all(metric.value(counts) == 0 for counts in missed)


@pytest.mark.parametrize("name", EVERY)
def test_every_metric_of_the_registry_can_be_a_constraint(name):
    assert EVERY[name].is_constrainable
    assert not BlackBox(accuracy_score).is_constrainable


@pytest.mark.parametrize("base", [LinearMetric, PooledMetric])
def test_a_metric_without_bounds_cannot_be_made(base):
    @dataclass(frozen=True, kw_only=True)
    class Unbounded(base):
        name: ClassVar[str] = "unbounded"

        def utilities(self, support):
            return support

        def terms(self, hits, predicted, support, chosen):
            return (hits,)

    with pytest.raises(TypeError, match="bounds"):
        Unbounded()


def stacked(draws):
    """Counts of several draws."""
    columns = ([getattr(each, name) for each in draws] for name in ("hits", "predicted", "support", "confusion"))
    return Counts(*map(np.stack, columns))


def without_class(counts, k):
    """Counts in which class k neither occurs nor is predicted."""
    kept = np.arange(len(counts.hits)) != k
    hits, predicted, support = (np.where(kept, x, 0.0) for x in (counts.hits, counts.predicted, counts.support))
    return Counts(hits, predicted, support, counts.confusion * kept * kept[:, None])


@pytest.mark.parametrize("absent", ["none", "one", "varying"])
@pytest.mark.parametrize("name", EVERY)
def test_values_of_several_counts_are_those_of_each(name, absent):
    metric, rng = of_size(EVERY[name], 3), np.random.default_rng(4)
    draws = [drawn_counts(rng, 3) for _ in range(40)]
    lacking = {"none": [], "one": range(40), "varying": range(0, 40, 3)}[absent]
    draws = [without_class(each, 2) if i in lacking else each for i, each in enumerate(draws)]
    for objective, one in ((False, metric.value), (True, metric.objective_value)):
        expected = np.array([one(counts) for counts in draws])
        found = metric.values(stacked(draws), objective=objective)
        np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15)
    assert metric.values(Counts(*np.zeros((3, 0, 3)), np.zeros((0, 3, 3)))).shape == (0,)


@pytest.mark.parametrize("overridden", ["value", "pooled", "objective_value"])
def test_values_of_several_counts_are_those_that_a_subclass_computes(overridden):
    def halved(self, counts):
        found = getattr(FBeta, overridden)(self, counts)
        return ((found[0][0] / 2,), found[1]) if overridden == "pooled" else found / 2

    metric, rng = type("Halved", (FBeta,), {overridden: halved})(2.0, average="macro"), np.random.default_rng(6)
    draws = [drawn_counts(rng, 3) for _ in range(5)]
    for objective, one in ((False, metric.value), (True, metric.objective_value)):
        found = metric.values(stacked(draws), objective=objective)
        np.testing.assert_allclose(found, [one(counts) for counts in draws])


def test_a_subclass_is_asked_about_one_draw_at_a_time():
    class Minority(FBeta):
        def counted(self, counts):
            kept = np.ones(3, dtype=bool)
            kept[int(np.argmax(counts.support))] = False
            return kept

        def value(self, counts):
            return float(self.pool(*self.pooled(counts)))

    metric = Minority(average="macro")
    draws = [drawn_counts(np.random.default_rng(seed), 3) for seed in range(9)]
    draws.sort(key=lambda counts: counts.support.max())  # the largest number of all is in no first draw
    np.testing.assert_allclose(metric.values(stacked(draws)), [metric.value(counts) for counts in draws])
