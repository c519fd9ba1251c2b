"""Rows in chunks of Dask, on a cluster of two workers, against the same rows in memory."""

import os
import pickle
import signal
from functools import partial

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from support.effort import exhaustive, thinned

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.goals import AtLeast, ImbalanceState
from skimbalance.metrics import imbalance_state
from skimbalance.tuner.chunks import _fit, _samples
from skimbalance.tuner.chunks._binary import Budget, best_threshold
from skimbalance.tuner.chunks._dask import DaskChunks

da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

SMALL = 20_000
"""So many scores are drawn in tests of what is done with the others."""


@pytest.fixture(scope="module")
def client():
    """Two workers of their own processes."""
    with start_cluster() as cluster, distributed.Client(cluster) as client:
        yield client


def start_cluster():
    return distributed.LocalCluster(n_workers=2, threads_per_worker=1, memory_limit="1GiB", dashboard_address=":0")


@pytest.fixture
def few(monkeypatch):
    """A sample that is far from all rows."""
    monkeypatch.setattr(_samples, "_SAMPLE_CELLS", SMALL)


def two_classes(n_samples=60_000, seed=0):
    """Log-odds of a class of five in a hundred."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n_samples) < 0.05).astype(int)
    return 2.5 * y - 3 + rng.normal(size=n_samples), y


def ten_classes(n_samples=100_000, seed=0):
    """Logits of ten classes, the smallest of them a hundredth of the largest."""
    rng = np.random.default_rng(seed)
    prior = np.geomspace(1, 0.01, 10)
    y = rng.choice(10, size=n_samples, p=prior / prior.sum())
    logits = rng.normal(size=(n_samples, 10)) + np.log(prior)
    logits[np.arange(n_samples), y] += 1.5
    return logits, y


def chunked(*arrays, chunks=7001):
    return tuple(da.from_array(array, chunks=(chunks, *array.shape[1:])) for array in arrays)


def both(tuner, scores, y, *, sample_weight=None, **kwargs):
    """The tuner fitted to rows in chunks, and to the same in memory."""
    weights = {} if sample_weight is None else {"sample_weight": chunked(sample_weight)[0]}
    there = clone(tuner).fit(*chunked(scores, y), **weights, **kwargs)
    return there, clone(tuner).fit(scores, y, sample_weight=sample_weight, **kwargs)


class TestFewRows:
    """Where all rows are few enough to be drawn, the fit is the one in memory."""

    def test_ten_classes(self, client):
        there, here = both(
            OffsetTuner("f1_macro", kind="logits", confidence_level=None),
            *ten_classes(100_000 if exhaustive else 10_000),
        )
        assert there.in_sample_score_ == here.in_sample_score_
        assert there.offsets_.tolist() == here.offsets_.tolist()
        assert there.notes_ == here.notes_

    def test_labels_weights_and_probabilities_of_any_kind(self):
        logits, y = two_classes(3000)
        labels = np.where(y == 1, "yes", "no")
        weights = np.random.default_rng(1).integers(0, 3, size=3000).astype(float)
        scores = (1 / (1 + np.exp(-logits))).astype(np.float32)
        there, here = both(OffsetTuner("f1"), scores, labels, sample_weight=weights)
        assert there.offsets_.dtype == np.float32
        for name in ("offsets_", "offsets_interval_", "score_interval_", "score_", "threshold_", "classes_"):
            assert np.asarray(getattr(there, name)).tolist() == np.asarray(getattr(here, name)).tolist()


@pytest.mark.usefixtures("few")
class TestManyRows:
    """Where they are not, exact passes go over all of them."""

    @pytest.mark.parametrize("objective", ["f1", "geometric_mean", "matthews_corrcoef", "accuracy"])
    def test_binary_problems_reach_the_global_optimum(self, client, objective):
        tuner = OffsetTuner(objective, kind="logits", estimate="empirical", confidence_level=None)
        there, here = both(tuner, *two_classes())
        assert there.in_sample_score_ == pytest.approx(here.in_sample_score_, rel=1e-12)
        assert there.offsets_ == pytest.approx(here.offsets_, abs=1e-9)
        assert there.untuned_score_ == pytest.approx(here.untuned_score_, rel=1e-12)

    def test_under_a_constraint(self):
        floor = AtLeast("recall", 0.9)
        tuner = OffsetTuner("precision", constraints=[floor], kind="logits", estimate="empirical")
        there, here = both(tuner, *two_classes())
        assert there.in_sample_score_ == pytest.approx(here.in_sample_score_, rel=1e-12)
        assert there.class_profile_.recall_after[1] >= 0.9

    @pytest.mark.parametrize("scores", ["two columns", "probabilities", "two columns of probabilities", "far off"])
    def test_binary_scores_in_any_form(self, scores):
        logits, y = two_classes(30_000)
        proba = 1 / (1 + np.exp(-logits))
        given, kind = {
            "two columns": (np.stack([-logits / 2, logits / 2], axis=1), "logits"),
            "probabilities": (proba, "proba"),
            "two columns of probabilities": (np.stack([1 - proba, proba], axis=1), "proba"),
            "far off": (np.stack([1000 + 0 * logits, 1000 + logits], axis=1), "logits"),
        }[scores]
        tuner = OffsetTuner("f1", kind=kind, estimate="empirical", confidence_level=None)
        there, here = both(tuner, given, y)
        assert there.in_sample_score_ == pytest.approx(here.in_sample_score_, rel=1e-12)

    def test_weights_and_a_class_prior(self):
        scores, y = two_classes(30_000)
        weights = np.random.default_rng(1).integers(0, 3, size=len(y)).astype(float)
        tuner = OffsetTuner("f1", class_prior=[0.5, 0.5], kind="logits", estimate="empirical", confidence_level=None)
        there, here = both(tuner, scores, y, sample_weight=weights)
        assert there.in_sample_score_ == pytest.approx(here.in_sample_score_, rel=1e-9)
        assert there.offsets_ == pytest.approx(here.offsets_, abs=1e-6)

    def test_ten_classes_come_close_to_the_ascent_in_memory_and_beat_the_sample(self, client):
        samples = ten_classes(40_000)
        tuner = OffsetTuner("f1_macro", kind="logits", estimate="empirical", confidence_level=None)
        there, here = both(tuner, *samples)
        sampled = clone(tuner).set_params(estimate="plugin").fit(*chunked(*samples))
        assert there.in_sample_score_ > 0.995 * here.in_sample_score_
        assert there.in_sample_score_ > sampled.in_sample_score_ > there.untuned_score_

    @pytest.mark.parametrize("estimate", ["robust", "empirical", "plugin"])
    def test_what_is_reported_is_what_predict_achieves(self, estimate):
        scores, y = ten_classes(20_000)
        tuner = OffsetTuner("accuracy", kind="logits", estimate=estimate).fit(*chunked(scores, y))
        assert tuner.in_sample_score_ == pytest.approx(np.mean(tuner.predict(scores) == y), abs=1e-12)
        assert tuner.score_interval_[0] < tuner.score_ < tuner.score_interval_[1]
        low, high = tuner.offsets_interval_
        assert (low <= tuner.offsets_).all()
        assert (tuner.offsets_ <= high).all()
        assert tuner.class_profile_.support.tolist() == np.bincount(y).tolist()
        assert f"{len(y):,} samples" in tuner.notes_[-1]

    def test_a_class_without_samples(self):
        scores, y = ten_classes(20_000)
        keep = y != 4
        tuner = OffsetTuner("f1_macro", kind="logits", estimate="empirical", confidence_level=None)
        there, here = both(tuner, scores[keep], y[keep], classes=np.arange(10))
        assert there.in_sample_score_ > 0.99 * here.in_sample_score_
        assert np.mean(there.predict(scores) == 4) == pytest.approx(np.mean(here.predict(scores) == 4), abs=0.01)

    @pytest.mark.parametrize("class_balanced", [False, True])
    def test_an_imbalance_state_is_reached_by_all_samples(self, class_balanced):
        scores, y = ten_classes(20_000)
        tuner = OffsetTuner(ImbalanceState("uniform", class_balanced=class_balanced), kind="logits")
        there, here = both(tuner, scores, y)
        assert there.offsets_ == pytest.approx(here.offsets_, abs=1e-6)
        assert there.in_sample_score_ < 1e-8
        assert there.untuned_score_ == pytest.approx(here.untuned_score_, abs=1e-9)
        state = imbalance_state(
            there.predict_proba(scores), y=y if class_balanced else None, class_balanced=class_balanced
        )
        assert state == pytest.approx(np.full(10, 0.1), abs=1e-8)

    def test_three_classes_of_which_one_has_no_samples(self):
        rng = np.random.default_rng(0)
        y = (rng.random(30_000) < 0.1).astype(int)
        scores = rng.normal(size=(30_000, 3)) + 1.5 * np.eye(3)[y]
        tuner = OffsetTuner("f1_macro", kind="logits", estimate="empirical", confidence_level=None)
        there, here = both(tuner, scores, y, classes=[0, 1, 2])
        assert there.in_sample_score_ > 0.995 * here.in_sample_score_

    def test_three_classes(self, capsys):
        rng = np.random.default_rng(0)
        y = rng.choice(3, size=40_000, p=[0.9, 0.08, 0.02])
        scores = rng.normal(size=(40_000, 3)) + 1.5 * np.eye(3)[y]
        tuner = OffsetTuner("f1_macro", kind="logits", estimate="empirical", confidence_level=None)
        there, here = both(tuner, scores, y)
        assert there.in_sample_score_ > 0.998 * here.in_sample_score_

    def test_a_class_whose_samples_weigh_nothing(self):
        scores, y = ten_classes(20_000)
        weights = np.where(y == 9, 0.0, 1.0)
        tuner = OffsetTuner("f1_macro", kind="logits", estimate="empirical", confidence_level=None)
        there, here = both(tuner, scores, y, sample_weight=weights)
        assert there.in_sample_score_ > 0.99 * here.in_sample_score_

    def test_most_samples_weigh_nothing(self):
        rng = np.random.default_rng(0)
        y = rng.integers(0, 2, size=60_000)
        weights = np.zeros(60_000)
        weights[np.flatnonzero(y == 0)[:1000]] = 1
        weights[np.flatnonzero(y == 1)[:12]] = 1
        tuner = OffsetTuner("f1", kind="logits", estimate="empirical", confidence_level=None)
        there, here = both(tuner, rng.normal(size=60_000) + 2 * y, y, sample_weight=weights)
        assert there.in_sample_score_ == pytest.approx(here.in_sample_score_, rel=1e-12)

    @pytest.mark.parametrize("scale", thinned([1e-320, 1e-300, 1e-9, 1e300, 3e306], quick=2))
    def test_weights_of_any_scale(self, scale):
        scores, y = two_classes(20_000)
        tuner = OffsetTuner("matthews_corrcoef", kind="logits", estimate="empirical", confidence_level=None)
        weights = np.random.default_rng(0).integers(1, 4, size=20_000).astype(float)
        expected = both(tuner, scores, y, sample_weight=weights)[0]
        there = clone(tuner).fit(*chunked(scores, y), sample_weight=chunked(weights * scale)[0])
        rel = 1e-2 if scale < 1e-310 else 1e-9  # numbers so small have few digits
        assert there.in_sample_score_ == pytest.approx(expected.in_sample_score_, rel=rel)

    def test_a_function_that_takes_no_weights(self):
        scores, y = two_classes(30_000)
        tuner = OffsetTuner(lambda t, p: float(np.mean(t == p)), kind="logits", confidence_level=None)
        there = tuner.fit(*chunked(scores, y))
        assert there.in_sample_score_ > 0.94
        assert "takes no sample_weight" in there.notes_[-1]

    def test_a_state_that_all_samples_do_not_reach_has_a_note(self):
        scores, y = ten_classes(20_000)
        target = np.r_[1 - 9e-9, np.full(9, 1e-9)]
        tuner = OffsetTuner(ImbalanceState(target), kind="logits", confidence_level=None)
        there = tuner.fit(*chunked(300 * scores, y))
        state = there.predict_proba(300 * scores).mean(axis=0)
        assert there.in_sample_score_ == pytest.approx(np.abs(state - target).max(), abs=1e-9)
        noted = any(note.startswith("The imbalance state was reached on a sample") for note in there.notes_)
        assert noted == (there.in_sample_score_ > 1e-6)

    def test_nothing_large_is_gathered(self, monkeypatch):
        """The most that comes back at a time is the sample, or as many rows that are looked at one by one."""
        returned = []

        def map_reduce(self, function, combine, *, real=DaskChunks.map_reduce):
            result = real(self, function, combine)
            returned.append(len(pickle.dumps(result)))
            return result

        monkeypatch.setattr(DaskChunks, "map_reduce", map_reduce)
        few = Budget(candidates=1000, samples=5000)
        monkeypatch.setattr(_fit, "best_threshold", partial(best_threshold, budget=few))
        scores, y = two_classes(400_000)
        OffsetTuner("f1", kind="logits", estimate="empirical", confidence_level=None).fit(
            *chunked(scores, y, chunks=50_000)
        )
        assert len(returned) > 5
        assert max(returned) < 20 * SMALL < scores.nbytes / 4

    @pytest.mark.filterwarnings("ignore:Running on a single-machine scheduler")
    def test_samples_are_drawn_alike_whoever_draws_them(self, client):
        samples = ten_classes(20_000)
        tuner = OffsetTuner("f1_macro", kind="logits", confidence_level=None)
        fits = [clone(tuner).fit(*chunked(*samples)).offsets_.tolist() for _ in range(2)]
        with parallel_scheduler():
            fits.append(clone(tuner).fit(*chunked(*samples)).offsets_.tolist())
        assert fits[0] == fits[1] == fits[2]

    @pytest.mark.exhaustive
    def test_a_worker_is_lost(self, monkeypatch, capfd):
        """One of two is killed as soon as there are candidate thresholds; its results are computed again."""
        scores, y = two_classes()
        tuner = OffsetTuner("f1", kind="logits", estimate="empirical", confidence_level=None)
        unharmed, killed = clone(tuner).fit(*chunked(scores, y)), []
        with start_cluster() as cluster, distributed.Client(cluster) as client:

            def kill_one(_, message):
                if "candidate thresholds" in message and not killed:
                    killed.extend(list(client.run(os.getpid).values())[:1])
                    os.kill(killed[0], signal.SIGKILL)

            monkeypatch.setattr(OffsetTuner, "_progress", kill_one)
            there = clone(tuner).fit(*chunked(scores, y))
            assert killed
            assert killed[0] not in client.run(os.getpid).values()
        assert there.in_sample_score_ == unharmed.in_sample_score_
        assert there.offsets_.tolist() == unharmed.offsets_.tolist()


def parallel_scheduler():
    import dask

    return dask.config.set(scheduler="threads")


class TestLazily:
    """What a fitted tuner makes of chunks is computed when it is asked for."""

    @pytest.mark.parametrize("method", ["predict", "predict_proba", "transform"])
    def test_it_is_what_the_same_samples_give_in_memory(self, client, method):
        scores, y = ten_classes(5000)
        tuner = OffsetTuner("f1_macro", kind="logits", estimate="empirical", confidence_level=None).fit(scores, y)
        lazy = getattr(tuner, method)(da.from_array(scores, chunks=(999, 3)))
        here = getattr(tuner, method)(scores)
        assert isinstance(lazy, da.Array)
        assert lazy.shape == here.shape
        assert lazy.dtype == here.dtype
        assert lazy.compute().tolist() == here.tolist()

    @pytest.mark.parametrize("method", ["predict", "predict_proba", "transform"])
    def test_one_column(self, method):
        scores, y = two_classes(3000)
        tuner = OffsetTuner("f1", kind="logits", confidence_level=None).fit(scores, np.where(y == 1, "yes", "no"))
        (lazy,) = (getattr(tuner, method)(samples) for samples in chunked(scores, chunks=500))
        here = getattr(tuner, method)(scores)
        assert lazy.shape == here.shape
        assert lazy.compute().tolist() == here.tolist()

    @pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "float16"])
    def test_its_dtype_is_declared(self, dtype):
        scores, y = two_classes(3000)
        tuner = OffsetTuner("f1", kind="logits", confidence_level=None).fit(scores, y)
        (samples,) = chunked(scores.astype(dtype), chunks=500)
        for lazy in (tuner.transform(samples), tuner.predict_proba(samples), tuner.predict(samples)):
            assert lazy.dtype == lazy.compute().dtype

    def test_a_tuner_that_is_not_fitted(self):
        with pytest.raises(NotFittedError):
            OffsetTuner().predict(da.ones(4, chunks=2))

    def test_nothing_is_computed_before(self):
        scores, y = two_classes(3000)
        tuner = OffsetTuner("f1", kind="logits", confidence_level=None).fit(scores, y)
        broken = da.from_array(scores, chunks=500).map_blocks(lambda x: x / (1 // 0), dtype=float, meta=np.empty(0))
        lazy = tuner.predict(broken)
        with pytest.raises(ZeroDivisionError):
            lazy.compute()

    def test_samples_that_are_filtered_are_of_unknown_number(self):
        scores, y = two_classes(6000)
        x, labels = chunked(scores, y, chunks=1000)
        kept = (x > -6) & (da.arange(6000, chunks=1000) >= 1000)  # no row of the first chunk is left
        tuner = OffsetTuner("f1", kind="logits", confidence_level=None).fit(x[kept], labels[kept])
        some = (scores > -6) & (np.arange(6000) >= 1000)
        here = OffsetTuner("f1", kind="logits", confidence_level=None).fit(scores[some], y[some])
        assert tuner.offsets_.tolist() == here.offsets_.tolist()
        assert tuner.predict(x[kept]).compute().tolist() == here.predict(scores[some]).tolist()


class TestData:
    """What else may come."""

    def test_labels_in_memory_and_series(self):
        dd = pytest.importorskip("dask.dataframe")
        pd = pytest.importorskip("pandas")
        scores, y = two_classes(3000)
        table = dd.from_pandas(pd.DataFrame({"score": scores, "y": y}), npartitions=4)
        tuner = OffsetTuner("f1", kind="logits", confidence_level=None)
        expected = clone(tuner).fit(scores, y).offsets_.tolist()
        assert clone(tuner).fit(chunked(scores)[0], y).offsets_.tolist() == expected
        assert clone(tuner).fit(table["score"], table["y"]).offsets_.tolist() == expected

    def test_columns_in_another_order_go_by_label(self):
        dd = pytest.importorskip("dask.dataframe")
        pd = pytest.importorskip("pandas")
        rng = np.random.default_rng(0)
        proba, y = rng.dirichlet(np.ones(3), size=300), np.array(["a", "b", "c"])[rng.integers(0, 3, size=300)]
        table = dd.from_pandas(pd.DataFrame(proba, columns=["b", "a", "c"]), npartitions=3)
        expected = OffsetTuner(confidence_level=None).fit(table[["a", "b", "c"]], y)
        tuner = OffsetTuner(confidence_level=None).fit(table, y)
        np.testing.assert_array_equal(tuner.offsets_, expected.offsets_)
        np.testing.assert_array_equal(tuner.predict(table).compute(), tuner.predict(proba[:, [1, 0, 2]]))

    def test_a_pickled_tuner_predicts_chunks(self):
        scores, y = two_classes(3000)
        tuner = pickle.loads(pickle.dumps(OffsetTuner("f1", kind="logits").fit(*chunked(scores, y))))
        assert tuner.predict(chunked(scores)[0]).compute().sum() > 0

    def test_offsets_follow_the_classes(self):
        scores, y = two_classes(3000)
        tuner = OffsetTuner("f1", kind="logits", confidence_level=None).fit(*chunked(scores, y))
        new, codes = two_classes(30_000, seed=1)
        shifted = np.concatenate([new[codes == 1], new[codes == 0][:1500]])  # about half of them are positive
        adapted = tuner.adapt_to(shifted)
        assert adapted.prior_shift_.estimated.sum() == pytest.approx(1)
        assert adapted.prior_shift_.is_significant
        in_memory = OffsetTuner("f1", kind="logits", confidence_level=None).fit(scores, y).adapt_to(shifted)
        np.testing.assert_allclose(adapted.prior_shift_.estimated, in_memory.prior_shift_.estimated)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"y": np.zeros(100, int)}, "at least two classes"),
            ({"y": np.zeros(99, int)}, "scores has 100, y has 99"),
            ({"y": np.ones((100, 2), int)}, "multilabel scores must be in memory"),
            ({"y": np.ones((100, 1), int)}, "y must have shape"),
            ({"scores": np.full(100, np.nan)}, "must not contain NaN"),
            ({"scores": np.full((100, 3), 1 / 3)}, "3 columns but y holds 2 classes"),
            ({"scores": np.zeros((100, 1))}, "scores must have shape"),
            ({"scores": np.full(100, 2.0)}, "kind='proba' takes probabilities"),
            ({"sample_weight": -np.ones(100)}, "sample_weight must not be negative"),
            ({"sample_weight": np.zeros(100)}, "sample_weight must be positive somewhere"),
            ({"sample_weight": np.ones(7)}, "equally many samples"),
            ({"classes": [0, 5]}, "which is none of"),
        ],
    )
    def test_bad_input_is_named(self, change, message):
        rng = np.random.default_rng(0)
        given = {"scores": rng.random(100), "y": np.arange(100) % 2} | change
        weights = given.get("sample_weight")
        tuner = OffsetTuner("f1")
        with pytest.raises(ValueError, match=message):
            tuner.fit(
                *chunked(given["scores"], given["y"], chunks=30),
                sample_weight=None if weights is None else chunked(weights, chunks=30)[0],
                classes=given.get("classes"),
            )
        assert not hasattr(tuner, "offsets_")

    def test_a_goal_that_is_wrong_fails_before_anything_is_read(self):
        scores, y = chunked(*two_classes(1000))
        broken = scores.map_blocks(lambda x: x / (1 // 0), dtype=float, meta=np.empty(0))
        with pytest.raises(ValueError, match="'f7'"):
            OffsetTuner("f7").fit(broken, y)
        with pytest.raises(ValueError, match="pos_label"):
            OffsetTuner("f1", pos_label=7).fit(broken, y)

    def test_as_many_columns_as_classes(self):
        scores, y = two_classes(1000)
        tuner = OffsetTuner("f1", kind="logits", confidence_level=None).fit(scores, y)
        with pytest.raises(ValueError, match="2 columns, one for each class"):
            tuner.predict(da.zeros((10, 3)))

    def test_adapt_to_takes_samples_in_memory(self):
        scores, y = two_classes(1000)
        tuner = OffsetTuner("f1", kind="logits", confidence_level=None).fit(scores, y)
        with pytest.raises(TypeError, match="in memory"):
            tuner.adapt_to(chunked(scores)[0])


def test_folds_are_fitted_on_the_workers(client):
    X, y = make_classification(600, weights=[0.9], class_sep=0.5, random_state=0)
    tuned = TunedOffsetClassifierCV(LogisticRegression(), objective="f1", cv=4)
    here = clone(tuned).fit(X, y)
    with distributed.get_task_stream(client) as tasks, parallel_config(backend="dask"):
        there = clone(tuned).fit(X, y)
    assert there.offsets_.tolist() == here.offsets_.tolist()
    assert len(tasks.data) >= 4
