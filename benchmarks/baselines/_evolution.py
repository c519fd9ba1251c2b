"""The population of differential evolution, and the size from which it is too slow; for its two adapters."""

from benchmarks.baselines._base import Proba

__all__ = ["CANDIDATES_PER_CLASS", "too_slow"]

CANDIDATES_PER_CLASS = 15
"""scipy's `popsize`: candidates in a generation, for each class."""

_MOST_CELLS = 1e10
"""With more scores to compare, one generation takes minutes."""


def too_slow(proba: Proba) -> str | None:
    """Return why differential evolution is not tried on a problem of this size, None if it is."""
    n_classes = 2 if proba.ndim == 1 else proba.shape[1]
    cells = CANDIDATES_PER_CLASS * n_classes * proba.shape[0] * n_classes
    return f"too slow: one generation compares {cells:.0e} scores" if cells > _MOST_CELLS else None
