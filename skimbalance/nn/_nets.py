"""Nets: recognised, put into evaluation mode, and called on batches of samples.

Nets of skorch are recognised by their attributes, so that skorch need not be installed. torch is imported when needed.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from itertools import chain
from numbers import Number
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.frozen import FrozenEstimator

from skimbalance._core.validation import count_samples

__all__ = ["ends_in_net", "evaluating", "is_net", "last_step", "net_within", "outputs", "targets_for"]

_ONE_OUTPUT = {"BCELoss", "BCEWithLogitsLoss"}

_BATCH = 1024
"""Batch size for modules without a loader."""

_LOCK = Lock()

_IN_USE: dict[int, tuple[int, bool, Any]] = {}
"""By the identity of a submodule: its number of evaluations, its mode before them, and the submodule."""


def is_net(estimator: Any) -> bool:
    """Return whether this is a net of skorch."""
    return hasattr(estimator, "forward_iter") and hasattr(estimator, "module")


def ends_in_net(estimator: Any) -> bool:
    """Return whether this is a net of skorch, also within a frozen estimator, a search or a pipeline."""
    return is_net(last_step(estimator, fitted=False))


def net_within(estimator: Any, X: Any) -> tuple[Any, Any] | None:
    """Return the fitted net at the end of an estimator, and `X` transformed for it; None for other estimators."""
    if not ends_in_net(estimator):
        return None
    while estimator is not None and not is_net(estimator):
        if hasattr(estimator, "steps"):
            X = estimator[:-1].transform(X) if len(estimator.steps) > 1 else X
        estimator = _inner(estimator, fitted=True)
    return None if estimator is None else (estimator, X)


def last_step(estimator: Any, *, fitted: bool) -> Any:
    """Return the estimator or module inside pipelines, frozen estimators and searches, the best one if `fitted`."""
    while (inner := _inner(estimator, fitted=fitted)) is not None:
        estimator = inner
    return estimator


def _inner(estimator: Any, *, fitted: bool) -> Any:
    """Return the estimator inside a pipeline, search or frozen estimator; None for other estimators."""
    if hasattr(estimator, "steps"):
        return estimator.steps[-1][1]
    if fitted and hasattr(estimator, "best_estimator_"):
        return estimator.best_estimator_
    searches = hasattr(estimator, "param_grid") or hasattr(estimator, "param_distributions")
    return estimator.estimator if isinstance(estimator, FrozenEstimator) or (searches and not fitted) else None


def targets_for(estimator: Any, codes: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Return the targets of a net: column numbers, as floats if it has a single output."""
    net = last_step(estimator, fitted=False)
    of_net = {kind.__name__ for kind in type(net).__mro__}
    of_criterion = {kind.__name__ for kind in getattr(net.criterion, "__mro__", ())}
    one_output = "NeuralNetBinaryClassifier" in of_net or bool(of_criterion & _ONE_OUTPUT)
    return codes.astype(np.float32 if one_output else np.int64)


@contextmanager
def evaluating(net: Any) -> Iterator[None]:
    """Put a module, or the modules and criteria of a skorch net, into evaluation mode.

    The mode is shared by threads: each submodule returns to its own mode when its last evaluation ends.
    """
    roots = [net]
    if is_net(net):
        named = [getattr(net, f"{name}_", None) for name in [*net._modules, *net._criteria]]
        roots = [module for module in named if hasattr(module, "modules")]
    parts = list({id(part): part for root in roots for part in root.modules()}.values())
    with _LOCK:
        for part in parts:
            uses, training, _ = _IN_USE.get(id(part), (0, part.training, part))
            _IN_USE[id(part)] = (uses + 1, training, part)
        for root in roots:
            if any(part.training for part in root.modules()):
                root.eval()
    try:
        yield
    finally:
        with _LOCK:
            _release(parts)


def _release(parts: Iterable[Any]) -> None:
    """End an evaluation of submodules, and restore the modes of those without another one, outer ones first."""
    import torch

    unused = []
    for part in parts:
        uses, training, _ = _IN_USE.pop(id(part))
        if uses > 1:
            _IN_USE[id(part)] = (uses - 1, training, part)
        else:
            unused.append((part, training))
    for part, training in unused:
        if part.training != training and type(part).train is not torch.nn.Module.train:
            part.train(training)  # some `train` methods do more, such as splitting merged weights
            for inner in part.modules():
                if id(inner) in _IN_USE:
                    inner.eval()
    for part, training in unused:
        part.training = training


