"""Means over seeds, and paired tests within each setting and over all settings."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.stats import nct, rankdata, t, ttest_1samp, wilcoxon

from benchmarks.leaderboard.summary import SAME
from benchmarks.paper.data import SETTINGS, Vector
from benchmarks.paper.nets import NETS
from benchmarks.paper.scores import ADJUSTMENTS, OURS, PUBLISHED, SELECTIONS, Line, pairs
from benchmarks.significance import LEVEL, holm

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
"""The objectives, and their metrics in binary and multiclass settings."""


class Method(NamedTuple):
    """A net, the selection of its epoch, and its adjustment."""

    net: str
    selection: str
    adjustment: str


OURSELVES = Method("baseline", "last", OURS)
METHODS = [Method(net, *pair) for net in NETS for pair in pairs(net) if pair[0] == "last" or pair == PUBLISHED]
RULES = [Method("baseline", selection, OURS) for selection in SELECTIONS]

Scores = Mapping[str, Mapping[Method, Vector]]
"""The score of each seed, by setting and method."""


@dataclass(frozen=True)
class Row:
    """A method against a reference; `wins` are the reference's; verdicts are 1 if the method is better, -1 if worse."""

    method: Method
    means: dict[str, float]
    deviations: dict[str, float]
    verdicts: dict[str, int]
    difference: float
    wins: int
    ties: int
    losses: int
    p: float
    verdict: int


def gathered(found: Sequence[Line], objective: str) -> Scores:
    """Return the scores for an objective, ordered by seed."""
    scores: dict[str, dict[Method, list[float]]] = {
        key: defaultdict(list) for key in SETTINGS if any(line.setting == key for line in found)
    }
    for line in sorted(found, key=lambda line: line.seed):
        if line.objective in OBJECTIVES[objective]:
            scores[line.setting][Method(line.net, line.selection, line.adjustment)].append(line.score)
    return {key: {method: np.array(values) for method, values in of.items()} for key, of in scores.items()}


def compare(scores: Scores, methods: Sequence[Method], reference: Method) -> list[Row]:
    """Compare methods with a reference; Holm's correction covers all methods, within each setting and over all."""
    differences = {method: {key: of[reference] - of[method] for key, of in scores.items()} for method in methods}
    pooled = {method: np.concatenate(list(of.values())).round(9) for method, of in differences.items()}
    p_values = holm([math.nan if method == reference else _pooled_p(values) for method, values in pooled.items()])
    verdicts = {key: _verdicts([of[key] for of in differences.values()]) for key in scores}
    return [
        Row(
            method=method,
            means={key: float(of[method].mean()) for key, of in scores.items()},
            deviations={key: _deviation(of[method]) for key, of in scores.items()},
            verdicts={key: of[number] for key, of in verdicts.items()},
            difference=float(np.mean([difference.mean() for difference in differences[method].values()])),
            wins=int(np.sum(pooled[method] > SAME)),
            losses=int(np.sum(pooled[method] < -SAME)),
            ties=int(np.sum(abs(pooled[method]) <= SAME)),
            p=p_values[number],
            verdict=-_sign(pooled[method]) if p_values[number] < LEVEL else 0,
        )
        for number, method in enumerate(methods)
    ]


def _deviation(values: Vector) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _pooled_p(difference: Vector) -> float:
    """Return the p-value of the signed-rank test."""
    return float(wilcoxon(difference).pvalue) if difference.any() else 1.0


def _sign(difference: Vector) -> int:
    """Return the sign of the signed-rank statistic; the mean may have the other sign."""
    return int(np.sign(np.sign(difference) @ rankdata(abs(difference))))


def _verdicts(differences: Sequence[Vector]) -> list[int]:
    """Return for each method 1 if it is better than the reference by the paired t-test, -1 if worse."""
    p_values = holm([float(ttest_1samp(each, 0).pvalue) if np.ptp(each) > SAME else math.nan for each in differences])
    return [-int(np.sign(each.mean())) if p < LEVEL else 0 for each, p in zip(differences, p_values, strict=True)]


def detectable(n_seeds: int, *, level: float = LEVEL, power: float = 0.8) -> float:
    """Return the mean difference, in standard deviations, that the paired t-test detects with the given power."""
    critical = t.ppf(1 - level / 2, n_seeds - 1)

    def missing(effect: float) -> float:
        return nct.sf(critical, n_seeds - 1, effect * np.sqrt(n_seeds)) - power

    return float(brentq(missing, 0.01, 10))


def name_of(method: Method) -> str:
    """Return the name of a method."""
    adjustment = "" if method.adjustment == "none" else f" + {ADJUSTMENTS[method.adjustment]}"
    return NETS[method.net] + adjustment + (", epoch selected" if method.selection != "last" else "")
