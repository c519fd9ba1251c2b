"""Input that is valid, and yet probably not what was meant: what is said of it."""

import math
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.text import shown
from skimbalance._core.typing import Array, Kind, Label
from skimbalance.exceptions import SkimbalanceWarning, warn_user
from skimbalance.metrics.base import Metric
from skimbalance.metrics.counts import Counts, HardTruth
from skimbalance.solvers import Problem

__all__ = ["check_decisions", "check_input", "check_label_input"]

_NO_ERROR = (
    "The classifier makes no error on these rows, which leaves nothing to tune. Was it trained on them? Offsets need "
    "rows that it was not trained on."
)

_LOOKED_AT = 4096
"""About so many scores tell."""

_LEAST = 20
"""Of fewer samples nothing is said."""

_FREQUENT = 2.0
"""A positive class so many times as frequent as the other is not the one that was meant."""

_ERRORS = 4.0
"""By so many standard errors a class has lower scores in its own samples before anything is said."""


def check_input(
    problem: Problem, labels: npt.NDArray[Any], *, given: Array, kind: Kind, ordered: bool, pos_label: Label
) -> list[str]:
    """Return, and warn of, what is probably another class, kind or order of columns than was meant.

    Of the order nothing is said where the user has named it.
    """
    step = 1 + math.prod(given.shape) // _LOOKED_AT
    if problem.scores.shape[0] < _LEAST:
        return []
    doubts = [_of_kind(to_numpy(given[::step, ...]), kind)]
    if len(labels) == 2:
        scores = to_numpy(problem.scores[::step, :])
        codes = to_numpy(cast(HardTruth, problem.truth).codes[::step])
        doubts += [] if ordered else [_of_order(scores[:, 1] - scores[:, 0], codes, labels)]
        doubts += [_of_positive(problem.metric, to_numpy(problem.truth.support), labels, pos_label)]
    notes = [note for note in doubts if note]
    for note in notes:
        warn_user(note, SkimbalanceWarning)
    return notes


def _of_kind(scores: npt.NDArray[Any], kind: Kind) -> str:
    """Tell probabilities that are passed for logits."""
    if kind != "logits" or scores.min() < 0 or scores.max() > 1:
        return ""
    if scores.ndim == 2 and not np.allclose(scores.sum(axis=1), 1, atol=1e-3):
        return ""
    return (
        "The logits are all between 0 and 1: if they are probabilities, pass kind='proba' to OffsetTuner; a classifier "
        "returns them from predict_proba."
    )


def _of_order(log_odds: npt.NDArray[Any], codes: npt.NDArray[Any], labels: npt.NDArray[Any]) -> str:
    """Tell scores of the other class, which are higher in the samples of the first."""
    own, others = log_odds[codes == 1], log_odds[codes == 0]
    if min(len(own), len(others)) < 2:
        return ""
    error = np.sqrt(own.var() / len(own) + others.var() / len(others))
    if own.mean() - others.mean() > -_ERRORS * error:
        return ""
    return (
        f"The scores of {labels[1]} are lower in its own rows than in those of {labels[0]}: columns go by the sorted "
        f"labels, or by `classes`, and one column alone is that of {labels[1]}."
    )


def _of_positive(metric: Metric, support: npt.NDArray[Any], labels: npt.NDArray[Any], pos_label: Label) -> str:
    """Tell a metric of the frequent class that nobody has asked for by name."""
    if not metric.is_binary or pos_label is not None or metric.label != 1 or support[1] < _FREQUENT * support[0]:
        return ""
    return (
        f"{metric.name} is about {labels[1]}, the second label and the frequent one: {support[1]:g} of "
        f"{support.sum():g} rows. Pass pos_label={shown(labels[0])} for the rare class, or "
        f"pos_label={shown(labels[1])} if this is meant."
    )


def check_label_input(
    scores: npt.NDArray[Any], indicator: npt.NDArray[np.bool_], kind: Kind, *, wrong: npt.NDArray[np.bool_]
) -> list[str]:
    """Return, and warn of, scores and an indicator (n, L) that are probably of another kind, or of classes.

    `wrong` (n, L) are the errors without offsets: samples without any are probably those that the classifier knows.
    """
    if len(scores) < _LEAST:
        return []
    step = 1 + scores.size // _LOOKED_AT
    doubts = [_of_kind(scores[::step].reshape(-1), kind), _of_classes(scores[::step], indicator, kind)]
    notes = [note for note in doubts if note]
    for note in notes:
        warn_user(note, SkimbalanceWarning)
    return notes if wrong.any() else [*notes, _NO_ERROR]


def _of_classes(scores: npt.NDArray[Any], indicator: npt.NDArray[np.bool_], kind: Kind) -> str:
    """Tell classes, one a sample, that are passed as labels, of which each has a say of its own."""
    if kind == "logits" or not (np.count_nonzero(indicator, axis=1) == 1).all():
        return ""
    sums = (scores if kind == "proba" else np.exp(scores)).sum(axis=1)
    if not np.allclose(sums, 1, atol=1e-3):
        return ""
    return (
        "Each row carries one label alone, and its probabilities sum to one: if these are classes, of which one is "
        "to be predicted, pass y.argmax(axis=1)."
    )


def check_decisions(metric: Metric, labels: npt.NDArray[Any], *, before: Counts, after: Counts) -> list[str]:
    """Return what decisions say of the samples and of the goal that is probably not meant."""
    notes = []
    support = to_numpy(before.support)
    if support.sum() >= _LEAST and np.array_equal(to_numpy(before.hits), support):
        notes.append(_NO_ERROR)
    chosen = np.flatnonzero(to_numpy(after.predicted))
    if chosen.size == 1:
        notes.append(
            f"Every row is predicted as {labels[chosen[0]]}: {metric.name} alone is best so on these rows. If that is "
            "not meant, weigh both errors, as FBeta or Cost do, or add a constraint."
        )
    return notes
