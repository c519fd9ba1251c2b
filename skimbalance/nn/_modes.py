"""Evaluation mode, shared by threads: each submodule returns to its mode when its last evaluation ends."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from skimbalance.nn._nets import is_net

__all__ = ["evaluating"]

_LOCK = Lock()

_IN_USE: dict[int, tuple[int, bool, Any]] = {}
"""By the identity of a submodule: its number of evaluations, its mode before them, and the submodule."""


@contextmanager
def evaluating(net: Any) -> Iterator[None]:
    """Put a module, or the modules of a skorch net, into evaluation mode, until the last such use of it ends."""
    roots = _modules_of(net) if is_net(net) else [net]
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
            _restore([part for part in parts if _released(part)])


def _modules_of(net: Any) -> list[Any]:
    """Return the modules and criteria that skorch puts into evaluation mode."""
    named = [getattr(net, f"{name}_", None) for name in [*net._modules, *net._criteria]]
    return [module for module in named if hasattr(module, "modules")]


def _released(part: Any) -> bool:
    """Decrease the number of evaluations, and return whether this was the last."""
    uses, training, _ = _IN_USE[id(part)]
    _IN_USE[id(part)] = (uses - 1, training, part)
    return uses == 1


def _restore(parts: Iterable[Any]) -> None:
    """Restore the modes of submodules without evaluations, outer ones first."""
    import torch

    modes = [(part, _IN_USE.pop(id(part))[1]) for part in parts]
    for part, training in modes:
        if part.training != training and type(part).train is not torch.nn.Module.train:
            part.train(training)  # some `train` methods do more, such as splitting merged weights
            for inner in part.modules():
                if id(inner) in _IN_USE:
                    inner.eval()
    for part, training in modes:
        part.training = training
