"""What nets take and return, and that asking for their logits changes nothing."""

import sys
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.problems import features

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.nn import net_logits

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from support.nets import Head, layer_of, several, softmax  # noqa: E402 - they need torch

X, Y = features()
ROWS = torch.as_tensor(X)
NAMES = np.array(["ant", "bee", "cat"])


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class Loss(NamedTuple):
    loss: object
    logits: object


class First(NamedTuple):
    scores: object
    features: object


class ModelOutput(OrderedDict):
    """Like that of Hugging Face: a mapping of names, which are attributes too, and numbers stand for them."""

    __getattr__ = OrderedDict.__getitem__

    def __getitem__(self, key):
        return super().__getitem__(key) if isinstance(key, str) else list(self.values())[key]


class Returning(Head):
    """A net that returns what `wrap` makes of its logits."""

    def __init__(self, wrap):
        super().__init__(3)
        self.wrap = wrap

    def forward(self, X):
        return self.wrap(super().forward(X))


def plain(module=Head, **options):
    return skorch.NeuralNet(module, criterion=torch.nn.CrossEntropyLoss, max_epochs=5, lr=0.1, verbose=0, **options)


class TestOutputs:
    @pytest.mark.parametrize("in_skorch", [False, True])
    @pytest.mark.parametrize(
        "wrap",
        [
            lambda s: Loss(s.sum(), s),
            lambda s: {"loss": s.sum(), "logits": s},
            lambda s: ModelOutput(loss=s.sum(), logits=s),
            lambda s: (Loss(s.sum(), s), s.sum()),
            lambda s: First(s, s.sum()),
            lambda s: [s, s.sum()],
        ],
        ids=["named tuple", "dict", "model output", "nested", "no logits", "list"],
    )
    def test_logits_are_taken_by_name_and_else_the_first(self, wrap, in_skorch):
        net = plain(Returning, module__wrap=wrap).initialize() if in_skorch else Returning(wrap)
        module = net.module_ if in_skorch else net
        torch.testing.assert_close(net_logits(net, X), module.layer(ROWS).detach())

    @pytest.mark.parametrize(
        ("wrap", "message"),
        [
            (lambda s: {"loss": s.sum(), "scores": s}, r"or name them 'logits' in a mapping; got the keys .*'scores'"),
            (lambda s: s.numpy(), r"must return a tensor \(n, K\), \(n, 1\) or \(n,\); got ndarray"),
            (lambda _: (), "must return a tensor .*; got tuple"),
            (lambda s: Loss(s, None), "must return a tensor .*; got NoneType"),
        ],
    )
    def test_others_are_refused(self, wrap, message):
        module = Returning(wrap)
        with pytest.raises(ValueError, match=message):
            net_logits(module, X)
        assert module.training  # at once, although the error is still held

    @pytest.mark.parametrize("ending", [None, softmax, torch.nn.Softmax(dim=1)])
    def test_inference_mode(self, ending):
        module = Head(3, ending)
        expected = net_logits(module, X)
        with torch.inference_mode():
            torch.testing.assert_close(net_logits(module, X), expected)
        module.forward = torch.inference_mode()(module.forward)
        tuner = OffsetTuner(kind="logits").fit(net_logits(module, X), Y)
        assert tuner.predict(expected).shape == (200,)

    def test_an_ending_that_is_edited_in_place_is_none_in_inference_mode(self):
        def masked(logits):
            proba = torch.softmax(logits, dim=1)
            proba *= torch.tensor([0.1, 0.2, 0.7])
            return proba

        module = Head(3, masked)
        with torch.inference_mode():
            torch.testing.assert_close(net_logits(module, X, kind="proba"), module(ROWS).log())


