"""Logits of nets, whatever they end in."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.problems import features

from skimbalance import FixedOffsetClassifier, OffsetTuner, TunedOffsetClassifierCV
from skimbalance.nn import net_logits

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")

from support.nets import (  # noqa: E402 - they need torch
    Head,
    layer_of,
    log_by_hand,
    log_softmax,
    several,
    sigmoid_by_hand,
    single,
    softmax,
    softmax_by_hand,
)

NAMES = np.array(["ant", "bee", "cat"])


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def same_up_to_a_constant(logits, expected, tol=1e-5):
    def centred(x):
        return x - x.mean(dim=1, keepdim=True)

    torch.testing.assert_close(centred(logits), centred(expected), rtol=tol, atol=tol)


class TestEveryEnding:
    @pytest.mark.parametrize(
        ("ending", "criterion"),
        [
            (None, torch.nn.CrossEntropyLoss),
            (softmax, torch.nn.NLLLoss),
            (torch.nn.Softmax(dim=-1), torch.nn.NLLLoss),
            (softmax_by_hand, torch.nn.NLLLoss),
        ],
    )
    def test_an_output_for_each_class(self, ending, criterion):
        X, y = features()
        net = several(ending, criterion).fit(X, y)
        same_up_to_a_constant(net_logits(net, X), layer_of(net)(X))

    @pytest.mark.parametrize("ending", [log_softmax, torch.nn.LogSoftmax(dim=1), log_by_hand])
    def test_log_softmax_with_nll(self, ending):
        X = features()[0]
        net = several(ending, torch.nn.NLLLoss).initialize()  # skorch takes the logarithm itself; trained elsewhere
        same_up_to_a_constant(net_logits(net, X), layer_of(net)(X))

    @pytest.mark.parametrize(
        ("ending", "criterion"),
        [
            (None, torch.nn.BCEWithLogitsLoss),
            (torch.sigmoid, torch.nn.BCELoss),
            (torch.nn.Sigmoid(), torch.nn.BCELoss),
            (sigmoid_by_hand, torch.nn.BCELoss),
        ],
    )
    def test_one_output(self, ending, criterion):
        X, y = features(n_classes=2)
        net = single(ending, criterion).fit(X, y.astype(np.float32))
        logits = net_logits(net, X)
        assert logits.shape == (200,)
        torch.testing.assert_close(logits, layer_of(net)(X)[:, 0], rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("ending", [softmax, log_softmax, torch.nn.Softmax(dim=1)])
    def test_nothing_saturates(self, ending):
        X = 300 * features()[0]
        module = Head(3, ending)
        same_up_to_a_constant(net_logits(module, torch.as_tensor(X)), module.layer(torch.as_tensor(X)))
        one = Head(1, torch.sigmoid)
        torch.testing.assert_close(net_logits(one, X), one.layer(torch.as_tensor(X))[:, 0].detach())

    def test_kind_of_the_outputs_of_a_module(self):
        X = torch.as_tensor(features()[0])
        module = Head(3, softmax_by_hand)
        with pytest.raises(ValueError, match="kind='auto' cannot determine"):
            net_logits(module, X)
        same_up_to_a_constant(net_logits(module, X, kind="proba"), module.layer(X).detach())
        in_logs = Head(3, log_by_hand)
        same_up_to_a_constant(net_logits(in_logs, X, kind="log_proba"), in_logs.layer(X).detach())
        torch.testing.assert_close(net_logits(module, X, kind="logits"), module(X).detach())

    def test_an_ending_that_is_edited_in_place_is_none(self):
        def masked(logits):
            proba = torch.softmax(logits, dim=1)
            proba *= torch.tensor([0.1, 0.2, 0.7])
            proba /= proba.sum(dim=1, keepdim=True)
            return proba

        X = torch.as_tensor(features()[0])
        module = Head(3, masked)
        torch.testing.assert_close(net_logits(module, X, kind="proba"), module(X).detach().log())

    def test_a_batch_that_happens_to_sum_to_one(self):
        samples = torch.tensor([[0.25, 0.75], [3.0, -1.0]])
        torch.testing.assert_close(net_logits(torch.nn.Identity(), samples.split(1)), samples)

    def test_a_softmax_in_the_middle_is_no_ending(self):
        module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Softmax(dim=1), torch.nn.Linear(3, 3))
        X = torch.as_tensor(features()[0])
        torch.testing.assert_close(net_logits(module, X), module(X).detach())


class TestModules:
    def test_loaders(self):
        X, y = features()
        module = Head(3)
        expected = module.layer(torch.as_tensor(X)).detach()
        samples = torch.utils.data.TensorDataset(torch.as_tensor(X), torch.as_tensor(y))
        for loader in (
            torch.utils.data.DataLoader(samples, batch_size=64),
            torch.utils.data.DataLoader(torch.as_tensor(X), batch_size=7),
            [{"X": torch.as_tensor(X[:50])}, {"X": torch.as_tensor(X[50:])}],
        ):
            torch.testing.assert_close(net_logits(module, loader), expected)

    def test_it_is_left_as_it_was(self):
        module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Dropout(0.9))
        X = features()[0]
        torch.testing.assert_close(net_logits(module, X), module[0](torch.as_tensor(X)).detach())
        assert module.training
        assert all(p.grad is None and p.requires_grad for p in module.parameters())

    @pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
    def test_precision(self, dtype):
        logits = net_logits(Head(3).to(dtype), features()[0])
        assert logits.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)

    def test_several_outputs_and_their_names(self):
        class Two(Head):
            def forward(self, X):
                return super().forward(X), X

        X = features()[0]
        module = Two(3)
        torch.testing.assert_close(net_logits(module, X), module.layer(torch.as_tensor(X)).detach())

    def test_wrong_input(self):
        with pytest.raises(ValueError, match="at least one sample"):
            net_logits(Head(3), [])
        with pytest.raises(ValueError, match=r"\(n, K\), \(n, 1\) or \(n,\); got shape \(2, 3, 4\)"):
            net_logits(torch.nn.Identity(), torch.zeros(2, 3, 4))


class TestInClassifiers:
    @pytest.mark.parametrize("options", [{}, {"cv": 0.3, "refit": False}])
    def test_string_labels(self, options):
        X, y = features(n_samples=300)
        clf = TunedOffsetClassifierCV(several(), objective="f1_macro", **options).fit(X, NAMES[y])
        assert clf.tuner_.kind == "logits"
        assert set(clf.predict(X)) <= set(NAMES)
        np.testing.assert_array_equal(clf.classes_, NAMES)
        logits = net_logits(clf.estimator_, X)
        np.testing.assert_array_equal(clf.predict(X), clf.tuner_.predict(logits.numpy()))
        np.testing.assert_array_equal(clf.predict_proba(X).argmax(axis=1), NAMES.searchsorted(clf.predict(X)))

    @pytest.mark.parametrize("names", [NAMES[:2], np.array([-1, 1]), np.array([False, True])])
    @pytest.mark.parametrize("net", [single(), several(n_classes=2)], ids=["one output", "two outputs"])
    def test_binary(self, net, names):
        X, y = features(n_classes=2)
        clf = TunedOffsetClassifierCV(net, objective="f1").fit(X, names[y])
        assert set(clf.predict(X).tolist()) == set(names.tolist())
        assert 0 < clf.threshold_ < 1

    def test_at_the_end_of_a_pipeline(self):
        X, y = features()
        pipe = make_pipeline(StandardScaler(), several())
        clf = TunedOffsetClassifierCV(pipe, objective="f1_macro").fit(X, NAMES[y])
        inner = clf.estimator_
        logits = net_logits(inner[-1], inner[0].transform(X))
        np.testing.assert_array_equal(clf.predict(X), clf.tuner_.predict(logits.numpy()))

    def test_trained_already(self):
        X, y = features()
        pipe = make_pipeline(StandardScaler(), several()).fit(X, y)
        for trained in (pipe, FrozenEstimator(pipe)):
            clf = TunedOffsetClassifierCV(trained, cv="prefit").fit(X, y)
            logits = net_logits(pipe[-1], pipe[0].transform(X))
            again = OffsetTuner(kind="logits").fit(logits, y)
            np.testing.assert_allclose(clf.offsets_, again.offsets_, rtol=1e-5)
        with pytest.raises(ValueError, match=r"not among the classes of the fitted estimator, \[0, 1, 2\]"):
            TunedOffsetClassifierCV(pipe, cv="prefit").fit(X, NAMES[y])

    def test_in_and_around_a_search(self):
        X, y = features()
        search = GridSearchCV(several(), {"lr": [0.05, 0.1]}, cv=2)
        assert TunedOffsetClassifierCV(search, cv=2).fit(X, NAMES[y]).tuner_.kind == "logits"
        around = GridSearchCV(TunedOffsetClassifierCV(several(), cv=2), {"estimator__lr": [0.05, 0.1]}, cv=2)
        assert around.fit(X, NAMES[y]).best_score_ > 0

    def test_retune(self):
        X, y = features()
        clf = TunedOffsetClassifierCV(several(), store_cv_results=True).fit(X, NAMES[y])
        assert clf.retune(objective="accuracy").classes_[0] == "ant"
        assert clf.retune(X, NAMES[y], objective="accuracy").tuner_.kind == "logits"

    def test_fixed_offsets(self):
        X, y = features()
        clf = FixedOffsetClassifier(several(), offsets={"cat": 50.0}).fit(X, NAMES[y])
        assert set(clf.predict(X)) == {"cat"}

    def test_probabilities_by_response_method(self):
        X, y = features()
        clf = TunedOffsetClassifierCV(several(), response_method="predict_proba").fit(X, y)
        assert clf.tuner_.kind == "proba"


def test_without_torch():
    code = (
        "import sys, skimbalance, skimbalance.nn\n"
        "assert 'torch' not in sys.modules\n"
        "sys.modules['torch'] = None\n"
        "from skimbalance.nn import net_logits\n"
        "try:\n    net_logits(None, None)\nexcept ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "net_logits needs torch: pip install 'skimbalance[skorch]'" in done.stdout, done.stderr


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
class TestOnCuda:
    def test_logits_stay_there(self):
        X, y = features()
        net = several(device="cuda").fit(X, y)
        assert net_logits(net, X).device.type == "cuda"
        module = Head(3).cuda()
        assert net_logits(module, X).device.type == "cuda"
