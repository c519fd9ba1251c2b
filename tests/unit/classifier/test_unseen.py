"""Folds whose model has not seen a class, or both values of a label: its scores of these are no evidence."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, KFold, TimeSeriesSplit
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.effort import crossed
from support.samples import draw, logistic

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.goals import ImbalanceState

ONE_VS_REST = OneVsRestClassifier(LogisticRegression())
MODELS = {
    "one against the rest": ONE_VS_REST,
    "forest": RandomForestClassifier(10, min_samples_leaf=3, random_state=0),
    "neighbours": KNeighborsClassifier(),
    "margins": RidgeClassifier(),
    "pipeline": make_pipeline(StandardScaler(), ONE_VS_REST),
    "perceptron": MLPClassifier((4,), max_iter=60, random_state=0),
}

pytestmark = [
    pytest.mark.filterwarnings("ignore:Label not:UserWarning", "ignore:Label .* is present in all:UserWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


def rare_in_one_fold(*, n_samples=400, value=1):
    """Rows with four labels; 30 rows of the third of five blocks have a value of the last that no others have."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples + 1000, 4))
    y = (X[:, :3] + rng.normal(size=(n_samples + 1000, 3)) > 0.8).astype(int)
    special = np.zeros(n_samples + 1000, dtype=bool)
    special[n_samples * 2 // 5 + rng.choice(n_samples // 5, 30, replace=False)] = True
    X[special, 3] += 1.5
    y = np.column_stack([y, np.where(special, value, 1 - value)])
    return X[:n_samples], y[:n_samples], X[n_samples:]


def tuned(model=ONE_VS_REST, objective="f1_macro", **parameters):
    return TunedOffsetClassifierCV(model, objective=objective, store_cv_results=True, **parameters)


@pytest.mark.parametrize(("model", "value"), crossed(list(MODELS.values()), [0, 1]))
def test_a_label_whose_positives_or_negatives_lie_in_one_fold_keeps_offset_zero(model, value):
    X, y, X_new = rare_in_one_fold(value=value)
    clf = tuned(model, cv=KFold(5)).fit(X, y)
    assert clf.offsets_[3] == 0
    np.testing.assert_array_equal(clf.predict(X_new)[:, 3], clf.estimator_.predict(X_new)[:, 3])
    assert sum("The labels [3] are not tuned" in note for note in clf.tuner_.notes_) == 1
    stored = clf.cv_results_
    np.testing.assert_array_equal(stored["known"][:, 3], stored["fold"] != 2)
    assert stored["known"][:, :3].all()
    others = OffsetTuner("f1_macro", kind=clf.tuner_.kind).fit(stored["scores"][:, :3], y[stored["rows"], :3])
    np.testing.assert_array_equal(clf.offsets_[:3], others.offsets_)
    assert clf.score_ == others.score_


@pytest.mark.parametrize("objective", ["f1_micro", "f1_samples", "balanced_accuracy"])
def test_an_unseen_label_is_predicted_as_often_as_by_the_model(objective):
    X, y, X_new = rare_in_one_fold()
    for clf in (
        tuned(objective=objective, cv=KFold(5)).fit(X, y),
        tuned(cv=KFold(5)).fit(X, y).retune(objective=objective),
    ):
        assert clf.predict(X_new)[:, 3].mean() == clf.estimator_.predict(X_new)[:, 3].mean() < 0.1


def halves(n_samples):
    return [(np.arange(n_samples // 2), np.arange(n_samples // 2, n_samples))]


@pytest.mark.parametrize(
    ("cv", "estimator"),
    crossed(
        [GroupKFold(5), TimeSeriesSplit(4), halves(400)], [ONE_VS_REST, RandomForestClassifier(10, random_state=0)]
    ),
)
def test_a_label_that_the_models_saw_late_or_never(cv, estimator):
    X, y, X_new = rare_in_one_fold()
    if isinstance(cv, GroupKFold):
        cv = list(cv.split(X, y, np.arange(400) // 80))
    if isinstance(cv, list) and len(cv) == 1:
        y[:200, 3] = 0
        y[250:290, 3] = 1
    clf = tuned(estimator, cv=cv).fit(X, y)
    assert clf.offsets_[3] == 0
    assert clf.predict(X_new)[:, 3].mean() < 0.3


def test_a_label_that_appears_late_is_tuned_on_the_folds_that_have_seen_it():
    X, y, _ = rare_in_one_fold()
    rng = np.random.default_rng(1)
    y[150:, 3] = X[150:, 3] + rng.normal(size=250) > 1
    y[:150, 3] = 0
    clf = tuned(cv=TimeSeriesSplit(5)).fit(X, y)
    stored = clf.cv_results_
    known = stored["known"][:, 3]
    np.testing.assert_array_equal(known, stored["fold"] >= 2)
    direct = OffsetTuner("f1").fit(stored["scores"][known, 3], y[stored["rows"][known], 3])
    alone = TunedOffsetClassifierCV(ONE_VS_REST, objective="f1_macro", cv=TimeSeriesSplit(5)).fit(X, y[:, [0, 3]])
    assert alone.offsets_[1] == pytest.approx(direct.offsets_[1] - direct.offsets_[0])
    assert any(f"of the label: 3 in {np.sum(~known)} samples." in note for note in clf.tuner_.notes_)
    again = clf.retune(objective="f1_macro")
    np.testing.assert_array_equal(again.offsets_, clf.offsets_)
    assert again.score_ == clf.score_


@pytest.mark.filterwarnings("ignore:Few rows")
@pytest.mark.parametrize("cv", [None, 0.25])
def test_a_label_of_one_sample(cv):
    X, y, X_new = rare_in_one_fold()
    y[:, 3] = np.arange(400) == 17
    clf = tuned(cv=cv).fit(X, y)
    assert clf.offsets_[3] == 0
    assert clf.predict(X_new)[:, 3].mean() < 0.05


@pytest.mark.parametrize("model", [MODELS["forest"], MODELS["perceptron"], MODELS["margins"]])
def test_retune_on_samples_of_a_model_that_has_seen_one_value(model):
    X, y, X_new = rare_in_one_fold()
    clf = tuned(model).fit(X, np.column_stack([y[:, :3], np.zeros(400, dtype=int)]))
    again = clf.retune(X, y)
    assert again.offsets_[3] == 0
    np.testing.assert_array_equal(again.predict(X_new)[:, 3], clf.estimator_.predict(X_new)[:, 3])
    held = tuned(model, cv=halves(400), refit=False).fit(X, np.column_stack([y[:, :3], np.arange(400) > 300]))
    assert held.offsets_[3] == held.retune(X, y).offsets_[3] == 0


@pytest.mark.parametrize("model", [ONE_VS_REST, MODELS["forest"]])
def test_a_trained_model_that_saw_one_value(model):
    X, y, X_new = rare_in_one_fold()
    model.fit(X, np.column_stack([y[:, :3], np.zeros(400, dtype=int)]))
    clf = tuned(model, cv="prefit").fit(X, y)
    assert clf.offsets_[3] == 0
    assert not clf.predict(X_new)[:, 3].any()


def test_a_frozen_multilabel_model_has_seen_its_training_labels():
    X, y, _ = rare_in_one_fold()
    frozen = FrozenEstimator(OneVsRestClassifier(LogisticRegression()).fit(X, y))
    stored = tuned(frozen, cv=KFold(5)).fit(X, y).cv_results_
    assert stored["known"].all()
    np.testing.assert_array_equal(stored["scores"], frozen.predict_proba(X)[stored["rows"]])


def test_samples_without_weight_teach_a_model_nothing():
    X, y, _ = rare_in_one_fold()
    y[0, 3] = 1
    weights = np.where(np.arange(400) == 0, 0.0, 1.0)
    clf = tuned(MODELS["forest"], cv=KFold(5)).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(clf.cv_results_["known"][:, 3], clf.cv_results_["fold"] != 2)
    assert clf.offsets_[3] == 0


def test_no_label_is_known():
    X, y, _ = rare_in_one_fold()
    y = np.column_stack([np.arange(400) < 200, np.arange(400) >= 200]).astype(int)
    with pytest.raises(ValueError, match="there is no label to tune"):
        tuned(cv=KFold(2)).fit(X, y)


def late_class(n_samples, *, since, seed=0):
    """Three classes of which the last appears late, and unseen data of all classes."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n_samples + 4000, p=[0.6, 0.3, 0.1])
    early = (np.arange(len(y)) < since) & (y == 2)
    y[early] = rng.choice(2, early.sum(), p=[0.67, 0.33])
    X = rng.normal(size=(len(y), 4))
    X[:, 0] += 1.2 * (y == 1)
    X[:, 1] += 1.5 * (y == 2)
    return X[:n_samples], y[:n_samples], X[n_samples:], y[n_samples:]


def test_samples_that_cannot_be_taken_for_a_class_are_left_out():
    X, y, X_new, y_new = late_class(600, since=420)
    clf = TunedOffsetClassifierCV(logistic(), cv=TimeSeriesSplit(5), store_cv_results=True).fit(X, y)
    stored = clf.cv_results_
    last = stored["fold"] == 4
    np.testing.assert_array_equal(stored["known"].all(axis=1), last)
    direct = OffsetTuner().fit(stored["scores"][last], stored["y"][last])
    np.testing.assert_array_equal(clf.offsets_, direct.offsets_)
    assert clf.score_ == direct.score_
    assert any(f"{500 - last.sum()} samples were left out" in note for note in clf.tuner_.notes_)
    assert balanced_accuracy_score(y_new, clf.predict(X_new)) > 0.55
    np.testing.assert_array_equal(clf.retune(objective="balanced_accuracy").offsets_, clf.offsets_)


@pytest.mark.parametrize("model", [GaussianNB(), RandomForestClassifier(10, random_state=0)])
def test_binary_folds_with_one_class_are_left_out(model):
    X, y = draw(2)
    order = np.argsort(y == "blue", kind="stable")
    X, y = X[order], y[order]
    one = (np.flatnonzero(y != "blue")[:100], np.arange(100, len(y)))
    both = (np.arange(0, len(y), 2), np.arange(1, len(y), 2))
    clf = TunedOffsetClassifierCV(model, objective="f1", cv=[one, both]).fit(X, y)
    alone = TunedOffsetClassifierCV(model, objective="f1", cv=[both]).fit(X, y)
    np.testing.assert_array_equal(clf.offsets_, alone.offsets_)
    assert clf.score_ == alone.score_
    with pytest.raises(ValueError, match="cv must leave samples of at least two classes whose models had seen both"):
        TunedOffsetClassifierCV(model, objective="f1", cv=[one]).fit(X, y)


class OfThree(ClassifierMixin, BaseEstimator):
    """Scores of three classes, whatever it was trained on, as a net has them."""

    def fit(self, X, y):
        self.classes_ = np.arange(3)
        self.model_ = GaussianNB().fit(X, y)
        return self

    def predict_proba(self, X):
        proba = np.full((len(X), 3), 1e-3)
        proba[:, self.model_.classes_] += self.model_.predict_proba(X)
        return proba / proba.sum(axis=1, keepdims=True)


def test_a_class_that_a_model_has_a_column_for_and_has_not_seen():
    X, y, _, _ = late_class(600, since=420)
    clf = TunedOffsetClassifierCV(OfThree(), cv=TimeSeriesSplit(5), store_cv_results=True).fit(X, y)
    plain = TunedOffsetClassifierCV(GaussianNB(), cv=TimeSeriesSplit(5), store_cv_results=True).fit(X, y)
    np.testing.assert_array_equal(clf.cv_results_["rows"], plain.cv_results_["rows"])
    np.testing.assert_array_equal(clf.cv_results_["known"], plain.cv_results_["known"])


def test_a_state_uses_samples_whose_models_saw_every_class():
    X, y, _, _ = late_class(500, since=500)
    y[np.random.default_rng(0).choice(100, 30, replace=False) + 200] = 2
    clf = TunedOffsetClassifierCV(logistic(), cv=KFold(5), store_cv_results=True).fit(X, y)
    uniform = ImbalanceState("uniform")
    stored = clf.cv_results_
    assert len(stored["y"]) == 470
    samples = stored["fold"] != 2
    expected = OffsetTuner(uniform).fit(stored["scores"][samples], stored["y"][samples], classes=[0, 1, 2])
    np.testing.assert_array_equal(clf.retune(objective=uniform).offsets_, expected.offsets_)
    direct = TunedOffsetClassifierCV(logistic(), objective=uniform, cv=KFold(5)).fit(X, y)
    np.testing.assert_array_equal(direct.offsets_, expected.offsets_)
    lost = [(np.flatnonzero(y != 2)[:200], np.flatnonzero(y != 2)[200:])]
    with pytest.raises(ValueError, match="every class, as an ImbalanceState needs it"):
        TunedOffsetClassifierCV(logistic(), objective=uniform, cv=lost).fit(X, y)


def test_where_no_model_has_seen_all_classes_the_rarest_is_given_up():
    X, y, _, _ = late_class(600, since=0)
    parts = np.array_split(np.arange(600), 4)
    without = [np.concatenate([part[y[part] != lacking] for part in parts[:2]]) for lacking in (1, 2)]
    splits = [(train, np.concatenate(parts[2:])) for train in without]
    clf = TunedOffsetClassifierCV(logistic(), objective="f1_macro", cv=splits, store_cv_results=True).fit(X, y)
    stored = clf.cv_results_
    second = stored["fold"] == 1
    expected = OffsetTuner("f1_macro").fit(stored["scores"][second], stored["y"][second], classes=[0, 1, 2])
    np.testing.assert_array_equal(clf.offsets_, expected.offsets_)
    assert np.abs(clf.offsets_).max() < 5
