"""Training a net of skorch for the metric after adjustment: the best epoch, its parameters and its offsets."""

import math
import pickle
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self, cast

import numpy as np

from skimbalance._core.sklearn import forget_fit
from skimbalance._core.typing import Array, Label
from skimbalance.estimation import FitSpec
from skimbalance.exceptions import (
    SkimbalanceWarning,
    UnreachableGoalWarning,
    caught_warnings,
    names_page,
    warn_user,
)
from skimbalance.goals import Constraint, ImbalanceState
from skimbalance.nn import Ending, batch_logits, fold_offsets, kind_of_outputs, refuse_proba, require_rows
from skimbalance.solvers import Search
from skimbalance.tuner import OffsetTuner
from skimbalance.tuner.objective import Objective, check_objective, resolve_metric

try:
    import torch
    from skorch.callbacks import Callback
    from skorch.dataset import unpack_data
except ImportError as error:
    raise ImportError("skimbalance.callbacks needs skorch and torch: pip install 'skimbalance[skorch]'") from error

__all__ = ["TunedOffsetCheckpoint"]

_FILE = "tuned_offset_checkpoint.pt"


@dataclass(frozen=True)
class _Epoch:
    """What the net of an epoch says of the validation rows, and offsets for it; its parameters if it was the best."""

    number: int
    logits: Array
    codes: Array
    metric: str
    tuner: OffsetTuner | None = None
    rank: tuple[bool, float] = (False, -math.inf)
    params: dict[str, Any] | None = None


@dataclass(frozen=True)
class _Ended:
    """A net that was changed after its last epoch: what it was, and what tells it from one that others changed."""

    params: dict[str, Any]
    left: bytes

    def undo(self, module: Any) -> bool:
        """Make the module what it was, unless somebody has changed it since; tell whether it was so."""
        if _fingerprint(module) != self.left:
            return False
        _restore(module, self.params)
        return True


