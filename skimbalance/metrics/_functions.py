"""Metrics as functions of labels, where scikit-learn has none of that name."""

import numpy as np
import numpy.typing as npt

from skimbalance._core.typing import ArrayLike, Label
from skimbalance._core.validation import check_label, check_label_pair, check_sample_weight, names_page
from skimbalance.metrics._recall import GeometricMean, WorstRecall
from skimbalance.metrics.base import Metric
from skimbalance.metrics.counts import Truth

__all__ = ["geometric_mean_score", "score_labels", "worst_recall_score"]


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
    if metric.is_binary:
        metric = metric.bind(len(classes) - 1 if pos_label is None else check_label("pos_label", pos_label, classes))
    weights = check_sample_weight(sample_weight, like=np.zeros(len(truth)))
    owned = Truth.from_codes(np.searchsorted(classes, truth), n_classes=len(classes), weights=weights)
    counts = owned.count(np.searchsorted(classes, pred), confusion=metric.needs_confusion)
    metric.check_support(counts.support)
    return metric.value(counts)


@names_page
def geometric_mean_score(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    r"""Geometric mean of the recalls of all classes, in [0, 1].

    .. math:: G = \left(\prod_{k=1}^{K} \frac{\mathrm{hits}_k}{\mathrm{support}_k}\right)^{1/K}

    over the K classes that occur in `y_true`. It is zero if one class has no true positives.

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


@names_page
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
