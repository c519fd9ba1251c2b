"""A table for each family, group and metric, with a line for each method: means, ranks, tests and coverage."""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import groupby, product
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from benchmarks.baselines import Baseline
from benchmarks.leaderboard.problems import FAMILIES
from benchmarks.leaderboard.results import FAILED, NOT_OFFERED, RAN, Cell, Results
from benchmarks.script import read_csv, rounded, write_csv
from benchmarks.significance import LEVEL, holm, p_over_sets

__all__ = [
    "ALL",
    "EXACT",
    "GROUPS",
    "LOSS",
    "SAME",
    "SLACK",
    "WELL_POPULATED",
    "Line",
    "Table",
    "read_summary",
    "summarise",
    "write_summary",
]

ALL = "all"
"""The family of the tables over all families."""

GROUPS = ("binary", "multiclass")
SLACK = 0.005
"""A score is worse than that of the untuned decisions if it is lower by more than this."""

SAME = 1e-9
"""Scores with a smaller difference are equal."""

WELL_POPULATED, LOSS = 20, 0.02
"""A problem is well populated if each class has so many tuning samples. Then a greater loss counts as lost."""

UNTUNED, EXACT = "untuned", "empirical"

Vector = npt.NDArray[np.float64]


@dataclass
class Line:
    """One method in one table. Unknown values are NaN; `difference`, `wins` and so on are those of the default."""

    method: str
    name: str
    versions: str
    ran: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    not_offered: dict[str, int] = field(default_factory=dict)
    stopped: dict[str, int] = field(default_factory=dict)
    mean: float = math.nan
    mean_common: float = math.nan
    rank: float = math.nan
    share_worse: float = math.nan
    worst: float = math.nan
    worst_well_populated: float = math.nan
    share_lost: float = math.nan
    seconds: float = math.nan
    difference: float = math.nan
    wins: int = 0
    ties: int = 0
    losses: int = 0
    p: float = math.nan
    p_holm: float = math.nan
    intervals: int = 0
    coverage: float = math.nan
    bias: float = math.nan
    width: float = math.nan
    times_exact: float = math.nan

    @property
    def verdict(self) -> int:
        """1 if the method is significantly better than the default, -1 if worse, 0 if the difference is not."""
        return -int(np.sign(self.difference)) if self.p_holm < LEVEL else 0


@dataclass
class Table:
    """The methods that ran on some problem of a family and group for a metric, and those that ran on none."""

    family: str
    group: str
    metric: str
    problems: int
    sets: int
    against: str
    lines: list[Line]
    absent: list[Line] = field(default_factory=list)

    @property
    def default(self) -> Line | None:
        """The line that the others are compared with, if it is there."""
        return next((line for line in self.lines if line.method == self.against), None)

    @property
    def others(self) -> list[Line]:
        """The other lines."""
        return [line for line in self.lines if line.method != self.against]


def summarise(
    problems: Sequence[Results], metrics: Sequence[str], methods: Mapping[str, Baseline], *, against: str
) -> list[Table]:
    """Return a table for each family, group and metric that has results, first those over all families."""
    families = [family for family in FAMILIES if any(r.family == family for r in problems)]
    tables = []
    for family, group, metric in product([ALL, *families] if len(families) > 1 else families, GROUPS, metrics):
        of_metric = [
            results
            for results in problems
            if family in (ALL, results.family)
            and (results.n_classes == 2) == (group == GROUPS[0])
            and results.cells.get(metric)
        ]
        lines, absent, complete = _lines(of_metric, metric, _tried(of_metric, metric, methods, family), against=against)
        if lines:
            n_sets = len({results.data for results in complete})
            tables.append(Table(family, group, metric, len(complete), n_sets, against, lines, absent))
    return tables


def _tried(
    problems: Sequence[Results], metric: str, methods: Mapping[str, Baseline], family: str
) -> Mapping[str, Baseline]:
    """Return the methods of a table: over all families, those that were tried on all problems."""
    if family != ALL:
        return methods
    return {m: method for m, method in methods.items() if all(m in r.cells[metric] for r in problems)}


def _lines(
    problems: Sequence[Results], metric: str, methods: Mapping[str, Baseline], *, against: str
) -> tuple[list[Line], list[Line], list[Results]]:
    """Return the methods that ran, by rank, those that did not, and the problems that were tried with each of them."""
    found = {m: [r.cells[metric][m] for r in problems if m in r.cells[metric]] for m in methods}
    shown = [m for m, cells in found.items() if any(cell.state == RAN for cell in cells)]
    absent = [Line(m, methods[m].name, **_states(found[m])) for m in methods if found[m] and m not in shown]
    complete = [r for r in problems if all(m in r.cells[metric] for m in shown)]
    if not (complete and shown):
        return [], absent, []
    cells = {m: [r.cells[metric][m] for r in complete] for m in shown}
    lines = _summaries(complete, cells, methods)
    if against in cells:
        _compare(lines, cells, complete, against=against)
    return sorted(lines, key=lambda line: line.rank), absent, complete


def _scores(cells: Sequence[Cell]) -> Vector:
    return np.array([math.nan if cell.score is None else cell.score for cell in cells])


def _seconds(cells: Sequence[Cell]) -> Vector:
    return np.array([math.nan if cell.seconds is None else cell.seconds for cell in cells])


