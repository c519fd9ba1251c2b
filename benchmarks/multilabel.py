"""Several labels a row: macro-F1 and micro-F1 on test rows, by every method that knows them.

``python benchmarks/multilabel.py --csv benchmarks/results/multilabel.csv``: two minutes. With ``--openml`` besides on
yeast, scene and emotions, which scikit-learn downloads.
"""

import argparse
import csv
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import fetch_openml
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skimbalance.multilabel import decide_labels, fit_multilabel, label_log_odds, side_columns

OPENML = ("yeast", "scene", "emotions")
VERSION = 4
"""Of the three on OpenML: as multilabel sets, from the Mulan collection."""

AVERAGES = ("macro", "micro")

EIGHTHS = 8

Floats = npt.NDArray[np.float64]
Indicator = npt.NDArray[np.bool_]
Decide = Callable[[Floats], npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Rows:
    """Probabilities and labels of the rows to tune on, and of test rows."""

    name: str
    proba: Floats
    y: Indicator
    proba_test: Floats
    y_test: Indicator


def chest_xray(folder: Path) -> Iterator[Rows]:
    """Yield the stored halves, and the same the other way round; then either with an eighth of the rows to tune on.

    Neighbouring rows are of the same patients, so that the eighths are contiguous too.
    """
    with np.load(folder / "deep_chestxray14_binary7.npz", allow_pickle=True) as data:
        proba, y = expit(data["logits"].astype(np.float64)), data["y"].astype(bool)
        halves = data["cal_idx"], data["test_idx"]
    for name, (tuned, test) in (("chest X-ray", halves), ("chest X-ray, halves swapped", halves[::-1])):
        yield Rows(name, proba[tuned], y[tuned], proba[test], y[test])
        for part in np.array_split(tuned, EIGHTHS):
            yield Rows(f"{name}, an eighth to tune on", proba[part], y[part], proba[test], y[test])


def openml(name: str, seed: int) -> Rows:
    """Return out of thirds of the rows: a logistic regression of each label is trained on the first."""
    X, y = fetch_openml(name, version=VERSION, return_X_y=True, as_frame=True)
    X, y = X.to_numpy(np.float64), (y == "TRUE").to_numpy()
    X_train, X_rest, y_train, y_rest = train_test_split(X, y, train_size=1 / 3, random_state=seed)
    X_tune, X_test, y_tune, y_test = train_test_split(X_rest, y_rest, train_size=0.5, random_state=seed)
    model = MultiOutputClassifier(make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)))
    model.fit(X_train, y_train)
    return Rows(name, *(part for X, y in ((X_tune, y_tune), (X_test, y_test)) for part in (_proba(model, X), y)))


def _proba(model: MultiOutputClassifier, X: Floats) -> Floats:
    return side_columns(model.predict_proba(X))


def ours(estimate: str) -> Callable[[Floats, Indicator, str], Decide]:
    """Return an estimate, without the intervals."""

    def fit(proba: Floats, y: Indicator, average: str) -> Decide:
        log_odds = label_log_odds(proba, kind="proba")
        found = fit_multilabel(log_odds, y, metric=f"f1_{average}", estimate=estimate, confidence_level=None)
        return lambda new: decide_labels(label_log_odds(new, kind="proba"), found.offsets)

    return fit


def half(*_: object) -> Decide:
    """Predict what is likelier than not."""
    return lambda new: new > 0.5


def one_threshold(proba: Floats, y: Indicator, average: str) -> Decide:
    """Take the best of 1,000 thresholds for all labels."""
    grid = np.quantile(proba, np.linspace(0, 1, 1000))
    above = np.stack([_above(column, grid) for column in proba.T])
    hits = np.stack([_above(column[own], grid) for column, own in zip(proba.T, y.T, strict=True)])
    support = y.sum(axis=0)[:, None]
    if average == "micro":
        above, hits, support = (part.sum(axis=0, keepdims=True) for part in (above, hits, support))
    best = grid[np.argmax(np.mean(2 * hits / np.maximum(above + support, 1), axis=0))]
    return lambda new: new > best


def _above(proba: Floats, grid: Floats) -> npt.NDArray[np.int64]:
    """Return how many probabilities exceed each threshold."""
    return len(proba) - np.searchsorted(np.sort(proba), grid, side="right")


class _Stored(ClassifierMixin, BaseEstimator):
    """A classifier whose one feature is the probability of class 1."""

    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X):
        return np.column_stack([1 - X[:, 0], X[:, 0]])


