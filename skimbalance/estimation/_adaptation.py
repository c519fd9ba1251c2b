"""Offsets follow the classes: what new shares are estimated from, and what is to be said of them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, device, namespace, without_copy
from skimbalance._core.scores import log_scores
from skimbalance._core.text import abridged, shown
from skimbalance._core.typing import Array, Kind, Run
from skimbalance.estimation._kept_rows import KeptRows
from skimbalance.estimation._prior_shift import PriorShift, estimated_shift, rows_to_estimate_from
from skimbalance.exceptions import UncertainShiftWarning, warn_user
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import get_metric
from skimbalance.solvers import Problem

__all__ = ["notes_on_shift", "shift_to"]

_NAMED = 5
"""So many classes are named, those whose share has changed most."""


def shift_to(
    scores: Array, *, kept: KeptRows, kind: Kind, n_classes: int, level: float, seed: int, run: Run
) -> PriorShift:
    """Estimate how the shares of the classes shift from the samples `kept` to those of `scores`, of the same kind."""
    new = rows_to_estimate_from(without_copy(scores), n_classes=n_classes)
    own = without_copy(kept.scores)
    xp = namespace(own)
    codes = xp.asarray(kept.codes.astype(np.int64), device=device(own))
    weights = None if kept.weights is None else bring(kept.weights, to=own, dtype=xp.float64)
    truth = Truth.from_codes(codes, n_classes=n_classes, weights=weights)
    problem = Problem(log_scores(own, kind=kind), truth, get_metric("accuracy"), groups=kept.groups)
    if weights is not None:
        problem = problem.take(xp.nonzero(weights > 0)[0])
    unlabelled = log_scores(new, kind=kind)
    decided = Truth.from_codes(xp.argmax(unlabelled, axis=1), n_classes=n_classes)
    deployed = Problem(unlabelled, decided, problem.metric).in_order()
    return estimated_shift(problem.in_order(), deployed.scores, level=level, seed=seed, run=run)


def notes_on_shift(shift: PriorShift, labels: npt.NDArray[Any], *, level: float) -> list[str]:
    """Return what is to be said of the estimate, and warn where offsets are not to follow it."""
    absent = labels[shift.before == 0]
    notes = [
        f"Shares of the classes were estimated on {shift.n_samples} rows without labels: "
        f"{_listed(shift, labels, level)}.",
    ]
    if absent.size:
        notes.append(f"Nothing is known of {abridged(absent)}, which had no rows: they were taken to have no share.")
    if shift.is_significant:
        return [*notes, f"The offsets are for {shift.kept:.0%} of that shift; the rest may be chance."]
    notes.append(
        f"The shares of the classes in {shift.n_samples} rows without labels cannot be told from those that the "
        f"offsets are for, and the offsets were left as they are. More rows tell more; if you know the shares, fit "
        f"with class_prior."
    )
    warn_user(notes[-1], UncertainShiftWarning)
    return notes


def _listed(shift: PriorShift, labels: npt.NDArray[Any], level: float) -> str:
    """Return the estimates of the classes that have changed most, and how sure they are."""
    changes = np.abs(np.sqrt(shift.estimated) - np.sqrt(shift.before))
    order = np.argsort(-changes, kind="stable")
    told = "; ".join(
        f"{shown(labels[k])} {shift.estimated[k]:.3g} ({level:.0%} interval {shift.interval[0, k]:.3g} "
        f"to {shift.interval[1, k]:.3g}, by decisions alone {shift.by_decisions[k]:.3g}, so far {shift.before[k]:.3g})"
        for k in order[:_NAMED]
    )
    return told + (f"; and {len(order) - _NAMED} classes that changed less" if len(order) > _NAMED else "")
