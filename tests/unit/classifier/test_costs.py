"""Costs of each sample through the classifier, and decisions for samples whose costs are known."""

import numpy as np
import pytest
import sklearn
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.estimation._calibration import Calibration, calibrated_shares
from skimbalance.estimation._condense import condensed
from skimbalance.metrics import Cost
from skimbalance.metrics.counts import Truth
from skimbalance.solvers import Problem


def draw(seed=0, n_classes=2, n_samples=400):
    """Features, labels as strings, and the costs of each sample: a missed class costs an amount, each alarm one."""
    rng = np.random.default_rng(seed)
    prior = 0.3 ** np.arange(n_classes)
    codes = rng.choice(n_classes, n_samples, p=prior / prior.sum())
    X = rng.normal(size=(n_samples, 3)) + 1.5 * np.eye(n_classes, 3)[codes]
    costs = np.zeros((n_samples, n_classes, n_classes))
    costs[:, 1:, 0] = rng.lognormal(1, 1, size=(n_samples, 1))
    costs[:, :, 1:] += 1.0
    return X, np.array(["fine", "theft", "fraud"])[codes], costs, codes


def paid(costs, codes, decisions):
    return costs[np.arange(len(codes)), codes, decisions].mean()


def codes_of(labels, classes):
    return np.searchsorted(classes, labels)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_costs_follow_their_samples_into_the_folds(n_classes):
    X, y, costs, _ = draw(n_classes=n_classes)
    classes = np.unique(y)
    cv = StratifiedKFold(4, shuffle=True, random_state=1)
    clf = TunedOffsetClassifierCV(LogisticRegression(), objective=Cost(), cv=cv, store_cv_results=True)
    clf.fit(X, y, cost_matrix=costs)
    results = clf.cv_results_
    np.testing.assert_array_equal(results["cost_matrix"], costs[results["rows"]])
    decisions = codes_of(clf.tuner_.predict(results["scores"]), classes)
    expected = paid(results["cost_matrix"], codes_of(results["y"], classes), decisions)
    assert clf.tuner_.in_sample_score_ == pytest.approx(expected)
    alone = OffsetTuner(Cost()).fit(results["scores"], results["y"], cost_matrix=results["cost_matrix"])
    np.testing.assert_allclose(clf.offsets_, alone.offsets_)
    mean = TunedOffsetClassifierCV(LogisticRegression(), objective=Cost(costs.mean(axis=0)), cv=cv).fit(X, y)
    assert np.abs(mean.offsets_ - clf.offsets_).max() > 1e-3


def test_repeated_splits_prefit_and_retune():
    X, y, costs, codes = draw()
    model = LogisticRegression().fit(X[:200], y[:200])
    clf = TunedOffsetClassifierCV(FrozenEstimator(model), objective=Cost(), cv="prefit", store_cv_results=True)
    clf.fit(X[200:], y[200:], cost_matrix=costs[200:])
    assert clf.tuner_.in_sample_score_ == pytest.approx(
        paid(costs[200:], codes[200:], codes_of(clf.predict(X[200:]), clf.classes_))
    )
    other = clf.retune(objective="f1")
    assert other.score_ > 0
    np.testing.assert_allclose(other.retune(objective=Cost()).offsets_, clf.offsets_)
    anew = other.retune(X[200:], y[200:], objective=Cost(), cost_matrix=costs[200:])
    np.testing.assert_allclose(anew.offsets_, clf.offsets_)
    with pytest.raises(ValueError, match="cost_matrix goes with X and y"):
        clf.retune(objective=Cost(), cost_matrix=costs[200:])
    with pytest.raises(ValueError, match=r"Cost\(\) has no matrix"):
        clf.retune(X, y)
    twice = [split for seed in (0, 1) for split in StratifiedKFold(3, shuffle=True, random_state=seed).split(X, y)]
    several = TunedOffsetClassifierCV(LogisticRegression(), objective=Cost(), cv=twice).fit(X, y, cost_matrix=costs)
    assert 0 < several.score_ < costs[codes == 1, 1, 0].sum() / len(y)


