"""tunethresholds: differential evolution over one weight per class."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import process_time
from types import SimpleNamespace
from typing import ClassVar

import numpy as np

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba, two_columns
from benchmarks.baselines._evolution import CANDIDATES_PER_CLASS, too_slow
from benchmarks.baselines._metrics import value_of

__all__ = ["TuneThresholds"]


@dataclass(frozen=True)
class TuneThresholds(Baseline):
    """Weights on probabilities; the objective function is scikit-learn's or, with `counted`, a faster one.

    It has no time limit. The objective function ends the search after `cap_s` seconds, with the best weights so far.
    """

    cap_s: float = 60.0
    counted: bool = False

    name: ClassVar[str] = "tunethresholds"
    distribution: ClassVar[str] = "tunethresholds"

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Return why large problems are not tried."""
        return too_slow(proba)

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune weights with NumPy's global seed, since it has no seed of its own."""
        from tunethresholds import AdjustedProbabilitiesDerivedModel

        columns = two_columns(proba)
        n_classes = columns.shape[1]
        value = _counted(objective, n_classes) if self.counted else _by_sklearn(objective)
        clock = _Clock(value, end=process_time() + self.cap_s, first=CANDIDATES_PER_CLASS * n_classes)
        np.random.seed(0)  # noqa: NPY002
        tuned = AdjustedProbabilitiesDerivedModel.adjust_model_decision_thresholds(
            SimpleNamespace(classes_=np.arange(n_classes)),
            y,
            score_func=clock,
            predicted_probabilities_validation=columns,
        )
        note = f"stopped at the limit of {self.cap_s:g} s" if clock.stopped else ""
        return Fitted(lambda new: (two_columns(new) * tuned.class_weights).argmax(1), note)


Value = Callable[[Codes, Codes], float]


@dataclass
class _Clock:
    """An objective function that raises StopIteration once after the time limit, which ends scipy's search.

    It does not raise during the first generation, where scipy does not expect it, nor again during the final polish.
    """

    value: Value
    end: float
    first: int
    stopped: bool = field(default=False, init=False)

    def __call__(self, y: Codes, decisions: Codes) -> float:
        """Return the value, or end the search."""
        self.first -= 1
        if self.first < 0 and not self.stopped and process_time() > self.end:
            self.stopped = True
            raise StopIteration
        return self.value(y, decisions)


def _counted(objective: str, n_classes: int) -> Value:
    return lambda y, decisions: value_of(objective, y, decisions, n_classes=n_classes)


def _by_sklearn(objective: str) -> Value:
    """Return scikit-learn's function, for the objectives of the speed benchmark."""
    from sklearn.metrics import f1_score

    average = {"f1": "binary", "f1_macro": "macro"}[objective]
    return lambda y, decisions: f1_score(y, decisions, average=average, zero_division=0)
