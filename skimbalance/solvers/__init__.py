"""Searches for the offsets that are best on given rows."""

from skimbalance.solvers._absent import among_present
from skimbalance.solvers._base import Fit, Problem, Solution
from skimbalance.solvers._coordinate_ascent import ascend
from skimbalance.solvers._multi_start import solve
from skimbalance.solvers._prior import prior_offsets
from skimbalance.solvers._reach import reachable

__all__ = ["Fit", "Problem", "Solution", "among_present", "ascend", "prior_offsets", "reachable", "solve"]
