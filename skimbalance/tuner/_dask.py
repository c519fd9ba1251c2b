"""The only door to Dask: samples in chunks, wherever these are; it is imported when first met."""

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial, reduce
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.typing import ArrayLike

__all__ = ["Chunked", "DaskChunks", "array_of", "chunks_of", "floating_of", "is_chunked", "map_rows", "n_columns"]

_Result = TypeVar("_Result")

_FAN_IN = 8
"""So many results are joined at a time, where they are."""


def is_chunked(x: Any) -> bool:
    """Tell whether `x` is an array, a data frame or a series of Dask."""
    return type(x).__module__.split(".")[0] in {"dask", "dask_expr"} and hasattr(x, "dask")


def n_columns(scores: Any) -> int:
    """Return the number of classes that scores (n, K), or (n,) for two, have columns for."""
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
    """Values, each where it is in a cluster, and what is computed of them there."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = list(parts)

    def total(self, part: Callable[[Any], _Result], join: Callable[[_Result, _Result], _Result]) -> _Result:
        """Return what `part` returns for each chunk, joined in the order of the chunks, by a tree."""
        from dask.delayed import delayed

        results, folded = self._each(part), delayed(partial(_folded, join=join), pure=False)
        while len(results) > 1:
            results = [folded(results[i : i + _FAN_IN]) for i in range(0, len(results), _FAN_IN)]
        total: _Result = results[0].compute()
        return total

    def kept(self, part: Callable[[Any], Any]) -> "DaskChunks":
        """Compute `part` of each chunk, and keep that in its place."""
        from dask.base import persist

        return DaskChunks(persist(*self._each(part)))  # type: ignore[no-untyped-call]

    def _each(self, part: Callable[[Any], Any]) -> list[Any]:
        from dask.delayed import delayed

        # What `part` holds travels once for all chunks, not with every one.
        call, told = delayed(_called, pure=False), delayed(_Told(part), pure=False)
        return [call(told, chunk) for chunk in self.parts]


class _Told(NamedTuple):
    """A function, as something that is passed on rather than called."""

    part: Callable[[Any], Any]


def _called(told: _Told, chunk: Any) -> Any:
    return told.part(chunk)


def _folded(results: list[_Result], *, join: Callable[[_Result, _Result], _Result]) -> _Result:
    return reduce(join, results)


class Chunked(NamedTuple):
    """Samples as chunks `(scores, y, sample_weight or None, place)` of arrays; and labels and weights by themselves."""

    samples: DaskChunks
    labels: DaskChunks
    weights: DaskChunks | None


def chunks_of(scores: Any, y: ArrayLike, sample_weight: ArrayLike | None) -> Chunked:
    """Return samples in chunks, cut as the scores are."""
    from dask.delayed import delayed

    samples = _sized(array_of(scores))
    samples = samples.rechunk({1: -1}) if samples.ndim == 2 else samples
    lengths = samples.chunks[0]
    labels, weights = _blocks(y, lengths, "y"), _blocks(sample_weight, lengths, "sample_weight")
    kept = [number for number, length in enumerate(lengths) if length > 0]
    if not kept:
        raise ValueError("scores and y must have at least one row; got none")
    gather, blocks = delayed(_gathered, pure=False), _parts(samples)
    parts = [gather(blocks[i], labels[i], weights[i], i / len(lengths)) for i in kept]
    weights_alone = None if sample_weight is None else DaskChunks([weights[i] for i in kept])
    return Chunked(DaskChunks(parts), DaskChunks([labels[i] for i in kept]), weights_alone)


def _gathered(scores: Any, y: Any, weights: Any, place: float) -> tuple[Any, ...]:
    host = to_numpy(scores, name="scores"), to_numpy(y, name="y")
    return *host, None if weights is None else to_numpy(weights, name="sample_weight"), place


def array_of(x: Any) -> Any:
    """Return an array of a data frame or series of Dask, and of an array itself."""
    return x.to_dask_array() if hasattr(x, "to_dask_array") else x


def _sized(x: Any) -> Any:
    """Return the array with the lengths of its chunks found out, where they are unknown."""
    if not np.isnan(x.chunks[0]).any():
        return x
    return copy(x).compute_chunk_sizes()


def _blocks(x: Any, lengths: tuple[int, ...], name: str) -> list[Any]:
    """Return the samples of `x` by chunks of these lengths."""
    if x is None:
        return [None] * len(lengths)
    array: Any = _sized(array_of(x)) if is_chunked(x) else to_numpy(x)
    if array.ndim != 1:
        raise ValueError(f"{name} must have shape (n,), one for each row; got {tuple(array.shape)}")
    if array.shape[0] != sum(lengths):
        raise ValueError(f"these must have equally many rows: scores has {sum(lengths)}, {name} has {array.shape[0]}")
    if not is_chunked(array):
        return np.split(array, np.cumsum(lengths)[:-1])
    return _parts(array.rechunk({0: lengths}))


def _parts(array: Any) -> list[Any]:
    return list(array.to_delayed().ravel())


def map_rows(function: Callable[[Any], Any], scores: Any, *, columns: int | None, dtype: npt.DTypeLike) -> Any:
    """Return, lazily, what `function` makes of scores: (n, `columns`), or (n,) where None."""
    array = array_of(scores)
    array = array.rechunk({1: -1}) if array.ndim == 2 else array
    shape: tuple[int, ...] = (0,) if columns is None else (0, columns)
    chunks = (array.chunks[0],) if columns is None else (array.chunks[0], (columns,))
    empty = np.empty(shape, dtype=dtype)
    change: dict[str, Any] = {}
    if columns is None and array.ndim == 2:
        change = {"drop_axis": 1}
    elif columns is not None and array.ndim == 1:
        change = {"new_axis": 1}
    return array.map_blocks(
        partial(_mapped, function=function, empty=empty), chunks=chunks, dtype=dtype, meta=empty, **change
    )


def _mapped(block: Any, *, function: Callable[[Any], Any], empty: npt.NDArray[Any]) -> Any:
    return function(block) if block.shape[0] else empty
