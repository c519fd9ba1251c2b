"""An imbalance state over samples that are nowhere together: that of a sample, aimed off until that of all is right.

The state of all samples answers a step as that of the sample does but for the noise of drawing it, so that each pass
over them gains two digits or so: Newton's method with the sample's slope.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from skimbalance._core.decision import softmax
from skimbalance._core.typing import Progress
from skimbalance.tuner.chunks._chunks import Block, Chunks, Floats

__all__ = ["reached_by_all", "state_of"]

_TOLERANCE = 1e-8
_ROUNDS = 12


def state_of(chunks: Chunks[Block], offsets: Floats, *, factors: Floats) -> Floats:
    """Return the mean of `softmax(scores + offsets)` (K,), samples of each class weighing `factors` (K,) times their
    own.

    These add up to one over all samples.
    """
    return chunks.total(partial(_state, offsets=offsets, factors=factors), np.add)


def _state(block: Block, *, offsets: Floats, factors: Floats) -> Floats:
    mass = block.mass * factors[block.codes]
    state: Floats = mass @ softmax(block.scores.astype(np.float64) + offsets)
    return state


def reached_by_all(
    chunks: Chunks[Block],
    solve: Callable[[Floats], Floats],
    target: Floats,
    *,
    factors: Floats,
    progress: Progress,
) -> Floats:
    """Return offsets (K,) that give all samples the state `target`; `solve` finds those for samples of a sample."""
    aim, best, least = target, np.zeros_like(target), np.inf
    for number in range(1, _ROUNDS + 1):
        offsets = solve(aim)
        state = state_of(chunks, offsets, factors=factors)
        distance = float(np.abs(target - state).max())
        progress(f"imbalance state, pass {number} over all rows: {distance:.2g} off")
        if distance < least:
            best, least = offsets, distance
        if distance < _TOLERANCE:
            break
        moved = aim + (target - state)
        if moved.min() <= 0:  # a share of next to nothing is moved by its factor
            moved = aim * target / np.maximum(state, np.finfo(np.float64).tiny)
        aim = moved / moved.sum()
    return best
