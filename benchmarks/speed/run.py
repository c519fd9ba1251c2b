"""How long things take, beside the rivals and beside the floor, on the same arrays in the same run.

``python benchmarks/speed.py`` prints a table for each workload; see README.md beside this file.
"""

import argparse
import csv
import statistics
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.speed.around import cross_validated, predicting, training
from benchmarks.speed.workload import Contender, Race, ratios, records, table
from benchmarks.speed.tuners import OURS, drawn, empirical, race
from threadpoolctl import threadpool_limits

SIZES = [(10_000, 10), (100_000, 10), (50_000, 100), (50_000, 1_000), (20_000, 8_000)]
OBJECTIVES = ["f1_macro", "geometric_mean", "matthews_corrcoef"]

Start = Callable[..., Race | None]


def growth(name: str, sizes: list[tuple[int, int]]) -> Race:
    """Return the race of one fit with itself at sizes that double."""

    def entry(n_rows: int, n_classes: int) -> Contender:
        rows = drawn(n_rows, n_classes)
        objective = "f1" if n_classes == 2 else "f1_macro"
        return Contender(
            f"n = {n_rows:,}, K = {n_classes:,}", OURS, lambda: empirical(objective, rows.scores, rows.y), traced_s=0
        )

    contenders = [entry(*size) for size in sizes]
    return Race(name, "OffsetTuner.fit, empirical", sizes[0], contenders, contenders[0].name, 1.0)


def doubled(curve: Race) -> None:
    """Note beside each size how many times longer it takes than the one before."""
    for before, after in zip(curve.contenders, curve.contenders[1:], strict=False):
        if after.seconds:
            after.note = f"{statistics.median(ratios(after, before)):.2f} times the one before"


WORKLOADS: dict[str, Start] = {
    **{f"f1_1e{e}": partial(race, "f1", 10**e, 2, cap_s=10) for e in (4, 5, 6, 7)},
    **{f"{name}_{n}x{k}": partial(race, name, n, k, cap_s=10) for n, k in SIZES for name in OBJECTIVES},
    "growth_n_two_classes": partial(growth, "growth_n_two_classes", [(125_000 * 2**i, 2) for i in range(6)]),
    "growth_n": partial(growth, "growth_n", [(12_500 * 2**i, 100) for i in range(5)]),
    "growth_k": partial(growth, "growth_k", [(20_000, 25 * 2**i) for i in range(7)]),
    "predict_100000x10": partial(predicting, 100_000, 10),
    "predict_50000x1000": partial(predicting, 50_000, 1_000),
    "classifier_100000": partial(cross_validated, 100_000, 50),
    "callback_20000": partial(training, 20_000),
}

QUICK: dict[str, Start] = {
    "f1_1e5": partial(race, "f1", 100_000, 2, cap_s=0.5, limit=15),
    "f1_macro_10000x10": partial(race, "f1_macro", 10_000, 10, cap_s=0.5, limit=3_000),
    "f1_macro_4000x100": partial(race, "f1_macro", 4_000, 100, cap_s=0.5, limit=20_000),
    "growth_n": partial(growth, "growth_n", [(6_000 * 2**i, 30) for i in range(3)]),
    "predict_10000x100": partial(predicting, 10_000, 100, limit=30),
    "classifier_5000": partial(cross_validated, 5_000, 10),
    "callback_2000": partial(training, 2_000),
}
"""With ``--quick``: small sizes, and limits that only a change by a factor exceeds."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, few repeats; fails if a ratio is far off")
    parser.add_argument("--only", action="append", metavar="NAME", help="workloads whose name begins so; repeatable")
    parser.add_argument("--repeats", type=int, help="rounds (default 5, with --quick 3)")
    parser.add_argument("--csv", type=Path, metavar="PATH", help="write the results there; others in it are kept")
    asked = parser.parse_args()
    every = QUICK if asked.quick else WORKLOADS
    asked.names = [name for name in every if not asked.only or name.startswith(tuple(asked.only))]
    if not asked.names:
        parser.error(f"--only must begin the name of a workload: {', '.join(every)}")
    return asked


def main() -> None:
    """Run the workloads asked for."""
    warnings.simplefilter("ignore")
    asked = _arguments()
    rows: list[dict[str, Any]] = []
    faults: list[str] = []
    with threadpool_limits(1):
        for name in asked.names:
            started = (QUICK if asked.quick else WORKLOADS)[name]()
            if started is None:
                print(f"\n{name}: skipped, a library it needs is not installed", flush=True)
                continue
            started.run(repeats=asked.repeats or (3 if asked.quick else 5), budget_s=0.5 if asked.quick else 4.0)
            if name.startswith("growth"):
                doubled(started)
            print(table(started), flush=True)
            rows.extend(records(started))
            faults += started.faults()
            if asked.csv:
                _write(asked.csv, rows)
    sys.exit("\n".join(faults) or None)


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the rows, and keep what the file holds of other workloads."""
    fresh = {row["workload"] for row in rows}
    if path.exists():
        with path.open(newline="") as file:
            rows = rows + [row for row in csv.DictReader(file) if row["workload"] not in fresh]
    places = list(WORKLOADS)
    rows = sorted(rows, key=lambda row: places.index(row["workload"]) if row["workload"] in places else len(places))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
