"""The Trainer of Hugging Face: what is evaluated and saved, the best model, resumed training, and multilabel heads."""

import importlib
import json
import sys

import numpy as np
import pytest
from sklearn.metrics import f1_score
from support.problems import features

from skimbalance import OffsetTuner
from skimbalance.exceptions import UnreachableGoalWarning
from skimbalance.goals import AtLeast, ImbalanceState

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, TrainingArguments  # noqa: E402

from skimbalance.callbacks.transformers import (  # noqa: E402
    TunedOffsetCallback,
    fold_saved_offsets,
    load_offsets,
)

pytestmark = pytest.mark.usefixtures("few_restarts")

KEY = "eval_f1_macro_tuned"


def texts(y, *, seed=0):
    """Return token numbers (n, 6): most tokens of a sample are of its class, of ten tokens for each."""
    rng = np.random.default_rng(seed)
    kinds = np.where(rng.random((len(y), 6)) < 0.5, y[:, None], rng.integers(3, size=(len(y), 6)))
    return torch.as_tensor(1 + 10 * kinds + rng.integers(10, size=kinds.shape))


class Samples(torch.utils.data.Dataset):
    def __init__(self, tokens, labels):
        self.tokens, self.labels = tokens, torch.as_tensor(labels)

    def __len__(self):
        return len(self.tokens)

    def __getitem__(self, i):
        return {"input_ids": self.tokens[i], "labels": self.labels[i]}


_, Y = features(n_samples=420)
TOKENS = texts(Y)
LABELS = np.stack([Y == 2, Y > 0, np.arange(420) % 7 == 0], axis=1).astype(np.float32)


def sets(labels=Y):
    """Return training, validation and test samples."""
    return [Samples(TOKENS[part], labels[part]) for part in (slice(200), slice(200, 320), slice(320, None))]


def model(**options):
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=40,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=8,
        num_labels=3,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **options,
    )
    return transformers.BertForSequenceClassification(config)


class Killed(TrainerCallback):
    """Stops the training by an error, in a step."""

    def __init__(self, step):
        self.step = step

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise RuntimeError("killed")


def trainer(folder, tuned, *more, data=None, net=None, **options):
    options = {
        "num_train_epochs": 4,
        "learning_rate": 0.02,
        "per_device_train_batch_size": 40,
        "per_device_eval_batch_size": 200,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "metric_for_best_model": KEY,
        "load_best_model_at_end": True,
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "logging_strategy": "no",
        "dataloader_pin_memory": False,
    } | options
    train, val, _ = data or sets()
    return Trainer(
        model() if net is None else net,
        TrainingArguments(str(folder), **options),
        train_dataset=train,
        eval_dataset=val,
        compute_metrics=tuned.compute_metrics,
        callbacks=[tuned, *more],
    )


def logits_of(net, tokens=TOKENS):
    with torch.no_grad():
        return net.eval()(input_ids=tokens).logits


def logged(run):
    return [entry[KEY] for entry in run.state.log_history if KEY in entry]


