"""Searches for the offsets that are best on given rows."""

from skimbalance.solvers._absent import with_absent_classes
from skimbalance.solvers._base import Problem, Solution
from skimbalance.solvers._multi_start import solve

__all__ = ["Problem", "Solution", "solve", "with_absent_classes"]
