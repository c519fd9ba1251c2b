"""How soon a broken bound is reported, and how often one that holds: `ConstraintMonitor` beside MAPIE.

The recall must be at least 0.9. It is 0.9 or 0.95 at first, and changes once, or never. All methods see the same
streams of samples of the class, the slow ones the first of them.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from mapie.exchangeability_testing import RiskMonitoring

from benchmarks.script import options, report
from skimbalance import ConstraintMonitor
from skimbalance.goals import AtLeast

ALPHA, BOUND = 0.05, 0.9
LENGTH = 3_000
COLUMNS = ("before", "change_at", "after", "method", "streams", "early", "found", "median_delay", "delay_90")

Stream = npt.NDArray[np.int64]


class Case(NamedTuple):
    """The recall, the number of samples of the class up to a change, and the recall after it, None without a change."""

    before: float
    change_at: int
    after: float | None

    def stream(self, rng: np.random.Generator) -> Stream:
        """Draw which samples of the class are predicted as it."""
        rates = np.full(self.change_at, self.before)
        rates = rates if self.after is None else np.append(rates, np.full(LENGTH, self.after))
        return (rng.random(len(rates)) < rates).astype(np.int64)


CASES = (
    Case(0.9, LENGTH, None),
    Case(0.95, LENGTH, None),
    Case(0.95, 0, 0.88),
    Case(0.95, 0, 0.85),
    Case(0.95, 0, 0.8),
    Case(0.95, 500, 0.85),
    Case(0.95, 500, 0.8),
    Case(0.95, 2_000, 0.8),
)


class Decided:
    """A model whose decisions are its input."""

    classes_ = np.array([0, 1])

    def predict(self, X: Any) -> Any:
        """Return the input."""
        return X


def of_skimbalance(stream: Stream) -> int | None:
    """Return the number of samples up to the alarm, None without one."""
    monitor = ConstraintMonitor(Decided(), AtLeast("recall", BOUND), alpha=ALPHA)
    return monitor.update(stream, np.ones_like(stream)).alarm_at


def of_mapie(stream: Stream, *, level: float) -> int | None:
    """Return the number of samples up to the alarm, None without one."""
    risk = RiskMonitoring(risk="recall", test_level=level, threshold=1 - BOUND, warn=False)
    risk.update(np.ones_like(stream), stream)
    above = risk.online_risk_lower_bound_sequence_history > risk.threshold
    return int(np.argmax(above)) + 1 if above.any() else None


METHODS: dict[str, tuple[Callable[[Stream], int | None], int]] = {
    "ConstraintMonitor": (of_skimbalance, 10),
    "MAPIE": (lambda stream: of_mapie(stream, level=ALPHA), 1),
    # Half of the level is for reference data, of which there are none, and half of the rest for the other side.
    "MAPIE, four times the level": (lambda stream: of_mapie(stream, level=4 * ALPHA), 1),
}
"""Methods, and how many times as many streams they get."""


def line(case: Case, method: str, draws: int) -> dict[str, object]:
    """Return how often there is an alarm before and after the change, and quantiles of the delay of the latter."""
    find, times = METHODS[method]
    streams = (case.stream(np.random.default_rng(seed)) for seed in range(draws * times))
    alarms = np.array([np.inf if (found := find(stream)) is None else found for stream in streams])
    early = alarms <= case.change_at
    shown = ("", "", "")
    if case.after is not None:
        delays = alarms[~early] - case.change_at  # infinite where no alarm came
        median, late = np.quantile(delays, [0.5, 0.9], method="inverted_cdf")
        shown = (f"{np.isfinite(delays).mean():.3f}", f"{median:.0f}", f"{late:.0f}")
    return dict(zip(COLUMNS, (*case, method, len(alarms), f"{early.mean():.3f}", *shown), strict=True))


def lines(draws: int) -> Iterator[dict[str, object]]:
    """Yield all lines."""
    for case, method in itertools.product(CASES, METHODS):
        yield line(case, method, draws)


def main() -> None:
    """Compute all lines."""
    parser = options(__doc__, writes="the table")
    parser.add_argument("--draws", type=int, default=100, help="streams of a slow method (default %(default)s)")
    asked = parser.parse_args()
    report(lines(asked.draws), asked.csv)


if __name__ == "__main__":
    main()
