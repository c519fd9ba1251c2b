"""Constraints and target states, as users write them."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.typing import ArrayLike, Label
from skimbalance._core.validation import abridged, check_distribution, check_per_class, is_finite, names_page, shown
from skimbalance.metrics.base import Metric
from skimbalance.metrics.registry import get_metric

__all__ = ["AtLeast", "AtMost", "Constraint", "ImbalanceState", "Near", "OneSided"]


@dataclass(frozen=True)
class Constraint(ABC):
    """A bound on a metric of the decisions; see its subclasses."""

    metric: str | Metric
    value: float
    _: KW_ONLY
    label: Label = None
    confidence: float | None = None

    @property
    def new_samples(self) -> int | Literal["as_many"] | None:
        """The unseen samples for which the bound must hold, None for the population."""
        return None

    @names_page
    def __post_init__(self) -> None:
        if isinstance(self.metric, Metric) and self.metric.needs_cost_matrix:
            raise ValueError(
                "constraints need a metric without cost_matrix: costs of each sample can be the objective only; got "
                f"{self.metric!r}. Use Cost(matrix)"
            )
        if callable(self.metric) or (isinstance(self.metric, Metric) and not self.metric.is_constrainable):
            raise ValueError(
                "constraints need a metric of skimbalance.metrics, for which a solver can search bounds; "
                f"{self.metric!r} can be the objective only"
            )
        if not isinstance(self.metric, str | Metric):
            raise TypeError(f"metric must be a name or a metric; got {self.metric!r}")
        get_metric(self.metric, argument="metric")
        if not is_finite(self.value):
            raise ValueError(f"value must be a finite number; got {shown(self.value)}")
        if self.confidence is not None and not (is_finite(self.confidence) and 0 < self.confidence < 1):
            raise ValueError(f"confidence must lie between 0 and 1; got {shown(self.confidence)}")

    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """Return the lower and the upper bound."""

    def __str__(self) -> str:
        low, high = self.bounds()
        name = self.metric if isinstance(self.metric, str) else self.metric.name
        of = "" if self.label is None else f" of {shown(self.label)}"
        if math.isinf(high):
            return f"{name}{of} at least {self.value:g}"
        return f"{name}{of} at most {self.value:g}" if math.isinf(low) else f"{name}{of} from {low:g} to {high:g}"


@dataclass(frozen=True)
class OneSided(Constraint):
    """A lower or an upper bound, for the population or for a number of unseen samples."""

    _: KW_ONLY
    new_samples: int | Literal["as_many"] | None = None

    @names_page
    def __post_init__(self) -> None:
        super().__post_init__()
        new = self.new_samples
        if new is None or new == "as_many":
            return
        if isinstance(new, bool | str) or not is_finite(new) or new != int(new) or new < 1:
            raise ValueError(f"new_samples must be a positive integer, 'as_many' or None; got {shown(new)}")


@dataclass(frozen=True)
class AtLeast(OneSided):
    """A lower bound: the metric must be at least `value`.

    Parameters
    ----------
    metric : str or metric
        A name from :func:`skimbalance.metrics.get_metric_names`, or a metric such as ``FBeta(2.0)``.
    value : float
        The lower bound.
    label : label, default=None
        The class of a metric such as ``"recall"`` or ``"precision"``, for any number of classes; `pos_label` is
        ignored.
    confidence : float in (0, 1), default=None
        Probability with which the constraint must hold on unseen data; see Notes. None means in expectation: the
        constraint then holds in about half of all cases.
    new_samples : int or "as_many", default=None
        What unseen data are: None for the population, a number of samples, or as many as the fit has. For a recall they
        are samples of its class, for a false positive rate of the other classes, for a predicted share all samples.

    Raises
    ------
    TypeError, ValueError
        If the metric cannot be a constraint, `value` is not finite, or `confidence` or `new_samples` is out of range.

    See Also
    --------
    skimbalance.OffsetTuner : Its `constraints` parameter takes these.

    Notes
    -----
    In binary and multilabel problems bounds on recall, false positive rate and predicted share are *exact*, and those
    on precision are *sequential*. For independent samples and fixed scores, as with ``cv="prefit"``, the confidence is
    proven at every sample size. A warning states how many samples are needed: 29 of a class for a recall of 0.9 with a
    confidence of 0.95. Several such constraints share the error probability, and hold together. All else is
    *approximate*: weights and groups, which count as effective numbers of samples, multiclass problems, and other
    metrics. Those are tightened by what bootstraps may lose. See `guarantees_` of :class:`~skimbalance.OffsetTuner`.

    With ``new_samples=None`` the bound is on the population. On a test set as large as the samples of the fit, random
    variation violates it more often. There a recall is at least 0.9 in 88% to 97% of all cases, for a confidence of
    0.95 and 30 samples of the class or more. With ``new_samples="as_many"`` it is in at least 95%.

    References
    ----------
    Tong, Feng and Li, *Neyman-Pearson classification algorithms and NP receiver operating characteristics*, Science
    Advances 4, 2018. Angelopoulos et al., *Learn then test*, arXiv 2110.01052, 2021.

    Examples
    --------
    >>> from skimbalance.goals import AtLeast
    >>> print(AtLeast("recall", 0.9, label="fraud", confidence=0.95))
    recall of 'fraud' at least 0.9
    """

    def bounds(self) -> tuple[float, float]:
        """Return `value` and infinity."""
        return self.value, math.inf


@dataclass(frozen=True)
class AtMost(OneSided):
    """An upper bound: the metric must be at most `value`.

    Parameters
    ----------
    metric : str or metric
        A name from :func:`skimbalance.metrics.get_metric_names`, or a metric such as ``FBeta(2.0)``.
    value : float
        The upper bound.
    label : label, default=None
        The class of a metric such as ``"recall"`` or ``"precision"``, for any number of classes; `pos_label` is
        ignored.
    confidence : float in (0, 1), default=None
        Probability with which the constraint must hold on unseen data; see Notes. None means in expectation: the
        constraint then holds in about half of all cases.
    new_samples : int or "as_many", default=None
        What unseen data are: None for the population, a number of samples, or as many as the fit has. For a recall they
        are samples of its class, for a false positive rate of the other classes, for a predicted share all samples.

    Raises
    ------
    TypeError, ValueError
        If the metric cannot be a constraint, `value` is not finite, or `confidence` or `new_samples` is out of range.

    See Also
    --------
    skimbalance.OffsetTuner : Its `constraints` parameter takes these.

    Notes
    -----
    In binary and multilabel problems an upper bound on a false positive rate or a predicted share with a confidence is
    exact. See :class:`AtLeast` for what is proven, for the meaning of `new_samples`, and for the references.

    Examples
    --------
    >>> from skimbalance.goals import AtMost
    >>> print(AtMost("false_positive_rate", 0.05))
    false_positive_rate at most 0.05

    A budget: at most 2% of the samples are predicted as fraud. It holds exactly on the samples of the fit.

    >>> print(AtMost("predicted_share", 0.02, label="fraud"))
    predicted_share of 'fraud' at most 0.02
    """

    def bounds(self) -> tuple[float, float]:
        """Return minus infinity and `value`."""
        return -math.inf, self.value


@dataclass(frozen=True)
class Near(Constraint):
    """A target: the metric must be within `tol` of `value`.

    Parameters
    ----------
    metric : str or metric
        A name from :func:`skimbalance.metrics.get_metric_names`, or a metric such as ``FBeta(2.0)``.
    value : float
        The target value.
    label : label, default=None
        The class of a metric such as ``"recall"`` or ``"precision"``, for any number of classes; `pos_label` is
        ignored.
    confidence : float in (0, 1), default=None
        Probability with which the constraint must hold in the population; the bounds are tightened by what bootstraps
        may lose. None means in expectation: the constraint then holds in about half of all cases.
    tol : float, default=0.01
        Maximum distance from the target.

    Raises
    ------
    TypeError, ValueError
        If the metric cannot be a constraint, `value` is not finite, or `confidence` is out of range.

    See Also
    --------
    skimbalance.OffsetTuner : Its `constraints` parameter takes these.

    Examples
    --------
    >>> from skimbalance.goals import Near
    >>> print(Near("imbalance_degree", 0.1))
    imbalance_degree from 0.09 to 0.11
    """

    _: KW_ONLY
    tol: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (is_finite(self.tol) and self.tol >= 0):
            raise ValueError(f"tol must not be negative; got {shown(self.tol)}")

    def bounds(self) -> tuple[float, float]:
        """Return `value - tol` and `value + tol`."""
        return self.value - self.tol, self.value + self.tol


@dataclass(frozen=True, repr=False)
class ImbalanceState:
    r"""An objective: the mean predicted distribution over the classes must equal `target`.

    .. math:: \frac{\sum_i w_i\, \operatorname{softmax}(s_i + b)_k}{\sum_i w_i} = r_k

    is a convex problem, and has one solution b up to a constant for any scores. The state of a calibrated model is the
    class prior. On imbalanced samples ``"uniform"`` therefore favours minority classes far too much. With
    ``class_balanced=True`` each class has equal weight in the mean, and ``"uniform"`` gives a calibrated model the
    offsets ``-log prior``.

    Parameters
    ----------
    target : {"uniform", "prior"}, array-like of shape (K,), dict or float
        The proportion of each class, in the order of the classes or by label. ``"prior"`` is the class prior of the
        samples of the fit. In the binary case, a float is the proportion of the minority class, the second if both are
        equal. No proportion may be zero, as no offsets give it.
    class_balanced : bool, default=False
        Whether each class that has samples has equal weight in the mean, rather than each sample.

    Raises
    ------
    ValueError
        If the target is not one of these, or not a distribution without zeros.

    References
    ----------
    Equation 4 of *Regulating Imbalanced Deep Models with User-Specified Metrics*, submission 4525 to ICLR 2024. The
    class-balanced form is this project's.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance import OffsetTuner
    >>> from skimbalance.goals import ImbalanceState
    >>> proba = np.array([0.05, 0.1, 0.2, 0.3, 0.6, 0.1, 0.2, 0.05])
    >>> y = np.array([0, 0, 0, 1, 1, 0, 0, 0])
    >>> tuner = OffsetTuner(ImbalanceState(0.4), confidence_level=None).fit(proba, y)
    >>> tuner.predict_proba(proba).mean(axis=0).round(6)
    array([0.6, 0.4])
    """

    target: str | float | ArrayLike | Mapping[Label, float] = field(hash=False)
    class_balanced: bool = False

    @names_page
    def __post_init__(self) -> None:
        if not isinstance(self.class_balanced, bool | np.bool_):
            raise TypeError(f"class_balanced must be True or False; got {shown(self.class_balanced)}")
        object.__setattr__(self, "target", _frozen_target(self.target))

    def __repr__(self) -> str:
        return f"ImbalanceState(target={shown(self.target)}, class_balanced={self.class_balanced})"

    def over(self, labels: npt.NDArray[Any], support: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the proportion (K,) of each class, for samples with class weights `support`."""
        target = self.target
        if target == "prior":
            if not support.min() > 0:
                raise ValueError(
                    f"target='prior' needs samples of every class; there are none of {abridged(labels[support == 0])}. "
                    "Name a share for each class"
                )
            target = support / support.sum()
        elif isinstance(target, str):
            target = np.full(len(labels), 1 / len(labels))
        elif isinstance(target, float):
            if len(labels) != 2:
                raise ValueError(f"target={target:g} is for binary problems; got {len(labels)}. Name a share for each")
            target = (1 - target, target) if support[1] <= support[0] else (target, 1 - target)
        return check_distribution("target", check_per_class("target", target, labels), n_classes=len(labels))


def _frozen_target(target: Any) -> str | float | tuple[float, ...] | dict[Label, float]:
    """Return a valid target as plain Python values."""
    if hasattr(target, "iloc") and type(getattr(target, "index", None)).__name__ != "RangeIndex":
        target = dict(target.items())  # a series indexed by labels
    if isinstance(target, str):
        if target in {"uniform", "prior"}:
            return target
    elif isinstance(target, Mapping):
        check_distribution("target", list(target.values()), n_classes=len(target))
        return {label: float(share) for label, share in target.items()}
    elif not isinstance(target, bool) and (shares := to_numpy(target, name="target")).dtype.kind in "iuf":
        if shares.ndim > 0:
            check_distribution("target", shares, n_classes=shares.size)
            return tuple(shares.astype(np.float64).tolist())
        if 0 < shares < 1:
            return float(shares)
    raise ValueError(
        "target must be 'uniform', 'prior', a share above zero for each class, or for binary problems the minority "
        f"class's share between 0 and 1; got {shown(target)}"
    )
