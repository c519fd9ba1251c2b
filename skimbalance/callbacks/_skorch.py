"""Callback for skorch: the epoch with the best metric after offsets, its parameters and its offsets."""

import pickle
from collections.abc import Mapping, Sequence
from copy import deepcopy
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self, cast

import numpy as np

from skimbalance._core.sklearn import forget_fit
from skimbalance._core.typing import Array, Label
from skimbalance._core.validation import names_page
from skimbalance.callbacks._epochs import Epoch, check_for_epochs, epoch_values, fit_epoch, is_better, tuner_of
from skimbalance.exceptions import SkimbalanceWarning, warn_user
from skimbalance.goals import Constraint
from skimbalance.nn import Ending, batch_logits, fold_offsets, kind_of_outputs, refuse_proba
from skimbalance.solvers import Search
from skimbalance.tuner import OffsetTuner
from skimbalance.tuner.checks import Objective

try:
    import torch
    from skorch.callbacks import Callback
    from skorch.dataset import unpack_data
except ImportError as error:
    raise ImportError("skimbalance.callbacks needs skorch and torch: pip install 'skimbalance[skorch]'") from error

__all__ = ["TunedOffsetCheckpoint"]

_FILE = "tuned_offset_checkpoint.pt"


class TunedOffsetCheckpoint(Callback):
    """Store the epoch with the best metric after offsets, and these offsets.

    After each epoch offsets are fitted on the logits of the validation samples, and scored by cross-fitting.

    Parameters
    ----------
    objective : str, metric, scorer or function, default="balanced_accuracy"
        What to optimise; see :class:`skimbalance.OffsetTuner`.
    constraints : sequence of AtLeast, AtMost or Near, default=()
        Constraints on the decisions. Epochs that satisfy them are better than all that do not.
    pos_label : int, default=None
        Positive class of binary metrics, a number; None takes 1.
    estimate : {"plugin", "robust", "empirical"}, default="plugin"
        How offsets are fitted; see :class:`skimbalance.OffsetTuner`.

        - ``"plugin"``: the best offsets for calibrated soft labels.
        - ``"robust"``: little better here, and several times slower.
        - ``"empirical"``: the best offsets on the validation samples.
    solver : str or Search, default="auto"
        See :class:`skimbalance.OffsetTuner`.
    restore_best : bool, default=True
        Whether to restore the parameters of the best epoch when training ends.

        - True: the net has the best epoch, and the offsets are for it.
        - False: the net has the last epoch, and the offsets are for it.
    fold : bool, default=False
        Whether to add the offsets to the bias of the last layer when training ends. Then `predict` of the net makes the
        tuned decisions; see :func:`skimbalance.nn.fold_offsets`.
    kind : {"auto", "logits", "proba", "log_proba"}, default="auto"
        Kind of the outputs of the net; see :func:`skimbalance.nn.net_logits`.
    dirname : str or path, default=None
        Folder for a file with the best epoch. Another net that loads the history by ``LoadInitState`` continues with
        it. None stores the best epoch in memory only.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds; None is the seed 0.

    Attributes
    ----------
    tuner_ : OffsetTuner
        Tuner for the parameters that the net has after training; it takes logits.
    offsets_ : array of shape (K,)
        Offsets of the tuner.
    best_epoch_ : int
        Number of the best epoch, as in the history.
    best_score_ : float
        Cross-fitted score of the best epoch.

    Raises
    ------
    ValueError
        When training begins, if the net has no validation samples (``train_split=None``) or the objective is an
        imbalance state. Also if several of these callbacks restore parameters or fold offsets. After the first epoch,
        if validation samples have a single class.

    See Also
    --------
    skimbalance.TunedOffsetClassifierCV : Offsets by cross-validation, around a net or any other classifier.

    Notes
    -----
    The callback writes to the history:

    - ``valid_<objective>_tuned``: the cross-fitted metric with offsets.
    - ``valid_<objective>_untuned``: the metric of the argmax without offsets.
    - ``valid_<objective>_tuned_best``: whether the epoch is the best so far.

    Other callbacks can use these if they are listed after this one, such as
    ``EarlyStopping(monitor="valid_f1_macro_tuned", lower_is_better=False)`` or
    ``Checkpoint(monitor="valid_f1_macro_tuned_best")``. Leave ``load_best`` of the former off. A
    ``TrainEndCheckpoint`` that is listed before saves the last epoch.

    `partial_fit` continues with the parameters of the last epoch: restored parameters and folded offsets are undone.

    Labels are numbers 0 to K - 1, as skorch needs them. Validation samples should be as imbalanced as unseen data. A
    training loop without skorch needs a few lines::

        best = -math.inf
        for epoch in range(n_epochs):
            train(model)
            logits = net_logits(model, valid_loader)
            tuner = OffsetTuner("f1_macro", kind="logits").fit(logits, y_valid)
            if tuner.score_ > best:
                best, best_tuner, best_params = tuner.score_, tuner, copy.deepcopy(model.state_dict())
        model.load_state_dict(best_params)

    References
    ----------
    The training strategy of *Regulating Imbalanced Deep Models with User-Specified Metrics*, submission 4525 to ICLR
    2024, section 3.3. Ranjan et al., *Post-hoc reversal: are we selecting models prematurely?*, arXiv 2404.07815, 2024.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from skorch import NeuralNetClassifier
    >>> from skimbalance.callbacks import TunedOffsetCheckpoint
    >>> rng = np.random.default_rng(0)
    >>> y = (rng.random(400) < 0.1).astype(np.int64)
    >>> X = (rng.normal(size=(400, 2)) + y[:, None]).astype(np.float32)
    >>> best = TunedOffsetCheckpoint("f1")
    >>> net = NeuralNetClassifier(
    ...     torch.nn.Linear, module__in_features=2, module__out_features=2, criterion=torch.nn.CrossEntropyLoss,
    ...     max_epochs=5, verbose=0, callbacks=[("best", best)],
    ... ).fit(X, y)
    >>> fitted = dict(net.callbacks_)["best"]
    >>> net.history[:, "valid_f1_tuned"][fitted.best_epoch_ - 1] == fitted.best_score_
    True
    """

    def __init__(
        self,
        objective: Objective = "balanced_accuracy",
        *,
        constraints: Sequence[Constraint] = (),
        pos_label: Label = None,
        estimate: str = "plugin",
        solver: str | Search = "auto",
        restore_best: bool = True,
        fold: bool = False,
        kind: Ending = "auto",
        dirname: str | Path | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.objective = objective
        self.constraints = constraints
        self.pos_label = pos_label
        self.estimate = estimate
        self.solver = solver
        self.restore_best = restore_best
        self.fold = fold
        self.kind = kind
        self.dirname = dirname
        self.random_state = random_state

    def initialize(self) -> Self:
        """Reset the callback.

        Returns
        -------
        TunedOffsetCheckpoint
            The callback itself.
        """
        self._best_: Epoch | None = None
        self._latest_: Epoch | None = None
        self._params_: dict[str, Any] = {}  # of the best epoch
        self._batches_: list[tuple[Array, Array]] = []
        self._inputs_: Any = None  # of a validation batch: folding is verified on them
        self._ended_: tuple[dict[str, Any], bytes] | None = None  # see on_train_end
        self._warned_: set[type[Warning]] = set()
        self._begins_ = True
        forget_fit(self)
        return self

    @names_page
    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Check net and objective, and undo what the callback changed as an earlier training ended."""
        if net.train_split is None:
            raise ValueError(
                "TunedOffsetCheckpoint needs validation samples, and train_split of the net is None: pass "
                "ValidSplit(5, stratified=True), or predefined_split with a data set"
            )
        check_for_epochs(tuner_of(self), owner="TunedOffsetCheckpoint")
        changing = [c for _, c in net.callbacks_ if isinstance(c, TunedOffsetCheckpoint) and (c.restore_best or c.fold)]
        if len(changing) > 1 and self in changing:
            raise ValueError(
                f"{len(changing)} callbacks want to change the net as training ends, and one can: pass "
                "restore_best=False and fold=False to the other TunedOffsetCheckpoints"
            )
        self._batches_, self._begins_ = [], self._ended_ is None
        if self._ended_ is not None:
            (before, left), self._ended_ = self._ended_, None
            if _fingerprint(net.module_) == left:
                _restore(net.module_, before)
            else:
                self._best_ = None
                warn_user(
                    "The net was changed since its last training: its best epoch is discarded", SkimbalanceWarning
                )

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, y_pred: Any = None, **kwargs: Any
    ) -> None:
        """Store the logits and the labels of a validation batch."""
        if not training:
            codes = torch.as_tensor(unpack_data(batch)[1])
            if codes.ndim > 1 and codes.shape[1] > 1:
                raise ValueError(
                    "TunedOffsetCheckpoint supports one label per sample; got targets of shape "
                    f"{tuple(codes.shape)}. Tune the trained net, with TunedOffsetClassifierCV or OffsetTuner"
                )
            known = kind_of_outputs(net, self.kind)
            logits = batch_logits(net, batch, y_pred, known=known, n_samples=codes.shape[0])
            self._batches_.append((logits, codes.reshape(-1).long()))
            self._inputs_ = unpack_data(batch)[0] if self.fold else None

    @names_page
    def on_epoch_end(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        """Fit and score offsets, write the history, and store the epoch if it is the best."""
        if not self._batches_:
            raise ValueError("TunedOffsetCheckpoint needs validation samples; the validation set of the net is empty")
        logits, codes = (torch.cat(parts) for parts in zip(*self._batches_, strict=True))
        self._batches_ = []
        if kind_of_outputs(net, self.kind) is None:
            refuse_proba(logits)
        number = net.history[-1, "epoch"]
        epoch = self._fitted(number, logits, codes)
        keys = f"valid_{epoch.metric}_untuned", f"valid_{epoch.metric}_tuned"
        if self._begins_ and self._best_ is None and keys[1] in net.history[0]:
            self._best_ = self._recalled()
        self._begins_ = False
        self._latest_ = epoch
        better = epoch.tuner is not None and is_better(epoch, self._best_)
        if better:
            self._best_, self._params_ = epoch, _copied(net.module_)
            self._store(number, logits, codes)
        for key, value in zip(keys, reversed(epoch_values(epoch, constrained=False)), strict=True):
            net.history.record(key, value)
        net.history.record(f"{keys[1]}_best", better)

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Restore the best epoch, and fold its offsets.

        The parameters before these changes, and a fingerprint of the net after them, are stored to undo them.
        """
        chosen = self._best_ if self.restore_best else self._latest_
        if chosen is None or self._best_ is None or chosen.tuner is None:
            why = "had finite logits on the validation samples" if self._latest_ else "was completed"
            warn_user(f"No epoch {why}: there are no offsets", SkimbalanceWarning)
            return
        self.tuner_, self.offsets_ = chosen.tuner, chosen.tuner.offsets_
        self.best_epoch_, self.best_score_ = int(self._best_.number), cast(OffsetTuner, self._best_.tuner).score_
        before = _copied(net.module_)
        if self.restore_best:
            _restore(net.module_, self._params_)
        try:
            if self.fold:
                known = torch.is_tensor(self._inputs_) or isinstance(self._inputs_, Mapping)
                fold_offsets(net.module_, self.offsets_, inplace=True, X=[self._inputs_] if known else None)
        finally:
            self._inputs_ = None
            if self.restore_best or self.fold:
                self._ended_ = before, _fingerprint(net.module_)

    def _fitted(self, number: int, logits: Array, codes: Array) -> Epoch:
        """Fit and score offsets on the validation samples of an epoch; none if some logit is not finite."""
        if len(codes.unique()) < 2:
            raise ValueError(
                "TunedOffsetCheckpoint needs validation samples of two classes or more; train_split made one"
            )
        return fit_epoch(tuner_of(self), number, logits, codes, warned=self._warned_)

    def _recalled(self) -> Epoch | None:
        """Return the best epoch of the training that this one continues."""
        path = None if self.dirname is None else Path(self.dirname) / _FILE
        if path is None or not path.exists():
            warn_user(
                "The history holds earlier epochs whose best was not stored: only new epochs are compared. Pass "
                "dirname to TunedOffsetCheckpoint from the start to store it",
                SkimbalanceWarning,
            )
            return None
        stored = torch.load(path, weights_only=True, map_location="cpu")
        self._params_ = stored["params"]
        return self._fitted(stored["epoch"], stored["logits"], stored["codes"])

    def _store(self, number: int, logits: Array, codes: Array) -> None:
        """Write the best epoch to its file in `dirname`, if there is one."""
        if self.dirname is not None:
            Path(self.dirname).mkdir(parents=True, exist_ok=True)
            parts = {"epoch": number, "params": self._params_, "logits": logits, "codes": codes}
            torch.save(parts, Path(self.dirname) / _FILE)


def _copied(module: Any) -> dict[str, Any]:
    """Return a copy of the parameters and buffers, on the host."""
    return {
        name: value.detach().to("cpu", copy=True) if torch.is_tensor(value) else deepcopy(value)
        for name, value in module.state_dict().items()
    }


def _restore(module: Any, params: dict[str, Any]) -> None:
    """Restore the parameters of the module; a bias that folding has created becomes zero."""
    for name, value in module.state_dict().items():
        if name not in params:
            value.zero_()
    module.load_state_dict(params, strict=False)


def _fingerprint(module: Any) -> bytes:
    """Return a hash of all bits of parameters and buffers."""
    digest = blake2b()
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        if torch.is_tensor(value):
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        else:
            digest.update(pickle.dumps(value))
    return digest.digest()
