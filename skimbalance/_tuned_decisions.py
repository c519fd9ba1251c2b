"""What a fitted tuner does: decide, shift scores, and report."""

from copy import copy
from typing import Any

import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skimbalance._array_api import bring, to_numpy
from skimbalance._dask import is_chunked, map_rows, n_columns
from skimbalance._report import Report
from skimbalance._typing import Array, ArrayLike, Kind
from skimbalance._validation import check_column_names, check_scores
from skimbalance.decision import decide, shifted, softmax
from skimbalance.exceptions import names_page
from skimbalance.scores import log_scores

__all__ = ["TunedDecisions"]


class TunedDecisions:
    """The decisions of a fitted tuner."""

    kind: Kind
    classes_: npt.NDArray[Any]
    offsets_: Array
    _kept: Any

    @names_page
    def predict(self, scores: ArrayLike) -> Array:
        """Predict the label of each row.

        Parameters
        ----------
        scores : array of shape (n, K), or (n,) for two classes
            Scores of the kind that the tuner was fitted on.

        Returns
        -------
        array of shape (n,)
            The labels, in the library and on the device of the scores where they are numbers, as a NumPy array
            where they are not.
        """
        if is_chunked(scores):
            return self._lazily("predict", scores, columns=None, dtype=self.classes_.dtype)
        columns = self._columns(scores)
        codes = decide(columns, self.offsets_)
        if self.classes_.dtype.kind in "biuf":
            return bring(self.classes_, to=columns)[codes]
        return self.classes_[to_numpy(codes)]

    @names_page
    def predict_proba(self, scores: ArrayLike) -> Array:
        """Return the softmax of the shifted log-scores, (n, K): proportional to ``proba * exp(offsets_)``.

        Parameters
        ----------
        scores : array of shape (n, K), or (n,) for two classes
            Scores of the kind that the tuner was fitted on.

        Returns
        -------
        array of shape (n, K)
            Probabilities whose argmax is the prediction, but where two differ by less than rounding.
        """
        if is_chunked(scores):
            return self._lazily("predict_proba", scores, columns=len(self.classes_), dtype=self.offsets_.dtype)
        return softmax(self.transform(scores))

    @names_page
    def transform(self, scores: ArrayLike) -> Array:
        """Return the log-scores plus the offsets, (n, K); their argmax is the prediction.

        Parameters
        ----------
        scores : array of shape (n, K), or (n,) for two classes
            Scores of the kind that the tuner was fitted on.

        Returns
        -------
        array of shape (n, K)
            Shifted log-scores.
        """
        if is_chunked(scores):
            return self._lazily("transform", scores, columns=len(self.classes_), dtype=self.offsets_.dtype)
        return shifted(self._columns(scores), self.offsets_)

    def report(self) -> Report:
        """Report what was asked for and what was reached, each class before and after, and the notes.

        Returns
        -------
        Report
            Print it, or let a notebook show it. Of more than 30 classes the text has the rarest alone.
        """
        check_is_fitted(self)
        return Report.of(self)

    def _lazily(self, method: str, scores: Array, *, columns: int | None, dtype: npt.DTypeLike) -> Array:
        """Return what a method makes of scores that lie in chunks, once it is asked for."""
        if n_columns(scores) != len(self.classes_):
            raise ValueError(
                f"scores must have {len(self.classes_)} columns, one for each class; got shape {tuple(scores.shape)}"
            )
        decides = copy(self)
        decides._kept = None  # these rows need not travel
        return map_rows(getattr(decides, method), scores, columns=columns, dtype=dtype)

    def _columns(self, scores: ArrayLike) -> Array:
        check_is_fitted(self)
        check_column_names(scores, self.classes_)
        return log_scores(check_scores(scores, kind=self.kind, n_classes=len(self.classes_)), kind=self.kind)
