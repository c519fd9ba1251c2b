"""Log-scores, the one argmax, thresholds and offsets."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skimbalance._core import array_api
from skimbalance._core.decision import centred, decide, log_logistic, log_scores, log_softmax, softmax, threshold_of
from skimbalance.metrics.counts import Truth


def test_ties_go_to_the_first_class_in_multiclass_and_the_second_in_binary_problems(xp):
    scores = xp.asarray(np.zeros((3, 4)))
    np.testing.assert_array_equal(array_api.to_numpy(decide(scores, [0.0, 1.0, 1.0, 0.0])), [1, 1, 1])
    np.testing.assert_array_equal(array_api.to_numpy(decide(scores[:, :2], [0.0, 0.0])), [1, 1, 1])


def test_decide_is_argmax_whatever_the_blocks(xp, monkeypatch):
    monkeypatch.setattr(array_api, "_BLOCK_CELLS", 7)
    rng = np.random.default_rng(0)
    scores, offsets = np.round(rng.normal(size=(50, 4)), 1), np.round(rng.normal(size=4), 1)
    got = decide(xp.asarray(scores), xp.asarray(offsets))
    np.testing.assert_array_equal(array_api.to_numpy(got), (scores + offsets).argmax(axis=1))


@given(st.floats(-700, 700))
def test_a_threshold_is_the_logistic_of_the_difference(b):
    offsets = centred(np.array([0.0, b]))
    assert offsets.sum() == pytest.approx(0)
    assert threshold_of(offsets) == pytest.approx(1 / (1 + math.exp(b)), rel=1e-9, abs=1e-300)


def test_softmax_of_extreme_scores(xp):
    scores = xp.asarray([[1000.0, 0.0, -1000.0], [-5.0, -5.0, -5.0]])
    np.testing.assert_allclose(array_api.to_numpy(softmax(scores)), [[1, 0, 0], [1 / 3] * 3])
    np.testing.assert_allclose(array_api.to_numpy(log_softmax(scores))[0], [0, -1000, -2000])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_zero_comes_last_but_finite(dtype):
    scores = log_scores(np.array([[1, 0], [1 - 1e-6, 1e-6]], dtype=dtype), kind="proba")
    assert scores.dtype == dtype
    assert np.isfinite(scores).all()
    assert scores[0, 1] < scores[1, 1]


def test_one_column_and_two_are_equivalent(xp):
    p = xp.asarray([0.0, 0.25, 0.5, 1.0])
    one = array_api.to_numpy(log_scores(p, kind="proba"))
    two = array_api.to_numpy(log_scores(xp.stack([1 - p, p], axis=1), kind="proba"))
    np.testing.assert_allclose(one, two)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(array_api.to_numpy(log_scores(xp.log(p), kind="log_proba")), two)


class TestDoor:
    """What the standard lacks, against NumPy."""

    def test_count_codes(self, xp, rng):
        codes, weights = rng.integers(0, 6, size=40), rng.random(40)
        for w in (None, weights):
            got = array_api.count_codes(xp.asarray(codes), None if w is None else xp.asarray(w), 8)
            np.testing.assert_allclose(array_api.to_numpy(got), np.bincount(codes, w, minlength=8))

    def test_cumulative_minimum(self, xp, rng):
        for size in (0, 1, 2, 7, 64):
            x = rng.normal(size=size)
            np.testing.assert_array_equal(
                array_api.to_numpy(array_api.cumulative_minimum(xp.asarray(x))), np.minimum.accumulate(x)
            )
        x = rng.normal(size=(3, 7))
        got = array_api.cumulative_minimum(xp.asarray(x))
        np.testing.assert_array_equal(array_api.to_numpy(got), np.minimum.accumulate(x, axis=1))

    def test_cumulative_sum(self, xp, rng):
        for x in (rng.normal(size=(3, 7)), rng.random(9) > 0.5):
            got = array_api.cumulative_sum(xp.asarray(x))
            np.testing.assert_allclose(array_api.to_numpy(got), np.cumsum(x, axis=-1, dtype=float))

    def test_sums_from_zero_and_of_rows(self, xp, rng):
        for x in (rng.normal(size=(3, 7)), rng.random((2, 9)) > 0.5):
            got, rows = (array_api.to_numpy(f(xp.asarray(x))) for f in (array_api.sums_from_zero, array_api.row_sums))
            np.testing.assert_allclose(got[:, 1:], np.cumsum(x, axis=1, dtype=float))
            np.testing.assert_allclose(rows, x.sum(axis=1))
            assert (got[:, 0] == 0).all()
            assert got.dtype == rows.dtype == np.float64

    @pytest.mark.parametrize("n_rows", [1, 3])
    def test_places_in_order(self, xp, rng, n_rows):
        x = rng.normal(size=(n_rows, 8))
        places = array_api.to_numpy(array_api.places_in_order(xp.asarray(x)))
        np.testing.assert_array_equal(x.reshape(-1)[places].reshape(x.shape), np.sort(x, axis=1))

    @pytest.mark.parametrize("n_rows", [1, 3])
    def test_groups(self, xp, rng, n_rows):
        codes = rng.integers(4, size=(n_rows, 30)) + 4 * np.arange(n_rows)[:, None]
        grouped, places = array_api.grouped(xp.asarray(codes))
        opens = array_api.opens_group(grouped)
        numbers = array_api.to_numpy(array_api.group_numbers(opens))
        order = np.argsort(codes.reshape(-1), kind="stable")
        np.testing.assert_array_equal(array_api.to_numpy(places), order)
        np.testing.assert_array_equal(array_api.to_numpy(grouped), codes.reshape(-1)[order])
        np.testing.assert_array_equal(numbers, np.unique(codes.reshape(-1)[order], return_inverse=True)[1])

    def test_replaced(self, xp, rng):
        where, index, source = rng.random((2, 5)) > 0.5, rng.integers(9, size=(2, 5)), rng.normal(size=9)
        x = rng.normal(size=(2, 5))
        first, second = array_api.replaced(
            xp.asarray(where),
            xp.asarray(index),
            (xp.asarray(x.copy()), xp.asarray(source)),
            (xp.asarray(-index), xp.asarray(np.arange(9))),
        )
        np.testing.assert_array_equal(array_api.to_numpy(first), np.where(where, source[index], x))
        np.testing.assert_array_equal(array_api.to_numpy(second), np.where(where, index, -index))

    def test_count_where(self, xp, rng):
        where, codes, weights = rng.random(40) > 0.5, rng.integers(5, size=40), rng.random(40)
        given = [None if x is None else xp.asarray(x) for x in (None, weights, weights > 0.3)]
        counts = array_api.count_where(xp.asarray(where), xp.asarray(codes), given, 6)
        for got, mass in zip(counts, (where, weights * where, (weights > 0.3) & where), strict=True):
            np.testing.assert_allclose(array_api.to_numpy(got), np.bincount(codes, mass, minlength=6))

    def test_vectors_come_to_the_host_at_once(self, xp, rng):
        x, codes = rng.normal(size=5).astype(np.float32), rng.integers(9, size=3)
        given = (xp.asarray(codes), xp.asarray(x), xp.asarray(2.0 * codes))
        for got, wanted in zip(array_api.to_numpy_at_once(*given), (codes, x, 2.0 * codes), strict=True):
            assert got.dtype == np.float64
            np.testing.assert_array_equal(got, wanted)

    def test_numbers_have_the_dtype_of_what_they_replace(self, xp):
        for dtype in (xp.float32, xp.float64, xp.int64):
            for otherwise in (0.0, 1.0):
                got = array_api.only(xp.asarray([5, 6], dtype=dtype), xp.asarray([True, False]), otherwise=otherwise)
                assert got.dtype == dtype
                np.testing.assert_array_equal(array_api.to_numpy(got), [5, otherwise])

    def test_blocks_of_a_device_are_larger(self):
        strict = pytest.importorskip("array_api_strict")
        shape = (100_000, 100)
        here, there = (array_api.block_samples(shape, like) for like in (np.zeros(1), strict.zeros(1)))
        assert len(here) > 30
        assert len(there) == 1
        assert array_api.block_samples(shape) == here

    def test_segment_maximum(self, xp, rng):
        for lengths in ([1], [1, 1, 3], [4, 2, 7, 1]):
            x, starts = rng.normal(size=sum(lengths)), np.cumsum([0, *lengths[:-1]])
            for those in (None, xp.asarray(np.asarray(lengths))):
                got = array_api.segment_maximum(xp.asarray(x), xp.asarray(starts), lengths=those)
                np.testing.assert_array_equal(array_api.to_numpy(got), np.maximum.reduceat(x, starts))

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_sort_flagged(self, xp, rng, dtype):
        x = rng.normal(size=200).astype(dtype)
        x[:3] = 0.0, 1e-40, -1e30
        flags = rng.random(200) > 0.5
        ordered, carried = (array_api.to_numpy(a) for a in array_api.sort_flagged(xp.asarray(x), xp.asarray(flags)))
        order = np.argsort(x)
        np.testing.assert_array_equal(carried, flags[order])
        assert ordered.dtype == dtype
        assert np.all(np.diff(ordered) >= 0)
        assert np.all(np.abs(ordered - x[order]) <= np.spacing(np.abs(x[order])))

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_argsort_flagged(self, xp, rng, dtype):
        x, flags = rng.normal(size=200).round(1).astype(dtype), rng.random(200) > 0.5
        x[:4] = 0.0, -0.0, 1e-40, -1e30
        order = array_api.to_numpy(array_api.argsort_flagged(xp.asarray(x), xp.asarray(flags)))
        expected, carried = (array_api.to_numpy(a) for a in array_api.sort_flagged(xp.asarray(x), xp.asarray(flags)))
        np.testing.assert_allclose(x[order], expected, rtol=1e-6, atol=1e-37)
        ordered = xp.asarray(x[order]), xp.asarray(flags[order])
        assert array_api.argsort_flagged(*ordered) is None
        assert array_api.argsort_flagged(xp.asarray(x[order][::-1].copy()), ordered[1]) is not None
        again = [array_api.to_numpy(each) for each in array_api.sort_flagged(*ordered)]
        np.testing.assert_array_equal(again[0], expected)
        if xp is np:  # of equal numbers, flagged ones come last
            np.testing.assert_array_equal(flags[order], carried)

    @pytest.mark.parametrize("n_samples", [0, 1, 100])
    def test_shifted_blocks(self, xp, rng, monkeypatch, n_samples):
        monkeypatch.setattr(array_api, "_BLOCK_CELLS", 64)
        x, shift = rng.normal(size=(n_samples, 3)), rng.normal(size=3)
        blocks = array_api.shifted_blocks(xp.asarray(x), xp.asarray(shift))
        got = np.full_like(x, np.nan)
        for samples, block in blocks:
            got[samples] = array_api.to_numpy(block)
        np.testing.assert_array_equal(got, x + shift)

    def test_put(self, xp, rng):
        for size in (0, 1, 5):
            samples = rng.permutation(9)[:size]
            expected = np.arange(9.0)
            expected[samples] = -samples
            got = array_api.put(xp.arange(9, dtype=xp.float64), xp.asarray(samples), xp.asarray(-samples.astype(float)))
            np.testing.assert_array_equal(array_api.to_numpy(got), expected)

    def test_small_codes(self):
        codes = np.arange(3)
        kinds = [array_api.small_codes(codes, n).dtype for n in (100, 1000, 100_000, 10**10)]
        assert kinds == [np.int8, np.int16, np.int32, np.int64]

    def test_transposed(self, xp):
        x = np.arange(6.0).reshape(2, 3)
        np.testing.assert_array_equal(array_api.to_numpy(array_api.transposed(xp.asarray(x))), x.T)


def test_confusion_of_some_samples(xp, rng):
    codes, decisions = rng.integers(0, 3, size=30), rng.integers(0, 3, size=30)
    samples = rng.permutation(30)[:12]
    truth = Truth.from_codes(xp.asarray(codes), n_classes=3)
    got = truth.count(xp.asarray(decisions[samples]), samples=xp.asarray(samples), confusion=True).confusion
    expected = np.zeros((3, 3))
    np.add.at(expected, (codes[samples], decisions[samples]), 1)
    np.testing.assert_array_equal(array_api.to_numpy(got), expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_thinned_samples_represent_all(xp, rng, weighted):
    """Some rows of each class are left, and their weights sum to those of all rows of the class."""
    codes = rng.permutation(np.repeat([0, 1, 2, 4], [300, 30, 3, 1]))
    weights = rng.random(codes.size) if weighted else None
    there = None if weights is None else xp.asarray(weights)
    truth = Truth.from_codes(xp.asarray(codes), n_classes=5, weights=there)
    samples, thin = truth.thinned(20)
    kept = codes[array_api.to_numpy(samples)]
    np.testing.assert_array_equal(np.bincount(kept, minlength=5), [15, 5, 3, 0, 1])
    np.testing.assert_array_equal(array_api.to_numpy(thin.likeliest), kept)
    np.testing.assert_allclose(array_api.to_numpy(thin.support), array_api.to_numpy(truth.support))
    assert array_api.to_numpy(truth.thinned(1)[0]).size == codes.size


def test_samples_without_weight_may_be_all_that_is_left_of_a_class():
    weights = np.array([0.0, 1, 1, 1, 1, 1, 1, 1, 1])
    _, thin = Truth.from_codes(np.array([0, 0, 0, 0, 0, 0, 0, 0, 1]), n_classes=2, weights=weights).thinned(8)
    assert np.all(np.isfinite(thin.weights))


def test_thinned_soft_labels(rng):
    shares = rng.dirichlet(np.ones(3), size=50).T
    samples, thin = Truth.from_shares(shares).thinned(7)
    np.testing.assert_array_equal(samples, np.arange(0, 50, 7))
    np.testing.assert_array_equal(thin.likeliest, shares[:, ::7].argmax(axis=0))
    np.testing.assert_allclose(thin.support, shares[:, ::7].sum(axis=1))


def test_side_by_side(xp, rng):
    x = rng.normal(size=(3, 20))
    blocks = (xp.asarray(x[:, start : start + 6]) for start in range(0, 20, 6))
    np.testing.assert_array_equal(array_api.to_numpy(array_api.side_by_side(blocks, n_columns=20)), x)


def test_log_logistic_neither_overflows_nor_vanishes(xp):
    odds = xp.asarray([-1000.0, -1.0, 0.0, 1.0, 40.0, 1000.0])
    found = array_api.to_numpy(log_logistic(odds))
    np.testing.assert_allclose(found, -np.logaddexp(0, -array_api.to_numpy(odds)))
    assert found[4] < 0
