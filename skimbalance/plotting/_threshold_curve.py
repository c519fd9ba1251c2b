"""Display of binary metrics against the threshold."""

import math
from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np

from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision import threshold_of
from skimbalance._core.typing import ArrayLike, Kind, Label
from skimbalance._core.validation import check_label_vector, shown
from skimbalance.curve import check_samples
from skimbalance.goals import Constraint
from skimbalance.metrics.base import Metric
from skimbalance.plotting._axes import Axes, Options, ink, line_style, mark, one_axes, options, place_legend, short_name
from skimbalance.plotting._samples import scores_of
from skimbalance.plotting._thresholds import ThresholdCurve, threshold_curve
from skimbalance.tuner import OffsetTuner
from skimbalance.tuner.checks import resolve_metric

__all__ = ["ThresholdCurveDisplay"]

Scale = Literal["probability", "logit"]

_HATCHES = ("//", "\\\\", "..", "xx")
_SMALLEST = 1e-6
"""Lower end of a logit scale, which has no zero; its upper end is one minus this."""


class ThresholdCurveDisplay:
    r"""Binary metrics against the threshold on the probability of the positive class.

    A threshold t on the probability of ``classes_[1]`` corresponds to the offsets

    .. math:: b_1 - b_0 = -\log \frac{t}{1 - t}

    Thresholds that violate a constraint are shaded.

    Parameters
    ----------
    curve : ThresholdCurve
        Arrays `thresholds`, mappings `values` and `violations` by name, and `label`, the positive class. For logits
        thresholds are on the logistic function of its score. Thresholds ascend, and values hold between two of them;
        those of :func:`sklearn.metrics.metric_at_thresholds` descend. ``curve.at(t)`` has the values at one of them.
    threshold : float, default=None
        The chosen threshold, which is marked.
    threshold_interval : tuple of float, default=None
        Interval of the chosen threshold.

    Attributes
    ----------
    ax_ : Axes
        The axes.
    figure_ : Figure
        The figure of the axes.
    lines_ : list of Line2D
        A curve for each metric.
    threshold_, interval_ : Line2D or None
        The chosen threshold and its interval.
    chosen_ : list of Line2D
        The metrics at the chosen threshold.
    shades_ : list of Patch
        The thresholds that violate constraints.
    legend_ : Legend
        The legend.

    See Also
    --------
    ImbalanceCurveDisplay : Any number of classes, along a path of offsets.

    Notes
    -----
    The positive class is `pos_label`, by default ``classes_[1]``. It is predicted where its probability is at least t.
    If ``classes_[0]`` is positive, it is predicted where its probability is greater than t: a tie goes to
    ``classes_[1]``. Then t is ``1 - threshold_``, and the formula gives :math:`b_0 - b_1`.

    The curves are exact, with a step at each threshold that changes a decision. Of more than about 2,000 steps a
    selection is drawn, which includes the maximum of each metric.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import numpy as np
    >>> from skimbalance.goals import AtLeast
    >>> from skimbalance.plotting import ThresholdCurveDisplay
    >>> y = ["fine", "fine", "fraud", "fine", "fraud"]
    >>> floor = [AtLeast("recall", 0.9)]
    >>> display = ThresholdCurveDisplay.from_predictions(y, [0.1, 0.2, 0.3, 0.4, 0.6], constraints=floor)
    >>> display.curve.violations["recall at least 0.9"].round(2)
    array([[0.3, 1. ]])
    """

    def __init__(
        self,
        curve: ThresholdCurve,
        *,
        threshold: float | None = None,
        threshold_interval: tuple[float, float] | None = None,
    ) -> None:
        self.curve = curve
        self.threshold = threshold
        self.threshold_interval = threshold_interval

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        metrics: Sequence[str | Metric] | None = None,
        constraints: Sequence[Constraint] | None = None,
        sample_weight: ArrayLike | None = None,
        ax: Axes = None,
        **plot_options: Any,
    ) -> Self:
        """Draw the curves for the scores of a fitted classifier, and the threshold of its tuner.

        Parameters
        ----------
        estimator : TunedOffsetClassifierCV or OffsetTuner
            Fitted, binary.
        X : array-like
            Samples that the estimator was not fitted on; for a tuner their scores.
        y : array-like of shape (n,)
            Labels of `X`.
        metrics : sequence of str or metric, default=None
            Metrics to draw; None draws the objective, precision and recall.
        constraints : sequence of AtLeast, AtMost or Near, default=None
            Constraints whose violations are shaded; None takes those of the estimator.
        sample_weight : array-like of shape (n,), default=None
            Weight of each sample.
        ax : Axes, default=None
            Axes to draw on; None makes a figure.
        **plot_options : dict
            Passed on to :meth:`plot`.

        Returns
        -------
        ThresholdCurveDisplay
            The drawn display.
        """
        tuner, scores, kind = scores_of(estimator, X, display=cls.__name__)
        _require_binary("estimator", len(tuner.classes_))
        samples = check_samples(scores, y, kind=kind, classes=tuner.classes_, sample_weight=sample_weight)
        if metrics is None:
            metrics = resolve_metric(tuner.objective, tuner.classes_, tuner.pos_label), "precision", "recall"
        threshold, interval = _chosen(tuner)
        curve = threshold_curve(
            samples,
            metrics,
            tuner.constraints if constraints is None else constraints,
            pos_label=tuner.pos_label_,
            threshold=threshold,
        )
        return cls(curve, threshold=threshold, threshold_interval=interval).plot(ax, **plot_options)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_score: ArrayLike,
        *,
        metrics: Sequence[str | Metric] = ("f1", "precision", "recall"),
        constraints: Sequence[Constraint] = (),
        kind: Kind = "proba",
        pos_label: Label = None,
        threshold: float | None = None,
        sample_weight: ArrayLike | None = None,
        ax: Axes = None,
        **plot_options: Any,
    ) -> Self:
        """Draw the curves for scores.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            The label of each sample, of two.
        y_score : array-like of shape (n,) or (n, 2)
            Scores of samples that the classifier was not trained on.
        metrics : sequence of str or metric, default=("f1", "precision", "recall")
            What to draw.
        constraints : sequence of AtLeast, AtMost or Near, default=()
            Constraints whose violations are shaded.
        kind : {"proba", "log_proba", "logits"}, default="proba"
            What the scores are.
        pos_label : label, default=None
            The positive class of binary metrics, on whose probability the threshold is; None takes the second.
        threshold : float, default=None
            Threshold to mark; infinity if no sample is predicted as the positive class.
        sample_weight : array-like of shape (n,), default=None
            Weight of each sample.
        ax : Axes, default=None
            Axes to draw on; None makes a figure.
        **plot_options : dict
            Passed on to :meth:`plot`.

        Returns
        -------
        ThresholdCurveDisplay
            The drawn display.
        """
        shape = to_numpy(y_score, name="y_score").shape
        _require_binary("y_score", shape[1] if len(shape) == 2 else 2)
        _require_binary("y_true", len(np.unique(check_label_vector("y_true", y_true))))
        names = ("y_score", "y_true")
        samples = check_samples(y_score, y_true, kind=kind, sample_weight=sample_weight, names=names)
        if threshold is not None and not (0 <= threshold <= 1 or math.isinf(threshold)):
            raise ValueError(f"threshold must be a probability; got {shown(threshold)}")
        curve = threshold_curve(samples, metrics, constraints, pos_label=pos_label, threshold=threshold)
        return cls(curve, threshold=threshold).plot(ax, **plot_options)

    def plot(
        self,
        ax: Axes = None,
        *,
        scale: Scale = "probability",
        curve_kwargs: Options = None,
        threshold_kwargs: Options = None,
        shade_kwargs: Options = None,
        legend_kwargs: Options = None,
    ) -> Self:
        """Draw the curves, the marks and the shades.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on; None makes a figure.
        scale : {"probability", "logit"}, default="probability"
            Scale of the thresholds.

            - ``"probability"``: linear.
            - ``"logit"``: linear in the log-odds, which enlarges the ends near zero and one.
        curve_kwargs : dict, default=None
            Passed on to the `step` of matplotlib for each curve.
        threshold_kwargs : dict, default=None
            Passed on to `axvline` for the chosen threshold.
        shade_kwargs : dict, default=None
            Passed on to `axvspan`.
        legend_kwargs : dict, default=None
            Passed on to the `legend` of matplotlib.

        Returns
        -------
        ThresholdCurveDisplay
            The display itself.
        """
        if scale not in ("probability", "logit"):
            raise ValueError(f"scale must be 'probability' or 'logit'; got {scale!r}")
        self.ax_, new = one_axes(ax, figsize=(8.0, 4.2))
        self.figure_ = self.ax_.figure
        low, high = self._set_scale(scale)
        self._draw_curves(curve_kwargs, low=low, high=high)
        self.ax_.axvline(0.5, color=ink(0.5), linestyle=":", linewidth=1.2, label="default: 0.5", zorder=1)
        self._mark(threshold_kwargs, low=low, high=high)
        self._shade(shade_kwargs, low=low, high=high)
        name = short_name(self.curve.label)
        self.ax_.set(xlabel=f"threshold on the {self.curve.quantity} of {name}", ylabel="metric on these samples")
        self.legend_ = place_legend(self.ax_, new=new, given=legend_kwargs)
        return self

    def _set_scale(self, scale: Scale) -> tuple[float, float]:
        """Set the scale, and return its lowest and highest threshold."""
        if scale == "probability":
            self.ax_.set_xlim(-0.02, 1.02)
            return 0.0, 1.0
        cuts = self.curve.thresholds[self.curve.thresholds > 0]
        low = float(np.clip(cuts.min(initial=0.5) / 2, _SMALLEST, 0.25))
        high = 1 - float(np.clip((1 - cuts.max(initial=0.5)) / 2, _SMALLEST, 0.25))
        self.ax_.set_xscale("logit")
        self.ax_.set_xlim(low, high)
        tails = [10.0**-power for power in range(1, 7)]
        n_ticks = sum(tail >= low for tail in tails) + sum(1 - tail <= high for tail in tails)
        tails = tails[:: 1 + n_ticks // 9]  # at most nine ticks
        below, above = ([tail for tail in tails if tail >= edge] for edge in (low, 1 - high))
        ticks = [*reversed(below), 0.5, *(1 - tail for tail in above)]
        self.ax_.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        self.ax_.set_xticks([], minor=True)
        return low, high

    def _draw_curves(self, given: Options, *, low: float, high: float) -> None:
        """Draw a curve for each metric, with a step at each threshold."""
        self.lines_: list[Any] = []
        edges = np.clip(np.append(self.curve.thresholds, 1.0), low, high)
        for number, (name, values) in enumerate(self.curve.values.items()):
            style = options(given, **line_style(number))
            self.lines_ += self.ax_.step(edges, np.append(values, values[-1]), where="post", label=name, **style)
        drawn = np.concatenate(list(self.curve.values.values()))
        if drawn.min() >= 0 and drawn.max() <= 1:
            self.ax_.set_ylim(-0.03, 1.03)

    def _mark(self, given: Options, *, low: float, high: float) -> None:
        """Mark the chosen threshold, its interval, and the metrics there."""
        self.threshold_, self.interval_, self.chosen_ = None, None, []
        if self.threshold is None:
            return
        place = float(np.clip(self.threshold, low, high))
        style = options(given, color=ink(), linewidth=1.4, zorder=2)
        self.threshold_ = self.ax_.axvline(place, label=f"chosen: {self.threshold:.3g}", **style)
        self.chosen_ = mark(self.ax_, place, self.lines_, self.curve.at(self.threshold), markersize=7)
        if self.threshold_interval is not None:
            ends = np.clip(self.threshold_interval, low, high)
            self.interval_ = self.ax_.plot(
                ends,
                [1.0, 1.0],
                transform=self.ax_.get_xaxis_transform(),
                clip_on=False,
                color=style["color"],
                linewidth=3,
                marker="|",
                markersize=7,
                label="its interval",
            )[0]

    def _shade(self, given: Options, *, low: float, high: float) -> None:
        """Shade the thresholds that violate a constraint."""
        self.shades_: list[Any] = []
        for number, (name, intervals) in enumerate(self.curve.violations.items()):
            hatch = _HATCHES[number % len(_HATCHES)]
            style = options(given, facecolor=ink(0.08), edgecolor=ink(0.2), hatch=hatch, linewidth=0.0, zorder=0.5)
            label = f"violated: {name}"
            for start, stop in np.clip(intervals, low, high):
                self.shades_.append(self.ax_.axvspan(start, stop, label=label, **style))
                label = ""


def _require_binary(name: str, n_classes: int) -> None:
    if n_classes != 2:
        raise ValueError(
            f"{name} must be binary, since only binary problems have a threshold; got {n_classes}. "
            "ImbalanceCurveDisplay takes any number"
        )


def _chosen(tuner: OffsetTuner) -> tuple[float, tuple[float, float] | None]:
    """Return the threshold on the probability of the positive class, and the thresholds that its interval ends at."""
    second, chosen, interval = tuner.pos_label_ == tuner.classes_[1], tuner.threshold_, None
    if hasattr(tuner, "offsets_interval_"):
        low, high = to_numpy(tuner.offsets_interval_)
        start, stop = (threshold_of(np.stack(ends), kind=tuner.kind) for ends in ((low[0], high[1]), (high[0], low[1])))
        interval = (start, stop) if second else (1 - stop, 1 - start)
    return chosen if second else 1 - chosen, interval
