"""The test of a constraint on samples that arrive over time."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from skimbalance import ConstraintMonitor, FixedOffsetClassifier, OffsetTuner, TunedOffsetClassifierCV
from skimbalance.goals import AtLeast, AtMost, Near
from skimbalance.metrics import FBeta

TILTS = 2 * 2 ** (-np.arange(12) / 2)


class Decided:
    """A model whose decisions are its input."""

    def __init__(self, *labels):
        self.classes_ = np.array(labels or (0, 1))

    def predict(self, X):
        return X


def of_recall(outcomes, *, value=0.9, **options):
    """A monitor of the recall after samples of the class, which are correct where `outcomes` is true."""
    return ConstraintMonitor(Decided(), AtLeast("recall", value), **options).update(
        np.asarray(outcomes, int), np.ones(len(outcomes), int)
    )


def direct(outcomes, rate, tilts):
    """The evidence after each sample, by a product for each start and tilt."""
    tail = [1 / (1 + math.log2(1 + n)) for n in range(len(outcomes) + 1)]
    values = []
    for n in range(1, len(outcomes) + 1):
        value = tail[n]
        for start in range(n):
            products = [
                math.prod(math.exp(tilt * x) / (1 - rate + rate * math.exp(tilt)) for x in outcomes[start:n])
                for tilt in tilts
            ]
            value += (tail[start] - tail[start + 1]) * sum(products) / len(products)
        values.append(value)
    return np.array(values)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=25), st.sampled_from([0.02, 0.3, 0.9, 0.99]))
def test_the_evidence_is_a_product_of_bets(outcomes, rate):
    below, above = direct(outcomes, rate, -TILTS), direct(outcomes, rate, TILTS)
    truth, decided = np.ones(len(outcomes), int), np.array(outcomes, int)
    for constraint, expected in (
        (AtLeast("recall", rate), below),
        (AtMost("recall", rate), above),
        (Near("recall", rate, tol=0), (below + above) / 2),
    ):
        found = ConstraintMonitor(Decided(), constraint).update(decided, truth)
        np.testing.assert_allclose(found.e_values, expected, rtol=1e-9)
        assert found.e_value == found.e_values[-1]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 60), min_size=1, max_size=6))
def test_batches_have_no_influence(seed, sizes):
    rng = np.random.default_rng(seed)
    truth, decided = rng.integers(0, 2, (2, sum(sizes)))
    whole, split = (ConstraintMonitor(Decided(), AtLeast("precision", 0.6, label=1), alpha=0.2) for _ in range(2))
    whole.update(decided, truth)
    for batch in np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1]):
        split.update(decided[batch], truth[batch])
    np.testing.assert_allclose(split.e_values, whole.e_values, rtol=1e-9)
    assert (split.alarm_at, split.n_samples, split.n_counted) == (whole.alarm_at, whole.n_samples, whole.n_counted)
    assert split.interval == whole.interval


def test_long_batches_are_processed_in_blocks():
    outcomes = np.random.default_rng(0).random(25_000) < 0.93
    whole, split = of_recall(outcomes), of_recall(outcomes[:7_000])
    split.update(outcomes[7_000:].astype(int), np.ones(18_000, int))
    np.testing.assert_allclose(split.e_values, whole.e_values, rtol=1e-7)


class TestAlarms:
    def test_they_are_rare_where_the_constraint_just_holds(self):
        rng = np.random.default_rng(0)
        alarms = [of_recall(rng.random(2_000) < 0.9, alpha=0.1).is_broken for _ in range(400)]
        assert 0.02 <= np.mean(alarms) <= 0.1 + 2 * math.sqrt(0.1 * 0.9 / 400)

    def test_they_are_rare_where_the_rate_changes_within_the_bound(self):
        rng = np.random.default_rng(1)
        rates = np.where(np.arange(2_000) % 400 < 200, 0.9, 0.99)
        alarms = [of_recall(rng.random(2_000) < rates, alpha=0.1).is_broken for _ in range(200)]
        assert np.mean(alarms) <= 0.1

    @pytest.mark.parametrize(("before", "latest"), [(0, 200), (500, 450), (5_000, 550)])
    def test_they_come_soon_after_a_change(self, before, latest):
        rng = np.random.default_rng(2)
        delays = []
        for _ in range(20):
            found = of_recall(np.append(rng.random(before) < 0.95, rng.random(3_000) < 0.8))
            delays.append(found.alarm_at - before)
        assert np.median(delays) <= latest

    def test_they_last(self):
        found = of_recall(np.zeros(5))
        assert (found.is_broken, found.alarm_at) == (True, 4)
        found.update(np.ones(3_000, int), np.ones(3_000, int))
        assert found.is_broken
        assert found.e_value < 1

    def test_extreme_evidence_is_infinite(self):
        assert of_recall(np.zeros(5_000)).e_value == math.inf

    def test_the_level_decides(self):
        outcomes = np.zeros(10)
        assert of_recall(outcomes, alpha=0.5).alarm_at < of_recall(outcomes, alpha=0.001).alarm_at


class TestOutcomes:
    truth = np.array(["a", "a", "b", "b", "c", "c"])
    decided = np.array(["a", "b", "b", "b", "b", "c"])

    @pytest.mark.parametrize(
        ("constraint", "n_counted", "n_samples"),
        [
            (AtLeast("recall", 0.5, label="a"), 1, 2),
            (AtLeast("precision", 0.5, label="b"), 2, 4),
            (AtMost("false_positive_rate", 0.5, label="b"), 2, 4),
            (AtLeast("accuracy", 0.5), 4, 6),
        ],
    )
    def test_they_are_those_of_the_metric(self, constraint, n_counted, n_samples):
        found = ConstraintMonitor(Decided("a", "b", "c"), constraint).update(self.decided, self.truth)
        assert (found.n_counted, found.n_samples, found.estimate) == (n_counted, n_samples, n_counted / n_samples)

    def test_other_samples_do_not_count(self):
        found = ConstraintMonitor(Decided(), AtLeast("recall", 0.9)).update(np.zeros(4, int), np.zeros(4, int))
        assert (found.n_samples, found.e_value, found.interval) == (0, 1.0, (0.0, 1.0))
        assert math.isnan(found.estimate)
        assert len(found.e_values) == 0

    def test_the_positive_class_is_that_of_the_tuner(self):
        y = np.arange(40) % 4 == 0
        tuner = OffsetTuner("f1", pos_label=False, kind="logits").fit(4 * y - 2.0, y)
        found = ConstraintMonitor(tuner, AtLeast("recall", 0.9)).update(4 * y - 2.0, y)
        assert (found.n_samples, found.n_counted) == (30, 30)

    def test_classifiers_decide_by_features(self):
        rng = np.random.default_rng(0)
        y = np.where(rng.random(300) < 0.3, "yes", "no")
        X = (y == "yes")[:, None] + rng.normal(size=(300, 1))
        for classifier in (TunedOffsetClassifierCV(LogisticRegression()), FixedOffsetClassifier(LogisticRegression())):
            found = ConstraintMonitor(classifier.fit(X, y), AtLeast("recall", 0.9, label="yes")).update(X, y)
            assert found.n_counted == ((classifier.predict(X) == "yes") & (y == "yes")).sum()
            assert found.n_samples == (y == "yes").sum()

    def test_a_label_of_multilabel_targets(self):
        rng = np.random.default_rng(0)
        y = rng.random((200, 3)) < [0.5, 0.3, 0.2]
        scores = 2 * y - 1 + rng.normal(size=y.shape)
        tuner = OffsetTuner("f1_macro", kind="logits").fit(scores, y, classes=["a", "b", "c"])
        found = ConstraintMonitor(tuner, AtLeast("precision", 0.5, label="c")).update(scores, y)
        decided = tuner.predict(scores)[:, 2] == 1
        assert (found.n_samples, found.n_counted) == (decided.sum(), (decided & y[:, 2]).sum())


class TestInterval:
    @settings(max_examples=50, deadline=None)
    @given(st.integers(1, 300), st.floats(0, 1), st.floats(0.001, 0.5))
    def test_bets_gain_the_inverse_level_at_its_ends(self, n, share, alpha):
        counted = round(share * n)
        low, high = of_recall(np.arange(n) < counted, alpha=alpha).interval
        assert low <= counted / n <= high
        for end in (low, high):
            tilts = np.concatenate([-TILTS, TILTS])
            gain = np.mean(np.exp(tilts * counted - n * np.log(1 - end + end * np.exp(tilts))))
            assert gain == pytest.approx(1 / alpha, rel=1e-6) or (end in {0, 1} and gain < 1 / alpha)

    def test_it_holds_at_all_times_for_the_mean_of_changing_rates(self):
        rng, failures = np.random.default_rng(0), 0
        rates = np.append(np.full(300, 0.95), np.full(300, 0.5))
        means = np.cumsum(rates) / np.arange(1, 601)
        for _ in range(60):
            found = ConstraintMonitor(Decided(), AtLeast("recall", 0.2), alpha=0.1)
            missed = False
            for begin in range(0, 600, 40):
                outcomes = (rng.random(40) < rates[begin : begin + 40]).astype(int)
                low, high = found.update(outcomes, np.ones(40, int)).interval
                missed |= not low <= means[begin + 39] <= high
            failures += missed
        assert failures <= 6


class TestErrors:
    def test_a_metric_that_is_no_proportion(self):
        with pytest.raises(ValueError, match="'accuracy', 'precision', 'recall', 'false_positive_rate', 'coverage'"):
            ConstraintMonitor(Decided(), AtLeast("f1", 0.9))
        with pytest.raises(ValueError, match="cannot be monitored"):
            ConstraintMonitor(Decided(), AtLeast(FBeta(2.0), 0.9))
        with pytest.raises(ValueError, match="cannot be monitored"):
            ConstraintMonitor(Decided(), AtLeast("precision_macro", 0.9))

    @pytest.mark.parametrize("alpha", [0, 1, None, math.nan, "0.1"])
    def test_level(self, alpha):
        with pytest.raises(ValueError, match="alpha must lie between 0 and 1"):
            ConstraintMonitor(Decided(), AtLeast("recall", 0.9), alpha=alpha)

    def test_no_constraint(self):
        with pytest.raises(TypeError, match="constraint must be AtLeast"):
            ConstraintMonitor(Decided(), "recall")

    @pytest.mark.parametrize("constraint", [AtLeast("recall", 0.0), AtLeast("recall", 1.0), AtMost("recall", 1.5)])
    def test_bounds_that_no_sample_can_break(self, constraint):
        with pytest.raises(ValueError, match="must lie between 0 and 1"):
            ConstraintMonitor(Decided(), constraint)

    def test_no_class(self):
        with pytest.raises(ValueError, match="name it by label="):
            ConstraintMonitor(Decided(0, 1, 2), AtLeast("recall", 0.9))

    def test_no_label_of_multilabel_targets(self):
        y = np.eye(3)[np.arange(30) % 3]
        tuner = OffsetTuner("f1_macro").fit(np.clip(y, 0.1, 0.6), y)
        with pytest.raises(ValueError, match="name one label"):
            ConstraintMonitor(tuner, AtLeast("recall", 0.9))

    def test_batches_leave_the_monitor_unchanged(self):
        found = of_recall(np.ones(10))
        with pytest.raises(ValueError, match="equally many"):
            found.update(np.ones(3, int), np.ones(2, int))
        with pytest.raises(ValueError, match=r"y holds \[2\]"):
            found.update(np.ones(3, int), np.array([1, 1, 2]))
        assert found.n_samples == 10


def test_it_can_be_stored():
    found = of_recall(np.ones(10))
    again = pickle.loads(pickle.dumps(found))
    for each in (found, again):
        each.update(np.zeros(5, int), np.ones(5, int))
    np.testing.assert_array_equal(again.e_values, found.e_values)


def test_other_classifiers_can_be_monitored():
    always = DummyClassifier(strategy="constant", constant=1).fit([[0], [0]], [0, 1])
    assert ConstraintMonitor(always, AtLeast("accuracy", 0.9)).update(np.zeros((50, 1)), np.zeros(50, int)).is_broken
