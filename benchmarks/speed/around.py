"""The cost of offsets in prediction, in the cross-validation of a classifier and in the training of a net."""

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

from benchmarks.speed.tuners import OURS, default, drawn
from benchmarks.speed.workload import Contender, Workload
from skimbalance import TunedOffsetClassifierCV

EPOCHS = 3


def predicting(n_samples: int, n_classes: int, *, limit: float | None = None) -> Workload:
    """Return the workload of decisions, with and without offsets."""
    data = drawn(n_samples, n_classes)
    tuner = default("f1_macro", data.scores[:2000], data.y[:2000])
    plain = Contender("floor: scores.argmax(1)", f"numpy {np.__version__}", lambda: data.scores.argmax(1))
    shifted = Contender(
        "(scores + offsets).argmax(1)",
        f"numpy {np.__version__}",
        lambda: (data.scores + tuner.offsets_).argmax(1),
    )
    ours = Contender("OffsetTuner.predict", OURS, lambda: tuner.predict(data.scores))
    name = f"predict_{n_samples}x{n_classes}"
    return Workload(
        name, "f1_macro", (n_samples, n_classes), [plain, ours, shifted], ours.name, data.scores.nbytes, limit=limit
    )


def cross_validated(n_samples: int, n_features: int) -> Workload:
    """Return the workload of threshold tuners with logistic regression, compared with its fits alone."""
    X, y = make_classification(
        2 * n_samples, n_features, n_informative=n_features // 2, weights=[0.95], flip_y=0.02, random_state=0
    )
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, random_state=0, stratify=y)
    model = LogisticRegression(max_iter=1000)

    def bare() -> BaseEstimator:
        for train, validation in StratifiedKFold(5).split(X, y):
            clone(model).fit(X[train], y[train]).decision_function(X[validation])
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
    name = f"classifier_{n_samples}"
    return Workload(name, "f1 on test samples", (n_samples, 2), contenders, contenders[1].name, X.nbytes)


def training(n_samples: int) -> Workload | None:
    """Return the workload of a net trained with and without the callback, None without skorch."""
    if not find_spec("skorch"):
        return None
    import torch
    from skorch import NeuralNetClassifier

    from skimbalance.callbacks import TunedOffsetCheckpoint

    torch.set_num_threads(1)
    data = drawn(n_samples, 10)
    X = np.hstack([data.scores, np.random.default_rng(0).normal(size=(n_samples, 90))]).astype(np.float32)

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
        ).fit(X, data.y)

    import skorch

    contenders = [
        Contender(f"floor: {EPOCHS} epochs", f"skorch {skorch.__version__}", net, rehearse=net, traced_s=0),
        Contender("with TunedOffsetCheckpoint", OURS, lambda: net(estimate="plugin"), traced_s=0),
        Contender("with TunedOffsetCheckpoint, robust", OURS, lambda: net(estimate="robust"), traced_s=0),
    ]
    return Workload(f"callback_{n_samples}", "f1_macro", (n_samples, 10), contenders, contenders[1].name, X.nbytes)
