"""Whether a scale per class is worth it, in addition to an offset per class.

Decisions are ``argmax(scale * log_probability + offset)``. The offsets are always those of the default fit. The scales
are one, or fitted on the same samples: by penalised likelihood (vector scaling), or by a search for the metric itself.
"""

import warnings
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from benchmarks.baselines import value_of
from benchmarks.leaderboard import stored, trained
from benchmarks.leaderboard.tuning_problem import TuningProblem
from benchmarks.script import markdown, options, progress, write_csv
from benchmarks.significance import p_over_sets
from skimbalance import OffsetTuner

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

METRICS = ("f1_macro", "matthews_corrcoef")
SCALES = ("one", "likelihood", "search")
DRAWN = (("cifar10_resnet20", "other_prior"), ("cifar100_resnet20", "other_prior"), ("agnews_gpt2", "zero_shot"))
MANY = 10
"""From so many classes on a problem has many."""

RIDGE = 1.0
"""Precision of the prior of log scales and offsets in the likelihood, as for the temperature of the default fit."""

STEPS = np.geomspace(0.5, 2, 13)
"""Scales that the search tries for each class."""

SHIFTS = np.linspace(-1.5, 1.5, 13)
"""Changes of an offset that the search tries with each scale."""

ROUNDS = 3
SAME = 0.001


def problems(folder: Path, *, seeds: int, sets: Sequence[str] | None) -> Iterator[TuningProblem]:
    """Yield the multiclass problems of nets, texts and two classifiers of tabular data."""
    for seed in range(seeds):
        sources = chain(
            (source for source in trained.tabular(folder, "plain", seed) if source.model in ("logistic", "lightgbm")),
            stored.nets(folder, seed),
            *(stored.drawn(folder, data, seed, origin=family) for data, family in DRAWN),
        )
        for source in sources:
            problem = source.load() if sets is None or source.data in sets else None
            if problem is not None and problem.n_classes > 2:
                yield problem


def by_likelihood(scores: Floats, y: Codes) -> Floats:
    """Return the scales (K,) of vector scaling with a penalty."""
    n_samples, n_classes = scores.shape
    hot = np.eye(n_classes)[y]

    def loss(values: Floats) -> tuple[float, Floats]:
        scale, offset = np.exp(values[:n_classes]), values[n_classes:]
        logits = scale * scores + offset
        error = softmax(logits, axis=1) - hot
        value = -log_softmax(logits, axis=1)[np.arange(n_samples), y].sum() + RIDGE / 2 * values @ values
        return value, np.concatenate([(error * scores).sum(0) * scale, error.sum(0)]) + RIDGE * values

    found = minimize(loss, np.zeros(2 * n_classes), jac=True, method="L-BFGS-B", bounds=[(-3, 3)] * 2 * n_classes)
    return np.exp(found.x[:n_classes])


def by_search(scores: Floats, y: Codes, *, metric: str, offsets: Floats) -> Floats:
    """Return the scales (K,) of a coordinate ascent over scales and offsets, by the metric of the same samples."""
    n_classes = scores.shape[1]
    scale, offset = np.ones(n_classes), offsets.copy()
    best = value_of(metric, y, (scores + offset).argmax(1), n_classes=n_classes)
    for _ in range(ROUNDS):
        before = best
        for k in range(n_classes):
            others = scale * scores + offset
            others[:, k] = -np.inf
            runner_up, height = others.argmax(1), others.max(1)
            for factor in STEPS:
                for shift in SHIFTS:
                    # The scale turns about the mean score, so that a scale alone does not move the class as a whole.
                    moved = offset[k] + shift + (scale[k] - factor) * scores[:, k].mean()
                    decided = np.where(factor * scores[:, k] + moved > height, k, runner_up)
                    value = value_of(metric, y, decided, n_classes=n_classes)
                    if value > best + 1e-12:
                        best, chosen = value, (factor, moved)
                        scale[k], offset[k] = chosen
        if best <= before:
            break
    return scale


def runs_of(problem: TuningProblem) -> Iterator[dict[str, object]]:
    """Yield a line for each metric: the test scores without tuning and with each kind of scales."""
    scores, test = (log_softmax(x, axis=1).clip(-50) for x in (problem.scores, problem.scores_test))
    n_classes, weight = problem.n_classes, problem.test_weight
    calibrated = by_likelihood(scores, problem.y)
    for metric in METRICS:
        plain = _fitted(scores, problem.y, metric)
        found = {
            "one": np.ones(n_classes),
            "likelihood": calibrated,
            "search": by_search(scores, problem.y, metric=metric, offsets=plain.offsets_),
        }
        values = {"untuned": value_of(metric, problem.y_test, test.argmax(1), n_classes=n_classes, weight=weight)}
        for name, scale in found.items():
            tuner = plain if name == "one" else _fitted(scale * scores, problem.y, metric)
            decided = tuner.predict(scale * test)
            values[name] = value_of(metric, problem.y_test, decided, n_classes=n_classes, weight=weight)
        facts = {"data": problem.data, "model": problem.model, "seed": problem.seed, "n_classes": n_classes}
        spread = {f"spread_{name}": float(np.std(np.log(scale))) for name, scale in found.items() if name != "one"}
        yield {**facts, "metric": metric, **{k: f"{x:.6f}" for k, x in (values | spread).items()}}


def _fitted(scores: Floats, y: Codes, metric: str) -> OffsetTuner:
    tuner = OffsetTuner(metric, kind="logits", confidence_level=None)
    return tuner.fit(scores, y, classes=np.arange(scores.shape[1]))


def summary(runs: Sequence[dict[str, object]]) -> str:
    """Return a table with a line for each metric and number of classes."""
    rows = []
    for metric in METRICS:
        for name, many in ((f"3 to {MANY - 1} classes", False), (f"{MANY} classes or more", True)):
            part = [run for run in runs if run["metric"] == metric and (int(run["n_classes"]) >= MANY) is many]
            if part:
                rows.append([metric, name, len(part), *_figures(part)])
    head = ["metric", "classes", "problems", "untuned", "offsets"]
    for name in SCALES[1:]:
        head += [f"scales by {name}", "difference", "wins/ties/losses", "worst", "p"]
    return markdown(head, rows, text=2)


def _figures(runs: Sequence[dict[str, object]]) -> list[object]:
    """Return means, and how scales compare with offsets alone; in the test each data set is one observation."""
    values = {name: np.array([float(str(run[name])) for run in runs]) for name in ("untuned", *SCALES)}
    names = np.array([run["data"] for run in runs])
    figures: list[object] = [f"{values[name].mean():.4f}" for name in ("untuned", "one")]
    for name in SCALES[1:]:
        gain = values[name] - values["one"]
        p = p_over_sets(gain, names)
        counts = f"{(gain > SAME).sum()}/{(abs(gain) <= SAME).sum()}/{(gain < -SAME).sum()}"
        figures += [f"{values[name].mean():.4f}", f"{gain.mean():+.4f}", counts, f"{gain.min():+.3f}", f"{p:.2g}"]
    return figures


def main() -> None:
    """Run, print the table, write all runs."""
    parser = options(__doc__, data="the data sets", seeds=2, sets=True, writes="all runs")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    found = problems(asked.data, seeds=asked.seeds, sets=asked.sets)
    runs = [run for problem in progress(found, lambda problem: problem.label) for run in runs_of(problem)]
    print(summary(runs))
    if asked.csv:
        write_csv(asked.csv, runs)


if __name__ == "__main__":
    main()
