"""What a fitted tuner does: decide, shift scores, and report."""

from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skimbalance._core.array_api import bring, is_dask, namespace, smallest_normal, to_numpy
from skimbalance._core.decision import decide_scores, shifted, softmax
from skimbalance._core.scores import log_scores
from skimbalance._core.typing import Array, ArrayLike, Kind
from skimbalance._core.validation import by_label, check_scores
from skimbalance.exceptions import names_page
from skimbalance.tuner._report import Report
from skimbalance.tuner.chunks import array_of, floating_of, map_blocks, n_columns
from skimbalance.tuner.labels import decide_label_scores, label_columns, label_proba, moved_log_odds

__all__ = ["TunedDecisions"]


class TunedDecisions:
    """The decisions of a fitted tuner."""

    kind: Kind
    classes_: npt.NDArray[Any]
    offsets_: Array
    multilabel_: bool
    threshold_: Any
    _kept: Any

    @names_page
    def predict(self, scores: ArrayLike) -> Array:
        """Predict the label of each sample.

        Parameters
        ----------
        scores : array of shape (n, K), or (n,) for two classes
            Scores of the kind that the tuner was fitted on; of several labels (n, L), or a list of L arrays (n, 2).

        Returns
        -------
        array of shape (n,)
            The labels, in the library and on the device of the scores where they are numbers, as a NumPy array
            where they are not. Of several labels the indicator (n, L), one where a label is predicted.
        """
        check_is_fitted(self)
        if is_dask(scores):
            columns, dtype = (len(self.classes_), np.int64) if self.multilabel_ else (None, self.classes_.dtype)
            return self._lazily("predict", scores, columns=columns, dtype=dtype)
        if self.multilabel_:
            given = label_columns(scores, kind=self.kind, labels=self.classes_)
            shifts = to_numpy(self.offsets_), to_numpy(self.threshold_)
            return bring(decide_label_scores(given, *shifts, kind=self.kind), to=given, dtype=namespace(given).int64)
        x = self._checked(scores)
        codes = self._codes(x)
        if self.classes_.dtype.kind in "biuf":
            return bring(self.classes_, to=x)[codes]
        return self.classes_[to_numpy(codes)]

    @names_page
    def predict_proba(self, scores: ArrayLike) -> Array:
        """Return the softmax of the shifted log-scores, (n, K): proportional to ``proba * exp(offsets_)``.

        Parameters
        ----------
        scores : array of shape (n, K), or (n,) for two classes
            Scores of the kind that the tuner was fitted on; of several labels (n, L), or a list of L arrays (n, 2).

        Returns
        -------
        array of shape (n, K)
            Probabilities whose argmax is the prediction, but where two differ by less than rounding. Of several labels
            the logistic function (n, L) of the shifted log-odds: a label is predicted where it is above one half. A tie
            is moved by rounding to the side of the prediction.
        """
        check_is_fitted(self)
        if is_dask(scores):
            return self._lazily("predict_proba", scores, columns=len(self.classes_), dtype=floating_of(scores))
        if self.multilabel_:
            given, moved = self._moved(scores)
            proba = bring(label_proba(moved), to=given, dtype=given.dtype)
            # Neither is certain: zero and one are what rounding has made of them.
            most = 1 - float(namespace(proba).finfo(proba.dtype).eps) / 2
            return namespace(proba).clip(proba, smallest_normal(proba), most)
        return softmax(self.transform(scores))

    @names_page
    def transform(self, scores: ArrayLike) -> Array:
        """Return the log-scores plus the offsets, (n, K); their argmax is the prediction.

        Parameters
        ----------
        scores : array of shape (n, K), or (n,) for two classes
            Scores of the kind that the tuner was fitted on; of several labels (n, L), or a list of L arrays (n, 2).

        Returns
        -------
        array of shape (n, K)
            Shifted log-scores, in the binary case of ``1 - p`` and ``p``. Of several labels the log-odds plus the
            offsets (n, L): a label is predicted where they are above zero. A tie is moved by rounding to the side of
            the prediction.
        """
        check_is_fitted(self)
        if is_dask(scores):
            return self._lazily("transform", scores, columns=len(self.classes_), dtype=floating_of(scores))
        if self.multilabel_:
            given, moved = self._moved(scores)
            return bring(moved, to=given, dtype=given.dtype)
        x = self._checked(scores)
        return shifted(log_scores(x, kind=self.kind), self.offsets_, decisions=self._codes(x))

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
        decides._kept = None  # these samples need not travel
        ordered = by_label(array_of(scores), scores, self.classes_)
        return map_blocks(getattr(decides, method), ordered, columns=columns, dtype=dtype)

    def _moved(self, scores: ArrayLike) -> tuple[Array, npt.NDArray[np.float64]]:
        """Return the scores of several labels as an array, and their log-odds with the offsets on the host."""
        given = label_columns(scores, kind=self.kind, labels=self.classes_)
        return given, moved_log_odds(given, to_numpy(self.offsets_), to_numpy(self.threshold_), kind=self.kind)

    def _checked(self, scores: ArrayLike) -> Array:
        x = check_scores(scores, kind=self.kind, n_classes=len(self.classes_))
        return by_label(x, scores, self.classes_)

    def _codes(self, x: Array) -> Array:
        """Return the code of the class that is predicted for each sample of checked scores."""
        return decide_scores(x, self.offsets_, kind=self.kind, threshold=getattr(self, "threshold_", None))
