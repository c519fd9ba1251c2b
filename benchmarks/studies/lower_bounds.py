"""How often a lower bound is satisfied on unseen data: precision subject to recall of at least 0.9, binary problems.

``python -m benchmarks.studies.lower_bounds --csv benchmarks/results/floors.csv``: about two minutes on one core.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from time import process_time
from types import SimpleNamespace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.metrics import make_scorer
from sklearn.model_selection import TunedThresholdClassifierCV

from benchmarks.baselines._stored import StoredScores
from benchmarks.leaderboard.problems import SEEDS, TuningProblem, all_problems
from benchmarks.script import options, progress, report
from skimbalance import OffsetTuner
from skimbalance.goals import AtLeast

LOWER_BOUND = 0.9

Codes = npt.NDArray[np.int64]
Decide = Callable[[npt.NDArray[np.float64]], Codes]


@dataclass(frozen=True)
class Run:
    """Recall and precision on the test samples, and the seconds of the fit."""

    recall: float
    precision: float
    seconds: float


def rates(y: Codes, decided: Codes) -> tuple[float, float]:
    """Return recall and precision of class 1; precision is zero if it is never predicted."""
    true_positives = np.count_nonzero((y == 1) & (decided == 1))
    return true_positives / max(1, np.count_nonzero(y == 1)), true_positives / max(1, np.count_nonzero(decided == 1))


def penalised(y: Codes, decided: Codes) -> float:
    """Return the precision if the lower bound is satisfied, and a negative number otherwise."""
    recall, precision = rates(y, decided)
    return precision if recall >= LOWER_BOUND else recall - 1


def ours(
    estimate: str, confidence: float | None, new_samples: Literal["as_many"] | None = None
) -> Callable[[npt.NDArray[np.float64], Codes], Decide]:
    """Return a fit with the lower bound as a constraint."""

    def fit(proba: npt.NDArray[np.float64], y: Codes) -> Decide:
        constraints = [AtLeast("recall", LOWER_BOUND, confidence=confidence, new_samples=new_samples)]
        tuner = OffsetTuner("precision", constraints=constraints, estimate=estimate, confidence_level=None)
        return tuner.fit(proba, y).predict

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
    'skimbalance, confidence=0.8, new_samples="as_many"': ours("robust", 0.8, "as_many"),
    'skimbalance, confidence=0.95, new_samples="as_many"': ours("robust", 0.95, "as_many"),
    'skimbalance, estimate="empirical"': ours("empirical", None),
    "sklearn, penalised score": scikit_learn,
    "tunethresholds, penalised score": tunethresholds,
}


def run(problem: TuningProblem) -> dict[str, Run]:
    """Fit every method, and evaluate it on the test samples."""
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
                "bound satisfied": round(float(np.mean(recalls >= LOWER_BOUND)), 3),
                "mean recall": round(float(recalls.mean()), 4),
                "mean precision": round(float(np.mean([each.precision for each in runs])), 4),
                "median ms": round(1e3 * float(np.median([each.seconds for each in runs])), 2),
            }
        )
    return lines


def main() -> None:
    """Run all problems, print and write the table."""
    asked = options(__doc__, data="the data sets", seeds=len(SEEDS), sets=True, writes="the table").parse_args()
    warnings.simplefilter("ignore")
    problems = all_problems(asked.data, seeds=range(asked.seeds), sets=asked.sets, families=["plain"])
    binary = (problem for problem in problems if problem.n_classes == 2)
    runs = [run(problem) for problem in progress(binary, lambda problem: problem.label)]
    report(summary(runs), asked.csv)


if __name__ == "__main__":
    main()
