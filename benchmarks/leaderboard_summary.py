"""What the single results amount to: a table for each group of problems and metric, a line for each method."""

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from leaderboard_results import FAILED, NOT_OFFERED, RAN, Cell, Results
from rivals import Rival
from scipy.stats import rankdata, wilcoxon

__all__ = ["EXACT", "GROUPS", "LEVEL", "SLACK", "WELL_POPULATED", "Line", "Table", "summarise", "write_summary"]

GROUPS = ("two classes", "several classes")
SLACK = 0.005
"""A score that much below the untuned one is worse than untuned."""

SAME = 1e-9
"""Scores that close are a tie."""

LEVEL = 0.05
"""Methods whose difference has a larger p, after Holm, tie."""

WELL_POPULATED = 20
"""Tuning rows in the smallest class of what counts as a well-populated problem."""

BASELINE, EXACT = "untuned", "empirical"

Vector = npt.NDArray[np.float64]


@dataclass
class Line:
    """One method in one table. What is not known is NaN; `difference`, `wins` and so on are the default's."""

    method: str
    name: str
    versions: str
    ran: int
    failed: dict[str, int]
    not_offered: dict[str, int]
    stopped: dict[str, int]
    mean: float
    mean_common: float
    rank: float
    share_worse: float
    worst: float
    worst_well_populated: float
    seconds: float
    difference: float = math.nan
    wins: int = 0
    ties: int = 0
    losses: int = 0
    p: float = math.nan
    p_holm: float = math.nan
    promises: int = 0
    coverage: float = math.nan
    bias: float = math.nan
    width: float = math.nan
    times_exact: float = math.nan

    @property
    def ties_with_default(self) -> bool:
        """Whether the difference to the default may be chance."""
        return self.p_holm >= LEVEL


@dataclass
class Table:
    """All methods that ran on some problem of a group for a metric, and why the others did not."""

    group: str
    metric: str
    problems: list[Results]
    against: str
    lines: list[Line]
    absent: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def default(self) -> Line | None:
        """The line that the others are compared with, if it is there."""
        return next((line for line in self.lines if line.method == self.against), None)

    @property
    def rivals(self) -> list[Line]:
        """The other lines."""
        return [line for line in self.lines if line.method != self.against]

    @property
    def n_sets(self) -> int:
        """The number of data sets."""
        return len({results.data for results in self.problems})


def summarise(
    problems: Sequence[Results], metrics: Sequence[str], methods: Mapping[str, Rival], *, against: str
) -> list[Table]:
    """Return a table for each group and metric that has results."""
    tables = []
    for group in GROUPS:
        members = [r for r in problems if (r.n_classes == 2) == (group == GROUPS[0])]
        for metric in metrics:
            of_metric = [r for r in members if r.cells.get(metric)]
            table = _table(group, metric, of_metric, methods, against=against)
            if table.lines:
                tables.append(table)
    return tables


def _table(group: str, metric: str, problems: list[Results], methods: Mapping[str, Rival], *, against: str) -> Table:
    """Summarise the problems on which each method that ran anywhere was at least tried."""
    found = {m: [r.cells[metric][m] for r in problems if m in r.cells[metric]] for m in methods}
    shown = [m for m, cells in found.items() if any(cell.state == RAN for cell in cells)]
    absent = {methods[m].name: _reasons(found[m], FAILED, NOT_OFFERED) for m in methods if found[m] and m not in shown}
    complete = [r for r in problems if all(m in r.cells[metric] for m in shown)]
    if not (complete and shown):
        return Table(group, metric, [], against, [])
    cells = {m: [r.cells[metric][m] for r in complete] for m in shown}
    lines = _lines(complete, cells, methods)
    if against in cells:
        _compare(lines, cells, complete, against=against)
    return Table(group, metric, complete, against, sorted(lines, key=lambda line: line.rank), absent)


def _reasons(cells: Sequence[Cell], *states: str) -> dict[str, int]:
    """Return how often each reason was given."""
    told = (f"failed: {cell.note}" if cell.state == FAILED else cell.note for cell in cells if cell.state in states)
    return dict(Counter(told))


def _scores(cells: Sequence[Cell]) -> Vector:
    return np.array([math.nan if cell.score is None else cell.score for cell in cells])


def _seconds(cells: Sequence[Cell]) -> Vector:
    return np.array([math.nan if cell.seconds is None else cell.seconds for cell in cells])


