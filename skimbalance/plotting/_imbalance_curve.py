"""Display of metrics along a path of offsets from the majority to the minority classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from skimbalance._core.decision_rule import ArgmaxRule, DecisionRule, rule_of
from skimbalance._core.typing import ArrayLike, Kind, Label
from skimbalance._core.validation import check_numbers
from skimbalance.curve import ImbalanceCurve, ScoredSamples, check_samples, imbalance_curve, named_metrics
from skimbalance.goals import ImbalanceState
from skimbalance.metrics.base import Metric
from skimbalance.metrics.imbalance import ImbalanceDegree
from skimbalance.plotting._axes import (
    Axes,
    Options,
    ink,
    line_style,
    mark,
    one_axes,
    options,
    place_legend,
)
from skimbalance.plotting._samples import scores_of
from skimbalance.tuner.checks import positive_label, resolve_metric

__all__ = ["ChosenPoint", "ImbalanceCurveDisplay"]

Along = Literal["prior", "state"]
Place = Literal["degree", "tau"]

_BESIDE = ("balanced_accuracy", "f1_macro")
"""Metrics that are drawn in addition to the objective of a tuner."""

_AXIS = {
    "degree": "imbalance degree\n" r"$\leftarrow$ towards minority classes    towards majority classes $\rightarrow$",
    "tau": "$\\tau$\n" r"$\leftarrow$ towards majority classes    towards minority classes $\rightarrow$",
}


@dataclass(frozen=True, eq=False)
class ChosenPoint:
    """The decisions with the chosen offsets and without offsets, on the samples of a curve.

    Attributes
    ----------
    degree, untuned_degree : float
        Imbalance degree of the decisions with and without offsets.
    values, untuned_values : dict of str to float
        Metrics of these decisions, by name.
    objective : str or None
        Name of the objective of the tuner.
    score : float or None
        Its expected value on unseen data.
    score_interval : tuple of float or None
        Its interval on unseen data.
    confidence_level : float or None
        Level of the interval.
    """

    degree: float
    values: Mapping[str, float]
    untuned_degree: float
    untuned_values: Mapping[str, float]
    objective: str | None = None
    score: float | None = None
    score_interval: tuple[float, float] | None = None
    confidence_level: float | None = None


class ImbalanceCurveDisplay:
    r"""Metrics along a path of offsets from the majority to the minority classes.

    The path is that of :func:`~skimbalance.imbalance_curve`: multiples :math:`-\tau \log \pi` of the closed form, or
    imbalance states. Markers show the decisions with the chosen offsets and without offsets, and `score_` of the tuner
    with its interval.

    Parameters
    ----------
    curve : ImbalanceCurve
        From :func:`~skimbalance.imbalance_curve`.
    chosen : ChosenPoint, default=None
        The marked decisions.

    Attributes
    ----------
    ax_ : Axes
        The axes.
    figure_ : Figure
        The figure of the axes.
    lines_ : list of Line2D
        A curve for each metric.
    chosen_, untuned_ : list of Line2D
        The markers of each metric with the chosen offsets and without offsets; empty without `chosen`.
    expected_ : ErrorbarContainer or None
        The expected objective on unseen data.
    legend_ : Legend
        The legend.

    See Also
    --------
    ThresholdCurveDisplay : Binary metrics against the threshold.

    Notes
    -----
    The path depends on the class prior of the given samples. They should be as imbalanced as unseen data: the samples
    of a balanced test set have no such path.

    Markers are at the imbalance degree and metric of the decisions. With more than two classes these need not lie on
    the path.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import numpy as np
    >>> from skimbalance import OffsetTuner
    >>> from skimbalance.plotting import ImbalanceCurveDisplay
    >>> rng = np.random.default_rng(0)
    >>> y = (rng.random(500) < 0.1).astype(int)
    >>> proba = 1 / (1 + np.exp(3 - 2 * y - rng.normal(size=500)))
    >>> tuner = OffsetTuner("f1").fit(proba, y)
    >>> display = ImbalanceCurveDisplay.from_estimator(tuner, proba, y)
    >>> list(display.curve.values)
    ['f1', 'balanced_accuracy', 'f1_macro']
    """

    def __init__(self, curve: ImbalanceCurve, *, chosen: ChosenPoint | None = None) -> None:
        self.curve = curve
        self.chosen = chosen

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        metrics: Sequence[str | Metric] | None = None,
        along: Along = "prior",
        points: int | ArrayLike = 51,
        sample_weight: ArrayLike | None = None,
        x: Place = "degree",
        ax: Axes = None,
        **plot_options: Any,
    ) -> Self:
        """Draw the path for the scores of a fitted classifier, and the decisions of its tuner.

        Parameters
        ----------
        estimator : TunedOffsetClassifierCV or OffsetTuner
            Fitted.
        X : array-like
            Samples that the estimator was not fitted on; for a tuner their scores.
        y : array-like of shape (n,)
            Labels of `X`.
        metrics : sequence of str or metric, default=None
            Metrics to draw; None draws the objective, balanced accuracy and macro-F1.
        along : {"prior", "state"}, default="prior"
            The path; see :func:`~skimbalance.imbalance_curve`.
        points : int or array-like of shape (points,), default=51
            Number of points of the path, or their values of tau.
        sample_weight : array-like of shape (n,), default=None
            Weight of each sample.
        x : {"degree", "tau"}, default="degree"
            Quantity on the x axis.

            - ``"degree"``: the imbalance degree of the decisions.
            - ``"tau"``: the position on the path.
        ax : Axes, default=None
            Axes to draw on; None makes a figure.
        **plot_options : dict
            Passed on to :meth:`plot`.

        Returns
        -------
        ImbalanceCurveDisplay
            The drawn display.
        """
        tuner, scores, kind = scores_of(estimator, X, display=cls.__name__)
        objective = resolve_metric(tuner.objective, tuner.classes_, tuner.pos_label)
        curve, samples, drawn = _evaluated(
            scores,
            y,
            metrics=(objective, *_BESIDE) if metrics is None else metrics,
            kind=kind,
            classes=tuner.classes_,
            pos_label=positive_label(tuner.objective, tuner.classes_, tuner.pos_label),
            sample_weight=sample_weight,
            along=along,
            points=points,
        )
        expected = {}
        if not isinstance(tuner.objective, ImbalanceState):  # whose score is no metric
            expected = {
                "objective": objective.name,
                "score": getattr(tuner, "score_", None),
                "score_interval": getattr(tuner, "score_interval_", None),
                "confidence_level": tuner.confidence_level,
            }
        chosen = _chosen(samples, rule_of(tuner, kind=kind), drawn, **expected)
        return cls(curve, chosen=chosen).plot(ax, x=x, **plot_options)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        scores: ArrayLike,
        *,
        metrics: Sequence[str | Metric] = _BESIDE,
        kind: Kind = "proba",
        classes: ArrayLike | None = None,
        pos_label: Label = None,
        offsets: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        along: Along = "prior",
        points: int | ArrayLike = 51,
        x: Place = "degree",
        ax: Axes = None,
        **plot_options: Any,
    ) -> Self:
        """Draw the path for scores.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            The label of each sample.
        scores : array-like of shape (n, K), or (n,) for two classes
            Scores of samples that the classifier was not trained on.
        metrics : sequence of str or metric, default=("balanced_accuracy", "f1_macro")
            What to draw.
        kind : {"proba", "log_proba", "logits"}, default="proba"
            What the scores are.
        classes : array-like of shape (K,), default=None
            The label of each column; None takes the sorted labels of `y_true`.
        pos_label : label, default=None
            The positive class of binary metrics; None takes the second.
        offsets : array-like of shape (K,), default=None
            Offsets whose decisions are marked, together with those without offsets; None marks nothing.
        sample_weight : array-like of shape (n,), default=None
            Weight of each sample.
        along : {"prior", "state"}, default="prior"
            The path; see :func:`~skimbalance.imbalance_curve`.
        points : int or array-like of shape (points,), default=51
            Number of points of the path, or their values of tau.
        x : {"degree", "tau"}, default="degree"
            Quantity on the x axis.

            - ``"degree"``: the imbalance degree of the decisions.
            - ``"tau"``: the position on the path.
        ax : Axes, default=None
            Axes to draw on; None makes a figure.
        **plot_options : dict
            Passed on to :meth:`plot`.

        Returns
        -------
        ImbalanceCurveDisplay
            The drawn display.
        """
        curve, samples, drawn = _evaluated(
            scores,
            y_true,
            names=("scores", "y_true"),
            metrics=metrics,
            kind=kind,
            classes=classes,
            pos_label=pos_label,
            sample_weight=sample_weight,
            along=along,
            points=points,
        )
        chosen = None
        if offsets is not None:
            rule = ArgmaxRule(check_numbers("offsets", offsets, n_classes=len(curve.classes)), None, kind)
            chosen = _chosen(samples, rule, drawn)
        return cls(curve, chosen=chosen).plot(ax, x=x, **plot_options)

    def plot(
        self,
        ax: Axes = None,
        *,
        x: Place = "degree",
        curve_kwargs: Options = None,
        chosen_kwargs: Options = None,
        expected_kwargs: Options = None,
        legend_kwargs: Options = None,
    ) -> Self:
        """Draw the curves and the marks.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on; None makes a figure.
        x : {"degree", "tau"}, default="degree"
            Quantity on the x axis.

            - ``"degree"``: the imbalance degree of the decisions.
            - ``"tau"``: the position on the path. Markers are where the path has the same degree.
        curve_kwargs : dict, default=None
            Passed on to the `plot` of matplotlib for each curve.
        chosen_kwargs : dict, default=None
            Passed on to it for the marks of the chosen offsets.
        expected_kwargs : dict, default=None
            Passed on to `errorbar`.
        legend_kwargs : dict, default=None
            Passed on to the `legend` of matplotlib.

        Returns
        -------
        ImbalanceCurveDisplay
            The display itself.
        """
        if x not in _AXIS:
            raise ValueError(f"x must be 'degree' or 'tau'; got {x!r}")
        self.ax_, new = one_axes(ax, figsize=(8.0, 4.4))
        self.figure_ = self.ax_.figure
        self.lines_: list[Any] = []
        self.chosen_, self.untuned_, self.expected_ = [], [], None
        places = self.curve.degree if x == "degree" else self.curve.tau
        for number, (name, values) in enumerate(self.curve.values.items()):
            self.lines_ += self.ax_.plot(places, values, label=name, **options(curve_kwargs, **line_style(number)))
        if (chosen := self.chosen) is not None:
            at, untuned_at = self._place(chosen.degree, x), self._place(chosen.untuned_degree, x)
            self.untuned_ = mark(self.ax_, untuned_at, self.lines_, chosen.untuned_values, hollow=True)
            self.untuned_[0].set_label("without offsets")
            self.chosen_ = mark(self.ax_, at, self.lines_, chosen.values, **(chosen_kwargs or {}))
            self.chosen_[0].set_label("with the chosen offsets")
            self._expect(chosen, at, expected_kwargs)
        self.ax_.set(xlabel=_AXIS[x], ylabel="metric")
        self.legend_ = place_legend(self.ax_, new=new, given=legend_kwargs)
        return self

    def _place(self, degree: float, x: Place) -> float:
        """Return the x position of decisions of this degree; of several positions the one nearest to no offsets."""
        if x == "degree":
            return degree
        near = np.argsort(np.abs(self.curve.tau), kind="stable")
        degrees, first = np.unique(self.curve.degree[near], return_index=True)
        return float(np.interp(degree, degrees, self.curve.tau[near][first]))

    def _expect(self, chosen: ChosenPoint, at: float, given: Options) -> None:
        """Draw the expected objective on unseen data, if it is one of the curves, at the x position `at`."""
        if chosen.score is None or chosen.objective not in self.curve.values:
            return
        reach, level = None, ""
        if chosen.score_interval is not None:
            low, high = chosen.score_interval
            reach = [[max(chosen.score - low, 0.0)], [max(high - chosen.score, 0.0)]]
            level = f", {chosen.confidence_level:.0%} interval" if chosen.confidence_level else ", interval"
        style = options(
            given, color=ink(0.9), fmt="_", markersize=14, markeredgewidth=2, elinewidth=1.4, capsize=5, zorder=2.5
        )
        self.expected_ = self.ax_.errorbar(
            [at],
            [chosen.score],
            yerr=reach,
            label=f"{chosen.objective} expected\non unseen data{level}",
            **style,
        )


def _evaluated(
    scores: ArrayLike,
    y: ArrayLike,
    *,
    metrics: Sequence[str | Metric],
    kind: Kind,
    classes: ArrayLike | None,
    pos_label: Label,
    sample_weight: ArrayLike | None,
    names: tuple[str, str] = ("X", "y"),
    **path: Any,
) -> tuple[ImbalanceCurve, ScoredSamples, dict[str, Metric]]:
    """Return the curve, its samples and its metrics by name."""
    given: dict[str, Any] = {"kind": kind, "classes": classes, "sample_weight": sample_weight}
    samples = check_samples(scores, y, names=names, **given)
    drawn = named_metrics(metrics, samples.classes, pos_label)
    curve = imbalance_curve(scores, y, metrics=list(drawn.values()), pos_label=pos_label, **given, **path)
    return curve, samples, drawn


def _chosen(samples: ScoredSamples, rule: DecisionRule, metrics: Mapping[str, Metric], **expected: Any) -> ChosenPoint:
    """Evaluate the decisions with offsets and without."""
    tuned, untuned = samples.count(rule), samples.count(rule.untuned())
    degree = ImbalanceDegree()
    return ChosenPoint(
        degree=degree.value(tuned),
        values={name: metric.value(tuned) for name, metric in metrics.items()},
        untuned_degree=degree.value(untuned),
        untuned_values={name: metric.value(untuned) for name, metric in metrics.items()},
        **expected,
    )
