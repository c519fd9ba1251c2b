"""Data sets that ship inside scikit-learn, thinned out until they are imbalanced."""

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split


def thinned(X, y, sizes, *, seed=0):
    """Keep `sizes[c]` random rows of each class c."""
    rng = np.random.default_rng(seed)
    kept = np.concatenate([rng.permutation(np.flatnonzero(y == c))[:size] for c, size in sizes.items()])
    return X[kept], y[kept]


def long_tailed_digits(n_rarest=7):
    """Digits to train on, 100 of the nought down to `n_rarest` of the nine; all ten equally frequent in the test."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
    sizes = {digit: round(100 * (n_rarest / 100) ** (digit / 9)) for digit in range(10)}
    return *thinned(X, y, sizes), X_test, y_test


def rare_cancer(n_malignant=20):
    """Breast cancer with a few malignant rows to 214 benign ones to train on, labels by name."""
    data = load_breast_cancer()
    X, y = data.data, data.target_names[data.target]
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
    return *thinned(X, y, {"benign": 214, "malignant": n_malignant}), X_test, y_test


def fraud_like(n_frauds=60, *, seed=0):
    """Digits, of which the ones stand for frauds: as few of them in the test as among the rows to train on."""
    X, digits = load_digits(return_X_y=True)
    y = np.where(digits == 1, "fraud", "clean")
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=seed)
    sizes = {"clean": len(y), "fraud": n_frauds}
    return *thinned(X, y, sizes, seed=seed), *thinned(X_test, y_test, sizes, seed=seed)


def strips_of_digits(n_rows=1500, *, share=0.65):
    """Put three digits side by side; an indicator tells which are there, each `share` as frequent as the last."""
    X, digits = load_digits(return_X_y=True)
    places = train_test_split(np.arange(len(X)), test_size=0.5, stratify=digits, random_state=0)
    frequency = share ** np.arange(10)
    rng, parts = np.random.default_rng(0), []
    for own in places:  # no digit of a strip to train on is on one of the test
        odds = (frequency / np.bincount(digits[own]))[digits[own]]
        chosen = rng.choice(own, (n_rows, 3), p=odds / odds.sum())
        parts += [X[chosen].reshape(n_rows, -1), np.eye(10, dtype=int)[digits[chosen]].max(axis=1)]
    return tuple(parts)
