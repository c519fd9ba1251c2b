"""What ``adapt_to`` loses where class priors have not shifted: halves of the X-rays, drawn at random.

The halves of the file have different patients, and the proportions of four findings differ significantly. Here blocks
of 100 neighbours, about as far as labels are correlated, are assigned to both halves at random. A tuner is fitted on
one of them, and adapts to 1,000 or to all samples of the other, which it is scored on. `given` are the halves of the
file. For `samples`, single samples are assigned at random, so that both halves have the same patients.

`z` is the difference of the proportions of a finding over its standard error for independent samples, and `z_blocks`
over that for independent blocks. With `blocks` as groups, ``fit`` and ``adapt_to`` get the block of each sample. The
file does not name patients, which would be the groups.
"""

import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.leaderboard.stored import nets
from benchmarks.leaderboard.tuning_problem import TuningProblem
from benchmarks.script import markdown, options, progress, rounded, write_csv
from benchmarks.studies.prior_shift import fitted, value_of
from skimbalance import OffsetTuner
from skimbalance.estimation._prior_shift import PriorShift

BLOCK = 100
KINDS = ("given", "blocks", "samples")
SIZES = (1000, 8041)
METRICS = ("f1", "matthews_corrcoef", "accuracy")
LOSS = 0.01
EARLIER = 3.0
BOOTSTRAPS = 500
_GROUPED = ("given", max(SIZES), "blocks")

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """Scores of the second half, for a metric; `deviation` is the standard error of the gain, by blocks.

    `ratio` is that of the distance of the estimated class priors to its noise; an earlier rule needed three.
    """

    data: str
    halves: str
    repeat: int
    samples: int
    groups: str
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
    ratio: float
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


def halves(problem: TuningProblem, kind: str, repeat: int) -> tuple[Half, Half]:
    """Return the halves of the file, or two of random blocks or samples."""
    scores = np.concatenate([problem.scores, problem.scores_test])
    y = np.concatenate([problem.y, problem.y_test])
    blocks = np.arange(len(y)) // BLOCK
    second = np.arange(len(y)) >= len(problem.y)
    if kind != "given":
        units = blocks if kind == "blocks" else np.arange(len(y))
        order = np.random.default_rng(repeat).permutation(units.max() + 1)
        second = (order % 2 == 1)[units]
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


def estimates_of(first: Half, scores: Floats, blocks: Codes) -> Iterator[tuple[str, PriorShift]]:
    """Yield the estimated shift of samples with these scores: of independent samples, and of blocks as groups."""
    for name, groups, new_groups in (("no", None, None), ("blocks", first.blocks, blocks)):
        tuner = OffsetTuner("accuracy", kind="logits", estimate="plugin", confidence_level=None)
        yield name, tuner.fit(first.scores, first.y, groups=groups).adapt_to(scores, groups=new_groups).prior_shift_


def runs_of(problem: TuningProblem, kind: str, repeat: int) -> Iterator[Run]:
    """Yield the runs of a finding, for each size, kind of groups, and metric."""
    first, second = halves(problem, kind, repeat)
    rng = np.random.default_rng(repeat)
    known = TuningProblem(problem.data, "net", 0, first.scores, first.y, second.scores, second.y)
    change = second.prior - first.prior
    z, z_blocks = (change / np.sqrt(first.variance(by_block=by) + second.variance(by_block=by)) for by in (False, True))
    true = np.array([1 - second.prior, second.prior])
    unadapted, oracle = ({metric: decided(known, metric, prior) for metric in METRICS} for prior in (None, true))
    for size in SIZES:
        chosen = slice(None) if size >= len(second.y) - BLOCK else rng.choice(len(second.y), size, replace=False)
        for groups, shift in estimates_of(first, second.scores[chosen], second.blocks[chosen]):
            for metric in METRICS:
                decisions = [unadapted[metric], unadapted[metric], oracle[metric]]
                deviation = 0.0
                if shift.is_significant:
                    decisions[1] = decided(known, metric, shift.prior)
                    deviation = deviation_of_gain(second, metric, (decisions[0], decisions[1]), rng)
                values = [value_of(metric, second.y, each, np.ones(len(second.y))) for each in decisions]
                yield Run(
                    data=problem.data,
                    halves=kind,
                    repeat=repeat,
                    samples=size,
                    groups=groups,
                    metric=metric,
                    prior=first.prior,
                    new_prior=second.prior,
                    z=z,
                    z_blocks=z_blocks,
                    estimated=shift.estimated[1],
                    lower=shift.joint_interval[0, 1],
                    upper=shift.joint_interval[1, 1],
                    p_value=shift.p_value,
                    misfit=shift.misfit,
                    ratio=shift.distance / shift.uncertainty,
                    moved=int(shift.is_significant),
                    unadapted=values[0],
                    adapted=values[1],
                    oracle=values[2],
                    deviation=deviation,
                )


