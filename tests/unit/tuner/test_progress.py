"""What `verbose` prints: the value of the metric, with its own sign, for every solver and estimate."""

import re

import numpy as np
import pytest
from sklearn.metrics import make_scorer, matthews_corrcoef, zero_one_loss

from skimbalance import OffsetTuner
from skimbalance.goals import AtLeast
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


@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.UnreachableGoalWarning")
def test_violated_constraints_are_stated_instead_of_a_lowered_value(capsys):
    within, beyond = AtLeast("recall", 0.5), AtLeast("accuracy", 0.999)
    fitted("precision", constraints=[within], estimate="empirical")
    assert "violated" not in capsys.readouterr().out
    tuner = fitted("precision", constraints=[beyond], estimate="empirical")
    out = capsys.readouterr().out
    assert f"precision={tuner.in_sample_score_:.6g} with violated constraints" in out
    assert min(shown(out, "precision")) >= 0
