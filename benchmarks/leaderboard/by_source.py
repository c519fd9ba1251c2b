"""Statistics in which each source of data is one observation, whatever the number of problems made from it."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import friedmanchisquare, rankdata, studentized_range

from benchmarks.leaderboard import packaged, unseen
from benchmarks.leaderboard.results import FAILED, RAN, Results, metrics_of
from benchmarks.leaderboard.run import METHODS
from benchmarks.leaderboard.summary import GROUPS
from benchmarks.script import read_csv, rounded, write_csv
from benchmarks.significance import LEVEL, holm, signed_rank_p

__all__ = ["DEFAULT", "METRICS", "TIE", "Row", "is_unseen", "means_by_source", "read_rows", "rows_of", "source_of"]
__all__ += ["write_rows"]

METRICS = ("f1", "f1_macro", "balanced_accuracy", "matthews_corrcoef")
DEFAULT = "robust"

TIE = 0.001
"""A source is a tie if the mean scores differ by no more."""

DRAWS = 10_000
"""Bootstrap draws of sources for the interval of the mean difference."""

SHARED = ("chest", "enron", "medical", "cifar100", "cifar10", "agnews", "sst2")
"""Names of data sets that begin so are problems of one source."""

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """A method in the table of a group and metric; differences are the default's score minus that of the method.

    `effect` is the matched-pairs rank-biserial correlation: 1 if the default is better on every source, -1 if it is
    worse on every source.
    """

    group: str
    metric: str
    sources: int
    unseen: int
    problems: int
    friedman_p: float
    critical_difference: float
    method: str
    name: str
    versions: str
    ran: int
    mean: float = math.nan
    rank: float = math.nan
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    effect: float = math.nan
    wins: int = 0
    ties: int = 0
    losses: int = 0
    p_holm: float = math.nan
    difference_unseen: float = math.nan
    p_unseen: float = math.nan
    failures: str = ""

    @property
    def verdict(self) -> str:
        """How the default compares with the method: a difference that is not significant is a tie."""
        if self.method == DEFAULT or math.isnan(self.p_holm):
            return "-"
        return "tie" if self.p_holm >= LEVEL else "better" if self.difference > 0 else "worse"


def source_of(data: str) -> str:
    """Return the name of the source of a data set."""
    return next((name for name in SHARED if data.startswith(name)), data)


def is_unseen(source: str) -> bool:
    """Return whether the default was not developed on the source."""
    return source.startswith((unseen.PREFIX, packaged.PREFIX))


def means_by_source(
    problems: Sequence[Results], metric: str, methods: Sequence[str]
) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Return the sources and the mean score (sources, methods) of each; NaN where a method has a problem without."""
    names = sorted({source_of(results.data) for results in problems})
    table = np.full((len(names), len(methods)), math.nan)
    for place, name in enumerate(names):
        of_source = [results for results in problems if source_of(results.data) == name]
        scores = [[_score(results, metric, method) for method in methods] for results in of_source]
        table[place] = np.mean(scores, axis=0)
    return names, table


def _score(results: Results, metric: str, method: str) -> float:
    cell = results.cells.get(metric, {}).get(method)
    return math.nan if cell is None or cell.score is None else cell.score


def group_of(problems: Sequence[Results], group: str, metric: str) -> list[Results]:
    """Return the problems of a group that have the metric."""
    of_group = [results for results in problems if (results.n_classes == 2) == (group == GROUPS[0])]
    return [results for results in of_group if metric in metrics_of(results.n_classes, METRICS)]


def rows_of(problems: Sequence[Results], methods: Sequence[str]) -> list[Row]:
    """Return the lines of all tables, those of a table by rank; methods that do not offer the metric have none."""
    rows: list[Row] = []
    for group, metric in product(GROUPS, METRICS):
        found = group_of(problems, group, metric)
        if found:
            rows += _table(found, group, metric, methods)
    return rows


