"""Metrics against the threshold: every step, every shade, the mark."""

import numpy as np
import pytest
from scipy.special import logit
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer, matthews_corrcoef, precision_score, recall_score
from support.drawing import several, tuner_of_several, tuner_of_two, two

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.goals import AtLeast, AtMost, Near

pytest.importorskip("matplotlib")

from skimbalance.plotting import ThresholdCurveDisplay

ORACLES = {
    "f1": lambda y, p, w: f1_score(y, p, pos_label="fraud", sample_weight=w, zero_division=0),
    "precision": lambda y, p, w: precision_score(y, p, pos_label="fraud", sample_weight=w, zero_division=0),
    "recall": lambda y, p, w: recall_score(y, p, pos_label="fraud", sample_weight=w, zero_division=0),
    "false_positive_rate": lambda y, p, w: 1 - recall_score(y, p, pos_label="fine", sample_weight=w),
    "matthews_corrcoef": lambda y, p, w: matthews_corrcoef(y, p, sample_weight=w),
}


def between(thresholds):
    """Return a threshold within each step."""
    edges = np.append(np.maximum(thresholds, -1.0), 1.0)
    return (edges[1:] + edges[:-1]) / 2


def decided(proba, threshold):
    return np.where(proba >= threshold, "fraud", "fine")


def recall_of_fine(y_true, y_pred):
    return recall_score(y_true, y_pred, pos_label="fine")


class TestCurves:
    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("decimals", [None, 1])
    def test_every_step_is_what_a_loop_finds(self, weighted, decimals):
        proba, y = two(n_samples=80)
        proba = proba if decimals is None else proba.round(decimals)
        weights = np.random.default_rng(0).random(len(y)) + 0.1 if weighted else None
        display = ThresholdCurveDisplay.from_predictions(y, proba, metrics=list(ORACLES), sample_weight=weights)
        thresholds = display.curve.thresholds
        np.testing.assert_allclose(thresholds, [-np.inf, *np.unique(proba)], atol=1e-12)
        for name, line in zip(ORACLES, display.lines_, strict=True):
            assert line.get_label() == name
            assert line.get_drawstyle() == "steps-post"
            x, drawn = line.get_data()
            np.testing.assert_array_equal(x, [0.0, *thresholds[1:], 1.0])
            slow = [ORACLES[name](y, decided(proba, threshold), weights) for threshold in between(thresholds)]
            np.testing.assert_allclose(drawn[:-1], slow, atol=1e-12)

    @pytest.mark.parametrize("decimals", [None, 1])
    def test_scikit_learn_has_the_same_values_in_the_opposite_order(self, decimals):
        metric_at_thresholds = getattr(metrics, "metric_at_thresholds", None)
        if metric_at_thresholds is None:
            pytest.skip("since scikit-learn 1.9")
        proba, y = two(n_samples=80)
        proba = proba if decimals is None else proba.round(decimals)
        curve = ThresholdCurveDisplay.from_predictions(y, proba, metrics=["f1"]).curve
        values, thresholds = metric_at_thresholds(y == "fraud", proba, f1_score)
        np.testing.assert_allclose(curve.thresholds[:0:-1], thresholds, rtol=1e-12)
        np.testing.assert_allclose(curve.values["f1"][-2::-1], values, rtol=1e-12)
        np.testing.assert_allclose([curve.at(each)["f1"] for each in thresholds], values, rtol=1e-12)

    def test_of_many_cuts_some_are_drawn_and_the_best_among_them(self):
        proba, y = two(n_samples=20_000)
        display = ThresholdCurveDisplay.from_predictions(y, proba, metrics=["f1", "false_positive_rate"], threshold=0.3)
        assert 1000 < len(display.curve.thresholds) < 2500
        best = OffsetTuner("f1", estimate="empirical", confidence_level=None).fit(proba, y)
        assert display.curve.values["f1"].max() == pytest.approx(best.in_sample_score_, abs=1e-12)
        for line, mark in zip(display.lines_, display.chosen_, strict=True):
            slow = ORACLES[line.get_label()](y, decided(proba, 0.3), None)
            assert mark.get_ydata()[0] == pytest.approx(slow, abs=1e-12)
        some = np.random.default_rng(0).choice(len(display.curve.thresholds) - 1, 30)
        for place in some:  # each is exact where it starts
            start, stop = display.curve.thresholds[[place, place + 1]]
            here = np.append(np.sort(proba), 1.0)
            within = (start + min(here[np.searchsorted(here, start + 1e-12)], stop)) / 2
            slow = f1_score(y, decided(proba, within), pos_label="fraud")
            assert display.curve.values["f1"][place] == pytest.approx(slow, abs=1e-12)

    def test_a_custom_metric(self):
        proba, y = two(n_samples=60)
        own = ThresholdCurveDisplay.from_predictions(y, proba, metrics=[jaccard])
        named = ThresholdCurveDisplay.from_predictions(y, proba, metrics=["jaccard"])
        np.testing.assert_allclose(own.lines_[0].get_ydata(), named.lines_[0].get_ydata())

    @pytest.mark.parametrize("metrics", [["recall"], [recall_of_fine]])
    def test_the_threshold_is_on_the_probability_of_pos_label(self, metrics):
        proba, y = two(n_samples=60)
        other = ThresholdCurveDisplay.from_predictions(y, proba, metrics=metrics, pos_label="fine", threshold=0.8)
        thresholds = other.curve.thresholds
        np.testing.assert_array_equal(thresholds, [-np.inf, *np.unique(1 - proba)])
        slow = [recall_of_fine(y, np.where(1 - proba > t, "fine", "fraud")) for t in between(thresholds)]
        np.testing.assert_allclose(other.lines_[0].get_ydata()[:-1], slow)
        assert other.ax_.get_xlabel() == "threshold on the probability of fine"
        assert other.chosen_[0].get_ydata()[0] == recall_of_fine(y, np.where(1 - proba > 0.8, "fine", "fraud"))
        named = ThresholdCurveDisplay.from_predictions(y, proba, pos_label="fraud")
        assert named.ax_.get_xlabel() == "threshold on the probability of fraud"

    def test_kinds_and_columns_agree(self):
        proba, y = two(n_samples=60)
        drawn = [
            ThresholdCurveDisplay.from_predictions(y, scores, kind=kind).lines_[0].get_xydata()
            for scores, kind in (
                (proba, "proba"),
                (np.column_stack([1 - proba, proba]), "proba"),
                (np.log(proba), "log_proba"),
                (logit(proba), "logits"),
            )
        ]
        for other in drawn[1:]:
            np.testing.assert_allclose(other, drawn[0], atol=1e-12)


