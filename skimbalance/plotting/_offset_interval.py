"""Display of offsets with their confidence intervals and the closed form."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from skimbalance._core.array_api import to_numpy
from skimbalance._core.decision import centred
from skimbalance._core.typing import ArrayLike
from skimbalance._core.validation import check_numbers
from skimbalance.plotting._axes import MANY, Axes, Options, colours, ink, label_classes, one_axes, options, place_legend
from skimbalance.plotting._samples import tuner_of

__all__ = ["OffsetIntervalDisplay"]

_Floats = npt.NDArray[np.float64]

_TAUS = ((0.0, "-"), (0.5, ":"), (1.0, "-."))
"""Multiples of the closed form that are always drawn, and their line styles."""


class OffsetIntervalDisplay:
    r"""The offset of each class with its interval, and the closed form.

    .. math:: b_k = -\tau \left(\log \pi_k - \frac{1}{K} \sum_j \log \pi_j\right)

    for the class prior :math:`\pi` is drawn for :math:`\tau` of 0, 0.5, 1 and the one that fits the offsets best by
    least squares. Up to 40 classes have a row each, with the most frequent at the top. More classes are drawn by rank.

    Parameters
    ----------
    offsets : ndarray of shape (K,)
        The offsets, which sum to zero.
    interval : ndarray of shape (2, K), default=None
        Lower and upper bounds of the offsets.
    support : ndarray of shape (K,), default=None
        Number of samples of each class.
    prior_offsets : ndarray of shape (K,), default=None
        The closed form for :math:`\tau = 1`, NaN for classes without samples.
    tau : float, default=None
        The multiple of the closed form that fits best.
    classes : ndarray of shape (K,), default=None
        The labels.

    Attributes
    ----------
    ax_ : Axes
        The axes.
    figure_ : Figure
        The figure of the axes.
    points_ : Line2D
        The offsets.
    intervals_ : LineCollection or None
        The intervals.
    paths_ : list of Line2D
        Multiples of the closed form, for each value of `taus_`.
    taus_ : list of float
        The values of :math:`\tau`.
    legend_ : Legend
        The legend.

    See Also
    --------
    ClassProfileDisplay : Recall and precision of each class.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from skimbalance.plotting import OffsetIntervalDisplay
    >>> display = OffsetIntervalDisplay.from_offsets([-1.0, 0.2, 0.8], support=[90, 9, 1], classes=["a", "b", "c"])
    >>> round(display.tau, 2)
    0.4
    """

    def __init__(
        self,
        offsets: _Floats,
        *,
        interval: _Floats | None = None,
        support: _Floats | None = None,
        prior_offsets: _Floats | None = None,
        tau: float | None = None,
        classes: npt.NDArray[Any] | None = None,
    ) -> None:
        self.offsets = offsets
        self.interval = interval
        self.support = support
        self.prior_offsets = prior_offsets
        self.tau = tau
        self.classes = classes

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes = None, **plot_options: Any) -> Self:
        """Draw the offsets of a fitted classifier or tuner.

        Parameters
        ----------
        estimator : TunedOffsetClassifierCV or OffsetTuner
            Fitted, with intervals.
        ax : Axes, default=None
            Axes to draw on; None makes a figure.
        **plot_options : dict
            Passed on to :meth:`plot`.

        Returns
        -------
        OffsetIntervalDisplay
            The drawn display.
        """
        tuner = tuner_of(estimator)
        if not hasattr(tuner, "offsets_interval_"):
            raise ValueError(
                "estimator has no offsets_interval_, for confidence_level=None computes none; fit it with a level, or "
                "draw from_offsets(estimator.offsets_)"
            )
        if tuner.multilabel_:  # offsets of labels are independent: they need not sum to zero, and have no closed form
            offsets, interval = (to_numpy(x).astype(np.float64) for x in (tuner.offsets_, tuner.offsets_interval_))
            support = tuner.class_profile_.support
            return cls(offsets, interval=interval, support=support, classes=tuner.classes_).plot(ax, **plot_options)
        return cls.from_offsets(
            tuner.offsets_,
            interval=tuner.offsets_interval_,
            support=tuner.class_profile_.support,
            classes=tuner.classes_,
            ax=ax,
            **plot_options,
        )

    @classmethod
    def from_offsets(
        cls,
        offsets: ArrayLike,
        *,
        interval: ArrayLike | None = None,
        support: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        ax: Axes = None,
        **plot_options: Any,
    ) -> Self:
        """Draw offsets.

        Parameters
        ----------
        offsets : array-like of shape (K,)
            The offsets; their mean is subtracted.
        interval : array-like of shape (2, K), default=None
            Lower and upper bounds of the offsets.
        support : array-like of shape (K,), default=None
            Number of samples of each class; None draws no closed form.
        classes : array-like of shape (K,), default=None
            The labels; None numbers the classes.
        ax : Axes, default=None
            Axes to draw on; None makes a figure.
        **plot_options : dict
            Passed on to :meth:`plot`.

        Returns
        -------
        OffsetIntervalDisplay
            The drawn display.
        """
        given = to_numpy(offsets)
        if given.ndim != 1 or len(given) < 2:
            raise ValueError(f"offsets must have shape (K,), one for each of K >= 2 classes; got {given.shape}")
        values = check_numbers("offsets", given, n_classes=len(given))
        labels = np.arange(len(values)) if classes is None else to_numpy(classes)
        if labels.shape != values.shape:
            raise ValueError(f"classes must have shape {values.shape}, one label for each offset; got {labels.shape}")
        mean = values.mean()
        counted = None if support is None else check_numbers("support", support, n_classes=len(values))
        prior, tau = (None, None) if counted is None else _closed_form(values - mean, counted)
        display = cls(
            values - mean,
            interval=None if interval is None else _ends(interval, values) - mean,
            support=counted,
            prior_offsets=prior,
            tau=tau,
            classes=labels,
        )
        return display.plot(ax, **plot_options)

    def plot(
        self,
        ax: Axes = None,
        *,
        point_kwargs: Options = None,
        interval_kwargs: Options = None,
        path_kwargs: Options = None,
        legend_kwargs: Options = None,
    ) -> Self:
        """Draw the offsets.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on; None makes a figure.
        point_kwargs : dict, default=None
            Passed on to the `plot` of matplotlib for the offsets.
        interval_kwargs : dict, default=None
            Passed on to `hlines`, or `vlines` where classes are many.
        path_kwargs : dict, default=None
            Passed on to the `plot` of matplotlib for the closed form.
        legend_kwargs : dict, default=None
            Passed on to the `legend` of matplotlib.

        Returns
        -------
        OffsetIntervalDisplay
            The display itself.
        """
        n_classes = len(self.offsets)
        many = n_classes > MANY
        size = (8.5, 4.0) if many else (7.5, 1.5 + 0.27 * max(n_classes, 4))
        self.ax_, new = one_axes(ax, figsize=size)
        self.figure_ = self.ax_.figure
        order = np.arange(n_classes) if self.support is None else np.argsort(-self.support, kind="stable")
        self._draw_offsets(order, point_kwargs, interval_kwargs, upright=many)
        self._draw_paths(order, path_kwargs, upright=many)
        labels = np.arange(n_classes) if self.classes is None else self.classes
        label_classes(self.ax_, labels[order], None if self.support is None else self.support[order])
        (self.ax_.set_ylabel if many else self.ax_.set_xlabel)("offset, added to the log-score")
        self.legend_ = place_legend(self.ax_, new=new, given=legend_kwargs)
        return self

    def _draw_paths(self, order: npt.NDArray[np.int64], given: Options, *, upright: bool) -> None:
        """Draw multiples of the closed form."""
        self.paths_, self.taus_ = [], []
        if self.prior_offsets is None or self.tau is None:
            return
        best = (self.tau, (0, (5, 2)))
        places = np.arange(len(order))
        for tau, dashes in (*_TAUS, best):
            fits = tau == self.tau
            style = options(given, color=ink(0.9 if fits else 0.5), linestyle=dashes, linewidth=1.6 if fits else 1.1)
            path = tau * self.prior_offsets[order]
            name = rf"$-\tau\,\log$ prior, $\tau$ = {tau:.2g}" + (" (best fit)" if fits else "")
            pair = (places, path) if upright else (path, places)
            self.paths_ += self.ax_.plot(*pair, label=name, zorder=1.5, **style)
            self.taus_.append(tau)

    def _draw_offsets(self, order: npt.NDArray[np.int64], point: Options, span: Options, *, upright: bool) -> None:
        """Draw the offsets over their intervals."""
        places, values = np.arange(len(order)), self.offsets[order]
        colour = colours()[0]
        marks = options(point, color=colour, marker="o", markersize=3.5 if upright else 7, linestyle="none", zorder=3)
        self.points_ = self.ax_.plot(*((places, values) if upright else (values, places)), label="offset", **marks)[0]
        self.intervals_ = None
        if self.interval is not None:
            lines = self.ax_.vlines if upright else self.ax_.hlines
            style = options(span, color=colour, alpha=0.55, linewidth=1.5 if upright else 3.0, zorder=2)
            self.intervals_ = lines(places, *self.interval[:, order], label="its interval", **style)


def _ends(interval: ArrayLike, offsets: _Floats) -> _Floats:
    """Return lower and upper ends (2, K)."""
    ends = to_numpy(interval)
    if ends.shape != (2, len(offsets)) or ends.dtype.kind not in "iuf" or not (ends[0] <= ends[1]).all():
        raise ValueError(
            f"interval must have shape (2, {len(offsets)}), the lower ends of the offsets and the upper ones; got "
            f"shape {ends.shape}, dtype {ends.dtype}"
        )
    return ends.astype(np.float64)


def _closed_form(offsets: _Floats, support: _Floats) -> tuple[_Floats, float | None]:
    """Return the centred `-log prior`, and its multiple that fits the offsets best."""
    occurring = support > 0
    if not occurring.any() or (support < 0).any():
        raise ValueError(f"support must not be negative, and positive somewhere; got {support.tolist()}")
    prior = np.full(len(support), np.nan)
    prior[occurring] = centred(-np.log(support[occurring]))
    size = float(prior[occurring] @ prior[occurring])
    if size < 1e-12:  # all equally frequent: there is no path
        return prior, None
    return prior, float(centred(offsets[occurring]) @ prior[occurring]) / size
