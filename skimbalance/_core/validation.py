"""Input checks, and values as text for messages; each error names the argument, the value and what was expected."""

import math
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import wraps
from numbers import Integral, Number
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import as_array, bring, flat, is_dask, namespace, to_numpy
from skimbalance._core.typing import Array, ArrayLike, Kind, Label
from skimbalance.exceptions import PAGE

__all__ = [
    "LARGEST_SINGLE",
    "abridged",
    "abridged_list",
    "by_label",
    "check_codes",
    "check_column_labels",
    "check_columns",
    "check_distribution",
    "check_groups",
    "check_label",
    "check_label_pair",
    "check_label_scores",
    "check_label_vector",
    "check_labels",
    "check_lengths",
    "check_numbers",
    "check_per_class",
    "check_positive",
    "check_present",
    "check_proba",
    "check_response",
    "check_sample_weight",
    "check_scores",
    "check_weights",
    "column_names",
    "column_order",
    "count_samples",
    "distinct_labels",
    "is_finite",
    "is_missing",
    "is_multilabel",
    "label_values",
    "names_page",
    "numbered",
    "order_of",
    "plain",
    "require_several_groups",
    "rescaled",
    "shown",
    "with_few_samples",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_FEW_SAMPLES = 10
"""Labels with fewer samples than this are listed in a warning."""

_SUM_TOLERANCE = 0.01
"""Sums of probabilities may differ from one by this, which allows float16 and numbers rounded to two digits."""

_LARGEST_LOGIT = 1e100
"""Larger logits are refused: squares of their differences must be finite in double precision."""

LARGEST_SINGLE = 1e18
"""Larger logits are converted to double precision: their squares overflow in single precision."""

_LARGEST_EXPONENT = 64
"""Weights are scaled if the largest is above 2**64 or below 2**-64."""


def label_values(labels: npt.NDArray[Any]) -> list[Any]:
    """Return labels as Python objects; dates and times become `datetime` objects."""
    kind = labels.dtype.kind
    values: list[Any] = (labels.astype(f"{kind}8[us]") if kind in "mM" else labels).tolist()
    return values


def plain(value: Any) -> Any:
    """Return NumPy scalars as Python values and dates as text, also inside containers."""
    if isinstance(value, np.datetime64 | np.timedelta64 | date | timedelta):
        return str(value)
    if isinstance(value, np.ndarray):
        return list(map(plain, value)) if value.ndim else plain(value[()])
    if isinstance(value, Mapping):
        return {plain(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value)) if type(value) in (list, tuple) else value
    return value.item() if isinstance(value, np.generic) else value


def shown(value: Any) -> str:
    """Return a value as a user would write it: `'b'` instead of `np.str_('b')`."""
    return repr(plain(value))


def abridged(labels: npt.NDArray[Any]) -> str:
    """Return an array of labels as text, at most the first eight."""
    return abridged_list(label_values(labels))


def abridged_list(labels: list[Any]) -> str:
    """Return a list of labels, of any types, as text: at most the first eight."""
    first = ", ".join(map(shown, labels[:8]))
    return f"[{first}, ... {len(labels)} in all]" if len(labels) > 8 else f"[{first}]"


def with_few_samples(
    labels: npt.NDArray[Any], n_samples: npt.NDArray[np.int64], *, noun: str, grouped: bool = False
) -> str:
    """List the labels with fewer than ten samples, those with the fewest first; return an empty text if there are none.

    `grouped` adds that samples of one group count once.
    """
    few = np.flatnonzero((n_samples > 0) & (n_samples < _FEW_SAMPLES))
    order = few[np.argsort(n_samples[few], kind="stable")]
    named = ", ".join(f"{shown(labels[k])} has {n_samples[k]}" for k in order[:5])
    more = f" and {few.size - 5} more {noun} fewer than {_FEW_SAMPLES}" if few.size > 5 else ""
    once = ", where samples of one group, or repeats of one sample, count once" if grouped and few.size else ""
    return named + more + once


def check_lengths(**arrays: Array) -> None:
    """Raise unless all arrays have equally many samples, and at least one."""
    lengths = {name: array.shape[0] if array.ndim else 1 for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"these must have equally many samples: {', '.join(f'{k} has {v}' for k, v in lengths.items())}"
        )
    if 0 in lengths.values():
        raise ValueError(f"{' and '.join(lengths)} must have at least one sample; got none")


def check_sample_weight(sample_weight: ArrayLike | None, *, like: Array) -> Array | None:
    """Return the weights as float64 beside `like`, one for each of its samples; None stays None."""
    if sample_weight is None:
        return None
    xp = namespace(like)
    weights = bring(check_weights(sample_weight, n_samples=int(like.shape[0])), to=like, dtype=xp.float64)
    if not bool(xp.any(weights > 0)):
        raise ValueError("sample_weight must be positive somewhere; got zeros only")
    return rescaled(weights, largest=float(xp.max(weights)))


def rescaled(weights: Array, *, largest: float) -> Array:
    """Scale weights by a power of two, which is exact, so that products of sums neither overflow nor underflow."""
    _, exponent = math.frexp(largest)
    if abs(exponent) < _LARGEST_EXPONENT:
        return weights
    half = -exponent // 2  # two of them reach any scale
    return weights * 2.0**half * 2.0 ** (-exponent - half)


def check_weights(sample_weight: ArrayLike, *, n_samples: int) -> Array:
    """Return the weights of so many samples as they are, if all can be; they may all be zero."""
    weights = _numeric("sample_weight", sample_weight)
    xp = namespace(weights)
    if weights.ndim != 1 or weights.shape[0] != n_samples:
        raise ValueError(f"sample_weight must have shape ({n_samples},); got {tuple(weights.shape)}")
    with np.errstate(over="ignore"):  # of long double
        weights = bring(weights, to=weights, dtype=xp.float64)
    if not bool(xp.all(xp.isfinite(weights))):
        raise ValueError("sample_weight must be finite; got NaN or infinite values")
    if bool(xp.any(weights < 0)):
        raise ValueError(f"sample_weight must not be negative; got {float(xp.min(weights))}")
    return weights


def check_groups(groups: ArrayLike | None, *, n_samples: int) -> npt.NDArray[np.int64] | None:
    """Return the group of each sample as a code, or None if each sample is its own group.

    Codes are in the order of the first samples of the groups.
    """
    if groups is None:
        return None
    labels = to_numpy(groups, name="groups")
    if labels.shape != (n_samples,):
        raise ValueError(f"groups must have shape ({n_samples},), the group of each sample; got {labels.shape}")
    check_present("groups", labels)
    if labels.dtype.kind == "O":  # labels of several types have no order
        place: dict[Any, int] = {}
        codes = np.asarray([place.setdefault(label, len(place)) for label in labels.tolist()], dtype=np.int64)
    else:
        codes = numbered(labels)
    return codes if int(codes.max()) + 1 < n_samples else None


def numbered(labels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the number of each label, counted from zero in the order in which labels come first."""
    _, first, codes = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[codes].astype(np.int64)


def require_several_groups(groups: npt.NDArray[np.int64] | None) -> None:
    """Raise if all samples of positive weight are of one group."""
    if groups is not None and (groups == groups[0]).all():
        raise ValueError(
            "groups must hold at least two groups among the samples of positive weight; got one. Samples of "
            "one group cannot evaluate offsets for another: add groups, or leave groups out"
        )


def check_scores(scores: ArrayLike, *, kind: Kind, n_classes: int | None = None, name: str = "scores") -> Array:
    """Return `scores`, the argument `name`, as floating (n, K), or binary (n,), if they are of this kind."""
    x = _numeric_columns(name, scores)
    columns = 2 if x.ndim == 1 else x.shape[1]
    if n_classes is not None and columns != n_classes:
        raise ValueError(f"{name} must have {n_classes} columns, one for each class; got shape {tuple(x.shape)}")
    return _CHECKS[kind](_floating(x), name)


def _numeric_columns(name: str, values: ArrayLike) -> Array:
    """Return real numbers (n, K), or binary (n,), of at least one sample."""
    x = _numeric(name, values)
    if x.ndim not in (1, 2) or (x.ndim == 2 and x.shape[1] < 2):
        raise ValueError(
            f"{name} must have shape (n, K), a column for each of K >= 2 classes, or (n,) for two; got {tuple(x.shape)}"
        )
    if x.shape[0] == 0:
        raise ValueError(f"{name} must have at least one sample; got shape {tuple(x.shape)}")
    return x


_RETURNS = {
    "proba": "probabilities between 0 and 1, which for classes sum to one in each sample",
    "log_proba": "logarithms of such probabilities",
    "logits": "finite numbers",
}


def check_response(scores: Array, *, kind: Kind, source: str, several: bool = False) -> None:
    """Raise an error about the model if its scores are not of this kind; `several` labels need not sum to one."""
    x = _floating(_numeric(f"what {source} returns", scores))
    if x.shape[0] == 0:
        return
    try:
        _CHECKS[kind](flat(x) if several else x, "scores")
    except ValueError as error:
        xp = namespace(x)
        found = f"values from {float(xp.min(x)):g} to {float(xp.max(x)):g}"
        if bool(xp.any(xp.isnan(x))):
            found = "NaN"
        elif kind == "proba" and x.ndim == 2 and not several:
            sums = xp.sum(x, axis=1)
            found += f", with sums of rows from {float(xp.min(sums)):g} to {float(xp.max(sums)):g}"
        raise ValueError(f"{source} must return {_RETURNS[kind]}; got {found}") from error


def check_label_scores(scores: ArrayLike, *, kind: Kind, n_labels: int) -> Array:
    """Return multilabel scores as floating (n, L), if each of them is of this `kind`."""
    x = _numeric("scores", scores)
    if x.ndim != 2 or x.shape[1] != n_labels:
        raise ValueError(
            f"scores must have shape (n, {n_labels}), a column for each of {n_labels} labels, or be a list of as many "
            f"arrays (n, 2); got shape {tuple(x.shape)}"
        )
    if x.shape[0] == 0:
        raise ValueError(f"scores must have at least one sample; got shape {tuple(x.shape)}")
    return namespace(x).reshape(_CHECKS[kind](flat(_floating(x)), "scores"), x.shape)


def _floating(x: Array) -> Array:
    """Return numbers in a precision that the solvers take, single or double."""
    xp = namespace(x)
    if not xp.isdtype(x.dtype, "real floating"):
        return xp.astype(x, xp.float64)
    bits = xp.finfo(x.dtype).bits
    if bits in (32, 64):
        return x
    with np.errstate(over="ignore"):  # what double precision cannot hold becomes infinite, which the checks find
        return xp.astype(x, xp.float32 if bits < 32 else xp.float64)


def count_samples(X: Any) -> int | None:
    """Return the number of samples of the input of an estimator, None if its type does not define it."""
    shape = getattr(X, "shape", None)
    if isinstance(shape, tuple):
        return int(shape[0]) if shape and isinstance(shape[0], Integral) else None
    if isinstance(X, Mapping):  # the inputs of a net, by name
        lengths = {count_samples(each) for each in X.values()}
        return lengths.pop() if len(lengths) == 1 else None
    if isinstance(X, list | tuple) and X and hasattr(X[0], "shape"):  # samples, or the inputs of a net
        return None
    samples = hasattr(X, "__len__") and hasattr(X, "__getitem__")  # a loader has batches, and no items
    return len(X) if samples else None


def _rectangular(name: str, values: ArrayLike) -> Array:
    if hasattr(values, "toarray"):
        raise ValueError(f"{name} must be dense; got a sparse {type(values).__name__}. Pass {name}.toarray()")
    try:
        return as_array(values, name=name)
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError(f"{name} must be a rectangular array; got rows of different lengths") from error


def _numeric(name: str, values: ArrayLike) -> Array:
    """Return real numbers as an array; objects, as data frames hold them for columns of several types, as float64."""
    x = _rectangular(name, values)
    if isinstance(x, np.ndarray) and x.dtype.kind == "O":
        check_present(name, x)
        if any(isinstance(each, str | bytes) for each in x.flat):
            raise ValueError(f"{name} must be numeric; got strings among objects")
        try:
            x = x.astype(np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{name} must be numeric; got objects that are not numbers") from error
    if isinstance(x, np.ndarray) and x.dtype.kind not in "biufc":
        raise ValueError(f"{name} must be numeric; got dtype {x.dtype}")
    if namespace(x).isdtype(x.dtype, "complex floating"):
        raise ValueError(f"{name} must be real. Complex data not supported; got dtype {x.dtype}")
    return x


def check_present(name: str, values: npt.NDArray[Any]) -> None:
    """Raise where labels, or objects, are missing: NaN, None, NaT or the missing value of pandas."""
    kind = values.dtype.kind
    if kind in "fmM":
        missing = np.isnan(values) if kind == "f" else np.isnat(values)
    elif kind in "OT":
        missing = np.asarray([is_missing(each) for each in values.reshape(-1).tolist()], dtype=bool)
    else:
        return
    if missing.any():
        first = int(np.argmax(missing.reshape(-1)))
        value = "NaT" if kind in "mM" else repr(values.reshape(-1)[[first]].tolist()[0])
        row = first // math.prod(values.shape[1:])
        raise ValueError(
            f"{name} must not contain missing values; got {value} in sample {row}. Leave out such samples, or "
            "fill them in"
        )


def is_finite(value: Any) -> bool:
    """Return whether a value of any type is a finite number."""
    try:
        return math.isfinite(value)
    except (TypeError, OverflowError):
        return False


def is_missing(value: Any) -> bool:
    """Return whether a label is None, NaN, NaT, the missing value of pandas, or masked."""
    if type(value).__name__ in {"NoneType", "NAType", "NaTType", "MaskedConstant"}:
        return True
    return isinstance(value, Number | np.generic) and bool(value != value)


def _check_no_nan(x: Array, name: str) -> None:
    xp = namespace(x)
    if bool(xp.any(xp.isnan(x))):
        raise ValueError(f"{name} must not contain NaN")


def _check_proba(x: Array, name: str) -> Array:
    xp = namespace(x)
    low, high = float(xp.min(x)), float(xp.max(x))
    if not (low >= 0 and high <= 1 + _SUM_TOLERANCE):
        _check_no_nan(x, name)
        raise ValueError(
            f"kind='proba' takes probabilities in [0, 1]; {name} range from {low:g} to {high:g}. "
            "If these are logits or log-probabilities, pass kind='logits' or kind='log_proba'"
        )
    if x.ndim == 2:
        _check_sums(_sums_of_samples(x), "kind='proba'", "sum to one", name)
    return x


def _check_log_proba(x: Array, name: str) -> Array:
    xp = namespace(x)
    high = float(xp.max(x))
    if not high <= _SUM_TOLERANCE:
        _check_no_nan(x, name)
        raise ValueError(
            f"kind='log_proba' takes logarithms of probabilities, none above zero; the largest of {name} is {high:g}. "
            "If these are probabilities or logits, pass kind='proba' or kind='logits'"
        )
    if x.ndim == 2:
        _check_sums(_sums_of_samples(xp.exp(x)), "kind='log_proba'", "have exponentials that sum to one", name)
    return x


def _sums_of_samples(x: Array) -> Array:
    """Return the sum of each row (n, K); a sum of two columns is many times as fast as a reduction."""
    return x[:, 0] + x[:, 1] if x.shape[1] == 2 else namespace(x).sum(x, axis=1)


def _check_sums(sums: Array, kind: str, expected: str, name: str) -> None:
    xp = namespace(sums)
    off = xp.abs(sums - 1)
    if not float(xp.max(off)) <= _SUM_TOLERANCE:
        row = int(xp.argmax(off))
        raise ValueError(f"{kind} takes samples that {expected}; sample {row} of {name} gives {float(sums[row]):g}")


def _check_logits(x: Array, name: str) -> Array:
    """Return finite logits in a precision in which differences and their squares are finite, too."""
    xp = namespace(x)
    low, high = float(xp.min(x)), float(xp.max(x))
    largest = max(-low, high)
    if not math.isfinite(largest):
        _check_no_nan(x, name)
        raise ValueError(f"kind='logits' takes finite {name}; got infinite values")
    if largest > _LARGEST_LOGIT:
        raise ValueError(
            f"kind='logits' takes {name} between -{_LARGEST_LOGIT:g} and {_LARGEST_LOGIT:g}, whose differences are "
            f"finite; {name} range from {low:g} to {high:g}. To rule a class out, a logit of -1e4 is enough"
        )
    return xp.astype(x, xp.float64) if xp.finfo(x.dtype).bits < 64 and largest > LARGEST_SINGLE else x


_CHECKS = {"proba": _check_proba, "log_proba": _check_log_proba, "logits": _check_logits}


def check_numbers(name: str, values: ArrayLike, *, n_classes: int) -> npt.NDArray[np.float64]:
    """Return `values` as (K,) finite float64."""
    numbers = to_numpy(values, name=name)
    if numbers.dtype.kind not in "biuf" or numbers.shape != (n_classes,):
        raise ValueError(
            f"{name} must be {n_classes} numbers, one for each class; got shape {numbers.shape}, dtype {numbers.dtype}"
        )
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} must be finite; got NaN or infinite values")
    return numbers.astype(np.float64)


def check_positive(name: str, values: ArrayLike, *, n_classes: int) -> npt.NDArray[np.float64]:
    """Return `values` as (K,) positive float64."""
    numbers = check_numbers(name, values, n_classes=n_classes)
    if not numbers.min() > 0:
        raise ValueError(f"{name} must be positive for each class; got {numbers.min():g}")
    return numbers


def check_distribution(name: str, values: ArrayLike, *, n_classes: int) -> npt.NDArray[np.float64]:
    """Return `values` as (K,) positive float64 that sum to one."""
    shares = check_positive(name, values, n_classes=n_classes)
    total = float(shares.sum())
    if not abs(total - 1) <= _SUM_TOLERANCE:
        raise ValueError(f"{name} must sum to one; got a sum of {total:g}")
    distribution: npt.NDArray[np.float64] = shares / total
    return distribution


def check_proba(name: str, values: ArrayLike) -> Array:
    """Return the probabilities `values`, of the second class where they are (n,), as floating (n, K)."""
    x = _numeric_columns(name, values)
    xp = namespace(x)
    if not xp.isdtype(x.dtype, "real floating"):
        x = xp.astype(x, xp.float64)
    low, high = float(xp.min(x)), float(xp.max(x))
    if not (low >= 0 and high <= 1 + _SUM_TOLERANCE):
        raise ValueError(f"{name} must hold probabilities in [0, 1]; values range from {low:g} to {high:g}")
    if x.ndim == 1:
        return xp.stack([1 - x, x], axis=1)
    _check_sums(xp.sum(x, axis=1), f"as probabilities, {name}", "sum to one", name)
    return x


def check_labels(
    y: ArrayLike, *, classes: ArrayLike | None, n_classes: int, name: str = "y"
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Return `y`, the argument `name`, as codes into the classes, and the classes, one for each column of scores."""
    found, codes = _encode(name, y)
    columns = found if classes is None else check_columns(classes, n_columns=n_classes)
    codes = _codes_among(columns, found, codes, name=name)
    if len(found) < 2:
        raise ValueError(f"{name} must hold at least two classes; got one class, {abridged(found)}")
    if len(columns) != n_classes:
        raise ValueError(
            f"scores have {n_classes} columns but {name} holds {len(found)} classes, {abridged(found)}; if it "
            "lacks some, pass classes=, the label of each column"
        )
    return codes, columns


def check_codes(name: str, values: ArrayLike, *, labels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the position among `labels` of each of `values`."""
    return _codes_among(labels, *_encode(name, values), name=name)


def _codes_among(
    columns: npt.NDArray[Any], found: npt.NDArray[Any], codes: npt.NDArray[np.int64], *, name: str
) -> npt.NDArray[np.int64]:
    """Return codes into `columns`, given codes into the labels `found`."""
    if columns is found:
        return codes
    place = {label: column for column, label in enumerate(label_values(columns))}
    unknown = [label for label in label_values(found) if label not in place]
    if unknown:
        raise ValueError(f"{name} holds {abridged_list(unknown)}, which is none of {abridged(columns)}")
    return np.asarray([place[label] for label in label_values(found)], dtype=np.int64)[codes]


def check_columns(classes: ArrayLike, *, n_columns: int) -> npt.NDArray[Any]:
    """Return `classes`, a label for each column."""
    columns = to_numpy(classes, name="classes")
    check_present("classes", columns)
    if columns.shape != (n_columns,) or len(set(columns.tolist())) != n_columns:
        raise ValueError(f"classes must hold {n_columns} distinct labels, one for each column; got {abridged(columns)}")
    return columns


def distinct_labels(name: str, values: ArrayLike) -> npt.NDArray[Any]:
    """Return the sorted distinct labels."""
    return _encode(name, values)[0]


def _encode(name: str, values: ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Return the sorted distinct labels, and the position of each label among them."""
    labels = check_label_vector(name, values)
    if labels.dtype.kind in "bui" and labels.size > 0:
        low, high = int(labels.min()), int(labels.max())
        if high - low < 1 << 16:  # counting is several times faster than sorting
            shifted = labels.astype(np.int64) - low
            occurs = np.bincount(shifted, minlength=high - low + 1) > 0
            found = (np.flatnonzero(occurs) + low).astype(labels.dtype)
            return found, shifted if occurs.all() else (np.cumsum(occurs) - 1)[shifted]
    try:
        found, codes = np.unique(labels, return_inverse=True)
    except TypeError as error:
        raise ValueError(f"{name} must hold labels of one type, all numbers or all strings; got a mixture") from error
    return found, codes.reshape(-1).astype(np.int64, copy=False)


def check_label(name: str, label: Label, classes: npt.NDArray[Any]) -> int:
    """Return the position of `label` in `classes`."""
    if np.ndim(label) > 0:
        raise ValueError(f"{name} must be one label; got {shown(label)}")
    matches = [] if is_missing(label) else [k for k, known in enumerate(label_values(classes)) if known == label]
    if not matches:
        raise ValueError(f"{name}={shown(label)} is not a class; the classes are {abridged(classes)}")
    return matches[0]


def check_per_class(
    name: str, values: ArrayLike | Mapping[Label, float], classes: npt.NDArray[Any], *, missing: float | None = None
) -> npt.NDArray[np.float64]:
    """Return a number for each class, from a vector, a series indexed by labels or a mapping of labels."""
    if isinstance(values, Mapping):
        places = {check_label(name, label, classes): value for label, value in values.items()}
        if missing is None and len(places) < len(classes):
            raise ValueError(f"{name} must name every class; got {shown(list(values))} for {len(classes)} classes")
        values = [places.get(k, missing) for k in range(len(classes))]
    elif hasattr(values, "iloc") and getattr(values, "ndim", 0) == 1 and len(values) == len(classes):  # a series
        names, numbered = list(values.index), type(values.index).__name__ == "RangeIndex"
        order = order_of(names, classes, of=f"{name} has the index", numbered=numbered, instead=f"{name}.to_numpy()")
        values = values if order is None else to_numpy(values, name=name)[order]
    return check_numbers(name, values, n_classes=len(classes))


def check_column_labels(
    labels: ArrayLike | None, *, of: str, y: ArrayLike, y_name: str, columns: str, n_columns: int | None
) -> npt.NDArray[Any]:
    """Return the label of each column: `labels`, the argument `of`, or where None the sorted labels of `y`."""
    name, given = (y_name, _encode(y_name, y)[0]) if labels is None else (of, to_numpy(labels, name=of))
    check_present(name, given)
    if given.ndim != 1 or len(set(given.tolist())) != len(given) or len(given) < 2:
        raise ValueError(f"{name} must hold at least two distinct labels; got {abridged(given)}")
    if n_columns is not None and len(given) != n_columns:
        source = f"{y_name} holds {len(given)} labels" if labels is None else f"{of} are {len(given)}"
        raise ValueError(
            f"{columns} has {n_columns} columns but {source}, {abridged(given)}; pass {of}=, the label of each column"
        )
    return given


def check_label_vector(name: str, labels: ArrayLike) -> npt.NDArray[Any]:
    """Return labels as a vector without missing values."""
    vector = to_numpy(labels, name=name)
    if vector.ndim != 1:
        raise ValueError(f"{name} must have shape (n,), one label for each sample; got {vector.shape}")
    if vector.dtype.kind == "c":
        raise ValueError(f"{name} must hold labels. Complex data not supported; got dtype {vector.dtype}")
    check_present(name, vector)
    if vector.dtype.kind == "f" and not np.isfinite(vector).all():
        raise ValueError(f"{name} must not contain infinity")
    return vector


def check_label_pair(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return two vectors of labels of the same type and length."""
    vectors = {name: check_label_vector(name, each) for name, each in (("y_true", y_true), ("y_pred", y_pred))}
    check_lengths(**vectors)
    if len({labels.dtype.kind in "biuf" for labels in vectors.values()}) > 1:
        kinds = ", ".join(f"{name} has dtype {labels.dtype}" for name, labels in vectors.items())
        raise ValueError(f"y_true and y_pred must hold labels of the same type; {kinds}")
    return vectors["y_true"], vectors["y_pred"]


def by_label(x: Array, given: ArrayLike, labels: npt.NDArray[Any], *, name: str = "scores") -> Array:
    """Return `x`, the array of `given`, with its columns in the order of `labels` where a data frame names them."""
    order = column_order(given, labels, name=name) if x.ndim in (1, 2) else None
    return x if order is None else x[:, order]


def column_order(given: ArrayLike, labels: npt.NDArray[Any], *, name: str = "scores") -> list[int] | None:
    """Return the column of each label in a data frame whose columns are named after labels; None for other input.

    The name of a column may be the label or its text. If no name is a label, or names are the default numbers, columns
    are in the order of the labels. If only some names are labels, an error is raised.
    """
    names = column_names(given)
    if not names and len(labels) == 2 and getattr(given, "ndim", 0) == 1 and isinstance(getattr(given, "name", 0), str):
        first, second = label_values(labels)
        if given.name == str(first):
            raise ValueError(
                f"{name} of shape (n,) are those of the second class, {second!r}; got a series named {given.name!r}, "
                "the first class. Pass the column of the second class, or both columns"
            )
    if len(names) != len(labels):
        return None
    numbered = type(getattr(given, "columns", None)).__name__ == "RangeIndex"
    return order_of(names, labels, of=f"{name} has the columns", numbered=numbered, instead=f"{name}.to_numpy()")


def column_names(x: ArrayLike) -> list[Any]:
    """Return the names of the columns of a data frame, none for anything else."""
    arrow = type(x).__module__.split(".")[0] == "pyarrow"
    return list(getattr(x, "column_names" if arrow else "columns", ()))


def order_of(names: list[Any], labels: npt.NDArray[Any], *, of: str, numbered: bool, instead: str) -> list[int] | None:
    """Return the position among `names` of each of `labels`, None if columns are in the order of the labels."""
    values, numbers = label_values(labels), list(range(len(names)))
    place = {str(value): k for k, value in enumerate(values)}
    place |= {str(int(value)): k for k, value in enumerate(values) if isinstance(value, float) and value.is_integer()}
    place |= {value: k for k, value in enumerate(values)}
    places = [place.get(each) for each in names]
    known = {k for k in places if k is not None}
    if places == numbers or not known:
        return None
    if len(known) == len(numbers):
        if not (numbered and names == numbers):
            return [places.index(k) for k in numbers]
        why = "which may be default numbers, and are, in another order,"
    elif [str(each) for each in names] == [str(number) for number in numbers]:
        return None
    else:
        why = "of which some but not all are"
    raise ValueError(
        f"{of} {abridged_list(names)}, {why} the labels {abridged(labels)}: name each column after its label, or pass "
        f"{instead}, which goes by position"
    )


def is_multilabel(y: ArrayLike) -> bool:
    """Return whether targets have the shape of an indicator: two columns or more, or a sparse matrix."""
    if hasattr(y, "toarray"):
        return True
    if is_dask(y):
        return len(y.shape) == 2 and int(y.shape[1]) > 1
    try:
        shape = as_array(y, name="y").shape
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError(
            "y must be labels (n,) or an indicator (n, L); got samples of different lengths. Of lists of labels "
            "sklearn.preprocessing.MultiLabelBinarizer makes an indicator"
        ) from error
    return len(shape) == 2 and shape[1] > 1


def names_page(function: _Function) -> _Function:
    """Add the name of the documentation page to errors that skimbalance raises inside `function`."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (TypeError, ValueError) as error:
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            # Errors that another library raises when skimbalance calls it get no note.
            is_ours = trace is not None and trace.tb_frame.f_globals.get("__name__", "").split(".")[0] == "skimbalance"
            if is_ours and PAGE not in getattr(error, "__notes__", ()):
                error.add_note(PAGE)
            raise

    return cast("_Function", wrapped)
