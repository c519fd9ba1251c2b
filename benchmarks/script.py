"""Options, progress, files and tables: what the scripts have in common."""

import csv
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

__all__ = [
    "CACHE",
    "command",
    "in_processes",
    "markdown",
    "options",
    "progress",
    "read_csv",
    "report",
    "rounded",
    "write_csv",
    "write_whole",
]

CACHE = Path(__file__).parent / ".cache"

Item = TypeVar("Item")


def options(
    doc: str, *, data: str = "", seeds: int | None = None, sets: bool = False, jobs: int | None = None, writes: str = ""
) -> ArgumentParser:
    """Return a parser with the usual options: `data` says what its folder holds, `writes` what --csv writes."""
    parser = ArgumentParser(description=doc.splitlines()[0])
    if data:
        parser.add_argument("--data", type=Path, default=Path("../shared/data"), help=f"folder with {data}")
    if seeds is not None:
        parser.add_argument("--seeds", type=int, default=seeds, help="number of seeds (default %(default)s)")
    if sets:
        parser.add_argument("--sets", nargs="+", metavar="SET", help="only these data sets")
    if jobs is not None:
        parser.add_argument("--jobs", type=int, default=jobs, help="processes of one thread (default %(default)s)")
    if writes:
        parser.add_argument("--csv", type=Path, metavar="PATH", help=f"write {writes} to this file")
    return parser


def command(module: str, parser: ArgumentParser, asked: Namespace, names: Sequence[str]) -> str:
    """Return the command with those of the named options that differ from their default."""
    parts = [f"python -m benchmarks.{module}"] + ["--data FOLDER"] * (not getattr(asked, "unseen", False))
    for name in names:
        value = getattr(asked, name)
        if value is True:
            parts.append(f"--{name}")
        elif value != parser.get_default(name):
            parts.append(f"--{name} {' '.join(map(str, value)) if isinstance(value, list) else value}")
    return " ".join(parts)


def progress(items: Iterable[Item], label: Callable[[Item], str]) -> Iterator[Item]:
    """Yield the items; after each write its number, its label and the elapsed time to stderr."""
    begin = perf_counter()
    for number, item in enumerate(items, start=1):
        yield item
        print(f"{number:4} {label(item)} {perf_counter() - begin:6.0f} s", file=sys.stderr, flush=True)


def in_processes(
    work: Callable[..., object], tasks: Mapping[str, tuple[Any, ...]], *, jobs: int, **initializer: Any
) -> None:
    """Call `work` with the arguments of each task in several processes; write progress to stderr."""
    begin = perf_counter()
    with ProcessPoolExecutor(jobs, **initializer) as pool:
        futures = {pool.submit(work, *arguments): label for label, arguments in tasks.items()}
        for number, future in enumerate(as_completed(futures), start=1):
            future.result()
            elapsed = perf_counter() - begin
            remaining = elapsed / number * (len(tasks) - number)
            line = f"{number:4}/{len(tasks)} {futures[future]} {elapsed:6.0f} s, about {remaining:5.0f} s remaining"
            print(line, file=sys.stderr, flush=True)


def write_whole(path: Path, text: str) -> None:
    """Write a file completely or not at all, since the script can be interrupted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def rounded(row: Mapping[str, object]) -> dict[str, object]:
    """Return the row with floats of six significant digits."""
    return {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in row.items()}


def write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write the rows, which have the same keys."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def report(rows: Iterable[Mapping[str, object]], path: Path | None) -> None:
    """Print each row as soon as it is computed; write all of them if there is a path."""
    found = []
    for row in rows:
        print("  ".join(f"{name}: {value}" for name, value in row.items()), flush=True)
        found.append(row)
    if path:
        write_csv(path, found)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]], *, text: int = 1) -> str:
    """Return a table in Markdown; all columns but the first `text` are aligned to the right."""
    rule = ["---" if place < text else "--:" for place in range(len(head))]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in (head, rule, *rows))
