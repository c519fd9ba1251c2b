"""Warnings that skimbalance issues; its errors are `ValueError` and `TypeError`. All name the page about them."""

import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

__all__ = [
    "FewRowsWarning",
    "SkimbalanceWarning",
    "UncertainShiftWarning",
    "UnreachableGoalWarning",
    "names_page",
    "warn_user",
    "without_repeating",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_PAGE = "See 'Messages' in the documentation of skimbalance."

_INNER = {"skimbalance", "sklearn", "joblib", "skorch"}


class SkimbalanceWarning(UserWarning):
    """Base class of every warning that skimbalance issues."""


class FewRowsWarning(SkimbalanceWarning):
    """A class has too few rows to tune on for its offset, or a score that depends on it, to say much."""


class UncertainShiftWarning(SkimbalanceWarning):
    """The shares of the classes in rows without labels cannot be told from those that offsets are for."""


class UnreachableGoalWarning(SkimbalanceWarning):
    """No offsets meet the constraints on the rows tuned on; those that miss them by the least were taken."""


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line of the user that led here."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in _INNER:
        level, frame = level + 1, frame.f_back
    told = message if message.endswith(_PAGE) else f"{message.rstrip('.')}. {_PAGE}"
    warnings.warn(told, category, stacklevel=level)


@contextmanager
def without_repeating(said: Iterable[str]) -> Iterator[None]:
    """Silence warnings that begin, up to their first colon, as something that has been said before."""
    with warnings.catch_warnings():
        for message in said:
            opening = message.split(":")[0].rstrip(".")
            warnings.filterwarnings("ignore", re.escape(opening), SkimbalanceWarning)
        yield


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
