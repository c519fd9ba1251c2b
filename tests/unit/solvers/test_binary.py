"""The global optimum from the samples near it, compared with that from all samples."""

from dataclasses import replace

import numpy as np
import pytest
from support.binary import TWO, settings
from support.problems import problem

from skimbalance import OffsetTuner
from skimbalance.metrics import Cost
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.overlap import Precision
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import Problem, binary


def solved(setting, start=0.0):
    return binary.solve_binary(setting, np.array([-start, start]) / 2)


def kinds_of(setting):
    """The problem, with soft labels, in single precision, and with an outlier."""
    yield setting
    shares = np.random.default_rng(0).dirichlet([0.3, 0.7], size=len(setting.scores)).T
    yield setting.with_truth(setting.truth.softened(shares))
    yield replace(setting, scores=setting.scores.astype(np.float32))
    far = setting.scores.copy()
    far[0, 1] = 1e300
    yield replace(setting, scores=far)


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setattr(binary, "_SAMPLES_TO_SORT", 0)
    monkeypatch.setattr(binary, "_INTERVALS", 32)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("name", sorted(TWO))
def test_the_optimum_is_that_of_all_samples(monkeypatch, name):
    tried = 0
    for setting in settings(name, 30):
        for each in kinds_of(setting):
            tried += binary._near_optimum(each) is not None
            found = [solved(each, start) for start in (0.0, 1.5)]
            with monkeypatch.context() as patch:
                patch.setattr(binary, "_SAMPLES_TO_SORT", len(each.scores))
                for start, near in zip((0.0, 1.5), found, strict=True):
                    full = solved(each, start)
                    assert near.objective_value == pytest.approx(full.objective_value, rel=1e-12, abs=1e-12)
                    assert near.offsets == pytest.approx(full.offsets, rel=1e-12, abs=1e-12)
    assert tried >= 30


@pytest.mark.parametrize("name", ["f1", "matthews_corrcoef", "balanced_accuracy"])
def test_only_a_few_of_many_samples_are_sorted(monkeypatch, name):
    drawn = problem(0, n_classes=2, n_samples=60_000, metric=name)
    near, _, _ = binary._near_optimum(drawn)
    assert near.hits.shape[0] < 6_000
    found = solved(drawn)
    monkeypatch.setattr(binary, "_SAMPLES_TO_SORT", 60_000)
    assert found.offsets == pytest.approx(solved(drawn).offsets, abs=0)


@pytest.mark.usefixtures("narrow")
def test_if_rounding_separates_no_intervals_all_samples_are_sorted():
    """The counts promise an accuracy of one, but no threshold separates the margins."""
    levels = np.arange(42) % 21
    truth = Truth.from_codes((levels >= 8).astype(int), n_classes=2)
    setting = Problem(np.stack([np.zeros(42), 1e15 + levels], axis=1), truth, METRICS["accuracy"])
    _, _, least = binary._near_optimum(setting)
    assert least == pytest.approx(1, abs=1e-6)
    assert solved(setting).objective_value == pytest.approx(13 / 21)


@pytest.mark.usefixtures("narrow")
def test_equal_margins_and_few_kinds_of_them():
    drawn = problem(1, n_classes=2, n_samples=200, metric="f1")
    for values in (np.zeros(200), np.arange(200) % 2, np.arange(200) % 3 - 1.0):
        setting = replace(drawn, scores=np.stack([np.zeros(200), values], axis=1).astype(float))
        brute = max(setting.objective_value(np.array([-t, t]) / 2) for t in (-2.5, -1.5, -0.5, 0.5, 1.5, 2.5))
        assert solved(setting).objective_value == pytest.approx(brute, abs=1e-12)


@pytest.mark.usefixtures("narrow")
def test_for_a_metric_of_the_user_all_samples_are_sorted(monkeypatch):
    """A class derived from one of the package may have its best value anywhere."""

    class Peaks(Precision):
        def pool(self, pooled, n_classes):
            return np.maximum(0.5 - np.abs(pooled[0] - 0.9), 1 - 1000 * np.abs(pooled[0] - 0.6123))

    drawn = problem(3, n_classes=2, n_samples=2000, metric="f1")
    setting = replace(drawn, metric=Peaks().bind(1))
    best = np.max(binary.objective_values_on(setting, binary.line_of(setting)))
    assert solved(setting).objective_value == pytest.approx(best, abs=1e-12)
    assert best > 0.6
    with monkeypatch.context() as patch:
        patch.setattr(Peaks, "is_of_package", True)
        assert solved(setting).objective_value < 0.6  # the intervals do not show the peak
    bound = BoundConstraint(Peaks().bind(1), low=0.5)
    assert binary._near_optimum(drawn) is not None
    assert binary._near_optimum(replace(drawn, requirements=(bound,))) is None


@pytest.mark.usefixtures("narrow")
def test_with_costs_of_samples_all_samples_are_sorted():
    drawn = problem(2, n_classes=2, n_samples=50, metric="f1")
    costs = np.random.default_rng(0).random((50, 2, 2))
    tuner = OffsetTuner(Cost(), kind="logits", estimate="empirical", confidence_level=None)
    tuner.fit(drawn.scores, drawn.truth.codes, cost_matrix=costs)
    cuts = np.sort(drawn.margins)
    each = [costs[np.arange(50), drawn.truth.codes, (drawn.margins < cut).astype(int)].mean() for cut in cuts]
    assert tuner.in_sample_score_ <= min(each) + 1e-12
