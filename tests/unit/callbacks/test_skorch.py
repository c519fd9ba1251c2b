"""The best epoch by the metric after adjustment: what it reports, keeps, restores, and goes on from."""

import copy
import math
import pickle
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import f1_score, recall_score
from sklearn.model_selection import GridSearchCV
from support.effort import exhaustive
from support.problems import features

from skimbalance import OffsetTuner
from skimbalance.exceptions import SkimbalanceWarning, UnreachableGoalWarning
from skimbalance.goals import AtLeast, ImbalanceState
from skimbalance.nn import net_logits

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from skorch.callbacks import (  # noqa: E402
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    LoadInitState,
    ProgressBar,
    TrainEndCheckpoint,
)
from skorch.dataset import ValidSplit  # noqa: E402
from skorch.helper import predefined_split  # noqa: E402
from support.nets import Head, several, single, softmax, softmax_by_hand  # noqa: E402 - they need torch

from skimbalance.callbacks import TunedOffsetCheckpoint  # noqa: E402

pytestmark = pytest.mark.usefixtures("few_restarts")

KEY = "valid_f1_macro_tuned"


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class Diary(Callback):
    """Keeps parameters and validation logits of every epoch."""

    def initialize(self):
        self.params_, self.logits_, self.codes_ = [], [], None
        return self

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        self.params_.append({name: value.clone() for name, value in net.module_.state_dict().items()})
        self.logits_.append(net_logits(net, dataset_valid))
        self.codes_ = np.array([y for _, y in dataset_valid])


def trained(net=several, *, n_classes=3, more=(), epochs=6, fit=True, n_samples=500, **options):
    """A net with the callback, and a diary before it."""
    X, y = features(n_samples=n_samples, n_classes=n_classes)
    best = TunedOffsetCheckpoint(options.pop("objective", "f1_macro"), **options)
    options = {"n_classes": n_classes} if net is several else {}
    model = net(
        **options,
        max_epochs=epochs,
        train_split=ValidSplit(3, stratified=True),
        callbacks=[("diary", Diary()), ("best", best), *more],
    )
    if fit:
        model.fit(X, y.astype(np.float32) if net is single else y)
    return model, X, y


def parts(net):
    """The fitted callbacks by name."""
    return dict(net.callbacks_)


def equal(state, other):
    return all(torch.equal(value, other[name]) for name, value in state.items())


class TestHistory:
    @pytest.mark.parametrize("estimate", ["plugin", "robust", "empirical"])
    def test_each_epoch_is_what_a_tuner_gives_on_its_logits(self, estimate):
        net, *_ = trained(estimate=estimate, epochs=4 if exhaustive else 2, n_samples=500 if exhaustive else 240)
        diary, best = parts(net)["diary"], parts(net)["best"]
        tuners = [
            OffsetTuner("f1_macro", kind="logits", estimate=estimate).fit(logits.numpy(), diary.codes_)
            for logits in diary.logits_
        ]
        assert net.history[:, KEY] == [tuner.score_ for tuner in tuners]
        expected = [f1_score(diary.codes_, logits.argmax(dim=1), average="macro") for logits in diary.logits_]
        np.testing.assert_allclose(net.history[:, "valid_f1_macro_untuned"], expected)
        chosen = int(np.argmax([tuner.score_ for tuner in tuners]))
        assert best.best_epoch_ == chosen + 1
        np.testing.assert_array_equal(best.offsets_, tuners[chosen].offsets_)

    def test_the_best_so_far_is_marked(self):
        net, *_ = trained(epochs=10)
        scores, marks = net.history[:, KEY], net.history[:, f"{KEY}_best"]
        assert marks == [score > max([-1, *scores[:i]]) for i, score in enumerate(scores)]

    def test_less_may_be_better(self):
        net, *_ = trained(objective="false_positive_rate", net=several, n_classes=2)
        rates = net.history[:, "valid_false_positive_rate_tuned"]
        assert parts(net)["best"].best_epoch_ == int(np.argmin(rates)) + 1

    @pytest.mark.parametrize("net", [single, several])
    def test_binary(self, net):
        model, *_ = trained(net, n_classes=2, objective="f1")
        diary, best = parts(model)["diary"], parts(model)["best"]
        codes = diary.codes_.astype(int)
        expected = OffsetTuner("f1", kind="logits", estimate="plugin").fit(diary.logits_[-1].numpy(), codes)
        assert model.history[-1, "valid_f1_tuned"] == expected.score_
        assert best.offsets_.shape == (2,)

    def test_a_net_that_returns_probabilities(self):
        X, y = features()
        net = several(softmax, torch.nn.NLLLoss, callbacks=[("diary", Diary()), ("best", TunedOffsetCheckpoint())])
        net.fit(X, y)
        diary = parts(net)["diary"]
        expected = OffsetTuner(kind="logits", estimate="plugin").fit(diary.logits_[-1].numpy(), diary.codes_)
        assert net.history[-1, "valid_balanced_accuracy_tuned"] == pytest.approx(expected.score_)


