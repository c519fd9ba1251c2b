"""POT: decisions by optimal transport from the test samples to the classes.

Peng, Sun and Li 2022, Optimal Transport for Long-Tailed Recognition with Learnable Cost Matrix (ICLR). The cost of a
class is -log p(class | sample), each of n samples has mass 1/n, and the classes have a target prior. With an entropic
penalty of lambda the plan is diag(u) exp(-cost / lambda) diag(v), so that its largest entry in a row is that of
log p / lambda + log v: one offset for each class. With lambda = 1 these offsets are those at which the mean predicted
distribution of the test samples is the target prior, that is Bias Adjustment with an imbalance state that is given.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax, logsumexp

__all__ = ["offsets"]

PENALTY = 1.0
"""Lambda. The value of the authors is not at hand; it was not tuned."""
TOLERANCE, STEPS = 1e-6, 100_000

Vector = npt.NDArray[np.float64]


def offsets(logits: npt.ArrayLike, target: Vector) -> Vector:
    """Return the offsets of the transport plan on log p, by Sinkhorn's algorithm in log space.

    Raises
    ------
    RuntimeError
        If the masses of the classes have not converged.
    """
    negative_cost = log_softmax(np.asarray(logits, dtype=np.float64), axis=1) / PENALTY
    log_v = np.log(target)
    for _ in range(STEPS):
        plan = negative_cost + log_v
        plan -= logsumexp(plan, axis=1, keepdims=True)
        masses = logsumexp(plan, axis=0) - np.log(len(plan))
        log_v += np.log(target) - masses
        if np.max(np.abs(np.exp(masses) - target)) < TOLERANCE:
            return PENALTY * (log_v - log_v.mean())
    raise RuntimeError(f"Sinkhorn's algorithm has not converged in {STEPS} steps")
