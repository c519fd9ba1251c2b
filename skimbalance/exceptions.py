"""Warnings that skimbalance issues; its errors are `ValueError` and `TypeError`. All name the page about them."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar, cast

__all__ = [
    "FewRowsWarning",
    "SkimbalanceWarning",
    "UncertainShiftWarning",
    "UnreachableGoalWarning",
    "caught_warnings",
    "is_silent",
    "names_page",
    "silenced",
    "warn_user",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_PAGE = "See 'Messages' in the documentation of skimbalance."

_INNER = {"skimbalance", "sklearn", "joblib", "skorch"}

_CAUGHT: ContextVar[list[tuple[str, type[Warning]]] | None] = ContextVar("_CAUGHT", default=None)
_SILENT: ContextVar[bool] = ContextVar("_SILENT", default=False)


class SkimbalanceWarning(UserWarning):
    """Base class of every warning that skimbalance issues."""


class FewRowsWarning(SkimbalanceWarning):
    """A class has too few rows to tune on for its offset, or a score that depends on it, to say much."""


class UncertainShiftWarning(SkimbalanceWarning):
    """The change of class priors in samples without labels is not significant."""


class UnreachableGoalWarning(SkimbalanceWarning):
    """No offsets meet the constraints on the rows tuned on; those that miss them by the least were taken."""


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line of the user that led here."""
    if (caught := _CAUGHT.get()) is not None:
        caught.append((message, category))
        return
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in _INNER:
        level, frame = level + 1, frame.f_back
    told = message if message.endswith(_PAGE) else f"{message.rstrip('.')}. {_PAGE}"
    warnings.warn(told, category, stacklevel=level)


@contextmanager
def caught_warnings() -> Iterator[list[tuple[str, type[Warning]]]]:
    """Collect the messages and categories that `warn_user` gets in this thread, and do not issue these warnings.

    `warnings.catch_warnings` changes the filters of the process. Two threads that enter and leave it in turn leave the
    filters of one thread behind.
    """
    caught: list[tuple[str, type[Warning]]] = []
    token = _CAUGHT.set(caught)
    try:
        yield caught
    finally:
        _CAUGHT.reset(token)


class _WhereSilent:
    """Stands for the regular expression of a warning filter; it matches every message in a silenced thread only."""

    pattern = "(?!)"  # what scikit-learn passes to its workers instead: it matches nothing

    def match(self, message: str) -> bool:
        return _SILENT.get()


_FILTER: Any = ("ignore", _WhereSilent(), Warning, None, 0)


def is_silent() -> bool:
    """Tell whether this thread ignores warnings."""
    return _SILENT.get()


@contextmanager
def silenced(silent: bool = True) -> Iterator[None]:
    """Ignore all warnings of this thread, and leave those of other threads alone."""
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
        with suppress(ValueError):  # somebody has reset the filters
            filters.remove(_FILTER)


def names_page(function: _Function) -> _Function:
    """Let errors that skimbalance raises inside `function` name the page about them."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (TypeError, ValueError) as error:
            if _is_ours(error) and _PAGE not in getattr(error, "__notes__", ()):
                error.add_note(_PAGE)
            raise

    return cast("_Function", wrapped)


def _is_ours(error: Exception) -> bool:
    """Tell whether it was raised in skimbalance, and not in what it calls."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__", "").split(".")[0] == "skimbalance"
