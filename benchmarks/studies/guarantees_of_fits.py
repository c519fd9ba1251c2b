"""Whether bounds with a confidence hold where nothing is proven: pooled scores of folds, classes, and bootstraps.

``python -m benchmarks.studies.guarantees_of_fits --csv benchmarks/results/guarantees_of_fits.csv``: ten minutes on one
core. Bounds on pooled scores of the validation folds are evaluated for the final model, which is trained on all
samples. Multiclass bounds are tested on the samples of the fit, at a fifth of the level, or on a part of them. Bounds
on metrics without a test are tightened by bootstraps. That on a predicted share is proven, and is for comparison.
"""

import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.stats import norm
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from benchmarks.script import options, report
from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.goals import AtLeast, AtMost, Constraint

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_CONFIDENCE = 0.9
_RECALL = AtLeast("recall", 0.8, label=1, confidence=_CONFIDENCE)
_PRIORS = np.array([0.6, 0.25, 0.15])
_UNSEEN = 50_000
"""Samples that stand for the population of a multiclass problem."""


def features(rng: np.random.Generator, n_samples: int, n_positive: int) -> tuple[Floats, Codes]:
    """Return five features, of which three differ between the classes, and labels."""
    y = (np.arange(n_samples) < n_positive).astype(np.int64)
    X = rng.normal(size=(n_samples, 5))
    X[:, :3] += 1.2 * y[:, None]
    return X, y


def folds(model: Callable[[], object], n_positive: int, seed: int) -> tuple[bool, bool, float]:
    """Return whether a recall is claimed and missed by the final model, and the precision."""
    X, y = features(np.random.default_rng(seed), 10 * n_positive, n_positive)
    clf = TunedOffsetClassifierCV(
        model(), objective="precision", constraints=[_RECALL], estimate="empirical", confidence_level=None
    ).fit(X, y)
    X_new, y_new = features(np.random.default_rng(10**6), 20_000, 10_000)
    predicted = clf.predict(X_new)
    recall, false = np.mean(predicted[y_new == 1]), np.mean(predicted[y_new == 0])
    claimed = clf.tuner_.guarantees_[0].holds
    return claimed, claimed and recall < _RECALL.value, float(0.1 * recall / max(0.1 * recall + 0.9 * false, 1e-300))


def classes(rng: np.random.Generator, n_samples: int) -> tuple[Floats, Codes]:
    """Return log-scores of three classes, and labels."""
    y = rng.choice(3, size=n_samples, p=_PRIORS)
    return 2.2 * rng.normal(size=(n_samples, 3)) + 2.2**2 * np.eye(3)[y] + np.log(_PRIORS), y


def multiclass(
    constraints: list[Constraint], certify_on: float | None, n_samples: int, seed: int
) -> tuple[bool, bool, float]:
    """Return whether all bounds are claimed, and some missed, and the accuracy."""
    scores, y = classes(np.random.default_rng(seed), n_samples)
    tuner = OffsetTuner(
        "accuracy",
        constraints=constraints,
        kind="logits",
        estimate="empirical",
        confidence_level=None,
        certify_on=certify_on,
    ).fit(scores, y)
    new, y_new = classes(np.random.default_rng(10**6), _UNSEEN)
    predicted = tuner.predict(new)
    missed = False
    for constraint in constraints:
        own = (y_new if constraint.metric == "recall" else predicted) == constraint.label
        missed |= bool(np.mean(predicted[own] == y_new[own]) < constraint.value)
    claimed = all(each.holds for each in tuner.guarantees_)
    return claimed, claimed and missed, float(np.mean(predicted == y_new))


