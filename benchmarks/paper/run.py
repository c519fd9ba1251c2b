"""The experiment of the paper behind this package, with the comparisons that its reviewers asked for.

``python -m benchmarks.paper.run --data FOLDER`` trains and scores what is not stored yet and writes tables and a
picture; see ``benchmarks/README.md``.
"""

import argparse
import sys
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from benchmarks.paper import colour, report, scores
from benchmarks.paper.data import SETTINGS, available, load, split
from benchmarks.paper.nets import NETS, Trained, trained
from benchmarks.paper.plot import draw
from benchmarks.script import CACHE, command, in_processes, options, write_csv, write_whole

EPOCHS, QUICK_EPOCHS = 12, 3
SEEDS = 20
QUICK_SETTINGS = ("two_100", "long_tail_100")


def stored_at(key: str, seed: int, net: str, *, epochs: int) -> Path:
    """Return the file of a net's scores; its logits are beside it."""
    return CACHE / "paper" / f"epochs_{epochs}" / f"{key}-{seed}-{net}.json"


@cache
def _pool(folder: Path, *, in_colour: bool):
    return load(folder, in_colour=in_colour)


def work(folder: Path, key: str, seed: int, epochs: int) -> None:
    """Train and score the nets of a setting and a seed that are not stored."""
    warnings.simplefilter("ignore")
    setting = SETTINGS[key]
    samples = split(_pool(folder, in_colour=setting.in_colour), setting, seed)
    baseline: Trained | None = None
    for net in NETS:
        path = stored_at(key, seed, net, epochs=epochs)
        logits = path.with_suffix(".npz")
        if not logits.exists():
            trained(net, samples, setting, seed=seed, epochs=epochs, baseline=baseline).write(logits)
        found = Trained.read(logits)
        baseline = baseline or found
        if not path.exists():
            scores.write(path, list(scores.lines(setting, key, seed, net, samples, found)))


def run(asked: argparse.Namespace) -> None:
    """Compute what is missing."""
    tasks = [(key, seed) for seed in range(asked.seeds) for key in asked.settings]
    missing = [t for t in tasks if not all(stored_at(*t, net, epochs=asked.epochs).exists() for net in NETS)]
    print(f"{len(tasks)} settings and seeds, {len(tasks) - len(missing)} of them done", file=sys.stderr, flush=True)
    stored_at("", 0, "", epochs=asked.epochs).parent.mkdir(parents=True, exist_ok=True)
    labelled = {f"{key:13} seed {seed}": (asked.data, key, seed, asked.epochs) for key, seed in missing}
    in_processes(work, labelled, jobs=asked.jobs)


def stored(asked: argparse.Namespace) -> list[scores.Line]:
    """Return the scores of the settings and seeds that are complete."""
    found: list[scores.Line] = []
    for key in asked.settings:
        for seed in range(asked.seeds):
            paths = [stored_at(key, seed, net, epochs=asked.epochs) for net in NETS]
            if all(path.exists() for path in paths):
                found += [line for path in paths for line in scores.read(path)]
    return found


def _installed(keys: Sequence[str]) -> list[str]:
    """Return the settings whose packages are installed."""
    if any(not available(key) for key in keys):
        packages = " ".join(colour.missing())
        message = f"skipped the colour images: not installed: {packages}; versions are in requirements/rivals.txt"
        print(message, file=sys.stderr, flush=True)
    return [key for key in keys if available(key)]


def _parser() -> argparse.ArgumentParser:
    parser = options(__doc__, data="fashion_images.npz", seeds=SEEDS, jobs=2, writes="every score")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of each training (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a check: one seed, two settings, few epochs")
    parser.add_argument("--summary-only", action="store_true", help="train nothing, report what is stored")
    parser.add_argument("--table", type=Path, metavar="PATH", help="write the page to this file, not to stdout")
    parser.add_argument("--picture", type=Path, metavar="PATH", help="draw the picture to this file")
    return parser


def main() -> None:
    """Run, then write the files asked for."""
    parser = _parser()
    asked = parser.parse_args()
    if asked.quick:
        asked.seeds, asked.settings, asked.epochs = 1, list(QUICK_SETTINGS), QUICK_EPOCHS
    if not asked.summary_only:
        asked.settings = _installed(asked.settings)
        run(asked)
    found = stored(asked)
    if not found:
        sys.exit("nothing is stored yet")
    if asked.csv:
        write_csv(asked.csv, [scores.shown(line) for line in found])
    if asked.picture:
        draw(asked.picture, found)
    made_by = command("paper.run", parser, asked, ("seeds", "settings", "epochs", "csv", "table", "picture"))
    text = report.report(found, epochs=asked.epochs, picture=asked.picture, command=made_by)
    if asked.table:
        write_whole(asked.table, text)
    else:
        print(text)


if __name__ == "__main__":
    main()
