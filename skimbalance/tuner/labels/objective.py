"""Objectives and constraints of multilabel fits: names, metrics, and the bounds of each label."""

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from skimbalance._core.typing import ArrayLike
from skimbalance._core.validation import check_columns, check_label, column_names, shown
from skimbalance.estimation import FitSpec
from skimbalance.goals import Constraint
from skimbalance.metrics._agreement import Accuracy
from skimbalance.metrics.base import Metric
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.overlap import Overlap
from skimbalance.metrics.registry import METRICS, get_metric, judges_scores
from skimbalance.tuner.labels._metrics import LabelMean, MicroRatio, MultilabelMetric, SamplesMean

__all__ = [
    "LabelConstraints",
    "check_label_spec",
    "get_multilabel_metric",
    "get_multilabel_metric_names",
    "label_constraints_of",
    "label_names",
]

LabelConstraints: TypeAlias = tuple[tuple[Constraint, BoundConstraint], ...]
"""The constraints of a label, and the bound that each sets on a binary metric."""

_STEMS = ("f1", "jaccard", "precision", "recall")
_AVERAGES = ("macro", "micro", "weighted", "samples")
_PRESENT = 1

_SOLVERS = ("auto", "coordinate_ascent")


def label_names(y: ArrayLike, *, n_labels: int, classes: ArrayLike | None = None) -> npt.NDArray[Any]:
    """Return the name of each label: `classes`, the columns of a data frame, or numbers."""
    if classes is not None:
        return check_columns(classes, n_columns=n_labels)
    columns = column_names(y)
    alike = len({isinstance(name, str) for name in columns}) == 1 and len(columns) == n_labels
    named = alike and all(isinstance(name, str | Integral) for name in columns)
    return check_columns(columns, n_columns=n_labels) if named else np.arange(n_labels)


def get_multilabel_metric_names() -> list[str]:
    """Return the names of multilabel metrics."""
    means = (name for name, metric in METRICS.items() if _is_mean(metric))
    return sorted([*(f"{stem}_{average}" for stem in _STEMS for average in _AVERAGES), *means, "hamming"])


def get_multilabel_metric(objective: Any, *, n_labels: int) -> MultilabelMetric:
    """Return the metric that `objective` names or is.

    Names are scikit-learn's. A binary metric without an average, such as ``"balanced_accuracy"`` or a cost, stands for
    its mean over the labels. A sequence of metrics has one metric for each label. ``"hamming"`` is the accuracy of
    single labels, one minus scikit-learn's Hamming loss.
    """
    if isinstance(objective, MultilabelMetric):
        return objective
    if isinstance(objective, str):
        return _named(objective)
    if isinstance(objective, list | tuple):
        return _one_each(objective, n_labels)
    if isinstance(objective, Metric):
        return _averaged(objective)
    raise ValueError(
        f"objective={objective!r} is for binary and multiclass targets; y is an indicator of {n_labels} labels. Name a "
        f"multilabel metric: {_offered()}; or pass a binary metric, or a list of them, one for each label"
    )


def _named(name: str) -> MultilabelMetric:
    stem, _, average = name.rpartition("_")
    if stem in _STEMS and average == "samples":
        return SamplesMean(_ratio(cast(Overlap, get_metric(f"{stem}_macro"))))
    if name == "hamming":
        return LabelMean(name, (Accuracy(),))
    if name == "accuracy":
        raise ValueError(
            "objective='accuracy' is the share of samples with every label right, which no solver supports. Use "
            "'hamming', the accuracy of single labels, or 'f1_samples'"
        )
    if name not in METRICS and not judges_scores(name):
        raise ValueError(f"objective={name!r} is not a known multilabel metric; there are {_offered()}")
    return _averaged(get_metric(name))


def _offered() -> str:
    return ", ".join(map(repr, get_multilabel_metric_names()))


def _averaged(metric: Metric) -> MultilabelMetric:
    """Return the metric over labels that a metric over classes stands for."""
    if isinstance(metric, Overlap):
        if metric.average == "micro":
            return MicroRatio(_ratio(metric))
        if metric.average == "binary":
            named = f"'{metric.name}_macro'" if metric.name in _STEMS else "one with average='macro'"
            raise ValueError(f"objective {metric.name!r} needs an average over labels, such as {named}")
        return LabelMean(metric.name, (_of_label(metric),), by_support=metric.average == "weighted")
    if not _is_mean(metric):
        raise ValueError(f"objective {metric.name!r} is not defined for multilabel targets; there are {_offered()}")
    metric.check(2)
    return LabelMean(metric.name, (_of_label(metric),))


