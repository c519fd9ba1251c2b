"""Contenders that are timed in turn on the same arrays, and the tables of their times."""

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
"""Shorter calls are repeated until they take so long, and the mean is used."""

LONG_SECONDS = 1.0
"""Longer calls are timed once, without a repetition."""


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Return the processor time of a call, the mean of several if it is short, and its result."""
    gc.collect()
    seconds, result = _time(run, calls=1)
    if seconds < LONG_SECONDS:
        seconds, result = _time(run, calls=math.ceil(LEAST_SECONDS / max(seconds, 1e-9)))
    return seconds, result


def _time(run: Callable[[], Any], *, calls: int) -> tuple[float, Any]:
    start = process_time()
    for _ in range(calls):
        result = run()
    return (process_time() - start) / calls, result


@dataclass
class Contender:
    """One line of a table: a call, and its measurements.

    `value` computes the metric of a result, `note_of` a note. `rehearse` excludes imports and compilation from the
    times. `clock` returns the seconds of the call and its result. The memory is measured in one more call unless a
    call takes longer than `traced_s`.
    """

    name: str
    version: str
    run: Callable[[], Any]
    value: Callable[[Any], float] | None = None
    note_of: Callable[[Any], str] | None = None
    rehearse: Callable[[], Any] | None = None
    refusal: str | None = None
    traced_s: float = 6.0
    clock: Callable[[Callable[[], Any]], tuple[float, Any]] = timed
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
        """Run the call on small arrays."""
        if not self.over and self.rehearse is not None:
            self._guarded(self.rehearse)

    def measure(self, *, budget_s: float) -> bool:
        """Time one run unless all of them took `budget_s` already; return whether it ran."""
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
        """Run once more, and measure the peak of the additional memory in units of `unit` bytes."""
        if self.over or not self.seconds or self.seconds[0] > self.traced_s:
            return
        gc.collect()
        tracemalloc.start()
        self._guarded(self.run)
        self.peak = tracemalloc.get_traced_memory()[1] / unit
        tracemalloc.stop()

    def _timed(self) -> Any:
        seconds, result = self.clock(self.run)
        self.seconds.append(seconds)
        return result

    def _guarded(self, act: Callable[[], Any]) -> Any:
        """Return the result of `act`. A contender that raises does not run again; the table says why."""
        try:
            return act()
        except Exception as error:
            self.over, self.failed, self.note = True, True, f"failed: {type(error).__name__}: {error}"[:120]
            return None


@dataclass
class Workload:
    """Contenders at one size. The first is the floor; `reference` names the other denominator of ratios.

    `size` is (n, K), `unit` the bytes of the scores, `limit` the largest ratio of the reference to the floor that a
    quick run accepts.
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
        """The contender of the first ratio."""
        return self.contenders[0]

    @property
    def ours(self) -> Contender:
        """The contender of the second ratio."""
        return next(line for line in self.contenders if line.name == self.reference)

    def run(self, *, repeats: int, budget_s: float) -> None:
        """Time all contenders in turn, `repeats` times."""
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
        """Return messages about fits of this package that failed, or that exceed the limit."""
        found = [f"{self.name}: {line.name} {line.note}" for line in self.contenders if line.failed and line.is_ours]
        if self.limit is not None and self.ours.seconds:
            ratio = statistics.median(ratios(self.ours, self.floor))
            if ratio > self.limit:
                found.append(
                    f"{self.name}: {self.reference} took {ratio:.0f} times the floor, more than {self.limit:g}"
                )
        return found


def say(name: str, message: str) -> None:
    """Write progress to stderr."""
    print(f"[{name}] {message}", file=sys.stderr, flush=True)


def ratios(line: Contender, to: Contender) -> list[float]:
    """Return the time of `line` over that of `to` for each round."""
    return [mine / theirs for mine, theirs in zip(line.seconds, to.seconds, strict=False)]


def _spread(values: Sequence[float], show: Callable[[float], str]) -> str:
    """Return the median of `values`, with minimum and maximum if there are several."""
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


def _cells(line: Contender, workload: Workload) -> tuple[str, ...]:
    return (
        line.name,
        seconds_text(statistics.median(line.seconds)) if line.seconds else "-",
        _spread(ratios(line, workload.floor), _ratio),
        _spread(ratios(line, workload.ours), _ratio),
        "-" if line.peak is None else f"{line.peak:.2f}",
        "-" if line.achieved is None else f"{line.achieved:.4f}",
        str(len(line.seconds)),
        line.note,
    )


def table(workload: Workload) -> str:
    """Return the results as text."""
    head = ("", "seconds", "x floor", f"x {workload.reference}", "peak", "value", "runs", "")
    rows = [head, *(_cells(line, workload) for line in workload.contenders)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    body = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    untuned = "" if workload.untuned is None else f", untuned {workload.untuned:.4f}"
    n_samples, n_classes = workload.size
    return "\n".join([f"\n{workload.name}: {workload.objective}, n = {n_samples:,}, K = {n_classes:,}{untuned}", *body])


def records(workload: Workload) -> Iterable[dict[str, Any]]:
    """Yield a row of the CSV file for each contender: medians, minima and maxima, and the versions."""
    for line in workload.contenders:
        yield {
            "workload": workload.name,
            "objective": workload.objective,
            "n_samples": workload.size[0],
            "n_classes": workload.size[1],
            "contender": line.name,
            "version": line.version,
            "runs": len(line.seconds),
            **numbers("seconds", line.seconds),
            **numbers("over_floor", ratios(line, workload.floor)),
            **numbers("over_reference", ratios(line, workload.ours)),
            "peak_over_scores": "" if line.peak is None else f"{line.peak:.3g}",
            "value": "" if line.achieved is None else f"{line.achieved:.6f}",
            "untuned": "" if workload.untuned is None else f"{workload.untuned:.6f}",
            "note": line.note,
            "python": platform.python_version(),
            **{library: version(library) for library in ("numpy", "scipy", "scikit-learn")},
            "cpu": f"{platform.machine()}, one core",
        }


def numbers(name: str, values: Sequence[float]) -> dict[str, str]:
    """Return median, minimum and maximum, with names that begin with `name`; empty if there are no values."""
    parts = {"": statistics.median, "_min": min, "_max": max}
    return {name + suffix: f"{part(values):.4g}" if values else "" for suffix, part in parts.items()}
