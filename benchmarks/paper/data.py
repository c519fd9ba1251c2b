"""The data of the paper's experiment: Fashion-MNIST, thinned to an imbalance, and weighted to it for the test."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["SETTINGS", "Codes", "Setting", "Split", "Vector", "load", "split"]

TRAINING_ROWS, VALIDATION_ROWS = 4000, 2000
"""Of the most frequent class: together they are all that there are of it."""

Vector = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Images = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Setting:
    """Which classes, the most frequent first, and how many times the first is as frequent as the last."""

    name: str
    classes: tuple[int, ...]
    ratio: int

    @property
    def n_classes(self) -> int:
        """The number of classes."""
        return len(self.classes)

    @property
    def objectives(self) -> tuple[str, str, str]:
        """The metrics that decisions are tuned for; F1 is that of the rare class, or the mean over several."""
        return ("balanced_accuracy", "f1" if self.n_classes == 2 else "f1_macro", "geometric_mean")

    @property
    def training_rows(self) -> Codes:
        """The rows of each class to train on."""
        return self._rows(TRAINING_ROWS)

    @property
    def validation_rows(self) -> Codes:
        """The rows of each class to tune on: half as many as to train on, so of the same imbalance."""
        return self._rows(VALIDATION_ROWS)

    @property
    def prior(self) -> Vector:
        """The share of each class among the rows to train on."""
        return self.training_rows / self.training_rows.sum()

    def _rows(self, most: int) -> Codes:
        shares = float(self.ratio) ** -np.linspace(0, 1, self.n_classes)
        return np.floor(most * shares + 1e-9).astype(np.int64)


SETTINGS = {
    **{f"two_{ratio}": Setting(f"{ratio}:1", (0, 6), ratio) for ratio in (10, 100, 500, 1000)},
    "long_tail_100": Setting("ten classes, 100:1", tuple(range(10)), 100),
}


@dataclass(frozen=True)
class Split:
    """Images (n, 1, 28, 28) and class codes to train on, to tune on and to be judged by."""

    X: Images
    y: Codes
    X_val: Images
    y_val: Codes
    X_test: Images
    y_test: Codes


def load(folder: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Return the images and labels of the pool and of the test set."""
    with np.load(folder / "fashion_images.npz", allow_pickle=True) as data:
        return {name: data[name] for name in ("X_train", "y_train", "X_test", "y_test")}


def split(pool: dict[str, npt.NDArray[np.generic]], setting: Setting, seed: int) -> Split:
    """Draw disjoint rows to train and to tune on; all test rows of the classes are kept."""
    # The ratio seeds too, or the settings of one seed would share rows and be no independent observations.
    rng = np.random.default_rng([seed, setting.ratio, setting.n_classes])
    parts: list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]] = []
    for label, n, n_val in zip(setting.classes, setting.training_rows, setting.validation_rows, strict=True):
        rows = rng.permutation(np.flatnonzero(pool["y_train"] == label))
        parts.append((rows[:n], rows[n : n + n_val]))
    train, val = (np.concatenate(rows) for rows in zip(*parts, strict=True))
    test = np.flatnonzero(np.isin(pool["y_test"], setting.classes))
    pairs = [(pool["X_train"], pool["y_train"], train), (pool["X_train"], pool["y_train"], val)]
    pairs += [(pool["X_test"], pool["y_test"], test)]
    return Split(*(part for X, y, rows in pairs for part in (_images(X[rows]), _codes(y[rows], setting))))


def _images(raw: npt.NDArray[np.generic]) -> Images:
    return (raw[:, None] / 255).astype(np.float32)


def _codes(labels: npt.NDArray[np.generic], setting: Setting) -> Codes:
    return np.searchsorted(setting.classes, labels).astype(np.int64)
