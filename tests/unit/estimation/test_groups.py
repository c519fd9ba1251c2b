"""Rows in groups: folds keep groups whole, and what is drawn at random is drawn group by group."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from skimbalance.estimation import FitSpec, cross_fit, folds_along, folds_of
from skimbalance.estimation._calibration import Calibration
from skimbalance.estimation._condense import condensed
from skimbalance.estimation._draws import independent_counts, posterior_predictive
from skimbalance.estimation._estimate import bootstrap_weights
from skimbalance.metrics.counts import Truth
from skimbalance.metrics.registry import METRICS
from skimbalance.solvers import Problem
from skimbalance.tuner.labels import LabelTruth, MultilabelMetric, get_multilabel_metric
from skimbalance.tuner.labels._estimate import predictive_values
from skimbalance.tuner.labels._problem import MultilabelProblem


def clustered(rng, n_samples=400, n_classes=3, size=8):
    """Long-tailed codes and groups of unequal size, in which classes cluster."""
    groups = rng.integers(n_samples // size, size=n_samples)
    level = rng.normal(size=(groups.max() + 1, n_classes)) - np.arange(n_classes)
    return (level[groups] + rng.gumbel(size=(n_samples, n_classes))).argmax(axis=1), groups


def spread_of(codes, fold_of):
    """Return how unevenly the worst class is spread: the largest difference of its shares in the folds."""
    tables = [np.bincount(fold_of[codes == c], minlength=fold_of.max() + 1) / np.sum(codes == c) for c in set(codes)]
    return max(np.ptp(table) for table in tables)


class TestFolds:
    def test_groups_stay_whole_and_classes_are_spread_as_evenly_as_by_scikit_learn(self, rng):
        ours, theirs = [], []
        for seed in range(10):
            codes, groups = clustered(rng)
            fold_of = folds_of(codes, groups, n_classes=3, seed=seed)
            assert all(len(set(fold_of[groups == group])) == 1 for group in set(groups))
            ours.append(spread_of(codes, fold_of))
            other = np.empty_like(codes)
            for fold, (_, test) in enumerate(StratifiedGroupKFold(5).split(codes, codes, groups)):
                other[test] = fold
            theirs.append(spread_of(codes, other))
        assert np.mean(ours) <= np.mean(theirs)

    def test_groups_of_equal_content_are_dealt_out_evenly(self):
        samples = np.tile(np.arange(500), 10)
        codes = (np.arange(500) % 10 == 0).astype(int)[samples]
        fold_of = folds_of(codes, samples, n_classes=2, seed=0)
        assert np.bincount(fold_of[codes == 1]).tolist() == [100] * 5
        assert np.bincount(fold_of[codes == 0]).tolist() == [900] * 5

    @pytest.mark.parametrize("n_groups", [2, 3, 4, 5, 6])
    def test_there_are_no_more_folds_than_groups_and_none_is_empty(self, rng, n_groups):
        groups = np.arange(60) % n_groups
        fold_of = folds_of(rng.integers(3, size=60), groups, n_classes=3, seed=0)
        assert set(fold_of) == set(range(min(5, n_groups)))

    def test_the_seed_decides_alone(self, rng):
        codes, groups = clustered(rng)
        one, again, other = (folds_of(codes, groups, n_classes=3, seed=seed) for seed in (0, 0, 1))
        np.testing.assert_array_equal(one, again)
        assert (one != other).any()


def counted(metric, codes, decided, mass):
    return metric.value(Truth.from_codes(codes, n_classes=3, weights=mass).count(decided, confusion=True))


def redrawn_slowly(metric, codes, decided, groups, weights, rng, *, weighted, anew):
    """The metric of groups drawn one by one, with half an independent row of hits and of misses of each class."""
    codes, decided, groups = codes.copy(), decided.copy(), groups.copy()
    most, second = np.argsort(-np.bincount(decided, weights, minlength=3))[:2]
    for c in range(3):
        own = codes == c
        held = np.bincount(groups[own], weights[own])
        hits = np.bincount(groups[own], (weights * (decided == c))[own])
        rate, group = hits.sum() / held.sum(), held[held > 0].mean()
        noise = np.sum((hits - rate * held) ** 2) + group**2 / 2
        mass = noise / (rate * (1 - rate) * held.sum() + group / 2)
        mass = mass if weighted else max(1, round(mass))
        codes = np.append(codes, [c, c])
        decided = np.append(decided, [c, second if c == most else most])
        groups = np.append(groups, groups.max() + np.array([1, 2]))
        weights = np.append(weights, [mass, mass])
    n_groups = groups.max() + 1
    values = []
    for _ in range(2000):
        shape = np.where(np.arange(n_groups) < n_groups - 6, 1.0, 0.5)
        copies = rng.gamma(shape)
        copies = rng.poisson(copies).astype(float) if anew else copies
        values.append(counted(metric, codes, decided, weights * copies[groups]))
    return np.array(values)


class TestRedraws:
    @pytest.mark.parametrize("anew", [False, True])
    @pytest.mark.parametrize("name", ["f1_macro", "balanced_accuracy", "matthews_corrcoef"])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_they_are_those_of_whole_groups(self, rng, name, weighted, anew):
        codes, groups = clustered(rng, n_samples=240)
        groups = np.unique(groups, return_inverse=True)[1]
        decided = np.where(rng.random(240) < 0.7, codes, rng.integers(3, size=240))
        weights = rng.integers(1, 4, size=240) / 2
        metric = METRICS[name]
        given, order = weights if weighted else None, np.arange(3)
        fast = posterior_predictive(
            codes,
            given,
            [decided],
            groups=groups,
            class_order=order,
            confusion=True,
            seed=0,
            anew=anew,
            tail=0.0025,
        )
        fast = np.concatenate([metric.values(counts) for (counts,) in fast])
        mass = weights if weighted else np.ones(240)
        slow = redrawn_slowly(metric, codes, decided, groups, mass, rng, weighted=weighted, anew=anew)
        assert len(fast) == 2000
        assert fast.mean() == pytest.approx(slow.mean(), abs=5 * slow.std() / np.sqrt(2000))
        assert fast.std() == pytest.approx(slow.std(), rel=0.08)

    def test_groups_of_a_sample_each_are_as_independent_samples(self, rng):
        codes = clustered(rng, n_samples=100)[0]
        decided = np.where(rng.random(100) < 0.7, codes, rng.integers(3, size=100))
        how = {"class_order": np.arange(3), "confusion": False, "seed": 0, "anew": True, "tail": 0.0025}
        both = (posterior_predictive(codes, None, [decided], groups=groups, **how) for groups in (None, np.arange(100)))
        drawn = [np.concatenate([METRICS["f1_macro"].values(counts) for (counts,) in each]) for each in both]
        assert np.std(drawn[0]) == pytest.approx(np.std(drawn[1]), rel=0.08)
        assert np.mean(drawn[0]) == pytest.approx(np.mean(drawn[1]), abs=0.01)

    def test_many_groups_are_drawn_in_parts(self, rng, monkeypatch):
        codes, groups = clustered(rng)
        args = (codes, None, [codes])
        kwargs = {"groups": groups, "class_order": np.arange(3), "confusion": False, "seed": 0}
        monkeypatch.setattr("skimbalance.estimation._draws._CELLS_AT_ONCE", 700)
        sizes = [len(counts.hits) for (counts,) in posterior_predictive(*args, **kwargs)]
        assert sum(sizes) == 100
        assert max(sizes) < 100

    @pytest.mark.parametrize("name", ["f1_macro", "f1_micro", "f1_samples"])
    def test_multilabel_folds_keep_groups_whole(self, rng, name):
        """Every row four times, in a group, varies as the rows alone do."""
        indicator = rng.random((60, 3)) < [0.5, 0.3, 0.2]
        decided = np.where(rng.random(indicator.shape) < 0.8, indicator, ~indicator)
        samples = np.repeat(np.arange(60), 4)
        metric = get_multilabel_metric(name, n_labels=3)
        assert isinstance(metric, MultilabelMetric)

        def drawn(indicator, decided, groups, weights):
            problem = MultilabelProblem(2.0 * indicator - 1, LabelTruth(indicator, weights), metric, ((),) * 3, groups)
            return np.array([v for (v,) in predictive_values(problem, decided, seed=0, anew=True, tail=0.0025)])

        once = drawn(indicator, decided, None, None)
        for weights in (None, np.full(240, 0.25)):
            repeated = drawn(indicator[samples], decided[samples], samples, weights)
            assert repeated.mean() == pytest.approx(once.mean(), abs=5 * once.std() / np.sqrt(2000))
            assert repeated.std() == pytest.approx(once.std(), rel=0.08)
        assert drawn(indicator[samples], decided[samples], None, None).std() < 0.65 * once.std()


def nothing(problem):
    """A fit that learns nothing."""
    return problem.solved(np.zeros(3), n_iter=0)


class TestRepeats:
    """Every row five times: what depends on the number of rows is as if it was there once."""

    @pytest.fixture
    def pair(self, rng):
        codes = rng.permutation(np.arange(90) % 30 == 0).astype(int) + (rng.random(90) < 0.2)
        scores = 2 * np.eye(3)[codes] + rng.normal(size=(90, 3))
        samples = np.tile(np.arange(90), 5)
        once, repeated = (
            Problem(scores[which], Truth.from_codes(codes[which], n_classes=3), METRICS["f1_macro"], groups=groups)
            for which, groups in ((np.arange(90), None), (samples, samples))
        )
        return once, repeated

    def test_the_calibration(self, pair):
        once, repeated = (Calibration.of(condensed(problem)) for problem in pair)
        np.testing.assert_allclose(repeated.parameters, once.parameters, atol=1e-4)
        assert repeated.n_samples == once.n_samples == 90

    def test_bootstraps_give_repeats_the_same_weight(self, pair):
        for weights in bootstrap_weights(condensed(pair[1]), count=3, seed=0):
            table = weights.reshape(5, 90)
            assert np.ptp(table, axis=0).max() == 0
            assert table[0].std() > 0.5

    def test_counts(self, pair):
        codes = pair[0].truth.codes.astype(np.int64)
        counts = independent_counts(np.tile(codes, 5), pair[1].groups, n_classes=3)
        assert counts.tolist() == np.bincount(codes, minlength=3).tolist()

    def test_a_class_without_true_positives_counts_half_a_sample(self, pair):
        scores = []
        for problem in pair:
            metric = METRICS["geometric_mean"]
            judged = replace(problem, metric=metric)
            crossed = cross_fit(judged, nothing, FitSpec(), folds_along(judged, seed=0))
            decided = np.where(crossed.codes == 2, 1, crossed.codes)
            scores.append(crossed.score(decided, level=None)[0])
        n_missed = np.sum(pair[0].truth.codes == 2)
        assert scores == pytest.approx([(1 / (2 * n_missed)) ** (1 / 3)] * 2)

    def test_many_binary_samples_are_not_merged(self):
        n_samples = 20_000
        truth = Truth.from_codes(np.arange(n_samples) % 2, n_classes=2)
        problem = Problem(np.random.default_rng(0).normal(size=(n_samples, 2)), truth, METRICS["f1"].bind(1))
        assert condensed(problem).problem.scores.shape[0] < n_samples
        grouped = Problem(problem.scores, truth, problem.metric, groups=np.arange(n_samples) // 5)
        assert condensed(grouped).problem is grouped
