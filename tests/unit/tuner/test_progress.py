"""What `verbose` prints: the value of the metric, with its own sign, for every solver and estimate."""

import re

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer, matthews_corrcoef, zero_one_loss

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.goals import AtLeast, ImbalanceState
from skimbalance.metrics import Cost
from skimbalance.solvers import SOLVERS

LOSS = make_scorer(zero_one_loss, greater_is_better=False)
OBJECTIVES = {
    "f1_macro": "f1_macro",
    "false_positive_rate": "false_positive_rate",
    "cost": Cost([[0.0, 1.0], [5.0, 0.0]]),
    "imbalance_degree": "imbalance_degree",
    "matthews_corrcoef": matthews_corrcoef,
    "neg_zero_one_loss": LOSS,
}


def fitted(objective, **options):
    rng = np.random.default_rng(0)
    y = (rng.random(200) < 0.2).astype(int)
    logits = np.column_stack([0 * y, 2 * y - 2 + rng.normal(size=200)])
    return OffsetTuner(objective, kind="logits", confidence_level=None, verbose=1, **options).fit(logits, y)


def shown(out, name):
    """Return the values of the metric in the lines of progress."""
    assert "objective" not in out
    return [float(value) for value in re.findall(rf"{name}=(\S+)", out)]


@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.SkimbalanceWarning")
@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_last_value_is_that_of_the_fit(name, solver, capsys):
    black_box = callable(OBJECTIVES[name])
    if black_box and solver == "coordinate_ascent":
        pytest.skip("it needs a metric of known structure")
    tuner = fitted(OBJECTIVES[name], solver=solver, estimate="empirical")
    values = shown(capsys.readouterr().out, name)
    assert values[-1] == pytest.approx(tuner.in_sample_score_, rel=1e-5, abs=1e-12)
    assert np.sign(values[-1]) == np.sign(tuner.in_sample_score_)


@pytest.mark.parametrize("name", ["f1_macro", "false_positive_rate", "cost"])
@pytest.mark.parametrize("estimate", ["robust", "plugin"])
@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.SkimbalanceWarning")
def test_soft_labels_have_the_sign_of_the_metric(name, estimate, capsys):
    fitted(OBJECTIVES[name], estimate=estimate)
    values = shown(capsys.readouterr().out, name)
    assert values
    assert min(values) >= 0


def draw(n_classes=3, n_samples=300):
    rng = np.random.default_rng(0)
    y = rng.choice(n_classes, n_samples)
    return 2 * np.eye(n_classes)[y] + rng.normal(size=(n_samples, n_classes)), y


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("n_bootstraps", [3, 10, 11, 37])
def test_bootstraps_and_folds_are_counted(n_bootstraps, n_jobs, capsys):
    tuner = OffsetTuner("f1_macro", kind="logits", n_bootstraps=n_bootstraps, n_jobs=n_jobs, verbose=1)
    tuner.fit(*draw())
    out = capsys.readouterr().out
    assert re.findall(r"fold (\d+)/(\d+)\n", out) == [(str(number), "5") for number in range(1, 6)]
    numbers = [int(number) for number, total in re.findall(r"bootstrap (\d+)/(\d+)\n", out)]
    assert set(re.findall(r"bootstrap \d+/(\d+)\n", out)) == {str(n_bootstraps)}
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == n_bootstraps
    assert len(numbers) == min(n_bootstraps, 10)


def test_labels_are_counted(capsys):
    rng = np.random.default_rng(0)
    Y = (rng.random((200, 25)) < 0.3).astype(int)
    OffsetTuner("f1_macro", kind="logits", verbose=1).fit(2 * Y - 1 + rng.normal(size=Y.shape), Y)
    numbers = [int(number) for number in re.findall(r"label (\d+)/25\n", capsys.readouterr().out)]
    assert numbers == [3, 5, 8, 10, 13, 15, 18, 20, 23, 25]


@pytest.mark.parametrize(
    "objective", ["f1_macro", Cost([[0, 1, 1], [2, 0, 1], [1, 1, 0]]), ImbalanceState([1 / 3] * 3)]
)
@pytest.mark.parametrize("confidence_level", [None, 0.9])
def test_the_last_line_has_the_values_of_the_fit(objective, confidence_level, capsys):
    tuner = OffsetTuner(objective, kind="logits", confidence_level=confidence_level, verbose=1).fit(*draw())
    last = capsys.readouterr().out.splitlines()[-1]
    name = getattr(objective, "name", "score" if isinstance(objective, ImbalanceState) else objective)
    expected = f", {tuner.score_:.6g} expected on unseen data" if hasattr(tuner, "score_") else ""
    values = f"{tuner.in_sample_score_:.6g} on these samples, {tuner.untuned_score_:.6g} without offsets"
    assert last == f"[OffsetTuner] {name}={values}{expected}"


def test_nothing_is_printed_without_verbose(capfd):
    OffsetTuner("f1_macro", kind="logits", n_jobs=2).fit(*draw())
    TunedOffsetClassifierCV(LogisticRegression(), n_jobs=2).fit(*draw())
    assert capfd.readouterr() == ("", "")


def test_a_classifier_announces_folds_and_the_final_fit(capsys):
    TunedOffsetClassifierCV(LogisticRegression(), cv=3, verbose=1).fit(*draw())
    lines = capsys.readouterr().out.splitlines()
    own = [line for line in lines if line.startswith("[TunedOffsetClassifierCV]")]
    assert [line.split()[2].strip(":") for line in own] == ["1/3", "2/3", "3/3", "fit"]
    assert lines[len(own) :] == [line for line in lines if line.startswith("[OffsetTuner]")]


@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.UnreachableGoalWarning")
def test_violated_constraints_are_stated_instead_of_a_lowered_value(capsys):
    within, beyond = AtLeast("recall", 0.5), AtLeast("accuracy", 0.999)
    fitted("precision", constraints=[within], estimate="empirical")
    assert "violated" not in capsys.readouterr().out
    tuner = fitted("precision", constraints=[beyond], estimate="empirical")
    out = capsys.readouterr().out
    assert f"precision={tuner.in_sample_score_:.6g} with violated constraints" in out
    assert min(shown(out, "precision")) >= 0
