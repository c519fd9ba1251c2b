"""The search by values: against the exact solver, within its budget, the same each time."""

import pickle
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, f1_score, make_scorer, zero_one_loss
from support.effort import crossed, seeds
from support.oracles import best_of_two
from support.problems import in_namespace, labels, log_proba, problem

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance._core.array_api import to_numpy
from skimbalance.goals import AtLeast
from skimbalance.metrics.black_box import BlackBox
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import OPTIMISERS, Search, ascend, default_budget, prior_offsets, search, solve

NAMES = np.array(["ant", "bee", "cat", "dog"])
OBJECTIVES = ("f1_macro", "balanced_accuracy", "cohen_kappa", "geometric_mean", "matthews_corrcoef")
methods = pytest.mark.parametrize("method", OPTIMISERS)


class Kappa:
    """Cohen's kappa that counts how often it was asked."""

    def __init__(self):
        self.calls = 0

    def __call__(self, y_true, y_pred, *, sample_weight):
        self.calls += 1
        right, total = np.average(y_true == y_pred, weights=sample_weight), sample_weight.sum()
        by_chance = sum(
            sample_weight[y_true == c].sum() * sample_weight[y_pred == c].sum() for c in np.unique(y_true)
        ) / (total * total)
        return (right - by_chance) / (1 - by_chance) if by_chance < 1 else 0.0


def share_right(y_true, y_pred):
    return np.mean(y_true == y_pred)


def boxed(setting, function=None):
    """The same problem for a metric of which values alone are known."""
    return replace(setting, metric=BlackBox(Kappa() if function is None else function))


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("soft", [False, True])
def test_binary_search_finds_the_best_threshold(name, soft):
    for seed in seeds(50, quick=12):
        setting = problem(
            seed, n_classes=2, n_samples=5 + seed, metric=name, decimals=seed % 3 or None, weighted=seed % 2, soft=soft
        )
        found = search(setting, Search("powell"))
        assert found.objective_value == pytest.approx(
            best_of_two(setting.scores, setting.truth, setting.metric), abs=1e-9
        )
        assert found.objective_value == setting.objective_value(found.offsets)


def test_binary_problems_of_more_cuts_than_the_budget():
    setting = problem(0, n_classes=2, n_samples=20_000, metric="f1")
    assert search(setting, Search("direct", budget=200)).objective_value >= 0.999 * solve(setting).objective_value


@cache
def solved(seed, name):
    """A problem and its exact solution, the same for every method."""
    setting = problem(seed, n_samples=100, metric=name)
    return setting, solve(setting)


@methods
@pytest.mark.parametrize("name", OBJECTIVES)
def test_three_classes_are_nearly_as_good_as_coordinate_ascent(name, method):
    shares = []
    for seed in seeds(8, quick=1):
        setting, best = solved(seed, name)
        shares.append(search(setting, Search(method, budget=1000)).objective_value / best.objective_value)
    assert np.mean(shares) >= 0.99


@methods
def test_a_box_finds_what_our_metric_finds(method):
    setting = problem(5, n_samples=150, metric="cohen_kappa")
    assert search(boxed(setting), Search(method)).objective_value == pytest.approx(
        search(setting, Search(method)).objective_value
    )


@methods
@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_never_worse_than_its_starts(method, n_classes):
    for seed in range(4):
        setting = problem(seed, n_classes=n_classes, n_samples=60, metric="matthews_corrcoef", weighted=True)
        prior = prior_offsets(setting.truth.support)
        guide = ascend(replace(setting, metric=METRICS["balanced_accuracy"]), prior).offsets
        found = search(setting, Search(method, budget=20))
        assert all(found.objective_value >= setting.objective_value(start) for start in (0 * prior, prior, guide))
        assert found.offsets.sum() == pytest.approx(0, abs=1e-9)


@methods
@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("budget", [10, 57, 300])
def test_the_budget_is_kept(method, n_classes, budget):
    kappa = Kappa()
    found = search(boxed(problem(1, n_classes=n_classes, n_samples=500), kappa), Search(method, budget=budget))
    assert found.n_iter <= budget
    assert kappa.calls <= budget + 1  # what is found is counted anew


def test_the_default_budget_shrinks_with_size():
    setting = problem(0)
    assert default_budget(setting) == 2000
    assert default_budget(replace(setting, scores=np.broadcast_to(0.0, (10**6, 10)))) == 200
    assert default_budget(replace(setting, scores=np.broadcast_to(0.0, (10**9, 10)))) == 100


