"""Mean costs on test samples where each sample has costs of its own, beside empulse.

The data sets are those that empulse contains, with the costs that it gives: churn of TV subscribers, upselling by
telephone, and two of credit scoring. Half of the samples are for training, half for the test. Savings are one minus the
cost over that of the better constant prediction (Bahnsen et al., 2015). Costs are known in training. The methods differ
in whether they are known at prediction, too. Needs ``pip install empulse pandas``.
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from benchmarks.script import options, report, rounded
from skimbalance import TunedOffsetClassifierCV
from skimbalance.metrics import Cost

NAMES = (
    "load_churn_tv_subscriptions",
    "load_upsell_bank_telemarketing",
    "load_vub_credit_scoring",
    "load_credit_scoring_pakdd",
)
CELLS = (("tn", 0, 0), ("fp", 0, 1), ("fn", 1, 0), ("tp", 1, 1))
MODELS = ("logistic", "boosting")

Matrices = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Samples:
    """Features, codes and costs (n, 2, 2)."""

    X: Any
    y: npt.NDArray[np.int64]
    costs: Matrices

    def take(self, samples: npt.NDArray[np.int64]) -> "Samples":
        """Return some of the samples."""
        return Samples(self.X.iloc[samples], self.y[samples], self.costs[samples])

    def cost(self, decisions: npt.NDArray[Any]) -> float:
        """Return the mean cost of decisions."""
        return float(self.costs[np.arange(len(self.y)), self.y, decisions.astype(np.int64)].mean())

    @property
    def named(self) -> dict[str, npt.NDArray[np.float64]]:
        """The costs as arguments of empulse."""
        return {f"{name}_cost": self.costs[:, c, k] for name, c, k in CELLS}


def loaded(name: str) -> Samples:
    """Return a data set of empulse with its costs as numbers."""
    import pandas as pd
    from empulse import datasets

    data = getattr(datasets, name)(backend=pd)
    y = np.asarray(data.target).astype(np.int64)
    costs = np.zeros((len(y), 2, 2))
    values = {**data.cost_matrix._defaults, **data.instance_costs}
    for cell, c, k in CELLS:
        formula = sympy.sympify(getattr(data.cost_matrix, f"{cell}_cost"))
        symbols = sorted(map(str, formula.free_symbols))
        costs[:, c, k] = sympy.lambdify(symbols, formula, "numpy")(*(values[symbol] for symbol in symbols))
    return Samples(data.data, y, costs)


def prepared(model: str, train: Samples, test: Samples) -> tuple[BaseEstimator, Samples, Samples]:
    """Return a classifier, and the samples with features as numbers: empulse takes no pipelines."""
    texts, numbers = make_column_selector(dtype_exclude="number"), make_column_selector(dtype_include="number")
    if model == "logistic":
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        columns = ColumnTransformer([("texts", encoder, texts), ("numbers", StandardScaler(), numbers)])
        classifier = LogisticRegression(max_iter=1000)
    else:
        codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        columns = ColumnTransformer([("texts", codes, texts), ("numbers", "passthrough", numbers)])
        classifier = HistGradientBoostingClassifier(random_state=0)
    columns.fit(train.X)
    return classifier, *(replace(each, X=np.asarray(columns.transform(each.X))) for each in (train, test))


def methods(model: str, train: Samples, test: Samples) -> Iterator[tuple[str, str, Callable[[], npt.NDArray[Any]]]]:
    """Yield methods: their name, the costs that they need at prediction, and what decides the test samples."""
    from empulse.models import CSLogitClassifier, CSRateClassifier, CSThresholdClassifier

    base, train, test = prepared(model, train, test)
    means = np.stack([train.costs[train.y == c, c].mean(axis=0) for c in (0, 1)])
    fitted: dict[str, Any] = {}

    def tuned() -> npt.NDArray[Any]:
        clf = TunedOffsetClassifierCV(base, objective=Cost(), store_cv_results=True)
        fitted["offsets"] = clf.fit(train.X, train.y, cost_matrix=train.costs)
        return clf.predict(test.X)

    def other(estimate: str, objective: Cost) -> npt.NDArray[Any]:
        clf = copy(fitted["offsets"]).set_params(estimate=estimate)
        return clf.retune(objective=objective).predict(test.X)

    def threshold(calibrator: str | None) -> npt.NDArray[Any]:
        clf = CSThresholdClassifier(base, calibrator=calibrator, random_state=0)
        fitted[str(calibrator)] = clf.fit(train.X, train.y, **train.named)
        return clf.predict(test.X)

    yield "argmax", "none", lambda: base.fit(train.X, train.y).predict(test.X)
    yield "Cost(), robust", "none", tuned
    yield "Cost(), plugin", "none", partial(other, "plugin", Cost())
    yield "Cost(means), robust", "none", partial(other, "robust", Cost(means))
    for calibrator in (None, "sigmoid", "isotonic"):
        yield f"CSThreshold, {calibrator}", "none", partial(threshold, calibrator)
    yield "CSRate", "none", lambda: CSRateClassifier(base).fit(train.X, train.y, **train.named).predict(test.X)
    if model == "logistic":
        yield "CSLogit", "none", lambda: CSLogitClassifier().fit(train.X, train.y, **train.named).predict(test.X)
    yield "predict(cost_matrix)", "all", lambda: fitted["offsets"].predict(test.X, cost_matrix=test.costs)
    for calibrator in (None, "sigmoid", "isotonic"):
        yield (
            f"CSThreshold, {calibrator}",
            "all",
            lambda calibrator=calibrator: fitted[str(calibrator)].predict(test.X, **test.named),
        )


def runs(names: list[str], seeds: int, models: list[str]) -> Iterator[dict[str, object]]:
    """Yield the cost of every method on each split of each data set."""
    for name in names:
        samples = loaded(name)
        for seed in range(seeds):
            parts = train_test_split(np.arange(len(samples.y)), test_size=0.5, stratify=samples.y, random_state=seed)
            train, test = (samples.take(part) for part in parts)
            constant = min(test.cost(np.full(len(test.y), k)) for k in (0, 1))
            for model in models:
                for method, known, decide in methods(model, train, test):
                    begin = perf_counter()
                    cost = test.cost(decide())
                    yield {
                        "data": name.removeprefix("load_"),
                        "model": model,
                        "seed": seed,
                        "method": method,
                        "costs at prediction": known,
                        "cost": cost,
                        "savings": 1 - cost / constant,
                        "seconds": round(perf_counter() - begin, 2),
                    }
        print(f"{name}: done", file=sys.stderr, flush=True)


def main() -> None:
    """Compute all runs."""
    parser = options(__doc__, seeds=10, writes="the runs")
    parser.add_argument("--names", nargs="+", default=list(NAMES), help="loaders of empulse.datasets")
    parser.add_argument("--models", nargs="+", default=list(MODELS), help="logistic, boosting")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    report(map(rounded, runs(asked.names, asked.seeds, asked.models)), asked.csv)


if __name__ == "__main__":
    main()
