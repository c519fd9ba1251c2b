"""Untuned decisions, the reference of all methods."""

import math

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba, ScoreEstimate, two_columns
from benchmarks.baselines._metrics import value_of

__all__ = ["Untuned"]


class Untuned(Baseline):
    """The class with the highest probability, for all objectives."""

    name = "untuned (argmax)"
    distribution = "numpy"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Return the argmax, and its score on these samples, none of which it was fitted on."""
        columns = two_columns(proba)
        score = value_of(objective, y, columns.argmax(1), n_classes=columns.shape[1])
        return Fitted(lambda new: two_columns(new).argmax(1), estimate=ScoreEstimate(score, math.nan, math.nan))
