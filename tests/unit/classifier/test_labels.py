"""The tuned classifier where rows carry several labels each."""

import pickle
import warnings

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_multilabel_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import f1_score, make_scorer, roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import (
    check_classifier_multioutput,
    check_classifiers_multilabel_output_format_decision_function,
    check_classifiers_multilabel_output_format_predict,
    check_classifiers_multilabel_output_format_predict_proba,
)
from support.effort import crossed, thinned
from support.label_oracles import drawn_problem

from skimbalance import FixedOffsetClassifier, OffsetTuner, TunedOffsetClassifierCV
from skimbalance.classifier._targets import systematic_splits
from skimbalance.goals import AtLeast
from skimbalance.tuner.labels import rarities

FEATURES, LABELS = make_multilabel_classification(600, n_features=8, n_classes=4, n_labels=1, random_state=0)
X, Y, X_NEW, Y_NEW = FEATURES[:300], LABELS[:300], FEATURES[300:], LABELS[300:]
LOGISTIC = LogisticRegression(max_iter=500)
ONE_VS_REST = OneVsRestClassifier(LOGISTIC)

MODELS = {
    "one against the rest": ONE_VS_REST,
    "one each": MultiOutputClassifier(LOGISTIC),
    "chain": ClassifierChain(LOGISTIC),
    "margins": RidgeClassifier(),
    "forest": RandomForestClassifier(5, random_state=0),
    "neighbours": KNeighborsClassifier(),
    "perceptron": MLPClassifier((4,), max_iter=20, random_state=0),
    "pipeline": make_pipeline(StandardScaler(), KNeighborsClassifier()),
}


def tuned(model=ONE_VS_REST, objective="f1_macro", **parameters):
    return TunedOffsetClassifierCV(model, objective=objective, **parameters)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_around_every_kind_of_model(model):
    clf = tuned(model, cv=3, store_cv_results=True).fit(X, Y)
    decided = clf.predict(X)
    assert decided.shape == Y.shape
    np.testing.assert_array_equal(clf.decision_function(X) > 0, decided)
    np.testing.assert_array_equal(clf.predict_proba(X) > 0.5, decided)
    np.testing.assert_allclose(np.exp(clf.predict_log_proba(X)), clf.predict_proba(X), atol=1e-12)
    np.testing.assert_array_equal(clf.classes_, np.arange(4))
    assert clf.threshold_.shape == clf.offsets_.shape == (4,)
    stored = clf.cv_results_
    np.testing.assert_array_equal(np.sort(stored["rows"]), np.arange(300))
    np.testing.assert_array_equal(stored["y"], Y[stored["rows"]])
    direct = OffsetTuner("f1_macro", kind=clf.tuner_.kind).fit(stored["scores"], stored["y"])
    np.testing.assert_array_equal(direct.offsets_, clf.offsets_)


def test_out_of_fold_scores_are_those_of_scikit_learn():
    folds = KFold(4)
    stored = tuned(cv=folds, store_cv_results=True).fit(X, Y).cv_results_
    expected = cross_val_predict(ONE_VS_REST, X, Y, cv=folds, method="predict_proba")
    np.testing.assert_allclose(stored["scores"], expected[stored["rows"]])


@pytest.mark.parametrize("form", thinned([sparse.csr_matrix, sparse.csc_array, sparse.lil_matrix], quick=2))
def test_the_model_gets_a_sparse_indicator_unchanged(form):
    seen = []

    class Watching(OneVsRestClassifier):
        def fit(self, X, y):
            seen.append(sparse.issparse(y))
            return super().fit(X, y)

    other = tuned(Watching(LOGISTIC), store_cv_results=True).fit(X, form(Y))
    dense = tuned().fit(X, Y)
    np.testing.assert_array_equal(other.offsets_, dense.offsets_)
    np.testing.assert_array_equal(other.predict(X), dense.predict(X))
    np.testing.assert_allclose(other.retune(objective="f1_micro").score_, tuned(objective="f1_micro").fit(X, Y).score_)
    assert seen
    assert all(seen)


