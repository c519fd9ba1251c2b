"""From the rows at hand to rows not seen: offsets that hold, and how good they will be."""

from skimbalance.estimation._cross_fit import CrossFit, cross_fit
from skimbalance.estimation._robust import plugin, robust

__all__ = ["CrossFit", "cross_fit", "plugin", "robust"]
