"""Basis of all modules: arrays of any library, input checks, scores and decision rules."""

__all__: list[str] = []
