"""The settings of a fit, from the estimator to the folds, and its results."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy.typing as npt

from skimbalance._core.typing import Array, ArrayLike, Kind, Label, Progress, Run
from skimbalance.goals import Constraint
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import Counts
from skimbalance.metrics.profile import ClassProfile
from skimbalance.solvers import Search

__all__ = ["CrossFitResult", "FitResult", "FitSpec", "in_turn"]

_Result = TypeVar("_Result")


def in_turn(jobs: Iterable[Callable[[], _Result]]) -> list[_Result]:
    """Call independent functions one after the other."""
    return [job() for job in jobs]


def _silent(_: str) -> None:
    """Print nothing."""


@dataclass(frozen=True)
class FitSpec:
    """The parameters of a fit; see `OffsetTuner`.

    `objective` is what the user passed, of any supported type. `run` calls independent functions, in parallel or in
    turn, and `progress` prints a message. `restarts` allows random restarts; `is_fold` is true within a training fold.
    """

    objective: Any = "balanced_accuracy"
    constraints: Sequence[Constraint] = ()
    kind: Kind = "proba"
    pos_label: Label = None
    class_prior: ArrayLike | Mapping[Label, float] | None = None
    estimate: str = "robust"
    solver: str | Search = "coordinate_ascent"
    n_bootstraps: int = 8
    confidence_level: float | None = 0.9
    seed: int = 0
    run: Run = in_turn
    progress: Progress = _silent
    restarts: bool = True
    is_fold: bool = False

    @property
    def confidences(self) -> list[float | None]:
        """The confidence of each constraint."""
        return [constraint.confidence for constraint in self.constraints]

    def in_fold(self) -> "FitSpec":
        """Return the settings of a training fold: a quarter of the bootstraps, in turn, without random restarts."""
        n_bootstraps = max(2, self.n_bootstraps // 4)
        return replace(self, n_bootstraps=n_bootstraps, run=in_turn, progress=_silent, restarts=False, is_fold=True)


@dataclass(frozen=True, eq=False)
class CrossFitResult:
    """Offsets (K,) and how many steps they took; what they are expected to achieve on unseen data, where folds ran.

    Of the validation folds `held_out` are the counts, and for labels `decisions` the indicator (n, L) that is decided.
    `offsets_error` (K,) is half the width of the confidence interval of each offset. `shrinkage_factor` is the share
    of all offsets that was kept, or of each (L,). `counts` are what the offsets achieve on the samples of the fit.

    `required` are the constraints with what they need on these samples to hold on unseen data. `achievable` is whether
    offsets can satisfy the constraints, or reach the imbalance state, on these samples. `achievable_with_confidence` is
    whether they can satisfy constraints with their confidence.
    """

    offsets: Array
    n_iter: int
    counts: Counts | None = None
    score: float | None = None
    score_interval: tuple[float, float] | None = None
    offsets_error: npt.NDArray[Any] | None = None
    decisions: npt.NDArray[Any] | None = None
    held_out: Counts | None = None
    shrinkage_factor: Any = 1.0
    required: tuple[BoundConstraint, ...] = ()
    achievable: bool = True
    achievable_with_confidence: bool = True


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
    kept: Any = None

    def attributes(self) -> dict[str, Any]:
        """Return the fitted attributes of a tuner, without those that are None."""
        found = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in {"kept", "shrinkage_factor"}
        }
        return {**{f"{name}_": value for name, value in found.items() if value is not None}, "_kept": self.kept}
