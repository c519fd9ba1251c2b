"""Offsets in the last layer: the plain decision is the tuned one, on every row."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from support.problems import features

from skimbalance import TunedOffsetClassifierCV
from skimbalance.nn import fold_offsets

OFFSETS = np.array([-1.0, 0.25, 0.75])


class TestLinearClassifiers:
    @pytest.mark.parametrize("n_classes", [2, 3])
    @pytest.mark.parametrize(
        "model",
        [
            LogisticRegression(),
            LogisticRegression(fit_intercept=False),
            LinearDiscriminantAnalysis(),
            LinearSVC(),
            RidgeClassifier(),
            make_pipeline(StandardScaler(), LogisticRegression()),
        ],
        ids=lambda model: type(model).__name__,
    )
    def test_decisions_agree(self, model, n_classes):
        X, y = features(n_samples=400, n_classes=n_classes)
        clf = TunedOffsetClassifierCV(model, estimate="empirical").fit(X, np.array(["a", "b", "c"])[y])
        more = features(1, n_samples=5000, n_classes=n_classes)[0]
        plain = fold_offsets(clf.estimator_, clf.offsets_)
        np.testing.assert_array_equal(plain.predict(more), clf.predict(more))
        assert not np.array_equal(clf.estimator_.predict(more), clf.predict(more))

    def test_in_place_or_not(self):
        X, y = features(n_samples=400)
        model = LogisticRegression().fit(X, y)
        before = model.intercept_.copy()
        assert fold_offsets(model, OFFSETS) is not model
        np.testing.assert_array_equal(model.intercept_, before)
        assert fold_offsets(model, OFFSETS, inplace=True) is model
        np.testing.assert_allclose(model.intercept_, before + OFFSETS)

    def test_what_does_not_fit_is_refused(self):
        X, y = features(n_samples=400)
        with pytest.raises(ValueError, match="got DecisionTreeClassifier"):
            fold_offsets(DecisionTreeClassifier().fit(X, y), OFFSETS)
        with pytest.raises(ValueError, match="got LogisticRegression"):
            fold_offsets(LogisticRegression(), OFFSETS)
        with pytest.raises(ValueError, match="offsets must be"):
            fold_offsets(LogisticRegression().fit(X, y), [0.0, 1.0])


def argmax_of_scores(model, X, offsets):
    """The decisions of margins plus offsets, of one margin by its sign."""
    margins = model.decision_function(X)
    if margins.ndim == 1:
        return model.classes_[(margins + offsets[1] - offsets[0] > 0).astype(int)]
    return model.classes_[(margins + offsets).argmax(axis=1)]


class TestDecisionsAreVerified:
    @pytest.mark.parametrize("n_classes", [2, 3, 4])
    def test_a_classifier_that_does_not_read_its_intercept(self, n_classes):
        X, y = features(n_samples=200, n_classes=n_classes)
        model = SVC(kernel="linear").fit(X, y)
        before = model.intercept_.copy()
        for options in ({}, {"X": X}, {"inplace": True}):
            with pytest.raises(ValueError, match=r"SVC (does not|has 6)"):
                fold_offsets(model, np.linspace(-1, 1, n_classes), **options)
        np.testing.assert_array_equal(model.intercept_, before)

    @pytest.mark.parametrize("inplace", [False, True])
    def test_probabilities_that_are_no_softmax(self, inplace):
        X, y = features(n_samples=400)
        model = SGDClassifier(loss="log_loss", random_state=0).fit(X, y)
        before = model.intercept_.copy()
        for options in ({}, {"X": X}, {"response_method": "predict_proba"}):
            with pytest.raises(ValueError, match=r"(fitted on|argmax of) predict_proba"):
                fold_offsets(model, OFFSETS, inplace=inplace, **options)
        np.testing.assert_array_equal(model.intercept_, before)
        more = features(1, n_samples=5000)[0]
        expected = argmax_of_scores(model, more, OFFSETS)
        folded = fold_offsets(model, OFFSETS, inplace=inplace, response_method="decision_function")
        np.testing.assert_array_equal(folded.predict(more), expected)

    def test_binary_probabilities_that_are_no_sigmoid(self):
        X, y = features(n_samples=400, n_classes=2)
        with pytest.raises(ValueError, match="its probabilities are no softmax of decision_function"):
            fold_offsets(SGDClassifier(loss="modified_huber", random_state=0).fit(X, y), [0.0, 0.7])

    @pytest.mark.parametrize("n_classes", [2, 3])
    @pytest.mark.parametrize(
        "model",
        [SGDClassifier(random_state=0), Perceptron(), RidgeClassifier(fit_intercept=False), LinearSVC()],
        ids=lambda model: type(model).__name__,
    )
    def test_margins_are_exact(self, model, n_classes):
        X, y = features(n_samples=400, n_classes=n_classes)
        model.fit(X, np.array(["a", "b", "c"])[y])
        offsets = OFFSETS[:n_classes]
        more = features(1, n_samples=5000, n_classes=n_classes)[0]
        np.testing.assert_array_equal(
            fold_offsets(model, offsets).predict(more), argmax_of_scores(model, more, offsets)
        )

    def test_binary_log_loss_of_sgd_is_exact(self):
        X, y = features(n_samples=400, n_classes=2)
        model = SGDClassifier(loss="log_loss", random_state=0).fit(X, y)
        more = features(1, n_samples=5000, n_classes=2)[0]
        expected = argmax_of_scores(model, more, OFFSETS)
        np.testing.assert_array_equal(fold_offsets(model, OFFSETS[:2]).predict(more), expected)

    def test_sparse_coefficients(self):
        X, y = features(n_samples=400)
        model = LogisticRegression().fit(X, y)
        expected = argmax_of_scores(model, X, OFFSETS)
        np.testing.assert_array_equal(fold_offsets(model.sparsify(), OFFSETS).predict(X), expected)

    @pytest.mark.parametrize(
        "wrap",
        [
            FrozenEstimator,
            lambda model: make_pipeline(StandardScaler(), make_pipeline(model)),
            lambda model: make_pipeline(StandardScaler(), GridSearchCV(model, {"C": [1.0]}, cv=2)),
        ],
    )
    @pytest.mark.parametrize("given", [False, True])
    def test_what_is_wrapped(self, wrap, given):
        X, y = features(n_samples=400)
        model = wrap(LogisticRegression().fit(X, y)).fit(X, y)
        expected = argmax_of_scores(model, X, OFFSETS)
        assert not np.array_equal(model.predict(X), expected)
        np.testing.assert_array_equal(fold_offsets(model, OFFSETS, X=X if given else None).predict(X), expected)

    def test_fitted_on_a_frame(self):
        pandas = pytest.importorskip("pandas")
        X, y = features(n_samples=400)
        frame = pandas.DataFrame(X, columns=list("abcd"))
        model = LogisticRegression().fit(frame, y)
        folded = fold_offsets(model, OFFSETS)
        np.testing.assert_array_equal(folded.predict(frame), argmax_of_scores(model, frame, OFFSETS))
        assert list(folded.feature_names_in_) == list("abcd")

    def test_multilabel(self):
        X, y = features(n_samples=400)
        model = RidgeClassifier().fit(X, np.eye(3, dtype=int)[y])
        expected = model.decision_function(X) + OFFSETS > 0
        np.testing.assert_array_equal(fold_offsets(model, OFFSETS).predict(X), expected)

    def test_what_has_no_such_scores(self):
        X, y = features(n_samples=400)
        with pytest.raises(ValueError, match="LinearSVC has no such method"):
            fold_offsets(LinearSVC().fit(X, y), OFFSETS, response_method="predict_proba")
        with pytest.raises(ValueError, match="response_method must be 'auto' or one of"):
            fold_offsets(LinearSVC().fit(X, y), OFFSETS, response_method="logits")
        with pytest.raises(ValueError, match="layer names a layer of a torch module"):
            fold_offsets(LinearSVC().fit(X, y), OFFSETS, layer="head")
