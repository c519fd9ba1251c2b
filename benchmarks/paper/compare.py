"""Who is better in the paper's experiment: means over seeds, and paired tests within settings and over all of them."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from benchmarks.leaderboard.summary import LEVEL, SAME, holm
from benchmarks.paper.data import SETTINGS, Vector
from benchmarks.paper.nets import NETS
from benchmarks.paper.scores import ADJUSTMENTS, OURS, PUBLISHED, SELECTIONS, Line, pairs
from scipy.optimize import brentq
from scipy.stats import nct, rankdata, t, ttest_1samp, wilcoxon

__all__ = [
    "METHODS",
    "OBJECTIVES",
    "OURSELVES",
    "RULES",
    "Method",
    "Row",
    "Scores",
    "compare",
    "detectable",
    "gathered",
    "name_of",
]

OBJECTIVES = {
    "accuracy": ("balanced_accuracy",),
    "f1": ("f1", "f1_macro"),
    "geometric_mean": ("geometric_mean",),
}
"""What users may want, and the metrics that it is with two classes and with several."""


class Method(NamedTuple):
    """A net, a way to choose its epoch, and a way to adjust it."""

    net: str
    selection: str
    adjustment: str


OURSELVES = Method("baseline", "last", OURS)
METHODS = [Method(net, *pair) for net in NETS for pair in pairs(net) if pair[0] == "last" or pair == PUBLISHED]
RULES = [Method("baseline", selection, OURS) for selection in SELECTIONS]

Scores = Mapping[str, Mapping[Method, Vector]]
"""By setting and method, the score of each seed."""


@dataclass(frozen=True)
class Row:
    """A method beside a reference, which has the wins; verdicts: 1, 0, -1 where the method is better, level, worse."""

    method: Method
    means: dict[str, float]
    deviations: dict[str, float]
    verdicts: dict[str, int]
    ahead: float
    wins: int
    ties: int
    losses: int
    p: float
    verdict: int


def gathered(found: Sequence[Line], objective: str) -> Scores:
    """Return the scores for what a user wants, seeds in order."""
    scores: dict[str, dict[Method, list[float]]] = {
        key: defaultdict(list) for key in SETTINGS if any(line.setting == key for line in found)
    }
    for line in sorted(found, key=lambda line: line.seed):
        if line.objective in OBJECTIVES[objective]:
            scores[line.setting][Method(line.net, line.selection, line.adjustment)].append(line.score)
    return {key: {method: np.array(values) for method, values in of.items()} for key, of in scores.items()}


def compare(scores: Scores, methods: Sequence[Method], reference: Method) -> list[Row]:
    """Set methods beside a reference; p-values are Holm's for all of them, within each setting and over all."""
    gaps = {method: {key: of[reference] - of[method] for key, of in scores.items()} for method in methods}
    pooled = {method: np.concatenate(list(of.values())).round(9) for method, of in gaps.items()}
    p_values = holm([math.nan if method == reference else _pooled_p(gap) for method, gap in pooled.items()])
    verdicts = {key: _verdicts([of[key] for of in gaps.values()]) for key in scores}
    return [
        Row(
            method=method,
            means={key: float(of[method].mean()) for key, of in scores.items()},
            deviations={key: _deviation(of[method]) for key, of in scores.items()},
            verdicts={key: of[number] for key, of in verdicts.items()},
            ahead=float(np.mean([gap.mean() for gap in gaps[method].values()])),
            wins=int(np.sum(pooled[method] > SAME)),
            losses=int(np.sum(pooled[method] < -SAME)),
            ties=int(np.sum(abs(pooled[method]) <= SAME)),
            p=p_values[number],
            verdict=-_leaning(pooled[method]) if p_values[number] < LEVEL else 0,
        )
        for number, method in enumerate(methods)
    ]


def _deviation(values: Vector) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _pooled_p(gap: Vector) -> float:
    """Return the p-value of the signed-rank test."""
    return float(wilcoxon(gap).pvalue) if gap.any() else 1.0


def _leaning(gap: Vector) -> int:
    """Return which side the signed-rank test is on; the mean may be on the other."""
    return int(np.sign(np.sign(gap) @ rankdata(abs(gap))))


def _verdicts(gaps: Sequence[Vector]) -> list[int]:
    """Return for each method whether it is better (1) or worse (-1) than the reference by the paired t-test."""
    p_values = [float(ttest_1samp(gap, 0).pvalue) if np.ptp(gap) > SAME else math.nan for gap in gaps]
    return [-int(np.sign(gap.mean())) if p < LEVEL else 0 for gap, p in zip(gaps, holm(p_values), strict=True)]


def detectable(n_seeds: int, *, level: float = LEVEL, power: float = 0.8) -> float:
    """Return the mean over the deviation of paired differences that the t-test finds with the given probability."""
    critical = t.ppf(1 - level / 2, n_seeds - 1)

    def missing(effect: float) -> float:
        return nct.sf(critical, n_seeds - 1, effect * np.sqrt(n_seeds)) - power

    return float(brentq(missing, 0.01, 10))


def name_of(method: Method) -> str:
    """Return how a method is called."""
    adjustment = "" if method.adjustment == "none" else f" + {ADJUSTMENTS[method.adjustment]}"
    return NETS[method.net] + adjustment + (", epoch chosen" if method.selection != "last" else "")