def decided(problem: TuningProblem, metric: str, class_prior: Floats | None) -> Codes:
    """Return the decisions for the second half, with offsets for these class priors."""
    return np.asarray(fitted(problem, metric, class_prior).predict(problem.scores_test))


def table(runs: list[Run]) -> str:
    """Return the losses for each kind of halves, size and metric."""
    rows = []
    for kind, size, groups, metric in product(KINDS, SIZES, ("no", "blocks"), METRICS):
        key = kind, size, groups, metric
        part = [run for run in runs if (run.halves, run.samples, run.groups, run.metric) == key]
        gains = np.array([run.adapted - run.unadapted for run in part])
        oracle = np.mean([run.oracle - run.unadapted for run in part])
        earlier = np.mean([run.ratio > EARLIER for run in part])
        covered = np.mean([run.lower <= run.new_prior <= run.upper for run in part])
        moved, lost = np.mean([run.moved for run in part]), np.mean(gains < -LOSS)
        cells = [f"{moved:.1%}", f"{gains.mean():+.4f}", f"{gains.min():+.4f}", f"{lost:.1%}", f"{oracle:+.4f}"]
        rows.append([*key, len(part), f"{covered:.0%}", f"{earlier:.1%}", *cells])
    head = ["halves", "new samples", "groups", "metric", "runs", "covered", "earlier rule", "moved", "gain", "worst"]
    return markdown([*head, "worse by .01", "gain of true priors"], rows, text=4)


def table_of_findings(runs: list[Run]) -> str:
    """Return the estimates for each finding in the halves of the file, of all samples."""
    rows = []
    for run in runs:
        if (run.halves, run.samples, run.groups, run.metric) == ("given", max(SIZES), "no", "f1"):
            grouped = next(r for r in runs if (r.data, r.halves, r.samples, r.groups) == (run.data, *_GROUPED))
            priors = [f"{run.prior:.4f}", f"{run.new_prior:.4f}", f"{run.z:+.1f}", f"{run.z_blocks:+.1f}"]
            found = [f"{run.estimated:.4f}", f"{run.lower:.4f} to {run.upper:.4f}", f"{run.misfit:.1f}"]
            gain = f"{run.adapted - run.unadapted:+.4f} ± {run.deviation:.4f}" if run.moved else "-"
            tests = [f"{run.p_value:.2g}", f"{grouped.p_value:.2g}"]
            rows.append([run.data.removeprefix("chest_"), *priors, *found, *tests, gain])
    head = ["finding", "first", "second", "z", "z, blocks", "estimated", "90% interval", "misfit", "p", "p, groups"]
    return markdown([*head, "gain in F1"], rows)


def problems(folder: Path) -> list[TuningProblem]:
    """Return the findings."""
    return [source.load() for source in nets(folder, 0) if source.data.startswith("chest_")]


def main() -> None:
    """Run all halves, print both tables, write all runs."""
    parser = options(__doc__, data="the X-rays", writes="all runs")
    parser.add_argument("--repeats", type=int, default=10, help="random halves (default %(default)s)")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    kinds = [("given", 0), *product(KINDS[1:], range(asked.repeats))]
    tasks = [(problem, *kind) for kind in kinds for problem in problems(asked.data)]
    named = progress(tasks, lambda task: f"{task[0].data} {task[1]} {task[2]}")
    runs = [run for task in named for run in runs_of(*task)]
    print(table_of_findings(runs), table(runs), sep="\n\n")
    if asked.csv:
        write_csv(asked.csv, [rounded(asdict(run)) for run in runs])


if __name__ == "__main__":
    main()
