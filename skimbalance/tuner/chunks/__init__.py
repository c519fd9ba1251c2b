"""Samples that fit no one machine: sums over chunks tell what a solver needs of them."""

from skimbalance.tuner.chunks._chunks import Block, Chunks, Floats, as_counts, counts_of, weigh_classes
from skimbalance.tuner.chunks._line import SizeOf
from skimbalance.tuner.chunks._sample import drawn, drawn_evenly, gathered_samples
from skimbalance.tuner.chunks._state import reached_by_all, state_of
from skimbalance.tuner.chunks._trust_region import ascended
from skimbalance.tuner.chunks._two_classes import best_threshold

__all__ = [
    "Block",
    "Chunks",
    "Floats",
    "SizeOf",
    "as_counts",
    "ascended",
    "best_threshold",
    "counts_of",
    "drawn",
    "drawn_evenly",
    "gathered_samples",
    "reached_by_all",
    "state_of",
    "weigh_classes",
]
