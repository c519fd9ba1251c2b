"""The result of each method on each problem, in one file per problem, so that an interrupted run can continue."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.baselines import ScoreEstimate
from benchmarks.leaderboard import packaged
from benchmarks.leaderboard import unseen as unseen_sets
from benchmarks.leaderboard.problems import FAMILIES, TuningProblem
from benchmarks.script import CACHE, write_csv, write_whole

__all__ = ["FAILED", "NOT_INSTALLED", "NOT_OFFERED", "RAN", "Cell", "Results", "load", "metrics_of", "write_runs"]

FOLDER = CACHE / "leaderboard"

RAN, FAILED, NOT_OFFERED = "ran", "failed", "not offered"
NOT_INSTALLED = "not installed"


@dataclass(frozen=True)
class Cell:
    """One method on one problem for one metric: its test score, or the reason why there is none."""

    state: str
    version: str
    note: str = ""
    score: float | None = None
    seconds: float | None = None
    estimate: ScoreEstimate | None = None


@dataclass
class Results:
    """All cells of a problem, by metric and method, and what the summary needs of the problem."""

    name: str
    family: str
    data: str
    model: str
    seed: int
    n_samples: int
    n_classes: int
    smallest_class: int
    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: TuningProblem) -> "Results":
        """Return what is stored of a problem, nothing if it is of other samples."""
        smallest = min(int((problem.y == c).sum()) for c in range(problem.n_classes))
        about = problem.name, problem.family, problem.data, problem.model, problem.seed
        fresh = cls(*about, len(problem.y), problem.n_classes, smallest)
        if fresh.path.exists():
            stored = cls.read(fresh.path)
            if (stored.n_samples, stored.smallest_class) == (fresh.n_samples, fresh.smallest_class):
                return stored
        return fresh

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Return the content of a file."""
        stored = json.loads(path.read_text())
        for cells in stored["cells"].values():
            for method, values in cells.items():
                estimate = values.pop("estimate")
                cells[method] = Cell(**values, estimate=None if estimate is None else ScoreEstimate(*estimate))
        return cls(**stored)

    @property
    def path(self) -> Path:
        """The problem's file."""
        return FOLDER / f"{self.name}.json"

    def write(self) -> None:
        """Store the results."""
        write_whole(self.path, json.dumps(asdict(self)))

    def missing(self, metrics: Sequence[str], methods: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield each metric and method without a cell, or whose library was not installed."""
        for metric in metrics_of(self.n_classes, metrics):
            for method in methods:
                cell = self.cells.get(metric, {}).get(method)
                if cell is None or cell.note == NOT_INSTALLED:
                    yield metric, method

    def drop(self, metrics: Sequence[str], methods: Collection[str]) -> None:
        """Remove the cells of these methods."""
        for metric in metrics:
            self.cells[metric] = {k: cell for k, cell in self.cells.get(metric, {}).items() if k not in methods}


def metrics_of(n_classes: int, metrics: Sequence[str]) -> list[str]:
    """Return the metrics of such a problem: only binary problems have F1, that of the minority class."""
    return [metric for metric in metrics if n_classes == 2 or metric != "f1"]


def load(
    *, seeds: int | None, sets: Collection[str] | None, families: Collection[str], unseen: bool = False
) -> list[Results]:
    """Return the stored problems of these families and data sets, and of the first seeds, as many as the family has.

    They are those of the data sets of `unseen`, or those of the folder.
    """
    found = (Results.read(path) for path in sorted(FOLDER.glob("*.json")))
    return [
        results
        for results in found
        if results.family in families
        and results.seed < (FAMILIES[results.family].seeds if seeds is None else seeds)
        and (sets is None or results.data in sets)
        and results.data.startswith(unseen_sets.PREFIX) is unseen
        and not results.data.startswith(packaged.PREFIX)
    ]


def write_runs(path: Path, problems: Sequence[Results], metrics: Sequence[str], methods: Collection[str]) -> None:
    """Write every score: a line for each problem and metric, a column for each method."""
    lines = []
    for problem in problems:
        facts = {name: value for name, value in vars(problem).items() if name not in ("name", "cells")}
        for metric in metrics_of(problem.n_classes, metrics):
            cells = problem.cells.get(metric, {})
            scores = {method: cells[method].score if method in cells else None for method in methods}
            shown = {method: "" if score is None else f"{score:.6f}" for method, score in scores.items()}
            lines.append({**facts, "metric": metric, **shown})
    write_csv(path, lines)
