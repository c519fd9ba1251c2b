"""The tuner: what it reports, what it returns and where, and what it refuses."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import f1_score, get_scorer, matthews_corrcoef
from support.effort import crossed, seeds
from support.tuning import EXACT, NAMES, draw

from skimbalance import OffsetTuner
from skimbalance._core.array_api import to_numpy
from skimbalance.metrics import Cost, FBeta
from skimbalance.metrics._functions import score_labels
from skimbalance.metrics.registry import METRICS

pytestmark = pytest.mark.usefixtures("few_restarts")

"""A single search for the optimum on the samples of the fit."""


@pytest.mark.parametrize(
    ("name", "decimals", "estimate"), crossed(sorted(METRICS), [None, 1], ["robust", "plugin", "empirical"])
)
def test_in_sample_score_is_the_metric_of_predict(name, decimals, estimate):
    for seed in seeds(20 if estimate == "empirical" else 2, quick=1):
        proba, y = draw(seed, 2 if METRICS[name].is_binary else 4, decimals=decimals)
        tuner = OffsetTuner(name, estimate=estimate, n_bootstraps=2, confidence_level=None).fit(proba, y)
        assert tuner.in_sample_score_ == score_labels(METRICS[name], y, tuner.predict(proba))


@pytest.mark.parametrize("name", ["f1", "f1_macro", "balanced_accuracy", "matthews_corrcoef", "jaccard_macro"])
def test_the_score_is_that_of_sklearns_scorer(name):
    proba, y = draw(1, 2)
    tuner = OffsetTuner(name, pos_label="bee").fit(proba, y)
    score = get_scorer(name)._score_func
    options = {**get_scorer(name)._kwargs, **({"pos_label": "bee"} if name == "f1" else {})}
    assert tuner.in_sample_score_ == pytest.approx(score(y, tuner.predict(proba), **options), abs=1e-12)


def test_pos_label_decides_which_class_is_positive():
    proba, y = draw(2, 2)
    for label in ("ant", "bee"):
        tuner = OffsetTuner("f1", pos_label=label).fit(proba, y)
        assert tuner.in_sample_score_ == pytest.approx(f1_score(y, tuner.predict(proba), pos_label=label))
    assert OffsetTuner("f1").fit(proba, y).in_sample_score_ == tuner.in_sample_score_


class TestKinds:
    """Probabilities, their logarithms and logits are one and the same."""

    @pytest.mark.parametrize("n_classes", [2, 4])
    def test_columns(self, n_classes):
        proba, y = draw(3, n_classes)
        log = np.log(proba)
        given = {"proba": proba, "log_proba": log, "logits": log + np.arange(len(y))[:, None] % 7}
        tuners = {kind: OffsetTuner("f1_macro", kind=kind).fit(scores, y) for kind, scores in given.items()}
        for kind, tuner in tuners.items():
            assert tuner.in_sample_score_ == pytest.approx(tuners["proba"].in_sample_score_)
            np.testing.assert_allclose(tuner.offsets_, tuners["proba"].offsets_, atol=1e-6)
            np.testing.assert_allclose(
                tuner.predict_proba(given[kind]), tuners["proba"].predict_proba(proba), atol=1e-6
            )

    def test_one_column_for_binary_problems(self):
        proba, y = draw(4, 2)
        p = proba[:, 1]
        given = {"proba": p, "log_proba": np.log(p), "logits": np.log(p) - np.log1p(-p)}
        whole = OffsetTuner("f1").fit(proba, y)
        for kind, scores in given.items():
            tuner = OffsetTuner("f1", kind=kind).fit(scores, y)
            assert tuner.threshold_ == pytest.approx(whole.threshold_)
            np.testing.assert_array_equal(tuner.predict(scores), whole.predict(proba))
            assert tuner.transform(scores).shape == (len(y), 2)

    def test_the_threshold_is_on_the_probability_of_the_second_class(self):
        for seed in seeds(50, quick=5):
            proba, y = draw(seed, 2, decimals=seed % 3 or None)
            tuner = OffsetTuner("f1").fit(proba, y)
            np.testing.assert_array_equal(tuner.predict(proba) == "bee", proba[:, 1] >= tuner.threshold_)

    @pytest.mark.parametrize(
        ("objective", "dtype"),
        crossed(["f1", "precision", "recall", "false_positive_rate", "accuracy"], [np.float32, np.float64]),
    )
    def test_the_threshold_holds_at_zero_and_one(self, objective, dtype):
        p = np.array([0, 0, 0.3, 0.6, 1, 1, 1 - 1e-16], dtype=dtype)
        for y in ([1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 0, 1, 1], [1, 1, 1, 1, 1, 1, 0]):
            tuner = OffsetTuner(objective).fit(p, y)
            np.testing.assert_array_equal(tuner.predict(p) == 1, p >= dtype(tuner.threshold_))

    def test_three_classes_have_no_threshold(self):
        assert not hasattr(OffsetTuner().fit(*draw(0, 3)), "threshold_")


def test_predict_proba_is_proportional_to_proba_times_exp_offsets():
    proba, y = draw(5, 4)
    tuner = OffsetTuner("f1_macro").fit(proba, y)
    expected = proba * np.exp(tuner.offsets_)
    np.testing.assert_allclose(tuner.predict_proba(proba), expected / expected.sum(axis=1, keepdims=True))
    np.testing.assert_array_equal(tuner.classes_[tuner.predict_proba(proba).argmax(axis=1)], tuner.predict(proba))
    np.testing.assert_array_equal(tuner.classes_[tuner.transform(proba).argmax(axis=1)], tuner.predict(proba))


def test_zeros_in_probabilities_are_ordinary():
    """A class that all trees of a forest deny can still be reached, and comes last."""
    proba = np.array([[1.0, 0.0], [1.0, 0.0], [0.9, 0.1], [0.8, 0.2], [0.0, 1.0]])
    tuner = OffsetTuner("f1").fit(proba, [0, 0, 1, 1, 1])
    assert tuner.in_sample_score_ == 1.0
    assert np.isfinite(tuner.transform(proba)).all()
    assert 0.01 < tuner.threshold_ < 0.1
    assert OffsetTuner("recall").fit(proba, [1, 0, 0, 0, 0]).in_sample_score_ == 1.0


def test_log_probabilities_may_be_minus_infinity():
    proba, y = draw(1, 3, decimals=1)
    with np.errstate(divide="ignore"):
        tuner = OffsetTuner("f1_macro", kind="log_proba").fit(np.log(proba), y)
    assert tuner.in_sample_score_ == OffsetTuner("f1_macro").fit(proba, y).in_sample_score_


def test_classes_give_the_order_of_the_columns():
    proba, y = draw(7, 3)
    order = [2, 0, 1]
    tuner = OffsetTuner("f1_macro").fit(proba[:, order], y, classes=NAMES[:3][order])
    np.testing.assert_array_equal(tuner.predict(proba[:, order]), OffsetTuner("f1_macro").fit(proba, y).predict(proba))


def test_weights_count_in_the_score():
    proba, y = draw(8, 2)
    weights = np.random.default_rng(0).random(len(y))
    tuner = OffsetTuner("matthews_corrcoef").fit(proba, y, sample_weight=weights)
    expected = matthews_corrcoef(y, tuner.predict(proba), sample_weight=weights)
    assert tuner.in_sample_score_ == pytest.approx(expected)


@pytest.mark.parametrize("outlier", [1e4, 1e6])
def test_an_outlier_does_not_blur_the_other_samples(outlier):
    rng = np.random.default_rng(0)
    logits = np.r_[rng.normal(size=200), outlier, -outlier].astype(np.float32)
    y = np.r_[(rng.random(200) < 1 / (1 + np.exp(-2 * logits[:200]))).astype(int), 1, 0]
    tuner = OffsetTuner("f1", kind="logits", **EXACT).fit(logits, y)
    assert tuner.in_sample_score_ == max(f1_score(y, logits > cut) for cut in logits)


def test_matthews_correlation_of_one_positive_in_millions():
    n = 2_100_000
    y, logits = np.zeros(n, dtype=np.int8), np.zeros(n)
    y[0], logits[0] = 1, 2
    tuner = OffsetTuner("matthews_corrcoef", kind="logits", **EXACT).fit(logits, y)
    assert tuner.in_sample_score_ == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "size"), crossed(["matthews_corrcoef", "cohen_kappa", "f1_macro"], [1e-310, 1e-300, 1e-9, 1e200])
)
def test_the_size_of_the_weights_does_not_matter(name, size):
    proba, y = draw(8, 3)
    expected = OffsetTuner(name).fit(proba, y)
    tuner = OffsetTuner(name).fit(proba, y, sample_weight=np.full(len(y), size))
    assert tuner.in_sample_score_ == pytest.approx(expected.in_sample_score_)


@pytest.mark.parametrize(("n_samples", "n_classes", "tiny"), [(17_000, 2, 1e-170), (300, 3, 1e-200)])
def test_weights_whose_squares_vanish(n_samples, n_classes, tiny):
    proba, y = draw(8, n_classes, n_samples=n_samples)
    weights = np.where(y == NAMES[n_classes - 1], tiny, 1.0)
    tuner = OffsetTuner("accuracy").fit(proba, y, sample_weight=weights)
    low, high = tuner.score_interval_
    assert 0.3 < low <= tuner.score_ <= high <= 1


def test_scores_of_any_temperature_are_tuned_alike():
    rng = np.random.default_rng(0)
    y = (rng.random(6000) < 0.1).astype(int)
    margin = rng.normal(size=6000) + 2 * y
    scores = []
    for scale in (0.1, 1, 30, 100):
        tuner = OffsetTuner("f1", kind="logits").fit(scale * margin[:3000], y[:3000])
        scores.append(f1_score(y[3000:], tuner.predict(scale * margin[3000:])))
    assert max(scores) - min(scores) < 0.01


def test_the_expected_score_is_low_where_most_classes_have_no_true_positives():
    """Most of 200 classes have no true positive on validation folds."""
    rng = np.random.default_rng(0)
    y = np.concatenate([np.arange(200), rng.integers(0, 200, 400)])
    scores = rng.normal(size=(600, 200))
    tuner = OffsetTuner("accuracy", kind="logits").fit(scores, y)
    assert tuner.score_ < 0.03
    low, high = (
        OffsetTuner(Cost(np.ones((3, 3))))
        .fit(np.full((45, 3), 1 / 3), np.repeat([0, 1, 2], [40, 3, 2]))
        .score_interval_
    )
    assert low == high == pytest.approx(1.0)


def test_nothing_of_an_earlier_fit_is_left():
    tuner = OffsetTuner("f1_macro").fit(*draw(0, 2))
    assert not hasattr(tuner.fit(*draw(0, 3)), "threshold_")


class TestArrayLibraries:
    """Results live where the input lives."""

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_results_are_of_the_library_of_the_scores(self, xp, dtype):
        proba, y = draw(9, 3)
        codes = np.searchsorted(NAMES[:3], y)
        scores = xp.asarray(proba.astype(dtype))
        tuner = OffsetTuner("f1_macro", n_bootstraps=2).fit(scores, xp.asarray(codes))
        assert all(type(x) is type(scores) for x in (tuner.offsets_, tuner.predict(scores), tuner.transform(scores)))
        assert (
            tuner.offsets_.dtype == tuner.transform(scores).dtype == tuner.predict_proba(scores).dtype == scores.dtype
        )
        here = OffsetTuner("f1_macro", n_bootstraps=2).fit(proba.astype(dtype), codes)
        np.testing.assert_array_equal(to_numpy(tuner.predict(scores)), here.predict(proba.astype(dtype)))
        assert tuner.in_sample_score_ == here.in_sample_score_

    def test_strings_come_back_as_numpy(self, xp):
        proba, y = draw(9, 3)
        predicted = OffsetTuner().fit(xp.asarray(proba), y).predict(xp.asarray(proba))
        assert isinstance(predicted, np.ndarray)
        assert set(predicted) <= set(NAMES)

    def test_half_precision_and_gradients_of_torch(self):
        torch = pytest.importorskip("torch")
        proba, y = draw(9, 3)
        half = torch.tensor(proba).half().requires_grad_()
        tuner = OffsetTuner("f1_macro").fit(half, y)
        assert tuner.offsets_.dtype == torch.float32
        assert not tuner.transform(half).requires_grad

    def test_fitted_in_one_library_used_in_another(self):
        torch = pytest.importorskip("torch")
        proba, y = draw(9, 3)
        tuner = OffsetTuner("f1_macro").fit(proba, y)
        np.testing.assert_array_equal(tuner.predict(torch.tensor(proba)), tuner.predict(proba))

    def test_lists_frames_and_integers(self):
        pd = pytest.importorskip("pandas")
        proba, y = draw(9, 3)
        expected = OffsetTuner().fit(proba, y).offsets_
        np.testing.assert_array_equal(OffsetTuner().fit(proba.tolist(), y.tolist()).offsets_, expected)
        frame = pd.DataFrame(proba, index=np.arange(len(y)) + 7)
        np.testing.assert_array_equal(OffsetTuner().fit(frame, pd.Series(y)).offsets_, expected)
        whole = np.round(np.log(proba) * 3).astype(int)
        assert OffsetTuner(kind="logits").fit(whole, y).offsets_.dtype == np.float64


class TestConventions:
    """scikit-learn's contract."""

    def test_clone_and_parameters(self):
        tuner = OffsetTuner(FBeta(2), kind="logits", random_state=3)
        assert clone(tuner).get_params() == tuner.get_params()
        assert tuner.set_params(kind="proba").kind == "proba"

    def test_pickling(self):
        proba, y = draw(0)
        tuner = OffsetTuner("f1_macro").fit(proba, y)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(tuner)).predict(proba), tuner.predict(proba))

    def test_not_fitted(self):
        with pytest.raises(NotFittedError):
            OffsetTuner().predict([[0.5, 0.5]])

    def test_fits_are_repeatable(self):
        proba, y = draw(0, 4)
        first, second = (OffsetTuner("f1_macro").fit(proba, y).offsets_ for _ in range(2))
        np.testing.assert_array_equal(first, second)
        OffsetTuner("f1_macro", random_state=np.random.RandomState(3)).fit(proba, y)

    def test_html(self):
        assert "OffsetTuner" in OffsetTuner()._repr_html_()

    def test_progress(self, capsys):
        OffsetTuner("f1_macro", verbose=1).fit(*draw(0, 3))
        lines = capsys.readouterr().out.splitlines()
        said = [f"fold {number}/5" for number in range(1, 6)] + ["f1_macro of soft labels: "]
        said += [f"bootstrap {number}/8" for number in range(1, 9)] + ["f1_macro with 8 bootstraps: f1_macro=0."]
        for line, start in zip(lines, [*said, "f1_macro=0."], strict=True):
            assert line.startswith(f"[OffsetTuner] {start}")
        OffsetTuner("f1_macro", verbose=1, **EXACT).fit(*draw(0, 3))
        assert "[OffsetTuner] f1_macro from zero: " in capsys.readouterr().out
        OffsetTuner("f1_macro").fit(*draw(0, 3))
        assert capsys.readouterr().out == ""

    def test_parameters_are_left_alone(self):
        tuner = OffsetTuner("f1_macro")
        before = dict(tuner.get_params())
        tuner.fit(*draw(0))
        assert tuner.get_params() == before


