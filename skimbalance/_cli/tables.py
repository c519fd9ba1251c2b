"""Tables of scores in files: CSV, npz and Parquet."""

import csv
import gzip
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple, TextIO
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from skimbalance._core.typing import Label
from skimbalance._core.validation import abridged_list, label_values

__all__ = ["CommandError", "LabelColumns", "Table", "delimiter_of", "is_number", "read_table"]

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


class LabelColumns(NamedTuple):
    """The columns of labels; `labels` are None for one column of classes, else the labels of an indicator (n, L)."""

    names: tuple[str, ...]
    labels: tuple[Label, ...] | None = None


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

    def label_columns(self, chosen: str | None) -> LabelColumns:
        """Return the column of labels, or those of an indicator: several columns, or one array (n, L)."""
        names = [self._label_name()] if chosen is None else self.names(chosen, option="--label")
        if len(names) == 1:
            values = self.columns[names[0]]
            if values.ndim == 1:
                return LabelColumns(tuple(names))
            numbers = np.arange(values.shape[1]) if self.classes is None else self.classes
            return LabelColumns(tuple(names), tuple(label_values(numbers)))
        before, star, after = (chosen or "").partition("*")
        if not star or "," in before + after:
            return LabelColumns(tuple(names), tuple(names))
        return LabelColumns(tuple(names), tuple(name[len(before) : len(name) - len(after)] for name in names))

    def _label_name(self) -> str:
        """Return the name of the column of labels: the only one of text, or the only one of that name."""
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
        return bool(first) and not all(is_number(value) for value in first)

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
            place = next(k for k, value in enumerate(values) if not is_number(value))
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

    def indicator(self, columns: LabelColumns, kept: npt.NDArray[np.bool_], *, classes: Sequence[Label]) -> _Vector:
        """Return columns of zeros and ones as an indicator (n, L), in the order of `classes`."""
        labels = list(columns.labels or ())
        if sorted(map(str, classes)) != sorted(map(str, labels)):
            raise CommandError(
                f"--classes must name the label of each column of scores, {abridged_list(labels)} in some order; got "
                f"{abridged_list(list(classes))}"
            )
        values = self.numbers(columns.names, kept, option="--label")
        wrong = values[(values != 0) & (values != 1)]
        if wrong.size:
            raise CommandError(
                f"--label names several columns, {abridged_list(list(columns.names))}, which must hold 0 and 1; got "
                f"{wrong[0]:g}"
            )
        order = [list(map(str, labels)).index(str(label)) for label in classes]
        return values.astype(np.int64)[:, order]

    def text(self, name: str) -> list[str]:
        """Return a column as text, to be written again."""
        return ["" if _is_missing(value) else str(value) for value in self.columns[name]]

    def _offered(self) -> str:
        return f"Its columns are {abridged_list(list(self.columns))}"

    def _place(self, sample: int) -> str:
        return (
            f"line {sample + self.first_line}"
            if self.first_line > 1 or self.is_csv
            else f"sample {sample}, counted from zero"
        )

    @property
    def is_csv(self) -> bool:
        """Whether the file is read as text."""
        return _suffix(self.path) not in {".npz", ".parquet", ".pq"}


def _is_missing(value: Any) -> bool:
    return value is None or (value in _MISSING if isinstance(value, str) else bool(value != value))


def is_number(value: Any) -> bool:
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
        if not re.fullmatch(r"__index_level_\d+__", name):  # row names of pandas
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
        str(name): (
            frame[name].astype(object).mask(missing[name], None)
            if missing[name].any() and not isinstance(frame[name].dtype, np.dtype)
            else frame[name]
        )
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


def delimiter_of(text: str) -> str:
    """Return the character that separates the cells of a text."""
    return max(_DELIMITERS, key=text.count)


def _of_lines(
    path: Path, file: TextIO, *, delimiter: str | None = None, header: bool = True, decimal: str = "."
) -> Table:
    """Return the table of an open CSV file."""
    first = file.readline()
    file.seek(0)
    lines: Any = csv.reader(file, delimiter=delimiter_of(first) if delimiter is None else delimiter)
    top: list[str] = next(lines, [])
    if header:
        names = [name.strip() for name in top]
        if any(is_number(name) and not re.fullmatch(r"-?\d+", name) for name in names if not _is_missing(name)):
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
        are_floats = are_floats or [any("." in cell and is_number(cell) for cell in cells[:100]) for cells in columns]
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
