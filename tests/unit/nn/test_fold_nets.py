"""Offsets in the last layer of a module: the plain decision is the tuned one, on every row."""

import numpy as np
import pytest
from support.problems import features

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.exceptions import SkimbalanceWarning
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
        X, y = features(n_samples=400)
        tuner = OffsetTuner("geometric_mean", kind="logits").fit(net_logits(module, X), y)
        more = features(1, n_samples=20_000)[0]
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
        X, y = features(n_samples=400, n_classes=2)
        tuner = OffsetTuner("f1", kind="logits").fit(net_logits(module, X), y)
        more = features(1, n_samples=20_000, n_classes=2)[0]
        plain = net_logits(fold_offsets(module, tuner.offsets_), more)
        assert torch.equal((plain > 0).long(), tuner.predict(net_logits(module, more)))

    def test_another_threshold_of_skorch(self):
        pytest.importorskip("skorch")
        from support.nets import single

        X, y = features(n_samples=100, n_classes=2)
        net = single(threshold=0.3).fit(X, y.astype(np.float32))
        with pytest.raises(ValueError, match=r"threshold of the net must be 0\.5, .* compares with 0\.3"):
            fold_offsets(net, [-0.5, 0.5])
        plain = fold_offsets(net.set_params(threshold=0.5), [-0.5, 0.5])
        np.testing.assert_array_equal(plain.predict(X), (net_logits(net, X) + 1 > 0).numpy())

    def test_without_a_layer(self):
        with pytest.raises(ValueError, match="Identity has none"):
            fold_offsets(torch.nn.Identity(), OFFSETS)

    def test_a_net_of_skorch(self):
        pytest.importorskip("skorch")
        from support.nets import several

        X, y = features(n_samples=400)
        net = several().fit(X, y)
        clf = TunedOffsetClassifierCV(net, objective="f1_macro", cv="prefit").fit(X, y)
        plain = fold_offsets(net, clf.offsets_)
        more = features(1, n_samples=5000)[0]
        np.testing.assert_array_equal(plain.predict(more), clf.predict(more))
        with pytest.raises(Exception, match=r"not initialized|not fitted"):
            fold_offsets(several(), OFFSETS)

    @pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # within torch's exporter
    @pytest.mark.parametrize("name", ["linear", "convolution"])
    def test_exported_to_onnx(self, name, tmp_path):
        onnxruntime = pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
        module = modules()[name]
        X, y = features(n_samples=400)
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
        more = features(1, n_samples=20_000)[0]
        (exported,) = session.run(None, {"X": more})
        wrapped = tuner.predict(net_logits(module, more)).numpy()
        np.testing.assert_array_equal(exported.argmax(axis=1), wrapped)


Linear = torch.nn.Linear


class Net(torch.nn.Module):
    """Layers in the order of their declaration, and a function that puts them together."""

    def __init__(self, forward, **layers):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.function = forward

    def forward(self, X):
        return self.function(self, X)


def plain(net, X):
    """The body, then the head."""
    return net.head(torch.relu(net.body(X)))


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(module, before):
    """Whether no parameter of the module, nor its mode, is changed."""
    after = module.state_dict()
    return after.keys() == before.keys() and all(torch.equal(after[name], before[name]) for name in before)


def agrees(module, folded, X, offsets=OFFSETS):
    """Whether outputs are those of the module plus offsets."""
    before, after = net_logits(module, X).numpy(), net_logits(folded, X).numpy()
    return np.allclose(after - before, offsets, atol=1e-4)


