"""The walk sees, at every cut, what counting afresh sees."""

import numpy as np
import pytest
from problems import in_namespace, problem

from skimbalance._array_api import to_numpy
from skimbalance.metrics import Cost
from skimbalance.metrics._counts import Truth
from skimbalance.metrics._registry import METRICS
from skimbalance.solvers import Problem
from skimbalance.solvers._breakpoints import Leaders, top_two
from skimbalance.solvers._coordinate_ascent import _Climb
from skimbalance.solvers._line_search import Walk, best_cut, ranks_along

COST = Cost([[0, 1, 2, 1], [3, -1, 1, 1], [5, 2, 0, 1], [9, 9, 9, 0]])


def metric_of(name):
    return COST if name == "cost" else METRICS[name].bind(3)


@pytest.mark.parametrize("truth", ["plain", "weighted", "soft", "soft and weighted"])
@pytest.mark.parametrize("name", [*sorted(METRICS), "cost"])
def test_ranks_along_equals_counting_afresh(name, truth):
    base = problem(5, n_classes=4, n_rows=30, weighted="weighted" in truth, soft="soft" in truth)
    setting = Problem(base.scores, base.truth, metric_of(name))
    start = np.array([0.3, -0.2, 0.1, 0.4])
    climb = _Climb(setting, start)
    for k in range(4):
        walk = climb._walk(k)
        ranks = ranks_along(walk, setting)
        cuts = np.concatenate([[walk.gaps[0] - 1], (walk.gaps[1:] + walk.gaps[:-1]) / 2, [walk.gaps[-1] + 1]])
        for cut, rank in zip(cuts, ranks, strict=True):
            offsets = start.copy()
            offsets[k] = cut
            assert rank == pytest.approx(setting.rank(offsets), abs=1e-9)


def test_the_walk_is_the_same_in_every_array_library(xp):
    for name in METRICS:
        here = problem(2, n_classes=4, n_rows=25, metric=name, weighted=True)
        there = in_namespace(here, xp)
        for k in range(4):
            expected = ranks_along(_Climb(here, np.zeros(4))._walk(k), here)
            got = ranks_along(_Climb(there, xp.zeros(4, dtype=xp.float64))._walk(k), there)
            np.testing.assert_allclose(to_numpy(got), expected, atol=1e-12)


def test_leaders_follow_every_move(xp, rng):
    """After any sequence of moves, the leaders are those of a fresh start, ties included."""
    scores = np.round(rng.normal(size=(60, 5)), 1)
    there = xp.asarray(scores)
    columns = xp.asarray(scores.T.copy())
    leaders = Leaders(there, columns, xp.zeros(5, dtype=xp.float64))
    offsets = np.zeros(5)
    for _ in range(60):
        k, offset = int(rng.integers(5)), float(np.round(rng.normal(), 1))
        before = to_numpy(leaders.first).copy()
        change = leaders.move(k, offset)
        offsets[k] = offset
        first, first_value, second, second_value = top_two(scores + offsets)
        np.testing.assert_array_equal(to_numpy(leaders.first), first)
        np.testing.assert_array_equal(to_numpy(leaders.second), second)
        np.testing.assert_array_equal(to_numpy(leaders.first_value), first_value)
        np.testing.assert_array_equal(to_numpy(leaders.second_value), second_value)
        np.testing.assert_array_equal(np.sort(to_numpy(change.rows)), np.flatnonzero(before != first))


class TestBestCut:
    """Which of the best cuts is taken."""

    def cut(self, gaps, ranks, **options):
        gaps = np.array(gaps, dtype=float)
        rows = np.arange(len(gaps))
        walk = Walk(
            1,
            rows,
            gaps,
            np.abs(gaps),
            rows,
            None,
            Truth.from_codes(rows % 2, n_classes=2).count_constant(0),
        )
        return best_cut(walk, np.array(ranks, dtype=float), **{"start": 0.0, **options})

    def test_middle_of_a_narrow_interval(self):
        assert self.cut([1, 1.5, 4], [0, 1, 0, 0]).offset == pytest.approx(1.25)

    def test_a_margin_from_the_near_end_of_a_wide_one(self):
        assert self.cut([2, 40], [0, 1, 0]).offset == pytest.approx(3.0)
        assert self.cut([2, 40], [0, 1, 0], start=39.5).offset == pytest.approx(39.0)

    def test_the_start_stays_where_it_has_room(self):
        assert self.cut([-30, 40], [0, 1, 0]).offset == 0.0

    def test_the_widest_part_of_a_plateau(self):
        assert self.cut([1, 1.1, 1.7, 1.8], [0, 1, 1, 1, 0]).offset == pytest.approx(1.4)

    def test_the_nearest_of_two_plateaus(self):
        assert self.cut([1, 1.1, 2, 3], [0, 1, 0, 1, 0]).offset == pytest.approx(1.05)

    def test_an_outer_interval_only_if_nothing_else_is_as_good(self):
        assert self.cut([1, 2], [0, 1, 1]).offset == pytest.approx(1.5)
        assert self.cut([1, 2], [0, 0, 1]).offset == pytest.approx(3.0)

    def test_ties_are_never_cut(self):
        assert self.cut([1, 1, 2], [0, 9, 1, 0]).rank == 1

    def test_gaps_closer_than_rounding_are_ties(self):
        assert self.cut([1, np.nextafter(1, 2), 2], [0, 9, 1, 0]).rank == 1

    def test_nothing_above_the_bar_is_nothing(self):
        assert self.cut([1, 2], [0, 1, 0], above=1.0) is None
        assert self.cut([1, 2], [0, 1, 0], above=0.9).rank == 1

    def test_nothing_beyond_the_limit(self):
        assert self.cut([1, 2], [0, 0, 1], limit=2.5).offset <= 2.5
