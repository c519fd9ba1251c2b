"""How often confidence intervals of estimated class priors cover the true ones, by simulation.

Classes are normal distributions in as many dimensions, with class priors from ten to one. Scores are linear in the
features, as those of a linear discriminant. With `misfit` the spread of each class differs, so that no calibration of
these scores is right. With `shift` the priors of unlabelled samples are in reversed order. There are as many of them as
of labelled samples. Levels are 90%, of the default.
"""

import sys
import warnings
from collections.abc import Iterator
from itertools import product
from time import perf_counter

import numpy as np
import numpy.typing as npt

from benchmarks.script import markdown, options, rounded, write_csv
from skimbalance import OffsetTuner

CLASSES = (2, 3, 10)
SIZES = (200, 1000, 8000)
LEVELS = (0.01, 0.05, 0.1)
DISTANCE = 1.3
SPREADS = (0.6, 1.8)

Floats = npt.NDArray[np.float64]


def drawn(
    rng: np.random.Generator, prior: Floats, n_samples: int, *, misfit: bool
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return labels and scores; each class has a sample at least."""
    n_classes = len(prior)
    rest = rng.choice(n_classes, n_samples - n_classes, p=prior)
    y = np.concatenate([np.arange(n_classes), rest])
    spread = np.linspace(*SPREADS, n_classes) if misfit else np.ones(n_classes)
    centres = DISTANCE * np.eye(n_classes)
    features = centres[y] + spread[y][:, None] * rng.normal(size=(n_samples, n_classes))
    return y, features @ centres.T


def coverage(n_classes: int, size: int, *, shift: bool, misfit: bool, repeats: int) -> dict[str, object]:
    """Return how often the intervals cover, and how often the shift is significant at each level."""
    prior = np.geomspace(10, 1, n_classes)
    prior /= prior.sum()
    new_prior = prior[::-1] if shift else prior
    covered, joint, width, p_values, misfits = [], [], [], [], []
    for seed in range(repeats):
        rng = np.random.default_rng([n_classes, size, shift, misfit, seed])
        y, scores = drawn(rng, prior, size, misfit=misfit)
        new = drawn(rng, new_prior, size, misfit=misfit)[1]
        tuner = OffsetTuner("accuracy", kind="logits", estimate="plugin", confidence_level=None).fit(scores, y)
        found = tuner.adapt_to(new).prior_shift_
        inside = [(ends[0] <= new_prior) & (new_prior <= ends[1]) for ends in (found.interval, found.joint_interval)]
        covered.append(inside[0].mean())
        joint.append(inside[1].all())
        width.append(np.mean(found.joint_interval[1] - found.joint_interval[0]))
        p_values.append(found.p_value)
        misfits.append(found.misfit)
    return {
        "n_classes": n_classes,
        "samples": size,
        "shift": int(shift),
        "misfit": int(misfit),
        "repeats": repeats,
        "by_class": np.mean(covered),
        "joint": np.mean(joint),
        "joint_width": np.mean(width),
        "misfit_found": np.median(misfits),
        **{f"significant_{level}": np.mean(np.array(p_values) < level) for level in LEVELS},
    }


def lines(repeats: int) -> Iterator[dict[str, object]]:
    """Yield the figures of each number of classes, size, shift and misfit."""
    begin = perf_counter()
    for n_classes, size, shift, misfit in product(CLASSES, SIZES, (False, True), (False, True)):
        yield coverage(n_classes, size, shift=shift, misfit=misfit, repeats=repeats)
        print(n_classes, size, shift, misfit, f"{perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)


def table(found: list[dict[str, object]]) -> str:
    """Return a line for each number of classes and size."""
    rows = []
    for n_classes, size in product(CLASSES, SIZES):
        here = [line for line in found if (line["n_classes"], line["samples"]) == (n_classes, size)]
        cells = [f"{float(str(line['by_class'])):.2f} / {float(str(line['joint'])):.2f}" for line in here]
        false = [f"{float(str(line['significant_0.01'])):.2f}" for line in here if not line["shift"]]
        rows.append([n_classes, size, *cells, *false])
    head = ["none", "none, misfit", "shift", "shift, misfit", "false", "false, misfit"]
    return markdown(["classes", "samples", *head], rows, text=0)


def main() -> None:
    """Simulate, print the table, write all figures."""
    parser = options(__doc__, writes="all figures")
    parser.add_argument("--repeats", type=int, default=60, help="samples of each line (default %(default)s)")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    found = list(lines(asked.repeats))
    print(table(found))
    if asked.csv:
        write_csv(asked.csv, [rounded(line) for line in found])


if __name__ == "__main__":
    main()
