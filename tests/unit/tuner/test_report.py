"""What a tuner tells of its fit."""

import json
from functools import partial

import numpy as np
import pytest
from scipy.special import expit
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer, matthews_corrcoef, recall_score

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.exceptions import FewRowsWarning
from skimbalance.goals import AtLeast, ImbalanceState
from skimbalance.metrics import FBeta


def drawn(n_classes, n_samples=200, seed=0):
    """Logits and labels, the first classes the smallest, as strings that HTML has to escape."""
    rng = np.random.default_rng(seed)
    prior = np.arange(1, n_classes + 1)
    codes = np.concatenate([np.arange(n_classes), rng.choice(n_classes, n_samples, p=prior / prior.sum())])
    logits = rng.normal(size=(len(codes), n_classes))
    logits[np.arange(len(codes)), codes] += 2
    return logits, np.array([f"<{c:03d}>" for c in range(n_classes)])[codes]


def fitted(*args, n_classes=3, **options):
    logits, y = drawn(n_classes)
    return OffsetTuner(*args, kind="logits", **options).fit(logits, y)


def test_it_has_the_settings_and_the_result():
    floor = AtLeast("recall", 0.6, confidence=0.8)
    tuner = fitted("f1", n_classes=2, pos_label="<001>", constraints=[floor])
    facts = dict(tuner.report().facts)
    assert facts["Objective"] == "f1"
    assert facts["constraint"] == "recall at least 0.6, with a confidence of 80%"
    assert facts["positive class"] == "<001>"
    low, high = tuner.score_interval_
    assert facts["Expected on unseen data"].startswith(f"{tuner.score_:.4g}, between {low:.4g} and {high:.4g}")
    assert facts["on the samples of the fit"].startswith(f"{tuner.in_sample_score_:.4g}")
    assert facts["without offsets"].startswith(f"{tuner.untuned_score_:.4g}")
    assert facts["Threshold"].startswith(f"{tuner.threshold_:.4g}")


@pytest.mark.parametrize(
    ("objective", "pos_label", "positive"),
    [
        ("balanced_accuracy", None, "<001>"),
        ("f1", "<001>", "<001>"),
        ("f1", "<000>", "<000>"),
        (make_scorer(f1_score, pos_label="<000>"), None, "<000>"),
        (make_scorer(f1_score, pos_label="<001>"), "<001>", "<001>"),
        (partial(f1_score, pos_label="<000>"), None, "<000>"),
        (make_scorer(f1_score, average="macro"), None, "<001>"),
        (make_scorer(matthews_corrcoef), "<000>", "<000>"),
    ],
)
def test_positive_class_and_threshold_are_those_of_the_class_that_was_named(objective, pos_label, positive):
    logits, y = drawn(2)
    proba = expit(logits[:, 1] - logits[:, 0])
    tuner = OffsetTuner(objective, pos_label=pos_label, estimate="plugin", confidence_level=None).fit(proba, y)
    facts = dict(tuner.report().facts)
    assert facts["positive class"] == tuner.pos_label_ == positive
    number, words = facts["Threshold"].split(": ")
    if positive == "<001>":
        assert words == "<001> is predicted where its probability is at least this"
        assert number == f"{tuner.threshold_:.4g}"
        np.testing.assert_array_equal(tuner.predict(proba) == positive, proba >= tuner.threshold_)
    else:
        assert words == "<000> is predicted where its probability is greater"
        assert number == f"{1 - tuner.threshold_:.4g}"
        np.testing.assert_array_equal(tuner.predict(proba) == positive, 1 - proba > 1 - tuner.threshold_)


def test_a_default_of_the_function_names_the_positive_class_where_it_is_a_label():
    logits, y = drawn(2)
    numbers = np.where(y == "<000>", 1, 2)
    tuner = OffsetTuner(f1_score, kind="logits", constraints=[AtLeast("recall", 0.9)]).fit(logits, numbers)
    assert tuner.pos_label_ == 1
    assert f1_score(numbers, tuner.predict(logits)) == pytest.approx(tuner.in_sample_score_)
    assert recall_score(numbers, tuner.predict(logits)) >= 0.9  # the constraint is about the class of the objective


