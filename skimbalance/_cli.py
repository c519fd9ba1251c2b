"""Tables of scores, constraints and offsets of the command line: files and text on one side, arrays on the other."""

import csv
import gzip
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from skimbalance._core.decision import KINDS
from skimbalance._core.decision_rule import ArgmaxRule
from skimbalance._core.typing import Label
from skimbalance._core.validation import abridged_list
from skimbalance.goals import AtLeast, AtMost
from skimbalance.metrics.registry import get_metric

__all__ = [
    "CommandError",
    "Offsets",
    "Table",
    "classes_of",
    "constraint_of",
    "label_among",
    "named_constraint",
    "prior_of",
    "read_table",
    "score_columns",
]

_SYNTAX = "metric>=value or metric<=value, as in 'recall[fraud]>=0.9@0.95': [label] and @confidence may be left out"
_CONSTRAINT = re.compile(
    r"\s*(?P<metric>\w+)\s*(?:\[(?P<label>.*)\])?\s*(?P<bound>[<>]=)\s*(?P<value>[^@\s]+)\s*(?:@\s*(?P<confidence>\S+)\s*)?"
)

_MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "NULL", "null"})
_DELIMITERS = (",", ";", "\t", "|")
_ROWS = 20_000
"""Lines of a CSV file that are read at once."""

_FRACTION = re.compile(r"^(\s*[-+]?\d+),(\d+(?:[eE][-+]?\d+)?\s*)$")

_LABELS = ("label", "y", "y_true", "target", "class", "truth")
"""Names of a column of labels, in lower case."""

_Vector = npt.NDArray[Any]


class CommandError(Exception):
    """An argument or a file that cannot be used; its text is the message to the user."""


