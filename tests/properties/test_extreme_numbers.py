"""Numbers at the end of their range, and tensors of every sort: right results or a clear error, no NumPy warnings."""

import itertools
import math
import warnings

import numpy as np
import pytest
from support.effort import crossed

from skimbalance import OffsetTuner, imbalance_curve
from skimbalance._core.decision import log_scores
from skimbalance.goals import ImbalanceState
from skimbalance.metrics import Cost, FBeta
from skimbalance.metrics.counts import Truth

pytestmark = [pytest.mark.usefixtures("few_restarts"), pytest.mark.filterwarnings("error::RuntimeWarning")]

CHEAP = {"estimate": "empirical", "confidence_level": None}
N = 40
Y = np.arange(N) % 3
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(N, 3)) + 1.5 * np.eye(3)[Y] + [1.0, 0.0, 0.5]
PROBA = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
TWO = Y == 1


def fit(scores, y=Y, objective="f1_macro", kind="logits", **options):
    return OffsetTuner(objective, kind=kind, **CHEAP).fit(scores, y, **options)


class TestObjectives:
    @pytest.mark.parametrize("beta", [1e160, 1e308, np.float32(1e30), 10**200])
    def test_a_huge_beta_is_recall(self, beta):
        counts = Truth.from_codes(Y, n_classes=3).count(LOGITS.argmax(axis=1))
        recalls = np.asarray(counts.hits) / np.asarray(counts.support)
        assert FBeta(beta, average="macro").value(counts) == pytest.approx(recalls.mean(), abs=1e-14)
        np.testing.assert_array_equal(
            fit(LOGITS, objective=FBeta(beta, average="macro")).predict(LOGITS),
            fit(LOGITS, objective="recall_macro").predict(LOGITS),
        )

    def test_a_tiny_beta_is_precision(self):
        counts = Truth.from_codes(Y, n_classes=3).count(LOGITS.argmax(axis=1))
        precisions = np.asarray(counts.hits) / np.asarray(counts.predicted)
        assert FBeta(1e-200, average="macro").value(counts) == pytest.approx(precisions.mean(), abs=1e-14)

    @pytest.mark.parametrize("beta", [10**400, "2", math.inf, math.nan, 0, -1.0, None])
    def test_a_beta_that_is_no_positive_number_is_refused(self, beta):
        with pytest.raises(ValueError, match="beta must be a positive finite number"):
            FBeta(beta)

    @pytest.mark.parametrize("exponent", [-1000, -300, -40, 40, 300, 990])
    def test_only_ratios_of_costs_matter(self, exponent):
        matrix = np.array([[0, 1, 3.0], [2, -1, 1], [7, 1, 0]])
        one, other = (fit(LOGITS, objective=Cost(matrix * scale)) for scale in (1.0, 2.0**exponent))
        np.testing.assert_array_equal(other.offsets_, one.offsets_)
        assert other.in_sample_score_ == one.in_sample_score_ * 2.0**exponent

    @pytest.mark.parametrize(("cell", "message"), [(1.7e308, "between -1e"), (-1e301, "got -1e"), (math.inf, "finite")])
    def test_costs_whose_differences_overflow_are_refused(self, cell, message):
        with pytest.raises(ValueError, match=f"matrix must .*{message}"):
            Cost([[0, 1], [cell, 0]])

    @pytest.mark.parametrize("n_classes", [2, 3])
    @pytest.mark.parametrize(
        ("returned", "message"),
        [
            (math.inf, "a finite number, or NaN where it is undefined; got inf"),
            (math.nan, "a finite number for some decisions; got nan for all that were tried"),
            (-math.inf, "a finite number for some decisions; got -inf for all that were tried"),
            (None, "a number; got None"),
            ("0.5", "a number; got '0.5'"),
            (1j, "a number; got 1j"),
            (np.array([0.5]), "a number; got array"),
            ([0.5, 0.1], "a number; got"),
            (10**400, "a number; got 1000"),
        ],
    )
    def test_a_function_must_return_numbers(self, n_classes, returned, message):
        def objective(y_true, y_pred):  # noqa: ARG001
            return returned

        scores, y = (LOGITS[:, :2], TWO) if n_classes == 2 else (LOGITS, Y)
        with pytest.raises(ValueError, match=f"objective 'objective' must return {message}"):
            fit(scores, y, objective)

    @pytest.mark.parametrize("solver", ["differential_evolution", "direct", "powell"])
    def test_an_infinite_value_of_some_decisions_is_named_whoever_searches(self, solver):
        def likelihood_ratio(y_true, y_pred):
            false = np.mean((y_pred == 1) & (y_true != 1))
            return np.mean((y_pred == 1) & (y_true == 1)) / false if false else math.inf

        tuner = OffsetTuner(likelihood_ratio, kind="logits", solver=solver, **CHEAP)
        with pytest.raises(ValueError, match=r"'likelihood_ratio' must return a finite number.*got inf"):
            tuner.fit(LOGITS, Y)

    def test_a_function_may_be_undefined_for_some_decisions(self):
        def precision(y_true, y_pred):
            return np.mean(y_true[y_pred == 1] == 1) if (y_pred == 1).any() else np.nan

        tuner = OffsetTuner(precision, kind="logits", estimate="empirical").fit(LOGITS, Y)
        predicted = tuner.predict(LOGITS)
        assert tuner.in_sample_score_ == np.mean(Y[predicted == 1] == 1)
        low, high = tuner.score_interval_
        assert -1 < low <= tuner.score_ <= high < 2