class TestInputs:
    def forms(self, pandas):
        frame = pandas.DataFrame(X.astype(np.float64), columns=list("abcd"))
        return {
            "data frame": frame,
            "objects": frame.astype(object),
            "lists": X.tolist(),
            "tuples": tuple(map(tuple, X.tolist())),
            "tensors": list(ROWS),
            "arrays": list(X),
            "float64": X.astype(np.float64),
            "reversed": X[::-1].copy()[::-1],
            "double": ROWS.double(),
        }

    @pytest.mark.parametrize("in_skorch", [False, True])
    def test_samples(self, in_skorch):
        pandas = pytest.importorskip("pandas")
        net = plain(module__n_outputs=3).initialize() if in_skorch else Head(3)
        expected = net_logits(net, X)
        for name, samples in self.forms(pandas).items():
            torch.testing.assert_close(net_logits(net, samples), expected, msg=name)

    @pytest.mark.parametrize("in_skorch", [False, True])
    def test_loaders_and_mappings(self, in_skorch):
        net = plain(module__n_outputs=3).initialize() if in_skorch else Head(3)
        expected = net_logits(net, X)
        pairs = torch.utils.data.TensorDataset(ROWS, torch.as_tensor(Y))
        doubles = torch.utils.data.TensorDataset(ROWS.double(), torch.as_tensor(Y))
        forms = [pairs, torch.utils.data.DataLoader(doubles, batch_size=64)]
        for samples in [*forms, {"X": X.astype(np.float64)}, {"X": ROWS}]:
            torch.testing.assert_close(net_logits(net, samples), expected)

    @pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")  # skorch on columns of pandas
    def test_another_byte_order(self):
        torch.testing.assert_close(net_logits(module := Head(3), X.astype(">f4")), net_logits(module, X))

    def test_a_module_without_parameters_keeps_the_precision(self):
        samples = torch.rand(20, 3, dtype=torch.float64) - 2
        assert torch.equal(net_logits(torch.nn.Identity(), samples), samples)

    def test_what_is_no_net(self):
        with pytest.raises(TypeError, match="net must be a torch module or a net of skorch; got dict"):
            net_logits({}, X)

    @pytest.mark.filterwarnings(
        "ignore:The given NumPy array is not writable"
    )  # by torch, of columns that pandas keeps
    def test_a_data_frame_whose_columns_are_arguments(self):
        class Named(Head):
            def forward(self, b, a):
                return super().forward(torch.cat([a, b], dim=1))

        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame({"b": np.float32([1, 2]), "a": np.float32([3, -4])})
        net = plain(Named, module__n_outputs=3, module__n_features=2).initialize()
        torch.testing.assert_close(net_logits(net, frame), layer_of(net)(np.float32([[3, 1], [-4, 2]])))

    def test_others_are_refused(self):
        with pytest.raises(ValueError, match="X must hold samples of numbers, equally many in each; got list"):
            net_logits(Head(3), [[1.0, 2.0], [3.0]])
        with pytest.raises(ValueError, match="X must hold samples of numbers, equally many in each; got ndarray"):
            net_logits(Head(3), np.array([["a"] * 4]))
        with pytest.raises(ValueError, match=r"equally many samples under each name; got \{'X': 200, 'y': 3\}"):
            net_logits(Head(3), {"X": X, "y": X[:3]})
        with pytest.raises(TypeError, match=r"X must be a tensor, an array, a data frame, .*; got int"):
            net_logits(Head(3), 3)
        with pytest.raises(RuntimeError) as caught:
            net_logits(Head(3), [[1, 2, 3, 4]])
        assert caught.value.__notes__ == ["X holds torch.int64. If the first layer takes floats, pass X as floats."]


class Dropping(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.layer, self.drop = torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 3), torch.nn.Dropout(0.9)

    def forward(self, X):
        return self.drop(self.layer(self.norm(X)))


class TestModes:
    @pytest.mark.parametrize("in_skorch", [False, True])
    def test_each_module_keeps_its_own(self, in_skorch):
        net = plain(Dropping).initialize() if in_skorch else Dropping()
        module = net.module_ if in_skorch else net
        module.train()
        module.norm.eval()
        before = module.norm.running_mean.clone()
        net_logits(net, X)
        assert (module.training, module.norm.training, module.drop.training) == (True, False, True)
        with pytest.raises(RuntimeError):
            net_logits(net, X[:, :2])
        assert (module.training, module.norm.training, module.drop.training) == (True, False, True)
        module(ROWS)
        torch.testing.assert_close(module.norm.running_mean, before)

    def test_a_module_that_does_more_than_to_set_its_mode(self):
        class Merging(torch.nn.Linear):
            merged = False

            def train(self, mode=True):
                self.merged = not mode
                return super().train(mode)

        module = torch.nn.Sequential(Merging(4, 4), Merging(4, 3).eval())
        net_logits(module, X)
        assert [part.training for part in module] == [True, False]
        assert [part.merged for part in module] == [False, True]

    def test_the_global_generator_is_not_moved(self):
        module, state = Head(3), torch.get_rng_state()
        net_logits(module, torch.utils.data.TensorDataset(torch.as_tensor(X)))
        assert torch.equal(torch.get_rng_state(), state)

    def test_a_net_that_never_was_in_training_stays_so(self):
        module = Dropping().eval()
        module.drop.train()
        net_logits(module, X)
        assert (module.training, module.drop.training) == (False, True)

    @pytest.mark.parametrize("in_skorch", [False, True])
    def test_threads_get_the_same_logits(self, in_skorch):
        net = plain(Dropping).initialize() if in_skorch else Dropping()
        (net.module_ if in_skorch else net).train()
        expected = net_logits(net, X)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            with ThreadPoolExecutor(8) as pool:
                found = list(pool.map(lambda _: net_logits(net, X), range(100)))
        finally:
            sys.setswitchinterval(interval)
        assert all(torch.equal(logits, expected) for logits in found)
        assert (net.module_ if in_skorch else net).drop.training

    def test_a_module_that_two_nets_share_stays_in_evaluation_mode_until_both_have_ended(self):
        body, inside, go = Dropping(), threading.Event(), threading.Event()

        def batches():
            yield X[:10]
            inside.set()
            assert go.wait(20)
            yield X[10:]

        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(net_logits, torch.nn.Sequential(body), batches())
            assert inside.wait(20)
            expected = net_logits(body, X)
            assert not body.training
            go.set()
            torch.testing.assert_close(found.result(20), expected)
        assert body.training
        assert body.drop.training

    def test_batches_may_come_from_a_thread_that_calls_another_net(self):
        first, second = Head(4), Head(3)

        def batches():
            with ThreadPoolExecutor(1) as pool:
                yield pool.submit(net_logits, first, X).result(20)

        torch.testing.assert_close(net_logits(second, batches()), net_logits(second, net_logits(first, X)))