class TestEndOfTraining:
    def test_the_net_is_the_best_epochs_bit_for_bit(self):
        net, X, _ = trained(epochs=10)
        best, diary = parts(net)["best"], parts(net)["diary"]
        assert equal(net.module_.state_dict(), diary.params_[best.best_epoch_ - 1])
        assert not equal(net.module_.state_dict(), diary.params_[-1]) or best.best_epoch_ == 10
        assert best.best_score_ == max(net.history[:, KEY])
        tuned = best.tuner_.predict(net_logits(net, X))
        assert set(np.unique(tuned)) <= {0, 1, 2}

    def test_or_the_last_epochs(self):
        net, *_ = trained(restore_best=False)
        best, diary = parts(net)["best"], parts(net)["diary"]
        assert equal(net.module_.state_dict(), diary.params_[-1])
        expected = OffsetTuner("f1_macro", kind="logits", estimate="plugin").fit(
            diary.logits_[-1].numpy(), diary.codes_
        )
        np.testing.assert_array_equal(best.offsets_, expected.offsets_)

    @pytest.mark.parametrize("net", [single, several])
    def test_folded_offsets_decide(self, net):
        model, X, _ = trained(net, n_classes=2, objective="f1", fold=True)
        plain, *_ = trained(net, n_classes=2, objective="f1", fit=False)
        plain.initialize()
        best = parts(model)["best"]
        plain.module_.load_state_dict(parts(model)["diary"].params_[best.best_epoch_ - 1])
        np.testing.assert_array_equal(model.predict(X), best.tuner_.predict(net_logits(plain, X)))
        assert abs(best.offsets_).max() > 0

    def test_offsets_that_cannot_be_folded(self):
        net, X, y = trained(fold=True, fit=False)
        net.set_params(module__ending=_third)
        with pytest.raises(ValueError, match="model must return what its last layer returns"):
            net.fit(X, y)
        best = parts(net)["best"]
        assert equal(net.module_.state_dict(), parts(net)["diary"].params_[best.best_epoch_ - 1])

    def test_a_goal_out_of_reach_comes_last(self):
        diary = parts(trained(n_classes=2)[0])["diary"]
        most = [
            OffsetTuner("accuracy", kind="logits", estimate="empirical").fit(logits, diary.codes_).in_sample_score_
            for logits in diary.logits_
        ]
        floor = AtLeast("accuracy", (min(most) + max(most)) / 2)
        torch.manual_seed(0)
        with pytest.warns(UnreachableGoalWarning) as said:
            net, *_ = trained(objective="recall", n_classes=2, constraints=[floor])
        assert len([w for w in said if w.category is UnreachableGoalWarning]) == 1
        scores = np.where(np.array(most) >= floor.value, net.history[:, "valid_recall_tuned"], -1)
        assert parts(net)["best"].best_epoch_ == int(np.argmax(scores)) + 1
        assert max(most) > min(most)

    def test_epochs_without_finite_logits(self):
        with pytest.warns(SkimbalanceWarning, match="No epoch had finite logits"):
            net, *_ = trained(more=[("spoil", _Spoil())], epochs=3)
        assert all(np.isnan(net.history[:, KEY]))
        assert not any(net.history[:, f"{KEY}_best"])


def _third(logits):
    return logits / 3


class _Spoil(Callback):
    def on_train_begin(self, net, X=None, y=None, **kwargs):
        with torch.no_grad():
            net.module_.layer.weight.fill_(float("nan"))


