"""The closed form: offsets that undo a class prior."""

from skimbalance._core.array_api import namespace, smallest_normal
from skimbalance._core.decision import centred
from skimbalance._core.typing import Array

__all__ = ["prior_offsets"]


def prior_offsets(support: Array, *, tau: float = 1.0) -> Array:
    """Return the centred offsets `-tau log prior`, which regulate a calibrated model to equal priors at `tau = 1`."""
    xp = namespace(support)
    return centred(-tau * xp.log(xp.clip(support, smallest_normal(support), None)))  # soft support may vanish