def test_two_positive_classes_are_one_too_many():
    objective = make_scorer(f1_score, pos_label="<000>")
    message = "pos_label='<001>' names another class than the objective, whose own pos_label is '<000>'"
    with pytest.raises(ValueError, match=message):
        fitted(objective, n_classes=2, pos_label="<001>")


def test_the_threshold_on_logits_is_on_their_logistic_function():
    facts = dict(fitted("f1", n_classes=2, pos_label="<001>").report().facts)
    assert facts["Threshold"].endswith(": <001> is predicted where the logistic function of its score is at least this")


def test_each_class_has_a_line_from_the_smallest():
    tuner = fitted("f1_macro")
    profile = tuner.class_profile_
    assert profile.held_out
    lines = tuner.report().classes
    order = np.argsort(profile.support, kind="stable")
    assert [line[0] for line in lines] == tuner.classes_[order].tolist()
    k, line = order[0], lines[0]
    assert line[2] == f"{tuner.offsets_[k]:+.2f}"
    assert line[4] == f"{profile.recall_before[k]:.2f} -> {profile.recall_after[k]:.2f}"
    assert line[5] == f"{profile.precision_before[k]:.2f} -> {profile.precision_after[k]:.2f}"


@pytest.mark.parametrize(
    ("objective", "name"),
    [(FBeta(2.0), "FBeta("), (ImbalanceState("uniform"), "ImbalanceState("), (np.equal, "equal")],
)
def test_objectives_go_by_the_name_that_users_write(objective, name):
    tuner = fitted("f1_macro").set_params(objective=objective)
    assert dict(tuner.report().facts)["Objective"].startswith(name)


def test_the_report_omits_what_was_not_computed():
    report = fitted("f1_macro", estimate="empirical", confidence_level=None).report()
    assert "Expected on unseen data" not in dict(report.facts)
    assert "interval" not in report.header
    assert {len(line) for line in report.classes} == {len(report.header)}
    assert "on the samples of the fit" in report.about


def test_the_report_of_a_state_has_its_distance():
    facts = dict(fitted(ImbalanceState("uniform")).report().facts)
    assert "from the target" in facts["Expected on unseen data"]


def test_text_has_the_smallest_of_many_classes_and_html_has_all():
    with pytest.warns(FewRowsWarning):
        report = fitted("f1_macro", n_classes=40, estimate="plugin").report()
    assert "10 classes with more samples are left out" in " ".join(str(report).split())
    assert report._repr_html_().count("<tr><td>&lt;") == 40
    assert max(map(len, str(report).split("Recall")[0].splitlines())) < 100


def test_notes_stand_at_the_end_and_html_is_escaped():
    tuner = fitted("f1_macro")
    tuner.notes_ = ["A note on <b>."]
    assert str(tuner.report()).endswith("- A note on <b>.")
    assert "<li>A note on &lt;b&gt;.</li>" in tuner.report()._repr_html_()


def test_an_unfitted_tuner_has_none():
    with pytest.raises(NotFittedError):
        OffsetTuner().report()


def test_torch_scores():
    torch = pytest.importorskip("torch")
    logits, y = drawn(3)
    tuner = OffsetTuner("f1_macro", kind="logits").fit(torch.as_tensor(logits), y)
    assert str(tuner.report()) == str(fitted("f1_macro").report())


def assert_strict_json(values):
    """Numbers that JSON lacks raise."""
    assert json.loads(json.dumps(values, allow_nan=False)) == values


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_dictionary_is_json_and_has_the_fitted_values(n_classes, dtype):
    logits, y = drawn(n_classes)
    tuner = OffsetTuner("f1_macro", kind="logits", constraints=[AtLeast("recall", 0.4, label="<001>", confidence=0.8)])
    tuner.fit(logits.astype(dtype), y)
    values = tuner.report().to_dict()
    assert_strict_json(values)
    assert values["scores"] == {
        "score": tuner.score_,
        **dict(zip(("score_low", "score_high"), tuner.score_interval_, strict=True)),
        "in_sample_score": tuner.in_sample_score_,
        "untuned_score": tuner.untuned_score_,
    }
    assert values["classes"] == tuner.classes_.tolist()
    assert np.array_equal(np.asarray(values["offsets"], dtype=dtype), tuner.offsets_)
    assert values["offsets_interval_high"] == tuner.offsets_interval_[1].tolist()
    assert values["threshold"] == getattr(tuner, "threshold_", None)
    for name in ("support", "recall_before", "recall_after", "precision_before", "precision_after"):
        assert values[name] == getattr(tuner.class_profile_, name).tolist()
    assert [each["holds"] for each in values["guarantees"]] == [each.holds for each in tuner.guarantees_]
    assert values["notes"] == tuner.notes_


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 1, 5]),
        np.array([0.5, 1.5, 2.5]),
        np.array(["2020-01-01", "2020-01-02", "2020-01-03"], dtype="datetime64[D]"),
        np.array(["a", "b", "c"], dtype=object),
    ],
)
def test_dictionary_is_json_for_labels_of_any_type(labels):
    logits, y = drawn(3)
    y = labels[np.unique(y, return_inverse=True)[1]]
    values = OffsetTuner("accuracy", kind="logits", confidence_level=None, estimate="plugin").fit(logits, y).report()
    assert_strict_json(values.to_dict())
    assert "score" not in values.to_dict()["scores"]


