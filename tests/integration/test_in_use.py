"""Around it other estimators, under it real data."""

import sys

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    train_test_split,
)
from sklearn.naive_bayes import GaussianNB
from support.samples import draw, logistic

from skimbalance import FixedOffsetClassifier, TunedOffsetClassifierCV
from skimbalance.metrics import Cost, geometric_mean_score


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
        calibrated = CalibratedClassifierCV(FrozenEstimator(fixed), method="isotonic").fit(X, y)
        rises = np.diff(calibrated.predict_proba(X)[:, 1][np.argsort(fixed.decision_function(X))])
        assert rises.min() >= -1e-12  # a monotone map of the shifted scores


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
