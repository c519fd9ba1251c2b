"""What the nets of the paper's experiment achieve on test rows, with each way to adjust them and to choose an epoch."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from time import process_time

import numpy as np
import numpy.typing as npt
from benchmarks.paper.data import Codes, Setting, Split, Vector
from benchmarks.paper.nets import Trained
from benchmarks.baselines import value_of
from scipy.special import logsumexp

from skimbalance import OffsetTuner
from skimbalance._core.decision import decide

__all__ = ["ADJUSTMENTS", "OURS", "PUBLISHED", "SELECTIONS", "Line", "lines", "pairs", "read", "write", "write_csv"]

OURS = "default"
ADJUSTMENTS = {
    "none": "no offsets",
    "log_prior": "-log prior",
    "threshold": "threshold moving",
    "bias_adjustment": "Bias Adjustment",
    OURS: "skimbalance",
}
SELECTIONS = {
    "last": "last",
    "raw": "best by the metric, no offsets",
    "loss": "best by validation loss",
    "tuned_in_sample": "best by the metric, tuned in sample",
    "tuned": "best by the metric, tuned and cross-fitted",
}

PUBLISHED = ("tuned_in_sample", "bias_adjustment")
"""The paper's strategy and its adjustment together."""

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Line:
    """One score on the test rows, and the recall and precision of each class there, the most frequent class first."""

    setting: str
    seed: int
    net: str
    selection: str
    epoch: int
    adjustment: str
    objective: str
    score: float
    recalls: tuple[float, ...]
    precisions: tuple[float, ...]
    training_seconds: float
    tuning_seconds: float


@dataclass(frozen=True)
class Choice:
    """An epoch, counted from zero, and the seconds it took to choose it."""

    epoch: int
    seconds: float = 0.0


def tuner(objective: str, **parameters: object) -> OffsetTuner:
    """Return a tuner for logits; class 1 is the rare one where there are two."""
    positive = {"pos_label": 1} if objective == "f1" else {}
    return OffsetTuner(objective, kind="logits", **positive, **parameters)


def offsets(adjustment: str, objective: str, logits: Logits, y: Codes, prior: Vector) -> Vector:
    """Return the offsets that a way to adjust finds on the rows to tune on."""
    if adjustment == "none":
        return np.zeros(len(prior))
    if adjustment == "log_prior":
        return -np.log(prior)
    exact = {"estimate": "empirical", "confidence_level": None}
    parameters = {"threshold": exact, "bias_adjustment": exact | {"solver": "imbalance_state"}, OURS: {}}[adjustment]
    return tuner(objective, **parameters).fit(logits.astype(np.float64), y).offsets_


def _raw(objective: str, logits: Logits, y: Codes) -> float:
    return value_of(objective, y, logits.argmax(1), n_classes=logits.shape[1])


def _minus_loss(_: str, logits: Logits, y: Codes) -> float:
    return float(np.mean(logits[np.arange(len(y)), y] - logsumexp(logits, axis=1)))


def _tuned_in_sample(objective: str, logits: Logits, y: Codes) -> float:
    exact = tuner(objective, estimate="empirical", confidence_level=None)
    return exact.fit(logits.astype(np.float64), y).in_sample_score_


def _tuned(objective: str, logits: Logits, y: Codes) -> float:
    return tuner(objective, estimate="plugin").fit(logits.astype(np.float64), y).score_


WORTH: dict[str, Callable[[str, Logits, Codes], float]] = {
    "raw": _raw,
    "loss": _minus_loss,
    "tuned_in_sample": _tuned_in_sample,
    "tuned": _tuned,
}


def chosen(selection: str, objective: str, trained: Trained, y: Codes) -> Choice:
    """Return the best epoch on the rows to tune on, of several the last: early ties are nets that learnt nothing."""
    epochs = len(trained.val)
    if selection == "last":
        return Choice(epochs - 1)
    begin = process_time()
    worth = [WORTH[selection](objective, logits, y) for logits in trained.val]
    return Choice(max(range(epochs), key=lambda epoch: (round(worth[epoch], 9), epoch)), process_time() - begin)


def pairs(net: str) -> list[tuple[str, str]]:
    """Return the ways to choose an epoch and to adjust that are tried with a net."""
    if net != "baseline":
        return [("last", adjustment) for adjustment in ("none", "threshold", OURS)]
    found = [("last", adjustment) for adjustment in ADJUSTMENTS]
    found += [(selection, adjustment) for selection in WORTH for adjustment in ("none", OURS)]
    return [*found, PUBLISHED]


def lines(setting: Setting, key: str, seed: int, net: str, split: Split, trained: Trained) -> Iterator[Line]:
    """Yield the score of each way to choose an epoch and to adjust, for each metric."""
    weight = _weight(setting, split.y_test)
    for objective in setting.objectives:
        choices = {s: chosen(s, objective, trained, split.y_val) for s in dict.fromkeys(s for s, _ in pairs(net))}
        for selection, adjustment in pairs(net):
            choice = choices[selection]
            begin = process_time()
            found = offsets(adjustment, objective, trained.val[choice.epoch], split.y_val, setting.prior)
            seconds = choice.seconds + process_time() - begin
            decisions = decide(trained.test[choice.epoch].astype(np.float64), found)
            score = value_of(objective, split.y_test, decisions, n_classes=setting.n_classes, weight=weight)
            about = (key, seed, net, selection, choice.epoch + 1, adjustment, objective, score)
            yield Line(*about, *_rates(split.y_test, decisions, weight), trained.seconds, seconds)


def _weight(setting: Setting, y: Codes) -> Vector:
    """Return what each test row must count for, so that the classes are as frequent as in training."""
    return (setting.prior / np.bincount(y) * len(y))[y]


def _rates(y: Codes, decisions: Codes, weight: Vector) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return recall and precision of each class; the precision of nothing predicted is zero."""
    hit, n = y == decisions, int(y.max()) + 1
    hits = np.bincount(y[hit], weight[hit], n)
    predicted = np.bincount(decisions, weight, n)
    precisions = np.divide(hits, predicted, out=np.zeros(n), where=predicted > 0)
    return tuple((hits / np.bincount(y, weight, n)).tolist()), tuple(precisions.tolist())


def write(path: Path, found: Sequence[Line]) -> None:
    """Store the scores of a net, all or none."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps([asdict(line) for line in found]))
    unfinished.replace(path)


def read(path: Path) -> list[Line]:
    """Return what a file holds."""
    return [Line(**stored) for stored in json.loads(path.read_text())]


def write_csv(path: Path, found: Sequence[Line]) -> None:
    """Write every single score; recalls and precisions of the classes are parted by spaces."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Line)])
        writer.writerows([_shown(value) for value in asdict(line).values()] for line in found)


def _shown(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(f"{each:.4f}" for each in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
