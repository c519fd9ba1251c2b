"""The workload of all tuners, of this package and the baselines, for one objective on n samples of K classes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

import skimbalance
from benchmarks import baselines
from benchmarks.baselines._metrics import value_of
from benchmarks.speed.workload import Contender, Workload
from skimbalance import OffsetTuner
from skimbalance._core.decision import softmax

REFERENCE = "OffsetTuner.fit, empirical"

OURS = f"skimbalance {skimbalance.__version__}"

Vector = npt.NDArray[Any]

_EVOLUTION_CELLS = 200_000
"""With more scores, differential evolution is only tried for binary problems."""

_FEW_SAMPLES = 2_000_000
_FEW_CELLS = 60_000_000
"""With more, slow baselines and the default, which fits several times, take minutes."""


@dataclass(frozen=True)
class Data:
    """Logits (n, K), or (n,) for binary problems, and labels."""

    scores: Vector
    y: Vector

    @property
    def n_classes(self) -> int:
        """The number of classes, K."""
        return 2 if self.scores.ndim == 1 else self.scores.shape[1]

    @cached_property
    def proba(self) -> Vector:
        """The probabilities, in the same shape."""
        return 1 / (1 + np.exp(-self.scores)) if self.scores.ndim == 1 else softmax(self.scores)

    def value(self, objective: str, decisions: Vector) -> float:
        """Return the metric of decisions."""
        return value_of(objective, self.y, np.asarray(decisions).astype(np.int64), n_classes=self.n_classes)


def binary(n_samples: int) -> Data:
    """Draw calibrated logits whose labels are about 5% positive."""
    rng = np.random.default_rng(20)
    scores = rng.normal(-4.5, 2.0, n_samples)
    return Data(scores, (rng.random(n_samples) < 1 / (1 + np.exp(-scores))).astype(np.int64))


def long_tailed(n_samples: int, n_classes: int) -> Data:
    """Draw labels of prior 1 / rank, and as scores noise, the log prior, and 3 for the true class."""
    rng = np.random.default_rng(21)
    prior = 1 / np.arange(1, n_classes + 1)
    prior /= prior.sum()
    y = rng.choice(n_classes, n_samples, p=prior)
    y[:n_classes] = np.arange(n_classes)
    scores = rng.standard_normal((n_samples, n_classes)) + np.log(prior)
    scores[np.arange(n_samples), y] += 3
    return Data(scores, y)


def drawn(n_samples: int, n_classes: int) -> Data:
    """Draw samples of so many classes."""
    return binary(n_samples) if n_classes == 2 else long_tailed(n_samples, n_classes)


def tuners(objective: str, n_samples: int, n_classes: int, *, cap_s: float, limit: float | None = None) -> Workload:
    """Return the workload of all tuners for an objective."""
    data, small = drawn(n_samples, n_classes), drawn(300, min(n_classes, 3))
    name, act = ("np.argsort(scores)", np.argsort) if n_classes == 2 else ("scores.argmax(1)", lambda s: s.argmax(1))
    floor = Contender(f"floor: {name}", f"numpy {np.__version__}", lambda: act(data.scores))
    contenders = [floor, *_ours(data, small, objective)]
    contenders += [_baseline(each, data, small, objective) for each in _baselines(cap_s)]
    shape = f"1e{round(np.log10(n_samples))}" if n_classes == 2 else f"{n_samples}x{n_classes}"
    untuned = data.value(objective, data.scores > 0 if n_classes == 2 else data.scores.argmax(1))
    return Workload(
        f"{objective}_{shape}",
        objective,
        (n_samples, n_classes),
        contenders,
        REFERENCE,
        data.scores.nbytes,
        untuned,
        limit,
    )


def empirical(objective: str, scores: Any, y: Vector) -> OffsetTuner:
    """Fit the in-sample optimum: one search, without folds."""
    return OffsetTuner(objective, kind="logits", estimate="empirical", confidence_level=None).fit(scores, y)


def default(objective: str, scores: Any, y: Vector) -> OffsetTuner:
    """Fit with the default estimate."""
    return OffsetTuner(objective, kind="logits").fit(scores, y)


def _ours(data: Data, small: Data, objective: str) -> list[Contender]:
    def entry(
        name: str, fit: Callable[..., OffsetTuner], convert: Callable[[Vector], Any], refusal: str | None = None
    ) -> Contender:
        scores = None if refusal else convert(data.scores)
        return Contender(
            name,
            OURS,
            lambda: fit(objective, scores, data.y),
            lambda tuner: data.value(objective, np.asarray(tuner.predict(data.scores))),
            lambda tuner: f"sweeps: {tuner.n_iter_}",
            lambda: fit(objective, convert(small.scores), small.y),
            refusal,
            traced_s=30.0,
        )

    large = "not timed: takes minutes" if data.scores.size > _FEW_CELLS else None
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


def _baselines(cap_s: float) -> list[baselines.Baseline]:
    """Return the baselines; both searches by differential evolution stop after `cap_s` seconds."""
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


def _baseline(baseline: baselines.Baseline, data: Data, small: Data, objective: str) -> Contender:
    """Return the contender of a baseline, with the reason if it is not installed or does not apply."""
    installed = baseline.version()
    refusal = "not installed" if installed is None else baseline.refusal(data.proba, objective=objective)
    if refusal is None:
        refusal = _too_slow(baseline, data)
    if refusal is not None and installed is not None:
        refusal = f"skipped: {refusal}"
    return Contender(
        baseline.name,
        f"{baseline.distribution} {installed or ''}".strip(),
        partial(baseline.fit, data.proba, data.y, objective=objective),
        lambda fitted: data.value(objective, fitted.decide(data.proba)),
        lambda fitted: fitted.note,
        partial(baseline.fit, small.proba, small.y, objective=objective),
        refusal,
    )


def _too_slow(baseline: baselines.Baseline, data: Data) -> str | None:
    """Return why a baseline is not tried at this size, None if it is."""
    slow = isinstance(baseline, (baselines.ScipyDifferentialEvolution, baselines.TuneThresholds))
    if slow and data.n_classes > 2 and data.scores.size > _EVOLUTION_CELLS:
        return "too slow at this size"
    slow = slow or isinstance(baseline, baselines.SklearnTunedThreshold)
    if (slow and len(data.y) > _FEW_SAMPLES) or data.scores.size > 2 * _FEW_CELLS:
        return "takes minutes at this size"
    return None
