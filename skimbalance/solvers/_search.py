"""The SciPy optimisers as a solver with a budget and a callback."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from numbers import Integral

from skimbalance._core.validation import names_page, shown

__all__ = ["OPTIMISERS", "Search"]

OPTIMISERS = ("differential_evolution", "direct", "powell")
"""The optimisers of SciPy that a search may use."""


@dataclass(frozen=True)
class Search:
    """A search by SciPy's optimisers, with a budget and a callback; give it as `solver`.

    Parameters
    ----------
    method : {"differential_evolution", "direct", "powell"}, default="differential_evolution"
        The optimiser. In the binary case there is one number to find, and all three methods try thresholds only.
    budget : int, default=None
        Maximum number of evaluations of the metric, at least ten; each fold gets a fourth of it. None means 2,000, with
        more than a million scores fewer, and never fewer than 100.
    callback : callable, default=None
        Called as ``callback(n_evaluations, best)`` after every evaluation of the search on all samples, not in folds.
        `best` is the best value so far, and greater is better: a metric to be minimised has its sign reversed. A value
        that violates constraints is lower than any that satisfies them. If the callback returns a true value, the
        search stops with the best offsets so far.

    Raises
    ------
    ValueError
        If there is no such method, or the budget is not a whole number of at least ten.
    TypeError
        If the callback cannot be called.

    See Also
    --------
    skimbalance.OffsetTuner : Takes it as `solver`.

    References
    ----------
    Storn and Price, *Differential evolution*, Journal of Global Optimization 11, 1997. Jones, Perttunen and Stuckman,
    *Lipschitzian optimization without the Lipschitz constant*, Journal of Optimization Theory and Applications 79,
    1993. Powell, *An efficient method for finding the minimum of a function of several variables without calculating
    derivatives*, The Computer Journal 7, 1964.

    Examples
    --------
    A metric of your own, with 200 evaluations:

    >>> import numpy as np
    >>> from skimbalance import OffsetTuner
    >>> from skimbalance.solvers import Search
    >>> def harmonic(y_true, y_pred, *, sample_weight):
    ...     right = (y_true == y_pred) * sample_weight
    ...     recalls = [right[y_true == c].sum() / sample_weight[y_true == c].sum() for c in np.unique(y_true)]
    ...     return len(recalls) / sum(1 / max(recall, 1e-9) for recall in recalls)
    >>> rng = np.random.default_rng(0)
    >>> y = rng.choice(3, size=300, p=[0.8, 0.15, 0.05])
    >>> logits = 2 * np.eye(3)[y] + np.log([0.8, 0.15, 0.05]) + rng.normal(size=(300, 3))
    >>> tuner = OffsetTuner(harmonic, kind="logits", solver=Search(budget=200)).fit(logits, y)
    >>> untuned = harmonic(y, logits.argmax(axis=1), sample_weight=np.ones(300))
    >>> round(float(untuned), 2), round(tuner.in_sample_score_, 2)
    (0.12, 0.87)
    """

    method: str = "differential_evolution"
    _: KW_ONLY
    budget: int | None = None
    callback: Callable[[int, float], object] | None = None

    @names_page
    def __post_init__(self) -> None:
        if self.method not in OPTIMISERS:
            raise ValueError(f"method must be one of {', '.join(map(repr, OPTIMISERS))}; got {self.method!r}")
        budget: object = self.budget
        if budget is not None and not (isinstance(budget, Integral) and int(budget) >= 10):
            raise ValueError(f"budget must be a whole number of at least 10, or None; got {shown(budget)}")
        if self.callback is not None and not callable(self.callback):
            raise TypeError(f"callback must be a function of (n_evaluations, best), or None; got {self.callback!r}")
