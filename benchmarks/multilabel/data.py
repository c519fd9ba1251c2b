"""Multilabel problems: stored scores of X-rays, and data sets on which classifiers are trained."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import fetch_openml
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.multilabel.methods import AVERAGES, METHODS, Fit, Floats, Indicator, classifiers

OPENML = ("scene", "emotions")
VERSION = 4
"""The OpenML version of both, multilabel data sets of the Mulan collection."""

MODELS = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "random forest": RandomForestClassifier(50, random_state=0),
}

EIGHTHS = 8
NEIGHBOURS = 50
"""X-rays in a block of the bootstrap: several times as many as most patients have."""


@dataclass(frozen=True)
class Problem:
    """Tuning samples, test samples, and the methods.

    `X` has probabilities of the labels, or features if the methods train classifiers. `neighbours` consecutive samples
    count as one observation; it is 0 if the same data are split several times.
    """

    data: str
    X: Floats
    y: Indicator
    X_test: Floats
    y_test: Indicator
    methods: Mapping[str, Fit]
    neighbours: int = 0
    averages: Sequence[str] = AVERAGES


def chest_xray(folder: Path) -> Iterator[Problem]:
    """Yield the stored halves, and the halves swapped; each also with an eighth of the tuning samples.

    Neighbours are X-rays of the same patient, so that the eighths are contiguous.
    """
    with np.load(folder / "deep_chestxray14_binary7.npz", allow_pickle=True) as data:
        proba, y = expit(data["logits"].astype(np.float64)), data["y"].astype(bool)
        halves = data["cal_idx"], data["test_idx"]
    for name, (tuned, test) in (("chest X-ray", halves), ("chest X-ray, halves swapped", halves[::-1])):
        rest = proba[test], y[test], METHODS, NEIGHBOURS
        yield Problem(name, proba[tuned], y[tuned], *rest)
        for part in np.array_split(tuned, EIGHTHS):
            yield Problem(f"{name}, an eighth to tune on", proba[part], y[part], *rest)


def yeast() -> tuple[Floats, Indicator]:
    """Return Mulan's 2,417 genes with 103 features and 14 labels, from river."""
    from river.datasets import Yeast

    samples = list(Yeast())
    features, labels = ([list(sample[part].values()) for sample in samples] for part in (0, 1))
    return np.array(features, dtype=np.float64), np.array(labels, dtype=bool)


def openml(name: str) -> tuple[Floats, Indicator]:
    """Download a data set."""
    X, y = fetch_openml(name, version=VERSION, return_X_y=True, as_frame=True)
    return X.to_numpy(np.float64), (y == "TRUE").to_numpy()


def splits(name: str, load: Callable[[], tuple[Floats, Indicator]], seeds: int) -> Iterator[Problem]:
    """Yield for each split and model probabilities to tune on, and features to train and tune on."""
    X, y = load()
    for seed in range(seeds):
        for model_name, model in MODELS.items():
            yield from _thirds(f"{name}, {model_name}", model, X, y, seed)


def _thirds(name: str, model: BaseEstimator, X: Floats, y: Indicator, seed: int) -> Iterator[Problem]:
    """Train on the first third and tune on the second, or train and tune on both; test on the last.

    Methods that train and tune do so only for macro-F1, the one average that scikit-learn's tuner supports.
    """
    X_known, X_test, y_known, y_test = train_test_split(X, y, test_size=1 / 3, random_state=seed)
    X_train, X_tune, y_train, y_tune = train_test_split(X_known, y_known, test_size=0.5, random_state=seed)
    trained = MultiOutputClassifier(clone(model)).fit(X_train, y_train)
    yield Problem(name, _proba(trained, X_tune), y_tune, _proba(trained, X_test), y_test, METHODS)
    parts = X_known, y_known, X_test, y_test
    yield Problem(f"{name}, end to end", *parts, classifiers(model), averages=["macro"])


def _proba(model: MultiOutputClassifier, X: Floats) -> npt.NDArray[np.float64]:
    return np.column_stack([pair[:, 1] for pair in model.predict_proba(X)])
