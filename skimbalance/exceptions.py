"""Warnings that skimbalance issues; its errors are `ValueError` and `TypeError`."""

__all__ = ["AbsentClassWarning", "SkimbalanceWarning"]


class SkimbalanceWarning(UserWarning):
    """Base class of every warning that skimbalance issues."""


class AbsentClassWarning(SkimbalanceWarning):
    """A class has no row to tune on, so its offset stays neutral."""
