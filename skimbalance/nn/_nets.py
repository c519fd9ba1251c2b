"""Nets among estimators: recognised by what they can do, so that skorch need not be there."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.frozen import FrozenEstimator

__all__ = ["ends_in_net", "is_net", "net_within", "targets_for"]

_ONE_OUTPUT = {"BCELoss", "BCEWithLogitsLoss"}


def is_net(estimator: Any) -> bool:
    """Tell whether this is a net of skorch."""
    return hasattr(estimator, "forward_iter") and hasattr(estimator, "module")


def ends_in_net(estimator: Any) -> bool:
    """Tell whether this is a net of skorch, perhaps frozen, found by a search, or at the end of a pipeline."""
    return is_net(_inner(estimator))


def net_within(estimator: Any, X: Any) -> tuple[Any, Any] | None:
    """Return the fitted net that an estimator ends in, and `X` as it gets it; None where there is none."""
    if not ends_in_net(estimator):
        return None
    while not is_net(estimator):
        if hasattr(estimator, "steps"):
            X = estimator[:-1].transform(X) if len(estimator.steps) > 1 else X
        estimator = _next(estimator, fitted=True)
    return estimator, X


def targets_for(estimator: Any, codes: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Return what a net is trained on: the number of the column, as a float where it has one output alone."""
    net = _inner(estimator)
    of_net = {kind.__name__ for kind in type(net).__mro__}
    of_criterion = {kind.__name__ for kind in getattr(net.criterion, "__mro__", ())}
    one_output = "NeuralNetBinaryClassifier" in of_net or bool(of_criterion & _ONE_OUTPUT)
    return codes.astype(np.float32 if one_output else np.int64)


def _inner(estimator: Any) -> Any:
    """Return what the estimator is, or was made to be, at its heart."""
    while not is_net(estimator):
        inner = _next(estimator, fitted=False)
        if inner is None:
            break
        estimator = inner
    return estimator


def _next(estimator: Any, *, fitted: bool) -> Any:
    """Return the last step of a pipeline, the best of a search, what is frozen; None for any other estimator."""
    if hasattr(estimator, "steps"):
        return estimator.steps[-1][1]
    if hasattr(estimator, "param_grid") or hasattr(estimator, "param_distributions"):
        return estimator.best_estimator_ if fitted else estimator.estimator
    return estimator.estimator if isinstance(estimator, FrozenEstimator) else None
