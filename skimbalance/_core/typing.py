"""Types of annotations."""

from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

__all__ = ["Array", "ArrayLike", "Kind", "Label", "Namespace", "Progress", "Run", "Steps"]

Array: TypeAlias = Any
"""An array of any library that follows the array API standard."""

ArrayLike: TypeAlias = Any
"""An `Array`, or anything that NumPy converts to one: lists, data frames, series."""

Namespace: TypeAlias = ModuleType | Any
"""The array library, as `array_api_compat` returns it."""

Kind: TypeAlias = Literal["proba", "log_proba", "logits"]
Label: TypeAlias = Any
Progress: TypeAlias = Callable[[str], None]

_Result = TypeVar("_Result")


class Run(Protocol):
    """Calls independent functions, in parallel or not, and returns their results in order."""

    def __call__(self, jobs: Iterable[Callable[[], _Result]], /) -> Iterable[_Result]:
        """Return what each of `jobs` returns."""


class Steps(Protocol):
    """Counts results while they are taken, which is in this process, wherever the functions run."""

    def __call__(self, name: str, results: Iterable[_Result], total: int, /) -> Iterator[_Result]:
        """Yield the `total` results of parts with a `name`."""
