"""What offsets that lose on held-out rows are worth on test rows: none of them, the share that is kept, and all.

``python benchmarks/strength.py --csv benchmarks/results/strength.csv``: about half an hour on one core.
"""

import argparse
import csv
import sys
import warnings
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from benchmarks.leaderboard.problems import TuningProblem, all_problems
from benchmarks.baselines import value_of

from skimbalance._core.decision import decide
from skimbalance._core.scores import log_scores
from skimbalance.estimation import Estimation, cross_fit, in_turn
from skimbalance.metrics.counts import Truth
from skimbalance.solvers import Problem, fit_present_classes
from skimbalance.tuner.objective import resolve_metric

METRICS = ("f1", "f1_macro", "geometric_mean", "matthews_corrcoef")
FEW_ROWS = 400
MOST_SCORES = 30_000
HARM = 0.005


@dataclass(frozen=True)
class Fit:
    """The share of the offsets that was kept, and the metric on test rows with none, that share and all of them."""

    data: str
    model: str
    seed: int
    rows: int
    metric: str
    strength: float
    none: float
    kept: float
    full: float


def fits(problem: TuningProblem, n_rows: int) -> Iterator[Fit]:
    """Tune on so many of the rows, drawn at random, for every metric."""
    rows = np.random.default_rng(problem.seed + 7).permutation(len(problem.y))[:n_rows]
    y, n_classes = problem.y[rows], problem.n_classes
    if len(np.unique(y)) < 2:
        return
    scores, test = (log_scores(each, kind="logits") for each in (problem.scores[rows], problem.scores_test))
    estimation = Estimation("robust", 8, 0.9, 0, in_turn, lambda _: None)
    for name in METRICS if n_classes == 2 else METRICS[1:]:
        metric = resolve_metric(name, np.arange(n_classes), None)
        here = Problem(scores, Truth.from_codes(y, n_classes=n_classes), metric)
        strength = cross_fit(here, estimation._fit(fold=True), seed=0, run=in_turn).strength()
        offsets = np.asarray(fit_present_classes(here, estimation._fit()).offsets)
        decided = (np.asarray(decide(test, share * offsets)) for share in (0.0, strength, 1.0))
        values = (
            value_of(name, problem.y_test, each, n_classes=n_classes, weight=problem.test_weight) for each in decided
        )
        yield Fit(problem.data, problem.model, problem.seed, len(rows), name, strength, *values)


def summary(runs: list[Fit]) -> Iterator[str]:
    """Say what the shares were worth."""
    for name, chosen in (
        ("all fits", runs),
        ("that lose", [run for run in runs if run.strength < 1]),
        ("kept in part", [run for run in runs if 0 < run.strength < 1]),
    ):
        values = np.array([(run.none, run.kept, run.full) for run in chosen])
        none, kept, full = values.mean(axis=0)
        harmed = (values[:, 1:] < values[:, :1] - HARM).mean(axis=0)
        yield (
            f"{name}: {len(chosen)}; on test rows {none:.4f} without offsets, {kept:.4f} as kept, {full:.4f} with all; "
            f"worse than none by more than {HARM}: {harmed[0]:.1%} as kept, {harmed[1]:.1%} with all"
        )


def main() -> None:
    """Run every problem, write the fits, and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data sets")
    parser.add_argument("--seeds", type=int, default=2, help="how many seeds (default %(default)s)")
    parser.add_argument("--csv", type=Path, metavar="PATH", help="write every fit there")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    runs = []
    for problem in all_problems(asked.data, seeds=range(asked.seeds)):
        if problem.scores.size <= MOST_SCORES:
            for n_rows in sorted({len(problem.y), min(FEW_ROWS, len(problem.y))}):
                runs += fits(problem, n_rows)
            print(f"{problem.data} {problem.model} {problem.seed}: {len(runs)} fits", file=sys.stderr, flush=True)
    if asked.csv:
        with asked.csv.open("w", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(field.name for field in fields(Fit))
            out.writerows([f"{x:.6g}" if isinstance(x, float) else x for x in astuple(run)] for run in runs)
    print("\n".join(summary(runs)))


if __name__ == "__main__":
    main()
