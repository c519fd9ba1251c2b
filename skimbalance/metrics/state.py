"""The mean predicted distribution, and its imbalance degree."""

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, namespace, to_numpy
from skimbalance._core.typing import Array, ArrayLike
from skimbalance._core.validation import (
    by_label,
    check_codes,
    check_column_labels,
    check_columns,
    check_lengths,
    check_per_class,
    check_positive,
    check_proba,
    check_sample_weight,
    names_page,
)
from skimbalance.metrics._functions import score_labels
from skimbalance.metrics.imbalance import ImbalanceDegree, prevalence, require_imbalance

__all__ = ["balanced_weights", "imbalance_degree_score", "imbalance_state"]


def balanced_weights(
    codes: npt.NDArray[np.int64], weights: npt.NDArray[np.float64] | None, *, n_classes: int
) -> npt.NDArray[np.float64]:
    """Return weights of the samples that sum to one, in equal parts for each class that weighs something."""
    own = np.ones(len(codes)) if weights is None else weights
    support = np.bincount(codes, own, minlength=n_classes)
    each: npt.NDArray[np.float64] = 1 / np.where(support > 0, support, 1) / np.count_nonzero(support)
    return each[codes] * own


@names_page
def imbalance_state(
    proba: ArrayLike,
    *,
    y: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    class_balanced: bool = False,
    sample_weight: ArrayLike | None = None,
) -> Array:
    r"""Mean predicted distribution over the classes: the imbalance state of a model.

    .. math:: P_k = \frac{\sum_i w_i\, p_{ik}}{\sum_i w_i}

    or, with ``class_balanced=True``, the mean of that over the samples of each class, over all classes. A calibrated
    model has the class prior as its state on samples like those it was trained on, whatever its bias in recall. Only
    the class-balanced state of a model that favours no class is uniform.

    Parameters
    ----------
    proba : array-like of shape (n_samples, K) or (n_samples,)
        Predicted probabilities; those of the second class if one-dimensional. Of any array library.
    y : array-like of shape (n_samples,), optional
        True labels; needed, and used, only where ``class_balanced=True``.
    classes : array-like of shape (K,), optional
        Label of each column, by default the sorted labels of `y`. Classes without samples are left out of the mean.
    class_balanced : bool, default=False
        Whether each class has equal weight, rather than each sample.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the samples.

    Returns
    -------
    array of shape (K,)
        Proportions that sum to one, float64, in the library and on the device of `proba`.

    Raises
    ------
    ValueError
        If `proba` is not probabilities, `y` is missing or does not match the columns, or lengths differ. Also if
        weights are negative, not finite or all zero.

    References
    ----------
    Equation 4 of *Regulating Imbalanced Deep Models with User-Specified Metrics*, submission 4525 to ICLR 2024. The
    class-balanced form is this project's.

    Examples
    --------
    >>> from skimbalance.metrics import imbalance_state
    >>> proba = [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6]]
    >>> imbalance_state(proba)
    array([0.7, 0.3])
    >>> imbalance_state(proba, y=["ham", "ham", "ham", "spam"], class_balanced=True)
    array([0.6, 0.4])
    """
    shares = check_proba("proba", proba)
    weights = check_sample_weight(sample_weight, like=shares)
    if class_balanced:
        if y is None:
            raise ValueError("class_balanced=True needs y, the true labels; got None")
        known = check_column_labels(classes, of="classes", y=y, y_name="y", columns="proba", n_columns=shares.shape[1])
        shares = by_label(shares, proba, known, name="proba")
        codes = check_codes("y", y, labels=known)
        check_lengths(proba=shares, y=codes)
        weights = balanced_weights(codes, None if weights is None else to_numpy(weights), n_classes=len(known))
    elif classes is not None:
        shares = by_label(shares, proba, check_columns(classes, n_columns=shares.shape[1]), name="proba")
    return _mean(shares, weights)


def _mean(shares: Array, weights: Array | None) -> Array:
    """Return the weighted mean over the samples (K,), in float64."""
    xp = namespace(shares)
    wide = xp.astype(shares, xp.float64, copy=False)
    if weights is None:
        return xp.mean(wide, axis=0)
    mass = bring(weights, to=shares, dtype=xp.float64)
    return (mass / xp.sum(mass)) @ wide


