"""The README's Python runs as it stands."""

import csv
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score

from skimbalance import TunedOffsetClassifierCV

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

COMPARISON = README.split("## How it compares")[1].split("## ")[0]
COLUMNS = [("binary", metric) for metric in ("f1", "geometric_mean", "matthews_corrcoef")]
COLUMNS += [("multiclass", metric) for metric in ("f1_macro", "geometric_mean", "matthews_corrcoef")]
COMPARED = ["untuned", "prior", "tau", "sklearn", "tunethresholds", "optimal_cutoffs", "xcolumns_prior", "evolution"]
COMPARED += ["bias_adjustment", "empirical", "robust"]
"""Columns and rows of the comparison, as the leaderboard calls them."""


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
def test_python_blocks_run(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some save files
    X, codes = make_classification(400, weights=[0.9], random_state=0)
    y = np.array(["fine", "fraud"])[codes]
    model = LogisticRegression()
    logits = 5 * (codes - 0.5) + np.random.default_rng(0).normal(size=len(y)) * 3
    names = {"model": model, "X": X, "y": y, "X_new": X}
    names |= {"trained": model.fit(X, y), "X_val": X, "y_val": y, "logits_val": logits, "logits_test": logits}
    names |= {"y_new": y}
    indicator = np.column_stack([codes, X[:, 0] > 0])
    names |= {"indicator": indicator, "indicator_val": indicator, "proba_val": model.predict_proba(X)}
    names |= {"proba": model.predict_proba(X), "prior": {"fine": 0.98, "fraud": 0.02}}
    names |= {"my_metric": accuracy_score, "costs": np.random.default_rng(0).random((len(y), 2, 2))}
    if "module" in block:
        torch = pytest.importorskip("torch")
        names |= {"module": torch.nn.Linear(20, 2), "X_val": X.astype(np.float32), "codes_val": codes}
        names["trained"] = model.fit(names["X_val"], y)
        coef = torch.tensor(names["trained"].coef_, dtype=torch.float32)
        names["module"].weight.data = torch.cat([-coef, coef]) / 2  # a trained net: random scores may be of any order
    if "dask" in block:
        da = pytest.importorskip("dask.array")
        names |= {"dask_logits": da.from_array(logits, chunks=100), "dask_y": da.from_array(y == "fraud", chunks=100)}
    if "plotting" in block:
        pytest.importorskip("matplotlib").use("agg")
        names["clf"] = TunedOffsetClassifierCV(model, objective="f1").fit(X, y)
    exec(block, names)  # the blocks are ours


def test_comparison_is_that_of_the_leaderboard():
    with (ROOT / "benchmarks" / "results" / "leaderboard.csv").open(encoding="utf-8") as file:
        plain = [row for row in csv.DictReader(file) if row["family"] == "plain"]
    measured = {(row["group"], row["metric"], row["method"]): row for row in plain}
    table = [line.strip("|").split("|") for line in COMPARISON.splitlines() if "|" in line]
    named = {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in table[3:]}
    assert len(named) == len(COMPARED)
    for method, (name, cells) in zip(COMPARED, named.items(), strict=True):
        expected = [told(measured.get((*column, method))) for column in COLUMNS]
        assert [cell.strip("*") for cell in cells] == expected, name


def told(row):
    """A mean, and whether its difference to the default may be chance."""
    if row is None or not row["mean"]:
        return "-"
    tie = row["method"] != "robust" and float(row["p_holm"]) >= 0.05
    return f"{float(row['mean']):.3f}".lstrip("0") + (" =" if tie else "")


def test_multilabel_tables_are_those_of_the_results():
    tables = runpy.run_path(str(ROOT / "docs" / "tables.py"))
    assert tables["labels"]() in (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["README.md", "docs/benchmarks.md", "docs/limits.md"])
def test_multilabel_verdict_is_that_of_the_results(page):
    with (ROOT / "benchmarks" / "results" / "multilabel.csv").open(encoding="utf-8") as file:
        runner_ups = [row for row in csv.DictReader(file) if not row["method"].startswith("skimbalance")]
    ahead, behind = (sum(float(row[end]) * sign > 0 for row in runner_ups) for end, sign in (("low", 1), ("high", -1)))
    said = re.search(
        r"of (\d+) \[?multilabel comparisons(?:\]\(\S+\))?, "
        r"(?:it|the default) is significantly better in (\d+) and worse in (\w+)",
        " ".join((ROOT / page).read_text(encoding="utf-8").split()),
        flags=re.IGNORECASE,
    )
    assert said.groups() == (str(len(runner_ups)), str(ahead), str(behind or "none"))


def test_two_commands_of_one_line_each():
    blocks = re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
    assert [block.count("\n") for block in blocks] == [1, 1]
    assert all(block.startswith("python3 -m venv") for block in blocks)
