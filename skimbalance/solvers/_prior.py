"""The closed form: offsets that undo a class prior."""

from skimbalance._array_api import namespace
from skimbalance._typing import Array
from skimbalance.decision import centred

__all__ = ["prior_offsets"]


def prior_offsets(support: Array, *, tau: float = 1.0) -> Array:
    """Return the centred offsets `-tau log prior`, which regulate a calibrated model to equal priors at `tau = 1`."""
    return centred(-tau * namespace(support).log(support))
