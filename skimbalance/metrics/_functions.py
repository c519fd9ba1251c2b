"""Metrics as functions of labels, where scikit-learn has none of that name."""

import numpy as np
import numpy.typing as npt

from skimbalance._core.typing import ArrayLike, Label
from skimbalance._core.validation import check_label, check_label_pair, check_sample_weight, names_page
from skimbalance.metrics._recall import GeometricMean, WorstRecall
from skimbalance.metrics.base import Metric
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.imbalance import ImbalanceDegree
from skimbalance.metrics.state import degree_of_flow

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
    if soft or labels is not None or prior is not None:
        return degree_of_flow(y_true, y_pred, soft=soft, labels=labels, prior=prior, sample_weight=sample_weight)
    return score_labels(ImbalanceDegree(), y_true, y_pred, sample_weight=sample_weight)
