"""What came of each method on each problem: kept in a file per problem, so that a run can go on where it stopped."""

import csv
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from problems import CACHE, TuningProblem
from rivals import Promise

__all__ = ["FAILED", "NOT_OFFERED", "RAN", "Cell", "Results", "load", "metrics_of", "write_runs"]

FOLDER = CACHE / "leaderboard"

RAN, FAILED, NOT_OFFERED = "ran", "failed", "not offered"


@dataclass(frozen=True)
class Cell:
    """One method on one problem for one metric: its score on the test rows, or the reason why there is none."""

    state: str
    version: str
    note: str = ""
    score: float | None = None
    seconds: float | None = None
    promise: Promise | None = None


@dataclass
class Results:
    """All cells of a problem, by metric and method, and what the summary needs to know of the problem."""

    data: str
    model: str
    seed: int
    n_rows: int
    n_classes: int
    smallest_class: int
    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: TuningProblem) -> "Results":
        """Return what is stored of a problem, nothing if it is not of the same rows."""
        counts = [int((problem.y == c).sum()) for c in range(problem.n_classes)]
        fresh = cls(problem.data, problem.model, problem.seed, len(problem.y), problem.n_classes, min(counts))
        if fresh.path.exists():
            stored = cls.read(fresh.path)
            if (stored.n_rows, stored.smallest_class) == (fresh.n_rows, fresh.smallest_class):
                return stored
        return fresh

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Return what a file holds."""
        stored = json.loads(path.read_text())
        cells = {
            metric: {method: _cell(values) for method, values in of_metric.items()}
            for metric, of_metric in stored.pop("cells").items()
        }
        return cls(**stored, cells=cells)

    @property
    def path(self) -> Path:
        """The problem's file."""
        return FOLDER / f"{self.data}-{self.model}-{self.seed}.json"

    def write(self) -> None:
        """Write the file whole or not at all: the run may be cut off at any time."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".part")
        unfinished.write_text(json.dumps(asdict(self)))
        unfinished.replace(self.path)

    def missing(self, metrics: Sequence[str], methods: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield metric and method of what is still to be computed."""
        for metric in metrics_of(self.n_classes, metrics):
            for method in methods:
                if method not in self.cells.get(metric, {}):
                    yield metric, method

    def drop(self, metrics: Sequence[str], methods: Collection[str]) -> None:
        """Forget these methods, so that they are missing again."""
        for metric in metrics:
            self.cells[metric] = {k: cell for k, cell in self.cells.get(metric, {}).items() if k not in methods}


def _cell(values: dict) -> Cell:
    promise = values.pop("promise")
    return Cell(**values, promise=None if promise is None else Promise(*promise))


def metrics_of(n_classes: int, metrics: Sequence[str]) -> list[str]:
    """Return the metrics that such a problem has: F1 is that of the rarer of two classes."""
    return [metric for metric in metrics if n_classes == 2 or metric != "f1"]


def load(*, seeds: int, sets: Collection[str] | None) -> list[Results]:
    """Return all stored problems of the sets and of the first `seeds` seeds."""
    found = (Results.read(path) for path in sorted(FOLDER.glob("*.json")))
    return [r for r in found if r.seed < seeds and (sets is None or r.data in sets)]


def write_runs(path: Path, problems: Sequence[Results], metrics: Sequence[str], methods: Collection[str]) -> None:
    """Write every single score: a line for each problem and metric, a column for each method."""
    about = ("data", "model", "seed", "n_rows", "n_classes", "smallest_class")
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*about, "metric", *methods])
        for problem in problems:
            for metric in metrics_of(problem.n_classes, metrics):
                cells = problem.cells.get(metric, {})
                scores = (cells[m].score if m in cells else None for m in methods)
                shown = ["" if score is None else f"{score:.6f}" for score in scores]
                writer.writerow([*(getattr(problem, name) for name in about), metric, *shown])
