"""tunethresholds: differential evolution over one weight per class."""

from collections.abc import Callable
from dataclasses import dataclass
from time import process_time
from types import SimpleNamespace
from typing import ClassVar

import numpy as np

from rivals._base import Codes, Fitted, Proba, Rival, two_columns
from rivals._evolution import hopeless

__all__ = ["TuneThresholds"]


@dataclass(frozen=True)
class TuneThresholds(Rival):
    """Weights on probabilities, with scikit-learn's F1 as its score function; it gives up after `cap_s` seconds."""

    cap_s: float = 60.0

    name: ClassVar[str] = "tunethresholds"
    distribution: ClassVar[str] = "tunethresholds"

    def refusal(self, proba: Proba) -> str | None:
        """Keep away from problems where a generation takes minutes."""
        return hopeless(proba)

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune weights; it takes no seed, so that of NumPy is set."""
        from tunethresholds import AdjustedProbabilitiesDerivedModel

        columns = two_columns(proba)
        np.random.seed(0)  # noqa: NPY002
        tuned = AdjustedProbabilitiesDerivedModel.adjust_model_decision_thresholds(
            SimpleNamespace(classes_=np.arange(columns.shape[1])),
            y,
            score_func=_f1_until(process_time() + self.cap_s, objective=objective, cap_s=self.cap_s),
            predicted_probabilities_validation=columns,
        )
        return Fitted(lambda new: (two_columns(new) * tuned.class_weights).argmax(1))


def _f1_until(end: float, *, objective: str, cap_s: float) -> Callable[[Codes, Codes], float]:
    """Return a score function that raises once time is up: there is no other way to stop this search."""
    from sklearn.metrics import f1_score

    def score(y: Codes, decisions: Codes) -> float:
        if process_time() > end:
            raise TimeoutError(f"no result within {cap_s:g} s")
        return f1_score(y, decisions, average="binary" if objective == "f1" else "macro", zero_division=0)

    return score
