"""Metrics along a path of offsets from the majority to the minority classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import as_array, block_samples, device, namespace, to_numpy
from skimbalance._core.decision import KINDS, decide, log_scores, softmax
from skimbalance._core.decision_rule import DecisionRule
from skimbalance._core.typing import Array, ArrayLike, Kind, Label
from skimbalance._core.validation import (
    abridged,
    by_label,
    check_labels,
    check_lengths,
    check_sample_weight,
    check_scores,
    is_multilabel,
    names_page,
)
from skimbalance.metrics.base import Metric
from skimbalance.metrics.counts import Counts, Truth
from skimbalance.metrics.imbalance import ImbalanceDegree
from skimbalance.solvers import path_state, prior_offsets, solve_state
from skimbalance.tuner.checks import resolve_metric

__all__ = ["ImbalanceCurve", "ScoredSamples", "check_samples", "imbalance_curve", "named_metrics"]

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScoredSamples:
    """Checked scores (n, K), or binary (n,), their kind, the truth, and the labels of the columns."""

    scores: Array
    kind: Kind
    truth: Truth
    classes: npt.NDArray[Any]

    def count(self, rule: DecisionRule) -> Counts:
        """Count the decisions of a rule."""
        return self.truth.count(rule.decide(self.scores), confusion=True)


@dataclass(frozen=True, eq=False)
class ImbalanceCurve:
    """Metrics along a path of offsets, as NumPy arrays with an entry for each point.

    Attributes
    ----------
    tau : ndarray of shape (points,)
        Positions on the path.
    offsets : ndarray of shape (points, K)
        Offsets, which sum to zero at each point.
    state : ndarray of shape (points, K)
        Mean predicted distribution with these offsets.
    degree : ndarray of shape (points,)
        Imbalance degree of the decisions.
    values : dict of str to ndarray of shape (points,)
        Metrics of the decisions, by name.
    classes : ndarray of shape (K,)
        Label of each column.
    """

    tau: _Floats
    offsets: _Floats
    state: _Floats
    degree: _Floats
    values: Mapping[str, _Floats]
    classes: npt.NDArray[Any]


@names_page
def imbalance_curve(
    scores: ArrayLike,
    y: ArrayLike,
    *,
    metrics: Sequence[str | Metric] = ("balanced_accuracy", "f1_macro"),
    kind: Kind = "proba",
    classes: ArrayLike | None = None,
    pos_label: Label = None,
    sample_weight: ArrayLike | None = None,
    along: Literal["prior", "state"] = "prior",
    points: int | ArrayLike = 51,
) -> ImbalanceCurve:
    r"""Evaluate metrics along a path of offsets from the majority to the minority classes.

    .. math:: b = -\tau \log \pi \quad\text{or}\quad
        \frac{1}{n} \sum_i \operatorname{softmax}(s_i + b)_k = r_k \propto \pi_k^{1 - \tau}

    for the class prior :math:`\pi` of the samples. With ``along="prior"`` the offsets are multiples of the closed form,
    and the imbalance degree never rises with :math:`\tau`. With ``along="state"`` they achieve imbalance states: the
    prior at :math:`\tau = 0`, uniform at 1, and the prior in reverse at 2.

    Parameters
    ----------
    scores : array of shape (n, K), or (n,) for two classes
        Scores of samples that the classifier was not trained on; see :meth:`OffsetTuner.fit`.
    y : array-like of shape (n,)
        The label of each sample.
    metrics : sequence of str or metric, default=("balanced_accuracy", "f1_macro")
        Names from :func:`skimbalance.metrics.get_metric_names`, or metrics.
    kind : {"proba", "log_proba", "logits"}, default="proba"
        What the scores are.
    classes : array-like of shape (K,), default=None
        The label of each column; None takes the sorted labels of `y`.
    pos_label : label, default=None
        The positive class of binary metrics; None takes the second.
    sample_weight : array-like of shape (n,), default=None
        Weight of each sample.
    along : {"prior", "state"}, default="prior"
        The path.
    points : int or array-like of shape (points,), default=51
        How many values of tau from -0.5 to 2, or the values themselves.

    Returns
    -------
    ImbalanceCurve
        The arrays `tau`, `offsets`, `state`, `degree` and `classes`, and the mapping `values` from the name of a metric
        to its array.

    Raises
    ------
    ValueError
        If scores are not of the given `kind`, shapes or lengths do not match, or a metric is unknown. Also if a class
        has no samples or all have equally many.

    References
    ----------
    Along the states this is Figure 2 of *Regulating Imbalanced Deep Models with User-Specified Metrics*, submission
    4525 to ICLR 2024. Along the prior: Menon et al., *Long-tail learning via logit adjustment*, arXiv 2007.07314, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance import imbalance_curve
    >>> rng = np.random.default_rng(0)
    >>> y = (rng.random(500) < 0.1).astype(int)
    >>> proba = 1 / (1 + np.exp(3 - 2 * y - rng.normal(size=500)))
    >>> curve = imbalance_curve(proba, y, metrics=["recall", "accuracy"], points=[0, 1, 2])
    >>> curve.values["recall"].round(2)
    array([0.11, 0.89, 1.  ])
    >>> curve.degree.round(2)
    array([ 0.89, -0.09, -0.94])
    """
    if kind not in KINDS or along not in ("prior", "state"):
        raise ValueError(
            f"kind must be one of {', '.join(KINDS)} and along 'prior' or 'state'; got {kind!r} and {along!r}"
        )
    if is_multilabel(y):
        raise ValueError(
            "imbalance_curve supports one label per sample; got an indicator as y. Compute a curve for each label"
        )
    samples = check_samples(
        scores, y, kind=kind, classes=classes, sample_weight=sample_weight, names=("scores", "y"), on_host=False
    )
    named = named_metrics(metrics, samples.classes, pos_label)
    support = to_numpy(samples.truth.support)
    if not support.min() > 0:
        raise ValueError(
            f"y must hold samples of every class, whose prior the path follows; none of "
            f"{abridged(samples.classes[support == 0])}"
        )
    ImbalanceDegree().check_support(samples.truth.support)
    return _evaluated(samples, named, along=along, taus=_places(points))


def check_samples(
    scores: ArrayLike,
    y: ArrayLike,
    *,
    kind: Kind,
    classes: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    names: tuple[str, str] = ("X", "y"),
    on_host: bool = True,
) -> ScoredSamples:
    """Return checked scores and labels, whose arguments have these `names` in errors.

    The columns are in the order of the classes. Scores stay on their device unless `on_host`, which makes a NumPy
    array of them.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
    x = check_scores(scores, kind=kind, name=names[0])
    x = to_numpy(x) if on_host else x
    check_lengths(**{names[0]: x, names[1]: as_array(y, name=names[1])})
    codes, labels = check_labels(y, classes=classes, n_classes=2 if x.ndim == 1 else x.shape[1], name=names[1])
    x = by_label(x, scores, labels, name=names[0])
    xp = namespace(x)
    codes = xp.asarray(codes, dtype=xp.int64, device=device(x))
    truth = Truth.from_codes(codes, n_classes=len(labels), weights=check_sample_weight(sample_weight, like=x))
    return ScoredSamples(x, kind, truth, labels)


