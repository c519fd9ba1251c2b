"""What a fit returns: the fitted attributes of `OffsetTuner`."""

from dataclasses import dataclass, fields
from typing import Any

import numpy.typing as npt

from skimbalance._core.typing import Array, Label
from skimbalance.estimation import KeptRows
from skimbalance.metrics.profile import ClassProfile

__all__ = ["FitResult"]

_INTERNAL = {"kept", "shrinkage_factor"}


@dataclass(frozen=True, eq=False)
class FitResult:
    """The result of a fit, under the names of the tuner's attributes; None where there is none.

    `kept` are the samples from which offsets can be fitted again, and `shrinkage_factor` the part of the offsets that
    was kept, one for all or one for each label (L,). Neither is an attribute of the tuner.
    """

    classes: npt.NDArray[Any]
    offsets: Array
    in_sample_score: float
    untuned_score: float
    class_profile: ClassProfile
    n_iter: int
    notes: list[str]
    threshold: float | Array | None = None
    score: float | None = None
    score_interval: tuple[float, float] | None = None
    offsets_interval: Array | None = None
    multilabel: bool = False
    pos_label: Label = None
    shrinkage_factor: Any = 1.0
    kept: KeptRows | None = None

    def attributes(self) -> dict[str, Any]:
        """Return the fitted attributes of a tuner, without those that are None."""
        found = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _INTERNAL}
        return {**{f"{name}_": value for name, value in found.items() if value is not None}, "_kept": self.kept}
