"""Change of a fit if samples or classes are reordered, or if samples are repeated instead of weighted.

Each line has the largest change over some draws: of any offset, and of `score_`. Weighted fits have no score here.
"""

import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.script import options, report
from skimbalance import OffsetTuner
from skimbalance.exceptions import FewRowsWarning

COLUMNS = ("change", "estimate", "n_samples", "n_classes", "decimals", "draws", "offsets", "score")
ESTIMATES = ("robust", "plugin", "empirical")
FEW = ((60, 2), (60, 6))

Change = Callable[[OffsetTuner, npt.NDArray[Any], npt.NDArray[Any], np.random.Generator], tuple[float, float]]


def drawn(
    n_samples: int, n_classes: int, decimals: int | None, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return probabilities with so many decimals, and codes; each class is half as frequent as the one before."""
    prior = 0.5 ** np.arange(n_classes)
    y = rng.choice(n_classes, n_samples - n_classes, p=prior / prior.sum())
    y = np.concatenate([np.arange(n_classes), y])
    odds = np.exp(rng.normal(size=(n_samples, n_classes)) + np.eye(n_classes)[y])
    proba = odds / odds.sum(axis=1, keepdims=True)
    proba = proba if decimals is None else np.round(proba, decimals)
    return proba / proba.sum(axis=1, keepdims=True), y


def samples_shuffled(
    tuner: OffsetTuner, proba: npt.NDArray[Any], y: npt.NDArray[Any], rng: np.random.Generator
) -> tuple[float, float]:
    """Return the changes of offsets and score."""
    order = rng.permutation(len(y))
    offsets, score = tuner.fit(proba, y).offsets_, tuner.score_
    tuner.fit(proba[order], y[order])
    return float(np.abs(tuner.offsets_ - offsets).max()), abs(tuner.score_ - score)


def classes_permuted(
    tuner: OffsetTuner, proba: npt.NDArray[Any], y: npt.NDArray[Any], rng: np.random.Generator
) -> tuple[float, float]:
    """Return the changes of offsets and score."""
    order = rng.permutation(proba.shape[1])
    offsets, score = tuner.fit(proba, y).offsets_, tuner.score_
    tuner.fit(proba[:, order], y, classes=order)
    return float(np.abs(tuner.offsets_ - offsets[order]).max()), abs(tuner.score_ - score)


def samples_repeated(
    tuner: OffsetTuner, proba: npt.NDArray[Any], y: npt.NDArray[Any], rng: np.random.Generator
) -> tuple[float, float]:
    """Return the largest difference between the offsets of repeated and of weighted samples."""
    weights, tuner = rng.integers(1, 4, size=len(y)), tuner.set_params(confidence_level=None)
    offsets = tuner.fit(proba, y, sample_weight=weights).offsets_
    repeated = tuner.fit(np.repeat(proba, weights, axis=0), np.repeat(y, weights)).offsets_
    return float(np.abs(repeated - offsets).max()), np.nan


def line(
    change: Change, estimate: str, n_samples: int, n_classes: int, decimals: int | None, draws: int
) -> dict[str, object]:
    """Return the largest changes over the draws, for macro-F1."""
    changes = []
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        proba, y = drawn(n_samples, n_classes, decimals, rng)
        changes.append(change(OffsetTuner("f1_macro", estimate=estimate), proba, y, rng))
    facts = (change.__name__.replace("_", " "), estimate, n_samples, n_classes, decimals or "all", draws)
    return dict(zip(COLUMNS, (*facts, *(f"{x:.2g}" for x in np.max(changes, axis=0))), strict=True))


def lines(draws: int) -> Iterator[dict[str, object]]:
    """Yield all lines; large problems get a quarter of the draws."""
    some = max(1, draws // 4)
    for change, estimate, size, decimals in itertools.product(
        (samples_shuffled, classes_permuted), ESTIMATES, FEW, (None, 1)
    ):
        yield line(change, estimate, *size, decimals, draws)
    yield line(samples_shuffled, "robust", 30_000, 2, None, some)
    for decimals in (None, 1):  # neighbours among more than 4,096 binary samples are merged
        yield line(classes_permuted, "robust", 5_000, 2, decimals, some)
    for estimate, size, decimals in itertools.product(("plugin", "empirical"), FEW, (None, 1)):
        yield line(samples_repeated, estimate, *size, decimals, draws)
    for estimate, n_samples, decimals in itertools.product(("plugin", "empirical"), (5_000, 20_000), (None, 1)):
        yield line(samples_repeated, estimate, n_samples, 2, decimals, some)


def main() -> None:
    """Compute all lines."""
    parser = options(__doc__, writes="the table")
    parser.add_argument("--draws", type=int, default=40, help="of each small problem (default %(default)s)")
    asked = parser.parse_args()
    warnings.simplefilter("ignore", FewRowsWarning)
    report(lines(asked.draws), asked.csv)


if __name__ == "__main__":
    main()