def _summaries(
    problems: Sequence[Results], cells: Mapping[str, Sequence[Cell]], methods: Mapping[str, Baseline]
) -> list[Line]:
    scores = {method: _scores(of_method) for method, of_method in cells.items()}
    matrix = np.array(list(scores.values()))
    # Methods without a score on a problem share the last rank there.
    ranks = rankdata(np.where(np.isnan(matrix), np.inf, -matrix.round(9)), axis=0).mean(1)
    common = ~np.isnan(matrix).any(0)
    populated = np.array([results.smallest_class >= WELL_POPULATED for results in problems])
    untuned = scores.get(UNTUNED, np.full(len(problems), math.nan))
    return [
        Line(
            method=method,
            name=methods[method].name,
            rank=float(rank),
            mean_common=float(scores[method][common].mean()) if common.any() else math.nan,
            times_exact=_times(of_method, cells.get(EXACT)),
            **_states(of_method),
            **_statistics(of_method, scores[method] - untuned, populated),
            **_estimates(of_method),
        )
        for (method, of_method), rank in zip(cells.items(), ranks, strict=True)
    ]


def _states(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return on how many problems a method ran, why not on the others, and where it was stopped."""

    def reasons(counts: Callable[[Cell], bool]) -> dict[str, int]:
        return dict(Counter(cell.note for cell in cells if counts(cell)))

    return {
        "versions": ", ".join(sorted({cell.version for cell in cells})),
        "ran": sum(cell.state == RAN for cell in cells),
        "failed": {f"failed: {note}": n for note, n in reasons(lambda cell: cell.state == FAILED).items()},
        "not_offered": reasons(lambda cell: cell.state == NOT_OFFERED),
        "stopped": reasons(lambda cell: cell.state == RAN and cell.note.startswith("stopped")),
    }


def _statistics(cells: Sequence[Cell], gain: Vector, populated: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Return statistics of a method's scores and of its gains over the untuned decisions, where it ran."""
    return {
        "mean": float(np.nanmean(_scores(cells))),
        "share_worse": _share_below(gain, -SLACK),
        "worst": _least(gain),
        "worst_well_populated": _least(gain[populated]),
        "share_lost": _share_below(gain[populated], -LOSS),
        "seconds": float(np.nanmedian(_seconds(cells))),
    }


def _share_below(values: Vector, bound: float) -> float:
    known = values[~np.isnan(values)]
    return float((known < bound).mean()) if len(known) else math.nan


def _least(values: Vector) -> float:
    known = values[~np.isnan(values)]
    return float(known.min()) if len(known) else math.nan


def _times(cells: Sequence[Cell], exact: Sequence[Cell] | None) -> float:
    """Return how many times longer a fit takes than that of the in-sample optimum, the median over the problems."""
    ratios = np.array([]) if exact is None else _seconds(cells) / _seconds(exact)
    known = ratios[np.isfinite(ratios)]
    return float(np.median(known)) if len(known) else math.nan


def _estimates(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return how often the interval contains the test score, the mean error of the estimate, and the mean width."""
    known = [(*cell.estimate, cell.score) for cell in cells if cell.estimate is not None]
    if not known:
        return {}
    estimate, low, high, score = np.array(known).T
    return {
        "intervals": len(known),
        "coverage": math.nan if np.isnan(low).all() else float(np.mean((low <= score) & (score <= high))),
        "bias": float(np.mean(estimate - score)),
        "width": float(np.mean(high - low)),
    }


def _compare(
    lines: Sequence[Line], cells: Mapping[str, Sequence[Cell]], problems: Sequence[Results], *, against: str
) -> None:
    """Set how each method compares with the default on the problems where both ran."""
    sets = np.array([results.data for results in problems])
    default = _scores(cells[against])
    others = [line for line in lines if line.method != against]
    for line in others:
        gap = default - _scores(cells[line.method])
        both = ~np.isnan(gap)
        if not both.any():
            continue
        line.difference = float(gap[both].mean())
        line.wins, line.losses = int((gap[both] > SAME).sum()), int((gap[both] < -SAME).sum())
        line.ties = int(both.sum()) - line.wins - line.losses
        line.p = p_over_sets(gap[both], sets[both])
    for line, p in zip(others, holm([line.p for line in others]), strict=True):
        line.p_holm = p


def write_summary(path: Path, tables: Sequence[Table]) -> None:
    """Write a line for each table and method."""
    lines = []
    for table in tables:
        about = {name: getattr(table, name) for name in ("family", "group", "metric", "problems", "sets")}
        lines += [about | {name: _shown(x) for name, x in rounded(vars(line)).items()} for line in _all_lines(table)]
    write_csv(path, lines)


def _all_lines(table: Table) -> list[Line]:
    return [*table.lines, *table.absent]


def _shown(value: object) -> object:
    if isinstance(value, dict):
        return "; ".join(f"{count} x {reason}" for reason, count in value.items())
    return "" if value == "nan" else value


def read_summary(path: Path, *, against: str) -> list[Table]:
    """Return the tables of a file that `write_summary` wrote."""
    tables = []
    for of_table, rows in groupby(read_csv(path), key=itemgetter("family", "group", "metric")):
        found = list(rows)
        lines = [Line(**{f.name: _parsed(row[f.name], f.type) for f in fields(Line)}) for row in found]
        numbers = int(found[0]["problems"]), int(found[0]["sets"])
        ran, absent = ([line for line in lines if bool(line.ran) is some] for some in (True, False))
        tables.append(Table(*of_table, *numbers, against, ran, absent))
    return tables


def _parsed(text: str, kind: object) -> Any:
    if kind is float:
        return float(text or "nan")
    if kind in (int, str):
        return kind(text)
    return {reason: int(count) for count, reason in re.findall(r"(\d+) x (.*?)(?=; \d+ x |$)", text)}
