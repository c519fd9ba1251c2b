"""What every way of a fit is given, and what it returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy.typing as npt

from skimbalance._core.typing import Array, ArrayLike, Kind, Label, Progress, Run
from skimbalance.estimation import KeptRows
from skimbalance.goals import Constraint
from skimbalance.metrics.profile import ClassProfile
from skimbalance.solvers import Search
from skimbalance.tuner.objective import Objective

__all__ = ["FitResult", "FitSpec"]


@dataclass(frozen=True)
class FitSpec:
    """The parameters of a tuner that have a say in a fit; how jobs are run, and who is told of progress."""

    objective: Objective
    constraints: Sequence[Constraint]
    kind: Kind
    pos_label: Label
    class_prior: ArrayLike | Mapping[Label, float] | None
    estimate: str
    solver: str | Search
    n_bootstraps: int
    confidence_level: float | None
    seed: int
    run: Run
    progress: Progress


@dataclass(frozen=True, eq=False)
class FitResult:
    """What a fit has found, under the names that the tuner gives it; None where it has none.

    `kept` are the samples from which offsets can be fitted anew.
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
    kept: KeptRows | None = None
    multilabel: bool = False
    pos_label: Label = None

    def attributes(self) -> dict[str, Any]:
        """Return the fitted attributes of a tuner, without those that there are none of."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        kept = found.pop("kept")
        return {**{f"{name}_": value for name, value in found.items() if value is not None}, "_kept": kept}