class TunedOffsetCheckpoint(Callback):
    """Keep the epoch that is best by a metric after offsets are fitted, and these offsets.

    After each epoch offsets are fitted on the logits of the validation rows, and scored by cross-fitting: no row is
    judged by offsets that it helped to fit. This goes to the history as ``valid_<objective>_tuned``, next to
    ``valid_<objective>_untuned``, the metric of the plain argmax, and ``valid_<objective>_tuned_best``, whether no
    epoch was better so far. So ``EarlyStopping(monitor="valid_f1_macro_tuned", lower_is_better=False)`` and
    ``Checkpoint(monitor="valid_f1_macro_tuned_best")`` work, listed after this callback; ``load_best`` of the former is
    this one's business. ``TrainEndCheckpoint`` saves the state of the last epoch if it is listed before.

    Parameters
    ----------
    objective : str, metric, scorer or function, default="balanced_accuracy"
        What to optimise; see :class:`skimbalance.OffsetTuner`.
    constraints : sequence of AtLeast, AtMost or Near, default=()
        What must hold besides. Epochs that cannot meet it come after all that can.
    pos_label : int, default=None
        The number of the positive class of two-class metrics; None takes 1.
    estimate : {"plugin", "robust", "empirical"}, default="plugin"
        How offsets are fitted; the default of the tuner, ``"robust"``, is no better by much here and takes several
        times as long.
    solver : str or Search, default="auto"
        See :class:`skimbalance.OffsetTuner`.
    restore_best : bool, default=True
        Whether the net gets the parameters of the best epoch back when training ends. If it does not, the offsets
        are those of the last epoch that came to its end. Training that goes on by `partial_fit` starts where it ended
        all the same.
    fold : bool, default=False
        Whether to add the offsets to the bias of the last layer when training ends, so that the `predict` of the net
        makes the tuned decisions; see :func:`skimbalance.nn.fold_offsets`. It is undone when training goes on.
    kind : {"auto", "logits", "proba", "log_proba"}, default="auto"
        What the net returns; see :func:`skimbalance.nn.net_logits`.
    dirname : str or path, default=None
        Folder for a file with the best epoch, so that another net that loads its history, by ``LoadInitState``, goes on
        from there. None keeps it in memory alone.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds; None is the seed 0.

    Attributes
    ----------
    tuner_ : OffsetTuner
        The tuner of the epoch whose parameters the net has after training; it takes logits.
    offsets_ : array of shape (K,)
        Its offsets.
    best_epoch_ : int
        The number of the best epoch, as in the history.
    best_score_ : float
        Its cross-fitted score.

    Raises
    ------
    ValueError
        As training begins, if the net has no validation rows (``train_split=None``), the objective is an imbalance
        state, which every epoch can reach, or several of these callbacks want to restore or to fold. After the first
        epoch, if validation rows hold one class alone.

    See Also
    --------
    skimbalance.TunedOffsetClassifierCV : Offsets by cross-validation, around a net or any other classifier.

    Notes
    -----
    Labels are numbers 0 to K - 1, as skorch needs them. Validation rows should be as imbalanced as those that
    decisions will be made on. A hand-written loop does the same in a few lines::

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
        """Forget what an earlier training has left.

        Returns
        -------
        TunedOffsetCheckpoint
            The callback itself.
        """
        self._best_: _Epoch | None = None
        self._latest_: _Epoch | None = None
        self._batches_: list[tuple[Array, Array]] = []
        self._inputs_: Any = None  # of a validation batch: folding is verified on them
        self._ended_: _Ended | None = None
        self._told_: set[type[Warning]] = set()
        self._begins_ = True
        forget_fit(self)
        return self

    @names_page
    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Check that there will be validation rows, and go on where training ended."""
        if net.train_split is None:
            raise ValueError(
                "TunedOffsetCheckpoint needs validation rows, and train_split of the net is None: pass ValidSplit(5, "
                "stratified=True), or predefined_split with a data set"
            )
        if isinstance(self.objective, ImbalanceState):
            raise ValueError(  # noqa: TRY004 - it has the right type for objectives elsewhere
                "objective of TunedOffsetCheckpoint must be a metric: every epoch can reach an ImbalanceState, which "
                "says nothing of the best one"
            )
        changing = [c for _, c in net.callbacks_ if isinstance(c, TunedOffsetCheckpoint) and (c.restore_best or c.fold)]
        if len(changing) > 1 and self in changing:
            raise ValueError(
                f"{len(changing)} callbacks want to change the net as training ends, and one can: pass "
                "restore_best=False and fold=False to the other TunedOffsetCheckpoints"
            )
        check_objective(FitSpec(objective=self.objective, constraints=self.constraints))
        self._batches_, self._begins_ = [], self._ended_ is None
        if self._ended_ is not None and not self._ended_.undo(net.module_):
            self._best_ = None
            warn_user("The net was changed since its last training: its best epoch is forgotten", SkimbalanceWarning)
        self._ended_ = None

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, y_pred: Any = None, **kwargs: Any
    ) -> None:
        """Keep the logits and the labels of a validation batch."""
        if not training:
            codes = torch.as_tensor(unpack_data(batch)[1])
            if codes.ndim > 1 and codes.shape[1] > 1:
                raise ValueError(
                    "TunedOffsetCheckpoint is for one label a row; got targets of several, of shape "
                    f"{tuple(codes.shape)}. Tune the trained net, with TunedOffsetClassifierCV or OffsetTuner"
                )
            logits = batch_logits(net, batch, y_pred, known=kind_of_outputs(net, self.kind))
            require_rows(logits, codes.shape[0], of="a batch")
            self._batches_.append((logits, codes.reshape(-1).long()))
            self._inputs_ = unpack_data(batch)[0] if self.fold else None

    @names_page
    def on_epoch_end(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        """Fit and score offsets, write the history, and keep the epoch if it is the best."""
        if not self._batches_:
            raise ValueError("TunedOffsetCheckpoint needs validation rows; the validation set of the net is empty")
        logits, codes = (torch.cat(parts) for parts in zip(*self._batches_, strict=True))
        self._batches_ = []
        if kind_of_outputs(net, self.kind) is None:
            refuse_proba(logits)
        epoch = self._fitted(net.history[-1, "epoch"], logits, codes)
        keys = f"valid_{epoch.metric}_untuned", f"valid_{epoch.metric}_tuned"
        if self._begins_ and self._best_ is None and keys[1] in net.history[0]:
            self._best_ = self._recalled()
        self._begins_ = False
        better = epoch.tuner is not None and (self._best_ is None or epoch.rank > self._best_.rank)
        if better:
            self._best_ = replace(epoch, params=_copied(net.module_))
            self._store(self._best_)
        self._latest_ = self._best_ if better else epoch
        values = (math.nan, math.nan) if epoch.tuner is None else (epoch.tuner.untuned_score_, epoch.tuner.score_)
        for key, value in zip(keys, values, strict=True):
            net.history.record(key, float(value))
        net.history.record(f"{keys[1]}_best", better)

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Give the net the parameters of the best epoch, and the offsets if they are to be folded in."""
        chosen = self._best_ if self.restore_best else self._latest_
        if chosen is None or self._best_ is None or chosen.tuner is None:
            why = "had finite logits on the validation rows" if self._latest_ else "came to its end"
            warn_user(f"No epoch {why}: there are no offsets", SkimbalanceWarning)
            return
        self.tuner_, self.offsets_ = chosen.tuner, chosen.tuner.offsets_
        self.best_epoch_, self.best_score_ = self._best_.number, cast(OffsetTuner, self._best_.tuner).score_
        before = _copied(net.module_)
        if self.restore_best:
            _restore(net.module_, cast("dict[str, Any]", self._best_.params))
        try:
            if self.fold:
                known = torch.is_tensor(self._inputs_) or isinstance(self._inputs_, Mapping)
                fold_offsets(net.module_, self.offsets_, inplace=True, X=[self._inputs_] if known else None)
        finally:
            self._inputs_ = None
            if self.restore_best or self.fold:
                self._ended_ = _Ended(before, _fingerprint(net.module_))

    def _fitted(self, number: int, logits: Array, codes: Array) -> _Epoch:
        """Fit offsets on the validation rows of an epoch, and score them; without any if the logits are not finite."""
        labels = np.arange(2 if logits.ndim == 1 else logits.shape[1])
        metric = resolve_metric(self.objective, labels, self.pos_label)
        epoch = _Epoch(number, logits, codes, metric.name)
        if len(codes.unique()) < 2:
            raise ValueError("TunedOffsetCheckpoint needs validation rows of two classes or more; train_split made one")
        if not bool(logits.isfinite().all()):
            return epoch
        tuner = OffsetTuner(
            self.objective,
            constraints=self.constraints,
            kind="logits",
            pos_label=self.pos_label,
            estimate=self.estimate,
            solver=self.solver,
            random_state=self.random_state,
        )
        with caught_warnings() as caught:
            tuner.fit(logits, codes, classes=labels)
        self._tell(caught)
        reached = not any(issubclass(category, UnreachableGoalWarning) for _, category in caught)
        return replace(epoch, tuner=tuner, rank=(reached, float(metric.merit(np.asarray(tuner.score_)))))

    def _tell(self, caught: list[tuple[str, type[Warning]]]) -> None:
        """Pass on warnings, each sort of them once and not after every epoch."""
        for message, category in caught:
            if category not in self._told_:
                self._told_.add(category)
                warn_user(message, category)

    def _recalled(self) -> _Epoch | None:
        """Return the best epoch of the training that this one goes on with."""
        path = None if self.dirname is None else Path(self.dirname) / _FILE
        if path is None or not path.exists():
            warn_user(
                "The history holds earlier epochs whose best is not at hand: the best of the new ones is kept. Give "
                "TunedOffsetCheckpoint a dirname from the start, and it will be",
                SkimbalanceWarning,
            )
            return None
        stored = torch.load(path, weights_only=True, map_location="cpu")
        return replace(self._fitted(stored["epoch"], stored["logits"], stored["codes"]), params=stored["params"])

    def _store(self, epoch: _Epoch) -> None:
        if self.dirname is None:
            return
        folder = Path(self.dirname)
        folder.mkdir(parents=True, exist_ok=True)
        names = {"epoch": epoch.number, "params": epoch.params, "logits": epoch.logits, "codes": epoch.codes}
        torch.save(names, folder / _FILE)


def _copied(module: Any) -> dict[str, Any]:
    """Return a copy of the parameters and buffers, on the host."""
    return {
        name: value.detach().to("cpu", copy=True) if torch.is_tensor(value) else deepcopy(value)
        for name, value in module.state_dict().items()
    }


def _restore(module: Any, params: dict[str, Any]) -> None:
    """Give the module its parameters back; a bias that was made for offsets stays, and is zero."""
    for name, value in module.state_dict().items():
        if name not in params:
            value.zero_()
    module.load_state_dict(params, strict=False)


def _fingerprint(module: Any) -> bytes:
    """Return what tells whether parameters and buffers are, bit for bit, the same."""
    digest = blake2b()
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        if torch.is_tensor(value):
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        else:
            digest.update(pickle.dumps(value))
    return digest.digest()
