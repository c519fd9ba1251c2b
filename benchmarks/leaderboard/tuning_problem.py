"""A tuning problem: scores to tune on, and the scores of test samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["SMALL", "Source", "TuningProblem", "draw"]

SMALL = "small_"
"""Families of small problems are named by this and their number of tuning samples."""

LEAST = 2
"""Small problems have at least so many tuning samples of each class."""

Scores = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TuningProblem:
    """Log-probabilities or logits, and labels, of the tuning samples and of the test samples.

    `origin` is the family of the scores, `size` the number of tuning samples of a small problem, about. It is None if
    there are all of them. With `reweighted`, test samples are weighted to the class priors of the tuning samples.
    """

    data: str
    model: str
    seed: int
    scores: Scores
    y: Codes
    scores_test: Scores
    y_test: Codes
    origin: str = "plain"
    size: int | None = None
    reweighted: bool = False

    @property
    def n_classes(self) -> int:
        """The number of classes."""
        return self.scores.shape[1]

    @property
    def family(self) -> str:
        """The family of its tables: the origin of its scores, or its size if it is small."""
        return self.origin if self.size is None else f"{SMALL}{self.size}"

    @property
    def name(self) -> str:
        """Its name in file names."""
        return f"{self.data}-{self.model}-{self.seed}" + ("" if self.size is None else f"-n{self.size}")

    @property
    def label(self) -> str:
        """Its name and size, for progress."""
        return f"{self.family:13} {self.name:45} {'x'.join(map(str, self.scores.shape)):8}"

    @property
    def test_weight(self) -> Scores | None:
        """Weights that give the test samples the class priors of the tuning samples, None if these are equal."""
        if not self.reweighted:
            return None
        shares, test_shares = (np.bincount(y, minlength=self.n_classes) / len(y) for y in (self.y, self.y_test))
        return (shares / test_shares.clip(1 / len(self.y_test)))[self.y_test]

    def small(self, size: int) -> "TuningProblem":
        """Return the problem with a stratified sample of the tuning samples, at least `LEAST` of each class."""
        counts = np.bincount(self.y, minlength=self.n_classes)
        drawn = np.minimum(counts, np.maximum(LEAST, np.round(size * counts / len(self.y)).astype(int)))
        kept = np.sort(draw(self.y, drawn, seed=self.seed))
        return replace(self, scores=self.scores[kept], y=self.y[kept], size=size)


@dataclass(frozen=True)
class Source:
    """A problem that can be loaded. Its scores are in the file `path`, or will be; None if they come with the data."""

    data: str
    model: str
    load: Callable[[], TuningProblem]
    path: Path | None = None

    @property
    def is_cached(self) -> bool:
        """Whether loading does not train a classifier."""
        return self.path is None or self.path.exists()


def draw(y: Codes, counts: Sequence[int], *, seed: int) -> npt.NDArray[np.intp]:
    """Return the indices of so many random samples of each class."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(np.flatnonzero(y == c))[:n] for c, n in enumerate(counts)])
