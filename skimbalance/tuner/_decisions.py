"""What a fitted tuner does: decide, shift scores, and report."""

from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skimbalance._core.array_api import is_dask
from skimbalance._core.decision import log_scores
from skimbalance._core.decision_rule import DecisionRule, named, rule_of
from skimbalance._core.sklearn import SetOutputMixin
from skimbalance._core.typing import Array, ArrayLike, Kind, Label
from skimbalance._core.validation import by_label, names_page, shown
from skimbalance.metrics._cost import check_cost_matrix
from skimbalance.tuner._report import Report
from skimbalance.tuner.chunks import array_of, floating_of, map_blocks, n_columns

__all__ = ["TunedDecisions"]


class TunedDecisions(SetOutputMixin):
    """The decisions of a fitted tuner."""

    kind: Kind
    reject_label: Label
    classes_: npt.NDArray[Any]
    offsets_: Array
    multilabel_: bool
    threshold_: Any
    _kept: Any
    _cost_rule: Any
    _sklearn_output_config: dict[str, str]

    @names_page
    def predict(self, scores: ArrayLike, *, cost_matrix: ArrayLike | None = None) -> Array:
        """Predict the label of each sample.

        Parameters
        ----------
        scores : array of shape (n, K), or (n,) for two classes
            Scores of the kind that the tuner was fitted on; multilabel (n, L), or a list of L arrays (n, 2).
        cost_matrix : array-like of shape (n, K, K), default=None
            The costs of each sample, where they are known. Instead of offsets, the lowest expected cost under
            calibrated probabilities then decides. The tuner must have been fitted with costs.

        Returns
        -------
        array of shape (n,)
            The labels. Numbers are in the library and on the device of the scores, other labels in a NumPy array. For
            multilabel targets the indicator (n, L), one where a label is predicted.
        """
        check_is_fitted(self)
        if cost_matrix is not None:
            return self._predict_with_costs(scores, cost_matrix)
        if is_dask(scores):
            columns, dtype = self._rule.prediction_type(self.classes_)
            return self._lazily("predict", scores, columns=columns, dtype=dtype)
        rule = self._rule
        return rule.predict(rule.check(scores, self.classes_), self.classes_)

    @names_page
    def predict_proba(self, scores: ArrayLike) -> Array:
        """Return the softmax of the shifted log-scores, (n, K): proportional to ``proba * exp(offsets_)``.

        Parameters
        ----------
        scores : array of shape (n, K), or (n,) for two classes
            Scores of the kind that the tuner was fitted on; multilabel (n, L), or a list of L arrays (n, 2).

        Returns
        -------
        array of shape (n, K)
            Probabilities whose argmax is the prediction, but where two differ by less than rounding. For multilabel
            targets the logistic function (n, L) of the shifted log-odds: a label is predicted where it is above one
            half. A tie is moved by rounding to the side of the prediction.
        """
        check_is_fitted(self)
        if is_dask(scores):
            return self._lazily("predict_proba", scores, columns=len(self.classes_), dtype=floating_of(scores))
        return self._rule.proba(self._rule.check(scores, self.classes_))

    @names_page
    def transform(self, scores: ArrayLike) -> Array:
        """Return the log-scores plus the offsets, (n, K); their argmax is the prediction.

        Parameters
        ----------
        scores : array of shape (n, K), or (n,) for two classes
            Scores of the kind that the tuner was fitted on; multilabel (n, L), or a list of L arrays (n, 2).

        Returns
        -------
        array of shape (n, K)
            Shifted log-scores, in the binary case of ``1 - p`` and ``p``. For multilabel targets the log-odds plus the
            offsets (n, L): a label is predicted where they are above zero. A tie is moved by rounding to the side of
            the prediction. After ``set_output(transform="pandas")`` a data frame with a column for each label.
        """
        check_is_fitted(self)
        if is_dask(scores):
            return self._lazily("transform", scores, columns=len(self.classes_), dtype=floating_of(scores))
        return self._rule.shifted(self._rule.check(scores, self.classes_))

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of the columns of :meth:`transform`.

        Parameters
        ----------
        input_features : None
            Not used, present for consistency with scikit-learn.

        Returns
        -------
        ndarray of shape (K,)
            The labels as strings.
        """
        check_is_fitted(self)
        return np.array([str(label) for label in self.classes_], dtype=object)

    def report(self) -> Report:
        """Report the objective and the scores, each class before and after, and the notes.

        Returns
        -------
        Report
            Print it, or let a notebook show it. Of more than 30 classes the text has the smallest alone.
        """
        check_is_fitted(self)
        return Report.of(self)

    @property
    def _rule(self) -> DecisionRule:
        """The rule that `offsets_` and `threshold_` make."""
        return rule_of(self, kind=self.kind)

    def _predict_with_costs(self, scores: ArrayLike, cost_matrix: ArrayLike) -> Array:
        """Predict the class with the lowest expected cost."""
        if self._cost_rule is None or is_dask(scores):
            raise ValueError(
                "cost_matrix in predict needs scores in memory, and a tuner that was fitted with cost_matrix; got "
                f"{'a Dask array' if is_dask(scores) else 'a tuner fitted without it'}"
            )
        if self.reject_label is not None:
            raise ValueError(
                "cost_matrix in predict decides every sample; got a tuner with reject_label="
                f"{shown(self.reject_label)}. Predict without cost_matrix, or fit without reject_label"
            )
        rule = self._rule
        checked = rule.check(scores, self.classes_)
        sizes = {"n_samples": int(checked.shape[0]), "n_classes": len(self.classes_)}
        costs, _ = check_cost_matrix(cost_matrix, **sizes, like=checked)
        decisions = self._cost_rule.decide(log_scores(checked, kind=self.kind), costs)
        return named(decisions, self.classes_)

    def _lazily(self, method: str, scores: Array, *, columns: int | None, dtype: npt.DTypeLike) -> Array:
        """Apply a method lazily to each chunk of scores."""
        if n_columns(scores) != len(self.classes_):
            raise ValueError(
                f"scores must have {len(self.classes_)} columns, one for each class; got shape {tuple(scores.shape)}"
            )
        decides = copy(self)
        decides._kept = decides._cost_rule = None  # workers do not need the samples of the fit
        decides._sklearn_output_config = {"transform": "default"}  # chunks are arrays
        ordered = by_label(array_of(scores), scores, self.classes_)
        return map_blocks(getattr(decides, method), ordered, columns=columns, dtype=dtype)
