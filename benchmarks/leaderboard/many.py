"""Many data sets: each source of data is one observation, over all models and problems made from it.

``python -m benchmarks.leaderboard.many --data FOLDER --table docs/many_data_sets.md`` runs what is not stored yet and
writes the tables; see ``benchmarks/README.md``.
"""

import argparse
import sys
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

from benchmarks.leaderboard import packaged, stored, trained
from benchmarks.leaderboard.by_source import METRICS, Row, read_rows, rows_of, write_rows
from benchmarks.leaderboard.many_page import page, picture
from benchmarks.leaderboard.problems import DRAWN, MULTILABEL
from benchmarks.leaderboard.results import Results, write_runs
from benchmarks.leaderboard.run import METHODS, complete, warm_up
from benchmarks.leaderboard.tuning_problem import Source
from benchmarks.script import in_processes, options, write_whole

MODELS = ("logistic", "lightgbm", "net", "logistic_labels")
"""Two classifiers of tabular data, and one of everything else."""

SKIPPED = ("tunethresholds", "evolution", "bias_adjustment", "optimal_cutoffs_ascent", "xcolumns_prior")
"""Slow methods, and second variants; the leaderboard has them."""

QUICK = (
    "more_carData_Salaries",
    "more_quantreg_uis",
    "keel_haberman",
    "keel_newthyroid",
    "bin_oil_spill",
    "multi_glass",
)


def sources(folder: Path, sets: list[str] | None) -> Iterator[Source]:
    """Yield every problem of the first seed: tabular sets of packages, and all kinds of data of the folder, if any."""
    every = [trained.tabular(None, "plain", 0), trained.of_sets(packaged.data_sets(), "plain", 0)]
    if folder.exists():
        every += [trained.tabular(folder, "plain", 0), stored.nets(folder, 0)]
        every += [stored.drawn(folder, data, 0, origin=family) for family, names in DRAWN.items() for data in names]
        every += [trained.multilabel(folder, data, 0) for data in MULTILABEL]
    for source in chain.from_iterable(every):
        drawn = "tail_" in source.model
        if (drawn or source.model in MODELS) and (sets is None or source.data in sets):
            yield source


@cache
def by_name(folder: Path) -> dict[tuple[str, str], Source]:
    """Return the sources by data set and model; processes look theirs up, since functions do not go to them."""
    return {(source.data, source.model): source for source in sources(folder, None)}


def finish(folder: Path, data: str, model: str, methods: list[str]) -> None:
    """Train the classifier if its scores are not stored, then run the methods that are missing."""
    complete(by_name(folder)[data, model].load(), METRICS, methods)


def stored_results(folder: Path, sets: list[str] | None) -> list[Results]:
    """Return the stored results of all problems."""
    found = (Results.of(source.load()) for source in sources(folder, sets) if source.is_cached)
    return [results for results in found if all(metric in results.cells for metric in METRICS[1:])]


def run(asked: argparse.Namespace, sets: list[str] | None) -> None:
    """Compute what is missing, or what is to be computed again."""
    tasks = {}
    for source in sources(asked.data, sets):
        if source.is_cached:
            results = Results.of(source.load())
            if asked.redo:
                results.drop(METRICS, asked.redo)
                results.write()
            if not any(results.missing(METRICS, asked.methods)):
                continue
        tasks[f"{source.data:35} {source.model:20}"] = (asked.data, source.data, source.model, asked.methods)
    print(f"{len(tasks)} problems to do", file=sys.stderr, flush=True)
    in_processes(finish, tasks, jobs=asked.jobs, initializer=warm_up, initargs=(asked.methods,))


def _parser() -> argparse.ArgumentParser:
    usual = [method for method in METHODS if method not in SKIPPED]
    parser = options(__doc__, data="the data sets", sets=True, jobs=2, writes="a line for each table and method")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=usual)
    parser.add_argument("--redo", nargs="+", choices=METHODS, default=[], help="compute these methods again")
    parser.add_argument("--quick", action="store_true", help="four data sets and six methods, as a check")
    parser.add_argument("--summary-only", action="store_true", help="run nothing, summarise what is stored")
    parser.add_argument("--from-csv", type=Path, metavar="PATH", help="run nothing, use this summary")
    parser.add_argument("--runs", type=Path, metavar="PATH", help="write every score to this file")
    parser.add_argument("--table", type=Path, metavar="PATH", help="write the page here")
    parser.add_argument("--picture", type=Path, metavar="PATH", help="write the diagrams here; needs scikit-posthocs")
    return parser


def _summary(asked: argparse.Namespace) -> list[Row]:
    """Run what is missing unless asked not to, and return the lines of all tables."""
    sets = list(QUICK) if asked.quick else asked.sets
    if not asked.summary_only:
        run(asked, sets)
    results = stored_results(asked.data, sets)
    if asked.runs:
        write_runs(asked.runs, results, METRICS, asked.methods)
    if asked.picture:
        picture(asked.picture, results, asked.methods)
    return rows_of(results, asked.methods)


def main() -> None:
    """Run, then write the files asked for and print the verdicts."""
    asked = _parser().parse_args()
    if asked.quick:
        asked.methods = ["untuned", "prior", "robust", "empirical", "sklearn", "threshold_opt"]
    rows = read_rows(asked.from_csv) if asked.from_csv else _summary(asked)
    if asked.csv:
        write_rows(asked.csv, rows)
    if asked.table:
        write_whole(asked.table, page(rows, picture=asked.picture.name if asked.picture else "many_data_sets.png"))
    for row in rows:
        print(f"{row.group:10} {row.metric:18} {row.method:16} {row.mean:.4f} {row.rank:5.2f} {row.verdict}")


if __name__ == "__main__":
    main()
