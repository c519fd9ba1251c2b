"""Tuning problems from real data, in families by the origin of their scores and by the number of tuning samples.

``python -m benchmarks.leaderboard.problems --data FOLDER`` computes and caches all of them. What is cached is not
computed again.
"""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.leaderboard import stored, trained
from benchmarks.leaderboard.tuning_problem import SMALL, Source, TuningProblem
from benchmarks.script import options, progress

__all__ = ["FAMILIES", "SEEDS", "TuningProblem", "all_problems"]

SEEDS = range(5)


class Family(NamedTuple):
    """The number of seeds, the name in tables, and what the scores are."""

    seeds: int
    name: str
    scores: str


FAMILIES = {
    "plain": Family(len(SEEDS), "plain", "classifiers and nets trained on the data as they are"),
    "weights": Family(1, "weights", "classifiers trained with balanced class weights"),
    "resampled": Family(1, "resampled", "classifiers trained on data after SMOTE, random over- or undersampling"),
    "miscalibrated": Family(1, "miscalibrated", "naive Bayes, AdaBoost, linear SVM, overfitted boosted trees"),
    "other_prior": Family(1, "other prior", "nets trained on balanced classes, with imbalanced tuning samples"),
    "zero_shot": Family(2, "zero-shot", "a language model without examples, with imbalanced tuning samples"),
    "multilabel": Family(1, "multilabel", "classifiers for each label of multilabel data"),
    **{
        f"{SMALL}{size}": Family(1, f"{size} samples", f"plain, weighted and miscalibrated, {size} tuning samples")
        for size in (100, 300, 1000)
    },
}

SMALL_MODELS = {"plain": ("logistic", "lightgbm"), "weights": ("forest_weights",), "miscalibrated": ("naive_bayes",)}
"""The classifiers of small problems, by the origin of their scores."""

DRAWN = {
    "other_prior": ("cifar10_resnet20", "cifar10_vgg", "cifar100_resnet20"),
    "zero_shot": ("agnews_gpt2", "sst2_gpt2"),
}
"""Data sets with scores for balanced classes, from which imbalanced samples are drawn."""

MULTILABEL = ("enron", "medical")


def all_problems(
    folder: Path | None,
    *,
    seeds: Iterable[int] | None = None,
    sets: Collection[str] | None = None,
    families: Collection[str] | None = None,
    cached_only: bool = False,
) -> Iterator[TuningProblem]:
    """Yield the problems of these seeds, data sets and families; None means all of them, and the seeds of each family.

    Without a folder the data sets are those of `unseen`, and families of other data than theirs are empty.

    Seeds are the outer loop of a family, so that an early look at the results sees all data sets. With `cached_only`,
    problems whose scores are not cached are left out. Otherwise they are computed.
    """
    for family in FAMILIES if families is None else families:
        size = int(family.removeprefix(SMALL)) if family.startswith(SMALL) else None
        for seed in range(FAMILIES[family].seeds) if seeds is None else seeds:
            for source in _sources(folder, family, seed):
                if (sets is None or source.data in sets) and (source.is_cached or not cached_only):
                    problem = source.load()
                    if size is None:
                        yield problem
                    elif len(problem.y) > size:
                        yield problem.small(size)


def _sources(folder: Path | None, family: str, seed: int) -> Iterator[Source]:
    if family.startswith(SMALL):
        for origin, models in SMALL_MODELS.items():
            yield from (source for source in trained.tabular(folder, origin, seed) if source.model in models)
    if family in trained.TABULAR:
        yield from trained.tabular(folder, family, seed)
    if folder is None:
        return
    if family == "plain":
        yield from stored.nets(folder, seed)
    for data in DRAWN.get(family, ()):
        yield from stored.drawn(folder, data, seed, origin=family)
    for data in MULTILABEL if family == "multilabel" else ():
        yield from trained.multilabel(folder, data, seed)


def main() -> None:
    """Compute what is not cached yet."""
    parser = options(__doc__, data="the data sets")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, help="only these families")
    asked = parser.parse_args()
    for _ in progress(all_problems(asked.data, families=asked.families), lambda problem: problem.label):
        pass


if __name__ == "__main__":
    main()
