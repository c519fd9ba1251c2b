"""Fits larger than memory: time, memory of the workers, and the objective compared with a fit in memory.

``python -m benchmarks.studies.chunked --csv benchmarks/results/chunked.csv``: two workers of 2 GiB each, a quarter of
an hour; with ``--quick`` half a minute. Lines that the file already has are not computed again.
"""

import logging
import os
import resource
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context

import dask.array as da
import numpy as np
import numpy.typing as npt
from dask.distributed import Client, LocalCluster, wait

from benchmarks.script import options, read_csv, write_csv
from skimbalance import OffsetTuner

BINARY = (1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000)
MULTICLASS = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
CHUNK_CELLS = 10_000_000
IN_MEMORY = 200_000_000
"""Problems with no more scores are fitted in memory, too."""

POSITIVE_PRIOR = 0.02


@dataclass(frozen=True)
class Result:
    """A line of the table; `in_memory` is the value of a fit of the same samples in memory, empty if there is none."""

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
    """Return the log-odds, or logits, of the samples with the numbers in `block`."""
    rng, y = drawn(block, n_classes=n_classes)
    if n_classes == 2:
        return 3.0 * y - 3.0 + rng.normal(size=len(y))
    prior = prior_of(n_classes)
    logits = rng.normal(size=(len(y), n_classes)) + np.log(prior)
    logits[np.arange(len(y)), y] += 1.5
    return logits


def labels_of(block: npt.NDArray[np.int64], *, n_classes: int) -> npt.NDArray[np.int8]:
    """Return the labels of the samples with the numbers in `block`."""
    return drawn(block, n_classes=n_classes)[1].astype(np.int8)


def drawn(block: npt.NDArray[np.int64], *, n_classes: int) -> tuple[np.random.Generator, npt.NDArray[np.int64]]:
    """Return a generator after it has drawn the labels of these samples, and the labels."""
    rng = np.random.default_rng(int(block[0]))
    if n_classes == 2:
        return rng, (rng.random(len(block)) < POSITIVE_PRIOR).astype(np.int64)
    return rng, rng.choice(n_classes, size=len(block), p=prior_of(n_classes))


def prior_of(n_classes: int) -> npt.NDArray[np.float64]:
    """Return decreasing class priors with a ratio of 100."""
    prior = np.geomspace(1, 0.01, n_classes)
    return prior / prior.sum()


def samples_of(n: int, n_classes: int) -> tuple[da.Array, da.Array]:
    """Return scores and labels, which the workers generate."""
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
    """Fit in chunks on a new cluster, and in memory if there are few enough scores."""
    tuner = OffsetTuner(objective, kind="logits", estimate=estimate, confidence_level=None, verbose=verbose)
    warnings.filterwarnings("ignore", message="Sending large graph")
    logging.getLogger("distributed").setLevel(logging.ERROR)
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, memory_limit="2GiB", dashboard_address=None)
    with cluster, Client(cluster) as client:
        scores, y = (part.persist() for part in samples_of(n, n_classes))
        wait([scores, y])
        killed = "" if kill is None else killed_after(kill, client)
        start = time.perf_counter()
        tuner.fit(scores, y)
        seconds = time.perf_counter() - start
        peak = max(client.run(peak_of_process).values())
    value, in_memory, seconds_in_memory = tuner.in_sample_score_, "", ""
    client_peak = peak_of_process()
    if n * n_classes <= IN_MEMORY and kill is None:
        x, labels = (np.asarray(part.compute(scheduler="threads")) for part in samples_of(n, n_classes))
        start = time.perf_counter()
        in_memory = tuner.fit(x, labels).in_sample_score_
        seconds_in_memory = round(time.perf_counter() - start, 2)
    return Result(
        objective, n, n_classes, estimate, round(seconds, 2), seconds_in_memory, value, in_memory, round(peak),
        round(client_peak), killed,
    )  # fmt: skip


def killed_after(seconds: float, client: Client) -> str:
    """Kill a worker after a while."""
    worker = next(iter(client.run(os.getpid).values()))
    threading.Timer(seconds, os.kill, (worker, signal.SIGKILL)).start()
    return f"one of two after {seconds:g} s"


def plan(*, quick: bool) -> Iterator[tuple[str, int, int, str, float | None]]:
    """Yield the arguments of each line."""
    yield from (("f1", n, 2, "empirical", None) for n in BINARY[: 1 if quick else None])
    yield from (("f1_macro", n, 10, "empirical", None) for n in MULTICLASS[: 2 if quick else None])
    if quick:
        return
    yield from (("f1", BINARY[-1], 2, "robust", None), ("f1_macro", MULTICLASS[-1], 10, "robust", None))
    yield from (("f1", 30_000_000, 2, "empirical", 3.0), ("f1_macro", 3_000_000, 10, "empirical", 3.0))


def main() -> None:
    """Measure the lines that the file does not have yet."""
    parser = options(__doc__, writes="the table")
    parser.add_argument("--quick", action="store_true", help="only the smallest sizes")
    parser.add_argument("--verbose", action="store_true", help="print the progress of each fit")
    asked = parser.parse_args()
    lines = read_csv(asked.csv) if asked.csv and asked.csv.exists() else []
    done = {(line["objective"], int(line["n"]), line["estimate"], bool(line["killed"])) for line in lines}
    for objective, n, n_classes, estimate, kill in plan(quick=asked.quick):
        if (objective, n, estimate, kill is not None) in done:
            continue
        # A process of its own, so that the peak memory is that of this line.
        with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
            parameters = {"estimate": estimate, "kill": kill, "verbose": int(asked.verbose)}
            result = process.submit(measured, objective, n, n_classes, **parameters).result()
        print(asdict(result), flush=True)
        lines.append(asdict(result))
        if asked.csv:
            write_csv(asked.csv, lines)


if __name__ == "__main__":
    main()
