"""Rows and models for the tests of classifiers."""

import numpy as np
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

COLOURS = np.array(["amber", "blue", "coral"])


def draw(n_classes=3, n_samples=300, seed=0):
    """Long-tailed rows with labels by name."""
    weights = (0.5 ** np.arange(n_classes) / (0.5 ** np.arange(n_classes)).sum()).tolist()
    X, y = make_classification(
        n_samples,
        6,
        n_informative=5,
        n_redundant=0,
        n_classes=n_classes,
        weights=weights,
        class_sep=0.6,
        random_state=seed,
    )
    return X, COLOURS[y]


def logistic():
    return LogisticRegression(max_iter=1000)
