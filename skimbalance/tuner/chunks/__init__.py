"""Samples in chunks of a Dask array, of which there may be more than fit in memory."""

from skimbalance.tuner.chunks._dask import array_of, floating_of, map_blocks, n_columns
from skimbalance.tuner.chunks._fit import fit_chunks
from skimbalance.tuner.chunks._samples import Block

__all__ = ["Block", "array_of", "fit_chunks", "floating_of", "map_blocks", "n_columns"]
