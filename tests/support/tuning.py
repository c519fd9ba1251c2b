"""Rows for the tests of the tuner."""

import numpy as np

from support.problems import labels, log_proba

NAMES = np.array(["ant", "bee", "cat", "dog"])


def draw(seed=0, n_classes=3, n_samples=80, decimals=None):
    """Probabilities (n, K) and string labels."""
    rng = np.random.default_rng(seed)
    y = labels(rng, n_samples, n_classes)
    proba = np.exp(log_proba(rng, y, n_classes, decimals=decimals))
    return proba / proba.sum(axis=1, keepdims=True), NAMES[y]


EXACT = {"estimate": "empirical", "confidence_level": None}
