"""Data sets that ship inside scikit-learn, thinned out until they are imbalanced."""

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split


def thinned(X, y, sizes, *, seed=0):
    """Keep `sizes[c]` random rows of each class c."""
    rng = np.random.default_rng(seed)
    kept = np.concatenate([rng.permutation(np.flatnonzero(y == c))[:size] for c, size in sizes.items()])
    return X[kept], y[kept]


def long_tailed_digits():
    """Digits from 100 rows of the nought down to 7 of the nine to train on; all ten equally frequent in the test."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
    sizes = {digit: round(100 * (7 / 100) ** (digit / 9)) for digit in range(10)}
    return *thinned(X, y, sizes), X_test, y_test


def rare_cancer(n_malignant=20):
    """Breast cancer with a few malignant rows to 214 benign ones to train on, labels by name."""
    data = load_breast_cancer()
    X, y = data.data, data.target_names[data.target]
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
    return *thinned(X, y, {"benign": 214, "malignant": n_malignant}), X_test, y_test
