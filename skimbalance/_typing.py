"""Names for the types that recur in annotations."""

from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal, TypeAlias

Array: TypeAlias = Any
"""An array of any library that follows the array API standard."""

ArrayLike: TypeAlias = Any
"""An `Array`, or what NumPy turns into one: lists, data frames, series."""

Namespace: TypeAlias = ModuleType | Any
"""The array library, as `array_api_compat` hands it out."""

Kind: TypeAlias = Literal["proba", "log_proba", "logits"]
Label: TypeAlias = Any
Progress: TypeAlias = Callable[[str], None]
