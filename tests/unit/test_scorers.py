"""Scorers of the objective: for tuned classifiers, and for classifiers that are tuned by the scorer."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, fbeta_score, make_scorer, matthews_corrcoef, recall_score
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC

from skimbalance import FixedOffsetClassifier, OffsetTuner, TunedOffsetClassifierCV
from skimbalance.goals import AtLeast, ImbalanceState
from skimbalance.metrics import Cost, FBeta, geometric_mean_score
from skimbalance.scorers import make_tuned_scorer, objective_scorer

NAMES = np.array(["fine", "fraud", "theft"])


def drawn(n_classes=2, n_samples=300, seed=0):
    prior = [0.8, *([0.2 / (n_classes - 1)] * (n_classes - 1))]
    options = {"n_informative": 4, "n_classes": n_classes, "weights": prior, "class_sep": 0.7}
    X, codes = make_classification(n_samples, random_state=seed, **options)
    return X, NAMES[codes]


def tuned(objective, **options):
    return TunedOffsetClassifierCV(LogisticRegression(), objective=objective, cv=3, estimate="plugin", **options)


def f_two(y_true, y_pred, *, sample_weight=None):
    return fbeta_score(y_true, y_pred, beta=2, pos_label="fraud", sample_weight=sample_weight)


OBJECTIVES = {
    "name": ("f1_macro", {}, lambda y, d, w: f1_score(y, d, average="macro", sample_weight=w)),
    "binary": ("f1", {}, lambda y, d, w: f1_score(y, d, pos_label="fraud", sample_weight=w)),
    "pos_label": ("f1", {"pos_label": "fine"}, lambda y, d, w: f1_score(y, d, pos_label="fine", sample_weight=w)),
    "metric": (FBeta(2.0), {}, lambda y, d, w: f_two(y, d, sample_weight=w)),
    "scorer": (make_scorer(f1_score, pos_label="fine"), {},
        lambda y, d, w: f1_score(y, d, pos_label="fine", sample_weight=w)),
    "function": (f_two, {}, lambda y, d, w: f_two(y, d, sample_weight=w)),
    "minimised": (
        "false_positive_rate", {}, lambda y, d, w: recall_score(y, d, pos_label="fine", sample_weight=w) - 1
    ),
    "cost": (
        Cost([[0.0, 1.0], [5.0, 0.0]]),
        {},
        lambda y, d, w: -np.average(1.0 * (d != y) * np.where(y == "fraud", 5, 1), weights=w),
    ),
}  # fmt: skip


@pytest.mark.usefixtures("few_restarts")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", OBJECTIVES)
def test_score_is_that_of_scikit_learn(case, weighted):
    objective, options, reference = OBJECTIVES[case]
    (X, y), (new, truth) = drawn(), drawn(seed=1)
    clf = tuned(objective, **options).fit(X, y)
    weights = np.arange(len(truth)) % 3 + 0.5 if weighted else None
    expected = reference(truth, clf.predict(new), weights)
    assert objective_scorer(clf, new, truth, sample_weight=weights) == pytest.approx(expected, abs=1e-12)


def test_class_prior_weights_the_samples():
    X, y = drawn()
    clf = tuned("accuracy", class_prior={"fine": 0.5, "fraud": 0.5}).fit(X, y)
    decided = clf.predict(X)
    expected = np.mean([np.mean(decided[y == label] == label) for label in NAMES[:2]])
    assert objective_scorer(clf, X, y) == pytest.approx(expected, abs=1e-12)


def test_multilabel():
    X, y = make_multilabel_classification(200, n_classes=3, random_state=0)
    clf = TunedOffsetClassifierCV(OneVsRestClassifier(LogisticRegression()), objective="f1_macro", cv=3).fit(X, y)
    assert objective_scorer(clf, X, y) == pytest.approx(f1_score(y, clf.predict(X), average="macro"))


def test_rejected_samples_count_as_decided():
    X, y = drawn()
    clf = tuned("f1_macro", reject_label="unsure", constraints=[AtLeast("coverage", 0.8)]).fit(X, y)
    assert "unsure" in clf.predict(X)
    decided = clf.classes_[clf.decision_function(X).__gt__(0).astype(int)]
    assert objective_scorer(clf, X, y) == pytest.approx(f1_score(y, decided, average="macro"))


def test_grid_search_ranks_by_the_objective():
    """The accuracy prefers the model that neglects the minority classes."""
    X, y = drawn(3, n_samples=600)
    grid = {"estimator__class_weight": [{"theft": 1e-9, "fraud": 1e-9}, None]}
    folds = StratifiedKFold(3)
    found = GridSearchCV(tuned("geometric_mean"), grid, scoring=objective_scorer, cv=folds).fit(X, y)
    for weights, value in zip(grid["estimator__class_weight"], found.cv_results_["mean_test_score"], strict=True):
        clf = tuned("geometric_mean").set_params(estimator__class_weight=weights)
        each = [
            geometric_mean_score(y[test], clf.fit(X[train], y[train]).predict(X[test]))
            for train, test in folds.split(X, y)
        ]
        assert value == pytest.approx(np.mean(each))
    assert found.best_params_ == {"estimator__class_weight": None}


def test_successive_halving_ranks_by_the_objective():
    X, y = drawn(n_samples=600)
    grid = {"estimator__C": [1e-9, 1e-2, 1.0]}
    options = {"min_resources": 300, "factor": 2, "random_state": 0, "cv": 3}
    found, expected = (
        HalvingGridSearchCV(tuned("f1"), grid, scoring=scoring, **options).fit(X, y)
        for scoring in (objective_scorer, make_scorer(f1_score, pos_label="fraud"))
    )
    assert found.n_iterations_ == 2
    np.testing.assert_allclose(found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"])
    assert found.best_params_ == expected.best_params_


def test_default_score_is_the_accuracy():
    X, y = drawn()
    clf = tuned("f1").fit(X, y)
    assert clf.score(X, y) == np.mean(clf.predict(X) == y) != objective_scorer(clf, X, y)


@pytest.mark.parametrize(
    ("estimator", "error", "message"),
    [
        (LogisticRegression(), TypeError, "make_tuned_scorer"),
        (FixedOffsetClassifier(LogisticRegression()), TypeError, "make_tuned_scorer"),
        (tuned(ImbalanceState("uniform")), ValueError, "objective=ImbalanceState"),
    ],
)
def test_what_has_no_objective_is_refused(estimator, error, message):
    X, y = drawn()
    with pytest.raises(error, match=message):
        objective_scorer(estimator.fit(X, y), X, y)


@pytest.mark.parametrize("model", [LogisticRegression(), LinearSVC()])
@pytest.mark.parametrize(("objective", "sign"), [("f1_macro", 1), (matthews_corrcoef, 1), (Cost([[0, 1], [5, 0]]), -1)])
def test_tuned_scorer_returns_the_cross_fitted_score(model, objective, sign):
    X, y = drawn()
    kind = "proba" if hasattr(model, "predict_proba") else "logits"
    model = model.fit(X[:150], y[:150])
    scores = model.predict_proba(X[150:]) if kind == "proba" else model.decision_function(X[150:])
    weights = np.arange(150) % 2 + 1.0
    expected = OffsetTuner(objective, kind=kind, random_state=1).fit(scores, y[150:], sample_weight=weights).score_
    scorer = pickle.loads(pickle.dumps(make_tuned_scorer(objective, random_state=1)))
    assert scorer(model, X[150:], y[150:], sample_weight=weights) == sign * expected


def test_tuned_scorer_in_a_search():
    X, y = drawn(3, n_samples=600)
    grid = {"C": [1e-4, 1.0]}
    found = GridSearchCV(LogisticRegression(), grid, scoring=make_tuned_scorer("f1_macro"), cv=3).fit(X, y)
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()
    assert found.best_params_ == {"C": 1.0}


def test_wrong_parameters_fail_at_once():
    with pytest.raises(TypeError, match="kind"):
        make_tuned_scorer("f1", kind="logits")
    with pytest.raises(TypeError, match="unknown"):
        make_tuned_scorer("f1", unknown=1)
    X, y = make_multilabel_classification(50, n_classes=3, random_state=0)
    with pytest.raises(ValueError, match="objective_scorer"):
        make_tuned_scorer("f1_macro")(OneVsRestClassifier(LogisticRegression()).fit(X, y), X, y)
