"""Metrics along the path: curves, and where the marks stand."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score
from support.drawing import several, tuner_of_several, tuner_of_two, two

from skimbalance import OffsetTuner, imbalance_curve
from skimbalance.goals import ImbalanceState
from skimbalance.metrics import imbalance_degree_score

pytest.importorskip("matplotlib")

from skimbalance.plotting import ImbalanceCurveDisplay

SCORES = {
    "f1_macro": lambda y, predicted: f1_score(y, predicted, average="macro"),
    "balanced_accuracy": balanced_accuracy_score,
}


class TestCurves:
    @pytest.mark.parametrize("along", ["prior", "state"])
    @pytest.mark.parametrize("x", ["degree", "tau"])
    def test_they_are_those_of_imbalance_curve(self, along, x):
        proba, y = several()
        display = ImbalanceCurveDisplay.from_predictions(y, proba, along=along, points=7, x=x)
        curve = imbalance_curve(proba, y, along=along, points=7)
        for line in display.lines_:
            np.testing.assert_allclose(line.get_xdata(), getattr(curve, x))
            np.testing.assert_allclose(line.get_ydata(), curve.values[line.get_label()])
        assert (display.chosen_, display.untuned_, display.expected_) == ([], [], None)

    def test_the_objective_comes_first_and_nothing_twice(self):
        drawn = ImbalanceCurveDisplay.from_estimator(tuner_of_two(), *two(), points=3)
        assert [line.get_label() for line in drawn.lines_] == ["f1", "balanced_accuracy", "f1_macro"]
        drawn = ImbalanceCurveDisplay.from_estimator(tuner_of_several(), *several(), points=3)
        assert [line.get_label() for line in drawn.lines_] == ["f1_macro", "balanced_accuracy"]
        drawn = ImbalanceCurveDisplay.from_estimator(tuner_of_several(), *several(), points=3, metrics="accuracy")
        assert [line.get_label() for line in drawn.lines_] == ["accuracy"]

    def test_the_axis_label_explains_directions(self):
        display = ImbalanceCurveDisplay.from_predictions(*reversed(two()), points=5)
        curve = display.curve
        assert curve.degree[0] > curve.degree[-1]  # smaller degrees are nearer to the rare classes
        label = display.ax_.get_xlabel()
        assert label.index("towards minority") < label.index("towards majority")
        label = display.plot(x="tau").ax_.get_xlabel()
        assert label.index("towards majority") < label.index("towards minority")


class TestMarks:
    @pytest.mark.parametrize("along", ["prior", "state"])
    def test_marks_are_at_the_degree_and_the_value_of_their_decisions(self, along):
        tuner, (proba, y) = tuner_of_several(), several(seed=1)
        display = ImbalanceCurveDisplay.from_estimator(tuner, proba, y, along=along, points=9)
        for marks, predicted in ((display.chosen_, tuner.predict(proba)), (display.untuned_, proba.argmax(1))):
            for line, mark in zip(display.lines_, marks, strict=True):
                assert mark.get_xdata()[0] == pytest.approx(imbalance_degree_score(y, predicted))
                assert mark.get_ydata()[0] == pytest.approx(SCORES[line.get_label()](y, predicted))

    def test_on_tau_marks_are_where_the_path_has_their_degree(self):
        tuner, (proba, y) = tuner_of_two(), two(seed=1)
        display = ImbalanceCurveDisplay.from_estimator(tuner, proba, y, x="tau", points=np.linspace(-0.5, 2, 2001))
        curve, tau = display.curve, display.chosen_[0].get_xdata()[0]
        assert np.interp(tau, curve.tau, curve.degree) == pytest.approx(display.chosen.degree, abs=0.02)
        here = np.interp(tau, curve.tau, curve.values["balanced_accuracy"])  # two classes: the path has all decisions
        assert here == pytest.approx(display.chosen.values["balanced_accuracy"], abs=0.02)
        assert display.untuned_[0].get_xdata()[0] == pytest.approx(0, abs=1e-9)

    def test_the_expected_score_is_drawn_with_its_interval(self):
        tuner = tuner_of_several()
        display = ImbalanceCurveDisplay.from_estimator(tuner, *several(seed=1), points=5)
        mark, caps, (bar,) = display.expected_
        assert mark.get_ydata()[0] == tuner.score_
        assert mark.get_xdata()[0] == pytest.approx(display.chosen.degree)
        np.testing.assert_allclose(np.asarray(bar.get_segments())[0][:, 1], tuner.score_interval_)
        assert len(caps) == 2
        text = " ".join(text.get_text() for text in display.legend_.get_texts())
        assert "f1_macro expected\non unseen data, 90% interval" in text

    def test_without_a_score_nothing_is_expected(self):
        tuner = OffsetTuner("f1", estimate="plugin", confidence_level=None).fit(*two())
        assert ImbalanceCurveDisplay.from_estimator(tuner, *two(), points=3).expected_ is None
        drawn = ImbalanceCurveDisplay.from_estimator(tuner_of_two(), *two(), metrics=["accuracy"], points=3)
        assert drawn.expected_ is None
        state = OffsetTuner(ImbalanceState("uniform"), confidence_level=0.9).fit(*two())
        assert ImbalanceCurveDisplay.from_estimator(state, *two(), points=3).expected_ is None

    def test_offsets_of_ones_own_are_marked(self):
        proba, y = two()
        offsets = np.array([-0.4, 0.4])
        display = ImbalanceCurveDisplay.from_predictions(y, proba, offsets=offsets, points=3)
        predicted = np.where(proba > 1 / (1 + np.exp(0.8)), "fraud", "fine")
        assert display.chosen.degree == pytest.approx(imbalance_degree_score(y, predicted))
        assert display.chosen.values["f1_macro"] == pytest.approx(f1_score(y, predicted, average="macro"))

    def test_weights_count(self):
        tuner, (proba, y) = tuner_of_several(), several(seed=1)
        times = np.random.default_rng(0).integers(1, 4, len(y))
        once = ImbalanceCurveDisplay.from_estimator(tuner, proba, y, sample_weight=times, points=3)
        often = ImbalanceCurveDisplay.from_estimator(tuner, proba.repeat(times, 0), y.repeat(times), points=3)
        assert once.chosen.degree == pytest.approx(often.chosen.degree)
        assert once.chosen.values["f1_macro"] == pytest.approx(often.chosen.values["f1_macro"])
        np.testing.assert_allclose(once.curve.degree, often.curve.degree)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": "state"}, "x must be 'degree' or 'tau'; got 'state'"),
        ({"offsets": [1.0, 2.0, 3.0]}, "offsets must be 2 numbers"),
        ({"along": "path"}, "along 'prior' or 'state'"),
        ({"kind": "scores"}, "kind must be one of"),
        ({"points": 0}, "points must be at least one"),
    ],
)
def test_hostile_arguments(change, message):
    proba, y = two()
    with pytest.raises(ValueError, match=message):
        ImbalanceCurveDisplay.from_predictions(y, proba, **{"points": 3, **change})
