"""Which methods of each class the reference lists."""

import inspect
from importlib import import_module

from skimbalance.callbacks import TunedOffsets

__all__ = ["methods_by_class"]

MODULES = ("skimbalance", "skimbalance.plotting")
"""Users call the methods of these classes; solvers call those of metrics and goals, skorch those of callbacks."""


def methods_by_class() -> dict[str, list[str]]:
    """Return for each estimator, each display and `TunedOffsets` the public methods of skimbalance, `fit` first."""
    modules = {name: import_module(name) for name in MODULES}
    classes = {f"{name}.{each}": getattr(module, each) for name, module in modules.items() for each in module.__all__}
    classes["skimbalance.callbacks.TunedOffsets"] = TunedOffsets
    return {name: _methods_of(kind) for name, kind in classes.items() if inspect.isclass(kind)}


def _methods_of(kind: type) -> list[str]:
    names = [name for base in kind.__mro__ for name in vars(base) if not name.startswith("_")]
    found = {name: getattr(kind, name) for name in names}
    ours = [
        name
        for name, member in found.items()
        if inspect.isroutine(member) and (member.__module__ or "").startswith("skimbalance.")
    ]
    return sorted(ours, key=lambda name: not name.startswith(("fit", "from_")))
