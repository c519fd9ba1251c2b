"""optimal-classification-cutoffs: sort and scan for two classes, two methods for more."""

import numpy as np

from rivals._base import Codes, Fitted, Proba, Rival

__all__ = ["OptimalCutoffs", "OptimalCutoffsAscent"]

_MOST_CELLS = 5e9
"""A sweep of the coordinate ascent recomputes every rival class: n K^2 comparisons, thrice."""


class OptimalCutoffs(Rival):
    """`get_optimal_threshold` as it comes: for more than two classes, each class against the rest."""

    name = "optimal_cutoffs, auto"
    distribution = "optimal-classification-cutoffs"
    method = "auto"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune thresholds; its `"f1"` is binary or macro by the shape of the probabilities."""
        from optimal_cutoffs import get_optimal_threshold

        if (objective == "f1") != (proba.ndim == 1):
            raise ValueError(f"{objective} of {proba.ndim}-dimensional probabilities is not on offer")
        result = get_optimal_threshold(y, proba, metric="f1", method=self.method)
        return Fitted(lambda new: np.asarray(result.predict(new)))


class OptimalCutoffsAscent(OptimalCutoffs):
    """Its coordinate ascent over macro-F1, for more than two classes."""

    name = "optimal_cutoffs, coord_ascent"
    method = "coord_ascent"

    def refusal(self, proba: Proba) -> str | None:
        """Keep away from two classes, where it is `auto`, and from problems whose sweeps take minutes."""
        if proba.ndim == 1:
            return "same as auto for two classes"
        cells = proba.shape[0] * proba.shape[1] ** 2
        return f"hopeless: one sweep makes 3 x {cells:.0e} comparisons" if cells > _MOST_CELLS else None