class TestTraining:
    def test_the_best_model_is_loaded_with_its_offsets(self, tmp_path):
        tuned = TunedOffsetCallback("f1_macro")
        run = trainer(tmp_path, tuned)
        run.train()
        scores = logged(run)
        best = 1 + int(np.argmax(scores))
        assert len(set(scores)) > 1
        assert run.state.best_metric == max(scores)
        assert tuned.offsets_.epoch == best
        val = logits_of(run.model, TOKENS[200:320]).numpy()
        expected = OffsetTuner("f1_macro", kind="logits", estimate="plugin").fit(val, Y[200:320])
        np.testing.assert_allclose(tuned.offsets_.offsets, expected.offsets_, atol=1e-4)
        assert tuned.offsets_.score == max(scores) == pytest.approx(expected.score_)
        assert load_offsets(run.model).to_dict() == tuned.offsets_.to_dict()

    def test_test_samples_are_scored_with_the_offsets_of_the_model(self, tmp_path):
        tuned = TunedOffsetCallback("f1_macro")
        run = trainer(tmp_path, tuned)
        run.train()
        before = tuned.offsets_.to_dict()
        predicted = run.predict(sets()[2])
        decided = tuned.offsets_.predict(predicted.predictions)
        assert predicted.metrics["test_f1_macro_tuned"] == pytest.approx(f1_score(Y[320:], decided, average="macro"))
        argmax = predicted.predictions.argmax(axis=1)
        assert predicted.metrics["test_f1_macro_untuned"] == pytest.approx(f1_score(Y[320:], argmax, average="macro"))
        assert tuned.offsets_.to_dict() == before == load_offsets(run.model).to_dict()

    def test_a_killed_and_resumed_training_ends_as_one_that_was_never_stopped(self, tmp_path):
        tuned, again = TunedOffsetCallback("f1_macro"), TunedOffsetCallback("f1_macro")
        whole = trainer(tmp_path / "whole", tuned)
        whole.train()
        best = whole.state.best_global_step
        assert best < whole.state.max_steps  # the best checkpoint is one from before the end
        with pytest.raises(RuntimeError, match="killed"):
            trainer(tmp_path / "parts", TunedOffsetCallback("f1_macro"), Killed(best + 3)).train()
        parts = trainer(tmp_path / "parts", again)
        parts.train(resume_from_checkpoint=True)
        assert logged(parts) == logged(whole)
        assert parts.state.best_global_step == best
        assert again.offsets_.to_dict() == tuned.offsets_.to_dict()
        assert all(torch.equal(a, b) for a, b in zip(parts.model.parameters(), whole.model.parameters(), strict=True))

    def test_checkpoints_without_configuration_as_those_of_adapters(self, tmp_path):
        class Adapter(TrainerCallback):
            def on_save(self, args, state, control, **kwargs):
                (tmp_path / f"checkpoint-{state.global_step}" / "config.json").unlink()

        tuned = TunedOffsetCallback("f1_macro")
        run = trainer(tmp_path, tuned, Adapter())
        run.train()
        assert tuned.offsets_.step == run.state.best_global_step < run.state.global_step
        assert tuned.offsets_.score == run.state.best_metric

    def test_early_stopping(self, tmp_path):
        run = trainer(tmp_path, TunedOffsetCallback("f1_macro"), EarlyStoppingCallback(2), num_train_epochs=20)
        run.train()
        scores = logged(run)
        assert len(scores) < 20
        assert int(np.argmax(scores)) == len(scores) - 3

    def test_a_checkpoint_without_evaluation_has_no_offsets(self, tmp_path):
        options = {"eval_strategy": "steps", "eval_steps": 5, "save_strategy": "steps", "save_steps": 4}
        run = trainer(tmp_path, TunedOffsetCallback("f1_macro"), load_best_model_at_end=False, **options)
        run.train()
        with pytest.raises(ValueError, match="model must have offsets in its configuration"):
            load_offsets(tmp_path / "checkpoint-8")
        assert load_offsets(tmp_path / "checkpoint-20").step == 20

    def test_several_evaluation_sets(self, tmp_path):
        tuned = TunedOffsetCallback("f1_macro")
        train, val, test = sets()
        several = {"one": val, "other": test}
        run = trainer(tmp_path, tuned, data=(train, several, None), metric_for_best_model="eval_other_f1_macro_tuned")
        run.train()
        score = next(
            each["eval_other_f1_macro_tuned"]
            for each in run.state.log_history
            if each["step"] == tuned.offsets_.step and "eval_other_f1_macro_tuned" in each
        )
        assert tuned.offsets_.score == score == run.state.best_metric


