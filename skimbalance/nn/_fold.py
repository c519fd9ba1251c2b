"""Offsets as part of a model: added to the bias of its last layer."""

from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skimbalance._typing import ArrayLike
from skimbalance._validation import check_numbers
from skimbalance.exceptions import names_page
from skimbalance.nn._nets import is_net

__all__ = ["fold_offsets"]


@names_page
def fold_offsets(model: Any, offsets: ArrayLike, *, inplace: bool = False) -> Any:
    r"""Add offsets to the bias of the last layer, so that the plain argmax is the tuned decision.

    .. math:: \operatorname{argmax}_k \,(w_k^\top h + c_k + b_k)

    for the weights w and bias c of the last layer, what comes into it h, and offsets b. With one output, the log-odds
    of the second class, :math:`b_1 - b_0` is added to its bias. A missing bias is created.

    The plain argmax, or the sign of one output, gives an exact tie of two classes to the first; tuners give it to the
    second.

    Parameters
    ----------
    model : torch.nn.Module, skorch net, scikit-learn linear classifier, or pipeline that ends in one
        The trained model. Of a module, the layer meant is the last ``Linear`` or convolution among its `modules()`; it
        must have as many outputs as there are offsets, or one for two, and nothing but softmax, sigmoid or pooling may
        follow it.
    offsets : array-like of shape (K,)
        The offsets, such as `offsets_` of a tuner. They must have been fitted on the scores of this layer: logits of
        a net, and of a linear classifier those of `decision_function` or, where they are its softmax, of
        `predict_proba`.
    inplace : bool, default=False
        Whether to change `model` itself, rather than a copy.

    Returns
    -------
    same type as `model`
        The model with offsets in it.

    Raises
    ------
    ValueError
        If the model has no such layer, or its number of outputs does not fit.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skimbalance import TunedOffsetClassifierCV
    >>> from skimbalance.nn import fold_offsets
    >>> X, y = make_classification(600, weights=[0.9], class_sep=0.5, random_state=0)
    >>> clf = TunedOffsetClassifierCV(LogisticRegression(), objective="f1").fit(X, y)
    >>> plain = fold_offsets(clf.estimator_, clf.offsets_)
    >>> type(plain).__name__, (plain.predict(X) == clf.predict(X)).all()
    ('LogisticRegression', np.True_)
    """
    folded = model if inplace else deepcopy(model)
    last = folded.steps[-1][1] if hasattr(folded, "steps") else folded
    if is_net(last):
        check_is_fitted(last, "module_")
        last = last.module_
    if hasattr(last, "named_modules"):
        _add_to_layer(last, offsets)
    else:
        _add_to_intercept(last, offsets)
    return folded


def _add_to_intercept(classifier: Any, offsets: ArrayLike) -> None:
    if not (hasattr(classifier, "coef_") and hasattr(classifier, "intercept_")):
        raise ValueError(
            "model must be a torch module, a skorch net or a fitted linear classifier with coef_ and intercept_; got "
            f"{type(classifier).__name__}"
        )
    n_outputs = np.atleast_2d(classifier.coef_).shape[0]
    added = _per_output(offsets, n_outputs)
    classifier.intercept_ = np.broadcast_to(classifier.intercept_, added.shape) + added


def _add_to_layer(module: Any, offsets: ArrayLike) -> None:
    import torch

    layer = _last_layer(module)
    n_outputs = layer.weight.shape[1 if getattr(layer, "transposed", False) else 0]
    added = _per_output(offsets, n_outputs)
    with torch.no_grad():
        bias = torch.as_tensor(added, dtype=layer.weight.dtype, device=layer.weight.device)
        if layer.bias is None:
            layer.bias = torch.nn.Parameter(bias)
        else:
            layer.bias += bias


def _last_layer(module: Any) -> Any:
    layers = [
        layer for layer in module.modules() if hasattr(layer, "bias") and getattr(layer, "weight", None) is not None
    ]
    layers = [layer for layer in layers if hasattr(layer, "out_features") or hasattr(layer, "out_channels")]
    if not layers:
        raise ValueError(f"model must have a Linear layer or a convolution; {type(module).__name__} has none")
    return layers[-1]


def _per_output(offsets: ArrayLike, n_outputs: int) -> npt.NDArray[np.float64]:
    """Return what is to be added to each output."""
    values = check_numbers("offsets", offsets, n_classes=max(2, n_outputs))
    return values[1:] - values[:1] if n_outputs == 1 else values