class TestGoingOn:
    def test_after_partial_fit_as_if_never_stopped(self):
        straight, X, y = trained(epochs=8)
        torch.manual_seed(0)
        halves, *_ = trained(epochs=4)
        halves.partial_fit(X, y)
        np.testing.assert_allclose(halves.history[:, KEY], straight.history[:, KEY])
        assert halves.history[:, f"{KEY}_best"] == straight.history[:, f"{KEY}_best"]
        assert equal(halves.module_.state_dict(), straight.module_.state_dict())
        np.testing.assert_array_equal(parts(halves)["best"].offsets_, parts(straight)["best"].offsets_)

    def test_folding_is_undone(self):
        straight, X, y = trained(epochs=6)
        torch.manual_seed(0)
        halves, *_ = trained(epochs=3, fold=True)
        parts(halves)["best"].fold = False
        halves.partial_fit(X, y)
        np.testing.assert_allclose(halves.history[:, KEY], straight.history[:, KEY], atol=1e-6)

    def test_parameters_changed_by_others_are_left_alone(self):
        net, X, y = trained(epochs=2)
        with torch.no_grad():
            net.module_.layer.weight.fill_(0)
            net.module_.layer.bias.fill_(0)
        net.set_params(lr=0.0)
        with pytest.warns(SkimbalanceWarning, match="its best epoch is discarded"):
            net.partial_fit(X, y)
        assert all((value == 0).all() for value in parts(net)["diary"].params_[-1].values())

    def test_from_a_checkpoint_as_if_never_stopped(self, tmp_path):
        straight, X, y = trained(epochs=8)
        torch.manual_seed(0)
        saved = TrainEndCheckpoint(dirname=tmp_path / "end")
        first, *_ = trained(epochs=4, fit=False, dirname=tmp_path)
        first.set_params(callbacks=[("saved", saved), *first.callbacks]).fit(X, y)
        random = torch.get_rng_state()
        second, *_ = trained(epochs=4, fit=False, dirname=tmp_path, more=[("load", LoadInitState(saved))])
        second.initialize()
        torch.set_rng_state(random)
        second.partial_fit(X, y)
        np.testing.assert_allclose(second.history[:, KEY], straight.history[:, KEY])
        assert second.history[:, f"{KEY}_best"] == straight.history[:, f"{KEY}_best"]
        assert equal(second.module_.state_dict(), straight.module_.state_dict())
        assert parts(second)["best"].best_epoch_ == parts(straight)["best"].best_epoch_
        np.testing.assert_array_equal(parts(second)["best"].offsets_, parts(straight)["best"].offsets_)

    def test_without_a_folder_it_warns(self, tmp_path):
        saved = TrainEndCheckpoint(dirname=tmp_path)
        first, X, y = trained(epochs=2, fit=False)
        first.set_params(callbacks=[("saved", saved), *first.callbacks]).fit(X, y)
        second, *_ = trained(epochs=2, fit=False, more=[("load", LoadInitState(saved))])
        with pytest.warns(SkimbalanceWarning, match="Pass dirname to TunedOffsetCheckpoint"):
            second.fit(X, y)

    def test_a_bias_made_for_offsets(self):
        X, y = features(n_samples=500)
        net = skorch.NeuralNetClassifier(
            torch.nn.Linear,
            module__in_features=4,
            module__out_features=3,
            module__bias=False,
            criterion=torch.nn.CrossEntropyLoss,
            max_epochs=3,
            lr=0.1,
            verbose=0,
            train_split=ValidSplit(3, stratified=True),
            callbacks=[("diary", Diary()), ("best", TunedOffsetCheckpoint("f1_macro", fold=True))],
        ).fit(X, y)
        best = parts(net)["best"]
        torch.testing.assert_close(net.module_.bias.detach(), torch.as_tensor(best.offsets_, dtype=torch.float32))
        net.set_params(lr=0.0).partial_fit(X, y)
        assert (parts(net)["diary"].params_[-1]["bias"] == 0).all()
        torch.testing.assert_close(net.module_.bias.detach(), torch.as_tensor(best.offsets_, dtype=torch.float32))

    def test_nothing_is_left_of_an_earlier_training(self):
        net, X, y = trained(epochs=2)
        with pytest.warns(SkimbalanceWarning, match="No epoch had finite logits"):
            net.set_params(lr=float("nan")).fit(X, y)
        assert not hasattr(parts(net)["best"], "tuner_")

    def test_a_new_training_starts_anew(self, tmp_path):
        net, X, y = trained(epochs=3, dirname=tmp_path)
        net.fit(X, y)
        assert len(net.history) == 3
        assert parts(net)["best"].best_score_ == max(net.history[:, KEY])


