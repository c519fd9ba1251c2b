"""Warnings that skimbalance issues; its errors are `ValueError` and `TypeError`."""

import sys
import warnings

__all__ = ["FewRowsWarning", "SkimbalanceWarning", "UnreachableGoalWarning", "warn_user"]

_INNER = {"skimbalance", "sklearn", "joblib", "skorch"}


class SkimbalanceWarning(UserWarning):
    """Base class of every warning that skimbalance issues."""


class FewRowsWarning(SkimbalanceWarning):
    """A class has too few rows to tune on for its offset, or a score that depends on it, to say much."""


class UnreachableGoalWarning(SkimbalanceWarning):
    """No offsets meet the constraints on the rows tuned on; those that miss them by the least were taken."""


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line of the user that led here."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in _INNER:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
