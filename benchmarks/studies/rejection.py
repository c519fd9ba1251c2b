"""Rejected decisions beside MAPIE: how often a bound on the decided samples is broken, and how many are decided.

Scores are calibrated and Gaussian. The bound is a precision of each class, or the accuracy, with a confidence of 95%.
True values are those of 100,000 other samples. MAPIE has one threshold for all classes, on the greatest probability.
"""

import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from mapie.risk_control import BinaryClassificationRisk, MultiClassificationLTTController
from mapie.risk_control.risks import build_precision_ovr
from scipy.special import softmax

from benchmarks.script import options, report
from skimbalance import OffsetTuner
from skimbalance.exceptions import SkimbalanceWarning
from skimbalance.goals import AtLeast

CONFIDENCE = 0.95
UNSEEN = 100_000
COLUMNS = ("classes", "goal", "value", "n_samples", "method", "draws", "claimed", "broken", "coverage")

PRIORS = {2: (0.8, 0.2), 3: (0.6, 0.3, 0.1)}
GOALS = (("precision", 0.9), ("accuracy", 0.97))
SIZES = (300, 1_000, 5_000)

Scores = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Decide = Callable[[Scores], Codes]


class Problem(NamedTuple):
    """The number of classes, the metric that is bounded, and its lower bound."""

    n_classes: int
    goal: str
    value: float

    def draw(self, n_samples: int, rng: np.random.Generator) -> tuple[Scores, Codes]:
        """Draw log-probabilities but for a constant, and codes."""
        prior = np.array(PRIORS[self.n_classes])
        y = rng.choice(self.n_classes, n_samples, p=prior)
        distance = 2.0
        x = rng.normal(size=(n_samples, self.n_classes)) + distance * np.eye(self.n_classes)[y]
        return distance * x + np.log(prior), y


def tuned(problem: Problem, scores: Scores, y: Codes, *, estimate: str) -> tuple[Decide, bool]:
    """Return the decisions of a tuner, -1 where rejected, and whether it claims the bound for all classes."""
    labels = range(problem.n_classes) if problem.goal == "precision" else [None]
    goals = [AtLeast(problem.goal, problem.value, label=label, confidence=CONFIDENCE) for label in labels]
    tuner = OffsetTuner(
        "accuracy", kind="logits", constraints=goals, reject_label=-1, estimate=estimate, confidence_level=None
    ).fit(scores, y, classes=np.arange(problem.n_classes))
    return tuner.predict, bool(np.isfinite(tuner.rejection_.thresholds).all())


def of_mapie(problem: Problem, scores: Scores, y: Codes, *, n_thresholds: int) -> tuple[Decide, bool]:
    """Return the decisions of MAPIE, -1 where it abstains, and whether it claims the bound."""
    decided_accuracy = BinaryClassificationRisk(
        lambda y_true, y_pred: y_pred == y_true, lambda _, y_pred: y_pred == y_pred, higher_is_better=True
    )
    labels = np.arange(problem.n_classes)
    risks: Any = build_precision_ovr(labels) if problem.goal == "precision" else [decided_accuracy]
    controller = MultiClassificationLTTController(
        lambda x: softmax(x, axis=1),
        risks,
        [problem.value] * len(risks),
        confidence_level=CONFIDENCE,
        list_predict_params=np.linspace(0, 1, n_thresholds, endpoint=False),
        classes=labels,
    ).calibrate(scores, y)
    valid = np.asarray(controller.valid_predict_params, dtype=np.float64)
    least = valid.min() if valid.size else np.inf  # the most decisions of all certified thresholds

    def decide(x: Scores) -> Codes:
        return np.where(softmax(x, axis=1).max(axis=1) >= least, x.argmax(axis=1), -1)

    return decide, bool(valid.size)


METHODS: dict[str, Callable[[Problem, Scores, Codes], tuple[Decide, bool]]] = {
    "plugin": lambda *given: tuned(*given, estimate="plugin"),
    "empirical": lambda *given: tuned(*given, estimate="empirical"),
    "MAPIE": lambda *given: of_mapie(*given, n_thresholds=100),
    "MAPIE, 1,000 thresholds": lambda *given: of_mapie(*given, n_thresholds=1_000),
}


def is_broken(problem: Problem, decisions: Codes, y: Codes) -> bool:
    """Return whether the decided samples break the bound."""
    if problem.goal == "accuracy":
        return bool((decisions == y)[decisions >= 0].mean() < problem.value) if (decisions >= 0).any() else False
    chosen = [decisions == k for k in range(problem.n_classes)]
    return any((y[which] == k).mean() < problem.value for k, which in enumerate(chosen) if which.any())


def line(problem: Problem, n_samples: int, method: str, draws: int) -> dict[str, object]:
    """Return how often the bound is claimed and broken, and the mean coverage."""
    unseen, truth = problem.draw(UNSEEN, np.random.default_rng(10**6))
    claimed, broken, coverage = [], [], []
    for seed in range(draws):
        decide, claims = METHODS[method](problem, *problem.draw(n_samples, np.random.default_rng(seed)))
        decisions = decide(unseen)
        claimed.append(claims)
        broken.append(is_broken(problem, decisions, truth))
        coverage.append((decisions >= 0).mean())
    shares = (f"{np.mean(values):.3f}" for values in (claimed, broken, coverage))
    return dict(zip(COLUMNS, (*problem, n_samples, method, draws, *shares), strict=True))


def lines(draws: int) -> Iterator[dict[str, object]]:
    """Yield all lines."""
    for n_classes, goal, n_samples, method in itertools.product(PRIORS, GOALS, SIZES, METHODS):
        yield line(Problem(n_classes, *goal), n_samples, method, draws)


def main() -> None:
    """Compute all lines."""
    parser = options(__doc__, writes="the table")
    parser.add_argument("--draws", type=int, default=200, help="of each problem (default %(default)s)")
    asked = parser.parse_args()
    warnings.simplefilter("ignore", SkimbalanceWarning)
    report(lines(asked.draws), asked.csv)


if __name__ == "__main__":
    main()
