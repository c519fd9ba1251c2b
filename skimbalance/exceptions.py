"""Warnings that skimbalance issues; its errors are `ValueError` and `TypeError`."""

__all__ = ["FewRowsWarning", "SkimbalanceWarning", "UnreachableGoalWarning"]


class SkimbalanceWarning(UserWarning):
    """Base class of every warning that skimbalance issues."""


class FewRowsWarning(SkimbalanceWarning):
    """A class has too few rows to tune on for its offset, or a score that depends on it, to say much."""


class UnreachableGoalWarning(SkimbalanceWarning):
    """No offsets meet the constraints on the rows tuned on; those that miss them by the least were taken."""
