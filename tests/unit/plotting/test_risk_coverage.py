"""The error rate of decided samples against the coverage."""

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawing import several, tuner_of_several, tuner_that_rejects

pytest.importorskip("matplotlib")
RiskCoverageDisplay = importlib.import_module("skimbalance.plotting").RiskCoverageDisplay


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1_000), st.booleans(), st.booleans())
def test_each_step_counts_the_samples_above_it(seed, weighted, ties):
    rng = np.random.default_rng(seed)
    truth, pred = rng.integers(0, 3, (2, 30))
    proba = rng.random(30).round(1 if ties else 9)
    weights = rng.random(30) + 0.1 if weighted else None
    mass = np.ones(30) if weights is None else weights
    display = RiskCoverageDisplay.from_predictions(truth, pred, y_proba=proba, sample_weight=weights, by_class=True)
    for name, curve in display.curves.items():
        members = np.ones(30, bool) if name == "all decisions" else pred == int(name)
        assert set(curve.probabilities) == set(proba[members])
        for coverage, risk, least in zip(curve.coverage, curve.risk, curve.probabilities, strict=True):
            decided = members & (proba >= least)
            assert coverage == pytest.approx(mass[decided].sum() / mass[members].sum())
            assert risk == pytest.approx(mass[decided & (truth != pred)].sum() / mass[decided].sum())


def test_the_mark_is_the_rejection_of_the_tuner():
    tuner = tuner_that_rejects()
    scores, y = several(seed=1)
    display = RiskCoverageDisplay.from_estimator(tuner, scores, y, by_class=True)
    predicted = tuner.predict(scores)
    decided = predicted >= 0
    assert display.chosen["all decisions"] == pytest.approx((decided.mean(), (predicted != y)[decided].mean()))
    for k in range(4):
        assert display.chosen[str(k)][1] == pytest.approx((y[predicted == k] != k).mean())
    for name, (coverage, risk) in display.chosen.items():  # it is on the curve
        curve = display.curves[name]
        place = np.argmin(np.abs(curve.coverage - coverage))
        assert (curve.coverage[place], curve.risk[place]) == pytest.approx((coverage, risk))


def test_without_a_reject_label_nothing_is_marked():
    tuner = tuner_of_several()
    scores, y = several(seed=1)
    display = RiskCoverageDisplay.from_estimator(tuner, scores, y)
    assert display.chosen == {}
    assert display.chosen_ == []
    curve = display.curves["all decisions"]
    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == pytest.approx((tuner.predict(scores) != y).mean())


def test_long_curves_are_thinned():
    rng = np.random.default_rng(0)
    truth, pred = rng.integers(0, 2, (2, 20_000))
    display = RiskCoverageDisplay.from_predictions(truth, pred, y_proba=rng.random(20_000))
    assert len(display.curves["all decisions"].coverage) == 20_000
    drawn = display.lines_[0].get_xdata()
    assert len(drawn) <= 2_001
    assert drawn[-1] == 1


@pytest.mark.parametrize("wrong", [[0.1], [0.1, np.nan], ["a", "b"]])
def test_probabilities(wrong):
    with pytest.raises(ValueError, match="y_proba must hold a finite number"):
        RiskCoverageDisplay.from_predictions([0, 1], [0, 1], y_proba=wrong)


@pytest.mark.parametrize("wrong", [[True], [0, 1]])
def test_rejected(wrong):
    with pytest.raises(ValueError, match="rejected must hold True or False"):
        RiskCoverageDisplay.from_predictions([0, 1], [0, 1], y_proba=[0.1, 0.2], rejected=wrong)
