"""Callbacks that tune offsets in training. Each framework has a module of its own, and is imported with it alone.

`TunedOffsetCheckpoint` is for skorch. `skimbalance.callbacks.lightning` is for Lightning, and
`skimbalance.callbacks.transformers` for the Trainer of Hugging Face.
"""

from typing import TYPE_CHECKING, Any

from skimbalance.callbacks._epochs import TunedOffsets

if TYPE_CHECKING:
    from skimbalance.callbacks._skorch import TunedOffsetCheckpoint

__all__ = ["TunedOffsetCheckpoint", "TunedOffsets"]


def __getattr__(name: str) -> Any:
    """Import the callback for skorch when it is first used, so that the other modules do not need skorch."""
    if name != "TunedOffsetCheckpoint":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from skimbalance.callbacks._skorch import TunedOffsetCheckpoint

    return TunedOffsetCheckpoint