class TestScores:
    @pytest.mark.parametrize("scale", [2.0**60, 2.0**100, 2.0**124])
    def test_huge_single_precision_is_as_good_as_double(self, scale):
        single = (LOGITS * scale).astype(np.float32)
        assert np.abs(single).max() > 1e18
        here, there = (fit(scores, objective="f1_macro") for scores in (single, single.astype(np.float64)))
        np.testing.assert_array_equal(here.offsets_, there.offsets_)
        np.testing.assert_array_equal(here.predict(single), there.predict(single.astype(np.float64)))
        assert np.isfinite(here.predict_proba(single)).all()

    @pytest.mark.parametrize("lowest", [np.finfo(np.float32).min, -1e30])
    @pytest.mark.parametrize("estimate", ["robust", "plugin", "empirical"])
    def test_classes_that_are_ruled_out_by_the_lowest_number_are_never_predicted(self, lowest, estimate):
        scores = LOGITS.astype(np.float32)
        out = (np.arange(N) + 1) % 3  # of each row another class than its own
        scores[np.arange(N), out] = lowest
        tuner = OffsetTuner("f1_macro", kind="logits", estimate=estimate).fit(scores, Y)
        assert not (tuner.predict(scores) == out).any()
        assert np.abs(tuner.offsets_).max() < 100
        np.testing.assert_array_equal(tuner.predict_proba(scores)[np.arange(N), out], 0)

    @pytest.mark.parametrize("lowest", [np.finfo(np.float32).min, -1e80])
    def test_classes_that_are_ruled_out_in_many_samples_are_never_predicted(self, lowest):
        scores = np.repeat(LOGITS, 500, axis=0) + RNG.normal(size=(500 * N, 3))
        y = np.repeat(Y, 500)
        out = (y + 1) % 3
        scores[np.arange(500 * N), out] = lowest
        tuner = OffsetTuner("f1_macro", kind="logits", confidence_level=None).fit(scores, y)
        assert not (tuner.predict(scores) == out).any()
        assert np.abs(tuner.offsets_).max() < 100

    @pytest.mark.parametrize("scores", [LOGITS * 1e101, LOGITS * 1e307, LOGITS.astype(np.longdouble) * 1e101])
    def test_logits_whose_squares_overflow_are_refused(self, scores):
        with pytest.raises(ValueError, match=r"between -1e\+100 and 1e\+100.*scores range from"):
            fit(scores)
        with pytest.raises(ValueError, match=r"between -1e\+100 and 1e\+100"):
            fit(LOGITS).predict(scores)

    def test_long_double_is_double(self):
        for kind, scores in (("logits", LOGITS), ("proba", PROBA), ("log_proba", np.log(PROBA))):
            here, there = (fit(each, kind=kind) for each in (scores.astype(np.longdouble), scores))
            assert here.offsets_.dtype == np.float64
            np.testing.assert_array_equal(here.offsets_, there.offsets_)
        two = OffsetTuner("f1", **CHEAP).fit(PROBA[:, 1].astype(np.longdouble), TWO)
        assert two.threshold_ == OffsetTuner("f1", **CHEAP).fit(PROBA[:, 1], TWO).threshold_
        if np.finfo(np.longdouble).maxexp > 1024:
            with pytest.raises(ValueError, match="kind='logits' takes finite scores; got infinite"):
                fit(LOGITS.astype(np.longdouble) * np.longdouble("1e1000"))
            with pytest.raises(ValueError, match="sample_weight must be finite"):
                fit(LOGITS, sample_weight=np.full(N, np.longdouble("1e1000")))

    def test_half_precision_is_single(self):
        half = LOGITS.astype(np.float16)
        np.testing.assert_array_equal(fit(half).offsets_, fit(half.astype(np.float32)).offsets_)
        assert fit(half).offsets_.dtype == np.float32


