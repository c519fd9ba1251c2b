"""Test scores of every method that tunes decisions, on every problem and for every metric.

``python -m benchmarks.leaderboard.run --table docs/leaderboard.md`` runs what is not stored yet and writes the tables;
see ``benchmarks/README.md``.
"""

import argparse
import sys
import warnings
from collections.abc import Collection, Sequence
from pathlib import Path
from time import process_time

import numpy as np
from scipy.special import expit, softmax

from benchmarks import baselines
from benchmarks.leaderboard import unseen
from benchmarks.leaderboard.problems import FAMILIES, TuningProblem, all_problems
from benchmarks.leaderboard.results import (
    FAILED,
    NOT_INSTALLED,
    NOT_OFFERED,
    RAN,
    Cell,
    Results,
    load,
    metrics_of,
    write_runs,
)
from benchmarks.leaderboard.summary import read_summary, summarise, write_summary
from benchmarks.leaderboard.table import family_page, page, sentences
from benchmarks.script import command, in_processes, options, write_whole

CAP_S = 5.0
"""Both searches by differential evolution stop after so many seconds."""

METHODS: dict[str, baselines.Baseline] = {
    "untuned": baselines.Untuned(),
    "prior": baselines.LogPrior(),
    "tau": baselines.TunedLogPrior(),
    "tau_signed": baselines.SignedLogPrior(),
    "robust": baselines.OffsetTunerRobust(),
    "plugin": baselines.OffsetTunerPlugin(),
    "empirical": baselines.OffsetTunerEmpirical(),
    "sigmoid": baselines.CalibratedSigmoid(),
    "isotonic": baselines.CalibratedIsotonic(),
    "temperature": baselines.CalibratedTemperature(),
    "cw_plugin": baselines.CWPlugin(),
    "repair": baselines.RepairClasswise(),
    "bias_adjustment": baselines.BiasAdjustment(),
    "sklearn": baselines.SklearnTunedThreshold(),
    "sklearn_1000": baselines.SklearnTunedThreshold1000(),
    "autogluon": baselines.AutogluonThreshold(),
    "tabpfn": baselines.TabpfnThresholds(),
    "fairlearn": baselines.FairlearnThreshold(),
    "empulse": baselines.EmpulseThreshold(),
    "ghost": baselines.Ghost(),
    "optimal_cutoffs": baselines.OptimalCutoffs(),
    "optimal_cutoffs_ascent": baselines.OptimalCutoffsAscent(),
    "xcolumns": baselines.XColumnsFrankWolfe(),
    "xcolumns_prior": baselines.XColumnsFrankWolfePrior(),
    "threshold_opt": baselines.ThresholdOpt(),
    "tunethresholds": baselines.TuneThresholds(CAP_S, counted=True),
    "evolution": baselines.ScipyDifferentialEvolution(CAP_S),
}


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Return the probabilities of log-scores: (n, K), or that of class 1 for binary problems."""
    return expit(scores[:, 1] - scores[:, 0]) if scores.shape[1] == 2 else softmax(scores, axis=1)


def evaluate(problem: TuningProblem, metric: str, method: baselines.Baseline) -> Cell:
    """Fit on the tuning samples and score on the test samples; an exception is a result, too."""
    installed = method.version()
    version = f"{method.distribution} {installed or ''}".strip()
    proba = probabilities(problem.scores)
    refusal = NOT_INSTALLED if installed is None else method.refusal(proba, objective=metric)
    if refusal is not None:
        return Cell(NOT_OFFERED, version, refusal)
    try:
        start = process_time()
        fitted = method.fit(proba, problem.y, objective=metric)
        seconds = process_time() - start
        decisions = np.asarray(fitted.decide(probabilities(problem.scores_test)), dtype=np.int64)
        weight = problem.test_weight
        score = baselines.value_of(metric, problem.y_test, decisions, n_classes=problem.n_classes, weight=weight)
    except Exception as error:
        return Cell(FAILED, version, f"{type(error).__name__}: {error}"[:200])
    return Cell(RAN, version, fitted.note, score, seconds, fitted.estimate)


def complete(problem: TuningProblem, metrics: Sequence[str], methods: Collection[str]) -> None:
    """Compute and store the missing cells of a problem."""
    results = Results.of(problem)
    for metric, method in results.missing(metrics, methods):
        results.cells.setdefault(metric, {})[method] = evaluate(problem, metric, METHODS[method])
    results.write()


def warm_up(methods: Collection[str]) -> None:
    """Fit two small problems with every method, so that no timing includes imports and compilation."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    rng = np.random.default_rng(0)
    for n_classes in (2, 3):
        y = rng.integers(0, n_classes, 60)
        scores = rng.standard_normal((60, n_classes)) + np.eye(n_classes)[y]
        small = TuningProblem("small", "", 0, scores, y, scores, y)
        for metric in metrics_of(n_classes, baselines.OBJECTIVES):
            for method in methods:
                evaluate(small, metric, METHODS[method])


