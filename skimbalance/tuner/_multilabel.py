"""Several labels a sample: an offset for each of them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import bring, to_numpy
from skimbalance._core.columns import by_label
from skimbalance._core.decision_rule import check_label_columns, decide_labels, label_log_odds, label_threshold
from skimbalance._core.sklearn import one_blas_thread
from skimbalance._core.typing import Array, ArrayLike, Kind
from skimbalance._core.validation import check_groups, check_lengths, check_sample_weight
from skimbalance.tuner._goal import FitResult, FitSpec
from skimbalance.tuner._input_checks import check_label_input
from skimbalance.tuner.label_objective import check_label_goals, label_metric, label_names
from skimbalance.tuner.labels import Indicator, MultilabelFit, check_indicator, fit_multilabel

__all__ = ["fit_labels"]


def fit_labels(
    goal: FitSpec,
    scores: ArrayLike,
    y: ArrayLike,
    *,
    classes: ArrayLike | None,
    sample_weight: ArrayLike | None,
    groups: ArrayLike | None = None,
    known: Indicator | None = None,
) -> FitResult:
    """Fit an offset for each label; see `OffsetTuner.fit`, and `fit_multilabel` for what is `known`."""
    indicator = check_indicator(y)
    n_labels = indicator.shape[1]
    names = label_names(y, n_labels=n_labels, classes=classes)
    indicator = by_label(indicator, y, names, name="y")
    _check_goal(goal, names)
    given = check_label_columns(scores, kind=goal.kind, labels=names)
    check_lengths(scores=given, y=indicator)
    host = to_numpy(given)
    log_odds = label_log_odds(host, kind=goal.kind)
    whole = slice(None) if known is None else known.all(axis=1)
    with one_blas_thread():
        found = fit_multilabel(
            log_odds,
            indicator,
            metric=label_metric(goal.objective, n_labels=n_labels),
            constraints=goal.constraints,
            labels=names,
            weights=check_sample_weight(sample_weight, like=host),
            groups=check_groups(groups, n_samples=len(indicator)),
            known=known,
            dtype=host.dtype,
            estimate=goal.estimate,
            n_bootstraps=goal.n_bootstraps,
            confidence_level=goal.confidence_level,
            seed=goal.seed,
            run=goal.run,
            progress=goal.progress,
        )
    wrong = decide_labels(log_odds, 0.0) != indicator
    notes = check_label_input(host[whole], indicator[whole], goal.kind, wrong=wrong[whole])
    return _fitted(found, names, notes, kind=goal.kind, like=given)


def _check_goal(goal: FitSpec, labels: npt.NDArray[Any]) -> None:
    check_label_goals(
        goal.objective,
        goal.constraints,
        labels=labels,
        pos_label=goal.pos_label,
        class_prior=goal.class_prior,
        solver=goal.solver,
    )


def _fitted(found: MultilabelFit, labels: npt.NDArray[Any], doubts: list[str], *, kind: Kind, like: Array) -> FitResult:
    """Return what was found, where the scores came from."""
    interval, dtype = found.offsets_interval, to_numpy(like[:0, ...]).dtype
    thresholds = np.array([label_threshold(offset, kind=kind, dtype=dtype) for offset in found.offsets])
    return FitResult(
        classes=labels,
        offsets=bring(found.offsets, to=like, dtype=like.dtype),
        in_sample_score=found.in_sample_score,
        untuned_score=found.untuned_score,
        class_profile=found.profile,
        n_iter=found.n_iter,
        notes=found.notes + doubts,
        threshold=bring(thresholds, to=like),
        score=found.score,
        score_interval=found.score_interval,
        offsets_interval=None if interval is None else bring(interval, to=like, dtype=like.dtype),
        multilabel=True,
    )
