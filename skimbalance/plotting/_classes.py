"""Layout of classes: a row for each of up to 40 classes, by rank from frequent to rare for more."""

from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance.plotting._axes import Axes

__all__ = ["MANY", "by_objective_value", "by_row", "frequent_first", "running_mean"]

MANY = 40
"""Up to this number of classes, each class has its own row."""

_LONGEST = 24
"""Maximal length of a class name; longer names are cut."""

_Floats = npt.NDArray[np.float64]


def frequent_first(support: _Floats | None, *, n_classes: int) -> npt.NDArray[np.int64]:
    """Return the order of the classes by decreasing support, or the given order if support is None."""
    return np.arange(n_classes) if support is None else np.argsort(-support, kind="stable")


def by_row(ax: Axes, classes: npt.NDArray[Any], support: _Floats | None) -> None:
    """Label a row for each class, from the top, with its name and number of samples."""
    counts = [""] * len(classes) if support is None else [f" ({_number(count)})" for count in support]
    names = [_short(str(label)) + count for label, count in zip(classes.tolist(), counts, strict=True)]
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_ylabel("class" if support is None else "class (its samples)")


def by_objective_value(ax: Axes, support: _Floats | None, *, n_classes: int) -> None:
    """Label ranks of classes along x, with the number of samples of those at the ticks."""
    places = np.unique(np.linspace(0, n_classes - 1, 6).round().astype(np.int64))
    counts = [""] * len(places) if support is None else [f"\n{_number(count)}" for count in support[places]]
    ax.set_xticks(places, [f"{place + 1}{count}" for place, count in zip(places, counts, strict=True)])
    ax.set_xlim(-1, n_classes)
    ax.set_xlabel("class" if support is None else "rank of the class, from frequent to rare; its number of samples")


def running_mean(values: _Floats) -> _Floats:
    """Return the running mean over a tenth of all values, without NaN."""
    reach = max(2, len(values) // 20)
    window = np.ones(2 * reach + 1)
    known = np.isfinite(values)
    total, number = (np.convolve(x, window)[reach:-reach] for x in (np.where(known, values, 0.0), known.astype(float)))
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _number(count: float) -> str:
    """Return a number of samples, or a sum of weights, as short text."""
    return f"{count:,.0f}" if float(count).is_integer() else f"{count:.3g}"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 3] + "..."