def _table(problems: Sequence[Results], group: str, metric: str, methods: Sequence[str]) -> list[Row]:
    names, means = means_by_source(problems, metric, methods)
    ran = ~np.isnan(means)
    shown = np.flatnonzero(ran.any(0))
    complete = shown[ran[:, shown].all(0)]
    ranks = dict(zip(complete, rankdata(-means[:, complete].round(9), axis=1).mean(0), strict=True))
    about = {
        "group": group,
        "metric": metric,
        "sources": len(names),
        "unseen": sum(map(is_unseen, names)),
        "problems": len(problems),
        **_friedman(means[:, complete]),
    }
    default = means[:, list(methods).index(DEFAULT)] if DEFAULT in methods else np.full(len(names), math.nan)
    rows = []
    for place in shown:
        facts = {"method": methods[place], "name": METHODS[methods[place]].name, "ran": int(ran[:, place].sum())}
        numbers = {"mean": float(np.nanmean(means[:, place])), "rank": float(ranks.get(place, math.nan))}
        cells = [r.cells[metric][methods[place]] for r in problems if methods[place] in r.cells[metric]]
        versions = {cell.version for cell in cells if cell.state == RAN}
        failures = Counter(cell.note for cell in cells if cell.state == FAILED)
        facts["failures"] = "; ".join(f"{count} x {reason}" for reason, count in failures.items())
        compared = {} if methods[place] == DEFAULT else _compared(default - means[:, place], names)
        rows.append({**about, **facts, "versions": ", ".join(sorted(versions)), **numbers, **compared})
    for row, p in zip(rows, holm([row.get("p_holm", math.nan) for row in rows]), strict=True):
        row["p_holm"] = p
    by_rank = sorted(rows, key=lambda row: math.inf if math.isnan(row["rank"]) else row["rank"])
    return [Row(**row) for row in by_rank]


def _friedman(means: Vector) -> dict[str, float]:
    """Return the p-value of Friedman's test, and Nemenyi's critical difference of mean ranks."""
    n_sources, n_methods = means.shape
    if n_methods < 3 or n_sources < 2:
        return {"friedman_p": math.nan, "critical_difference": math.nan}
    quantile = studentized_range.ppf(1 - LEVEL, n_methods, math.inf) / math.sqrt(2)
    difference = quantile * math.sqrt(n_methods * (n_methods + 1) / (6 * n_sources))
    return {"friedman_p": float(friedmanchisquare(*means.round(9).T).pvalue), "critical_difference": difference}


def _compared(gap: Vector, names: Sequence[str]) -> dict[str, Any]:
    """Return mean, interval, effect size and tests of the gaps of the sources."""
    known = ~np.isnan(gap)
    gaps = gap[known]
    fresh = gaps[np.array([is_unseen(name) for name in names])[known]]
    drawn = np.random.default_rng(0).integers(0, len(gaps), (DRAWS, len(gaps)))
    low, high = np.quantile(gaps[drawn].mean(1), [0.025, 0.975])
    return {
        "difference": float(gaps.mean()),
        "low": float(low),
        "high": float(high),
        "effect": rank_biserial(gaps),
        "wins": int((gaps > TIE).sum()),
        "ties": int((np.abs(gaps) <= TIE).sum()),
        "losses": int((gaps < -TIE).sum()),
        "p_holm": signed_rank_p(gaps),
        "difference_unseen": float(fresh.mean()) if len(fresh) else math.nan,
        "p_unseen": signed_rank_p(fresh) if len(fresh) else math.nan,
    }


def rank_biserial(gaps: Vector) -> float:
    """Return the share of the rank sum of positive gaps minus that of negative ones; gaps of zero do not count."""
    known = gaps[gaps.round(9) != 0]
    if not len(known):
        return 0.0
    ranks = rankdata(np.abs(known).round(9))
    return float((ranks * np.sign(known)).sum() / ranks.sum())


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write the lines."""
    write_csv(path, [rounded(vars(row)) for row in rows])


def read_rows(path: Path) -> list[Row]:
    """Return the lines of a file that `write_rows` wrote."""
    kinds = {field.name: field.type for field in fields(Row)}
    return [Row(**{name: kinds[name](text) for name, text in line.items()}) for line in read_csv(path)]
