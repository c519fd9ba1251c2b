"""Tuning problems from real data: out-of-fold scores to tune on, and the scores of test samples.

``python -m benchmarks.leaderboard.problems --data FOLDER`` computes and caches all of them. What is cached is not
computed again.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.script import CACHE, options, progress

SEEDS = range(5)
MODELS = ("logistic", "forest", "lightgbm")
TUNING_SAMPLES = 2500
TEST_SAMPLES = 5000
NETS = ("fashion_lt100", "banking77_lt20")


class TuningProblem(NamedTuple):
    """Log-probabilities and labels of the tuning samples and of the test samples."""

    data: str
    model: str
    seed: int
    scores: npt.NDArray[np.float64]
    y: npt.NDArray[np.int64]
    scores_test: npt.NDArray[np.float64]
    y_test: npt.NDArray[np.int64]

    @property
    def n_classes(self):
        """The number of classes."""
        return self.scores.shape[1]

    @property
    def label(self) -> str:
        """Its name and size, for progress."""
        return f"{self.data:25} {self.model:10} seed {self.seed} {'x'.join(map(str, self.scores.shape)):8}"

    @property
    def test_weight(self) -> npt.NDArray[np.float64] | None:
        """Weights that give the test samples the class priors of the tuning samples, None if they have these already.

        Only the nets have balanced test samples and long-tailed tuning samples.
        """
        if self.data not in NETS:
            return None
        shares, test_shares = (np.bincount(y, minlength=self.n_classes) / len(y) for y in (self.y, self.y_test))
        return (shares / test_shares.clip(1 / len(self.y_test)))[self.y_test]


def models(seed):
    """Return the classifiers whose decisions are tuned, by name."""
    from lightgbm import LGBMClassifier

    return {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "forest": RandomForestClassifier(100, min_samples_leaf=2, random_state=seed, n_jobs=1),
        "lightgbm": LGBMClassifier(
            n_estimators=60, num_leaves=15, min_sum_hessian_in_leaf=1, random_state=seed, n_jobs=1, verbose=-1
        ),
    }


def tabular(folder):
    """Return the names of the tabular data sets in the folder."""
    return sorted(path.stem.removeprefix("tab_") for path in Path(folder).glob("tab_*.npz"))


def split(folder, name, seed):
    """Return features and labels of the tuning samples and of the test samples."""
    with np.load(Path(folder) / f"tab_{name}.npz", allow_pickle=True) as data:
        X, y = data["X"], data["y"].astype(np.int64)
    n_samples = min(TUNING_SAMPLES, round(0.6 * len(y)))
    X, X_test, y, y_test = train_test_split(X, y, train_size=n_samples, stratify=y, random_state=seed)
    return X, y, X_test[:TEST_SAMPLES], y_test[:TEST_SAMPLES]


def log(proba):
    """Return log-probabilities, zeros replaced by the smallest normal number."""
    return np.log(np.maximum(proba, np.finfo(np.float64).tiny))


def tabular_problem(folder, name, model, seed):
    """Compute out-of-fold scores, or load them."""
    path = CACHE / f"{name}-{model}-{seed}.npz"
    if not path.exists():
        X, y, X_test, y_test = split(folder, name, seed)
        estimator = models(seed)[model]
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scores = log(cross_val_predict(estimator, X, y, cv=folds, method="predict_proba"))
            scores_test = log(clone(estimator).fit(X, y).predict_proba(X_test))
        CACHE.mkdir(exist_ok=True)
        np.savez_compressed(path, scores=scores, y=y, scores_test=scores_test, y_test=y_test)
    with np.load(path) as cached:
        return TuningProblem(name, model, seed, cached["scores"], cached["y"], cached["scores_test"], cached["y_test"])


def net_problem(folder, name, seed):
    """Return a net's logits; each seed draws four fifths of the validation samples, at least one of each class."""
    with np.load(Path(folder) / f"deep_{name}.npz", allow_pickle=True) as data:
        logits, y = data["logits_val"].astype(np.float64), data["y_val"].astype(np.int64)
        logits_test, y_test = data["logits_test"].astype(np.float64), data["y_test"].astype(np.int64)
    rng = np.random.default_rng(seed)
    kept = np.concatenate(
        [
            rng.permutation(samples)[: max(1, round(0.8 * len(samples)))]
            for samples in (np.flatnonzero(y == c) for c in np.unique(y))
        ]
    )
    return TuningProblem(name, "net", seed, logits[kept], y[kept], logits_test, y_test)


def chest_problems(folder):
    """Yield a binary problem for each X-ray finding, on the stored halves of the samples."""
    with np.load(Path(folder) / "deep_chestxray14_binary7.npz", allow_pickle=True) as data:
        logits, y, names = data["logits"].astype(np.float64), data["y"].astype(np.int64), data["label_names"]
        tune, test = data["cal_idx"], data["test_idx"]
    for label, name in enumerate(names):
        both = np.column_stack([np.zeros(len(logits)), logits[:, label]])
        yield TuningProblem(f"chest_{name}", "net", 0, both[tune], y[tune, label], both[test], y[test, label])


def all_problems(folder, *, seeds=SEEDS, sets=None) -> Iterator[TuningProblem]:
    """Yield the problems of the named data sets, or of all; an early look at the results sees all data sets."""
    for seed in seeds:
        for model in MODELS:
            for name in _among(tabular(folder), sets):
                yield tabular_problem(folder, name, model, seed)
        for name in _among(NETS, sets):
            yield net_problem(folder, name, seed)
    yield from (problem for problem in chest_problems(folder) if _among([problem.data], sets))


def _among(names, sets):
    return [name for name in names if sets is None or name in sets]


def main():
    """Compute what is not cached yet."""
    asked = options(__doc__, data="the data sets").parse_args()
    for _ in progress(all_problems(asked.data), lambda problem: problem.label):
        pass


if __name__ == "__main__":
    main()
