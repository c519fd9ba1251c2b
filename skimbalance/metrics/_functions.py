"""Metrics as functions of labels, where scikit-learn has none of that name."""

import numpy as np
import numpy.typing as npt

from skimbalance._typing import ArrayLike, Label
from skimbalance._validation import check_label, check_label_pair, check_sample_weight
from skimbalance.metrics._base import Metric
from skimbalance.metrics._counts import Truth
from skimbalance.metrics._imbalance import ImbalanceDegree
from skimbalance.metrics._recall import GeometricMean, WorstRecall

__all__ = ["geometric_mean_score", "imbalance_degree_score", "score_labels", "worst_recall_score"]


def score_labels(
    metric: Metric,
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    pos_label: Label = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Compute `metric` from labels of any type."""
    truth, pred = check_label_pair(y_true, y_pred)
    classes: npt.NDArray[np.generic] = np.union1d(truth, pred)
    if metric.two_class:
        metric = metric.bind(len(classes) - 1 if pos_label is None else check_label("pos_label", pos_label, classes))
    weights = check_sample_weight(sample_weight, like=np.zeros(len(truth)))
    owned = Truth.from_codes(np.searchsorted(classes, truth), n_classes=len(classes), weights=weights)
    counts = owned.count(np.searchsorted(classes, pred), confusion=metric.needs_confusion)
    metric.check_support(counts.support)
    return metric.value(counts)


def geometric_mean_score(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    r"""Geometric mean of the recalls of all classes, in [0, 1].

    .. math:: G = \Big(\prod_{k=1}^{K} \frac{\mathrm{hits}_k}{\mathrm{support}_k}\Big)^{1/K}

    over the K classes that occur in `y_true`. It is zero as soon as one of them is never hit.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_pred : array-like of shape (n_samples,)
        Predicted labels.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the samples.

    Returns
    -------
    float
        The geometric mean.

    Raises
    ------
    ValueError
        If the lengths differ, or weights are negative, not finite or all zero.

    References
    ----------
    Kubat and Matwin, *Addressing the curse of imbalanced training sets*, ICML 1997.

    Examples
    --------
    >>> from skimbalance.metrics import geometric_mean_score
    >>> geometric_mean_score([0, 0, 0, 0, 1], [0, 0, 0, 1, 1])
    0.866...
    """
    return score_labels(GeometricMean(), y_true, y_pred, sample_weight=sample_weight)


def worst_recall_score(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    r"""Lowest recall of all classes that occur in `y_true`, in [0, 1].

    .. math:: \min_k \frac{\mathrm{hits}_k}{\mathrm{support}_k}

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_pred : array-like of shape (n_samples,)
        Predicted labels.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the samples.

    Returns
    -------
    float
        The lowest recall.

    Raises
    ------
    ValueError
        If the lengths differ, or weights are negative, not finite or all zero.

    References
    ----------
    Narasimhan et al., *Consistent multiclass algorithms for complex metrics and constraints*, arXiv 2210.09695, 2022.

    Examples
    --------
    >>> from skimbalance.metrics import worst_recall_score
    >>> worst_recall_score([0, 0, 0, 0, 1], [0, 0, 0, 1, 1])
    0.75
    """
    return score_labels(WorstRecall(), y_true, y_pred, sample_weight=sample_weight)


def imbalance_degree_score(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    r"""Degree by which decisions flow from the rare classes to the frequent ones; zero is balanced, one the most.

    .. math:: D = \frac{\sum_k (q_k - 1/K) \log \pi_k}{\max_k \log \pi_k - \mathrm{mean}_k \log \pi_k}

    with :math:`\pi_k` the share of class k in `y_true`, and :math:`q_k` the mean over the K classes of the share of
    their rows that is predicted as k. `D = 1` says that all rows go to the most frequent class, `D < 0` that the rare
    classes are favoured. For two classes it is the recall of the frequent class minus that of the rare one.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_pred : array-like of shape (n_samples,)
        Predicted labels.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the samples.

    Returns
    -------
    float
        The degree.

    Raises
    ------
    ValueError
        If all classes are equally frequent, which leaves the degree undefined; if the lengths differ, or weights
        are negative, not finite or all zero.

    References
    ----------
    This project's definition, after the imbalance state of *Regulating Imbalanced Deep Models with User-Specified
    Metrics*, submission 4525 to ICLR 2024.

    Examples
    --------
    >>> from skimbalance.metrics import imbalance_degree_score
    >>> round(imbalance_degree_score([0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 1]), 3)
    0.5
    """
    return score_labels(ImbalanceDegree(), y_true, y_pred, sample_weight=sample_weight)
