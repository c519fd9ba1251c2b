"""The sorted sweep gives the same value after every step as counting again."""

import numpy as np
import pytest
from support.effort import crossed
from support.problems import in_namespace, problem

from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision import decide
from skimbalance.metrics import Cost
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import Problem, _near
from skimbalance.solvers._line_search import Bounds, Margins, best_cuts, sweep_objective
from skimbalance.solvers._neighbourhood import around, top_two

COST = Cost([[0, 1, 2, 1], [3, -1, 1, 1], [5, 2, 0, 1], [9, 9, 9, 0]])


def metric_of(name):
    return COST if name == "cost" else METRICS[name].bind(3)


def walked(setting, start, classes):
    """The sorted sweeps of some classes, and the objective values along them."""
    place = around(setting, start)
    sorted_sweeps = place.sorted_sweeps(np.asarray(classes))
    return place, sorted_sweeps, sweep_objective(sorted_sweeps, setting, setting.count(place.first))


@pytest.mark.parametrize(
    ("name", "truth"), crossed([*sorted(METRICS), "cost"], ["plain", "weighted", "soft", "soft and weighted"])
)
def test_ranks_along_equals_counting_afresh(name, truth):
    base = problem(5, n_classes=4, n_samples=30, weighted="weighted" in truth, soft="soft" in truth)
    setting = Problem(base.scores, base.truth, metric_of(name))
    start = np.array([0.3, -0.2, 0.1, 0.4])
    for classes in ([0], [1], [3, 0, 2], [0, 1, 2, 3]):
        _, sorted_sweeps, objective_values = walked(setting, start, classes)
        for k, margins, along in zip(classes, sorted_sweeps.margins.values, objective_values, strict=True):
            cuts = np.concatenate([[margins[0] - 1], (margins[1:] + margins[:-1]) / 2, [margins[-1] + 1]])
            for cut, objective_value in zip(cuts, along, strict=True):
                offsets = start.copy()
                offsets[k] = cut
                assert objective_value == pytest.approx(setting.objective_value(offsets), abs=1e-9)


@pytest.mark.parametrize("name", ["f1_macro", "geometric_mean", "worst_recall", "matthews_corrcoef", "cost"])
@pytest.mark.parametrize("weighted", [False, True])
def test_sweeps_over_near_samples_are_exact_within_bounds(name, weighted, monkeypatch):
    """For every offset within the bounds of a class, the sweep over near samples gives the objective value."""
    monkeypatch.setattr(_near, "_EVERYWHERE_SAMPLES", 0)
    monkeypatch.setattr(_near, "_LEAST_REACH", 0.3)
    monkeypatch.setattr(_near, "_CLASSES_PER_SAMPLE", 1)
    monkeypatch.setattr(_near, "_PER_OWN_SAMPLE", 0.5)
    base = problem(7, n_classes=4, n_samples=900, weighted=weighted)
    setting = Problem(3 * base.scores, base.truth, metric_of(name))
    start, everyone = np.array([0.3, -0.2, 0.1, 0.4]), np.arange(4)
    place, sorted_sweeps, objective_values = walked(setting, start, everyone)
    bounds = place.bounds
    assert place.lengths.sum() < 2 * 900
    for k, margins, along in zip(everyone, sorted_sweeps.margins.values, objective_values, strict=True):
        every = np.sort(np.max(np.delete(setting.scores + start, k, 1), axis=1) - setting.scores[:, k])
        inside = every[(every > bounds.low[k]) & (every < bounds.high[k])]
        cuts = np.concatenate([[bounds.low[k]], (inside[1:] + inside[:-1]) / 2, [bounds.high[k]]])
        assert len(inside) > 5
        for cut in cuts:
            offsets = start.copy()
            offsets[k] = cut
            assert along[np.searchsorted(margins, cut)] == pytest.approx(setting.objective_value(offsets), abs=1e-9)


