"""The README's Python runs as it stands, and its tables are those of the results."""

import contextlib
import csv
import io
import re
import runpy
from pathlib import Path

import pytest
from support.documents import assert_alike

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

COMPARISON = README.split("## How it compares")[1].split("## ")[0]
COLUMNS = [("binary", metric) for metric in ("f1", "geometric_mean", "matthews_corrcoef")]
COLUMNS += [("multiclass", metric) for metric in ("f1_macro", "geometric_mean", "matthews_corrcoef")]
COMPARED = ["untuned", "prior", "tau", "sklearn", "tunethresholds", "optimal_cutoffs", "xcolumns_prior", "evolution"]
COMPARED += ["bias_adjustment", "empirical", "robust"]
"""Columns and rows of the comparison, as the leaderboard calls them."""


def test_python_blocks_run_as_they_stand(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = ""
    for kind, block in re.findall(r"^```(python|text)\n(.*?)^```", README, re.DOTALL | re.MULTILINE):
        if kind == "text":
            assert_alike(printed, block)
            continue
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(block, {"__name__": "readme"})  # the blocks are ours; each has names of its own
        printed = out.getvalue()
    assert printed


def test_bold_marks_the_highest_mean_of_each_column():
    table = [line.strip("|").split("|") for line in COMPARISON.splitlines() if "|" in line]
    for column in zip(*table[3:], strict=True):
        if "." not in column[-1]:
            continue
        means = {cell: float(re.search(r"\.\d+", cell)[0]) for cell in column if "." in cell}
        assert {cell for cell in means if "**" in cell} == {
            cell for cell in means if means[cell] == max(means.values())
        }


def test_comparison_is_that_of_the_leaderboard():
    with (ROOT / "benchmarks" / "results" / "leaderboard.csv").open(encoding="utf-8") as file:
        plain = [row for row in csv.DictReader(file) if row["family"] == "plain"]
    measured = {(row["group"], row["metric"], row["method"]): row for row in plain}
    table = [line.strip("|").split("|") for line in COMPARISON.splitlines() if "|" in line]
    named = {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in table[3:]}
    assert len(named) == len(COMPARED)
    for method, (name, cells) in zip(COMPARED, named.items(), strict=True):
        expected = [told(measured.get((*column, method))) for column in COLUMNS]
        assert [cell.replace("*", "") for cell in cells] == expected, name


def told(row):
    """A mean, and whether its difference to the default may be chance."""
    if row is None or not row["mean"]:
        return "-"
    tie = row["method"] != "robust" and float(row["p_holm"]) >= 0.05
    return f"{float(row['mean']):.3f}".lstrip("0") + (" =" if tie else "")


@pytest.mark.usefixtures("import_benchmark")
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


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_the_sentence_on_many_data_sets_is_that_of_the_results(page):
    with (ROOT / "benchmarks" / "results" / "many.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    tables = {(row["group"], row["metric"]): row for row in rows}
    first = [min((row for row in rows if (row["group"], row["metric"]) == table), key=rank_of) for table in tables]
    others = [row for row in rows if row["method"] != "robust"]
    clear = [float(row["difference"]) for row in others if float(row["p_holm"]) < 0.05]
    sources = {row["group"]: row["sources"] for row in rows}
    n_first, n_better = sum(row["method"] == "robust" for row in first), sum(each > 0 for each in clear)
    text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    assert (
        f"n {sources['binary']} binary and {sources['multiclass']} multiclass sources of data, the default has the "
        f"best mean rank in {n_first} of {len(tables)} tables. It is significantly better in {n_better} of "
        f"{len(others)} comparisons, ties in {len(others) - len(clear)} and is worse in none"
    ) in text
    assert min(clear) > 0


def rank_of(row):
    """The mean rank of a method, infinite where it has none."""
    return float(row["rank"]) if row["rank"] not in {"", "nan"} else float("inf")


def test_the_figure_on_speed_is_that_of_the_results():
    """Of this package it is the time of tuning alone: a difference of whole fits is less precise."""

    def over_floor(results, workload, contender):
        with (ROOT / "benchmarks" / "results" / results).open(encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if (row["workload"], row["contender"]) == (workload, contender)]
        (row,) = rows
        return float(row["over_floor"])

    ours = 100 * over_floor("defaults.csv", "classifier_100000x2", "TunedOffsetClassifierCV, without its fits")
    theirs = 100 * (over_floor("speed.csv", "classifier_100000", "TunedThresholdClassifierCV") - 1)
    assert f"tuning adds {ours:.0f}% to the training" in README
    page = " ".join((ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8").split())
    assert f"the default adds {ours:.0f}% to the six fits" in page
    assert f"scikit-learn's threshold tuning {theirs:.0f}%" in page
