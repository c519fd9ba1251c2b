"""Warnings that skimbalance issues; its errors are `ValueError` and `TypeError`."""

__all__ = ["FewRowsWarning", "SkimbalanceWarning"]


class SkimbalanceWarning(UserWarning):
    """Base class of every warning that skimbalance issues."""


class FewRowsWarning(SkimbalanceWarning):
    """A class has too few rows to tune on for its offset, or a score that depends on it, to say much."""
