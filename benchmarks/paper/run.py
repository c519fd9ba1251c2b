"""The experiment of the paper this package started from, with what its reviewers asked for.

``python benchmarks/paper.py --data FOLDER`` trains and scores what is not stored yet and writes tables and a picture;
see README.md beside this file.
"""

import argparse
import sys
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from time import perf_counter

from benchmarks.paper import report
from benchmarks.paper import scores
from benchmarks.paper.data import SETTINGS, load, split
from benchmarks.paper.nets import NETS, Trained, trained
from benchmarks.paper.plot import draw
from benchmarks.leaderboard.problems import CACHE

EPOCHS, QUICK_EPOCHS = 12, 3
SEEDS = 20
QUICK_SETTINGS = ("two_100", "long_tail_100")


def stored_at(key: str, seed: int, net: str, *, epochs: int) -> Path:
    """Return the file of a net's scores; its logits are beside it."""
    return CACHE / "paper" / f"epochs_{epochs}" / f"{key}-{seed}-{net}.json"


@cache
def _pool(folder: Path):
    return load(folder)


def work(folder: Path, key: str, seed: int, epochs: int) -> None:
    """Train and score the nets of a seed that are not stored."""
    warnings.simplefilter("ignore")
    setting = SETTINGS[key]
    rows = split(_pool(folder), setting, seed)
    baseline: Trained | None = None
    for net in NETS:
        scores = stored_at(key, seed, net, epochs=epochs)
        logits = scores.with_suffix(".npz")
        if not logits.exists():
            trained(net, rows, setting, seed=seed, epochs=epochs, baseline=baseline).write(logits)
        found = Trained.read(logits)
        baseline = baseline or found
        if not scores.exists():
            scores.write(scores, list(scores.lines(setting, key, seed, net, rows, found)))


def run(asked: argparse.Namespace) -> None:
    """Compute what is missing, in as many processes as asked for."""
    tasks = [(key, seed) for seed in range(asked.seeds) for key in asked.settings]
    missing = [t for t in tasks if not all(stored_at(*t, net, epochs=asked.epochs).exists() for net in NETS)]
    print(f"{len(tasks)} settings and seeds, {len(tasks) - len(missing)} of them done", file=sys.stderr, flush=True)
    stored_at("", 0, "", epochs=asked.epochs).parent.mkdir(parents=True, exist_ok=True)
    begin = perf_counter()
    with ProcessPoolExecutor(asked.jobs) as pool:
        futures = {pool.submit(work, asked.data, *task, asked.epochs): task for task in missing}
        for number, future in enumerate(as_completed(futures), start=1):
            future.result()
            key, seed = futures[future]
            elapsed = perf_counter() - begin
            remaining = elapsed / number * (len(missing) - number)
            line = f"{number:3}/{len(missing)} {key:13} seed {seed} {elapsed:6.0f} s, about {remaining:5.0f} s to go"
            print(line, file=sys.stderr, flush=True)


def stored(asked: argparse.Namespace) -> Iterator[scores.Line]:
    """Yield the scores of the settings and seeds that are complete."""
    for key in asked.settings:
        for seed in range(asked.seeds):
            paths = [stored_at(key, seed, net, epochs=asked.epochs) for net in NETS]
            if all(path.exists() for path in paths):
                yield from (line for path in paths for line in scores.read(path))


def command(asked: argparse.Namespace) -> str:
    """Return the command that makes the same files from nothing."""
    parts = ["python benchmarks/paper.py --data FOLDER"]
    parts += [f"--seeds {asked.seeds}"] if asked.seeds != SEEDS else []
    parts += [f"--settings {' '.join(asked.settings)}"] if asked.settings != list(SETTINGS) else []
    parts += [f"--epochs {asked.epochs}"] if asked.epochs != EPOCHS else []
    files = {"--csv": asked.csv, "--table": asked.table, "--picture": asked.picture}
    return " ".join([*parts, *(f"{option} {path}" for option, path in files.items() if path)])


def report(asked: argparse.Namespace) -> None:
    """Write the files asked for from what is stored."""
    found = list(stored(asked))
    if not found:
        sys.exit("nothing is stored yet")
    if asked.csv:
        scores.write_csv(asked.csv, found)
    if asked.picture:
        draw(asked.picture, found)
    text = report.report(found, epochs=asked.epochs, picture=asked.picture, command=command(asked))
    if asked.table:
        asked.table.write_text(text)
    else:
        print(text)


def _arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with fashion_images.npz")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many seeds (default %(default)s)")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of each training (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="one seed, two settings, few epochs: does all of it run?")
    parser.add_argument("--summary-only", action="store_true", help="train nothing, report what is stored")
    parser.add_argument("--csv", type=Path, metavar="PATH", help="write every single score there")
    parser.add_argument("--table", type=Path, metavar="PATH", help="write the tables there, not on stdout")
    parser.add_argument("--picture", type=Path, metavar="PATH", help="draw the picture there")
    asked = parser.parse_args(given)
    if asked.quick:
        asked.seeds, asked.settings, asked.epochs = 1, list(QUICK_SETTINGS), QUICK_EPOCHS
    return asked


def main() -> None:
    """Run, then report."""
    asked = _arguments()
    if not asked.summary_only:
        run(asked)
    report(asked)


if __name__ == "__main__":
    main()
