"""A sample of the samples of all chunks in which every class weighs what it does in them."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance.estimation import sampling_rates
from skimbalance.tuner.chunks._chunks import Block, Chunks, Floats

__all__ = ["drawn", "drawn_evenly", "gathered_samples"]


def drawn(chunks: Chunks[Block], *, samples: Floats, masses: Floats, limit: int, seed: int) -> Block:
    """Return about `limit` of the samples that weigh something; so many `samples` (K,) and `masses` (K,) the classes
    have.

    Rare classes are whole. Of the others a sample is the likelier to be drawn the more it weighs, and stands for more.
    """
    shares = sampling_rates(samples, limit=limit)
    rates = np.divide(shares * samples, masses, out=np.full(len(samples), np.inf), where=(samples > 0) & (shares < 1))
    sample = chunks.total(partial(_some, rates=rates, seed=seed), _joined)
    after = np.bincount(sample.codes, sample.mass, minlength=len(samples))
    heavier = np.divide(masses, after, out=np.ones(len(samples)), where=after > 0)
    return replace(sample, weights=sample.mass * heavier[sample.codes])


def drawn_evenly(chunks: Chunks[Block], *, share: float, seed: int) -> Block:
    """Return such a share of the samples, whatever their class, as they are."""
    return chunks.total(partial(_evenly, share=share, seed=seed), _joined)


def gathered_samples(chunks: Chunks[Block]) -> Block:
    """Return all samples, in their order."""
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


def _taken(block: Block, samples: npt.NDArray[np.int64]) -> Block:
    weights = None if block.weights is None else block.weights[samples]
    return Block(block.scores[samples], block.codes[samples], weights, block.place)


def _joined(one: Block, other: Block) -> Block:
    weights = None if one.weights is None else np.concatenate([one.mass, other.mass])
    return Block(_concat(one.scores, other.scores), _concat(one.codes, other.codes), weights, one.place)


def _concat(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.concatenate([one, other])