class TestSaved:
    def test_reloaded_decisions_are_identical(self, tmp_path):
        tuned = TunedOffsetCallback()
        run = trainer(tmp_path, tuned, metric_for_best_model="eval_balanced_accuracy_tuned")
        run.train()
        run.save_model(tmp_path / "end")
        again = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "end")
        logits = logits_of(run.model)
        decided = tuned.offsets_.predict(logits)
        assert load_offsets(tmp_path / "end").to_dict() == tuned.offsets_.to_dict()
        np.testing.assert_array_equal(load_offsets(again).predict(logits_of(again)), decided)
        folded = fold_saved_offsets(again, X={"input_ids": TOKENS[:20]})
        np.testing.assert_array_equal(logits_of(folded).argmax(dim=1), decided)
        assert (logits.argmax(dim=1) != decided).any()

    def test_folded_offsets_are_not_applied_twice(self, tmp_path):
        run = trainer(tmp_path, TunedOffsetCallback("f1_macro"), num_train_epochs=1)
        run.train()
        fold_saved_offsets(run.model, X={"input_ids": TOKENS[:20]}, layer="classifier").save_pretrained(tmp_path / "f")
        with pytest.raises(ValueError, match="model must have offsets"):
            load_offsets(tmp_path / "f")
        assert "skimbalance_offsets" not in json.loads((tmp_path / "f" / "config.json").read_text())
        load_offsets(run.model)
        fold_saved_offsets(run.model, X={"input_ids": TOKENS[:20]}, inplace=True)
        with pytest.raises(ValueError, match="model must have offsets"):
            load_offsets(run.model)

    def test_a_model_with_offsets_in_another_trainer(self, tmp_path):
        tuned, other = TunedOffsetCallback("f1_macro"), TunedOffsetCallback("f1_macro")
        run = trainer(tmp_path, tuned, num_train_epochs=2)
        run.train()
        again = trainer(tmp_path, other, net=run.model)
        assert again.predict(sets()[2]).metrics["test_f1_macro_tuned"] == pytest.approx(
            run.predict(sets()[2]).metrics["test_f1_macro_tuned"]
        )

    def test_a_multilabel_head(self, tmp_path):
        tuned = TunedOffsetCallback("f1_macro")
        net = model(problem_type="multi_label_classification")
        run = trainer(tmp_path, tuned, data=sets(LABELS), net=net)
        run.train()
        assert tuned.offsets_.multilabel
        val = logits_of(run.model, TOKENS[200:320])
        expected = OffsetTuner("f1_macro", kind="logits", estimate="plugin").fit(val.numpy(), LABELS[200:320])
        assert tuned.offsets_.score == run.state.best_metric == pytest.approx(expected.score_)
        decided = load_offsets(run.state.best_model_checkpoint).predict(val)
        folded = fold_saved_offsets(run.model, X={"input_ids": TOKENS[:20]})
        np.testing.assert_array_equal(logits_of(folded, TOKENS[200:320]) > 0, decided)
        assert ((val > 0) != torch.as_tensor(decided)).any()


class TestMetrics:
    def test_outputs_in_a_tuple_and_labels_as_floats(self):
        logits = np.random.default_rng(0).normal(size=(120, 3)).astype(np.float32)
        one = TunedOffsetCallback().compute_metrics(transformers.EvalPrediction((logits, None), Y[:120].astype(float)))
        other = TunedOffsetCallback().compute_metrics(transformers.EvalPrediction(logits, Y[:120]))
        assert one == other

    def test_violated_constraints_are_nan(self):
        logits = np.random.default_rng(0).normal(size=(120, 2))
        tuned = TunedOffsetCallback("recall", constraints=[AtLeast("accuracy", 1.0)])
        with pytest.warns(UnreachableGoalWarning):
            metrics = tuned.compute_metrics(transformers.EvalPrediction(logits, (Y[:120] > 0).astype(int)))
        assert np.isnan(metrics["recall_tuned"])

    def test_labels_of_tokens(self):
        with pytest.raises(ValueError, match="TunedOffsetCallback needs logits"):
            TunedOffsetCallback().compute_metrics(transformers.EvalPrediction(np.zeros((4, 5, 3)), np.zeros((4, 5))))

    def test_samples_of_one_class(self):
        with pytest.raises(ValueError, match="validation samples of two classes or more"):
            TunedOffsetCallback().compute_metrics(transformers.EvalPrediction(np.zeros((4, 2)), np.zeros(4)))


class TestWrongUse:
    def test_objectives(self, tmp_path):
        with pytest.raises(ValueError, match="every epoch can achieve an ImbalanceState"):
            trainer(tmp_path, TunedOffsetCallback(ImbalanceState("uniform"))).train()
        with pytest.raises(ValueError, match="f1_makro"):
            trainer(tmp_path, TunedOffsetCallback("f1_makro")).train()

    def test_a_module_without_configuration(self, tmp_path):
        run = trainer(tmp_path, TunedOffsetCallback(), net=torch.nn.Linear(2, 2))
        with pytest.raises(ValueError, match="saves offsets in the configuration of the model; Linear has none"):
            run.train()

    def test_without_transformers(self, monkeypatch):
        monkeypatch.delitem(sys.modules, "skimbalance.callbacks.transformers")
        monkeypatch.setitem(sys.modules, "transformers", None)
        with pytest.raises(ImportError, match=r"transformers and torch: pip install 'skimbalance\[transformers\]'"):
            importlib.import_module("skimbalance.callbacks.transformers")