class TestTheLayerOfTheOutputs:
    X = features(n_samples=50)[0]

    @pytest.fixture(autouse=True)
    def _seed(self):
        torch.manual_seed(0)

    @pytest.mark.parametrize("width", [3, 4, 8])
    @pytest.mark.parametrize("given", [False, True])
    def test_a_head_declared_before_its_body(self, width, given):
        module = Net(plain, head=Linear(width, 3), body=Linear(4, width))
        before = state(module)
        folded = fold_offsets(module, OFFSETS, X=self.X if given else None)
        assert agrees(module, folded, self.X)
        assert torch.equal(folded.body.bias, module.body.bias)
        assert same(module, before)

    def test_a_second_head_that_is_called_last(self):
        module = Net(
            lambda net, X: (net.first(X), net.second(X)), first=Linear(4, 3), second=Linear(4, 3), unused=Linear(4, 3)
        )
        folded = fold_offsets(module, OFFSETS)
        assert agrees(module, folded, self.X)
        assert torch.equal(folded.second.bias, module.second.bias)

    @pytest.mark.parametrize("inplace", [False, True])
    def test_a_bias_of_two_layers(self, inplace):
        module = Net(plain, body=Linear(4, 3), head=Linear(3, 3))
        module.body.bias = module.head.bias
        kept = Net(plain, body=module.body, head=module.head)
        expected = net_logits(module, self.X).numpy() + OFFSETS
        before = module.body.bias.clone()
        folded = fold_offsets(module, OFFSETS, inplace=inplace)
        np.testing.assert_allclose(net_logits(folded, self.X).numpy(), expected, atol=1e-5)
        assert torch.equal(folded.body.bias, before)
        assert (kept.head.bias is module.body.bias) is not inplace

    def test_a_layer_named_by_the_user(self):
        def forward(net, X):
            return torch.fft.fft(X.reshape(len(X), 2, 2)).real.mean(dim=2) @ net.mix.T @ net.one.weight.T + net.two(X)

        module = Net(forward, one=Linear(2, 3), two=Linear(4, 3))
        module.register_buffer("mix", torch.eye(2))
        for layer in ("two", module.two):
            folded = fold_offsets(module, OFFSETS, layer=layer)
            assert agrees(module, folded, self.X)
            assert not torch.equal(folded.two.bias, module.two.bias)
        with pytest.raises(ValueError, match="offsets in the bias of layer 'one' do not move"):
            fold_offsets(module, OFFSETS, layer="one")
        with pytest.raises(ValueError, match="layer must be a layer of the module"):
            fold_offsets(module, OFFSETS, layer="three")
        with pytest.raises(ValueError, match="layer must have a weight or a bias; 'act' is a ReLU"):
            fold_offsets(Net(forward, one=Linear(2, 3), act=torch.nn.ReLU()), OFFSETS, layer="act")

    def test_a_layer_without_a_probe(self):
        def forward(net, X):
            if X.shape[1:] != (2, 2):
                raise RuntimeError("this takes (n, 2, 2)")
            return net.two(X.flatten(1))

        module = Net(forward, one=Linear(4, 3), two=Linear(4, 3), three=Linear(4, 3))
        with pytest.raises(ValueError, match=r"layer must name the layer .* one, two, three\. Pass"):
            fold_offsets(module, OFFSETS)
        with pytest.warns(SkimbalanceWarning, match="The offsets in Net are not verified"):
            folded = fold_offsets(module, OFFSETS, layer="two")
        X = torch.as_tensor(self.X.reshape(-1, 2, 2))
        assert agrees(module, folded, X)
        loader = torch.utils.data.DataLoader(X, batch_size=5, shuffle=True)
        for given in (X, X.numpy(), loader):
            assert agrees(module, fold_offsets(module, OFFSETS, X=given), X)
        single = Net(forward, one=Linear(3, 2), two=Linear(4, 3))
        with pytest.warns(SkimbalanceWarning, match="are not verified"):
            assert agrees(single, fold_offsets(single, OFFSETS), X)

    @pytest.mark.parametrize("inplace", [False, True])
    @pytest.mark.parametrize(
        "forward",
        [
            lambda net, X: torch.relu(plain(net, X)),
            lambda net, X: plain(net, X) / 3,
            lambda net, X: net.head(torch.relu(net.head(net.body(X)))),  # a layer used twice
            lambda net, X: net.head(net.body(X)) + net.head(net.body(-X)),
            lambda net, X: net.body(X) @ net.head.weight.T,  # a bias that is not used
            lambda net, X: torch.softmax(plain(net, X), dim=0),
        ],
    )
    def test_what_cannot_agree_is_refused(self, forward, inplace):
        module = Net(forward, body=Linear(4, 3), head=Linear(3, 3), dropout=torch.nn.Dropout())
        module.body.eval()
        before, biases = state(module), [module.body.bias, module.head.bias]
        for options in ({}, {"X": self.X}, {"layer": "head"}, {"layer": module.head, "X": self.X}):
            with pytest.raises(ValueError, match="model must return what its last layer returns"):
                fold_offsets(module, OFFSETS, inplace=inplace, **options)
        assert same(module, before)
        assert biases == [module.body.bias, module.head.bias]
        assert module.training

    def test_no_bias_stays_none_after_an_error(self):
        module = Net(lambda net, X: net.head(X) * 2, head=Linear(4, 3, bias=False))
        with pytest.raises(ValueError, match="model must return"):
            fold_offsets(module, OFFSETS, inplace=True)
        assert module.head.bias is None

    def test_the_same_layer_for_two_views(self):
        module = Net(lambda net, X: (net.head(X) + net.head(-X.abs())) / 2, head=Linear(4, 3))
        assert agrees(module, fold_offsets(module, OFFSETS), self.X)

    @pytest.mark.parametrize("bias", [True, False])
    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
    def test_precision_of_the_bias(self, dtype, bias):
        module = torch.nn.Sequential(Linear(4, 5), torch.nn.Tanh(), Linear(5, 3, bias=bias)).to(dtype)
        folded = fold_offsets(module, OFFSETS)
        assert folded[2].bias.dtype == dtype
        expected = OFFSETS + (module[2].bias.detach().double().numpy() if bias else 0)
        np.testing.assert_allclose(folded[2].bias.detach().double(), expected, rtol=0.01, atol=0.01)

    def test_offsets_beyond_the_precision(self):
        module = Linear(4, 3).half()
        with pytest.raises(ValueError, match=r"offsets must be such that torch\.float16 holds scores with them"):
            fold_offsets(module, [0.0, 1e5, 2e5], X=self.X)

    @pytest.mark.parametrize(
        ("ending", "n_outputs"),
        [
            (torch.nn.LogSoftmax(dim=1), 3),
            (lambda z: torch.softmax(z, dim=1) + 0.0, 3),
            (lambda z: (torch.softmax(z, dim=1) + 0.0).log(), 3),
            (torch.sigmoid, 3),
            (lambda z: torch.sigmoid(z) + 0.0, 3),
            (torch.sigmoid, 1),
            (lambda z: torch.sigmoid(z[:, 0]) + 0.0, 1),
            (lambda z: z.flatten(), 1),
        ],
    )
    def test_endings(self, ending, n_outputs):
        module = Net(lambda net, X: ending(plain(net, X)), head=Linear(8, n_outputs), body=Linear(4, 8))
        offsets = OFFSETS[: max(2, n_outputs)]
        folded = fold_offsets(module, offsets)
        expected = offsets[1:] - offsets[:1] if n_outputs == 1 else offsets
        np.testing.assert_allclose((folded.head.bias - module.head.bias).detach(), expected, atol=1e-6)
        assert torch.equal(folded.body.bias, module.body.bias)

    def test_outputs_that_are_rounded_away(self):
        module = Net(lambda net, X: torch.softmax(net.head(X), dim=1) + 0.0, head=Linear(4, 3))
        with torch.no_grad():
            module.head.bias.copy_(torch.tensor([0, 1e6, 2e6]))
        with pytest.warns(SkimbalanceWarning, match="its outputs are rounded to zero and one"):
            folded = fold_offsets(module, OFFSETS)
        np.testing.assert_allclose((folded.head.bias - module.head.bias).detach(), OFFSETS, atol=0.1)

    def test_a_layer_without_parameters(self):
        with pytest.raises(ValueError, match="model must have its parameters; Sequential gets them when"):
            fold_offsets(torch.nn.Sequential(torch.nn.LazyLinear(3)), OFFSETS)

    def test_images_and_words(self):
        image = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), Linear(4, 3)
        )
        words = torch.nn.Sequential(torch.nn.EmbeddingBag(20, 4), Linear(4, 3))
        for module in (image, words):
            folded = fold_offsets(module, OFFSETS)
            np.testing.assert_allclose((folded[-1].bias - module[-1].bias).detach(), OFFSETS, atol=1e-6)

    def test_random_state_is_left_alone(self):
        before = torch.get_rng_state()
        module = Linear(4, 3)
        torch.set_rng_state(before)
        fold_offsets(module, OFFSETS)
        assert torch.equal(torch.get_rng_state(), before)

    @pytest.mark.parametrize("given", [False, True])
    def test_a_pipeline_that_ends_in_a_net(self, given):
        pytest.importorskip("skorch")
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from support.nets import several

        X, y = features(n_samples=200)
        model = make_pipeline(StandardScaler(), several()).fit(X, y)
        folded = fold_offsets(model, OFFSETS, layer=model[-1].module_.layer, X=X if given else None)
        expected = (net_logits(model[-1], model[:-1].transform(X)).numpy() + OFFSETS).argmax(axis=1)
        np.testing.assert_array_equal(folded.predict(X), expected)
