"""Display of the epochs of a net, without and with offsets."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from skimbalance.metrics._cost import Cost
from skimbalance.metrics.base import Metric
from skimbalance.metrics.registry import METRICS
from skimbalance.plotting._axes import Axes, Options, colours, ink, one_axes, options, place_legend

__all__ = ["TrainingCurveDisplay"]

_Floats = npt.NDArray[np.float64]


class TrainingCurveDisplay:
    """A metric on the validation samples after each epoch, without and with offsets.

    The best epoch of each curve is marked. The values with offsets are cross-fitted; their best epoch is that of
    :class:`~skimbalance.callbacks.TunedOffsetCheckpoint`.

    Parameters
    ----------
    epochs : ndarray of shape (n_epochs,)
        Numbers of the epochs.
    untuned, tuned : ndarray of shape (n_epochs,)
        The metric without and with offsets; NaN for an epoch with infinite or missing logits.
    objective : str
        The name of the metric.
    best_untuned, best_tuned : int or None
        The best epoch of each curve, None if all values are NaN.

    Attributes
    ----------
    ax_ : Axes
        The axes.
    figure_ : Figure
        The figure of the axes.
    untuned_, tuned_ : Line2D
        The two curves.
    marks_ : list of Line2D
        The chosen epochs.
    legend_ : Legend
        The legend.

    See Also
    --------
    skimbalance.callbacks.TunedOffsetCheckpoint : Writes the history that is drawn.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from skimbalance.plotting import TrainingCurveDisplay
    >>> history = [
    ...     {"epoch": 1, "valid_f1_macro_untuned": 0.31, "valid_f1_macro_tuned": 0.52},
    ...     {"epoch": 2, "valid_f1_macro_untuned": 0.44, "valid_f1_macro_tuned": 0.61},
    ...     {"epoch": 3, "valid_f1_macro_untuned": 0.47, "valid_f1_macro_tuned": 0.58},
    ... ]
    >>> display = TrainingCurveDisplay.from_history(history)
    >>> display.best_untuned, display.best_tuned
    (3, 2)
    """

    def __init__(
        self,
        epochs: npt.NDArray[np.int64],
        *,
        untuned: _Floats,
        tuned: _Floats,
        objective: str,
        best_untuned: int | None,
        best_tuned: int | None,
    ) -> None:
        self.epochs = epochs
        self.untuned = untuned
        self.tuned = tuned
        self.objective = objective
        self.best_untuned = best_untuned
        self.best_tuned = best_tuned

    @classmethod
    def from_estimator(
        cls, net: Any, *, objective: str | Metric | None = None, ax: Axes = None, **plot_options: Any
    ) -> Self:
        """Draw the history of a net.

        Parameters
        ----------
        net : skorch.NeuralNet
            Fitted with a :class:`~skimbalance.callbacks.TunedOffsetCheckpoint` among its callbacks.
        objective : str or metric, default=None
            Objective to draw if the history has several.
        ax : Axes, default=None
            Axes to draw on; None makes a figure.
        **plot_options : dict
            Passed on to :meth:`plot`.

        Returns
        -------
        TrainingCurveDisplay
            The drawn display.
        """
        history = getattr(net, "history", None)
        if history is None:
            raise TypeError(f"net must be a fitted net of skorch, which has a history; got {type(net).__name__}")
        return cls.from_history(history, objective=objective, ax=ax, **plot_options)

    @classmethod
    def from_history(
        cls,
        history: Sequence[Mapping[str, Any]],
        *,
        objective: str | Metric | None = None,
        ax: Axes = None,
        **plot_options: Any,
    ) -> Self:
        """Draw a history.

        Parameters
        ----------
        history : skorch.history.History, or sequence of dict
            The records of each epoch.
        objective : str or metric, default=None
            Objective to draw if the history has several. A metric also defines whether higher values are better.
        ax : Axes, default=None
            Axes to draw on; None makes a figure.
        **plot_options : dict
            Passed on to :meth:`plot`.

        Returns
        -------
        TrainingCurveDisplay
            The drawn display.
        """
        records = list(history)
        name = _objective_in(records, objective)
        untuned, tuned = (
            np.asarray([each.get(f"valid_{name}_{which}", math.nan) for each in records], dtype=np.float64)
            for which in ("untuned", "tuned")
        )
        epochs = np.asarray([each.get("epoch", number) for number, each in enumerate(records, start=1)], dtype=np.int64)
        kept = [epoch for epoch, each in zip(epochs, records, strict=True) if each.get(f"valid_{name}_tuned_best")]
        if isinstance(objective, Metric):
            metric = objective
        else:  # higher values of unknown metrics are better, except of costs
            cost = Cost([[0, 1], [1, 0]])
            metric = cost if name == cost.name else METRICS.get(name, METRICS["accuracy"])
        display = cls(
            epochs,
            untuned=untuned,
            tuned=tuned,
            objective=name,
            best_untuned=_best(epochs, untuned, metric),
            best_tuned=int(kept[-1]) if kept else _best(epochs, tuned, metric),
        )
        return display.plot(ax, **plot_options)

    def plot(
        self,
        ax: Axes = None,
        *,
        untuned_kwargs: Options = None,
        tuned_kwargs: Options = None,
        legend_kwargs: Options = None,
    ) -> Self:
        """Draw both curves.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on; None makes a figure.
        untuned_kwargs, tuned_kwargs : dict, default=None
            Passed on to the `plot` of matplotlib for either curve.
        legend_kwargs : dict, default=None
            Passed on to the `legend` of matplotlib.

        Returns
        -------
        TrainingCurveDisplay
            The display itself.
        """
        self.ax_, new = one_axes(ax, figsize=(7.5, 3.8))
        self.figure_ = self.ax_.figure
        palette = colours()
        below = options(untuned_kwargs, color=palette[1], linestyle="--", marker=".")
        above = options(tuned_kwargs, color=palette[0], linestyle="-", marker=".")
        self.untuned_ = self.ax_.plot(self.epochs, self.untuned, label="without offsets", **below)[0]
        self.tuned_ = self.ax_.plot(self.epochs, self.tuned, label="with offsets, cross-fitted", **above)[0]
        self.marks_: list[Any] = []
        self._mark(self.best_untuned, self.untuned_, "s")
        self._mark(self.best_tuned, self.tuned_, "o")
        self.ax_.set(xlabel="epoch", ylabel=f"{self.objective} on the validation samples")
        self.ax_.xaxis.get_major_locator().set_params(integer=True)
        self.legend_ = place_legend(self.ax_, new=new, given=legend_kwargs)
        return self

    def _mark(self, epoch: int | None, curve: Any, marker: str) -> None:
        """Mark the epoch that a curve chooses."""
        if epoch is None:
            return
        here = self.epochs == epoch
        colour = curve.get_color()
        self.ax_.axvline(epoch, color=colour, linestyle=curve.get_linestyle(), linewidth=1.0, alpha=0.6, zorder=1)
        self.marks_ += self.ax_.plot(
            self.epochs[here][-1:],
            curve.get_ydata()[here][-1:],
            color=colour,
            marker=marker,
            markersize=10,
            markeredgecolor=ink(),
            linestyle="none",
            label=f"epoch {epoch}, best {curve.get_label().split(',')[0]}",
            zorder=3,
        )


def _objective_in(records: Sequence[Mapping[str, Any]], objective: str | Metric | None) -> str:
    """Return the name of the objective to draw."""
    keys = {key for record in records for key in record}
    names = (key.removeprefix("valid_").removesuffix("_untuned") for key in keys if key.endswith("_untuned"))
    known = sorted(name for name in names if {f"valid_{name}_tuned", f"valid_{name}_untuned"} <= keys)
    if not known:
        raise ValueError(
            "history holds no valid_<objective>_untuned and valid_<objective>_tuned: train the net with "
            "skimbalance.callbacks.TunedOffsetCheckpoint among its callbacks"
        )
    if objective is None and len(known) > 1:
        raise ValueError(f"history holds several objectives: name one of {', '.join(known)} as objective")
    name = known[0] if objective is None else getattr(objective, "name", str(objective))
    if name not in known:
        raise ValueError(f"objective={name!r} is not in the history, which holds {', '.join(known)}")
    return name


def _best(epochs: npt.NDArray[np.int64], values: _Floats, metric: Metric) -> int | None:
    """Return the first of the best epochs."""
    merit = np.where(np.isnan(values), -math.inf, metric.merit(values))
    return None if np.isneginf(merit).all() else int(epochs[merit.argmax()])
