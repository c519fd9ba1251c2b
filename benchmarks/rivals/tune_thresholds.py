"""tunethresholds: differential evolution over one weight per class."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import process_time
from types import SimpleNamespace
from typing import ClassVar

import numpy as np

from rivals._base import Codes, Fitted, Proba, Rival, two_columns
from rivals._evolution import CANDIDATES_PER_CLASS, hopeless
from rivals._metrics import value_of

__all__ = ["TuneThresholds"]


@dataclass(frozen=True)
class TuneThresholds(Rival):
    """Weights on probabilities; the score function is scikit-learn's, or a faster count.

    It offers no way to stop; so the score function ends the search after `cap_s` seconds, with the best weights so far.
    """

    cap_s: float = 60.0
    counted: bool = False

    name: ClassVar[str] = "tunethresholds"
    distribution: ClassVar[str] = "tunethresholds"

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Keep away from problems where a generation takes minutes."""
        return hopeless(proba)

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune weights; it takes no seed, so that of NumPy is set."""
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
        note = f"stopped at its cap of {self.cap_s:g} s" if clock.rang else ""
        return Fitted(lambda new: (two_columns(new) * tuned.class_weights).argmax(1), note)


Value = Callable[[Codes, Codes], float]


@dataclass
class _Clock:
    """A score function that once, when time is up, raises what scipy's search takes for its end.

    Not before the first generation is scored, where scipy does not expect it; and not again, for the polish.
    """

    value: Value
    end: float
    first: int
    rang: bool = field(default=False, init=False)

    def __call__(self, y: Codes, decisions: Codes) -> float:
        """Return the value, or end the search."""
        self.first -= 1
        if self.first < 0 and not self.rang and process_time() > self.end:
            self.rang = True
            raise StopIteration
        return self.value(y, decisions)


def _counted(objective: str, n_classes: int) -> Value:
    return lambda y, decisions: value_of(objective, y, decisions, n_classes=n_classes)


def _by_sklearn(objective: str) -> Value:
    """Return scikit-learn's function, for the objectives of the speed benchmark."""
    from sklearn.metrics import f1_score

    average = {"f1": "binary", "f1_macro": "macro"}[objective]
    return lambda y, decisions: f1_score(y, decisions, average=average, zero_division=0)
