"""Pictures for docs/how_it_works.md, drawn anew when this file changes."""

import warnings
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from skimbalance import OffsetTuner

GREY, BLUE, ORANGE = "#8a8f98", "#0b6e99", "#d9722b"
STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10,
    "svg.hashsalt": "skimbalance",
    "legend.frameon": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
}

Floats = npt.NDArray[np.float64]


def draw_all(folder: Path) -> None:
    """Draw each figure that `folder` lacks, or that another version of this file has drawn."""
    folder.mkdir(exist_ok=True)
    version, stamp = sha256(Path(__file__).read_bytes()).hexdigest(), folder / "pictures.sha256"
    if stamp.exists() and stamp.read_text() == version and all((folder / name).exists() for name in PICTURES):
        return
    for name, draw in PICTURES.items():
        with mpl.rc_context(STYLE):
            draw().savefig(folder / name, metadata={"Date": None})
    stamp.write_text(version)


def _fraud(rng: np.random.Generator, n_samples: int, prior: float = 0.05) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return log-odds of a calibrated binary model, and the labels."""
    y = (rng.random(n_samples) < prior).astype(np.int64)
    return rng.normal(2.0 * y, 1.2) * 2.0 / 1.44 + np.log(prior / (1 - prior)) - 2.0 / 1.44, y


def threshold() -> Figure:
    """Draw the cut of the argmax and the best cut for F1."""
    figure = Figure(figsize=(5.6, 2.6), layout="constrained")
    ax = figure.subplots()
    log_odds, y = _fraud(np.random.default_rng(0), 60_000, prior=0.12)
    cut = -float(np.diff(OffsetTuner("f1", kind="logits").fit(log_odds, y).offsets_)[0])
    bins = np.linspace(-8, 5, 66)
    ax.hist(log_odds[y == 0], bins, color=GREY, alpha=0.55, label="majority class")
    ax.hist(log_odds[y == 1], bins, color=ORANGE, alpha=0.8, label="minority class")
    top = 1.12 * ax.get_ylim()[1]
    ax.axvline(0, color="black", linewidth=2, linestyle="--")
    ax.axvline(cut, color=BLUE, linewidth=2)
    ax.text(0.15, 0.93 * top, "argmax(scores)")
    ax.text(cut - 0.15, 0.93 * top, "argmax(scores + offsets)", color=BLUE, ha="right")
    ax.annotate("", xy=(cut, 0.7 * top), xytext=(0, 0.7 * top), arrowprops={"arrowstyle": "->", "color": BLUE})
    ax.text(0.15, 0.7 * top, "by the difference of\nthe two offsets", va="center", color=BLUE)
    ax.set(xlabel="log-odds of the minority class", ylabel="samples", yticks=[], xlim=(-8, 5), ylim=(0, top))
    ax.legend(loc="center right")
    return figure


def regions() -> Figure:
    """Draw which class three offsets give each part of the plane of score differences."""
    figure = Figure(figsize=(5.6, 2.9), layout="constrained")
    plane = np.stack(np.meshgrid(np.linspace(-5, 5, 400), np.linspace(-5, 5, 400)), axis=-1)
    scores = np.concatenate([np.zeros_like(plane[..., :1]), plane], axis=-1)
    names = ("majority", "second", "rarest")
    titles = "argmax(scores)", "argmax(scores + offsets)"
    colours = mpl.colors.ListedColormap([GREY, BLUE, ORANGE])
    axes = figure.subplots(1, 2, sharey=True)
    for ax, title, offsets in zip(axes, titles, ((0, 0, 0), (-1.7, 0.2, 1.5)), strict=True):
        codes = (scores + np.asarray(offsets)).argmax(axis=-1)
        ax.imshow(codes, extent=(-5, 5, -5, 5), origin="lower", alpha=0.55, cmap=colours, aspect="auto")
        for k, name in enumerate(names):
            ax.text(*plane[codes == k].mean(axis=0), name, ha="center", va="center")
        ax.set_title(title)
    figure.axes[0].set_ylabel("score of the rarest,\nminus the majority")
    figure.supxlabel("score of the second, minus the majority", fontsize=10)
    return figure


def line_search() -> Figure:
    """Draw the margins of one class and the metric that each cut between them gives."""
    figure = Figure(figsize=(5.6, 3.6), layout="constrained")
    below, above = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))[::-1]
    log_odds, y = _fraud(np.random.default_rng(5), 60, prior=0.2)
    margins, order = np.sort(-log_odds), np.argsort(-log_odds)
    hits, taken = np.cumsum(y[order]), np.arange(1, len(y) + 1)
    f1 = 2 * hits / (taken + y.sum())
    best = int(f1.argmax())
    above.step(margins, f1, where="post", color=BLUE)
    above.axvspan(margins[best], margins[best + 1], color=ORANGE, alpha=0.4, linewidth=0)
    above.annotate(
        "best plateau: the offset goes inside",
        xy=((margins[best] + margins[best + 1]) / 2, f1[best]),
        xytext=(margins[best] + 1.6, f1[best] + 0.02),
        arrowprops={"arrowstyle": "->"},
        va="center",
    )
    above.set(ylabel="F1 of the class", ylim=(0, 1))
    for code, colour, name in ((1, ORANGE, "class"), (0, GREY, "others")):
        below.eventplot(margins[y[order] == code], lineoffsets=code, linelengths=0.8, colors=colour)
        below.text(1.005, (code + 0.5) / 2, name, color=colour, transform=below.transAxes, va="center")
    below.set(xlabel="offset of the class; ticks are the margins of the samples", yticks=[])
    below.set_ylim(-0.5, 1.5)
    return figure


def ascent() -> Figure:
    """Draw macro-F1 over the two free offsets of three classes, and the steps of an ascent, one class at a time."""
    rng = np.random.default_rng(3)
    prior = np.array([0.8, 0.15, 0.05])
    y = rng.choice(3, size=600, p=prior)
    scores = 2.2 * np.eye(3)[y] + np.log(prior) + rng.normal(size=(600, 3))
    grid = np.linspace(-1.5, 4.5, 121)

    def value(b1: float, b2: float) -> float:
        predicted = (scores + np.array([0.0, b1, b2])).argmax(axis=1)
        table = np.bincount(3 * y + predicted, minlength=9).reshape(3, 3)
        return float((2 * table.diagonal() / (table.sum(axis=0) + table.sum(axis=1))).mean())

    surface = np.array([[value(b1, b2) for b1 in grid] for b2 in grid])
    path = [(0.0, 0.0)]
    for coordinate in (1, 0, 1, 0):
        along = [(*path[-1][:coordinate], each, *path[-1][coordinate + 1 :]) for each in grid]
        best = max(along, key=lambda place: value(*place))
        path.append(best if value(*best) > value(*path[-1]) else path[-1])
    figure = Figure(figsize=(5.0, 3.8), layout="constrained")
    ax = figure.subplots()
    filled = ax.contourf(grid, grid, surface, levels=14, cmap="Greys", alpha=0.8)
    figure.colorbar(filled, ax=ax, label="macro-F1 on these samples")
    ax.plot(*np.array(path).T, "o-", color=ORANGE, label="one class at a time")
    ax.plot(*(np.log(prior[0] / prior)[1:]), "s", color=BLUE, label="another start, -log prior")
    ax.set(xlabel="offset of the second class", ylabel="offset of the rarest class")
    ax.legend(loc="lower right", frameon=True)
    return figure


def noise() -> Figure:
    """Draw F1 against the threshold on few samples with hard and soft labels, and on unseen data."""
    figure = Figure(figsize=(5.4, 5.6), layout="constrained")
    curves, gains = figure.subplots(2, 1)
    rng = np.random.default_rng(1)
    log_odds, y = _fraud(rng, 200)
    many, truth = _fraud(rng, 100_000)
    cuts = np.linspace(-4, 2.5, 600)
    proba = 1 / (1 + np.exp(-log_odds))

    def f1(scores: Floats, labels: Any) -> Floats:
        return np.array([2 * labels[scores > c].sum() / ((scores > c).sum() + labels.sum()) for c in cuts])

    lines = {
        f"{y.sum()} tuning samples of the minority class": (f1(log_odds, y), ORANGE, 1.2),
        "the same samples, soft labels": (f1(log_odds, proba), BLUE, 1.8),
        "unseen data": (f1(many, truth), "black", 1.8),
    }
    for name, (line, colour, width) in lines.items():
        curves.plot(cuts, line, color=colour, label=name, linewidth=width)
        curves.plot(cuts[line.argmax()], line.max(), "o", color=colour)
    curves.set(xlabel="threshold on the log-odds", ylabel="F1", ylim=(0, 0.85), title="A few labels, and their noise")
    curves.legend(loc="upper right", fontsize=8.5)
    _gains(gains, rng, many, truth)
    return figure


def _gains(ax: Any, rng: np.random.Generator, many: Floats, truth: npt.NDArray[np.int64]) -> None:
    """Draw mean F1 on unseen data, of the in-sample optimum and the default, by the size of the minority class."""
    sizes, draws = (5, 10, 20, 50, 100), 60
    means: dict[str, list[float]] = {"empirical": [], "robust": []}
    for size in sizes:
        reached: dict[str, list[float]] = {name: [] for name in means}
        for _ in range(draws):
            log_odds, y = _fraud(rng, size * 20)
            for name in means:
                if 0 < y.sum() < len(y):
                    level = 0.9 if name == "robust" else None
                    tuner = OffsetTuner("f1", kind="logits", estimate=name, confidence_level=level)
                    cut = -float(np.diff(_quietly(tuner, log_odds, y).offsets_)[0])
                    taken = many > cut
                    reached[name].append(2 * truth[taken].sum() / (taken.sum() + truth.sum()))
        for name, values in reached.items():
            means[name].append(float(np.mean(values)))
    ax.plot(sizes, means["empirical"], "o-", color=ORANGE, label="in-sample optimum")
    ax.plot(sizes, means["robust"], "o-", color=BLUE, label="the default")
    cuts = np.quantile(many, np.linspace(0.8, 0.999, 400))
    best = max(2 * truth[many > c].sum() / ((many > c).sum() + truth.sum()) for c in cuts)
    ax.axhline(best, color="black", linewidth=1, linestyle=":")
    ax.text(sizes[0], best, "the best there is", va="bottom", fontsize=8.5)
    ax.set_ylim(top=best + 0.01)
    ax.set(
        xlabel="tuning samples of the minority class", title=f"F1 on unseen data, mean of {draws} draws", xscale="log"
    )
    ax.set_xticks(sizes, labels=[str(size) for size in sizes])
    ax.minorticks_off()
    ax.legend(loc="lower right", fontsize=8.5)


def _quietly(tuner: OffsetTuner, scores: Floats, y: npt.NDArray[np.int64]) -> OffsetTuner:
    """Fit without the warning on few samples, which are the topic of the figure."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuner.fit(scores, y)


