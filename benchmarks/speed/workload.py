"""Contenders timed side by side on the same arrays, and what of it is printed and stored."""

import gc
import math
import platform
import statistics
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from time import process_time
from typing import Any

LEAST_SECONDS = 0.02
"""A measurement shorter than that is the mean of as many calls as it takes."""

LONG_SECONDS = 1.0
"""What takes longer than that is not rehearsed before it is timed."""


@dataclass
class Contender:
    """One line of a table: what is timed, and what came of it.

    `value` says what a result is worth, `note_of` what a reader should know of it; `rehearse` takes imports and
    compilation out of the figures. It is run once more for its memory if it takes no longer than `traced_s`.
    """

    name: str
    version: str
    run: Callable[[], Any]
    value: Callable[[Any], float] | None = None
    note_of: Callable[[Any], str] | None = None
    rehearse: Callable[[], Any] | None = None
    refusal: str | None = None
    traced_s: float = 6.0
    seconds: list[float] = field(default_factory=list)
    achieved: float | None = None
    peak: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        self.over, self.failed = self.refusal is not None, False
        self.note = self.refusal or ""

    @property
    def is_ours(self) -> bool:
        """Whether it is this package."""
        return self.version.startswith("skimbalance ")

    def warm_up(self) -> None:
        """Do on something small what is going to be timed."""
        if not self.over and self.rehearse is not None:
            self._guarded(self.rehearse)

    def measure(self, *, budget_s: float) -> bool:
        """Time one run, unless all of them have taken `budget_s` already; tell whether there was one."""
        if self.over or sum(self.seconds) > budget_s:
            return False
        result = self._guarded(self._timed)
        if self.over:
            return False
        if len(self.seconds) == 1:
            self.note = self.note_of(result) if self.note_of else ""
            self.achieved = self._guarded(lambda: self.value(result)) if self.value else None
        return True

    def trace(self, unit: float) -> None:
        """Run once more, and take the peak of the memory beyond what stood before, in units of so many bytes."""
        if self.over or not self.seconds or self.seconds[0] > self.traced_s:
            return
        gc.collect()
        tracemalloc.start()
        self._guarded(self.run)
        self.peak = tracemalloc.get_traced_memory()[1] / unit
        tracemalloc.stop()

    def _timed(self) -> Any:
        gc.collect()
        seconds, result = _time(self.run, calls=1)
        if seconds < LONG_SECONDS:
            seconds, result = _time(self.run, calls=math.ceil(LEAST_SECONDS / max(seconds, 1e-9)))
        self.seconds.append(seconds)
        return result

    def _guarded(self, act: Callable[[], Any]) -> Any:
        """Return what `act` does; whatever a rival raises ends its part in the race and stands in the table."""
        try:
            return act()
        except Exception as error:
            self.over, self.failed, self.note = True, True, f"failed: {type(error).__name__}: {error}"[:120]
            return None


def _time(run: Callable[[], Any], *, calls: int) -> tuple[float, Any]:
    start = process_time()
    for _ in range(calls):
        result = run()
    return (process_time() - start) / calls, result