@methods
def test_the_seed_decides(method):
    setting = problem(3, n_classes=5, n_samples=200, metric="matthews_corrcoef")
    first, second, other = (search(setting, Search(method, budget=400), seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.offsets, second.offsets)
    assert other.objective_value > 0


@cache
def solved_with_a_floor(seed, n_classes):
    """A problem with a requirement and its exact solution, the same for every method."""
    floor = BoundConstraint(METRICS["worst_recall"], low=0.5)
    setting = replace(problem(seed, n_classes=n_classes, n_samples=80, metric="cohen_kappa"), requirements=(floor,))
    return setting, solve(setting)


@pytest.mark.parametrize(("method", "n_classes"), crossed(OPTIMISERS, [2, 4]))
def test_requirements_come_first(method, n_classes):
    for seed in seeds(2, quick=1):
        exact, best = solved_with_a_floor(seed, n_classes)
        found = search(boxed(exact), Search(method))
        assert (exact.missed(found.counts) == 0) or exact.missed(best.counts) > 0
        assert found.objective_value >= 0.97 * best.objective_value if best.objective_value > 0 else True


@pytest.mark.parametrize("n_classes", [2, 4])
def test_every_library(xp, n_classes):
    here = boxed(problem(2, n_classes=n_classes, n_samples=60, weighted=True))
    expected = search(here, Search("differential_evolution", budget=300))
    got = search(in_namespace(here, xp), Search("differential_evolution", budget=300))
    assert got.objective_value == pytest.approx(expected.objective_value)
    np.testing.assert_allclose(to_numpy(got.offsets), expected.offsets, atol=1e-9)


@methods
@pytest.mark.parametrize("n_classes", [2, 4])
def test_float32_and_extreme_scores(method, n_classes):
    setting = problem(3, n_classes=n_classes, n_samples=50, decimals=1)
    single = replace(boxed(setting), scores=setting.scores.astype(np.float32))
    found = search(single, Search(method, budget=200))
    assert found.offsets.dtype == np.float32
    assert found.objective_value == single.objective_value(found.offsets)


def test_progress():
    lines = []
    search(problem(0, metric="f1_macro"), Search("powell", budget=100), progress=lines.append)
    assert 5 <= len(lines) <= 12
    assert lines[-1].startswith("f1_macro by powell: f1_macro=0.")
    assert lines[-1].endswith("after 100 evaluations")


@methods
@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_callback_follows_and_stops(method, n_classes):
    setting = problem(0, n_classes=n_classes, n_samples=300, metric="f1_macro")
    seen = []
    found = search(setting, Search(method, budget=200, callback=lambda *said: seen.append(said)))
    assert [number for number, _ in seen] == list(range(1, found.n_iter + 1))
    best = [objective_value for _, objective_value in seen]
    assert best == sorted(best)
    assert best[-1] == found.objective_value
    for stop in (1, 7, 60):
        stopped = search(setting, Search(method, budget=200, callback=lambda number, _, stop=stop: number == stop))
        assert stopped.n_iter == stop
        assert stopped.objective_value == best[stop - 1]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"method": "newton"}, ValueError, "method must be one of 'differential_evolution'.*'newton'"),
        ({"budget": 9}, ValueError, "budget must be a whole number of at least 10, or None; got 9"),
        ({"budget": 1e3}, ValueError, "budget must be a whole number.*1000.0"),
        ({"callback": 1}, TypeError, "callback must be a function of .n_evaluations, best., or None; got 1"),
    ],
)
def test_wrong_searches_are_refused(wrong, error, message):
    with pytest.raises(error, match=message):
        Search(**wrong)


def draw(seed=0, *, n_classes=3, n_samples=80):
    """Probabilities (n, K) and string labels."""
    rng = np.random.default_rng(seed)
    y = labels(rng, n_samples, n_classes)
    return np.exp(log_proba(rng, y, n_classes)), NAMES[y]


def half_the_rows(y_true, y_pred, *, sample_weight):
    """A metric that fails where labels come back as something else than the user's."""
    assert set(y_true.tolist()) <= set(NAMES.tolist())
    return np.average(y_true == y_pred, weights=sample_weight)