@pytest.mark.parametrize(
    "parameters", [{"cv": 0.3}, {"cv": 0.3, "refit": False}, {"cv": KFold(3)}, {"cv": 4, "n_jobs": 2}], ids=str
)
def test_every_way_to_split(parameters):
    clf = tuned(store_cv_results=True, **parameters).fit(X, Y)
    assert len(clf.cv_results_["rows"]) == (90 if parameters["cv"] == 0.3 else 300)
    np.testing.assert_array_equal(clone(clf).fit(X, Y).offsets_, clf.offsets_)


def test_a_trained_model():
    forest = RandomForestClassifier(20, random_state=0).fit(X[:150], Y[:150])
    clf = tuned(forest, cv="prefit").fit(X[150:], Y[150:])
    assert clf.estimator_ is forest
    proba = np.stack([pair[:, 1] for pair in forest.predict_proba(X[150:])], axis=1)
    np.testing.assert_array_equal(clf.offsets_, OffsetTuner("f1_macro").fit(proba, Y[150:]).offsets_)
    with pytest.raises(ValueError, match="must return a score for each of 4 labels"):
        tuned(LOGISTIC.fit(X, Y[:, 0]), cv="prefit").fit(X, Y)


def test_retune_gives_the_same_model_another_goal():
    clf = tuned(store_cv_results=True).fit(X, Y)
    other = clf.retune(objective="f1_micro", constraints=[AtLeast("recall", 0.5)])
    assert other.estimator_ is clf.estimator_
    assert other.multilabel_
    np.testing.assert_array_equal(
        other.offsets_, tuned(objective="f1_micro", constraints=[AtLeast("recall", 0.5)]).fit(X, Y).offsets_
    )
    on_rows = clf.retune(X_NEW, Y_NEW, objective="f1_micro")
    scores = clf.estimator_.predict_proba(X_NEW)
    np.testing.assert_array_equal(on_rows.offsets_, OffsetTuner("f1_micro").fit(scores, Y_NEW).offsets_)


def test_labels_have_the_names_of_a_data_frame():
    pd = pytest.importorskip("pandas")
    names = ["ant", "bee", "cat", "dog"]
    floor = AtLeast("recall", 0.8, label="cat")
    clf = tuned(constraints=[floor]).fit(X, pd.DataFrame(Y, columns=names))
    assert clf.tuner_.classes_.tolist() == names
    assert clf.retune(X, Y).tuner_.classes_.tolist() == names
    turned = clf.retune(X, pd.DataFrame(Y, columns=names)[names[::-1]])
    np.testing.assert_array_equal(turned.offsets_, clf.retune(X, Y).offsets_)
    np.testing.assert_array_equal(clf.classes_, np.arange(4))


def test_retune_takes_targets_like_those_of_fit():
    several = tuned().fit(X, Y)
    one = tuned(LOGISTIC, objective="f1").fit(X, Y[:, 0])
    with pytest.raises(ValueError, match=r"y must be an indicator \(n, L\), as in fit; got labels \(n,\)"):
        several.retune(X, Y[:, 0])
    with pytest.raises(ValueError, match=r"y must be labels \(n,\), as in fit; got an indicator"):
        one.retune(X, Y[:, :2])
    for part in (Y[:, :2], sparse.csr_matrix(Y[:, :2])):
        with pytest.raises(ValueError, match=r"y must have 4 columns.*got shape \(300, 2\)"):
            several.retune(X, part)


class Bare(ClassifierMixin, BaseEstimator):
    """Probabilities as a list of arrays, of which the classes are not known."""

    def fit(self, X, y):
        self.forest_ = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, y)
        return self

    def predict_proba(self, X):
        return self.forest_.predict_proba(X)


