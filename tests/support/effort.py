"""How much of an enumeration runs: all of it with the option `--exhaustive`, a part of it by default."""

from collections.abc import Sequence
from itertools import product
from typing import Any, TypeVar

T = TypeVar("T")

exhaustive = False
"""Whether `--exhaustive` is given; `tests/conftest.py` sets it before any test is collected."""


def seeds(number: int, *, quick: int) -> range:
    """Return the first `number` seeds, or the first `quick` of them by default."""
    return range(number if exhaustive else quick)


def thinned(values: Sequence[T], *, quick: int) -> list[T]:
    """Return all values, or by default `quick` of them, evenly spaced, the first among them."""
    if exhaustive or quick >= len(values):
        return list(values)
    return [values[i * len(values) // quick] for i in range(quick)]


def crossed(*axes: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return all combinations of values, or by default so few of them that each value occurs."""
    if exhaustive:
        return list(product(*axes))
    return [tuple(axis[i % len(axis)] for axis in axes) for i in range(max(map(len, axes)))]
