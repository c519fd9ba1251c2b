"""Errors, warnings and notes name what the caller has, and show values as a user writes them."""

import inspect
import re
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from support.effort import crossed, thinned

from skimbalance import FixedOffsetClassifier, OffsetTuner, TunedOffsetClassifierCV, imbalance_curve
from skimbalance.exceptions import UnreachableGoalWarning
from skimbalance.goals import AtLeast, AtMost, ImbalanceState, Near
from skimbalance.scorers import imbalance_state_scorer

X = np.random.default_rng(0).normal(size=(90, 2))
NAMES = np.array(["a", "b", "c"])
Y = NAMES[(X[:, 0] > -0.3).astype(int) + (X[:, 0] > 0.4)]


class Says(ClassifierMixin, BaseEstimator):
    """A classifier that says whatever it is told to, from the second time on that it is asked if `late`."""

    def __init__(self, method="predict_proba", samples=None, late=False):
        self.method, self.samples, self.late = method, samples, late

    def fit(self, X, y):
        self.classes_, self.asked_ = np.unique(y), 0
        return self

    def __getattr__(self, name):
        if name == self.__dict__.get("method"):
            return self._answer
        raise AttributeError(name)

    def _answer(self, X):
        self.asked_ += 1
        good = np.random.default_rng(0).dirichlet(np.ones(3), size=len(X))
        return good if self.late and self.asked_ < 2 else np.tile(self.samples, (len(X), 1))


WRONG = {
    "NaN": ("predict_proba", [np.nan, 0.5, 0.5], "got NaN"),
    "margins": ("predict_proba", [-2.0, 1.0, 2.0], r"got values from -2 to 2, with sums of rows from 1 to 1"),
    "one against the rest": ("predict_proba", [0.9, 0.8, 0.1], r"sums of rows from 1\.8 to 1\.8"),
    "infinite margins": ("decision_function", [np.inf, 0.0, 1.0], "got values from 0 to inf"),
}
ASKED = {
    "fit": lambda clf: clf.fit(X, Y),
    "predict": lambda clf: clf.fit(X, Y).predict(X),
    "retune": lambda clf: clf.fit(X, Y).retune(X, Y),
    "adapt_to": lambda clf: clf.fit(X, Y).adapt_to(X),
}


@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.SkimbalanceWarning")
@pytest.mark.parametrize(("wrong", "asked"), crossed(list(WRONG), list(ASKED)))
def test_what_a_classifier_says_is_blamed_on_the_classifier(wrong, asked):
    method, samples, got = WRONG[wrong]
    model = Says(method, samples, late=asked != "fit").fit(X, Y)
    clf = TunedOffsetClassifierCV(model, cv="prefit", estimate="empirical", objective="accuracy")
    with pytest.raises(ValueError, match=rf"^{method} of estimator Says must return .*{got}") as caught:
        ASKED[asked](clf)
    assert "scores" not in str(caught.value)
    assert "kind=" not in str(caught.value)


def test_multilabel_too_and_for_the_fixed_classifier_and_the_scorer():
    method, samples, _ = WRONG["margins"]
    model = Says(method, samples).fit(X, Y)
    indicator = np.eye(3, dtype=int)[np.searchsorted(NAMES, Y)]
    for call in (
        lambda: TunedOffsetClassifierCV(model, cv="prefit").fit(X, indicator),
        lambda: FixedOffsetClassifier(model).fit(X, Y).predict(X),
        lambda: imbalance_state_scorer(model, X),
    ):
        with pytest.raises(ValueError, match=r"^predict_proba of estimator Says must return probabilities"):
            call()


@pytest.mark.parametrize(
    "fit",
    [
        lambda goal: OffsetTuner(constraints=[goal], kind="logits").fit(np.eye(3)[np.searchsorted(NAMES, Y)], Y),
        lambda goal: TunedOffsetClassifierCV(LogisticRegression(), constraints=[goal]).fit(X, Y),
        lambda goal: TunedOffsetClassifierCV(LogisticRegression().fit(X, Y), cv="prefit", constraints=[goal]).fit(X, Y),
    ],
)
def test_a_constraint_on_one_class_of_several_asks_for_its_label(fit):
    with pytest.raises(ValueError, match=r"constraint on 'recall' .*y holds 3") as caught:
        fit(AtLeast("recall", 0.9))
    advice = "name it by label=, one of ['a', 'b', 'c'], as in AtLeast('recall', 0.9, label='a')"
    assert advice in str(caught.value)
    assert "objective" not in str(caught.value)