class TestNetsWithoutClasses:
    @pytest.mark.parametrize("around", [lambda net: net, FrozenEstimator], ids=["net", "frozen"])
    @pytest.mark.parametrize("labels", [np.arange(3), NAMES, np.array([1, 2, 3])], ids=str)
    def test_sorted_labels_are_the_columns(self, around, labels):
        net = plain(module__n_outputs=3).fit(X, Y.astype(np.int64))
        clf = TunedOffsetClassifierCV(around(net), objective="f1_macro", cv="prefit").fit(X, labels[Y])
        np.testing.assert_array_equal(clf.classes_, labels)
        expected = layer_of(net)(X).numpy() + np.asarray(clf.offsets_)
        np.testing.assert_array_equal(clf.predict(X), labels[expected.argmax(axis=1)])

    @pytest.mark.parametrize("method", ["auto", "predict_proba"])
    def test_at_the_end_of_a_pipeline(self, method):
        pipe = make_pipeline(StandardScaler(), plain(module__n_outputs=3)).fit(X, Y.astype(np.int64))
        clf = TunedOffsetClassifierCV(pipe, cv="prefit", response_method=method).fit(X, NAMES[Y])
        assert set(clf.predict(X)) <= set(NAMES)
        assert clf.predict_proba(X).shape == (200, 3)

    def test_numbers_of_columns_where_a_class_is_absent(self):
        net = plain(module__n_outputs=4).fit(X, Y.astype(np.int64))
        clf = TunedOffsetClassifierCV(net, cv="prefit").fit(X, Y)
        np.testing.assert_array_equal(clf.classes_, [0, 1, 2, 3])
        again = OffsetTuner(kind="logits").fit(net_logits(net, X), Y, classes=np.arange(4))
        np.testing.assert_allclose(clf.offsets_, again.offsets_, rtol=1e-5)

    def test_one_output(self):
        two = Y > 0
        net = skorch.NeuralNet(
            Head, module__n_outputs=1, criterion=torch.nn.BCEWithLogitsLoss, max_epochs=5, lr=0.1, verbose=0
        ).fit(X, two.astype(np.float32)[:, None])
        clf = TunedOffsetClassifierCV(net, objective="f1", cv="prefit").fit(X, NAMES[two.astype(int)])
        margin = layer_of(net)(X).numpy()[:, 0] + clf.offsets_[1] - clf.offsets_[0]
        np.testing.assert_array_equal(clf.predict(X) == "bee", margin > 0)

    def test_one_output_is_trained_on_floats(self):
        class Flat(Head):
            def forward(self, X):
                return super().forward(X)[:, 0]

        net = skorch.NeuralNet(
            Flat, module__n_outputs=1, criterion=torch.nn.BCEWithLogitsLoss, max_epochs=5, lr=0.1, verbose=0
        )
        clf = TunedOffsetClassifierCV(net, objective="f1", cv=0.3, refit=False).fit(X, NAMES[(Y > 0).astype(int)])
        assert set(clf.predict(X)) <= {"ant", "bee"}

    def test_a_classifier_whose_parameters_were_loaded(self):
        net = several().initialize()
        clf = TunedOffsetClassifierCV(net, cv="prefit").fit(X, NAMES[Y])
        np.testing.assert_array_equal(clf.classes_, NAMES)

    @pytest.mark.parametrize(
        "labels", [np.array(["ant", "bee", "bee"]), np.array([1, 2, 4]), np.array([0, 7, 7])], ids=str
    )
    def test_other_labels_are_refused(self, labels):
        net = plain(module__n_outputs=4 if len(set(labels)) == 3 else 3).fit(X, Y.astype(np.int64))
        with pytest.raises(ValueError, match=r"y must hold a label for each of the \d outputs .* from 0 to \d; got "):
            TunedOffsetClassifierCV(net, cv="prefit").fit(X, labels[Y])