def test_the_sweep_is_the_same_in_every_array_library(xp):
    for name in METRICS:
        here = problem(2, n_classes=4, n_samples=25, metric=name, weighted=True)
        there = in_namespace(here, xp)
        _, _, expected = walked(here, np.zeros(4), [0, 1, 2, 3])
        _, _, got = walked(there, xp.zeros(4, dtype=xp.float64), [0, 1, 2, 3])
        np.testing.assert_allclose(to_numpy(got), expected, atol=1e-12)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_sweep_over_near_samples_is_the_same_in_every_array_library(xp, weighted, soft, monkeypatch):
    monkeypatch.setattr(_near, "_EVERYWHERE_SAMPLES", 0)
    monkeypatch.setattr(_near, "_CLASSES_PER_SAMPLE", 2)
    for name in ("f1_macro", "f1_weighted", "geometric_mean", "worst_recall", "balanced_accuracy", "recall"):
        base = problem(3, n_classes=5, n_samples=300, metric=name, weighted=weighted, soft=soft)
        here = Problem(4 * base.scores.clip(-9), base.truth, base.metric)
        place, sweeps, expected = walked(here, np.zeros(5), [4, 0, 2])
        there, got_sweeps, got = walked(in_namespace(here, xp), xp.zeros(5, dtype=xp.float64), [4, 0, 2])
        assert place.bounds is not None
        np.testing.assert_array_equal(there.lengths, place.lengths)
        np.testing.assert_array_equal(to_numpy(got_sweeps.margins.values), sweeps.margins.values)
        filled = sweeps.margins.values < 1e300
        np.testing.assert_allclose(to_numpy(got)[:, 1:][filled], expected[:, 1:][filled], atol=1e-12)


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_cuts_are_the_same_in_every_array_library(xp, rng, dtype, bounded):
    """Also where margins differ by rounding, plateaus are equally high, and a sweep has no better cut."""
    first, second = (np.round(rng.normal(size=(4, 60)), 1).astype(dtype) for _ in range(2))
    second += (np.finfo(dtype).eps * rng.integers(-3, 4, size=second.shape)).astype(dtype)
    order = np.argsort(first - second, axis=1)
    first, second = (np.take_along_axis(x, order, axis=1) for x in (first, second))
    values = np.round(rng.random((4, 61)), 1)
    values[2] = 0.0
    bounds = Bounds(np.full(4, -1.05), np.full(4, 1.05)) if bounded else None

    def cuts(xp):
        a, b = (xp.asarray(x.reshape(-1)) for x in (first, second))
        margins = Margins(
            xp.reshape(a - b, (4, 60)),
            float(np.abs(first).max() + np.abs(second).max()),
            lambda at: abs(a[at]) + abs(b[at]),
        )
        return best_cuts(margins, xp.asarray(values), start=np.zeros(4), above=0.5, bounds=bounds)

    got, expected = cuts(xp), cuts(np)
    np.testing.assert_array_equal(got.sorted_sweeps, [0, 1, 3])
    for name in ("sorted_sweeps", "offsets", "objective_values"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))


@pytest.mark.parametrize("near", [False, True])
def test_leaders_follow_every_move(xp, rng, near, monkeypatch):
    """After any moves within bounds, and some taken back, decisions are those of a fresh start, ties included."""
    if near:
        monkeypatch.setattr(_near, "_EVERYWHERE_SAMPLES", 0)
        monkeypatch.setattr(_near, "_CLASSES_PER_SAMPLE", 2)
    scores = np.round(rng.normal(size=(200, 6)), 1)
    here = problem(0, n_classes=6, n_samples=200)
    setting = in_namespace(Problem(scores, here.truth, here.metric), xp)
    place = around(setting, xp.zeros(6, dtype=xp.float64))
    bounds = place.bounds or Bounds(np.full(6, -3.0), np.full(6, 3.0))
    offsets = np.zeros(6)
    for _ in range(60):
        classes = rng.choice(6, size=rng.integers(1, 4), replace=False)
        wanted = np.clip(np.round(rng.normal(size=len(classes)), 1), bounds.low[classes], bounds.high[classes])
        before = to_numpy(place.first).copy()
        move = place.move(classes, wanted)
        after = offsets.copy()
        after[classes] = wanted
        np.testing.assert_array_equal(to_numpy(place.first), decide(scores, after))
        changed = np.flatnonzero(before != decide(scores, after))
        np.testing.assert_array_equal(np.sort(to_numpy(move.changed()[0])), changed)
        if rng.random() < 0.3:
            place.undo(move)
        else:
            offsets = after
        np.testing.assert_array_equal(to_numpy(place.first), decide(scores, offsets))
        np.testing.assert_array_equal(to_numpy(place.offsets), offsets)


def test_what_is_second_follows_too(xp, rng):
    scores = np.round(rng.normal(size=(60, 5)), 1)
    here = problem(0, n_classes=5, n_samples=60)
    setting = in_namespace(Problem(scores, here.truth, here.metric), xp)
    place = around(setting, xp.zeros(5, dtype=xp.float64))
    for _ in range(40):
        place.move(rng.choice(5, size=2, replace=False), np.round(rng.normal(size=2), 1))
        expected = top_two(scores + to_numpy(place.offsets))
        for got, wanted in zip(place.leaders, expected, strict=True):
            np.testing.assert_array_equal(to_numpy(got), wanted)


