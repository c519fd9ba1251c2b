"""A sample of the rows of all chunks in which every class weighs what it does in them."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance.estimation import sampling_rates
from skimbalance.tuner.chunks._chunks import Block, Chunks, Floats

__all__ = ["drawn", "drawn_evenly", "gathered_rows"]


def drawn(chunks: Chunks[Block], *, rows: Floats, masses: Floats, limit: int, seed: int) -> Block:
    """Return about `limit` of the rows that weigh something; so many `rows` (K,) and `masses` (K,) the classes have.

    Rare classes are whole. Of the others a row is the likelier to be drawn the more it weighs, and stands for more.
    """
    shares = sampling_rates(rows, limit=limit)
    rates = np.divide(shares * rows, masses, out=np.full(len(rows), np.inf), where=(rows > 0) & (shares < 1))
    sample = chunks.total(partial(_some, rates=rates, seed=seed), _joined)
    after = np.bincount(sample.codes, sample.mass, minlength=len(rows))
    heavier = np.divide(masses, after, out=np.ones(len(rows)), where=after > 0)
    return replace(sample, weights=sample.mass * heavier[sample.codes])


def drawn_evenly(chunks: Chunks[Block], *, share: float, seed: int) -> Block:
    """Return such a share of the rows, whatever their class, as they are."""
    return chunks.total(partial(_evenly, share=share, seed=seed), _joined)


def gathered_rows(chunks: Chunks[Block]) -> Block:
    """Return all rows, in their order."""
    return chunks.total(_as_it_is, _joined)


def _as_it_is(block: Block) -> Block:
    return block


def _some(block: Block, *, rates: Floats, seed: int) -> Block:
    weighs = block.mass > 0
    chances = np.multiply(rates[block.codes], block.mass, out=np.zeros(len(weighs)), where=weighs)
    chances = np.minimum(chances, 1.0)
    taken = np.flatnonzero(_random(block, seed) < chances)
    return replace(_taken(block, taken), weights=block.mass[taken] / chances[taken])


def _evenly(block: Block, *, share: float, seed: int) -> Block:
    return _taken(block, np.flatnonzero(_random(block, seed) < share))


def _random(block: Block, seed: int) -> Floats:
    return np.random.default_rng([seed, int(block.place * 2**32)]).random(len(block.codes))


def _taken(block: Block, rows: npt.NDArray[np.int64]) -> Block:
    weights = None if block.weights is None else block.weights[rows]
    return Block(block.scores[rows], block.codes[rows], weights, block.place)


def _joined(one: Block, other: Block) -> Block:
    weights = None if one.weights is None else np.concatenate([one.mass, other.mass])
    return Block(_concat(one.scores, other.scores), _concat(one.codes, other.codes), weights, one.place)


def _concat(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.concatenate([one, other])