@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.SkimbalanceWarning")
def test_what_is_not_finite_is_none():
    y = np.array([0, 0, 0, 0, 1, 0, 0, 0] * 5)
    tuner = OffsetTuner("accuracy", estimate="empirical").fit(np.where(y == 1, 0.0, 1.0), y)
    values = tuner.report().to_dict()
    assert tuner.threshold_ == np.inf
    assert values["threshold"] is None
    assert values["precision_after"][1] is None  # the class is never predicted
    assert_strict_json(values)


@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.SkimbalanceWarning")
def test_trackers_get_finite_numbers_alone():
    def precision_or_nan(y_true, y_pred):
        return float(y_true[y_pred == 1].mean()) if y_pred.any() else float("nan")

    rng = np.random.default_rng(0)
    y = (rng.random(200) < 0.3).astype(int)
    proba = 0.2 * y + 0.2 * rng.random(200)
    tuner = OffsetTuner(precision_or_nan, estimate="empirical", confidence_level=None).fit(proba, y)
    assert np.isnan(tuner.untuned_score_)
    scores = tuner.report().to_dict()["scores"]
    assert scores == {"in_sample_score": tuner.in_sample_score_}
    Logger().log_metrics(scores)


def test_dictionary_of_multilabel_targets_states_and_rejection():
    rng = np.random.default_rng(0)
    indicator = rng.random((200, 3)) < 0.3
    tuner = OffsetTuner("f1_macro", kind="logits").fit(rng.normal(size=(200, 3)) + indicator, indicator.astype(int))
    values = tuner.report().to_dict()
    assert values["threshold"] == tuner.threshold_.tolist()
    assert_strict_json(values)
    assert_strict_json(fitted(ImbalanceState("uniform")).report().to_dict())
    assert_strict_json(fitted(FBeta(2.0), n_classes=2, pos_label="<000>").report().to_dict())
    rejecting = fitted("accuracy", reject_label="?", constraints=[AtLeast("coverage", 0.8)])
    assert rejecting.report().to_dict()["scores"]["coverage"] == rejecting.coverage_


def test_dictionary_belongs_to_the_caller():
    report = fitted("f1_macro").report()
    report.to_dict()["scores"].clear()
    assert "score" in report.to_dict()["scores"]


class Logger:
    """A tracker: single numbers by name, and a dictionary as a file."""

    def __init__(self):
        self.metrics, self.files = {}, {}

    def log_metrics(self, metrics):
        assert all(isinstance(name, str) and type(value) is float for name, value in metrics.items())
        self.metrics |= metrics

    def log_dict(self, values, name):
        self.files[name] = json.dumps(values, allow_nan=False)


def test_classifier_is_logged():
    X, y = drawn(2)
    clf = TunedOffsetClassifierCV(LogisticRegression(), objective="f1", pos_label="<000>").fit(X, y)
    assert str(clf.report()) == str(clf.tuner_.report())
    logger, report = Logger(), clf.report().to_dict()
    logger.log_metrics(report["scores"])
    logger.log_dict(report, "offsets.json")
    assert logger.metrics["score"] == clf.score_
    assert json.loads(logger.files["offsets.json"])["offsets"] == clf.offsets_.tolist()
    with pytest.raises(NotFittedError):
        TunedOffsetClassifierCV(LogisticRegression()).report()
