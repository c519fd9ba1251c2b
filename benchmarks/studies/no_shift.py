"""What ``adapt_to`` loses where class priors have not shifted: halves of the X-rays, drawn at random.

In the order of the file, both halves differ: their samples are of different patients, and in five findings the labels
differ significantly. Here blocks of 100 neighbours, about as far as labels are correlated, are assigned to both halves
at random. The tuner is fitted on one of them, and adapts to 1,000 or to all samples of the other, which it is scored
on. `given` are the halves of the file. `z` is the difference of the proportions of the finding over its standard error
of independent samples, and `z_blocks` that over its standard error of independent blocks.
"""

import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.leaderboard.stored import nets
from benchmarks.leaderboard.tuning_problem import TuningProblem
from benchmarks.script import markdown, options, progress, rounded, write_csv
from benchmarks.studies.prior_shift import fitted, value_of
from skimbalance import OffsetTuner

BLOCK = 100
SIZES = (1000, 8041)
METRICS = ("f1", "matthews_corrcoef", "accuracy")
LOSS = 0.01
BOOTSTRAPS = 500

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """Scores of both halves' second one, for a metric; `deviation` is the standard error of the gain, by blocks."""

    data: str
    halves: str
    repeat: int
    samples: int
    metric: str
    prior: float
    new_prior: float
    z: float
    z_blocks: float
    estimated: float
    lower: float
    upper: float
    p_value: float
    misfit: float
    moved: int
    unadapted: float
    adapted: float
    oracle: float
    deviation: float


@dataclass(frozen=True)
class Half:
    """Scores (n, 2), labels and the block of each sample."""

    scores: Floats
    y: Codes
    blocks: Codes

    @property
    def prior(self) -> float:
        """The proportion of the finding."""
        return float(self.y.mean())

    def variance(self, *, by_block: bool) -> float:
        """Return the variance of the proportion, of independent samples or blocks."""
        sums = np.bincount(self.blocks, self.y - self.prior) if by_block else self.y - self.prior
        return float(np.sum(sums**2)) / len(self.y) ** 2


def halves(problem: TuningProblem, repeat: int | None) -> tuple[Half, Half]:
    """Return the halves of the file, or two of random blocks."""
    scores = np.concatenate([problem.scores, problem.scores_test])
    y = np.concatenate([problem.y, problem.y_test])
    blocks = np.arange(len(y)) // BLOCK
    second = np.arange(len(y)) >= len(problem.y)
    if repeat is not None:
        order = np.random.default_rng(repeat).permutation(blocks.max() + 1)
        second = (order % 2 == 1)[blocks]
    first, other = (Half(scores[part], y[part], blocks[part]) for part in (~second, second))
    return first, other


def deviation_of_gain(half: Half, metric: str, decisions: tuple[Codes, Codes], rng: np.random.Generator) -> float:
    """Return the standard error of the difference of two decisions, over bootstraps of blocks."""
    numbers, gains = np.unique(half.blocks, return_inverse=True)[1], []
    for _ in range(BOOTSTRAPS):
        weights = rng.multinomial(numbers.max() + 1, np.full(numbers.max() + 1, 1 / (numbers.max() + 1)))[numbers]
        values = [value_of(metric, half.y, decided, weights.astype(np.float64)) for decided in decisions]
        gains.append(values[1] - values[0])
    return float(np.std(gains))


def runs_of(problem: TuningProblem, repeat: int | None) -> Iterator[Run]:
    """Yield the runs of a finding, for each metric and size."""
    first, second = halves(problem, repeat)
    rng = np.random.default_rng(0 if repeat is None else repeat)
    known = TuningProblem(problem.data, "net", 0, first.scores, first.y, second.scores, second.y)
    change = second.prior - first.prior
    z, z_blocks = (change / np.sqrt(first.variance(by_block=by) + second.variance(by_block=by)) for by in (False, True))
    true = np.array([1 - second.prior, second.prior])
    tuners = {metric: (fitted(known, metric), fitted(known, metric, true)) for metric in METRICS}
    for size in SIZES:
        chosen = slice(None) if size >= len(second.y) - BLOCK else rng.choice(len(second.y), size, replace=False)
        for metric, (tuner, oracle) in tuners.items():
            adapted = tuner.adapt_to(second.scores[chosen])
            yield Run(
                problem.data, "given" if repeat is None else "random", -1 if repeat is None else repeat, size, metric,
                first.prior, second.prior, z, z_blocks, **_figures(second, metric, (tuner, adapted, oracle), rng)
            )  # fmt: skip


