"""Times of the default fit at the sizes that users have, beside one NumPy call and beside another commit.

``python -m benchmarks.speed.defaults --csv benchmarks/results/defaults.csv``: minutes on one core. With ``--against
CHECKOUT`` each fit is repeated in a process that imports the package from that folder, in the same rounds.
"""

import argparse
import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import sklearn
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from benchmarks.script import options, write_csv
from benchmarks.speed.run import doubled, growth
from benchmarks.speed.tuners import OURS, Vector, default, drawn, empirical
from benchmarks.speed.workload import Contender, Workload, numbers, ratios, records, table, timed
from skimbalance import OffsetTuner, TunedOffsetClassifierCV

ROOT = Path(__file__).parents[2]

_BUDGET_S = 40.0
"""After so many seconds a fit is not repeated."""

_REHEARSAL = 1000
"""Samples of the fit that comes first, and is not timed."""

_PRIORS = {2: [0.95, 0.05], 5: [0.5, 0.25, 0.15, 0.07, 0.03]}
"""The class priors around classifiers."""

_FEATURES = {2: 50, 5: 20}
"""The features, half of which are informative: a logistic regression takes longer with more."""

scores_of = lru_cache(1)(drawn)


class Regression(LogisticRegression):
    """A logistic regression that sums the seconds of all its fits and predictions."""

    seconds = 0.0

    def fit(self, X: Vector, y: Vector) -> Any:
        """Fit the coefficients."""
        return self._timed(super().fit, X, y)

    def predict_proba(self, X: Vector) -> Any:
        """Return the probabilities."""
        return self._timed(super().predict_proba, X)

    @staticmethod
    def _timed(act: Callable[..., Any], *arguments: Any) -> Any:
        begin = process_time()
        result = act(*arguments)
        Regression.seconds += process_time() - begin
        return result


@lru_cache(1)
def features(n_samples: int, n_classes: int) -> tuple[Vector, Vector]:
    """Draw features and labels."""
    return make_classification(
        n_samples,
        _FEATURES[n_classes],
        n_informative=_FEATURES[n_classes] // 2,
        n_classes=n_classes,
        weights=_PRIORS[n_classes],
        flip_y=0.02,
        random_state=0,
    )


def with_score(objective: str, scores: Any, y: Vector) -> OffsetTuner:
    """Fit the in-sample optimum, with the score and its interval."""
    return OffsetTuner(objective, kind="logits", estimate="empirical").fit(scores, y)


def tuned(objective: str, X: Vector, y: Vector) -> tuple[float, Any]:
    """Return the seconds of tuning around a classifier, and the tuned classifier.

    The six fits, their predictions and their copies of the samples are not counted.
    """
    copies, _ = _beside_fits(lambda: six_fits(X, y))
    seconds, fitted = _beside_fits(
        lambda: TunedOffsetClassifierCV(Regression(max_iter=1000), objective=objective).fit(X, y)
    )
    return seconds - copies, fitted


