"""Searches for the offsets that are best on given rows."""

from skimbalance.solvers._absent import among_present
from skimbalance.solvers._base import Fit, Problem, Solution
from skimbalance.solvers._bias_adjustment import adjust_biases, path_state
from skimbalance.solvers._black_box import default_budget, search
from skimbalance.solvers._coordinate_ascent import ascend
from skimbalance.solvers._multi_start import solve
from skimbalance.solvers._prior import prior_offsets
from skimbalance.solvers._reach import demanding, reachable
from skimbalance.solvers._search import OPTIMISERS, Search
from skimbalance.solvers._state import StateSolution, reach_state

__all__ = [
    "OPTIMISERS",
    "Fit",
    "Problem",
    "Search",
    "Solution",
    "StateSolution",
    "adjust_biases",
    "among_present",
    "ascend",
    "default_budget",
    "demanding",
    "path_state",
    "prior_offsets",
    "reach_state",
    "reachable",
    "search",
    "solve",
]