def scikit_learn(proba: Floats, y: Indicator, _: str) -> Decide:
    """Tune each label by itself, whatever the average: there is no other way."""
    tuners = [
        TunedThresholdClassifierCV(_Stored().fit(None, None), scoring="f1", cv="prefit", refit=False).fit(
            column[:, None], own.astype(int)
        )
        for column, own in zip(proba.T, y.T, strict=True)
    ]
    return lambda new: np.column_stack([t.predict(c[:, None]) for t, c in zip(tuners, new.T, strict=True)])


def optimal_cutoffs(proba: Floats, y: Indicator, average: str) -> Decide:
    """Scan each label's thresholds; for micro-F1 what it has for several labels, by the probabilities alone."""
    from optimal_cutoffs import dinkelbach_expected_fbeta_multilabel, get_optimal_threshold

    if average == "micro":
        found = dinkelbach_expected_fbeta_multilabel(proba, average="micro").thresholds
    else:
        pairs = zip(proba.T, y.T, strict=True)
        found = np.array([float(get_optimal_threshold(own.astype(int), p, metric="f1").threshold) for p, own in pairs])
    return lambda new: new > np.asarray(found)


def xcolumns(start: str) -> Callable[[Floats, Indicator, str], Decide]:
    """Return Frank-Wolfe without a budget of labels, from one of its starts; its mixture is drawn for each row."""

    def fit(proba: Floats, y: Indicator, average: str) -> Decide:
        from xcolumns import metrics
        from xcolumns.frank_wolfe import find_classifier_using_fw

        mixture = find_classifier_using_fw(
            y.astype(np.float32),
            proba.astype(np.float32),
            getattr(metrics, f"{average}_f1_score_on_conf_matrix"),
            k=0,
            init_classifier=start,
            skip_tn=True,
            seed=0,
        )
        return lambda new: mixture.predict(new.astype(np.float32), seed=1) > 0

    return fit


METHODS = {
    "threshold 0.5": half,
    "one threshold": one_threshold,
    "MultiOutputClassifier(TunedThresholdClassifierCV)": scikit_learn,
    "optimal_cutoffs": optimal_cutoffs,
    "xCOLUMNs Frank-Wolfe": xcolumns("random"),
    "xCOLUMNs Frank-Wolfe, top start": xcolumns("top"),
    "skimbalance, empirical": ours("empirical"),
    "skimbalance, plugin": ours("plugin"),
    "skimbalance": ours("robust"),
}


def run(rows: Rows) -> Iterator[dict[str, object]]:
    """Fit every method for either average, and judge it on the test rows."""
    for average in AVERAGES:
        for method, fit in METHODS.items():
            begin = process_time()
            decide = fit(rows.proba, rows.y, average)
            seconds = process_time() - begin
            decided = np.asarray(decide(rows.proba_test)).astype(bool)
            yield {
                "data": rows.name,
                "metric": f"f1_{average}",
                "method": method,
                "score": float(f1_score(rows.y_test, decided, average=average)),
                "seconds": seconds,
            }


def problems(folder: Path, *, downloads: bool, seeds: int) -> Iterator[Rows]:
    """Yield all rows that were asked for."""
    yield from chest_xray(folder)
    if downloads:
        yield from (openml(name, seed) for name in OPENML for seed in range(seeds))


def summary(lines: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the mean over splits and blocks of each data set."""
    groups: dict[tuple[object, ...], list[dict[str, object]]] = {}
    for line in lines:
        groups.setdefault((line["data"], line["metric"], line["method"]), []).append(line)
    return [
        {
            "data": data,
            "metric": metric,
            "method": method,
            "problems": len(group),
            "score": round(float(np.mean([line["score"] for line in group])), 4),
            "median ms": round(1e3 * float(np.median([line["seconds"] for line in group])), 1),
        }
        for (data, metric, method), group in groups.items()
    ]


def main() -> None:
    """Run all, print the table, write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data sets")
    parser.add_argument("--openml", action="store_true", help=f"besides on {', '.join(OPENML)}, downloaded")
    parser.add_argument("--seeds", type=int, default=5, help="how many splits of each (default %(default)s)")
    parser.add_argument("--csv", type=Path, metavar="PATH", help="write the table there")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    lines = []
    for rows in problems(asked.data, downloads=asked.openml, seeds=asked.seeds):
        lines += run(rows)
    lines = summary(lines)
    for line in lines:
        print("  ".join(f"{key}: {value}" for key, value in line.items()))
    if asked.csv:
        with asked.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)


if __name__ == "__main__":
    main()
