"""scikit-learn's TunedThresholdClassifierCV on stored scores."""

from typing import Any, ClassVar

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba
from benchmarks.baselines._metrics import value_of
from benchmarks.baselines._stored import StoredScores

__all__ = ["SklearnTunedThreshold", "SklearnTunedThreshold1000"]


class SklearnTunedThreshold(Baseline):
    """Its default grid of 100 thresholds, with `cv="prefit"`: only the threshold is fitted."""

    name = "sklearn TunedThresholdClassifierCV"
    distribution = "scikit-learn"
    n_thresholds: ClassVar[int] = 100

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Return why multiclass problems are not tried."""
        return None if proba.ndim == 1 else "binary only"

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune the threshold; scikit-learn uses the same names of objectives."""
        from sklearn.model_selection import TunedThresholdClassifierCV

        model = StoredScores().fit(None, None)
        how = {"cv": "prefit", "refit": False, "thresholds": self.n_thresholds}
        tuned = TunedThresholdClassifierCV(model, scoring=self.scoring(objective), **how).fit(proba[:, None], y)
        return Fitted(lambda new: tuned.predict(new[:, None]))

    def scoring(self, objective: str) -> Any:
        """Return the name of a scorer, or one for the objective that scikit-learn does not name."""
        return _scorer(objective) if objective == "geometric_mean" else objective


class SklearnTunedThreshold1000(SklearnTunedThreshold):
    """A grid of 1,000 thresholds, with `cv="prefit"`; scores are those of `value_of`, ten times as fast."""

    name = "sklearn TunedThresholdClassifierCV, 1,000 thresholds"
    n_thresholds = 1000

    def scoring(self, objective: str) -> Any:
        """Return a scorer with the same values as scikit-learn's."""
        return _scorer(objective)


def _scorer(objective: str) -> Any:
    from sklearn.metrics import make_scorer

    return make_scorer(lambda y, decisions: value_of(objective, y, decisions, n_classes=2))