def test_wrong_costs_fail_before_anything_is_fitted():
    X, y, costs, _ = draw()

    class Never(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            raise AssertionError

    clf = TunedOffsetClassifierCV(Never(), objective=Cost())
    with pytest.raises(ValueError, match=r"cost_matrix must have shape \(400, 2, 2\)"):
        clf.fit(X, y, cost_matrix=costs[:300])
    with pytest.raises(ValueError, match=r"Cost\(\) has no matrix"):
        clf.fit(X, y)
    with pytest.raises(ValueError, match="got objective='f1'"):
        clf.set_params(objective="f1").fit(X, y, cost_matrix=costs)
    with pytest.raises(ValueError, match="got a multilabel indicator"):
        clf.set_params(objective=Cost()).fit(X, np.eye(3, dtype=int)[np.arange(400) % 3], cost_matrix=costs)


def test_metadata_routing():
    X, y, costs, codes = draw()

    class Costly(LogisticRegression):
        def fit(self, X, y, sample_weight=None, cost_matrix=None):
            self.costs_ = cost_matrix
            return super().fit(X, y, sample_weight)

    def mean_cost(y_true, y_pred, cost_matrix):
        return -paid(cost_matrix, codes_of(y_true, ["fine", "theft"]), codes_of(y_pred, ["fine", "theft"]))

    with sklearn.config_context(enable_metadata_routing=True):
        inner = Costly().set_fit_request(cost_matrix=True, sample_weight=False)
        clf = TunedOffsetClassifierCV(inner, objective=Cost(), confidence_level=None).fit(X, y, cost_matrix=costs)
        np.testing.assert_array_equal(clf.estimator_.costs_, costs)
        quiet = Costly().set_fit_request(cost_matrix=False, sample_weight=False)
        clf = TunedOffsetClassifierCV(quiet, objective=Cost(), confidence_level=None)
        assert clf.fit(X, y, cost_matrix=costs).estimator_.costs_ is None
        scorer = sklearn.metrics.make_scorer(mean_cost).set_score_request(cost_matrix=True)
        found = cross_validate(clf, X, y, cv=3, scoring=scorer, params={"cost_matrix": costs}, error_score="raise")
        assert found["test_score"].mean() > -paid(costs, codes, 0 * codes)
        search = GridSearchCV(clf, {"estimate": ["plugin", "empirical"]}, scoring=scorer, cv=3)
        search.fit(X, y, cost_matrix=costs)
        assert search.best_score_ > -paid(costs, codes, 0 * codes)
    plain = TunedOffsetClassifierCV(Costly(), objective=Cost(), confidence_level=None).fit(X, y, cost_matrix=costs)
    assert plain.estimator_.costs_ is None


@pytest.mark.parametrize("n_classes", [2, 3])
def test_known_costs_give_the_lowest_expected_cost(n_classes):
    X, y, costs, _ = draw(n_classes=n_classes)
    clf = TunedOffsetClassifierCV(LogisticRegression(), objective=Cost(), store_cv_results=True)
    clf.fit(X, y, cost_matrix=costs)
    scored = clf.cv_results_
    codes = codes_of(scored["y"], clf.classes_)
    truth = Truth.from_codes(codes, n_classes=n_classes)
    problem = Problem(np.log(scored["scores"]), truth, Cost(np.eye(n_classes)))
    shares = calibrated_shares(condensed(problem))
    given = scored["cost_matrix"]
    expected = [min(range(n_classes), key=lambda d, i=i: shares[:, i] @ given[i, :, d]) for i in range(len(codes))]
    found = clf.tuner_.predict(scored["scores"], cost_matrix=given)
    assert (found == clf.classes_[expected]).mean() > 0.995
    assert set(clf.predict(X, cost_matrix=costs)) <= set(clf.classes_)
    assert paid(costs, codes_of(y, clf.classes_), codes_of(clf.predict(X, cost_matrix=costs), clf.classes_)) < paid(
        costs, codes_of(y, clf.classes_), codes_of(clf.predict(X), clf.classes_)
    )


def test_known_costs_of_one_class_decide_for_it():
    X, y, costs, _ = draw(n_classes=3)
    clf = TunedOffsetClassifierCV(LogisticRegression(), objective=Cost()).fit(X, y, cost_matrix=costs)
    for k, name in enumerate(clf.classes_):
        free = np.ones((len(X), 3, 3))
        free[:, :, k] = 0
        assert (clf.predict(X, cost_matrix=free) == name).all()


def test_known_costs_of_a_class_without_samples():
    rng = np.random.default_rng(0)
    proba, y = rng.dirichlet(np.ones(3), size=60), rng.integers(0, 2, size=60)
    costs = rng.random((60, 3, 3))
    tuner = OffsetTuner(Cost(), confidence_level=None).fit(proba, y, classes=[0, 1, 2], cost_matrix=costs)
    dear = np.ones((60, 3, 3))
    dear[:, :, 2] = 2
    assert not (tuner.predict(proba, cost_matrix=dear) == 2).any()
    assert (tuner.predict(proba, cost_matrix=-dear) == 2).all()


def test_known_costs_need_a_fit_with_costs():
    X, y, costs, _ = draw()
    clf = TunedOffsetClassifierCV(LogisticRegression(), objective="f1").fit(X, y)
    with pytest.raises(ValueError, match="needs scores in memory, and a tuner that was fitted with cost_matrix"):
        clf.predict(X, cost_matrix=costs)
    clf.set_params(objective=Cost()).fit(X, y, cost_matrix=costs)
    with pytest.raises(ValueError, match=r"cost_matrix must have shape \(10, 2, 2\)"):
        clf.predict(X[:10], cost_matrix=costs)
    da = pytest.importorskip("dask.array")
    with pytest.raises(ValueError, match="cost_matrix in predict needs scores in memory"):
        clf.tuner_.predict(da.from_array(np.full((400, 2), 0.5)), cost_matrix=costs)
    np.testing.assert_array_equal(clf.tuner_.predict(da.from_array(clf.estimator_.predict_proba(X))), clf.predict(X))


def test_decisions_do_not_depend_on_how_many_are_made_at_once():
    """The two lowest expected costs of each sample differ by less than the rounding of single precision."""
    _, _, _, codes = draw(n_classes=3, n_samples=20_000)
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(20_000, 3)) + 1.5 * np.eye(3)[codes]
    costs = np.zeros((20_000, 3, 3))
    tuner = OffsetTuner(Cost(), kind="logits", confidence_level=None)
    tuner.fit(scores, codes, cost_matrix=costs + 1 - np.eye(3))
    problem = Problem(scores, Truth.from_codes(codes, n_classes=3), Cost(1 - np.eye(3)))
    shares = Calibration.of(condensed(problem)).shares(scores, exact=True)
    costs[:, :, 2], costs[:, 1, 0], costs[:, 0, 1] = 2.0, 1.0, (1 + 1e-10) * shares[1] / shares[0]
    alone = [tuner.predict(scores[p], cost_matrix=costs[p]) for p in np.split(np.arange(20_000), 20)]
    np.testing.assert_array_equal(tuner.predict(scores, cost_matrix=costs), np.concatenate(alone))
    assert (np.concatenate(alone) == 0).all()
