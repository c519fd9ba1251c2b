"""Test scores of offsets that score below the untuned classifier in cross-fitting: zero, shrunk and full offsets.

``python -m benchmarks.studies.shrinkage --csv benchmarks/results/strength.csv``: about three minutes on one core.
"""

import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache, partial

import numpy as np

from benchmarks.baselines import value_of
from benchmarks.leaderboard.problems import TuningProblem, all_problems
from benchmarks.script import options, progress, rounded, write_csv
from skimbalance._core.decision import decide, log_scores
from skimbalance.estimation import FitSpec, cross_fit, fit_of, folds_along, half_soft
from skimbalance.metrics.counts import Truth
from skimbalance.solvers import Problem, fit_present_classes
from skimbalance.tuner.checks import resolve_metric

METRICS = ("f1", "f1_macro", "geometric_mean", "matthews_corrcoef")
FEW_SAMPLES = 400
MOST_SCORES = 30_000
LOSS = 0.005


@dataclass(frozen=True)
class Fit:
    """The shrinkage factor, and the test scores of zero, shrunk and full offsets."""

    data: str
    model: str
    seed: int
    n_samples: int
    metric: str
    shrinkage_factor: float
    none: float
    kept: float
    full: float


def fits(problem: TuningProblem, n_samples: int) -> Iterator[Fit]:
    """Tune on so many samples, drawn at random, for every metric."""
    samples = np.random.default_rng(problem.seed + 7).permutation(len(problem.y))[:n_samples]
    y, n_classes = problem.y[samples], problem.n_classes
    if len(np.unique(y)) < 2:
        return
    scores, test = (log_scores(each, kind="logits") for each in (problem.scores[samples], problem.scores_test))
    spec = FitSpec(estimate="robust")
    for name in METRICS if n_classes == 2 else METRICS[1:]:
        metric = resolve_metric(name, np.arange(n_classes), None)
        here = Problem(scores, Truth.from_codes(y, n_classes=n_classes), metric)
        mixed, fold_of = cache(partial(half_soft, here)), folds_along(here, seed=spec.seed)
        factor = cross_fit(here, fit_of(spec.in_fold()), spec, fold_of, half_soft=mixed).shrinkage_factor()
        offsets = np.asarray(fit_present_classes(here, fit_of(spec)).offsets)
        decisions = (np.asarray(decide(test, each * offsets)) for each in (0.0, factor, 1.0))
        weight = problem.test_weight
        values = (value_of(name, problem.y_test, each, n_classes=n_classes, weight=weight) for each in decisions)
        yield Fit(problem.data, problem.model, problem.seed, len(samples), name, factor, *values)


def summary(runs: list[Fit]) -> Iterator[str]:
    """Yield a line of means for all fits, for those with shrinkage, and for those with a factor above zero."""
    for name, chosen in (
        ("all fits", runs),
        ("shrunk", [run for run in runs if run.shrinkage_factor < 1]),
        ("shrunk, not to zero", [run for run in runs if 0 < run.shrinkage_factor < 1]),
    ):
        if not chosen:
            continue
        values = np.array([(run.none, run.kept, run.full) for run in chosen])
        none, kept, full = values.mean(axis=0)
        worse = (values[:, 1:] < values[:, :1] - LOSS).mean(axis=0)
        yield (
            f"{name}: {len(chosen)}; test score {none:.4f} without offsets, {kept:.4f} shrunk, {full:.4f} full; "
            f"worse than without by more than {LOSS}: {worse[0]:.1%} shrunk, {worse[1]:.1%} full"
        )


def main() -> None:
    """Run all problems, write the fits and print the summary."""
    asked = options(__doc__, data="the data sets", seeds=2, sets=True, writes="every fit").parse_args()
    warnings.simplefilter("ignore")
    problems = all_problems(asked.data, seeds=range(asked.seeds), sets=asked.sets, families=["plain"])
    small = (problem for problem in problems if problem.scores.size <= MOST_SCORES)
    runs = []
    for problem in progress(small, lambda problem: problem.label):
        for n_samples in sorted({len(problem.y), min(FEW_SAMPLES, len(problem.y))}):
            runs += fits(problem, n_samples)
    print("\n".join(summary(runs)))
    if asked.csv:
        write_csv(asked.csv, [rounded(asdict(run)) for run in runs])


if __name__ == "__main__":
    main()