def _one_each(metrics: Sequence[Any], n_labels: int) -> LabelMean:
    if len(metrics) != n_labels or not all(isinstance(metric, Metric | str) for metric in metrics):
        raise ValueError(
            f"a sequence as objective must hold a metric for each of {n_labels} labels, a binary one or its name; "
            f"got {shown(metrics)}"
        )
    known = [get_metric(metric) for metric in metrics]
    for metric in known:
        if isinstance(metric, Overlap) and metric.average != "binary":
            raise ValueError(
                f"a sequence as objective holds metrics of single labels; {metric.name!r} is an average over them. "
                f"Name {metric.stem!r} instead"
            )
        metric.check(2)
    if len({metric.direction for metric in known}) > 1:
        names = ", ".join(metric.name for metric in known)
        raise ValueError(
            f"of a sequence as objective more must be better for all metrics, or less for all, as of costs; got {names}"
        )
    return LabelMean("mean over labels", tuple(_of_label(metric) for metric in known))


def _is_mean(metric: Metric) -> bool:
    """Return whether the mean of the metric over labels is what a user can mean."""
    if isinstance(metric, Overlap) or metric.name in {"accuracy", "recall"}:
        return False
    return metric.decomposition != "general" and metric.direction != "zero"


def _of_label(metric: Metric) -> Metric:
    """Return the metric for one label against its absence."""
    return _ratio(metric) if isinstance(metric, Overlap) else metric.over((0, 1)).bind(_PRESENT)


def _ratio(metric: Overlap) -> Overlap:
    return replace(metric, average="binary").bind(_PRESENT)


def check_label_spec(spec: FitSpec, labels: npt.NDArray[Any]) -> None:
    """Raise where the settings do not fit a multilabel indicator."""
    get_multilabel_metric(spec.objective, n_labels=len(labels))
    if spec.pos_label is not None:
        raise ValueError(
            f"pos_label={shown(spec.pos_label)} is for binary targets; in an indicator the positive class of each "
            "label is its presence. Leave pos_label out"
        )
    if spec.reject_label is not None:
        raise ValueError(
            f"reject_label={shown(spec.reject_label)} is for binary and multiclass targets; got an indicator. Leave "
            "reject_label out"
        )
    if spec.class_prior is not None:
        raise ValueError(
            f"class_prior={shown(spec.class_prior)} is for binary and multiclass targets: samples of a multilabel "
            "target cannot be weighted to the prior of each label. Leave class_prior out, or pass sample_weight"
        )
    if spec.solver not in _SOLVERS:
        raise ValueError(
            f"solver={spec.solver!r} is for binary and multiclass targets; for an indicator it is one of "
            f"{', '.join(_SOLVERS)}"
        )
    label_constraints_of(spec.constraints, labels)


def label_constraints_of(constraints: Sequence[Constraint], labels: npt.NDArray[Any]) -> tuple[LabelConstraints, ...]:
    """Return the bounds of each label; a constraint without a label holds for each."""
    each: list[list[tuple[Constraint, BoundConstraint]]] = [[] for _ in labels]
    for constraint in constraints:
        if not isinstance(constraint, Constraint):
            raise TypeError(
                "constraints must hold AtLeast, AtMost or Near of skimbalance.goals, such as AtLeast('recall', 0.9); "
                f"got {constraint!r}"
            )
        metric = get_metric(constraint.metric)
        if isinstance(metric, Overlap) and metric.average != "binary":
            raise ValueError(
                f"for multilabel targets a constraint holds for each label, or for the one it names; {metric.name!r} "
                f"is an average over them. Name {metric.stem!r} instead"
            )
        required = BoundConstraint(_of_label(metric), *constraint.bounds())
        about = range(len(labels)) if constraint.label is None else [check_label("label", constraint.label, labels)]
        for label in about:
            each[label].append((constraint, required))
    return tuple(map(tuple, each))