class TestNoWarningOfNumPy:
    """Every kind, precision, estimate and objective, on scores with zeros, ties, and no variation at all."""

    SHAPES = ("zeros", "ties", "constant", "certain", "of two classes")

    @staticmethod
    def scores(kind, shape, dtype):
        logits = LOGITS.copy()
        if shape == "zeros":
            logits[RNG.random(logits.shape) < 0.3] = -1e4
        elif shape == "ties":
            logits = np.round(logits)
        elif shape == "constant":
            logits[:] = [0.5, 0.0, 1.0]
        elif shape == "certain":
            logits = 1e4 * np.eye(3)[RNG.integers(3, size=N)]
        else:
            logits = 300 * logits[:, :2]
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        proba = raised / raised.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore"):
            of_kind = {"logits": logits, "proba": proba, "log_proba": np.log(proba)}[kind]
        return of_kind.astype(dtype)

    @pytest.mark.parametrize(("kind", "dtype"), crossed(["proba", "log_proba", "logits"], ["float32", "float64"]))
    def test_of_one_label(self, kind, dtype):
        objectives = itertools.cycle(["f1_macro", "geometric_mean", ImbalanceState("uniform"), "matthews_corrcoef"])
        estimates = itertools.cycle(["robust", "plugin", "empirical"])
        for shape in self.SHAPES:
            scores = self.scores(kind, shape, dtype)
            y = TWO.astype(int) if scores.shape[1] == 2 else Y
            weights = 10.0 ** np.linspace(-150, 150, N) if shape == "ties" else None
            tuner = OffsetTuner(next(objectives), kind=kind, estimate=next(estimates), n_bootstraps=2)
            with warnings.catch_warnings():
                warnings.simplefilter("error", RuntimeWarning)
                tuner.fit(scores, y, sample_weight=weights)
                for answer in (tuner.transform(scores), tuner.predict_proba(scores), tuner.offsets_):
                    assert np.isfinite(answer).all()
                imbalance_curve(scores, y, kind=kind, points=3, sample_weight=np.arange(1, N + 1))

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_of_one_column_of_log_probabilities(self, dtype):
        log_proba = np.log(np.clip(PROBA[:, 1], 1e-30, 1)).astype(dtype)
        log_proba[::4], log_proba[1::4] = 0, -np.inf
        floor = np.log(np.finfo(dtype).smallest_normal)
        found = log_scores(log_proba[:2], kind="log_proba")
        np.testing.assert_allclose(found, [[floor, 0], [0, floor]], rtol=1e-6)
        tuner = OffsetTuner("f1", kind="log_proba").fit(log_proba, TWO)
        assert np.isfinite(tuner.transform(log_proba)).all()

    @pytest.mark.parametrize("kind", ["proba", "log_proba", "logits"])
    @pytest.mark.parametrize("shape", ["zeros", "ties", "constant", "certain"])
    def test_multilabel(self, kind, shape):
        odds = {"zeros": np.where(LOGITS < 0, -1e4, LOGITS), "ties": np.round(LOGITS), "constant": 0 * LOGITS + 2}
        odds = odds.get(shape, np.sign(LOGITS) * 1e4)
        with np.errstate(all="ignore"):
            proba = 1 / (1 + np.exp(-odds))
            scores = {"logits": odds, "proba": proba, "log_proba": np.log(proba)}[kind]
        y = (RNG.random((N, 3)) < 0.4).astype(int)
        for estimate, objective in zip(
            ("robust", "plugin", "empirical"), ("f1_macro", "f1_micro", "f1_samples"), strict=True
        ):
            tuner = OffsetTuner(objective, kind=kind, estimate=estimate, n_bootstraps=2).fit(scores, y)
            assert np.isfinite(tuner.transform(scores)).all()

    def test_multilabel_with_weights_that_are_far_apart(self):
        proba = np.tile([0.3, 0.6, 0.4, 0.5, 0.2], (N, 1))
        y = (RNG.random((N, 5)) < 0.4).astype(int)
        weights = 10.0 ** np.linspace(-150, 150, N)
        for row in (0, 1):
            y[-1] = row
            OffsetTuner("hamming", n_bootstraps=2).fit(proba, y, sample_weight=weights)

    def test_of_a_class_that_weighs_next_to_nothing_and_has_no_probability(self):
        proba = 0.1 + 0.7 * np.eye(3)[Y]
        proba[Y == 2] = [1, 0, 0]
        weights = np.where(Y == 2, 1e-60, 1.0)
        tuner = OffsetTuner("cohen_kappa", n_bootstraps=2).fit(proba.astype(np.float32), Y, sample_weight=weights)
        assert np.isfinite(tuner.offsets_).all()

    def test_of_a_curve_whose_classes_weigh_next_to_nothing(self):
        weights = np.where(Y == 2, 1e-150, 1e150)
        curve = imbalance_curve(PROBA, Y, sample_weight=weights, along="state", points=[-0.5, 0, 1, 2])
        assert np.isfinite(curve.offsets).all()
        assert np.isfinite(curve.state).all()


