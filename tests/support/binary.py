"""Binary problems of all kinds: with each metric, ties, weights and constraints."""

from dataclasses import replace

import numpy as np

from skimbalance.metrics import Cost, FBeta
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.registry import METRICS
from support.problems import problem

__all__ = ["REQUIRED", "TWO", "one_column", "settings"]

TWO = {**METRICS, "f2": FBeta(2.0), "cost": Cost([[0, 1], [7, -1]]), "gain": Cost([[-1, 0], [3, -5]])}

REQUIRED = (
    (),
    (),
    (BoundConstraint(METRICS["recall"].bind(1), low=0.7),),
    (BoundConstraint(METRICS["precision"].bind(1), low=0.6), BoundConstraint(METRICS["recall"].bind(0), low=0.5)),
    (BoundConstraint(METRICS["imbalance_degree"], low=0.1, high=0.15),),
)


def one_column(setting):
    """The same margins between a score of zero and another."""
    scores = np.stack([np.zeros(len(setting.scores)), setting.scores[:, 1] - setting.scores[:, 0]], axis=1)
    return replace(setting, scores=scores)


def settings(name, count):
    """Problems of 20 to 219 samples, some tied, some weighted, some with requirements."""
    for seed in range(count):
        drawn = problem(
            seed,
            n_classes=2,
            n_samples=20 + 37 * seed % 200,
            decimals=(None, None, 1, 2)[seed % 4],
            weighted=seed % 3 == 0,
        )
        setting = one_column(replace(drawn, metric=TWO[name].bind(seed % 2)))
        if name == "imbalance_degree" and abs(float(np.diff(setting.truth.support)[0])) < 1e-9:
            continue
        yield replace(setting, requirements=REQUIRED[seed % 5])
