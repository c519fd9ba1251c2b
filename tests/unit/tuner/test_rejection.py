"""Rejected decisions: constraints on what is decided, and the label of the rest."""

import math
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import binom
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from skimbalance import ConstraintMonitor, OffsetTuner, TunedOffsetClassifierCV
from skimbalance.exceptions import UnreachableGoalWarning
from skimbalance.goals import AtLeast, AtMost, ImbalanceState, Near

QUICK = {"kind": "logits", "estimate": "plugin", "confidence_level": None}


def drawn(n_samples=2_000, *, n_classes=2, distance=2.0, seed=0, dtype=np.float64, decimals=None):
    """Calibrated logits, and codes."""
    rng = np.random.default_rng(seed)
    prior = 0.5 ** np.arange(n_classes)
    y = np.append(np.arange(n_classes), rng.choice(n_classes, n_samples - n_classes, p=prior / prior.sum()))
    scores = distance * (rng.normal(size=(n_samples, n_classes)) + distance * np.eye(n_classes)[y]) + np.log(prior)
    return (scores if decimals is None else scores.round(decimals)).astype(dtype), y


def fitted(*goals, n_classes=2, reject_label=-1, objective="accuracy", **samples):
    """A tuner with goals, and its samples."""
    scores, y = drawn(n_classes=n_classes, **samples)
    tuner = OffsetTuner(objective, constraints=list(goals), reject_label=reject_label, **QUICK)
    return tuner.fit(scores, y), scores, y


def best_by_hand(probabilities, correct, allowed, *, fewest=False):
    """The decided samples of the largest, or smallest, set of likeliest ones that is `allowed`, by trying each."""
    sets = [probabilities >= least for least in np.unique(probabilities)]
    good = [which for which in sets if allowed(int(correct[which].sum()), int(which.sum()))]
    return min(good, key=np.sum) if fewest else max(good, key=np.sum, default=np.zeros(len(correct), bool))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_of_decisions_do_not_depend_on_how_many_are_made_at_once(dtype):
    tuner, scores, _ = fitted(AtLeast("accuracy", 0.9), n_classes=5, n_samples=60_000, dtype=dtype)
    decisions = scores.argmax(axis=1)
    whole = tuner.rejection_.probabilities(scores, decisions)
    parts = [tuner.rejection_.probabilities(scores[p], decisions[p]) for p in np.split(np.arange(60_000), 100)]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=0, atol=1e-14)


@pytest.mark.parametrize("confidence", [None, 0.9])
def test_a_precision_is_stated_for_the_decisions_that_a_goal_of_accuracy_leaves(confidence):
    precision = AtLeast("precision", 0.5, label=1, confidence=confidence)
    tuner, scores, y = fitted(precision, AtLeast("accuracy", 0.85, confidence=0.9), distance=1.0)
    predicted = tuner.predict(scores)
    n_samples, n_correct = (predicted == 1).sum(), ((predicted == 1) & (y == 1)).sum()
    assert 0 < n_samples < (OffsetTuner("accuracy", **QUICK).fit(scores, y).predict(scores) == 1).sum()
    assert f"Constraint {precision}: {n_correct} of {n_samples} decided samples are correct" in " ".join(tuner.notes_)
    if confidence is not None:
        stated = tuner.guarantees_[0]
        assert (stated.holds, stated.n, stated.errors) == (True, n_samples, n_samples - n_correct)


def test_a_precision_is_not_claimed_where_another_goal_leaves_too_few_decisions():
    scores, y = np.repeat([-4.0, 0.7, 3.0], [500, 200, 20]), np.repeat([0, 1], [500, 220])
    y[500:506] = 0
    precision = AtLeast("precision", 0.9, label=1, confidence=0.95)
    alone = OffsetTuner("accuracy", constraints=[precision], reject_label=-1, **QUICK).fit(scores, y)
    assert alone.guarantees_[0].holds
    both = alone.set_params(constraints=[precision, AtLeast("accuracy", 1.0)])
    with pytest.warns(UnreachableGoalWarning, match="confidence 0.95 is not satisfied beside the others: 20 of 20"):
        both.fit(scores, y)
    (stated,) = both.guarantees_
    assert (stated.holds, stated.n, stated.errors) == (False, 20, 0)
    assert (both.predict(scores) == 1).sum() == 20


