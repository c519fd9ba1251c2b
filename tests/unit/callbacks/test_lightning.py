"""Lightning: what is logged and saved, resumed training, and several devices."""

import importlib
import sys
from contextlib import nullcontext

import numpy as np
import pytest
from support.problems import features

from skimbalance import OffsetTuner
from skimbalance.exceptions import UnreachableGoalWarning
from skimbalance.goals import AtLeast, ImbalanceState
from skimbalance.nn import fold_offsets

torch = pytest.importorskip("torch")
lightning = pytest.importorskip("lightning")

from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint  # noqa: E402

from skimbalance.callbacks.lightning import TunedOffsetCallback, load_offsets  # noqa: E402

pytestmark = [pytest.mark.usefixtures("few_restarts"), pytest.mark.filterwarnings("ignore:.*checkpoint")]

KEY = "val_f1_macro_tuned"


class Module(lightning.LightningModule):
    def __init__(self, n_outputs=3, *, returns="both", lr=0.3):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(4, n_outputs)
        self.returns, self.lr = returns, lr

    def forward(self, X):
        return self.layer(X)

    def training_step(self, batch, batch_idx):
        logits, y = self(batch[0]), batch[1]
        loss = torch.nn.functional
        return loss.cross_entropy(logits, y) if y.ndim == 1 else loss.binary_cross_entropy_with_logits(logits, y)

    def validation_step(self, batch, batch_idx):
        if self.returns == "nothing":
            return None
        return {"logits": self(batch[0]), "labels": batch[1]}

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.lr)


class Diary(Callback):
    """Keeps the logits of each epoch and what was logged, and may stop the training by an error."""

    def __init__(self, killed_in=None):
        self.logits, self.logged, self.killed_in = [], [], killed_in

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == self.killed_in and batch_idx == 1:
            raise RuntimeError("killed")

    def on_train_epoch_end(self, trainer, pl_module):
        with torch.no_grad():
            self.logits.append(pl_module(torch.as_tensor(X_VAL)).numpy())
        self.logged.append({name: float(value) for name, value in trainer.callback_metrics.items()})


X, Y = features(n_samples=500)
X_VAL, Y_VAL = X[300:], Y[300:]


def loaders(X=X, y=Y, *, n_train=300):
    data = [
        torch.utils.data.TensorDataset(torch.as_tensor(X[part]), torch.as_tensor(y[part]))
        for part in (slice(n_train), slice(n_train, None))
    ]
    return [torch.utils.data.DataLoader(each, batch_size=64) for each in data]


def trained(best, *more, module=None, data=None, ckpt_path=None, epochs=4, **options):
    module = Module() if module is None else module
    options = {"accelerator": "cpu", "devices": 1, "logger": False, "enable_progress_bar": False} | options
    has_checkpoint = any(isinstance(each, ModelCheckpoint) for each in more)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        callbacks=[best, *more],
        enable_checkpointing=has_checkpoint,
        enable_model_summary=False,
        **options,
    )
    trainer.fit(module, *(data or loaders()), ckpt_path=ckpt_path)
    return module, trainer


