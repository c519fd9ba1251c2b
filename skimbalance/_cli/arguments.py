"""Arguments of the command line: the classes of columns, constraints, class priors and the reject label."""

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy.typing as npt

from skimbalance._cli.tables import CommandError, Table, is_number
from skimbalance._core.typing import Label
from skimbalance._core.validation import abridged_list
from skimbalance.goals import AtLeast, AtMost
from skimbalance.metrics.registry import get_metric

__all__ = [
    "classes_of",
    "constraint_of",
    "label_among",
    "named_constraint",
    "prior_of",
    "reject_label_of",
    "score_columns",
]

_SYNTAX = "metric>=value or metric<=value, as in 'recall[fraud]>=0.9@0.95': [label] and @confidence may be left out"
_CONSTRAINT = re.compile(
    r"\s*(?P<metric>\w+)\s*(?:\[(?P<label>.*)\])?\s*(?P<bound>[<>]=)\s*(?P<value>[^@\s]+)\s*(?:@\s*(?P<confidence>\S+)\s*)?"
)

_Vector = npt.NDArray[Any]


def score_columns(
    table: Table, chosen: str | None, *, besides: Sequence[str | None], labels: Sequence[Label], is_multilabel: bool
) -> tuple[list[str], list[Label] | None]:
    """Return the columns of scores, and the class of each where the names of columns determine it.

    Names determine classes if they are the labels, or the labels with the same text before and after each of them.
    Other names like these are of classes without samples, but not of labels without an indicator.
    """
    pool = table.others(*besides) if chosen is None else table.names(chosen, option="--columns")
    if not pool:
        raise CommandError(f"--columns is needed: {table.path} has no columns besides {abridged_list(list(besides))}")
    alike = {_plain(str(label)): label for label in labels}
    plain = _plain if len(alike) == len(labels) else str
    affixes = _affixes([plain(name) for name in pool], [plain(str(label)) for label in labels])
    if affixes is None:
        return pool, None
    before, after = affixes
    ours = [name for name in pool if plain(name).startswith(before) and plain(name).endswith(after)]
    inner = {name: name[len(before) : len(name) - len(after)] for name in ours}
    owners = {name: alike.get(plain(text), _label_like(text, labels)) for name, text in inner.items()}
    is_closed = is_multilabel or (chosen is None and affixes == ("", ""))  # any other column has a name, too
    found = {name: label for name, label in owners.items() if label is not None and (label in labels or not is_closed)}
    if chosen is not None and len(found) < len(pool):
        return pool, None
    return list(found), list(found.values())


def _plain(text: str) -> str:
    """Return a name as R writes it, with points for what cannot be in one."""
    return re.sub(r"\W", ".", text)


def _check_order(names: Sequence[str], labels: Sequence[Label]) -> None:
    """Raise if a column has the name of a class, and the place of another."""
    places = {str(label): place for place, label in enumerate(labels)}
    if any(places.get(name, place) != place for place, name in enumerate(names)):
        raise CommandError(
            f"--classes is needed: some columns of scores have names of classes, and others have not. The columns are "
            f"{abridged_list(list(names))}, the classes {abridged_list(list(labels))}"
        )


def _affixes(names: Sequence[str], labels: Sequence[str]) -> tuple[str, str] | None:
    """Return what stands before and after each label in the names, None if these are not so."""
    there, first = set(names), labels[0]
    for name in sorted(names, key=len):
        for match in re.finditer(f"(?={re.escape(first)})", name):
            before, after = name[: match.start()], name[match.start() + len(first) :]
            if all(f"{before}{label}{after}" in there for label in labels):
                return before, after
    return None


def _label_like(text: str, labels: Sequence[Label]) -> Label:
    """Return the label of this text, or a label of the type of the others, None if it cannot be one."""
    same = next((label for label in labels if str(label) == text), None)
    if same is not None:
        return same
    if all(isinstance(label, str) for label in labels):
        return text or None
    is_integer = all(isinstance(label, int) and not isinstance(label, bool) for label in labels)
    return int(text) if is_integer and re.fullmatch(r"-?\d+", text) else None