def test_the_error_for_a_binary_metric_names_its_argument():
    scores = np.random.default_rng(0).dirichlet(np.ones(3), size=len(Y))
    with pytest.raises(ValueError, match=r"^metrics 'f1' is binary; y holds 3"):
        imbalance_curve(scores, Y, metrics=["f1"])
    with pytest.raises(ValueError, match=r"^metrics='f11' is not a known metric"):
        imbalance_curve(scores, Y, metrics=["f11"])
    with pytest.raises(ValueError, match=r"^objective 'f1' is binary; y holds 3"):
        OffsetTuner("f1").fit(scores, Y)


def test_displays_name_their_own_arguments():
    plotting = pytest.importorskip("skimbalance.plotting", exc_type=ImportError)
    from_predictions = plotting.ThresholdCurveDisplay.from_predictions
    with pytest.raises(ValueError, match=r"^y_score must not contain NaN"):
        from_predictions(["a", "b"], [np.nan, 0.5])
    with pytest.raises(ValueError, match="y_score has 3, y_true has 2"):
        from_predictions(["a", "b"], [0.1, 0.2, 0.5])
    with pytest.raises(ValueError, match=r"^y_true must not contain missing values; got nan in sample 1"):
        plotting.ImbalanceCurveDisplay.from_predictions([0.0, np.nan], [0.1, 0.2])
    clf = TunedOffsetClassifierCV(LogisticRegression(), cv=2, objective="accuracy", estimate="plugin").fit(X, Y)
    with pytest.raises(ValueError, match="X has 90, y has 89"):
        plotting.ClassProfileDisplay.from_estimator(clf, X, Y[1:])


def test_retune_compares_the_samples_of_X_and_y():
    clf = TunedOffsetClassifierCV(LogisticRegression(), cv=2, objective="accuracy", estimate="plugin").fit(X, Y)
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[90, 89\]"):
        clf.retune(X, Y[1:])
    with pytest.raises(ValueError, match=r"^adapt_to needs at least 10 samples .*got 9"):
        clf.adapt_to(X[:9])


def two(n_samples=60):
    """Probabilities of a model of some skill, and labels, of which few are 1."""
    rng = np.random.default_rng(0)
    y = (np.arange(n_samples) % 4 == 0).astype(int)
    return 1 / (1 + np.exp(1 - 2 * y - rng.normal(size=n_samples))), y


