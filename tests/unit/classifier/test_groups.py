"""Groups and repeated splits: what the classifier knows of dependent rows, its tuner knows too."""

import warnings

import numpy as np
import pytest
import sklearn
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.multiclass import OneVsRestClassifier
from support.samples import draw, logistic

from skimbalance import OffsetTuner, TunedOffsetClassifierCV
from skimbalance.exceptions import FewRowsWarning

pytestmark = pytest.mark.usefixtures("few_restarts")


def tuned(model=None, **parameters):
    return TunedOffsetClassifierCV(model or logistic(), objective="f1_macro", **parameters)


def by_hand(clf, groups, **weights):
    """What a tuner makes of the scores that a classifier has stored."""
    samples = clf.cv_results_
    return OffsetTuner("f1_macro", kind="proba").fit(
        samples["scores"], samples["y"], classes=clf.tuner_.classes_, groups=groups, **weights
    )


def assert_alike(tuner, other):
    np.testing.assert_array_equal(tuner.offsets_, other.offsets_)
    assert (tuner.score_, tuner.score_interval_) == (other.score_, other.score_interval_)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def grouped():
    """Rows of 60 patients, five each."""
    X, y = draw(n_classes=2)
    return X, y, np.array([f"patient {number}" for number in np.random.default_rng(0).permutation(300) // 5])


@pytest.mark.usefixtures("routing")
class TestGroups:
    @pytest.mark.parametrize("cv", [GroupKFold(3), StratifiedGroupKFold(3), KFold(3), None])
    def test_the_tuner_gets_the_groups(self, grouped, cv):
        X, y, groups = grouped
        clf = tuned(cv=cv, store_cv_results=True).fit(X, y, groups=groups)
        stored = clf.cv_results_
        assert_alike(clf.tuner_, by_hand(clf, groups[stored["rows"]]))
        assert len(set(zip(stored["groups"], groups[stored["rows"]], strict=True))) == 60
        if isinstance(cv, GroupKFold | StratifiedGroupKFold):
            assert len(set(zip(stored["groups"], stored["fold"], strict=True))) == 60
        assert clf.score_interval_ != clf.retune(X, y).score_interval_

    def test_the_tuner_gets_the_groups_within_a_search(self, grouped):
        X, y, groups = grouped
        within = tuned(cv=StratifiedGroupKFold(3), store_cv_results=True)
        search = GridSearchCV(within, {"estimator__C": [0.1, 1.0]}, cv=GroupKFold(2)).fit(X, y, groups=groups)
        best = search.best_estimator_
        assert_alike(best.tuner_, by_hand(best, groups[best.cv_results_["rows"]]))

    def test_a_trained_model_takes_them(self, grouped):
        X, y, groups = grouped
        clf = tuned(logistic().fit(X, y), cv="prefit", store_cv_results=True).fit(X, y, groups=groups)
        assert_alike(clf.tuner_, by_hand(clf, groups))

    def test_retune(self, grouped):
        X, y, groups = grouped
        clf = tuned(cv=GroupKFold(3), store_cv_results=True).fit(X, y, groups=groups)
        assert_alike(clf.retune().tuner_, clf.tuner_)
        again = clf.retune(X, y, groups=groups)
        scores = clf.estimator_.predict_proba(X)
        assert_alike(again.tuner_, OffsetTuner("f1_macro").fit(scores, y, groups=groups))
        with pytest.raises(ValueError, match="groups goes with X and y"):
            clf.retune(groups=groups)

    @pytest.mark.parametrize("groups", [np.zeros(10), np.full(300, np.nan)])
    def test_invalid_groups_raise_before_anything_is_fitted(self, groups):
        X, y = draw(n_classes=2)
        clf = tuned(cv=KFold(3))
        with pytest.raises(ValueError, match="groups must"):
            clf.fit(X, y, groups=groups)
        assert not hasattr(clf, "estimator_")

    def test_multilabel(self, rng):
        X = rng.normal(size=(120, 3))
        y = (X + rng.normal(size=X.shape) > 0.5).astype(int)
        groups = np.arange(120) // 4
        clf = tuned(OneVsRestClassifier(logistic()), cv=GroupKFold(3), store_cv_results=True).fit(X, y, groups=groups)
        assert_alike(clf.tuner_, by_hand(clf, groups[clf.cv_results_["rows"]]))


class TestRepeatedSplits:
    def test_a_sample_with_several_scores_counts_once(self):
        X, y = draw(n_classes=2, n_samples=150)
        repeats = RepeatedStratifiedKFold(n_splits=3, n_repeats=10, random_state=0)
        many, once = (tuned(cv=cv, store_cv_results=True).fit(X, y) for cv in (repeats, StratifiedKFold(3)))
        widths = [np.ptp(clf.score_interval_) for clf in (many, once)]
        assert widths[0] > 0.6 * widths[1]
        assert len(many.cv_results_["rows"]) == 1500
        np.testing.assert_allclose(many.tuner_.class_profile_.support, once.tuner_.class_profile_.support)
        assert "150 samples" in str(many.tuner_.report()).splitlines()[0]
        samples = many.cv_results_["rows"]
        assert_alike(many.tuner_, by_hand(many, samples, sample_weight=np.full(1500, 0.1)))
        assert_alike(many.retune().tuner_, many.tuner_)

    def test_the_scores_of_a_sample_share_its_weight(self, rng):
        X, y = draw(n_classes=2, n_samples=120)
        weights = rng.random(120)
        cv = RepeatedStratifiedKFold(n_splits=2, n_repeats=3, random_state=0)
        clf = tuned(cv=cv).fit(X, y, sample_weight=weights)
        expected = [weights[y == label].sum() for label in clf.classes_]
        np.testing.assert_allclose(clf.tuner_.class_profile_.support, expected)

    def test_splits_that_overlap_in_part(self):
        X, y = draw(n_classes=2, n_samples=150)
        clf = tuned(cv=ShuffleSplit(4, test_size=0.4, random_state=0), store_cv_results=True).fit(X, y)
        samples = clf.cv_results_["rows"]
        scored = np.unique(samples)
        assert len(scored) < len(samples)
        expected = [np.sum(y[scored] == label) for label in clf.classes_]
        np.testing.assert_allclose(clf.tuner_.class_profile_.support, expected)
        assert_alike(clf.tuner_, by_hand(clf, samples, sample_weight=1 / np.bincount(samples)[samples]))

    def test_several_scores_of_few_samples_remain_few_samples(self):
        X, y = draw(n_classes=2, n_samples=100)
        rare = np.flatnonzero(y == "blue")[:9]
        y = np.where(np.isin(np.arange(100), rare), "blue", "amber")
        cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
        with pytest.warns(FewRowsWarning, match="'blue' has 9"):
            tuned(cv=cv).fit(X, y)

    @pytest.mark.parametrize("with_weights", [False, True])
    def test_samples_with_one_score_have_no_groups(self, with_weights):
        X, y = draw(n_classes=2, n_samples=150)
        weights = np.linspace(0.5, 1.5, 150) if with_weights else None
        clf = tuned(store_cv_results=True).fit(X, y, sample_weight=weights)
        stored = clf.cv_results_
        assert stored["groups"] is None
        assert_alike(clf.tuner_, by_hand(clf, None, sample_weight=stored["sample_weight"]))

    @pytest.mark.usefixtures("routing")
    def test_repeated_splits_of_samples_in_groups(self, grouped):
        X, y, groups = grouped
        shuffles = [GroupKFold(3, shuffle=True, random_state=seed) for seed in range(3)]
        splits = [split for shuffle in shuffles for split in shuffle.split(X, y, groups)]
        clf = tuned(cv=splits, store_cv_results=True).fit(X, y, groups=groups)
        known = groups[clf.cv_results_["rows"]]
        assert_alike(clf.tuner_, by_hand(clf, known, sample_weight=np.full(900, 1 / 3)))

    def test_multilabel(self, rng):
        X = rng.normal(size=(90, 3))
        y = (X + rng.normal(size=X.shape) > 0.5).astype(int)
        splits = [split for seed in range(5) for split in KFold(3, shuffle=True, random_state=seed).split(X)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FewRowsWarning)
            many, once = (tuned(OneVsRestClassifier(logistic()), cv=cv).fit(X, y) for cv in (splits, splits[:3]))
        np.testing.assert_allclose(many.tuner_.class_profile_.support, once.tuner_.class_profile_.support)
        assert np.ptp(many.score_interval_) > 0.6 * np.ptp(once.score_interval_)

    @pytest.mark.parametrize("weighed", [False, True])
    def test_a_function_of_labels(self, weighed):
        """One that takes no weights sees the first score of each row."""

        def f(y_true, y_pred):
            return -float(np.mean(y_true != y_pred))

        def weighted(y_true, y_pred, *, sample_weight):
            return -float(np.average(y_true != y_pred, weights=sample_weight))

        X, y = draw(n_classes=2, n_samples=120)
        cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=3, random_state=0)
        clf = TunedOffsetClassifierCV(
            logistic(), objective=weighted if weighed else f, cv=cv, store_cv_results=True
        ).fit(X, y)
        np.testing.assert_allclose(clf.tuner_.class_profile_.support.sum(), 120)
        assert "The splits overlap: 120 samples have 360 scores. Each sample counts once." in clf.tuner_.notes_
        assert_alike(clf.retune().tuner_, clf.tuner_)
        other = clf.retune(objective=f)
        if not weighed:
            once = OffsetTuner(f).fit(*(clf.cv_results_[name][:120] for name in ("scores", "y")))
            assert_alike(other.tuner_, once)
