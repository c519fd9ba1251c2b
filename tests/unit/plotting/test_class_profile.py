"""Each class before and after: points, lines and ticks."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score, recall_score
from support.drawing import several, tuner_of_several

from skimbalance import TunedOffsetClassifierCV
from skimbalance.metrics.counts import ClassProfile

plt = pytest.importorskip("matplotlib.pyplot")

from skimbalance.plotting import ClassProfileDisplay  # noqa: E402 - it needs matplotlib


def drawn(n_classes, weighted=False):
    """Labels, predictions before and after, weights; the display, and what scikit-learn says."""
    rng = np.random.default_rng(0)
    y = np.concatenate([np.arange(n_classes).repeat(2), (rng.random(40 * n_classes) ** 2 * n_classes).astype(int)])
    before, after = (np.where(rng.random(len(y)) < 0.5, y, rng.integers(0, n_classes, len(y))) for _ in range(2))
    weights = rng.random(len(y)) + 0.5 if weighted else None
    display = ClassProfileDisplay.from_predictions(y, after, y_pred_before=before, sample_weight=weights)
    slow = [
        [
            score(y, predicted, average=None, sample_weight=weights, zero_division=np.nan)
            for predicted in (before, after)
        ]
        for score in (recall_score, precision_score)
    ]
    order = np.argsort(-np.bincount(y, weights), kind="stable")
    return display, np.asarray(slow)[..., order], order


class TestFewClasses:
    @pytest.mark.parametrize("weighted", [False, True])
    def test_dumbbells_are_what_scikit_learn_counts(self, weighted):
        display, slow, _ = drawn(6, weighted)
        for axes, (before, after) in enumerate(slow):
            np.testing.assert_allclose(display.before_[axes].get_xdata(), before)
            np.testing.assert_allclose(display.after_[axes].get_xdata(), after)
            np.testing.assert_array_equal(display.after_[axes].get_ydata(), np.arange(6))
            ends = np.asarray(display.changes_[axes].get_segments())[:, :, 0]
            np.testing.assert_allclose(ends, np.column_stack([before, after]))

    def test_the_majority_class_is_above_with_its_number_of_samples(self):
        y = ["rare", "common", "common", "common", "some", "some"]
        display = ClassProfileDisplay.from_predictions(y, y, y_pred_before=["common"] * 6)
        names = [label.get_text() for label in display.ax_[0].get_yticklabels()]
        assert names == ["common (3)", "some (2)", "rare (1)"]
        bottom, top = display.ax_[0].get_ylim()
        assert bottom > top

    def test_what_is_undefined_is_left_out(self):
        display = ClassProfileDisplay.from_predictions([0, 0, 1], [0, 1, 1], y_pred_before=[0, 0, 0], classes=[0, 1, 2])
        recall, precision = (line.get_xdata() for line in display.before_)
        np.testing.assert_array_equal(recall, [1, 0, np.nan])
        np.testing.assert_allclose(precision, [2 / 3, np.nan, np.nan])
        display.figure_.canvas.draw()

    def test_class_names_are_drawn_once_on_axes_of_a_user(self):
        _, axes = plt.subplots(2, 1)
        display = ClassProfileDisplay.from_predictions([0, 1], [0, 1], y_pred_before=[0, 0], ax=axes)
        assert [label.get_text() for label in display.ax_[1].get_yticklabels() if label.get_text()] == []
        assert display.ax_[1].get_ylim() == display.ax_[0].get_ylim()


class TestManyClasses:
    def test_thin_lines_lead_from_before_to_after(self):
        display, slow, _ = drawn(60)
        for number, (before, after) in enumerate(slow):
            risen, fallen = (lines.get_segments() for lines in display.changes_[2 * number : 2 * number + 2])
            for segments, where in ((risen, after > before), (fallen, after < before)):
                places = np.flatnonzero(where)
                expected = np.stack(
                    [np.column_stack([places, before[where]]), np.column_stack([places, after[where]])], axis=1
                )
                np.testing.assert_allclose(np.asarray(segments), expected)

    def test_running_means_leave_out_what_is_undefined(self):
        display, slow, _ = drawn(60)
        before = slow[1, 0]
        line = display.before_[1].get_ydata()
        reach = 3
        means = [np.nanmean(before[max(0, k - reach) : k + reach + 1]) for k in range(60)]
        np.testing.assert_allclose(line, means)

    def test_ticks_show_ranks_and_numbers_of_samples(self):
        display, _, order = drawn(60)
        labels = [label.get_text().split("\n") for label in display.ax_[1].get_xticklabels()]
        assert labels[0][0] == "1"
        assert labels[-1][0] == "60"
        support = display.profile.support[order]
        assert [int(rows) for _, rows in labels] == [support[int(rank) - 1] for rank, _ in labels]

    @pytest.mark.parametrize("n_classes", [2, 40, 41, 200])
    def test_any_number_can_be_read(self, n_classes):
        display, _, _ = drawn(n_classes)
        display.figure_.canvas.draw()
        boxes = [
            label.get_window_extent()
            for label in (display.ax_[1].get_xticklabels() if n_classes > 40 else display.ax_[0].get_yticklabels())
        ]
        side = ("x0", "x1") if n_classes > 40 else ("y0", "y1")
        spans = sorted(tuple(getattr(box, end) for end in side) for box in boxes)
        assert all(first[1] <= second[0] + 1 for first, second in pairwise(spans))


class TestSources:
    def test_without_samples_the_profile_of_the_fit_is_drawn(self):
        tuner = tuner_of_several()
        display = ClassProfileDisplay.from_estimator(tuner)
        assert display.profile is tuner.class_profile_
        assert any("validation folds" in text.get_text() for text in display.legend_.get_texts())

    def test_samples_are_decided_by_the_tuner(self):
        tuner, (proba, y) = tuner_of_several(), several(seed=1)
        display = ClassProfileDisplay.from_estimator(tuner, proba, y)
        recall = recall_score(y, tuner.predict(proba), average=None)
        np.testing.assert_allclose(display.profile.recall_after, recall)
        np.testing.assert_allclose(display.profile.recall_before, recall_score(y, proba.argmax(1), average=None))
        assert not any("validation folds" in text.get_text() for text in display.legend_.get_texts())

    def test_a_classifier_is_given_features(self):
        rng = np.random.default_rng(0)
        y = rng.choice(["a", "b", "c"], 300, p=[0.7, 0.2, 0.1])
        X = rng.normal(size=(300, 3)) + 1.5 * (y[:, None] == ["a", "b", "c"])
        classifier = TunedOffsetClassifierCV(LogisticRegression(), estimate="plugin").fit(X, y)
        display = ClassProfileDisplay.from_estimator(classifier, X, y)
        np.testing.assert_allclose(display.profile.recall_after, recall_score(y, classifier.predict(X), average=None))

    def test_it_stores_what_it_is_given(self):
        ones = np.ones(2)
        profile = ClassProfile(np.array(["a", "b"]), 3 * ones, 0 * ones, 0 * ones, ones, ones)
        assert ClassProfileDisplay(profile).profile is profile


def test_hostile_arguments():
    tuner, (proba, y) = tuner_of_several(), several()
    with pytest.raises(ValueError, match="X and y must be given together"):
        ClassProfileDisplay.from_estimator(tuner, proba)
    with pytest.raises(ValueError, match="sample_weight goes with X and y"):
        ClassProfileDisplay.from_estimator(tuner, sample_weight=np.ones(3))
    with pytest.raises(ValueError, match="ax must be None or two axes, for recall and for precision; got 1"):
        ClassProfileDisplay.from_estimator(tuner, ax=plt.subplots()[1])
    with pytest.raises(ValueError, match="y_pred holds"):
        ClassProfileDisplay.from_predictions([0, 1], [0, 2], y_pred_before=[0, 1], classes=[0, 1])
    with pytest.raises(ValueError, match="equally many samples"):
        ClassProfileDisplay.from_predictions(y, y, y_pred_before=y[:-1])