class TestCompany:
    def test_other_callbacks(self, tmp_path, capsys):
        more = [
            ("f1", EpochScoring("f1_macro", lower_is_better=False)),
            ("stop", EarlyStopping(monitor=KEY, lower_is_better=False, patience=2)),
            ("checkpoint", Checkpoint(monitor=f"{KEY}_best", dirname=tmp_path)),
            ("bar", ProgressBar()),
        ]
        net, *_ = trained(more=more, epochs=30)
        best = parts(net)["best"]
        assert len(net.history) < 30
        np.testing.assert_allclose(net.history[:, "f1_macro"], net.history[:, "valid_f1_macro_untuned"])
        assert equal(torch.load(tmp_path / "params.pt", weights_only=True), net.module_.state_dict())
        assert best.best_epoch_ == len(net.history) - 2

    def test_the_history_is_printed_and_saved(self, tmp_path, capsys):
        net, X, y = trained(fit=False, epochs=2)
        net.set_params(verbose=1).fit(X, y)
        assert KEY in capsys.readouterr().out
        net.history.to_file(tmp_path / "history.json")

    def test_pickles_and_clones(self):
        net, X, _ = trained()
        again = pickle.loads(pickle.dumps(net))
        np.testing.assert_array_equal(parts(again)["best"].offsets_, parts(net)["best"].offsets_)
        np.testing.assert_array_equal(again.predict(X), net.predict(X))
        copied = clone(net)
        assert copied.callbacks[1][1].objective == "f1_macro"
        assert not hasattr(copied.callbacks[1][1], "tuner_")

    def test_in_a_grid_search(self):
        net, X, y = trained(fit=False, epochs=2)
        search = GridSearchCV(net, {"lr": [0.01, 0.1], "callbacks__best__objective": ["f1_macro", "accuracy"]}, cv=2)
        search.fit(X, y)
        assert parts(search.best_estimator_)["best"].best_epoch_ in (1, 2)

    def test_warnings_come_once(self):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", SkimbalanceWarning)
            trained(n_samples=90, epochs=4)
        assert len([w for w in said if issubclass(w.category, SkimbalanceWarning)]) == 1


class TestWrongUse:
    def test_no_validation_samples(self):
        X, y = features()
        net = several(train_split=None, callbacks=[TunedOffsetCheckpoint()])
        with pytest.raises(ValueError, match="train_split of the net is None"):
            net.fit(X, y)

    def test_one_may_restore(self):
        with pytest.raises(ValueError, match="2 callbacks want to change the net as training ends"):
            trained(more=[("other", TunedOffsetCheckpoint("accuracy"))])
        net, *_ = trained(more=[("other", TunedOffsetCheckpoint("accuracy", restore_best=False))], epochs=2)
        assert parts(net)["other"].best_epoch_ in (1, 2)

    def test_validation_samples_of_one_class(self):
        X, y = features()
        only = torch.utils.data.TensorDataset(torch.as_tensor(X[y == 0]), torch.as_tensor(y[y == 0]))
        net = several(train_split=predefined_split(only), callbacks=[TunedOffsetCheckpoint()])
        with pytest.raises(ValueError, match="validation samples of two classes or more"):
            net.fit(X, y)

    def test_probabilities_that_nobody_declared(self):
        class Focal(torch.nn.Module):
            def forward(self, proba, codes):
                return -proba.gather(1, codes[:, None]).log().mean()

        X, y = features()
        net = several(softmax_by_hand, Focal, max_epochs=2, callbacks=[TunedOffsetCheckpoint()])
        with pytest.raises(ValueError, match="Pass kind='proba'"):
            net.fit(X, y)
        net.set_params(callbacks=[("best", TunedOffsetCheckpoint(kind="proba"))]).fit(X, y)
        assert parts(net)["best"].best_epoch_ in (1, 2)

    def test_an_imbalance_state_is_refused(self):
        with pytest.raises(ValueError, match="every epoch can achieve an ImbalanceState"):
            trained(objective=ImbalanceState("uniform"))

    def test_an_unknown_objective(self):
        with pytest.raises(ValueError, match="f1_makro"):
            trained(objective="f1_makro")

    def test_without_skorch(self):
        code = "import sys; sys.modules['skorch'] = None; from skimbalance.callbacks import TunedOffsetCheckpoint"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert "skimbalance.callbacks needs skorch and torch: pip install 'skimbalance[skorch]'" in done.stderr


def test_the_training_loop_of_the_documentation():
    notes = TunedOffsetCheckpoint.__doc__.split("training loop without skorch")[1].split("References")[0]
    loop = textwrap.dedent(notes.split("::", 1)[1])
    X, y = features(n_samples=600)
    module = Head()
    optimiser = torch.optim.SGD(module.parameters(), lr=0.5)
    states = []

    def train(model):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(torch.as_tensor(X[:300])), torch.as_tensor(y[:300])).backward()
        optimiser.step()
        states.append({name: value.clone() for name, value in model.state_dict().items()})

    names = {"math": math, "copy": copy, "OffsetTuner": OffsetTuner, "net_logits": net_logits, "train": train}
    names |= {"model": module, "n_epochs": 6, "valid_loader": torch.as_tensor(X[300:]), "y_valid": y[300:]}
    exec(loop, names)
    assert names["best"] == names["best_tuner"].score_
    assert any(equal(state, module.state_dict()) for state in states)


def test_lower_bound_on_recall_in_training():
    net, X, y = trained(
        objective="precision", n_classes=2, constraints=[AtLeast("recall", 0.8)], estimate="empirical", n_samples=900
    )
    tuned = parts(net)["best"].tuner_.predict(net_logits(net, X).numpy())
    assert recall_score(y, tuned) > 0.7
