"""From an objective to a metric of several labels, and from constraints to what each label must meet."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias, cast

import numpy.typing as npt

from skimbalance._core.labels import check_label
from skimbalance._core.text import shown
from skimbalance.goals import Constraint
from skimbalance.metrics._agreement import Accuracy
from skimbalance.metrics.base import Metric
from skimbalance.metrics.bound import BoundConstraint
from skimbalance.metrics.overlap import Overlap
from skimbalance.metrics.registry import METRICS, get_metric, judges_scores
from skimbalance.tuner.labels._counts import LabelCounts
from skimbalance.tuner.labels._metrics import LabelMean, MicroRatio, MultilabelMetric, SamplesMean

__all__ = [
    "LabelConstraints",
    "MultilabelObjective",
    "check_constraints",
    "get_multilabel_metric",
    "get_multilabel_metric_names",
    "label_constraints_of",
    "notes_on_constraint",
]

MultilabelObjective: TypeAlias = str | Metric | MultilabelMetric | Sequence[Metric | str]

LabelConstraints: TypeAlias = tuple[tuple[Constraint, BoundConstraint], ...]
"""What a label must meet: each constraint, and what it asks of the label."""

_STEMS = ("f1", "jaccard", "precision", "recall")
_AVERAGES = ("macro", "micro", "weighted", "samples")
_PRESENT = 1

_TOLD = 20
"""So many constraints of labels are told of."""


def get_multilabel_metric_names() -> list[str]:
    """Return the names that an objective over several labels may have."""
    means = (name for name, metric in METRICS.items() if _is_mean(metric))
    return sorted([*(f"{stem}_{average}" for stem in _STEMS for average in _AVERAGES), *means, "hamming"])


def get_multilabel_metric(objective: MultilabelObjective, *, n_labels: int) -> MultilabelMetric:
    """Return the metric that `objective` names or is.

    Names are scikit-learn's; a metric of two classes without an average, such as ``"balanced_accuracy"`` or a cost,
    becomes its mean over the labels, and a sequence of metrics is one for each label. ``"hamming"`` is the accuracy of
    single labels, one minus scikit-learn's Hamming loss.
    """
    if isinstance(objective, MultilabelMetric):
        return objective
    if isinstance(objective, str):
        return _named(objective)
    if isinstance(objective, Sequence):
        return _one_each(objective, n_labels)
    return _averaged(get_metric(objective))


def _named(name: str) -> MultilabelMetric:
    stem, _, average = name.rpartition("_")
    if stem in _STEMS and average == "samples":
        return SamplesMean(_ratio(cast(Overlap, get_metric(f"{stem}_macro"))))
    if name == "hamming":
        return LabelMean(name, (Accuracy(),))
    if name == "accuracy":
        raise ValueError(
            "objective='accuracy' is the share of rows with every label right, which offsets cannot be solved for; "
            "name 'hamming' for the accuracy of single labels, or 'f1_samples'"
        )
    if name not in METRICS and not judges_scores(name):
        raise ValueError(f"objective={name!r} is not a known metric of several labels; {_offered()}")
    return _averaged(get_metric(name))


def _offered() -> str:
    return f"there are {', '.join(map(repr, get_multilabel_metric_names()))}"


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
        raise ValueError(f"objective {metric.name!r} is not defined for several labels a row; {_offered()}")
    metric.check(2)
    return LabelMean(metric.name, (_of_label(metric),))


def _one_each(metrics: Sequence[Any], n_labels: int) -> LabelMean:
    if len(metrics) != n_labels or not all(isinstance(metric, Metric | str) for metric in metrics):
        raise ValueError(
            f"a sequence as objective must hold a metric for each of {n_labels} labels, one of two classes or its "
            f"name; got {shown(metrics)}"
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
        told = ", ".join(metric.name for metric in known)
        raise ValueError(
            f"of a sequence as objective more must be better for all metrics, or less for all, as of costs; got {told}"
        )
    return LabelMean("mean over labels", tuple(_of_label(metric) for metric in known))


def _is_mean(metric: Metric) -> bool:
    """Tell whether the mean of the metric over labels is what a user can mean."""
    if isinstance(metric, Overlap) or metric.name in {"accuracy", "recall"}:
        return False
    return metric.decomposition != "general" and metric.direction != "zero"


def _of_label(metric: Metric) -> Metric:
    """Return the metric for one label against its absence."""
    return _ratio(metric) if isinstance(metric, Overlap) else metric.over((0, 1)).bind(_PRESENT)


def _ratio(metric: Overlap) -> Overlap:
    return replace(metric, average="binary").bind(_PRESENT)


def check_constraints(constraints: Sequence[Constraint], labels: npt.NDArray[Any]) -> None:
    """Raise where a constraint is none of these labels."""
    label_constraints_of(constraints, labels)


def label_constraints_of(constraints: Sequence[Constraint], labels: npt.NDArray[Any]) -> tuple[LabelConstraints, ...]:
    """Return what each label must meet; a constraint without a label is about every one of them."""
    wanted: list[list[tuple[Constraint, BoundConstraint]]] = [[] for _ in labels]
    for constraint in constraints:
        required = BoundConstraint(_constrained(constraint), *constraint.bounds())
        about = range(len(labels)) if constraint.label is None else [check_label("label", constraint.label, labels)]
        for label in about:
            wanted[label].append((constraint, required))
    return tuple(map(tuple, wanted))


def _constrained(constraint: Constraint) -> Metric:
    if not isinstance(constraint, Constraint):
        raise TypeError(
            "constraints must hold AtLeast, AtMost or Near of skimbalance.goals, such as AtLeast('recall', 0.9); "
            f"got {constraint!r}"
        )
    metric = get_metric(constraint.metric)
    if isinstance(metric, Overlap) and metric.average != "binary":
        raise ValueError(
            f"with several labels a constraint holds for each label, or for the one it names; {metric.name!r} is an "
            f"average over them. Name {metric.stem!r} instead"
        )
    return _of_label(metric)


def notes_on_constraint(wanted: Sequence[LabelConstraints], counts: LabelCounts, labels: npt.NDArray[Any]) -> list[str]:
    """Return what each constraint comes to in decisions; of many labels, that of the first few that have samples."""
    notes = []
    for j, each in enumerate(wanted):
        for constraint, required in each if counts.total[j] > 0 else ():
            of = "" if constraint.label is not None else f" for {shown(labels[j])}"
            notes.append(f"Asked for {constraint}{of}: {required.metric.value(counts.of(j)):.4g} on held-out rows.")
    more = [f"And {len(notes) - _TOLD} more of the kind."] if len(notes) > _TOLD else []
    return notes[:_TOLD] + more
