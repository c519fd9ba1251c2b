"""Callback for Lightning: offsets of each validation epoch, logged and saved with each checkpoint."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.typing import Label
from skimbalance._core.validation import names_page
from skimbalance.callbacks._epochs import (
    TunedOffsets,
    as_rows,
    check_for_epochs,
    epoch_values,
    fit_epoch,
    is_better,
    require_classes,
    tuner_of,
)
from skimbalance.goals import Constraint
from skimbalance.solvers import Search
from skimbalance.tuner.checks import Objective

try:
    import torch
    from lightning.pytorch.callbacks import Callback
    from torch.utils.data import DistributedSampler
except ImportError as error:
    raise ImportError(
        "skimbalance.callbacks.lightning needs lightning and torch: pip install 'skimbalance[lightning]'"
    ) from error

__all__ = ["TunedOffsetCallback", "load_offsets"]

_KEY = "skimbalance_offsets"
"""Key of the offsets in a checkpoint."""

_LABELS = ("labels", "label", "targets", "target", "y")
"""Names of the labels in a mapping, the first of which is used."""


class TunedOffsetCallback(Callback):
    """Tune offsets after each validation epoch, log the metric with them, and save them with each checkpoint.

    The offsets are fitted on the logits of all validation samples, of all devices, and scored by cross-fitting.

    Parameters
    ----------
    objective : str, metric, scorer or function, default="balanced_accuracy"
        What to optimise; see :class:`skimbalance.OffsetTuner`.
    constraints : sequence of AtLeast, AtMost or Near, default=()
        Constraints on the decisions. For epochs that violate them the tuned metric is logged as NaN.
    pos_label : int, default=None
        Positive class of binary metrics, a number; None takes 1.
    estimate : {"plugin", "robust", "empirical"}, default="plugin"
        How offsets are fitted; see :class:`skimbalance.OffsetTuner`.
    solver : str or Search, default="auto"
        See :class:`skimbalance.OffsetTuner`.
    read : callable, default=None
        Function of what `validation_step` returned and of the batch, that returns logits and labels. None reads
        ``logits`` and ``labels`` of a mapping that `validation_step` returned. What is missing comes from the batch:
        its last entry are the labels, and logits are those of the module for its first entry.
    prefix : str, default="val"
        Prefix of the logged names.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds; None is the seed 0. All processes need the same one.

    Attributes
    ----------
    best_ : TunedOffsets
        Offsets of the best epoch so far. None before the first epoch with finite logits.
    latest_ : TunedOffsets
        Offsets of the last validation epoch. None if some logit was not finite.

    Raises
    ------
    ValueError
        When training begins, if the objective is unknown or an imbalance state. After the first epoch, if validation
        samples have a single class, or logits and labels have unsuitable shapes.

    See Also
    --------
    load_offsets : Offsets of a checkpoint.
    skimbalance.nn.fold_offsets : Offsets in the bias of the last layer.

    Notes
    -----
    The logged names are ``<prefix>_<metric>_tuned``, the cross-fitted metric with offsets, and
    ``<prefix>_<metric>_untuned``, the metric of the argmax. ``ModelCheckpoint`` and ``EarlyStopping`` can monitor
    them, such as ``ModelCheckpoint(monitor="val_f1_macro_tuned", mode="max")``. With constraints, ``EarlyStopping``
    needs ``check_finite=False``.

    Nothing is done in the sanity check before training, or in ``trainer.validate``. Of several validation loaders the
    first one is used.

    A checkpoint holds the offsets for its parameters, if the parameters were validated since their last change.
    Resumed training continues with the best epoch of the checkpoint.

    Samplers of several devices repeat samples so that all devices have as many. Repeated samples are dropped for the
    sampler that Lightning inserts.

    Examples
    --------
    >>> import lightning, torch
    >>> from skimbalance.callbacks.lightning import TunedOffsetCallback
    >>> class Model(lightning.LightningModule):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = torch.nn.Linear(2, 2)
    ...     def forward(self, X):
    ...         return self.layer(X)
    ...     def training_step(self, batch, batch_idx):
    ...         return torch.nn.functional.cross_entropy(self(batch[0]), batch[1])
    ...     def validation_step(self, batch, batch_idx):
    ...         return {"logits": self(batch[0]), "labels": batch[1]}
    ...     def configure_optimizers(self):
    ...         return torch.optim.Adam(self.parameters(), lr=0.1)
    >>> y = torch.arange(400) % 10 // 9
    >>> data = torch.utils.data.TensorDataset(torch.randn(400, 2) + y[:, None], y)
    >>> loader = torch.utils.data.DataLoader(data, batch_size=100)
    >>> best = TunedOffsetCallback("f1")
    >>> trainer = lightning.Trainer(max_epochs=2, callbacks=[best], accelerator="cpu", logger=False,
    ...     enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
    >>> trainer.fit(Model(), loader, loader)
    >>> best.best_.offsets.shape, "val_f1_tuned" in trainer.callback_metrics
    ((2,), True)
    """

    def __init__(
        self,
        objective: Objective = "balanced_accuracy",
        *,
        constraints: Sequence[Constraint] = (),
        pos_label: Label = None,
        estimate: str = "plugin",
        solver: str | Search = "auto",
        read: Callable[[Any, Any], tuple[Any, Any]] | None = None,
        prefix: str = "val",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.objective = objective
        self.constraints = constraints
        self.pos_label = pos_label
        self.estimate = estimate
        self.solver = solver
        self.read = read
        self.prefix = prefix
        self.random_state = random_state
        self.best_: TunedOffsets | None = None
        self.latest_: TunedOffsets | None = None
        self._batches: list[tuple[Any, Any]] = []
        self._warned: set[type[Warning]] = set()
        self._is_restored = False

    @property
    def state_key(self) -> str:
        """Key of the state in a checkpoint: callbacks with other objectives have states of their own."""
        objective = re.sub(r" at 0x\w+", "", repr(self.objective))  # functions have another address in another process
        return f"TunedOffsetCallback({self.prefix!r}, {objective})"

    @names_page
    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Check the objective, and forget an earlier training unless this one continues it."""
        check_for_epochs(tuner_of(self), owner="TunedOffsetCallback")
        if not self._is_restored and trainer.global_step == 0:
            self.best_ = self.latest_ = None
            self._warned = set()
        self._is_restored = False

    def on_validation_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Forget the batches of an interrupted epoch."""
        self._batches = []

    @names_page
    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Store the logits and the labels of a batch."""
        if dataloader_idx == 0 and _is_training(trainer):
            logits, labels = self.read(outputs, batch) if self.read is not None else _read(pl_module, outputs, batch)
            self._batches.append((torch.as_tensor(logits).detach(), torch.as_tensor(labels).detach()))

    @names_page
    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Fit and score offsets on the samples of all devices, and log the metric."""
        if not _is_training(trainer):
            return
        parts = zip(*self._batches, strict=True)
        logits, labels = as_rows(*(_gathered(trainer, torch.cat(part)) for part in parts), owner="TunedOffsetCallback")
        self._batches = []
        require_classes(labels, owner="TunedOffsetCallback")
        epoch = fit_epoch(tuner_of(self), trainer.current_epoch, logits, labels, warned=self._warned)
        self.latest_ = epoch.tuned(trainer.global_step)
        if is_better(self.latest_, self.best_):
            self.best_ = self.latest_
        values = epoch_values(epoch, constrained=bool(self.constraints))
        for name, value in zip(("tuned", "untuned"), values, strict=True):
            exact = torch.tensor(value, dtype=torch.float64)
            pl_module.log(f"{self.prefix}_{epoch.metric}_{name}", exact, batch_size=1)

    def state_dict(self) -> dict[str, Any]:
        """Return the best and the last offsets, as numbers and strings.

        Returns
        -------
        dict
            The state.
        """
        return {"best": _as_dict(self.best_), "latest": _as_dict(self.latest_)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best and the last offsets.

        Parameters
        ----------
        state_dict : dict
            What `state_dict` has returned.
        """
        self.best_, self.latest_ = (_from_dict(state_dict[name]) for name in ("best", "latest"))
        self._is_restored = True

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Add the offsets to the checkpoint if they are for its parameters."""
        if self.latest_ is not None and self.latest_.step == trainer.global_step:
            checkpoint.setdefault(_KEY, {})[f"{self.prefix}_{self.latest_.metric}"] = self.latest_.to_dict()


@names_page
def load_offsets(checkpoint: str | Path | Mapping[str, Any], name: str | None = None) -> TunedOffsets:
    """Return the offsets that a checkpoint of Lightning holds for its parameters.

    Parameters
    ----------
    checkpoint : str, path or mapping
        A file, or a loaded checkpoint. Files are read with ``weights_only=True``: load others yourself.
    name : str, default=None
        Name of the offsets, such as ``"val_f1_macro"``. It may be left out if there is a single callback.

    Returns
    -------
    TunedOffsets
        Offsets with the decisions of the training.

    Raises
    ------
    ValueError
        If the checkpoint has no offsets, or several and `name` is none of them.

    See Also
    --------
    TunedOffsetCallback : Saves the offsets.

    Examples
    --------
    >>> from skimbalance.callbacks.lightning import load_offsets
    >>> saved = {"offsets": [-0.5, 0.5], "metric": "f1", "score": 0.7, "untuned_score": 0.6, "merit": 0.7}
    >>> saved |= {"satisfied": True, "multilabel": False, "epoch": 3, "step": 120}
    >>> load_offsets({"skimbalance_offsets": {"val_f1": saved}}).offsets
    array([-0.5,  0.5])
    """
    saved = (checkpoint if isinstance(checkpoint, Mapping) else _loaded(checkpoint)).get(_KEY, {})
    if not saved:
        raise ValueError(
            "checkpoint must hold offsets; it was saved without TunedOffsetCallback, or after further steps of "
            "training without validation"
        )
    if name not in saved and not (name is None and len(saved) == 1):
        raise ValueError(f"name must be one of the offsets in the checkpoint, {[*saved]}; got {name!r}")
    return TunedOffsets.from_dict(saved[next(iter(saved)) if name is None else name])


def _loaded(path: str | Path) -> Mapping[str, Any]:
    """Return the checkpoint in a file."""
    loaded: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return loaded


def _is_training(trainer: Any) -> bool:
    """Return whether this validation is part of a training, and not the check before it."""
    return bool(trainer.state.fn == "fit" and not trainer.sanity_checking)


def _read(module: Any, outputs: Any, batch: Any) -> tuple[Any, Any]:
    """Return logits and labels from the outputs of `validation_step` and the batch."""
    named = outputs if isinstance(outputs, Mapping) else {}
    labels = _first_of(named) if _first_of(named) is not None else _labels_of(batch)
    if labels is None:
        raise ValueError(
            "validation_step must return a mapping with logits and labels, or the batch must hold labels as its last "
            f"entry or under one of the names {_LABELS}; got {type(outputs).__name__} and {type(batch).__name__}. "
            "Pass read= to TunedOffsetCallback"
        )
    logits = named.get("logits")
    if logits is None:
        with torch.no_grad():
            logits = _logits(module, batch)
    return logits, labels


def _logits(module: Any, batch: Any) -> Any:
    """Return what the module returns for the inputs of a batch."""
    if isinstance(batch, Mapping):
        output = module(**{name: value for name, value in batch.items() if name not in _LABELS})
    else:
        output = module(batch[0])
    return output["logits"] if isinstance(output, Mapping) else getattr(output, "logits", output)


def _first_of(named: Mapping[str, Any]) -> Any:
    """Return the labels of a mapping, None if it has none."""
    return next((named[name] for name in _LABELS if name in named), None)


def _labels_of(batch: Any) -> Any:
    """Return the labels of a batch, None if it has none."""
    if isinstance(batch, Mapping):
        return _first_of(batch)
    return batch[-1] if isinstance(batch, tuple | list) and len(batch) > 1 else None


def _gathered(trainer: Any, rows: Any) -> npt.NDArray[Any]:
    """Return the rows of all devices in the order of the data set, each sample once, on the host."""
    if trainer.world_size == 1:
        return _host(rows)
    lengths = trainer.strategy.all_gather(torch.tensor(len(rows), device=trainer.strategy.root_device))
    padded = torch.zeros((int(lengths.max()), *rows.shape[1:]), dtype=rows.dtype, device=rows.device)
    padded[: len(rows)] = rows
    every = trainer.strategy.all_gather(padded.to(trainer.strategy.root_device))
    sampler = _sampler(trainer)
    if sampler is not None:  # sample i is row i // n of device i % n, and what comes after the last sample is repeated
        return _host(every.transpose(0, 1).flatten(0, 1)[: len(sampler.dataset)])
    return _host(torch.cat([part[:length] for part, length in zip(every, lengths, strict=True)]))


def _sampler(trainer: Any) -> Any:
    """Return the distributed sampler of the first validation loader, None for others and for shuffled samples."""
    loaders = trainer.val_dataloaders
    loader = loaders[0] if isinstance(loaders, list | tuple) else loaders
    sampler = getattr(loader, "sampler", None)
    whole = isinstance(sampler, DistributedSampler) and not sampler.shuffle and not sampler.drop_last
    return sampler if whole and not loader.drop_last and trainer.num_val_batches[0] == len(loader) else None


def _host(rows: Any) -> npt.NDArray[Any]:
    """Return a tensor as an array; low precision as float32."""
    wide = rows.float() if rows.is_floating_point() and rows.dtype != torch.float64 else rows
    return np.asarray(wide.cpu().numpy())


def _as_dict(offsets: TunedOffsets | None) -> dict[str, Any] | None:
    return None if offsets is None else offsets.to_dict()


def _from_dict(values: dict[str, Any] | None) -> TunedOffsets | None:
    return None if values is None else TunedOffsets.from_dict(values)
