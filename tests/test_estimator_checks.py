"""scikit-learn's own checks, with nothing listed as expected to fail."""

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from skimbalance import FixedOffsetClassifier, TunedOffsetClassifierCV
from skimbalance.goals import ImbalanceState

pytestmark = [
    # Checks bring four rows a class; that a class is smaller than the folds is what scikit-learn then says.
    pytest.mark.filterwarnings("ignore:The least populated class:UserWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


@parametrize_with_checks(
    [
        TunedOffsetClassifierCV(LogisticRegression(), cv=3),
        TunedOffsetClassifierCV(LogisticRegression(), objective="f1_macro"),
        TunedOffsetClassifierCV(LogisticRegression(), objective=ImbalanceState("uniform", class_balanced=True), cv=3),
        TunedOffsetClassifierCV(LinearSVC(random_state=0), cv=3),
        TunedOffsetClassifierCV(DecisionTreeClassifier(random_state=0), cv=0.5, refit=False),
        FixedOffsetClassifier(LogisticRegression()),
        FixedOffsetClassifier(LinearSVC(random_state=0), tau=0.5),
    ]
)
def test_estimator(estimator, check):
    check(estimator)
