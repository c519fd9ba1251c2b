"""The only module that imports array libraries.

It has the functions that the numeric core needs beyond the array API standard. They are fast for NumPy and torch; for
other libraries they use the standard only.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import array_api_compat as compat
import array_api_compat.numpy as compat_numpy
import numpy as np
import numpy.typing as npt

from skimbalance._core.typing import Array, ArrayLike, Namespace

__all__ = [
    "argsort_flagged",
    "as_array",
    "block_columns",
    "block_samples",
    "bring",
    "bring_like",
    "count_codes",
    "count_where",
    "cumulative_minimum",
    "cumulative_sum",
    "device",
    "flat",
    "flat_places",
    "for_search",
    "group_numbers",
    "grouped",
    "is_dask",
    "is_on_device",
    "largest_magnitude",
    "namespace",
    "on_host",
    "only",
    "opens_group",
    "places_in_order",
    "put",
    "refuse_masked",
    "replaced",
    "row_sums",
    "segment_maximum",
    "shifted_blocks",
    "side_by_side",
    "small_codes",
    "smallest_normal",
    "sort_flagged",
    "sums_from_zero",
    "sums_of_products",
    "to_numpy",
    "to_numpy_at_once",
    "transposed",
]

_BLOCK_CELLS = 1 << 18
"""Size of a block in a pass over a matrix: 2**18 numbers, two MiB of float64."""

_TIMES_ON_DEVICE = 64
"""A block of a device is so many times as large: there each operation takes as long as on a million numbers."""

_HOSTS = {"cpu"}
"""Devices of torch whose arrays pass through the cache of the host."""

_TRANSPOSED_ROWS = 256
"""Rows per tile of a transposition, so that a tile fits the cache."""

_CELLS_ON_HOST = 1_000_000
"""Up to so many scores are searched on the host: an estimate, see `speed.device` in benchmarks/README.md."""

_PLACE_BITS = 32
"""Bits of a number to sort that hold the place of a code."""

_NUMPY_FLOATS = {"torch.float16", "torch.float32", "torch.float64"}

_NUMPY = np if hasattr(np, "cumulative_sum") else compat_numpy
"""NumPy 2.1 and later follow the standard; the wrapper is slow in an ascent over few samples."""


def namespace(x: Array) -> Namespace:
    """Return the array library that `x` belongs to."""
    if type(x) is np.ndarray:  # the line search calls this hundreds of times
        return _NUMPY
    return compat.array_namespace(x)


def device(x: Array) -> Any:
    """Return the device on which `x` lives."""
    if type(x) is np.ndarray:
        return "cpu"
    return compat.device(x)


def is_on_device(x: Array) -> bool:
    """Return whether `x` is of another library than NumPy: an operation then takes long, however few numbers it has."""
    return type(x) is not np.ndarray and not compat.is_numpy_array(x)


def is_dask(x: Any) -> bool:
    """Return whether `x` is an array, a data frame or a series of Dask."""
    return type(x).__module__.split(".")[0] in {"dask", "dask_expr"} and hasattr(x, "dask")


def as_array(x: ArrayLike, *, name: str = "array") -> Array:
    """Return `x` itself if it is an array already, without its gradient, and a NumPy array of it otherwise.

    Errors call the argument `name`.
    """
    if compat.is_torch_array(x):
        return _plain_tensor(x, name)
    if compat.is_array_api_obj(x) and not isinstance(x, np.ndarray):
        return x
    refuse_masked(x, name)
    return np.asarray(x)  # of a memory-mapped array this is a plain view: nothing is read


def _plain_tensor(x: Array, name: str) -> Array:
    """Return a tensor without gradient, lazy conjugation and lazy sign; raise where it is not dense or has no data."""
    if x.is_meta:
        raise ValueError(f"{name} must hold values; got a tensor on the meta device, which has none")
    if x.is_nested or str(x.layout) != "torch.strided":
        layout = "a nested tensor" if x.is_nested else f"a tensor of layout {x.layout}"
        raise ValueError(f"{name} must be dense; got {layout}. Pass a dense tensor, such as {name}.to_dense()")
    return (x.dequantize() if x.is_quantized else x).detach().resolve_conj().resolve_neg()


def refuse_masked(x: ArrayLike, name: str) -> None:
    """Raise where a masked array, or a list of some, holds masked values: NumPy would use what is under the mask."""
    parts = x if isinstance(x, list | tuple) else [x]
    masked = sum(int(np.ma.getmaskarray(part).sum()) for part in parts if isinstance(part, np.ma.MaskedArray))
    if masked:
        raise ValueError(
            f"{name} must not hold masked values; got {masked} of them. Leave these samples out, or fill in values"
        )


def for_search(x: Array) -> Array:
    """Return scores where a search is fastest: many of a device as they are, others as a NumPy array.

    A search calls thousands of functions. On a device that takes longer than the search of few scores on the host.
    """
    if compat.is_torch_array(x) and x.device.type == "cpu":
        return x.numpy()
    xp = namespace(x)
    is_plain = any(x.dtype == dtype for dtype in (xp.float32, xp.float64))
    return to_numpy(x) if is_plain and math.prod(x.shape) <= _CELLS_ON_HOST else x


def to_numpy(x: ArrayLike, *, name: str = "array") -> npt.NDArray[Any]:
    """Copy `x` to the host; errors call the argument `name`."""
    if type(x) is np.ndarray:
        return x
    if compat.is_torch_array(x):
        host = _plain_tensor(x, name).cpu()
        # NumPy has no bfloat16, and no floating type of eight bits.
        narrow = host.is_floating_point() and str(host.dtype) not in _NUMPY_FLOATS
        return np.asarray(host.float() if narrow else host)
    if compat.is_array_api_obj(x) and not isinstance(x, np.ndarray) and hasattr(x, "__dlpack__"):
        return np.asarray(np.from_dlpack(x, device="cpu"))  # `np.asarray` refuses most of what is on another device
    refuse_masked(x, name)
    return np.asarray(x)


def to_numpy_at_once(*vectors: Array) -> list[npt.NDArray[np.float64]]:
    """Copy vectors to the host, in one transfer if they are not there, as numbers of double precision."""
    if type(vectors[0]) is np.ndarray:
        return [x.astype(np.float64, copy=False) for x in vectors]
    xp = namespace(vectors[0])
    if not compat.is_torch_array(vectors[0]):  # torch converts the numbers itself
        vectors = tuple(xp.astype(x, xp.float64, copy=False) for x in vectors)
    host = to_numpy(xp.concat(vectors)).astype(np.float64, copy=False)
    return np.split(host, np.cumsum([x.shape[0] for x in vectors])[:-1])


def on_host(x: ArrayLike | None) -> Any:
    """Return an array of another library as a NumPy array, and anything else, such as a data frame, as it is."""
    return to_numpy(x) if compat.is_array_api_obj(x) else x


def bring(x: ArrayLike, *, to: Array, dtype: Any = None) -> Array:
    """Return `x` in the library and on the device of `to`."""
    if type(x) is np.ndarray and type(to) is np.ndarray:
        return x if dtype is None else x.astype(dtype, copy=False)
    xp = namespace(to)
    if compat.is_array_api_obj(x) and namespace(x) is xp and compat.device(x) == compat.device(to):
        return x if dtype is None else xp.astype(x, dtype, copy=False)
    host = to_numpy(x)
    if dtype is None and host.dtype == np.float64:
        dtype = xp.float64
    return xp.asarray(host.tolist() if host.ndim == 0 else host, dtype=dtype, device=compat.device(to))


def bring_like(x: ArrayLike, other: Array) -> Array:
    """Return `x` in the library, on the device and in the dtype of `other`."""
    return bring(x, to=other, dtype=other.dtype)


def flat(x: Array) -> Array:
    """Return `x` as a vector, row after row."""
    if type(x) is np.ndarray:
        return x.reshape(-1)
    return namespace(x).reshape(x, (-1,))


def flat_places(rows: Array) -> Array:
    """Return the places, in the vector `flat(x)` of an array (K, n), of the elements x[rows[i], i]; `rows` is (n,)."""
    xp, n_columns = namespace(rows), rows.shape[0]
    return xp.astype(rows, xp.int64, copy=False) * n_columns + xp.arange(n_columns, device=device(rows))


def only(x: Array, where: Array, *, otherwise: float = 0.0) -> Array:
    """Return `x` where the booleans `where` are true, and the number `otherwise` elsewhere."""
    if type(x) is np.ndarray:
        return np.where(where, x, x.dtype.type(otherwise))
    return namespace(x).where(where, x, _number(otherwise, x))


def _number(value: float, like: Array) -> Array:
    """Return a number as an array without axes, in the dtype and on the device of `like`."""
    xp = namespace(like)
    if not compat.is_torch_array(like):
        return xp.asarray(value, dtype=like.dtype, device=device(like))
    key = value, like.dtype, like.device
    if key not in _numbers:
        _numbers[key] = xp.asarray(value, dtype=like.dtype, device=like.device)
    return _numbers[key]


_numbers: dict[tuple[Any, ...], Array] = {}
"""The numbers that were copied to a device of torch: a copy makes the host wait."""


def smallest_normal(x: Array) -> float:
    """Return the smallest positive normal number of the dtype of `x`."""
    return float(namespace(x).finfo(x.dtype).smallest_normal)


def block_samples(shape: tuple[int, int], like: Array | None = None) -> list[slice]:
    """Cut the rows of a matrix of this shape into slices small enough to work on in cache.

    The matrix is where `like` is, on the host if None. Slices of a device are larger.
    """
    n_samples, n_columns = shape
    is_cached = like is None or not is_on_device(like) or (compat.is_torch_array(like) and like.device.type in _HOSTS)
    cells = _BLOCK_CELLS if is_cached else _BLOCK_CELLS * _TIMES_ON_DEVICE
    step = max(1, cells // max(1, n_columns))
    return [slice(start, min(start + step, n_samples)) for start in range(0, n_samples, step)]


def block_columns(x: Array) -> list[slice]:
    """Cut the columns of a matrix into slices small enough to work on in cache; see `block_samples`."""
    return block_samples((x.shape[1], x.shape[0]), x)


def side_by_side(blocks: Iterable[Array], *, n_columns: int) -> Array:
    """Concatenate matrices along their columns, of which there are `n_columns` in all, without holding two copies."""
    blocks, out, end = iter(blocks), None, 0
    for block in blocks:
        if not (compat.is_numpy_array(block) or compat.is_torch_array(block)):
            return namespace(block).concat([block, *blocks], axis=1)
        if out is None:
            out = namespace(block).empty((block.shape[0], n_columns), dtype=block.dtype, device=device(block))
        begin, end = end, end + block.shape[1]
        out[:, begin:end] = block
    return out


def shifted_blocks(x: Array, shift: Array) -> Iterator[tuple[slice, Array]]:
    """Yield the rows of `x + shift` in blocks, of which only the last yielded one may be read, or written to."""
    blocks = block_samples(x.shape, x)
    if not compat.is_numpy_array(x):
        yield from ((rows, x[rows, :] + shift) for rows in blocks)
        return
    # In one buffer that stays in cache: allocating anew for each block would take half as long again.
    buffer = np.empty((blocks[0].stop if blocks else 0, x.shape[1]), dtype=x.dtype)
    for rows in blocks:
        yield rows, np.add(x[rows], shift, out=buffer[: rows.stop - rows.start])


def transposed(x: Array) -> Array:
    """Return the transpose of the matrix `x`, each of its rows contiguous in memory."""
    if compat.is_numpy_array(x):
        out = np.empty(x.shape[::-1], dtype=x.dtype)
        for start in range(0, x.shape[0], _TRANSPOSED_ROWS):  # tiles that fit the cache: twice as fast as one copy
            out[:, start : start + _TRANSPOSED_ROWS] = x[start : start + _TRANSPOSED_ROWS].T
        return out
    if compat.is_torch_array(x):
        return x.T.contiguous()
    xp = namespace(x)
    return xp.asarray(x.T, copy=True)


def small_codes(codes: Array, n_classes: int) -> Array:
    """Return integer codes below `n_classes` in the smallest signed type that holds them."""
    xp = namespace(codes)
    for dtype in (xp.int8, xp.int16, xp.int32):
        if n_classes <= xp.iinfo(dtype).max:
            return xp.astype(codes, dtype, copy=False)
    return codes


def cumulative_sum(x: Array) -> Array:
    """Sum `x` cumulatively along its last axis in float64; booleans count as zero and one."""
    if type(x) is np.ndarray:
        return np.cumsum(x, axis=-1, dtype=np.float64)
    xp = namespace(x)
    if compat.is_torch_array(x):
        return xp.cumsum(x, -1, dtype=xp.float64)
    return xp.cumulative_sum(xp.astype(x, xp.float64, copy=False), axis=-1)


def row_sums(x: Array) -> Array:
    """Sum each row of a matrix in float64; booleans count as zero and one."""
    xp = namespace(x)
    if compat.is_torch_array(x):
        return xp.sum(x, axis=1, dtype=xp.float64)
    return xp.sum(xp.astype(x, xp.float64, copy=False), axis=1)


def sums_of_products(x: Array, y: Array) -> Array:
    """Sum the products of two matrices along each column."""
    if type(x) is np.ndarray:
        return np.einsum("ki,ki->i", x, y)  # without a matrix of the products
    return namespace(x).sum(x * y, axis=0)


def sums_from_zero(x: Array) -> Array:
    """Return zero and the cumulative sums of `x` along its last axis, in float64."""
    if type(x) is np.ndarray:
        out = np.empty((*x.shape[:-1], x.shape[-1] + 1))
        out[..., 0] = 0
        np.cumsum(x, axis=-1, dtype=np.float64, out=out[..., 1:])
        return out
    xp = namespace(x)
    if compat.is_torch_array(x):
        return xp.nn.functional.pad(x.cumsum(-1, dtype=xp.float64), (1, 0))
    return xp.concat([xp.zeros_like(x[..., :1], dtype=xp.float64), cumulative_sum(x)], axis=-1)


def places_in_order(x: Array, *, stable: bool = False) -> Array:
    """Return the places, in the flattened matrix `x`, of its elements in the ascending order of each row."""
    xp = namespace(x)
    order = xp.argsort(x, axis=1, stable=stable)
    if x.shape[0] == 1:
        return order[0, :]
    begin = xp.arange(0, x.shape[0] * x.shape[1], x.shape[1], dtype=order.dtype, device=device(x))
    return flat(order + begin[:, None])


def grouped(codes: Array) -> tuple[Array, Array]:
    """Return the codes of a matrix, those of later rows being greater, in ascending order, and their places in it.

    Equal ones are in the order of their places.
    """
    if type(codes) is not np.ndarray:
        places = places_in_order(codes, stable=True)
        return flat(codes)[places], places
    # The place takes the lower bits of a number to sort: several times as fast as a stable sort.
    keys = flat(codes << _PLACE_BITS)
    keys += np.arange(keys.size)
    keys.reshape(codes.shape).sort(axis=1)
    return keys >> _PLACE_BITS, keys & ((1 << _PLACE_BITS) - 1)


def replaced(where: Array, index: Array, *pairs: tuple[Array, Array]) -> list[Array]:
    """Return each `x` of `pairs` with `source[index]` where the booleans are true; `x` itself may be overwritten."""
    if type(where) is not np.ndarray:
        return [namespace(x).where(where, source[index], x) for x, source in pairs]
    places = np.flatnonzero(where)
    rows = flat(index)[places]
    return [put(flat(x), places, source[rows]).reshape(x.shape) for x, source in pairs]


def cumulative_minimum(x: Array) -> Array:
    """Return the running minimum of `x` along its last axis."""
    if compat.is_numpy_array(x):
        return np.minimum.accumulate(x, axis=-1)
    xp = namespace(x)
    if compat.is_torch_array(x):
        return xp.cummin(x, dim=-1).values if x.shape[-1] else x
    reach = 1
    while reach < x.shape[-1]:
        x = xp.concat([x[..., :reach], xp.minimum(x[..., reach:], x[..., :-reach])], axis=-1)
        reach *= 2
    return x


def opens_group(codes: Array) -> Array:
    """Return for each element of a vector of gathered codes whether it is the first of its group."""
    xp = namespace(codes)
    return xp.concat([codes[:1] == codes[:1], codes[1:] != codes[:-1]])


def group_numbers(opens: Array) -> Array:
    """Return the number of the group of each element, from whether it is the first of its group."""
    xp = namespace(opens)
    if compat.is_torch_array(opens):
        return xp.cumsum(opens, 0) - 1
    return xp.cumulative_sum(xp.astype(opens, xp.int64)) - 1


def largest_magnitude(x: Array) -> float:
    """Return the largest absolute value, without an array of all of them."""
    xp = namespace(x)
    return max(float(xp.max(x)), -float(xp.min(x)))


def segment_maximum(x: Array, starts: Array, *, lengths: Array | None = None) -> Array:
    """Return the maximum of each segment of the vector `x`; every segment has an element, the first begins at zero.

    `lengths` are those of the segments, where they are at hand.
    """
    if compat.is_numpy_array(x):
        return np.maximum.reduceat(x, starts)
    xp = namespace(x)
    if lengths is None:
        lengths = xp.diff(starts, append=xp.asarray([x.shape[0]], dtype=starts.dtype, device=device(starts)))
    if compat.is_torch_array(x):
        return xp.segment_reduce(x, "max", lengths=lengths, unsafe=True)  # without a check that the host waits for
    segments = xp.repeat(xp.arange(starts.shape[0], device=device(starts)), lengths)
    order = xp.argsort(x)
    order = order[xp.argsort(segments[order], stable=True)]
    return x[order[starts + lengths - 1]]


def count_codes(codes: Array, weights: Array | None, n_bins: int) -> Array:
    """Sum `weights` (ones where None) over the rows of each code, in float64; booleans count as zero and one."""
    xp = namespace(codes)
    if compat.is_numpy_array(codes):
        if n_bins == 2 and (weights is None or weights.dtype == bool):  # several times as fast as bins
            is_one = codes != 0
            total = len(codes) if weights is None else np.count_nonzero(weights)
            ones = np.count_nonzero(is_one if weights is None else is_one & weights)
            return np.asarray([total - ones, ones], dtype=np.float64)
        return np.bincount(codes, weights, minlength=n_bins).astype(np.float64, copy=False)
    weights = weights if weights is None else xp.astype(weights, xp.float64, copy=False)
    if compat.is_torch_array(codes):
        return xp.bincount(codes, weights, minlength=n_bins).to(xp.float64)
    order = xp.argsort(codes, stable=True)
    here = device(codes)
    ends = xp.searchsorted(codes[order], xp.arange(n_bins, dtype=codes.dtype, device=here), side="right")
    mass = xp.ones(codes.shape, dtype=xp.float64, device=here) if weights is None else weights[order]
    running = xp.cumulative_sum(mass, include_initial=True)
    return xp.diff(running[ends], prepend=xp.zeros(1, dtype=xp.float64, device=here))


def count_where(where: Array, codes: Array, masses: Iterable[Array | None], n_bins: int) -> list[Array]:
    """Sum each of `masses` over the rows of each code where the booleans `where` are true; see `count_codes`."""
    if type(codes) is np.ndarray:
        rows = np.flatnonzero(where)
        codes = codes[rows]
        return [count_codes(codes, None if mass is None else mass[rows], n_bins) for mass in masses]
    return [count_codes(codes, where if mass is None else only(mass, where), n_bins) for mass in masses]


_INTEGERS = {np.dtype(np.float64): np.int64, np.dtype(np.float32): np.int32}
"""The integers of as many bits."""


def sort_flagged(x: Array, flags: Array) -> tuple[Array, Array]:
    """Return the sorted vector `x` of finite numbers, and the boolean `flags` of its elements, in that order.

    With NumPy, x is changed by one unit in the last place at the most: the flag takes the place of the last bit. So
    numbers alone are sorted, which is faster than finding their order. Sorted numbers are not sorted again.
    """
    if not _is_packable(x):
        order = argsort_flagged(x, flags)
        return (x, flags) if order is None else (x[order], flags[order])
    packed = _packed(x, flags)
    if not _is_ascending(packed):
        packed = np.sort(packed)
    return packed, (packed.view(_INTEGERS[x.dtype]) & 1).astype(bool)


def argsort_flagged(x: Array, flags: Array) -> Array | None:
    """Return the order in which `sort_flagged` has the elements of `x`; None if they are in order."""
    key = _packed(x, flags) if _is_packable(x) else x
    return None if _is_ascending(key) else namespace(x).argsort(key)


def _is_packable(x: Array) -> bool:
    return type(x) is np.ndarray and x.dtype in _INTEGERS


def _packed(x: Array, flags: Array) -> Array:
    """Return `x` with `flags` in the place of the last bits."""
    return (x.view(_INTEGERS[x.dtype]) & ~1 | flags).view(x.dtype)


def _is_ascending(x: Array) -> bool:
    return bool(namespace(x).all(x[1:] >= x[:-1]))


def put(x: Array, rows: Array, values: Array) -> Array:
    """Return `x` with `values` at the distinct `rows`; `x` itself may be overwritten."""
    if compat.is_numpy_array(x) or compat.is_torch_array(x):
        x[rows] = values
        return x
    xp = namespace(x)
    if rows.shape[0] == 0:
        return x
    order = xp.argsort(rows)
    sorted_samples = rows[order]
    everyone = xp.arange(x.shape[0], device=device(x))
    place = xp.clip(xp.searchsorted(sorted_samples, everyone), None, rows.shape[0] - 1)
    return xp.where(sorted_samples[place] == everyone, values[order][place], x)
