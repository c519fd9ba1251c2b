"""Objectives of the command line that are no names of metrics: F-beta scores, and costs from a file."""

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from skimbalance._cli.tables import CommandError, delimiter_of, is_number
from skimbalance._core.typing import Label
from skimbalance._core.validation import abridged_list, shown
from skimbalance.metrics import Cost, FBeta

__all__ = ["cost_of", "objective_of"]

_F_BETA = re.compile(r"fbeta(?:_(?P<average>macro|micro|weighted))?:(?P<beta>.+)")


def objective_of(text: str) -> str | FBeta:
    """Return the F-beta score that a text such as `fbeta:2` or `fbeta_macro:0.5` names, or any other name as it is."""
    if text == "cost":
        raise CommandError("--objective cost needs the costs: pass --cost-matrix FILE instead")
    match = _F_BETA.fullmatch(text)
    if match is None:
        return text
    try:
        return FBeta(float(match["beta"]), average=cast(Any, match["average"] or "binary"))
    except ValueError as error:
        raise CommandError(f"--objective {text!r} must be such as 'fbeta:2' or 'fbeta_macro:0.5': {error}") from None


def cost_of(path: Path, classes: Sequence[Label] | None) -> Cost:
    """Return the cost with the matrix in a file; of `classes` None, those of multilabel targets, it has no names.

    Rows are true classes, columns are decisions. Names of classes, as first line and first column of a CSV file or as
    keys in JSON, may be in any order.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = json.loads(text) if path.suffix.lower() == ".json" else _of_csv(text)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, csv.Error) as error:
        raise CommandError(f"--cost-matrix cannot read {path}: {error}") from error
    rows = _in_order(found, classes, path=path) if isinstance(found, dict) else found
    size = 2 if classes is None else len(classes)
    lines = rows if isinstance(rows, list) and len(rows) == size else [None]
    if not all(isinstance(line, list) and len(line) == size and all(map(is_number, line)) for line in lines):
        raise CommandError(
            f"--cost-matrix needs {size} lines of {size} numbers: the cost of each decision (column) for samples of "
            f"each class (line), with or without the names of the classes; {path} has others"
        )
    try:
        return Cost([[float(cell) for cell in row] for row in rows])
    except ValueError as error:
        raise CommandError(f"--cost-matrix {path}: {error}") from None


def _of_csv(text: str) -> Any:
    """Return the cells as lists, or as dictionaries where the first line has names."""
    lines = text.splitlines()
    cells = [[cell.strip() for cell in line] for line in csv.reader(lines, delimiter=delimiter_of(text)) if line]
    if not cells or is_number(cells[0][0]):
        return cells
    names = cells[0][1:]
    return {line[0]: dict(zip(names, line[1:], strict=True)) for line in cells[1:]}


def _in_order(named: dict[str, Any], classes: Sequence[Label] | None, *, path: Path) -> list[Any]:
    """Return named rows and columns as lists in the order of the classes."""
    names = [str(label) for label in classes or ()]
    wrong = next(
        (each for each in (named, *named.values()) if not isinstance(each, dict) or set(each) != set(names)), None
    )
    if wrong is not None:
        raise CommandError(
            f"--cost-matrix must name each class, {abridged_list(list(classes or ()))}, once for its samples and once "
            f"for its decisions; {path} names {abridged_list(list(wrong)) if isinstance(wrong, dict) else shown(wrong)}"
        )
    return [[named[own][decided] for decided in names] for own in names]
