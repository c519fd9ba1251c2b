"""What scikit-learn asks of an estimator: input, conventions, weights."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from support.samples import COLOURS, draw, logistic

from skimbalance import FixedOffsetClassifier, OffsetTuner, TunedOffsetClassifierCV
from skimbalance.exceptions import SkimbalanceWarning


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
        X, y = draw(n_samples=600)
        model = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1)
        clf = TunedOffsetClassifierCV(model, objective="balanced_accuracy").fit(X, y)
        assert clf.tuner_.in_sample_score_ > 1 / 3


class TestWeights:
    def test_without_routing_both_get_the_weights(self):
        X, y = draw()
        weights = np.random.default_rng(0).random(len(y))
        clf = TunedOffsetClassifierCV(logistic(), store_cv_results=True).fit(X, y, sample_weight=weights)
        np.testing.assert_allclose(clf.estimator_.coef_, logistic().fit(X, y, sample_weight=weights).coef_)
        samples = clf.cv_results_["rows"]
        np.testing.assert_array_equal(clf.cv_results_["sample_weight"], weights[samples])
        tuner = OffsetTuner().fit(clf.cv_results_["scores"], y[samples], sample_weight=weights[samples])
        np.testing.assert_array_equal(clf.offsets_, tuner.offsets_)

    def test_an_estimator_that_takes_no_weights_causes_a_warning(self):
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
