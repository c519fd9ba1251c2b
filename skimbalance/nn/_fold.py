"""Offsets in the bias of the last layer of a model."""

from copy import copy, deepcopy
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skimbalance._core.array_api import to_numpy
from skimbalance._core.typing import ArrayLike
from skimbalance._core.validation import check_numbers, names_page
from skimbalance.nn._nets import is_net, last_step, net_within

__all__ = ["fold_offsets"]

_Floats = npt.NDArray[np.float64]

_METHODS = ("predict_proba", "decision_function")


@names_page
def fold_offsets(
    model: Any,
    offsets: ArrayLike,
    *,
    inplace: bool = False,
    layer: Any = None,
    X: Any = None,
    response_method: Literal["auto", "predict_proba", "decision_function"] = "auto",
) -> Any:
    r"""Add offsets to the bias of the last layer, so that the plain argmax is the tuned decision.

    .. math:: \operatorname{argmax}_k \,(w_k^\top h + c_k + b_k)

    for the weights w, bias c and input h of the last layer, and offsets b. A single output is the log-odds of the
    second class: :math:`b_1 - b_0` is added to its bias.

    Parameters
    ----------
    model : torch.nn.Module, skorch net, scikit-learn linear classifier, or pipeline that ends in one
        The trained model. It may be inside a search with a best estimator or a `FrozenEstimator`.
    offsets : array-like of shape (K,)
        The offsets, such as `offsets_` of a tuner. They must have been fitted on the scores of this layer: logits of
        a net, and of a linear classifier that of `response_method`.
    inplace : bool, default=False
        Whether to change `model` itself, rather than a copy. After an error `model` is unchanged in both cases.
    layer : str or torch.nn.Module, default=None
        The layer of a torch module or skorch net that gets the offsets.

        - str: its name in `named_modules()`.
        - Module: the layer itself.
        - None: the last ``Linear`` or convolution whose bias shifts the outputs of the probe by what is added to it.
    X : input of the model, default=None
        A few samples for the probe, as :func:`net_logits` or `predict` takes them. None draws a random probe.
    response_method : {"auto", "predict_proba", "decision_function"}, default="auto"
        The scores of a linear classifier that the offsets were fitted on.

        - ``"auto"``: the decisions must agree for each of these methods of the classifier.
        - ``"predict_proba"``: probabilities.
        - ``"decision_function"``: margins. It is necessary for a classifier whose probabilities are no softmax of
          them, such as a multiclass ``SGDClassifier``.

    Returns
    -------
    same type as `model`
        The model with offsets in it.

    Raises
    ------
    ValueError
        If the model has no such layer, its number of outputs does not fit, or `layer` is needed and missing. Also if
        the decisions of the result cannot agree with those of the scores plus offsets, as for ``SVC``, whose
        `predict` does not read `intercept_`.

    Warns
    -----
    SkimbalanceWarning
        If no random input fits a module, so that the result is not verified.

    Notes
    -----
    The result is verified on the probe: its decisions are compared with the argmax of the scores of `model` plus
    offsets. Differences within rounding are allowed. A random probe of a linear classifier is near its decision
    boundaries; that of a module has the input sizes of its layers.

    A missing bias is created. A bias that another layer shares is replaced by a new one. Only softmax, sigmoid or an
    average may follow the layer.

    The plain argmax, or the sign of a single output, predicts the first class at an exact tie; tuners predict
    the second.

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
    if response_method not in ("auto", *_METHODS):
        raise ValueError(f"response_method must be 'auto' or one of {_METHODS}; got {response_method!r}")
    offsets = to_numpy(offsets)
    folded = model if inplace else deepcopy(model)
    original, last = (last_step(each, fitted=True) for each in (model, folded))
    if is_net(last):
        check_is_fitted(last, "module_")
        if getattr(last, "threshold", 0.5) != 0.5:
            raise ValueError(
                f"threshold of the net must be 0.5, which offsets are for; its predict compares with {last.threshold!r}"
            )
        if X is not None:
            last, X = net_within(folded, X) or (last, X)
    if is_net(last) or hasattr(last, "named_modules"):
        from skimbalance.nn._output_layer import add_to_layer

        own, module = (each.module_ if is_net(each) else each for each in (original, last))
        name = None if layer is None else _name_of(layer, own)
        per_output = partial(_per_output, offsets)
        add_to_layer(last, module, name=name, X=X, per_output=per_output, n_offsets=np.size(offsets))
    elif layer is not None:
        raise ValueError(f"layer names a layer of a torch module or skorch net; got one for {type(last).__name__}")
    else:
        _add_to_intercept(folded, last, offsets, X, response_method)
    return folded


def _name_of(layer: Any, module: Any) -> str:
    """Return the name of a layer of the module, given by name or by itself."""
    layers = dict(module.named_modules())
    name = next((name for name, own in layers.items() if own is layer or name == layer), None)
    if name is None:
        raise ValueError(f"layer must be a layer of the module, or its name; got {layer!r}, the names are {[*layers]}")
    if getattr(layers[name], "weight", None) is None and getattr(layers[name], "bias", None) is None:
        raise ValueError(f"layer must have a weight or a bias; {name!r} is a {type(layers[name]).__name__}")
    return str(name)


def _add_to_intercept(folded: Any, classifier: Any, offsets: ArrayLike, X: Any, response_method: str) -> None:
    """Add the offsets to `intercept_`, and undo it if the decisions do not agree on `X`, or on random samples."""
    if not all(hasattr(classifier, name) for name in ("coef_", "intercept_", "classes_")):
        raise ValueError(
            "model must be a torch module, a skorch net or a fitted linear classifier with coef_ and intercept_; got "
            f"{type(classifier).__name__}"
        )
    coef, n_classes = classifier.coef_, len(classifier.classes_)
    coef = np.atleast_2d(coef.toarray() if hasattr(coef, "toarray") else coef)
    if len(coef) != n_classes and (n_classes, len(coef)) != (2, 1):
        raise ValueError(
            f"model must have a row of coef_ for each of its {n_classes} classes; {type(classifier).__name__} has "
            f"{len(coef)}"
        )
    added, before = _per_output(offsets, len(coef)), classifier.intercept_
    methods = [m for m in _METHODS if hasattr(classifier, m) and response_method in ("auto", m)]
    samples = _near_boundaries(coef, before, added) if X is None else X
    probed = _without_names(classifier) if X is None else folded
    tuned = {method: _tuned(probed, method, samples, np.asarray(offsets, np.float64)) for method in methods}
    try:
        classifier.intercept_ = np.broadcast_to(before, added.shape) + added
        decided = (_without_names(classifier) if X is None else folded).predict(samples)
        agreed = {method: _agreement(*scores, decided, classifier.classes_) for method, scores in tuned.items()}
        _require_agreement(type(classifier).__name__, agreed)
    except Exception:
        classifier.intercept_ = before
        raise


def _require_agreement(name: str, agreed: dict[str, float]) -> None:
    """Raise unless the decisions agree everywhere, whichever scores the offsets were fitted on."""
    if not agreed:
        raise ValueError(f"response_method must be a method of model; {name} has no such method")
    method = min(agreed, key=lambda m: agreed[m])
    if agreed[method] == 1:
        return
    if agreed.get("decision_function") == 1:
        raise ValueError(
            f"offsets that were fitted on {method} cannot be folded into {name}: its probabilities are no softmax of "
            f"decision_function, and {agreed[method]:.0%} of the decisions of a probe agree. Fit them with "
            "response_method='decision_function', and pass it here too"
        )
    raise ValueError(
        f"model must decide by the argmax of {method}, with intercept_ in it; {name} does not: for offsets fitted on "
        f"{method}, {agreed[method]:.0%} of the decisions of a probe agree. Keep the tuned classifier, or take a "
        "linear one that does, such as LinearSVC"
    )


def _tuned(classifier: Any, method: str, samples: Any, offsets: _Floats) -> tuple[_Floats, _Floats]:
    """Return scores plus offsets (n, K), and their rounding error (n,)."""
    scores = np.asarray(getattr(classifier, method)(samples))
    eps = 64 * float(np.finfo(scores.dtype).eps)
    rounding = 1 + np.abs(offsets).max() + np.zeros(len(scores))
    with np.errstate(divide="ignore"):
        if method == "predict_proba":
            rounding += 1 / scores.min(axis=1)  # of what was subtracted from one, relative to what is left
            scores = np.log(scores)
    if scores.ndim == 1:
        scores = np.stack([np.zeros_like(scores), scores], axis=1)
    rounding += np.where(np.isfinite(scores), np.abs(scores), 0).max(axis=1)
    return scores + offsets, eps * rounding


def _agreement(tuned: _Floats, rounding: _Floats, decided: Any, classes: Any) -> float:
    """Return the proportion of samples whose decisions agree with the scores (n, K), except for ties and rounding.

    `decided` are labels (n,), or an indicator (n, K) of labels that are present where their score is positive.
    """
    if np.ndim(decided) == 2:
        return float(((np.asarray(decided) > 0) == (tuned > 0))[np.abs(tuned) > rounding[:, None]].mean())
    codes = (np.asarray(decided)[:, None] == np.asarray(classes)).argmax(axis=1)
    chosen = np.take_along_axis(tuned, codes[:, None], axis=1)[:, 0]
    return float(np.mean(~(chosen < tuned.max(axis=1) - rounding)))


def _near_boundaries(coef: npt.NDArray[Any], intercept: Any, added: _Floats) -> _Floats:
    """Return random samples (n, p) whose scores with offsets differ by about as much as the offsets do.

    They solve ``coef @ x + intercept + added = t`` by least squares, for random scores t of that magnitude. These are
    256 samples, fewer if they would have more than two million values, but at least 16.
    """
    n_samples = min(max(2_000_000 // coef.shape[1], 16), 256)
    rng = np.random.default_rng(0)
    scale = (np.ptp(added) if len(added) > 1 else np.abs(added).max()) or 1.0
    scores = rng.normal(size=(n_samples, len(coef))) * scale * rng.choice([0.3, 1.0, 3.0], size=(n_samples, 1))
    return np.ascontiguousarray(np.linalg.lstsq(coef, (scores - added - intercept).T, rcond=None)[0].T)


def _without_names(classifier: Any) -> Any:
    """Return the classifier as one that takes arrays without names of columns."""
    bare = copy(classifier)
    vars(bare).pop("feature_names_in_", None)
    return bare


def _per_output(offsets: ArrayLike, n_outputs: int) -> _Floats:
    """Return the number to add to each output; to a single one, the log-odds, the difference of both offsets."""
    values = check_numbers("offsets", offsets, n_classes=max(2, n_outputs))
    return values[1:] - values[:1] if n_outputs == 1 else values
