"""Black-box metrics: functions of labels with unknown structure."""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, ClassVar, Self

import numpy as np

from skimbalance._core.array_api import to_numpy
from skimbalance._core.typing import Label
from skimbalance.metrics.base import Decomposition, Metric
from skimbalance.metrics.counts import Counts

__all__ = ["BlackBox"]

_FAR = 1e6
"""Values below minus this are compressed, in the same order, so that no objective value is below minus twice this."""


@dataclass(frozen=True)
class BlackBox(Metric):
    """`sign * function(y_true, y_pred)`; greater is better.

    The order of samples must not matter, so the metric is a function of the weighted confusion matrix. `function` gets
    one sample for each cell that is not empty, with the weight of the cell as `sample_weight`. A function without
    `sample_weight` gets every sample. `labels` (K,) are the labels passed to it, None for codes.
    """

    function: Callable[..., float]
    sign: int = 1
    labels: tuple[Label, ...] | None = None

    decomposition: ClassVar[Decomposition] = "general"
    bounds: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    needs_confusion: ClassVar[bool] = True

    def __post_init__(self) -> None:
        takes_labels, parameters = not isinstance(self.function, type), self._signature
        if takes_labels and parameters is not None:
            try:
                parameters.bind("y_true", "y_pred", **({"sample_weight": "mass"} if self.takes_weights else {}))
            except TypeError:
                takes_labels = False
        if not takes_labels:
            raise ValueError(
                "objective must be a metric or its name, a scorer from make_scorer, or a function of (y_true, y_pred); "
                f"got {self.function!r}"
            )

    @property
    def _signature(self) -> inspect.Signature | None:
        """The signature of the function, None if a function written in C has none."""
        try:
            return inspect.signature(self.function)
        except ValueError:
            return None

    @property
    def name(self) -> str:
        """The name that messages use."""
        function: Any = self.function
        while isinstance(function, partial):
            function = function.func
        name = getattr(function, "__name__", type(function).__name__)
        return name if self.sign > 0 else f"neg_{name}"

    @cached_property
    def takes_weights(self) -> bool:
        """Whether the function takes `sample_weight`."""
        signature = self._signature
        kinds = {} if signature is None else {name: each.kind for name, each in signature.parameters.items()}
        positional = kinds.get("sample_weight") is inspect.Parameter.POSITIONAL_ONLY
        return ("sample_weight" in kinds and not positional) or inspect.Parameter.VAR_KEYWORD in kinds.values()

    @property
    def pos_label(self) -> Label:
        """The `pos_label` of the function, None if it has none or averages over classes, which does not use it."""
        signature = self._signature
        known = {} if signature is None else signature.parameters
        defaults = {name: each.default for name, each in known.items() if each.default is not inspect.Parameter.empty}
        return defaults.get("pos_label") if defaults.get("average", "binary") == "binary" else None

    def over(self, labels: Sequence[Label]) -> Self:
        """Return the metric with the labels of the classes filled in."""
        return replace(self, labels=tuple(labels))

    def restricted(self, kept: Sequence[int]) -> Self:
        """Return the metric for the classes `kept` only, by their codes."""
        return replace(self, labels=tuple(kept if self.labels is None else (self.labels[k] for k in kept)))

    def value(self, counts: Counts) -> float:
        """Return the result of the function for `counts` of decisions, times the sign."""
        table = to_numpy(counts.confusion).astype(np.float64)
        samples, columns = np.nonzero(table > 0)
        labels = np.arange(len(table)) if self.labels is None else np.asarray(self.labels)
        mass = table[samples, columns]
        if self.takes_weights:
            returned: Any = self.function(labels[samples], labels[columns], sample_weight=mass)
        else:
            times = np.rint(mass).astype(np.int64)
            if np.abs(mass - times).max() > 1e-9:
                raise ValueError(
                    f"objective {self.name!r} takes no weights, and samples weigh something else than whole numbers: "
                    "let it accept sample_weight"
                )
            returned = self.function(np.repeat(labels[samples], times), np.repeat(labels[columns], times))
        try:
            value = None if isinstance(returned, str | bytes) or np.ndim(returned) > 0 else self.sign * float(returned)
        except (TypeError, ValueError, OverflowError):
            value = None
        if value is None:
            raise ValueError(f"objective {self.name!r} must return a number; got {returned!r}")
        if value == math.inf:  # nothing is better, and several such results cannot be compared
            raise ValueError(
                f"objective {self.name!r} must return a finite number, or NaN where it is undefined; got {returned!r}"
            )
        return value

    def objective_value(self, counts: Counts) -> float:
        """Return the value, compressed if it is far below zero; the lowest of all for NaN."""
        value = self.value(counts)
        if math.isnan(value):
            return self.worst_objective_value(len(counts.hits))
        return value if value >= -_FAR else -2 * _FAR + _FAR * (_FAR / -value)

    def worst_objective_value(self, n_classes: int) -> float:
        """Return a lower bound of all objective values."""
        return -2 * _FAR