def test_a_precision_of_a_class_that_is_never_predicted_is_not_claimed():
    scores, y = np.linspace(-4, -2, 200), np.repeat([0, 1, 0], [100, 4, 96])
    tuner = OffsetTuner("accuracy", constraints=[AtLeast("precision", 0.3, label=1, confidence=0.8)], **QUICK)
    tuner.set_params(reject_label=-1)
    with pytest.warns(UnreachableGoalWarning, match="without rejection no sample is decided so"):
        tuner.fit(scores, y)
    (stated,) = tuner.guarantees_
    assert (stated.holds, stated.n, stated.p_value) == (False, 0, 1)
    assert tuner.predict(np.array([9.0]))[0] == -1


class TestGoals:
    @settings(max_examples=25, deadline=None)
    @given(
        st.integers(0, 10_000),
        st.integers(2, 4),
        st.sampled_from([0.8, 0.9, 0.97]),
        st.sampled_from([None, 1]),
        st.sampled_from([np.float32, np.float64]),
    )
    def test_as_few_samples_as_possible_are_rejected(self, seed, n_classes, value, decimals, dtype):
        options = {"seed": seed, "n_samples": 300, "decimals": decimals, "dtype": dtype}
        tuner, scores, y = fitted(AtLeast("accuracy", value), n_classes=n_classes, **options)
        predicted = tuner.predict(scores)
        decided = predicted >= 0
        unrejected = OffsetTuner("accuracy", **QUICK).fit(scores, y).predict(scores)
        np.testing.assert_array_equal(predicted[decided], unrejected[decided])
        probabilities = tuner.rejection_.probabilities(scores, unrejected)
        expected = best_by_hand(probabilities.round(11), unrejected == y, lambda hits, n: hits >= value * n - 1e-9)
        assert decided.sum() == expected.sum()
        assert tuner.coverage_ == decided.mean()

    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_coverage_alone_rejects_the_least_likely(self, n_classes):
        tuner, scores, y = fitted(AtLeast("coverage", 0.8), n_classes=n_classes)
        predicted = tuner.predict(scores)
        assert (predicted >= 0).sum() == 1_600
        unrejected = OffsetTuner("accuracy", **QUICK).fit(scores, y).predict(scores)
        probabilities = tuner.rejection_.probabilities(scores, unrejected)
        assert probabilities[predicted >= 0].min() > probabilities[predicted < 0].max()

    def test_coverage_with_a_confidence_is_a_binomial_bound(self):
        tuner, scores, _ = fitted(AtLeast("coverage", 0.8, confidence=0.95))
        n_rejected = int((tuner.predict(scores) < 0).sum())
        assert binom.cdf(n_rejected, 2_000, 0.2) <= 0.05 < binom.cdf(n_rejected + 1, 2_000, 0.2)

    def test_precision_concerns_its_class_alone(self):
        goal = AtLeast("precision", 0.95, label=1, confidence=0.9)
        tuner, scores, y = fitted(goal, n_classes=3)
        predicted = tuner.predict(scores)
        unrejected = OffsetTuner("accuracy", **QUICK).fit(scores, y).predict(scores)
        assert set(unrejected[predicted < 0]) == {1}
        np.testing.assert_array_equal(np.flatnonzero(tuner.rejection_.thresholds), [1])
        chosen = predicted == 1
        assert binom.sf((y[chosen] == 1).sum() - 1, chosen.sum(), 0.95) <= 0.1

    def test_without_a_label_it_is_that_of_the_positive_class(self):
        scores, y = drawn()
        goals = [AtLeast("precision", 0.97)]
        tuner = OffsetTuner("f1", pos_label=0, constraints=goals, reject_label=-1, **QUICK).fit(scores, y)
        assert tuner.rejection_.thresholds[0] > tuner.rejection_.thresholds[1] == 0

    def test_several_goals_share_the_probability_of_error(self):
        one = fitted(AtLeast("precision", 0.95, label=1, confidence=0.9))[0]
        goals = [AtLeast("precision", 0.95, label=1, confidence=0.8), AtLeast("accuracy", 0.5, confidence=0.8)]
        np.testing.assert_array_equal(fitted(*goals)[0].rejection_.thresholds, one.rejection_.thresholds)

    def test_accuracy_counts_what_precision_left(self):
        goals = [AtLeast("precision", 0.97, label=1), AtLeast("accuracy", 0.97)]
        tuner, scores, y = fitted(*goals, n_classes=3, distance=1.6)
        predicted = tuner.predict(scores)
        decided = predicted >= 0
        assert (predicted == y)[decided].mean() >= 0.97
        assert (predicted == y)[predicted == 1].mean() >= 0.97
        assert tuner.rejection_.thresholds[0] == tuner.rejection_.thresholds[2] > 0

    def test_other_constraints_are_for_the_offsets(self):
        floor = AtLeast("recall", 0.95, label=1)
        tuner, scores, y = fitted(floor, AtLeast("accuracy", 0.95))
        plain = OffsetTuner("accuracy", constraints=[floor], **QUICK).fit(scores, y)
        np.testing.assert_array_equal(tuner.offsets_, plain.offsets_)
        assert tuner.coverage_ < 1

    def test_weights_count_repeated_samples(self):
        scores, y = drawn(600)
        weights = np.random.default_rng(0).integers(1, 4, size=600)
        goals = [AtLeast("accuracy", 0.97)]
        tuner = OffsetTuner("accuracy", constraints=goals, reject_label=-1, **QUICK)
        weighted = clone(tuner).fit(scores, y, sample_weight=weights)
        repeated = clone(tuner).fit(np.repeat(scores, weights, axis=0), np.repeat(y, weights))
        np.testing.assert_array_equal(weighted.predict(scores), repeated.predict(scores))
        assert weighted.coverage_ == pytest.approx(repeated.coverage_)
        np.testing.assert_allclose(weighted.rejection_.decided, repeated.rejection_.decided)

    def test_groups_need_more_samples(self):
        scores, y = drawn(600)
        goals = [AtLeast("accuracy", 0.95, confidence=0.95)]
        tuner = OffsetTuner("accuracy", constraints=goals, reject_label=-1, **QUICK)
        scores, y = np.repeat(scores, 3, axis=0), np.repeat(y, 3)
        grouped, alone = (clone(tuner).fit(scores, y, groups=groups) for groups in (np.arange(1800) // 3, None))
        assert grouped.coverage_ < alone.coverage_

    def test_an_imbalance_state_can_be_the_objective(self):
        assert fitted(AtLeast("coverage", 0.9), objective=ImbalanceState("uniform"))[0].coverage_ == 0.9


def decided_by_hand(probabilities, correct, value, delta, *, n_expected):
    """How many of the likeliest samples a fixed sequence of tests certifies, one test after the other."""

    def least(level):
        return next(n for n in range(1, 10_000) if value**n <= level)

    n_tests = next(t for t in (3, 2, 1) if t == 1 or least(delta / t) * 2 ** (t - 1) <= n_expected)
    starts = [least(delta / n_tests) * 2**test for test in range(n_tests)]
    order = np.argsort(-probabilities)
    hits = np.cumsum(correct[order])
    certified, level = 0, 0.0
    for start, end in zip(starts, [*starts[1:], len(hits) + 1], strict=True):
        level += delta / n_tests
        for n in range(start, min(end, len(hits) + 1)):
            if binom.sf(hits[n - 1] - 1, n, value) > level:
                level = 0.0
                break
            certified = n
    return certified


class TestConfidence:
    @settings(max_examples=15, deadline=None)
    @given(
        st.integers(0, 10_000), st.sampled_from([200, 600]), st.sampled_from([0.8, 0.9]), st.sampled_from([0.8, 0.95])
    )
    def test_thresholds_are_those_of_a_fixed_sequence(self, seed, n_samples, value, confidence):
        scores, y = drawn(n_samples, seed=seed)
        unrejected = OffsetTuner("accuracy", **QUICK).fit(scores, y).predict(scores)
        for label, n_expected in ((1, n_samples / 4), (None, n_samples)):
            goal = AtLeast("accuracy" if label is None else "precision", value, label=label, confidence=confidence)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnreachableGoalWarning)
                tuner, *_ = fitted(goal, n_samples=n_samples, seed=seed)
            members = unrejected >= 0 if label is None else unrejected == label
            probabilities = tuner.rejection_.probabilities(scores, unrejected)[members]
            correct = (unrejected == y)[members]
            expected = decided_by_hand(probabilities, correct, value, 1 - confidence, n_expected=n_expected)
            assert (tuner.predict(scores)[members] >= 0).sum() == expected

    @pytest.mark.parametrize(
        ("n_classes", "metric", "value", "label"),
        [(2, "precision", 0.9, 1), (3, "precision", 0.9, 1), (2, "accuracy", 0.97, None)],
    )
    def test_constraints_hold_on_unseen_data(self, n_classes, metric, value, label):
        unseen, truth = drawn(40_000, n_classes=n_classes, seed=10**6)
        broken, claimed = [], []
        for seed in range(60):
            goal = AtLeast(metric, value, label=label, confidence=0.9)
            tuner, *_ = fitted(goal, n_classes=n_classes, n_samples=1_000, seed=seed)
            predicted = tuner.predict(unseen)
            chosen = predicted >= 0 if label is None else predicted == label
            claimed.append(chosen.any())
            broken.append(chosen.any() and (predicted == truth)[chosen].mean() < value)
        assert np.mean(claimed) > 0.9
        assert np.mean(broken) <= 0.1 + 2 * math.sqrt(0.09 / 60)

    def test_guarantees_have_the_counts_of_decided_samples(self):
        goals = [
            AtLeast("precision", 0.95, label=1, confidence=0.9),
            AtLeast("accuracy", 0.9, confidence=0.95),
            AtLeast("coverage", 0.1, confidence=0.8),
            AtLeast("precision", 0.5, label=0),
        ]
        tuner, scores, y = fitted(*goals)
        predicted = tuner.predict(scores)
        precision, accuracy, coverage = tuner.guarantees_
        members = [predicted == 1, predicted >= 0, predicted > -2]
        counted = [(predicted == y) & (predicted == 1), predicted == y, predicted >= 0]
        for each, among, hits in zip(tuner.guarantees_, members, counted, strict=True):
            assert each.holds
            assert (each.n, each.errors) == pytest.approx((among.sum(), among.sum() - hits.sum()))
            delta = (1 - each.constraint.confidence) / 3
            assert each.confidence == pytest.approx(1 - delta)
            assert each.p_value == pytest.approx(binom.sf(hits.sum() - 1, among.sum(), each.constraint.value))
            assert binom.sf(hits.sum() - 1, among.sum(), each.bound) == pytest.approx(delta)
            assert each.p_value <= delta
            assert each.joint_confidence == pytest.approx(1 - (0.1 + 0.05 + 0.2) / 3)
        assert (precision.kind, accuracy.kind, coverage.kind) == ("sequential", "approximate", "approximate")
        assert (precision.label, accuracy.label) == (1, None)
        assert "precision of 1 at least 0.95 is claimed, sequential" in " ".join(str(tuner.report()).split())

    def test_too_few_samples_reject_all_decisions_of_a_class(self):
        goal = AtLeast("precision", 0.99, label=1, confidence=0.95)
        with pytest.warns(UnreachableGoalWarning, match="at least 299 without an error"):
            tuner, scores, _ = fitted(goal, n_samples=300)
        assert tuner.rejection_.thresholds[1] == math.inf
        assert 1 not in tuner.predict(scores)
        assert 0 in tuner.predict(scores)
        assert np.isnan(tuner.rejection_.precision[1])

    def test_an_accuracy_that_cannot_be_certified_rejects_everything(self):
        with pytest.warns(UnreachableGoalWarning, match="All decisions are rejected"):
            tuner, scores, _ = fitted(AtLeast("accuracy", 0.999, confidence=0.99), n_samples=200)
        assert (tuner.predict(scores) == -1).all()
        assert tuner.coverage_ == 0
        assert math.isnan(tuner.rejection_.accuracy)

    def test_a_coverage_beside_other_goals_is_checked(self):
        goals = [AtLeast("accuracy", 0.99), AtLeast("coverage", 0.99)]
        with pytest.warns(UnreachableGoalWarning, match="coverage at least 0.99 is not satisfied beside the others"):
            tuner, *_ = fitted(*goals)
        assert tuner.coverage_ == fitted(goals[0])[0].coverage_


class TestLabels:
    @pytest.mark.parametrize(
        ("names", "reject_label"), [(["no", "yes"], "unsure"), ([0, 1], -1), ([1.5, 2.5], 0), ([3, 2**40], 7)]
    )
    def test_predictions_have_the_reject_label(self, names, reject_label):
        scores, y = drawn()
        names = np.array(names)
        goals = [AtLeast("coverage", 0.75)]
        tuner = OffsetTuner("accuracy", constraints=goals, reject_label=reject_label, **QUICK).fit(scores, names[y])
        predicted = tuner.predict(scores)
        assert set(predicted) == {*names, reject_label}
        assert (predicted == reject_label).sum() == 500
        np.testing.assert_array_equal(tuner.classes_, names)

    def test_probabilities_are_unchanged(self):
        tuner, scores, y = fitted(AtLeast("coverage", 0.5))
        plain = OffsetTuner("accuracy", **QUICK).fit(scores, y)
        for method in ("predict_proba", "transform"):
            np.testing.assert_array_equal(getattr(tuner, method)(scores), getattr(plain, method)(scores))

    @pytest.mark.parametrize("kind", ["proba", "log_proba"])
    def test_one_column_of_probabilities(self, kind):
        scores, y = drawn()
        proba = expit(scores[:, 1] - scores[:, 0])
        given = proba if kind == "proba" else np.log(proba)
        tuner = OffsetTuner(constraints=[AtLeast("coverage", 0.5)], reject_label=-1, **{**QUICK, "kind": kind})
        predicted = tuner.fit(given, y).predict(given)
        assert (predicted < 0).sum() == 1_000
        assert tuner.predict([0.5] if kind == "proba" else [math.log(0.5)]) == -1

    def test_the_library_and_device_of_the_scores(self):
        torch = pytest.importorskip("torch")
        tuner, scores, y = fitted(AtLeast("coverage", 0.8), n_classes=3)
        other = clone(tuner).fit(torch.asarray(scores), torch.asarray(y))
        predicted = other.predict(torch.asarray(scores))
        assert isinstance(predicted, torch.Tensor)
        np.testing.assert_array_equal(predicted.numpy(), tuner.predict(scores))

    def test_batches_have_no_influence(self):
        tuner, scores, _ = fitted(AtLeast("coverage", 0.8), n_classes=3, dtype=np.float32)
        whole = tuner.predict(scores)
        np.testing.assert_array_equal(np.concatenate([tuner.predict(part) for part in np.split(scores, 100)]), whole)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(tuner)).predict(scores), whole)

    def test_the_report_has_the_notes(self):
        report = str(fitted(AtLeast("coverage", 0.8))[0].report())
        assert "Decided are 80.0% of the samples" in report
        assert "coverage at least 0.8: 1,600 of 2,000 samples are decided" in " ".join(report.split())


