"""How often the score on new rows lies in ``score_interval_`` where rows come in groups, or are scored several times.

Groups of 2 to 20 rows are alike in label and score, or in features. Offsets are fitted on some of them, and the metric
of as many rows of new groups is looked for in the interval. The last runs are of independent rows that ten repeats of a
threefold split score ten times, and of those that it scores once.
"""

import argparse
import csv
import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedGroupKFold, StratifiedKFold

from skimbalance import OffsetTuner, TunedOffsetClassifierCV

COLUMNS = ("effect", "scores", "metric", "n_rows", "fit", "draws", "coverage", "error", "width", "bias")
PRIORS = {"f1": np.array([0.85, 0.15]), "f1_macro": np.array([0.5, 0.3, 0.14, 0.06])}
ROWS = {"f1": (300, 1000), "f1_macro": (300,)}
SIZES = (2, 20)
EFFECTS = (1.0, 2.0)
FEATURES = 8
REPEATS = RepeatedStratifiedKFold(n_splits=3, n_repeats=10, random_state=0)

Rows = tuple[npt.NDArray[Any], npt.NDArray[np.int64], npt.NDArray[np.int64]]


def groups_of(n_rows: int, rng: np.random.Generator, sizes: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Return the group of each row."""
    return np.repeat(np.arange(n_rows), rng.integers(*sizes, size=n_rows, endpoint=True))[:n_rows]


def drawn(
    metric: str, n_rows: int, rng: np.random.Generator, *, effect: float, sizes: tuple[int, int], features: bool
) -> Rows:
    """Return logits or features, codes and groups, whose rows share a random effect in either and in the label."""
    prior = np.log(PRIORS[metric])
    groups, n_classes = groups_of(n_rows, rng, sizes), len(prior)
    levels = prior + effect * rng.standard_normal((groups.max() + 1, n_classes))
    y = (levels[groups] + rng.gumbel(size=(n_rows, n_classes))).argmax(axis=1)
    if features:
        centres = np.random.default_rng(7).standard_normal((n_classes, FEATURES))
        shared = 0.7 * effect * rng.standard_normal((groups.max() + 1, FEATURES))
        return centres[y] + shared[groups] + 1.2 * rng.standard_normal((n_rows, FEATURES)), y, groups
    shared = 0.7 * effect * rng.standard_normal((groups.max() + 1, n_classes))
    return 2 * np.eye(n_classes)[y] + prior + shared[groups] + rng.standard_normal((n_rows, n_classes)), y, groups


def fitted(metric: str, how: str, X: npt.NDArray[Any], y: npt.NDArray[np.int64], groups: npt.NDArray[np.int64]) -> Any:
    """Return a tuner of logits, or a classifier of features, fitted as `how` says."""
    given = {"groups": groups} if how == "groups" else {}
    if X.shape[1] < FEATURES:
        return OffsetTuner(metric, kind="logits").fit(X, y, **given)
    cv = {"repeats": REPEATS, "once": StratifiedKFold(3)}.get(how, StratifiedGroupKFold(5) if given else None)
    return TunedOffsetClassifierCV(LogisticRegression(), objective=metric, cv=cv).fit(X, y, **given)


def cell(effect: float, scores: str, metric: str, n_rows: int, how: str, draws: int) -> dict[str, object]:
    """Return how often the interval held, and its standard error; how wide it is; and by how much scores are off."""
    sizes = (1, 1) if how in {"repeats", "once"} else SIZES
    held, widths, off = [], [], []
    for draw in range(draws):
        rng = np.random.default_rng([draw, n_rows])
        (X, y, groups), (new, y_new, _) = (
            drawn(metric, n_rows, rng, effect=effect, sizes=sizes, features=scores == "logistic") for _ in range(2)
        )
        if len(np.unique(y)) < len(PRIORS[metric]):
            continue
        model = fitted(metric, how, X, y, groups)
        low, high = model.score_interval_
        value = f1_score(y_new, model.predict(new), average="binary" if metric == "f1" else "macro")
        held.append(low <= value <= high)
        widths.append(high - low)
        off.append(value - model.score_)
    share = np.mean(held)
    numbers = (share, np.sqrt(share * (1 - share) / len(held)), np.mean(widths), np.mean(off))
    facts = (effect, scores, metric, n_rows, how, len(held))
    return dict(zip(COLUMNS, (*facts, *(round(float(x), 4) for x in numbers)), strict=True))


def cells(draws: int, rows: list[int] | None, effects: list[float]) -> Iterator[dict[str, object]]:
    """Yield all cells."""
    for effect, metric in itertools.product(effects, PRIORS):
        for n_rows, scores, how in itertools.product(
            rows or ROWS[metric], ("simulated", "logistic"), ("groups", "no groups")
        ):
            yield cell(effect, scores, metric, n_rows, how, draws)
    for how in ("repeats", "once"):
        yield cell(1.0, "logistic", "f1", 300, how, draws)


def main() -> None:
    """Compute all cells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, help="where to write the cells")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--rows", type=int, nargs="+", help="numbers of samples; without, 300 and for F1 1,000 as well")
    parser.add_argument(
        "--effects", type=float, nargs="+", default=EFFECTS, help="standard deviation of what is shared"
    )
    asked = parser.parse_args()
    sklearn.set_config(enable_metadata_routing=True)
    warnings.simplefilter("ignore")
    found = []
    for each in cells(asked.draws, asked.rows, asked.effects):
        print(*each.values(), flush=True)
        found.append(each)
    if asked.csv:
        with asked.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(found)


if __name__ == "__main__":
    main()
