"""Random restarts belong to the final fit: folds, rounds of margins and spans in messages make none."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from support.effort import thinned
from support.labels import fit_multilabel
from support.problems import problem as drawn_problem

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.exceptions import UnreachableGoalWarning
from skimbalance.goals import AtLeast
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import demanding, solve

pytestmark = [pytest.mark.usefixtures("few_restarts"), pytest.mark.filterwarnings("ignore")]

RESTARTS = 4  # as `few_restarts` sets it
OUT_OF_REACH = AtLeast("recall_macro", 0.99)


@pytest.fixture
def restarts(monkeypatch):
    """The number of rows of each ascent from a random point."""
    from skimbalance.solvers import _coordinate_ascent

    seen, restarts = [], _coordinate_ascent._restarts

    def spy(problem, *, seed):
        for restart in restarts(problem, seed=seed):
            seen.append(problem.scores.shape[0])
            yield restart

    monkeypatch.setattr(_coordinate_ascent, "_restarts", spy)
    return seen


def samples(seed=0, *, n_samples=60, n_classes=3):
    """Logits and labels."""
    problem = drawn_problem(seed, n_samples=n_samples, n_classes=n_classes)
    return problem.scores, problem.truth.codes


def one_more_row_than_classes(seed, n_classes):
    """Logits and labels of so few rows that each decides the recall of its class."""
    rng = np.random.default_rng(seed)
    y = np.append(np.arange(n_classes), 0)
    return rng.normal(size=(n_classes + 1, n_classes)) + np.eye(n_classes)[y], y


def reached_note(tuner):
    """The note that no offsets meet the constraints, None if there is no such note."""
    return next((note for note in tuner.notes_ if note.startswith("No offsets satisfy")), None)


def test_a_score_takes_no_restarts(restarts):
    tuner = OffsetTuner("f1_macro", kind="logits", estimate="empirical").fit(*samples())
    assert restarts == [60] * RESTARTS
    assert tuner.score_interval_[0] < tuner.score_ < tuner.score_interval_[1]


def test_the_final_fit_is_the_same_with_and_without_a_score():
    with_score, without = (
        OffsetTuner("f1_macro", kind="logits", estimate="empirical", confidence_level=level).fit(*samples())
        for level in (0.9, None)
    )
    np.testing.assert_array_equal(with_score.offsets_, without.offsets_)


def test_margins_take_no_restarts(restarts):
    goal = AtLeast("recall", 0.5, label=2, confidence=0.8)
    tuner = OffsetTuner("f1_macro", kind="logits", estimate="empirical", constraints=[goal]).fit(*samples())
    assert reached_note(tuner) is None
    assert restarts == [60] * RESTARTS


@pytest.mark.parametrize("estimate", ["robust", "plugin", "empirical"])
def test_a_constraint_out_of_reach_takes_one_search_more(restarts, estimate):
    with pytest.warns(UnreachableGoalWarning):
        OffsetTuner("f1_macro", kind="logits", estimate=estimate, constraints=[OUT_OF_REACH]).fit(*samples())
    assert restarts == [60] * 2 * RESTARTS


def test_a_bound_beyond_the_metric_takes_none(restarts):
    with pytest.warns(UnreachableGoalWarning):
        OffsetTuner("f1_macro", kind="logits", constraints=[AtLeast("recall_macro", 1.2)]).fit(*samples())
    assert restarts == [60] * RESTARTS


def test_a_search_by_values_takes_restarts_for_its_starts_alone(restarts):
    def share_right(y_true, y_pred, sample_weight=None):
        return float(np.average(y_true == y_pred, weights=sample_weight))

    goal = AtLeast("worst_recall", 0.3)
    OffsetTuner(share_right, kind="logits", estimate="empirical", constraints=[goal]).fit(*samples())
    assert restarts == [60] * 2 * RESTARTS  # two guides of the final search


def test_retune_and_adapt_to_are_final_fits(restarts):
    X, y = samples()
    clf = TunedOffsetClassifierCV(
        LogisticRegression(), objective="accuracy", estimate="empirical", store_cv_results=True
    ).fit(X, y)
    often = np.concatenate([X, *[X[y == 2]] * 20])
    for other in (lambda: clf.retune(objective="f1_macro"), lambda: clf.adapt_to(often)):
        restarts.clear()
        other()
        assert restarts == [60] * RESTARTS


def test_a_label_with_a_constraint_is_cross_fitted_once(monkeypatch):
    from skimbalance.estimation import _estimate

    monkeypatch.setattr(_estimate, "cross_fit", lambda *_, **__: pytest.fail("the offsets are fitted elsewhere"))
    rng = np.random.default_rng(0)
    indicator = rng.random((80, 3)) < 0.4
    log_odds = rng.normal(size=(80, 3)) + indicator
    fit = fit_multilabel(log_odds, indicator, metric="f1_macro", constraints=[AtLeast("recall", 0.5)])
    assert fit.score is not None


def test_a_search_until_met_ends_there_and_gives_the_same_verdict():
    verdicts, shorter = [], 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        setting = drawn_problem(seed, n_samples=12, n_classes=4)
        required = (
            BoundConstraint(METRICS["precision"].bind(int(rng.integers(4))), low=rng.uniform(0.3, 1)),
            BoundConstraint(METRICS["recall_macro"], low=rng.uniform(0.4, 0.9)),
        )
        setting, told, all_told = demanding(setting, *required), [], []
        ended = solve(setting, until_satisfied=True, progress=told.append)
        whole = solve(setting, progress=all_told.append)
        verdicts.append(setting.missed(ended.counts) == 0)
        assert verdicts[-1] == (setting.missed(whole.counts) == 0)
        shorter += len(told) < len(all_told)
    assert shorter > 3
    assert not all(verdicts)


@pytest.mark.parametrize(("n_classes", "seed"), [(5, 7), (6, 6), (8, 9)])
def test_the_span_in_the_message_holds_what_was_taken(n_classes, seed):
    scores, y = one_more_row_than_classes(seed, n_classes)
    tuner = OffsetTuner("f1_macro", kind="logits", constraints=[OUT_OF_REACH], confidence_level=None).fit(scores, y)
    low, high = map(float, re.search(r"achievable from (\S+) to ([\d.]+\d)", reached_note(tuner)).groups())
    recalls = [np.mean(tuner.predict(scores)[y == c] == c) for c in range(n_classes)]
    assert low - 1e-4 <= np.mean(recalls) <= high + 1e-4


@pytest.mark.parametrize("found_alone", [True, False])
@pytest.mark.parametrize(
    ("n_classes", "seed", "bound"), thinned([(5, 7, 0.85), (5, 22, 0.85), (6, 6, 0.72), (6, 37, 0.62)], quick=2)
)
def test_what_the_final_fit_meets_is_not_called_unreachable(n_classes, seed, bound, found_alone, monkeypatch):
    """Also where the search for the constraint alone has found no offsets."""
    monkeypatch.setattr("skimbalance.solvers._coordinate_ascent._MAX_RESTARTS", 48)  # as users have it
    if not found_alone:
        monkeypatch.setattr("skimbalance.estimation._tighten._is_achievable", lambda *_: False)
    scores, y = one_more_row_than_classes(seed, n_classes)
    goal = AtLeast("recall_macro", bound)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnreachableGoalWarning)
        tuner = OffsetTuner("f1_macro", kind="logits", estimate="empirical", constraints=[goal]).fit(scores, y)
    recalls = [np.mean(tuner.predict(scores)[y == c] == c) for c in range(n_classes)]
    assert np.mean(recalls) >= bound
    assert reached_note(tuner) is None


def test_a_requirement_is_impossible_beyond_the_bounds_of_its_metric():
    recall = BoundConstraint(METRICS["recall_macro"])
    assert not any(replace(recall, low=low).is_impossible for low in (-1.0, 0.0, 1.0, 1.0 + 1e-15))
    assert replace(recall, low=1.01).is_impossible
    assert replace(recall, high=-0.01).is_impossible