@dataclass
class Race:
    """Contenders at one size: the first is the floor, `reference` the name of the one that ratios are formed to.

    `size` (n, K) and `objective` say what the rows are, `unit` the bytes of the scores, `limit` what the ratio of the
    reference to the floor must not exceed in a quick run.
    """

    name: str
    objective: str
    size: tuple[int, int]
    contenders: list[Contender]
    reference: str
    unit: float
    untuned: float | None = None
    limit: float | None = None

    @property
    def floor(self) -> Contender:
        """What every contender is measured by."""
        return self.contenders[0]

    @property
    def ours(self) -> Contender:
        """The contender that rivals are measured by."""
        return next(line for line in self.contenders if line.name == self.reference)

    def run(self, *, repeats: int, budget_s: float) -> None:
        """Time every contender, one after the other, `repeats` times over."""
        for line in self.contenders:
            say(self.name, f"warming up {line.name}")
            line.warm_up()
        for number in range(1, repeats + 1):
            for line in self.contenders:
                if line.measure(budget_s=budget_s):
                    say(self.name, f"round {number} of {repeats}, {line.name}: {seconds_text(line.seconds[-1])}")
        for line in self.contenders[1:]:
            line.trace(self.unit)

    def faults(self) -> list[str]:
        """Return what is to be said of fits of ours that failed, or take far longer than they should."""
        found = [f"{self.name}: {line.name} {line.note}" for line in self.contenders if line.failed and line.is_ours]
        if self.limit is not None and self.ours.seconds:
            ratio = statistics.median(ratios(self.ours, self.floor))
            if ratio > self.limit:
                found.append(
                    f"{self.name}: {self.reference} took {ratio:.0f} times the floor, more than {self.limit:g}"
                )
        return found


def say(name: str, message: str) -> None:
    """Report progress."""
    print(f"[{name}] {message}", file=sys.stderr, flush=True)


def ratios(line: Contender, to: Contender) -> list[float]:
    """Return how many times longer `line` took than `to`, round by round."""
    return [mine / theirs for mine, theirs in zip(line.seconds, to.seconds, strict=False)]


def _spread(values: Sequence[float], show: Callable[[float], str]) -> str:
    """Return the median of `values`, and the least and the largest if there are several."""
    if not values:
        return "-"
    middle = show(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({show(min(values))} - {show(max(values))})"


def seconds_text(value: float) -> str:
    """Return seconds with a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e6:.3g} us"


def _ratio(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _cells(line: Contender, race: Race) -> tuple[str, ...]:
    return (
        line.name,
        seconds_text(statistics.median(line.seconds)) if line.seconds else "-",
        _spread(ratios(line, race.floor), _ratio),
        _spread(ratios(line, race.ours), _ratio),
        "-" if line.peak is None else f"{line.peak:.2f}",
        "-" if line.achieved is None else f"{line.achieved:.4f}",
        str(len(line.seconds)),
        line.note,
    )


def table(race: Race) -> str:
    """Return the results as text, the ratios to the floor and to the reference beside the seconds."""
    head = ("", "seconds", "x floor", f"x {race.reference}", "peak", "value", "runs", "")
    rows = [head, *(_cells(line, race) for line in race.contenders)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    body = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    untuned = "" if race.untuned is None else f", untuned {race.untuned:.4f}"
    n_rows, n_classes = race.size
    return "\n".join([f"\n{race.name}: {race.objective}, n = {n_rows:,}, K = {n_classes:,}{untuned}", *body])


def records(race: Race) -> Iterable[dict[str, Any]]:
    """Yield a line of the CSV for each contender: medians with their least and largest, and what ran where."""
    for line in race.contenders:
        yield {
            "workload": race.name,
            "objective": race.objective,
            "n_rows": race.size[0],
            "n_classes": race.size[1],
            "contender": line.name,
            "version": line.version,
            "runs": len(line.seconds),
            **_numbers("seconds", line.seconds),
            **_numbers("over_floor", ratios(line, race.floor)),
            **_numbers("over_reference", ratios(line, race.ours)),
            "peak_over_scores": "" if line.peak is None else f"{line.peak:.3g}",
            "value": "" if line.achieved is None else f"{line.achieved:.6f}",
            "untuned": "" if race.untuned is None else f"{race.untuned:.6f}",
            "note": line.note,
            "python": platform.python_version(),
            **{library: version(library) for library in ("numpy", "scipy", "scikit-learn")},
            "cpu": f"{platform.machine()}, one core",
        }


def _numbers(name: str, values: Sequence[float]) -> dict[str, str]:
    parts = {"": statistics.median, "_min": min, "_max": max}
    return {name + suffix: f"{part(values):.4g}" if values else "" for suffix, part in parts.items()}
