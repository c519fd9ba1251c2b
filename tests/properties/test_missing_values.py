"""Masked values and missing labels are refused by name, each with one clear error, whoever meets them."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from skimbalance import FixedOffsetClassifier, OffsetTuner, TunedOffsetClassifierCV, imbalance_curve
from skimbalance.goals import AtLeast, ImbalanceState
from skimbalance.metrics import (
    Cost,
    geometric_mean_score,
    imbalance_degree_score,
    imbalance_state,
    worst_recall_score,
)


def displays():
    """The module of displays; without matplotlib the test is skipped."""
    return pytest.importorskip("skimbalance.plotting", exc_type=ImportError)


pd = pytest.importorskip("pandas")
pytestmark = pytest.mark.usefixtures("few_restarts")

PROBA = np.linspace(0.05, 0.95, 12)
TWO = np.stack([1 - PROBA, PROBA], axis=1)
Y = np.arange(12) % 3 // 2
NAMED = np.array(["fine", "fraud"])[Y]
CHEAP = {"estimate": "empirical", "confidence_level": None}
SEVERAL = np.stack([Y, 1 - Y, np.arange(12) % 2], axis=1)
X, LABELS = make_classification(60, random_state=0)
FITTED = OffsetTuner("f1", **CHEAP).fit(PROBA, Y)


def masked(values, *, some=True):
    """Return a masked array; the second of its values is masked, or none is."""
    array = np.ma.masked_array(np.asarray(values), mask=False)
    if some:
        array[1] = np.ma.masked
    return array


def fit(scores=PROBA, y=Y, objective="f1", **options):
    parameters = {name: options.pop(name) for name in ("class_prior", "pos_label", "constraints") if name in options}
    return OffsetTuner(objective, **CHEAP, **parameters).fit(scores, y, **options)


MASKED = {
    "scores": (lambda form: fit(form(PROBA)), "scores"),
    "rows of scores": (lambda form: fit([form(row) for row in TWO]), "scores"),
    "y": (lambda form: fit(y=form(Y)), "y"),
    "names": (lambda form: fit(y=form(NAMED)), "y"),
    "sample_weight": (lambda form: fit(sample_weight=form(np.ones(12))), "sample_weight"),
    "classes": (lambda form: fit(classes=form([0, 1])), "classes"),
    "class_prior": (lambda form: fit(class_prior=form([0.4, 0.6])), "class_prior"),
    "target": (lambda form: fit(objective=ImbalanceState(form([0.4, 0.6]))), "target"),
    "matrix": (lambda form: fit(objective=Cost(form([[0, 1], [5, 0]]))), "matrix"),
    "indicator": (lambda form: fit(SEVERAL * 0.5 + 0.2, form(SEVERAL), "f1_macro"), "y"),
    "scores of labels": (lambda form: fit(form(SEVERAL * 0.5 + 0.2), SEVERAL, "f1_macro"), "scores"),
    "pairs": (lambda form: fit([form(TWO)] * 3, SEVERAL, "f1_macro"), "scores"),
    "predict": (lambda form: FITTED.predict(form(PROBA)), "scores"),
    "transform": (lambda form: FITTED.transform(form(TWO)), "scores"),
    "adapt_to": (lambda form: FITTED.adapt_to(form(PROBA)), "scores"),
    "curve": (lambda form: imbalance_curve(form(PROBA), Y, points=2), "scores"),
    "y of a curve": (lambda form: imbalance_curve(PROBA, form(Y), points=2), "y"),
    "points": (lambda form: imbalance_curve(PROBA, Y, points=form([0.0, 1.0])), "points"),
    "y_true": (lambda form: geometric_mean_score(form(Y), Y), "y_true"),
    "y_pred": (lambda form: worst_recall_score(Y, form(Y)), "y_pred"),
    "proba": (lambda form: imbalance_state(form(TWO)), "proba"),
    "prior": (lambda form: imbalance_degree_score(Y, Y, prior=form([0.4, 0.6])), "prior"),
    "y of a classifier": (lambda form: FixedOffsetClassifier(LogisticRegression()).fit(X, form(LABELS)), "y"),
    "offsets": (
        lambda form: FixedOffsetClassifier(LogisticRegression(), offsets=form([0.0, 1.0])).fit(X, LABELS),
        "offsets",
    ),
    "y_score": (lambda form: displays().ThresholdCurveDisplay.from_predictions(Y, form(PROBA)), "y_score"),
    "scores of a display": (lambda form: displays().ClassProfileDisplay.from_estimator(FITTED, form(PROBA), Y), "X"),
}


@pytest.mark.parametrize("where", MASKED)
def test_masked_values_are_refused(where):
    pytest.importorskip("matplotlib").use("agg")
    call, name = MASKED[where]
    with pytest.raises(ValueError, match=rf"^{name} must not hold masked values; got \d+ of them"):
        call(masked)


@pytest.mark.parametrize("where", MASKED)
@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.UncertainShiftWarning")
def test_a_mask_that_hides_nothing_changes_nothing(where):
    pytest.importorskip("matplotlib").use("agg")
    MASKED[where][0](lambda values: masked(values, some=False))


def test_what_an_estimator_returns_may_not_be_masked():
    class Masked(LogisticRegression):
        def predict_proba(self, X):
            return masked(super().predict_proba(X))

    clf = FixedOffsetClassifier(Masked()).fit(X, LABELS)
    with pytest.raises(ValueError, match="predict_proba of estimator Masked must not hold masked values"):
        clf.predict(X)


MISSING = {
    "None": lambda y: np.array([None, *y[1:]], dtype=object),
    "NaN among names": lambda y: np.array([np.nan, *y[1:]], dtype=object),
    "string": lambda y: pd.Series([None, *y[1:]], dtype="string"),
    "categorical": lambda y: pd.Categorical([None, *y[1:]]),
    "object NA": lambda y: pd.Series([pd.NA, *y[1:]], dtype=object),
    "a list": lambda y: [None, *y[1:].tolist()],
    "pyarrow": lambda y: pytest.importorskip("pyarrow").array([None, *y[1:].tolist()]),
    "polars": lambda y: pytest.importorskip("polars").Series([None, *y[1:].tolist()]),
}
OF_NUMBERS = {
    "boolean": lambda y: pd.Series([None, *(y[1:] == 1)], dtype="boolean"),
    "Int64": lambda y: pd.Series([None, *y[1:]], dtype="Int64"),
    "NaN": lambda y: np.array([np.nan, *y[1:]]),
    "days": lambda y: np.array(["NaT", *(np.datetime64("2024-01-01") + y[1:])], dtype="datetime64[D]"),
    "categories of numbers": lambda y: pd.Categorical([None, *y[1:]]),
}
FORMS = {**{name: (form, NAMED) for name, form in MISSING.items()}, **{n: (f, Y) for n, f in OF_NUMBERS.items()}}
MESSAGE = r" must not contain missing values; got (nan|None|<NA>|NaT) in sample 0"


@pytest.mark.parametrize("form", FORMS)
def test_missing_labels_are_refused(form):
    pytest.importorskip("matplotlib").use("agg")
    make, labels = FORMS[form]
    y = make(labels)
    tuner = OffsetTuner("f1", **CHEAP).fit(PROBA, labels)
    for call in (
        lambda: OffsetTuner("f1", **CHEAP).fit(PROBA, y),
        lambda: OffsetTuner("f1", **CHEAP).fit(PROBA, y, classes=np.unique(labels)),
        lambda: imbalance_curve(PROBA, y, points=2),
        lambda: displays().ClassProfileDisplay.from_estimator(tuner, PROBA, y),
        lambda: imbalance_state(PROBA, y=y, class_balanced=True),
        lambda: TunedOffsetClassifierCV(LogisticRegression(), cv=2).fit(TWO, y),
        lambda: FixedOffsetClassifier(LogisticRegression()).fit(TWO, y),
    ):
        with pytest.raises(ValueError, match=f"^y{MESSAGE}"):
            call()
    for call in (
        lambda: geometric_mean_score(y, labels),
        lambda: imbalance_degree_score(y, PROBA, soft=True),
        lambda: displays().ThresholdCurveDisplay.from_predictions(y, PROBA),
    ):
        with pytest.raises(ValueError, match=f"^y_true{MESSAGE}"):
            call()
    with pytest.raises(ValueError, match=f"^y_pred{MESSAGE}"):
        geometric_mean_score(labels, y)


def test_retune_refuses_missing_labels():
    clf = TunedOffsetClassifierCV(LogisticRegression(), cv=2).fit(X, np.array(["a", "b"])[LABELS])
    y = pd.Series(np.array(["a", "b"])[LABELS], dtype="string")
    y[3] = pd.NA
    with pytest.raises(ValueError, match="y must not contain missing values; got <NA> in sample 3"):
        clf.retune(X, y)


def test_missing_entries_of_an_indicator_are_refused():
    frame = pd.DataFrame(SEVERAL, dtype="Int64")
    frame.iloc[2, 1] = pd.NA
    for y in (frame, frame.astype(object), np.where(np.arange(36).reshape(12, 3) == 7, np.nan, SEVERAL)):
        with pytest.raises(ValueError, match=r"y must not contain missing values; got (nan|<NA>) in sample 2"):
            OffsetTuner("f1_macro", **CHEAP).fit(SEVERAL * 0.5 + 0.2, y)


@pytest.mark.parametrize("value", [pd.NA, np.nan, pd.NaT])
def test_a_missing_value_is_no_class(value):
    with pytest.raises(ValueError, match=r"pos_label=.* is not a class"):
        fit(pos_label=value)
    with pytest.raises(ValueError, match=r"label=.* is not a class"):
        fit(constraints=[AtLeast("recall", 0.5, label=value)])
    with pytest.raises(ValueError, match=r"class_prior=.* is not a class"):
        fit(class_prior={0: 0.5, value: 0.5})
    with pytest.raises(ValueError, match="classes must not contain missing values"):
        fit(classes=[0, value])


@pytest.mark.parametrize("form", ["string", "categorical", "boolean", "Int64", "object"])
def test_labels_of_types_that_know_missing_values_are_taken(form):
    labels = Y if form == "Int64" else Y == 1 if form == "boolean" else NAMED
    y = pd.Series(labels).astype("category" if form == "categorical" else form)
    expected = OffsetTuner("f1", **CHEAP).fit(PROBA, labels)
    found = OffsetTuner("f1", **CHEAP).fit(PROBA, y)
    assert found.classes_.tolist() == expected.classes_.tolist()
    np.testing.assert_array_equal(found.offsets_, expected.offsets_)


def test_classes_may_be_days():
    days = pd.to_datetime(["2024-01-01", "2024-01-02"])
    y = days[Y]
    expected = OffsetTuner("f1", **CHEAP).fit(PROBA, Y).offsets_
    for classes in (None, days, list(days), days.to_numpy()):
        found = OffsetTuner("f1", pos_label=days[1], **CHEAP).fit(PROBA, y, classes=classes)
        np.testing.assert_array_equal(found.offsets_, expected)


def test_chunks_with_missing_values_are_refused():
    da = pytest.importorskip("dask.array")
    chunks = da.from_array(PROBA, chunks=6)
    with pytest.raises(ValueError, match="y must not contain missing values"):
        OffsetTuner("f1").fit(chunks, np.where(Y == 0, np.nan, Y))
    with pytest.raises(ValueError, match="scores must not hold masked values"):
        OffsetTuner("f1").fit(da.ma.masked_array(chunks, mask=np.arange(12) == 1), Y)
