"""Searches for the offsets that are best on given rows."""

from skimbalance.solvers._absent import among_present
from skimbalance.solvers._base import Fit, Problem, Solution, improves
from skimbalance.solvers._bias_adjustment import adjust_biases, path_state
from skimbalance.solvers._black_box import default_budget, search
from skimbalance.solvers._coordinate_ascent import ascend
from skimbalance.solvers._line_search import Walks, ranks_along
from skimbalance.solvers._multi_start import solve
from skimbalance.solvers._order import is_ordered, order_classes, order_samples
from skimbalance.solvers._prior import prior_offsets
from skimbalance.solvers._reach import demanding, reachable
from skimbalance.solvers._search import OPTIMISERS, Search
from skimbalance.solvers._state import StateSolution, reach_state
from skimbalance.solvers.binary import Line, line_of, ranks_on, trace_along
from skimbalance.solvers.cuts import Bounds, Cuts, Gaps, best_cuts

__all__ = [
    "OPTIMISERS",
    "Bounds",
    "Cuts",
    "Fit",
    "Gaps",
    "Line",
    "Problem",
    "Search",
    "Solution",
    "StateSolution",
    "Walks",
    "adjust_biases",
    "among_present",
    "ascend",
    "best_cuts",
    "default_budget",
    "demanding",
    "improves",
    "is_ordered",
    "line_of",
    "order_classes",
    "order_samples",
    "path_state",
    "prior_offsets",
    "ranks_along",
    "ranks_on",
    "reach_state",
    "reachable",
    "search",
    "solve",
    "trace_along",
]
