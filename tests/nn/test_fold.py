"""Offsets in the last layer: the plain decision is the tuned one, on every row."""

import numpy as np
import pytest
from problems import features
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

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
        X, y = features(n_rows=400, n_classes=n_classes)
        clf = TunedOffsetClassifierCV(model, estimate="empirical").fit(X, np.array(["a", "b", "c"])[y])
        more = features(1, n_rows=5000, n_classes=n_classes)[0]
        plain = fold_offsets(clf.estimator_, clf.offsets_)
        np.testing.assert_array_equal(plain.predict(more), clf.predict(more))
        assert not np.array_equal(clf.estimator_.predict(more), clf.predict(more))

    def test_in_place_or_not(self):
        X, y = features(n_rows=400)
        model = LogisticRegression().fit(X, y)
        before = model.intercept_.copy()
        assert fold_offsets(model, OFFSETS) is not model
        np.testing.assert_array_equal(model.intercept_, before)
        assert fold_offsets(model, OFFSETS, inplace=True) is model
        np.testing.assert_allclose(model.intercept_, before + OFFSETS)

    def test_what_does_not_fit_is_refused(self):
        X, y = features(n_rows=400)
        with pytest.raises(ValueError, match="got DecisionTreeClassifier"):
            fold_offsets(DecisionTreeClassifier().fit(X, y), OFFSETS)
        with pytest.raises(ValueError, match="got LogisticRegression"):
            fold_offsets(LogisticRegression(), OFFSETS)
        with pytest.raises(ValueError, match="offsets must be"):
            fold_offsets(LogisticRegression().fit(X, y), [0.0, 1.0])