class Untrainable(LogisticRegression):
    """A classifier whose training fails."""

    def fit(self, X, y):
        raise AssertionError("it was fitted")


class TestClassifier:
    X, y = drawn(800)
    names = np.array(["no", "yes"])[y]

    def classifier(self, **options):
        goals = [AtLeast("accuracy", 0.97)]
        return TunedOffsetClassifierCV(
            LogisticRegression(),
            constraints=goals,
            reject_label="unsure",
            estimate="plugin",
            confidence_level=None,
            **options,
        )

    def test_it_rejects_as_its_tuner(self):
        classifier = self.classifier().fit(self.X, self.names)
        predicted = classifier.predict(self.X)
        np.testing.assert_array_equal(predicted, classifier.tuner_.predict(classifier.estimator_.predict_proba(self.X)))
        assert 0 < (predicted == "unsure").mean() < 0.5
        assert classifier.coverage_ == classifier.tuner_.coverage_ == classifier.rejection_.coverage
        assert classifier.score(self.X, self.names) == (predicted == self.names).mean()

    def test_the_goal_holds_on_validation_folds(self):
        assert self.classifier(store_cv_results=True).fit(self.X, self.names).rejection_.accuracy >= 0.97

    def test_it_can_be_tuned_again_without_rejection(self):
        classifier = self.classifier(store_cv_results=True).fit(self.X, self.names)
        again = classifier.retune(constraints=[AtLeast("coverage", 0.5)])
        assert again.coverage_ == 0.5
        plain = again.set_params(reject_label=None).retune(constraints=())
        assert not hasattr(plain, "coverage_")
        assert "unsure" not in plain.predict(self.X)

    def test_a_wrong_goal_fails_before_anything_is_fitted(self):
        with pytest.raises(ValueError, match="needs reject_label="):
            TunedOffsetClassifierCV(Untrainable(), constraints=[AtLeast("coverage", 0.5)]).fit(self.X, self.names)
        with pytest.raises(ValueError, match="all strings or all numbers"):
            self.classifier().set_params(estimator=Untrainable(), reject_label=-1).fit(self.X, self.names)
        with pytest.raises(ValueError, match="reject_label='unsure' is for binary and multiclass targets"):
            self.classifier().set_params(estimator=Untrainable()).fit(self.X, np.eye(2)[self.y])


