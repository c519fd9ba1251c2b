"""Nets: their logits, and offsets as part of their last layer. torch is imported when first needed."""

from skimbalance.nn._fold import fold_offsets
from skimbalance.nn._logits import batch_logits, net_logits
from skimbalance.nn._nets import ends_in_net, net_within, targets_for

__all__ = ["batch_logits", "ends_in_net", "fold_offsets", "net_logits", "net_within", "targets_for"]
