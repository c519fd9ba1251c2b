"""Tuning on a CUDA device: nothing of the scores comes to the host, and the value is that of the CPU."""

import numpy as np
import pytest
from support.problems import features

from skimbalance import OffsetTuner
from skimbalance.goals import AtLeast

torch = pytest.importorskip("torch")

on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def logits(device="cuda", *, n_samples=2000, n_classes=5, dtype=torch.float32):
    """Logits on a device, and codes on the host."""
    rng = np.random.default_rng(0)
    y = features(n_samples=n_samples, n_classes=n_classes)[1]
    return torch.as_tensor(rng.normal(size=(n_samples, n_classes)) + 2 * np.eye(n_classes)[y], dtype=dtype).to(
        device
    ), y


@on_cuda
@pytest.mark.parametrize("estimate", ["robust", "plugin", "empirical"])
@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("objective", ["f1_macro", "balanced_accuracy", "geometric_mean", "matthews_corrcoef"])
def test_the_value_is_that_of_the_cpu(objective, n_classes, estimate):
    scores, y = logits(n_classes=n_classes, dtype=torch.float64)
    there = OffsetTuner(objective, kind="logits", estimate=estimate).fit(scores, y)
    here = OffsetTuner(objective, kind="logits", estimate=estimate).fit(scores.cpu().numpy(), y)
    assert there.offsets_.device.type == "cuda"
    assert there.in_sample_score_ == pytest.approx(here.in_sample_score_, abs=1e-6)
    assert there.score_ == pytest.approx(here.score_, abs=1e-3)


@on_cuda
def test_everything_stays_there():
    scores, y = logits()
    tuner = OffsetTuner("f1_macro", kind="logits").fit(scores, torch.as_tensor(y).cuda())
    for result in (
        tuner.predict(scores),
        tuner.predict_proba(scores),
        tuner.transform(scores),
        tuner.offsets_interval_,
    ):
        assert result.device.type == "cuda"


@on_cuda
def test_multilabel_fits_come_back():
    scores, y = logits()
    indicator = np.eye(5, dtype=int)[y]
    there = OffsetTuner("f1_micro", kind="logits").fit(scores, torch.as_tensor(indicator).cuda())
    here = OffsetTuner("f1_micro", kind="logits").fit(scores.cpu().numpy(), indicator)
    np.testing.assert_array_equal(there.offsets_.cpu().numpy(), here.offsets_)
    for result in (there.predict(scores), there.predict_proba(scores), there.threshold_, there.offsets_interval_):
        assert result.device.type == "cuda"


@on_cuda
def test_constraints():
    scores, y = logits(n_classes=2)
    tuner = OffsetTuner("precision", constraints=[AtLeast("recall", 0.8)], kind="logits", estimate="empirical")
    tuner.fit(scores, y)
    assert np.mean(tuner.predict(scores).cpu().numpy()[y == 1] == 1) >= 0.8


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=on_cuda)])
@pytest.mark.parametrize("n_pairs", [0, 20_000])
def test_no_copy_of_the_scores_to_the_host(device, n_pairs, monkeypatch):
    """Only near pairs are copied, if they are not many."""
    for name in ("_PAIRS_OF_DEVICE", "_PAIRS_OF_DEVICE_NEARBY"):
        monkeypatch.setattr(f"skimbalance.solvers._near.{name}", n_pairs)
    monkeypatch.setattr(
        "skimbalance.tuner._multiclass.for_search", lambda x: x
    )  # or a tensor of the host would need no copy
    scores, y = logits(device, n_samples=5000, n_classes=10)
    largest = []
    to_host = torch.Tensor.cpu

    def watched(tensor, *args, **kwargs):
        largest.append(tensor.numel())
        return to_host(tensor, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "cpu", watched)
    OffsetTuner("f1_macro", kind="logits").fit(scores, y)
    assert 0 < max(largest) <= max(scores.shape[0], n_pairs)