def outputs(net: Any, X: Any) -> Iterator[tuple[Any, int | None]]:
    """Yield the outcome of a module or skorch net for each batch, and its number of samples, None if unknown."""
    import torch

    if is_net(net) and not isinstance(X, torch.utils.data.DataLoader):
        # No device, so that skorch does not copy outputs of an unsupported type.
        for outcome in net.forward_iter(_for_skorch(net, X), training=False, device=None):
            yield outcome, None
        return
    for batch in _batches(X):
        # The last part of a batch are its labels, if it has any; inputs may have the rows along another dimension.
        yield _called(net, batch), count_samples(batch[-1] if isinstance(batch, tuple | list) else batch)


def _for_skorch(net: Any, X: Any) -> Any:
    """Return `X` in the precision of a net; rows in a list, or in columns that are no arguments of it, as a tensor."""
    if not hasattr(net, "module_"):
        return X
    if isinstance(X, Mapping):
        return {name: _for_skorch(net, values) for name, values in X.items()}
    unnamed = hasattr(X, "columns") and not _takes(net.module_, X.columns)
    if unnamed or _is_list_of_rows(X) or (isinstance(X, np.ndarray) and X.dtype.kind == "f"):
        X = _rows(X)
    like = _first_parameter(net.module_)
    return X.to(like.dtype) if like is not None and hasattr(X, "is_floating_point") and X.is_floating_point() else X


def _takes(module: Any, names: Iterable[Any]) -> bool:
    """Return whether the module takes arguments of these names, as skorch passes columns of a data frame."""
    try:
        signature(module.forward).bind(**{str(name): None for name in names})
    except TypeError:
        return False
    return True


def _first_parameter(module: Any) -> Any:
    """Return a floating parameter or buffer of the module, None if it has none."""
    return next((p for p in chain(module.parameters(), module.buffers()) if p.is_floating_point()), None)


def _batches(X: Any) -> Iterable[Any]:
    """Return the batches of a loader or data set, or of rows in an array, tensor, data frame, list or mapping."""
    import torch

    if isinstance(X, torch.utils.data.Dataset):
        own = torch.Generator()  # without one a loader draws from the global generator
        X = torch.utils.data.DataLoader(X, batch_size=_BATCH, generator=own)
    if isinstance(X, Mapping):
        samples = {name: _rows(values) for name, values in X.items()}
        n_samples = {name: len(values) for name, values in samples.items()}
        if len(set(n_samples.values())) > 1:
            raise ValueError(f"X must hold equally many samples under each name; got {n_samples}")
        return (
            {name: values[start : start + _BATCH] for name, values in samples.items()}
            for start in range(0, max(n_samples.values(), default=0), _BATCH)
        )
    if hasattr(X, "__array__") or _is_list_of_rows(X):
        samples = _rows(X)
        return (samples[start : start + _BATCH] for start in range(0, len(samples), _BATCH))
    if hasattr(X, "toarray") or isinstance(X, str) or not hasattr(X, "__iter__"):
        raise TypeError(
            "X must be a tensor, an array, a data frame, a list of samples, a mapping of these or a DataLoader; got "
            f"{type(X).__name__}"
        )
    return X  # type: ignore[no-any-return]


def _is_list_of_rows(X: Any) -> bool:
    """Return whether a list holds rows, as lists of numbers or as vectors, rather than batches."""
    if not isinstance(X, list | tuple) or not X:
        return False
    first = X[0]
    if hasattr(first, "ndim"):
        return bool(first.ndim <= 1)
    while isinstance(first, list | tuple) and first:
        first = first[0]
    return isinstance(first, Number)


def _rows(X: Any) -> Any:
    """Return rows as a tensor, or as an array of numbers."""
    import torch

    try:
        if isinstance(X, list | tuple) and X and torch.is_tensor(X[0]):
            return torch.stack(tuple(X))
        if torch.is_tensor(X):
            return X
        values = np.asarray(X)
        values = values.astype(float if values.dtype.kind == "O" else values.dtype.newbyteorder("="), copy=False)
        return torch.as_tensor(np.require(values, requirements=["C", "W"]))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"X must hold samples of numbers, equally many in each; got {type(X).__name__}: {error}"
        ) from error


def _called(net: Any, batch: Any) -> Any:
    """Call the module on its own device and in its own precision, that of skorch as it does."""
    like = _first_parameter(net.module_ if is_net(net) else net)

    def brought(x: Any) -> Any:
        x = _rows(x)
        if like is None:
            return x
        return x.to(device=like.device, dtype=like.dtype if x.is_floating_point() else x.dtype)

    batch = batch[0] if isinstance(batch, tuple | list) else batch
    x = {name: brought(x) for name, x in batch.items()} if isinstance(batch, Mapping) else brought(batch)
    try:
        if is_net(net):
            return net.infer(x)
        return net(**x) if isinstance(x, dict) else net(x)
    except RuntimeError as error:
        if not isinstance(x, dict) and not x.is_floating_point():
            error.add_note(f"X holds {x.dtype}. If the first layer takes floats, pass X as floats.")
        raise
