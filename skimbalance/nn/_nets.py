"""Nets of skorch, recognised by their attributes, so that skorch need not be installed."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.frozen import FrozenEstimator

__all__ = ["ends_in_net", "is_net", "net_within", "targets_for"]

_ONE_OUTPUT = {"BCELoss", "BCEWithLogitsLoss"}


def is_net(estimator: Any) -> bool:
    """Return whether this is a net of skorch."""
    return hasattr(estimator, "forward_iter") and hasattr(estimator, "module")


def ends_in_net(estimator: Any) -> bool:
    """Return whether this is a net of skorch, also within a frozen estimator, a search or a pipeline."""
    return is_net(_inner(estimator))


def net_within(estimator: Any, X: Any) -> tuple[Any, Any] | None:
    """Return the fitted net at the end of an estimator, and `X` transformed for it; None for other estimators."""
    if not ends_in_net(estimator):
        return None
    while not is_net(estimator):
        if hasattr(estimator, "steps"):
            X = estimator[:-1].transform(X) if len(estimator.steps) > 1 else X
        estimator = _next(estimator, fitted=True)
    return estimator, X


def targets_for(estimator: Any, codes: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Return the targets of a net: column numbers, as floats if it has a single output."""
    net = _inner(estimator)
    of_net = {kind.__name__ for kind in type(net).__mro__}
    of_criterion = {kind.__name__ for kind in getattr(net.criterion, "__mro__", ())}
    one_output = "NeuralNetBinaryClassifier" in of_net or bool(of_criterion & _ONE_OUTPUT)
    return codes.astype(np.float32 if one_output else np.int64)


def _inner(estimator: Any) -> Any:
    """Return the innermost unfitted estimator."""
    while not is_net(estimator):
        inner = _next(estimator, fitted=False)
        if inner is None:
            break
        estimator = inner
    return estimator


def _next(estimator: Any, *, fitted: bool) -> Any:
    """Return the estimator inside a pipeline, search or frozen estimator; None for other estimators."""
    if hasattr(estimator, "steps"):
        return estimator.steps[-1][1]
    if hasattr(estimator, "param_grid") or hasattr(estimator, "param_distributions"):
        return estimator.best_estimator_ if fitted else estimator.estimator
    return estimator.estimator if isinstance(estimator, FrozenEstimator) else None
