"""How well decisions tuned on some rows do on others: every method, on every problem, for every metric.

``python benchmarks/leaderboard.py --table docs/leaderboard.md`` runs what is not stored yet and writes the tables; see
README.md beside this file.
"""
# ruff: noqa: E402 - the number of threads is read as the numeric libraries are loaded

import os

for _library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import sys
import warnings
from collections.abc import Collection, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import rivals
from leaderboard_results import FAILED, NOT_OFFERED, RAN, Cell, Results, load, metrics_of, write_runs
from leaderboard_summary import summarise, write_summary
from leaderboard_table import sentences, write_table
from problems import SEEDS, TuningProblem, all_problems
from scipy.special import expit, softmax

CAP_S = 5.0
"""Both searches by differential evolution stop there: seconds for a fit."""

METHODS: dict[str, rivals.Rival] = {
    "untuned": rivals.Untuned(),
    "prior": rivals.LogPrior(),
    "tau": rivals.TunedLogPrior(),
    "robust": rivals.OffsetTunerRobust(),
    "plugin": rivals.OffsetTunerPlugin(),
    "empirical": rivals.OffsetTunerEmpirical(),
    "bias_adjustment": rivals.BiasAdjustment(),
    "sklearn": rivals.SklearnTunedThreshold(),
    "ghost": rivals.Ghost(),
    "optimal_cutoffs": rivals.OptimalCutoffs(),
    "optimal_cutoffs_ascent": rivals.OptimalCutoffsAscent(),
    "xcolumns": rivals.XColumnsFrankWolfe(),
    "xcolumns_prior": rivals.XColumnsFrankWolfePrior(),
    "tunethresholds": rivals.TuneThresholds(CAP_S, counted=True),
    "evolution": rivals.ScipyDifferentialEvolution(CAP_S),
}


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Return the probabilities that log-scores stand for: (n, K), or that of class 1 where there are two."""
    return expit(scores[:, 1] - scores[:, 0]) if scores.shape[1] == 2 else softmax(scores, axis=1)


def tried(problem: TuningProblem, metric: str, rival: rivals.Rival) -> Cell:
    """Fit on the tuning rows, score on the test rows; whatever a method raises stands in the table."""
    installed = rival.version()
    version = f"{rival.distribution} {installed or ''}".strip()
    proba = probabilities(problem.scores)
    refusal = "not installed" if installed is None else rival.refusal(proba, objective=metric)
    if refusal is not None:
        return Cell(NOT_OFFERED, version, refusal)
    try:
        start = process_time()
        fitted = rival.fit(proba, problem.y, objective=metric)
        seconds = process_time() - start
        decisions = np.asarray(fitted.decide(probabilities(problem.scores_test)), dtype=np.int64)
        score = rivals.value_of(
            metric, problem.y_test, decisions, n_classes=problem.n_classes, weight=problem.test_weight
        )
    except Exception as error:
        return Cell(FAILED, version, f"{type(error).__name__}: {error}"[:200])
    return Cell(RAN, version, fitted.note, score, seconds, fitted.promise)


def work(problem: TuningProblem, metrics: Sequence[str], methods: Collection[str]) -> None:
    """Compute and store what is missing of a problem."""
    results = Results.of(problem)
    for metric, method in results.missing(metrics, methods):
        results.cells.setdefault(metric, {})[method] = tried(problem, metric, METHODS[method])
    results.write()


def warm_up(methods: Collection[str]) -> None:
    """Have every method fit two miniatures, so that imports and compilers have done their work; silence them."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    rng = np.random.default_rng(0)
    for n_classes in (2, 3):
        y = rng.integers(0, n_classes, 60)
        scores = rng.standard_normal((60, n_classes)) + np.eye(n_classes)[y]
        miniature = TuningProblem("miniature", "", 0, scores, y, scores, y)
        for metric in metrics_of(n_classes, rivals.OBJECTIVES):
            for method in methods:
                tried(miniature, metric, METHODS[method])


