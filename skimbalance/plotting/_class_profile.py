"""Display of recall and precision of each class, without and with offsets."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from skimbalance._core.typing import ArrayLike
from skimbalance._core.validation import check_codes, check_column_labels, check_label_pair, check_sample_weight
from skimbalance.metrics.counts import ClassProfile, Truth
from skimbalance.plotting._axes import MANY, Axes, Options, colours, ink, label_classes, options, place_legend, two_axes
from skimbalance.plotting._samples import profile_on, tuner_of

__all__ = ["ClassProfileDisplay"]

_Floats = npt.NDArray[np.float64]


class ClassProfileDisplay:
    r"""Recall and precision of each class, without and with offsets.

    .. math:: \text{recall}_k = \frac{h_k}{n_k} \qquad \text{precision}_k = \frac{h_k}{q_k}

    for the number of samples :math:`n_k` of class k, of predictions :math:`q_k`, and of true positives :math:`h_k`.

    Up to 40 classes have a row each, with the most frequent at the top. More classes are drawn by rank, with running
    means. Undefined values, of classes without samples or predictions, are left out.

    Parameters
    ----------
    profile : ClassProfile
        The values, such as `class_profile_` of an :class:`~skimbalance.OffsetTuner`.

    Attributes
    ----------
    ax_ : ndarray of two Axes
        The axes of recall and of precision.
    figure_ : Figure
        The figure of the axes.
    before_, after_ : list of Line2D
        The points of both axes, without and with offsets; with more than 40 classes the running means.
    changes_ : list of LineCollection
        The lines from one point to the other of each class.
    legend_ : Legend
        The legend.

    See Also
    --------
    OffsetIntervalDisplay : The offsets.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import numpy as np
    >>> from skimbalance import OffsetTuner
    >>> from skimbalance.plotting import ClassProfileDisplay
    >>> rng = np.random.default_rng(0)
    >>> y = np.where(rng.random(500) < 0.1, "fraud", "fine")
    >>> proba = 1 / (1 + np.exp(3 - 2 * (y == "fraud") - rng.normal(size=500)))
    >>> tuner = OffsetTuner("f1").fit(proba, y)
    >>> display = ClassProfileDisplay.from_estimator(tuner)
    >>> [label.get_text() for label in display.ax_[0].get_yticklabels()]
    ['fine (453)', 'fraud (47)']
    """

    def __init__(self, profile: ClassProfile) -> None:
        self.profile = profile

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Draw the class profile of a fitted classifier or tuner.

        Parameters
        ----------
        estimator : TunedOffsetClassifierCV or OffsetTuner
            Fitted.
        X : array-like, default=None
            Samples to evaluate; for a tuner their scores. None draws `class_profile_` of the fit, which is
            cross-fitted unless ``confidence_level=None``.
        y : array-like of shape (n,), default=None
            Labels of `X`.
        sample_weight : array-like of shape (n,), default=None
            Weight of each sample.
        ax : array of two Axes, default=None
            Where to draw recall and precision; None makes a figure.
        **plot_options : dict
            Passed on to :meth:`plot`.

        Returns
        -------
        ClassProfileDisplay
            The drawn display.
        """
        if (X is None) != (y is None):
            raise ValueError("X and y must be given together, or neither; got one of them")
        if y is not None:
            profile = profile_on(estimator, X, y, sample_weight)
        elif sample_weight is None:
            profile = tuner_of(estimator).class_profile_
        else:
            raise ValueError("sample_weight goes with X and y; the samples of the fit have the weights of fit")
        return cls(profile).plot(ax, **plot_options)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        y_pred_before: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Draw two predictions for the same samples.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            The label of each sample.
        y_pred : array-like of shape (n,)
            Predictions with offsets.
        y_pred_before : array-like of shape (n,)
            Predictions without offsets.
        classes : array-like of shape (K,), default=None
            The labels; None takes all labels in the data.
        sample_weight : array-like of shape (n,), default=None
            Weight of each sample.
        ax : array of two Axes, default=None
            Where to draw recall and precision; None makes a figure.
        **plot_options : dict
            Passed on to :meth:`plot`.

        Returns
        -------
        ClassProfileDisplay
            The drawn display.
        """
        truth, after = check_label_pair(y_true, y_pred)
        before = check_label_pair(y_true, y_pred_before)[1]
        every = np.concatenate([truth, after, before])
        labels = check_column_labels(classes, of="classes", y=every, y_name="y_true", columns="classes", n_columns=None)
        weights = check_sample_weight(sample_weight, like=np.empty(len(truth)))
        known = Truth.from_codes(check_codes("y_true", truth, labels=labels), n_classes=len(labels), weights=weights)
        undone = known.count(check_codes("y_pred_before", before, labels=labels))
        done = known.count(check_codes("y_pred", after, labels=labels))
        return cls(ClassProfile.from_counts(labels, before=undone, after=done)).plot(ax, **plot_options)

    def plot(
        self,
        ax: Any = None,
        *,
        before_kwargs: Options = None,
        after_kwargs: Options = None,
        legend_kwargs: Options = None,
    ) -> Self:
        """Draw recall and precision.

        Parameters
        ----------
        ax : array of two Axes, default=None
            Axes to draw on; None makes a figure.
        before_kwargs, after_kwargs : dict, default=None
            Passed on to the `plot` of matplotlib for the points without offsets and with them.
        legend_kwargs : dict, default=None
            Passed on to the `legend` of matplotlib.

        Returns
        -------
        ClassProfileDisplay
            The display itself.
        """
        profile, n_classes = self.profile, len(self.profile.classes)
        many = n_classes > MANY
        size = (8.0, 5.2) if many else (8.0, 1.6 + 0.27 * max(n_classes, 2))
        self.ax_, new = two_axes(ax, stacked=many, figsize=size)
        self.figure_ = self.ax_[0].figure
        self.before_: list[Any] = []
        self.after_: list[Any] = []
        self.changes_: list[Any] = []
        order = np.argsort(-profile.support, kind="stable")
        for axes, name in zip(self.ax_, ("recall", "precision"), strict=True):
            before, after = (getattr(profile, f"{name}_{when}")[order] for when in ("before", "after"))
            draw = self._draw_many if many else self._draw_few
            draw(axes, before, after, before_kwargs, after_kwargs)
            (axes.set_ylabel if many else axes.set_xlabel)(name)
        recall, precision = self.ax_
        label_classes(precision if many else recall, profile.classes[order], profile.support[order])
        if not (many or new):
            precision.set(yticks=recall.get_yticks(), yticklabels=[], ylim=recall.get_ylim())
        self.legend_ = place_legend(
            self.ax_[0], new=new, beside=self.ax_[1], loc="outside upper center", ncols=4, given=legend_kwargs
        )
        return self

    def _names(self) -> Sequence[str]:
        return "without offsets", "with offsets" + (", validation folds" if self.profile.held_out else "")

    def _draw_few(self, ax: Axes, before: _Floats, after: _Floats, first: Options, second: Options) -> None:
        """Draw a dumbbell for each class."""
        rows, names = np.arange(len(before)), self._names()
        self.changes_.append(ax.hlines(rows, before, after, color=ink(0.5), linewidth=1.5, zorder=1.5))
        hollow = options(
            first, color=ink(0.8), markerfacecolor=ax.get_facecolor(), marker="o", markersize=9, linestyle="none"
        )
        full = options(second, color=colours()[0], marker="o", markersize=5.5, linestyle="none")
        self.before_ += ax.plot(before, rows, label=names[0], **hollow)
        self.after_ += ax.plot(after, rows, label=names[1], **full)
        ax.set_xlim(-0.03, 1.03)
        ax.grid(visible=True, axis="x", alpha=0.3)

    def _draw_many(self, ax: Axes, before: _Floats, after: _Floats, first: Options, second: Options) -> None:
        """Draw rising and falling classes as thin lines, and running means."""
        places, names, palette = np.arange(len(before)), self._names(), colours()
        for risen, colour, name in ((after > before, palette[0], "rises"), (after < before, palette[1], "falls")):
            self.changes_.append(
                ax.vlines(
                    places[risen], before[risen], after[risen], color=colour, alpha=0.65, linewidth=1.5, label=name
                )
            )
            ax.plot(places[risen], after[risen], color=colour, alpha=0.6, marker=".", markersize=4, linestyle="none")
        dashed = options(first, color=ink(), linestyle="--", linewidth=1.6)
        solid = options(second, color=ink(), linewidth=1.8)
        self.before_ += ax.plot(places, _running_mean(before), label=f"mean {names[0]}", **dashed)
        self.after_ += ax.plot(places, _running_mean(after), label=f"mean {names[1]}", **solid)
        ax.set_ylim(-0.03, 1.03)


def _running_mean(values: _Floats) -> _Floats:
    """Return the running mean over a tenth of all values, without NaN."""
    reach = max(2, len(values) // 20)
    window = np.ones(2 * reach + 1)
    known = np.isfinite(values)
    total, number = (np.convolve(x, window)[reach:-reach] for x in (np.where(known, values, 0.0), known.astype(float)))
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)