@dataclass(frozen=True)
class Table:
    """The columns of a file by name, vectors (n,) or arrays (n, K); those of a CSV file are text."""

    path: Path
    columns: dict[str, _Vector]
    first_line: int = 1
    classes: _Vector | None = None

    def names(self, chosen: str, *, option: str) -> list[str]:
        """Return the names of the columns that a comma-separated list names, where `p_*` names several."""
        found: list[str] = []
        for name in next(csv.reader([chosen], skipinitialspace=True), []):
            matches = [name] if name in self.columns else [each for each in self.columns if fnmatchcase(each, name)]
            if not matches:
                raise CommandError(f"{option} names {name!r}, which is no column of {self.path}. {self._offered()}")
            found += matches
        return found

    def label_name(self, chosen: str | None) -> str:
        """Return the name of the column of labels: that chosen, the only one of text, or the only one of that name."""
        if chosen is not None:
            if chosen not in self.columns:
                raise CommandError(f"--label names {chosen!r}, which is no column of {self.path}. {self._offered()}")
            return chosen
        named = [name for name in self.columns if name.lower() in _LABELS]
        found = named or [name for name in self.columns if self.is_text(name)]
        if len(found) != 1:
            commas = any(re.fullmatch(r"-?\d+,\d+", str(values[0])) for values in self.columns.values())
            hint = ". For decimals with a comma pass --decimal ," if commas else ""
            raise CommandError(f"--label is needed: the name of the column of labels. {self._offered()}{hint}")
        return found[0]

    def is_text(self, name: str) -> bool:
        """Return whether the first values of a column that are not missing are no numbers."""
        values = self.columns[name]
        if values.ndim > 1 or values.dtype.kind in "biuf":
            return False
        first = [value for value in values[:1000] if not _is_missing(value)]
        return bool(first) and not all(_is_number(value) for value in first)

    def others(self, *besides: str | None) -> list[str]:
        """Return the names of all other columns."""
        return [name for name in self.columns if name not in besides]

    def missing(self, name: str) -> npt.NDArray[np.bool_]:
        """Return which samples (n,) have no value in a column."""
        values = self.columns[name]
        if values.dtype.kind == "f":
            found: npt.NDArray[np.bool_] = np.max(np.isnan(values.reshape(len(values), -1)), axis=1)
            return found
        if values.dtype.kind not in "OU":
            return np.zeros(len(values), dtype=bool)
        return np.fromiter(map(_is_missing, values), dtype=bool, count=len(values))

    def kept(self, names: Sequence[str], *, skip: bool) -> npt.NDArray[np.bool_]:
        """Return which samples (n,) have a value in all these columns; raise if some lack one, unless `skip`."""
        kept = np.ones(len(self.columns[names[0]]), dtype=bool)
        for name in names:
            missing = self.missing(name)
            if missing.any() and not skip:
                first = int(np.argmax(missing))
                raise CommandError(
                    f"column {name!r} of {self.path} has {missing.sum():,} missing values, the first in "
                    f"{self._place(first)}. Fill them in, or leave these samples out with --skip-missing"
                )
            kept &= ~missing
        if not kept.any():
            raise CommandError(f"{self.path} has no sample with a value in each of {abridged_list(list(names))}")
        return kept

    def numbers(self, names: Sequence[str], kept: npt.NDArray[np.bool_], *, option: str) -> _Vector:
        """Return columns of numbers as one array (n, K), or (n,) for a single vector, in their own precision."""
        columns = [self._numbers(name, kept, option=option) for name in names]
        if len(columns) == 1:
            return columns[0]
        if any(column.ndim > 1 for column in columns):
            raise CommandError(f"{option} must name one array (n, K), or vectors; got {abridged_list(list(names))}")
        return np.stack(columns, axis=1)

    def _numbers(self, name: str, kept: npt.NDArray[np.bool_], *, option: str) -> _Vector:
        values = self.columns[name] if kept.all() else self.columns[name][kept]
        if values.dtype.kind in "biuf":
            return values
        try:
            return values.astype(np.float64)
        except (TypeError, ValueError):
            place = next(k for k, value in enumerate(values) if not _is_number(value))
            line = int(np.flatnonzero(kept)[place])
            raise CommandError(
                f"column {name!r} of {self.path} must hold numbers; got {values[place]!r} in {self._place(line)}. Name "
                f"the right columns by {option}"
            ) from None

    def labels(self, name: str, kept: npt.NDArray[np.bool_]) -> _Vector:
        """Return a column of labels, whole numbers as such and all else that is no number as text."""
        values = self.columns[name] if kept.all() else self.columns[name][kept]
        if values.ndim != 1:
            raise CommandError(f"--label must name a vector (n,); {name!r} has shape {values.shape}")
        if values.dtype.kind not in "OU":
            whole = values.dtype.kind == "f" and (values == np.floor(values)).all()
            return values.astype(np.int64) if whole else values
        distinct, codes = np.unique(values.astype(str), return_inverse=True)
        if all(re.fullmatch(r"0|-?[1-9]\d{0,17}", label) for label in distinct):
            distinct = distinct.astype(np.int64)
        return distinct[codes]

    def text(self, name: str) -> list[str]:
        """Return a column as text, to be written again."""
        return ["" if _is_missing(value) else str(value) for value in self.columns[name]]

    def _offered(self) -> str:
        return f"Its columns are {abridged_list(list(self.columns))}"

    def _place(self, sample: int) -> str:
        return f"line {sample + self.first_line}" if self.first_line > 1 or self.is_csv else f"sample {sample}"

    @property
    def is_csv(self) -> bool:
        """Whether the file is read as text."""
        return _suffix(self.path) not in {".npz", ".parquet", ".pq"}


def _is_missing(value: Any) -> bool:
    return value is None or (value in _MISSING if isinstance(value, str) else bool(value != value))


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _suffix(path: Path) -> str:
    return path.with_suffix("").suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()


def read_table(path: Path, **of_csv: Any) -> Table:
    """Read a table from a file: npz and Parquet by their suffix, else CSV with `delimiter`, `header` and `decimal`."""
    try:
        if _suffix(path) == ".npz":
            return _read_npz(path)
        if _suffix(path) in {".parquet", ".pq"}:
            return _read_parquet(path)
        return _read_csv(path, **of_csv)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or error}") from error