def one_score(constraint: Constraint, objective: str, seed: int) -> tuple[bool, bool, float]:
    """Return whether a bound of the default estimate is claimed, and missed by the population, and the objective.

    That is the recall or the precision. Scores of 600 samples are normal, the classes two standard deviations apart,
    with 20% positives.
    """
    rng = np.random.default_rng(seed)
    y = (rng.random(600) < 0.2).astype(np.int64)
    scores = rng.normal(size=600) + 2 * y
    tuner = OffsetTuner(objective, constraints=[constraint], kind="logits", confidence_level=None).fit(scores, y)
    cut = float(tuner.offsets_[0] - tuner.offsets_[1])
    recall, false = float(norm.sf(cut - 2)), float(norm.sf(cut))
    value = {"balanced_accuracy": (recall + 1 - false) / 2, "predicted_share": 0.2 * recall + 0.8 * false}
    low, high = constraint.bounds()
    claimed = tuner.guarantees_[0].holds
    achieved = {"recall": recall, "precision": 0.2 * recall / max(0.2 * recall + 0.8 * false, 1e-300)}
    return claimed, claimed and not low <= value[str(constraint.metric)] <= high, achieved[objective]


def macro_f1(seed: int) -> tuple[bool, bool, float]:
    """Return whether a bound on macro-F1 of the default estimate is claimed, and missed, and the accuracy."""
    scores, y = classes(np.random.default_rng(seed), 600)
    bound = AtLeast("f1_macro", 0.84, confidence=_CONFIDENCE)
    tuner = OffsetTuner("accuracy", constraints=[bound], kind="logits", confidence_level=None).fit(scores, y)
    new, y_new = classes(np.random.default_rng(10**6), _UNSEEN)
    predicted = tuner.predict(new)
    claimed = tuner.guarantees_[0].holds
    missed = claimed and f1_score(y_new, predicted, average="macro") < bound.value
    return claimed, missed, float(np.mean(predicted == y_new))


def cases() -> dict[str, Callable[[int], tuple[bool, bool, float]]]:
    """Return what is measured, by name."""
    found: dict[str, Callable[[int], tuple[bool, bool, float]]] = {}
    for n_positive in (30, 60, 100, 200):
        found[f"folds, logistic regression, {n_positive} positives"] = partial(folds, LogisticRegression, n_positive)
    forest = partial(RandomForestClassifier, 30, random_state=0)
    found["folds, forest, 60 positives"] = partial(folds, forest, 60)

    def recall(value: float, label: int) -> Constraint:
        return AtLeast("recall", value, label=label, confidence=_CONFIDENCE)

    bounds = {
        "one recall": [recall(0.8, 2)],
        "two recalls": [recall(0.65, 2), recall(0.65, 1)],
        "recall and precision": [recall(0.6, 2), AtLeast("precision", 0.6, label=1, confidence=_CONFIDENCE)],
    }
    for name, constraints in bounds.items():
        for certify_on in (None, 0.3):
            how = "a fifth of the level" if certify_on is None else f"certify_on={certify_on}"
            found[f"3 classes, {name}, {how}"] = partial(multiclass, constraints, certify_on, 600)
    balanced = AtLeast("balanced_accuracy", 0.75, confidence=_CONFIDENCE)
    found["balanced accuracy, bootstraps"] = partial(one_score, balanced, "precision")
    found["3 classes, macro-F1, bootstraps"] = macro_f1
    budget = AtMost("predicted_share", 0.15, confidence=_CONFIDENCE)
    found["predicted share, exact"] = partial(one_score, budget, "recall")
    return found


def main() -> None:
    """Run all cases, print and write the table."""
    asked = options(__doc__, seeds=100, writes="the table").parse_args()
    warnings.simplefilter("ignore")
    report((line(name, one, asked.seeds) for name, one in cases().items()), asked.csv)


def line(name: str, one: Callable[[int], tuple[bool, bool, float]], draws: int) -> dict[str, object]:
    """Return the proportions of draws with a claim and with a wrong one, and the mean objective."""
    claimed, missed, objective = zip(*map(one, range(draws)), strict=True)
    return {
        "case": name,
        "draws": draws,
        "claimed": round(float(np.mean(claimed)), 3),
        "missed": round(float(np.mean(missed)), 3),
        "objective": round(float(np.mean(objective)), 4),
    }


if __name__ == "__main__":
    main()
