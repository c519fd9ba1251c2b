"""Test scores of resampling, class weights and tuned offsets, alone and together.

Each classifier is trained on the data as they are, with class weights, or on resampled data. Its decisions are the
argmax, or the argmax with offsets that are fitted on out-of-fold scores. No fit and no offset uses the test samples.
Resampling is part of the training of each fold, so that validation folds and test samples are never resampled.
"""

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import make_pipeline
from imblearn.under_sampling import RandomUnderSampler
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, balanced_accuracy_score, f1_score, matthews_corrcoef
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split
from sklearn.preprocessing import StandardScaler

from benchmarks.leaderboard.trained import stored_sets
from benchmarks.script import CACHE, in_processes, markdown, options, read_csv, rounded, write_csv
from skimbalance import OffsetTuner

STORED = CACHE / "resample_or_tune"
MODELS = ("logistic", "forest", "lightgbm")
TRAININGS = ("plain", "weights", "over", "under", "smote")
METRICS: dict[str, Callable[..., float]] = {
    "f1": f1_score,
    "f1_macro": partial(f1_score, average="macro"),
    "balanced_accuracy": balanced_accuracy_score,
    "matthews_corrcoef": matthews_corrcoef,
}
TRAINING_SAMPLES, TEST_SAMPLES, FOLDS = 3000, 5000, 5

Matrix = npt.NDArray[np.float64]


def classifier(model: str, training: str, seed: int) -> BaseEstimator:
    """Return a classifier that scales the features, resamples or weights if `training` says so, and fits."""
    weight = "balanced" if training == "weights" else None
    last: BaseEstimator = {
        "logistic": lambda: LogisticRegression(max_iter=1000, class_weight=weight),
        "forest": lambda: RandomForestClassifier(100, min_samples_leaf=2, class_weight=weight, random_state=seed),
        "lightgbm": lambda: LGBMClassifier(
            n_estimators=60,
            num_leaves=15,
            min_sum_hessian_in_leaf=1,
            class_weight=weight,
            random_state=seed,
            n_jobs=1,
            verbose=-1,
        ),
    }[model]()
    samplers = {"over": RandomOverSampler, "under": RandomUnderSampler, "smote": partial(SMOTE, k_neighbors=3)}
    sampler = [samplers[training](random_state=seed)] if training in samplers else []
    return make_pipeline(StandardScaler(), *sampler, last)


def runs_of(
    X: npt.NDArray[np.float32], y: npt.NDArray[np.int64], *, model: str, seed: int
) -> Iterator[dict[str, object]]:
    """Yield a row for each training and metric: the score of the argmax and that of tuned decisions."""
    size = min(TRAINING_SAMPLES, round(0.6 * len(y)))
    X, X_test, y, y_test = train_test_split(X, y, train_size=size, stratify=y, random_state=seed)
    X_test, y_test = X_test[:TEST_SAMPLES], y_test[:TEST_SAMPLES]
    binary = y.max() == 1
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for training in TRAININGS:
        estimator = classifier(model, training, seed)
        proba = cross_val_predict(estimator, X, y, cv=folds, method="predict_proba")
        proba_test: Matrix = clone(estimator).fit(X, y).predict_proba(X_test)
        argmax = proba_test.argmax(axis=1)
        for metric in ("f1" if binary else "f1_macro", "balanced_accuracy", "matthews_corrcoef"):
            tuner = OffsetTuner(metric, confidence_level=None, random_state=seed).fit(proba, y)
            scores = {"argmax": argmax, "tuned": tuner.predict(proba_test)}
            yield {
                "training": training,
                "metric": metric,
                **{name: float(METRICS[metric](y_test, decided)) for name, decided in scores.items()},
            }
        if binary:
            ranking = float(average_precision_score(y_test, proba_test[:, 1]))
            yield {"training": training, "metric": "average_precision", "argmax": ranking, "tuned": ""}


def store(path: Path, folder: Path, data: str, model: str, seed: int) -> None:
    """Write the rows of a data set, model and seed, unless they are stored."""
    if path.exists():
        return
    X, y = stored_sets(folder)[data]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = list(runs_of(X, y, model=model, seed=seed))
    facts = {"data": data, "model": model, "seed": seed}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    write_csv(unfinished, [rounded({**facts, **row}) for row in rows])
    unfinished.replace(path)


def summary(rows: list[dict[str, str]]) -> str:
    """Return the mean over data sets, models and seeds; `docs/tables.py` has the tests by data set."""
    metrics = {(row["data"].split("_")[0], row["metric"]): None for row in rows}
    lines = [
        [training, decided, *(_mean(rows, training, decided, *column) for column in metrics)]
        for training in TRAININGS
        for decided in ("argmax", "tuned")
    ]
    return markdown(["training", "decisions", *(" ".join(column) for column in metrics)], lines, text=2)


def _mean(rows: list[dict[str, str]], training: str, decided: str, group: str, metric: str) -> str:
    here = [row for row in rows if row["training"] == training and row["metric"] == metric]
    found = [float(row[decided]) for row in here if row[decided] and row["data"].startswith(group)]
    return f"{np.mean(found):.4f}" if found else ""


def main() -> None:
    """Run the study."""
    parser = options(__doc__, data="the data sets", seeds=5, sets=True, jobs=2, writes="the score of each run")
    asked = parser.parse_args()
    tasks = {
        f"{data}-{model}-{seed}": (STORED / f"{data}-{model}-{seed}.csv", asked.data, data, model, seed)
        for seed in range(asked.seeds)
        for data in stored_sets(asked.data)
        for model in MODELS
        if not asked.sets or data in asked.sets
    }
    in_processes(store, tasks, jobs=asked.jobs)
    rows = [row for path, *_ in tasks.values() for row in read_csv(path)]
    if asked.csv:
        write_csv(asked.csv, rows)
    print(summary(rows))


if __name__ == "__main__":
    main()
