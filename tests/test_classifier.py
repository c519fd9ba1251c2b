"""The two classifiers: around any estimator, inside anything that takes one."""

import pickle
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    StratifiedKFold,
    cross_val_predict,
    cross_validate,
    train_test_split,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from skimbalance import FixedOffsetClassifier, OffsetTuner, TunedOffsetClassifierCV
from skimbalance.exceptions import SkimbalanceWarning
from skimbalance.metrics import Cost, geometric_mean_score

COLOURS = np.array(["amber", "blue", "coral"])


def draw(n_classes=3, n_rows=300, seed=0):
    """Long-tailed rows with labels by name."""
    weights = (0.5 ** np.arange(n_classes) / (0.5 ** np.arange(n_classes)).sum()).tolist()
    X, y = make_classification(
        n_rows,
        6,
        n_informative=5,
        n_redundant=0,
        n_classes=n_classes,
        weights=weights,
        class_sep=0.6,
        random_state=seed,
    )
    return X, COLOURS[y]


def logistic():
    return LogisticRegression(max_iter=1000)


class TestTuned:
    def test_the_offsets_are_those_of_the_pooled_out_of_fold_scores(self):
        X, y = draw()
        clf = TunedOffsetClassifierCV(logistic(), objective="f1_macro").fit(X, y)
        proba = cross_val_predict(logistic(), X, y, method="predict_proba", cv=5)
        tuner = OffsetTuner("f1_macro").fit(proba, y)
        np.testing.assert_allclose(clf.offsets_, tuner.offsets_, atol=1e-9)
        assert clf.tuner_.in_sample_score_ == tuner.in_sample_score_
        np.testing.assert_allclose(clf.estimator_.coef_, logistic().fit(X, y).coef_)

    @pytest.mark.parametrize("n_classes", [2, 3])
    @pytest.mark.parametrize(
        "estimator", [logistic(), LinearSVC(random_state=0), RandomForestClassifier(20, random_state=0)]
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
        np.testing.assert_array_equal(clf.predict(X) == "blue", clf.estimator_.predict_proba(X)[:, 1] > clf.threshold_)

    @pytest.mark.parametrize("cv", [3, StratifiedKFold(4), 0.3, [(np.arange(150), np.arange(150, 300))]])
    def test_any_cv(self, cv):
        X, y = draw()
        clf = TunedOffsetClassifierCV(logistic(), cv=cv, store_cv_results=True).fit(X, y)
        scored = {3: 300, 0.3: 90}.get(cv if isinstance(cv, int | float) else 0)
        rows = clf.cv_results_["rows"]
        assert scored is None or len(rows) == scored
        np.testing.assert_array_equal(clf.cv_results_["y"], y[rows])
        assert clf.cv_results_["scores"].shape == (len(rows), 3)
        assert len(clf.cv_results_["fold"]) == len(rows)

    def test_scores_are_stored_only_if_asked_for(self):
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
    def test_a_frozen_model_may_know_more_classes(self, cv, n_known):
        X, y = draw()
        model = logistic().fit(X, y)
        kept = y != COLOURS[n_known - 2]
        clf = TunedOffsetClassifierCV(FrozenEstimator(model), cv=cv).fit(X[kept], y[kept])
        assert clf.classes_.tolist() == clf.tuner_.classes_.tolist() == COLOURS.tolist()
        np.testing.assert_array_equal(clf.predict(X), clf.tuner_.predict(model.predict_proba(X)))

    @pytest.mark.parametrize("cv", [5, "prefit"])
    def test_a_frozen_model_must_know_the_labels(self, cv):
        X, y = draw()
        frozen = FrozenEstimator(logistic().fit(X, y))
        with pytest.raises(ValueError, match="does not know: its classes are"):
            TunedOffsetClassifierCV(frozen, cv=cv).fit(X, np.char.upper(y))
        with pytest.raises(ValueError, match="does not know: its classes are"):
            FixedOffsetClassifier(frozen).fit(X, np.char.upper(y))
        with pytest.raises(ValueError, match="offsets='prior' needs rows"):
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
        rows = clf.cv_results_["rows"]
        np.testing.assert_array_equal(clf.estimator_.predict_proba(X[rows]), clf.cv_results_["scores"])
        assert clf.tuner_.in_sample_score_ == pytest.approx(balanced_accuracy_score(y[rows], clf.predict(X[rows])))

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
            ValueError, match=r"a score for each of 4 classes; got margins of pairs of classes, shape \(\d+, 6\)"
        ):
            TunedOffsetClassifierCV(SVC(decision_function_shape="ovo")).fit(X, y)

    def test_margins_of_as_many_pairs_as_classes_are_refused(self):
        with pytest.raises(ValueError, match="margins of pairs of classes"):
            TunedOffsetClassifierCV(make_pipeline(StandardScaler(), SVC(decision_function_shape="ovo"))).fit(*draw())

    @pytest.mark.parametrize("objective", ["geometric_mean", "worst_recall", "f1_macro", "balanced_accuracy"])
    def test_rows_of_a_class_their_model_never_saw_are_left_out(self, objective):
        X, y = draw()
        rare = np.flatnonzero(y == "coral")
        rest = np.flatnonzero(y != "coral")
        X, y = X[np.r_[rest, rare]], y[np.r_[rest, rare]]
        splits = [(np.arange(100), np.arange(100, len(rest))), (np.arange(100, len(y)), np.arange(100))]
        splits.append((np.arange(len(rest)), np.arange(len(rest), len(y))))
        clf = TunedOffsetClassifierCV(logistic(), objective=objective, cv=splits, store_cv_results=True).fit(X, y)
        assert "coral" not in clf.cv_results_["y"]
        assert any(f"{len(rare)} rows were left out" in note for note in clf.tuner_.notes_)
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
        assert "[TunedOffsetClassifierCV] fold 3/3: fitted on 200 rows, scored 100" in out
        assert "[OffsetTuner] balanced_accuracy from" in out

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