class TestOutOfReach:
    def said(self, objective, constraints, *, kind="proba", data=None):
        scores, y = two() if data is None else data
        with pytest.warns(UnreachableGoalWarning) as caught:
            OffsetTuner(objective, constraints=constraints, estimate="empirical", kind=kind).fit(scores, y)
        return str(next(each.message for each in caught if each.category is UnreachableGoalWarning))

    def test_with_a_confidence_the_message_has_what_it_needs(self):
        said = self.said("precision", [AtLeast("recall", 0.99, confidence=0.95)])
        assert said.startswith(
            "No offsets satisfy the constraint on unseen data with the requested confidence, "
            "though some do on these samples: "
            "recall at least 0.99 with confidence 0.95 needs 299 samples of 1, there are 15; these suffice for 0.819. "
        )
        assert "Use more samples or a lower confidence." in said

    def test_for_a_metric_without_a_test_the_message_has_what_it_needs_on_these_samples(self):
        said = self.said("precision", [AtLeast("balanced_accuracy", 0.84, confidence=0.9999)])
        assert said.startswith(
            "No offsets satisfy the constraint on unseen data with the requested confidence, "
            "though some do on these samples: "
            "balanced_accuracy at least 0.84 with confidence 0.9999 needs at least 1."
        )
        assert re.search(
            r"needs at least 1\.\d+, beyond any value it can take, on these samples, achievable from 0\.5 to 0\.\d+\.",
            said,
        )
        assert "Use more samples or a lower confidence." in said

    def test_in_sample_the_message_has_the_best_achievable_value(self):
        said = self.said("accuracy", [AtLeast("accuracy", 0.99)])
        found = re.match(
            r"No offsets satisfy the constraint on these samples: accuracy at least 0\.99, achievable from "
            r"0\.25 to (0\.\d+)\. Those that miss by the least are used\.",
            said,
        )
        assert float(found.group(1)) < 0.99

    def test_constraints_that_exclude_each_other(self):
        said = self.said("accuracy", [AtLeast("recall", 0.9), AtMost("recall", 0.5)])
        assert said.startswith(
            "No offsets satisfy all constraints together on these samples: recall at least 0.9, achievable from 0 "
            "to 1; recall at most 0.5, achievable from 0 to 1; the bounds exclude each other."
        )

    def test_no_value_between_bounds(self):
        said = self.said("accuracy", [Near("recall", 0.5, tol=0.001)], data=([0.1, 0.2, 0.9, 0.9], [0, 0, 1, 1]))
        assert "achievable from 0 to 1; there is no value between these bounds." in said


LABELS = {
    "strings": np.array(["a", "b", "c"]),
    "objects": np.array([np.str_("a"), np.str_("b"), np.str_("c")], dtype=object),
    "integers": np.array([3, 5, 8], dtype=np.int64),
    "days": np.array(["2020-01-01", "2020-01-02", "2020-01-03"], dtype="datetime64[D]"),
    "nanoseconds": np.array(["2020-01-01", "2020-01-02", "2020-01-03"], dtype="datetime64[ns]"),
    "booleans": np.array([False, True]),
}


def everything_said(labels):
    """Return all that is said of fits with these labels: errors, warnings, notes and reports."""
    rng = np.random.default_rng(0)
    n_classes = len(labels)
    codes = np.repeat(np.arange(n_classes), [40, 20, 5][:n_classes])
    scores = rng.normal(size=(len(codes), n_classes)) + np.eye(n_classes)[codes]
    one, y = labels[-1], labels[codes]
    said = []

    def heard(call):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                tuner = call()
            except (TypeError, ValueError) as error:
                said.append(str(error))
            else:
                said.extend([*tuner.notes_, str(tuner.report()), tuner.report()._repr_html_()])
        said.extend(str(each.message) for each in caught)

    def fit(scores=scores, y=y, classes=labels, **parameters):
        parameters = {"estimate": "plugin", "objective": "accuracy", **parameters}
        return OffsetTuner(kind="logits", **parameters).fit(scores, y, classes=classes)

    goals = [AtLeast("recall", 0.999, label=one, confidence=0.9), AtLeast("precision", 0.99, label=one)]
    heard(lambda: fit(constraints=goals))
    heard(lambda: fit(constraints=[AtLeast("recall", 0.9)]))
    heard(lambda: fit(constraints=[AtLeast("accuracy", 0.9, label=one)]))
    heard(lambda: fit(constraints=[AtLeast("recall", 0.9, label=np.str_("zebra"))]))
    heard(lambda: fit(pos_label=np.str_("zebra")))
    heard(lambda: fit(pos_label=labels[:1]))
    heard(lambda: fit(class_prior={one: np.float64(0.5)}))
    heard(lambda: fit(objective=ImbalanceState(dict.fromkeys(labels, 1 / n_classes))))
    heard(lambda: fit(objective=ImbalanceState(dict.fromkeys(labels, np.float64(1 / n_classes)))))
    heard(lambda: fit(objective=ImbalanceState("prior"), y=np.where(codes == 0, labels[0], labels[1])))
    heard(lambda: fit(y=np.where(codes == 0, labels[0], labels[1])))
    heard(lambda: fit(y=labels[0 * codes]))
    heard(lambda: fit(y=labels[0 * codes], classes=None))
    heard(lambda: fit(classes=labels[:-1]))
    heard(lambda: fit(scores=scores[:, :1].repeat(n_classes + 1, axis=1), classes=None))
    heard(lambda: fit(scores=scores[:, ::-1], classes=None))
    heard(lambda: fit().adapt_to(scores))
    heard(lambda: fit().adapt_to(scores[codes == n_classes - 1].repeat(4, axis=0)))
    heard(lambda: fit(y=np.where(codes == 0, labels[0], labels[1])).adapt_to(scores))
    indicator = np.eye(n_classes, dtype=int)[codes] | (rng.random((len(codes), n_classes)) < 0.1)
    heard(lambda: fit(y=indicator, objective="f1_macro", constraints=goals))
    heard(lambda: fit(y=indicator * (np.arange(n_classes) > 0), objective="f1_macro", constraints=goals))
    heard(lambda: fit(y=indicator, objective="f1_macro", pos_label=one))
    heard(lambda: fit(y=indicator, objective="f1_macro", class_prior={one: np.float64(0.5)}))
    for cv in (3, "prefit"):
        half = labels[np.where(codes == 0, 0, 1)]
        model = LogisticRegression().fit(scores, half.astype("U")) if cv == "prefit" else LogisticRegression()
        heard(lambda cv=cv, model=model: TunedOffsetClassifierCV(model, cv=cv).fit(scores, y).tuner_)
    heard(lambda: FixedOffsetClassifier(LogisticRegression()).fit(scores, y, sample_weight=codes != 0))
    heard(lambda: FixedOffsetClassifier(LogisticRegression(), offsets={np.str_("zebra"): 1.0}).fit(scores, y))
    return [each for each in said if each]


