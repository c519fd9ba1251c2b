"""What the two adapters of differential evolution share: its population, and when not to start."""

from rivals._base import Proba

__all__ = ["CANDIDATES_PER_CLASS", "hopeless"]

CANDIDATES_PER_CLASS = 15
"""scipy's `popsize`: candidates in a generation, for each class."""

_MOST_CELLS = 1e10
"""Scores to shift and compare in one generation; beyond, a single generation takes minutes."""


def hopeless(proba: Proba) -> str | None:
    """Return why differential evolution has no chance on so large a problem, None where it has one."""
    n_classes = 2 if proba.ndim == 1 else proba.shape[1]
    cells = CANDIDATES_PER_CLASS * n_classes * proba.shape[0] * n_classes
    return f"hopeless: one generation compares {cells:.0e} scores" if cells > _MOST_CELLS else None
