"""Parts of the benchmark studies: scales of each class, texts with an imbalance, and estimates of class priors."""

import csv
import importlib
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import check_grad, minimize
from scipy.special import log_softmax

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("import_benchmark")


def study(name):
    return importlib.import_module(f"benchmarks.studies.{name}")


def sample(scale, *, n_samples=3000, seed=0):
    """Log-probabilities of a model whose evidence has these scales, and labels."""
    rng = np.random.default_rng(seed)
    scores = log_softmax(2 * rng.normal(size=(n_samples, len(scale))), axis=1)
    y = (scale * scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    return scores, y


def test_scales_by_likelihood_are_those_of_the_samples():
    scale = np.array([0.5, 1.0, 2.0])
    found = study("class_scales").by_likelihood(*sample(scale, n_samples=20_000))
    np.testing.assert_allclose(found, scale, rtol=0.1)


def test_the_gradient_of_the_likelihood_is_right(monkeypatch):
    scales = study("class_scales")
    seen = {}
    monkeypatch.setattr(
        scales, "minimize", lambda loss, start, **how: seen.update(loss=loss) or minimize(loss, start, **how)
    )
    scales.by_likelihood(*sample(np.array([0.5, 1.0, 2.0]), n_samples=50))
    point = np.random.default_rng(1).normal(size=6) / 2
    assert check_grad(lambda v: seen["loss"](v)[0], lambda v: seen["loss"](v)[1], point) < 1e-4


def test_scales_by_search_are_not_worse_on_their_samples():
    scales, value_of = study("class_scales"), importlib.import_module("benchmarks.baselines").value_of
    scores, y = sample(np.array([0.3, 1.0, 2.0]), n_samples=600)
    found = scales.by_search(scores, y, metric="f1_macro", offsets=np.zeros(3))
    assert found.shape == (3,)
    assert np.ptp(found) > 0

    def best(scores):
        tuner = scales.OffsetTuner("f1_macro", kind="logits", estimate="empirical", confidence_level=None).fit(
            scores, y
        )
        return value_of("f1_macro", y, tuner.predict(scores), n_classes=3)

    assert best(found * scores) > best(scores)


@pytest.mark.parametrize("ratio", [10, 1000])
def test_parts_of_the_texts_are_disjoint(ratio):
    text = study("text")
    pool = [np.array([f"{name}{i}" for i in range(n)], dtype=object) for name, n in (("a", 8500), ("b", 2700))]
    parts = list(text.split(pool, ratio, seed=0))
    counts = [np.bincount(y).tolist() for _, y in parts]
    assert counts == [[4000, 4000 // ratio], [2000, 2000 // ratio], [2000, 2000]]
    every = np.concatenate([X for X, _ in parts])
    assert len(set(every)) == len(every)
    assert all(X[i][0] == "ab"[y[i]] for X, y in parts for i in (0, -1))


def test_transport_of_texts_predicts_as_many_of_each_class():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=4000) + 3 * np.repeat([0, 1], 2000) - 6  # no sample has a probability above one half
    y = rng.random(4000) < 1 / (1 + np.exp(-scores))
    decided = study("text").transported(1 / (1 + np.exp(-scores)))
    assert y.mean() < 0.1
    assert decided.mean() == pytest.approx(0.5, abs=0.1)
    assert decided[2000:].mean() > 0.8 > 0.2 > decided[:2000].mean()


def test_the_page_of_the_experiment_has_the_stored_results_of_texts():
    root = Path(__file__).parents[2]
    text = study("text")
    assert text.summary(text.stored(root / "benchmarks" / "results" / "text.csv")) in (
        root / "docs" / "paper.md"
    ).read_text("utf-8")


def test_regret_is_that_of_the_oracle():
    prior_shift = study("prior_shift")
    run = {"data": "simulated", "shift": "strong", "metric": "f1", "moved": "1", "unadapted": "0.5", "oracle": "0.8"}
    run |= {"adapted": "0.7", "emq": "0.6", "emq_bcts": "0.4", "kdey": "0.8"}
    (line,) = [line for line in prior_shift.regrets([run]).splitlines() if line.startswith("| strong")]
    assert [cell.split(" / ")[0].strip() for cell in line.split("|")[3:-1]] == [
        "0.3000",
        "0.1000",
        "0.2000",
        "0.4000",
        "0.0000",
    ]
    assert "-0.100" in line


def rays(n_samples=1250, *, seed=0):
    """A binary problem in two parts, where neighbours are alike."""
    no_shift, rng = study("no_shift"), np.random.default_rng(seed)
    y = np.repeat(rng.random(n_samples // 5) < 0.2, 5).astype(np.int64)
    scores = np.column_stack([np.zeros(n_samples), 2 * y - 1.5 + rng.normal(size=n_samples)])
    half = n_samples // 2
    return no_shift.TuningProblem("chest_x", "net", 0, scores[:half], y[:half], scores[half:], y[half:])


def test_random_halves_hold_all_samples_once_in_whole_blocks():
    no_shift, problem = study("no_shift"), rays()
    whole = np.concatenate([problem.scores, problem.scores_test])[:, 1]
    for kind, repeat in (("given", 0), ("blocks", 0), ("blocks", 1), ("samples", 0)):
        first, second = no_shift.halves(problem, kind, repeat)
        both = np.concatenate([first.scores[:, 1], second.scores[:, 1]])
        np.testing.assert_array_equal(np.sort(both), np.sort(whole))
        assert bool(set(first.blocks) & set(second.blocks)) == (kind != "blocks")
        if kind == "given":
            np.testing.assert_array_equal(first.scores, problem.scores)


def test_variance_of_a_proportion_is_that_of_blocks():
    no_shift = study("no_shift")
    half = no_shift.Half(np.zeros((6, 2)), np.array([1, 1, 0, 0, 1, 0]), np.array([0, 0, 1, 1, 2, 2]))
    assert half.variance(by_block=False) == pytest.approx(0.25 / 6)
    assert half.variance(by_block=True) == pytest.approx((1 + 1 + 0) / 36)


@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.UncertainShiftWarning")
def test_a_run_without_a_significant_shift_has_no_gain(monkeypatch):
    no_shift = study("no_shift")
    monkeypatch.setattr(no_shift, "SIZES", (300, 8041))
    runs = [run for kind in ("blocks", "samples") for run in no_shift.runs_of(rays(), kind, 0)]
    assert len(runs) == 2 * 2 * 2 * 3
    for run in runs:
        assert run.lower <= run.estimated <= run.upper
        assert run.moved == (run.p_value < 0.01)
        if not run.moved:
            assert (run.adapted, run.deviation) == (run.unadapted, 0)
    monkeypatch.setattr(no_shift, "_GROUPED", ("given", 8041, "blocks"))
    given = list(no_shift.runs_of(rays(), "given", 0))
    assert "| x |" in no_shift.table_of_findings(given)
    assert no_shift.table([*runs, *given]).count("\n") == 3 * 2 * 2 * 3 + 1


def test_documents_have_the_losses_of_the_results():
    with (ROOT / "benchmarks/results/no_shift.csv").open(encoding="utf-8") as file:
        runs = [run for run in csv.DictReader(file) if (run["halves"], run["metric"]) == ("blocks", "f1")]
    loss, moved = {}, {}
    for groups in ("no", "blocks"):
        part = [run for run in runs if (run["groups"], run["samples"]) == (groups, "8041")]
        loss[groups] = -min(float(run["adapted"]) - float(run["unadapted"]) for run in part)
        moved[groups] = np.mean([int(run["moved"]) for run in part])
    assert (loss["blocks"], moved["blocks"]) == (0, 0)
    limits = (ROOT / "docs/limits.md").read_text(encoding="utf-8")
    assert f"{moved['no']:.0%} of the adaptations" in limits
    assert f"lost {loss['no']:.2f} in F1".replace("0.", ".") in limits
    assert f"{moved['no']:.0%} of those" in (ROOT / "docs/choose_a_goal.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.UncertainShiftWarning")
def test_coverage_counts_classes_and_all_of_them():
    found = study("prior_regions").coverage(3, 100, shift=True, misfit=False, repeats=3)
    assert found["joint"] <= found["by_class"] <= 1
    assert found["significant_0.01"] <= found["significant_0.1"] <= 1
    assert found["joint_width"] > 0
