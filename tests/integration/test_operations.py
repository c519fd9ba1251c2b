"""The number of operations of fits to scores on a device, where each takes as long as it takes to start."""

import numpy as np
import pytest

from skimbalance import OffsetTuner
from skimbalance._core.array_api import to_numpy
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import Problem, _coordinate_ascent, _near, fewer

torch = pytest.importorskip("torch")


def logits(n_samples, n_classes):
    """Tensors of single precision, and codes of which the first are 20 times as frequent as the last."""
    rng = np.random.default_rng(0)
    prior = np.logspace(0, -1.3, n_classes)
    y = rng.choice(n_classes, size=n_samples, p=prior / prior.sum())
    scores = rng.normal(size=(n_samples, n_classes)) + np.log(prior) + 3 * np.eye(n_classes)[y]
    return torch.as_tensor(scores, dtype=torch.float32), y


@pytest.fixture
def counted(import_benchmark):
    """A function that returns the operations of a run, and its copies to the host."""
    return import_benchmark("speed.operations").counted


@pytest.mark.parametrize(
    ("n_pairs", "objective", "estimate", "most", "most_awaited"),
    [
        (0, "balanced_accuracy", "empirical", 2800, 260),
        (0, "f1_macro", "empirical", 4000, 350),
        (0, "f1_macro", "plugin", 2500, 260),
        (500_000, "balanced_accuracy", "empirical", 450, 150),
        (500_000, "f1_macro", "empirical", 450, 150),
        (500_000, "f1_macro", "plugin", 1000, 250),
        (500_000, "f1_macro", "robust", 3500, 1000),
        pytest.param(0, "f1_macro", "robust", 40_000, 2700, marks=pytest.mark.exhaustive),
    ],
)
def test_a_fit_takes_few_operations(counted, n_pairs, objective, estimate, most, most_awaited, monkeypatch):
    """Of samples twice as many as in the subsample that decides where to start, and most if no pairs are copied."""
    for name in ("_PAIRS_OF_DEVICE", "_PAIRS_OF_DEVICE_NEARBY"):
        monkeypatch.setattr(_near, name, n_pairs)
    scores, y = logits(50_000, 40)
    level = 0.9 if estimate == "robust" else None
    there, here = (
        OffsetTuner(objective, kind="logits", estimate=estimate, confidence_level=level, n_bootstraps=4) for _ in "ab"
    )
    operations, copies = counted(lambda: there.fit(scores, y))
    assert (100 if n_pairs else 500) < operations.names.total() < most
    assert operations.n_awaited + copies["copies"] < most_awaited
    here.fit(scores.numpy(), y)
    assert there.in_sample_score_ == pytest.approx(here.in_sample_score_, abs=5e-3)


def test_more_samples_take_no_more_operations(counted):
    """The blocks of a device are as large as its memory allows."""
    totals = []
    for n_samples in (10_000, 40_000):
        tuner = OffsetTuner("f1_macro", kind="logits", estimate="empirical", confidence_level=None)
        scores, y = logits(n_samples, 20)
        operations, _ = counted(lambda tuner=tuner, scores=scores, y=y: tuner.fit(scores, y))
        totals.append(operations.names.total() / tuner.n_iter_)
    assert max(totals) < 1.5 * min(totals)


@pytest.mark.parametrize("soft", [False, True])
def test_a_subsample_is_on_the_host(xp, soft, rng):
    scores, y = rng.normal(size=(300, 4)), np.arange(300) % 4
    shares = rng.dirichlet(np.ones(4), size=300).T if soft else None

    def problem(xp):
        weights = xp.asarray(1.0 + np.arange(300) % 3)
        if soft:
            truth = Truth.from_shares(xp.asarray(shares.copy()), weights=weights)
        else:
            truth = Truth.from_codes(xp.asarray(y), n_classes=4, weights=weights)
        return Problem(xp.asarray(scores), truth, METRICS["f1_macro"])

    here, there = (fewer(problem(library), n_scores=400) for library in (np, xp))
    assert type(there.scores) is np.ndarray
    np.testing.assert_array_equal(there.scores, here.scores)
    start = xp.asarray(np.array([0.0, 0.5, -0.5, 0.0]))
    assert _coordinate_ascent.objective_value(there, start) == _coordinate_ascent.objective_value(here, to_numpy(start))
