"""Checks of labels and of values that belong to labels; errors name the argument, the value and what was expected."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.columns import order_of
from skimbalance._core.text import abridged, abridged_list, label_values, shown
from skimbalance._core.typing import ArrayLike, Label
from skimbalance._core.validation import check_lengths, check_numbers, check_present, is_missing

__all__ = [
    "check_codes",
    "check_column_labels",
    "check_columns",
    "check_label",
    "check_label_pair",
    "check_label_vector",
    "check_labels",
    "check_per_class",
]


def check_labels(
    y: ArrayLike, *, classes: ArrayLike | None, n_classes: int, name: str = "y"
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Return `y`, the argument `name`, as codes into the classes, and the classes, one for each column of scores."""
    found, codes = _encode(check_label_vector(name, y), name)
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
    return _codes_among(labels, *_encode(check_label_vector(name, values), name), name=name)


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


def _encode(labels: npt.NDArray[Any], name: str = "y") -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Return the sorted distinct labels, and the position of each label among them."""
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
    """Return a number for each class, from a vector or from a mapping of labels."""
    if not isinstance(values, Mapping):
        return check_numbers(name, _indexed_by_label(name, values, classes), n_classes=len(classes))
    places = {check_label(name, label, classes): value for label, value in values.items()}
    if missing is None and len(places) < len(classes):
        raise ValueError(f"{name} must name every class; got {shown(list(values))} for {len(classes)} classes")
    return check_numbers(name, [places.get(k, missing) for k in range(len(classes))], n_classes=len(classes))


def _indexed_by_label(name: str, values: ArrayLike, classes: npt.NDArray[Any]) -> ArrayLike:
    """Return `values`, those of a series in the order of `classes` where its index names them."""
    if not (hasattr(values, "iloc") and getattr(values, "ndim", 0) == 1 and len(values) == len(classes)):
        return values
    names, numbered = list(values.index), type(values.index).__name__ == "RangeIndex"
    order = order_of(names, classes, of=f"{name} has the index", numbered=numbered, instead=f"{name}.to_numpy()")
    return values if order is None else to_numpy(values, name=name)[order]


def check_column_labels(
    labels: ArrayLike | None, *, of: str, y: ArrayLike, y_name: str, columns: str, n_columns: int | None
) -> npt.NDArray[Any]:
    """Return the label of each column: `labels`, the argument `of`, or where None the sorted labels of `y`."""
    given = _encode(check_label_vector(y_name, y), y_name)[0] if labels is None else to_numpy(labels, name=of)
    check_present(of if labels is not None else y_name, given)
    if given.ndim != 1 or len(set(given.tolist())) != len(given) or len(given) < 2:
        raise ValueError(
            f"{of if labels is not None else y_name} must hold at least two distinct labels; got {abridged(given)}"
        )
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
