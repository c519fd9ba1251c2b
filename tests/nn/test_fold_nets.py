"""Offsets in the last layer of a module: the plain decision is the tuned one, on every row."""

import numpy as np
import pytest
from problems import features

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.nn import fold_offsets, net_logits

OFFSETS = np.array([-1.0, 0.25, 0.75])


torch = pytest.importorskip("torch")


class Conv(torch.nn.Module):
    """A layer of 1 x 1 convolutions, averaged over the picture."""

    def __init__(self, *, transposed=False):
        super().__init__()
        kind = torch.nn.ConvTranspose1d if transposed else torch.nn.Conv1d
        self.body, self.head = torch.nn.Conv1d(1, 5, 2), kind(5, 3, 1)

    def forward(self, X):
        return self.head(torch.relu(self.body(X[:, None]))).mean(dim=2)


def modules():
    """Modules of three classes, by what they end in."""
    torch.manual_seed(0)
    return {
        "linear": torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)),
        "no bias": torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3, bias=False)),
        "softmax": torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Softmax(dim=1)),
        "convolution": Conv(),
        "transposed": Conv(transposed=True),
        "double": torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)).double(),
    }


class TestModules:
    @pytest.mark.parametrize("name", modules())
    def test_decisions_agree(self, name):
        module = modules()[name]
        X, y = features(n_rows=400)
        tuner = OffsetTuner("geometric_mean", kind="logits").fit(net_logits(module, X), y)
        more = features(1, n_rows=20_000)[0]
        tuned = tuner.predict(net_logits(module, more))
        plain = fold_offsets(module, tuner.offsets_)
        assert torch.equal(net_logits(plain, more).argmax(dim=1), tuned)
        with torch.no_grad():
            like = next(module.parameters())
            assert torch.equal(plain(torch.as_tensor(more).to(like.dtype)).argmax(dim=1), tuned)
        assert not torch.equal(net_logits(module, more).argmax(dim=1), tuned)

    def test_ties_stay_ties(self):
        module = torch.nn.Linear(4, 3)
        with torch.no_grad():
            module.weight.copy_(torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]))
            module.bias.zero_()
        grid = np.random.default_rng(0).integers(-2, 3, size=(500, 4)).astype(np.float32)
        tuner = OffsetTuner("f1_macro", kind="logits").fit(grid[:, :3], np.arange(500) % 3)
        tuner.offsets_ = np.array([-1.0, 0.0, 1.0], dtype=np.float32)
        decided = net_logits(fold_offsets(module, tuner.offsets_), grid).numpy().argmax(axis=1)
        np.testing.assert_array_equal(decided, tuner.predict(grid[:, :3]))

    def test_one_output(self):
        torch.manual_seed(0)
        module = torch.nn.Linear(4, 1)
        X, y = features(n_rows=400, n_classes=2)
        tuner = OffsetTuner("f1", kind="logits").fit(net_logits(module, X), y)
        more = features(1, n_rows=20_000, n_classes=2)[0]
        plain = net_logits(fold_offsets(module, tuner.offsets_), more)
        assert torch.equal((plain > 0).long(), tuner.predict(net_logits(module, more)))

    def test_without_a_layer(self):
        with pytest.raises(ValueError, match="Identity has none"):
            fold_offsets(torch.nn.Identity(), OFFSETS)

    def test_a_net_of_skorch(self):
        pytest.importorskip("skorch")
        from nets import several

        X, y = features(n_rows=400)
        net = several().fit(X, y)
        clf = TunedOffsetClassifierCV(net, objective="f1_macro", cv="prefit").fit(X, y)
        plain = fold_offsets(net, clf.offsets_)
        more = features(1, n_rows=5000)[0]
        np.testing.assert_array_equal(plain.predict(more), clf.predict(more))
        with pytest.raises(Exception, match=r"not initialized|not fitted"):
            fold_offsets(several(), OFFSETS)

    @pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # within torch's exporter
    @pytest.mark.parametrize("name", ["linear", "convolution"])
    def test_exported_to_onnx(self, name, tmp_path):
        onnxruntime = pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
        module = modules()[name]
        X, y = features(n_rows=400)
        tuner = OffsetTuner("geometric_mean", kind="logits").fit(net_logits(module, X), y)
        path = tmp_path / "folded.onnx"
        plain = fold_offsets(module, tuner.offsets_).eval()
        torch.onnx.export(
            plain,
            (torch.as_tensor(X[:2]),),
            path,
            input_names=["X"],
            dynamic_shapes=({0: torch.export.Dim("rows")},),
            verbose=False,
        )
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        more = features(1, n_rows=20_000)[0]
        (exported,) = session.run(None, {"X": more})
        wrapped = tuner.predict(net_logits(module, more)).numpy()
        np.testing.assert_array_equal(exported.argmax(axis=1), wrapped)
