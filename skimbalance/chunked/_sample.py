"""A sample of the rows of all chunks in which every class weighs what it does in them."""

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance.chunked._chunks import Block, Chunks, Floats
from skimbalance.estimation import sampling_rates

__all__ = ["drawn"]


def drawn(chunks: Chunks[Block], *, rows: Floats, masses: Floats, limit: int, seed: int) -> Block:
    """Return about `limit` of the rows, or all of them; `rows` and `masses` (K,) are those of the classes.

    Where it is not all of them, a row stands for others of its class, and weighs as much more.
    """
    rates = np.ones(len(rows)) if rows.sum() <= limit else sampling_rates(rows, limit=limit)
    sample = chunks.total(partial(_some, rates=rates, seed=seed), _joined)
    if (rates >= 1).all():
        return sample
    after = np.bincount(sample.codes, sample.mass, minlength=len(rows))
    heavier = np.divide(masses, after, out=np.ones(len(rows)), where=after > 0)
    return Block(sample.scores, sample.codes, sample.mass * heavier[sample.codes], sample.place)


def _some(block: Block, *, rates: Floats, seed: int) -> Block:
    if (rates >= 1).all():
        return block
    rng = np.random.default_rng([seed, int(block.place * 2**32)])
    taken = np.flatnonzero(rng.random(len(block.codes)) < rates[block.codes])
    weights = None if block.weights is None else block.weights[taken]
    return Block(block.scores[taken], block.codes[taken], weights, block.place)


def _joined(one: Block, other: Block) -> Block:
    weights = None if one.weights is None else np.concatenate([one.mass, other.mass])
    return Block(_concat(one.scores, other.scores), _concat(one.codes, other.codes), weights, one.place)


def _concat(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.concatenate([one, other])
