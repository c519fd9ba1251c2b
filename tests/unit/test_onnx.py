"""Graphs of ONNX decide as the classifiers that they were converted from."""

import importlib
import os
import sys

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from support import effort

from skimbalance import FixedOffsetClassifier, TunedOffsetClassifierCV
from skimbalance.goals import AtLeast

onnxruntime = pytest.importorskip("onnxruntime")
skl2onnx = pytest.importorskip("skl2onnx")
calculate_shapes = importlib.import_module("skl2onnx.common.shape_calculator").calculate_linear_classifier_output_shapes
importlib.import_module("skimbalance.onnx").register_converters()

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of converters
    pytest.mark.filterwarnings("ignore:Stochastic Optimizer"),  # of a net with few epochs
    pytest.mark.filterwarnings("ignore:X does not have valid feature names"),  # of LightGBM, in the pipeline
]

OPSETS = {"": 21, "ai.onnx.ml": 3}
N = int(os.environ.get("SKIMBALANCE_ONNX_SAMPLES", 100_000 if effort.exhaustive else 20_000))
"""The figures of docs/deployment.md are of a million samples, which take ten minutes."""


def session_of(classifier, X):
    """Return a session of onnxruntime for the graph of a classifier."""
    options = {id(classifier): {"zipmap": False}}
    graph = skl2onnx.to_onnx(classifier, X[:1], options=options, target_opset=OPSETS)
    return onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])


def outputs_of(classifier, X):
    """Return what onnxruntime computes from the graph of a classifier."""
    return session_of(classifier, X).run(None, {"X": X})


def n_different(classifier, X):
    """Return for how many samples the graph decides otherwise; its labels agree with its probabilities."""
    session = session_of(classifier, X)
    return sum(_n_different(classifier, part, *session.run(None, {"X": part})) for part in parts_of(X))


def parts_of(X, size=100_000):
    """Return parts of the samples: the memory of a million would be large."""
    return [X[start : start + size] for start in range(0, len(X), size)]


def _n_different(classifier, X, labels, proba):
    expected = classifier.predict(X)
    assert labels.shape == expected.shape
    assert labels.dtype == (np.int64 if expected.dtype.kind in "ib" else object)
    decided = proba > 0.5 if classifier.multilabel_ else classifier.classes_[proba.argmax(axis=1)]
    assert np.mean(decided != labels) < 1e-4  # of more than two classes, the largest can be equal after rounding
    assert np.median(np.abs(proba - classifier.predict_proba(X))) < 1e-6
    wrong = labels != expected
    return int((wrong.any(axis=1) if wrong.ndim == 2 else wrong).sum())


def boosted(library, **params):
    """Return a classifier of LightGBM or XGBoost whose converter is that of onnxmltools."""
    pytest.importorskip("onnxmltools")
    kind = getattr(pytest.importorskip(library), {"lightgbm": "LGBMClassifier", "xgboost": "XGBClassifier"}[library])
    name = {"lightgbm": "LightGbm", "xgboost": "XGBoost"}[library]
    module = importlib.import_module(f"onnxmltools.convert.{library}.operator_converters.{name}")
    skl2onnx.update_registered_converter(
        kind,
        f"{library}{kind.__name__}",
        calculate_shapes,
        getattr(module, f"convert_{library}"),
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
    )
    return kind(n_estimators=10, n_jobs=1, **params)


MODELS = {
    "logistic": LogisticRegression,
    "margins": lambda: SGDClassifier(random_state=0),
    "ridge": RidgeClassifier,
    "forest": lambda: RandomForestClassifier(10, random_state=0),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=10, random_state=0),
    "scaled": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "scaled margins": lambda: make_pipeline(StandardScaler(), LinearSVC(random_state=0)),
    "lightgbm": lambda: boosted("lightgbm", verbose=-1),
    "xgboost": lambda: boosted("xgboost"),
    "scaled lightgbm": lambda: make_pipeline(StandardScaler(), boosted("lightgbm", verbose=-1)),
    "scaled xgboost": lambda: make_pipeline(StandardScaler(), boosted("xgboost")),
}
LABEL_MODELS = {
    "one vs rest": lambda: OneVsRestClassifier(LogisticRegression()),
    "multi-output": lambda: MultiOutputClassifier(LogisticRegression()),
    "scaled": lambda: make_pipeline(StandardScaler(), MultiOutputClassifier(LogisticRegression())),
    "forest": lambda: ExtraTreesClassifier(10, random_state=0),
    "lightgbm": lambda: MultiOutputClassifier(boosted("lightgbm", verbose=-1)),
    "xgboost": lambda: OneVsRestClassifier(boosted("xgboost")),
    "net": lambda: make_pipeline(StandardScaler(), MLPClassifier((5,), max_iter=20, random_state=0)),
}


