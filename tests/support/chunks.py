"""Samples in chunks that are all in memory, for comparison with a fit in memory."""

from dataclasses import replace
from functools import reduce
from itertools import pairwise

import numpy as np

from skimbalance.tuner.chunks import Block


class Pieces(list):
    """Chunks in a list."""

    def map_reduce(self, function, combine):
        return reduce(combine, map(function, self))

    def map(self, function):
        return Pieces(map(function, self))


def pieces_of(problem, n_chunks=5):
    """The samples of a problem, cut into chunks of different lengths."""
    n_samples = len(problem.scores)
    ends = np.unique([0, *(n_samples * np.linspace(0, 1, n_chunks + 1)[1:-1] ** 1.5).astype(int), n_samples])
    return Pieces(block_of(problem, slice(*each), place=each[0] / n_samples) for each in pairwise(ends))


def block_of(problem, samples=slice(None), *, place=0.0):
    """Some samples of a problem as a block."""
    weights = problem.truth.weights
    codes = np.asarray(problem.truth.codes)[samples].astype(np.int64)
    return Block(problem.scores[samples], codes, None if weights is None else weights[samples], place)


def without_samples(problem):
    """The problem with its class weights, and without its samples."""
    weights = problem.truth.weights
    truth = replace(problem.truth, codes=problem.truth.codes[:0], weights=None if weights is None else weights[:0])
    return replace(problem, scores=problem.scores[:0], truth=truth)


def silent(_):
    """Ignore the progress."""
