"""The only adapter for Dask, which is imported when it is needed."""

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial, reduce
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import is_dask, to_numpy
from skimbalance._core.typing import ArrayLike

__all__ = ["DaskChunks", "array_of", "chunks_of", "floating_of", "map_blocks", "n_columns"]

_Result = TypeVar("_Result")

_FAN_IN = 8
"""How many results are combined at a time."""


def n_columns(scores: Any) -> int:
    """Return the number of classes of scores (n, K), or (n,) for two."""
    array = array_of(scores)
    if array.ndim not in (1, 2) or (array.ndim == 2 and not array.shape[1] >= 2):
        raise ValueError(
            "scores must have shape (n, K), a column for each of K >= 2 classes, or (n,) for two; got "
            f"{tuple(array.shape)}"
        )
    return 2 if array.ndim == 1 else int(array.shape[1])


def floating_of(scores: Any) -> npt.DTypeLike:
    """Return the dtype that scores are computed in."""
    dtype = np.dtype(array_of(scores).dtype)
    return np.float32 if dtype.kind == "f" and dtype.itemsize <= 4 else np.float64


class DaskChunks:
    """Values that are stored on the workers of a cluster; see `Chunks`."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = list(parts)

    def map_reduce(self, function: Callable[[Any], _Result], combine: Callable[[_Result, _Result], _Result]) -> _Result:
        """Return the results of `function` for all chunks, combined in the order of the chunks by a tree."""
        from dask.delayed import delayed

        results, combined = self._each(function), delayed(partial(reduce, combine), pure=False)
        while len(results) > 1:
            results = [combined(results[i : i + _FAN_IN]) for i in range(0, len(results), _FAN_IN)]
        total: _Result = results[0].compute()
        return total

    def map(self, function: Callable[[Any], Any]) -> "DaskChunks":
        """Compute `function` of each chunk, and keep the results in the memory of the workers."""
        from dask.base import persist

        return DaskChunks(persist(*self._each(function)))  # type: ignore[no-untyped-call]

    def _each(self, function: Callable[[Any], Any]) -> list[Any]:
        from dask.delayed import delayed

        # The function is a value of the graph, so that it is sent once rather than with every chunk.
        apply, argument = delayed(_apply, pure=False), delayed(_Function(function), pure=False)
        return [apply(argument, chunk) for chunk in self.parts]


class _Function(NamedTuple):
    """A function that Dask passes on rather than calls."""

    call: Callable[[Any], Any]


def _apply(function: _Function, chunk: Any) -> Any:
    return function.call(chunk)


def chunks_of(
    scores: Any, y: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[DaskChunks, DaskChunks, DaskChunks | None]:
    """Return the samples as chunks `(scores, y, sample_weight or None, place)`, the labels alone, the weights alone.

    They are in the chunks of the scores, without empty ones.
    """
    from dask.delayed import delayed

    columns = _sized(scores)
    columns = columns.rechunk({1: -1}) if columns.ndim == 2 else columns
    lengths = columns.chunks[0]
    labels, weights = _split(y, lengths, "y"), _split(sample_weight, lengths, "sample_weight")
    filled = [number for number, length in enumerate(lengths) if length > 0]
    if not filled:
        raise ValueError("scores and y must have at least one sample; got none")
    gather, blocks = delayed(_gathered, pure=False), columns.to_delayed().ravel()
    parts = [gather(blocks[i], labels[i], weights[i], i / len(lengths)) for i in filled]
    weights_alone = None if sample_weight is None else DaskChunks([weights[i] for i in filled])
    return DaskChunks(parts), DaskChunks([labels[i] for i in filled]), weights_alone


def _gathered(scores: Any, y: Any, weights: Any, place: float) -> tuple[Any, ...]:
    host = to_numpy(scores, name="scores"), to_numpy(y, name="y")
    return *host, None if weights is None else to_numpy(weights, name="sample_weight"), place


def array_of(x: Any) -> Any:
    """Return the array of a data frame or series of Dask; an array as it is."""
    return x.to_dask_array() if hasattr(x, "to_dask_array") else x


def _sized(x: Any) -> Any:
    """Return an array whose chunks have known lengths."""
    array = array_of(x)
    return copy(array).compute_chunk_sizes() if np.isnan(array.chunks[0]).any() else array


def _split(x: Any, lengths: tuple[int, ...], name: str) -> Any:
    """Return `x` in chunks of these lengths."""
    if x is None:
        return [None] * len(lengths)
    array: Any = _sized(x) if is_dask(x) else to_numpy(x)
    if array.ndim != 1:
        raise ValueError(f"{name} must have shape (n,), one for each sample; got {tuple(array.shape)}")
    if array.shape[0] != sum(lengths):
        raise ValueError(
            f"these must have equally many samples: scores has {sum(lengths)}, {name} has {array.shape[0]}"
        )
    if not is_dask(x):
        return np.split(array, np.cumsum(lengths)[:-1])
    return array.rechunk({0: lengths}).to_delayed().ravel()


def map_blocks(function: Callable[[Any], Any], scores: Any, *, columns: int | None, dtype: npt.DTypeLike) -> Any:
    """Return lazily what `function` returns for scores: (n, `columns`), or (n,) if None."""
    array = array_of(scores)
    array = array.rechunk({1: -1}) if array.ndim == 2 else array
    width = () if columns is None else (columns,)
    empty = np.empty((0, *width), dtype=dtype)
    change: dict[str, Any] = {}
    if columns is None and array.ndim == 2:
        change = {"drop_axis": 1}
    elif columns is not None and array.ndim == 1:
        change = {"new_axis": 1}
    mapped = partial(_mapped, function=function, empty=empty)
    chunks = (array.chunks[0], *((each,) for each in width))
    return array.map_blocks(mapped, chunks=chunks, dtype=dtype, meta=empty, **change)


def _mapped(block: Any, *, function: Callable[[Any], Any], empty: npt.NDArray[Any]) -> Any:
    return function(block) if block.shape[0] else empty
