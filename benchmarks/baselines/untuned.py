"""Untuned decisions, the reference of all methods."""

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba, two_columns

__all__ = ["Untuned"]


class Untuned(Baseline):
    """The class with the highest probability, for all objectives."""

    name = "untuned (argmax)"
    distribution = "numpy"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Return the argmax."""
        return Fitted(lambda new: two_columns(new).argmax(1))