class TestInput:
    """Frames, sparse matrices, names."""

    def test_pandas(self):
        pd = pytest.importorskip("pandas")
        X, y = draw()
        frame = pd.DataFrame(X, columns=list("abcdef"), index=np.arange(len(y)) + 5)
        clf = TunedOffsetClassifierCV(logistic()).fit(frame, pd.Series(y, index=frame.index))
        assert clf.feature_names_in_.tolist() == list("abcdef")
        np.testing.assert_array_equal(clf.predict(frame), TunedOffsetClassifierCV(logistic()).fit(X, y).predict(X))
        categorical = TunedOffsetClassifierCV(logistic()).fit(frame, pd.Series(y, index=frame.index).astype("category"))
        np.testing.assert_array_equal(categorical.predict(frame), clf.predict(frame))

    def test_polars(self):
        pl = pytest.importorskip("polars")
        X, y = draw()
        frame = pl.DataFrame(X, schema=list("abcdef"))
        clf = TunedOffsetClassifierCV(logistic()).fit(frame, pl.Series(y))
        np.testing.assert_array_equal(clf.predict(frame), TunedOffsetClassifierCV(logistic()).fit(X, y).predict(X))

    def test_sparse(self):
        X, y = draw()
        clf = TunedOffsetClassifierCV(logistic()).fit(sp.csr_matrix(X), y)
        np.testing.assert_array_equal(
            clf.predict(sp.csr_matrix(X)), TunedOffsetClassifierCV(logistic()).fit(X, y).predict(X)
        )

    def test_number_of_features(self):
        X, y = draw()
        clf = TunedOffsetClassifierCV(logistic()).fit(X, y)
        assert clf.n_features_in_ == 6
        with pytest.raises(ValueError, match="6 features"):
            clf.predict(X[:, :3])

    def test_one_class(self):
        with pytest.raises(ValueError, match="at least two classes; got one class"):
            TunedOffsetClassifierCV(logistic()).fit(np.eye(4), ["a"] * 4)

    def test_not_fitted(self):
        with pytest.raises(NotFittedError):
            TunedOffsetClassifierCV(logistic()).predict([[0] * 6])

    def test_estimators_without_scores_are_refused(self):
        from sklearn.linear_model import LinearRegression

        with pytest.raises(ValueError, match="'estimator' parameter of TunedOffsetClassifierCV"):
            TunedOffsetClassifierCV(LinearRegression()).fit(*draw())

    def test_a_single_column_of_probabilities(self):
        class OneColumn(ClassifierMixin, BaseEstimator):
            def fit(self, X, y):
                self.inner_ = LogisticRegression().fit(X, y)
                self.classes_ = self.inner_.classes_
                return self

            def predict_proba(self, X):
                return self.inner_.predict_proba(X)[:, 1:]

        X, y = draw(2)
        clf = TunedOffsetClassifierCV(OneColumn(), objective="f1").fit(X, y)
        np.testing.assert_array_equal(
            clf.predict(X), TunedOffsetClassifierCV(LogisticRegression(), objective="f1").fit(X, y).predict(X)
        )


