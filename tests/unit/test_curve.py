"""Metrics along paths of offsets."""

import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.metrics import balanced_accuracy_score, f1_score
from support.problems import labels, log_proba

from skimbalance import imbalance_curve
from skimbalance.metrics import FBeta, imbalance_degree_score


def drawn(seed, *, n_classes=3, n_samples=60, decimals=None):
    """Logits and long-tailed labels, the classes of different sizes."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([labels(rng, n_samples, n_classes), np.zeros(n_samples // 2, int)])
    return log_proba(rng, y, n_classes, decimals=decimals), y


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(2, 6), st.sampled_from([None, 1]), st.booleans(), st.sampled_from([9, 20, 80])
)
def test_along_the_prior_the_degree_never_rises(seed, n_classes, decimals, weighted, n_samples):
    scores, y = drawn(seed, n_classes=n_classes, n_samples=n_samples, decimals=decimals)
    assume(len(set(np.bincount(y))) > 1)  # or there is no path
    weights = np.random.default_rng(seed).random(len(y)) + 0.01 if weighted else None
    taus = np.linspace(-3, 5, 60)
    curve = imbalance_curve(scores, y, kind="logits", sample_weight=weights, points=taus)
    assert (np.diff(curve.degree) <= 1e-12).all()
    first, last = ((scores - tau * np.log(np.bincount(y, weights))).argmax(axis=1) for tau in taus[[0, -1]])
    assert (curve.degree[0] > curve.degree[-1]) == (first != last).any()


class TestPoints:
    def test_they_are_what_offsets_by_hand_give(self):
        scores, y = drawn(0)
        curve = imbalance_curve(scores, y, kind="logits", points=7)
        prior = np.bincount(y) / len(y)
        np.testing.assert_allclose(curve.tau, np.linspace(-0.5, 2, 7))
        for place, tau in enumerate(curve.tau):
            shifted = scores - tau * np.log(prior)
            np.testing.assert_allclose(curve.state[place], softmax(shifted, axis=1).mean(axis=0))
            np.testing.assert_allclose(curve.offsets[place], -tau * (np.log(prior) - np.log(prior).mean()), atol=1e-12)
            decided = shifted.argmax(axis=1)
            assert curve.degree[place] == pytest.approx(imbalance_degree_score(y, decided))
            assert curve.values["balanced_accuracy"][place] == pytest.approx(balanced_accuracy_score(y, decided))
            assert curve.values["f1_macro"][place] == pytest.approx(f1_score(y, decided, average="macro"))

    @pytest.mark.parametrize("n_classes", [2, 4])
    def test_along_the_states_they_are_reached(self, n_classes):
        scores, y = drawn(1, n_classes=n_classes)
        weights = np.random.default_rng(0).random(len(y)) + 0.1
        curve = imbalance_curve(scores, y, kind="logits", along="state", sample_weight=weights, points=[0, 0.5, 1, 2])
        prior = np.bincount(y, weights) / weights.sum()
        for state, tau in zip(curve.state, curve.tau, strict=True):
            wanted = prior ** (1 - tau)
            np.testing.assert_allclose(state, wanted / wanted.sum(), atol=1e-8)
        np.testing.assert_allclose(curve.offsets.sum(axis=1), 0, atol=1e-9)

    def test_shapes_names_and_labels(self):
        rng = np.random.default_rng(0)
        y = np.where(rng.random(200) < 0.2, "fraud", "fine")
        proba = expit(rng.normal(size=200) + 2 * (y == "fraud") - 2)
        curve = imbalance_curve(proba, y, metrics=["f1", FBeta(2.0)], pos_label="fine", points=5)
        assert curve.classes.tolist() == ["fine", "fraud"]
        assert list(curve.values) == ["f1", "f2"]
        assert curve.tau.shape == curve.degree.shape == curve.values["f1"].shape == (5,)
        assert curve.offsets.shape == curve.state.shape == (5, 2)
        other = imbalance_curve(proba, y, metrics="f1", points=5)
        assert not np.allclose(curve.values["f1"], other.values["f1"])
        assert pickle.loads(pickle.dumps(curve)).tau.tolist() == curve.tau.tolist()
        assert len(imbalance_curve(proba, y).tau) == 51

    def test_weights_are_repetitions(self):
        scores, y = drawn(2)
        times = np.random.default_rng(0).integers(1, 4, len(y))
        for along in ("prior", "state"):
            once = imbalance_curve(scores, y, kind="logits", sample_weight=times, along=along, points=6)
            often = imbalance_curve(scores.repeat(times, 0), y.repeat(times), kind="logits", along=along, points=6)
            np.testing.assert_allclose(once.degree, often.degree, atol=1e-9)
            np.testing.assert_allclose(once.values["f1_macro"], often.values["f1_macro"], atol=1e-9)

    def test_any_array_library(self, xp):
        scores, y = drawn(3)
        here = imbalance_curve(scores, y, kind="logits", points=4)
        there = imbalance_curve(xp.asarray(scores), y, kind="logits", points=4)
        np.testing.assert_allclose(there.degree, here.degree)
        assert all(isinstance(array, np.ndarray) for array in (there.state, there.offsets, there.values["f1_macro"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"along": "path"}, "along 'prior' or 'state'; got 'proba' and 'path'"),
        ({"kind": "scores"}, "kind must be one of proba, log_proba, logits"),
        ({"points": 0}, "points must be at least one"),
        ({"points": [[1.0]]}, "points must be a number of points, or finite"),
        ({"points": [np.nan]}, "finite values of tau"),
        ({"points": ["a"]}, "finite values of tau"),
        ({"metrics": ["roc_auc"]}, "judges scores, not decisions"),
        ({"metrics": ["f1_macr"]}, "did you mean"),
        ({"y": [0, 1] * 20}, "undefined where all classes are equally frequent"),
        ({"classes": ["a", "b"]}, "which is none of"),
        ({"y": [[0, 1]] * 40}, "supports one label per sample; got an indicator"),
        ({"y": [0] * 40}, "at least two classes"),
        ({"y": [0, 1] * 10}, "equally many samples"),
        ({"sample_weight": [1.0]}, "sample_weight must have shape"),
    ],
)
def test_hostile_arguments(change, message):
    arguments = {"y": [0, 0, 0, 1] * 10, **change}
    with pytest.raises(ValueError, match=message):
        imbalance_curve(np.linspace(0, 1, 40), **arguments)


def test_a_class_without_samples():
    scores, y = drawn(0)
    with pytest.raises(ValueError, match=r"samples of every class, whose prior the path follows; none of \['d'\]"):
        imbalance_curve(
            np.column_stack([scores, scores[:, 0]]), np.array(["a", "b", "c"])[y], kind="logits", classes=list("abcd")
        )
