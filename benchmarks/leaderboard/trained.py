"""Problems of classifiers that are trained here: out-of-fold scores to tune on, and the scores of test samples."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from benchmarks.leaderboard import unseen
from benchmarks.leaderboard.tuning_problem import Source, TuningProblem
from benchmarks.script import CACHE

__all__ = ["MULTILABEL", "TABULAR", "multilabel", "of_sets", "stored_sets", "tabular"]

TABULAR = {
    "plain": ("logistic", "forest", "lightgbm"),
    "weights": ("logistic_weights", "forest_weights", "lightgbm_weights"),
    "miscalibrated": ("naive_bayes", "adaboost", "svm", "overfitted"),
    "resampled": ("logistic_smote", "logistic_under", "lightgbm_over"),
}
"""The classifiers of tabular data, by the origin of their scores."""

MULTILABEL = ("logistic_labels", "forest_labels")
"""The classifiers of multilabel data."""

TUNING_SAMPLES = 2500
TEST_SAMPLES = 5000
FOLDS = 5

LEAST_POSITIVES = 15
"""Labels with fewer positive samples are left out, and labels that some fold does not have."""

MOST_LABELS = 20
"""The most frequent labels of each multilabel data set."""

Matrix = npt.NDArray[np.float64]
Samples = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]
"""Features and labels of the tuning samples, then those of the test samples."""


def tabular(folder: Path | None, origin: str, seed: int) -> Iterator[Source]:
    """Yield a problem for each classifier of this origin and each tabular data set, unseen ones without a folder."""
    yield from of_sets(unseen.data_sets() if folder is None else stored_sets(folder), origin, seed)


def of_sets(sets: Mapping[str, Callable[[], unseen.Samples]], origin: str, seed: int) -> Iterator[Source]:
    """Yield a problem for each classifier of this origin and each of these data sets."""
    for model, (name, read) in product(TABULAR[origin], sets.items()):
        yield _source(origin, name, model, seed, partial(_split, read, seed))


def multilabel(folder: Path, data: str, seed: int) -> Iterator[Source]:
    """Yield a problem for each frequent label and each classifier, tuned on the stored training samples."""
    with np.load(folder / f"multilabel_{data}.npz", allow_pickle=True) as stored:
        X, Y, n = stored["X"], stored["Y"].astype(np.int64), int(stored["n_train"])
        names = stored["label_names"]
    in_folds = (Y[:n].sum(0) >= FOLDS) & (Y[n:].sum(0) > 0)
    usable = np.flatnonzero(in_folds & (Y.sum(0) >= LEAST_POSITIVES) & (Y.mean(0) <= 0.5))
    frequent = usable[np.argsort(-Y[:, usable].sum(0), kind="stable")][:MOST_LABELS]
    for model, label in product(MULTILABEL, frequent):
        samples = X[:n], Y[:n, label], X[n:], Y[n:, label]
        yield _source("multilabel", f"{data}_{names[label]}", model, seed, partial(tuple, samples))


def _source(origin: str, data: str, model: str, seed: int, samples: Callable[[], Samples]) -> Source:
    path = CACHE / f"{data}-{model}-{seed}.npz"

    def load() -> TuningProblem:
        if not path.exists():
            _write(path, _scores(_classifier(model, seed), samples(), seed=seed))
        with np.load(path) as cached:
            arrays = (cached[name] for name in ("scores", "y", "scores_test", "y_test"))
            return TuningProblem(data, model, seed, *arrays, origin=origin)

    return Source(data, model, load, path)


def _classifier(model: str, seed: int) -> BaseEstimator:
    """Return the classifier of this name."""
    overfitted = {"n_estimators": 150, "num_leaves": 31, "learning_rate": 0.3, "min_child_samples": 3}
    return {
        "logistic": lambda: make_pipeline(StandardScaler(), _logistic()),
        "logistic_labels": _logistic,
        "logistic_weights": lambda: make_pipeline(StandardScaler(), _logistic(class_weight="balanced")),
        "logistic_smote": lambda: _resampled("smote", _logistic(), seed),
        "logistic_under": lambda: _resampled("under", _logistic(), seed),
        "forest": lambda: _forest(seed),
        "forest_labels": lambda: _forest(seed),
        "forest_weights": lambda: _forest(seed, class_weight="balanced_subsample"),
        "lightgbm": lambda: _lightgbm(seed),
        "lightgbm_weights": lambda: _lightgbm(seed, class_weight="balanced"),
        "lightgbm_over": lambda: _resampled("over", _lightgbm(seed), seed),
        "overfitted": lambda: _lightgbm(seed, **overfitted, min_sum_hessian_in_leaf=0.3),
        "naive_bayes": GaussianNB,
        "adaboost": lambda: AdaBoostClassifier(n_estimators=50, random_state=seed),
        "svm": lambda: make_pipeline(StandardScaler(), LinearSVC(random_state=seed)),
    }[model]()


def _logistic(**parameters) -> LogisticRegression:
    return LogisticRegression(max_iter=1000, **parameters)


def _forest(seed: int, **parameters) -> RandomForestClassifier:
    return RandomForestClassifier(100, min_samples_leaf=2, random_state=seed, n_jobs=1, **parameters)


def _lightgbm(seed: int, **parameters) -> BaseEstimator:
    from lightgbm import LGBMClassifier

    usual = {"n_estimators": 60, "num_leaves": 15, "min_sum_hessian_in_leaf": 1}
    return LGBMClassifier(**usual | parameters, random_state=seed, n_jobs=1, verbose=-1)


def _resampled(how: str, estimator: BaseEstimator, seed: int) -> BaseEstimator:
    """Return a pipeline that resamples; SMOTE uses three neighbours, since some classes have few samples."""
    from imblearn.over_sampling import SMOTE, RandomOverSampler
    from imblearn.pipeline import make_pipeline as make_resampling_pipeline
    from imblearn.under_sampling import RandomUnderSampler

    sampler = {
        "smote": partial(SMOTE, k_neighbors=3),
        "over": RandomOverSampler,
        "under": RandomUnderSampler,
    }[how](random_state=seed)
    return make_resampling_pipeline(StandardScaler(), sampler, estimator)


def stored_sets(folder: Path) -> dict[str, Callable[[], unseen.Samples]]:
    """Return a function for each name that reads a data set of the folder."""

    def read(path: Path) -> unseen.Samples:
        with np.load(path, allow_pickle=True) as data:
            return data["X"], data["y"].astype(np.int64)

    return {path.stem.removeprefix("tab_"): partial(read, path) for path in sorted(folder.glob("tab_*.npz"))}


def _split(read: Callable[[], unseen.Samples], seed: int) -> Samples:
    X, y = read()
    n_samples = min(TUNING_SAMPLES, round(0.6 * len(y)))
    X, X_test, y, y_test = train_test_split(X, y, train_size=n_samples, stratify=y, random_state=seed)
    return X, y, X_test[:TEST_SAMPLES], y_test[:TEST_SAMPLES]


def _scores(estimator: BaseEstimator, samples: Samples, *, seed: int) -> dict[str, npt.NDArray]:
    """Return out-of-fold scores of the tuning samples, and those of the test samples by a fit on all of them."""
    X, y, X_test, y_test = samples
    method, logits = ("predict_proba", _log) if hasattr(estimator, "predict_proba") else ("decision_function", _margins)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = logits(cross_val_predict(estimator, X, y, cv=folds, method=method))
        scores_test = logits(getattr(clone(estimator).fit(X, y), method)(X_test))
    return {"scores": scores, "y": y, "scores_test": scores_test, "y_test": y_test}


def _log(proba: npt.NDArray) -> Matrix:
    """Return log-probabilities, zeros replaced by the smallest normal number."""
    return np.log(np.maximum(proba, np.finfo(np.float64).tiny))


def _margins(decisions: npt.NDArray) -> Matrix:
    """Return the values of a decision function as logits, (n, K)."""
    return decisions if decisions.ndim == 2 else np.column_stack([np.zeros(len(decisions)), decisions])


def _write(path: Path, arrays: dict[str, npt.NDArray]) -> None:
    """Write the arrays completely or not at all, since another process may read them."""
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez_compressed(file, **arrays)
    unfinished.replace(path)