class TestTensors:
    @pytest.fixture
    def torch(self):
        return pytest.importorskip("torch")

    def test_tensors_without_plain_values_are_refused(self, torch):
        dense = torch.as_tensor(PROBA)
        tuner = fit(PROBA, kind="proba")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, for which some layouts are new
            refused = {
                "scores must hold values; got a tensor on the meta device": dense.to("meta"),
                "scores must be dense; got a tensor of layout torch.sparse_coo": dense.to_sparse(),
                "scores must be dense; got a tensor of layout torch.sparse_csr": dense.to_sparse_csr(),
            }
            for message, scores in refused.items():
                for call in (lambda x: fit(x, kind="proba"), tuner.predict, tuner.transform):
                    with pytest.raises(ValueError, match=message):
                        call(scores)
        codes = torch.as_tensor(Y)
        for name, options in (("y", {"y": codes.to("meta")}), ("sample_weight", {"sample_weight": codes.to("meta")})):
            with pytest.raises(ValueError, match=f"{name} must hold values; got a tensor on the meta device"):
                fit(PROBA, kind="proba", **options)
        with pytest.raises(ValueError, match="y must be dense"):
            fit(PROBA, y=codes.to_sparse(), kind="proba")

    def test_sparse_matrices_of_scores_are_refused(self):
        sparse = pytest.importorskip("scipy.sparse")
        with pytest.raises(ValueError, match=r"scores must be dense; got a sparse csr_matrix. Pass scores.toarray\(\)"):
            fit(sparse.csr_matrix(PROBA), kind="proba")

    @pytest.mark.parametrize("form", ["negative bit", "gradient", "bfloat16", "float16"])
    def test_tensors_of_every_sort_are_what_their_values_are(self, torch, form):
        plain = torch.as_tensor(LOGITS, dtype=torch.float32)
        if form == "negative bit":
            tensor = torch.complex(plain, -plain).conj().imag
            assert tensor.is_neg()
        elif form == "gradient":
            tensor = plain.clone().requires_grad_()
        else:
            tensor = plain.to(getattr(torch, form))
            plain = tensor.float()
        expected, found = fit(plain), fit(tensor)
        assert torch.equal(found.offsets_, expected.offsets_)
        assert torch.equal(expected.predict(tensor), expected.predict(plain))
        assert not found.predict_proba(tensor).requires_grad
        one, other = (
            OffsetTuner("f1_macro", kind="logits", **CHEAP).fit(each, np.eye(3, dtype=int)[Y])
            for each in (plain, tensor)
        )
        assert torch.equal(other.offsets_, one.offsets_)

    @pytest.mark.parametrize("dtype", ["bfloat16", "float16", "int8", "bool"])
    def test_labels_and_weights_may_be_of_any_type(self, torch, dtype):
        y = torch.as_tensor(TWO).to(getattr(torch, dtype))
        found = OffsetTuner("f1", **CHEAP).fit(PROBA[:, 1], y, sample_weight=y.float().bfloat16() + 1)
        expected = OffsetTuner("f1", **CHEAP).fit(PROBA[:, 1], TWO, sample_weight=TWO + 1.0)
        np.testing.assert_array_equal(found.offsets_, expected.offsets_)
