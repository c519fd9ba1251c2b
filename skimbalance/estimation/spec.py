"""The settings of a fit, its results, and the samples that it keeps."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, namespace, small_codes, to_numpy
from skimbalance._core.typing import Array, ArrayLike, Kind, Label, Progress, Run, Steps
from skimbalance._core.validation import numbered
from skimbalance.estimation._certify import Guarantee
from skimbalance.goals import Constraint
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import ClassProfile, Counts
from skimbalance.solvers import Search

__all__ = ["CrossFitResult", "FitResult", "FitSpec", "KeptSamples", "in_turn", "sampling_rates", "thinned"]

_Result = TypeVar("_Result")


def in_turn(jobs: Iterable[Callable[[], _Result]]) -> Iterator[_Result]:
    """Call independent functions one after the other."""
    return (job() for job in jobs)


def _silent(_: str) -> None:
    """Print nothing."""


def _uncounted(_name: str, results: Iterable[_Result], _total: int) -> Iterator[_Result]:
    """Count no parts."""
    return iter(results)


@dataclass(frozen=True)
class FitSpec:
    """The parameters of a fit; see `OffsetTuner`.

    `objective` is what the user passed, of any supported type. `reject_goals` are the constraints on decided samples
    alone, where there is a `reject_label`. `run` calls independent functions, in parallel or in
    turn. `progress` prints a message, and `steps` counts the parts of a long computation. `restarts` allows random
    restarts; `is_fold` is true within a training fold.
    `near` is the calibration of all samples, from which that of a training fold starts.
    """

    objective: Any = "balanced_accuracy"
    constraints: Sequence[Constraint] = ()
    reject_label: Label = None
    reject_goals: Sequence[Constraint] = ()
    kind: Kind = "proba"
    pos_label: Label = None
    class_prior: ArrayLike | Mapping[Label, float] | None = None
    estimate: str = "robust"
    solver: str | Search = "coordinate_ascent"
    n_bootstraps: int = 8
    confidence_level: float | None = 0.9
    certify_on: float | None = None
    seed: int = 0
    run: Run = in_turn
    progress: Progress = _silent
    steps: Steps = _uncounted
    restarts: bool = True
    is_fold: bool = False
    near: Any = None

    @property
    def confidences(self) -> list[float | None]:
        """The confidence of each constraint."""
        return [constraint.confidence for constraint in self.constraints]

    def run_steps(self, jobs: Iterable[Callable[[], _Result]], *, name: str, total: int) -> list[_Result]:
        """Call each of the `total` independent `jobs`, as `run` does, and count them under their `name`."""
        return list(self.steps(name, self.run(jobs), total)) if total else []

    def within_step(self) -> "FitSpec":
        """Return the settings of a part of the fit, which runs in turn and shows no progress of its own."""
        return replace(self, run=in_turn, progress=_silent, steps=_uncounted)

    def in_fold(self) -> "FitSpec":
        """Return the settings of a training fold: a quarter of the bootstraps, in turn, without random restarts."""
        n_bootstraps = max(2, self.n_bootstraps // 4)
        return replace(self.within_step(), n_bootstraps=n_bootstraps, restarts=False, is_fold=True)


@dataclass(frozen=True, eq=False)
class CrossFitResult:
    """Offsets (K,) and how many steps they took; what they are expected to achieve on unseen data, where folds ran.

    Of the validation folds `held_out` are the counts, and for labels `decisions` the indicator (n, L) that is decided.
    `offsets_error` (K,) is half the width of the confidence interval of each offset. `shrinkage_factor` is the share
    of all offsets that was kept, or of each (L,). `counts` are what the offsets achieve on the samples of the fit.

    `required` are the constraints with what they need on these samples to hold on unseen data, where bootstraps
    determine it. `achievable` is whether offsets can satisfy the constraints, or reach the imbalance state, on these
    samples. `achievable_with_confidence` is whether they can satisfy constraints with their confidence, and
    `guarantees` what can be stated about each of these.
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
    guarantees: tuple[Guarantee, ...] = ()


