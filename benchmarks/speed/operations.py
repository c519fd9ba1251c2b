"""The operations of fits to scores on a device, counted with tensors of the host: no GPU is needed.

``python -m benchmarks.speed.operations --csv benchmarks/results/operations.csv``: two minutes on one core. Views do not
count. The host waits for the result of some operations, and for every copy to it.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.script import markdown, options, write_csv
from benchmarks.speed.device import long_tailed_logits
from skimbalance import OffsetTuner
from skimbalance._core import array_api
from skimbalance.tuner import _multiclass

SIZES = ((10_000, 1000), (100_000, 100), (1_000_000, 10))
FITS = (("balanced_accuracy", "empirical"), ("f1_macro", "empirical"), ("f1_macro", "plugin"), ("f1_macro", "robust"))
"""The objectives and the estimates. Scores and intervals are computed for the last one only."""

_VIEWS = {"_reshape_alias", "_unsafe_view", "alias", "as_strided", "detach", "expand", "permute", "select", "slice"}
_VIEWS |= {"split", "split_with_sizes", "squeeze", "t", "transpose", "unbind", "unsqueeze", "view"}
_EMPTY = {"empty", "empty_like", "empty_strided", "lift_fresh"}

_AWAITED = {"_local_scalar_dense", "_unique2", "bincount", "equal", "is_nonzero", "nonzero", "repeat_interleave"}
"""Operations that return a number to the host, or an array of a size that the host must know."""


class Operations(TorchDispatchMode):
    """Counts the operations of torch while it is entered, and those that the host waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()
        self.n_awaited = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count an operation."""
        name = function.overloadpacket.__name__
        if name not in _VIEWS | _EMPTY:
            self.names[name] += 1
            masked = name in {"index", "index_put_"} and any(x is not None and x.dtype == torch.bool for x in args[1])
            self.n_awaited += masked or name in _AWAITED
        return function(*args, **(kwargs or {}))


@contextmanager
def as_on_device() -> Iterator[Counter[str]]:
    """Search tensors of the host as those of a device; count the copies to the host."""
    copies = Counter[str]()
    to_host, search, hosts = torch.Tensor.cpu, _multiclass.for_search, array_api._HOSTS

    def watched(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        copies["copies"] += 1
        copies["elements"] += tensor.numel()
        return to_host(tensor, *args, **kwargs)

    torch.Tensor.cpu, _multiclass.for_search, array_api._HOSTS = watched, lambda x: x, set()
    try:
        yield copies
    finally:
        torch.Tensor.cpu, _multiclass.for_search, array_api._HOSTS = to_host, search, hosts


def counted(run: Callable[[], Any]) -> tuple[Operations, Counter[str]]:
    """Return the operations of a run, and its copies to the host."""
    with as_on_device() as copies, Operations() as operations:
        run()
    return operations, copies


def rows() -> Iterator[dict[str, Any]]:
    """Count the operations of each fit."""
    for n_samples, n_classes in SIZES:
        scores, y = long_tailed_logits(n_samples, n_classes, device="cpu")
        for objective, estimate in FITS:
            level = 0.9 if estimate == "robust" else None
            tuner = OffsetTuner(objective, kind="logits", estimate=estimate, confidence_level=level)
            operations, copies = counted(partial(tuner.fit, scores, y, classes=np.arange(n_classes)))
            yield {
                "n_samples": n_samples,
                "n_classes": n_classes,
                "objective": objective,
                "estimate": estimate,
                "operations": operations.names.total(),
                "awaited": operations.n_awaited,
                "copies": copies["copies"],
                "copied_elements": copies["elements"],
                "value": f"{tuner.in_sample_score_:.6f}",
            }


def main() -> None:
    """Count at each size."""
    asked = options(__doc__, writes="the numbers").parse_args()
    torch.set_num_threads(1)
    found = []
    for row in rows():
        print(row, file=sys.stderr, flush=True)
        found.append(row)
        if asked.csv:
            write_csv(asked.csv, found)
    print(markdown(list(found[0]), [list(row.values()) for row in found]))


if __name__ == "__main__":
    main()
