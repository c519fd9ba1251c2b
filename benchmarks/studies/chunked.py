"""Rows in chunks: time, memory of the workers, and the value against a fit in memory, as the rows grow.

``python benchmarks/chunked.py --csv benchmarks/results/chunked.csv``: two workers of 2 GiB each, a quarter of an hour;
with ``--quick`` half a minute. Rows that are done already are read from the CSV.
"""

import argparse
import csv
import logging
import os
import resource
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from multiprocessing import get_context
from pathlib import Path

import dask.array as da
import numpy as np
import numpy.typing as npt
from dask.distributed import Client, LocalCluster, wait

from skimbalance import OffsetTuner

TWO_CLASSES = (1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000)
TEN_CLASSES = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
CHUNK_CELLS = 10_000_000
IN_MEMORY = 200_000_000
"""So many scores are fitted in memory besides."""

RARE = 0.02


@dataclass(frozen=True)
class Result:
    """A line of the table; `in_memory` is the value of a fit of the same rows in memory, empty where there is none."""

    objective: str
    n: int
    n_classes: int
    estimate: str
    seconds: float
    seconds_in_memory: float | str
    value: float
    in_memory: float | str
    peak_worker_mib: float
    peak_client_mib: float
    killed: str


def scores_of(block: npt.NDArray[np.int64], *, n_classes: int) -> npt.NDArray[np.float64]:
    """Return the log-odds, or logits, of the rows numbered in `block`."""
    rng, y = drawn(block, n_classes=n_classes)
    if n_classes == 2:
        return 3.0 * y - 3.0 + rng.normal(size=len(y))
    prior = prior_of(n_classes)
    logits = rng.normal(size=(len(y), n_classes)) + np.log(prior)
    logits[np.arange(len(y)), y] += 1.5
    return logits


def labels_of(block: npt.NDArray[np.int64], *, n_classes: int) -> npt.NDArray[np.int8]:
    """Return the labels of the rows numbered in `block`."""
    return drawn(block, n_classes=n_classes)[1].astype(np.int8)


def drawn(block: npt.NDArray[np.int64], *, n_classes: int) -> tuple[np.random.Generator, npt.NDArray[np.int64]]:
    """Return the labels of some rows, and a generator that goes on from there."""
    rng = np.random.default_rng(int(block[0]))
    if n_classes == 2:
        return rng, (rng.random(len(block)) < RARE).astype(np.int64)
    return rng, rng.choice(n_classes, size=len(block), p=prior_of(n_classes))


def prior_of(n_classes: int) -> npt.NDArray[np.float64]:
    """Return shares from frequent to rare, a hundred to one."""
    prior = np.geomspace(1, 0.01, n_classes)
    return prior / prior.sum()


def rows_of(n: int, n_classes: int) -> tuple[da.Array, da.Array]:
    """Return scores and labels, made where the workers are."""
    columns = 1 if n_classes == 2 else n_classes
    numbers = da.arange(n, chunks=min(n // 4, CHUNK_CELLS // (columns * 10)))
    y = numbers.map_blocks(labels_of, n_classes=n_classes, dtype=np.int8)
    if n_classes == 2:
        return numbers.map_blocks(scores_of, n_classes=2, dtype=np.float64), y
    chunks = (numbers.chunks[0], (n_classes,))
    scores = numbers.map_blocks(scores_of, n_classes=n_classes, dtype=np.float64, new_axis=1, chunks=chunks)
    return scores, y


def peak_of_process() -> float:
    """Return the most memory that this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(objective: str, n: int, n_classes: int, *, estimate: str, kill: float | None, verbose: int) -> Result:
    """Fit in chunks on a fresh cluster, and in memory where the scores are few enough."""
    tuner = OffsetTuner(objective, kind="logits", estimate=estimate, confidence_level=None, verbose=verbose)
    warnings.filterwarnings("ignore", message="Sending large graph")
    logging.getLogger("distributed").setLevel(logging.ERROR)
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, memory_limit="2GiB", dashboard_address=None)
    with cluster, Client(cluster) as client:
        scores, y = (rows.persist() for rows in rows_of(n, n_classes))
        wait([scores, y])
        killed = "" if kill is None else killed_after(kill, client)
        start = time.perf_counter()
        tuner.fit(scores, y)
        seconds = time.perf_counter() - start
        peak = max(client.run(peak_of_process).values())
    value, in_memory, seconds_in_memory = tuner.in_sample_score_, "", ""
    client_peak = peak_of_process()
    if n * n_classes <= IN_MEMORY and kill is None:
        start = time.perf_counter()
        x, labels = (np.asarray(rows.compute(scheduler="threads")) for rows in rows_of(n, n_classes))
        start = time.perf_counter()
        in_memory = tuner.fit(x, labels).in_sample_score_
        seconds_in_memory = round(time.perf_counter() - start, 2)
    return Result(
        objective, n, n_classes, estimate, round(seconds, 2), seconds_in_memory, value, in_memory, round(peak),
        round(client_peak), killed,
    )  # fmt: skip


def killed_after(seconds: float, client: Client) -> str:
    """Kill a worker some time from now."""
    worker = next(iter(client.run(os.getpid).values()))
    threading.Timer(seconds, os.kill, (worker, signal.SIGKILL)).start()
    return f"one of two after {seconds:g} s"


def plan(*, quick: bool) -> Iterator[tuple[str, int, int, str, float | None]]:
    """Yield what is to be measured."""
    yield from (("f1", n, 2, "empirical", None) for n in TWO_CLASSES[: 1 if quick else None])
    yield from (("f1_macro", n, 10, "empirical", None) for n in TEN_CLASSES[: 2 if quick else None])
    if quick:
        return
    yield from (("f1", TWO_CLASSES[-1], 2, "robust", None), ("f1_macro", TEN_CLASSES[-1], 10, "robust", None))
    yield from (("f1", 30_000_000, 2, "empirical", 3.0), ("f1_macro", 3_000_000, 10, "empirical", 3.0))


def main() -> None:
    """Measure what is not in the table yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, default=None, help="where results are kept, and read from")
    parser.add_argument("--quick", action="store_true", help="the smallest sizes alone")
    parser.add_argument("--verbose", action="store_true", help="print what each fit does")
    given = parser.parse_args()
    known: list[dict[str, str]] = []
    if given.csv is not None and given.csv.exists():
        with given.csv.open() as file:
            known = list(csv.DictReader(file))
    done = {(row["objective"], int(row["n"]), row["estimate"], bool(row["killed"])) for row in known}
    for objective, n, n_classes, estimate, kill in plan(quick=given.quick):
        if (objective, n, estimate, kill is not None) in done:
            continue
        with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as alone:  # for peaks of its own
            verbose = int(given.verbose)
            job = alone.submit(measured, objective, n, n_classes, estimate=estimate, kill=kill, verbose=verbose)
            result = job.result()
        print(asdict(result), flush=True)
        if given.csv is not None:
            append(given.csv, result)


def append(path: Path, result: Result) -> None:
    """Add a line to the table."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Result)], lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(asdict(result))


if __name__ == "__main__":
    main()