class TestConventions:
    @pytest.mark.parametrize("clf", [TunedOffsetClassifierCV(logistic()), FixedOffsetClassifier(logistic())])
    def test_clone_pickle_html(self, clf):
        X, y = draw()
        clf = clone(clf).fit(X, y)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(clf)).predict(X), clf.predict(X))
        assert type(clf).__name__ in clf._repr_html_()
        assert "LogisticRegression" in clf._repr_html_()

    def test_grid_search_over_everything(self):
        X, y = draw()
        grid = {"objective": ["f1_macro", "balanced_accuracy"], "estimator__C": [0.1, 1.0]}
        search = GridSearchCV(TunedOffsetClassifierCV(logistic()), grid, scoring="f1_macro", cv=3).fit(X, y)
        assert set(search.best_params_) == set(grid)
        fixed = GridSearchCV(
            FixedOffsetClassifier(logistic()), {"tau": [0.0, 0.5, 1.0]}, scoring="balanced_accuracy", cv=3
        ).fit(X, y)
        assert fixed.best_params_["tau"] > 0

    def test_inside_and_around_a_pipeline(self):
        X, y = draw()
        around = TunedOffsetClassifierCV(make_pipeline(StandardScaler(), logistic()), objective="f1_macro").fit(X, y)
        inside = make_pipeline(StandardScaler(), TunedOffsetClassifierCV(logistic(), objective="f1_macro")).fit(X, y)
        assert around.predict(X).shape == inside.predict(X).shape == y.shape
        scores = cross_validate(inside, X, y, scoring=["f1_macro", "balanced_accuracy"], cv=3)
        assert (scores["test_balanced_accuracy"] > 1 / 3).all()

    def test_lightgbm_in_a_pipeline(self):
        lightgbm = pytest.importorskip("lightgbm")
        X, y = draw(n_rows=600)
        model = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1)
        clf = TunedOffsetClassifierCV(model, objective="balanced_accuracy").fit(X, y)
        assert clf.tuner_.in_sample_score_ > 1 / 3


