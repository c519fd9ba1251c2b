"""The layer that produces the outputs of a module, found by trial, and offsets in its bias."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.parameter import is_lazy

from skimbalance.exceptions import SkimbalanceWarning, warn_user
from skimbalance.nn._logits import net_logits

__all__ = ["add_to_layer"]

_Floats: TypeAlias = npt.NDArray[np.float64]
_Readings: TypeAlias = dict[str, _Floats]

_TOLERANCE = 1e-3
"""How far, relative to a score, a shifted score may be from score plus offset."""

_LEAST, _MOST = 1e-30, 0.9
"""Between these, the logarithm and the log-odds of a float32 probability are accurate."""

_LEADING = {"in_features": (64,), "num_features": (64,), "normalized_shape": (64,), "input_size": (8, 16)}
"""Attributes of layers that name what they take, and the dimensions of an input before these."""


def add_to_layer(
    net: Any, module: Any, *, name: str | None, X: Any, per_output: Callable[[int], _Floats], n_offsets: int
) -> None:
    """Add offsets to the bias of the layer that produces the outputs; raise, with no change made, if none does.

    `net` is what `net_logits` takes with `X`: the module, or the skorch net around it. `per_output` returns what is to
    be added to each of so many outputs.
    """
    if any(is_lazy(parameter) for parameter in module.parameters()):
        raise ValueError(f"model must have its parameters; {type(module).__name__} gets them when it is first called")
    layers = _layers(module) if name is None else {name: module.get_submodule(name)}
    read = _probe(net, module, X)
    before = {} if read is None else read()
    if read is None or not _can_be_compared(before):
        layer = _only_fitting(layers, n_offsets)
        added = per_output(_n_outputs(layer))
        warn_user(
            f"The offsets in {type(module).__name__} are not verified: no random input fits it, or its outputs are "
            "rounded to zero and one. Pass a few samples as X=",
            SkimbalanceWarning,
        )
    else:
        shape = next(iter(before.values())).shape
        n_outputs = 1 if len(shape) == 1 else shape[1]
        added = per_output(n_outputs)
        layer = _found(module, layers, n_outputs, before, read, named=name is not None)
        if all(deviation > 1 for deviation in _deviations(layer, added, before, read)):  # unlike those of the trial
            raise ValueError(
                f"offsets must be such that {layer.weight.dtype} holds scores with them; the decisions of the folded "
                f"model differ from those of its outputs plus offsets, which reach {np.abs(added).max():.3g}"
            )
    _commit(module, layer, added)


def _layers(module: Any) -> dict[str, Any]:
    """Return the linear layers and convolutions by name."""
    layers = {
        name: layer
        for name, layer in module.named_modules()
        if hasattr(layer, "bias")
        and getattr(layer, "weight", None) is not None
        and (hasattr(layer, "out_features") or hasattr(layer, "out_channels"))
    }
    if not layers:
        raise ValueError(f"model must have a Linear layer or a convolution; {type(module).__name__} has none")
    return layers


def _n_outputs(layer: Any) -> int:
    if getattr(layer, "weight", None) is None:
        return int(layer.bias.shape[-1])
    return int(layer.weight.shape[1 if getattr(layer, "transposed", False) else 0])


def _only_fitting(layers: dict[str, Any], n_offsets: int) -> Any:
    """Return the one layer that has as many outputs as there are offsets, or else the last layer."""
    n_outputs = (1, 2) if n_offsets == 2 else (n_offsets,)
    fitting = {name: layer for name, layer in layers.items() if _n_outputs(layer) in n_outputs}
    if len(fitting) > 1:
        raise ValueError(
            f"layer must name the layer that produces the outputs; {len(fitting)} layers have as many outputs as "
            f"there are offsets: {', '.join(fitting)}. Pass one of these names as layer=, or a few samples as X="
        )
    return next(iter(fitting.values()), list(layers.values())[-1])


def _found(
    module: Any,
    layers: dict[str, Any],
    n_outputs: int,
    before: _Readings,
    read: Callable[[], _Readings],
    *,
    named: bool,
) -> Any:
    """Return the last layer whose bias moves the outputs by what is added to it."""
    spread = max(float(scores[np.isfinite(scores)].std()) for scores in before.values() if np.isfinite(scores).any())
    trial = max(1.0, spread) * np.random.default_rng(0).permutation(np.linspace(1, -1, n_outputs))
    for layer in reversed(layers.values()):
        if _n_outputs(layer) == n_outputs and min(_deviations(layer, trial, before, read), default=np.inf) <= 1:
            return layer
    tried = f"layer {next(iter(layers))!r}" if named else f"any of the {len(layers)} layers of {type(module).__name__}"
    raise ValueError(
        f"model must return what its last layer returns, perhaps after softmax, sigmoid or an average; offsets in the "
        f"bias of {tried} do not move its {n_outputs} outputs by the offsets. Name the layer by layer=, pass a few "
        "samples as X=, or add the offsets to the output yourself"
    )


def _deviations(layer: Any, added: _Floats, before: _Readings, read: Callable[[], _Readings]) -> list[float]:
    """Return, for each reading, how far it is from `before` plus `added` with this bias, relative to rounding.

    The layer has another bias for a while; its own is not touched.
    """
    own = layer.bias
    layer.bias = _new_bias(layer, added)
    try:
        after = read()
    finally:
        layer.bias = own
    dtype = getattr(layer, "weight", layer.bias).dtype
    rounding = _TOLERANCE + 16 * torch.finfo(dtype if dtype.is_floating_point else torch.float32).eps
    return [_deviation(before[how], after[how], added) / rounding for how in before.keys() & after.keys()]


def _can_be_compared(readings: _Readings) -> bool:
    """Return whether some sample has the scores of both classes, neither of them lost by rounding."""
    return any((np.isfinite(scores).sum(axis=-1) > (scores.ndim > 1)).any() for scores in readings.values())


def _deviation(before: _Floats, after: _Floats, added: _Floats) -> float:
    """Return how far off scores are, relative to the largest; NaN where nothing can be compared."""
    if before.ndim == 1:  # the log-odds are decided against zero
        before, after, added = (np.stack([np.zeros_like(x), x], axis=-1) for x in (before, after, added[0]))
    usable = np.isfinite(before) & ~np.isnan(after)
    with np.errstate(invalid="ignore"):
        off = after - before - added
    # What all scores of a sample have in common decides nothing.
    spread = np.where(usable, off, -np.inf).max(axis=1) - np.where(usable, off, np.inf).min(axis=1)
    scale = 1 + np.where(usable, np.abs(before), 0).max(axis=1) + np.abs(added).max()
    compared = usable.sum(axis=1) > 1
    return float((spread / scale)[compared].max()) if compared.any() else np.nan


def _new_bias(layer: Any, added: _Floats) -> Any:
    """Return a parameter that holds the bias and what is added."""
    like = layer.weight if layer.bias is None else layer.bias
    values = torch.as_tensor(added, dtype=like.dtype, device=like.device)
    if layer.bias is not None:
        values = layer.bias.detach() + values
    return torch.nn.Parameter(values, requires_grad=like.requires_grad)


def _commit(module: Any, layer: Any, added: _Floats) -> None:
    """Add to the bias; a bias that is missing, or also another layer's, becomes one of its own."""
    new, own = _new_bias(layer, added), layer.bias
    parameters = module.named_parameters(remove_duplicate=False)
    if own is None or sum(parameter.data_ptr() == own.data_ptr() for _, parameter in parameters) > 1:
        layer.bias = new
    else:
        with torch.no_grad():
            own.copy_(new)


