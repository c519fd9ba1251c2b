"""Types of annotations."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

__all__ = ["Array", "ArrayLike", "Kind", "Label", "Namespace", "Progress", "Run", "Step", "Steps"]

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

    def __call__(self, jobs: Iterable[Callable[[], _Result]], /) -> list[_Result]:
        """Return what each of `jobs` returns."""


class Step(Protocol):
    """Returns a function that does the same, and counts as a part when it has ended."""

    def __call__(self, job: Callable[[], _Result], /) -> Callable[[], _Result]:
        """Return the counted `job`."""


Steps: TypeAlias = Callable[[str, int], AbstractContextManager[Step]]
"""From the name and the number of the parts to a context in which they are counted."""