class TestWeights:
    def test_without_routing_weights_reach_both(self):
        X, y = draw()
        weights = np.random.default_rng(0).random(len(y))
        clf = TunedOffsetClassifierCV(logistic(), store_cv_results=True).fit(X, y, sample_weight=weights)
        np.testing.assert_allclose(clf.estimator_.coef_, logistic().fit(X, y, sample_weight=weights).coef_)
        rows = clf.cv_results_["rows"]
        np.testing.assert_array_equal(clf.cv_results_["sample_weight"], weights[rows])
        tuner = OffsetTuner().fit(clf.cv_results_["scores"], y[rows], sample_weight=weights[rows])
        np.testing.assert_array_equal(clf.offsets_, tuner.offsets_)

    def test_an_estimator_that_takes_none_is_told_of(self):
        X, y = draw()
        with pytest.warns(UserWarning, match="Pipeline.fit takes no sample_weight: the weights reach the tuner alone"):
            TunedOffsetClassifierCV(make_pipeline(StandardScaler(), logistic())).fit(
                X, y, sample_weight=np.ones(len(y))
            )

    def test_no_weights_or_nothing_to_fit_no_warning(self):
        X, y = draw()
        pipeline = make_pipeline(StandardScaler(), logistic())
        TunedOffsetClassifierCV(pipeline).fit(X, y, sample_weight=None)
        frozen = FrozenEstimator(logistic().fit(X, y))
        for cv in (3, "prefit"):
            clf = TunedOffsetClassifierCV(frozen, cv=cv).fit(X, y, sample_weight=np.ones(len(y)))
            np.testing.assert_allclose(clf.offsets_, TunedOffsetClassifierCV(frozen, cv=cv).fit(X, y).offsets_)
        with pytest.warns(SkimbalanceWarning, match="the weights reach the prior alone"):
            FixedOffsetClassifier(pipeline).fit(X, y, sample_weight=np.ones(len(y)))

    def test_one_class_of_positive_weight(self):
        X, y = draw(2)
        with pytest.raises(ValueError, match="at least two classes of positive sample_weight"):
            TunedOffsetClassifierCV(SVC()).fit(X, y, sample_weight=(y == "blue").astype(float))

    def test_parameters_of_a_step(self):
        X, y = draw()
        weights = np.random.default_rng(0).random(len(y))
        model = make_pipeline(StandardScaler(), logistic())
        clf = TunedOffsetClassifierCV(model).fit(X, y, logisticregression__sample_weight=weights)
        expected = clone(model).fit(X, y, logisticregression__sample_weight=weights)
        np.testing.assert_allclose(clf.estimator_[-1].coef_, expected[-1].coef_)

    def test_bad_weights_fail_before_anything_is_fitted(self):
        X, y = draw()
        with pytest.raises(ValueError, match="sample_weight must not be negative"):
            TunedOffsetClassifierCV(logistic()).fit(X, y, sample_weight=-np.ones(len(y)))

    def test_routing(self):
        X, y = draw()
        weights, groups = np.random.default_rng(0).random(len(y)), np.arange(len(y)) % 30
        with sklearn.config_context(enable_metadata_routing=True):
            model = logistic().set_fit_request(sample_weight=True)
            clf = TunedOffsetClassifierCV(model, cv=GroupKFold(3), store_cv_results=True)
            clf.fit(X, y, sample_weight=weights, groups=groups)
            folds = clf.cv_results_["fold"]
            assert all(len(np.unique(folds[clf.cv_results_["rows"] % 30 == g])) == 1 for g in range(30))
            np.testing.assert_allclose(clf.estimator_.coef_, logistic().fit(X, y, sample_weight=weights).coef_)

    def test_routing_to_the_tuner_alone(self):
        X, y = draw()
        weights = np.random.default_rng(0).random(len(y))
        with sklearn.config_context(enable_metadata_routing=True):
            model = logistic().set_fit_request(sample_weight=False)
            clf = TunedOffsetClassifierCV(model, store_cv_results=True).fit(X, y, sample_weight=weights)
            np.testing.assert_allclose(clf.estimator_.coef_, logistic().fit(X, y).coef_)
            np.testing.assert_array_equal(clf.cv_results_["sample_weight"], weights[clf.cv_results_["rows"]])

    def test_routing_of_the_fixed_classifier(self):
        X, y = draw()
        weights = np.where(y == "amber", 2.0, 1.0)
        with sklearn.config_context(enable_metadata_routing=True):
            clf = FixedOffsetClassifier(logistic().set_fit_request(sample_weight=True)).fit(X, y, sample_weight=weights)
        support = np.array([weights[y == c].sum() for c in COLOURS])
        np.testing.assert_allclose(clf.offsets_, -np.log(support) + np.log(support).mean())