def jaccard(y_true, y_pred, *, sample_weight):
    hits = sample_weight[(y_true == "fraud") & (y_pred == "fraud")].sum()
    return hits / sample_weight[(y_true == "fraud") | (y_pred == "fraud")].sum()


class TestShades:
    @pytest.mark.parametrize(
        ("constraint", "name", "meets"),
        [
            (AtLeast("recall", 0.6), "recall", lambda value: value >= 0.6),
            (AtMost("false_positive_rate", 0.2), "false_positive_rate", lambda value: value <= 0.2),
            (Near("precision", 0.5, tol=0.1), "precision", lambda value: abs(value - 0.5) <= 0.1),
            (AtLeast("recall", 0.0), "recall", lambda value: value >= 0),
            (AtLeast("recall", 2.0), "recall", lambda value: value > 1),
        ],
    )
    def test_they_cover_what_violates_and_nothing_else(self, constraint, name, meets):
        proba, y = two(n_samples=100)
        display = ThresholdCurveDisplay.from_predictions(y, proba, constraints=[constraint])
        spans = [shade.get_path().get_extents(shade.get_patch_transform()).intervalx for shade in display.shades_]
        for threshold in between(display.curve.thresholds):
            shaded = any(start <= max(threshold, 0.0) <= stop for start, stop in spans)
            assert shaded != meets(ORACLES[name](y, decided(proba, threshold), None))
        labels = [text.get_text() for text in display.legend_.get_texts()]
        assert labels.count(f"violated: {constraint}") == (len(spans) > 0)

    def test_the_constraints_of_the_tuner_are_taken(self):
        display = ThresholdCurveDisplay.from_estimator(tuner_of_two(), *two())
        assert list(display.curve.violations) == ["recall at least 0.6"]
        assert ThresholdCurveDisplay.from_estimator(tuner_of_two(), *two(), constraints=()).shades_ == []

    def test_they_are_exact_where_cuts_are_thinned(self):
        proba, y = two(n_samples=20_000)
        shown = ThresholdCurveDisplay.from_predictions(y, proba, constraints=[AtLeast("recall", 0.7)])
        edge = shown.curve.violations["recall at least 0.7"][0, 0]
        around = [ORACLES["recall"](y, decided(proba, edge + step), None) for step in (-1e-9, 1e-9)]
        assert around[0] >= 0.7 > around[1]


