"""A slow reference of confidence regions of class priors."""

import math

import numpy as np
from scipy.optimize import brentq
from scipy.stats import t as student


def angle(prior):
    return math.asin(math.sqrt(prior))


def standard_errors(estimated, reference, drawn):
    """The larger root mean square of each class: around the estimate, and without a shift around the reference."""
    found = []
    for k in range(len(estimated)):
        squares = [
            np.mean([(angle(priors[kind][k]) - angle(centre[k])) ** 2 for priors in drawn])
            for kind, centre in enumerate((estimated, reference))
        ]
        found.append(math.sqrt(max(squares)))
    return found


def quantile(level, n_intervals, degrees):
    """How many standard errors the largest of independent errors exceeds with a probability of one minus the level."""

    def missing(width):
        return math.prod(student.cdf(width, degrees) - student.cdf(-width, degrees) for _ in range(n_intervals)) - level

    return brentq(missing, 0, 1e6)


def joint_intervals(estimated, reference, drawn, *, level, misfit=1.0):
    """Intervals (2, K) of all classes at once."""
    errors = standard_errors(estimated, reference, drawn)
    width = quantile(level, len(estimated) if len(estimated) > 2 else 1, len(drawn))
    ends = [
        [
            math.sin(min(max(angle(p) + sign * width * misfit * s, 0.0), math.pi / 2)) ** 2
            for p, s in zip(estimated, errors, strict=True)
        ]
        for sign in (-1, 1)
    ]
    return np.array(ends)


def p_value(estimated, reference, drawn):
    """One minus the largest level whose joint intervals do not contain the reference, by bisection."""

    def excludes(level):
        lower, upper = joint_intervals(estimated, reference, drawn, level=level)
        return ((reference < lower) | (reference > upper)).any()

    below, above = 1e-9, 1 - 1e-9
    for _ in range(40):
        middle = (below + above) / 2
        below, above = (middle, above) if excludes(middle) else (below, middle)
    return 1 - below