@dataclass(frozen=True, eq=False)
class FitResult:
    """The result of a fit, under the names of the tuner's attributes; None where there is none.

    `kept` are the samples from which offsets can be fitted again. `shrinkage_factor` is the part of the offsets that
    was kept, one number or one for each label (L,). `cost_rule` decides samples whose costs are known. None of these is
    an attribute of the tuner. `rejection` states which decisions are rejected.
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
    guarantees: tuple[Guarantee, ...] = ()
    multilabel: bool = False
    pos_label: Label = None
    rejection: Any = None
    coverage: float | None = None
    shrinkage_factor: Any = 1.0
    kept: Any = None
    cost_rule: Any = None

    def attributes(self) -> dict[str, Any]:
        """Return the fitted attributes of a tuner, without those that are None."""
        found = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in {"kept", "shrinkage_factor", "cost_rule"}
        }
        hidden = {"_kept": self.kept, "_cost_rule": self.cost_rule}
        return {**{f"{name}_": value for name, value in found.items() if value is not None}, **hidden}


_CELLS = 5_000_000
"""Up to so many scores are kept by reference, of more a sample is copied: 40 MB of float64."""

_BLOCK = 1 << 16
"""Samples at a time stay in cache: that is several times as fast."""


@dataclass(frozen=True, eq=False)
class KeptSamples:
    """Scores as they were given, and for each sample the code of its class, its weight, its group and its costs.

    `weights` is None for ones, `groups` where all samples are independent, `cost_matrix` where it is
    one for all. Of many scores it is a sample, in which each class weighs what it did.
    """

    scores: Array
    codes: npt.NDArray[Any]
    weights: Array | None
    groups: npt.NDArray[np.int64] | None = None
    cost_matrix: Array | None = None

    @classmethod
    def of(
        cls,
        scores: Array,
        codes: npt.NDArray[np.int64],
        weights: Array | None,
        groups: npt.NDArray[np.int64] | None = None,
        cost_matrix: Array | None = None,
        *,
        n_classes: int,
    ) -> Self:
        """Keep these samples, or a sample of them."""
        limit = _CELLS // (1 if scores.ndim == 1 else n_classes)
        if len(codes) <= limit:
            return cls(scores, small_codes(codes, n_classes), weights, groups, cost_matrix)
        samples, heavier = thinned(codes, weights, n_classes=n_classes, limit=limit)
        taken = namespace(scores).take(scores, bring(samples, to=scores), axis=0)
        mass = bring(heavier, to=taken, dtype=namespace(taken).float64)
        groups = None if groups is None else numbered(groups[samples])
        if cost_matrix is not None:
            cost_matrix = namespace(cost_matrix).take(cost_matrix, bring(samples, to=cost_matrix), axis=0)
        return cls(taken, small_codes(codes[samples], n_classes), mass, groups, cost_matrix)


def sampling_rates(counts: npt.NDArray[Any], *, limit: int) -> npt.NDArray[np.float64]:
    """Return with which probability a sample of each class (K,) is drawn, for `limit` samples, or one and more for all.

    Half of them are divided evenly among the classes, half by class frequency: minority classes are kept whole.
    """
    rates: npt.NDArray[np.float64] = limit / (2 * len(counts) * np.maximum(counts, 1)) + limit / (2 * counts.sum())
    return rates


def thinned(
    codes: npt.NDArray[np.int64], weights: Array | None, *, n_classes: int, limit: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return about `limit` random samples, and weights under which each class weighs as much as before."""
    counts = np.bincount(codes, minlength=n_classes)
    rng, rates = np.random.default_rng(0), sampling_rates(counts, limit=limit).astype(np.float32)
    blocks = ((start, codes[start : start + _BLOCK]) for start in range(0, len(codes), _BLOCK))
    samples = np.concatenate(
        [start + np.flatnonzero(rng.random(len(block), np.float32) < rates[block]) for start, block in blocks]
    )
    own = codes[samples]
    host = None if weights is None else to_numpy(weights)
    mass = np.ones(len(samples)) if host is None else host[samples]
    before = counts if host is None else np.bincount(codes, host, minlength=n_classes)
    after = np.bincount(own, mass, minlength=n_classes)
    heavier = np.divide(before, after, out=np.ones(n_classes), where=after > 0)
    return samples, mass * heavier[own]