def label_among(text: str, labels: Sequence[Label], *, option: str) -> Label:
    """Return the label of this text."""
    for label in labels:
        if str(label) == text:
            return label
    raise CommandError(f"{option} names {text!r}, which is no class; the classes are {abridged_list(list(labels))}")


def classes_of(
    names: Sequence[str], scores: _Vector, labels: Sequence[Label], *, chosen: str | None, pos_label: str | None
) -> list[Label]:
    """Return the class of each column of scores that names do not determine, for one column those of (1 - p, p)."""
    if chosen is not None:
        texts = next(csv.reader([chosen], skipinitialspace=True))
        return [text if (label := _label_like(text, labels)) is None else label for text in texts]
    n_columns = 1 if scores.ndim == 1 else scores.shape[1]
    if n_columns > 1:
        if n_columns != len(labels):
            raise CommandError(
                f"--columns must name a column for each class; got {n_columns} columns, {abridged_list(list(names))}, "
                f"for {len(labels)} classes, {abridged_list(list(labels))}. Name other columns, or the class of each "
                "column by --classes"
            )
        _check_order(names, labels)
        return list(labels)
    if len(labels) != 2:
        raise CommandError(f"one column of scores, {names[0]!r}, is for two labels; got {abridged_list(list(labels))}")
    own = [label for label in labels if re.search(rf"(^|[\W_]){re.escape(str(label))}$", names[0])]
    if len(own) != 1 and pos_label is not None:
        own = [label_among(pos_label, labels, option="--pos-label")]
    if len(own) != 1 and not isinstance(labels[1], str):
        own = [labels[1]]
    if len(own) != 1:
        raise CommandError(
            f"--pos-label is needed: the class that the scores in {names[0]!r} are of, one of "
            f"{abridged_list(list(labels))}"
        )
    return [label for label in labels if label != own[0]] + own


def constraint_of(text: str) -> AtLeast | AtMost:
    """Return the constraint that a text states; its label is text, too."""
    match = _CONSTRAINT.fullmatch(text)
    try:
        if match is None:
            raise CommandError(f"--constraint must be {_SYNTAX}; got {text!r}")
        confidence = None if match["confidence"] is None else float(match["confidence"])
        kind = AtLeast if match["bound"] == ">=" else AtMost
        return kind(match["metric"], float(match["value"]), label=match["label"], confidence=confidence)
    except (TypeError, ValueError) as error:
        raise CommandError(f"--constraint {text!r}: {error}. It must be {_SYNTAX}") from None


def named_constraint(constraint: AtLeast | AtMost, labels: Sequence[Label]) -> AtLeast | AtMost:
    """Return the constraint with a label of the data in place of its text."""
    if constraint.label is None:
        if len(labels) > 2 and get_metric(constraint.metric, argument="metric").is_binary:
            raise CommandError(
                f"--constraint on {constraint.metric!r} needs a class, as in '{constraint.metric}[{labels[0]}]>=0.9'; "
                f"the classes are {abridged_list(list(labels))}"
            )
        return constraint
    return replace(constraint, label=label_among(constraint.label, labels, option="--constraint"))


def prior_of(text: str, labels: Sequence[Label]) -> dict[Label, float]:
    """Return the class prior that a text such as `fraud=0.01,fine=0.99` states."""
    found = {}
    for part in next(csv.reader([text], skipinitialspace=True), []) or [""]:
        label, _, share = part.rpartition("=")
        if not is_number(share) or not label:
            raise CommandError(f"--class-prior must be label=proportion,label=proportion; got {text!r}")
        found[label_among(label, labels, option="--class-prior")] = float(share)
    return found


def reject_label_of(text: str, labels: Sequence[Label]) -> Label:
    """Return the label of rejected samples, a number where those of the classes are."""
    found = _label_like(text, labels)
    if found is None or found in labels:
        raise CommandError(
            f"--reject-label must be a label like those of the classes, {abridged_list(list(labels))}, and none of "
            f"them; got {text!r}"
        )
    return found
