"""Test scores after ``adapt_to`` on unlabeled samples with other class priors.

Tuners are fitted on the out-of-fold scores of the leaderboard's problems. Unlabeled test samples are drawn with other
class priors, and the tuner adapts to them. The score is that of all test samples, weighted to these priors. For QuaPy
the same tuner gets its estimates as `class_prior`, so that only the estimates differ.
"""

import warnings
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from time import process_time

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from benchmarks.baselines.quapy_priors import QuapyEm, QuapyEmCalibrated, QuapyKde
from benchmarks.leaderboard.problems import TuningProblem
from benchmarks.leaderboard.stored import nets
from benchmarks.leaderboard.trained import TABULAR, tabular
from benchmarks.script import CACHE, markdown, options, progress, read_csv, write_csv
from benchmarks.significance import p_over_sets
from skimbalance import OffsetTuner

Floats = npt.NDArray[np.float64]

STORED = CACHE / "prior_shift"
N_SAMPLES = 1000
SHIFTS = ("none", "mild", "strong", "reversed")
LOSS = 0.005
RIVALS = {"emq": QuapyEm(), "emq_bcts": QuapyEmCalibrated(), "kdey": QuapyKde()}

METHODS = ("oracle", "unadapted", "adapted", *RIVALS)

LEAST = 1e-6
"""QuaPy's class priors of zero are replaced by this, since offsets for them are not defined."""


def problems(folder: Path, *, seeds: int, sets: list[str] | None) -> Iterator[TuningProblem]:
    """Yield each data set with each seed, with one of the classifiers in turn."""
    for seed in range(seeds):
        by_name = {(source.data, source.model): source for source in tabular(folder, "plain", seed)}
        names = sorted({data for data, _ in by_name})
        models = [TABULAR["plain"][(seed + number) % len(TABULAR["plain"])] for number in range(len(names))]
        for source in [*(by_name[pair] for pair in zip(names, models, strict=True)), *nets(folder, seed)]:
            if sets is None or source.data in sets:
                yield source.load()


def shifted_priors(prior: Floats, rng: np.random.Generator) -> dict[str, Floats]:
    """Return the class priors of each shift."""
    rank = np.argsort(np.argsort(prior, kind="stable"), kind="stable")
    mild = prior * np.exp(0.5 * rng.standard_normal(len(prior)))
    shifts = (prior, mild / mild.sum(), np.full(len(prior), 1 / len(prior)), np.sort(prior)[::-1][rank])
    return dict(zip(SHIFTS, shifts, strict=True))


def distance(one: Floats, other: Floats) -> float:
    """Return Hellinger's squared distance."""
    return float(np.sum((np.sqrt(one) - np.sqrt(other)) ** 2))


def value_of(metric: str, y: npt.NDArray[np.int64], decided: npt.NDArray[np.int64], weight: Floats) -> float:
    """Return the metric of weighted samples."""
    if metric == "f1_macro":
        present = np.unique(y)
        return f1_score(y, decided, labels=present, average="macro", sample_weight=weight, zero_division=0)
    score = {"f1": f1_score, "accuracy": accuracy_score, "matthews_corrcoef": matthews_corrcoef}[metric]
    return score(y, decided, sample_weight=weight)


def fitted(problem: TuningProblem, metric: str, class_prior: Floats | None = None) -> OffsetTuner:
    """Return the tuner of a problem, for other class priors if given."""
    tuner = OffsetTuner(metric, kind="logits", confidence_level=None, class_prior=class_prior)
    return tuner.fit(problem.scores, problem.y, classes=np.arange(problem.n_classes))


def estimates_of(problem: TuningProblem, scores: Floats) -> dict[str, Floats]:
    """Return the class priors that QuaPy estimates for samples without labels."""
    proba, new = softmax(problem.scores, axis=1), softmax(scores, axis=1)
    found = {name: rival.estimate(proba, problem.y, new).clip(LEAST) for name, rival in RIVALS.items()}
    return {name: prior / prior.sum() for name, prior in found.items()}


