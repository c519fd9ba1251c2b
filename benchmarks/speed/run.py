"""Times of this package and of the baselines as multiples of one NumPy call, on the same arrays in the same run.

``python -m benchmarks.speed.run`` prints a table for each workload; see ``benchmarks/README.md``.
"""

import argparse
import statistics
import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from threadpoolctl import threadpool_limits

from benchmarks.script import options, read_csv, write_csv
from benchmarks.speed.around import cross_validated, predicting, training
from benchmarks.speed.tuners import OURS, drawn, empirical, tuners
from benchmarks.speed.workload import Contender, Workload, ratios, records, table

SIZES = [(10_000, 10), (100_000, 10), (50_000, 100), (50_000, 1_000), (20_000, 8_000)]
OBJECTIVES = ["f1_macro", "geometric_mean", "matthews_corrcoef"]

Start = Callable[..., Workload | None]


def growth(name: str, sizes: list[tuple[int, int]], *, fit: Callable[..., Any] = empirical) -> Workload:
    """Return the workload of one fit at sizes that double."""

    def entry(n_samples: int, n_classes: int) -> Contender:
        data = drawn(n_samples, n_classes)
        objective = "f1" if n_classes == 2 else "f1_macro"
        return Contender(
            f"n = {n_samples:,}, K = {n_classes:,}", OURS, lambda: fit(objective, data.scores, data.y), traced_s=0
        )

    contenders = [entry(*size) for size in sizes]
    return Workload(name, f"OffsetTuner.fit, {fit.__name__}", sizes[0], contenders, contenders[0].name, 1.0)


def doubled(curve: Workload) -> None:
    """Note for each size its time as a multiple of that of the size before."""
    for before, after in zip(curve.contenders, curve.contenders[1:], strict=False):
        if after.seconds:
            after.note = f"{statistics.median(ratios(after, before)):.2f} times the one before"


WORKLOADS: dict[str, Start] = {
    **{f"f1_1e{e}": partial(tuners, "f1", 10**e, 2, cap_s=10) for e in (4, 5, 6, 7)},
    **{f"{name}_{n}x{k}": partial(tuners, name, n, k, cap_s=10) for n, k in SIZES for name in OBJECTIVES},
    "growth_n_two_classes": partial(growth, "growth_n_two_classes", [(125_000 * 2**i, 2) for i in range(6)]),
    "growth_n": partial(growth, "growth_n", [(12_500 * 2**i, 100) for i in range(5)]),
    "growth_k": partial(growth, "growth_k", [(20_000, 25 * 2**i) for i in range(7)]),
    "predict_100000x10": partial(predicting, 100_000, 10),
    "predict_50000x1000": partial(predicting, 50_000, 1_000),
    "classifier_100000": partial(cross_validated, 100_000, 50),
    "callback_20000": partial(training, 20_000),
}

QUICK: dict[str, Start] = {
    "f1_1e5": partial(tuners, "f1", 100_000, 2, cap_s=0.5, limit=15),
    "f1_macro_10000x10": partial(tuners, "f1_macro", 10_000, 10, cap_s=0.5, limit=3_000),
    "f1_macro_4000x100": partial(tuners, "f1_macro", 4_000, 100, cap_s=0.5, limit=20_000),
    "growth_n": partial(growth, "growth_n", [(6_000 * 2**i, 30) for i in range(3)]),
    "predict_10000x100": partial(predicting, 10_000, 100, limit=30),
    "classifier_5000": partial(cross_validated, 5_000, 10),
    "callback_2000": partial(training, 2_000),
}
"""With ``--quick``: small sizes, and limits that only a change by a large factor exceeds."""


def _arguments() -> argparse.Namespace:
    parser = options(__doc__, writes="the results, and keep other workloads,")
    parser.add_argument("--quick", action="store_true", help="small sizes, few repeats; fails if a ratio is far off")
    parser.add_argument("--only", action="append", metavar="NAME", help="workloads with this prefix; repeatable")
    parser.add_argument("--repeats", type=int, help="rounds (default 5, with --quick 3)")
    asked = parser.parse_args()
    asked.workloads = QUICK if asked.quick else WORKLOADS
    asked.names = [name for name in asked.workloads if not asked.only or name.startswith(tuple(asked.only))]
    if not asked.names:
        parser.error(f"--only must be the prefix of a workload: {', '.join(asked.workloads)}")
    return asked


def main() -> None:
    """Run the workloads."""
    warnings.simplefilter("ignore")
    asked = _arguments()
    kept = read_csv(asked.csv) if asked.csv and asked.csv.exists() else []
    rows: list[dict[str, Any]] = []
    faults: list[str] = []
    with threadpool_limits(1):
        for name in asked.names:
            workload = asked.workloads[name]()
            if workload is None:
                print(f"\n{name}: skipped, a library it needs is not installed", flush=True)
                continue
            workload.run(repeats=asked.repeats or (3 if asked.quick else 5), budget_s=0.5 if asked.quick else 4.0)
            if name.startswith("growth"):
                doubled(workload)
            print(table(workload), flush=True)
            rows.extend(records(workload))
            faults += workload.faults()
            if asked.csv:
                fresh = {row["workload"] for row in rows}
                merged = rows + [row for row in kept if row["workload"] not in fresh]
                write_csv(asked.csv, sorted(merged, key=_place))
    sys.exit("\n".join(faults) or None)


def _place(row: dict[str, Any]) -> int:
    """Return the place of a row's workload in the file."""
    names = list(WORKLOADS)
    return names.index(row["workload"]) if row["workload"] in names else len(names)


if __name__ == "__main__":
    main()