def classes(n_classes, n_samples=N):
    """Return training samples, their labels, and other samples in single precision."""
    X, y = make_classification(
        n_samples + 1_000,
        n_features=6,
        n_informative=5,
        n_redundant=0,
        n_classes=n_classes,
        weights=[0.85, 0.1, 0.05][:n_classes] if n_classes == 3 else [0.9],
        random_state=0,
    )
    X = X.astype(np.float32)
    return X[:1_000], y[:1_000], X[1_000:]


def labelled():
    """Return training samples, the indicator of their labels, and other samples in single precision."""
    X, y = make_multilabel_classification(min(N, 100_000) + 1_000, n_features=6, n_classes=4, random_state=0)
    X = (X + np.random.default_rng(0).normal(size=X.shape)).astype(np.float32)
    return X[:1_000], y[:1_000], X[1_000:]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", MODELS)
def test_decisions_of_classes(name, n_classes):
    X, y, unseen = classes(n_classes)
    classifier = TunedOffsetClassifierCV(MODELS[name](), objective="f1_macro", cv=3).fit(X, y)
    assert not np.array_equal(classifier.predict(unseen), classifier.estimator_.predict(unseen))
    assert n_different(classifier, unseen) <= 1e-6 * N


@pytest.mark.parametrize("name", LABEL_MODELS)
def test_decisions_of_labels(name):
    X, y, unseen = labelled()
    classifier = TunedOffsetClassifierCV(LABEL_MODELS[name](), objective="f1_macro", cv=3).fit(X, y)
    assert n_different(classifier, unseen) <= 1e-6 * N


