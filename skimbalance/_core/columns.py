"""Columns of data frames, matched to labels by their names."""

from typing import Any

import numpy.typing as npt

from skimbalance._core.text import abridged, abridged_list, label_values
from skimbalance._core.typing import Array, ArrayLike

__all__ = ["by_label", "column_names", "column_order", "order_of"]


def by_label(x: Array, given: ArrayLike, labels: npt.NDArray[Any], *, name: str = "scores") -> Array:
    """Return `x`, the array of `given`, with its columns in the order of `labels` where a data frame names them."""
    order = column_order(given, labels, name=name) if x.ndim in (1, 2) else None
    return x if order is None else x[:, order]


def column_order(given: ArrayLike, labels: npt.NDArray[Any], *, name: str = "scores") -> list[int] | None:
    """Return the column of each of `labels` in a data frame whose columns are named after them; None elsewhere.

    A column is named after the label that its name equals, or whose text it is. Columns that are named after none, or
    by the default numbers from zero, go by position. Where only some are named after labels, it raises.
    """
    names = column_names(given)
    if not names and len(labels) == 2 and getattr(given, "ndim", 0) == 1 and hasattr(given, "name"):
        _check_series_name(given.name, labels, name=name)
    if len(names) != len(labels):
        return None
    numbered = type(getattr(given, "columns", None)).__name__ == "RangeIndex"
    return order_of(names, labels, of=f"{name} has the columns", numbered=numbered, instead=f"{name}.to_numpy()")


def column_names(x: ArrayLike) -> list[Any]:
    """Return the names of the columns of a data frame, none for anything else."""
    arrow = type(x).__module__.split(".")[0] == "pyarrow"
    return list(getattr(x, "column_names" if arrow else "columns", ()))


def _check_series_name(name_of_series: Any, labels: npt.NDArray[Any], *, name: str) -> None:
    """Raise where one column of scores is named after the first of two labels, and would be taken for the second's."""
    first, second = label_values(labels)
    if isinstance(name_of_series, str) and name_of_series == str(first):
        raise ValueError(
            f"{name} of shape (n,) are those of the second class, {second!r}; got a series named {name_of_series!r}, "
            "the first class. Pass the column of the second class, or both columns"
        )


def order_of(names: list[Any], labels: npt.NDArray[Any], *, of: str, numbered: bool, instead: str) -> list[int] | None:
    """Return the place among `names` of each of `labels`, None where the names say nothing."""
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
