"""How much of an enumeration runs: all of it with the option `--exhaustive`, a part of it by default."""

from collections.abc import Sequence
from typing import TypeVar

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
