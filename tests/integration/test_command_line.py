"""The command line: what it reads, what it prints and writes, and its decisions, which are those of the tuner."""

import csv
import gzip
import json
import re
import shlex
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from skimbalance import OffsetTuner, __version__
from skimbalance.__main__ import main
from skimbalance._cli import constraint_of, tables
from skimbalance.estimation import Rejection
from skimbalance.goals import AtLeast, AtMost
from skimbalance.metrics import Cost, FBeta

NAMES = np.array(["fine", "fraud", "theft"])
ROOT = Path(__file__).parents[2]


def drawn(n_classes=2, n_samples=400, seed=0):
    """Probabilities (n, K), with ties, and labels."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(n_classes, n_samples, p=np.r_[0.8, np.full(n_classes - 1, 0.2 / (n_classes - 1))])
    logits = rng.normal(size=(n_samples, n_classes)) + 1.5 * np.eye(n_classes)[codes] + np.eye(n_classes)[0]
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    proba = np.round(proba, 2)
    proba[:, 0] = 1 - proba[:, 1:].sum(axis=1)
    return np.clip(proba, 0, 1), NAMES[codes]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(name, columns, *, delimiter=",", header=True, opens=open):
    """Write columns by name as CSV; numbers in full precision."""
    with opens(name, "wt", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        if header:
            writer.writerow(columns)
        writer.writerows(zip(*(np.asarray(each).tolist() for each in columns.values()), strict=True))


def table(proba, y, names=NAMES, label="label", **more):
    return dict(zip(names, proba.T, strict=False)) | {label: y} | more


def run(capsys, *arguments, code=0):
    """Run the command line, and return what it printed as output and as errors."""
    assert main(list(map(str, arguments))) == code
    return capsys.readouterr()


def failure(capsys, *arguments):
    """Return the error of a run that must end without a traceback and without output of a fit."""
    printed = run(capsys, *arguments, code=2)
    assert printed.err.startswith("skimbalance: error: ")
    assert printed.err.count("\n") == 1
    assert "OffsetTuner" not in printed.out
    return printed.err


def decisions(name="decisions.csv", column="decision"):
    with Path(name).open(newline="") as file:
        return [line[column] for line in csv.DictReader(file)]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", ["proba", "log_proba", "logits"])
def test_decisions_are_those_of_the_tuner(capsys, n_classes, kind):
    proba, y = drawn(n_classes)
    new, _ = drawn(n_classes, n_samples=1000, seed=1)
    with np.errstate(divide="ignore"):
        scores, new = (x if kind == "proba" else np.maximum(np.log(x), -50.0) for x in (proba, new))
    write("scores.csv", table(scores, y))
    write("new.csv", dict(zip(NAMES[:n_classes][::-1], new.T[::-1], strict=True)))
    fitted = OffsetTuner("f1_macro", kind=kind).fit(scores, y)
    printed = run(capsys, "scores.csv", "--objective", "f1_macro", "--kind", kind, "--out", "offsets.json")
    assert str(fitted.report()) in printed.out
    run(capsys, "new.csv", "--apply", "offsets.json", "--out", "decisions.csv")
    assert decisions() == fitted.predict(new).tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_arrays_and_parquet_keep_their_precision(capsys, dtype, n_classes):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    proba, y = drawn(n_classes)
    proba = proba.astype(dtype)
    np.savez("scores.npz", scores=proba, label=y)
    frame = pd.DataFrame(table(proba, y))
    frame.assign(label=frame["label"].astype("category")).to_parquet("scores.parquet")
    fitted = OffsetTuner("f1_macro", estimate="plugin").fit(proba, y)
    for name in ("scores.npz", "scores.parquet"):
        arguments = ("--objective", "f1_macro", "--estimate", "plugin", "--out", "offsets.json")
        run(capsys, name, *arguments)
        saved = json.loads(Path("offsets.json").read_text())
        assert saved["dtype"] == np.dtype(dtype).name
        assert saved["offsets"] == fitted.offsets_.tolist()
        run(capsys, name, "--apply", "offsets.json", "--out", "decisions.csv")
        assert decisions() == fitted.predict(proba).tolist()


@pytest.mark.parametrize("by_pandas", [False, True])
def test_parquet_of_categories_decimals_missing_values_and_an_index(capsys, monkeypatch, by_pandas):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    if by_pandas:
        monkeypatch.setattr(tables, "_read_parquet", tables._read_parquet_by_pandas)
    proba, y = drawn(3)
    frame = pd.DataFrame(table(np.round(proba, 2).astype(np.float32), y)).set_index(np.arange(400) + 7.0)
    frame.loc[7.0, "fine"] = np.nan
    frame["theft"] = [Decimal(f"{x:.2f}") for x in proba[:, 2]]
    frame["label"] = frame["label"].astype("category")
    frame.loc[8.0, "label"] = None
    frame["w"] = pd.array([1] * 399 + [None], dtype="Int64")
    frame.to_parquet("scores.parquet")
    names = ("--columns", "fine,fraud,theft", "--weights", "w")
    assert "sample 1, counted from zero" in failure(capsys, "scores.parquet", *names)
    printed = run(capsys, "scores.parquet", *names, "--skip-missing", "--estimate", "plugin")
    assert "397 samples, 3 with missing values left out" in printed.out
    frame["label"] = frame["label"].astype(str)
    frame.drop(columns="w").iloc[2:].rename(columns={"label": "outcome"}).to_parquet("scores.parquet")
    run(capsys, "scores.parquet", "--label", "outcome", "--classes", "fine,fraud,theft", "--estimate", "plugin")


def test_without_pyarrow_and_pandas_parquet_is_refused(capsys, monkeypatch):
    for name in ("pyarrow", "pyarrow.parquet", "pandas"):
        monkeypatch.setitem(sys.modules, name, None)
    Path("scores.parquet").write_bytes(b"")
    assert "Parquet needs pyarrow (pip install pyarrow)" in failure(capsys, "scores.parquet")


def test_threshold_that_no_probability_reaches_is_null(capsys):
    proba = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 0.0] * 10)
    write("scores.csv", {"p": proba, "label": np.array([0, 1, 0, 0, 0, 0] * 10)})
    run(capsys, "scores.csv", "--objective", "accuracy", "--estimate", "empirical", "--out", "offsets.json")
    saved = json.loads(Path("offsets.json").read_text())
    assert saved["threshold"] is None
    run(capsys, "scores.csv", "--apply", "offsets.json", "--out", "decisions.csv")
    assert set(decisions()) == {"0"}


def test_offsets_file_has_what_other_programs_need(capsys):
    proba, y = drawn()
    write("scores.csv", table(proba, y))
    options = ("--objective", "f1", "--pos-label", "fine", "--constraint", "recall[fraud]>=0.5")
    run(capsys, "scores.csv", *options, "--out", "offsets.json")
    saved = json.loads(Path("offsets.json").read_text(), parse_constant=pytest.fail)
    fitted = OffsetTuner("f1", pos_label="fine", constraints=[AtLeast("recall", 0.5, label="fraud")]).fit(proba, y)
    assert saved["skimbalance"] == __version__
    assert saved["columns"] == saved["classes"] == ["fine", "fraud"]
    assert saved["threshold"] == fitted.threshold_
    assert (saved["kind"], saved["objective"], saved["pos_label"]) == ("proba", "f1", "fine")
    assert saved["scores"]["score"] == fitted.score_
    assert {name: saved[name] for name in fitted.report().to_dict()} == fitted.report().to_dict()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_blank_names_missing_cells_and_compression(capsys, delimiter):
    proba, y = drawn()
    expected = OffsetTuner("f1").fit(proba[3:], y[3:])
    columns = {"": np.arange(400), **table(proba.astype(object), y.astype(object))}
    columns["label"] = columns["label"].copy()
    columns["label"][0], columns["fine"][1], columns["fraud"][2] = "NA", "", "NaN"
    write("scores.csv.gz", columns, delimiter=delimiter, opens=gzip.open)
    error = failure(capsys, "scores.csv.gz")
    assert "column 'label' of scores.csv.gz has 1 missing values, the first in line 2" in error
    printed = run(capsys, "scores.csv.gz", "--skip-missing", "--objective", "f1", "--out", "offsets.json")
    assert "397 samples, 3 with missing values left out" in printed.out
    assert str(expected.report()) in printed.out
    assert "first in line 3" in failure(capsys, "scores.csv.gz", "--apply", "offsets.json")
    printed = run(capsys, "scores.csv.gz", "--apply", "offsets.json", "--skip-missing", "--keep", "label")
    lines = [line.split(",") for line in printed.out.splitlines()]
    assert lines[0] == ["label", "decision"]
    assert [line[1] for line in lines[2:4]] == ["", ""]
    assert [line[1] for line in lines[4:]] == expected.predict(proba[3:]).tolist()


def test_no_header(capsys):
    proba, y = drawn(3)
    write("scores.csv", table(proba, y), header=False)
    assert "--no-header" in failure(capsys, "scores.csv")
    printed = run(capsys, "scores.csv", "--no-header", "--label", "4", "--columns", "1,2,3", "--estimate", "plugin")
    assert "2 is the score of fraud" in printed.out
    assert str(OffsetTuner(estimate="plugin").fit(proba, y).report()) in printed.out


@pytest.mark.parametrize(
    ("names", "more"),
    [
        (["fine", "fraud", "theft"], {"amount": np.arange(400.0)}),
        (["p_theft", "p_fine", "p_fraud"], {"amount": np.arange(400.0)}),
        (["prob.fraud.x", "prob.theft.x", "prob.fine.x"], {"id": np.array(["A"] * 400)}),
    ],
)
def test_names_of_columns_determine_their_classes(capsys, names, more):
    proba, y = drawn(3)
    own = [next(k for k in range(3) if NAMES[k] in name) for name in names]
    write("scores.csv", table(proba[:, own], y, names=names, **more))
    run(capsys, "scores.csv", "--objective", "f1_macro", "--estimate", "plugin", "--out", "offsets.json")
    saved = json.loads(Path("offsets.json").read_text())
    assert dict(zip(saved["columns"], saved["classes"], strict=True)) == dict(
        zip(names, NAMES[own].tolist(), strict=True)
    )
    run(capsys, "scores.csv", "--apply", "offsets.json", "--out", "decisions.csv")
    fitted = OffsetTuner("f1_macro", estimate="plugin").fit(proba[:, own], y, classes=NAMES[own])
    assert decisions() == fitted.predict(proba[:, own]).tolist()


def test_a_class_without_samples_has_a_column_of_its_name(capsys):
    proba, y = drawn(3)
    y = np.where(y == "theft", "fraud", y)
    write("scores.csv", table(proba, y, names=["p_fine", "p_fraud", "p_theft"]))
    run(capsys, "scores.csv", "--estimate", "plugin", "--out", "offsets.json")
    assert json.loads(Path("offsets.json").read_text())["classes"] == NAMES.tolist()


def test_names_as_r_writes_them(capsys):
    proba, y = drawn(3)
    names = {"fine": "fine", "fraud": "credit fraud", "theft": "theft-2"}
    y = np.array([names[label] for label in y])
    write("scores.csv", table(proba[:, ::-1], y, names=["theft.2", "credit.fraud", "fine"]))
    run(capsys, "scores.csv", "--estimate", "plugin", "--out", "offsets.json")
    assert json.loads(Path("offsets.json").read_text())["classes"] == ["theft-2", "credit fraud", "fine"]


def test_columns_by_position_must_not_have_the_names_of_other_classes(capsys):
    proba, y = drawn(3)
    write("scores.csv", table(proba, y, names=["fraud", "other", "theft"]))
    assert "--classes is needed" in failure(capsys, "scores.csv")
    run(capsys, "scores.csv", "--classes", "fine,fraud,theft", "--out", "offsets.json")
    assert json.loads(Path("offsets.json").read_text())["classes"] == NAMES.tolist()
    run(capsys, "scores.csv", "--apply", "offsets.json", "--columns", "theft,fraud,other", "--out", "decisions.csv")
    assert decisions() == OffsetTuner().fit(proba, y).predict(proba).tolist()


def test_decimals_with_a_comma(capsys):
    proba, y = drawn(3)
    columns = {f"p_{name}": [str(x).replace(".", ",") for x in proba[:, k]] for k, name in enumerate(NAMES)}
    write("scores.csv", columns | {"outcome": y}, delimiter=";")
    assert "--decimal ," in failure(capsys, "scores.csv")
    printed = run(capsys, "scores.csv", "--decimal", ",")
    assert str(OffsetTuner().fit(proba, y).report()) in printed.out


@pytest.mark.parametrize(
    ("name", "options", "own"),
    [
        ("score_fine", (), "fine"),
        ("fraud", (), "fraud"),
        ("score", ("--pos-label", "fine"), "fine"),
        ("score", ("--classes", "fraud,fine"), "fine"),
    ],
)
def test_one_column_is_of_a_class_that_is_named(capsys, name, options, own):
    proba, y = drawn()
    column = proba[:, NAMES.tolist().index(own)]
    write("scores.csv", {name: column, "label": y})
    printed = run(capsys, "scores.csv", *options, "--out", "offsets.json")
    assert f"{name} is the score of {own}" in printed.out
    assert json.loads(Path("offsets.json").read_text())["classes"][1] == own
    run(capsys, "scores.csv", "--apply", "offsets.json", "--out", "decisions.csv")
    other = "fraud" if own == "fine" else "fine"
    assert decisions() == OffsetTuner().fit(column, y, classes=[other, own]).predict(column).tolist()


@pytest.mark.parametrize("labels", [np.array([0, 1]), np.array([-1, 1]), np.array([False, True])])
def test_numeric_labels(capsys, labels):
    proba, y = drawn()
    y = labels[(y == "fraud").astype(int)]
    np.savez("scores.npz", p=proba[:, 1], y=y)
    run(capsys, "scores.npz", "--objective", "f1", "--out", "offsets.json")
    assert json.loads(Path("offsets.json").read_text())["classes"] == labels.tolist()
    run(capsys, "scores.npz", "--apply", "offsets.json", "--out", "decisions.csv")
    assert decisions() == list(map(str, OffsetTuner("f1").fit(proba[:, 1], y).predict(proba[:, 1]).tolist()))
    run(
        capsys, "scores.npz", "--objective", "f1", "--pos-label", labels[0], "--constraint", f"recall[{labels[0]}]>=0.1"
    )


def test_weights_groups_prior_and_settings_reach_the_tuner(capsys):
    proba, y = drawn()
    weights, groups = np.arange(400) % 3 + 0.5, np.array([f"g{k % 80}" for k in range(400)])
    write("scores.csv", table(proba, y, w=weights, g=groups))
    printed = run(
        capsys, "scores.csv", "--weights", "w", "--groups", "g", "--class-prior", "fraud=0.5,fine=0.5", "--seed", 3,
        "--estimate", "empirical", "--objective", "matthews_corrcoef", "--solver", "coordinate_ascent",
    )  # fmt: skip
    tuner = OffsetTuner(
        "matthews_corrcoef", class_prior={"fraud": 0.5, "fine": 0.5}, random_state=3, estimate="empirical"
    )
    assert str(tuner.fit(proba, y, sample_weight=weights, groups=groups).report()) in printed.out


def test_constraints(capsys):
    assert constraint_of("recall[fraud]>=0.9@0.95") == AtLeast("recall", 0.9, label="fraud", confidence=0.95)
    assert constraint_of(" precision <= .5 ") == AtMost("precision", 0.5)
    assert constraint_of("recall[a [b]>=1]>=0.9") == AtLeast("recall", 0.9, label="a [b]>=1")
    proba, y = drawn(3)
    write("scores.csv", table(proba, y))
    error = failure(capsys, "scores.csv", "--constraint", "recall>=0.5")
    assert "--constraint on 'recall' needs a class, as in 'recall[fine]>=0.9'" in error
    assert "--constraint names 'x', which is no class; the classes are ['fine'" in failure(
        capsys, "scores.csv", "--constraint", "recall[x]>=0.5"
    )


@pytest.mark.parametrize("wrong", ["recall", "recall=0.9", "recall>=a", "recal>=0.9", "recall>=0.9@2", "[a]>=0.9"])
def test_wrong_constraints_show_the_syntax(capsys, wrong):
    error = failure(capsys, "scores.csv", "--constraint", wrong)
    assert wrong in error
    assert "recall[fraud]>=0.9@0.95" in error


def drawn_labels(n_samples=400, seed=0):
    """Probabilities (n, 3) of labels, with ties, and their indicator."""
    rng = np.random.default_rng(seed)
    Y = (rng.random((n_samples, 3)) < [0.4, 0.2, 0.1]).astype(int)
    return np.round(1 / (1 + np.exp(1 - 2 * Y - rng.normal(size=Y.shape))), 2), Y


def labelled(proba, Y, *, before="has_", of_scores="p_", order=(0, 1, 2)):
    names = ["cat", "dog", "do"]
    scores = {f"{of_scores}{names[j]}": proba[:, j] for j in order}
    return {"id": np.arange(len(Y))} | {f"{before}{name}": Y[:, j] for j, name in enumerate(names)} | scores


@pytest.mark.parametrize("kind", ["proba", "log_proba", "logits"])
def test_decisions_on_several_labels_are_those_of_the_tuner(capsys, kind):
    proba, Y = drawn_labels()
    new, _ = drawn_labels(n_samples=1000, seed=1)
    to_kind = {"proba": np.array, "log_proba": np.log, "logits": lambda p: np.log(p / (1 - p))}[kind]
    scores, new = to_kind(np.clip(proba, 0.01, 0.99)), to_kind(np.clip(new, 0.01, 0.99))
    columns = labelled(scores, Y, order=(2, 0, 1))
    write("scores.csv", columns)
    write("new.csv", {name: column for name, column in labelled(new, new > 9).items() if name.startswith("p_")})
    order = [2, 0, 1]
    tuner = OffsetTuner("f1_macro", kind=kind).fit(scores[:, order], Y[:, order], classes=["do", "cat", "dog"])
    options = ("--label", "has_*", "--objective", "f1_macro", "--kind", kind, "--out", "offsets.json")
    printed = run(capsys, "scores.csv", *options)
    assert "labels in ['has_cat', 'has_dog', 'has_do']\n  p_do is the score of do\n  p_cat" in printed.out
    assert str(tuner.report()) in printed.out
    run(capsys, "new.csv", "--apply", "offsets.json", "--out", "decisions.csv")
    found = np.array([decisions(column=f"decision_{name}") for name in ("do", "cat", "dog")]).astype(int).T
    np.testing.assert_array_equal(found, tuner.predict(new[:, order]))


def test_labels_of_an_array_and_by_position(capsys):
    proba, Y = drawn_labels()
    tuner = OffsetTuner("f1_micro").fit(proba.astype(np.float32), Y)
    np.savez("scores.npz", scores=proba.astype(np.float32), label=Y)
    run(capsys, "scores.npz", "--objective", "f1_micro", "--out", "offsets.json")
    saved = json.loads(Path("offsets.json").read_text())
    assert saved["classes"] == [0, 1, 2]
    assert saved["offsets"] == tuner.offsets_.tolist()
    run(capsys, "scores.npz", "--apply", "offsets.json", "--out", "decisions.csv")
    found = np.array([decisions(column=f"decision_{j}") for j in range(3)]).astype(int).T
    np.testing.assert_array_equal(found, tuner.predict(proba.astype(np.float32)))
    write("scores.csv", dict(zip("abcxyz", [*Y.T, *proba.T], strict=True)))
    printed = run(capsys, "scores.csv", "--label", "a,b,c", "--objective", "f1_micro")
    assert "x is the score of a" in printed.out
    printed = run(capsys, "scores.csv", "--label", "a,b,c", "--objective", "f1_micro", "--classes", "c,b,a")
    assert "x is the score of c" in printed.out


def test_constraints_and_missing_values_of_labels(capsys):
    proba, Y = drawn_labels()
    columns = {name: column.astype(object) for name, column in labelled(proba, Y).items()}
    columns["has_dog"][3] = columns["p_cat"][5] = ""
    write("scores.csv", columns)
    assert "column 'has_dog' of scores.csv has 1 missing values" in failure(capsys, "scores.csv", "--label", "has_*")
    options = ("--label", "has_*", "--skip-missing", "--objective", "f1_macro", "--constraint", "recall[dog]>=0.7")
    printed = run(capsys, "scores.csv", *options, "--out", "offsets.json")
    assert "398 samples, 2 with missing values left out" in printed.out
    kept = np.delete(np.arange(400), [3, 5])
    tuner = OffsetTuner("f1_macro", constraints=[AtLeast("recall", 0.7, label="dog")])
    tuner.fit(proba[kept], Y[kept], classes=["cat", "dog", "do"])
    assert json.loads(Path("offsets.json").read_text())["offsets"] == tuner.offsets_.tolist()
    run(capsys, "scores.csv", "--apply", "offsets.json", "--skip-missing", "--keep", "id", "--out", "decisions.csv")
    assert [place for place, each in enumerate(decisions(column="decision_cat")) if each == ""] == [5]


@pytest.mark.parametrize(
    ("text", "metric"),
    [
        ("fbeta:2", FBeta(2.0)),
        ("fbeta_macro:0.5", FBeta(0.5, average="macro")),
        ("fbeta_micro:3", FBeta(3.0, average="micro")),
    ],
)
def test_f_beta(capsys, text, metric):
    write("scores.csv", table(*drawn()))
    tuner = OffsetTuner(metric, pos_label="fraud").fit(drawn()[0], drawn()[1])
    printed = run(capsys, "scores.csv", "--objective", text, "--pos-label", "fraud")
    assert str(tuner.report()) in printed.out


COSTS = np.array([[0.0, 1.0, 2.0], [5.0, 0.0, 0.5], [9.0, 4.0, 0.0]])


def as_csv(costs, names=(), delimiter=","):
    lines = [[name, *row] for name, row in zip(names, costs, strict=True)] if names else costs
    lines = [["", *names], *lines] if names else lines
    return "\n".join(delimiter.join(map(str, line)) for line in lines) + "\n"


TURNED = [2, 0, 1]
FILES = {
    "plain.csv": as_csv(COSTS),
    "tabs.csv": as_csv(COSTS, delimiter="\t"),
    "named.csv": as_csv(COSTS[np.ix_(TURNED, TURNED)], list(NAMES[TURNED])),
    "plain.json": json.dumps(COSTS.tolist()),
    "named.json": json.dumps(
        {own: dict(zip(NAMES, row, strict=True)) for own, row in zip(NAMES, COSTS.tolist(), strict=True)}
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_cost_matrix(capsys, name):
    proba, y = drawn(3)
    write("scores.csv", table(proba, y))
    Path(name).write_text(FILES[name])
    tuner = OffsetTuner(Cost(COSTS)).fit(proba, y)
    printed = run(capsys, "scores.csv", "--cost-matrix", name, "--out", "offsets.json")
    assert str(tuner.report()) in printed.out
    run(capsys, "scores.csv", "--apply", "offsets.json", "--out", "decisions.csv")
    assert decisions() == tuner.predict(proba).tolist()


def test_costs_of_labels(capsys):
    proba, Y = drawn_labels()
    write("scores.csv", labelled(proba, Y))
    Path("costs.csv").write_text("0,1\n5,0\n")
    printed = run(capsys, "scores.csv", "--label", "has_*", "--cost-matrix", "costs.csv")
    assert str(OffsetTuner(Cost([[0, 1], [5, 0]])).fit(proba, Y, classes=["cat", "dog", "do"]).report()) in printed.out


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", ["proba", "logits"])
@pytest.mark.parametrize("constraint", ["coverage>=0.7", "precision[fraud]>=0.95", "precision[fraud]>=0.999@0.99"])
@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.SkimbalanceWarning")
def test_rejected_are_those_of_the_tuner(capsys, n_classes, kind, constraint):
    proba, y = drawn(n_classes)
    new, _ = drawn(n_classes, n_samples=1000, seed=1)
    scores, new = (x if kind == "proba" else np.log(np.maximum(x, 1e-9)) for x in (proba, new))
    write("scores.csv", table(scores, y))
    write("new.csv", dict(zip(NAMES, new.T, strict=False)))
    tuner = OffsetTuner("f1_macro", kind=kind, reject_label="unsure", constraints=[constraint_of(constraint)])
    tuner.fit(scores, y)
    options = ("--objective", "f1_macro", "--kind", kind, "--reject-label", "unsure", "--constraint", constraint)
    printed = run(capsys, "scores.csv", *options, "--out", "offsets.json")
    assert str(tuner.report()) in printed.out
    run(capsys, "new.csv", "--apply", "offsets.json", "--out", "decisions.csv")
    assert decisions() == tuner.predict(new).tolist()
    assert "unsure" in decisions()


def test_a_rejection_is_restored_from_its_state():
    proba, y = drawn(3)
    tuner = OffsetTuner(reject_label="?", constraints=[AtLeast("coverage", 0.6)]).fit(proba, y)
    state = json.loads(json.dumps(tuner.rejection_.to_dict(), allow_nan=False))
    restored = Rejection.from_dict(state, classes=tuner.classes_)
    assert restored.coverage == tuner.coverage_
    assert restored.labels.tolist() == tuner.rejection_.labels.tolist()
    with np.errstate(divide="ignore"):
        scores = np.log(proba)
    codes = proba.argmax(axis=1)
    np.testing.assert_array_equal(restored.rejects(scores, codes), tuner.rejection_.rejects(scores, codes))


def test_numeric_reject_label(capsys):
    proba, y = drawn()
    write("scores.csv", {"0": proba[:, 0], "1": proba[:, 1], "label": (y == "fraud").astype(int)})
    options = ("--reject-label", "-1", "--constraint", "coverage>=0.5", "--out", "offsets.json")
    run(capsys, "scores.csv", *options)
    run(capsys, "scores.csv", "--apply", "offsets.json", "--out", "decisions.csv")
    assert set(decisions()) == {"-1", "0", "1"}


WRONG = {
    "no such file": (("nothing.csv",), "cannot read nothing.csv"),
    "objective": (("scores.csv", "--objective", "f11"), "--objective 'f11' is not a known metric"),
    "label": (("scores.csv", "--label", "x"), "--label names 'x', which is no column of scores.csv. Its columns are"),
    "columns": (("scores.csv", "--columns", "a*"), "--columns names 'a*'"),
    "text as scores": (("scores.csv", "--columns", "fine,id"), "column 'id' of scores.csv must hold numbers; got 'A'"),
    "kind": (("logits.csv",), "--kind 'logits'"),
    "positive class": (("scores.csv", "--pos-label", "x"), "--pos-label names 'x', which is no class"),
    "two columns of text": (("texts.csv",), "--label is needed: the name of the column of labels. Its columns are"),
    "one column": (("one.csv",), "--pos-label is needed: the class that the scores in 'score' are of"),
    "prior": (("scores.csv", "--class-prior", "fine"), "--class-prior must be label=proportion"),
    "part of a prior": (("scores.csv", "--class-prior", "fine=1"), "--class-prior must name every class"),
    "no prior": (("scores.csv", "--class-prior", ""), "--class-prior must be label=proportion"),
    "classes": (("scores.csv", "--classes", "fine"), "--classes must hold 2 distinct labels"),
    "certify on": (("scores.csv", "--certify-on", "2"), "--certify-on must be a float in the range"),
    "seed": (("scores.csv", "--seed", "-1"), "--seed must be an int"),
    "weights": (("scores.csv", "--weights", "w"), "--weights must not be negative"),
    "one label": (("scores.csv", "--label", "id"), "--label must name a column of at least two labels; 'id' holds 'A'"),
    "ragged": (("ragged.csv",), "line 3 of ragged.csv has 1 cells; expected 2"),
    "empty": (("empty.csv",), "empty.csv holds no samples"),
    "twice": (("twice.csv",), "must have different names; got 'a' twice"),
    "no text": (("binary.csv",), "cannot read binary.csv as a CSV file in UTF-8"),
    "no npz": (("wrong.npz",), "wrong.npz"),
    "no zip": (("zip.npz",), "cannot read zip.npz"),
    "no parquet": (("wrong.parquet",), "wrong.parquet"),
    "figure": (("scores.csv", "--figure", "a.xyz"), "--figure must end in .png"),
    "folder": (("scores.csv", "--out", "none/a.json"), "--out must lie in an existing folder"),
    "apply a table": (("scores.csv", "--apply", "scores.csv"), "--apply needs a file that --out wrote"),
    "apply another file": (("scores.csv", "--apply", "other.json"), "--apply needs a file that --out wrote"),
    "apply and fit": (("scores.csv", "--apply", "a.json", "--objective", "f1"), "--objective has no effect with"),
    "keep": (("scores.csv", "--keep", "id"), "--keep goes with --apply"),
    "delimiter": (("scores.csv", "--delimiter", "ab"), "--delimiter must be one character"),
    "f2": (("scores.csv", "--objective", "f2"), "--objective 'f2' is not a known metric; did you mean fbeta:2.0?"),
    "beta": (("scores.csv", "--objective", "fbeta:x"), "--objective 'fbeta:x' must be such as 'fbeta:2'"),
    "negative beta": (("scores.csv", "--objective", "fbeta:-1"), "beta must be a positive finite number; got -1.0"),
    "cost": (("scores.csv", "--objective", "cost"), "pass --cost-matrix FILE instead"),
    "two objectives": (("scores.csv", "--objective", "f1", "--cost-matrix", "costs.csv"), "leave --objective out"),
    "size of costs": (("scores.csv", "--cost-matrix", "costs.csv"), "--cost-matrix needs 2 lines of 2 numbers"),
    "no costs": (("scores.csv", "--cost-matrix", "empty.csv"), "--cost-matrix"),
    "no cost file": (("scores.csv", "--cost-matrix", "nothing.csv"), "cannot read nothing.csv"),
    "names of costs": (("scores.csv", "--cost-matrix", "names.csv"), "names.csv names ['fine', 'x']"),
    "infinite costs": (("scores.csv", "--cost-matrix", "infinite.csv"), "--cost-matrix infinite.csv: matrix"),
    "json": (("scores.csv", "--cost-matrix", "wrong.json"), "--cost-matrix cannot read wrong.json"),
    "text of costs": (("scores.csv", "--cost-matrix", "text.json"), "--cost-matrix needs 2 lines of 2 numbers"),
    "reject label": (
        ("scores.csv", "--reject-label", "fine", "--constraint", "coverage>=0.9"),
        "--reject-label must be",
    ),
    "nothing to reject": (("scores.csv", "--reject-label", "x"), "--reject-label 'x' needs a constraint on"),
    "no reject label": (("scores.csv", "--constraint", "coverage>=0.9"), "needs --reject-label"),
    "indicator": (("scores.csv", "--label", "fine,fraud", "--columns", "w,w"), "which must hold 0 and 1; got"),
    "scores of labels": (
        ("scores.csv", "--label", "fine,fraud", "--columns", "w,w,w"),
        "--columns must name a column for each class",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_name_the_argument_and_what_is_expected(capsys, case):
    pytest.importorskip("matplotlib") if case == "figure" else None
    pytest.importorskip("pyarrow") if case == "no parquet" else None
    arguments, expected = WRONG[case]
    proba, y = drawn()
    ids = np.array(["A"] * 400)
    write("scores.csv", table(proba, y, id=ids, w=-np.ones(400)))
    write("logits.csv", table(10 * proba - 5, y))
    write("texts.csv", table(proba, y, label="outcome", id=ids))
    write("one.csv", {"score": proba[:, 1], "label": y})
    Path("ragged.csv").write_text("a,b\n1,2\n3\n")
    Path("empty.csv").write_text("a,b\n")
    Path("twice.csv").write_text("a,a\n1,2\n")
    Path("other.json").write_text("[1]")
    Path("costs.csv").write_text("0,1,2\n1,0,2\n1,1,0\n")
    Path("names.csv").write_text(",fine,x\nfine,0,1\nx,1,0\n")
    Path("infinite.csv").write_text("0,inf\n1,0\n")
    Path("wrong.json").write_text("{")
    Path("text.json").write_text('"costs"')
    Path("zip.npz").write_bytes(b"PK\x03\x04" + b"\0" * 9)
    for name in ("binary.csv", "wrong.npz", "wrong.parquet"):
        Path(name).write_bytes(b"\xff\xfe\x00\x9f" * 9)
    assert expected in failure(capsys, *arguments)


def test_warnings_are_printed_without_lines_of_code(capsys):
    proba, y = drawn()
    write("scores.csv", table(proba, y))
    printed = run(capsys, "scores.csv", "--constraint", "recall[fraud]>=0.9999@0.99", "--objective", "precision")
    assert "skimbalance: warning: No offsets satisfy" in printed.err
    assert ".py" not in printed.err


def test_figure(capsys):
    pytest.importorskip("matplotlib")
    write("scores.csv", table(*drawn()))
    run(capsys, "scores.csv", "--figure", "figure.svg")
    assert "fraud" in Path("figure.svg").read_text()


def test_as_a_program(monkeypatch):
    write("scores.csv", table(*drawn()))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [sys.executable, "-m", "skimbalance"]
    done = subprocess.run([*command, "scores.csv", "--out", "a.json"], capture_output=True, text=True, check=True)
    assert "Offsets: a.json" in done.stdout
    assert not done.stderr
    piped = f"{sys.executable} -m skimbalance scores.csv --out b.json | head -1"
    cut = subprocess.run(["bash", "-c", piped], capture_output=True, text=True, check=True)
    assert cut.stdout == "400 samples; labels in 'label'\n"
    assert not cut.stderr
    assert Path("b.json").read_text() == Path("a.json").read_text()
    wrong = subprocess.run([*command, "scores.csv", "--kind", "odds"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr


def test_page_shows_what_commands_print(capsys):
    """The blocks of the page run in an empty folder, and print what it shows."""
    page = (ROOT / "docs" / "command_line.md").read_text()
    printed, n_compared = "", 0
    names = {}
    for kind, block in re.findall(r"^```(\w+)\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        if kind == "python":
            exec(block, names)
        elif kind == "bash":
            command = shlex.split(block)
            if command[0] == "head":
                printed = "".join(Path(command[2]).read_text().splitlines(keepends=True)[:3])
            else:
                assert command[:3] == ["python", "-m", "skimbalance"]
                printed = run(capsys, *command[3:]).out
        else:
            assert_alike(printed, block)
            n_compared += 1
    assert n_compared == 2
    assert len(decisions()) == 2000
    assert {*decisions("label_decisions.csv", "decision_spam")} == {"0", "1"}


def assert_alike(printed, shown):
    """Compare words exactly, and numbers with a tolerance for other versions of the libraries."""
    number = r"\d+(?:\.\d+)?"
    assert re.sub(number, "0", printed) == re.sub(number, "0", shown)
    pairs = zip(re.findall(number, printed), re.findall(number, shown), strict=True)
    assert all(float(got) == pytest.approx(float(said), abs=0.03) for got, said in pairs), printed
