"""Simultaneous confidence intervals of estimated class priors, and a test of whether they have changed.

Class priors are compared as angles `arcsin(sqrt(prior))`, whose variance depends little on the prior. In the binary
case the angles of both classes have the same errors. See Anscombe, *The transformation of Poisson, binomial and
negative-binomial data*, Biometrika 35, 1948.

If each of K intervals has the level `level ** (1 / K)`, all of them hold at once with at least this `level`. That is so
for normal errors with any correlations. See Šidák, *Rectangular confidence regions for the means of multivariate normal
distributions*, Journal of the American Statistical Association 62, 1967.
"""

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

__all__ = ["PriorRegion"]

_Floats = npt.NDArray[np.float64]


class PriorRegion(NamedTuple):
    """Estimated class priors (K,), the standard errors (K,) of their angles, and the degrees of freedom of these.

    A class without samples in the fit has a standard error of zero. A `factor` multiplies all standard errors.
    """

    estimated: _Floats
    standard_error: _Floats
    degrees: int

    @classmethod
    def of(cls, estimated: _Floats, reference: _Floats, drawn: _Floats, *, n_groups: int | None = None) -> Self:
        """Return the region from bootstraps (B, 2, K): estimates of the samples, and without a shift from `reference`.

        Bootstraps of samples in which a class is absent do not vary. So the larger of both standard errors counts. Of
        samples in groups there are at most as many degrees of freedom as groups, less one.
        """
        errors = _angle(drawn) - _angle(np.stack([estimated, reference]))
        standard_error: _Floats = np.sqrt(np.mean(errors**2, axis=0)).max(axis=0)
        degrees = len(drawn) if n_groups is None else min(len(drawn), n_groups - 1)
        return cls(estimated, standard_error, degrees)

    @property
    def _n_intervals(self) -> int:
        """How many intervals may fail: binary class priors are one number."""
        n_classes = int(np.count_nonzero(self.standard_error))
        return n_classes if n_classes > 2 else 1

    def interval(self, level: float, *, joint: bool, factor: float = 1.0) -> _Floats:
        """Return intervals (2, K) of this level, by class or `joint`: for all classes at once."""
        of_each = level ** (1 / self._n_intervals) if joint else level
        width = float(student.ppf((1 + of_each) / 2, self.degrees)) * factor * self.standard_error
        ends = np.clip(_angle(self.estimated) + np.stack([-width, width]), 0, np.pi / 2)
        intervals: _Floats = np.sin(ends) ** 2
        return intervals

    def p_value(self, prior: _Floats, *, factor: float = 1.0) -> float:
        """Return one minus the largest level of which some joint interval excludes its class prior (K,)."""
        errors, scale = np.abs(_angle(self.estimated) - _angle(prior)), factor * self.standard_error
        ratios = np.divide(errors, scale, out=np.where(errors > 0, np.inf, 0.0), where=scale > 0)
        of_each = 2 * float(student.sf(ratios.max(), self.degrees))
        return float(-np.expm1(self._n_intervals * np.log1p(-of_each))) if of_each < 1 else 1.0


def _angle(prior: _Floats) -> _Floats:
    angle: _Floats = np.arcsin(np.sqrt(np.clip(prior, 0, 1)))
    return angle
