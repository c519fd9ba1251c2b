"""Problems of scores that are stored with the data: nets, and a language model."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations, product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.leaderboard.tuning_problem import Source, TuningProblem, draw

__all__ = ["drawn", "nets"]

NETS = ("fashion_lt100", "banking77_lt20")

FREQUENT_FIRST, FREQUENT_LAST = "first", "last"
"""Which classes are frequent: the tail falls with the number of the class, or rises."""

TAILS = {
    "cifar10_resnet20": ((2, 500), (10, 500), (50, 500)),
    "cifar10_vgg": ((2, 500), (10, 500), (50, 500)),
    "cifar100_resnet20": ((2, 60), (5, 60), (15, 60)),
    "agnews_gpt2": ((6, 600), (30, 600), (150, 600)),
}
"""Tuning samples of the smallest and of the largest class in each long tail."""

PAIRS = {
    "cifar10_resnet20": ((3, 5), (1, 9), (4, 7)),
    "cifar10_vgg": ((3, 5), (1, 9), (4, 7)),
    "agnews_gpt2": tuple(combinations(range(4), 2)),
    "sst2_gpt2": ((0, 1),),
}
"""Pairs of classes that make binary problems; those of CIFAR-10 are easily confused."""

PAIR_TAILS = ((5, 400), (20, 400), (80, 400))

_FILES = {
    "cifar10_resnet20": "logits_cifar10_resnet20",
    "cifar100_resnet20": "logits_cifar100_resnet20",
    "cifar10_vgg": "deep_cifar10_vgg_balanced",
    "agnews_gpt2": "logproba_agnews_gpt2_zeroshot",
    "sst2_gpt2": "logproba_sst2_gpt2_zeroshot",
}

Loaded = tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]


def nets(folder: Path, seed: int) -> Iterator[Source]:
    """Yield the nets trained on long tails; the X-rays for the first seed only, since their samples are fixed."""
    for name in NETS:
        yield Source(name, "net", partial(_net, folder, name, seed))
    if seed == 0:
        yield from (Source(problem.data, "net", lambda problem=problem: problem) for problem in _chest(folder))


def drawn(folder: Path, name: str, seed: int, *, origin: str) -> Iterator[Source]:
    """Yield long tails, and imbalanced pairs of classes, drawn from samples of balanced classes."""
    for problem in _drawn_problems(folder, name, seed, origin):
        yield Source(problem.data, problem.model, lambda problem=problem: problem)


def _net(folder: Path, name: str, seed: int) -> TuningProblem:
    """Return a net's logits; each seed draws four fifths of the validation samples, at least one of each class."""
    with np.load(folder / f"deep_{name}.npz", allow_pickle=True) as data:
        logits, y = data["logits_val"].astype(np.float64), data["y_val"].astype(np.int64)
        logits_test, y_test = data["logits_test"].astype(np.float64), data["y_test"].astype(np.int64)
    kept = draw(y, [max(1, round(0.8 * n)) for n in np.bincount(y)], seed=seed)
    return TuningProblem(name, "net", seed, logits[kept], y[kept], logits_test, y_test, reweighted=True)


def _chest(folder: Path) -> Iterator[TuningProblem]:
    """Yield a binary problem for each X-ray finding, on the stored halves of the samples."""
    with np.load(folder / "deep_chestxray14_binary7.npz", allow_pickle=True) as data:
        logits, y, names = data["logits"].astype(np.float64), data["y"].astype(np.int64), data["label_names"]
        tune, test = data["cal_idx"], data["test_idx"]
    for label, name in enumerate(names):
        both = np.column_stack([np.zeros(len(logits)), logits[:, label]])
        yield TuningProblem(f"chest_{name}", "net", 0, both[tune], y[tune, label], both[test], y[test, label])


def _drawn_problems(folder: Path, name: str, seed: int, origin: str) -> Iterator[TuningProblem]:
    scores, y = _load(folder, name)
    for (smallest, largest), frequent in product(TAILS.get(name, ()), (FREQUENT_FIRST, FREQUENT_LAST)):
        counts = np.geomspace(largest, smallest, scores.shape[1]).round().astype(int)
        counts = counts if frequent == FREQUENT_FIRST else counts[::-1]
        yield _drawn(name, f"tail_{smallest}_{frequent}", seed, (scores, y), counts, origin)
    for pair, (smallest, largest) in product(PAIRS.get(name, ()), PAIR_TAILS):
        for majority, minority in (pair, pair[::-1]):
            of_pair = np.flatnonzero((y == majority) | (y == minority))
            binary = scores[of_pair][:, [majority, minority]], (y[of_pair] == minority).astype(np.int64)
            about = f"{name}_{min(pair)}_{max(pair)}"
            yield _drawn(about, f"tail_{smallest}_of_{minority}", seed, binary, [largest, smallest], origin)


def _drawn(data: str, model: str, seed: int, loaded: Loaded, counts: Sequence[int], origin: str) -> TuningProblem:
    """Return a problem with so many tuning samples of each class; all other samples are test samples."""
    scores, y = loaded
    tuned = np.sort(draw(y, counts, seed=seed))
    tested = np.setdiff1d(np.arange(len(y)), tuned)
    parts = scores[tuned], y[tuned], scores[tested], y[tested]
    return TuningProblem(data, model, seed, *parts, origin=origin, reweighted=True)


def _load(folder: Path, name: str) -> Loaded:
    with np.load(folder / f"{_FILES[name]}.npz", allow_pickle=True) as data:
        stored = "" if "scores" in data else "_test"
        scores = data["logits_test" if stored else "scores"]
        return scores.astype(np.float64), data[f"y{stored}"].astype(np.int64)
