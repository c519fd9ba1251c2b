"""The logits of a net, also if it ends in softmax or sigmoid."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from skimbalance._core.typing import Array, Kind
from skimbalance._core.validation import count_samples, names_page
from skimbalance.nn._nets import evaluating, is_net, outputs

__all__ = ["Ending", "batch_logits", "kind_of_outputs", "net_logits", "refuse_proba"]

Ending: TypeAlias = Literal["auto"] | Kind

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
        If `X` has no samples or no numbers, or an output is no tensor (n, K), (n, 1) or (n,). Also if a mapping of
        outputs has no `logits`, or outputs look like probabilities and neither a criterion nor a layer declares it.
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
    try:
        import torch
    except ImportError as error:
        raise ImportError("net_logits needs torch: pip install 'skimbalance[skorch]'") from error
    from skimbalance.nn._endings import Endings

    if not (is_net(net) or hasattr(net, "named_modules")):
        raise TypeError(f"net must be a torch module or a net of skorch; got {type(net).__name__}")
    known = kind_of_outputs(net, kind)
    with evaluating(net), Endings() as endings, torch.no_grad():
        batches = [_read(outcome, known, endings, n_samples) for outcome, n_samples in outputs(net, X)]
    if not batches:
        raise ValueError("X must hold at least one sample; the net returned nothing")
    logits = torch.cat(batches)
    _require_rows(logits, count_samples(X) if is_net(net) else None, of="X")
    if known is None:
        refuse_proba(logits)
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def batch_logits(net: Any, batch: Any, output: Any, *, known: str | None, n_samples: int) -> Array:
    """Return the logits of a batch from the `output` of a skorch net, or from another call of the net."""
    import torch

    from skimbalance.nn._endings import Endings

    if known == "logits":
        logits = _of_scores(output)
    else:
        with Endings() as endings, torch.no_grad():
            logits = _read(net.evaluation_step(batch, training=False), known, endings)
    _require_rows(logits, n_samples, of="a batch")
    return logits.detach().to(torch.promote_types(logits.dtype, torch.float32))


def _read(outcome: Any, known: str | None, endings: Any, n_samples: int | None = None) -> Any:
    """Return the logits of a batch, from its outcome or from the input of the last operation."""
    output = _of_scores(outcome)
    _require_rows(output, n_samples, of="a batch")
    before = None if known == "logits" else endings.before(output)
    return _to_logits(output, known) if before is None else before


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


def _require_rows(output: Any, n_samples: int | None, *, of: str) -> None:
    """Raise unless the net has returned a row for each of `n_samples`; None if their number is unknown."""
    if n_samples not in (None, output.shape[0]):
        raise ValueError(f"net must return a row for each sample of {of}, {n_samples}; got shape {tuple(output.shape)}")


def _of_scores(outcome: Any) -> Any:
    """Return the output (n, K), or (n,): the one named `logits`, else the first of several."""
    import torch

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
    if not torch.is_tensor(output):
        raise ValueError(f"net must return a tensor (n, K), (n, 1) or (n,); got {type(output).__name__}")
    if output.ndim == 2 and output.shape[1] == 1:
        output = output[:, 0]
    if output.ndim not in (1, 2):
        raise ValueError(f"net must return (n, K), (n, 1) or (n,); got shape {tuple(output.shape)}")
    return output


def _to_logits(output: Any, known: str | None) -> Any:
    """Turn outputs of a known kind into logits."""
    import torch

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
    """Raise if outputs of unknown kind look like probabilities: no negative ones, and sums of one within 0.001."""
    if logits.ndim == 1 or bool((logits < 0).any()):
        return
    if bool(((logits.sum(dim=1) - 1).abs() < 1e-3).all()):
        raise ValueError(
            "kind='auto' cannot determine what the net returns: outputs look like probabilities, since they are not "
            "negative and sum to one. But neither a criterion nor a softmax declares it. Pass kind='proba', or "
            "kind='logits'; within TunedOffsetClassifierCV, response_method='predict_proba'"
        )
