"""What is drawn of an estimator: its tuner, and the scores of rows with their labels."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skimbalance._array_api import as_array, to_numpy
from skimbalance._response import respond
from skimbalance._typing import Array, ArrayLike, Kind
from skimbalance._validation import check_labels, check_lengths, check_sample_weight, check_scores
from skimbalance.decision import decide
from skimbalance.metrics._counts import Counts, Truth
from skimbalance.scores import KINDS, log_scores
from skimbalance.tuner import OffsetTuner

__all__ = ["Rows", "Source", "labelled", "source_of", "tuner_of"]


class Source(NamedTuple):
    """A fitted tuner, and scores for it of which kind."""

    tuner: OffsetTuner
    scores: Array
    kind: Kind


def tuner_of(estimator: Any) -> OffsetTuner:
    """Return the fitted tuner that an estimator has, or is."""
    check_is_fitted(estimator)
    tuner = getattr(estimator, "tuner_", estimator)
    if not isinstance(tuner, OffsetTuner):
        raise TypeError(
            f"estimator must be a fitted TunedOffsetClassifierCV or OffsetTuner; got {type(estimator).__name__}"
        )
    return tuner


def source_of(estimator: Any, X: Any) -> Source:
    """Return the tuner and the scores of `X`: what the classifier says of the rows, or for a bare tuner `X` itself."""
    tuner = tuner_of(estimator)
    if tuner is estimator:
        return Source(tuner, as_array(X), tuner.kind)
    response = respond(estimator.estimator_, X, response_method=estimator.response_method, classes=estimator.classes_)
    return Source(tuner, response.scores, response.kind)


@dataclass(frozen=True)
class Rows:
    """Log-scores (n, K) on the host, the truth of the rows, and the labels of the columns."""

    scores: npt.NDArray[np.floating[Any]]
    truth: Truth
    classes: npt.NDArray[Any]

    def decided(self, offsets: ArrayLike) -> Counts:
        """Count what the decisions under these offsets achieve."""
        return self.truth.count(decide(self.scores, offsets), confusion=True)


def labelled(
    scores: ArrayLike,
    y: ArrayLike,
    *,
    kind: Kind,
    classes: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> Rows:
    """Check scores and labels, and return them as rows."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
    x = to_numpy(check_scores(scores, kind=kind))
    check_lengths(scores=x, y=as_array(y))
    codes, labels = check_labels(y, classes=classes, n_classes=2 if x.ndim == 1 else x.shape[1])
    weights = check_sample_weight(sample_weight, like=x)
    return Rows(log_scores(x, kind=kind), Truth.from_codes(codes, n_classes=len(labels), weights=weights), labels)
