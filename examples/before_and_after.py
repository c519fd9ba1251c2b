"""Two data sets of scikit-learn, before and after adjustment, on unseen test samples.

Run ``python examples/before_and_after.py [figure.png]``. It prints the metric, and the recall and precision of each
class on test samples, and saves a figure.
"""

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score, precision_recall_fscore_support
from sklearn.model_selection import train_test_split

from skimbalance import TunedOffsetClassifierCV
from skimbalance.metrics import geometric_mean_score

BEFORE, AFTER = "#8a8f98", "#0b6e99"


def thinned(X, y, sizes):
    """Use 40% of the samples for testing; keep at most `sizes[label]` of the others for each label."""
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
    rng = np.random.default_rng(0)
    kept = np.concatenate([rng.permutation(np.flatnonzero(y == label))[:size] for label, size in sizes.items()])
    return X[kept], y[kept], X_test, y_test


def compare(name, data, *, objective, score):
    """Fit without and with offsets, print and return the scores on the test samples."""
    X, y, X_test, y_test = data
    model = RandomForestClassifier(random_state=0)
    plain = model.fit(X, y)
    tuned = TunedOffsetClassifierCV(model, objective=objective).fit(X, y)
    classes = tuned.classes_
    tables, scores = {}, []
    print(f"\n{name}: {len(y)} training samples, {len(y_test)} test samples, objective {objective!r}")
    for label, fitted in (("before", plain), ("after", tuned)):
        predicted = fitted.predict(X_test)
        tables[label] = precision_recall_fscore_support(y_test, predicted, labels=classes, zero_division=0)
        scores.append(score(y_test, predicted))
        print(f"  {objective} {label:>6}: {scores[-1]:.3f}")
    print(f"  {'class':>10} {'in training':>11} {'recall':>16} {'precision':>16}")
    for k, c in enumerate(classes):
        recall, precision = (f"{tables['before'][i][k]:.2f} -> {tables['after'][i][k]:.2f}" for i in (1, 0))
        print(f"  {c!s:>10} {(y == c).sum():>11} {recall:>16} {precision:>16}")
    return classes, tables, scores


def draw(axes, title, classes, tables, scores):
    """Draw recall (left) and precision (right) of each class, before and after; the smallest class last."""
    for ax, measure, name in zip(axes, (1, 0), ("recall", "precision"), strict=True):
        place = np.arange(len(classes))
        before, after = tables["before"][measure], tables["after"][measure]
        ax.hlines(place, before, after, color=BEFORE, linewidth=1.5, zorder=1)
        ax.scatter(before, place, color="white", edgecolor=BEFORE, linewidth=1.5, s=46, label="before", zorder=2)
        ax.scatter(after, place, color=AFTER, s=46, label="after", zorder=3)
        ax.set(xlim=(-0.03, 1.03), xlabel=f"{name} on test samples", yticks=place, yticklabels=classes)
        ax.set_ylim(len(classes) - 0.5, -0.5)
        ax.grid(axis="x", alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_title(f"{title}: {scores[0]:.2f} before, {scores[1]:.2f} after", loc="left")


def main():
    """Compare on both data sets and save the figure."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "before_and_after.png")
    sizes = {digit: round(100 * 0.07 ** (digit / 9)) for digit in range(10)}  # 100 zeros and 7 nines for training
    data = thinned(*load_digits(return_X_y=True), sizes)
    digits = compare("Long-tailed digits", data, objective="f1_macro", score=macro_f1)
    bunch = load_breast_cancer()
    data = thinned(bunch.data, bunch.target_names[bunch.target], {"benign": 214, "malignant": 20})
    cancer = compare("Rare cancer", data, objective="geometric_mean", score=geometric_mean_score)
    figure, axes = plt.subplots(2, 2, figsize=(9, 6.3), height_ratios=(10, 3.2), layout="constrained")
    draw(axes[0], "Long-tailed digits, macro-F1", *digits)
    draw(axes[1], "Rare cancer, geometric mean of the recalls", *cancer)
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper right", ncols=2, frameon=False)
    figure.savefig(path, dpi=150)
    print(f"\nFigure saved as {path}")


def macro_f1(y_true, y_pred):
    """Return the mean F1 of all classes."""
    return f1_score(y_true, y_pred, average="macro")


if __name__ == "__main__":
    main()