def _lines(
    problems: Sequence[Results], cells: Mapping[str, Sequence[Cell]], methods: Mapping[str, Rival]
) -> list[Line]:
    scores = {method: _scores(of_method) for method, of_method in cells.items()}
    matrix = np.array(list(scores.values()))
    # Whoever has no score on a problem comes last there, together with all others that have none.
    ranks = rankdata(np.where(np.isnan(matrix), np.inf, -matrix.round(9)), axis=0).mean(1)
    common = ~np.isnan(matrix).any(0)
    populated = np.array([results.smallest_class >= WELL_POPULATED for results in problems])
    untuned = scores.get(BASELINE, np.full(len(problems), math.nan))
    return [
        Line(
            method=method,
            name=methods[method].name,
            rank=float(rank),
            mean_common=float(scores[method][common].mean()) if common.any() else math.nan,
            times_exact=_times(of_method, cells.get(EXACT)),
            **_states(of_method),
            **_statistics(of_method, scores[method] - untuned, populated),
            **_kept_promises(of_method),
        )
        for (method, of_method), rank in zip(cells.items(), ranks, strict=True)
    ]


def _states(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return on how many problems a method ran, why not on the others, and where it was stopped."""
    return {
        "versions": ", ".join(sorted({cell.version for cell in cells})),
        "ran": sum(cell.state == RAN for cell in cells),
        "failed": _reasons(cells, FAILED),
        "not_offered": _reasons(cells, NOT_OFFERED),
        "stopped": _reasons([cell for cell in cells if cell.note.startswith("stopped")], RAN),
    }


def _statistics(cells: Sequence[Cell], gain: Vector, populated: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Return what a method's scores and its gains over the untuned ones come to, where it ran."""
    known = gain[~np.isnan(gain)]
    return {
        "mean": float(np.nanmean(_scores(cells))),
        "share_worse": float((known < -SLACK).mean()) if len(known) else math.nan,
        "worst": _least(gain),
        "worst_well_populated": _least(gain[populated]),
        "seconds": float(np.nanmedian(_seconds(cells))),
    }


def _least(values: Vector) -> float:
    known = values[~np.isnan(values)]
    return float(known.min()) if len(known) else math.nan


def _times(cells: Sequence[Cell], exact: Sequence[Cell] | None) -> float:
    """Return how many times longer a fit takes than that of the in-sample optimum, the median over the problems."""
    ratios = np.array([]) if exact is None else _seconds(cells) / _seconds(exact)
    known = ratios[np.isfinite(ratios)]
    return float(np.median(known)) if len(known) else math.nan


def _kept_promises(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return how often a score lies in the interval foretold, by how much it is less, and how wide that is."""
    kept = [(cell.promise, cell.score) for cell in cells if cell.promise is not None]
    if not kept:
        return {}
    return {
        "promises": len(kept),
        "coverage": float(np.mean([promise.low <= score <= promise.high for promise, score in kept])),
        "bias": float(np.mean([promise.score - score for promise, score in kept])),
        "width": float(np.mean([promise.high - promise.low for promise, _ in kept])),
    }


def _compare(
    lines: Sequence[Line], cells: Mapping[str, Sequence[Cell]], problems: Sequence[Results], *, against: str
) -> None:
    """Fill in how each method compares with the default, on the problems where both ran."""
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
        line.p = _p([gap[both & (sets == name)].mean() for name in np.unique(sets[both])])
    for line, p in zip(others, holm([line.p for line in others]), strict=True):
        line.p_holm = p


def _p(differences: Sequence[float]) -> float:
    """Return the p-value of the signed-rank test; each data set is one observation, whatever its models and seeds."""
    rounded = np.round(differences, 9)  # else rounding errors would break ties
    return float(wilcoxon(rounded).pvalue) if rounded.any() else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number by Holm's step-down rule; NaN stays and does not count."""
    p = np.asarray(p_values, dtype=float)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known])]
    corrected = np.full(len(p), math.nan)
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return corrected.tolist()


def write_summary(path: Path, tables: Sequence[Table]) -> None:
    """Write a line for each table and method."""
    names = [f.name for f in fields(Line)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["group", "metric", "problems", "sets", *names])
        for table in tables:
            for line in table.lines:
                values = (_shown(getattr(line, name)) for name in names)
                writer.writerow([table.group, table.metric, len(table.problems), table.n_sets, *values])


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{count} x {reason}" for reason, count in value.items())
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value)
