"""Input checks; each error names the argument, the received value and what was expected."""

import math
from collections.abc import Mapping
from numbers import Integral, Number
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import as_array, bring, flat, namespace, to_numpy
from skimbalance._core.typing import Array, ArrayLike, Kind

__all__ = [
    "check_distribution",
    "check_groups",
    "check_label_scores",
    "check_lengths",
    "check_numbers",
    "check_positive",
    "check_present",
    "check_proba",
    "check_response",
    "check_sample_weight",
    "check_scores",
    "check_weights",
    "count_samples",
    "is_missing",
    "numbered",
    "require_several_groups",
    "rescaled",
]

_SUM_TOLERANCE = 0.01
"""Sums of probabilities may differ from one by this, which allows float16 and numbers rounded to two digits."""

_LARGEST_LOGIT = 1e100
"""Larger logits are refused: squares of their differences must be finite in double precision."""

_LARGEST_SINGLE = 1e18
"""Larger logits are converted to double precision: their squares overflow in single precision."""

_LARGEST_EXPONENT = 64
"""Weights are scaled if the largest is above 2**64 or below 2**-64."""


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
    weights = _numeric("sample_weight", as_array(sample_weight, name="sample_weight"))
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
    x = _numeric(name, _rectangular(name, scores))
    if x.ndim not in (1, 2) or (x.ndim == 2 and x.shape[1] < 2):
        raise ValueError(
            f"{name} must have shape (n, K), a column for each of K >= 2 classes, or (n,) for two; got {tuple(x.shape)}"
        )
    if x.shape[0] == 0:
        raise ValueError(f"{name} must have at least one sample; got shape {tuple(x.shape)}")
    columns = 2 if x.ndim == 1 else x.shape[1]
    if n_classes is not None and columns != n_classes:
        raise ValueError(f"{name} must have {n_classes} columns, one for each class; got shape {tuple(x.shape)}")
    return _CHECKS[kind](_floating(x), name)


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
    x = _numeric("scores", _rectangular("scores", scores))
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


def _numeric(name: str, x: Array) -> Array:
    xp = namespace(x)
    if isinstance(x, np.ndarray) and x.dtype.kind == "O":
        x = _numbers_of(name, x)
    if isinstance(x, np.ndarray) and x.dtype.kind not in "biufc":
        raise ValueError(f"{name} must be numeric; got dtype {x.dtype}")
    if xp.isdtype(x.dtype, "complex floating"):
        raise ValueError(f"{name} must be real. Complex data not supported; got dtype {x.dtype}")
    return x


def _numbers_of(name: str, x: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return numbers of an array of objects, as data frames make it of columns of several types."""
    check_present(name, x)
    if any(isinstance(each, str | bytes) for each in x.flat):
        raise ValueError(f"{name} must be numeric; got strings among objects")
    try:
        return x.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} must be numeric; got objects that are not numbers") from error


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


def is_missing(value: Any) -> bool:
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
        _check_sums(xp.sum(x, axis=1), "kind='proba'", "sum to one", name)
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
        _check_sums(xp.sum(xp.exp(x), axis=1), "kind='log_proba'", "have exponentials that sum to one", name)
    return x


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
    return xp.astype(x, xp.float64) if xp.finfo(x.dtype).bits < 64 and largest > _LARGEST_SINGLE else x


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
    x = _numeric(name, _rectangular(name, values))
    xp = namespace(x)
    if x.ndim not in (1, 2) or x.shape[0] == 0 or (x.ndim == 2 and x.shape[1] < 2):
        raise ValueError(
            f"{name} must have shape (n, K), a column for each of K >= 2 classes, or (n,) for two, and at least one "
            f"sample; got {tuple(x.shape)}"
        )
    if not xp.isdtype(x.dtype, "real floating"):
        x = xp.astype(x, xp.float64)
    low, high = float(xp.min(x)), float(xp.max(x))
    if not (low >= 0 and high <= 1 + _SUM_TOLERANCE):
        raise ValueError(f"{name} must hold probabilities in [0, 1]; values range from {low:g} to {high:g}")
    if x.ndim == 1:
        return xp.stack([1 - x, x], axis=1)
    _check_sums(xp.sum(x, axis=1), f"as probabilities, {name}", "sum to one", name)
    return x