def runs_of(problem: TuningProblem) -> Iterator[dict[str, object]]:
    """Yield the scores for each shift and metric."""
    n_classes, y_test = problem.n_classes, problem.y_test
    prior, test_prior = (np.bincount(y, minlength=n_classes) / len(y) for y in (problem.y, y_test))
    rng = np.random.default_rng(problem.seed)
    metrics = ("f1" if n_classes == 2 else "f1_macro", "matthews_corrcoef", "accuracy")
    tuners = {metric: fitted(problem, metric) for metric in metrics}
    for shift, wanted in shifted_priors(prior, rng).items():
        new_prior = np.where(test_prior > 0, wanted, 0) / wanted[test_prior > 0].sum()
        weight = (new_prior / test_prior.clip(1 / len(y_test)))[y_test]
        replace = shift != "none" or problem.model == "net"  # the test samples of nets have other priors
        size = N_SAMPLES if replace else min(N_SAMPLES, len(y_test))
        p = weight / weight.sum() if replace else None
        scores = problem.scores_test[rng.choice(len(y_test), size, replace=replace, p=p)]
        rivals = estimates_of(problem, scores)
        for metric, tuner in tuners.items():
            begin = process_time()
            adapted = tuner.adapt_to(scores)
            seconds = process_time() - begin
            methods = {"unadapted": tuner, "adapted": adapted, "oracle": fitted(problem, metric, new_prior)}
            methods |= {name: fitted(problem, metric, found) for name, found in rivals.items()}
            moved, estimated = adapted.class_prior is not None, adapted.prior_shift_
            numbers = {
                **{
                    name: value_of(metric, y_test, method.predict(problem.scores_test), weight)
                    for name, method in methods.items()
                },
                "moved": int(moved),
                "distance": distance(prior, new_prior),
                "error_em": distance(estimated.estimated, new_prior),
                "error_bbse": distance(estimated.by_decisions, new_prior),
                "error_used": distance(adapted.class_prior if moved else prior, new_prior),
                **{f"error_{name}": distance(found, new_prior) for name, found in rivals.items()},
                "misfit": estimated.misfit,
                "seconds": seconds,
            }
            facts = {"data": problem.data, "model": problem.model, "seed": problem.seed, "n_classes": n_classes}
            rounded = {name: round(float(x), 6) for name, x in numbers.items()}
            yield {**facts, "shift": shift, "metric": metric, **rounded}


def stored(problem: TuningProblem) -> list[dict[str, str]]:
    """Return the runs of a problem, computed unless they are stored."""
    path = STORED / f"{problem.data}-{problem.model}-{problem.seed}.csv"
    if not path.exists():
        unfinished = path.with_suffix(".part")
        write_csv(unfinished, list(runs_of(problem)))
        unfinished.replace(path)
    return read_csv(path)


def summary(runs: list[dict[str, str]]) -> str:
    """Return a table with a line for each shift and metric, and for all metrics, the X-rays separate."""
    rows = []
    for shift in SHIFTS:
        here = [run for run in runs if run["shift"] == shift]
        rays, others = ([run for run in here if run["data"].startswith("chest_") is of] for of in (True, False))
        parts = {
            metric: [run for run in here if run["metric"] == metric]
            for metric in dict.fromkeys(r["metric"] for r in here)
        }
        parts |= {"all, X-rays": rays, "all, other sets": others, "all": here}
        rows += [[shift, name, *figures(part)] for name, part in parts.items() if part]
    head = ["shift", "metric", "problems", "unadapted", "adapted", "oracle", "gain", "p", "moved", "worse by .005"]
    return markdown([*head, "worst"], rows, text=2) + "\n\n" + regrets(runs)


def regrets(runs: list[dict[str, str]]) -> str:
    """Return a table of the mean regret against the true class priors, the worst loss against no adaptation, and p."""
    rows = []
    for shift, rays in product(SHIFTS, (False, True)):
        part = [run for run in runs if run["shift"] == shift and run["data"].startswith("chest_") is rays]
        if not part:
            continue
        values = {name: np.array([float(run[name]) for run in part]) for name in METHODS}
        cells = []
        for name in METHODS[2:]:
            worst = (values[name] - values["unadapted"]).min()
            p = "" if name == "adapted" else f" / {p_over_sets(values['adapted'] - values[name], _sets(part)):.2g}"
            cells.append(f"{(values['oracle'] - values[name]).mean():.4f} / {worst:+.3f}{p}")
        unadapted = f"{(values['oracle'] - values['unadapted']).mean():.4f}"
        rows.append([f"{shift}{', X-rays' if rays else ''}", len(part), unadapted, *cells])
    return markdown(["shift", "problems and metrics", "unadapted", *METHODS[2:]], rows)


def _sets(runs: list[dict[str, str]]) -> npt.NDArray[np.str_]:
    return np.array([run["data"] for run in runs])


def figures(runs: list[dict[str, str]]) -> list[object]:
    """Return the figures of a line; in the test each data set is one observation."""
    unadapted, adapted, oracle, moved = (
        np.array([float(run[name]) for run in runs]) for name in ("unadapted", "adapted", "oracle", "moved")
    )
    gain = adapted - unadapted
    p = p_over_sets(gain, _sets(runs))
    means = [f"{unadapted.mean():.4f}", f"{adapted.mean():.4f}", f"{oracle.mean():.4f}", f"{gain.mean():+.4f}"]
    return [len(runs), *means, f"{p:.2g}", f"{moved.mean():.0%}", f"{np.mean(gain < -LOSS):.0%}", f"{gain.min():+.3f}"]


def main() -> None:
    """Run what is not stored, print the table, write all runs."""
    parser = options(__doc__, data="the data sets", seeds=3, sets=True, writes="all runs")
    parser.add_argument("--redo", action="store_true", help="drop what is stored, after a change of the package")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    STORED.mkdir(parents=True, exist_ok=True)
    for path in STORED.glob("*.csv") if asked.redo else ():
        path.unlink()
    found = problems(asked.data, seeds=asked.seeds, sets=asked.sets)
    runs = [run for problem in progress(found, lambda problem: problem.label) for run in stored(problem)]
    print(summary(runs))
    if asked.csv:
        write_csv(asked.csv, runs)


if __name__ == "__main__":
    main()