@pytest.mark.parametrize(
    ("model", "value"),
    crossed([RandomForestClassifier(5, random_state=0), KNeighborsClassifier(), ONE_VS_REST], [0, 1]),
)
def test_a_fold_without_a_label_is_sure_of_it(model, value):
    y = Y.copy()
    y[:, 0] = 1 - value
    y[:12, 0] = value  # of the first fold alone
    stored = tuned(model, cv=KFold(2), store_cv_results=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Label .* is present in all|Label not", UserWarning)
        found = stored.fit(X, y).cv_results_
    # The model of the second half was trained on the first, and the other way round.
    np.testing.assert_array_equal(found["scores"][:150, 0], 1.0 - value)
    assert len(found["rows"]) == 300


def test_margins_of_a_label_that_a_fold_lacks():
    y = Y.copy()
    y[:, 0] = 0
    y[:12, 0] = 1
    clf = tuned(RidgeClassifier(), cv=KFold(2), store_cv_results=True).fit(X, y)
    scores = clf.cv_results_["scores"]
    assert scores[:150, 0].max() < scores.min(initial=0, where=np.arange(4) > 0) - 30


@pytest.mark.filterwarnings("ignore:Label not 0 is present", "ignore:Few rows")
def test_a_fold_without_the_first_label_has_margins_alone():
    """One-vs-rest then offers probabilities, and has none."""
    few = Y.copy()
    few[:, 0] = np.arange(300) == 3
    clf = tuned(OneVsRestClassifier(LinearSVC())).fit(X, few)
    assert clf.tuner_.kind == "logits"
    with pytest.raises(AttributeError):
        tuned(OneVsRestClassifier(LinearSVC()), response_method="predict_proba").fit(X, few)


def test_a_trained_model_that_has_seen_one_value_of_a_label():
    y = Y.copy()
    y[:, 0], y[:, 1] = 0, 1
    forest = RandomForestClassifier(5, random_state=0).fit(X, y)
    clf = tuned(forest, cv="prefit").fit(X_NEW, Y_NEW)
    others = np.stack([pair[:, 1] for pair in forest.predict_proba(X_NEW)[2:]], axis=1)
    expected = OffsetTuner("f1_macro").fit(others, Y_NEW[:, 2:])
    np.testing.assert_array_equal(clf.offsets_, [0, 0, *expected.offsets_])
    assert clf.score_ == expected.score_
    assert any(note.startswith("The labels [0, 1] are not tuned") for note in clf.tuner_.notes_)
    np.testing.assert_array_equal(clf.predict(X_NEW)[:, :2], [[0, 1]] * len(X_NEW))
    with pytest.raises(ValueError, match=r"must hold an array \(n, 2\) for each label"):
        tuned(Bare().fit(X, y), cv="prefit").fit(X, Y)


def test_model_and_tuner_get_the_weights():
    weights = np.where(Y[:, 0] == 1, 5.0, 1.0)
    forest = RandomForestClassifier(5, random_state=0)
    clf = tuned(forest, store_cv_results=True).fit(X, Y, sample_weight=weights)
    stored = clf.cv_results_
    np.testing.assert_array_equal(stored["sample_weight"], weights[stored["rows"]])
    plain = tuned(forest, store_cv_results=True).fit(X, Y).cv_results_
    assert (plain["scores"] != stored["scores"]).any()
    with sklearn.config_context(enable_metadata_routing=True):
        routed = tuned(clone(forest).set_fit_request(sample_weight=True)).fit(X, Y, sample_weight=weights)
    np.testing.assert_array_equal(routed.offsets_, clf.offsets_)


@pytest.mark.parametrize("n_labels", thinned([4, 2], quick=1))
def test_scikit_learns_tools_work_around_it(n_labels):
    y = Y[:, :n_labels]
    scoring = {"mine": make_scorer(f1_score, average="macro"), "name": "f1_micro", "auc": "roc_auc"}
    found = cross_validate(tuned(cv=3, estimate="plugin"), X, y, cv=3, scoring=scoring, error_score="raise")
    assert all(np.isfinite(found[f"test_{name}"]).all() for name in scoring)
    grid = {"objective": ["f1_macro", "f1_samples"], "estimator__estimator__C": [0.1, 1.0]}
    search = GridSearchCV(tuned(cv=2, estimate="plugin"), grid, scoring="f1_macro", cv=2, error_score="raise").fit(X, y)
    assert search.predict(X).shape == y.shape
    proba = cross_val_predict(tuned(cv=2, estimate="plugin"), X, y, cv=2, method="predict_proba")
    assert roc_auc_score(y, proba) > 0.5


def test_thresholds_are_better_than_one_half_for_minority_labels():
    X, y = make_multilabel_classification(1500, n_classes=8, n_labels=1, random_state=3)
    train, test = np.arange(1000), np.arange(1000, 1500)
    clf = tuned(RandomForestClassifier(20, random_state=0)).fit(X[train], y[train])
    plain = clf.estimator_.predict(X[test])
    gain = f1_score(y[test], clf.predict(X[test]), average="macro") - f1_score(
        y[test], plain, average="macro", zero_division=0
    )
    assert gain > 0.05


def test_tags_are_those_of_the_model():
    for model, several in ((KNeighborsClassifier(), True), (LOGISTIC, False)):
        tags = get_tags(tuned(model))
        assert (tags.classifier_tags.multi_label, tags.target_tags.multi_output) == (several, several)
    assert not get_tags(FixedOffsetClassifier(KNeighborsClassifier())).classifier_tags.multi_label


@pytest.mark.parametrize(
    "check",
    [
        check_classifier_multioutput,
        check_classifiers_multilabel_output_format_predict,
        check_classifiers_multilabel_output_format_predict_proba,
        check_classifiers_multilabel_output_format_decision_function,
    ],
)
def test_multilabel_checks_of_scikit_learn(check):
    check("TunedOffsetClassifierCV", tuned(KNeighborsClassifier(), cv=2))


def test_what_is_refused():
    with pytest.raises(ValueError, match="FixedOffsetClassifier supports one label per sample"):
        FixedOffsetClassifier(ONE_VS_REST).fit(X, Y)
    fitted = []

    class Watching(DummyClassifier):
        def fit(self, X, y):
            fitted.append(1)
            return super().fit(X, y)

    for parameters, message in (
        ({"objective": "f1"}, "needs an average"),
        ({"pos_label": 1}, "pos_label=1"),
        ({"class_prior": [0.5, 0.5]}, "class_prior="),
        ({"constraints": [AtLeast("recall", 0.5, label=9)]}, "label=9 is not a class"),
    ):
        with pytest.raises(ValueError, match=message):
            tuned(Watching(), **parameters).fit(X, Y)
    assert not fitted
    with pytest.raises(ValueError, match="zeros and ones alone"):
        tuned().fit(X, Y + 1)
    with pytest.raises(ValueError, match="adapt_to is for binary and multiclass targets"):
        tuned().fit(X, Y).adapt_to(X)


def test_it_is_pickled_and_forgets():
    clf = tuned().fit(X, Y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(clf)).predict(X), clf.predict(X))
    clf.set_params(estimator=LOGISTIC).fit(X, Y[:, 0])
    assert not clf.multilabel_
    assert clf.predict(X).shape == (300,)


