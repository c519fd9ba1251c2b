"""Weights by name: scikit-learn's meta-estimators find `sample_weight` in the signature of `fit`, and it is used."""

import inspect

import numpy as np
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import has_fit_parameter
from support.effort import crossed
from support.samples import draw, logistic

from skimbalance import FixedOffsetClassifier, TunedOffsetClassifierCV
from skimbalance.exceptions import SkimbalanceWarning

CLASSIFIERS = {
    "tuned": lambda: TunedOffsetClassifierCV(LogisticRegression(), cv=3, estimate="empirical"),
    "fixed": lambda: FixedOffsetClassifier(LogisticRegression()),
}
HALF = [(np.arange(0, 300, 2), np.arange(1, 300, 2))]
AROUND = {
    "pipeline": (lambda clf: make_pipeline(FunctionTransformer(), clf), lambda fitted: fitted[-1]),
    "voting": (lambda clf: VotingClassifier([("own", clf)]), lambda fitted: fitted.estimators_[0]),
    "stacking": (
        lambda clf: StackingClassifier([("own", clf)], logistic(), cv=3),
        lambda fitted: fitted.estimators_[0],
    ),
    "several outputs": (MultiOutputClassifier, lambda fitted: fitted.estimators_[0]),
    "grid search": (
        lambda clf: GridSearchCV(clf, {"estimator__C": [1.0]}, cv=3),
        lambda fitted: fitted.best_estimator_,
    ),
}
"""Meta-estimators that fit the classifier on all samples with the weights, and where they keep it."""


def weighted(seed=0):
    """Samples, labels, and weights that make the minority class the majority class."""
    X, y = draw(2, seed=seed)
    return X, y, np.random.default_rng(seed).integers(1, 4, len(y)) * np.where(y == "blue", 5.0, 1.0)


def requesting(clf):
    """Let the classifier within request weights, which metadata routing asks for."""
    clf.estimator.set_fit_request(sample_weight=True)
    return clf


@pytest.mark.parametrize("kind", CLASSIFIERS)
class TestByName:
    def test_the_signature_names_them(self, kind):
        clf = CLASSIFIERS[kind]()
        assert has_fit_parameter(clf, "sample_weight")
        assert list(inspect.signature(clf.fit).parameters) == ["X", "y", "sample_weight", "params"]

    @pytest.mark.parametrize(("meta", "routing"), crossed(list(AROUND), [True, False]))
    def test_they_reach_it_through_a_meta_estimator(self, kind, meta, routing):
        around, within = AROUND[meta]
        X, y, weights = weighted()
        direct = CLASSIFIERS[kind]().fit(X, y, sample_weight=weights)
        targets = np.stack([y, y], axis=1) if meta == "several outputs" else y
        with sklearn.config_context(enable_metadata_routing=routing):
            clf = requesting(CLASSIFIERS[kind]()) if routing else CLASSIFIERS[kind]()
            own = f"{type(clf).__name__.lower()}__sample_weight"
            name = own if meta == "pipeline" and not routing else "sample_weight"
            model = around(clf)
            if meta == "stacking" and routing:
                model.final_estimator.set_fit_request(sample_weight=True)
            if meta == "grid search" and routing:
                clf.set_score_request(sample_weight=True)
            fitted = within(model.fit(X, targets, **{name: weights}))
        np.testing.assert_array_equal(fitted.offsets_, direct.offsets_)
        np.testing.assert_array_equal(fitted.estimator_.coef_, direct.estimator_.coef_)
        without = CLASSIFIERS[kind]().fit(X, y)
        assert np.abs(direct.offsets_ - without.offsets_).max() > 0.1

    @pytest.mark.parametrize("routing", [False, True])
    def test_calibration(self, kind, routing):
        X, y, weights = weighted()
        train = HALF[0][0]
        direct = CLASSIFIERS[kind]().fit(X[train], y[train], sample_weight=weights[train])
        with sklearn.config_context(enable_metadata_routing=routing):
            clf = requesting(CLASSIFIERS[kind]()) if routing else CLASSIFIERS[kind]()
            fitted = CalibratedClassifierCV(clf, cv=HALF, ensemble=True).fit(X, y, sample_weight=weights)
        np.testing.assert_array_equal(fitted.calibrated_classifiers_[0].estimator.offsets_, direct.offsets_)

    def test_boosting_weights_the_classifiers(self, kind):
        X, y, weights = weighted()
        boosted = AdaBoostClassifier(CLASSIFIERS[kind](), n_estimators=2, random_state=0).fit(
            X, y, sample_weight=weights
        )
        first, second = boosted.estimators_
        direct = CLASSIFIERS[kind]().fit(X, y, sample_weight=weights / weights.sum())
        np.testing.assert_allclose(first.offsets_, direct.offsets_, atol=1e-12)
        raised = weights * np.exp(boosted.estimator_weights_[0] * (first.predict(X) != y))
        again = CLASSIFIERS[kind]().fit(X, y, sample_weight=raised / raised.sum())
        np.testing.assert_allclose(second.offsets_, again.offsets_, atol=1e-6)

    @pytest.mark.parametrize("routing", [False, True])
    def test_bagging_weights_samples_by_their_draws(self, kind, routing):
        X, y, _ = weighted()
        with sklearn.config_context(enable_metadata_routing=routing):
            clf = requesting(CLASSIFIERS[kind]()) if routing else CLASSIFIERS[kind]()
            bagged = BaggingClassifier(clf, n_estimators=2, random_state=0).fit(X, y)
        for fitted, drawn in zip(bagged.estimators_, bagged.estimators_samples_, strict=True):
            draws = np.bincount(drawn, minlength=len(y))
            np.testing.assert_array_equal(fitted.offsets_, CLASSIFIERS[kind]().fit(X, y, sample_weight=draws).offsets_)

    def test_metadata_routing_includes_them(self, kind):
        with sklearn.config_context(enable_metadata_routing=True):
            clf = CLASSIFIERS[kind]()
            assert clf.get_metadata_routing().consumes("fit", ["sample_weight"]) == {"sample_weight"}
            clf.set_fit_request(sample_weight=False)
            assert clf.get_metadata_routing().consumes("fit", ["sample_weight"]) == set()
            clf.set_fit_request(sample_weight="costs")
            assert clf.get_metadata_routing().consumes("fit", ["costs"]) == {"costs"}

    def test_an_alias_reaches_it(self, kind):
        X, y, weights = weighted()
        with sklearn.config_context(enable_metadata_routing=True):
            clf = CLASSIFIERS[kind]().set_fit_request(sample_weight="costs")
            clf.estimator.set_fit_request(sample_weight=False)
            fitted = make_pipeline(clf).fit(X, y, costs=weights)[-1]
            direct = CLASSIFIERS[kind]()
            direct.estimator.set_fit_request(sample_weight=False)
            direct.fit(X, y, sample_weight=weights)
        np.testing.assert_array_equal(fitted.offsets_, direct.offsets_)

    def test_routing_asks_whether_the_classifier_within_takes_them(self, kind):
        X, y, weights = weighted()
        with (
            sklearn.config_context(enable_metadata_routing=True),
            pytest.raises(UnsetMetadataPassedError, match="LogisticRegression"),
        ):
            CLASSIFIERS[kind]().fit(X, y, sample_weight=weights)


