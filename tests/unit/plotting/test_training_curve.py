"""Epochs before and after adjustment, and those that are chosen."""

import math

import numpy as np
import pytest
from support.drawing import HISTORY

from skimbalance.metrics import FBeta

pytest.importorskip("matplotlib")

from skimbalance.plotting import TrainingCurveDisplay


def history(name, untuned, tuned):
    return [
        {"epoch": epoch, f"valid_{name}_untuned": before, f"valid_{name}_tuned": after}
        for epoch, (before, after) in enumerate(zip(untuned, tuned, strict=True), start=1)
    ]


class TestWhatIsDrawn:
    def test_curves_are_the_history(self):
        display = TrainingCurveDisplay.from_history(HISTORY)
        np.testing.assert_array_equal(display.untuned_.get_xydata(), [[1, 0.3], [2, 0.4], [3, 0.5]])
        np.testing.assert_array_equal(display.tuned_.get_xydata(), [[1, 0.5], [2, 0.6], [3, 0.55]])

    def test_marks_are_at_the_chosen_epochs(self):
        display = TrainingCurveDisplay.from_history(HISTORY)
        assert [mark.get_xydata().tolist() for mark in display.marks_] == [[[3, 0.5]], [[2, 0.6]]]
        assert (display.best_untuned, display.best_tuned) == (3, 2)
        assert display.ax_.get_ylabel() == "f1_macro on the validation samples"

    def test_the_epoch_that_the_callback_kept_is_the_chosen_one(self):
        rows = [{**row, "valid_f1_macro_tuned_best": row["epoch"] == 3} for row in HISTORY]
        assert TrainingCurveDisplay.from_history(rows).best_tuned == 3

    def test_epochs_without_a_number(self):
        display = TrainingCurveDisplay.from_history(history("f1", [0.1, math.nan, 0.2], [math.nan, math.nan, 0.3]))
        assert (display.best_untuned, display.best_tuned) == (3, 3)
        nothing = TrainingCurveDisplay.from_history(history("f1", [math.nan], [math.nan]))
        assert (nothing.best_untuned, nothing.best_tuned, nothing.marks_) == (None, None, [])

    @pytest.mark.parametrize(
        ("name", "best"), [("f1", 3), ("f2", 3), ("false_positive_rate", 1), ("cost", 1), ("imbalance_degree", 2)]
    )
    def test_the_best_epoch_depends_on_the_metric(self, name, best):
        values = [-0.6, 0.1, 0.9] if name == "imbalance_degree" else [0.1, 0.5, 0.9]
        display = TrainingCurveDisplay.from_history(history(name, values, values))
        assert (display.best_untuned, display.best_tuned) == (best, best)


class TestObjectives:
    BOTH = tuple({**a, **b} for a, b in zip(HISTORY, history("f2", [1, 2, 3], [3, 2, 1]), strict=True))

    def test_one_of_several_is_named(self):
        assert TrainingCurveDisplay.from_history(self.BOTH, objective="f2").best_tuned == 1
        assert TrainingCurveDisplay.from_history(self.BOTH, objective=FBeta(2.0)).objective == "f2"
        with pytest.raises(ValueError, match="several objectives: name one of f1_macro, f2 as objective"):
            TrainingCurveDisplay.from_history(self.BOTH)

    def test_one_that_is_not_there(self):
        with pytest.raises(ValueError, match="objective='f1' is not in the history, which holds f1_macro"):
            TrainingCurveDisplay.from_history(HISTORY, objective="f1")

    @pytest.mark.parametrize("rows", [[], [{"epoch": 1, "valid_loss": 0.1}]])
    def test_a_history_without_any(self, rows):
        with pytest.raises(ValueError, match="history holds no valid_<objective>_untuned"):
            TrainingCurveDisplay.from_history(rows)

    def test_what_has_no_history(self):
        with pytest.raises(TypeError, match="net must be a fitted net of skorch, which has a history; got dict"):
            TrainingCurveDisplay.from_estimator({})


def test_a_net_that_was_trained():
    torch = pytest.importorskip("torch")
    skorch = pytest.importorskip("skorch")
    from skimbalance.callbacks import TunedOffsetCheckpoint

    rng = np.random.default_rng(0)
    y = (rng.random(300) < 0.15).astype(np.int64)
    X = (rng.normal(size=(300, 2)) + y[:, None]).astype(np.float32)
    torch.manual_seed(0)
    net = skorch.NeuralNetClassifier(
        torch.nn.Linear,
        module__in_features=2,
        module__out_features=2,
        criterion=torch.nn.CrossEntropyLoss,
        max_epochs=4,
        verbose=0,
        callbacks=[("best", TunedOffsetCheckpoint("f1"))],
    ).fit(X, y)
    display = TrainingCurveDisplay.from_estimator(net)
    np.testing.assert_array_equal(display.tuned_.get_ydata(), net.history[:, "valid_f1_tuned"])
    np.testing.assert_array_equal(display.untuned_.get_ydata(), net.history[:, "valid_f1_untuned"])
    assert display.best_tuned == dict(net.callbacks_)["best"].best_epoch_
