"""What a user asks for of several labels a sample: a metric of them, or why it cannot be had."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import as_array, is_dask
from skimbalance._core.typing import ArrayLike, Label
from skimbalance._core.validation import check_columns, column_names, shown
from skimbalance.goals import Constraint
from skimbalance.metrics.base import Metric
from skimbalance.solvers import Search
from skimbalance.tuner.labels import MultilabelMetric, get_multilabel_metric, get_multilabel_metric_names
from skimbalance.tuner.labels import check_constraints as check_label_constraints
from skimbalance.tuner.objective import Objective

__all__ = ["check_label_goals", "is_multilabel", "label_metric", "label_names"]

_SOLVERS = ("auto", "coordinate_ascent")


def is_multilabel(y: ArrayLike) -> bool:
    """Tell whether targets have the shape of an indicator: two columns or more, or a sparse matrix."""
    if hasattr(y, "toarray"):
        return True
    if is_dask(y):
        return len(y.shape) == 2 and int(y.shape[1]) > 1
    try:
        shape = as_array(y, name="y").shape
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError(
            "y must be labels (n,) or an indicator (n, L); got rows of different lengths. Of lists of labels "
            "sklearn.preprocessing.MultiLabelBinarizer makes an indicator"
        ) from error
    return len(shape) == 2 and shape[1] > 1


def label_names(y: ArrayLike, *, n_labels: int, classes: ArrayLike | None = None) -> npt.NDArray[Any]:
    """Return the name of each label: `classes`, the columns of a data frame, or numbers."""
    if classes is not None:
        return check_columns(classes, n_columns=n_labels)
    columns = column_names(y)
    alike = len({isinstance(name, str) for name in columns}) == 1 and len(columns) == n_labels
    named = alike and all(isinstance(name, str | Integral) for name in columns)
    return check_columns(columns, n_columns=n_labels) if named else np.arange(n_labels)


def check_label_goals(
    objective: Objective,
    constraints: Sequence[Constraint],
    *,
    labels: npt.NDArray[Any],
    pos_label: Label,
    class_prior: ArrayLike | Mapping[Label, float] | None,
    solver: str | Search,
) -> None:
    """Raise where goals do not fit several labels."""
    label_metric(objective, n_labels=len(labels))
    if pos_label is not None:
        raise ValueError(
            f"pos_label={shown(pos_label)} is for one label a row; with several, its presence is the positive "
            "class of each label. Leave pos_label out"
        )
    if class_prior is not None:
        raise ValueError(
            f"class_prior={shown(class_prior)} is for one label a row: rows that carry several labels cannot be "
            "weighted to the share of each. Leave class_prior out, or pass the weights of rows as sample_weight"
        )
    if solver not in _SOLVERS:
        raise ValueError(
            f"solver={solver!r} is for one label a row; with several labels it is one of {', '.join(_SOLVERS)}"
        )
    check_label_constraints(constraints, labels)


def label_metric(objective: Objective, *, n_labels: int) -> MultilabelMetric:
    """Return the metric of several labels that `objective` names or is."""
    if isinstance(objective, str | Metric | MultilabelMetric | list | tuple):
        return get_multilabel_metric(objective, n_labels=n_labels)
    names = ", ".join(map(repr, get_multilabel_metric_names()))
    raise ValueError(
        f"objective={objective!r} is for one label a row; y is an indicator of {n_labels} labels. Name a metric of "
        f"several labels: {names}; or pass a metric of two classes, or a list of them, one for each label"
    )
