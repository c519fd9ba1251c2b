"""What ``adapt_to`` is worth where classes have become more or less frequent.

Tuners are fitted on the out-of-fold scores of the leaderboard's problems. Test rows without labels are drawn with other
shares of the classes, the tuner is adapted to them, and all test rows, weighted to these shares, judge its decisions.
"""

import argparse
import csv
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import numpy.typing as npt
from benchmarks.leaderboard.problems import (
    CACHE,
    NETS,
    TuningProblem,
    chest_problems,
    net_problem,
    tabular,
    tabular_problem,
)
from scipy.stats import wilcoxon
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from skimbalance import OffsetTuner

Floats = npt.NDArray[np.float64]

STORED = CACHE / "prior_shift"
MODELS = ("logistic", "forest", "lightgbm")
ROWS = 1000
SHIFTS = ("none", "mild", "strong", "reversed")
COLUMNS = (
    *("data", "model", "seed", "n_classes", "shift", "metric", "unadapted", "adapted", "oracle", "moved"),
    *("distance", "error_em", "error_bbse", "error_used", "seconds"),
)


def problems(folder: Path, *, seeds: int, sets: list[str] | None) -> Iterator[TuningProblem]:
    """Yield each data set with each seed, its classifiers in turn."""
    for seed in range(seeds):
        for number, name in enumerate(tabular(folder)):
            if sets is None or name in sets:
                yield tabular_problem(folder, name, MODELS[(seed + number) % len(MODELS)], seed)
        yield from (net_problem(folder, name, seed) for name in NETS if sets is None or name in sets)
    yield from (problem for problem in chest_problems(folder) if sets is None or problem.data in sets)


def shifted_priors(prior: Floats, rng: np.random.Generator) -> dict[str, Floats]:
    """Return the shares of the classes in each deployment."""
    rank = np.argsort(np.argsort(prior, kind="stable"), kind="stable")
    mild = prior * np.exp(0.5 * rng.standard_normal(len(prior)))
    shifts = (prior, mild / mild.sum(), np.full(len(prior), 1 / len(prior)), np.sort(prior)[::-1][rank])
    return dict(zip(SHIFTS, shifts, strict=True))


def distance(one: Floats, other: Floats) -> float:
    """Return Hellinger's squared distance."""
    return float(np.sum((np.sqrt(one) - np.sqrt(other)) ** 2))


def value_of(metric: str, y: npt.NDArray[np.int64], decided: npt.NDArray[np.int64], weight: Floats) -> float:
    """Return the metric of weighted rows."""
    if metric == "f1_macro":
        present = np.unique(y)
        return f1_score(y, decided, labels=present, average="macro", sample_weight=weight, zero_division=0)
    score = {"f1": f1_score, "accuracy": accuracy_score, "matthews_corrcoef": matthews_corrcoef}[metric]
    return score(y, decided, sample_weight=weight)


def metrics_of(n_classes: int) -> tuple[str, ...]:
    """Return what is tuned for."""
    return ("f1" if n_classes == 2 else "f1_macro", "matthews_corrcoef", "accuracy")


def runs_of(problem: TuningProblem) -> Iterator[dict[str, object]]:
    """Fit, shift, adapt and judge."""
    n_classes, y_test = problem.n_classes, problem.y_test
    prior, test_shares = (np.bincount(y, minlength=n_classes) / len(y) for y in (problem.y, y_test))
    rng = np.random.default_rng(problem.seed)
    tuners = {
        metric: OffsetTuner(metric, kind="logits", confidence_level=None).fit(
            problem.scores, problem.y, classes=np.arange(n_classes)
        )
        for metric in metrics_of(n_classes)
    }
    for shift, wanted in shifted_priors(prior, rng).items():
        new_prior = np.where(test_shares > 0, wanted, 0) / wanted[test_shares > 0].sum()
        weight = (new_prior / test_shares.clip(1 / len(y_test)))[y_test]
        replace = shift != "none" or problem.model == "net"  # whose test rows have other shares than those to tune on
        n_rows = min(ROWS, len(y_test)) if replace is False else ROWS
        share = weight / weight.sum() if replace else None
        scores = problem.scores_test[rng.choice(len(y_test), n_rows, replace=replace, p=share)]
        for metric, tuner in tuners.items():
            begin = process_time()
            adapted = tuner.adapt_to(scores)
            seconds = process_time() - begin
            oracle = OffsetTuner(metric, kind="logits", confidence_level=None, class_prior=new_prior).fit(
                problem.scores, problem.y, classes=np.arange(n_classes)
            )
            values = [
                value_of(metric, y_test, each.predict(problem.scores_test), weight) for each in (tuner, adapted, oracle)
            ]
            moved = adapted.class_prior is not None
            used = adapted.class_prior if moved else prior
            found = adapted.prior_shift_
            errors = [distance(p, new_prior) for p in (found.estimated, found.by_decisions, used)]
            numbers = (*values, int(moved), distance(prior, new_prior), *errors, seconds)
            facts = (problem.data, problem.model, problem.seed, n_classes, shift, metric)
            yield dict(zip(COLUMNS, (*facts, *(round(float(x), 6) for x in numbers)), strict=True))


