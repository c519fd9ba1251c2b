"""Values and labels as text for errors, warnings and reports."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["abridged", "abridged_list", "label_values", "plain", "shown", "with_few_samples"]

_FEW_SAMPLES = 10
"""Labels with fewer samples than this are listed in a warning."""


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