def run(asked: argparse.Namespace) -> None:
    """Compute what is missing; first drop what is to be computed again."""
    for results in _stored(asked) if asked.redo else ():
        results.drop(asked.metrics, asked.redo)
        results.write()
    seeds = None if asked.seeds is None else range(asked.seeds)
    folder = None if asked.unseen else asked.data
    problems = list(all_problems(folder, seeds=seeds, sets=asked.sets, families=asked.families))
    if not problems:
        sys.exit(f"no problems in {folder or unseen.PACKAGE}" + (f" of {', '.join(asked.sets)}" if asked.sets else ""))
    unfinished = [p for p in problems if any(Results.of(p).missing(asked.metrics, asked.methods))]
    print(f"{len(problems)} problems, {len(problems) - len(unfinished)} of them done", file=sys.stderr, flush=True)
    tasks = {problem.label: (problem, asked.metrics, asked.methods) for problem in unfinished}
    in_processes(complete, tasks, jobs=asked.jobs, initializer=warm_up, initargs=(asked.methods,))


def _stored(asked: argparse.Namespace) -> list[Results]:
    return load(seeds=asked.seeds, sets=asked.sets, families=asked.families, unseen=asked.unseen)


def _parser() -> argparse.ArgumentParser:
    parser = options(__doc__, data="the data sets", sets=True, jobs=2, writes="the summary")
    parser.add_argument("--unseen", action="store_true", help=f"take the data sets of {unseen.PACKAGE}, and no folder")
    parser.add_argument("--seeds", type=int, help="number of seeds (default: that of each family)")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES), help="only these families")
    parser.add_argument("--metrics", nargs="+", choices=baselines.OBJECTIVES, default=list(baselines.OBJECTIVES))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--against", choices=METHODS, default="robust", help="compare all others with this method")
    parser.add_argument("--redo", nargs="+", choices=METHODS, default=[], help="compute these methods again")
    parser.add_argument("--summary-only", action="store_true", help="run nothing, summarise what is stored")
    parser.add_argument("--from-csv", type=Path, metavar="PATH", help="run nothing, use this summary")
    parser.add_argument("--runs", type=Path, metavar="PATH", help="write every score to this file")
    parser.add_argument(
        "--table", type=Path, metavar="PATH", help="write the page here, its tables by family next to it"
    )
    return parser


def main() -> None:
    """Run, then write the files asked for and print the comparison with the default."""
    parser = _parser()
    asked = parser.parse_args()
    methods = {method: METHODS[method] for method in asked.methods}
    if asked.from_csv:
        tables = read_summary(asked.from_csv, against=asked.against)
    else:
        if not asked.summary_only:
            run(asked)
        problems = _stored(asked)
        tables = summarise(problems, asked.metrics, methods, against=asked.against)
        if asked.runs:
            write_runs(asked.runs, problems, asked.metrics, asked.methods)
    if asked.csv:
        write_summary(asked.csv, tables)
    if asked.table:
        names = ("unseen", "seeds", "sets", "families", "metrics", "methods", "against", "table")
        made_by = command("leaderboard.run", parser, asked, names)
        families = asked.table.with_stem(f"{asked.table.stem}_families")
        named = {"title": unseen.TITLE} if asked.unseen else {}
        about = {"about": unseen.ABOUT} if asked.unseen else {}
        write_whole(asked.table, page(tables, methods, command=made_by, families=families.name, **named, **about))
        write_whole(families, family_page(tables, **named))
    print("\n".join(sentences(tables)))


if __name__ == "__main__":
    main()
