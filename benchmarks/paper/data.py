"""Images with an imbalance: subsets to train and to tune on, and the test samples."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.paper import colour

__all__ = ["SETTINGS", "Codes", "Setting", "Split", "Vector", "available", "load", "split"]

Vector = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Images = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Setting:
    """The classes, the most frequent first, and the ratio of the first to the last.

    `most` has the training and validation samples of the majority class, `test` the test samples of each class. An
    epoch has each training sample `passes` times.
    """

    name: str
    classes: tuple[int, ...]
    ratio: int
    most: tuple[int, int] = (4000, 2000)
    test: int = 1000
    passes: int = 1
    in_colour: bool = False

    @property
    def n_classes(self) -> int:
        """The number of classes."""
        return len(self.classes)

    @property
    def objectives(self) -> tuple[str, str, str]:
        """The metrics that decisions are tuned for; binary F1 is that of the minority class."""
        return ("balanced_accuracy", "f1" if self.n_classes == 2 else "f1_macro", "geometric_mean")

    @property
    def training_samples(self) -> Codes:
        """The number of training samples of each class."""
        return self._samples(self.most[0])

    @property
    def validation_samples(self) -> Codes:
        """The number of validation samples of each class: half of the training samples."""
        return self._samples(self.most[1])

    @property
    def prior(self) -> Vector:
        """The class prior of the training samples."""
        return self.training_samples / self.training_samples.sum()

    def _samples(self, most: int) -> Codes:
        fractions = float(self.ratio) ** -np.linspace(0, 1, self.n_classes)
        return np.floor(most * fractions + 1e-9).astype(np.int64)


SETTINGS = {
    **{f"two_{ratio}": Setting(f"{ratio}:1", (0, 6), ratio) for ratio in (10, 100, 500, 1000)},
    "long_tail_100": Setting("ten classes, 100:1", tuple(range(10)), 100),
    **{
        f"colour_{ratio}": Setting(f"colour, {ratio}:1", (0, 1), ratio, (800, 400), 100, passes=5, in_colour=True)
        for ratio in (10, 100)
    },
}
"""All samples of a class of Fashion-MNIST are in the largest training, validation and test samples."""


@dataclass(frozen=True)
class Split:
    """Images (n, channels, size, size) and class codes of the training, validation and test samples."""

    X: Images
    y: Codes
    X_val: Images
    y_val: Codes
    X_test: Images
    y_test: Codes


Pool = dict[str, npt.NDArray[np.generic]]


def available(key: str) -> bool:
    """Return whether the packages of a setting are installed."""
    return not SETTINGS[key].in_colour or not colour.missing()


def load(folder: Path, *, in_colour: bool) -> Pool:
    """Return the images and labels of the pool and of the test set, or the colour images and their classes."""
    if in_colour:
        return colour.load()
    with np.load(folder / "fashion_images.npz", allow_pickle=True) as data:
        return {name: data[name] for name in ("X_train", "y_train", "X_test", "y_test")}


def split(pool: Pool, setting: Setting, seed: int) -> Split:
    """Draw disjoint training, validation and test samples; all test samples of Fashion-MNIST's classes are kept."""
    # With the ratio as a seed, the settings of one seed share no draw and are nearly independent observations.
    rng = np.random.default_rng([seed, setting.ratio, setting.n_classes])
    if setting.in_colour:
        parts = colour.split(pool, rng, _sizes(setting))
        return Split(*(array for part in parts for array in (_colours(pool["X"][part]), pool["y"][part])))
    drawn: list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]] = []
    for label, n, n_val, _ in zip(setting.classes, *_sizes(setting), strict=True):
        samples = rng.permutation(np.flatnonzero(pool["y_train"] == label))
        drawn.append((samples[:n], samples[n : n + n_val]))
    train, val = (np.concatenate(part) for part in zip(*drawn, strict=True))
    test = np.flatnonzero(np.isin(pool["y_test"], setting.classes))
    pairs = [(pool["X_train"], pool["y_train"], train), (pool["X_train"], pool["y_train"], val)]
    pairs += [(pool["X_test"], pool["y_test"], test)]
    return Split(*(part for X, y, chosen in pairs for part in (_images(X[chosen]), _codes(y[chosen], setting))))


def _sizes(setting: Setting) -> tuple[Codes, Codes, Codes]:
    """Return the training, validation and test samples of each class."""
    return setting.training_samples, setting.validation_samples, np.full(setting.n_classes, setting.test)


def _images(raw: npt.NDArray[np.generic]) -> Images:
    return (raw[:, None] / 255).astype(np.float32)


def _colours(raw: npt.NDArray[np.generic]) -> Images:
    return (raw.transpose(0, 3, 1, 2) / 255).astype(np.float32)


def _codes(labels: npt.NDArray[np.generic], setting: Setting) -> Codes:
    return np.searchsorted(setting.classes, labels).astype(np.int64)