def test_weights_are_copies_where_folds_keep_copies_together():
    X, y, _ = weighted()
    weights = np.random.default_rng(1).integers(0, 3, len(y))
    copied = np.repeat(np.arange(len(y)), weights)
    fold = np.arange(len(y)) % 3

    def tuned(fold, **options):
        cv = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]
        model = LogisticRegression(tol=1e-10, max_iter=1000)
        return TunedOffsetClassifierCV(model, cv=cv, estimate="empirical", **options)

    by_weight = tuned(fold).fit(X, y, sample_weight=weights)
    by_copies = tuned(fold[copied]).fit(X[copied], y[copied])
    np.testing.assert_allclose(by_weight.offsets_, by_copies.offsets_, atol=1e-6)
    assert by_weight.tuner_.in_sample_score_ == pytest.approx(by_copies.tuner_.in_sample_score_)


@pytest.mark.parametrize(
    "estimator", [LogisticRegression(), make_pipeline(FunctionTransformer(), LogisticRegression())]
)
def test_groups_without_routing_raise_an_error_with_the_remedy(estimator):
    X, y, _ = weighted()
    groups = np.arange(len(y)) // 10
    clf = TunedOffsetClassifierCV(estimator, cv=GroupKFold(3))
    with pytest.raises(ValueError, match=r"^groups .*set_config\(enable_metadata_routing=True\).*GroupKFold"):
        clf.fit(X, y, groups=groups)
    assert not hasattr(clf, "offsets_")
    with sklearn.config_context(enable_metadata_routing=True):
        assert clf.fit(X, y, groups=groups).offsets_.shape == (2,)


def test_a_classifier_that_takes_none_is_told_of_through_bagging():
    X, y, _ = weighted()
    model = make_pipeline(FunctionTransformer(), LogisticRegression())
    with pytest.warns(SkimbalanceWarning, match="Pipeline.fit takes no sample_weight"):
        BaggingClassifier(TunedOffsetClassifierCV(model, cv=3), n_estimators=1).fit(X, y)