def _figures(half: Half, metric: str, tuners: tuple[OffsetTuner, ...], rng: np.random.Generator) -> dict[str, float]:
    """Return the estimate of the second tuner, and the scores of all three."""
    shift, moved = tuners[1].prior_shift_, tuners[1].class_prior is not None
    decisions = [np.asarray(tuner.predict(half.scores)) for tuner in tuners]
    values = [value_of(metric, half.y, decided, np.ones(len(half.y))) for decided in decisions]
    estimate = {
        "estimated": shift.estimated[1],
        "lower": shift.joint_interval[0, 1],
        "upper": shift.joint_interval[1, 1],
    }
    found = {"p_value": shift.p_value, "misfit": shift.misfit, "moved": int(moved)}
    deviation = deviation_of_gain(half, metric, (decisions[0], decisions[1]), rng) if moved else 0.0
    scores = dict(zip(("unadapted", "adapted", "oracle"), values, strict=True))
    return {**estimate, **found, **scores, "deviation": deviation}


def table(runs: list[Run]) -> str:
    """Return the losses for each kind of halves, size and metric."""
    rows = []
    for kind in ("given", "random"):
        for size in SIZES:
            for metric in METRICS:
                part = [run for run in runs if (run.halves, run.samples, run.metric) == (kind, size, metric)]
                gains = np.array([run.adapted - run.unadapted for run in part])
                oracle = np.mean([run.oracle - run.unadapted for run in part])
                moved, lost = np.mean([run.moved for run in part]), np.mean(gains < -LOSS)
                cells = [f"{moved:.1%}", f"{gains.mean():+.4f}", f"{gains.min():+.4f}", f"{lost:.1%}", f"{oracle:+.4f}"]
                rows.append([kind, size, metric, len(part), *cells])
    head = ["halves", "new samples", "metric", "runs", "moved", "gain", "worst", "worse by .01", "gain of true priors"]
    return markdown(head, rows, text=3)


def table_of_findings(runs: list[Run]) -> str:
    """Return the estimates for each finding in the halves of the file, of all samples."""
    rows = []
    for run in runs:
        if (run.halves, run.samples, run.metric) == ("given", max(SIZES), "f1"):
            priors = [f"{run.prior:.4f}", f"{run.new_prior:.4f}", f"{run.z:+.1f}", f"{run.z_blocks:+.1f}"]
            found = [f"{run.estimated:.4f}", f"{run.lower:.4f} to {run.upper:.4f}", f"{run.misfit:.1f}"]
            gain = f"{run.adapted - run.unadapted:+.4f} ± {run.deviation:.4f}" if run.moved else "-"
            rows.append([run.data.removeprefix("chest_"), *priors, *found, f"{run.p_value:.2g}", gain])
    head = ["finding", "first", "second", "z", "z, blocks", "estimated", "90% interval", "misfit", "p", "gain in F1"]
    return markdown(head, rows)


def problems(folder: Path) -> list[TuningProblem]:
    """Return the findings."""
    return [source.load() for source in nets(folder, 0) if source.data.startswith("chest_")]


def main() -> None:
    """Run all halves, print both tables, write all runs."""
    parser = options(__doc__, data="the X-rays", writes="all runs")
    parser.add_argument("--repeats", type=int, default=10, help="random halves (default %(default)s)")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    tasks = [(problem, repeat) for repeat in (None, *range(asked.repeats)) for problem in problems(asked.data)]
    named = progress(tasks, lambda task: f"{task[0].data} {task[1]}")
    runs = [run for task in named for run in runs_of(*task)]
    print(table_of_findings(runs), table(runs), sep="\n\n")
    if asked.csv:
        write_csv(asked.csv, [rounded(asdict(run)) for run in runs])


if __name__ == "__main__":
    main()
