"""Offsets tuned on out-of-fold scores."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import (
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from support.effort import crossed
from support.samples import COLOURS, draw, logistic

from skimbalance import FixedOffsetClassifier, OffsetTuner, TunedOffsetClassifierCV


class TestTuned:
    def test_the_offsets_are_those_of_the_pooled_out_of_fold_scores(self):
        X, y = draw()
        clf = TunedOffsetClassifierCV(logistic(), objective="f1_macro", store_cv_results=True).fit(X, y)
        proba = cross_val_predict(logistic(), X, y, method="predict_proba", cv=5)
        samples = clf.cv_results_["rows"]
        tuner = OffsetTuner("f1_macro").fit(proba[samples], y[samples])
        np.testing.assert_allclose(clf.offsets_, tuner.offsets_, atol=1e-9)
        assert clf.tuner_.in_sample_score_ == tuner.in_sample_score_
        assert clf.score_ == tuner.score_
        assert clf.score_interval_ == tuner.score_interval_
        np.testing.assert_allclose(clf.estimator_.coef_, logistic().fit(X, y).coef_)

    @pytest.mark.parametrize(
        ("estimator", "n_classes"),
        crossed([logistic(), LinearSVC(random_state=0), RandomForestClassifier(20, random_state=0)], [2, 3]),
    )
    def test_all_methods_agree(self, estimator, n_classes):
        X, y = draw(n_classes)
        clf = TunedOffsetClassifierCV(estimator, objective="f1_macro", cv=3).fit(X, y)
        predicted = clf.predict(X)
        decision = clf.decision_function(X)
        by_decision = decision.argmax(axis=1) if n_classes > 2 else (decision > 0).astype(int)
        np.testing.assert_array_equal(clf.classes_[by_decision], predicted)
        np.testing.assert_array_equal(clf.classes_[clf.predict_proba(X).argmax(axis=1)], predicted)
        np.testing.assert_allclose(clf.predict_log_proba(X), np.log(clf.predict_proba(X)), atol=1e-9)
        assert not np.allclose(clf.offsets_, 0)

    def test_the_threshold_is_the_decision(self):
        X, y = draw(2)
        clf = TunedOffsetClassifierCV(logistic(), objective="f1").fit(X, y)
        np.testing.assert_array_equal(clf.predict(X) == "blue", clf.estimator_.predict_proba(X)[:, 1] >= clf.threshold_)

    @pytest.mark.parametrize(
        ("cv", "scored"),
        [(3, 300), (StratifiedKFold(4), 300), (0.3, 90), ([(np.arange(150), np.arange(150, 300))], 150)],
    )
    def test_any_cv(self, cv, scored):
        X, y = draw()
        clf = TunedOffsetClassifierCV(logistic(), cv=cv, store_cv_results=True).fit(X, y)
        samples = clf.cv_results_["rows"]
        assert len(samples) == scored
        np.testing.assert_array_equal(clf.cv_results_["y"], y[samples])
        assert clf.cv_results_["scores"].shape == (len(samples), 3)
        assert len(clf.cv_results_["fold"]) == len(samples)

    def test_scores_are_stored_only_with_store_cv_results(self):
        assert not hasattr(TunedOffsetClassifierCV(logistic()).fit(*draw()), "cv_results_")

    def test_prefit_leaves_the_model_alone(self):
        X, y = draw()
        model = logistic().fit(X[:150], y[:150])
        for estimator in (model, FrozenEstimator(model)):
            clf = TunedOffsetClassifierCV(estimator, objective="geometric_mean", cv="prefit").fit(X[150:], y[150:])
            assert clf.estimator_ is estimator
            expected = OffsetTuner("geometric_mean").fit(model.predict_proba(X[150:]), y[150:])
            np.testing.assert_array_equal(clf.offsets_, expected.offsets_)

    def test_prefit_needs_a_fitted_model(self):
        with pytest.raises(NotFittedError):
            TunedOffsetClassifierCV(logistic(), cv="prefit").fit(*draw())

    @pytest.mark.parametrize("cv", [5, "prefit"])
    @pytest.mark.parametrize("n_known", [2, 3])
    def test_a_frozen_model_may_have_more_classes(self, cv, n_known):
        X, y = draw()
        model = logistic().fit(X, y)
        kept = y != COLOURS[n_known - 2]
        clf = TunedOffsetClassifierCV(FrozenEstimator(model), cv=cv).fit(X[kept], y[kept])
        assert clf.classes_.tolist() == clf.tuner_.classes_.tolist() == COLOURS.tolist()
        np.testing.assert_array_equal(clf.predict(X), clf.tuner_.predict(model.predict_proba(X)))

    @pytest.mark.parametrize("cv", [5, "prefit"])
    def test_a_frozen_model_must_have_the_labels(self, cv):
        X, y = draw()
        frozen = FrozenEstimator(logistic().fit(X, y))
        with pytest.raises(ValueError, match="not among the classes of the fitted estimator"):
            TunedOffsetClassifierCV(frozen, cv=cv).fit(X, np.char.upper(y))
        with pytest.raises(ValueError, match="not among the classes of the fitted estimator"):
            FixedOffsetClassifier(frozen).fit(X, np.char.upper(y))
        with pytest.raises(ValueError, match="offsets='prior' needs samples"):
            FixedOffsetClassifier(frozen).fit(X[y != "blue"], y[y != "blue"])

    def test_nothing_of_an_earlier_fit_is_left(self):
        pd = pytest.importorskip("pandas")
        X, y = draw(2)
        for clf in (TunedOffsetClassifierCV(logistic(), store_cv_results=True), FixedOffsetClassifier(logistic())):
            clf.fit(pd.DataFrame(X, columns=list("abcdef")), y)
            clf.set_params(**({"store_cv_results": False} if hasattr(clf, "cv_results_") else {})).fit(*draw(3))
            assert not {"threshold_", "feature_names_in_", "cv_results_"} & set(vars(clf))

    @pytest.mark.parametrize("cv", [[], iter([])])
    def test_no_split(self, cv):
        with pytest.raises(ValueError, match="cv must make at least one split"):
            TunedOffsetClassifierCV(logistic(), cv=cv).fit(*draw())

    def test_numbers_and_masks_of_any_type(self):
        X, y = draw()
        expected = TunedOffsetClassifierCV(logistic(), cv=0.25).fit(X, y).offsets_
        got = TunedOffsetClassifierCV(logistic(), cv=np.float32(0.25), n_jobs=np.int64(1)).fit(X, y).offsets_
        np.testing.assert_array_equal(got, expected)
        half = np.arange(300) < 150
        masks, places = ([(f(half), f(~half))] for f in (np.asarray, np.flatnonzero))
        one, two = (TunedOffsetClassifierCV(logistic(), cv=cv).fit(X, y).offsets_ for cv in (masks, places))
        np.testing.assert_array_equal(one, two)

    def test_a_frozen_model_is_not_refitted_by_folds(self):
        X, y = draw()
        model = logistic().fit(X[:150], y[:150])
        clf = TunedOffsetClassifierCV(FrozenEstimator(model)).fit(X[150:], y[150:])
        np.testing.assert_array_equal(clf.estimator_.predict_proba(X), model.predict_proba(X))

    def test_refit_false_returns_the_model_whose_scores_were_used(self):
        X, y = draw()
        clf = TunedOffsetClassifierCV(logistic(), cv=0.3, refit=False, store_cv_results=True).fit(X, y)
        samples = clf.cv_results_["rows"]
        np.testing.assert_array_equal(clf.estimator_.predict_proba(X[samples]), clf.cv_results_["scores"])
        assert clf.tuner_.in_sample_score_ == pytest.approx(
            balanced_accuracy_score(y[samples], clf.predict(X[samples]))
        )

    def test_refit_false_needs_one_split(self):
        with pytest.raises(ValueError, match="cv must make one split; got 5"):
            TunedOffsetClassifierCV(logistic(), refit=False).fit(*draw())

    def test_response_method(self):
        X, y = draw(2)
        by_margin = TunedOffsetClassifierCV(logistic(), objective="f1", response_method="decision_function").fit(X, y)
        by_proba = TunedOffsetClassifierCV(logistic(), objective="f1").fit(X, y)
        assert by_margin.tuner_.kind == "logits"
        assert by_margin.threshold_ == pytest.approx(by_proba.threshold_, rel=1e-6)
        with pytest.raises(ValueError, match="LinearSVC has no method predict_proba"):
            TunedOffsetClassifierCV(LinearSVC(), response_method="predict_proba").fit(X, y)

    def test_margins_of_pairs_of_classes_are_refused(self):
        X, y = make_classification(200, 6, n_informative=5, n_redundant=0, n_classes=4, random_state=0)
        with pytest.raises(
            ValueError,
            match=r"each of 4 classes and each sample .*, 4\); got margins of pairs of classes, shape \(\d+, 6\)",
        ):
            TunedOffsetClassifierCV(SVC(decision_function_shape="ovo")).fit(X, y)

    def test_margins_of_as_many_pairs_as_classes_are_refused(self):
        with pytest.raises(ValueError, match="margins of pairs of classes"):
            TunedOffsetClassifierCV(make_pipeline(StandardScaler(), SVC(decision_function_shape="ovo"))).fit(*draw())

    @pytest.mark.parametrize("objective", ["geometric_mean", "worst_recall", "f1_macro", "balanced_accuracy"])
    def test_samples_of_a_class_that_their_model_has_not_seen_are_left_out(self, objective):
        X, y = draw()
        rare = np.flatnonzero(y == "coral")
        rest = np.flatnonzero(y != "coral")
        X, y = X[np.r_[rest, rare]], y[np.r_[rest, rare]]
        splits = [(np.arange(100), np.arange(100, len(rest))), (np.arange(100, len(y)), np.arange(100))]
        splits.append((np.arange(len(rest)), np.arange(len(rest), len(y))))
        clf = TunedOffsetClassifierCV(logistic(), objective=objective, cv=splits, store_cv_results=True).fit(X, y)
        assert "coral" not in clf.cv_results_["y"]
        assert any(f"{len(rare)} samples were left out" in note for note in clf.tuner_.notes_)
        assert any("'coral'" in note for note in clf.tuner_.notes_)
        assert np.abs(clf.offsets_).max() < 10
        assert 0 < (clf.predict(X) == "coral").sum() < len(y) / 2

    @pytest.mark.parametrize("estimator", [logistic(), LinearSVC(random_state=0)])
    def test_a_class_that_a_fold_lacks(self, estimator):
        X, y = draw()
        keep = [*np.flatnonzero(y != "coral").tolist(), int(np.flatnonzero(y == "coral")[0])]
        X, y = X[keep], y[keep]
        splits = [(np.arange(100), np.arange(100, len(y))), (np.arange(100, len(y)), np.arange(100))]
        clf = TunedOffsetClassifierCV(estimator, objective="f1_macro", cv=splits).fit(X, y)
        assert clf.classes_.tolist() == COLOURS.tolist()
        assert np.isfinite(clf.offsets_).all()

    def test_parallel_folds_give_the_same(self):
        X, y = draw()
        one, two = (TunedOffsetClassifierCV(logistic(), n_jobs=n).fit(X, y).offsets_ for n in (None, 2))
        np.testing.assert_array_equal(one, two)

    def test_progress(self, capsys):
        TunedOffsetClassifierCV(logistic(), cv=3, verbose=1).fit(*draw())
        out = capsys.readouterr().out
        assert "[TunedOffsetClassifierCV] fold 3/3: fitted on 200 samples, scored 100" in out
        assert "[OffsetTuner] balanced_accuracy of soft labels" in out

    def test_a_wrong_objective_fails_before_anything_is_fitted(self):
        class Counting(LogisticRegression):
            fits = 0

            def fit(self, X, y):
                type(self).fits += 1
                return super().fit(X, y)

        with pytest.raises(ValueError, match="judges scores"):
            TunedOffsetClassifierCV(Counting(), objective="roc_auc").fit(*draw())
        assert Counting.fits == 0

    def test_nothing_is_half_fitted(self):
        class Failing(LogisticRegression):
            def fit(self, X, y):
                super().fit(X, y)
                if len(X) == 300:
                    raise RuntimeError("no refit today")
                return self

        clf = TunedOffsetClassifierCV(Failing(max_iter=1000))
        with pytest.raises(RuntimeError, match="no refit today"):
            clf.fit(*draw())
        assert not [name for name in vars(clf) if name.endswith("_")]

    def test_a_seed(self):
        X, y = draw()
        a, b, c = (TunedOffsetClassifierCV(logistic(), cv=0.3, random_state=s).fit(X, y).offsets_ for s in (None, 0, 7))
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


class TestParametersOfTheTuner:
    """`n_bootstraps` and `confidence_level` have the meaning, defaults and checks that they have in the tuner."""

    def test_defaults_and_constraints_are_those_of_the_tuner(self):
        clf, tuner = TunedOffsetClassifierCV(logistic()), OffsetTuner()
        for name in ("n_bootstraps", "confidence_level"):
            assert clf.get_params()[name] == tuner.get_params()[name]
            assert clf._parameter_constraints[name] is tuner._parameter_constraints[name]

    @pytest.mark.filterwarnings("ignore::skimbalance.exceptions.UncertainShiftWarning")
    def test_the_tuner_gets_them(self):
        X, y = draw(2, n_samples=300)
        clf = clone(TunedOffsetClassifierCV(logistic(), n_bootstraps=3, confidence_level=0.5, store_cv_results=True))
        clf.fit(X, y)
        found = clf.cv_results_
        tuner = OffsetTuner(n_bootstraps=3, confidence_level=0.5).fit(found["scores"], found["y"])
        np.testing.assert_array_equal(clf.offsets_, tuner.offsets_)
        assert clf.score_interval_ == tuner.score_interval_
        wide = TunedOffsetClassifierCV(logistic(), n_bootstraps=3, confidence_level=0.99).fit(X, y)
        assert wide.score_interval_[0] < clf.score_interval_[0] < clf.score_interval_[1] < wide.score_interval_[1]
        for other in (clf.retune(objective="f1"), clf.adapt_to(X)):
            assert (other.tuner_.n_bootstraps, other.tuner_.confidence_level) == (3, 0.5)

    def test_without_a_level_there_are_no_intervals(self):
        X, y = draw(2, n_samples=300)
        clf = TunedOffsetClassifierCV(logistic(), estimate="empirical", confidence_level=None).fit(X, y)
        assert not hasattr(clf, "score_")
        assert not hasattr(clf, "score_interval_")
        assert not hasattr(clf.tuner_, "offsets_interval_")
        assert clf.predict(X).shape == y.shape

    @pytest.mark.parametrize("options", [{"n_bootstraps": 1}, {"confidence_level": 1.0}])
    def test_invalid_values_are_refused(self, options):
        with pytest.raises(ValueError, match=f"The '{next(iter(options))}' parameter of TunedOffsetClassifierCV"):
            TunedOffsetClassifierCV(logistic(), **options).fit(*draw(2))
