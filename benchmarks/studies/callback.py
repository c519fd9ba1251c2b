"""What TunedOffsetCheckpoint costs beside an epoch of a small ConvNet on long-tailed Fashion-MNIST.

``python benchmarks/callback.py --data FOLDER``: about a minute on one core.
"""

import argparse
import csv
import sys
import warnings
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
import torch
from skorch import NeuralNetClassifier
from skorch.dataset import ValidSplit

from skimbalance.callbacks import TunedOffsetCheckpoint

LARGEST, RATIO, SHARE = 5000, 100, 5
"""Rows of the most frequent class, over those of the rarest, and one row in how many is for validation."""

CASES = [("f1_macro", "plugin"), ("balanced_accuracy", "plugin"), ("f1_macro", "robust")]


class Timed(TunedOffsetCheckpoint):
    """The callback, with the processor time of each epoch spent in it."""

    def initialize(self):
        """Start counting."""
        self.spent_, self.all_ = 0.0, []
        return super().initialize()

    def on_batch_end(self, net, batch=None, training=False, y_pred=None, **kwargs):
        """Count the batch."""
        begin = process_time()
        super().on_batch_end(net, batch=batch, training=training, y_pred=y_pred, **kwargs)
        self.spent_ += process_time() - begin

    def on_epoch_end(self, net, **kwargs):
        """Count the epoch."""
        begin = process_time()
        super().on_epoch_end(net, **kwargs)
        self.all_.append(self.spent_ + process_time() - begin)
        self.spent_ = 0.0


def long_tailed(folder: Path):
    """Return pictures (n, 1, 28, 28) and their classes, ever fewer of each."""
    stored = np.load(folder / "fashion_images.npz")
    X, y = stored["X_train"], stored["y_train"].astype(np.int64)
    sizes = [round(LARGEST * RATIO ** (-c / 9)) for c in range(10)]
    rows = np.concatenate([np.flatnonzero(y == c)[:size] for c, size in enumerate(sizes)])
    return X[rows, None].astype(np.float32) / 255, y[rows]


def convnet():
    """Return a ConvNet of three convolutions and a layer, of 60,000 parameters."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 32, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(32, 64, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(64, 64, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(64, 10),
    )


def measured(X, y, objective, estimate, *, epochs):
    """Return the processor seconds of each epoch, without and in the callback."""
    torch.manual_seed(0)
    net = NeuralNetClassifier(
        convnet,
        criterion=torch.nn.CrossEntropyLoss,
        lr=0.05,
        max_epochs=epochs,
        iterator_train__shuffle=True,
        train_split=ValidSplit(SHARE, stratified=True),
        callbacks=[("timed", Timed(objective, estimate=estimate))],
        verbose=0,
    )
    begin = process_time()
    net.fit(X, y)
    inside = dict(net.callbacks_)["timed"].all_
    return (process_time() - begin - sum(inside)) / epochs, median(inside)


def main():
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data sets")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--csv", type=Path, help="where to store the table")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    X, y = long_tailed(asked.data)
    lines = [("objective", "estimate", "rows", "validation rows", "epoch s", "callback s", "share")]
    for objective, estimate in CASES:
        epoch, inside = measured(X, y, objective, estimate, epochs=asked.epochs)
        share = f"{inside / epoch:.3f}"
        lines.append((objective, estimate, len(y), len(y) // SHARE, f"{epoch:.2f}", f"{inside:.3f}", share))
        print(f"{objective}, {estimate}: {lines[-1]}", file=sys.stderr)
    if asked.csv:
        with asked.csv.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)


if __name__ == "__main__":
    main()