@pytest.mark.usefixtures("few_restarts")
@pytest.mark.parametrize("labels", thinned(list(LABELS), quick=3))
def test_labels_are_shown_as_a_user_writes_them(labels):
    said = everything_said(LABELS[labels])
    assert len(said) > 30
    shown = [each for each in said if re.search(r"\bnp\.|numpy\.|\barray\(|\bdatetime\.|\d{17}", each)]
    assert not shown


class TestClassifier:
    def test_what_it_is_advised_to_pass_it_takes(self):
        """Every `argument=` in what is said through the classifier is one of the classifier, its methods or a goal."""
        pairs = [
            {"objective": "f1"},
            {"objective": "roc_auc"},
            {"objective": "accuracy", "constraints": [AtLeast("recall", 0.9)]},
            {"objective": ImbalanceState(0.3)},
            {"pos_label": "z"},
            {"class_prior": {"a": 1.0}},
            {"cv": 5, "refit": False},
            {"objective": "f1_macro", "solver": "coordinate_ascent", "constraints": ["recall"]},
        ]
        owners = [TunedOffsetClassifierCV, TunedOffsetClassifierCV.fit, TunedOffsetClassifierCV.retune, AtLeast]
        known = {"target", *(name for owner in owners for name in inspect.signature(owner).parameters)}
        for parameters in pairs:
            with pytest.raises((TypeError, ValueError)) as caught:
                TunedOffsetClassifierCV(LogisticRegression(), **parameters).fit(X, Y)
            assert set(re.findall(r"(?<![\w.])(\w+)=", str(caught.value))) <= known


@pytest.mark.parametrize(
    ("model", "scale"), [(LinearSVC(), "logistic function of the score"), (LogisticRegression(), "probability")]
)
def test_a_decision_function_is_not_called_a_probability(model, scale):
    y = np.where(Y == "a", "a", "b")
    clf = TunedOffsetClassifierCV(model, cv=2, estimate="plugin").fit(X, y)
    report = str(clf.tuner_.report())
    assert ("probability" in report) == (scale == "probability")
    assert ("logistic function of its score" in report) == (scale != "probability")
    plotting = pytest.importorskip("skimbalance.plotting", exc_type=ImportError)
    display = plotting.ThresholdCurveDisplay.from_estimator(clf, X, y)
    assert display.ax_.get_xlabel() == f"threshold on the {scale} of b"
