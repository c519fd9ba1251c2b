"""What tuning adds to what surrounds it: predicting, cross-validating a classifier, training a net."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import sklearn
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold, TunedThresholdClassifierCV, train_test_split
from benchmarks.speed.workload import Contender, Race
from benchmarks.speed.tuners import OURS, default, drawn

from skimbalance import TunedOffsetClassifierCV

EPOCHS = 3


def predicting(n_rows: int, n_classes: int, *, limit: float | None = None) -> Race:
    """Return the race of decisions, with and without offsets."""
    rows = drawn(n_rows, n_classes)
    tuner = default("f1_macro", rows.scores[:2000], rows.y[:2000])
    plain = Contender("floor: scores.argmax(1)", f"numpy {np.__version__}", lambda: rows.scores.argmax(1))
    shifted = Contender(
        "(scores + offsets).argmax(1)",
        f"numpy {np.__version__}",
        lambda: (rows.scores + tuner.offsets_).argmax(1),
    )
    ours = Contender("OffsetTuner.predict", OURS, lambda: tuner.predict(rows.scores))
    name = f"predict_{n_rows}x{n_classes}"
    return Race(
        name, "f1_macro", (n_rows, n_classes), [plain, ours, shifted], ours.name, rows.scores.nbytes, limit=limit
    )


def cross_validated(n_rows: int, n_features: int) -> Race:
    """Return the race of threshold tuners around logistic regression, beside its fits alone."""
    X, y = make_classification(
        2 * n_rows, n_features, n_informative=n_features // 2, weights=[0.95], flip_y=0.02, random_state=0
    )
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, random_state=0, stratify=y)
    model = LogisticRegression(max_iter=1000)

    def bare() -> BaseEstimator:
        for train, held_out in StratifiedKFold(5).split(X, y):
            clone(model).fit(X[train], y[train]).decision_function(X[held_out])
        return clone(model).fit(X, y)

    def entry(name: str, version: str, make: Callable[[], Any]) -> Contender:
        return Contender(
            name, version, make, lambda fitted: float(f1_score(y_test, fitted.predict(X_test))), traced_s=0
        )

    wrapped = TunedOffsetClassifierCV
    contenders = [
        entry("floor: the six fits, scores of five", f"scikit-learn {sklearn.__version__}", bare),
        entry("TunedOffsetClassifierCV", OURS, lambda: wrapped(model, objective="f1").fit(X, y)),
        entry(
            "TunedOffsetClassifierCV, empirical",
            OURS,
            lambda: wrapped(model, objective="f1", estimate="empirical").fit(X, y),
        ),
        entry(
            "TunedThresholdClassifierCV",
            f"scikit-learn {sklearn.__version__}",
            lambda: TunedThresholdClassifierCV(model, scoring="f1").fit(X, y),
        ),
    ]
    name = f"classifier_{n_rows}"
    return Race(name, "f1 on test rows", (n_rows, 2), contenders, contenders[1].name, X.nbytes)


def training(n_rows: int) -> Race | None:
    """Return the race of a net trained with and without the callback, None without skorch."""
    if not find_spec("skorch"):
        return None
    import torch
    from skorch import NeuralNetClassifier

    from skimbalance.callbacks import TunedOffsetCheckpoint

    torch.set_num_threads(1)
    rows = drawn(n_rows, 10)
    X = np.hstack([rows.scores, np.random.default_rng(0).normal(size=(n_rows, 90))]).astype(np.float32)

    def net(**callback: Any) -> Any:
        torch.manual_seed(0)
        layers = [torch.nn.Linear(100, 256), torch.nn.ReLU(), torch.nn.Linear(256, 256), torch.nn.ReLU()]
        return NeuralNetClassifier(
            torch.nn.Sequential(*layers, torch.nn.Linear(256, 10)),
            criterion=torch.nn.CrossEntropyLoss,
            max_epochs=EPOCHS,
            lr=0.05,
            verbose=0,
            callbacks=[("tuned", TunedOffsetCheckpoint("f1_macro", **callback))] if callback else None,
        ).fit(X, rows.y)

    import skorch

    contenders = [
        Contender(f"floor: {EPOCHS} epochs", f"skorch {skorch.__version__}", net, rehearse=net, traced_s=0),
        Contender("with TunedOffsetCheckpoint", OURS, lambda: net(estimate="plugin"), traced_s=0),
        Contender("with TunedOffsetCheckpoint, robust", OURS, lambda: net(estimate="robust"), traced_s=0),
    ]
    return Race(f"callback_{n_rows}", "f1_macro", (n_rows, 10), contenders, contenders[1].name, X.nbytes)
