"""The best threshold of two classes over samples in chunks, compared with the one found in memory."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from support.binary import REQUIRED, TWO, one_column, settings
from support.chunks import pieces_of, silent, without_samples
from support.problems import problem

from skimbalance.metrics import Cost
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import Line, Problem, line_of, objective_values_on, solve
from skimbalance.tuner.chunks._binary import (
    Budget,
    Intervals,
    best_threshold,
    candidate_sums,
    margins_within,
    sort_by_margin,
    upper_bounds,
)

TINY = Budget(candidates=8, samples=16)


def sizes_of(setting):
    """The largest absolute score, and the sum of the magnitudes of two scores of which the first is zero."""
    return {"largest": float(np.abs(setting.scores).max()), "size": np.abs}


def found_in_chunks(setting, *, budget=TINY, n_chunks=5):
    pieces = pieces_of(setting, n_chunks)
    offsets = best_threshold(pieces, without_samples(setting), progress=silent, budget=budget, **sizes_of(setting))
    return setting.solved(offsets, n_iter=1)


@pytest.mark.parametrize("name", sorted(TWO))
def test_the_value_is_that_of_the_global_optimum(name):
    for setting in settings(name, 30):
        assert found_in_chunks(setting).objective_value == pytest.approx(
            solve(setting).objective_value, rel=1e-12, abs=1e-12
        )


@pytest.mark.parametrize("name", ["f1", "geometric_mean", "matthews_corrcoef", "cost", "balanced_accuracy"])
def test_the_offset_is_equal_if_all_samples_of_the_best_plateau_are_gathered(name):
    for setting in settings(name, 20):
        found = found_in_chunks(setting, budget=Budget(candidates=8, samples=60))
        assert found.offsets == pytest.approx(np.asarray(solve(setting).offsets), abs=1e-9)


def test_in_single_precision():
    for seed in range(20):
        drawn = one_column(problem(seed, n_classes=2, n_samples=200, metric="f1"))
        setting = replace(drawn, scores=drawn.scores.astype(np.float32))
        assert found_in_chunks(setting).objective_value == pytest.approx(solve(setting).objective_value, rel=1e-12)


def test_the_number_of_chunks_does_not_matter():
    setting = one_column(problem(3, n_classes=2, n_samples=300, metric="f1"))
    found = {round(found_in_chunks(setting, n_chunks=n).offsets[0], 12) for n in (1, 2, 7, 40)}
    assert len(found) == 1


@pytest.mark.parametrize("name", sorted(TWO))
def test_no_threshold_between_two_candidates_exceeds_the_bound(name):
    """Compare the objective value of every threshold with the bound of its interval."""
    for setting in settings(name, 30):
        margins = np.sort(np.asarray(setting.margins))
        objective_values = np.asarray(objective_values_on(setting, line_of(setting)))
        samples = pieces_of(setting).map(partial(sort_by_margin, positive=setting.positive))
        at = np.unique([-np.inf, *margins[:: max(1, len(margins) // 5)], np.inf])
        candidates = candidate_sums(samples, at)
        highest = upper_bounds(without_samples(setting), candidates)
        for low, high, bound in zip(at, at[1:], highest, strict=False):
            first, last = np.searchsorted(margins, low, side="right"), np.searchsorted(margins, high, side="left")
            assert objective_values[first : last + 1].max() <= bound + 1e-12


def test_the_bound_is_tight_if_there_are_no_samples_between():
    setting = one_column(problem(0, n_classes=2, n_samples=40, metric="f1"))
    samples = pieces_of(setting).map(partial(sort_by_margin, positive=setting.positive))
    candidates = candidate_sums(samples, np.asarray([-np.inf, *np.unique(setting.margins), np.inf]))
    here = Line.of_counts(candidates.hits[1], candidates.predicted[1])
    assert upper_bounds(without_samples(setting), candidates) == pytest.approx(
        np.asarray(objective_values_on(setting, here))[:-1]
    )


def test_candidates_count_the_samples_below_them():
    setting = one_column(problem(1, n_classes=2, n_samples=90, decimals=1, weighted=True))
    samples = pieces_of(setting).map(partial(sort_by_margin, positive=setting.positive))
    margins, hits, weights = np.asarray(setting.margins), np.asarray(setting.truth.codes) == 1, setting.truth.weights
    at = np.unique(margins)[1::3]
    candidates = candidate_sums(samples, at)
    for place, margin in enumerate(at):
        for side, below in enumerate((margins < margin, margins <= margin)):
            assert candidates.n_samples[side, place] == below.sum()
            assert candidates.hits[side, place] == pytest.approx(weights[below & hits].sum())
            assert candidates.predicted[side, place] == pytest.approx(weights[below].sum())
        assert candidates.before[place] == max(margins[margins < margin], default=-np.inf)
        assert candidates.after[place] == min(margins[margins > margin], default=np.inf)


def test_margins_are_taken_from_within_the_intervals():
    setting = one_column(problem(1, n_classes=2, n_samples=200))
    samples = pieces_of(setting).map(partial(sort_by_margin, positive=setting.positive))
    margins = np.sort(np.asarray(setting.margins))
    found = margins_within(samples, Intervals(margins[[20, 100]], margins[[40, 150]]), step=1)
    assert found.tolist() == np.unique([*margins[21:40], *margins[101:150]]).tolist()
    fewer = margins_within(samples, Intervals(margins[[20, 100]], margins[[40, 150]]), step=7)
    assert set(fewer) <= set(found)
    assert 5 <= len(fewer) <= 15


@pytest.mark.parametrize("matrix", [[[0, -1], [0, 0]], [[0, 0], [-1, 0]], [[1, 0], [0, 1]], [[-3, 0], [0, 2]]])
def test_costs_that_reward_errors(matrix):
    """The bound makes no assumption about the best order of the samples."""
    for seed in range(40):
        drawn = one_column(problem(seed, n_classes=2, n_samples=250, weighted=seed % 2 == 0))
        setting = replace(drawn, metric=Cost(matrix))
        found = found_in_chunks(setting, budget=Budget(candidates=20, samples=16))
        assert found.objective_value == pytest.approx(solve(setting).objective_value, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("candidates", [1, 2, 50])
def test_the_value_is_exact_with_any_budget(candidates):
    for seed in range(40):
        drawn = one_column(problem(seed, n_classes=2, n_samples=300, decimals=(None, 2)[seed % 2]))
        setting = replace(drawn, metric=TWO["worst_recall"], requirements=REQUIRED[seed % 5])
        found = found_in_chunks(setting, budget=Budget(candidates=candidates, samples=16), n_chunks=20)
        assert found.objective_value == pytest.approx(solve(setting).objective_value, rel=1e-12, abs=1e-12)


def test_a_plateau_of_more_samples_than_can_be_gathered():
    """All positives lie above all negatives: every threshold in a wide range is optimal."""
    rng = np.random.default_rng(0)
    setting = one_column(problem(0, n_classes=2, n_samples=500, metric="recall"))
    codes = np.asarray(setting.truth.codes)
    scores = np.stack([np.zeros(500), np.where(codes == 1, 1.0, -1.0) + 0.1 * rng.random(500)], axis=1)
    separated = Problem(scores, setting.truth, METRICS["recall"].bind(1))
    assert found_in_chunks(separated).objective_value == 1.0