class TestErrors:
    @pytest.mark.parametrize(
        ("goal", "message"),
        [
            (AtMost("accuracy", 0.9), "must be AtLeast"),
            (AtLeast("accuracy", 0.9, confidence=0.9, new_samples=100), "is about the population; got new_samples=100"),
            (Near("coverage", 0.9), "must be AtLeast"),
            (AtLeast("coverage", 0.0), "above 0 and up to 1"),
            (AtLeast("accuracy", 1.1), "above 0 and up to 1"),
        ],
    )
    def test_goals(self, goal, message):
        with pytest.raises(ValueError, match=message):
            fitted(goal)

    def test_no_goal(self):
        for goals in ([], [AtLeast("recall", 0.9)]):
            with pytest.raises(
                ValueError, match="reject_label=-1 needs a constraint on 'precision', 'accuracy', 'coverage'"
            ):
                fitted(*goals)

    def test_no_class(self):
        with pytest.raises(ValueError, match="name it by label="):
            fitted(AtLeast("precision", 0.9), n_classes=3)

    def test_coverage_without_a_reject_label(self):
        with pytest.raises(ValueError, match="needs reject_label="):
            fitted(AtLeast("coverage", 0.9), reject_label=None)

    def test_coverage_is_no_objective(self):
        with pytest.raises(ValueError, match="objective='coverage' is not a known metric"):
            fitted(AtLeast("accuracy", 0.9), objective="coverage")

    @pytest.mark.parametrize("reject_label", ["unsure", math.nan, [1], np.array([1, 2])])
    def test_a_label_of_another_type(self, reject_label):
        with pytest.raises(ValueError, match="all strings or all numbers"):
            fitted(AtLeast("coverage", 0.9), reject_label=reject_label)

    def test_booleans_have_no_third_value(self):
        scores, y = drawn()
        with pytest.raises(ValueError, match="all strings or all numbers"):
            OffsetTuner(constraints=[AtLeast("coverage", 0.9)], reject_label=-1, **QUICK).fit(scores, y == 1)

    def test_a_class(self):
        with pytest.raises(ValueError, match="reject_label=1 is a class"):
            fitted(AtLeast("coverage", 0.9), reject_label=1)

    def test_multilabel_targets(self):
        y = np.eye(3)[np.arange(30) % 3]
        with pytest.raises(ValueError, match="reject_label=-1 is for binary and multiclass targets"):
            OffsetTuner("f1_macro", constraints=[AtLeast("coverage", 0.9)], reject_label=-1).fit(y * 0.5, y)

    def test_scores_in_chunks(self):
        da = pytest.importorskip("dask.array")
        scores, y = drawn(100)
        tuner = OffsetTuner("f1", constraints=[AtLeast("coverage", 0.9)], reject_label=-1, **QUICK)
        chunked = da.from_array(scores, chunks=(50, 2))
        with pytest.raises(ValueError, match="reject_label=-1 needs scores in memory"):
            tuner.fit(chunked, da.from_array(y, chunks=50))
        tuner.fit(scores, y)
        np.testing.assert_array_equal(tuner.predict(chunked).compute(), tuner.predict(scores))


