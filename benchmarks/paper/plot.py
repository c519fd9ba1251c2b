"""The picture of the paper's experiment: scores by imbalance, one panel for each metric."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from benchmarks.paper.compare import OBJECTIVES, OURSELVES, Method, Scores, gathered
from benchmarks.paper.data import SETTINGS
from benchmarks.paper.scores import Line

__all__ = ["draw"]

# Okabe and Ito's colours and one marker each, so that they differ without colour vision and in grey.
SHOWN = {
    OURSELVES: ("skimbalance", "#0072B2", "o"),
    Method("baseline", "last", "threshold"): ("threshold moving", "#D55E00", "s"),
    Method("baseline", "last", "bias_adjustment"): ("Bias Adjustment", "#CC79A7", "^"),
    Method("baseline", "last", "transport"): ("POT", "#56B4E9", "P"),
    Method("baseline", "last", "none"): ("no offsets", "#000000", "x"),
    Method("logit_adjusted", "last", "none"): ("logit-adjusted loss", "#009E73", "D"),
    Method("crt", "last", "none"): ("cRT", "#E69F00", "v"),
    Method("auto_weighting", "last", "none"): ("Auto-Weighting", "#7F7F7F", "*"),
}
TITLES = {
    "accuracy": "Accuracy, balanced test samples",
    "f1": "F1 of the minority class (ten classes: macro-F1)",
    "geometric_mean": "Geometric mean of the recalls",
}


def draw(path: Path, found: Sequence[Line]) -> None:
    """Draw the panels one below the other, for small screens."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    plt.rcParams.update({"font.size": 12})
    figure, panels = plt.subplots(len(OBJECTIVES), 1, figsize=(7, 11), sharex=True, layout="constrained")
    for panel, objective in zip(panels, OBJECTIVES, strict=True):
        _panel(panel, gathered(found, objective))
        panel.set_title(TITLES[objective], loc="left", fontsize=13, pad=20)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    panels[-1].set_xlabel("imbalance, and training samples of the minority class")
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _panel(panel: Axes, scores: Scores) -> None:
    """Draw a line for each method over the settings of each group."""
    keys = list(scores)
    groups = {name: [number for number, key in enumerate(keys) if _group(key) == name] for name in map(_group, keys)}
    for place, (method, (name, colour, marker)) in enumerate(SHOWN.items()):
        x = np.arange(len(keys)) + 0.09 * (place - (len(SHOWN) - 1) / 2)
        mean = np.array([scores[key][method].mean() for key in keys])
        error = np.array([2 * scores[key][method].std() / len(scores[key][method]) ** 0.5 for key in keys])
        own = method == OURSELVES
        style = {"color": colour, "marker": marker, "markersize": 7, "linewidth": 2.6 if own else 1.4, "capsize": 2}
        style["zorder"] = 3 if own else 2
        for number, of in enumerate(groups.values()):
            panel.errorbar(x[of], mean[of], error[of], label=None if number else name, **style)
    panel.set_xticks(range(len(keys)), [_label(key) for key in keys])
    panel.set_ylim(bottom=max(panel.get_ylim()[0], -0.03))
    for name, of in groups.items():
        panel.annotate(name, (np.mean(of), panel.get_ylim()[1]), ha="center", va="bottom", fontsize=11)
    panel.grid(axis="y", alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)


def _group(key: str) -> str:
    """Return what the settings of a line have in common."""
    name, _, _ = SETTINGS[key].name.rpartition(", ")
    return name or "two classes"


def _label(key: str) -> str:
    """Return a setting's imbalance and its training samples of the minority class."""
    return f"{SETTINGS[key].name.rpartition(', ')[-1]}\n{SETTINGS[key].training_samples[-1]}"
