"""Callback for the Trainer of Hugging Face: offsets of each evaluation, saved in the configuration of the model."""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from skimbalance._core.typing import Label
from skimbalance._core.validation import names_page
from skimbalance.callbacks._epochs import (
    TunedOffsets,
    as_rows,
    check_for_epochs,
    epoch_values,
    fit_epoch,
    require_classes,
    score_offsets,
    tuner_of,
)
from skimbalance.goals import Constraint
from skimbalance.nn import fold_offsets
from skimbalance.solvers import Search
from skimbalance.tuner.checks import Objective

try:
    from transformers import TrainerCallback
except ImportError as error:
    raise ImportError(
        "skimbalance.callbacks.transformers needs transformers and torch: pip install 'skimbalance[transformers]'"
    ) from error

__all__ = ["TunedOffsetCallback", "fold_saved_offsets", "load_offsets"]

_KEY = "skimbalance_offsets"
"""Entry of the configuration of a model."""


class TunedOffsetCallback(TrainerCallback):
    """Tune offsets in each evaluation of a training, and save them in the configuration of the model.

    Pass the callback as one of `callbacks`, and its method `compute_metrics` as `compute_metrics`.

    Parameters
    ----------
    objective : str, metric, scorer or function, default="balanced_accuracy"
        What to optimise; see :class:`skimbalance.OffsetTuner`. For a multilabel head, a multilabel metric.
    constraints : sequence of AtLeast, AtMost or Near, default=()
        Constraints on the decisions. For evaluations that violate them the tuned metric is NaN.
    pos_label : int, default=None
        Positive class of binary metrics, a number; None takes 1.
    estimate : {"plugin", "robust", "empirical"}, default="plugin"
        How offsets are fitted; see :class:`skimbalance.OffsetTuner`.
    solver : str or Search, default="auto"
        See :class:`skimbalance.OffsetTuner`.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds; None is the seed 0. All processes need the same one.

    Attributes
    ----------
    offsets_ : TunedOffsets
        Offsets for the parameters of the model, as in its configuration. None if the parameters have changed since the
        last evaluation.

    Raises
    ------
    ValueError
        When training begins, if the objective is unknown or an imbalance state. In an evaluation, if all samples are of
        one class, or logits and labels have unsuitable shapes.

    See Also
    --------
    load_offsets : Offsets of a saved model.
    fold_saved_offsets : Offsets in the bias of the last layer.

    Notes
    -----
    The metrics are ``eval_<metric>_tuned``, the cross-fitted metric with offsets, and ``eval_<metric>_untuned``, the
    metric of the argmax. `TrainingArguments` can select by them:
    ``metric_for_best_model="eval_f1_macro_tuned", load_best_model_at_end=True``.

    In training, each evaluation fits offsets to its samples. Before and after training, `evaluate` and `predict` use
    the offsets of the model. So the tuned metric of test samples is that of fixed offsets. If the model has no
    offsets, they are fitted to the samples and not saved.

    The first of several evaluation sets in a mapping tunes the offsets, unless `metric_for_best_model` names another.

    Offsets are an entry of the configuration, which every checkpoint and `save_model` write. A checkpoint that was
    saved without an evaluation of its parameters has none. When the best model is loaded, its offsets are too.

    Examples
    --------
    >>> import numpy as np
    >>> from transformers import EvalPrediction
    >>> from skimbalance.callbacks.transformers import TunedOffsetCallback
    >>> rng = np.random.default_rng(0)
    >>> y = (rng.random(400) < 0.1).astype(int)
    >>> logits = np.stack([np.full(400, 4.0), rng.normal(size=400) + 2 * y], axis=1)
    >>> metrics = TunedOffsetCallback("f1").compute_metrics(EvalPrediction(logits, y))
    >>> sorted(metrics), metrics["f1_tuned"] > metrics["f1_untuned"]
    (['f1_tuned', 'f1_untuned'], True)
    """

    def __init__(
        self,
        objective: Objective = "balanced_accuracy",
        *,
        constraints: Sequence[Constraint] = (),
        pos_label: Label = None,
        estimate: str = "plugin",
        solver: str | Search = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.objective = objective
        self.constraints = constraints
        self.pos_label = pos_label
        self.estimate = estimate
        self.solver = solver
        self.random_state = random_state
        self.offsets_: TunedOffsets | None = None
        self._evaluated: TunedOffsets | None = None
        self._by_step: dict[int, TunedOffsets] = {}
        self._is_training = False
        self._warned: set[type[Warning]] = set()

    @names_page
    def compute_metrics(self, prediction: Any, **kwargs: Any) -> dict[str, float]:
        """Return the metric with and without offsets, for the argument `compute_metrics` of the Trainer.

        Parameters
        ----------
        prediction : EvalPrediction
            Logits as `predictions`, alone or first in a tuple, and labels as `label_ids`.
        **kwargs : dict
            Ignored.

        Returns
        -------
        dict of str to float
            ``<metric>_tuned`` and ``<metric>_untuned``.
        """
        logits = prediction.predictions
        logits = logits[0] if isinstance(logits, tuple | list) else logits
        logits, labels = as_rows(logits, prediction.label_ids, owner="TunedOffsetCallback")
        if not self._is_training and self.offsets_ is not None:
            name, *values = score_offsets(tuner_of(self), self.offsets_, logits, labels)
        else:
            require_classes(labels, owner="TunedOffsetCallback")
            epoch = fit_epoch(tuner_of(self), 0, logits, labels, warned=self._warned)
            name, values = epoch.metric, [*epoch_values(epoch, constrained=bool(self.constraints))]
            self._evaluated = epoch.tuned(0)
        return {f"{name}_tuned": values[0], f"{name}_untuned": values[1]}

    def on_init_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Take the offsets of a model that has some."""
        self.offsets_ = _of_config(getattr(model, "config", {}))

    @names_page
    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Check the objective and the model."""
        check_for_epochs(tuner_of(self), owner="TunedOffsetCallback")
        if not hasattr(model, "config"):
            raise ValueError(
                f"TunedOffsetCallback saves offsets in the configuration of the model; {type(model).__name__} has none"
            )
        self._is_training, self._warned, self._by_step = True, set(), {}

    def on_step_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Remove the offsets, since the parameters change."""
        self._save(model, None)

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Any = None, model: Any = None, **kwargs: Any
    ) -> None:
        """Save the offsets that were fitted in this evaluation."""
        evaluated, self._evaluated = self._evaluated, None
        if not self._is_training or evaluated is None:
            return
        wanted = args.metric_for_best_model
        is_first = self.offsets_ is None or self.offsets_.step != state.global_step
        if is_first or wanted in (metrics or {}) or f"eval_{wanted}" in (metrics or {}):
            offsets = replace(evaluated, epoch=float(state.epoch), step=state.global_step)
            self._save(model, offsets)
            self._by_step[offsets.step] = offsets

    def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Take the offsets of the best model if the Trainer has loaded it."""
        self._is_training = False
        if args.load_best_model_at_end and state.best_model_checkpoint is not None:
            saved = _of_config(_read_config(state.best_model_checkpoint))
            self._save(model, saved or self._by_step.get(getattr(state, "best_global_step", None) or -1))

    def _save(self, model: Any, offsets: TunedOffsets | None) -> None:
        """Store the offsets in the configuration of the model, or remove them."""
        self.offsets_ = offsets
        if offsets is not None:
            setattr(model.config, _KEY, offsets.to_dict())
        elif hasattr(model.config, _KEY):
            delattr(model.config, _KEY)


@names_page
def load_offsets(model: Any) -> TunedOffsets:
    """Return the offsets of a model that was trained with `TunedOffsetCallback`.

    Parameters
    ----------
    model : transformers.PreTrainedModel, str or path
        A model, or the folder of a saved model or checkpoint.

    Returns
    -------
    TunedOffsets
        Offsets with the decisions of the training.

    Raises
    ------
    ValueError
        If the configuration of the model has no offsets.

    See Also
    --------
    TunedOffsetCallback : Saves the offsets.

    Examples
    --------
    >>> from transformers import BertConfig, BertForSequenceClassification
    >>> from skimbalance.callbacks.transformers import load_offsets
    >>> saved = {"offsets": [-0.5, 0.5], "metric": "f1", "score": 0.7, "untuned_score": 0.6, "merit": 0.7}
    >>> saved |= {"satisfied": True, "multilabel": False, "epoch": 3, "step": 120}
    >>> config = BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
    ...     intermediate_size=8, max_position_embeddings=8, skimbalance_offsets=saved)
    >>> load_offsets(BertForSequenceClassification(config)).offsets
    array([-0.5,  0.5])
    """
    config = _read_config(model) if isinstance(model, str | Path) else model.config
    offsets = _of_config(config)
    if offsets is None:
        raise ValueError(
            "model must have offsets in its configuration; it was saved without TunedOffsetCallback, or after further "
            "steps of training without evaluation"
        )
    return offsets


@names_page
def fold_saved_offsets(model: Any, *, inplace: bool = False, layer: Any = None, X: Any = None) -> Any:
    """Add the offsets of a model to the bias of its last layer, and remove them from its configuration.

    The argmax of the logits of the result is the tuned decision; see :func:`skimbalance.nn.fold_offsets`.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        A model with offsets.
    inplace : bool, default=False
        Whether to change `model` itself, rather than a copy.
    layer : str or torch.nn.Module, default=None
        The layer that gets the offsets, such as ``"classifier"``; None finds it.
    X : mapping of tensors, default=None
        A few samples for verification, such as ``{"input_ids": ...}``.

    Returns
    -------
    transformers.PreTrainedModel
        The model with offsets in its parameters.

    Raises
    ------
    ValueError
        If the model has no offsets, or they cannot be folded.

    See Also
    --------
    load_offsets : Offsets of a saved model.

    Examples
    --------
    >>> import torch
    >>> from transformers import BertConfig, BertForSequenceClassification
    >>> from skimbalance.callbacks.transformers import fold_saved_offsets, load_offsets
    >>> saved = {"offsets": [-0.5, 0.5], "metric": "f1", "score": 0.7, "untuned_score": 0.6, "merit": 0.7}
    >>> saved |= {"satisfied": True, "multilabel": False, "epoch": 3, "step": 120}
    >>> config = BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
    ...     intermediate_size=8, max_position_embeddings=8, skimbalance_offsets=saved)
    >>> model = BertForSequenceClassification(config)
    >>> plain = fold_saved_offsets(model, X={"input_ids": torch.arange(8).reshape(4, 2)})
    >>> (plain.classifier.bias - model.classifier.bias).tolist()
    [-0.5, 0.5]
    """
    offsets = load_offsets(model).offsets
    folded = model if inplace else deepcopy(model)
    fold_offsets(folded, offsets, inplace=True, layer=layer, X=X)
    delattr(folded.config, _KEY)
    return folded


def _of_config(config: Any) -> TunedOffsets | None:
    """Return the offsets in a configuration, None if it has none."""
    values = config.get(_KEY) if isinstance(config, Mapping) else getattr(config, _KEY, None)
    return None if values is None else TunedOffsets.from_dict(values)


def _read_config(folder: str | Path) -> dict[str, Any]:
    """Return the configuration in the folder of a saved model, empty if it has none, as that of an adapter."""
    path = Path(folder) / "config.json"
    config: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return config
