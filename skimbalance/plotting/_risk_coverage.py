"""Display of the error rate of decided samples against the coverage."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision import log_scores, softmax
from skimbalance._core.decision_rule import rule_of
from skimbalance._core.typing import ArrayLike
from skimbalance._core.validation import check_label_pair, check_sample_weight
from skimbalance.curve import check_samples
from skimbalance.plotting._axes import Axes, Options, line_style, mark, one_axes, options, place_legend
from skimbalance.plotting._samples import scores_of

__all__ = ["RiskCoverageCurve", "RiskCoverageDisplay"]

_Floats = npt.NDArray[np.float64]
_Flags = npt.NDArray[np.bool_]

_DRAWN = 2_000
"""Of more steps, so many are drawn, evenly by coverage."""

ALL = "all decisions"
"""Name of the curve of all classes."""


@dataclass(frozen=True, eq=False)
class RiskCoverageCurve:
    """Error rate `risk` (m,) of the samples with at least each of the `probabilities` (m,), which fall.

    `coverage` (m,) is the proportion of samples that these are.
    """

    coverage: _Floats
    risk: _Floats
    probabilities: _Floats

    @classmethod
    def of(cls, correct: npt.NDArray[np.bool_], probabilities: _Floats, weights: _Floats) -> Self:
        """Sort the samples by their probability."""
        order = np.argsort(-probabilities, kind="stable")
        values, mass = probabilities[order], np.cumsum(weights[order])
        wrong = np.cumsum(np.where(correct[order], 0.0, weights[order]))
        ends = np.flatnonzero(np.diff(values, append=-np.inf))
        ends = ends[mass[ends] > 0]
        return cls(mass[ends] / mass[-1], wrong[ends] / mass[ends], values[ends])

    def thinned(self) -> tuple[_Floats, _Floats]:
        """Return coverage and risk of at most about 2,000 steps, for drawing."""
        if len(self.coverage) <= _DRAWN:
            return self.coverage, self.risk
        places = np.unique(np.searchsorted(self.coverage, np.linspace(0, 1, _DRAWN)).clip(max=len(self.coverage) - 1))
        return self.coverage[places], self.risk[places]


class RiskCoverageDisplay:
    r"""Error rate of the decided samples against their proportion, if the least probable decisions are rejected.

    .. math:: c(t) = \frac{|\{i : p_i \ge t\}|}{n} \qquad
        r(t) = \frac{|\{i : p_i \ge t,\; \hat y_i \ne y_i\}|}{|\{i : p_i \ge t\}|}

    for the probability :math:`p_i` of the predicted class :math:`\hat y_i`.

    Parameters
    ----------
    curves : dict of str to RiskCoverageCurve
        Arrays `coverage`, `risk` and `probabilities` by name: those of all decisions, and those of each class.
    chosen : dict of str to tuple of float, default=None
        Coverage and risk of the fitted rejection by name, which are marked.

    Attributes
    ----------
    ax_ : Axes
        The axes.
    figure_ : Figure
        The figure of the axes.
    lines_ : list of Line2D
        The curves.
    chosen_ : list of Line2D
        The marks of the fitted rejection.
    legend_ : Legend
        The legend.

    See Also
    --------
    skimbalance.OffsetTuner : Its `reject_label` rejects decisions.

    Notes
    -----
    The curve of a class has the proportion of decided samples among those predicted as the class, and one minus the
    precision of these.

    References
    ----------
    El-Yaniv and Wiener, *On the foundations of noise-free selective classification*, JMLR 11, 2010.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from skimbalance.plotting import RiskCoverageDisplay
    >>> display = RiskCoverageDisplay.from_predictions([0, 1, 1, 0], [0, 1, 0, 0], y_proba=[0.9, 0.8, 0.6, 0.7])
    >>> curve = display.curves["all decisions"]
    >>> curve.coverage, curve.risk
    (array([0.25, 0.5 , 0.75, 1.  ]), array([0.  , 0.  , 0.  , 0.25]))
    """

    def __init__(
        self, curves: Mapping[str, RiskCoverageCurve], chosen: Mapping[str, tuple[float, float]] | None = None
    ) -> None:
        self.curves = curves
        self.chosen = chosen

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        by_class: bool = False,
        sample_weight: ArrayLike | None = None,
        ax: Axes = None,
        **plot_options: Any,
    ) -> Self:
        """Draw the curves of a fitted classifier or tuner, and its rejection if it has a `reject_label`.

        Parameters
        ----------
        estimator : TunedOffsetClassifierCV or OffsetTuner
            Fitted, binary or multiclass. Without a `reject_label` the probabilities are those of the scores.
        X : array-like
            Samples that the estimator was not fitted on; for a tuner their scores.
        y : array-like of shape (n,)
            Labels of `X`.
        by_class : bool, default=False
            Whether each class gets a curve, too.
        sample_weight : array-like of shape (n,), default=None
            Weight of each sample.
        ax : Axes, default=None
            Axes to draw on; None makes a figure.
        **plot_options : dict
            Passed on to :meth:`plot`.

        Returns
        -------
        RiskCoverageDisplay
            The drawn display.
        """
        tuner, scores, kind = scores_of(estimator, X, display=cls.__name__)
        samples = check_samples(scores, y, kind=kind, classes=tuner.classes_, sample_weight=sample_weight)
        rejection = getattr(tuner, "rejection_", None)
        logs, rejected = log_scores(samples.scores, kind=kind), None
        codes = rule_of(tuner, kind=kind).decide(samples.scores)
        if rejection is None:
            proba = np.take_along_axis(softmax(logs), codes[:, None], axis=1)[:, 0].astype(np.float64)
        else:
            proba, rejected = rejection.probabilities(logs, codes), rejection.rejects(logs, codes)
        drawn = _Decisions(codes == to_numpy(samples.truth.likeliest), proba, samples.truth.weights, rejected)
        names = {str(label): codes == k for k, label in enumerate(tuner.classes_.tolist())} if by_class else {}
        return cls(*drawn.curves(names)).plot(ax, **plot_options)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        y_proba: ArrayLike,
        rejected: ArrayLike | None = None,
        by_class: bool = False,
        sample_weight: ArrayLike | None = None,
        ax: Axes = None,
        **plot_options: Any,
    ) -> Self:
        """Draw the curves of decisions of any classifier.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            The label of each sample.
        y_pred : array-like of shape (n,)
            Its predicted label.
        y_proba : array-like of shape (n,)
            Probability of the predicted label, or another number by which decisions are rejected, the lowest first.
        rejected : array-like of shape (n,), default=None
            True where a decision is rejected; the others are marked.
        by_class : bool, default=False
            Whether each class gets a curve, too.
        sample_weight : array-like of shape (n,), default=None
            Weight of each sample.
        ax : Axes, default=None
            Axes to draw on; None makes a figure.
        **plot_options : dict
            Passed on to :meth:`plot`.

        Returns
        -------
        RiskCoverageDisplay
            The drawn display.
        """
        truth, pred = check_label_pair(y_true, y_pred)
        proba = to_numpy(y_proba, name="y_proba")
        if proba.shape != truth.shape or proba.dtype.kind not in "iuf" or not np.isfinite(proba).all():
            raise ValueError(
                f"y_proba must hold a finite number for each of {len(truth)} samples; got shape {proba.shape}, dtype "
                f"{proba.dtype}"
            )
        proba = proba.astype(np.float64)
        flags = None if rejected is None else to_numpy(rejected, name="rejected")
        if flags is not None and (flags.shape != truth.shape or flags.dtype.kind != "b"):
            raise ValueError(
                f"rejected must hold True or False for each of {len(truth)} samples; got shape {flags.shape}, dtype "
                f"{flags.dtype}"
            )
        drawn = _Decisions(truth == pred, proba, check_sample_weight(sample_weight, like=proba), flags)
        names = {str(label): pred == label for label in np.unique(pred).tolist()} if by_class else {}
        return cls(*drawn.curves(names)).plot(ax, **plot_options)

    def plot(
        self,
        ax: Axes = None,
        *,
        curve_kwargs: Options = None,
        chosen_kwargs: Options = None,
        legend_kwargs: Options = None,
    ) -> Self:
        """Draw the curves and the marks.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on; None makes a figure.
        curve_kwargs : dict, default=None
            Passed on to the `plot` of matplotlib for each curve.
        chosen_kwargs : dict, default=None
            Passed on to the `plot` of matplotlib for the marks.
        legend_kwargs : dict, default=None
            Passed on to the `legend` of matplotlib.

        Returns
        -------
        RiskCoverageDisplay
            The display itself.
        """
        self.ax_, new = one_axes(ax, figsize=(7.5, 4.2))
        self.figure_ = self.ax_.figure
        self.lines_, self.chosen_ = [], []
        for number, (name, curve) in enumerate(self.curves.items()):
            self.lines_ += self.ax_.plot(*curve.thinned(), label=name, **options(curve_kwargs, **line_style(number)))
        for line in self.lines_:
            if (place := (self.chosen or {}).get(line.get_label())) is not None:
                self.chosen_ += mark(self.ax_, place[0], [line], {line.get_label(): place[1]}, **options(chosen_kwargs))
        if self.chosen_:
            self.chosen_[0].set_label("chosen")
        self.ax_.set_xlim(-0.02, 1.02)
        self.ax_.set_ylim(bottom=0.0)
        self.ax_.set(xlabel="coverage: proportion that is decided", ylabel="error rate of what is decided")
        self.legend_ = place_legend(self.ax_, new=new, given=legend_kwargs)
        return self


@dataclass(frozen=True, eq=False)
class _Decisions:
    """Correctness and probability (n,) of each decision, the weights of the samples, and which ones are rejected."""

    correct: _Flags
    proba: _Floats
    weights: _Floats | None
    rejected: _Flags | None

    def curves(
        self, by_class: Mapping[str, _Flags]
    ) -> tuple[dict[str, RiskCoverageCurve], dict[str, tuple[float, float]]]:
        """Return the curves of all samples and of those of each class, and coverage and risk where some are decided."""
        weights = np.ones(len(self.proba)) if self.weights is None else to_numpy(self.weights).astype(np.float64)
        found, chosen = {}, {}
        for name, which in {ALL: np.ones(len(self.proba), dtype=np.bool_), **by_class}.items():
            mass = weights[which]
            if mass.sum() == 0:
                continue
            found[name] = RiskCoverageCurve.of(self.correct[which], self.proba[which], mass)
            if self.rejected is not None and (decided := mass * ~self.rejected[which]).sum() > 0:
                risk = (decided * ~self.correct[which]).sum() / decided.sum()
                chosen[name] = float(decided.sum() / mass.sum()), float(risk)
        return found, chosen
