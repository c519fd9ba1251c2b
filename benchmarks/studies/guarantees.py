"""Whether bounds with a confidence hold on unseen data, and what they cost: skimbalance and MAPIE 1.6.

``python -m benchmarks.studies.guarantees --csv benchmarks/results/guarantees.csv``: about 15 minutes on one core.
Scores are the calibrated probabilities of two normal distributions, so that the recall and precision of the population
are known. A bound is missed if it is claimed, and the population violates it. Without a claim the objective counts as
zero.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from time import process_time

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit
from scipy.stats import norm

from benchmarks.script import options, progress, report
from skimbalance import OffsetTuner
from skimbalance.goals import AtLeast, Constraint

CONFIDENCE = 0.95
POSITIVES = (10, 20, 30, 50, 100, 200, 1000)
SEPARATIONS = (1.5, 2.5)
PRIORS = (0.1, 0.3)
BOUNDS: dict[str, dict[str, float]] = {
    "recall >= 0.9": {"recall": 0.9},
    "precision >= 0.5": {"precision": 0.5},
    "recall >= 0.9, precision >= 0.3": {"recall": 0.9, "precision": 0.3},
}
OBJECTIVES = ("precision", "recall", "recall")
"""What is maximised within the bounds: MAPIE maximises the first of several metrics."""

_BASELINE_DRAWS = ((100, 60), (200, 30), (1000, 10))
"""MAPIE tests 1,000 thresholds in seconds where samples are many: up to so many positives there are so many draws."""

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """Two normal distributions with unit variance, so far apart, and the prior of the positive one."""

    separation: float
    prior: float

    def draw(self, n_positive: int, *, seed: int) -> tuple[Floats, Codes]:
        """Return log-odds and labels of independent samples, with so many positives on average."""
        rng = np.random.default_rng(seed)
        y = (rng.random(round(n_positive / self.prior)) < self.prior).astype(np.int64)
        x = rng.normal(size=len(y)) + self.separation * y
        return self.separation * x - self.separation**2 / 2 + logit(self.prior), y

    def rates(self, cut: float) -> dict[str, float]:
        """Return recall and precision of the population where log-odds of at least `cut` are predicted."""
        x = (cut - logit(self.prior)) / self.separation + self.separation / 2
        hits, false = self.prior * norm.sf(x - self.separation), (1 - self.prior) * norm.sf(x)
        return {"recall": float(norm.sf(x - self.separation)), "precision": float(hits / max(hits + false, 1e-300))}


Method = Callable[[Floats, Codes, dict[str, float], str], float | None]
"""From log-odds, labels, bounds and objective to the log-odds from which on is predicted, None without a claim."""


def ours(log_odds: Floats, y: Codes, bounds: dict[str, float], objective: str) -> float | None:
    """Return the cut of skimbalance."""
    constraints: Sequence[Constraint] = [AtLeast(name, value, confidence=CONFIDENCE) for name, value in bounds.items()]
    if len(np.unique(y)) < 2:
        return None
    tuner = OffsetTuner(
        objective, constraints=constraints, kind="logits", estimate="empirical", confidence_level=None, pos_label=1
    ).fit(log_odds, y)
    return float(tuner.offsets_[0] - tuner.offsets_[1]) if all(each.holds for each in tuner.guarantees_) else None


def mapie(
    log_odds: Floats, y: Codes, bounds: dict[str, float], _: str, *, n_thresholds: int, fwer_method: str
) -> float | None:
    """Return the cut of MAPIE, whose default grid has 100 thresholds."""
    from mapie.risk_control import BinaryClassificationController

    names, values = list(bounds), list(bounds.values())
    grid = np.linspace(0, 1, n_thresholds, endpoint=False)
    if fwer_method == "fixed_sequence" and names == ["precision"]:
        grid = grid[::-1]
    controller = BinaryClassificationController(
        lambda proba: np.stack([1 - proba, proba], axis=1),
        risk=names[0] if len(names) == 1 else names,
        target_level=values[0] if len(names) == 1 else values,
        confidence_level=CONFIDENCE,
        list_predict_params=grid,
        fwer_method=fwer_method,
    )
    controller.calibrate(expit(log_odds), y)
    best = controller.best_predict_param
    return None if best is None else float(logit(float(best)))


METHODS: dict[str, Method] = {
    "skimbalance": ours,
    "MAPIE": partial(mapie, n_thresholds=100, fwer_method="bonferroni_holm"),
    "MAPIE, 1,000 thresholds": partial(mapie, n_thresholds=1000, fwer_method="bonferroni_holm"),
    "MAPIE, 1,000 thresholds, fixed sequence": partial(mapie, n_thresholds=1000, fwer_method="fixed_sequence"),
}


@dataclass(frozen=True)
class Result:
    """Of each draw whether the bounds are claimed and missed, and the objective in the population."""

    claimed: list[bool]
    missed: list[bool]
    reached: list[float]
    seconds: float


def run(method: Method, population: Population, positives: int, goal: str, *, draws: int) -> Result:
    """Apply a method to independent draws."""
    bounds, objective = BOUNDS[goal], OBJECTIVES[list(BOUNDS).index(goal)]
    claimed, missed, reached = [], [], []
    begin = process_time()
    for seed in range(draws):
        cut = method(*population.draw(positives, seed=seed), bounds, objective)
        rates = population.rates(np.inf if cut is None else cut)
        claimed.append(cut is not None)
        missed.append(cut is not None and any(rates[name] < value for name, value in bounds.items()))
        reached.append(0.0 if cut is None else rates[objective])
    return Result(claimed, missed, reached, (process_time() - begin) / draws)


def lines_of(population: Population, positives: int, goal: str, *, draws: int) -> list[dict[str, object]]:
    """Return a line for each method; `ours` is what skimbalance reaches on the draws of that method."""
    few = min(draws, next(count for most, count in _BASELINE_DRAWS if positives <= most))
    several = len(BOUNDS[goal]) > 1
    methods = {name: each for name, each in METHODS.items() if not (several and "sequence" in name)}
    own = run(ours, population, positives, goal, draws=draws)
    lines = []
    for name, method in methods.items():
        found = own if method is ours else run(method, population, positives, goal, draws=few)
        n = len(found.claimed)
        lines.append(
            {
                "bounds": goal,
                "separation": population.separation,
                "prior": population.prior,
                "positives": positives,
                "method": name,
                "draws": n,
                "claimed": round(float(np.mean(found.claimed)), 3),
                "missed": round(float(np.mean(found.missed)), 3),
                "objective": round(float(np.mean(found.reached)), 4),
                "objective of skimbalance": round(float(np.mean(own.reached[:n])), 4),
                "claimed by skimbalance": round(float(np.mean(own.claimed[:n])), 3),
                "ms": round(1e3 * found.seconds, 1),
            }
        )
    return lines


def main() -> None:
    """Run all cells, print and write the table."""
    parser = options(__doc__, seeds=200, writes="the table")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    cells = list(product(BOUNDS, SEPARATIONS, PRIORS, POSITIVES))
    lines = []
    for goal, separation, prior, positives in progress(cells, str):
        lines += lines_of(Population(separation, prior), positives, goal, draws=asked.seeds)
    report(lines, asked.csv)


if __name__ == "__main__":
    main()
