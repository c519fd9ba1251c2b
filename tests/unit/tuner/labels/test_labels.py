"""Indicators, log-odds and decisions."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit

from skimbalance import OffsetTuner
from skimbalance._core.decision_rule import ThresholdRule, check_label_columns, decide_labels, label_log_odds
from skimbalance.tuner.labels import check_indicator


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.csc_array, np.ndarray.tolist])
def test_indicators(form, rng):
    indicator = rng.random((6, 3)) < 0.4
    assert (check_indicator(form(indicator.astype(int))) == indicator).all()


@pytest.mark.parametrize("dtypes", [["Int64"] * 3, ["boolean"] * 3, ["category"] * 3, [object] * 3, [bool, int, float]])
def test_indicators_of_every_type_of_column(dtypes, rng):
    pd = pytest.importorskip("pandas")
    indicator = rng.random((6, 3)) < 0.4
    frame = pd.DataFrame(indicator.astype(int), columns=list("abc"))
    frame = frame.astype(dict(zip(frame.columns, dtypes, strict=True)))
    assert (check_indicator(frame) == indicator).all()


def test_missing_entries_are_named():
    pd = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"y must not contain missing values; got (<NA>|nan) in sample 1"):
        check_indicator(pd.DataFrame({"a": [0, 1], "b": [1, None]}, dtype="Int64"))


@pytest.mark.parametrize("y", [[0, 1, 1], [[0, 2]], [["a", "b"]], [[np.nan, 1]], np.zeros((0, 3))])
def test_what_is_no_indicator(y):
    with pytest.raises(ValueError, match="y must"):
        check_indicator(y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kinds_agree(dtype, rng):
    odds = rng.normal(size=(20, 3)).astype(dtype) * 3
    proba = expit(odds)
    assert (label_log_odds(odds, kind="logits") == odds).all()
    for scores, kind in ((proba, "proba"), (np.log(proba), "log_proba")):
        found = label_log_odds(scores, kind=kind)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, odds, rtol=1e-3 if dtype is np.float32 else 1e-9)


def test_certainties_are_finite():
    found = label_log_odds(np.array([[0.0, 1.0]]), kind="proba")
    assert np.isfinite(found).all()
    assert found[0, 0] < -700
    assert found[0, 1] > 700


def test_pairs_become_columns(rng):
    proba = rng.random((5, 3))
    pairs = [np.stack([1 - column, column], axis=1) for column in proba.T]
    assert (check_label_columns(pairs, kind="proba", labels=np.arange(3)) == proba).all()
    with pytest.raises(ValueError, match="entry 1 has shape"):
        check_label_columns([pairs[0], pairs[1][:, :1]], kind="proba", labels=np.arange(2))


def test_decisions_are_those_above_one_half(rng):
    odds, offsets = rng.normal(size=(50, 4)), rng.normal(size=4)
    rule = ThresholdRule(offsets, np.full(4, 0.5), "logits")
    assert ((rule.proba(odds) > 0.5) == decide_labels(odds, offsets)).all()
    assert 0 < rule.proba(np.full((1, 4), -1e4)).max() < 1e-300


def test_a_label_is_decided_as_a_binary_problem(rng):
    odds = rng.normal(size=200)
    y = odds + rng.normal(size=200) > 1
    tuner = OffsetTuner("f1", kind="logits", estimate="empirical", confidence_level=None).fit(odds, y)
    offset = tuner.offsets_[1] - tuner.offsets_[0]
    assert (decide_labels(odds[:, None], np.array([offset]))[:, 0] == tuner.predict(odds)).all()
