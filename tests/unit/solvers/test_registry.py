"""Every entry of the solver registry, and the dispatch by it."""

from dataclasses import replace
from types import MappingProxyType
from typing import get_args

import numpy as np
import pytest
from sklearn.metrics import f1_score
from support.problems import problem

from skimbalance import OffsetTuner
from skimbalance.estimation import ESTIMATES, FitSpec, estimate
from skimbalance.metrics.base import Decomposition
from skimbalance.metrics.black_box import BlackBox
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import OPTIMISERS, SOLVERS, Search, Solver, _black_box, get_solver, registry
from skimbalance.tuner.checks import resolve_solver

EXAMPLES = {
    "linear": METRICS["accuracy"],
    "sum": METRICS["f1_macro"],
    "minimum": METRICS["worst_recall"],
    "general": BlackBox(lambda y, d, sample_weight=None: f1_score(y, d, average="macro", sample_weight=sample_weight)),
}


def test_there_is_an_example_of_every_decomposition():
    assert set(EXAMPLES) == set(get_args(Decomposition))
    assert all(metric.decomposition == name for name, metric in EXAMPLES.items())


def test_the_tuner_takes_exactly_the_names_of_the_registry():
    assert OffsetTuner._parameter_constraints["solver"][0].options == {"auto", *SOLVERS}
    assert all(solver.name == name for name, solver in SOLVERS.items())
    assert set(OPTIMISERS) == {name for name, solver in SOLVERS.items() if solver.search} == set(_black_box._METHODS)


@pytest.mark.usefixtures("few_restarts")
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    ("name", "decomposition"),
    [(name, decomposition) for name, solver in SOLVERS.items() for decomposition in solver.decompositions],
)
def test_every_solver_runs_on_every_metric_that_it_declares(name, decomposition, n_classes):
    here = replace(problem(0, n_samples=40, n_classes=n_classes), metric=EXAMPLES[decomposition])
    solver = get_solver(Search(name, budget=60)) if SOLVERS[name].search else SOLVERS[name]
    found = solver.run(here, seed=0, restarts=False, progress=None)
    assert found.objective_value == here.objective_value(found.offsets)
    assert found.objective_value >= here.objective_value(np.zeros(n_classes))


@pytest.mark.usefixtures("few_restarts")
@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_satisfies_constraints(name):
    here = replace(
        problem(1, n_samples=80, metric="accuracy"), requirements=(BoundConstraint(METRICS["worst_recall"], low=0.3),)
    )
    assert here.missed(SOLVERS[name].run(here, seed=0).counts) == 0


@pytest.mark.parametrize("name", SOLVERS)
def test_metrics_that_a_solver_cannot_optimise_are_refused(name):
    for decomposition, metric in EXAMPLES.items():
        if decomposition in SOLVERS[name].decompositions:
            assert get_solver(resolve_solver(metric, FitSpec(solver=name), n_classes=3)[0].solver).name == name
        else:
            with pytest.raises(ValueError, match=f"solver='{name}' needs a metric"):
                resolve_solver(metric, FitSpec(solver=name), n_classes=3)


@pytest.mark.parametrize("metric", EXAMPLES.values())
def test_auto_becomes_a_solver_of_the_registry(metric):
    chosen = resolve_solver(metric, FitSpec(solver="auto"), n_classes=3)[0].solver
    assert metric.decomposition in get_solver(chosen).decompositions


@pytest.mark.parametrize("name", ESTIMATES)
def test_a_new_solver_is_the_one_that_runs(monkeypatch, name):
    """Nothing else takes the place of a solver that is named."""
    ran = []

    def run(here, **options):
        ran.append((here.scores.shape[0], set(options)))
        return here.solved(np.zeros(here.n_classes), n_iter=7)

    monkeypatch.setattr(registry, "SOLVERS", MappingProxyType({**SOLVERS, "new": Solver("new", run)}))
    spec = FitSpec(estimate=name, solver="new", confidence_level=None)
    assert estimate(problem(0, n_samples=30), spec).n_iter == 7
    assert ran == [(30, {"seed", "restarts", "progress"})]


@pytest.mark.parametrize("named", ESTIMATES)
@pytest.mark.parametrize("name", ["auto", "newton"])
def test_a_name_that_is_not_in_the_registry_is_refused(name, named):
    with pytest.raises(ValueError, match=f"solver must be one of 'coordinate_ascent', .*; got '{name}'"):
        estimate(problem(0), FitSpec(estimate=named, solver=name, confidence_level=None))
