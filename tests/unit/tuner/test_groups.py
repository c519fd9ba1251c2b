"""Rows in groups: those of one group are not independent, whatever the tuner does with them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score
from support.effort import seeds, thinned

from skimbalance import OffsetTuner
from skimbalance.exceptions import FewRowsWarning, UncertainShiftWarning
from skimbalance.goals import AtLeast, ImbalanceState

pytestmark = pytest.mark.usefixtures("few_restarts")

REPEATS = 6


def drawn(seed=0, n_samples=120, n_classes=2):
    """Logits and codes, every class at least ten times."""
    rng = np.random.default_rng(seed)
    prior = 0.4 ** np.arange(n_classes)
    y = np.concatenate([np.arange(10 * n_classes) % n_classes, rng.choice(n_classes, n_samples, p=prior / prior.sum())])
    scores = 1.5 * np.eye(n_classes)[y] + np.log(prior) + rng.normal(size=(len(y), n_classes))
    return scores, y


def repeated(scores, y):
    """Return every row several times, and which row each was."""
    samples = np.tile(np.arange(len(y)), REPEATS)
    return scores[samples], y[samples], samples


def clustered(rng, n_samples):
    """Logits, codes and groups of 5 to 20 rows, which are alike in score and label."""
    groups = np.repeat(np.arange(n_samples), rng.integers(5, 21, size=n_samples))[:n_samples]
    levels = rng.normal(size=(2, groups.max() + 1))
    y = (rng.random(n_samples) < 1 / (1 + np.exp(1.5 - 1.5 * levels[0, groups]))).astype(int)
    return 3 * y - 2.5 + 1.2 * levels[1, groups] + rng.normal(size=n_samples), y, groups


def width(tuner):
    return np.ptp(tuner.score_interval_)


def fit(scores, y, objective="f1", groups=None, **parameters):
    return OffsetTuner(objective, kind="logits", **parameters).fit(scores, y, groups=groups)


class TestGroups:
    def test_the_interval_holds_on_new_groups(self):
        """It does in nine cases of ten with groups, and in three of four without."""
        held = {True: [], False: []}
        for seed in seeds(40, quick=14):
            rng = np.random.default_rng(seed)
            scores, y, groups = clustered(rng, 400)
            new, y_new, _ = clustered(rng, 400)
            for grouped in held:
                tuner = fit(scores, y, groups=groups if grouped else None, n_bootstraps=2)
                low, high = tuner.score_interval_
                held[grouped].append(low <= f1_score(y_new, tuner.predict(new)) <= high)
        assert np.mean(held[True]) >= 0.85
        assert np.mean(held[False]) < 0.85

    @pytest.mark.parametrize("objective", ["f1", "f1_macro", ImbalanceState("uniform")])
    def test_groups_of_a_sample_each_change_nothing(self, objective):
        scores, y = drawn()
        none, single = fit(scores, y, objective), fit(scores, y, objective, groups=np.arange(len(y))[::-1])
        np.testing.assert_array_equal(single.offsets_, none.offsets_)
        assert (single.score_, single.score_interval_) == (none.score_, none.score_interval_)

    def test_their_names_do_not_matter(self, rng):
        scores, y, groups = clustered(rng, 300)
        plain = fit(scores, y, groups=groups)
        shuffled = rng.permutation(groups.max() + 1)[groups]
        mixed = [f"patient {g}" if g % 2 else (g, "twin") for g in groups]
        others = np.empty(len(mixed), dtype=object)
        others[:] = mixed
        for names in (shuffled, shuffled.astype(str), shuffled - 0.5, others, pd.Series(shuffled).astype("category")):
            other = fit(scores, y, groups=names)
            np.testing.assert_array_equal(other.offsets_, plain.offsets_)
            np.testing.assert_array_equal(other.offsets_interval_, plain.offsets_interval_)
            assert other.score_interval_ == plain.score_interval_

    @pytest.mark.parametrize("objective", ["f1", ImbalanceState("uniform")])
    def test_the_order_of_samples_does_not_matter(self, rng, objective):
        scores, y, groups = clustered(rng, 300)
        plain, order = fit(scores, y, objective, groups), rng.permutation(300)
        other = fit(scores[order], y[order], objective, groups[order])
        np.testing.assert_allclose(other.offsets_, plain.offsets_, atol=1e-9)
        np.testing.assert_allclose(other.score_interval_, plain.score_interval_, atol=1e-9)

    def test_samples_that_weigh_nothing_belong_to_no_group(self, rng):
        scores, y, groups = clustered(rng, 300)
        weights = (groups % 3 > 0).astype(float)
        weighed = OffsetTuner("f1", kind="logits").fit(scores, y, sample_weight=weights, groups=groups)
        kept = weights > 0
        taken = OffsetTuner("f1", kind="logits").fit(
            scores[kept], y[kept], sample_weight=weights[kept], groups=groups[kept]
        )
        np.testing.assert_array_equal(weighed.offsets_, taken.offsets_)
        assert weighed.score_ == taken.score_

    def test_a_function_that_takes_no_weights(self, rng):
        def hits(y_true, y_pred):
            return float(np.mean(y_true == y_pred))

        scores, y, groups = clustered(rng, 400)  # of 200 it reaches beyond one: the bounds of a function are not known
        low, high = fit(scores, y, hits, groups=groups).score_interval_
        assert 0 < low < high < 1

    def test_array_libraries(self, xp, rng):
        scores, y, groups = clustered(rng, 120)
        plain = fit(scores, y, groups=groups)
        other = fit(xp.asarray(scores), xp.asarray(y), groups=xp.asarray(groups))
        assert other.score_interval_ == pytest.approx(plain.score_interval_)

    @pytest.mark.parametrize(
        ("groups", "message"),
        [
            (np.zeros(119), r"groups must have shape \(120,\)"),
            (np.zeros((120, 1)), r"groups must have shape \(120,\)"),
            (np.where(np.arange(120) == 7, np.nan, 1.0), "missing values"),
            (np.where(np.arange(120) == 7, None, "a"), "missing values"),
            (pd.array([1, None] * 60, dtype="Int64"), "missing values"),
            (np.array(["2020-01-01", "NaT"] * 60, dtype="datetime64[D]"), "missing values"),
            (np.ma.masked_equal(np.arange(120) // 2, 3), "masked values"),
            (["one"] * 120, "at least two groups"),
        ],
    )
    def test_what_groups_cannot_be(self, groups, message):
        scores, y = drawn(n_samples=100)
        with pytest.raises(ValueError, match=message):
            fit(scores, y, groups=groups)
        with pytest.raises(ValueError, match=message):
            fit(scores, np.eye(2, dtype=int)[y], "f1_macro", groups=groups)

    def test_samples_in_chunks_have_none(self):
        chunked = pytest.importorskip("dask.array")
        scores, y = drawn()
        with pytest.raises(ValueError, match="groups need scores in memory"):
            fit(chunked.from_array(scores, chunks=(70, 2)), y, groups=y)


class TestRepeats:
    """Rows that are there several times, as a group, tell what the rows alone tell."""

    @pytest.mark.parametrize(("objective", "n_classes"), [("f1", 2), ("f1_macro", 3), ("geometric_mean", 3)])
    @pytest.mark.parametrize("weighted", thinned([True, False], quick=1))
    def test_they_count_once(self, objective, n_classes, weighted):
        scores, y = drawn(n_classes=n_classes)
        many, y_many, samples = repeated(scores, y)
        weights = np.full(len(samples), 1 / REPEATS) if weighted else None
        once = fit(scores, y, objective)
        grouped = OffsetTuner(objective, kind="logits").fit(many, y_many, sample_weight=weights, groups=samples)
        apart = fit(many, y_many, objective)
        assert 0.55 * width(once) < width(grouped) < 1.2 * width(once)  # .3 for rows taken as independent
        assert width(apart) < 0.55 * width(once)
        assert grouped.score_ == pytest.approx(once.score_, abs=0.05)
        if weighted:
            np.testing.assert_allclose(grouped.class_profile_.support, once.class_profile_.support)
            assert f"{len(y)} samples" in str(grouped.report())

    @pytest.mark.filterwarnings("default")
    @pytest.mark.parametrize("n_samples", [9, 10])
    def test_few_samples_stay_few(self, recwarn, n_samples):
        scores, y = drawn(n_samples=100)
        y = np.where((y == 1) & (np.cumsum(y == 1) > n_samples), 0, y)
        fit(*repeated(scores, y)[:2], groups=repeated(scores, y)[2])
        assert any(issubclass(w.category, FewRowsWarning) for w in recwarn) == (n_samples < 10)

    def test_ten_samples_of_one_group_are_as_one(self):
        scores, y = drawn(n_samples=100)
        groups = np.where(y == 1, 0, 1 + np.arange(len(y)))
        with pytest.warns(
            FewRowsWarning, match="1 has 1, where samples of one group, or repeats of one sample, count once"
        ):
            tuner = fit(scores, y, groups=groups)
        assert tuner.score_interval_[0] < 0.2

    def test_a_lower_bound_with_a_confidence_is_raised_as_far(self):
        scores, y = drawn(n_samples=300)
        floor = {"constraints": [AtLeast("recall", 0.7, confidence=0.9)], "estimate": "plugin"}
        many, y_many, samples = repeated(scores, y)

        def recall(**groups):
            tuner = fit(many, y_many, "precision", **floor, **groups)
            return np.mean(tuner.predict(scores)[y == 1] == 1)

        once = np.mean(fit(scores, y, "precision", **floor).predict(scores)[y == 1] == 1)
        assert recall(groups=samples) > 0.7 + 0.6 * (once - 0.7)
        assert recall() < 0.7 + 0.6 * (once - 0.7)

    @pytest.mark.parametrize("class_balanced", [False, True])
    def test_an_imbalance_state_varies_as_much(self, class_balanced):
        state, expected = ImbalanceState("uniform", class_balanced=class_balanced), []
        for seed in seeds(6, quick=2):
            scores, y = drawn(seed, n_classes=3, n_samples=150)
            many, y_many, samples = repeated(scores, y)
            once, grouped, apart = fit(scores, y, state), fit(many, y_many, state, samples), fit(many, y_many, state)
            assert grouped.score_interval_[1] == pytest.approx(once.score_interval_[1], rel=0.2)
            assert apart.score_interval_[1] < 0.6 * once.score_interval_[1]
            expected.append([once.score_, grouped.score_, apart.score_])
        once, grouped, apart = np.mean(expected, axis=0)
        assert grouped == pytest.approx(once, rel=0.35)
        assert apart < 0.6 * once

    def test_class_priors_of_unseen_data_are_estimated_no_better(self):
        scores, y = drawn(n_samples=150)
        new = drawn(seed=1, n_samples=400)[0]
        many, y_many, samples = repeated(scores, y)
        tuners = fit(scores, y), fit(many, y_many, groups=samples), fit(many, y_many)
        with pytest.warns(UncertainShiftWarning):
            once, grouped, apart = (tuner.adapt_to(new).prior_shift_.noise for tuner in tuners)
        assert grouped == pytest.approx(once, rel=0.35)
        assert apart < 0.8 * once

    def test_groups_of_unseen_data_make_intervals_wider(self):
        scores, y = drawn(n_samples=150)
        many, y_many, samples = repeated(scores, y)
        new, _, new_samples = repeated(*drawn(seed=1, n_samples=200))
        tuner, names = fit(many, y_many, groups=samples), np.array([f"p{k}" for k in new_samples])
        with pytest.warns(UncertainShiftWarning):
            apart, grouped, named = (tuner.adapt_to(new, groups=g).prior_shift_ for g in (None, new_samples, names))
        assert (np.diff(grouped.interval, axis=0) > np.diff(apart.interval, axis=0)).all()
        np.testing.assert_array_equal(named.interval, grouped.interval)
        with pytest.raises(ValueError, match=r"groups must have shape \(\d+,\)"):
            tuner.adapt_to(new, groups=new_samples[:-1])

    def test_adapted_offsets_keep_the_groups(self):
        scores, y = drawn(n_samples=150)
        many, y_many, samples = repeated(scores, y)
        new, y_new = drawn(seed=1, n_samples=3000)
        shifted = np.concatenate([new[y_new == 1], new[y_new == 0][: np.sum(y_new == 1) + 50]])
        adapted = fit(many, y_many, groups=samples).adapt_to(shifted)
        assert adapted.prior_shift_.is_significant
        by_hand = OffsetTuner("f1", kind="logits", class_prior=adapted.class_prior).fit(many, y_many, groups=samples)
        assert adapted.score_interval_ == by_hand.score_interval_

    @pytest.mark.parametrize("objective", ["f1_macro", "f1_micro", "f1_samples"])
    def test_multilabel(self, objective):
        samples, ratios = np.tile(np.arange(90), REPEATS), []
        for seed in range(3):
            rng = np.random.default_rng(seed)
            y = (rng.random((90, 4)) < [0.5, 0.4, 0.3, 0.2]).astype(int)
            log_odds = 3 * y - 2 + 1.5 * rng.normal(size=y.shape)
            once = fit(log_odds, y, objective)
            grouped, apart = (fit(log_odds[samples], y[samples], objective, groups) for groups in (samples, None))
            ratios.append(width(grouped) / width(once))
            assert width(apart) < 0.55 * width(once)
            assert grouped.score_ == pytest.approx(once.score_, abs=0.05)
        assert 0.65 < np.mean(ratios) < 1.2
        y[:, 3] = np.arange(90) < 9
        with pytest.warns(FewRowsWarning, match="3 has 9"):
            fit(log_odds[samples], y[samples], objective, samples)