def test_a_monitor_leaves_out_rejected_samples():
    tuner, scores, y = fitted(AtLeast("accuracy", 0.97), n_classes=3)
    predicted = tuner.predict(scores)
    decided = predicted >= 0
    for constraint, n_samples, n_counted in (
        (AtLeast("accuracy", 0.9), decided.sum(), (predicted == y)[decided].sum()),
        (AtLeast("coverage", 0.5), len(y), decided.sum()),
        (AtLeast("precision", 0.5, label=2), (predicted == 2).sum(), ((predicted == 2) & (y == 2)).sum()),
        (AtLeast("recall", 0.5, label=2), ((y == 2) & decided).sum(), ((predicted == 2) & (y == 2)).sum()),
        (AtMost("false_positive_rate", 0.5, label=2), ((y != 2) & decided).sum(), ((predicted == 2) & (y != 2)).sum()),
    ):
        found = ConstraintMonitor(tuner, constraint).update(scores, y)
        assert (found.n_samples, found.n_counted) == (n_samples, n_counted)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([30, 300]), st.sampled_from([0.3, 1.0, 5.0]))
def test_binary_probabilities_rise_with_the_score(seed, n_samples, scale):
    """The order of the tests of a precision then does not depend on the labels."""
    rng = np.random.default_rng(seed)
    y = np.append([0, 1], rng.random(n_samples - 2) < 0.3).astype(int)
    scores = scale * rng.normal(size=n_samples) ** 3 + rng.integers(0, 2) * y
    tuner = OffsetTuner(constraints=[AtLeast("coverage", 0.9)], reject_label=-1, **QUICK).fit(scores, y)
    ascending = np.sort(scores)
    columns = np.stack([0 * ascending, ascending], axis=1)
    for k in (0, 1):
        found = tuner.rejection_.probabilities(columns, np.full(n_samples, k))
        assert (np.diff(found if k == 1 else found[::-1]) >= 0).all()