def test_what_is_second_is_the_same_in_every_array_library(xp, rng, monkeypatch):
    """Among near classes, ties included."""
    monkeypatch.setattr(_near, "_EVERYWHERE_SAMPLES", 0)
    monkeypatch.setattr(_near, "_CLASSES_PER_SAMPLE", 3)
    here = problem(0, n_classes=7, n_samples=300)
    here = Problem(np.round(rng.normal(size=(300, 7)), 1), here.truth, here.metric)
    places = [around(here, np.zeros(7)), around(in_namespace(here, xp), xp.zeros(7, dtype=xp.float64))]
    low, high = places[0].bounds.low, places[0].bounds.high
    for _ in range(20):
        classes = rng.choice(7, size=3, replace=False)
        offsets = np.clip(np.round(rng.normal(size=3), 1), low[classes], high[classes])
        leaders = []
        for place in places:
            place.move(classes, offsets)
            leaders.append([to_numpy(x) for x in place.leaders])
        for expected, got in zip(*leaders, strict=True):
            np.testing.assert_array_equal(got, expected)


class TestBestCut:
    """Which of the best cuts is taken."""

    def cuts(self, margins, objective_values, *, start=0.0, above=-np.inf, bounds=None):
        values = np.array(margins, dtype=float)
        flat = np.abs(values.reshape(-1))
        margins = Margins(values, float(flat[flat < 1e300].max()), lambda places: flat[places])
        start = np.full(len(values), start)
        return best_cuts(margins, np.array(objective_values, dtype=float), start=start, above=above, bounds=bounds)

    def cut(self, margins, objective_values, **options):
        return float(self.cuts([margins], [objective_values], **options).offsets[0])

    def objective_value(self, margins, objective_values, **options):
        return self.cuts([margins], [objective_values], **options).objective_values.tolist()

    def test_middle_of_a_narrow_interval(self):
        assert self.cut([1, 1.5, 4], [0, 1, 0, 0]) == pytest.approx(1.25)

    def test_a_margin_from_the_near_end_of_a_wide_one(self):
        assert self.cut([2, 40], [0, 1, 0]) == pytest.approx(3.0)
        assert self.cut([2, 40], [0, 1, 0], start=39.5) == pytest.approx(39.0)

    def test_the_start_stays_where_it_has_room(self):
        assert self.cut([-30, 40], [0, 1, 0]) == 0.0

    def test_the_widest_part_of_a_plateau(self):
        assert self.cut([1, 1.1, 1.7, 1.8], [0, 1, 1, 1, 0]) == pytest.approx(1.4)

    def test_the_nearest_of_two_plateaus(self):
        assert self.cut([1, 1.1, 2, 3], [0, 1, 0, 1, 0]) == pytest.approx(1.05)

    def test_an_outer_interval_only_if_nothing_else_is_as_good(self):
        assert self.cut([1, 2], [0, 1, 1]) == pytest.approx(1.5)
        assert self.cut([1, 2], [0, 0, 1]) == pytest.approx(3.0)

    def test_ties_are_never_cut(self):
        assert self.objective_value([1, 1, 2], [0, 9, 1, 0]) == [1]

    def test_margins_closer_than_rounding_are_ties(self):
        assert self.objective_value([1, np.nextafter(1, 2), 2], [0, 9, 1, 0]) == [1]

    def test_nothing_above_the_bar_is_nothing(self):
        assert self.objective_value([1, 2], [0, 1, 0], above=1.0) == []
        assert self.objective_value([1, 2], [0, 1, 0], above=0.9) == [1]

    def test_nothing_out_of_bounds(self):
        bounds = Bounds(np.array([0.5]), np.array([2.5]))
        assert 2 < self.cut([1, 2], [0, 0, 1], bounds=bounds) <= 2.5
        assert 0.5 <= self.cut([1, 2], [1, 0, 0], bounds=bounds) < 1
        assert self.objective_value([1, 2, 4], [0, 1, 0, 9], bounds=bounds) == [1]
        assert self.objective_value([0, 2, 4], [9, 1, 0, 0], bounds=bounds) == [1]

    def test_each_sweep_has_its_own(self):
        most = np.finfo(float).max
        margins, objective_values = [[1, 2, 3], [10, 20, most], [1, 2, 3]], [[0, 1, 0, 0], [0, 0, 2, 9], [0, 0, 0, 0]]
        found = self.cuts(margins, objective_values, above=0.0)
        assert found.sorted_sweeps.tolist() == [0, 1]
        assert found.objective_values.tolist() == [1, 2]
        np.testing.assert_allclose(found.offsets, [1.5, 21.0])
