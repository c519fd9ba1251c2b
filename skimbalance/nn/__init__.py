"""Nets: their logits, and offsets in the bias of their last layer. torch is imported when first needed."""

from skimbalance.nn._fold import fold_offsets
from skimbalance.nn._logits import Ending, batch_logits, kind_of_outputs, net_logits, refuse_proba
from skimbalance.nn._nets import ends_in_net, net_within, targets_for

__all__ = [
    "Ending",
    "batch_logits",
    "ends_in_net",
    "fold_offsets",
    "kind_of_outputs",
    "net_logits",
    "net_within",
    "refuse_proba",
    "targets_for",
]
