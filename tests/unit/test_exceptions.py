"""Errors and warnings name the page that explains them, where they are ours."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from skimbalance import FixedOffsetClassifier, OffsetTuner, TunedOffsetClassifierCV, imbalance_curve
from skimbalance.exceptions import FewRowsWarning
from skimbalance.goals import AtLeast
from skimbalance.metrics import Cost, FBeta, geometric_mean_score, imbalance_state
from skimbalance.solvers import Search

PROBA, Y = np.linspace(0.1, 0.9, 40), np.arange(40) % 2
TUNER = OffsetTuner().fit(PROBA, Y)


class Failing(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        raise ValueError("not ours")

    def predict_proba(self, X):
        return None


@pytest.mark.parametrize(
    "act",
    [
        lambda: OffsetTuner("roc_auc").fit(PROBA, Y),
        lambda: TUNER.predict([2.0]),
        lambda: TUNER.predict_proba([2.0]),
        lambda: TUNER.transform([2.0]),
        lambda: TunedOffsetClassifierCV(Failing(), objective="roc_auc").fit(PROBA[:, None], Y),
        lambda: FixedOffsetClassifier(LogisticRegression(), target_prior=[0.5]).fit(PROBA[:, None], Y),
        lambda: imbalance_curve(PROBA, Y[1:]),
        lambda: AtLeast("recall", 0.5, confidence=2.0),
        lambda: FBeta(-1.0),
        lambda: Cost([[0, 1]]),
        lambda: Search(budget=0),
        lambda: geometric_mean_score([0, 1], [0]),
        lambda: imbalance_state([[0.5, 0.4]]),
    ],
)
def test_an_error_of_ours_names_the_page_once(act):
    with pytest.raises((TypeError, ValueError)) as caught:
        act()
    assert caught.value.__notes__ == ["See 'Messages' in the documentation of skimbalance."]


def test_an_error_of_somebody_else_does_not():
    with pytest.raises(ValueError, match="not ours") as caught:
        TunedOffsetClassifierCV(Failing()).fit(PROBA[:, None], Y)
    assert not hasattr(caught.value, "__notes__")


def test_a_warning_names_it_too_and_a_note_does_not():
    with pytest.warns(FewRowsWarning, match=r"\. See 'Messages' in the documentation of skimbalance\.$"):
        tuner = OffsetTuner().fit(PROBA[:12], np.arange(12) == 3)
    assert not any("Messages" in note for note in tuner.notes_)