def run(asked: argparse.Namespace) -> None:
    """Compute what is missing, in as many processes as asked for."""
    problems = list(all_problems(asked.data, seeds=range(asked.seeds), sets=asked.sets))
    if not problems:
        sys.exit(f"no problems in {asked.data}" + (f" of {', '.join(asked.sets)}" if asked.sets else ""))
    unfinished = [p for p in problems if any(Results.of(p).missing(asked.metrics, asked.methods))]
    print(f"{len(problems)} problems, {len(problems) - len(unfinished)} of them done", file=sys.stderr, flush=True)
    if not unfinished:
        return
    begin = perf_counter()
    with ProcessPoolExecutor(asked.jobs, initializer=warm_up, initargs=(asked.methods,)) as pool:
        futures = {pool.submit(work, p, asked.metrics, asked.methods): p for p in unfinished}
        for number, future in enumerate(as_completed(futures), start=1):
            future.result()
            problem, elapsed = futures[future], perf_counter() - begin
            remaining = elapsed / number * (len(unfinished) - number)
            shape = "x".join(map(str, problem.scores.shape))
            name = f"{problem.data:25} {problem.model:9} seed {problem.seed} {shape:8}"
            line = f"{number:4}/{len(unfinished)} {name} {elapsed:6.0f} s, about {remaining:5.0f} s to go"
            print(line, file=sys.stderr, flush=True)


def redo(asked: argparse.Namespace) -> None:
    """Drop what is stored of the methods to be redone."""
    for results in load(seeds=asked.seeds, sets=asked.sets):
        results.drop(asked.metrics, asked.redo)
        results.write()


def command(asked: argparse.Namespace) -> str:
    """Return the command that makes the same tables from nothing."""
    parts = ["python benchmarks/leaderboard.py --data FOLDER"]
    parts += [f"--seeds {asked.seeds}"] if asked.seeds != len(SEEDS) else []
    parts += [f"--sets {' '.join(asked.sets)}"] if asked.sets else []
    parts += [f"--metrics {' '.join(asked.metrics)}"] if asked.metrics != list(rivals.OBJECTIVES) else []
    parts += [f"--methods {' '.join(asked.methods)}"] if asked.methods != list(METHODS) else []
    parts += [f"--against {asked.against}"] if asked.against != "robust" else []
    return " ".join([*parts, "--table docs/leaderboard.md"])


def report(asked: argparse.Namespace) -> None:
    """Write the files asked for, and say on stdout what came out."""
    problems = load(seeds=asked.seeds, sets=asked.sets)
    methods = {method: METHODS[method] for method in asked.methods}
    tables = summarise(problems, asked.metrics, methods, against=asked.against)
    if asked.runs:
        write_runs(asked.runs, problems, asked.metrics, asked.methods)
    if asked.csv:
        write_summary(asked.csv, tables)
    if asked.table:
        write_table(asked.table, tables, methods, command=command(asked))
    print("\n".join(sentences(tables)))


def _arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data sets")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many seeds (default %(default)s)")
    parser.add_argument("--sets", nargs="+", metavar="SET", help="these data sets only")
    parser.add_argument("--metrics", nargs="+", choices=rivals.OBJECTIVES, default=list(rivals.OBJECTIVES))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--against", choices=METHODS, default="robust", help="whom all others are compared with")
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each (default %(default)s)")
    parser.add_argument("--redo", nargs="+", choices=METHODS, default=[], help="drop what is stored of these first")
    parser.add_argument("--summary-only", action="store_true", help="run nothing, summarise what is stored")
    parser.add_argument("--csv", type=Path, metavar="PATH", help="write the summary there")
    parser.add_argument("--runs", type=Path, metavar="PATH", help="write every single score there")
    parser.add_argument("--table", type=Path, metavar="PATH", help="write the tables there, as Markdown")
    return parser.parse_args(given)


def main() -> None:
    """Run, then report."""
    asked = _arguments()
    if asked.redo:
        redo(asked)
    if not asked.summary_only:
        run(asked)
    report(asked)


if __name__ == "__main__":
    main()