class Scores(ClassifierMixin, BaseEstimator):
    """A classifier whose features are its scores."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return X


class Margins(Scores):
    """A classifier whose features are its margins, binary ones in two columns for its graph."""

    predict_proba = property()

    def decision_function(self, X):
        return X[:, 1] if len(self.classes_) == 2 else X


def identity(scope, operator, container):  # noqa: ARG001 - skl2onnx checks the names
    """Convert `Scores` and `Margins`."""
    container.add_node("Identity", operator.inputs[0].full_name, operator.outputs[1].full_name)
    container.add_node("ArgMax", operator.inputs[0].full_name, operator.outputs[0].full_name, axis=1, keepdims=0)


for kind in (Scores, Margins):
    choices = {"zipmap": [True, False], "nocl": [True, False], "raw_scores": [True, False]}
    skl2onnx.update_registered_converter(kind, kind.__name__, calculate_shapes, identity, options=choices)


def fixed(kind, n_classes, **params):
    """Return a fitted classifier with fixed offsets for scores."""
    y = np.arange(n_classes)
    return FixedOffsetClassifier(kind(), **params).fit(np.eye(n_classes, dtype=np.float32), y)


def around(threshold):
    """Return binary probabilities in single precision that are at a threshold or beside it."""
    at = np.float32(threshold)
    beside = [np.nextafter(at, np.float32(side)) for side in (0, 1)]
    second = np.array([0, 1e-40, 1e-30, 0.5, 1 - 2**-24, 1, at, *beside], dtype=np.float32)
    second = np.clip(second, 0, 1)
    return np.stack([1 - second, second], axis=1)


@pytest.mark.parametrize("threshold", [0.0, 1e-6, 0.1, 0.3, 0.5, 2 / 3, 0.999, 1.0])
def test_a_given_threshold_decides_ties_as_predict_does(threshold):
    assert n_different(fixed(Scores, 2, threshold=threshold), around(threshold)) == 0


@pytest.mark.parametrize("cut", [-800, -30, -3.0, 0.0, 1.2, 12.0, 20.0, 40.0, 800])
def test_offsets_decide_binary_ties_as_predict_does(cut):
    classifier = fixed(Scores, 2, offsets=[cut / 2, -cut / 2])
    assert n_different(classifier, around(min(classifier.threshold_, 1.0))) == 0


def test_small_probabilities_separate_those_that_are_rounded_to_one():
    X = np.array([[10.0**-power, 1] for power in range(8, 30)], dtype=np.float32)
    classifier = fixed(Scores, 2, offsets=[20, -20])
    assert classifier.predict(X).tolist() == [0] * 10 + [1] * 12
    assert n_different(classifier, X) == 0


@pytest.mark.parametrize("cut", [-3.0, 0.0, 1.2])
def test_offsets_decide_binary_margins_as_predict_does(cut):
    at = np.float32(cut)
    second = np.array([-1e9, -1, 0, 1, 1e9, at, *(np.nextafter(at, np.float32(side)) for side in (-9, 9))], np.float32)
    X = np.stack([-second, second], axis=1)
    assert n_different(fixed(Margins, 2, offsets=[cut / 2, -cut / 2]), X) == 0


@pytest.mark.parametrize("kind", [Scores, Margins])
def test_the_first_of_equal_classes_is_predicted(kind):
    X = np.array([[0.25, 0.5, 0.25], [0.5, 0.25, 0.25], [0.4, 0.4, 0.2], [0.2, 0.4, 0.4], [0, 0, 1]], np.float32)
    classifier = fixed(kind, 3, offsets=[0, 0, 0])
    assert outputs_of(classifier, X)[0].tolist() == classifier.predict(X).tolist() == [1, 0, 0, 1, 2]


def test_a_class_of_probability_zero_is_predicted_only_with_a_huge_offset():
    X = np.array([[0, 0.5, 0.5], [1e-30, 0.5, 0.5]], np.float32)
    for offset, expected in ((80, [1, 0]), (800, [0, 0])):
        classifier = fixed(Scores, 3, offsets=[offset, 0, 0])
        assert outputs_of(classifier, X)[0].tolist() == expected


def test_samples_that_differ_are_near_ties():
    rng = np.random.default_rng(0)
    X = rng.dirichlet(np.full(5, 0.3), size=N).astype(np.float32)
    classifier = fixed(Scores, 5, offsets=rng.normal(size=5))
    labels, _ = outputs_of(classifier, X)
    wide = classifier.estimator_.predict_proba(X.astype(np.float64))
    shifted = np.sort(np.log(np.maximum(wide, 1e-300)) + classifier.offsets_, axis=1)
    near = shifted[:, -1] - shifted[:, -2] < 1e-5
    wrong = labels != classifier.predict(X.astype(np.float64))
    assert not wrong[~near].any()
    assert wrong.mean() < 1e-5


def test_small_probabilities_of_a_net_in_double_precision():
    X, y, unseen = classes(2)
    net = MLPClassifier((5,), max_iter=20, random_state=0).fit(X, y)
    net.intercepts_[-1] -= 14.0
    unseen = unseen.astype(np.float64)
    threshold = np.median(net.predict_proba(unseen)[:, 1])
    classifier = FixedOffsetClassifier(FrozenEstimator(net), threshold=threshold).fit(X, y)
    assert threshold < 1e-6
    assert n_different(classifier, unseen) == 0


def test_double_precision():
    X, y, unseen = classes(3)
    classifier = TunedOffsetClassifierCV(LogisticRegression(), objective="f1_macro").fit(X, y)
    labels, proba = outputs_of(classifier, unseen.astype(np.float64))
    np.testing.assert_array_equal(labels, classifier.predict(unseen.astype(np.float64)))
    np.testing.assert_allclose(proba, classifier.predict_proba(unseen.astype(np.float64)), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("names", [["no", "yes"], ["a", "b", "ü"]])
def test_labels_that_are_strings(names):
    X, y, unseen = classes(len(names), 1_000)
    classifier = FixedOffsetClassifier(make_pipeline(StandardScaler(), LogisticRegression())).fit(X, np.array(names)[y])
    assert n_different(classifier, unseen) == 0


def test_boolean_labels_are_numbers():
    X, y, unseen = classes(2, 1_000)
    assert n_different(FixedOffsetClassifier(LogisticRegression()).fit(X, y == 1), unseen) == 0


def test_within_a_pipeline_with_names_of_probabilities():
    X, y, unseen = classes(3, 1_000)
    pipeline = make_pipeline(StandardScaler(), TunedOffsetClassifierCV(LogisticRegression(), cv=3))
    pipeline.fit(X, np.array(["a", "b", "c"])[y])
    graph = skl2onnx.to_onnx(pipeline, X[:1], target_opset=OPSETS)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    labels, proba = session.run(None, {"X": unseen})
    np.testing.assert_array_equal(labels, pipeline.predict(unseen))
    assert list(proba[0]) == ["a", "b", "c"]
    np.testing.assert_allclose([each["c"] for each in proba], pipeline.predict_proba(unseen)[:, 2], atol=1e-5)


def test_columns_of_several_types():
    pd = pytest.importorskip("pandas")
    types = importlib.import_module("skl2onnx.common.data_types")
    X, y, _ = classes(3, 1_000)
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": np.where(X[:, 2] > 0, "high", "low").astype(object)})
    steps = ColumnTransformer([("numbers", StandardScaler(), ["a", "b"]), ("texts", OneHotEncoder(), ["c"])])
    model = make_pipeline(steps, LogisticRegression())
    classifier = TunedOffsetClassifierCV(model, objective="f1_macro", cv=3).fit(frame, y)
    inputs = [(name, types.FloatTensorType([None, 1])) for name in "ab"] + [("c", types.StringTensorType([None, 1]))]
    graph = skl2onnx.to_onnx(classifier, initial_types=inputs, options={id(classifier): {"zipmap": False}})
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    labels, _ = session.run(None, {name: frame[[name]].to_numpy() for name in frame})
    np.testing.assert_array_equal(labels, classifier.predict(frame))


def test_a_frozen_classifier():
    X, y, unseen = classes(2, 1_000)
    frozen = FrozenEstimator(LogisticRegression().fit(X, y))
    assert n_different(TunedOffsetClassifierCV(frozen, cv="prefit").fit(X, y), unseen) == 0


FRACTIONS = {
    "neighbours": lambda: KNeighborsClassifier(10),
    "grown trees": lambda: RandomForestClassifier(10, random_state=0),
    "tree": lambda: DecisionTreeClassifier(min_samples_leaf=10, random_state=0),
}


@pytest.mark.parametrize("name", FRACTIONS)
def test_fractions_that_are_the_threshold(name):
    X, y, unseen = classes(2, 5_000)
    classifier = FixedOffsetClassifier(FRACTIONS[name](), threshold=0.3).fit(X, y)
    assert name == "tree" or (classifier.estimator_.predict_proba(unseen)[:, 1] == 0.3).any()
    assert n_different(classifier, unseen) == 0


def test_only_samples_at_a_tie_of_a_forest_differ():
    X, y, unseen = classes(2, 20_000)
    forest = RandomForestClassifier(10, min_samples_leaf=5, random_state=0)
    classifier = FixedOffsetClassifier(forest, threshold=0.1).fit(X, y)
    labels, _ = outputs_of(classifier, unseen)
    wrong = labels != classifier.predict(unseen)
    assert (np.abs(classifier.estimator_.predict_proba(unseen)[wrong, 1] - 0.1) < 1e-7).all()


@pytest.mark.parametrize("name", FRACTIONS)
def test_only_samples_at_a_tie_of_several_classes_differ(name):
    X, y, unseen = classes(3, 5_000)
    classifier = FixedOffsetClassifier(FRACTIONS[name](), offsets=np.log([1, 2, 3])).fit(X, y)
    wrong = outputs_of(classifier, unseen)[0] != classifier.predict(unseen)
    shifted = np.sort(classifier.decision_function(unseen), axis=1)
    assert (shifted[wrong, -1] - shifted[wrong, -2] < 1e-6).all()


@pytest.mark.xfail(reason="skl2onnx 1.20 has other probabilities, or cannot convert; docs/deployment.md states it")
@pytest.mark.parametrize(
    ("model", "task"),
    [
        (LinearDiscriminantAnalysis(), "binary"),
        (HistGradientBoostingClassifier(max_iter=5), "binary"),
        (DecisionTreeClassifier(max_depth=5), "multilabel"),
    ],
)
def test_converters_that_fail(model, task):
    X, y, unseen = classes(2, 20_000) if task == "binary" else labelled()
    classifier = TunedOffsetClassifierCV(model, objective="f1_macro", cv=3).fit(X, y)
    assert n_different(classifier, unseen) == 0


def test_what_cannot_be_converted():
    X, y, _ = classes(2, 1_000)
    rejects = TunedOffsetClassifierCV(
        LogisticRegression(), constraints=[AtLeast("coverage", 0.8)], reject_label=-1, store_cv_results=True
    ).fit(X, y)
    with pytest.raises(NotImplementedError, match="reject_label=-1 has no converter"):
        outputs_of(rejects, X)
    assert n_different(rejects.retune(reject_label=(), constraints=()), X) == 0
    labels = np.stack([y, 1 - y], axis=1)
    margins = TunedOffsetClassifierCV(OneVsRestClassifier(LinearSVC()), objective="f1_macro").fit(X, labels)
    with pytest.raises(NotImplementedError, match="multilabel scores by decision_function of OneVsRestClassifier"):
        outputs_of(margins, X)


def test_the_error_without_skl2onnx_states_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    monkeypatch.delitem(sys.modules, "skimbalance.onnx")
    with pytest.raises(ImportError, match=r"skimbalance.onnx needs skl2onnx: pip install 'skimbalance\[onnx\]'"):
        importlib.import_module("skimbalance.onnx")
