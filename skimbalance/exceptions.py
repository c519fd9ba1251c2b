"""Warnings of skimbalance. Its errors are `ValueError` and `TypeError`; all refer to a page of the documentation."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, cast

__all__ = [
    "PAGE",
    "FewRowsWarning",
    "SkimbalanceWarning",
    "UncertainShiftWarning",
    "UnreachableGoalWarning",
    "caught_warnings",
    "is_silent",
    "silenced",
    "warn_user",
]

PAGE = "See 'Messages' in the documentation of skimbalance."

_INNER = {"skimbalance", "sklearn", "joblib", "skorch", "lightning", "transformers", "torch"}
"""Warnings are issued at the first line outside these packages."""

_CAUGHT: ContextVar[list[tuple[str, type[Warning]]] | None] = ContextVar("_CAUGHT", default=None)
_SILENT: ContextVar[bool] = ContextVar("_SILENT", default=False)


class SkimbalanceWarning(UserWarning):
    """Base class of every warning that skimbalance issues."""


class FewRowsWarning(SkimbalanceWarning):
    """A class has too few samples for a reliable offset or score."""


class UncertainShiftWarning(SkimbalanceWarning):
    """The change of the class prior in unlabelled samples is not significant."""


class UnreachableGoalWarning(SkimbalanceWarning):
    """No offsets satisfy the constraints on the tuning samples; those with the smallest violation are used."""


def warn_user(message: str, category: type[Warning]) -> None:
    """Issue a warning at the line of user code that called skimbalance."""
    if (caught := _CAUGHT.get()) is not None:
        caught.append((message, category))
        return
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in _INNER:
        level, frame = level + 1, frame.f_back
    text = message if message.endswith(PAGE) else f"{message.rstrip('.')}. {PAGE}"
    warnings.warn(text, category, stacklevel=level)


@contextmanager
def caught_warnings() -> Iterator[list[tuple[str, type[Warning]]]]:
    """Collect the warnings of `warn_user` in this thread instead of issuing them.

    `warnings.catch_warnings` is not safe in threads: it changes the filters of the process.
    """
    caught: list[tuple[str, type[Warning]]] = []
    token = _CAUGHT.set(caught)
    try:
        yield caught
    finally:
        _CAUGHT.reset(token)


class _WhereSilent:
    """Pattern of a warning filter that matches all messages, but in silenced threads only."""

    pattern = "(?!)"  # scikit-learn passes this to its workers; it matches nothing

    def match(self, message: str) -> bool:
        return _SILENT.get()


_FILTER: Any = ("ignore", _WhereSilent(), Warning, None, 0)


def is_silent() -> bool:
    """Return whether this thread ignores warnings."""
    return _SILENT.get()


@contextmanager
def silenced(silent: bool = True) -> Iterator[None]:
    """Ignore all warnings of this thread only."""
    if not silent:
        yield
        return
    filters = cast("list[Any]", warnings.filters)
    filters.insert(0, _FILTER)
    token = _SILENT.set(True)
    try:
        yield
    finally:
        _SILENT.reset(token)
        with suppress(ValueError):  # the filters were reset meanwhile
            filters.remove(_FILTER)
