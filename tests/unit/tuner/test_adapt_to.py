"""Offsets for samples without labels that have other class priors."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance._core.array_api import to_numpy
from skimbalance.exceptions import FewRowsWarning, SkimbalanceWarning, UncertainShiftWarning, UnreachableGoalWarning
from skimbalance.goals import AtLeast, ImbalanceState
from skimbalance.solvers import Search

NAMES = np.array(["ant", "bee", "cat"])
CENTRES = 2 * np.eye(3)
PRIOR, OTHER = np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.2, 0.7])


def features(prior, n_samples, seed):
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n_samples, p=prior)
    return rng.normal(size=(n_samples, 3)) + CENTRES[y], NAMES[y]


def draw(prior, n_samples, seed):
    """Logits that are calibrated for PRIOR, and labels."""
    X, y = features(prior, n_samples, seed)
    return X @ CENTRES.T + np.log(PRIOR), y


SCORES, Y = draw(PRIOR, 500, 0)
NEW, Y_NEW = draw(OTHER, 500, 1)
SAME, _ = draw(PRIOR, 500, 2)


def tuner(objective="f1_macro", **parameters):
    return OffsetTuner(objective, **{"kind": "logits", **parameters}).fit(SCORES, Y)


def state(fitted):
    return pickle.dumps(vars(fitted))


def test_it_is_a_fit_under_the_estimated_prior_and_the_original_stays():
    fitted = tuner("accuracy")
    before = state(fitted)
    adapted = fitted.adapt_to(NEW)
    assert state(fitted) == before
    np.testing.assert_allclose(adapted.class_prior, OTHER, atol=0.07)
    expected = OffsetTuner("accuracy", kind="logits", class_prior=adapted.class_prior).fit(SCORES, Y)
    np.testing.assert_allclose(adapted.offsets_, expected.offsets_, atol=1e-9)
    assert adapted.score_ == expected.score_
    assert accuracy_score(Y_NEW, adapted.predict(NEW)) > accuracy_score(Y_NEW, fitted.predict(NEW)) + 0.05
    assert "without labels" in " ".join(adapted.notes_)
    assert "without labels" in str(adapted.report())
    assert not any("without labels" in note for note in fitted.notes_)


def test_the_estimate_is_an_attribute():
    found = tuner().adapt_to(NEW).prior_shift_
    np.testing.assert_allclose(found.before, np.unique(Y, return_counts=True)[1] / len(Y))
    np.testing.assert_allclose(found.estimated, OTHER, atol=0.07)
    np.testing.assert_allclose(found.by_decisions, OTHER, atol=0.1)
    assert found.interval.shape == (2, 3)
    assert found.n_samples == len(NEW)


def test_notes_and_report_have_the_joint_intervals_and_the_p_value():
    adapted = tuner(confidence_level=0.8).adapt_to(NEW)
    found = adapted.prior_shift_
    (estimates,) = [note for note in adapted.notes_ if note.startswith("Class priors were estimated on 500 samples")]
    assert "80% intervals that hold for all classes at once" in estimates
    for name, estimate, (lower, upper) in zip(NAMES, found.estimated, found.joint_interval.T, strict=True):
        assert f"'{name}' {estimate:.3g} ({lower:.3g} to {upper:.3g}, " in estimates
    assert any(note.startswith("This shift is significant (p < 0.001).") for note in adapted.notes_)
    assert estimates in " ".join(str(adapted.report()).split())
    with pytest.warns(UncertainShiftWarning) as caught:
        same = tuner().adapt_to(SAME).prior_shift_
    assert f"is not significant (p = {same.p_value:.2g}), and" in str(caught[-1].message)
    assert same.level == 0.9
    assert same.p_value >= 0.01


@pytest.mark.parametrize("level", [0.8, 0.95, None])
def test_intervals_have_the_confidence_of_the_tuner(level):
    found = tuner("accuracy", estimate="plugin", confidence_level=level).adapt_to(NEW).prior_shift_
    assert found.level == (0.9 if level is None else level)
    assert (found.joint_interval[0] < found.interval[0]).all()
    assert (found.joint_interval[1] > found.interval[1]).all()


def test_single_precision_and_absent_classes_give_the_same_intervals():
    here = tuner("accuracy", estimate="plugin").adapt_to(NEW).prior_shift_
    single = OffsetTuner("accuracy", kind="logits", estimate="plugin").fit(SCORES.astype(np.float32), Y)
    there = single.adapt_to(NEW.astype(np.float32)).prior_shift_
    np.testing.assert_allclose(there.joint_interval, here.joint_interval, atol=2e-3)
    four, new = (np.column_stack([s, s.min(axis=1) - 1]) for s in (SCORES, NEW))
    fitted = OffsetTuner("accuracy", kind="logits", estimate="plugin").fit(four, Y, classes=[*NAMES, "dog"])
    wide = fitted.adapt_to(new).prior_shift_
    np.testing.assert_allclose(wide.joint_interval[:, :3], here.joint_interval, atol=1e-6)
    assert not wide.joint_interval[:, 3].any()
    assert wide.p_value == pytest.approx(here.p_value)


def test_without_a_shift_the_offsets_stay_with_a_warning():
    fitted = tuner()
    with pytest.warns(UncertainShiftWarning, match="is not significant"):
        adapted = fitted.adapt_to(SAME)
    assert adapted is not fitted
    assert adapted.class_prior is None
    np.testing.assert_array_equal(adapted.offsets_, fitted.offsets_)
    np.testing.assert_array_equal(adapted.predict(SAME), fitted.predict(SAME))
    assert len(adapted.notes_) > len(fitted.notes_)
    assert not hasattr(fitted, "prior_shift_")


def test_a_shift_can_be_undone_and_a_new_fit_forgets_it():
    there = tuner().adapt_to(NEW)
    with pytest.warns(UncertainShiftWarning):
        there.adapt_to(NEW)
    back = there.adapt_to(SAME)
    np.testing.assert_allclose(back.class_prior, PRIOR, atol=0.07)
    assert not hasattr(back.fit(SCORES, Y), "prior_shift_")


def test_the_shift_is_relative_to_class_prior():
    fitted = tuner(class_prior=OTHER)
    with pytest.warns(UncertainShiftWarning):
        fitted.adapt_to(NEW)
    np.testing.assert_allclose(fitted.adapt_to(SAME).class_prior, PRIOR, atol=0.07)


@pytest.mark.parametrize(
    "parameters",
    [
        {"estimate": "empirical"},
        {"estimate": "plugin", "confidence_level": None},
        {"constraints": [AtLeast("recall", 0.5, label="cat")]},
        {"solver": "imbalance_state"},
        {"objective": ImbalanceState("uniform")},
        {"objective": ImbalanceState("prior")},
        {"objective": ImbalanceState("uniform", class_balanced=True)},
        {"objective": make_scorer(accuracy_score), "solver": Search(budget=40)},
        {"n_jobs": 2},
    ],
    ids=str,
)
def test_whatever_the_goal(parameters):
    adapted = tuner(n_bootstraps=2, **parameters).adapt_to(NEW)
    expected = tuner(n_bootstraps=2, **parameters, class_prior=adapted.class_prior)
    np.testing.assert_allclose(adapted.offsets_, expected.offsets_, atol=1e-6)


def test_a_state_like_the_prior_follows_the_prior():
    adapted = tuner(ImbalanceState("prior")).adapt_to(NEW)
    np.testing.assert_allclose(adapted.predict_proba(NEW).mean(axis=0), OTHER, atol=0.1)


def test_binary_scores_of_every_kind_and_shape():
    rng = np.random.default_rng(0)
    y, y_new = rng.random(800) < 0.1, rng.random(800) < 0.6
    odds, odds_new = (3 * t - 3 + rng.normal(size=800) for t in (y, y_new))
    proba, proba_new = (1 / (1 + np.exp(-o)) for o in (odds, odds_new))
    thresholds = []
    for kind, fitted, new in (
        ("logits", odds, odds_new),
        ("proba", proba, proba_new),
        ("proba", np.column_stack([1 - proba, proba]), np.column_stack([1 - proba_new, proba_new])),
        ("log_proba", np.log(proba), np.log(proba_new)),
    ):
        adapted = OffsetTuner("f1", kind=kind).fit(fitted, y).adapt_to(new)
        np.testing.assert_allclose(adapted.class_prior, [0.4, 0.6], atol=0.05)
        thresholds.append(adapted.threshold_)
    np.testing.assert_allclose(thresholds, thresholds[0], atol=0.01)


def test_weights_count():
    y = np.searchsorted(NAMES, Y)
    weights = (OTHER / PRIOR)[y]
    fitted = OffsetTuner("accuracy", kind="logits").fit(SCORES, Y, sample_weight=weights)
    with pytest.warns(UncertainShiftWarning):
        fitted.adapt_to(NEW)
    np.testing.assert_allclose(fitted.adapt_to(SAME).class_prior, PRIOR, atol=0.07)


def test_a_class_without_samples_has_a_prior_of_zero():
    four, new = (np.column_stack([s, s.min(axis=1) - 1]) for s in (SCORES, NEW))
    fitted = OffsetTuner("accuracy", kind="logits").fit(four, Y, classes=[*NAMES, "dog"])
    adapted = fitted.adapt_to(new)
    assert adapted.class_prior[3] == 0
    assert any("The fit had no samples of ['dog']" in note for note in adapted.notes_)


def test_every_library(xp):
    here = tuner("accuracy", n_bootstraps=2).adapt_to(NEW)
    there = OffsetTuner("accuracy", kind="logits", n_bootstraps=2).fit(xp.asarray(SCORES), Y).adapt_to(xp.asarray(NEW))
    assert type(there.offsets_) is type(xp.asarray(NEW))
    np.testing.assert_allclose(there.class_prior, here.class_prior, atol=1e-3)
    np.testing.assert_allclose(to_numpy(there.offsets_), here.offsets_, atol=0.05)


def test_errors_name_the_argument():
    fitted = tuner()
    with pytest.raises(NotFittedError):
        OffsetTuner().adapt_to(NEW)
    with pytest.raises(ValueError, match="adapt_to needs at least 10 samples") as caught:
        fitted.adapt_to(NEW[:9])
    assert caught.value.__notes__ == ["See 'Messages' in the documentation of skimbalance."]
    with pytest.raises(ValueError, match="scores must have 3 columns"):
        fitted.adapt_to(NEW[:, :2])
    with pytest.raises(ValueError, match="NaN"):
        fitted.adapt_to(np.full((20, 3), np.nan))
    with pytest.raises(ValueError, match="groups must hold at least two groups"):
        fitted.adapt_to(NEW, groups=np.zeros(len(NEW)))
    proba = np.exp(SCORES) / np.exp(SCORES).sum(axis=1, keepdims=True)
    with pytest.raises(ValueError, match="kind='proba'"):
        OffsetTuner().fit(proba, Y).adapt_to(NEW)


def test_copies_and_pickles_can_be_adapted_and_clones_hold_no_samples():
    fitted = tuner("accuracy")
    expected = fitted.adapt_to(NEW).offsets_
    for other in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(other.adapt_to(NEW).offsets_, expected)
    assert not vars(clone(fitted)).keys() - fitted.get_params().keys()


def test_what_is_kept_of_many_samples_is_bounded(monkeypatch):
    monkeypatch.setattr("skimbalance.estimation.spec._CELLS", 600)
    fitted = tuner("accuracy")
    assert len(pickle.dumps(fitted)) < SCORES.nbytes
    adapted = fitted.adapt_to(NEW)
    np.testing.assert_allclose(adapted.class_prior, OTHER, atol=0.15)


def test_it_is_repeatable_and_moves_no_generator():
    fitted = tuner("accuracy", random_state=np.random.RandomState(0))
    before = fitted.random_state.get_state()[1].copy()
    first, second = (fitted.adapt_to(NEW) for _ in range(2))
    np.testing.assert_array_equal(first.offsets_, second.offsets_)
    np.testing.assert_array_equal(fitted.random_state.get_state()[1], before)


@pytest.mark.parametrize("cv", [3, "prefit"])
def test_a_classifier(cv):
    X, y = features(PRIOR, 600, 0)
    X_new, y_new = features(OTHER, 600, 1)
    model = LogisticRegression()
    if cv == "prefit":
        model.fit(*features(PRIOR, 600, 3))
    clf = TunedOffsetClassifierCV(model, objective="accuracy", cv=cv).fit(X, y)
    before = clf.offsets_.copy(), clf.score_, clf.tuner_
    adapted = clf.adapt_to(X_new)
    np.testing.assert_array_equal(clf.offsets_, before[0])
    assert (clf.score_, clf.tuner_, clf.class_prior) == (*before[1:], None)
    assert adapted.estimator_ is clf.estimator_
    np.testing.assert_array_equal(adapted.offsets_, adapted.tuner_.offsets_)
    np.testing.assert_allclose(adapted.class_prior, OTHER, atol=0.07)
    assert adapted.score(X_new, y_new) > clf.score(X_new, y_new)
    with pytest.warns(UncertainShiftWarning):
        same = clf.adapt_to(features(PRIOR, 600, 2)[0])
    np.testing.assert_array_equal(same.offsets_, clf.offsets_)
    assert same.class_prior is None


def test_a_classifier_passes_groups_on():
    X, y = features(PRIOR, 300, 0)
    X_new = features(OTHER, 100, 1)[0].repeat(3, axis=0)
    groups = np.arange(100).repeat(3)
    clf = TunedOffsetClassifierCV(LogisticRegression(), objective="accuracy", estimate="plugin", cv=3).fit(X, y)
    found = clf.adapt_to(X_new, groups=groups).tuner_.prior_shift_
    scores = clf.estimator_.predict_proba(X_new)
    np.testing.assert_array_equal(
        found.joint_interval, clf.tuner_.adapt_to(scores, groups=groups).prior_shift_.joint_interval
    )
    apart = clf.adapt_to(X_new).tuner_.prior_shift_
    assert (np.diff(found.joint_interval, axis=0) > np.diff(apart.joint_interval, axis=0)).all()
    with pytest.raises(ValueError, match=r"groups must have shape \(300,\)"):
        clf.adapt_to(X_new, groups=groups[:5])


@pytest.fixture(scope="module")
def fashion(data_folder):
    with np.load(data_folder / "deep_fashion_lt100.npz", allow_pickle=True) as data:
        return tuple(data[key] for key in ("logits_val", "y_val", "logits_test", "y_test"))


def test_decisions_on_real_samples_are_better_after_a_shift_and_no_worse_without_one(fashion):
    logits, y, test, y_test = fashion
    tail = np.bincount(y) / len(y)
    fitted = OffsetTuner("accuracy", kind="logits").fit(logits, y)
    gains = {}
    for name, prior in {"forward": tail, "uniform": np.full(10, 0.1), "backward": tail[::-1]}.items():
        weights = (prior / np.bincount(y_test))[y_test]
        samples = np.random.default_rng(0).choice(len(y_test), 1000, p=weights / weights.sum())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UncertainShiftWarning)
            adapted = fitted.adapt_to(test[samples])
        gains[name] = np.subtract(
            *(np.average(each.predict(test) == y_test, weights=weights) for each in (adapted, fitted))
        )
    assert gains["forward"] > -0.005
    assert 0.02 < gains["uniform"] < gains["backward"]


def test_what_was_said_at_the_fit_is_noted_again_and_not_warned_of_again():
    samples = np.concatenate([np.flatnonzero(Y != "cat"), np.flatnonzero(Y == "cat")[:8]])
    with pytest.warns(FewRowsWarning, match="'cat' has 8"):
        fitted = OffsetTuner("accuracy", kind="logits").fit(SCORES[samples], Y[samples])
    adapted = fitted.adapt_to(NEW)  # a warning would be an error here
    assert adapted.class_prior is not None
    assert any(note.startswith("Few samples to tune on: 'cat' has 8") for note in adapted.notes_)


def test_a_repeated_note_issues_no_warning():
    rng = np.random.default_rng(0)
    y, y_new = rng.random(800) < 0.8, rng.random(800) < 0.95
    with pytest.warns(SkimbalanceWarning, match="the second label and the majority class: 6"):
        fitted = OffsetTuner("f1", kind="logits").fit(3 * y - 1 + rng.normal(size=800), y)
    adapted = fitted.adapt_to(3 * y_new - 1 + rng.normal(size=800))
    assert any("the second label and the majority class: 7" in note for note in adapted.notes_)


def test_what_is_new_is_warned_of():
    fitted = tuner("accuracy", constraints=[AtLeast("jaccard", 0.75, label="ant")])  # less can be had of a rarer class
    with pytest.warns(UnreachableGoalWarning, match="No offsets satisfy"):
        fitted.adapt_to(NEW)
