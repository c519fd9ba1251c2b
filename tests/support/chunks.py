"""Rows in chunks that are all here, so that what is done with them can be compared with a fit in memory."""

from dataclasses import replace
from functools import reduce
from itertools import pairwise

import numpy as np

from skimbalance.tuner.chunks import Block


class Pieces(list):
    """Chunks in a list."""

    def total(self, part, join):
        return reduce(join, map(part, self))

    def kept(self, part):
        return Pieces(map(part, self))


def pieces_of(problem, n_chunks=5):
    """The rows of a problem of hard labels, cut into chunks of different lengths."""
    n_samples = len(problem.scores)
    ends = np.unique([0, *(n_samples * np.linspace(0, 1, n_chunks + 1)[1:-1] ** 1.5).astype(int), n_samples])
    return Pieces(block_of(problem, slice(*each), place=each[0] / n_samples) for each in pairwise(ends))


def block_of(problem, samples=slice(None), *, place=0.0):
    """Some rows of a problem as a block."""
    weights = problem.truth.weights
    codes = np.asarray(problem.truth.codes)[samples].astype(np.int64)
    return Block(problem.scores[samples], codes, None if weights is None else weights[samples], place)


def rowless(problem):
    """The problem with what its classes weigh, and without its rows."""
    weights = problem.truth.weights
    truth = replace(problem.truth, codes=problem.truth.codes[:0], weights=None if weights is None else weights[:0])
    return replace(problem, scores=problem.scores[:0], truth=truth)


def silent(_):
    """Tell nobody."""