class TestFixed:
    def test_the_prior(self):
        X, y = draw()
        support = np.array([(y == c).sum() for c in COLOURS])
        for tau in (0.0, 0.5, 1.0):
            clf = FixedOffsetClassifier(logistic(), tau=tau).fit(X, y)
            np.testing.assert_allclose(clf.offsets_, tau * (np.log(support).mean() - np.log(support)), atol=1e-12)

    def test_a_target_prior_is_bayes_rule(self):
        X, y = draw()
        prior = np.array([(y == c).mean() for c in COLOURS])
        target = np.array([0.2, 0.2, 0.6])
        for given in (target, dict(zip(COLOURS, target, strict=True))):
            clf = FixedOffsetClassifier(logistic(), target_prior=given).fit(X, y)
            posterior = clf.estimator_.predict_proba(X) * target / prior
            np.testing.assert_allclose(clf.predict_proba(X), posterior / posterior.sum(axis=1, keepdims=True))

    def test_offsets_are_taken_as_they_are(self):
        X, y = draw()
        np.testing.assert_array_equal(
            FixedOffsetClassifier(logistic(), offsets=[1, 2, 3]).fit(X, y).offsets_, [1, 2, 3]
        )
        clf = FixedOffsetClassifier(logistic(), offsets={"coral": 100.0}).fit(X, y)
        np.testing.assert_array_equal(clf.offsets_, [0, 0, 100])
        assert set(clf.predict(X)) == {"coral"}

    def test_the_threshold(self):
        X, y = draw(2)
        clf = FixedOffsetClassifier(logistic()).fit(X, y)
        assert clf.threshold_ == pytest.approx((y == "blue").mean())

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"offsets": [1, 2]}, r"offsets must be 3 numbers, one for each class; got shape \(2,\)"),
            ({"offsets": [1, 2, np.inf]}, "offsets must be finite"),
            ({"offsets": {"puce": 1}}, "offsets='puce' is not a class"),
            ({"offsets": "posterior"}, "'offsets' parameter of FixedOffsetClassifier"),
            ({"tau": 1e308}, "tau must keep the offsets finite"),
            ({"tau": "big"}, "'tau' parameter of FixedOffsetClassifier"),
            ({"target_prior": [0.5, 0.5, 0]}, "target_prior must be positive for every class"),
            ({"target_prior": {"amber": 1.0}}, "target_prior must name every class"),
        ],
    )
    def test_hostile_parameters(self, options, message):
        clf = FixedOffsetClassifier(logistic(), **options)
        with pytest.raises(ValueError, match=message):
            clf.fit(*draw())
        assert not [name for name in vars(clf) if name.endswith("_")]

    def test_a_class_without_weight_has_no_prior(self):
        X, y = draw()
        with pytest.raises(ValueError, match="positive sample_weight in every class; class 'blue' has none"):
            FixedOffsetClassifier(logistic()).fit(X, y, sample_weight=(y != "blue").astype(float))


class TestOuterEstimators:
    """Whoever asks for any score of the classifier gets the offsets."""

    def test_soft_voting(self):
        X, y = draw(2)
        plain = VotingClassifier([("a", logistic()), ("b", GaussianNB())], voting="soft").fit(X, y)
        tuned = [(name, FixedOffsetClassifier(m, offsets=[0.0, 2.0])) for name, m in plain.estimators]
        votes = VotingClassifier(tuned, voting="soft").fit(X, y)
        assert (votes.predict(X) == "blue").sum() > (plain.predict(X) == "blue").sum() + 10

    def test_stacking_and_calibration(self):
        X, y = draw(2)
        fixed = FixedOffsetClassifier(logistic(), offsets={"blue": 2.0}).fit(X, y)
        stack = StackingClassifier([("a", FrozenEstimator(fixed))], cv="prefit", passthrough=False).fit(X, y)
        np.testing.assert_allclose(stack.transform(X)[:, 0], fixed.predict_proba(X)[:, 1])
        CalibratedClassifierCV(TunedOffsetClassifierCV(logistic())).fit(X, y)


class TestRealData:
    """On data that ships with scikit-learn, offsets do what they are for."""

    def test_breast_cancer(self):
        X, y = load_breast_cancer(return_X_y=True)
        X, X_test, y, y_test = train_test_split(X, 1 - y, stratify=y, random_state=0)
        rare = np.flatnonzero(y == 1)[:20].tolist() + np.flatnonzero(y == 0).tolist()
        model = RandomForestClassifier(50, random_state=0)
        before = model.fit(X[rare], y[rare]).predict(X_test)
        after = TunedOffsetClassifierCV(model, objective="geometric_mean").fit(X[rare], y[rare]).predict(X_test)
        assert geometric_mean_score(y_test, after) > geometric_mean_score(y_test, before)

    def test_costs_fall(self):
        X, y = load_digits(return_X_y=True)
        matrix = np.where(np.eye(10, dtype=bool), 0, 1) * np.where(np.arange(10) == 8, 20, 1)[:, None]
        X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)
        model = GaussianNB(var_smoothing=1e-3)
        before = model.fit(X, y).predict(X_test)
        after = TunedOffsetClassifierCV(model, objective=Cost(matrix)).fit(X, y).predict(X_test)
        assert matrix[y_test, after].mean() < matrix[y_test, before].mean()


def test_torch_and_matplotlib_are_not_imported():
    """The package runs without them."""
    import subprocess

    code = "import skimbalance, sys; assert not {'torch', 'skorch', 'matplotlib'} & set(sys.modules), sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
