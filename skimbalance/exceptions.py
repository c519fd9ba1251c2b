"""Warnings that skimbalance issues; its errors are `ValueError` and `TypeError`."""

__all__ = ["SkimbalanceWarning"]


class SkimbalanceWarning(UserWarning):
    """Base class of every warning that skimbalance issues."""