class TestLog:
    @pytest.mark.parametrize("returns", ["both", "nothing"])
    def test_each_epoch_is_what_a_tuner_gives_on_its_logits(self, returns):
        best, diary = TunedOffsetCallback("f1_macro"), Diary()
        trained(best, diary, module=Module(returns=returns))
        tuners = [OffsetTuner("f1_macro", kind="logits", estimate="plugin").fit(z, Y_VAL) for z in diary.logits]
        scores = [tuner.score_ for tuner in tuners]
        np.testing.assert_allclose([each[KEY] for each in diary.logged], scores, rtol=1e-12)
        np.testing.assert_allclose(
            [each["val_f1_macro_untuned"] for each in diary.logged], [tuner.untuned_score_ for tuner in tuners]
        )
        assert best.best_.epoch == int(np.argmax(scores))
        np.testing.assert_allclose(best.best_.offsets, tuners[best.best_.epoch].offsets_)
        np.testing.assert_allclose(best.latest_.offsets, tuners[-1].offsets_)

    def test_early_stopping(self):
        best, diary = TunedOffsetCallback("f1_macro"), Diary()
        stop = EarlyStopping(monitor=KEY, mode="max", patience=2)
        trained(best, diary, stop, epochs=40)
        scores = [each[KEY] for each in diary.logged]
        assert len(scores) < 40
        assert best.best_.epoch == len(scores) - 3 == int(np.argmax(scores))

    def test_two_callbacks(self):
        one, other, diary = TunedOffsetCallback("f1_macro"), TunedOffsetCallback("accuracy"), Diary()
        trained(one, other, diary, epochs=1)
        assert {KEY, "val_accuracy_tuned"} <= set(diary.logged[0])
        assert one.state_key != other.state_key

    def test_a_function_has_the_same_key_in_another_process(self):
        def share(y_true, y_pred):
            return (y_true == y_pred).mean()

        assert "0x" not in TunedOffsetCallback(share).state_key

    def test_multilabel(self):
        y = (X[:, :3] > 1).astype(np.float32)
        best, diary = TunedOffsetCallback("f1_macro"), Diary()
        module, _ = trained(best, diary, data=loaders(y=y), epochs=2)
        tuner = OffsetTuner("f1_macro", kind="logits", estimate="plugin").fit(diary.logits[-1], y[300:].astype(int))
        assert best.latest_.score == pytest.approx(tuner.score_)
        folded = fold_offsets(module, best.latest_.offsets, X=torch.as_tensor(X_VAL))
        with torch.no_grad():
            decided = folded(torch.as_tensor(X_VAL)) > 0
        np.testing.assert_array_equal(decided, best.latest_.predict(diary.logits[-1]))

    def test_other_outputs_by_read(self):
        best = TunedOffsetCallback(
            "f1_macro", read=lambda outputs, batch: (outputs["logits"] / 2, batch[1]), prefix="v"
        )
        _, trainer = trained(best, epochs=1)
        assert "v_f1_macro_tuned" in trainer.callback_metrics

    def test_violated_constraints_are_nan(self):
        best = TunedOffsetCallback("recall", constraints=[AtLeast("accuracy", 1.0)])
        data = loaders(y=(Y > 1).astype(np.int64))
        with pytest.warns(UnreachableGoalWarning) as said:
            _, trainer = trained(best, data=data, module=Module(2), epochs=2)
        assert len([each for each in said if each.category is UnreachableGoalWarning]) == 1
        assert torch.isnan(trainer.callback_metrics["val_recall_tuned"])
        assert not best.best_.satisfied

    def test_the_first_of_several_loaders_is_used(self):
        class Several(Module):
            def validation_step(self, batch, batch_idx, dataloader_idx=0):
                return super().validation_step(batch, batch_idx)

        one, both = TunedOffsetCallback("f1_macro"), TunedOffsetCallback("f1_macro")
        trained(one, epochs=1)
        train, val = loaders()
        trained(both, module=Several(), data=(train, [val, train]), epochs=1)
        assert both.latest_.to_dict() == one.latest_.to_dict()

    def test_validate_alone_changes_nothing(self):
        best = TunedOffsetCallback("f1_macro")
        module, trainer = trained(best, epochs=1)
        before = best.latest_
        trainer.validate(module, loaders()[1], verbose=False)
        assert best.latest_ is before

    def test_a_diverged_net(self):
        best = TunedOffsetCallback("f1_macro")
        module = Module()
        torch.nn.init.constant_(module.layer.weight, float("nan"))
        trained(best, module=module, epochs=1)
        assert best.best_ is best.latest_ is None