def _read_npz(path: Path) -> Table:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, BadZipFile) as error:
        raise CommandError(
            f"cannot read {path}: it must hold arrays of numbers or strings, no objects ({error})"
        ) from error
    classes = arrays.pop("classes", None)
    lengths = {name: array.shape[:1] for name, array in arrays.items()}
    if not arrays or len(set(lengths.values())) > 1 or any(array.ndim not in (1, 2) for array in arrays.values()):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "none"
        raise CommandError(f"{path} must hold arrays (n,) and (n, K) of the same n samples; got {shapes}")
    return Table(path, arrays, classes=classes)


def _read_parquet(path: Path) -> Table:
    try:
        import pyarrow.parquet
    except ImportError:
        return _read_parquet_by_pandas(path)
    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise CommandError(f"cannot read {path}: {error}") from error
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        values = column
        if pyarrow.types.is_dictionary(column.type):
            values = column.cast(column.type.value_type)
        columns[name] = values.to_numpy()
    return Table(path, columns)


def _read_parquet_by_pandas(path: Path) -> Table:
    try:
        import pandas as pd

        frame = pd.read_parquet(path)
    except ImportError:
        raise CommandError(
            f"cannot read {path}: Parquet needs pyarrow (pip install pyarrow), which is not installed. CSV and npz "
            "need nothing"
        ) from None
    missing = frame.isna()
    columns = {
        str(name): (frame[name].astype(object).mask(missing[name], None) if missing[name].any() else frame[name])
        for name in frame.columns
    }
    return Table(path, {name: column.to_numpy() for name, column in columns.items()})


def _read_csv(path: Path, **of_csv: Any) -> Table:
    opens: Any = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opens(path, "rt", encoding="utf-8-sig", newline="") as file:
            return _of_lines(path, file, **of_csv)
    except UnicodeDecodeError as error:
        raise CommandError(f"cannot read {path} as a CSV file in UTF-8: {error.reason}") from error
    except (csv.Error, EOFError) as error:
        raise CommandError(f"cannot read {path} as a CSV file: {error}") from error


def _of_lines(
    path: Path, file: TextIO, *, delimiter: str | None = None, header: bool = True, decimal: str = "."
) -> Table:
    """Return the table of an open CSV file."""
    first = file.readline()
    file.seek(0)
    lines: Any = csv.reader(file, delimiter=max(_DELIMITERS, key=first.count) if delimiter is None else delimiter)
    top: list[str] = next(lines, [])
    if header:
        names = [name.strip() for name in top]
        if any(_is_number(name) and not re.fullmatch(r"-?\d+", name) for name in names if not _is_missing(name)):
            raise CommandError(
                f"the first line of {path} must hold the names of the columns; got {abridged_list(top)}. For a file "
                "without names pass --no-header: its columns are 1, 2, 3, ..."
            )
    else:
        names, lines = [str(number) for number in range(1, len(top) + 1)], chain([top], lines)
    named = [name for name in names if name]  # columns without a name are the row names of R and pandas
    if len(set(named)) < len(named):
        twice = next(name for k, name in enumerate(named) if name in named[:k])
        raise CommandError(f"the columns of {path} must have different names; got {twice!r} twice")
    columns = _columns_of(lines, len(names), path=path, first_line=1 + header, decimal=decimal)
    if not columns:
        raise CommandError(f"{path} holds no samples")
    return Table(
        path, {name: column for name, column in zip(names, columns, strict=True) if name}, first_line=1 + header
    )


def _columns_of(
    lines: Iterable[list[str]], n_columns: int, *, path: Path, first_line: int, decimal: str
) -> list[_Vector]:
    """Return the columns of the lines: floats where the first chunk has fractions, which are no labels, else text."""
    filled, parts, read = filter(None, lines), [], 0
    are_floats: list[bool] = []
    while chunk := list(islice(filled, _ROWS)):
        for number, line in enumerate(chunk, start=read + first_line):
            if len(line) != n_columns:
                raise CommandError(
                    f"line {number} of {path} has {len(line)} cells; expected {n_columns}. If another character "
                    "separates them, pass it as --delimiter"
                )
        columns: list[Sequence[str]] = list(zip(*chunk, strict=True))
        if decimal != ".":
            columns = [[_FRACTION.sub(r"\1.\2", cell) for cell in cells] for cells in columns]
        are_floats = are_floats or [any("." in cell and _is_number(cell) for cell in cells[:100]) for cells in columns]
        parts.append([_cells(cells, as_floats=each) for cells, each in zip(columns, are_floats, strict=True)])
        read += len(chunk)
    return [np.concatenate(each) for each in zip(*parts, strict=True)]


