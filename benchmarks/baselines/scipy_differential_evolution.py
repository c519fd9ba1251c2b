"""scipy's differential evolution over one offset per class."""

from collections.abc import Callable
from dataclasses import dataclass
from time import process_time
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from benchmarks.baselines._base import Baseline, Codes, Fitted, Proba, log_columns
from benchmarks.baselines._evolution import too_slow
from benchmarks.baselines._metrics import value_of

__all__ = ["ScipyDifferentialEvolution"]


@dataclass(frozen=True)
class ScipyDifferentialEvolution(Baseline):
    """Offsets on log-probabilities, that of class 0 fixed, within the spread of the log priors.

    It starts from zero offsets and stops after the first generation that ends later than `cap_s` seconds. `watch` gets
    the best value after each generation.
    """

    cap_s: float = 60.0
    watch: Callable[[float], None] | None = None

    name: ClassVar[str] = "scipy differential_evolution"
    distribution: ClassVar[str] = "scipy"

    def refusal(self, proba: Proba, *, objective: str) -> str | None:
        """Return why large problems are not tried."""
        return too_slow(proba)

    def fit(self, proba: Proba, y: Codes, *, objective: str) -> Fitted:
        """Tune offsets with the defaults of scipy, seeded, without the polish by gradients that do not exist."""
        from scipy.optimize import differential_evolution

        scores = log_columns(proba)
        n_classes = scores.shape[1]

        def loss(free: npt.NDArray[np.float64]) -> float:
            return -value_of(objective, y, _decide(scores, free), n_classes=n_classes)

        reach = max(1.0, float(np.ptp(np.log(np.bincount(y, minlength=n_classes).clip(1)))))
        end = process_time() + self.cap_s

        def has_ended(intermediate_result: Any) -> bool:
            if self.watch is not None:
                self.watch(-float(intermediate_result.fun))
            return process_time() > end

        result = differential_evolution(
            loss,
            [(-reach, reach)] * (n_classes - 1),
            x0=np.zeros(n_classes - 1),
            rng=0,
            polish=False,
            callback=has_ended,
        )
        note = f"stopped at the limit of {self.cap_s:g} s" if process_time() > end else ""
        return Fitted(lambda new: _decide(log_columns(new), result.x), note)


def _decide(scores: Proba, free: npt.NDArray[np.float64]) -> Codes:
    return (scores + np.concatenate([[0.0], free])).argmax(1)