class TestMarks:
    def test_the_chosen_threshold_and_its_interval(self):
        tuner = tuner_of_two()
        display = ThresholdCurveDisplay.from_estimator(tuner, *two(seed=1))
        assert display.threshold_.get_xdata()[0] == tuner.threshold_
        low, high = tuner.offsets_interval_
        width = (high - low)[0]
        ends = logit(display.interval_.get_xdata())
        np.testing.assert_allclose(ends, logit(tuner.threshold_) + np.array([-width, width]), atol=1e-9)
        proba, y = two(seed=1)
        for name, mark in zip(("f1", "precision", "recall"), display.chosen_, strict=True):
            assert mark.get_xdata()[0] == tuner.threshold_
            assert mark.get_ydata()[0] == pytest.approx(ORACLES[name](y, tuner.predict(proba), None))

    def test_without_an_interval_none_is_drawn(self):
        tuner = OffsetTuner("f1", estimate="plugin", confidence_level=None).fit(*two())
        display = ThresholdCurveDisplay.from_estimator(tuner, *two())
        assert display.interval_ is None
        assert display.threshold_ is not None
        assert ThresholdCurveDisplay.from_predictions(*reversed(two())).threshold_ is None

    def test_a_classifier_gives_its_own_scores(self):
        rng = np.random.default_rng(0)
        y = (rng.random(300) < 0.2).astype(int)
        X = rng.normal(size=(300, 2)) + y[:, None]
        classifier = TunedOffsetClassifierCV(LogisticRegression(), objective="f1", estimate="plugin").fit(X, y)
        display = ThresholdCurveDisplay.from_estimator(classifier, X, y)
        proba = classifier.estimator_.predict_proba(X)[:, 1]
        np.testing.assert_allclose(display.curve.thresholds[1:], np.unique(proba))
        assert display.threshold_.get_xdata()[0] == classifier.threshold_

    @pytest.mark.parametrize("threshold", [0.0, 0.1, 0.3, 0.5, 0.6, 1.0])
    def test_ties_with_the_threshold_are_predicted_as_the_second_class(self, threshold):
        proba, y = two()
        proba = proba.round(1)
        for label, predicted in (
            ("fraud", decided(proba, threshold)),
            ("fine", np.where(1 - proba > threshold, "fine", "fraud")),
        ):
            display = ThresholdCurveDisplay.from_predictions(y, proba, threshold=threshold, pos_label=label)
            slow = recall_score(y, predicted, pos_label=label)
            assert display.chosen_[2].get_ydata()[0] == pytest.approx(slow)

    @pytest.mark.parametrize("of_a_scorer", [False, True])
    def test_the_chosen_threshold_of_a_positive_class_that_is_the_first_label(self, of_a_scorer):
        proba, y = two()
        named = {"objective": make_scorer(f1_score, pos_label="fine")} if of_a_scorer else {"pos_label": "fine"}
        tuner = OffsetTuner(**{"objective": "f1", **named}, n_bootstraps=3).fit(proba, y)
        display = ThresholdCurveDisplay.from_estimator(tuner, proba, y)
        predicted = tuner.predict(proba)
        np.testing.assert_array_equal(predicted == "fine", 1 - proba > 1 - tuner.threshold_)
        assert display.threshold_.get_xdata()[0] == 1 - tuner.threshold_
        assert display.ax_.get_xlabel() == "threshold on the probability of fine"
        low, high = display.interval_.get_xdata()
        assert low < 1 - tuner.threshold_ < high
        _, precision, recall = (mark.get_ydata()[0] for mark in display.chosen_)
        assert recall == pytest.approx(recall_of_fine(y, predicted))
        assert precision == pytest.approx(precision_score(y, predicted, pos_label="fine"))

    def test_a_threshold_above_all_probabilities(self):
        proba, y = two()
        display = ThresholdCurveDisplay.from_predictions(y, proba, threshold=np.inf)
        assert display.threshold_.get_xdata()[0] == 1
        assert display.chosen_[2].get_ydata()[0] == 0  # recall

    def test_a_threshold_below_zero_is_drawn_at_zero(self):
        display = ThresholdCurveDisplay.from_predictions(*reversed(two()), threshold=-np.inf)
        assert display.threshold_.get_xdata()[0] == 0
        assert display.chosen_[2].get_ydata()[0] == 1  # recall

    def test_logit_scale_has_probabilities_at_its_ticks(self):
        proba, y = two()
        display = ThresholdCurveDisplay.from_predictions(y, proba**4, threshold=0.01).plot(scale="logit")
        assert display.ax_.get_xscale() == "logit"
        labels = [label.get_text() for label in display.ax_.get_xticklabels()]
        assert "0.5" in labels
        assert "0.01" in labels
        assert len(labels) <= 9
        np.testing.assert_allclose(display.ax_.get_xticks(), [float(label) for label in labels], rtol=1e-4)
        assert np.isfinite(display.lines_[0].get_xdata()).all()
        display.figure_.canvas.draw()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_score": several()[0], "y_true": several()[1]}, "y_score must be binary.*got 4"),
        ({"y_true": ["a", "b", "c", "d"] * 100}, "y_true must be binary.*got 4"),
        ({"kind": "scores"}, "kind must be one of proba"),
        ({"threshold": 2.0}, "threshold must be a probability; got 2.0"),
        ({"metrics": ["f11"]}, "metrics='f11' is not a known metric"),
        ({"scale": "log"}, "scale must be 'probability' or 'logit'; got 'log'"),
        ({"sample_weight": [1.0]}, "sample_weight must have shape"),
    ],
)
def test_hostile_arguments(change, message):
    proba, y = two()
    with pytest.raises(ValueError, match=message):
        ThresholdCurveDisplay.from_predictions(**{"y_true": y, "y_score": proba, **change})


def test_multiclass_targets_have_no_threshold():
    with pytest.raises(ValueError, match=r"estimator must be binary.*got 4\. ImbalanceCurveDisplay"):
        ThresholdCurveDisplay.from_estimator(tuner_of_several(), *several())
