r"""A ratio of sums over labels, to its global optimum: parametric search over the ratio.

For a ratio :math:`\lambda` the difference :math:`\sum_l N_l(c_l) - \lambda D_l(c_l)` is a sum over labels, so that each
label finds its best cut by itself, and exactly. If the greatest difference is positive, its cuts have a greater ratio
than :math:`\lambda`, which they replace; if not, no cuts have. The ratios grow strictly, and each is that of one of
finitely many choices of cuts: the search ends, and at the global optimum. Dinkelbach, *On nonlinear fractional
programming*, Management Science 13, 1967.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skimbalance.solvers._base import improves
from skimbalance.tuner.labels._labels import Floats
from skimbalance.tuner.labels._walks import RatioSweep

__all__ = ["BestRatio", "best_ratio"]

_ROUNDING = 1e-12


class BestRatio(NamedTuple):
    """The offset of each sorted sweep, their ratio, and the number of steps."""

    offsets: Floats
    ratio: float
    n_iter: int


def best_ratio(sorted_sweeps: Sequence[RatioSweep], *, fixed: tuple[float, float] = (0.0, 0.0)) -> BestRatio:
    """Return the cuts of the greatest ratio; `fixed` are numerator and denominator of what is decided already."""
    best, chosen, n_iter = 0.0, _choice(sorted_sweeps, 0.0), 1
    found = chosen
    while improves(ratio := _ratio(sorted_sweeps, chosen, fixed), best):
        best, found, chosen, n_iter = ratio, chosen, _choice(sorted_sweeps, ratio), n_iter + 1
    if best > 0 and any(sorted_sweep.parts[1].min() <= 0 for sorted_sweep in sorted_sweeps):
        # Without a denominator, as precision has it, cuts as good by the difference may have no ratio.
        settled = [_settled_at(*each) for each in zip(sorted_sweeps, found, strict=True)]
    else:
        settled = [_settled(sorted_sweep, best) for sorted_sweep in sorted_sweeps]
    return BestRatio(np.array(settled), best, n_iter)


def _choice(sorted_sweeps: Sequence[RatioSweep], ratio: float) -> list[int]:
    """Return the best place of each sorted sweep for a ratio, of equals the one with the fewest predicted."""
    return [int(np.argmax(sorted_sweep.parts[0] - ratio * sorted_sweep.parts[1])) for sorted_sweep in sorted_sweeps]


def _ratio(sorted_sweeps: Sequence[RatioSweep], places: Sequence[int], fixed: tuple[float, float]) -> float:
    numerator, denominator = (
        fixed[part]
        + sum(float(sorted_sweep.parts[part][place]) for sorted_sweep, place in zip(sorted_sweeps, places, strict=True))
        for part in (0, 1)
    )
    return numerator / denominator if denominator > 0 else 0.0


def _settled(sorted_sweep: RatioSweep, ratio: float) -> float:
    """Return the offset nearest to zero of those that are best at the ratio, but for rounding."""
    gains = sorted_sweep.numerator - ratio * sorted_sweep.denominator
    scale = float(sorted_sweep.numerator.max() + ratio * sorted_sweep.denominator.max())
    best = float(gains[sorted_sweep.permitted].max())
    return sorted_sweep.offset_where((gains >= best - _ROUNDING * scale).astype(np.float64))


def _settled_at(sorted_sweep: RatioSweep, place: int) -> float:
    """Return the offset nearest to zero of those with the numerator and the denominator of one cut."""
    alike = [sums == sums[sorted_sweep.places[place]] for sums in (sorted_sweep.numerator, sorted_sweep.denominator)]
    return sorted_sweep.offset_where((alike[0] & alike[1]).astype(np.float64))
