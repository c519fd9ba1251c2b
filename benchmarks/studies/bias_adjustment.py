"""How well Bias Adjustment does on test rows, by the precision of its search, beside moving the threshold exactly.

``python benchmarks/bias_adjustment.py --data FOLDER`` prints a table; see README.md beside this file.
"""

import argparse
import csv
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import numpy.typing as npt
from benchmarks import baselines
from benchmarks.leaderboard.results import metrics_of
from benchmarks.leaderboard.problems import TuningProblem, all_problems

from skimbalance import OffsetTuner
from skimbalance._core.decision import decide
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import get_metric
from skimbalance.solvers import Fit, Problem, adjust_biases, fit_present_classes, solve

METRICS = ("f1", "f1_macro", "geometric_mean")

Vector = npt.NDArray[np.float64]
Search = Callable[[TuningProblem, str], Vector]


def by_fit(problem: TuningProblem, metric: str, *, fit: Fit) -> Vector:
    """Return the offsets that a solver finds on the tuning rows."""
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
    """What one method did on one problem for one metric."""

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


def table(found: Sequence[Line]) -> Iterator[str]:
    """Yield the lines of a table: means over problems, and how often the in-sample optimum is better or worse."""
    yield "| classes | metric | method | problems | tuning rows | test rows | less the optimum's | won/tied/lost | s |"
    yield "|---|---|---|--:|--:|--:|--:|--:|--:|"
    for several in (False, True):
        for metric in METRICS:
            chosen = [line for line in found if line.metric == metric and (line.n_classes > 2) == several]
            by_method = {method: [line for line in chosen if line.method == method] for method in METHODS}
            for method, own in by_method.items() if chosen else ():
                tuned, test, seconds = np.asarray([(x.tuning_score, x.test_score, x.seconds) for x in own]).T
                ahead = test - np.asarray([line.test_score for line in by_method[AGAINST]])
                marks = [int(np.sum(ahead > 1e-9)), int(np.sum(abs(ahead) <= 1e-9)), int(np.sum(ahead < -1e-9))]
                figures = f"{tuned.mean():.4f} | {test.mean():.4f} | {ahead.mean():+.4f} | {'/'.join(map(str, marks))}"
                about = f"{'several' if several else 'two'} | {metric} | {method} | {len(own)}"
                yield f"| {about} | {figures} | {seconds.mean():.3f} |"


def main() -> None:
    """Print the table, and write every single score where told."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data sets")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds (default %(default)s)")
    parser.add_argument("--sets", nargs="+", metavar="SET", help="these data sets only")
    parser.add_argument("--csv", type=Path, help="write every single score there")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    problems = list(all_problems(options.data, seeds=range(options.seeds), sets=options.sets))
    if not problems:
        sys.exit(f"no problems in {options.data}")
    found: list[Line] = []
    begin = perf_counter()
    for number, problem in enumerate(problems, start=1):
        found += lines(problem)
        about = f"{number:4}/{len(problems)} {problem.data:25} {problem.model:9} seed {problem.seed}"
        print(f"{about} {perf_counter() - begin:5.0f} s", file=sys.stderr, flush=True)
    print("\n".join(table(found)))
    if options.csv:
        rounded = [{k: f"{v:.6g}" if isinstance(v, float) else v for k, v in asdict(line).items()} for line in found]
        with options.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rounded[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rounded)


if __name__ == "__main__":
    main()
