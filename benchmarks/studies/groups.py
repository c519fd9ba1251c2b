"""Coverage of ``score_interval_`` on unseen data for samples in groups, and for samples that are scored several times.

Samples of a group of 2 to 20 share an effect in label and score, or in features. The interval is fitted on some groups
and compared with the metric on as many samples of new groups. The last runs have independent samples: ten repeats of a
threefold split score each sample ten times, one split scores it once.
"""

import itertools
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedGroupKFold, StratifiedKFold

from benchmarks.script import options, report
from skimbalance import OffsetTuner, TunedOffsetClassifierCV

COLUMNS = ("effect", "scores", "metric", "n_samples", "fit", "draws", "coverage", "error", "width", "bias")
PRIORS = {"f1": np.array([0.85, 0.15]), "f1_macro": np.array([0.5, 0.3, 0.14, 0.06])}
SAMPLES = {"f1": (300, 1000), "f1_macro": (300,)}
SIZES = (2, 20)
EFFECTS = (1.0, 2.0)
FEATURES = 8
REPEATS = RepeatedStratifiedKFold(n_splits=3, n_repeats=10, random_state=0)

Drawn = tuple[npt.NDArray[Any], npt.NDArray[np.int64], npt.NDArray[np.int64]]


def groups_of(n_samples: int, rng: np.random.Generator, sizes: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Return the group of each sample."""
    return np.repeat(np.arange(n_samples), rng.integers(*sizes, size=n_samples, endpoint=True))[:n_samples]


def drawn(
    metric: str, n_samples: int, rng: np.random.Generator, *, effect: float, sizes: tuple[int, int], features: bool
) -> Drawn:
    """Return logits or features, codes and groups; each group shares a random effect."""
    prior = np.log(PRIORS[metric])
    groups, n_classes = groups_of(n_samples, rng, sizes), len(prior)
    levels = prior + effect * rng.standard_normal((groups.max() + 1, n_classes))
    y = (levels[groups] + rng.gumbel(size=(n_samples, n_classes))).argmax(axis=1)
    if features:
        centres = np.random.default_rng(7).standard_normal((n_classes, FEATURES))
        shared = 0.7 * effect * rng.standard_normal((groups.max() + 1, FEATURES))
        return centres[y] + shared[groups] + 1.2 * rng.standard_normal((n_samples, FEATURES)), y, groups
    shared = 0.7 * effect * rng.standard_normal((groups.max() + 1, n_classes))
    return 2 * np.eye(n_classes)[y] + prior + shared[groups] + rng.standard_normal((n_samples, n_classes)), y, groups


def fitted(metric: str, how: str, X: npt.NDArray[Any], y: npt.NDArray[np.int64], groups: npt.NDArray[np.int64]) -> Any:
    """Return a fitted tuner of logits, or a fitted classifier of features; `how` selects groups and folds."""
    given = {"groups": groups} if how == "groups" else {}
    if X.shape[1] < FEATURES:
        return OffsetTuner(metric, kind="logits").fit(X, y, **given)
    cv = {"repeats": REPEATS, "once": StratifiedKFold(3)}.get(how, StratifiedGroupKFold(5) if given else None)
    return TunedOffsetClassifierCV(LogisticRegression(), objective=metric, cv=cv).fit(X, y, **given)


def cell(effect: float, scores: str, metric: str, n_samples: int, how: str, draws: int) -> dict[str, object]:
    """Return coverage, its standard error, and mean width and error of the intervals."""
    sizes = (1, 1) if how in {"repeats", "once"} else SIZES
    covered, widths, errors = [], [], []
    for draw in range(draws):
        rng = np.random.default_rng([draw, n_samples])
        (X, y, groups), (new, y_new, _) = (
            drawn(metric, n_samples, rng, effect=effect, sizes=sizes, features=scores == "logistic") for _ in range(2)
        )
        if len(np.unique(y)) < len(PRIORS[metric]):
            continue
        model = fitted(metric, how, X, y, groups)
        low, high = model.score_interval_
        value = f1_score(y_new, model.predict(new), average="binary" if metric == "f1" else "macro")
        covered.append(low <= value <= high)
        widths.append(high - low)
        errors.append(value - model.score_)
    coverage = np.mean(covered)
    error = np.sqrt(coverage * (1 - coverage) / len(covered))
    numbers = (coverage, error, np.mean(widths), np.mean(errors))
    facts = (effect, scores, metric, n_samples, how, len(covered))
    return dict(zip(COLUMNS, (*facts, *(round(float(x), 4) for x in numbers)), strict=True))


def cells(draws: int, sizes: list[int] | None, effects: list[float]) -> Iterator[dict[str, object]]:
    """Yield all cells."""
    for effect, metric in itertools.product(effects, PRIORS):
        for n_samples, scores, how in itertools.product(
            sizes or SAMPLES[metric], ("simulated", "logistic"), ("groups", "no groups")
        ):
            yield cell(effect, scores, metric, n_samples, how, draws)
    for how in ("repeats", "once"):
        yield cell(1.0, "logistic", "f1", 300, how, draws)


def main() -> None:
    """Compute all cells."""
    parser = options(__doc__, writes="the cells")
    parser.add_argument("--draws", type=int, default=200, help="of each cell (default %(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of samples (default 300, and 1,000 for F1)")
    parser.add_argument("--effects", type=float, nargs="+", default=EFFECTS, help="standard deviation of the effect")
    asked = parser.parse_args()
    sklearn.set_config(enable_metadata_routing=True)
    warnings.simplefilter("ignore")
    report(cells(asked.draws, asked.sizes, asked.effects), asked.csv)


if __name__ == "__main__":
    main()
