"""Test scores of the nets of the paper's experiment, by adjustment and by the rule that selects the epoch."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import process_time

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from benchmarks.baselines import value_of
from benchmarks.paper import transport
from benchmarks.paper.data import Codes, Setting, Split, Vector
from benchmarks.paper.nets import Trained
from benchmarks.script import rounded, write_whole
from skimbalance import OffsetTuner
from skimbalance._core.decision import decide

__all__ = ["ADJUSTMENTS", "OURS", "PUBLISHED", "SELECTIONS", "Line", "lines", "pairs", "read", "shown", "write"]

OURS = "default"
ADJUSTMENTS = {
    "none": "no offsets",
    "log_prior": "-log prior",
    "threshold": "threshold moving",
    "bias_adjustment": "Bias Adjustment",
    "transport": "POT",
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
"""The paper's selection and adjustment."""

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Line:
    """One test score, and recall and precision of each class, the most frequent class first."""

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
    """An epoch, counted from zero, and the seconds of its selection."""

    epoch: int
    seconds: float = 0.0


def tuner(objective: str, **parameters: object) -> OffsetTuner:
    """Return a tuner for logits; in binary settings class 1 is the minority class."""
    positive = {"pos_label": 1} if objective == "f1" else {}
    return OffsetTuner(objective, kind="logits", **positive, **parameters)


def offsets(adjustment: str, objective: str, logits: Logits, y: Codes, prior: Vector) -> Vector:
    """Return the offsets of an adjustment, fitted on the validation samples."""
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


CRITERIA: dict[str, Callable[[str, Logits, Codes], float]] = {
    "raw": _raw,
    "loss": _minus_loss,
    "tuned_in_sample": _tuned_in_sample,
    "tuned": _tuned,
}


def chosen(selection: str, objective: str, trained: Trained, y: Codes) -> Choice:
    """Return the best epoch on the validation samples. Of equal ones take the last: early nets may be constant."""
    epochs = len(trained.val)
    if selection == "last":
        return Choice(epochs - 1)
    begin = process_time()
    values = [CRITERIA[selection](objective, logits, y) for logits in trained.val]
    return Choice(max(range(epochs), key=lambda epoch: (round(values[epoch], 9), epoch)), process_time() - begin)


def pairs(net: str) -> list[tuple[str, str]]:
    """Return the selections and adjustments of a net."""
    if net != "baseline":
        return [("last", adjustment) for adjustment in ("none", "threshold", OURS)]
    found = [("last", adjustment) for adjustment in ADJUSTMENTS]
    found += [(selection, adjustment) for selection in CRITERIA for adjustment in ("none", OURS)]
    return [*found, PUBLISHED]


def lines(setting: Setting, key: str, seed: int, net: str, split: Split, trained: Trained) -> Iterator[Line]:
    """Yield the score of each selection and adjustment for each metric."""
    weight = _weight(setting, split.y_test)
    for objective in setting.objectives:
        choices = {s: chosen(s, objective, trained, split.y_val) for s in dict.fromkeys(s for s, _ in pairs(net))}
        for selection, adjustment in pairs(net):
            choice = choices[selection]
            begin = process_time()
            if adjustment == "transport":
                found = transport.offsets(trained.test[choice.epoch], np.full(setting.n_classes, 1 / setting.n_classes))
            else:
                found = offsets(adjustment, objective, trained.val[choice.epoch], split.y_val, setting.prior)
            seconds = choice.seconds + process_time() - begin
            decisions = decide(trained.test[choice.epoch].astype(np.float64), found)
            score = value_of(objective, split.y_test, decisions, n_classes=setting.n_classes, weight=weight)
            about = (key, seed, net, selection, choice.epoch + 1, adjustment, objective, score)
            yield Line(*about, *_rates(split.y_test, decisions, weight), trained.seconds, seconds)


def _weight(setting: Setting, y: Codes) -> Vector:
    """Return weights that give the test samples the class prior of the training samples."""
    return (setting.prior / np.bincount(y) * len(y))[y]


def _rates(y: Codes, decisions: Codes, weight: Vector) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return recall and precision of each class; precision is zero if the class is never predicted."""
    hit, n = y == decisions, int(y.max()) + 1
    hits = np.bincount(y[hit], weight[hit], n)
    predicted = np.bincount(decisions, weight, n)
    precisions = np.divide(hits, predicted, out=np.zeros(n), where=predicted > 0)
    return tuple((hits / np.bincount(y, weight, n)).tolist()), tuple(precisions.tolist())


def write(path: Path, found: Sequence[Line]) -> None:
    """Store the scores of a net."""
    write_whole(path, json.dumps([asdict(line) for line in found]))


def read(path: Path) -> list[Line]:
    """Return the content of a file."""
    return [Line(**stored) for stored in json.loads(path.read_text())]


def shown(line: Line) -> dict[str, object]:
    """Return the line as text; recalls and precisions of the classes are separated by spaces."""
    lists = {name: " ".join(f"{x:.4f}" for x in getattr(line, name)) for name in ("recalls", "precisions")}
    return rounded(asdict(line) | lists)
