"""Scores that carry no evidence are left out, one by one, of all that is fitted and estimated."""

import numpy as np
import pytest
from support.effort import crossed, thinned
from support.label_oracles import best_of_all, decided, drawn_problem, objective_value
from support.labels import fit_multilabel

from skimbalance import OffsetTuner
from skimbalance.exceptions import FewRowsWarning, UnreachableGoalWarning
from skimbalance.goals import AtLeast
from skimbalance.metrics.overlap import FBeta
from skimbalance.tuner.labels._metrics import MicroRatio
from skimbalance.tuner.labels._problem import MultilabelProblem
from skimbalance.tuner.labels._solve import best_ratio, ratio_sweep
from skimbalance.tuner.labels._truth import LabelTruth

METRICS = ("f1_macro", "f1_weighted", "f1_micro", "f1_samples", "balanced_accuracy", "hamming")
ESTIMATES = ("robust", "empirical", "plugin")


def masked_problem(rng, *, n_samples=200, n_labels=4):
    """Log-odds, an indicator, and which are known: a third of two labels are not."""
    log_odds, indicator = drawn_problem(rng, n_samples=n_samples, n_labels=n_labels)
    known = np.ones(indicator.shape, dtype=bool)
    known[:, :2] = rng.random((n_samples, 2)) > 1 / 3
    return log_odds, indicator, known


def f1(indicator, decisions, weights):
    return 2 * weights @ (indicator & decisions) / max(1e-300, weights @ (1.0 * indicator + decisions))


def balanced_accuracy(indicator, decisions, weights):
    return np.mean([np.average(decisions[indicator == c] == c, weights=weights[indicator == c]) for c in (0, 1)])


def hamming(indicator, decisions, weights):
    return np.average(indicator == decisions, weights=weights)


def worth(name, indicator, decisions, known, weights):
    """The metric of known cells, label by label or sample by sample."""
    if name == "f1_samples":
        samples = [i for i in range(len(known)) if (indicator & known)[i].any() or not indicator[i].any()]
        each = [f1(indicator[i][known[i]], decisions[i][known[i]], np.ones(known[i].sum())) for i in samples]
        return np.average(each, weights=weights[samples])
    if name == "f1_micro":
        cells = np.broadcast_to(weights[:, None], known.shape)
        return f1(indicator[known], decisions[known], cells[known])
    metric = {"balanced_accuracy": balanced_accuracy, "hamming": hamming}.get(name, f1)
    samples = known.T
    each = [metric(indicator[r, j], decisions[r, j], weights[r]) for j, r in enumerate(samples)]
    support = [weights[r] @ indicator[r, j] for j, r in enumerate(samples)]
    return np.average(each, weights=support if name == "f1_weighted" else None)


@pytest.mark.parametrize(("name", "weighted"), crossed(METRICS, [False, True]))
def test_reported_scores_are_those_of_known_cells(name, weighted, rng):
    log_odds, indicator, known = masked_problem(rng)
    indicator[:20] = [True, False, False, False]  # nothing is known of what some samples carry
    known[:10, 0] = False
    weights = rng.uniform(0.5, 2, len(known)) if weighted else np.ones(len(known))
    fit = fit_multilabel(log_odds, indicator, metric=name, known=known, weights=weights if weighted else None)
    for score, offsets in ((fit.in_sample_score, fit.offsets), (fit.untuned_score, 0)):
        assert score == pytest.approx(worth(name, indicator, log_odds + offsets > 0, known, weights))
    low, high = fit.score_interval
    assert low <= fit.score <= high
    support = [weights[known[:, j]] @ indicator[known[:, j], j] for j in range(4)]
    np.testing.assert_allclose(fit.class_profile.support, support)


CASES = [
    *((name, estimate, False) for name in METRICS for estimate in ESTIMATES),
    *((n, "robust", True) for n in METRICS),
]


@pytest.mark.parametrize(("name", "estimate", "grouped"), thinned(CASES, quick=7))
def test_unknown_scores_change_nothing(name, estimate, grouped, rng):
    log_odds, indicator, known = masked_problem(rng)
    groups = np.repeat(np.arange(50), 4) if grouped else None
    constraints = [] if grouped else [AtLeast("recall", 0.5, label=0, confidence=0.8)]
    how = {"metric": name, "estimate": estimate, "known": known, "constraints": constraints, "groups": groups}
    fit = fit_multilabel(log_odds, indicator, **how)
    other = np.where(known, log_odds, 500 * rng.normal(size=known.shape))
    again = fit_multilabel(other, indicator, **how)
    np.testing.assert_array_equal(again.offsets, fit.offsets)
    np.testing.assert_array_equal(again.offsets_interval, fit.offsets_interval)
    for part in ("in_sample_score", "untuned_score", "score", "score_interval", "notes"):
        assert getattr(again, part) == getattr(fit, part)
    for part in ("support", "recall_before", "precision_before", "recall_after", "precision_after"):
        np.testing.assert_array_equal(getattr(again.class_profile, part), getattr(fit.class_profile, part))


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_a_label_is_tuned_as_a_binary_problem_of_its_known_samples(estimate, rng):
    log_odds, indicator, known = masked_problem(rng, n_labels=3)
    tuner = OffsetTuner("f1", kind="logits", estimate=estimate)
    fit = fit_multilabel(log_odds, indicator, metric="f1_macro", estimate=estimate, seed=tuner._seed(), known=known)
    for j in range(3):
        tuner.fit(log_odds[known[:, j], j], indicator[known[:, j], j])
        assert fit.offsets[j] == pytest.approx(tuner.offsets_[1] - tuner.offsets_[0])


