"""The only module that imports matplotlib: axes, colours, line styles, marks and legends, and the layout of classes.

Up to 40 classes have a row each, more are drawn by rank from frequent to rare.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

try:
    import matplotlib as mpl
    from matplotlib import pyplot as plt
    from matplotlib.colors import to_rgb
except ImportError as error:
    raise ImportError("skimbalance.plotting needs matplotlib: pip install 'skimbalance[plot]'") from error

__all__ = [
    "MANY",
    "Axes",
    "Options",
    "colours",
    "ink",
    "label_classes",
    "line_style",
    "mark",
    "one_axes",
    "options",
    "place_legend",
    "short_name",
    "two_axes",
]

MANY = 40
"""Up to this number of classes, each class has its own row."""

_LONGEST = 24
"""Maximal length of a class name; longer names are cut."""

Axes: TypeAlias = Any
"""Matplotlib's Axes; its type hints differ between versions."""

Options: TypeAlias = Mapping[str, Any] | None
"""What a user passes on to an artist."""

_MARKERS = ("o", "s", "^", "D", "v", "P")
_DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3)))
"""Markers and lines that differ without colours, too; they repeat after six metrics."""


def colours() -> Sequence[str]:
    """Return colours for lines: those of the user's style, colour-blind safe ones where it leaves the default.

    These are from Okabe and Ito, *Color universal design*, 2008.
    """
    cycle = mpl.rcParams["axes.prop_cycle"]
    if cycle == mpl.rcParamsDefault["axes.prop_cycle"] or "color" not in cycle.keys:
        return "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
    return [str(colour) for colour in cycle.by_key()["color"]]


def line_style(number: int) -> dict[str, Any]:
    """Return the colour and the dashes of a line by its number."""
    palette = colours()
    return {"color": palette[number % len(palette)], "linestyle": _DASHES[number % len(_DASHES)]}


def ink(strength: float = 1.0) -> tuple[float, float, float, float]:
    """Return the colour of axis labels with this opacity: a neutral line on any background."""
    return (*to_rgb(mpl.rcParams["axes.labelcolor"]), strength)


def options(given: Options, **defaults: Any) -> dict[str, Any]:
    """Return the options of an artist: the defaults, overridden by the user's under their long or short names."""
    mine = {} if given is None else dict(given)
    short = {"c": "color", "lw": "linewidth", "ls": "linestyle", "ms": "markersize"}
    if "color" in mine:  # it replaces both; matplotlib warns if all are given
        defaults = {name: value for name, value in defaults.items() if name not in {"facecolor", "edgecolor"}}
    return {**defaults, **{short.get(name, name): value for name, value in mine.items()}}


def one_axes(ax: Axes, *, figsize: tuple[float, float]) -> tuple[Axes, bool]:
    """Return the axes to draw on, and whether they and their figure are new."""
    if ax is not None:
        return ax, False
    return plt.subplots(figsize=figsize, layout="constrained")[1], True


def two_axes(ax: Any, *, stacked: bool, figsize: tuple[float, float]) -> tuple[npt.NDArray[Any], bool]:
    """Return a pair of axes to draw on, one above the other or side by side, and whether they are new."""
    if ax is None:
        grid: dict[str, Any] = {"nrows": 2, "sharex": True} if stacked else {"ncols": 2, "sharey": True}
        return plt.subplots(**grid, figsize=figsize, layout="constrained")[1], True
    axes = np.ravel(np.asarray(ax, dtype=object))
    if axes.shape != (2,):
        raise ValueError(f"ax must be None or two axes, for recall and for precision; got {axes.size}")
    return axes, False


def place_legend(
    ax: Axes, *, new: bool, beside: Axes = None, loc: str = "outside right upper", given: Options = None, **more: Any
) -> Any:
    """Add a legend of what is on `ax`: next to the data if the layout makes room for it, else where it covers least.

    On a figure of our own it goes to `loc`, on one of the user's next to the axes `beside`.
    """
    handles, labels = ax.get_legend_handles_labels()
    if new:
        return ax.figure.legend(handles, labels, **options(given, loc=loc, frameon=False, **more))
    if ax.figure.get_layout_engine() is None or "loc" in (given or {}):
        return ax.legend(handles, labels, **options(given, loc="best"))
    place = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "frameon": False}
    return (ax if beside is None else beside).legend(handles, labels, **options(given, **place))


def mark(
    ax: Axes, x: float, lines: Sequence[Any], values: Mapping[str, float], *, hollow: bool = False, **style: Any
) -> list[Any]:
    """Mark at `x` the value of each line, which `values` has by the label of the line, and return the artists."""
    artists = []
    for number, line in enumerate(lines):
        colour, shape = line.get_color(), _MARKERS[number % len(_MARKERS)]
        fill = {"markerfacecolor": ax.get_facecolor() if hollow else colour}
        fill |= {} if hollow else {"markeredgecolor": ink()}
        look = options(style, color=colour, marker=shape, linestyle="none", markersize=8, zorder=3, **fill)
        artists += ax.plot([x], [values[line.get_label()]], **look)
    return artists


def label_classes(ax: Axes, classes: npt.NDArray[Any], support: npt.NDArray[np.float64] | None) -> None:
    """Label classes with their name and number of samples: a row for each from the top, or ranks along x if many."""
    if len(classes) > MANY:
        places = np.unique(np.linspace(0, len(classes) - 1, 6).round().astype(np.int64))
        counts = [""] * len(places) if support is None else [f"\n{_number(count)}" for count in support[places]]
        ax.set_xticks(places, [f"{place + 1}{count}" for place, count in zip(places, counts, strict=True)])
        ax.set_xlim(-1, len(classes))
        ax.set_xlabel("class" if support is None else "rank of the class, from frequent to rare; its number of samples")
        return
    counts = [""] * len(classes) if support is None else [f" ({_number(count)})" for count in support]
    names = [short_name(label) for label in classes.tolist()]
    ax.set_yticks(range(len(names)), [name + count for name, count in zip(names, counts, strict=True)])
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_ylabel("class" if support is None else "class (its samples)")


def short_name(label: object) -> str:
    """Return the name of a class, cut if it is long."""
    text = str(label)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _number(count: float) -> str:
    """Return a number of samples, or a sum of weights, as short text."""
    return f"{count:,.0f}" if float(count).is_integer() else f"{count:.3g}"
