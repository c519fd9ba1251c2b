"""Input that is refused, by name and with nothing half-fitted, and odd input that is not."""

import numpy as np
import pytest

from skimbalance import OffsetTuner
from skimbalance.metrics import Cost

GOOD = ([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]], [0, 1, 0])
HOSTILE = {
    "NaN": ({}, [[np.nan, 0.1], [0.4, 0.6], [0.7, 0.3]], None, "scores must not contain NaN"),
    "NaN logits": ({"kind": "logits"}, [[np.nan, 0.1], [4, 6], [7, 3]], None, "scores must not contain NaN"),
    "NaN log": ({"kind": "log_proba"}, [[np.nan, 0.1], [4, 6], [7, 3]], None, "scores must not contain NaN"),
    "infinite": ({"kind": "logits"}, [[np.inf, 0.1], [4, 6], [7, 3]], None, "finite scores; got infinite"),
    "negative": ({}, [[-0.1, 1.1], [0.4, 0.6], [0.7, 0.3]], None, r"probabilities in \[0, 1\].*-0.1 to 1.1"),
    "unnormalised": ({}, [[0.9, 0.1], [0.4, 0.9], [0.7, 0.3]], None, "sum to one; sample 1 of scores gives 1.3"),
    "logits as proba": ({}, [[3.0, -2.0], [0, 1], [5, 2]], None, "pass kind='logits'"),
    "proba as log_proba": ({"kind": "log_proba"}, GOOD[0], None, "none above zero"),
    "logits as log_proba": (
        {"kind": "log_proba"},
        [[-3.0, -5], [-2, -8], [-1, -2]],
        None,
        "exponentials that sum to one",
    ),
    "one-dimensional logits as proba": ({}, [3.0, -2, 1], None, "pass kind='logits'"),
    "wrong K": ({}, [[0.5, 0.3, 0.2]] * 3, None, "scores have 3 columns but y holds 2 classes.*pass classes="),
    "rows of different lengths": ({}, [[0.5, 0.5], [1.0], [0.2, 0.8]], None, "scores must be a rectangular array"),
    "several pos_labels": ({"objective": "f1", "pos_label": np.array([0, 1])}, *GOOD, "pos_label must be one label"),
    "one column": ({}, [[0.5], [0.5], [0.5]], None, r"\(n, K\).*got \(3, 1\)"),
    "three dimensions": ({}, np.ones((3, 2, 2)), None, r"got \(3, 2, 2\)"),
    "empty": ({}, np.ones((0, 2)), [], "at least one sample"),
    "one class": ({}, GOOD[0], [1, 1, 1], "at least two classes; got one class"),
    "lengths": ({}, GOOD[0], [0, 1], "scores has 3, y has 2"),
    "complex": ({}, np.array(GOOD[0]) + 0j, None, "scores must be real"),
    "strings": ({}, [["a", "b"]] * 3, None, "scores must be numeric"),
    "objects": ({}, np.array([[{}, 1]] * 3, dtype=object), None, "scores must be numeric"),
    "y of one column": ({}, GOOD[0], [[0], [1], [1]], r"y must have shape \(n,\)"),
    "y of two columns that are no indicator": ({}, GOOD[0], [[0, 2]] * 3, "y must hold zeros and ones alone"),
    "NaN in y": ({}, GOOD[0], [0, 1, np.nan], "y must not contain missing values; got nan in sample 2"),
    "mixed y": ({}, GOOD[0], np.array([0, "a", 1.5], dtype=object), "labels of one type"),
    "complex y": ({}, GOOD[0], np.array([0, 1, 1j]), "y must hold labels"),
    "unknown objective": ({"objective": "f1_makro"}, *GOOD, "did you mean 'f1_macro'"),
    "roc_auc": ({"objective": "roc_auc"}, *GOOD, "judges scores, not decisions"),
    "objective of no kind": ({"objective": 3}, *GOOD, "'objective' parameter of OffsetTuner must be"),
    "unknown kind": ({"kind": "odds"}, *GOOD, "'kind' parameter of OffsetTuner must be a str among"),
    "unknown solver": ({"solver": "magic"}, *GOOD, "'solver' parameter of OffsetTuner must be a str among"),
    "unknown estimate": ({"estimate": "oracle"}, *GOOD, "'estimate' parameter of OffsetTuner must be a str among"),
    "unknown pos_label": (
        {"objective": "f1", "pos_label": "yes"},
        *GOOD,
        r"pos_label='yes' is not a class; .*\[0, 1\]",
    ),
    "two-class metric": ({"objective": "f1"}, [[0.5, 0.3, 0.2]] * 3, [0, 1, 2], "is binary; y holds 3"),
    "cost of wrong size": ({"objective": Cost([[0, 1], [1, 0]])}, [[0.5, 0.3, 0.2]] * 3, [0, 1, 2], "3 classes; got 2"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_input_is_refused_and_nothing_is_half_fitted(case):
    options, scores, y, message = HOSTILE[case]
    tuner = OffsetTuner(**options)
    with pytest.raises(ValueError, match=message):
        tuner.fit(scores, GOOD[1] if y is None else y)
    assert not [name for name in vars(tuner) if name.endswith("_")]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0, 0, 0], "sample_weight must be positive somewhere; got zeros only"),
        ([1, -1, 1], "sample_weight must not be negative; got -1.0"),
        ([1, np.nan, 1], "sample_weight must be finite"),
        ([1, 1], r"sample_weight must have shape \(3,\); got \(2,\)"),
        ([[1], [1], [1]], r"sample_weight must have shape \(3,\)"),
        (["a", "b", "c"], "sample_weight must be numeric"),
        ([1, 0, 1], "at least two classes of positive sample_weight"),
    ],
)
def test_hostile_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        OffsetTuner().fit(*GOOD, sample_weight=weights)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([0, 1, 2], "classes must hold 2 distinct labels"),
        ([0, 0], "classes must hold 2 distinct labels"),
        ([0, 5], r"y holds \[1\], which is none of \[0, 5\]"),
    ],
)
def test_hostile_classes(classes, message):
    with pytest.raises(ValueError, match=message):
        OffsetTuner().fit(*GOOD, classes=classes)


def test_one_class_is_one_class_whatever_the_parameter_classes_lists():
    with pytest.raises(ValueError, match="at least two classes; got one class"):
        OffsetTuner().fit(GOOD[0], [1, 1, 1], classes=[0, 1])


def test_prediction_is_checked_too():
    tuner = OffsetTuner().fit(*GOOD)
    with pytest.raises(ValueError, match="scores must have 2 columns"):
        tuner.predict([[0.2, 0.3, 0.5]])
    with pytest.raises(ValueError, match="pass kind='logits'"):
        tuner.predict_proba([[4.0, -3.0]])


def test_a_long_list_of_labels_is_abridged():
    with pytest.raises(ValueError, match=r"\.\.\. 20 in all"):
        OffsetTuner().fit(np.full((20, 2), 0.5), np.arange(20))


@pytest.mark.parametrize("labels_", [[True, False, True], [-5, 100_000_000, -5], [0.5, 1.5, 0.5], [7, 9, 7]])
def test_labels_of_any_type(labels_):
    tuner = OffsetTuner().fit(GOOD[0], labels_)
    assert tuner.classes_.tolist() == sorted(set(labels_))
    assert set(tuner.predict(GOOD[0]).tolist()) <= set(labels_)
