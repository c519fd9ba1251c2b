"""Offsets, their intervals, and the closed form behind them."""

import numpy as np
import pytest
from support.drawing import several, tuner_of_several, tuner_of_two

from skimbalance import OffsetTuner

pytest.importorskip("matplotlib")

from skimbalance.plotting import OffsetIntervalDisplay


@pytest.mark.parametrize("n_classes", [2, 4, 60])
def test_offsets_and_intervals_are_at_their_values(n_classes):
    tuner = tuner_of_two() if n_classes == 2 else tuner_of_several(n_classes)
    display = OffsetIntervalDisplay.from_estimator(tuner)
    order = np.argsort(-tuner.class_profile_.support, kind="stable")
    upright = n_classes > 40
    along, across = (0, 1) if upright else (1, 0)
    points = display.points_.get_xydata()
    np.testing.assert_array_equal(points[:, along], np.arange(n_classes))
    np.testing.assert_allclose(points[:, across], tuner.offsets_[order])
    segments = np.asarray(display.intervals_.get_segments())
    np.testing.assert_array_equal(segments[:, 0, along], np.arange(n_classes))
    np.testing.assert_allclose(segments[:, :, across].T, tuner.offsets_interval_[:, order])
    display.figure_.canvas.draw()


def test_the_closed_form_and_its_best_multiple():
    support, classes = np.array([5.0, 50.0, 500.0]), np.array(["c", "b", "a"])
    closed = -np.log(support / support.sum())
    closed -= closed.mean()
    offsets = 0.7 * closed + np.array([0.1, -0.2, 0.1])
    display = OffsetIntervalDisplay.from_offsets(offsets + 3, support=support, classes=classes)
    taus = np.linspace(0, 2, 20_001)
    losses = ((offsets - taus[:, None] * closed) ** 2).sum(axis=1)
    assert display.tau == pytest.approx(taus[losses.argmin()], abs=1e-4)
    assert display.taus_ == [0.0, 0.5, 1.0, display.tau]
    for tau, path in zip(display.taus_, display.paths_, strict=True):
        np.testing.assert_allclose(path.get_xdata(), tau * closed[::-1], atol=1e-12)
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["a (500)", "b (50)", "c (5)"]


def test_what_offsets_have_in_common_is_taken_off():
    offsets, interval = np.array([1.0, 2.0, 6.0]), np.array([[0.0, 1.0, 5.0], [2.0, 3.0, 7.0]])
    display = OffsetIntervalDisplay.from_offsets(offsets, interval=interval)
    np.testing.assert_allclose(display.points_.get_xdata(), offsets - 3)
    np.testing.assert_allclose(display.interval, interval - 3)
    assert display.paths_ == []
    assert OffsetIntervalDisplay.from_offsets(offsets).intervals_ is None


def test_classes_without_samples_and_classes_of_equal_size():
    display = OffsetIntervalDisplay.from_offsets([1.0, 0.0, -1.0], support=[1, 3, 0])
    assert np.isnan(display.prior_offsets).tolist() == [False, False, True]
    assert display.tau == pytest.approx(1 / np.log(3))
    assert OffsetIntervalDisplay.from_offsets([1.0, -1.0], support=[4, 4]).paths_ == []


def test_a_tuner_without_intervals():
    tuner = OffsetTuner("f1_macro", estimate="plugin", confidence_level=None).fit(*several())
    with pytest.raises(ValueError, match="estimator has no offsets_interval_, for confidence_level=None computes none"):
        OffsetIntervalDisplay.from_estimator(tuner)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"offsets": 1.0}, r"offsets must have shape \(K,\)"),
        ({"offsets": [np.nan, 1.0]}, "offsets must be finite"),
        ({"interval": [0.0, 1.0]}, r"interval must have shape \(2, 2\)"),
        ({"interval": [[1.0, 1.0], [0.0, 0.0]]}, "the lower ends of the offsets and the upper"),
        ({"support": [1.0]}, "support must be 2 numbers"),
        ({"support": [-1.0, 1.0]}, "support must not be negative"),
        ({"support": [0.0, 0.0]}, "support must not be negative, and positive somewhere"),
        ({"classes": ["a"]}, r"classes must have shape \(2,\)"),
    ],
)
def test_hostile_arguments(change, message):
    with pytest.raises(ValueError, match=message):
        OffsetIntervalDisplay.from_offsets(**{"offsets": [1.0, -1.0], **change})
