"""No tuning at all: what every tuned decision has to beat."""

from rivals._base import Codes, Fitted, Proba, Rival, two_columns

__all__ = ["Untuned"]


class Untuned(Rival):
    """The class of the highest probability, whatever the objective."""

    name = "untuned (argmax)"
    distribution = "numpy"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Look at nothing."""
        return Fitted(lambda new: two_columns(new).argmax(1))
