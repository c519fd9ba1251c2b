"""The one way in: from a problem to offsets, by the estimate that the user names, and to what these will be worth."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from skimbalance._core.typing import Progress, Run
from skimbalance.estimation._cross_fit import cross_fit
from skimbalance.estimation._margin import margins
from skimbalance.estimation._redraw import Floats
from skimbalance.estimation._robust import plugin, robust
from skimbalance.estimation._searched import searched
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.counts import Counts
from skimbalance.solvers import Fit, Problem, Search, Solution, demanding, fit_present_classes, get_solver, solve

__all__ = ["ESTIMATES", "Estimated", "Estimation", "in_turn"]

ESTIMATES = ("robust", "empirical", "plugin")

_Result = TypeVar("_Result")

_MARGIN_ROUNDS = 6
"""A bound is raised by what the decisions that meet it may lose on new samples; so often it is found what that is."""


@dataclass(frozen=True)
class Estimated:
    """Offsets and what they achieve; on new samples, where that was asked for; and what the way to them was.

    `held_out` counts the decisions on held-out samples, `needed` are the requirements on the samples at hand with what
    they have to spare for new ones; `reached` tells whether offsets can meet
    the requirements on the samples at hand, `achievable_with_confidence` whether with the confidence asked for.
    """

    solution: Solution
    score: float | None = None
    score_interval: tuple[float, float] | None = None
    offsets_error: Floats | None = None
    held_out: Counts | None = None
    needed: tuple[BoundConstraint, ...] = ()
    shrinkage_factor: float = 1.0
    reached: bool = True
    achievable_with_confidence: bool = True


@dataclass(frozen=True)
class Estimation:
    """How to estimate: the parameters of the tuner that have a say in it."""

    estimate: str
    n_bootstraps: int
    confidence_level: float | None
    seed: int
    run: Run
    progress: Progress
    solver: str | Search = "coordinate_ascent"

    def __call__(self, problem: Problem, confidences: Sequence[float | None] = ()) -> Estimated:
        """Fit the offsets, and foretell their score; each requirement is to hold on new samples with its confidence."""
        problem, reached, achievable_with_confidence = self.raised(problem.in_order(), confidences)
        estimated = self._foretold(problem, exactly=not achievable_with_confidence)
        if not achievable_with_confidence and problem.missed(estimated.solution.counts) == 0:
            # The search for the objective has other starts than the one for the requirements alone.
            reached, achievable_with_confidence = True, reached or not any(confidences)
        return replace(
            estimated,
            needed=problem.requirements,
            reached=reached,
            achievable_with_confidence=achievable_with_confidence,
        )

    def raised(self, problem: Problem, confidences: Sequence[float | None]) -> tuple[Problem, bool, bool]:
        """Return the problem with what these samples must meet for each requirement to hold with its confidence.

        The flags are `reached` and `achievable_with_confidence` of `Estimated`.
        """
        reached = achievable_with_confidence = self._reaches(problem)
        if reached and any(confidences):
            problem, achievable_with_confidence = self._with_margins(problem, confidences)
        return problem, reached, achievable_with_confidence

    def _foretold(self, problem: Problem, *, exactly: bool) -> Estimated:
        """Fit and cross-fit; `exactly` on the samples at hand, where only that comes nearest to the requirements."""
        fit = self._fit(exactly=exactly)
        robustly = self.estimate == "robust" and get_solver(self.solver).estimates != "none"
        if self.confidence_level is None and not robustly:
            return Estimated(fit_present_classes(problem, fit))
        fold_fit = self._fit(exactly=exactly, fold=True)
        crossed = cross_fit(problem, fold_fit, seed=self.seed, run=self.run, progress=self.progress)
        shrinkage_factor = crossed.shrinkage_factor() if robustly and not problem.requirements else 1.0
        if shrinkage_factor < 1:
            fit = partial(_scaled, fit, shrinkage_factor)
        level = self.confidence_level
        decisions = crossed.decisions(shrinkage_factor=shrinkage_factor)
        score, interval = crossed.score(decisions, level=level)
        error = None if level is None else crossed.offsets_error(level=level)
        held_out = crossed.count(decisions)
        return Estimated(
            fit_present_classes(problem, fit), score, interval, error, held_out, shrinkage_factor=shrinkage_factor
        )

    def _fit(self, *, exactly: bool = False, fold: bool = False, restarts: bool = True) -> Fit:
        """Return the way from a problem to offsets that `estimate` names; in a fold a quicker one, which is silent.

        Random restarts are for the final fit: in a fold there are none.
        """
        progress, restarts = (None, False) if fold else (self.progress, restarts)
        solver = get_solver(self.solver)
        if solver.search is not None:
            estimate = "empirical" if exactly else self.estimate
            return partial(
                searched,
                how=solver.search,
                estimate=estimate,
                seed=self.seed,
                quick=fold,
                restarts=restarts,
                progress=progress,
            )
        if self.estimate == "empirical" or exactly or solver.estimates != "ascents":
            return partial(solver.run, seed=self.seed, progress=progress, restarts=restarts)
        if self.estimate == "plugin":
            return partial(plugin, progress=progress)
        n_bootstraps = max(2, self.n_bootstraps // 4) if fold else self.n_bootstraps
        run = in_turn if fold else self.run
        return partial(robust, n_bootstraps=n_bootstraps, seed=self.seed, run=run, progress=progress)

    def _reaches(self, problem: Problem) -> bool:
        """Tell whether there are offsets that meet the requirements on these samples: the search ends at the first."""
        if not problem.requirements:
            return True
        possible = not any(required.is_impossible for required in problem.requirements)
        search = partial(solve, seed=self.seed, restarts=possible, until_satisfied=True)
        solution = fit_present_classes(demanding(problem, *problem.requirements), search)
        return problem.missed(solution.counts) == 0

    def _with_margins(self, problem: Problem, confidences: Sequence[float | None]) -> tuple[Problem, bool]:
        """Raise the bounds until they hold on new samples with the confidence asked for; tell whether they can be
        met.
        """
        spare, held = np.zeros((len(confidences), 2)), []
        for _ in range(_MARGIN_ROUNDS):
            solution = fit_present_classes(_tightened(problem, spare), self._fit(restarts=False))
            needed = [
                self._margins(problem, solution, *each) for each in zip(problem.requirements, confidences, strict=True)
            ]
            if _tightened(problem, np.asarray(needed)).missed(solution.counts) == 0:
                held.append(spare)
            spare = (spare + needed) / 2  # the nearer to one a rate, the less it varies: undamped, this would swing
        raised = _tightened(problem, spare)
        if self._reaches(raised):
            return raised, True
        # Of few samples one more or less is a leap, which may have gone beyond what is needed.
        return (_tightened(problem, min(held, key=np.sum)), True) if held else (raised, False)

    def _margins(
        self, problem: Problem, solution: Solution, required: BoundConstraint, confidence: float | None
    ) -> Floats:
        if confidence is None:
            return np.zeros(2)
        return margins(problem, solution, required.metric, confidence=confidence, seed=self.seed)


def _tightened(problem: Problem, spare: Floats) -> Problem:
    pairs = zip(problem.requirements, spare, strict=True)
    return replace(problem, requirements=tuple(required.tightened(*each) for required, each in pairs))


def in_turn(jobs: Iterable[Callable[[], _Result]]) -> list[_Result]:
    """Call independent functions one after the other."""
    return [job() for job in jobs]


def _scaled(fit: Fit, shrinkage_factor: float, problem: Problem) -> Solution:
    solution = fit(problem)
    return problem.solved(shrinkage_factor * solution.offsets, n_iter=solution.n_iter)
