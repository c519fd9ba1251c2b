"""Searches for the offsets that are best on given samples."""

from skimbalance.solvers._base import (
    Fit,
    Problem,
    Solution,
    fit_present_classes,
    improves,
    is_ordered,
    stored,
)
from skimbalance.solvers._bias_adjustment import adjust_biases, path_state
from skimbalance.solvers._black_box import default_budget, search
from skimbalance.solvers._compiled import objective_value
from skimbalance.solvers._coordinate_ascent import (
    ascend,
    demanding,
    fewer,
    is_searched_nearby,
    local_optimum,
    optimum_of_fewer,
    prior_offsets,
    reachable,
    solve,
)
from skimbalance.solvers._line_search import Bounds, Cuts, Margins, SortedSweeps, best_cuts, sweep_objective
from skimbalance.solvers._search import OPTIMISERS, Search
from skimbalance.solvers._shares import satisfy_shares
from skimbalance.solvers._state import StateSolution, solve_state
from skimbalance.solvers.binary import Line, line_of, objective_values_on, trace_along, upper_bound
from skimbalance.solvers.registry import SOLVERS, Solver, get_solver

__all__ = [
    "OPTIMISERS",
    "SOLVERS",
    "Bounds",
    "Cuts",
    "Fit",
    "Line",
    "Margins",
    "Problem",
    "Search",
    "Solution",
    "Solver",
    "SortedSweeps",
    "StateSolution",
    "adjust_biases",
    "ascend",
    "best_cuts",
    "default_budget",
    "demanding",
    "fewer",
    "fit_present_classes",
    "get_solver",
    "improves",
    "is_ordered",
    "is_searched_nearby",
    "line_of",
    "local_optimum",
    "objective_value",
    "objective_values_on",
    "optimum_of_fewer",
    "path_state",
    "prior_offsets",
    "reachable",
    "satisfy_shares",
    "search",
    "solve",
    "solve_state",
    "stored",
    "sweep_objective",
    "trace_along",
    "upper_bound",
]