class TestCheckpoints:
    def test_reloaded_decisions_are_identical(self, tmp_path):
        saved = ModelCheckpoint(tmp_path, monitor="val_balanced_accuracy_tuned", mode="max")
        best, diary = TunedOffsetCallback(), Diary()
        trained(best, diary, saved, epochs=6)
        module = Module()
        module.load_state_dict(torch.load(saved.best_model_path, weights_only=True)["state_dict"])
        offsets = load_offsets(saved.best_model_path)
        assert offsets.to_dict() == best.best_.to_dict()
        logits = diary.logits[best.best_.epoch]
        with torch.no_grad():
            reloaded = module(torch.as_tensor(X_VAL))
            folded = fold_offsets(module, offsets.offsets)(torch.as_tensor(X_VAL)).argmax(dim=1)
        np.testing.assert_array_equal(offsets.predict(reloaded), best.best_.predict(logits))
        np.testing.assert_array_equal(folded, best.best_.predict(logits))
        assert (reloaded.argmax(dim=1).numpy() != folded.numpy()).any()

    def test_a_killed_and_resumed_training_ends_as_one_that_was_never_stopped(self, tmp_path):
        def run(folder, *, killed_in=None, ckpt_path=None):
            best, diary = TunedOffsetCallback("f1_macro"), Diary(killed_in)
            saved, last = ModelCheckpoint(folder, monitor=KEY, mode="max"), ModelCheckpoint(folder, filename="last")
            stop = EarlyStopping(monitor=KEY, mode="max", patience=3)
            module = Module()
            killed = pytest.raises(RuntimeError, match="killed") if killed_in else nullcontext()
            with killed:
                trained(best, diary, saved, last, stop, module=module, epochs=12, ckpt_path=ckpt_path)
            return module, best, diary, saved

        module, best, diary, saved = run(tmp_path / "whole")
        killed_in = best.best_.epoch + 2  # so that the best epoch is in the checkpoint alone
        _, _, first, _ = run(tmp_path / "parts", killed_in=killed_in)
        resumed, again, second, resaved = run(tmp_path / "parts", ckpt_path=tmp_path / "parts" / "last.ckpt")
        assert len(first.logged) == killed_in < len(diary.logged)
        assert first.logged + second.logged == diary.logged
        assert all(torch.equal(a, b) for a, b in zip(module.parameters(), resumed.parameters(), strict=True))
        assert again.best_.to_dict() == best.best_.to_dict()
        assert again.latest_.to_dict() == best.latest_.to_dict()
        assert load_offsets(resaved.best_model_path).to_dict() == load_offsets(saved.best_model_path).to_dict()

    def test_parameters_that_were_not_validated_have_no_offsets(self, tmp_path):
        best = TunedOffsetCallback("f1_macro")
        _, trainer = trained(best, ModelCheckpoint(tmp_path), epochs=3, check_val_every_n_epoch=2)
        trainer.save_checkpoint(tmp_path / "third.ckpt")
        with pytest.raises(ValueError, match="checkpoint must hold offsets"):
            load_offsets(tmp_path / "third.ckpt")
        assert best.best_.epoch == 1

    def test_several_offsets_are_named(self, tmp_path):
        one, other = TunedOffsetCallback("f1_macro"), TunedOffsetCallback("accuracy")
        _, trainer = trained(one, other, epochs=1)
        trainer.save_checkpoint(tmp_path / "both.ckpt")
        with pytest.raises(ValueError, match=r"name must be one of .*val_f1_macro.*val_accuracy"):
            load_offsets(tmp_path / "both.ckpt")
        assert load_offsets(tmp_path / "both.ckpt", "val_accuracy").to_dict() == other.latest_.to_dict()

    def test_a_new_training_starts_anew(self):
        best = TunedOffsetCallback("f1_macro")
        trained(best, epochs=6)
        trained(best, module=Module(lr=0.0), epochs=1, num_sanity_val_steps=-1)
        assert best.best_ is best.latest_
        assert (best.best_.epoch, best.best_.step) == (0, 5)  # not that of the check before training


def test_two_processes_tune_on_all_samples_once(tmp_path):
    """With 199 validation samples, the sampler repeats one of them."""
    data = loaders(X[:-1], Y[:-1])
    one, best = TunedOffsetCallback("f1_macro"), TunedOffsetCallback("f1_macro")
    trained(one, module=Module(lr=0.0), data=data, epochs=1)
    saved = ModelCheckpoint(tmp_path, save_last=True)
    trained(best, saved, module=Module(lr=0.0), data=data, epochs=1, strategy="ddp_fork", devices=2)
    gathered = load_offsets(tmp_path / "last.ckpt")
    np.testing.assert_allclose(gathered.offsets, one.latest_.offsets, atol=1e-6)
    assert gathered.score == pytest.approx(one.latest_.score, abs=1e-9)


class TestWrongUse:
    def test_objectives(self):
        with pytest.raises(ValueError, match="every epoch can achieve an ImbalanceState"):
            trained(TunedOffsetCallback(ImbalanceState("uniform")))
        with pytest.raises(ValueError, match="f1_makro"):
            trained(TunedOffsetCallback("f1_makro"))

    def test_validation_samples_of_one_class(self):
        data = [loaders()[0], loaders(X[Y == 0], Y[Y == 0], n_train=10)[1]]
        with pytest.raises(ValueError, match="validation samples of two classes or more"):
            trained(TunedOffsetCallback("f1_macro"), data=data)

    def test_batches_without_labels(self):
        data = [loaders()[0], torch.utils.data.DataLoader(torch.as_tensor(X_VAL), batch_size=8)]
        with pytest.raises(ValueError, match="Pass read= to TunedOffsetCallback"):
            trained(TunedOffsetCallback("f1_macro"), data=data, module=Module(returns="nothing"))

    def test_without_lightning(self, monkeypatch):
        monkeypatch.delitem(sys.modules, "skimbalance.callbacks.lightning")
        monkeypatch.setitem(sys.modules, "lightning.pytorch.callbacks", None)
        with pytest.raises(ImportError, match=r"needs lightning and torch: pip install 'skimbalance\[lightning\]'"):
            importlib.import_module("skimbalance.callbacks.lightning")