def stored(problem: TuningProblem) -> list[dict[str, str]]:
    """Return the runs of a problem, computed unless they are stored."""
    path = STORED / f"{problem.data}-{problem.model}-{problem.seed}.csv"
    if not path.exists():
        write(path, list(runs_of(problem)))
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, runs: list[dict[str, object]]) -> None:
    """Write the runs, all of them or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".part")
    with half.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=COLUMNS)
        writer.writeheader()
        writer.writerows(runs)
    half.replace(path)


def summary(runs: list[dict[str, str]]) -> list[str]:
    """Return a line of a Markdown table for each shift and metric, and for all metrics, the X-rays apart."""
    lines = [
        "| shift | metric | problems | unadapted | adapted | oracle | gain | p | moved | worse by .005 | worst |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for shift in SHIFTS:
        here = [run for run in runs if run["shift"] == shift]
        metrics = dict.fromkeys(run["metric"] for run in here)
        lines += [line(shift, metric, [run for run in here if run["metric"] == metric]) for metric in metrics]
        rays, others = ([run for run in here if run["data"].startswith("chest_") is of] for of in (True, False))
        parts = {"all, X-rays": rays, "all, other sets": others, "all": here}
        lines += [line(shift, name, part) for name, part in parts.items() if part]
    return lines


def line(shift: str, metric: str, runs: list[dict[str, str]]) -> str:
    """Return a line of the table; for the test each data set is one observation."""
    unadapted, adapted, oracle, moved = (
        np.array([float(run[name]) for run in runs]) for name in ("unadapted", "adapted", "oracle", "moved")
    )
    gain = adapted - unadapted
    names = np.array([run["data"] for run in runs])
    per_set = np.array([gain[names == name].mean() for name in np.unique(names)])
    p = wilcoxon(per_set).pvalue if np.any(per_set) else 1.0
    return (
        f"| {shift} | {metric} | {len(runs)} | {unadapted.mean():.4f} | {adapted.mean():.4f} | {oracle.mean():.4f} "
        f"| {gain.mean():+.4f} | {p:.2g} | {moved.mean():.0%} | {np.mean(gain < -0.005):.0%} | {gain.min():+.3f} |"
    )


def main() -> None:
    """Run what is not stored, print the table, write all runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data sets")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds (default %(default)s)")
    parser.add_argument("--sets", nargs="+", help="these data sets alone")
    parser.add_argument("--redo", action="store_true", help="drop what is stored: the package has changed")
    parser.add_argument("--csv", type=Path, metavar="PATH", help="write all runs there")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    for path in STORED.glob("*.csv") if asked.redo else ():
        path.unlink()
    begin, runs = perf_counter(), []
    for number, problem in enumerate(problems(asked.data, seeds=asked.seeds, sets=asked.sets), start=1):
        runs += stored(problem)
        print(f"{number:4} {problem.data:22} {problem.model:9} {perf_counter() - begin:6.0f} s", file=sys.stderr)
    print("\n".join(summary(runs)))
    if asked.csv:
        write(asked.csv, runs)


if __name__ == "__main__":
    main()