@names_page
def imbalance_degree_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    soft: bool = False,
    labels: ArrayLike | None = None,
    prior: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Degree by which decisions flow from minority to majority classes; zero is balanced, one the most.

    .. math:: D = \frac{\sum_k (q_k - 1/K) \log \pi_k}{\max_k \log \pi_k - \mathrm{mean}_k \log \pi_k}

    with :math:`\pi_k` the prior of class k. :math:`q_k` is the share of samples that is predicted as k, or with
    ``soft=True`` its mean probability: the mean over the classes of `y_true`. With `D = 1` all samples go to the most
    frequent class. With `D = 0` there is no net flow towards majority classes, and with `D < 0` minority classes are
    favoured. In the binary case it is the recall of the majority class minus that of the minority class, in [-1, 1].
    For more the least is :math:`(\min_k \log \pi_k - \mathrm{mean}) / (\max_k \log \pi_k - \mathrm{mean})`, all samples
    at the rarest class, and never below :math:`-(K - 1)`.

    Zero is not perfection: flows in both directions may cancel, and random decisions have it too. Degrees compare only
    where the prior is the same: between a fold and another, pass `prior`.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_pred : array-like of shape (n_samples,), or (n_samples, K) where soft
        Predicted labels; where ``soft=True`` probabilities, those of the second class if one-dimensional.
    soft : bool, default=False
        Whether `y_pred` holds probabilities.
    labels : array-like of shape (K,), optional
        Label of each entry of `prior` and each column of `y_pred`, by default the sorted labels of `y_true`.
    prior : array-like of shape (K,), optional
        Reference prior, such as the class proportions or counts of the training set; by default that of `y_true`. Only
        ratios matter.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the samples.

    Returns
    -------
    float
        The degree.

    Raises
    ------
    ValueError
        If all classes of the prior are equally frequent, which leaves the degree undefined. Also if labels, columns or
        lengths do not match, `y_pred` is not probabilities with ``soft=True``, or weights are invalid.

    References
    ----------
    This project's definition, after the imbalance state of *Regulating Imbalanced Deep Models with User-Specified
    Metrics*, submission 4525 to ICLR 2024.

    Examples
    --------
    >>> from skimbalance.metrics import imbalance_degree_score
    >>> round(imbalance_degree_score([0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 1]), 3)
    0.5
    >>> round(imbalance_degree_score([0, 0, 1, 1], [0.1, 0.3, 0.4, 0.8], soft=True, prior=[0.9, 0.1]), 3)
    0.2
    """
    if not soft and labels is None and prior is None:
        return score_labels(ImbalanceDegree(), y_true, y_pred, sample_weight=sample_weight)
    shares = check_proba("y_pred", y_pred) if soft else None
    known = check_column_labels(
        labels,
        of="labels",
        y=y_true,
        y_name="y_true",
        columns="y_pred",
        n_columns=None if shares is None else int(shares.shape[1]),
    )
    shares = None if shares is None else by_label(shares, y_pred, known, name="y_pred")
    truth = check_codes("y_true", y_true, labels=known)
    predicted = check_codes("y_pred", y_pred, labels=known) if shares is None else shares
    check_lengths(y_true=truth, y_pred=predicted)
    weights = check_sample_weight(sample_weight, like=np.zeros(len(truth)))
    support = np.bincount(truth, weights, minlength=len(known)).astype(np.float64)
    if prior is not None:
        support = check_positive("prior", check_per_class("prior", prior, known), n_classes=len(known))
    elif not support.min() > 0:
        raise ValueError("y_true lacks samples of some of labels; pass prior=, the share of each, to count them in")
    require_imbalance(support)
    worth = prevalence(support)
    mass = balanced_weights(truth, weights, n_classes=len(known))
    flow = np.bincount(predicted, mass, minlength=len(known)) if shares is None else to_numpy(_mean(shares, mass))
    return float(flow @ worth / worth.max())
