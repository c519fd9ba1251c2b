"""What a user may ask of a search by values."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from numbers import Integral

from skimbalance._core.text import shown
from skimbalance.exceptions import names_page

__all__ = ["OPTIMISERS", "Search"]

OPTIMISERS = ("differential_evolution", "direct", "powell")
"""The optimisers of SciPy that a search may use."""


@dataclass(frozen=True)
class Search:
    """A search by SciPy's optimisers, with a budget and a callback; give it as `solver`.

    Parameters
    ----------
    method : {"differential_evolution", "direct", "powell"}, default="differential_evolution"
        The optimiser. With two classes, where one number is to be found, all three try cuts alone.
    budget : int, default=None
        How many times the metric is evaluated at most, at least ten; a fourth as often in each fold. None is 2,000,
        less beyond a million scores, and never less than 100.
    callback : callable, default=None
        Called as ``callback(n_evaluations, best)`` after every evaluation of the searches on all samples, not in folds;
        `best` is the best value so far, where more is better: that of a metric to be minimised has its sign
        turned, and one that misses constraints is lower than any that meets them. The search stops, with the best so
        far, where it returns something true.

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
    A metric of one's own, on 200 evaluations:

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