def _probe(net: Any, module: Any, X: Any) -> Callable[[], _Readings] | None:
    """Return what reads the outputs for `X`, or for random inputs; None if no random input fits."""
    if X is not None:
        return partial(_readings, getattr(net, "_orig_mod", net), _few(X) if net is module else X)
    plain = getattr(module, "_orig_mod", module)
    for samples in _random_inputs(plain):
        read = partial(_readings, plain, samples)
        try:
            before = read()
        except Exception:  # noqa: S112 - modules raise anything for inputs of a wrong shape
            continue
        if _can_be_compared(before) and all(len(scores) == len(samples) for scores in before.values()):
            return read
    return None


def _few(X: Any) -> Any:
    """Return the first samples, in a form that can be read again: the first batch of a loader."""
    if hasattr(X, "__array__"):
        return X[:1024]
    if isinstance(X, Mapping):
        return [X]
    return X if isinstance(X, list | tuple) else [next(iter(X))]


def _readings(net: Any, X: Any) -> _Readings:
    """Return the outputs as scores in each way that they can be meant; NaN where rounding has taken their digits."""
    raw = _numpy(net_logits(net, X, kind="logits"))
    readings = {}
    with suppress(ValueError):  # they seem to be probabilities: they are read as such below
        readings["logits"] = _numpy(net_logits(net, X))
    proba = raw if not (raw <= 0).all() else np.exp(raw)
    if ((proba >= 0) & (proba <= 1)).all():
        with np.errstate(divide="ignore"):
            readings["log_proba"] = np.log(np.where(proba > _LEAST, proba, np.nan))
            readings["log_odds"] = readings["log_proba"] - np.log1p(-np.where(proba < _MOST, proba, np.nan))
    return readings


def _numpy(logits: Any) -> _Floats:
    return np.asarray(logits.detach().cpu().double())


def _random_inputs(module: Any) -> Iterator[Any]:
    """Yield inputs of up to 16 shapes that layers of the module take, first layers first, of several magnitudes."""
    generator = torch.Generator().manual_seed(0)
    shapes = dict.fromkeys(shape for layer in module.modules() for shape in _input_shapes(layer))
    for shape, n_values in list(shapes)[:16]:
        if n_values:
            yield torch.randint(n_values, shape, generator=generator)
        else:
            magnitudes = torch.logspace(-2, 1, shape[0]).reshape(-1, *[1] * (len(shape) - 1))
            yield torch.randn(shape, generator=generator) * magnitudes


def _input_shapes(layer: Any) -> Iterator[tuple[tuple[int, ...], int]]:
    """Yield shapes of what a layer takes, each with the number of its values if these are whole numbers."""
    if hasattr(layer, "num_embeddings"):
        yield (8, 16), layer.num_embeddings
    if hasattr(layer, "in_channels") and hasattr(layer, "kernel_size"):
        for side in (28, 32, 64, 224):
            image = [side] * len(layer.kernel_size)
            yield (8, layer.in_channels, *image), 0
            if layer.in_channels == 1:  # the module itself may add the channel
                yield (8, *image), 0
    for name, leading in _LEADING.items():
        size: Any = getattr(layer, name, None)
        if isinstance(size, int | tuple):
            yield (*leading, *np.atleast_1d(size).tolist()), 0
