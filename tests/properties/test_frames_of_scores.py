"""Columns of data frames of scores go by label, whoever takes them."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from skimbalance import FixedOffsetClassifier, OffsetTuner, TunedOffsetClassifierCV, imbalance_curve
from skimbalance._core.validation import column_order
from skimbalance.goals import ImbalanceState
from skimbalance.metrics import imbalance_degree_score, imbalance_state


def displays():
    """The module of displays; without matplotlib the test is skipped."""
    return pytest.importorskip("skimbalance.plotting", exc_type=ImportError)


pd = pytest.importorskip("pandas")
pytestmark = pytest.mark.usefixtures("few_restarts")

KNOWN = {
    "strings": ["ant", "bee", "cat"],
    "integers": [0, 1, 2],
    "other integers": [3, 7, 9],
    "numpy integers": [np.int64(3), np.int64(7), np.int64(9)],
    "floats": [0.5, 1.0, 1.5],
    "days": list(pd.to_datetime(["2024-01-01", "2024-01-02", "2024-02-01"])),
    "days with a zone": list(pd.to_datetime(["2024-01-01", "2024-01-02", "2024-02-01"], utc=True)),
}
ORDER = [2, 0, 1]
CHEAP = {"estimate": "empirical", "confidence_level": None}


def drawn(n_classes=3, n=60, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % n_classes
    logits = rng.normal(size=(n, n_classes)) + 1.2 * np.eye(n_classes)[codes] + np.arange(n_classes)
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return proba, codes


def turned(proba, names):
    """Return the scores with their columns in another order, each under its name."""
    order = ORDER if len(names) == 3 else [1, 0]
    return pd.DataFrame({names[k]: proba[:, k] for k in order})


def tuner(objective="f1_macro"):
    return OffsetTuner(objective, **CHEAP)


@pytest.mark.parametrize("kind", KNOWN)
def test_columns_named_after_the_classes_go_by_label(kind):
    proba, codes = drawn()
    names = KNOWN[kind]
    y = pd.Series([names[code] for code in codes]).to_numpy()
    expected = tuner().fit(proba, y)
    frame = turned(proba, names)
    found = tuner().fit(frame, y)
    np.testing.assert_array_equal(found.offsets_, expected.offsets_)
    for fitted in (found, expected):
        np.testing.assert_array_equal(fitted.predict(frame), expected.predict(proba))
        np.testing.assert_array_equal(fitted.transform(frame), expected.transform(proba))
        np.testing.assert_array_equal(fitted.predict_proba(frame), expected.predict_proba(proba))


@pytest.mark.parametrize("names", [[False, True], ["False", "True"], [0, 1]])
def test_columns_named_after_truth_values_go_by_label(names):
    proba, codes = drawn(2)
    expected = tuner("f1").fit(proba, codes == 1)
    found = tuner("f1").fit(turned(proba, names), codes == 1)
    np.testing.assert_array_equal(found.offsets_, expected.offsets_)
    np.testing.assert_array_equal(found.predict(turned(proba, names)), expected.predict(proba))


@pytest.mark.parametrize("labels", [[3, 7, 9], [3.0, 7.0, 9.0], [0.5, 1.0, 1.5]])
def test_text_of_a_label_names_it(labels):
    proba, codes = drawn()
    y = np.asarray(labels)[codes]
    names = [f"{label:g}" for label in labels]
    np.testing.assert_array_equal(tuner().fit(turned(proba, names), y).offsets_, tuner().fit(proba, y).offsets_)


@pytest.mark.parametrize("library", ["polars", "pyarrow", "pandas of pyarrow", "nullable"])
def test_frames_of_every_library_go_by_label(library):
    proba, codes = drawn()
    y = np.asarray(KNOWN["strings"])[codes]
    frame = turned(proba, KNOWN["strings"])
    if library == "polars":
        frame = pytest.importorskip("polars").DataFrame(frame.to_dict("list"))
    elif library == "pyarrow":
        frame = pytest.importorskip("pyarrow").table(frame.to_dict("list"))
    elif library == "nullable":
        frame = frame.convert_dtypes()
    else:
        pytest.importorskip("pyarrow")
        frame = frame.astype("float64[pyarrow]")
    expected = tuner().fit(proba, y)
    np.testing.assert_array_equal(tuner().fit(frame, y).offsets_, expected.offsets_)
    np.testing.assert_array_equal(expected.predict(frame), expected.predict(proba))


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["ant", "bee", "cat"], ["score_0", "score_1", "score_2"]),
        (["ant", "bee", "cat"], [2, 1, 0]),
        ([1, 2, 3], [0, 1, 2]),
        ([1, 2, 3], ["0", "1", "2"]),
        (["0", "1", "10"], [0, 1, 2]),
    ],
)
def test_names_without_meaning_go_by_position(labels, names):
    proba, codes = drawn()
    y = np.asarray(labels)[codes]
    frame = pd.DataFrame(proba, columns=names)
    np.testing.assert_array_equal(tuner().fit(frame, y).offsets_, tuner().fit(proba, y).offsets_)
    np.testing.assert_array_equal(tuner().fit(proba, y).predict(frame), tuner().fit(proba, y).predict(proba))


@pytest.mark.parametrize("names", [["ant", "bee", "dog"], ["ant", "bee", "bee"], ["cat", "x", "y"]])
def test_names_of_which_some_are_classes_are_refused(names):
    proba, codes = drawn()
    y = np.asarray(KNOWN["strings"])[codes]
    frame = pd.DataFrame(proba, columns=names)
    with pytest.raises(
        ValueError, match=r"scores has the columns .* some but not all .*\['ant', 'bee', 'cat'\].*to_nu"
    ):
        tuner().fit(frame, y)
    with pytest.raises(ValueError, match="some but not all"):
        tuner().fit(proba, y).predict(frame)


def test_default_numbers_that_contradict_classes_are_refused():
    proba, codes = drawn()
    with pytest.raises(ValueError, match=r"\[0, 1, 2\], which may be default numbers.*\[2, 0, 1\].*to_numpy"):
        tuner().fit(pd.DataFrame(proba), codes, classes=[2, 0, 1])
    named = pd.DataFrame(proba, columns=[0, 1, 2])  # by the user, and so by label
    found = tuner().fit(named, codes, classes=[2, 0, 1])
    np.testing.assert_array_equal(found.offsets_, tuner().fit(proba[:, ORDER], codes, classes=[2, 0, 1]).offsets_)


def test_a_series_of_the_first_class_is_refused():
    proba, codes = drawn(2)
    y = np.array(["fine", "fraud"])[codes]
    frame = pd.DataFrame(proba, columns=["fine", "fraud"])
    with pytest.raises(ValueError, match="those of the second class, 'fraud'; got a series named 'fine'"):
        tuner("f1").fit(frame["fine"], y)
    expected = tuner("f1").fit(proba[:, 1], y)
    np.testing.assert_array_equal(tuner("f1").fit(frame["fraud"], y).offsets_, expected.offsets_)
    with pytest.raises(ValueError, match=r"scores must have shape \(n, K\).*got \(60, 1\)"):
        tuner("f1").fit(frame[["fraud"]], y)


def test_frames_that_hold_no_numbers_are_refused():
    proba, codes = drawn()
    frame = pd.DataFrame(proba, columns=list("abc"))
    missing = frame.astype("Float64")
    missing.iloc[4, 1] = pd.NA
    for scores, message in [
        (frame.astype(str), "scores must be numeric"),
        (missing, "scores must not contain (NaN|missing values; got <NA> in sample 4)"),
        (missing.astype(object), "scores must not contain missing values; got <NA> in sample 4"),
        ([frame, frame], r"scores must have shape \(n, K\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            tuner().fit(scores, codes)


@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.UncertainShiftWarning")
def test_adapt_to_goes_by_label():
    proba, codes = drawn(n=100)
    y = np.asarray(KNOWN["strings"])[codes]
    fitted = OffsetTuner("f1_macro", estimate="plugin").fit(proba, y)
    shifted = proba[codes != 2]
    one, other = (fitted.adapt_to(new) for new in (shifted, turned(shifted, KNOWN["strings"])))
    np.testing.assert_array_equal(other.prior_shift_.estimated, one.prior_shift_.estimated)
    np.testing.assert_array_equal(other.offsets_, one.offsets_)


def test_curves_and_displays_go_by_label():
    pytest.importorskip("matplotlib").use("agg")
    proba, codes = drawn(2)
    codes[:10] = 0
    names = [0, 1]
    frame = turned(proba, names)
    here, there = (imbalance_curve(scores, codes, metrics=["recall"], points=5) for scores in (proba, frame))
    np.testing.assert_array_equal(there.values["recall"], here.values["recall"])
    here, there = (displays().ThresholdCurveDisplay.from_predictions(codes, scores).curve for scores in (proba, frame))
    np.testing.assert_array_equal(there.values["f1"], here.values["f1"])
    fitted = OffsetTuner("f1").fit(proba, codes)
    here, there = (
        displays().ThresholdCurveDisplay.from_estimator(fitted, scores, codes).curve for scores in (proba, frame)
    )
    np.testing.assert_array_equal(there.values["f1"], here.values["f1"])
    here, there = (
        displays().ClassProfileDisplay.from_estimator(fitted, scores, codes).profile for scores in (proba, frame)
    )
    np.testing.assert_array_equal(there.recall_after, here.recall_after)


def test_states_and_degrees_go_by_label():
    proba, codes = drawn()
    codes[:10] = 0
    frame = turned(proba, [0, 1, 2])
    for options in ({"classes": [0, 1, 2]}, {"y": codes, "class_balanced": True}):
        np.testing.assert_allclose(imbalance_state(frame, **options), imbalance_state(proba, **options), atol=1e-15)
    expected = imbalance_degree_score(codes, proba, soft=True)
    assert imbalance_degree_score(codes, frame, soft=True) == pytest.approx(expected, abs=1e-14)


def test_chunks_of_frames_go_by_label():
    frames = pytest.importorskip("dask.dataframe")
    proba, codes = drawn()
    frame = frames.from_pandas(turned(proba, [0, 1, 2]), npartitions=3)
    expected = OffsetTuner("f1_macro", estimate="plugin").fit(proba, codes)
    found = OffsetTuner("f1_macro", estimate="plugin").fit(frame, codes)
    np.testing.assert_allclose(found.offsets_, expected.offsets_, atol=1e-12)
    np.testing.assert_array_equal(expected.predict(frame).compute(), expected.predict(proba))
    np.testing.assert_array_equal(expected.transform(frame).compute(), expected.transform(proba))


class TestSeveralLabels:
    @pytest.fixture
    def samples(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(120, 4))
        y = (X[:, :3] + rng.normal(size=(120, 3)) > 0.5).astype(int)
        return X, y, 1 / (1 + np.exp(1 - X[:, :3]))

    @pytest.mark.parametrize("names", [["ant", "bee", "cat"], [5, 3, 4]])
    def test_scores_and_indicators_go_by_label(self, samples, names):
        _, y, proba = samples
        expected = tuner().fit(proba, y, classes=names)
        found = tuner().fit(turned(proba, names), pd.DataFrame(y, columns=names), classes=names)
        np.testing.assert_array_equal(found.offsets_, expected.offsets_)
        found = tuner().fit(proba, turned(y, names), classes=names)
        np.testing.assert_array_equal(found.offsets_, expected.offsets_)
        np.testing.assert_array_equal(found.predict(turned(proba, names)), expected.predict(proba))
        here, there = (
            displays().ClassProfileDisplay.from_estimator(expected, *each).profile
            for each in ((proba, y), (turned(proba, names), turned(y, names)))
        )
        np.testing.assert_array_equal(there.recall_after, here.recall_after)

    def test_pairs_of_frames_go_by_label(self, samples):
        _, y, proba = samples
        pairs = [pd.DataFrame({1: column, 0: 1 - column}) for column in proba.T]
        expected = tuner().fit(proba, y)
        np.testing.assert_array_equal(tuner().fit(pairs, y).offsets_, expected.offsets_)
        np.testing.assert_array_equal(expected.predict(pairs), expected.predict(proba))

    def test_retune_goes_by_label(self, samples):
        X, y, _ = samples
        names = ["ant", "bee", "cat"]
        clf = TunedOffsetClassifierCV(OneVsRestClassifier(LogisticRegression()), objective="f1_macro", cv=2)
        clf.fit(X, pd.DataFrame(y, columns=names))
        np.testing.assert_array_equal(clf.retune(X, turned(y, names)).offsets_, clf.retune(X, y).offsets_)


class Framed(LogisticRegression):
    """A classifier that returns a data frame, its columns in another order."""

    def predict_proba(self, X):
        return pd.DataFrame(super().predict_proba(X), columns=self.classes_)[self.classes_[::-1]]


def test_estimators_that_return_frames_go_by_label():
    proba, codes = drawn()
    X = np.log(proba)
    for wrap in (FixedOffsetClassifier, lambda inner: TunedOffsetClassifierCV(inner, cv=2)):
        np.testing.assert_array_equal(
            wrap(Framed()).fit(X, codes).predict(X), wrap(LogisticRegression()).fit(X, codes).predict(X)
        )


class TestSeriesOfNumbers:
    """A series with a number for each class goes by its index, as `value_counts` returns it."""

    @pytest.mark.parametrize("labels", [[0, 1, 2], ["ant", "bee", "cat"]])
    def test_priors_and_offsets(self, labels):
        proba, codes = drawn()
        y = np.asarray(labels)[codes]
        shares = pd.Series([0.2, 0.7, 0.1], index=labels)
        by_objective_value = shares.sort_values(ascending=False)
        one, other = (
            OffsetTuner("f1_macro", class_prior=prior, **CHEAP).fit(proba, y) for prior in (shares, by_objective_value)
        )
        np.testing.assert_array_equal(other.offsets_, one.offsets_)
        X = np.log(proba)
        for name in ("offsets", "target_prior"):
            one, other = (
                FixedOffsetClassifier(LogisticRegression(), **{name: each}).fit(X, y)
                for each in (shares, by_objective_value)
            )
            np.testing.assert_allclose(other.offsets_, one.offsets_, atol=1e-12)
        one, other = (tuner(ImbalanceState(each)).fit(proba, y).offsets_ for each in (shares, by_objective_value))
        np.testing.assert_array_equal(other, one)
        one, other = (imbalance_degree_score(y, y, prior=each) for each in (shares, by_objective_value))
        assert other == one

    def test_an_index_of_which_some_are_classes_is_refused(self):
        proba, codes = drawn()
        prior = pd.Series([0.2, 0.7, 0.1], index=[0, 1, 5])
        with pytest.raises(ValueError, match=r"class_prior has the index .* some but not all"):
            OffsetTuner("f1_macro", class_prior=prior).fit(proba, codes)


def test_column_order():
    labels = np.array(["a", "b", "c"])
    assert column_order(np.zeros((2, 3)), labels) is None
    assert column_order(pd.DataFrame([[0, 1, 2]], columns=list("cab")), labels) == [1, 2, 0]
    assert column_order(pd.DataFrame([[0, 1, 2]], columns=list("abc")), labels) is None
