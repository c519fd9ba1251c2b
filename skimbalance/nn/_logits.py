"""The logits of a net, also if it ends in softmax or sigmoid."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from itertools import chain
from numbers import Number
from typing import Any, Literal, TypeAlias

import numpy as np

from skimbalance._core.typing import Array, Kind
from skimbalance._core.validation import count_samples, names_page
from skimbalance.nn._modes import evaluating
from skimbalance.nn._nets import is_net

__all__ = ["Ending", "batch_logits", "kind_of_outputs", "net_logits", "refuse_proba", "require_rows"]

Ending: TypeAlias = Literal["auto"] | Kind

_BATCH = 1024
"""Batch size for modules without a loader."""

_SUM_TOLERANCE = 1e-3
"""Rows look like probabilities if their sums differ from one by less than this."""

_CRITERIA = {"CrossEntropyLoss": "logits", "BCEWithLogitsLoss": "logits", "BCELoss": "proba of each"}


@names_page
def net_logits(net: Any, X: Any, *, kind: Ending = "auto") -> Array:
    r"""Return the logits of a net: its scores before softmax or sigmoid.

    If the last operation of the net is a softmax, log-softmax or sigmoid, its input is returned.

    Parameters
    ----------
    net : skorch.NeuralNetClassifier, skorch.NeuralNetBinaryClassifier or torch.nn.Module
        An initialised net.
    X : input of the net
        Samples, or batches of samples.

        - tensor, array, data frame or list of rows: samples.
        - mapping of these: samples, by the names of arguments of the module.
        - DataLoader, list of matrices or other iterable: batches. A batch is a tensor, a mapping, or a tuple whose
          first entry is the input.
        - input of `predict_proba`: samples, for a skorch net.
    kind : {"auto", "logits", "proba", "log_proba"}, default="auto"
        Kind of the outputs of the net.

        - ``"auto"``: determined by the criterion of a skorch net; see Notes.
        - ``"logits"``: logits.
        - ``"proba"``: probabilities.
        - ``"log_proba"``: logarithms of probabilities.

    Returns
    -------
    torch.Tensor of shape (n, K), or (n,) for a net of one output
        Logits, on the device of the net, in float32 or float64. (n,) are the log-odds of the second class. A
        multilabel net, trained with ``BCEWithLogitsLoss`` or ``BCELoss``, returns the log-odds (n, K) of each label.

    Raises
    ------
    ImportError
        If torch is not installed.
    ValueError
        If `X` has no rows or no numbers, an output is no tensor (n, K), (n, 1) or (n,), a mapping of outputs has no
        `logits`, or outputs look like probabilities where nothing declares it.
    TypeError
        If `X` is none of the above.

    Notes
    -----
    The logarithm of a float32 softmax or sigmoid loses large logits: a sigmoid of 17 is rounded to one. The input of
    the last operation is exact. It is not visible in some nets, such as compiled modules. Then the logarithm, or the
    log-odds, of the output is returned.

    With ``kind="auto"``, ``CrossEntropyLoss`` and ``BCEWithLogitsLoss`` mean logits and ``BCELoss`` means
    probabilities. ``NLLLoss`` means log-probabilities if no output is positive, otherwise probabilities. Other outputs
    are treated as logits.

    Of several outputs the one named `logits`, a key of a mapping or an attribute, is used, otherwise the first.

    Floats are converted to the precision of the net. A skorch net makes batches by its own iterator.

    The net is in evaluation mode during the call. Afterwards each of its modules returns to its mode, as soon as no
    call in another thread uses it. Do not train the net in another thread meanwhile.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.nn import net_logits
    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False), torch.nn.Sigmoid())
    >>> _ = torch.nn.init.constant_(module[0].weight, 40.0)
    >>> net_logits(module, torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
    tensor([40., 80.])
    """
    torch = _torch()
    if not (is_net(net) or hasattr(net, "named_modules")):
        raise TypeError(f"net must be a torch module or a net of skorch; got {type(net).__name__}")
    known = kind_of_outputs(net, kind)
    with evaluating(net), _watching() as endings:
        batches = [_read(outcome, known, endings, n_samples) for outcome, n_samples in _outputs(net, X)]
    if not batches:
        raise ValueError("X must hold at least one sample; the net returned nothing")
    logits = torch.cat(batches)
    require_rows(logits, count_samples(X) if is_net(net) else None, of="X")
    if known is None:
        refuse_proba(logits)
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def batch_logits(net: Any, batch: Any, output: Any, *, known: str | None) -> Array:
    """Return the logits of a batch from the `output` of a skorch net, or from another call of the net."""
    if known == "logits":
        logits = _of_scores(output)
    else:
        with _watching() as endings:
            logits = _read(net.evaluation_step(batch, training=False), known, endings)
    return logits.detach().to(_torch().promote_types(logits.dtype, _torch().float32))


@contextmanager
def _watching() -> Iterator[Any]:
    """Store the last operation of nets, without gradients."""
    from skimbalance.nn._endings import Endings

    with Endings() as endings, _torch().no_grad():
        yield endings


def _read(outcome: Any, known: str | None, endings: Any, n_samples: int | None = None) -> Any:
    """Return the logits of a batch, from its outcome or from the input of the last operation."""
    output = _of_scores(outcome)
    require_rows(output, n_samples, of="a batch")
    before = None if known == "logits" else endings.before(output)
    return _to_logits(output, known) if before is None else before


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise ImportError("net_logits needs torch: pip install 'skimbalance[skorch]'") from error
    return torch


def kind_of_outputs(net: Any, kind: Ending) -> str | None:
    """Return `kind`, or the kind that the criterion of a skorch net implies; None if unknown."""
    if kind != "auto":
        return kind
    criterion = getattr(net, "criterion_", None)
    criterion = getattr(criterion, "_orig_mod", criterion)
    names = [parent.__name__ for parent in type(criterion).__mro__]
    if "NLLLoss" in names:
        return "likelihood"
    return next((_CRITERIA[name] for name in names if name in _CRITERIA), None)


def require_rows(output: Any, n_samples: int | None, *, of: str) -> None:
    """Raise unless the net has returned a row for each of `n_samples`; None if their number is unknown."""
    if n_samples not in (None, output.shape[0]):
        raise ValueError(f"net must return a row for each sample of {of}, {n_samples}; got shape {tuple(output.shape)}")


def _outputs(net: Any, X: Any) -> Iterator[tuple[Any, int | None]]:
    """Yield the outcome of each batch, and its number of samples, None if unknown."""
    if is_net(net) and not isinstance(X, _torch().utils.data.DataLoader):
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
    torch, like = _torch(), _first_parameter(net.module_)
    if isinstance(X, Mapping):
        return {name: _for_skorch(net, values) for name, values in X.items()}
    if (hasattr(X, "columns") and not _takes(net.module_, X.columns)) or _is_list_of_rows(X):
        X = _rows(X)
    if isinstance(X, np.ndarray) and X.dtype.kind == "f":
        X = _rows(X)
    return X.to(like.dtype) if like is not None and torch.is_tensor(X) and X.is_floating_point() else X


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
    torch = _torch()
    if isinstance(X, torch.utils.data.Dataset):
        own = torch.Generator()  # without one a loader draws from the global generator
        return torch.utils.data.DataLoader(X, batch_size=_BATCH, generator=own)  # type: ignore[no-any-return]
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
    torch = _torch()
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
    module = net.module_ if is_net(net) else net
    like = _first_parameter(module)

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
        return module(**x) if isinstance(x, dict) else module(x)
    except RuntimeError as error:
        if not isinstance(x, dict) and not x.is_floating_point():
            error.add_note(f"X holds {x.dtype}. If the first layer takes floats, pass X as floats.")
        raise


def _of_scores(outcome: Any) -> Any:
    """Return the output (n, K), or (n,): the one named `logits`, else the first of several."""
    output = outcome
    if isinstance(outcome, Mapping):
        if "logits" not in outcome:
            raise ValueError(
                f"net must return scores, or name them 'logits' in a mapping; got the keys {list(outcome)}"
            )
        output = outcome["logits"]
    elif hasattr(outcome, "logits"):
        output = outcome.logits
    elif isinstance(outcome, tuple | list) and outcome:
        return _of_scores(outcome[0])
    if not _torch().is_tensor(output):
        raise ValueError(f"net must return a tensor (n, K), (n, 1) or (n,); got {type(output).__name__}")
    if output.ndim == 2 and output.shape[1] == 1:
        output = output[:, 0]
    if output.ndim not in (1, 2):
        raise ValueError(f"net must return (n, K), (n, 1) or (n,); got shape {tuple(output.shape)}")
    return output


def _to_logits(output: Any, known: str | None) -> Any:
    """Turn outputs of a known kind into logits."""
    torch = _torch()
    if known == "likelihood":
        known = "log_proba" if bool((output <= 0).all()) else "proba"
    each = output.ndim == 1 or known == "proba of each"  # whether an output is the log-odds of something by itself
    if (known == "log_proba" and not each) or known not in ("proba", "proba of each", "log_proba"):
        return output
    eps, tiny = torch.finfo(output.dtype).eps, torch.finfo(output.dtype).tiny
    proba = output.double().exp() if known == "log_proba" else output.double()
    # Probabilities that were rounded to zero or one become the nearest probability with finite log-odds.
    logits = torch.logit(proba.clamp(tiny, 1 - eps / 4)) if each else torch.log(proba.clamp_min(tiny))
    return logits.to(torch.promote_types(output.dtype, torch.float32))


def refuse_proba(logits: Array) -> None:
    """Raise if outputs of unknown kind look like probabilities."""
    if logits.ndim == 1 or bool((logits < 0).any()):
        return
    if bool(((logits.sum(dim=1) - 1).abs() < _SUM_TOLERANCE).all()):
        raise ValueError(
            "kind='auto' cannot determine what the net returns: samples are not negative and sum to one, so that they "
            "seem to be probabilities, but neither a criterion nor a softmax declares it. Pass kind='proba', or "
            "kind='logits'; within TunedOffsetClassifierCV, response_method='predict_proba'"
        )