class TestTuner:
    """Objectives of which values alone are known, through the tuner."""

    @pytest.mark.parametrize(("estimate", "n_classes"), crossed(["robust", "empirical", "plugin"], [2, 3]))
    def test_a_scorer(self, n_classes, estimate):
        proba, y = draw(1, n_classes=n_classes)
        tuner = OffsetTuner(half_the_rows, estimate=estimate).fit(proba, y)
        assert tuner.in_sample_score_ == pytest.approx(np.mean(tuner.predict(proba) == y))
        assert tuner.score_interval_[0] <= tuner.score_ <= tuner.score_interval_[1]
        assert "half_the_rows is a black-box metric" in tuner.notes_[0]
        pickle.loads(pickle.dumps(tuner))

    def test_equivalents_find_alike(self):
        proba, y = draw(2, n_classes=2, n_samples=60)
        options = {"estimate": "empirical", "confidence_level": None}
        pairs = {
            "balanced_accuracy": balanced_accuracy_score,
            "cohen_kappa": make_scorer(cohen_kappa_score),
            "f1": make_scorer(f1_score, pos_label="bee", zero_division=0),
        }
        for name, function in pairs.items():
            ours, theirs = (OffsetTuner(goal, **options).fit(proba, y) for goal in (name, function))
            assert theirs.in_sample_score_ == pytest.approx(ours.in_sample_score_)

    def test_a_loss_is_minimised(self):
        proba, y = draw(0, n_classes=2)
        scorer = make_scorer(zero_one_loss, greater_is_better=False)
        tuner = OffsetTuner(scorer, estimate="empirical", confidence_level=None).fit(proba, y)
        exact = OffsetTuner("accuracy", estimate="empirical", confidence_level=None).fit(proba, y)
        assert tuner.in_sample_score_ == pytest.approx(exact.in_sample_score_ - 1)

    def test_without_weights_labels_stay_hard(self):
        proba, y = draw(0)
        robust, empirical = (OffsetTuner(share_right, estimate=e).fit(proba, y) for e in ("robust", "empirical"))
        np.testing.assert_array_equal(robust.offsets_, empirical.offsets_)
        assert any("takes no sample_weight" in note for note in robust.notes_)
        with pytest.raises(ValueError, match="let it accept sample_weight"):
            OffsetTuner(share_right).fit(proba, y, sample_weight=np.linspace(0.1, 1, len(y)))

    @methods
    def test_solvers_take_ordinary_metrics(self, method):
        proba, y = draw(0)
        tuner = OffsetTuner("f1_macro", solver=method, n_bootstraps=2).fit(proba, y)
        assert tuner.in_sample_score_ == pytest.approx(f1_score(y, tuner.predict(proba), average="macro"))
        assert not any("is a black-box metric" in note for note in tuner.notes_)

    def test_a_search_with_budget_and_callback(self):
        proba, y = draw(0)
        calls = []
        how = Search("powell", budget=90, callback=lambda number, _: calls.append(number))
        tuner = OffsetTuner(half_the_rows, solver=how).fit(proba, y)
        assert tuner.n_iter_ == len(calls) == 90
        silent = OffsetTuner(half_the_rows, solver=Search("powell", budget=90)).fit(proba, y)
        np.testing.assert_array_equal(silent.offsets_, tuner.offsets_)
        assert clone(tuner).solver == how

    def test_coordinate_ascent_is_refused(self):
        with pytest.raises(ValueError, match="'coordinate_ascent' needs a metric of"):
            OffsetTuner(half_the_rows, solver="coordinate_ascent").fit(*draw(0))

    def test_constraints_of_ordinary_metrics(self):
        proba, y = draw(0, n_samples=200)
        tuner = OffsetTuner(half_the_rows, constraints=[AtLeast("worst_recall", 0.45)], n_bootstraps=3).fit(proba, y)
        predicted = tuner.predict(proba)
        assert min(np.mean(predicted[y == c] == c) for c in NAMES[:3]) > 0.4
        assert any("worst_recall at least 0.45" in note for note in tuner.notes_)

    def test_the_warning_on_constraints_that_cannot_be_satisfied_names_the_achievable_values(self):
        with pytest.warns(UserWarning, match="achievable from"):
            OffsetTuner(half_the_rows, constraints=[AtLeast("worst_recall", 0.99)], confidence_level=None).fit(*draw(0))

    @pytest.mark.parametrize("metric", [share_right, make_scorer(f1_score), BlackBox(share_right)])
    def test_it_cannot_be_a_constraint(self, metric):
        with pytest.raises(ValueError, match=r"constraints need a metric of skimbalance\.metrics"):
            AtLeast(metric, 0.5)

    def test_absent_classes(self):
        proba, y = draw(0, n_classes=4, n_samples=150)
        kept = y != "bee"
        tuner = OffsetTuner(half_the_rows, estimate="empirical").fit(proba[kept], y[kept], classes=NAMES)
        assert tuner.in_sample_score_ >= np.mean(NAMES[proba[kept].argmax(axis=1)] == y[kept])

    def test_fits_are_repeatable_on_any_number_of_threads(self):
        proba, y = draw(0)
        first, second = (OffsetTuner(half_the_rows, n_jobs=jobs, n_bootstraps=3).fit(proba, y) for jobs in (1, 2))
        np.testing.assert_array_equal(first.offsets_, second.offsets_)
        assert first.score_ == second.score_

    def test_around_a_classifier(self):
        rng = np.random.default_rng(0)
        y = labels(rng, 150, 3)
        X = rng.normal(size=(150, 2)) + y[:, None]
        clf = TunedOffsetClassifierCV(LogisticRegression(), objective=half_the_rows, cv=3, n_bootstraps=2).fit(
            X, NAMES[y]
        )
        assert clf.tuner_.in_sample_score_ > 0.5
        again = TunedOffsetClassifierCV(
            LogisticRegression(), objective="f1_macro", solver="powell", cv=3, n_bootstraps=2
        )
        assert again.fit(X, NAMES[y]).score_ > 0.3