def _beside_fits(run: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds of `run` without those of the fits and predictions of `Regression`, and its result."""
    begin, before = process_time(), Regression.seconds
    result = run()
    return process_time() - begin - (Regression.seconds - before), result


def six_fits(X: Vector, y: Vector) -> None:
    """Fit a classifier as often as its tuner does, and predict as often."""
    for train, validation in StratifiedKFold(5).split(X, y):
        Regression(max_iter=1000).fit(X[train], y[train]).predict_proba(X[validation])
    Regression(max_iter=1000).fit(X, y)


FITS = {
    "the default": default,
    "empirical": empirical,
    "empirical, with score": with_score,
    "TunedOffsetClassifierCV, without its fits": tuned,
}


@dataclass(frozen=True)
class Task:
    """One of `FITS` on samples that any process draws alike."""

    fit: str
    objective: str
    n_samples: int
    n_classes: int

    @property
    def is_wrapper(self) -> bool:
        """Whether a classifier is fitted, not scores."""
        return FITS[self.fit] is tuned

    @property
    def data(self) -> tuple[Vector, Vector]:
        """Scores or features, and labels."""
        size = self.n_samples, self.n_classes
        if self.is_wrapper:
            return features(*size)
        drawn = scores_of(*size)
        return drawn.scores, drawn.y

    @property
    def floor(self) -> Contender:
        """What the time of the fit is compared with."""
        X, y = self.data
        if self.is_wrapper:
            return Contender("floor: the six fits", f"scikit-learn {sklearn.__version__}", lambda: six_fits(X, y))
        name, act = ("np.argsort(scores)", np.argsort) if X.ndim == 1 else ("scores.argmax(1)", lambda s: s.argmax(1))
        return Contender(f"floor: {name}", f"numpy {np.__version__}", lambda: act(X))

    def run(self) -> Any:
        """Fit."""
        return FITS[self.fit](self.objective, *self.data)

    def clock(self, run: Callable[[], Any]) -> tuple[float, Any]:
        """Return the seconds of a fit, and the fitted estimator."""
        return self_timed(run) if self.is_wrapper else timed(run)

    def rehearse(self) -> None:
        """Fit a few samples, and draw the others."""
        replace(self, n_samples=_REHEARSAL).run()
        _ = self.data

    def contender(self) -> Contender:
        """Return this fit by the package of this checkout."""
        return Contender(self.fit, OURS, self.run, score_of, None, self.rehearse, traced_s=0, clock=self.clock)


def score_of(fitted: Any) -> float:
    """Return the estimated score, or the in-sample score if there is none."""
    return float(fitted.score_ if hasattr(fitted, "score_") else fitted.in_sample_score_)


def self_timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds and the result of a call that returns both."""
    seconds, result = run()
    return seconds, result


class Checkout:
    """A process that fits with the package of another folder, and answers with seconds and scores."""

    _START = "import sys; sys.path.insert(0, sys.argv[1]); import skimbalance; del sys.path[0]; "
    _SERVE = "from benchmarks.speed.defaults import serve; serve()"

    def __init__(self, path: Path) -> None:
        git = subprocess.run(["git", "-C", path, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
        self.version = f"commit {git.stdout.strip() or path.name}"
        command = [sys.executable, "-c", self._START + self._SERVE, str(path.resolve())]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1, cwd=ROOT)
        self._answer()

    def __enter__(self) -> "Checkout":
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def contender(self, task: Task) -> Contender:
        """Return the same fit by the package of the other folder."""
        rehearse = partial(self._measure, task, rehearse=True)
        run = partial(self._measure, task)
        name = f"{task.fit}, {self.version}"
        return Contender(name, self.version, run, float, None, rehearse, traced_s=0, clock=self_timed)

    def _measure(self, task: Task, *, rehearse: bool = False) -> list[float]:
        self._process.stdin.write(json.dumps({"rehearse": rehearse, **asdict(task)}) + "\n")
        return self._answer()

    def _answer(self) -> list[float]:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process of the other checkout has ended")
        return json.loads(line)


def serve() -> None:
    """Fit the tasks that stdin has, one a line; write the seconds and the score of each."""
    import skimbalance

    assert not Path(skimbalance.__file__).is_relative_to(ROOT), "this is the package of the same checkout"
    warnings.simplefilter("ignore")
    print(json.dumps([]), flush=True)
    with threadpool_limits(1):
        for line in sys.stdin:
            asked = json.loads(line)
            rehearse, task = asked.pop("rehearse"), Task(**asked)
            if rehearse:
                task.rehearse()
                print(json.dumps([]), flush=True)
            else:
                seconds, fitted = task.clock(task.run)
                print(json.dumps([seconds, score_of(fitted)]), flush=True)


TASKS: dict[str, list[Task]] = {
    **{
        f"default_{n}x{k}": [Task("the default", "f1_macro", n, k)]
        for n, k in ((2_500, 5), (10_000, 10), (10_000, 50), (50_000, 100))
    },
    **{f"default_f1_{n}": [Task("the default", "f1", n, 2)] for n in (2_500, 50_000)},
    "empirical_10000x10": [Task(fit, "f1_macro", 10_000, 10) for fit in ("empirical", "empirical, with score")],
    "empirical_f1_1e6": [Task(fit, "f1", 1_000_000, 2) for fit in ("empirical", "empirical, with score")],
    "classifier_2500x5": [Task("TunedOffsetClassifierCV, without its fits", "f1_macro", 2_500, 5)],
    "classifier_100000x2": [Task("TunedOffsetClassifierCV, without its fits", "f1", 100_000, 2)],
}

GROWTH: dict[str, Callable[[], Workload]] = {
    f"growth_{name}_{fit.__name__}": partial(growth, f"growth_{name}_{fit.__name__}", sizes, fit=fit)
    for fit in (default, empirical)
    for name, sizes in {
        "n": [(2_500 * 2**i, 10) for i in range(5)],
        "n_binary": [(2_500 * 2**i, 2) for i in range(6)],
        "k": [(10_000, 5 * 2**i) for i in range(5)],
    }.items()
}
"""Sizes that double: further ones are in `speed.run`."""


def workload_of(name: str, other: Checkout | None) -> Workload:
    """Return a workload: the floor, and each fit by this and by the other checkout. The first fit is the reference."""
    tasks = TASKS[name]
    lines = [tasks[0].floor]
    for task in tasks:
        lines += [task.contender(), *([other.contender(task)] if other else [])]
    size = tasks[0].n_samples, tasks[0].n_classes
    return Workload(name, tasks[0].objective, size, lines, lines[1].name, 1.0)


def rows_of(workload: Workload, other: Checkout | None) -> Iterable[dict[str, Any]]:
    """Return the rows of the file, with the ratio of each fit to that of the other checkout."""
    lines = {line.name: line for line in workload.contenders}
    for row in records(workload):
        twin = lines.get(f"{row['contender']}, {other.version}") if other else None
        found = ratios(lines[row["contender"]], twin) if twin else []
        row.pop("peak_over_scores"), row.pop("untuned")
        yield {**row, "against": twin.version if twin else "", **numbers("over_against", found)}


def _arguments() -> argparse.Namespace:
    parser = options(__doc__, writes="the times")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="a folder with another commit of the package")
    parser.add_argument("--only", action="append", metavar="NAME", help="workloads with this prefix; repeatable")
    parser.add_argument("--repeats", type=int, default=7, help="rounds (default %(default)s)")
    asked = parser.parse_args()
    names = [*TASKS, *GROWTH]
    asked.names = [name for name in names if not asked.only or name.startswith(tuple(asked.only))]
    if not asked.names:
        parser.error(f"--only must be the prefix of a workload: {', '.join(names)}")
    return asked


def main() -> None:
    """Run the workloads."""
    warnings.simplefilter("ignore")
    asked = _arguments()
    rows: list[dict[str, Any]] = []
    faults: list[str] = []
    with threadpool_limits(1), Checkout(asked.against) if asked.against else nullcontext() as other:
        for name in asked.names:
            workload = GROWTH[name]() if name in GROWTH else workload_of(name, other)
            workload.run(repeats=asked.repeats, budget_s=_BUDGET_S)
            if name in GROWTH:
                doubled(workload)
            print(table(workload), flush=True)
            rows.extend(rows_of(workload, other))
            for row in rows[-len(workload.contenders) :]:
                if row["over_against"]:
                    print(f"{row['contender']}: {row['over_against']} times the time of {row['against']}", flush=True)
            if asked.csv:
                write_csv(asked.csv, rows)
            faults += workload.faults()
    sys.exit("\n".join(faults) or None)


if __name__ == "__main__":
    main()
