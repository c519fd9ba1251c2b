"""Offsets in closed form, or given by the user."""

from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from skimbalance._core.array_api import namespace
from skimbalance._core.decision import centred, offsets_of, threshold_of
from skimbalance._core.decision_rule import ArgmaxRule, DecisionRule
from skimbalance._core.sklearn import (
    Interval,
    StrOptions,
    forget_fit,
    validates_parameters,
)
from skimbalance._core.typing import Array, ArrayLike, Kind, Label
from skimbalance._core.validation import check_codes, check_per_class, is_multilabel, shown
from skimbalance.classifier._base import OffsetClassifier
from skimbalance.classifier._targets import class_targets
from skimbalance.classifier.response import kind_of, proba_of_second
from skimbalance.solvers import prior_offsets

__all__ = ["FixedOffsetClassifier"]


class _GivenThreshold(ArgmaxRule):
    """Compare probabilities, or the logistic function of margins, with a given threshold."""

    def decide(self, scores: Array) -> Array:
        """Return the code (n,) of the predicted class of each sample."""
        proba = proba_of_second(scores, kind=self.kind)
        xp = namespace(proba)
        return xp.astype(proba >= self.threshold, xp.int64)


class FixedOffsetClassifier(OffsetClassifier):
    r"""Add fixed offsets to the scores of a classifier.

    With ``offsets="prior"`` the offsets are

    .. math:: b_k = -\tau \log \pi_k + \log \pi^*_k

    where :math:`\pi` is the class prior of the training samples and :math:`\pi^*` the `target_prior`.

    Parameters
    ----------
    estimator : classifier
        A classifier with `predict_proba` or `decision_function`. :meth:`fit` fits a clone on all samples; a
        :class:`~sklearn.frozen.FrozenEstimator` stays as it is.
    offsets : "prior", array-like of shape (K,) or dict, default="prior"
        The offsets.

        - ``"prior"``: the closed form above.
        - array-like: an offset for each class, in the order of `classes_`.
        - dict: offsets by label; missing labels get zero.
    threshold : float, default=None
        Binary only, instead of `offsets`: ``classes_[1]`` is predicted where its probability is at least `threshold`,
        a number from zero to one.
    tau : float, default=1.0
        Factor of the log-prior; used with ``offsets="prior"`` only.
    target_prior : array-like of shape (K,) or dict, default=None
        Class prior of unseen data; used with ``offsets="prior"`` only.

        - array-like: a positive number for each class, in the order of `classes_`.
        - dict: positive numbers by label.
        - None: equal priors.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier.
    classes_ : ndarray of shape (K,)
        The labels.
    multilabel_ : bool
        False: samples carry one label each.
    offsets_ : ndarray of shape (K,)
        The offsets.
    threshold_ : float
        Binary only: ``classes_[1]`` is predicted where ``estimator_.predict_proba(X)[:, 1] >= threshold_``. It is zero
        if every probability is enough, and infinity if none is.
    n_features_in_ : int
        Number of features, where the fitted classifier has it.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of features, where the fitted classifier has them.

    Raises
    ------
    ValueError
        From :meth:`fit`, if offsets or priors do not match the classes, offsets are not finite, or priors are not
        positive. Also if `threshold` is used with more than two classes, or with `offsets`, `tau` or `target_prior`.

    See Also
    --------
    TunedOffsetClassifierCV : Tunes the offsets for a metric.

    Notes
    -----
    For a calibrated classifier and :math:`\tau = 1` the decision is the Bayes decision under the target prior. Under
    equal priors it maximises balanced accuracy.

    If the classifier has no `predict_proba`, thresholds are compared with the logistic function of its margins. See
    the notes of :class:`OffsetTuner`.

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

    A given threshold on the probability of ``classes_[1]``:

    >>> clf = FixedOffsetClassifier(LogisticRegression(), threshold=0.055).fit(X, y)
    >>> bool(((clf.predict(X) == 1) == (clf.estimator_.predict_proba(X)[:, 1] >= 0.055)).all())
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **OffsetClassifier._parameter_constraints,
        "offsets": [StrOptions({"prior"}), "array-like", Mapping],
        "threshold": [Interval(Real, 0.0, 1.0, closed="both"), None],
        "tau": [Interval(Real, None, None, closed="neither")],
        "target_prior": ["array-like", Mapping, None],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        offsets: str | ArrayLike | Mapping[Label, float] = "prior",
        threshold: float | None = None,
        tau: float = 1.0,
        target_prior: ArrayLike | Mapping[Label, float] | None = None,
    ) -> None:
        self.estimator = estimator
        self.offsets = offsets
        self.threshold = threshold
        self.tau = tau
        self.target_prior = target_prior

    @validates_parameters
    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, **params: Any) -> Self:
        """Fit the classifier and compute the offsets.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample in the prior, and in the `fit` of the classifier if that takes weights. With metadata
            routing the classifier gets them if it requests them.
        **params : dict
            Parameters for the `fit` of the classifier; with metadata routing those that it requests.

        Returns
        -------
        FixedOffsetClassifier
            The fitted classifier itself.
        """
        if is_multilabel(y):
            raise ValueError(
                "FixedOffsetClassifier supports one label per sample, y of shape (n,); got a matrix. Pass a "
                "multilabel indicator to TunedOffsetClassifierCV"
            )
        X, y = indexable(X, y)
        targets = class_targets(y, sample_weight).learnt_by(self.estimator)
        self._check_threshold(targets.present)
        fit_params, _ = self._route(params, sample_weight, weighs="the prior")
        estimator = targets.fit(clone(self.estimator), X, **fit_params)
        classes = targets.columns(estimator)
        codes = check_codes("y", targets.y, labels=classes)
        support = np.bincount(codes, targets.weights, minlength=len(classes)).astype(np.float64)
        offsets = self._closed_form(support, classes)
        forget_fit(self)
        self._adopt(estimator, classes)
        self.offsets_ = offsets
        if len(classes) == 2:
            given = self.threshold
            self.threshold_ = threshold_of(offsets, kind=kind_of(estimator)) if given is None else float(given)
        return self

    def _check_threshold(self, classes: npt.NDArray[Any]) -> None:
        """Raise if a threshold is given for other than two classes, or with other parameters."""
        if self.threshold is None:
            return
        if len(classes) != 2:
            raise ValueError(
                f"threshold={shown(self.threshold)} is for binary problems; there are {len(classes)} classes. "
                "Pass offsets, one for each class"
            )
        prior = isinstance(self.offsets, str) and self.offsets == "prior"
        if not (prior and self.tau == 1.0 and self.target_prior is None):
            raise ValueError(
                f"threshold={shown(self.threshold)} alone fixes the decision; got offsets, tau or target_prior beside "
                "it. Leave either out"
            )

    def _rule(self, kind: Kind) -> DecisionRule:
        """Return the decision rule for scores of this kind; a given threshold is used without rounding."""
        if self.threshold is None:
            return super()._rule(kind)
        return _GivenThreshold(self.offsets_, self.threshold_, kind)

    def _closed_form(self, support: npt.NDArray[np.float64], classes: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        if self.threshold is not None:
            self._check_threshold(classes)  # a fitted estimator may have more classes than y
            return offsets_of(self.threshold)
        if not isinstance(self.offsets, str):
            return check_per_class("offsets", self.offsets, classes, missing=0.0)
        if not (support > 0).all():
            raise ValueError(
                f"offsets='prior' needs samples of positive sample_weight in every class; class "
                f"{shown(classes[support <= 0][0])} has none"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            offsets: npt.NDArray[np.float64] = prior_offsets(support, tau=self.tau)
        if not np.isfinite(offsets).all():
            raise ValueError(f"tau must keep the offsets finite; got {shown(self.tau)}")
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
            Parameters of `fit` go to the `fit` of the classifier, as it requests; `sample_weight` is used here too,
            unless :meth:`set_fit_request` changes that.
        """
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(estimator=self.estimator, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
        )