class TestClassPrior:
    """Where the rows to be predicted have other shares of the classes, every metric is theirs."""

    def test_it_weighs_the_samples(self):
        proba, y = draw(0, 3, n_samples=300)
        prior = np.array([0.2, 0.3, 0.5])
        shares = np.unique(y, return_counts=True)[1] / 300
        weights = (prior / shares)[np.searchsorted(NAMES[:3], y)]
        expected = OffsetTuner("f1_macro").fit(proba, y, sample_weight=weights)
        for given in (prior, 7 * prior, dict(zip(NAMES[:3], prior, strict=True))):
            tuner = OffsetTuner("f1_macro", class_prior=given).fit(proba, y)
            np.testing.assert_allclose(tuner.offsets_, expected.offsets_, atol=1e-6)
            assert tuner.in_sample_score_ == pytest.approx(expected.in_sample_score_)

    def test_the_accuracy_of_a_calibrated_model_is_that_of_the_shifted_posterior(self):
        rng = np.random.default_rng(0)
        margin = rng.normal(size=20_000) - 2
        y = (rng.random(20_000) < 1 / (1 + np.exp(-margin))).astype(int)
        tuner = OffsetTuner("accuracy", kind="logits", class_prior=[0.5, 0.5]).fit(margin, y)
        assert np.diff(tuner.offsets_)[0] == pytest.approx(np.log((1 - y.mean()) / y.mean()), abs=0.15)

    def test_weights_count_besides(self):
        proba, y = draw(1, 2, n_samples=200)
        weights = np.random.default_rng(0).random(200)
        tuner = OffsetTuner("accuracy", class_prior=[0.5, 0.5]).fit(proba, y, sample_weight=weights)
        expected = OffsetTuner("balanced_accuracy").fit(proba, y, sample_weight=weights)
        assert tuner.in_sample_score_ == pytest.approx(expected.in_sample_score_, abs=0.05)

    def test_classes_without_samples_are_left_out(self):
        proba, y = draw(2, 3)
        kept = y != "cat"
        tuner = OffsetTuner("accuracy", class_prior=[0.4, 0.3, 0.3]).fit(proba[kept], y[kept], classes=NAMES[:3])
        assert np.isfinite(tuner.offsets_).all()

    @pytest.mark.parametrize(
        ("prior", "message"),
        [
            ([0.5, -0.5], "class_prior must not be negative"),
            ([0.0, 0.0], "positive somewhere"),
            ([0.5, 0.3, 0.2], "class_prior must"),
            ({"ant": 1.0}, "class_prior must name every class"),
            ({"ant": 0.5, "eel": 0.5}, "class_prior='eel' is not a class"),
        ],
    )
    def test_hostile_priors(self, prior, message):
        with pytest.raises(ValueError, match=message):
            OffsetTuner("accuracy", class_prior=prior).fit(*draw(0, 2))
