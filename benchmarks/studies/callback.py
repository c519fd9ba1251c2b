"""Time of TunedOffsetCheckpoint, compared with an epoch of a small ConvNet on long-tailed Fashion-MNIST.

``python -m benchmarks.studies.callback --data FOLDER``: about a minute on one core.
"""

import warnings
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
import torch
from skorch import NeuralNetClassifier
from skorch.dataset import ValidSplit

from benchmarks.script import options, report
from skimbalance.callbacks import TunedOffsetCheckpoint

LARGEST, RATIO, FOLDS = 5000, 100, 5
"""Samples of the majority class, its ratio to the minority class, and the inverse of the validation fraction."""

CASES = [("f1_macro", "plugin"), ("balanced_accuracy", "plugin"), ("f1_macro", "robust")]


class Timed(TunedOffsetCheckpoint):
    """The callback, with its processor time in each epoch."""

    def initialize(self):
        """Set the times to zero."""
        super().initialize()  # which deletes attributes of an earlier training
        self.spent_, self.all_ = 0.0, []
        return self

    def on_batch_end(self, net, batch=None, training=False, y_pred=None, **kwargs):
        """Add the time of the batch."""
        begin = process_time()
        super().on_batch_end(net, batch=batch, training=training, y_pred=y_pred, **kwargs)
        self.spent_ += process_time() - begin

    def on_epoch_end(self, net, **kwargs):
        """Add the time of the epoch."""
        begin = process_time()
        super().on_epoch_end(net, **kwargs)
        self.all_.append(self.spent_ + process_time() - begin)
        self.spent_ = 0.0


def long_tailed(folder: Path):
    """Return images (n, 1, 28, 28) and classes of geometrically decreasing sizes."""
    stored = np.load(folder / "fashion_images.npz")
    X, y = stored["X_train"], stored["y_train"].astype(np.int64)
    sizes = [round(LARGEST * RATIO ** (-c / 9)) for c in range(10)]
    samples = np.concatenate([np.flatnonzero(y == c)[:size] for c, size in enumerate(sizes)])
    return X[samples, None].astype(np.float32) / 255, y[samples]


def convnet():
    """Return a ConvNet with three convolutions and a linear layer, 56,000 parameters."""
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
    """Return a line of the table: processor seconds of an epoch without the callback, and of the callback."""
    torch.manual_seed(0)
    net = NeuralNetClassifier(
        convnet,
        criterion=torch.nn.CrossEntropyLoss,
        lr=0.05,
        max_epochs=epochs,
        iterator_train__shuffle=True,
        train_split=ValidSplit(FOLDS, stratified=True),
        callbacks=[("timed", Timed(objective, estimate=estimate))],
        verbose=0,
    )
    begin = process_time()
    net.fit(X, y)
    inside = dict(net.callbacks_)["timed"].all_
    epoch, callback = (process_time() - begin - sum(inside)) / epochs, median(inside)
    sizes = {"samples": len(y), "validation samples": len(y) // FOLDS}
    times = {"epoch s": f"{epoch:.2f}", "callback s": f"{callback:.3f}", "ratio": f"{callback / epoch:.3f}"}
    return {"objective": objective, "estimate": estimate, **sizes, **times}


def main():
    """Measure, print and store."""
    parser = options(__doc__, data="fashion_images.npz", writes="the table")
    parser.add_argument("--epochs", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    X, y = long_tailed(asked.data)
    report((measured(X, y, *case, epochs=asked.epochs) for case in CASES), asked.csv)


if __name__ == "__main__":
    main()