@pytest.mark.parametrize("seed", range(10))
def test_a_ratio_reaches_its_optimum_over_known_cells(seed):
    rng = np.random.default_rng(seed)
    log_odds, indicator, known = masked_problem(rng, n_samples=7, n_labels=3)
    problem = MultilabelProblem(log_odds, LabelTruth(indicator, known=known), MicroRatio(FBeta().bind(1)), ((),) * 3)
    best = best_ratio([ratio_sweep(problem.label(j), problem.metric.ratio) for j in problem.tunable])
    offsets = np.zeros(3)
    offsets[problem.tunable] = best.offsets
    fixed = sorted({0, 1, 2} - set(problem.tunable))
    if not problem.truth.present[:, fixed].any() and not problem.decide(offsets)[:, fixed].any():
        assert objective_value(problem, offsets)[1] == pytest.approx(best_of_all(problem, fixed=fixed), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_an_ascent_over_samples_gains_and_counts_known_cells(seed):
    rng = np.random.default_rng(seed)
    log_odds, indicator, known = masked_problem(rng, n_samples=40, n_labels=3)
    how = {"metric": "f1_samples", "estimate": "empirical", "known": known}
    fit = fit_multilabel(log_odds, indicator, **how)
    assert fit.in_sample_score >= fit.untuned_score
    for j in range(3):  # no other cut of one label is better
        for cut in np.unique(log_odds[known[:, j], j]):
            for offset in (-cut + 1e-9, -cut - 1e-9):
                offsets = np.where(np.arange(3) == j, offset, fit.offsets)
                tried = worth("f1_samples", indicator, log_odds + offsets > 0, known, np.ones(40))
                assert tried <= fit.in_sample_score + 1e-12


@pytest.mark.parametrize("value", [False, True])
@pytest.mark.parametrize("name", [name for name in METRICS if name != "f1_samples"])
def test_a_label_without_positives_or_negatives_left_counts_for_nothing(name, value, rng):
    log_odds, indicator, known = masked_problem(rng)
    known[indicator[:, 3] == value, 3] = False
    log_odds[:, 3] = np.where(known[:, 3], log_odds[:, 3], -700)
    fit = fit_multilabel(log_odds, indicator, metric=name, known=known, labels=list("abcd"))
    others = fit_multilabel(log_odds[:, :3], indicator[:, :3], metric=name, known=known[:, :3], labels=list("abc"))
    np.testing.assert_allclose(fit.offsets, [*others.offsets, 0])
    assert fit.score == pytest.approx(others.score)
    assert fit.in_sample_score == pytest.approx(others.in_sample_score)
    assert fit.class_profile.support[3] == 0
    assert sum("'d'" in note for note in fit.notes) == 1
    assert any(note.startswith("The labels ['d'] are not tuned") for note in fit.notes)


def test_labels_that_lack_some_scores_are_named(rng):
    log_odds, indicator, known = masked_problem(rng)
    fit = fit_multilabel(log_odds, indicator, metric="f1_macro", known=known, labels=list("abcd"))
    n_unknown = (~known).sum(axis=0)
    assert any(f"'a' in {n_unknown[0]} samples, 'b' in {n_unknown[1]} samples." in note for note in fit.notes)


def test_few_known_samples_give_a_warning(rng):
    log_odds, indicator, known = masked_problem(rng)
    known[np.flatnonzero(indicator[:, 2])[4:], 2] = False
    with pytest.warns(FewRowsWarning, match="'c' has 4"):
        fit_multilabel(log_odds, indicator, metric="f1_macro", known=known, labels=list("abcd"))


@pytest.mark.parametrize("name", ["f1_macro", "f1_micro", "f1_samples"])
def test_a_lower_bound_holds_on_known_samples(name, rng):
    log_odds, indicator, known = masked_problem(rng)
    log_odds[indicator[:, 0] & ~known[:, 0], 0] = 700  # these would satisfy any lower bound
    bound = AtLeast("recall", 0.9, label=0)
    fit = fit_multilabel(log_odds, indicator, metric=name, estimate="empirical", known=known, constraints=[bound])
    samples = known[:, 0] & indicator[:, 0]
    assert decided(fit, log_odds)[samples, 0].mean() >= 0.9
    known[samples, 0] = False
    with pytest.warns(UnreachableGoalWarning, match="Label 0 has no samples to tune on: .* recall"):
        fit = fit_multilabel(log_odds, indicator, metric=name, known=known, constraints=[bound])
    assert not any(note.startswith("Constraint") for note in fit.notes)


def test_nothing_known_at_all(rng):
    log_odds, indicator, known = masked_problem(rng)
    with pytest.raises(ValueError, match="there is no label to tune"):
        fit_multilabel(log_odds, indicator, metric="f1_macro", known=np.zeros_like(known))


def test_a_label_that_no_sample_carries_is_counted_as_before(rng):
    """No model can have seen it, and nothing is lost: scikit-learn counts it as zero."""
    log_odds, indicator = drawn_problem(rng, n_samples=100, n_labels=3, empty=True)
    known = np.ones(indicator.shape, dtype=bool)
    plain = fit_multilabel(log_odds, indicator, metric="f1_macro")
    known[:, 0] = False
    fit = fit_multilabel(log_odds, indicator, metric="f1_macro", known=known)
    assert (fit.score, fit.notes) == (plain.score, plain.notes)