def _cells(cells: Sequence[str], *, as_floats: bool) -> _Vector:
    """Return cells as floats, missing ones as NaN, or as text if they are not to be floats or cannot."""
    if as_floats:
        try:
            return np.fromiter(map(float, cells), dtype=np.float64, count=len(cells))
        except ValueError:
            pass
        try:
            return np.array([np.nan if _is_missing(cell) else float(cell) for cell in cells])
        except ValueError:
            pass
    return np.array(cells, dtype=object)


def score_columns(
    table: Table, chosen: str | None, *, besides: Sequence[str | None], labels: Sequence[Label]
) -> tuple[list[str], list[Label] | None]:
    """Return the columns of scores, and the class of each where the names of columns determine it.

    Names determine classes if they are the labels, or the labels with the same text before and after each of them.
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
    is_plain = chosen is None and affixes == ("", "")  # any other column has a name, too
    found = {name: label for name, label in owners.items() if label is not None and (label in labels or not is_plain)}
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
    for part in next(csv.reader([text], skipinitialspace=True)):
        label, _, share = part.rpartition("=")
        if not _is_number(share) or not label:
            raise CommandError(f"--class-prior must be label=proportion,label=proportion; got {text!r}")
        found[label_among(label, labels, option="--class-prior")] = float(share)
    return found


@dataclass(frozen=True)
class Offsets:
    """The values of a file of offsets: those of `Report.to_dict`, and the columns, the dtype and the version."""

    values: dict[str, Any]

    def write(self, path: Path) -> None:
        """Write the file."""
        lines = (f"{json.dumps(name)}: {json.dumps(value, allow_nan=False)}" for name, value in self.values.items())
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Offsets":
        """Read the file, and check what decisions need."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise CommandError(f"cannot read {path}: {error.strerror or error}") from error
        except ValueError as error:
            raise CommandError(f"--apply needs a file that --out wrote; {path} is no JSON: {error}") from error
        needed = {"classes": list, "offsets": list, "columns": list, "kind": str, "dtype": str}
        wrong = [name for name, kind in needed.items() if not isinstance(_entry(values, name), kind)]
        if wrong or len(values["classes"]) != len(values["offsets"]) or values["kind"] not in KINDS:
            raise CommandError(
                f"--apply needs a file that --out wrote, with {', '.join(needed)}; {path} has no valid "
                f"{wrong[0] if wrong else 'classes, offsets and kind'}"
            )
        return cls(values)

    def columns(self, table: Table, chosen: str | None) -> list[str]:
        """Return the columns of the scores to be decided."""
        names: list[str] = self.values["columns"]
        if chosen is not None:
            given = table.names(chosen, option="--columns")
            return names if set(given) == set(names) else given
        lacking = [name for name in names if name not in table.columns]
        if lacking:
            raise CommandError(
                f"--columns is needed: the offsets are for {abridged_list(names)}, and {table.path} lacks "
                f"{abridged_list(lacking)}. Name the column of each class in the order {self.labels}"
            )
        return names

    @property
    def labels(self) -> str:
        """The classes, as text."""
        return abridged_list(self.values["classes"])

    def decide(self, scores: _Vector) -> _Vector:
        """Return the label of each sample, as `OffsetTuner.predict` does."""
        labels = np.asarray(self.values["classes"])
        rule = ArgmaxRule(np.asarray(self.values["offsets"], dtype=self.values["dtype"]), None, self.values["kind"])
        decided: _Vector = rule.predict(rule.check(scores, labels), labels)
        return decided


def _entry(values: Any, name: str) -> Any:
    return values.get(name) if isinstance(values, dict) else None