def named_metrics(
    metrics: str | Metric | Sequence[str | Metric], labels: npt.NDArray[Any], pos_label: Label
) -> dict[str, Metric]:
    """Return one or several metrics by name, resolved for these labels."""
    several = (metrics,) if isinstance(metrics, str | Metric) else metrics
    resolved = (resolve_metric(each, labels, pos_label, argument="metrics") for each in several)
    return {metric.name: metric for metric in resolved}


def _places(points: int | ArrayLike) -> _Floats:
    """Return the values of tau."""
    if isinstance(points, Integral):
        if points < 1:
            raise ValueError(f"points must be at least one; got {points}")
        return np.linspace(-0.5, 2.0, int(points))  # from beyond no offsets (0) to the reversed prior (2)
    taus = to_numpy(points, name="points")
    if taus.ndim != 1 or taus.size == 0 or taus.dtype.kind not in "iuf" or not np.isfinite(taus).all():
        raise ValueError(f"points must be a number of points, or finite values of tau; got {points!r}")
    return taus.astype(np.float64)


def _evaluated(samples: ScoredSamples, metrics: Mapping[str, Metric], *, along: str, taus: _Floats) -> ImbalanceCurve:
    """Evaluate the decisions at each point.

    Offsets and states are computed in float64 on the host, decisions on the device of the scores.
    """
    scores, truth = log_scores(samples.scores, kind=samples.kind), samples.truth
    host = to_numpy(scores).astype(np.float64)
    weights = None if truth.weights is None else to_numpy(truth.weights)
    mass = np.full(len(host), 1 / len(host)) if weights is None else weights / weights.sum()
    prior = to_numpy(truth.support)
    prior = prior / prior.sum()
    if along == "prior":
        offsets = [prior_offsets(prior, tau=tau) for tau in taus]
    else:
        offsets = [solve_state(host, path_state(prior, tau), weights=weights).offsets for tau in taus]
    state = np.zeros((len(taus), len(prior)))  # the mean distribution at each point
    for block in block_samples(host.shape):
        for mean, shift in zip(state, offsets, strict=True):
            mean += mass[block] @ softmax(host[block] + shift)
    every: list[Metric] = [ImbalanceDegree(), *metrics.values()]
    counts = [truth.count(decide(scores, shift), confusion=True) for shift in offsets]
    degree, *values = np.asarray([[metric.value(each) for metric in every] for each in counts]).T
    return ImbalanceCurve(
        tau=taus,
        offsets=np.stack(offsets),
        state=state,
        degree=degree,
        values=dict(zip(metrics, values, strict=True)),
        classes=samples.classes,
    )