def shrinkage() -> Figure:
    """Draw offsets of long-tailed digits against the log prior: the in-sample optimum and the default."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    kept = np.concatenate(
        [rng.permutation(np.flatnonzero(y == c))[: round(120 * (8 / 120) ** (c / 9))] for c in range(10)]
    )
    X, y = X[kept], y[kept]
    proba = cross_val_predict(LogisticRegression(C=1e-4, max_iter=2000), X, y, method="predict_proba")
    rarity = -np.log(np.bincount(y) / len(y))
    rarity -= rarity.mean()
    empirical, robust = (
        _quietly(OffsetTuner("f1_macro", estimate=name), proba, y).offsets_ for name in ("empirical", "robust")
    )
    tau = float(rarity @ robust / (rarity @ rarity))
    figure = Figure(figsize=(5.4, 3.4), layout="constrained")
    ax = figure.subplots()
    ends = np.array([rarity.min(), rarity.max()])
    ax.plot(ends, tau * ends, color=GREY, linewidth=1.5, label="a multiple of -log prior")
    ax.vlines(rarity, empirical, robust, color=GREY, linewidth=1, linestyle=":")
    ax.plot(rarity, empirical, "o", markerfacecolor="white", color=ORANGE, label="in-sample optimum")
    ax.plot(rarity, robust, "o", color=BLUE, label="default")
    ax.set(xlabel="-log prior of the class, from the most frequent to the rarest digit", ylabel="offset")
    ax.legend()
    return figure


def cross_fitting() -> Figure:
    """Draw the five fits that judge each row by offsets that it did not help to find."""
    figure = Figure(figsize=(5.4, 2.2), layout="constrained")
    ax = figure.subplots()
    for fit in range(5):
        for part in range(5):
            judged = part == fit
            colour, alpha = (ORANGE, 0.9) if judged else (BLUE, 0.3)
            ax.add_patch(Rectangle((part, -fit), 0.94, 0.72, color=colour, alpha=alpha))
            if judged:
                ax.text(part + 0.47, -fit + 0.36, "predicted", ha="center", va="center", color="white", fontsize=9)
        ax.text(5.1, -fit + 0.36, f"offsets of fit {fit + 1}", va="center")
    ax.text(0, 0.95, "samples: offsets are fitted on the pale parts and predict the orange part", va="bottom")
    ax.set(xlim=(0, 6.6), ylim=(-4.1, 1.4))
    ax.axis("off")
    return figure


PICTURES: dict[str, Callable[[], Figure]] = {
    "threshold.svg": threshold,
    "regions.svg": regions,
    "line_search.svg": line_search,
    "ascent.svg": ascent,
    "noise.svg": noise,
    "shrinkage.svg": shrinkage,
    "cross_fitting.svg": cross_fitting,
}
"""The function that draws each figure."""