def test_neighbours_stay_in_one_fold(rng):
    """Rows that follow each other are often alike; five of each, with labels of chance, foretell nothing."""
    groups, labels = rng.normal(size=(60, 10)), (rng.random((60, 3)) < 0.4).astype(int)
    near = np.repeat(groups, 5, axis=0) + 0.01 * rng.normal(size=(300, 10))
    clf = tuned(KNeighborsClassifier(3)).fit(near, np.repeat(labels, 5, axis=0))
    assert clf.score_ < 0.7


@pytest.mark.parametrize("cv", [None, 3, 0.25])
@pytest.mark.parametrize("seed", range(3))
def test_rare_labels_are_spread_over_the_folds(cv, seed):
    indicator = drawn_problem(np.random.default_rng(seed), n_samples=103, n_labels=4)[1]
    indicator[:, 0] = np.arange(103) % 20 == 0  # six rows
    strata = rarities(indicator)
    splits = systematic_splits(strata, cv, seed=0)
    assert len(splits) == (1 if cv == 0.25 else cv or 5)
    held_out = np.concatenate([test for _, test in splits])
    assert len(set(held_out.tolist())) == len(held_out) == (26 if cv == 0.25 else 103)
    for train, test in splits:
        np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(103))
        share = len(test) / 103
        for stratum in np.unique(strata):
            assert abs(np.sum(strata[test] == stratum) - share * np.sum(strata == stratum)) <= 1.5
