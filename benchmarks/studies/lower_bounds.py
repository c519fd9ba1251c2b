"""How often a floor holds on new rows: precision under a recall of at least 0.9, on the two-class problems.

``python benchmarks/floors.py --csv benchmarks/results/floors.csv``: about ten minutes on one core.
"""

import argparse
import csv
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
from benchmarks.leaderboard.problems import SEEDS, TuningProblem, all_problems
from benchmarks.baselines.sklearn_tuned_threshold import StoredScores
from scipy.special import expit
from sklearn.metrics import make_scorer
from sklearn.model_selection import TunedThresholdClassifierCV

from skimbalance import OffsetTuner
from skimbalance.goals import AtLeast

FLOOR = 0.9

Codes = npt.NDArray[np.int64]
Decide = Callable[[npt.NDArray[np.float64]], Codes]


@dataclass(frozen=True)
class Run:
    """What decisions achieved on the test rows, and how long it took to find them."""

    recall: float
    precision: float
    seconds: float


def rates(y: Codes, decided: Codes) -> tuple[float, float]:
    """Return recall and precision of class 1; a precision of nothing predicted is zero."""
    hits = np.count_nonzero((y == 1) & (decided == 1))
    return hits / max(1, np.count_nonzero(y == 1)), hits / max(1, np.count_nonzero(decided == 1))


def penalised(y: Codes, decided: Codes) -> float:
    """Return the precision where the floor is met, and less than nothing where it is not: the usual way out."""
    recall, precision = rates(y, decided)
    return precision if recall >= FLOOR else recall - 1


def ours(estimate: str, confidence: float | None) -> Callable[[npt.NDArray[np.float64], Codes], Decide]:
    """Return the floor as a constraint."""

    def fit(proba: npt.NDArray[np.float64], y: Codes) -> Decide:
        goal = AtLeast("recall", FLOOR, confidence=confidence)
        return (
            OffsetTuner("precision", constraints=[goal], estimate=estimate, confidence_level=None).fit(proba, y).predict
        )

    return fit


def scikit_learn(proba: npt.NDArray[np.float64], y: Codes) -> Decide:
    """Tune scikit-learn's threshold for the penalised score."""
    tuned = TunedThresholdClassifierCV(
        StoredScores().fit(None, None), scoring=make_scorer(penalised), cv="prefit", refit=False
    )
    tuned.fit(proba[:, None], y)
    return lambda new: tuned.predict(new[:, None])


def tunethresholds(proba: npt.NDArray[np.float64], y: Codes) -> Decide:
    """Tune the weights of tunethresholds for the penalised score."""
    from tunethresholds import AdjustedProbabilitiesDerivedModel

    np.random.seed(0)  # noqa: NPY002 - it takes no seed
    columns = np.column_stack([1 - proba, proba])
    tuned = AdjustedProbabilitiesDerivedModel.adjust_model_decision_thresholds(
        SimpleNamespace(classes_=np.arange(2)), y, score_func=penalised, predicted_probabilities_validation=columns
    )
    return lambda new: (np.column_stack([1 - new, new]) * tuned.class_weights).argmax(1)


METHODS = {
    "skimbalance": ours("robust", None),
    "skimbalance, confidence=0.8": ours("robust", 0.8),
    "skimbalance, confidence=0.95": ours("robust", 0.95),
    'skimbalance, estimate="empirical"': ours("empirical", None),
    "sklearn, penalised score": scikit_learn,
    "tunethresholds, penalised score": tunethresholds,
}


def run(problem: TuningProblem) -> dict[str, Run]:
    """Fit every method, and judge it on the test rows."""
    proba, proba_test = (expit(scores[:, 1] - scores[:, 0]) for scores in (problem.scores, problem.scores_test))
    runs = {}
    for name, fit in METHODS.items():
        begin = process_time()
        decide = fit(proba, problem.y)
        seconds = process_time() - begin
        runs[name] = Run(*rates(problem.y_test, np.asarray(decide(proba_test))), seconds)
    return runs


def summary(all_runs: list[dict[str, Run]]) -> list[dict[str, object]]:
    """Return a line for each method."""
    lines = []
    for name in METHODS:
        runs = [each[name] for each in all_runs]
        recalls = np.array([each.recall for each in runs])
        lines.append(
            {
                "method": name,
                "problems": len(runs),
                "floor held": round(float(np.mean(recalls >= FLOOR)), 3),
                "mean recall": round(float(recalls.mean()), 4),
                "mean precision": round(float(np.mean([each.precision for each in runs])), 4),
                "median ms": round(1e3 * float(np.median([each.seconds for each in runs])), 2),
            }
        )
    return lines


def main() -> None:
    """Run all, print the table, write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data sets")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many seeds (default %(default)s)")
    parser.add_argument("--csv", type=Path, metavar="PATH", help="write the table there")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    begin, all_runs = perf_counter(), []
    for problem in all_problems(asked.data, seeds=range(asked.seeds)):
        if problem.n_classes > 2:
            continue
        all_runs.append(run(problem))
        print(f"{len(all_runs):4} {problem.data:22} {problem.model:9} {perf_counter() - begin:6.0f} s", file=sys.stderr)
    lines = summary(all_runs)
    for line in lines:
        print("  ".join(f"{key}: {value}" for key, value in line.items()))
    if asked.csv:
        with asked.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)


if __name__ == "__main__":
    main()
