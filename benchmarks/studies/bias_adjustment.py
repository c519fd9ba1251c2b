"""Test scores of Bias Adjustment by the precision of its search, compared with the optimal threshold.

``python -m benchmarks.studies.bias_adjustment --data FOLDER`` prints a table; see ``benchmarks/README.md``.
"""

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from time import process_time

import numpy as np
import numpy.typing as npt

from benchmarks import baselines
from benchmarks.leaderboard.problems import TuningProblem, all_problems
from benchmarks.leaderboard.results import metrics_of
from benchmarks.leaderboard.summary import SAME
from benchmarks.script import markdown, options, progress, rounded, write_csv
from skimbalance import OffsetTuner
from skimbalance._core.decision import decide
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import get_metric
from skimbalance.solvers import Fit, Problem, adjust_biases, fit_present_classes, solve

METRICS = ("f1", "f1_macro", "geometric_mean")

Vector = npt.NDArray[np.float64]
Search = Callable[[TuningProblem, str], Vector]


def by_fit(problem: TuningProblem, metric: str, *, fit: Fit) -> Vector:
    """Return the offsets that a solver finds on the tuning samples."""
    truth = Truth.from_codes(problem.y, n_classes=problem.n_classes)
    return fit_present_classes(Problem(problem.scores, truth, get_metric(metric).bind(1)), fit).offsets


def by_default(problem: TuningProblem, metric: str) -> Vector:
    """Return the offsets of the package's default."""
    tuner = OffsetTuner(metric, kind="logits", confidence_level=None)
    return tuner.fit(problem.scores, problem.y, classes=np.arange(problem.n_classes)).offsets_


METHODS: dict[str, Search] = {
    "none": lambda problem, _: np.zeros(problem.n_classes),
    **{
        f"Bias Adjustment, 1e-{precision}": partial(by_fit, fit=partial(adjust_biases, precision=precision))
        for precision in (1, 2, 3)
    },
    "in-sample optimum": partial(by_fit, fit=solve),
    "default": by_default,
}
AGAINST = "in-sample optimum"


@dataclass(frozen=True)
class Line:
    """The scores of one method on one problem for one metric."""

    data: str
    model: str
    seed: int
    n_classes: int
    metric: str
    method: str
    tuning_score: float
    test_score: float
    seconds: float


def lines(problem: TuningProblem) -> Iterator[Line]:
    """Yield a line for each metric and method."""
    for metric in metrics_of(problem.n_classes, METRICS):
        value = partial(baselines.value_of, metric, n_classes=problem.n_classes)
        for method, search in METHODS.items():
            start = process_time()
            offsets = search(problem, metric)
            seconds = process_time() - start
            tuned = value(problem.y, decide(problem.scores, offsets))
            test = value(problem.y_test, decide(problem.scores_test, offsets), weight=problem.test_weight)
            about = (problem.data, problem.model, problem.seed, problem.n_classes)
            yield Line(*about, metric, method, tuned, test, seconds)


def table(found: Sequence[Line]) -> str:
    """Return means over problems, and how often a method is better or worse than the in-sample optimum."""
    rows = []
    for group in ("binary", "multiclass"):
        for metric in METRICS:
            chosen = [line for line in found if line.metric == metric and (line.n_classes > 2) == (group != "binary")]
            by_method = {method: [line for line in chosen if line.method == method] for method in METHODS}
            for method, own in by_method.items() if chosen else ():
                tuned, test, seconds = np.asarray([(x.tuning_score, x.test_score, x.seconds) for x in own]).T
                difference = test - np.asarray([line.test_score for line in by_method[AGAINST]])
                wins, losses = int(np.sum(difference > SAME)), int(np.sum(difference < -SAME))
                means = [f"{tuned.mean():.4f}", f"{test.mean():.4f}", f"{difference.mean():+.4f}"]
                counts = f"{wins}/{len(own) - wins - losses}/{losses}"
                rows.append([group, metric, method, len(own), *means, counts, f"{seconds.mean():.3f}"])
    head = ["classes", "metric", "method", "problems", "tuning samples", "test samples", "minus the optimum's"]
    return markdown([*head, "wins/ties/losses", "s"], rows, text=3)


def main() -> None:
    """Print the table, and write every score."""
    asked = options(__doc__, data="the data sets", seeds=1, sets=True, writes="every score").parse_args()
    warnings.simplefilter("ignore")
    problems = list(all_problems(asked.data, seeds=range(asked.seeds), sets=asked.sets, families=["plain"]))
    if not problems:
        sys.exit(f"no problems in {asked.data}")
    found = [line for problem in progress(problems, lambda problem: problem.label) for line in lines(problem)]
    print(table(found))
    if asked.csv:
        write_csv(asked.csv, [rounded(asdict(line)) for line in found])


if __name__ == "__main__":
    main()
