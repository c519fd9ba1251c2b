"""Offsets that are known beforehand."""

from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from skimbalance._label_request import several_labels
from skimbalance._sklearn import (
    Interval,
    StrOptions,
    forget_fit,
    routing_enabled,
    validates_parameters,
)
from skimbalance._typing import ArrayLike, Label
from skimbalance._validation import check_per_class
from skimbalance.classifier._base import (
    OffsetClassifier,
    check_targets,
    classes_for,
    fit_parameters,
    fitted,
    require_known,
)
from skimbalance.decision import centred, threshold_of
from skimbalance.solvers import prior_offsets

__all__ = ["FixedOffsetClassifier"]


class FixedOffsetClassifier(OffsetClassifier):
    r"""Shift the scores of a classifier by offsets that are known beforehand.

    With ``offsets="prior"`` the offsets are

    .. math:: b_k = -\tau \log \pi_k + \log \pi^*_k

    where :math:`\pi` is the class prior of the training rows and :math:`\pi^*` the `target_prior`: for a calibrated
    classifier and
    :math:`\tau = 1` the Bayes decision under that prior, by default under equal priors, which is the one of best
    balanced accuracy.

    Parameters
    ----------
    estimator : classifier
        A classifier with `predict_proba` or `decision_function`, fitted by :meth:`fit` on all rows; a fitted one
        inside :class:`~sklearn.frozen.FrozenEstimator` is left alone.
    offsets : "prior", array-like of shape (K,) or dict, default="prior"
        The closed form above; or an offset for each class in the order of `classes_`; or a mapping of labels to
        offsets, zero for the labels it lacks.
    tau : float, default=1.0
        Strength of the correction; used with ``offsets="prior"`` only.
    target_prior : array-like of shape (K,) or dict, default=None
        Class prior of the rows to be predicted, all positive; used with ``offsets="prior"`` only. None takes equal
        priors.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier.
    classes_ : ndarray of shape (K,)
        The labels.
    multilabel_ : bool
        False: rows carry one label each.
    offsets_ : ndarray of shape (K,)
        The offsets.
    threshold_ : float
        Two classes only: the probability of ``classes_[1]`` above which it is predicted.

    Raises
    ------
    ValueError
        From :meth:`fit`, if offsets or priors do not match the classes, or are not finite or not positive.

    See Also
    --------
    TunedOffsetClassifierCV : Finds the offsets that are best by a metric.

    References
    ----------
    Menon et al., *Long-tail learning via logit adjustment*, ICLR 2021, arXiv 2007.07314.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skimbalance import FixedOffsetClassifier
    >>> X, y = make_classification(weights=[0.9], random_state=0)
    >>> clf = FixedOffsetClassifier(LogisticRegression()).fit(X, y)
    >>> round(clf.threshold_, 2), round(float((y == 1).mean()), 2)
    (0.09, 0.09)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **OffsetClassifier._parameter_constraints,
        "offsets": [StrOptions({"prior"}), "array-like", Mapping],
        "tau": [Interval(Real, None, None, closed="neither")],
        "target_prior": ["array-like", Mapping, None],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        offsets: str | ArrayLike | Mapping[Label, float] = "prior",
        tau: float = 1.0,
        target_prior: ArrayLike | Mapping[Label, float] | None = None,
    ) -> None:
        self.estimator = estimator
        self.offsets = offsets
        self.tau = tau
        self.target_prior = target_prior

    @validates_parameters
    def fit(self, X: Any, y: ArrayLike, **params: Any) -> Self:
        """Fit the classifier, and take the offsets from the prior of `y` or as given.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,)
            Labels.
        **params : dict
            Parameters for the `fit` of the classifier. A `sample_weight` among them weights the prior too.

        Returns
        -------
        FixedOffsetClassifier
            The fitted classifier itself.
        """
        if several_labels(y):
            raise ValueError(
                "FixedOffsetClassifier is for one label a row, y of shape (n,); got a matrix. An indicator of several "
                "labels goes to TunedOffsetClassifierCV"
            )
        X, y = indexable(X, y)
        labels, present, weights = check_targets(y, params.get("sample_weight"))
        if routing_enabled():
            fit_params = process_routing(self, "fit", **params).estimator.fit
        else:
            fit_params = fit_parameters(self.estimator, params, weighs="the prior")
        named = classes_for(self.estimator, present)
        estimator = fitted(clone(self.estimator), X, labels, named, **fit_params)
        classes = require_known(present, estimator) if named is None else named
        place = {label: k for k, label in enumerate(classes.tolist())}
        codes = [place[label] for label in labels.tolist()]
        support = np.bincount(codes, weights, minlength=len(classes)).astype(np.float64)
        offsets = self._closed_form(support, classes)
        forget_fit(self)
        self._adopt(estimator, classes)
        self.offsets_ = offsets
        if len(classes) == 2:
            self.threshold_ = threshold_of(offsets)
        return self

    def _closed_form(self, support: npt.NDArray[np.float64], classes: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        if not isinstance(self.offsets, str):
            return check_per_class("offsets", self.offsets, classes, missing=0.0)
        if not (support > 0).all():
            raise ValueError(
                f"offsets='prior' needs rows of positive sample_weight in every class; class "
                f"{classes[support <= 0].tolist()[0]!r} has none"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            offsets: npt.NDArray[np.float64] = prior_offsets(support, tau=self.tau)
        if not np.isfinite(offsets).all():
            raise ValueError(f"tau must keep the offsets finite; got {self.tau!r}")
        if self.target_prior is None:
            return offsets
        target = check_per_class("target_prior", self.target_prior, classes, missing=None)
        if not (target > 0).all():
            raise ValueError(f"target_prior must be positive for every class; got {target.tolist()}")
        wanted: npt.NDArray[np.float64] = centred(offsets + np.log(target))
        return wanted

    def get_metadata_routing(self) -> MetadataRouter:
        """Get the metadata routing of this object.

        Returns
        -------
        MetadataRouter
            Parameters of `fit` go to the `fit` of the classifier, as it requests.
        """
        return MetadataRouter(owner=self).add(
            estimator=self.estimator, method_mapping=MethodMapping().add(caller="fit", callee="fit")
        )
