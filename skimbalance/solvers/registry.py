"""Every solver that has a name: what it runs, and what it needs of a metric and of an estimate."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal, get_args

from skimbalance.metrics.base import Decomposition
from skimbalance.solvers._base import Solution
from skimbalance.solvers._bias_adjustment import adjust_biases
from skimbalance.solvers._black_box import search
from skimbalance.solvers._coordinate_ascent import solve
from skimbalance.solvers._search import OPTIMISERS, Search

__all__ = ["SOLVERS", "Solver", "get_solver"]


@dataclass(frozen=True)
class Solver:
    """A solver, and what it needs.

    `run(problem, seed=0, restarts=True, progress=None)` returns the best offsets for a problem whose classes all have
    support, constraints included.
    `decompositions` lists the kinds of metric that it can optimise. `estimates` is how an estimate other than
    "empirical" changes the samples that the solver sees: "ascents" stands for coordinate ascent on reweighted samples,
    "soft_labels" for `run` on calibrated labels, and "none" for `run` on the samples as they are. `search` holds the
    budget and the callback of a SciPy optimiser, None for any other solver.
    """

    name: str
    run: Callable[..., Solution]
    decompositions: Collection[Decomposition] = get_args(Decomposition)
    estimates: Literal["ascents", "soft_labels", "none"] = "none"
    search: Search | None = None

    def __post_init__(self) -> None:
        if self.estimates == "ascents" and self.run is not solve:
            raise ValueError(
                f"estimates='ascents' runs coordinate ascent, and not the function of solver {self.name!r}"
            )


def _by_optimiser(how: Search) -> Solver:
    return Solver(how.method, partial(search, how=how), estimates="soft_labels", search=how)


_ALL = (
    Solver("coordinate_ascent", solve, decompositions=("linear", "sum", "minimum"), estimates="ascents"),
    Solver("imbalance_state", adjust_biases),
    *(_by_optimiser(Search(method)) for method in OPTIMISERS),
)

SOLVERS = MappingProxyType({solver.name: solver for solver in _ALL})
"""The solvers by name. The choice of a solver for "auto" depends on the metric, and is the tuner's."""


def get_solver(solver: str | Search) -> Solver:
    """Return the solver of that name, or the optimiser with the budget and the callback of a `Search`."""
    if isinstance(solver, Search):
        return _by_optimiser(solver)
    if solver not in SOLVERS:
        raise ValueError(f"solver must be one of {', '.join(map(repr, SOLVERS))}; got {solver!r}")
    return SOLVERS[solver]
