"""Tuners beside each other: the races of one objective on n rows of K classes, ours and all rivals'."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
from benchmarks import baselines
from benchmarks.baselines._metrics import value_of
from benchmarks.speed.workload import Contender, Race

import skimbalance
from skimbalance import OffsetTuner
from skimbalance._core.decision import softmax

REFERENCE = "OffsetTuner.fit, empirical"

OURS = f"skimbalance {skimbalance.__version__}"

Vector = npt.NDArray[Any]

_EVOLUTION_CELLS = 200_000
"""Rivals that only try point after point have no chance at more scores than that, but where there is one offset."""

_FEW_ROWS = 2_000_000
_FEW_CELLS = 60_000_000
"""Beyond, slow rivals and the default, which fits several times over, take minutes."""


@dataclass(frozen=True)
class Rows:
    """Logits (n, K), or (n,) for two classes, and their labels."""

    scores: Vector
    y: Vector

    @property
    def n_classes(self) -> int:
        """The number of classes, K."""
        return 2 if self.scores.ndim == 1 else self.scores.shape[1]

    @cached_property
    def proba(self) -> Vector:
        """The probabilities that the logits stand for, in the same shape."""
        return 1 / (1 + np.exp(-self.scores)) if self.scores.ndim == 1 else softmax(self.scores)

    def value(self, objective: str, decisions: Vector) -> float:
        """Return what decisions achieve."""
        return value_of(objective, self.y, np.asarray(decisions).astype(np.int64), n_classes=self.n_classes)


def two_classes(n_rows: int) -> Rows:
    """Draw calibrated logits whose labels are about 5% positive."""
    rng = np.random.default_rng(20)
    scores = rng.normal(-4.5, 2.0, n_rows)
    return Rows(scores, (rng.random(n_rows) < 1 / (1 + np.exp(-scores))).astype(np.int64))


def long_tailed(n_rows: int, n_classes: int) -> Rows:
    """Draw labels of prior 1 / rank, and as scores noise, the log prior, and 3 for the true class."""
    rng = np.random.default_rng(21)
    prior = 1 / np.arange(1, n_classes + 1)
    prior /= prior.sum()
    y = rng.choice(n_classes, n_rows, p=prior)
    y[:n_classes] = np.arange(n_classes)
    scores = rng.standard_normal((n_rows, n_classes)) + np.log(prior)
    scores[np.arange(n_rows), y] += 3
    return Rows(scores, y)


def drawn(n_rows: int, n_classes: int) -> Rows:
    """Draw rows of so many classes."""
    return two_classes(n_rows) if n_classes == 2 else long_tailed(n_rows, n_classes)


def race(objective: str, n_rows: int, n_classes: int, *, cap_s: float, limit: float | None = None) -> Race:
    """Return the race of all tuners for an objective."""
    rows, small = drawn(n_rows, n_classes), drawn(300, min(n_classes, 3))
    name, act = ("np.argsort(scores)", np.argsort) if n_classes == 2 else ("scores.argmax(1)", lambda s: s.argmax(1))
    floor = Contender(f"floor: {name}", f"numpy {np.__version__}", lambda: act(rows.scores))
    contenders = [floor, *_ours(rows, small, objective)]
    contenders += [_rival(rival, rows, small, objective) for rival in _rivals(cap_s)]
    shape = f"1e{round(np.log10(n_rows))}" if n_classes == 2 else f"{n_rows}x{n_classes}"
    untuned = rows.value(objective, rows.scores > 0 if n_classes == 2 else rows.scores.argmax(1))
    return Race(
        f"{objective}_{shape}",
        objective,
        (n_rows, n_classes),
        contenders,
        REFERENCE,
        rows.scores.nbytes,
        untuned,
        limit,
    )


def empirical(objective: str, scores: Any, y: Vector) -> OffsetTuner:
    """Fit the search alone: the optimum on these rows, without folds."""
    return OffsetTuner(objective, kind="logits", estimate="empirical", confidence_level=None).fit(scores, y)


def default(objective: str, scores: Any, y: Vector) -> OffsetTuner:
    """Fit what a user gets who asks for nothing else."""
    return OffsetTuner(objective, kind="logits").fit(scores, y)


def _ours(rows: Rows, small: Rows, objective: str) -> list[Contender]:
    def entry(
        name: str, fit: Callable[..., OffsetTuner], convert: Callable[[Vector], Any], refusal: str | None = None
    ) -> Contender:
        scores = None if refusal else convert(rows.scores)
        return Contender(
            name,
            OURS,
            lambda: fit(objective, scores, rows.y),
            lambda tuner: rows.value(objective, np.asarray(tuner.predict(rows.scores))),
            lambda tuner: f"sweeps: {tuner.n_iter_}",
            lambda: fit(objective, convert(small.scores), small.y),
            refusal,
            traced_s=30.0,
        )

    large = "not timed: minutes" if rows.scores.size > _FEW_CELLS else None
    lines = [
        entry(REFERENCE, empirical, lambda x: x),
        entry("OffsetTuner.fit, empirical, float32", empirical, lambda x: x.astype(np.float32)),
        entry("OffsetTuner.fit, the default", default, lambda x: x, large),
    ]
    if find_spec("torch"):
        import torch

        lines.append(entry("OffsetTuner.fit, empirical, torch", empirical, torch.from_numpy))
        if torch.cuda.is_available():
            lines.append(entry("OffsetTuner.fit, empirical, GPU", empirical, lambda x: torch.from_numpy(x).cuda()))
    return lines


def _rivals(cap_s: float) -> list[baselines.Baseline]:
    """Return the rivals; those that would go on for long stop after `cap_s` seconds."""
    return [
        baselines.OptimalCutoffs(),
        baselines.OptimalCutoffsAscent(),
        baselines.SklearnTunedThreshold(),
        baselines.SklearnPrecisionRecallCurve(),
        baselines.XColumnsFrankWolfe(),
        baselines.XColumnsFrankWolfePrior(),
        baselines.ScipyDifferentialEvolution(cap_s),
        baselines.TuneThresholds(cap_s),
    ]


def _rival(rival: baselines.Baseline, rows: Rows, small: Rows, objective: str) -> Contender:
    """Return the contender of a rival, over before it began if it is not installed or not made for this."""
    installed = rival.version()
    refusal = "not installed" if installed is None else rival.refusal(rows.proba, objective=objective)
    if refusal is None:
        refusal = _hopeless(rival, rows)
    if refusal is not None and installed is not None:
        refusal = f"skipped: {refusal}"
    return Contender(
        rival.name,
        f"{rival.distribution} {installed or ''}".strip(),
        partial(rival.fit, rows.proba, rows.y, objective=objective),
        lambda fitted: rows.value(objective, fitted.decide(rows.proba)),
        lambda fitted: fitted.note,
        partial(rival.fit, small.proba, small.y, objective=objective),
        refusal,
    )


def _hopeless(rival: baselines.Baseline, rows: Rows) -> str | None:
    """Return why a rival is not tried at this size, None where it is."""
    slow = isinstance(rival, (baselines.ScipyDifferentialEvolution, baselines.TuneThresholds))
    if slow and rows.n_classes > 2 and rows.scores.size > _EVOLUTION_CELLS:
        return "hopeless at this size"
    slow = slow or isinstance(rival, baselines.SklearnTunedThreshold)
    if (slow and len(rows.y) > _FEW_ROWS) or rows.scores.size > 2 * _FEW_CELLS:
        return "minutes at this size"
    return None
